import type { NorthflankConnectionStatus } from "../../src/api/connection.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { startedRun } from "../../src/api/names.ts";
import { permissionsFor, tokenUses } from "../../src/api/northflank-calls.ts";
import { type Reason, reasons } from "../../src/api/reasons.ts";
import type { Decision } from "../../src/controllers/connection/decide.ts";
import { statusOf as connectionStatusOf } from "../../src/controllers/connection/status.ts";
import { statusOf as deploymentStatusOf } from "../../src/controllers/deployment/status.ts";
import { statusOf as jobStatusOf } from "../../src/controllers/job/status.ts";
import type { StatusFields } from "../../src/controllers/job-run/result.ts";
import { statusOf as runStatusOf } from "../../src/controllers/job-run/status.ts";
import type { ConditionUpdate, ReadyState } from "../../src/controllers/reconcile/ready-state.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import type { Judged } from "./argocd.ts";
import { connection, deployment, jobObject } from "./builders.ts";
import { FakeClock } from "./fake-clock.ts";
import { RunCluster } from "./run-cluster.ts";
import { runStates } from "./run-states.ts";

/*
 * Every status that the status functions can make, and some that no reconcile asks them for: all verdicts with all reasons,
 * all claims, over each status that may have been there before. Of those that differ in their messages only, one.
 */

/** An object with its status. */
export type WithStatus = KubeObject & Judged & { readonly spec: object; readonly status: object };

/** All words of a union, which the compiler compares with it. */
const readyStateKinds = Object.keys({
  ready: true,
  progressing: true,
  retrying: true,
  waiting: true,
  stalled: true,
  suspended: true,
} satisfies Record<ReadyState["kind"], true>) as readonly ReadyState["kind"][];

const allReasons: readonly Reason[] = reasons;
const everyReadyState = readyStateKinds.flatMap((kind) => allReasons.map((reason) => readyState(kind, reason)));
const oneReadyStateEach = readyStateKinds.map((kind) =>
  readyState(kind, kind === "suspended" ? "Suspended" : "Progressing"),
);
const claims: readonly ConditionUpdate[] = ["as-before", claim("True"), claim("False"), claim("Unknown")];
const sameDesires = [undefined, true, false] as const;
const now = Date.parse("2026-01-01T00:00:00Z");

/** Of each kind, every status. */
export const everyStatus: Readonly<Record<string, () => readonly WithStatus[]>> = {
  NorthflankConnection: () => distinct(connections()),
  NorthflankDeployment: () => distinct(deployments()),
  NorthflankJob: () => distinct(jobs()),
  NorthflankJobRun: () => distinct(runs()),
};

/** A fresh object of each kind, as the server stores it. */
export const freshObjects: readonly WithStatus[] = [connection(), deployment(), jobObject(), run({})] as never;

function readyState(kind: ReadyState["kind"], reason: Reason): ReadyState {
  return { kind, reason, message: `${reason} was seen, which is ${kind}.` };
}

function claim(status: "True" | "False" | "Unknown"): ConditionUpdate {
  return { status, reason: "Progressing", message: `It is ${status}.` };
}

/** That the desire is another one makes no status that an edit does not make. */
function readyStatesUnder(sameDesire: boolean | undefined): readonly ReadyState[] {
  return sameDesire === false ? oneReadyStateEach : everyReadyState;
}

const concluded = { stated: {}, failure: undefined, next: { kind: "never" }, events: [] } as const;

function* deployments(): Generator<unknown> {
  const made = deployment();
  const after = (object: typeof made, conclusion: Parameters<typeof deploymentStatusOf>[1]) => ({
    ...object,
    status: deploymentStatusOf(object, conclusion, now),
  });
  const calm = { ...concluded, inSync: "as-before", rolloutComplete: "as-before", sameDesire: undefined } as const;
  const before = [made, ...oneReadyStateEach.map((one) => after(made, { ...calm, readyState: one }))];
  for (const object of withEdits(before)) {
    for (const sameDesire of sameDesires) {
      for (const one of readyStatesUnder(sameDesire)) yield after(object, { ...calm, readyState: one, sameDesire });
      for (const one of oneReadyStateEach) {
        for (const inSync of claims) {
          for (const rolloutComplete of claims) {
            const conclusion = { ...calm, readyState: one, sameDesire, inSync, rolloutComplete };
            yield after(object, conclusion);
            for (const restored of claims) yield after(object, { ...conclusion, restored });
          }
        }
      }
    }
  }
}

function* jobs(): Generator<unknown> {
  const made = jobObject();
  const after = (object: typeof made, conclusion: Parameters<typeof jobStatusOf>[1]) => ({
    ...object,
    status: jobStatusOf(object, conclusion, now),
  });
  const calm = { ...concluded, inSync: "as-before", sameDesire: undefined } as const;
  const before = [made, ...oneReadyStateEach.map((one) => after(made, { ...calm, readyState: one }))];
  for (const object of withEdits(before)) {
    for (const sameDesire of sameDesires) {
      for (const one of readyStatesUnder(sameDesire)) yield after(object, { ...calm, readyState: one, sameDesire });
      for (const one of oneReadyStateEach) {
        for (const inSync of claims) yield after(object, { ...calm, readyState: one, sameDesire, inSync });
      }
    }
  }
}

