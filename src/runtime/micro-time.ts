// pure
/** Milliseconds since the epoch as `metav1.MicroTime`: RFC 3339, UTC, exactly six fractional digits, as the API demands. */
export function formatMicroTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 23)}000Z`;
}
