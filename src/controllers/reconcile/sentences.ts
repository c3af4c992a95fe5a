// pure

/** The message with one more clause in its last sentence: a condition has at most three sentences. */
export function withClause(message: string, clause: string): string {
  return `${message.replace(/\.$/, "")}; ${clause}`;
}
