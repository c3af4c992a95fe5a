// pure
import type { ExecStanza } from "./kubeconfig-stanzas.ts";

/*
 * What a credential plugin wrote, without what may be a credential. Plugins quote their arguments, their requests and the
 * answers of others, so that each rule here hides too much rather than too little. What stays are words, paths, host
 * names.
 */

const hidden = "[redacted]";
const maxShown = 400;
// Enough to find secrets in that are longer than what is shown; a whole log would take seconds to search.
const maxSearched = 4_096;
const shortestSetting = 4;

/** Words that name a secret, alone or as a part of a name. */
const secretName =
  "(?:pass(?:word|wd|phrase|code)|pwd|secret|token|key|credential|cookie|assertion|signature|jwt|authorization|" +
  "bearer|basic|(?<![a-z])(?:auth|sig|sas|pin|otp|pat|pass)(?![a-z]))";

/** What follows such a name in an error, and is none. */
const plainWord =
  "(?:an?|the|no|not|your?|this|that|it|its|is|was|has|have|had|cannot|can|could|does|failed|failure|fail|errors?|" +
  "invalid|expired|missing|unable|unknown|unexpected|denied|forbidden|unauthorized|unauthenticated|access|auth|" +
  "authentication|authorization|requests?|required|get|post|put|open|read|dial|exec|exit|context|http|status|server|" +
  "response|please|try|unsupported|empty|incorrect|wrong|revoked|rejected|refused|none|null|nil|and|or|for|from|in|of|on|" +
  "to|with|by|at|as|if|when|must|should|will|tokens?|credentials?|realm|challenge|header|scheme|method|AADSTS\\d+|" +
  "[1-5]\\d\\d)(?=[.,:;!?)]*(?:\\s|$))";

const value = `(?:"(?:[^"\\\\]|\\\\[\\s\\S])*"?|\\\\+"[\\s\\S]*?(?:\\\\+"|$)|'[^']*'?|[^\\s"'\\\\]\\S*|\\\\\\S*)`;
const restOfLine = `(?:"(?:[^"\\\\]|\\\\[\\s\\S])*"?|\\\\+"[\\s\\S]*?(?:\\\\+"|$)|'[^']*'?|\\S[^\\n]*)`;
const separator = `["'\\\\\\]]*(?:\\s+(?:id|value))?\\s*(?::=|=>|[:=])\\s*(?!\\s)`;

