// pure

/**
 * A date of an HTTP header in milliseconds since the epoch, in the form that RFC 9110 demands; `undefined` for anything
 * else. `Date.parse` alone would make a date of almost anything, `-5` included.
 */
export function httpDateMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) {
    return undefined;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
