// pure
import type { NorthflankJobStatus } from "../../api/job.ts";
import type { JobSettingsView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { isSameJson } from "../../util/same-json.ts";
import type { Difference } from "../target/out-of-sync.ts";
import { type Desire, hiddenMaps, isSameAccount, type Leaf } from "./desired.ts";

/** Three sides: what is declared, what was last applied, and what Northflank returns. */
export interface Comparison {
  /** Settings that Northflank returns, and that are not as declared. */
  readonly differences: readonly Difference[];
  /** Settings that Northflank does not return, and that are not what was last applied. */
  readonly unsent: readonly Difference[];
  /** Settings that are declared now and were not, or otherwise, when they were last applied. */
  readonly changed: readonly string[];
  /** Settings that were applied and are declared no more. */
  readonly released: readonly string[];
  /** How many settings Northflank does not return: as last sent, as far as is known. */
  readonly untold: number;
  /** What was last applied is known, and its hashes can be compared. */
  readonly canTell: boolean;
  /**
   * The hashes cannot be compared, because the token is a new one, and yet the values are those that were applied: the spec
   * is the same, and so is the version of everything it refers to.
   */
  readonly isCarriedOver: boolean;
}

type Applied = NorthflankJobStatus["applied"];

// Values in status are for reading, not for storing.
const longestValue = 256;

/** Compares what is declared with both others. What is not declared is not compared. */
export function compare(desire: Desire, view: JobSettingsView, applied: Applied): Comparison {
  const before = hashesOf(desire, applied);
  const isChanged = ({ path, hash }: Leaf) => before.get(path) !== hash;
  const told = desire.leaves.map((leaf) => ({ leaf, remote: remoteValue(leaf, view) }));
  const seen = told.filter(({ remote }) => remote !== undefined);
  const unseen = told.filter(({ remote }) => remote === undefined).map(({ leaf }) => leaf);
  return {
    differences: seen
      .filter(({ leaf, remote }) => !isAsDeclared(leaf, remote))
      .map(({ leaf, remote }) => differenceOf(leaf, remote)),
    unsent: unseen.filter(isChanged).map((leaf) => differenceOf(leaf, undefined)),
    changed: desire.leaves.filter(isChanged).map(({ path }) => path),
    released: releasedPaths(desire, applied),
    untold: unseen.length,
    canTell: applied?.keyId === desire.keyId || isCarriedOver(desire, applied),
    isCarriedOver: isCarriedOver(desire, applied),
  };
}

/**
 * Whether the values behind the references of a spec are still those that were applied, for sure: by their hashes, or
 * after a new token by the versions of what they come from. What was applied and is declared no more is nothing to hurry
 * for.
 */
export function isAsApplied(desire: Desire, applied: Applied): boolean {
  if (isCarriedOver(desire, applied)) return true;
  const before = hashesOf(desire, applied);
  return desire.leaves.every(({ path, hash }) => before.get(path) === hash);
}

function isCarriedOver({ keyId, leaves, specHash, sourcesId }: Desire, applied: Applied): boolean {
  if (applied === undefined || applied.keyId === keyId || !isSameAccount(applied.keyId, keyId)) return false;
  if (applied.specHash !== specHash || sourcesId === undefined || applied.sourcesId !== sourcesId) return false;
  // A missing hash was removed, because it is not known what is in force.
  const known = new Set((applied.settings ?? []).map(({ path }) => path));
  return leaves.every(({ path }) => known.has(path));
}

/**
 * What is certain to be in force while what is declared now is being sent, or may have arrived: what it changes is
 * neither what was applied nor what is declared. Whatever is declared next, that is sent again.
 */
export function certainWhileSending(desire: Desire, applied: Applied): Applied {
  if (applied === undefined) return undefined;
  const declared = new Map(desire.leaves.map(({ path, hash }) => [path, hash]));
  if (applied.keyId !== desire.keyId) {
    // It is not known which of them it changes. The former token may return, and with it these hashes.
    const { specHash: _spec, sourcesId: _sources, ...rest } = applied;
    return { ...rest, settings: (applied.settings ?? []).filter(({ path }) => !declared.has(path)) };
  }
  const settings = (applied.settings ?? []).filter(({ path, hash }) => (declared.get(path) ?? hash) === hash);
  return { ...applied, settings };
}

/**
 * Whether something that Northflank does not return is about to be replaced: only the hashes remember what it was, also
 * those of a former token.
 */
export function replacesUntold(applied: Applied, unsent: readonly Difference[]): boolean {
  const before = new Set((applied?.settings ?? []).map(({ path }) => path));
  return unsent.some(({ path }) => before.has(path));
}

/** Hashes of another key say nothing. */
function hashesOf(desire: Desire, applied: Applied): ReadonlyMap<string, string> {
  if (applied?.keyId !== desire.keyId) return new Map();
  return new Map((applied.settings ?? []).map(({ path, hash }) => [path, hash]));
}

/** A key that left a map which is still declared is a change of that map, not a setting that becomes unmanaged. */
function releasedPaths(desire: Desire, applied: Applied): readonly string[] {
  const declared = new Set(desire.leaves.map(({ path }) => path));
  return (applied?.settings ?? [])
    .map(({ path }) => path)
    .filter((path) => {
      const [top = ""] = path.split(".", 1);
      const isKey = hiddenMaps.has(top) && path !== top;
      return !declared.has(path) && !isKey;
    });
}

/** What Northflank returns of a setting; `undefined` when nothing. */
function remoteValue({ path }: Leaf, { settings }: JobSettingsView): unknown {
  const steps = path.split(".");
  if (hiddenMaps.has(steps[0] ?? "")) return undefined;
  return valueAt(settings, steps) ?? valueAt(settings.settings, steps);
}

function valueAt(value: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>((inner, step) => {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, step)) return undefined;
    return Reflect.get(inner, step);
  }, value);
}

function isAsDeclared({ path, value }: Leaf, remote: unknown): boolean {
  if (path === "tags") return isSameJson(sortedTexts(value), sortedTexts(remote));
  return holds(remote, value);
}

/** Northflank may add fields to the items of a list; what is declared of them has to be there. */
function holds(remote: unknown, declared: unknown): boolean {
  if (Array.isArray(declared)) {
    return (
      Array.isArray(remote) &&
      remote.length === declared.length &&
      declared.every((item, index) => holds(remote[index], item))
    );
  }
  if (typeof declared !== "object" || declared === null) return isSameJson(remote, declared);
  return Object.entries(declared).every(
    ([key, inner]) =>
      inner === undefined || (typeof remote === "object" && remote !== null && holds(Reflect.get(remote, key), inner)),
  );
}

function sortedTexts(value: unknown): unknown {
  return Array.isArray(value) ? [...value].map(String).sort() : value;
}

function differenceOf({ path, value, isHidden }: Leaf, remote: unknown): Difference {
  if (isHidden) return { path };
  const to = shown(value);
  return remote === undefined ? { path, to } : { path, from: shown(remote), to };
}

function shown(value: unknown): string {
  return capped(typeof value === "string" ? value : JSON.stringify(value), longestValue);
}
