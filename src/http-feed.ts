import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

// Small, because each empty line that a client sends is searched again.
const pieceBytes = 1_024;

/**
 * What becomes of the body of a request: `none` has none, `undecided` is held back, `wanted` is parsed, `dropped` is
 * thrown away.
 */
type Body = "none" | "undecided" | "wanted" | "dropped";

interface Current {
  readonly request: IncomingMessage;
  body: Body;
  /** What has come of an undecided body: one packet, as no more is read then. */
  held: readonly Buffer[];
}

/**
 * Gives the parser one request at a time. Node parses a packet to its end, whatever becomes of the connection: with
 * thousands of requests in a packet, some hundred connections take all memory and the processor for many seconds. Who
 * sends the next request before the answer to the last one is cut off.
 *
 *     begin -> none | dropped | undecided -- accept --> wanted
 *                                        '-- refuse --> dropped
 *
 * *Guarantees*: nothing of a body is parsed before it is accepted, and no more than one packet of it is held.
 */
export class HttpFeed {
  readonly #current = new WeakMap<Socket, Current>();
  readonly #takes = new WeakMap<Socket, (chunk: Buffer) => void>();
  readonly #tunnels = new WeakSet<Duplex>();

  /** Stands between a new connection and the parser, whose listener is there already. */
  attach(socket: Socket): void {
    const feeds = socket.listeners("data") as ((chunk: Buffer) => void)[];
    socket.removeAllListeners("data");
    const parse = (chunk: Buffer) => {
      for (const feed of feeds) feed.call(socket, chunk);
    };
    let tail = "";
    const parseHead = (rest: Buffer): Buffer => {
      const piece = rest.subarray(0, pieceBytes);
      const text = tail + piece.toString("latin1");
      const end = /\n\r?\n/.exec(text);
      const length = end === null ? piece.length : end.index + end[0].length - tail.length;
      tail = end === null ? text.slice(-2) : "";
      parse(rest.subarray(0, length));
      return rest.subarray(length);
    };
    const take = (chunk: Buffer) => {
      let rest = chunk;
      while (rest.length > 0 && !socket.destroyed && !this.#tunnels.has(socket)) {
        const current = this.#current.get(socket);
        if (current === undefined) rest = parseHead(rest);
        else if (current.body === "undecided") {
          current.held = [...current.held, rest];
          socket.pause();
          return;
        } else if (current.body === "wanted" && !current.request.complete) {
          parse(rest.subarray(0, pieceBytes));
          rest = rest.subarray(pieceBytes);
        } else {
          if (current.body !== "dropped") socket.destroy();
          return;
        }
      }
    };
    this.#takes.set(socket, take);
    socket.on("data", take);
  }

  /**
   * The head of a request was parsed. `isDecided`: whoever answers reads no body. False where it came in the last piece
   * of the body before it: the client is cut off, and the request is not answered.
   */
  begin(request: IncomingMessage, { isDecided }: { readonly isDecided: boolean }): boolean {
    if (this.#current.has(request.socket)) {
      request.socket.destroy();
      return false;
    }
    const body = !hasBody(request) ? "none" : isDecided ? "dropped" : "undecided";
    this.#current.set(request.socket, { request, body, held: [] });
    return true;
  }

  /** The answer is sent, or will never be. */
  end({ socket }: IncomingMessage): void {
    this.#current.delete(socket);
  }

  /** Parses the body from now on. Who reads it has to listen already. */
  accept({ socket }: IncomingMessage): void {
    this.#decide(socket, "wanted");
  }

  /** Throws the body away. */
  refuse({ socket }: IncomingMessage): void {
    this.#decide(socket, "dropped");
  }

  /** What comes after this is no HTTP. */
  tunnel(socket: Duplex): void {
    this.#tunnels.add(socket);
  }

  #decide(socket: Socket, body: "wanted" | "dropped"): void {
    const current = this.#current.get(socket);
    if (current === undefined || current.body === "none") return;
    const { held } = current;
    current.body = body;
    current.held = [];
    for (const chunk of held) this.#takes.get(socket)?.(chunk);
    socket.resume();
  }
}

/** True where the head announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}
