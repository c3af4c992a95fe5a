import { createNorthflankApi, type NorthflankApi } from "../../src/northflank/client.ts";
import { createLedger } from "../../src/northflank/ledger.ts";
import type { Transport } from "../../src/northflank/transport.ts";
import type { Clock } from "../../src/util/clock.ts";
import { SecretValue } from "../../src/util/secret-value.ts";
import { always } from "./strict-fake.ts";

/** One request as it left the client: `body` is the JSON text, byte for byte. */
export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
}

export interface ScriptedAnswer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * The real client on a wire that leads nowhere: every request is written down and answered by `answer`, which throws for
 * a request that the test does not expect.
 */
export function recordingApi(options: {
  readonly clock: Clock;
  readonly answer: (request: SentRequest) => ScriptedAnswer;
}): {
  readonly api: NorthflankApi;
  readonly sent: readonly SentRequest[];
} {
  const { clock, answer } = options;
  const sent: SentRequest[] = [];
  const transport: Transport = {
    send: async ({ method, path, body, onSend }) => {
      const request = { method, path, body };
      sent.push(request);
      onSend?.();
      const { status, body: value } = answer(request);
      const headers = { date: new Date(clock.now()).toUTCString() };
      return { status, headers, body: { kind: "json", value } };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const random = always(0.5);
  const ledger = createLedger({ clock, random, maxRequestsPerHour: 10_000 });
  const account = { baseUrl: "https://api.northflank.com", token: new SecretValue("token"), pool: "acme" };
  return { api: createNorthflankApi({ transport, ledger, clock, random, ...account }), sent };
}
