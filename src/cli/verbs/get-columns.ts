// pure
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "../../api/names.ts";
import { formatDuration } from "../../util/duration.ts";
import { conditionAt, isObserved, numberAt, type ReadObject, textAt, timeAt } from "./fields.ts";
import type { Cell, Tone } from "./table.ts";

/** A column of `get`. */
export interface GetColumn {
  readonly title: string;
  /** Only with `-o wide`. */
  readonly isWide?: true;
  readonly cell: (object: ReadObject, now: number) => Cell;
}

const name: GetColumn = { title: "NAME", cell: ({ metadata }) => ({ text: metadata.name }) };

/** For lists of several namespaces. */
export const namespaceColumn: GetColumn = {
  title: "NAMESPACE",
  cell: ({ metadata }) => ({ text: metadata.namespace }),
};

const ready: GetColumn = {
  title: "READY",
  cell: (object) => ({ text: conditionAt(object, "Ready")?.status, tone: toneOf(object) }),
};

const reason: GetColumn = {
  title: "REASON",
  cell: (object) => ({ text: reasonOf(object), tone: toneOf(object) }),
};

const next: GetColumn = { title: "NEXT CHECK", cell: (object, now) => ({ text: untilText(object, now) }) };

const age: GetColumn = {
  title: "AGE",
  cell: (object, now) => ({ text: sinceText(now, timeAt(object, "metadata", "creationTimestamp")) }),
};

const message: GetColumn = {
  title: "MESSAGE",
  isWide: true,
  cell: (object) => ({ text: conditionAt(object, "Ready")?.message }),
};

/** The reason of Ready, or why there is none that counts. */
export function reasonOf(object: ReadObject): string | undefined {
  if (object.metadata.deletionTimestamp !== undefined) return "Deleting";
  const condition = conditionAt(object, "Ready");
  if (condition === undefined) return "NotObservedYet";
  return isObserved(object) ? condition.reason : `${condition.reason} (of an older generation)`;
}

/** Good: ready. Bad: stalled. Busy: anything else. */
export function toneOf(object: ReadObject): Tone {
  if (conditionAt(object, "Stalled")?.status === "True") return "bad";
  return conditionAt(object, "Ready")?.status === "True" && isObserved(object) ? "good" : "busy";
}

/** `in 12m`, `now` */
function untilText(object: ReadObject, now: number): string | undefined {
  const nextMs = timeAt(object, "status", "nextReconcileTime");
  if (nextMs === undefined) return undefined;
  return nextMs <= now ? "now" : `in ${formatDuration(nextMs - now)}`;
}

function sinceText(now: number, sinceMs: number | undefined): string | undefined {
  return sinceMs === undefined ? undefined : formatDuration(Math.max(0, now - sinceMs));
}

/** What is polled, else the phase of the last change, else what Northflank reports. */
function rolloutOf(object: ReadObject): string | undefined {
  return (
    textAt(object, "status", "phase", "name") ??
    textAt(object, "status", "changes", 0, "phase") ??
    textAt(object, "status", "observed", "rolloutStatus")
  );
}

/** `412/1000` */
export function quotaOf(object: ReadObject, now: number): string | undefined {
  const limit = numberAt(object, "status", "rateLimit", "limit");
  if (limit === undefined) return undefined;
  const resetMs = timeAt(object, "status", "rateLimit", "resetTime");
  // Of a window that is over, nothing is known of the present one.
  const isOver = resetMs !== undefined && resetMs <= now;
  const remaining = isOver ? undefined : numberAt(object, "status", "rateLimit", "remaining");
  return `${remaining ?? "?"}/${limit}`;
}

function resetOf(object: ReadObject, now: number): string | undefined {
  const resetMs = timeAt(object, "status", "rateLimit", "resetTime");
  return resetMs === undefined || resetMs <= now ? undefined : formatDuration(resetMs - now);
}

function durationOf(object: ReadObject, now: number): string | undefined {
  const startMs = timeAt(object, "status", "startTime");
  if (startMs === undefined) return undefined;
  return sinceText(timeAt(object, "status", "completionTime") ?? now, startMs);
}

const runTones: Readonly<Record<string, Tone>> = { Succeeded: "good", Failed: "bad", Aborted: "bad", Unknown: "bad" };

const columns: Readonly<Record<string, readonly GetColumn[]>> = {
  [northflankConnections.kind]: [
    name,
    ready,
    reason,
    { title: "QUOTA LEFT", cell: (object, now) => ({ text: quotaOf(object, now) }) },
    { title: "RESETS IN", cell: (object, now) => ({ text: resetOf(object, now) }) },
    { title: "DEPENDENTS", cell: (object) => ({ text: numberAt(object, "status", "dependents")?.toString() }) },
    age,
    message,
  ],
  [northflankDeployments.kind]: [
    name,
    ready,
    reason,
    { title: "PROJECT", cell: (object) => ({ text: textAt(object, "spec", "projectId") }) },
    { title: "TARGET", cell: (object) => ({ text: textAt(object, "status", "target") ?? declaredTarget(object) }) },
    { title: "IMAGE OR BUILD", cell: (object) => ({ text: textAt(object, "status", "image") }) },
    { title: "ROLLOUT", cell: (object) => ({ text: rolloutOf(object) }) },
    next,
    age,
    message,
  ],
  [northflankJobs.kind]: [
    name,
    ready,
    reason,
    { title: "PROJECT", cell: (object) => ({ text: textAt(object, "spec", "projectId") }) },
    { title: "JOB", cell: (object) => ({ text: textAt(object, "spec", "jobId") }) },
    { title: "LAST CHANGE", cell: (object) => ({ text: textAt(object, "status", "changes", 0, "phase") }) },
    next,
    age,
    message,
  ],
  [northflankJobRuns.kind]: [
    name,
    {
      title: "PHASE",
      cell: (object) => {
        const text = textAt(object, "status", "phase");
        return { text, tone: runTones[text ?? ""] ?? "busy" };
      },
    },
    reason,
    { title: "PROJECT", cell: (object) => ({ text: textAt(object, "spec", "projectId") }) },
    { title: "JOB", cell: (object) => ({ text: textAt(object, "spec", "jobId") }) },
    {
      title: "RUN",
      cell: (object) => ({ text: textAt(object, "status", "runName") ?? textAt(object, "status", "runId") }),
    },
    { title: "DURATION", cell: (object, now) => ({ text: durationOf(object, now) }) },
    age,
    message,
  ],
};

/** The columns of a kind. */
export function columnsOf(kind: string): readonly GetColumn[] {
  return columns[kind] ?? [name, age];
}

function declaredTarget(object: ReadObject): string | undefined {
  const service = textAt(object, "spec", "serviceId");
  const job = textAt(object, "spec", "jobId");
  return service === undefined ? job && `job/${job}` : `service/${service}`;
}
