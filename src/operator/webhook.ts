import type { Config } from "../config.ts";
import { startHttpServer, type TlsPair } from "../http-server.ts";
import type { ObjectKey } from "../runtime/outcome.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { Forwarder } from "../webhook/forwarder.ts";
import { createReceiver, type ReceiverDeps } from "../webhook/receiver.ts";
import { readTlsFiles, watchTlsFiles } from "./tls-files.ts";

export interface WebhookDeps extends Omit<ReceiverDeps, "onDelivery" | "connections" | "relay"> {
  readonly config: Pick<Config, "webhookBindAddress" | "webhookTlsCertFile" | "webhookTlsKeyFile">;
  readonly connections: ReceiverDeps["connections"] & {
    listen(listener: (change: { readonly kind: string; readonly key: ObjectKey }) => void): void;
  };
  /** When a delivery for a connection was received last. */
  readonly received: LastReceived;
  /** Where the receiver of the leader is; `undefined` while no other replica leads. */
  readonly leaderAddress: () => string | undefined;
  /** Called with the port once the receiver listens. */
  readonly onListening: (port: number) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** When deliveries were received last, by the wall clock. */
export class LastReceived {
  readonly #atMs = new Map<ObjectKey, number>();

  readonly get = (connection: ObjectKey): number | undefined => this.#atMs.get(connection);

  set(connection: ObjectKey, atMs: number): void {
    this.#atMs.set(connection, atMs);
  }

  forget(connection: ObjectKey): void {
    this.#atMs.delete(connection);
  }
}

/**
 * Serves the webhook receiver where it is wanted.
 *
 * *Errors*: rejects when the address cannot be listened on, or the certificate cannot be read or used.
 */
export async function startWebhook(deps: WebhookDeps): Promise<AsyncDisposable> {
  const { config, connections, received, clock, log } = deps;
  const { webhookBindAddress: address, webhookTlsCertFile: certFile, webhookTlsKeyFile: keyFile } = config;
  if (address === undefined) return { [Symbol.asyncDispose]: async () => undefined };
  const files = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
  const first = files && (await readTlsFiles(files));
  let certificate = first?.cert;
  const forwarder = new Forwarder({ leader: deps.leaderAddress, certificate: () => certificate, clock, log });
  const receiver = createReceiver({
    ...deps,
    onDelivery: (connection) => received.set(connection, clock.now()),
    relay: {
      isWanted: () => deps.leaderAddress() !== undefined,
      send: (connection, headers) => forwarder.send(connection, headers),
    },
  });
  connections.listen(({ kind, key }) => {
    if (kind !== "deleted") return;
    receiver.forget(key);
    received.forget(key);
  });
  const server = await startHttpServer({
    ...address,
    routes: {},
    receiver: receiver.receive,
    ...(first === undefined ? {} : { tls: first }),
    onError: (err) => log.error({ err, endpoint: "webhook" }, "failed to serve request"),
    clock,
  });
  deps.onListening(Number(server.address.slice(server.address.lastIndexOf(":") + 1)));
  log.info({ endpoint: "webhook", address: server.address }, "server listening");
  const over = new AbortController();
  const use = (pair: TlsPair): void => {
    server.renewTls(pair);
    certificate = pair.cert;
  };
  const reloading = files && first && watchTlsFiles({ files, first, use, clock, log }, over.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort(new Error("the webhook receiver has ended"));
      await reloading;
      await server.stop();
      await forwarder[Symbol.asyncDispose]();
    },
  };
}
