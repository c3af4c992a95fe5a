import { X509Certificate } from "node:crypto";
import { type RequestOptions, request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import type { ObjectKey } from "../runtime/outcome.ts";
import type { Clock } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";

export interface ForwarderDeps {
  /** `ip:port` of the leader's receiver; `undefined` while it is not known. */
  readonly leader: () => string | undefined;
  /** The certificate chain that all replicas serve (PEM); `undefined` where they have no TLS. */
  readonly certificate: () => string | undefined;
  readonly clock: Pick<Clock, "setTimer">;
  readonly log: Log;
}

// A hint that is later than that is as good as the next poll.
const timeoutMs = 2_000;

// A flood is not doubled: what is beyond is dropped, as everything was before.
const mostInFlight = 16;

/**
 * Sends hints to the leader. Best effort: nothing is repeated, and what is lost is read when its poll is due.
 *
 * *Guarantees*: never throws and never waits; only to an IP address and port; over TLS only to a server that has the very
 * certificate that this replica serves, since it is not issued for the address of a pod.
 */
export class Forwarder implements AsyncDisposable {
  readonly #deps: ForwarderDeps;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #over = new AbortController();

  constructor(deps: ForwarderDeps) {
    this.#deps = deps;
  }

  send(connection: ObjectKey, headers: Readonly<Record<string, string>>): void {
    const target = parseAddress(this.#deps.leader());
    if (target === undefined || this.#over.signal.aborted || this.#inFlight.size >= mostInFlight) return;
    const sent: Promise<void> = this.#post(connection, target, headers)
      .catch((error: unknown) => {
        this.#deps.log.debug({ object: connection, err: toError(error) }, "failed to forward hint");
      })
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new Error("the forwarder has ended"));
    await Promise.all(this.#inFlight);
  }

  async #post(
    connection: ObjectKey,
    { host, port }: { readonly host: string; readonly port: number },
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const late = new AbortController();
    const timer = this.#deps.clock.setTimer(() => late.abort(new Error("no response in time")), timeoutMs);
    const options: RequestOptions = {
      ...{ host, port, headers: { ...headers, "content-length": "0" } },
      method: "POST",
      path: `/northflank/${connection}`,
      agent: false,
      signal: AbortSignal.any([late.signal, this.#over.signal]),
    };
    try {
      const status = await statusOf(options, this.#deps.certificate());
      if (status !== 200) throw new Error(`status ${status}`);
    } finally {
      timer.cancel();
    }
  }
}

async function statusOf(options: RequestOptions, certificate: string | undefined): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const made =
      certificate === undefined ? requestPlain(options) : requestTls({ ...options, ...onlyThisServer(certificate) });
    made.on("response", (response) => {
      response.resume();
      response.on("error", reject);
      resolve(response.statusCode);
    });
    made.on("error", reject);
    made.end();
  });
}

/** Trusts the first certificate of the chain and no other, whatever its names are. */
function onlyThisServer(chain: string) {
  const own = new X509Certificate(chain);
  return {
    ca: own.toString(),
    // The trusted one need not be the root of a chain.
    allowPartialTrustChain: true,
    checkServerIdentity: (_host: string, { fingerprint256 }: { readonly fingerprint256: string }) =>
      fingerprint256 === own.fingerprint256 ? undefined : new Error("it serves another certificate"),
  };
}

/** An IP address and a port; `undefined` for anything else, such as a name. */
function parseAddress(address: string | undefined): { readonly host: string; readonly port: number } | undefined {
  const [, v6, v4, port] =
    /^(?:\[([0-9a-fA-F:]{2,39})\]|(\d{1,3}(?:\.\d{1,3}){3})):(\d{1,5})$/.exec(address ?? "") ?? [];
  const host = v6 ?? v4;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}
