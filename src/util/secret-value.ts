import { inspect } from "node:util";

const shown = "[redacted]";

/**
 * A value that must not be printed. It prints as `[redacted]` wherever it ends up by mistake (template strings, logs,
 * `console.log`, error messages), and JSON leaves it out.
 */
export class SecretValue {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where the value is used, never to keep the result. */
  reveal(): string {
    return this.#value;
  }

  /** True when both hold the same value: distinguishes a rotated token from an unchanged one. */
  equals(other: SecretValue): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return shown;
  }

  /** There is no JSON form: the key is left out of objects, and becomes `null` in lists. */
  toJSON(): undefined {
    return undefined;
  }

  [inspect.custom](): string {
    return shown;
  }
}

// Far above any token seen (a JWT with many permissions has 2 KiB), and below what servers accept as one header.
const maxTokenBytes = 8 * 1024;

/** A token, or why a text is none. */
export type ParsedToken =
  | { readonly kind: "token"; readonly token: SecretValue }
  /** Why the text cannot be a token, for people. It never quotes the text. */
  | { readonly kind: "problem"; readonly problem: string };

/**
 * Checks a token before it gets near a header, where a bad character would be quoted in an error of another library.
 *
 * `trimNewline` (default false) takes off one newline at the end, as text files and `kubectl create secret
 * --from-file` have it.
 */
export function parseToken(text: string, options: { readonly trimNewline?: boolean } = {}): ParsedToken {
  const value = options.trimNewline === true ? withoutNewline(text) : text;
  if (value.length === 0) return { kind: "problem", problem: "it is empty" };
  if (value.length > maxTokenBytes) {
    return { kind: "problem", problem: `it is longer than ${maxTokenBytes} bytes` };
  }
  for (let index = 0; index < value.length; index++) {
    const problem = problemOf(value.charCodeAt(index));
    if (problem !== undefined) return { kind: "problem", problem: `it contains ${problem} at position ${index + 1}` };
  }
  return { kind: "token", token: new SecretValue(value) };
}

function withoutNewline(text: string): string {
  if (text.endsWith("\r\n")) return text.slice(0, -2);
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

function problemOf(code: number): string | undefined {
  if (code === 0x0a || code === 0x0d) return "a line break";
  if (code === 0x20 || code === 0xa0) return "a space";
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return "a control character";
  return code > 0xff ? "a character outside Latin-1" : undefined;
}