const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN[\s\S]*/g, hidden],
  [/([?&][\w.~%[\]-]+=)[^\s&"']+/g, `$1${hidden}`],
  // They may consist of several words.
  [
    new RegExp(`((?:pass(?:word|wd|phrase|code)|pwd|authorization|cookie)[\\w.-]*${separator})${restOfLine}`, "gi"),
    `$1${hidden}`,
  ],
  [new RegExp(`(${secretName}[\\w.-]*${separator})(?!${plainWord}|https?://)${value}`, "gi"), `$1${hidden}`],
  [new RegExp(`(\\b(?:bearer|basic|negotiate)\\s+)(?!\\s|${plainWord})${value}`, "gi"), `$1${hidden}`],
  // Without a sign between the two: what is no word.
  [
    new RegExp(
      `(${secretName}[\\w.-]*["']?\\s+(?:(?:is|was|to)\\s+)?)(?=["']?[^\\s/(-]\\S*[\\d_~+=%$#^*!@])${value}`,
      "gi",
    ),
    `$1${hidden}`,
  ],
  // User and password in a URL, or in front of a host; a password may hold a slash.
  [/:\/\/\S*@/g, `://${hidden}@`],
  [/[^\s:/"'(]+:(?!\/\/)\S*@/g, `${hidden}@`],
  // Of makers whose tokens have a sign of their own.
  [/\beyJ[\w-]+(?:\.[\w-]*)*/g, hidden],
  [
    /\b(?:gl[a-z]{2,6}-|gh[a-z]_|github_pat_|xox[a-z]-|xapp-|hv[a-z]\.|AKIA|ASIA|[sr]k[-_]|ya29\.|npm_|dckr_|pypi-|AIza|dop_v1_)\S{8,}/g,
    hidden,
  ],
];

const flagOfSecret = new RegExp(`^\\W*--?[\\w.-]*${secretName}[\\w.-]*$`, "i");
const isPlain = new RegExp(`^${plainWord}`, "i");

/** The last words of a plugin in one line, without what may be a credential. `secrets` are known ones. */
export function shownWords(words: string, secrets: readonly string[]): string {
  // Cut between two words: of a secret that was cut in two, nothing would be found.
  const last = words.length > maxSearched ? words.slice(-maxSearched).replace(/^\S*/, "...") : words;
  // Colors first, for they cut words in two. The longest first: a part of a secret that was hidden cannot be found any
  // more.
  const known = [...new Set(secrets.flatMap(formsOf))]
    .toSorted((a, b) => b.length - a.length)
    .reduce((shown, secret) => shown.replaceAll(secret, hidden), last.replaceAll(ansiEscape, ""));
  const named = rules.reduce((shown, [pattern, by]) => shown.replaceAll(pattern, by), known);
  const line = oneLine(withoutLikely(withoutFlagValues(named)));
  return line.length > maxShown ? `... ${line.slice(-maxShown)}` : line;
}

/** What a kubeconfig gives to a plugin and that must not be shown: all but flags, sub-commands, and short values. */
export function settingsOf({ args, env }: Pick<ExecStanza, "args" | "env">): readonly string[] {
  const given = args.flatMap((arg, index) => {
    const [, assigned] = /^[\w.-]+=([\s\S]*)$/.exec(arg) ?? [];
    if (assigned !== undefined) return [assigned, ...partsOf(assigned)];
    if (arg.startsWith("--")) return [];
    // A value without a blank behind its flag: -pVALUE.
    if (arg.startsWith("-")) return [arg.slice(2)];
    const before = args[index - 1] ?? "";
    const isValue = /^-[^=]*[^=-][^=]*$/.test(before) || !/^[a-z]+(?:-[a-z]+)*$/.test(arg);
    return isValue ? [arg, ...partsOf(arg)] : [];
  });
  const settings = [...given, ...env.flatMap((one) => [one.value, ...partsOf(one.value)])];
  return settings.filter((one) => one.length >= shortestSetting && !/^(?:true|false|json|yaml)$/i.test(one));
}

/** What is inherited under a name of a secret. */
export function inheritedSecrets(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const isSecret = new RegExp(secretName.replace("[a-z]", "[a-zA-Z]"), "i");
  return Object.entries(env).flatMap(([name, one = ""]) => (isSecret.test(name) && one.length >= 6 ? [one] : []));
}

/** A header, a list or a script may hold a secret beside other things. */
function partsOf(setting: string): readonly string[] {
  return setting.split(/[\s,;:=&"']+/).filter((part) => part.length >= shortestSetting && /[^A-Za-z]/.test(part));
}

/** The ways in which a program may repeat what it got. */
function formsOf(secret: string): readonly string[] {
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  // Half a character has no URL form.
  const url = encodeURIComponent(secret.replaceAll(/\p{Cs}/gu, "\ufffd"));
  const lines = secret.split(/\s*\n\s*/).filter((line) => line.length >= shortestSetting);
  return [secret, ...lines, JSON.stringify(secret).slice(1, -1), base64, url];
}

function withoutFlagValues(text: string): string {
  const words = text.split(/(\s+)/);
  return words
    .map((word, index) => {
      const isValue = index >= 2 && flagOfSecret.test(words[index - 2] ?? "") && !word.startsWith("-");
      return isValue && word !== "" && !isPlain.test(word) ? hidden : word;
    })
    .join("");
}

/** Long words that are neither names nor paths. */
function withoutLikely(text: string): string {
  return text.replaceAll(/[^\s"'`<>()[\]{},;:=|\\]{16,}/g, (word) => (isReadable(word) ? word : hidden));
}

/** Words, joined as in paths, host names and versions. A random text has digits, or its letters are no words. */
function isReadable(word: string): boolean {
  const segments = word
    .replace(/^~(?=\/)/, "")
    .replace(/[.!?]+$/, "")
    .split(/[/._@-]+/)
    .filter((segment) => segment !== "");
  const mixed = segments.filter((segment) => /\d/.test(segment) && /\D/.test(segment));
  const digits = word.replaceAll(/\D/g, "").length;
  return mixed.length <= 2 && digits <= 12 && segments.every((segment) => readable.some((one) => one.test(segment)));
}

const readable: readonly RegExp[] = [
  /^\d{1,5}$/,
  /^[a-z]{1,20}$/,
  /^[A-Z]{1,15}$/,
  /^[a-z]*(?:[A-Z][a-z]{2,14}|ID|URL|API|SSO|OIDC|STS|EKS|AWS|IAM|HTTP|TLS|MFA|JWT|JSON)+$/,
  /^(?=.{1,8}$)[a-z]*\d{1,2}[a-z]*$/,
  /^(?:oauth2[a-z]{0,10}|v\d{1,2}(?:alpha|beta)\d{1,2}|[a-z]{1,4}(?:128|256|512))$/,
];

const ansiEscape = /[^\P{Cc}\s]\[[0-9;?]*[ -/]*[@-~]/gu;

/** One line without colors and other control characters. */
export function oneLine(text: string): string {
  return text
    .replaceAll(ansiEscape, "")
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim();
}