function* connections(): Generator<unknown> {
  const made = connection();
  const needs = tokenUses.map((use) => ({ use, writes: true }));
  const after = (object: typeof made, decision: Partial<Decision>) => ({
    ...object,
    status: connectionStatusOf(object, { ...calm, ...decision }, now) as NorthflankConnectionStatus,
  });
  const calm: Decision = {
    readyState: "as-before",
    credentialsValid: "as-before",
    quotaAvailable: "as-before",
    rateLimit: undefined,
    dependents: 0,
    acceptedSecret: "as-before",
    token: "as-before",
    needs,
    failure: "as-before",
    checkAgainMs: undefined,
    next: { kind: "never" },
  };
  const tokens: readonly Decision["token"][] = [
    "as-before",
    {},
    { tokenExpirationTime: "2025-12-31T00:00:00Z", grantedPermissions: [] },
    { tokenExpirationTime: "2026-01-02T00:00:00Z", grantedPermissions: [...permissionsFor(needs)] },
  ];
  const before = [made, ...oneReadyStateEach.map((one) => after(made, { readyState: one }))];
  for (const object of withEdits(before)) {
    for (const one of everyReadyState) yield after(object, { readyState: one });
    // Nothing is as before on an object that nobody has seen.
    const anew = object.status === made.status ? [] : (["as-before"] as const);
    for (const one of [...anew, ...oneReadyStateEach]) {
      for (const credentialsValid of claims) {
        for (const quotaAvailable of claims) {
          for (const token of tokens) yield after(object, { readyState: one, credentialsValid, quotaAvailable, token });
        }
      }
    }
  }
}

const attempt = { number: 1, runId: "r1", origin: "Started" } as const;
const completionTime = "2026-01-01T00:01:00Z";

const ended = { next: { kind: "never" }, enqueues: [], events: [], isReleased: false } as const;

/** What a pass may learn of a run. */
const learned: readonly StatusFields[] = [
  {},
  { attempts: [attempt] },
  { attempts: [attempt], duplicateRunId: "r2" },
  { attempts: [{ ...attempt, origin: "Recovered", completionTime }] },
  { completionTime },
  { attempts: [{ ...attempt, completionTime }], completionTime },
];

/** A run is Ready when it has ended with success and at no other time; what has ended in any other way is Stalled: see `finish` of ends.ts. */
function isPossible(object: NorthflankJobRun, { kind }: ReadyState, fields: StatusFields): boolean {
  const isOver = fields.completionTime !== undefined || object.status?.completionTime !== undefined;
  return isOver ? kind === "ready" || kind === "stalled" : kind !== "ready";
}

function* runs(): Generator<unknown> {
  const after = (object: NorthflankJobRun, one: ReadyState, fields: StatusFields, isOutcomeUnknown: boolean) => {
    const result = { ...ended, readyState: one, fields, isOutcomeUnknown };
    const { start } = object.status ?? {};
    const status = runStatusOf({ object, result, now });
    return { ...object, status: start === undefined ? status : { ...status, start } };
  };
  const marked = run({}, { annotations: { [startedRun]: "whatever" } });
  const states = [...Object.values(runStates).map((list) => list.map((status) => run(status))), [marked]];
  for (const objects of states) {
    for (const [index, made] of objects.entries()) {
      for (const fields of learned) {
        for (const isOutcomeUnknown of [false, true]) {
          const possible = (readyStates: readonly ReadyState[], of = made) =>
            readyStates.filter((one) => isPossible(of, one, fields));
          if (index === 0)
            for (const one of possible(everyReadyState)) yield after(made, one, fields, isOutcomeUnknown);
          const before = possible(oneReadyStateEach).map((one) => after(made, one, fields, isOutcomeUnknown));
          for (const object of withEdits([made, ...before])) {
            for (const one of possible(oneReadyStateEach, object)) yield after(object, one, fields, isOutcomeUnknown);
          }
        }
      }
    }
  }
}

function run(status: Partial<NonNullable<NorthflankJobRun["status"]>>, metadata: object = {}): NorthflankJobRun {
  const object = new RunCluster(new FakeClock()).create("once", { backoffLimit: 1 }, metadata);
  return { ...object, status: { observedGeneration: -1, ...status } };
}

/** Each object as it is, and after its spec was changed. */
function withEdits<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return objects.flatMap((object) => [
    object,
    { ...object, metadata: { ...object.metadata, generation: (object.metadata.generation ?? 0) + 1 } },
  ]);
}

function distinct(objects: Iterable<unknown>): readonly WithStatus[] {
  const found = new Map<string, WithStatus>();
  for (const object of objects) {
    const { metadata, status } = object as WithStatus;
    const key = `${metadata.generation} ${status.observedGeneration} ${spelt(status.conditions)}`;
    if (!found.has(key)) found.set(key, object as WithStatus);
  }
  return [...found.values()];
}

function spelt(conditions: NonNullable<Judged["status"]>["conditions"]): string {
  return (conditions ?? []).map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(" ");
}
