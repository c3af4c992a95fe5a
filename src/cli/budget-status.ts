// pure
import type { NorthflankConnection } from "../api/connection.ts";
import { present } from "../util/present.ts";
import type { AccountBudget } from "./budget-report.ts";
import { textAt, timeAt } from "./verbs/fields.ts";

/**
 * The budget as the statuses of connections have it: what Northflank returned last, in coarse steps. Connections that
 * are known to spend from one account are one line, with the newest figures of them.
 *
 * *Guarantees*: whatever the API server returns: what is missing, or of another type, is not shown.
 */
export function readStatusBudget(
  connections: readonly Partial<NorthflankConnection>[],
  now: number,
): readonly AccountBudget[] {
  const groups = new Map<string, Seen[]>();
  for (const connection of connections) {
    const seen = seenOf(connection);
    const known = groups.get(seen.account);
    if (known === undefined) groups.set(seen.account, [seen]);
    else known.push(seen);
  }
  return [...groups]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([account, seen]) => accountOf(account, seen, now));
}

interface Seen {
  readonly account: string;
  readonly connection: string;
  readonly status: Fields;
  readonly observedMs: number;
}

function seenOf({ metadata, spec, status }: Partial<NorthflankConnection>): Seen {
  const { namespace = "", name = "" } = metadata ?? {};
  const connection = `${namespace}/${name}`;
  const rateLimit = objectOf(status?.rateLimit);
  const observedMs = timeAt(rateLimit.observedTime) ?? Number.NEGATIVE_INFINITY;
  const poolName = textAt(objectOf(spec?.budget).poolName);
  const [, url, team] = /^(.*), team ([^,]+)$/.exec(textAt(status?.acceptedFor) ?? "") ?? [];
  const ofTeam = team === undefined ? `connection ${connection}` : `team ${team} at ${url}`;
  const account = poolName === undefined ? ofTeam : `pool ${poolName} of namespace ${namespace}`;
  return { account, connection, status: objectOf(status), observedMs };
}

function accountOf(account: string, seen: readonly Seen[], now: number): AccountBudget {
  const newest = seen.reduce((latest, one) => (one.observedMs > latest.observedMs ? one : latest));
  const rateLimit = objectOf(newest.status.rateLimit);
  const resetMs = timeAt(rateLimit.resetTime);
  const isOver = resetMs !== undefined && resetMs <= now;
  const common = {
    account,
    limit: countOf(rateLimit.limit),
    ageMs: Number.isFinite(newest.observedMs) ? Math.max(0, now - newest.observedMs) : undefined,
    connections: seen.map(({ connection }) => connection).sort(),
  };
  // Of a window that is over, nothing is known of the present one.
  if (isOver) return common;
  const resetInMs = resetMs === undefined ? undefined : resetMs - now;
  return { ...common, remaining: countOf(rateLimit.remaining), resetInMs, ...spentIn(objectOf(newest.status.budget)) };
}

/** What the operator wrote of its own requests. */
function spentIn(budget: Fields): Partial<AccountBudget> {
  const classes = Object.entries(objectOf(budget.spent)).flatMap(([by, count]) => {
    const requests = countOf(count);
    return requests === undefined || requests === 0 ? [] : [{ by, requests }];
  });
  return present({
    sent: budget.spent === undefined ? undefined : classes.reduce((sum, { requests }) => sum + requests, 0),
    sentByOthers: countOf(budget.spentByOthers),
    deferred: countOf(budget.deferred),
    pollStretch: factorOf(budget.pollStretch),
    checkStretch: factorOf(budget.checkStretch),
    message: textAt(budget.message),
    classes: budget.spent === undefined ? undefined : classes.sort((left, right) => right.requests - left.requests),
  });
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** `"1.5"` */
function factorOf(value: unknown): number | undefined {
  const text = textAt(value);
  return text !== undefined && /^\d{1,6}(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}
