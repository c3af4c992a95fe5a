import type { KubeObject, ObjectMeta } from "../kube/types.ts";
import { isRecord } from "../util/records.ts";
import { fitCheck, fitTo } from "./fit.ts";
import { createInterner, type Intern } from "./interner.ts";
import type { KindDefinition } from "./kinds.ts";
import type { Misfits, OnlyInCache } from "./misfits.ts";
import {
  fluxRequestedAt,
  lastAppliedConfiguration,
  reconcileRequestedAt,
  resolveStart,
  revision,
  runFinalizer,
  startedRun,
} from "./names.ts";
import { formatPath } from "./problem.ts";
import { type Path, type UnknownField, unknownFields } from "./stored.ts";
import { unknownFieldRemedy } from "./unknown-field.ts";
import { createValidator, type Validator } from "./validate.ts";

/** An object as it is cached: what reconcilers read and nothing else. */
export interface CachedObject extends KubeObject, OnlyInCache {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** Makes of an object as the API server has it one that has the types of its kind; the very same one if it has. */
export type Fit = <T extends KubeObject>(raw: T) => T & { readonly misfits?: Misfits };

/** Annotations that are read; the others are dropped. */
const ourAnnotations: ReadonlySet<string> = new Set([
  reconcileRequestedAt,
  fluxRequestedAt,
  resolveStart,
  revision,
  startedRun,
]);

// An object may carry 256 KiB of annotations, and all objects are in memory. No value that means anything is so long.
const maxAnnotationLength = 1_024;

const maxPrunedFields = 10;
const maxMisfits = 10;
// None of our schemas is so deep: a value that is, is not read and left as it is.
const maxDepth = 64;

/**
 * Makes the cached form of an object of `kind` from the parsed line of a watch. It keeps identity, generation, times,
 * finalizers, our annotations, spec and status; it drops managedFields, labels, owners and all other annotations.
 *
 * The raw object is taken over: its spec and status are kept, with repeated strings replaced by one shared copy. No
 * other code may hold it.
 *
 * *Guarantees*: never throws for parsed JSON that has metadata; the object has the types of its kind, whatever was
 * stored (see {@link Misfits}).
 */
export function createProjection<T extends KubeObject>(
  kind: KindDefinition,
  fitted: Fit = createFit(kind),
): (raw: KubeObject) => T {
  const intern = createInterner();
  return (raw) => projectObject(raw, { kind, intern, fitted }) as CachedObject & T;
}

const noMisfits: Misfits = { spec: [], status: [] };

/**
 * The {@link Fit} of a kind. `amend` may add to a fitted object what its readers must know; it returns the very object
 * where there is nothing to add.
 *
 * *Guarantees*: never throws; what it has made once stays as it is when it is given again, with its misfits.
 */
export function createFit(
  kind: KindDefinition,
  validator: Pick<Validator, "validateSpec"> = createValidator(),
  amend: (object: CachedObject, misfits: Misfits) => CachedObject = (object) => object,
): Fit {
  const made = new WeakSet<object>();
  const [isSpec, isStatus] = [fitCheck(kind.spec), fitCheck(kind.status)];
  return <T extends KubeObject>(raw: T): T & { readonly misfits?: Misfits } => {
    const { spec, status, misfits: stray } = raw as CachedObject;
    // What was made here is known by itself, not by a field of this name, which any client could have stored.
    if (made.has(raw)) return raw;
    const hasStatus = status !== undefined && status !== null;
    const isFine = isSpec(spec) && status !== null && (!hasStatus || isStatus(status));
    if (isFine && stray === undefined) {
      const amended = amend(raw as CachedObject, noMisfits);
      if (amended !== raw) made.add(amended);
      return amended as unknown as T;
    }
    const fittedSpec = fitTo(kind.spec, spec, ["spec"]);
    const fittedStatus = hasStatus ? fitTo(kind.status, status, ["status"]) : undefined;
    // In the words of the validator, which also knows what else is wrong.
    const judged = fittedSpec.problems.length > 0 ? validator.validateSpec(kind.type.kind, spec ?? {}) : [];
    const misfits = {
      spec: (judged.length > 0 ? judged : fittedSpec.problems).slice(0, maxMisfits),
      status: (fittedStatus?.problems ?? []).slice(0, maxMisfits),
    };
    const { spec: _spec, status: _status, misfits: _stray, ...rest } = raw as CachedObject;
    const plain = {
      ...rest,
      spec: fittedSpec.value,
      ...(fittedStatus === undefined ? {} : { status: fittedStatus.value }),
    };
    const isMisfit = misfits.spec.length + misfits.status.length > 0;
    const object = amend(isMisfit ? { ...plain, misfits } : plain, misfits);
    made.add(object);
    return object as unknown as T & { readonly misfits?: Misfits };
  };
}

function projectObject(
  raw: CachedObject,
  { kind, intern, fitted }: { kind: KindDefinition; intern: Intern; fitted: Fit },
): CachedObject {
  const prunedFields = findPrunedFields(raw, kind);
  const { spec, status, misfits } = fitted<CachedObject>(raw);
  const object = {
    apiVersion: intern(raw.apiVersion),
    kind: intern(raw.kind),
    metadata: projectMetadata(withoutOldMark(raw), intern),
    spec: shareStrings(spec, intern),
    status: shareStrings(status, intern),
  };
  return {
    ...object,
    ...(prunedFields.length === 0 ? {} : { prunedFields }),
    ...(misfits === undefined ? {} : { misfits }),
  };
}

/** Ended runs add up for years. Their status says all that the annotation says, so none of them keeps it in memory. */
function withoutOldMark({ metadata, status }: CachedObject): ObjectMeta {
  const isOver = isRecord(status) && typeof status.completionTime === "string";
  if (!isOver || !isRecord(metadata.annotations) || !Object.hasOwn(metadata.annotations, startedRun)) return metadata;
  const { [startedRun]: _, ...annotations } = metadata.annotations;
  return { ...metadata, annotations };
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
    ...(finalizers === undefined ? {} : { finalizers: projectFinalizers(texts(finalizers), intern) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

// More than this many an object has only in an attack: thousands of names would stay in memory.
const maxFinalizers = 20;

/** Ours at its place. Of a long list the others keep their places, but not their names. */
function projectFinalizers(finalizers: readonly string[], intern: Intern): readonly string[] {
  if (finalizers.length <= maxFinalizers) return finalizers.map(intern);
  return finalizers.map((name) => (name === runFinalizer ? runFinalizer : "another"));
}

function texts(values: unknown): readonly string[] {
  return Array.isArray(values) ? values.filter((value) => typeof value === "string") : [];
}

function projectAnnotations(annotations: ObjectMeta["annotations"]): ObjectMeta["annotations"] {
  if (!isRecord(annotations)) return undefined;
  const kept = Object.entries(annotations).filter(
    ([key, value]) => typeof value === "string" && ourAnnotations.has(key),
  );
  return kept.length === 0 ? undefined : Object.fromEntries(kept.map(([key, value]) => [key, shortened(value)]));
}

function shortened(value: string): string {
  if (value.length <= maxAnnotationLength) return value;
  // A mere slice would keep the whole text in memory.
  return JSON.parse(JSON.stringify(value.slice(0, maxAnnotationLength))) as string;
}

/** Replaces every string inside by its shared copy, in place: equal before and after, only smaller. */
function shareStrings(value: unknown, intern: Intern, depth = 0): unknown {
  if (typeof value === "string") return intern(value);
  if (typeof value !== "object" || value === null || depth > maxDepth) return value;
  // Parsed JSON has no names but its own, and a list of them would be garbage for every object that arrives.
  for (const key in value) {
    const inner: unknown = Reflect.get(value, key);
    if (typeof inner === "string") Reflect.set(value, key, intern(inner));
    else if (typeof inner === "object") shareStrings(inner, intern, depth + 1);
  }
  return value;
}

/**
 * kubectl keeps what it was given in an annotation. What is there, is unknown to the schema and is not in the stored
 * object was pruned. A field the schema of the server knows and ours does not is stored, and not reported.
 */
function findPrunedFields(raw: CachedObject, kind: KindDefinition): readonly string[] {
  const text: unknown = raw.metadata.annotations?.[lastAppliedConfiguration];
  const applied = typeof text !== "string" ? undefined : parseObject(text);
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
    // The annotation was edited by hand: it says nothing about pruned fields.
    return undefined;
  }
}
