import type { KubeObject, ObjectMeta } from "../kube/types.ts";
import { createInterner, type Intern } from "./interner.ts";
import type { KindDefinition } from "./kinds.ts";
import { group, lastAppliedConfiguration } from "./names.ts";
import { formatPath } from "./problem.ts";
import { isRecord, type Path, type UnknownField, unknownFields } from "./stored.ts";
import { unknownFieldRemedy } from "./unknown-field.ts";

/** An object as it is cached: what reconcilers read and nothing else. */
export interface CachedObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
  /**
   * Fields that were applied and that the API server dropped because the schema does not know them, with what was
   * probably meant: `spec.sespend: did you mean "suspend"?`. Missing when there are none; ten at most.
   */
  readonly prunedFields?: readonly string[];
}

/** Annotations with these beginnings are read; the others are dropped. */
const ourAnnotations = [`${group}/`, "reconcile.fluxcd.io/"];

const maxPrunedFields = 10;

/**
 * Makes the cached form of an object of `kind` from the parsed line of a watch. It keeps identity, generation, times,
 * finalizers, our annotations, spec and status; it drops managedFields, labels, owners and all other annotations.
 *
 * The raw object is taken over: its spec and status are kept, with repeated strings replaced by one shared copy. Nobody
 * else may hold it.
 *
 * *Guarantees*: never throws for parsed JSON that has metadata.
 */
export function createProjection<T extends KubeObject>(kind: KindDefinition): (raw: KubeObject) => T {
  const intern = createInterner();
  return (raw) => projectObject(raw, { kind, intern }) as CachedObject & T;
}

function projectObject(raw: CachedObject, { kind, intern }: { kind: KindDefinition; intern: Intern }): CachedObject {
  const prunedFields = findPrunedFields(raw, kind);
  const object = {
    apiVersion: intern(raw.apiVersion),
    kind: intern(raw.kind),
    metadata: projectMetadata(raw.metadata, intern),
    spec: shareStrings(raw.spec, intern),
    status: shareStrings(raw.status, intern),
  };
  return prunedFields.length === 0 ? object : { ...object, prunedFields };
}

function projectMetadata(metadata: ObjectMeta, intern: Intern): ObjectMeta {
  const annotations = projectAnnotations(metadata.annotations);
  const { namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, finalizers } = metadata;
  return {
    name: metadata.name,
    ...(namespace === undefined ? {} : { namespace: intern(namespace) }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(finalizers === undefined ? {} : { finalizers: finalizers.map(intern) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function projectAnnotations(annotations: ObjectMeta["annotations"]): ObjectMeta["annotations"] {
  if (annotations === undefined) return undefined;
  const kept = Object.entries(annotations).filter(([key]) => ourAnnotations.some((prefix) => key.startsWith(prefix)));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** Replaces every string inside by its shared copy, in place: equal before and after, only smaller. */
function shareStrings(value: unknown, intern: Intern): unknown {
  if (typeof value === "string") return intern(value);
  if (typeof value !== "object" || value === null) return value;
  for (const key of Object.keys(value)) {
    const inner: unknown = Reflect.get(value, key);
    if (typeof inner === "string") Reflect.set(value, key, intern(inner));
    else if (typeof inner === "object") shareStrings(inner, intern);
  }
  return value;
}

/**
 * kubectl keeps what it was given in an annotation. What is there, is unknown to the schema and is not in the stored
 * object was pruned. A field the schema of the server knows and ours does not is stored, and not reported.
 */
function findPrunedFields(raw: CachedObject, kind: KindDefinition): readonly string[] {
  const text = raw.metadata.annotations?.[lastAppliedConfiguration];
  const applied = text === undefined ? undefined : parseObject(text);
  if (applied === undefined) return [];
  return [...strayFields(applied), ...unknownSpecFields(applied, raw, kind)]
    .slice(0, maxPrunedFields)
    .map(({ path, known }) => `${formatPath(path)}: ${unknownFieldRemedy({ spec: kind.spec, path, known })}`);
}

/** Fields beside `spec`, such as a `suspend` that was not indented. */
function strayFields(applied: Readonly<Record<string, unknown>>): readonly UnknownField[] {
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  return Object.keys(applied)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: [key], known }));
}

function unknownSpecFields(
  applied: Readonly<Record<string, unknown>>,
  raw: CachedObject,
  kind: KindDefinition,
): readonly UnknownField[] {
  return unknownFields(kind.spec, applied.spec)
    .filter(({ path }) => !isThere(raw.spec, path))
    .map(({ path, known }) => ({ path: ["spec", ...path], known }));
}

function isThere(value: unknown, path: Path): boolean {
  let inner = value;
  for (const part of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, part)) return false;
    inner = Reflect.get(inner, part);
  }
  return true;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    // Somebody wrote the annotation by hand: then it says nothing about pruned fields.
    return undefined;
  }
}
