import type { Config } from "../config.ts";
import { startHttpServer } from "../http-server.ts";
import type { ObjectKey } from "../runtime/outcome.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { createReceiver, type ReceiverDeps } from "../webhook/receiver.ts";
import { readTlsFiles, watchTlsFiles } from "./tls-files.ts";

export interface WebhookDeps extends Omit<ReceiverDeps, "onDelivery" | "connections"> {
  readonly config: Pick<Config, "webhookBindAddress" | "webhookTlsCertFile" | "webhookTlsKeyFile">;
  readonly connections: ReceiverDeps["connections"] & {
    listen(listener: (change: { readonly kind: string; readonly key: ObjectKey }) => void): void;
  };
  /** When a delivery for a connection was received last. */
  readonly received: LastReceived;
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
  const receiver = createReceiver({ ...deps, onDelivery: (connection) => received.set(connection, clock.now()) });
  connections.listen(({ kind, key }) => {
    if (kind !== "deleted") return;
    receiver.forget(key);
    received.forget(key);
  });
  const files = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
  const first = files && (await readTlsFiles(files));
  const server = await startHttpServer({
    ...address,
    routes: {},
    receiver: receiver.receive,
    ...(first === undefined ? {} : { tls: first }),
    onError: (err) => log.error({ err, endpoint: "webhook" }, "failed to serve request"),
    clock,
  });
  log.info({ endpoint: "webhook", address: server.address }, "server listening");
  const over = new AbortController();
  const reloading = files && first && watchTlsFiles({ files, first, use: server.renewTls, clock, log }, over.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort(new Error("the webhook receiver has ended"));
      await reloading;
      await server.stop();
    },
  };
}
