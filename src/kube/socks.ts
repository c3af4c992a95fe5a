import { isIP, isIPv6, connect as openTcp, type Socket } from "node:net";
import { connect as startTls } from "node:tls";
import type { buildConnector } from "undici";
import type { Clock } from "../util/clock.ts";
import type { TlsSettings } from "./kubeconfig.ts";

/**
 * Opens connections through a SOCKS5 proxy (RFC 1928, with user and password as RFC 1929 has it). The proxy resolves host
 * names, as it does for kubectl.
 *
 * *Errors*: an `Error` whose `code` begins with `ESOCKS` and whose message names neither user nor password.
 */
export function socksConnector(options: {
  /** `socks5://user:password@host:port`; the port is 1080 when missing. */
  readonly proxy: URL;
  readonly tls: TlsSettings;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly keepAliveMs: number;
}): buildConnector.connector {
  const { proxy, tls, clock, timeoutMs, keepAliveMs } = options;
  return (target, callback) => {
    const tcp = openTcp({ host: withoutBrackets(proxy.hostname), port: Number(proxy.port || 1080) });
    tcp.setKeepAlive(true, keepAliveMs);
    let socket: Socket = tcp;
    const timer = clock.setTimer(() => finish(socksError("TIMEOUT", "did not open a connection in time")), timeoutMs);
    const finish = (error?: Error) => {
      timer.cancel();
      socket.off("error", finish).off("close", onClose);
      if (error === undefined) {
        callback(null, socket);
        return;
      }
      socket.on("error", () => undefined).destroy();
      tcp.destroy();
      callback(error, null);
    };
    const onClose = () => finish(socksError("CLOSED", "closed the connection"));
    tcp.on("error", finish).on("close", onClose);
    const port = Number(target.port || (target.protocol === "https:" ? 443 : 80));
    handshake(tcp, { proxy, host: withoutBrackets(target.hostname), port }, () => {
      if (target.protocol !== "https:") {
        finish();
        return;
      }
      // From here on errors are those of the TLS connection, which owns this one.
      tcp
        .off("error", finish)
        .off("close", onClose)
        .on("error", () => undefined);
      const servername = tls.servername ?? target.servername ?? serverName(target.hostname);
      try {
        socket = startTls({ ...tls, socket: tcp, servername, ALPNProtocols: ["http/1.1"] }, () => finish());
        socket.on("error", finish).on("close", onClose);
      } catch (error) {
        // A certificate or key that is none.
        finish(error as Error);
      }
    });
  };
}

interface Target {
  readonly proxy: URL;
  readonly host: string;
  readonly port: number;
}

/** Greeting, identification and request, one answer after the other. Ends the socket with an error when it is refused. */
function handshake(socket: Socket, target: Target, done: () => void): void {
  const steps = dialog(target);
  let received = Buffer.alloc(0);
  let step = steps.next();
  const onData = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    try {
      while (!step.done && received.length >= step.value.bytes) {
        const answer = received.subarray(0, step.value.bytes);
        received = received.subarray(step.value.bytes);
        step = steps.next(answer);
        if (!step.done && step.value.send !== undefined) socket.write(step.value.send);
      }
    } catch (error) {
      socket.destroy(error as Error);
      return;
    }
    if (!step.done) return;
    socket.off("data", onData).pause();
    if (received.length > 0) socket.unshift(received);
    done();
  };
  socket.on("data", onData);
  if (!step.done && step.value.send !== undefined) socket.write(step.value.send);
}

interface Step {
  readonly send?: Buffer;
  /** Length of the answer that is waited for. */
  readonly bytes: number;
}

const version = 5;
const methods = { none: 0, password: 2 } as const;

function* dialog({ proxy, host, port }: Target): Generator<Step, void, Buffer> {
  const hasUser = proxy.username !== "" || proxy.password !== "";
  const offered = hasUser ? [methods.none, methods.password] : [methods.none];
  const [, method] = yield { send: Buffer.from([version, offered.length, ...offered]), bytes: 2 };
  if (method === methods.password && hasUser) {
    const user = lengthPrefixed(decodeURIComponent(proxy.username));
    const password = lengthPrefixed(decodeURIComponent(proxy.password));
    const [, status] = yield { send: Buffer.concat([Buffer.from([1]), user, password]), bytes: 2 };
    if (status !== 0) throw socksError("AUTH", "rejected user and password");
  } else if (method !== methods.none) {
    throw socksError("AUTH", hasUser ? "does not accept user and password" : "asks for user and password");
  }
  const [answered, reply, , kind] = yield {
    send: Buffer.concat([Buffer.from([version, 1, 0]), address(host), Buffer.from([port >> 8, port & 0xff])]),
    bytes: 4,
  };
  if (answered !== version) throw socksError("PROTOCOL", "does not speak SOCKS5");
  if (reply !== 0) throw socksError("REFUSED", `refused the connection (reply ${reply})`);
  // The address that the proxy connects from, which is not needed.
  const [length = 0] = kind === 3 ? yield { bytes: 1 } : [kind === 4 ? 16 : 4];
  yield { bytes: length + 2 };
}

function address(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return Buffer.from([1, ...host.split(".").map(Number)]);
  if (family === 6) return Buffer.from([4, ...ipv6Bytes(host)]);
  return Buffer.concat([Buffer.from([3]), lengthPrefixed(host)]);
}

/** `URL` has already brought it into the form of RFC 5952, without a dotted part. */
function ipv6Bytes(host: string): readonly number[] {
  const [head = "", tail] = host.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((one) => [one >> 8, one & 0xff]);
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > 255) throw socksError("PROTOCOL", "does not accept names longer than 255 bytes");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function withoutBrackets(hostname: string): string {
  return isIPv6(hostname.slice(1, -1)) ? hostname.slice(1, -1) : hostname;
}

/** Addresses have no place in the server name that TLS sends. */
function serverName(hostname: string): string | undefined {
  const host = withoutBrackets(hostname);
  return isIP(host) === 0 ? host : undefined;
}

function socksError(code: string, what: string): Error {
  return Object.assign(new Error(`the SOCKS proxy ${what}`), { code: `ESOCKS_${code}` });
}
