// pure

/** The UTF-8 text that arrived in pieces; what came in one piece is not copied first. */
export function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first.toString("utf8") : Buffer.concat(chunks).toString("utf8");
}
