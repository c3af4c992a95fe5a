// pure

/**
 * How sentences begin that say what a running operator does next. The messages of verdicts have such a sentence written
 * into them; these are all there are, and a test finds new ones.
 */
const openings = /^(?:Polled every|Polling continues|Next check|Retrying|Retried|No retry)\b/;

/**
 * A message without what a running operator does next: a plan has no operator behind it, and an Event stands for an hour,
 * while the time until the next check changes.
 */
export function withoutFollowUp(message: string): string {
  // A dot that is not followed by a blank ends no sentence.
  const sentences = message.split(/(?<=[.!?…])\s+/).filter((sentence) => !openings.test(sentence));
  return sentences.join(" ");
}
