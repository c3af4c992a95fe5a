import { plainMessage } from "../../src/controllers/reconcile/docs-address.ts";
import type { Condition, ObjectMeta } from "../../src/kube/types.ts";
import { isReadByArgo, type Judged } from "./argocd.ts";
import { sentencesOf } from "./words.ts";

export type KstatusResult = "Terminating" | "InProgress" | "Failed" | "Current";

/**
 * How kstatus (Flux, `helm --wait`, `kubectl wait` users) reads an object of ours, stated again from its rules: deletion
 * first, then a generation that is present and different, then the first of `Reconciling=True` and `Stalled=True` in list
 * order, then `Ready`. Nothing known at all is Current: the trap that `status: {observedGeneration: -1}` closes.
 */
export function kstatusOf(object: {
  readonly metadata: Pick<ObjectMeta, "generation" | "deletionTimestamp">;
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}): KstatusResult {
  const { metadata, status } = object;
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  if (status?.observedGeneration !== undefined && status.observedGeneration !== metadata.generation)
    return "InProgress";
  const conditions = status?.conditions ?? [];
  const abnormal = conditions.find(
    ({ type, status: value }) => value === "True" && (type === "Reconciling" || type === "Stalled"),
  );
  if (abnormal !== undefined) return abnormal.type === "Stalled" ? "Failed" : "InProgress";
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready === undefined) return "Current";
  return ready.status === "True" ? "Current" : "InProgress";
}

/**
 * The promises of every status that we write, as a list of what is broken (empty: none). Run it on every state of every
 * state machine. Of an object whose kind is known, Argo CD is asked as well.
 */
export function brokenPromises(object: {
  readonly kind?: string;
  readonly metadata: Judged["metadata"];
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}): readonly string[] {
  const conditions = object.status?.conditions ?? [];
  const statusOf = (type: string) => conditions.find((condition) => condition.type === type)?.status;
  const promises: readonly (readonly [string, boolean])[] = [
    ["Ready is present", statusOf("Ready") !== undefined],
    ["Reconciling is there only while True", [undefined, "True"].includes(statusOf("Reconciling"))],
    ["Stalled is there only while True", [undefined, "True"].includes(statusOf("Stalled"))],
    ["Suspended is there only while True", [undefined, "True"].includes(statusOf("Suspended"))],
    ["never both Reconciling and Stalled", !(statusOf("Reconciling") && statusOf("Stalled"))],
    ["Stalled only with Ready=False", statusOf("Stalled") === undefined || statusOf("Ready") === "False"],
    ["Ready=Unknown only with Reconciling", statusOf("Ready") !== "Unknown" || statusOf("Reconciling") === "True"],
    ["the generation is acknowledged", object.status?.observedGeneration === object.metadata.generation],
    [
      "every condition carries the generation",
      conditions.every(({ observedGeneration }) => observedGeneration === object.metadata.generation),
    ],
    ["each type once", new Set(conditions.map(({ type }) => type)).size === conditions.length],
    // The address of the runbook is added to what was decided, where an administrator asks for it.
    ["a message has at most three sentences", conditions.every(({ message }) => isShort(plainMessage(message)))],
    ["every condition has a reason and a message", conditions.every(({ reason, message }) => reason && message)],
    [
      "Argo CD reads it as kstatus does, or as is said where it differs",
      object.kind === undefined || isReadByArgo({ ...object, kind: object.kind }, kstatusOf(object)),
    ],
    ["reasons are CamelCase", conditions.every(({ reason }) => /^[A-Z][A-Za-z0-9]*$/.test(reason))],
  ];
  return promises.filter(([, kept]) => !kept).map(([promise]) => promise);
}

/** What another program said, between quotes, counts as one part, as do parentheses. */
function isShort(message: string): boolean {
  const own = message.replaceAll(/"[^"]*"/g, "X").replaceAll(/\([^)]*\)/g, "X");
  return sentencesOf(own).length <= 3;
}
