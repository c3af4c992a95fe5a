// pure
import { isUnreplaced, unreplacedSentence } from "./unreplaced.ts";

/**
 * Why a text cannot be the token itself although it holds one: what stands around it, or what was done to it. `undefined`
 * for a text that could be right, however odd: only the API knows then.
 *
 * Tokens of Northflank are JWTs, and a bearer token of any kind has none of the signs that are searched here.
 *
 * *Guarantees*: never quotes the text.
 */
export function tokenShapeProblem(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  if (isTwiceEncoded(trimmed)) {
    return "it is base64-encoded twice; store the token itself, under stringData or encoded once under data";
  }
  if (/^(authorization:\s*)?bearer\s/i.test(trimmed)) return "it begins with Bearer; store the token alone";
  if (/^\{\s*["}]/.test(trimmed)) return "it is JSON; store the value of the token alone";
  if (isUnreplaced(trimmed)) return `it ${unreplacedSentence}`;
  if (isAssignment(trimmed)) return "it is a line such as KEY=value; store only the part after the equals sign";
  if (/^["'`]|["'`]$/.test(trimmed)) return "it is in quotes; store it without them";
  if (/^\*+$/.test(trimmed))
    return "it is masked with asterisks; store the token as Northflank showed it when it was created";
  return undefined;
}

/** What to do about a text with a blank or line break in it, where nothing else is known of it. */
export function tokenGapRemedy(text: string): string {
  return /\S\s+\S/.test(text.trim())
    ? "; store it in one line without blanks, as Northflank showed it when it was created"
    : "";
}

/**
 * A name in front of a value: `NORTHFLANK_TOKEN=...`, `export TOKEN=...`, `token: ...`. A token may end with `=`
 * itself.
 */
function isAssignment(text: string): boolean {
  const [, name = ""] = /^(?:export\s+|set\s+)?([A-Za-z_][A-Za-z0-9_.-]{0,63})\s*[=:]\s*[^\s=]/.exec(text) ?? [];
  return /^[A-Z][A-Z0-9_]*$/.test(name) || /token|key|secret|auth|northflank/i.test(name);
}

const jwt = /(^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]*/;

/** Base64, also in lines, that stands for a JWT. A token that is base64 of anything else may be right. */
function isTwiceEncoded(text: string): boolean {
  const joined = text.replaceAll(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]{16,}={0,2}$/.test(joined)) return false;
  return jwt.test(Buffer.from(joined, "base64").toString("latin1"));
}
