// pure

/**
 * What template engines and CI leave behind when nothing replaced it: `${TAG}`, `$(TAG)`, `$TAG`, `{{ .Values.tag }}`,
 * `<tag>`, a command in backticks, `%TAG%`. In the common subset of RE2 and JavaScript, linear in both.
 */
export const unreplacedPattern = "[$`{}<>]|%[A-Za-z_][A-Za-z0-9_]*%";

const unreplaced = new RegExp(unreplacedPattern);

/**
 * True for a text that holds such a rest. Only for texts that can never hold one of these characters, such as ids: in a
 * value of a variable they mean something.
 */
export function isUnreplaced(text: string): boolean {
  return unreplaced.test(text);
}

/** What is wrong with such a text, and what to do. */
export const unreplacedSentence =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the reader has to see it.
  "contains text such as ${TAG} or {{ .Values.tag }} that a template engine or CI left unreplaced; render the file before " +
  "it is applied";

// Of a long expression only the form is quoted, so that the message stays readable.
const quotable =
  /\$\{[^{}$]{1,60}\}|\$\([^()$]{1,60}\)|\$?\{\{[^{}]{1,60}\}\}|%[A-Za-z_][A-Za-z0-9_]{0,60}%|<[^<>]{1,60}>|\$[A-Za-z_][A-Za-z0-9_]{0,60}/;

/**
 * The same for one text, with what was left in it. Not for tokens, values of variables and contents of files: nothing of
 * those is repeated.
 */
export function unreplacedMessage(text: string): string {
  const [found] = quotable.exec(text) ?? [];
  if (found === undefined) return unreplacedSentence;
  return `contains ${JSON.stringify(found)}, which a template engine or CI left unreplaced; render the file before it is applied`;
}
