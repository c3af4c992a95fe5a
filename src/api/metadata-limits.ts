// pure

import { isRecord } from "../util/records.ts";
import { type Problem, problem } from "./problem.ts";
import type { Path } from "./stored.ts";

// Limits of the API server (1.36) that no schema can say: parts of keys, and sums.
const maxNameLength = 63;
const maxPrefixLength = 253;
/** Of the keys and values of all annotations together, in bytes. */
export const maxAnnotationBytes = 262_144;

/** What is an absence where it is empty: clients write it so for values that are not set. */
const emptyIsAbsent: readonly string[] = ["name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"];

/** Metadata as the API server reads it: what is empty there is not there, and what it writes itself is free. */
export function givenMetadata(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { managedFields: _, ...rest } = metadata;
  return Object.fromEntries(
    Object.entries(rest).filter(([key, value]) => value !== "" || !emptyIsAbsent.includes(key)),
  );
}

/** What breaks a limit in the metadata of a manifest. */
export function metadataLimits(metadata: Readonly<Record<string, unknown>>): readonly Problem[] {
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  return [
    ...keyProblems(labels, ["metadata", "labels"]),
    ...keyProblems(annotations, ["metadata", "annotations"]),
    ...finalizerProblems(finalizers),
    ...ownerProblems(ownerReferences),
    ...sizeProblems(annotations),
  ];
}

function keyProblems(map: unknown, path: Path): readonly Problem[] {
  return isRecord(map) ? Object.keys(map).flatMap((key) => nameProblems(key, [...path, key], "the key ")) : [];
}

function finalizerProblems(finalizers: unknown): readonly Problem[] {
  if (!Array.isArray(finalizers)) return [];
  return finalizers.flatMap((name: unknown, index) =>
    typeof name === "string" ? nameProblems(name, ["metadata", "finalizers", index], "") : [],
  );
}

function nameProblems(key: string, path: Path, subject: string): readonly Problem[] {
  const slash = key.indexOf("/");
  const [prefix, name] = slash < 0 ? ["", key] : [key.slice(0, slash), key.slice(slash + 1)];
  return [
    ...tooLong({ path, what: `${subject}has a name`, length: name.length, limit: maxNameLength }),
    ...tooLong({ path, what: `${subject}has a prefix`, length: prefix.length, limit: maxPrefixLength }),
  ];
}

function tooLong(facts: { path: Path; what: string; length: number; limit: number }): readonly Problem[] {
  const { path, what, length, limit } = facts;
  if (length <= limit) return [];
  const message = `${what} of more than ${limit} characters`;
  return [problem({ path, rule: "name-length", message, remedy: `shorten it by ${length - limit}` })];
}

function ownerProblems(owners: unknown): readonly Problem[] {
  if (!Array.isArray(owners)) return [];
  const path = ["metadata", "ownerReferences"];
  const events = owners.flatMap((owner: unknown, index) =>
    isRecord(owner) && owner.kind === "Event" && /^(v1|events[.]k8s[.]io\/.*)$/.test(String(owner.apiVersion))
      ? [
          problem({
            path: [...path, index],
            rule: "owner",
            message: "is an Event, which owns nothing",
            remedy: "remove it",
          }),
        ]
      : [],
  );
  if (owners.filter((owner: unknown) => isRecord(owner) && owner.controller === true).length < 2) return events;
  const message = "has more than one owner with controller: true";
  return [...events, problem({ path, rule: "owner", message, remedy: "leave it at one" })];
}

function sizeProblems(annotations: unknown): readonly Problem[] {
  const bytes = annotationBytes(annotations);
  if (bytes <= maxAnnotationBytes) return [];
  const message = `have ${bytes} bytes together, and the API server takes ${maxAnnotationBytes}`;
  return [problem({ path: ["metadata", "annotations"], rule: "size", message, remedy: "remove or shorten some" })];
}

/** Keys and values together, as the API server counts them. */
export function annotationBytes(annotations: unknown): number {
  if (!isRecord(annotations)) return 0;
  const size = (text: unknown) => (typeof text === "string" ? Buffer.byteLength(text) : 0);
  return Object.entries(annotations).reduce((sum, [key, value]) => sum + size(key) + size(value), 0);
}
