import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Condition, ObjectMeta } from "../../src/kube/types.ts";
import { runLua } from "./argocd-lua.ts";
import type { KstatusResult } from "./kstatus.ts";

/** Where the scripts are, in the layout of Argo CD's `resource_customizations`. */
export const customizations = resolve(fileURLToPath(import.meta.url), "../../../deploy/argocd/northflank-operator.io");

export type ArgoHealth = "Healthy" | "Progressing" | "Degraded" | "Suspended";

const codes: readonly string[] = ["Healthy", "Progressing", "Degraded", "Suspended"] satisfies ArgoHealth[];

export interface Health {
  readonly status: ArgoHealth;
  readonly message: string;
}

/** What is read of an object to judge it. */
export interface Judged {
  readonly kind: string;
  readonly metadata: Pick<ObjectMeta, "generation" | "deletionTimestamp" | "finalizers">;
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}

/** Argo CD's own, on a hook while its phase of the sync runs. */
export const hookFinalizer = "argocd.argoproj.io/hook-finalizer";

const healthScripts = new Map(
  readdirSync(customizations).map((kind) => [kind, readFileSync(`${customizations}/${kind}/health.lua`, "utf8")]),
);

/**
 * The health of an object, as Argo CD's `GetResourceHealth` comes to it: what is being deleted is Progressing unless it is
 * a hook, everything else the script decides.
 *
 * *Errors*: throws where Argo CD would say Unknown: the script fails, or returns what is no health.
 */
export function argoHealthOf(object: Judged): Health {
  const isHook = object.metadata.finalizers?.includes(hookFinalizer) === true;
  if (object.metadata.deletionTimestamp !== undefined && !isHook) {
    return { status: "Progressing", message: "Pending deletion" };
  }
  const script = healthScripts.get(object.kind);
  if (script === undefined) throw new Error(`Argo CD has no health script for the kind ${object.kind}`);
  return asHealth(runLua(script, object));
}

function asHealth(returned: unknown): Health {
  const { status, message } = returned as Partial<Health>;
  if (!codes.includes(String(status)) || typeof message !== "string") {
    throw new Error(`not a health: ${JSON.stringify(returned)}`);
  }
  return returned as Health;
}

const readyStates = new Map<string, boolean>();

/** Whether Argo CD says of the object what {@link readings} says. Objects that differ in their texts only are judged once. */
export function isReadByArgo(object: Judged, kstatus: KstatusResult): boolean {
  const { kind, metadata, status } = object;
  const { generation, deletionTimestamp, finalizers } = metadata;
  const spelt = status?.conditions?.map(({ type, status: value, reason }) => `${type}=${value}/${reason}`);
  const isSeen = status?.observedGeneration === generation;
  const key = [kind, isSeen, deletionTimestamp !== undefined, finalizers?.includes(hookFinalizer), spelt].join(" ");
  const known = readyStates.get(key);
  if (known !== undefined) return known;
  const isRight = argoHealthOf(object).status === readingOf(object, kstatus);
  readyStates.set(key, isRight);
  return isRight;
}

/** What sets Argo CD's reading apart from that of kstatus. */
type Circumstance =
  | "none"
  /** Suspended, and acknowledged. */
  | "suspended"
  /** The same, of a run without an end. */
  | "suspended run"
  /** A run without an end that has never been started. */
  | "run before its start"
  /** A run without an end that is active, or may be. */
  | "run that may be active"
  /** A hook that is deleted while its phase of the sync runs, and has no run to wait for. */
  | "deleted hook without a run";

/** What Argo CD says where kstatus says this. Everything is in the table; where they differ there is a reason. */
export const readings: Readonly<Record<KstatusResult, Readonly<Record<Circumstance, ArgoHealth>>>> = {
  Current: {
    none: "Healthy",
    // Suspended would hold back the later waves of every sync.
    suspended: "Healthy",
    // No reconcile writes the others: a run is Ready when it has ended.
    "suspended run": "Suspended",
    "run before its start": "Progressing",
    "run that may be active": "Progressing",
    "deleted hook without a run": "Degraded",
  },
  InProgress: {
    none: "Progressing",
    // kstatus has no word for it.
    suspended: "Suspended",
    "suspended run": "Suspended",
    "run before its start": "Progressing",
    "run that may be active": "Progressing",
    "deleted hook without a run": "Degraded",
  },
  Failed: {
    none: "Degraded",
    // No reconcile writes these two: nothing is both Stalled and Suspended.
    suspended: "Degraded",
    "suspended run": "Suspended",
    "run before its start": "Degraded",
    // A retry of a failed sync makes the hook again: a second run beside the first.
    "run that may be active": "Progressing",
    "deleted hook without a run": "Degraded",
  },
  Terminating: {
    none: "Progressing",
    suspended: "Progressing",
    "suspended run": "Progressing",
    "run before its start": "Progressing",
    "run that may be active": "Progressing",
    // Argo CD waits for it, and no run is started for a deleted object.
    "deleted hook without a run": "Degraded",
  },
};

/** What {@link readings} says of an object of which kstatus says `kstatus`. */
export function readingOf(object: Judged, kstatus: KstatusResult): ArgoHealth {
  if (!isAcknowledged(object)) return "Progressing";
  const finished = resultOf(object);
  // What has ended has its result, also while it is deleted.
  if (kstatus === "Terminating" && finished !== undefined && isHook(object)) return finished;
  return readings[kstatus][circumstanceOf(object)];
}

function resultOf(object: Judged): ArgoHealth | undefined {
  if (conditionOf(object, "Finished")?.status !== "True") return undefined;
  return conditionOf(object, "Succeeded")?.status === "True" ? "Healthy" : "Degraded";
}

function circumstanceOf(object: Judged): Circumstance {
  const isSuspended = conditionOf(object, "Suspended")?.status === "True";
  if (object.kind !== "NorthflankJobRun" || resultOf(object) !== undefined) return isSuspended ? "suspended" : "none";
  const started = conditionOf(object, "Started");
  const mayBeActive = started !== undefined && started.status !== "False";
  if (object.metadata.deletionTimestamp !== undefined && isHook(object)) {
    const isFollowed = mayBeActive && started.reason !== "StartOutcomeUnknown";
    return isFollowed ? "run that may be active" : "deleted hook without a run";
  }
  if (isSuspended) return "suspended run";
  return mayBeActive ? "run that may be active" : "run before its start";
}

/** Nobody has seen what is not acknowledged: kstatus takes an object without a status for Current. */
function isAcknowledged({ metadata, status }: Judged): boolean {
  return status?.observedGeneration !== undefined && status.observedGeneration === metadata.generation;
}

function isHook({ metadata }: Judged): boolean {
  return metadata.finalizers?.includes(hookFinalizer) === true;
}

function conditionOf({ status }: Judged, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}
