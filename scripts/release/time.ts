// pure

/**
 * The time that SOURCE_DATE_EPOCH says (https://reproducible-builds.org/specs/source-date-epoch); undefined when it is not set
 * or empty.
 *
 * *Errors*: when it is not a number of seconds that a date can have.
 */
export function sourceDate(seconds: string | undefined): Date | undefined {
  if (!seconds) return undefined;
  const time = new Date(Number(seconds) * 1_000);
  if (!/^\d+$/.test(seconds) || Number.isNaN(time.getTime())) {
    throw new Error(`SOURCE_DATE_EPOCH is "${seconds}"; a number of seconds since 1970 is expected`);
  }
  return time;
}
