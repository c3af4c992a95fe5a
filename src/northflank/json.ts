// pure

/** Tolerant readers of untrusted JSON: what is missing, null or of another type is `undefined`. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

// Memory is the only reason for the cut. It must stay above the longest value that may be declared (commands: 4,096),
// or a long remote value would differ from the same declared one for ever.
const maxText = 8_192;

/** A text, cut at 8,192 characters; `undefined` when it is empty. Cap it again where it goes into status. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length > 0 ? value.slice(0, maxText) : undefined;
}

export function booleanOf(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

export function wholeNumberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}
