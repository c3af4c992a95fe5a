// pure

/**
 * True for a host name that never leaves this machine, as `URL.hostname` writes it: `URL` has already turned `127.1`,
 * `2130706433` and `0x7f.1` into dotted form, so comparing text is enough.
 */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
