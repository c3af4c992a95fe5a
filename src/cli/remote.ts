import { type ApiBinding, createApiFactory } from "../controllers/account/api-factory.ts";
import type { NorthflankApi } from "../northflank/client.ts";
import { createQuotaWait, type QuotaWait } from "../northflank/quota-wait.ts";
import { createTransport } from "../northflank/transport.ts";
import type { Clock } from "../util/clock.ts";
import { formatDuration } from "../util/duration.ts";
import type { Random } from "../util/random.ts";
import { version } from "../version.ts";
import type { Io } from "./io.ts";
import { createProgress, type Progress } from "./progress.ts";
import type { RemoteSettings } from "./remote-settings.ts";

/** What a command needs besides its arguments. */
export interface ToolDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly io: Io;
  readonly clock: Clock;
  readonly random: Random;
}

/** The way to Northflank of a tool without a cluster, with its quota, its counting and its progress line. */
export interface Remote extends AsyncDisposable {
  readonly openApi: (binding: ApiBinding) => NorthflankApi;
  readonly quotaWait: QuotaWait;
  readonly progress: Progress;
  /** What was spent, as a sentence: `7 requests to Northflank; 993 of 1000 left in this hour.` */
  readonly spent: () => string;
  /** Requests that were sent. */
  readonly requests: () => number;
}

/** Opens it. Nothing is sent before the first call. */
export function openRemote(settings: RemoteSettings, { io, clock, random }: ToolDeps): Remote {
  const transport = createTransport({
    clock,
    allowedHosts: settings.allowedApiHosts,
    userAgent: `northflank-operator/${version}`,
    totalTimeoutMs: settings.requestTimeoutMs,
    proxy: settings.proxy,
  });
  let requests = 0;
  const count = ({ code }: { readonly code: string }) => {
    if (code !== "unreachable" && code !== "aborted") requests += 1;
  };
  const apis = createApiFactory({ transport, clock, random, observer: { onCall: count } });
  const progress = createProgress(io);
  const onWait = (waitMs: number) => progress.show(`the quota is spent; waiting ${formatDuration(waitMs)} for more`);
  return {
    openApi: apis.open,
    quotaWait: createQuotaWait({ clock, maxWaitMs: settings.quotaWaitMs, onWait }),
    progress,
    requests: () => requests,
    spent: () => `${requests} request${requests === 1 ? "" : "s"} to Northflank${leftText(apis.pools())}.`,
    [Symbol.asyncDispose]: async () => {
      progress.clear();
      await transport[Symbol.asyncDispose]();
    },
  };
}

function leftText(pools: ReturnType<ReturnType<typeof createApiFactory>["pools"]>): string {
  const known = pools.flatMap(([, { limit, remaining }]) =>
    limit === undefined || remaining === undefined ? [] : [`${remaining} of ${limit} left in this hour`],
  );
  return known.length === 0 ? "" : `; ${known.join(", ")}`;
}
