// pure
import { createHash } from "node:crypto";
import type { NorthflankJobSpec } from "../../api/job.ts";
import type { FileContent, JobPatchRoute } from "../../northflank/types.ts";
import { canonicalJson } from "../../util/canonical-json.ts";

type Json = Readonly<Record<string, unknown>>;

/** Values and contents that came from literals and references together. Never stored, logged or shown. */
export interface ResolvedValues {
  readonly runtimeEnvironment: Readonly<Record<string, string>> | undefined;
  readonly runtimeFiles: Readonly<Record<string, FileContent>> | undefined;
  readonly buildArguments: Readonly<Record<string, string>> | undefined;
  /** Versions of the objects that values came from: equal only for equal values. `undefined`: they do not say. */
  readonly versions: readonly string[] | undefined;
}

/** One declared setting. */
export interface Leaf {
  /** As under `spec.settings`: `billing.deploymentPlan`, `cron.schedule`, `runtimeEnvironment.LOG_LEVEL`. */
  readonly path: string;
  readonly value: unknown;
  /** The value is a secret, or may be one: it is never compared with what Northflank returns, and never shown. */
  readonly isHidden: boolean;
  /** Keyed hash of object, account, path and value. */
  readonly hash: string;
}

/** What a spec declares, with the values of its references. */
export interface Desire {
  /** Everything but the run policy, as it is sent. */
  readonly settings: Json;
  /** `backoffLimit`, `runOnSourceChange`, `activeDeadlineSeconds` and `cron`, wherever they were written. */
  readonly policy: Json;
  /** Every setting, in the order of their paths. */
  readonly leaves: readonly Leaf[];
  /** Distinguishes the key of the hashes, and the account, from others. */
  readonly keyId: string;
  /** Hash of what the spec says, see {@link specHashOf}. */
  readonly specHash: string;
  /**
   * Identifies the versions of what is referred to, whatever the token: with the same spec and the same versions, every
   * value is the same. `undefined` where that is not known.
   */
  readonly sourcesId: string | undefined;
}

/** Reads `spec.settings`. `keyedHash` is the account's. */
export function desireOf(options: {
  readonly spec: NorthflankJobSpec;
  readonly values: ResolvedValues;
  /** Of the object, so that equal values of two objects have different hashes. */
  readonly uid: string | undefined;
  /** Of the account: what one team has was never sent to another one, though both know the same token. */
  readonly address: string;
  readonly keyedHash: (text: string) => string;
}): Desire {
  const { spec, values, uid = "", address, keyedHash } = options;
  const {
    runtimeEnvironmentFrom: _environmentFrom,
    runtimeFilesFrom: _filesFrom,
    buildArgumentsFrom: _argumentsFrom,
    backoffLimit,
    runOnSourceChange,
    activeDeadlineSeconds,
    cron,
    settings: nested,
    ...plain
  } = spec.settings;
  const { versions, ...maps } = values;
  const settings = given({ ...plain, ...given({ ...maps }) });
  const policy = given({ backoffLimit, runOnSourceChange, activeDeadlineSeconds, cron, ...given({ ...nested }) });
  const leaves = [...leavesOf(settings), ...leavesOf(policy)].map((leaf) => ({
    ...leaf,
    hash: keyedHash(canonicalJson([uid, address, leaf.path, leaf.value])),
  }));
  const keyId = `${keyedHash("id of the key").slice(0, 8)}.${accountId(address)}`;
  const sourcesId = sourcesIdOf({ uid, versions });
  return { settings, policy, leaves: leaves.sort(byPath), keyId, specHash: specHashOf(spec), sourcesId };
}

interface SourceFacts {
  /** Of the object. */
  readonly uid: string | undefined;
  readonly versions: readonly string[] | undefined;
}

/** A version is no secret, so a hash without a key will do. */
function sourcesIdOf({ uid = "", versions }: SourceFacts): string | undefined {
  if (versions === undefined) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([uid, versions]))
    .digest("hex")
    .slice(0, 32);
}

/** Whether everything that is referred to is in the version that was applied. */
export function isSameSources(applied: { readonly sourcesId?: string }, now: SourceFacts): boolean {
  return applied.sourcesId !== undefined && applied.sourcesId === sourcesIdOf(now);
}

/** Whether two ids of keys differ in nothing but the token of one account. */
export function isSameAccount(left: string | undefined, right: string): boolean {
  return left?.split(".")[1] === right.split(".")[1];
}

/** The address is no secret, and is the same whatever the token. */
function accountId(address: string): string {
  return createHash("sha256").update(address).digest("hex").slice(0, 8);
}

/**
 * The body that carries what is declared on a route: `settings` holds the run policy in the body for any job, which stands
 * on top in the older ones. `undefined` where the route has no place for something.
 */
export function bodyFor(route: JobPatchRoute, { settings, policy }: Desire): Json | undefined {
  if (route === "job") return Object.keys(policy).length === 0 ? settings : { ...settings, settings: policy };
  const { cron, ...rest } = policy;
  if (cron === undefined) return { ...settings, ...rest };
  return route === "manual" ? undefined : { ...settings, ...rest, ...(cron as Json) };
}

/** Equal for specs that declare the same, the values behind references aside. */
export function specHashOf({ settings, jobType, allowReferences }: NorthflankJobSpec): string {
  const text = canonicalJson({ settings, jobType, allowReferences });
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Whether values come from Secrets or ConfigMaps. */
export function hasReferences({ settings }: Pick<NorthflankJobSpec, "settings">): boolean {
  const { runtimeEnvironmentFrom, runtimeFilesFrom, buildArgumentsFrom } = settings;
  return [runtimeEnvironmentFrom, runtimeFilesFrom, buildArgumentsFrom].some((from) => (from ?? []).length > 0);
}

/** Maps of which each key is a setting of its own, and all values are secrets or may be. */
export const hiddenMaps: ReadonlySet<string> = new Set([
  "runtimeEnvironment",
  "runtimeFiles",
  "buildArguments",
  "buildFiles",
  "dockerSecretMounts",
]);

/** Contents that are not for status: commands and Dockerfiles in Northflank may hold unknown secrets. */
const hiddenLeaves: ReadonlySet<string> = new Set(["healthChecks", "buildSettings.dockerfile.dockerfileContents"]);

type PlainLeaf = Omit<Leaf, "hash">;

function leavesOf(object: Json): readonly PlainLeaf[] {
  return Object.entries(object).flatMap(([name, value]) =>
    hiddenMaps.has(name) ? mapLeaves(name, value as Json) : innerLeaves(name, value),
  );
}

/** The keys as one setting, because the map is sent as a whole, and each value as one. */
function mapLeaves(path: string, map: Json): readonly PlainLeaf[] {
  const keys = Object.keys(map).sort();
  const values = keys.map((key) => ({ path: `${path}.${key}`, value: map[key], isHidden: true }));
  return [{ path, value: keys, isHidden: true }, ...values];
}

function innerLeaves(path: string, value: unknown): readonly PlainLeaf[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ path, value, isHidden: hiddenLeaves.has(path) }];
  }
  return Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .flatMap(([name, inner]) => innerLeaves(`${path}.${name}`, inner));
}

function given(values: Json): Json {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function byPath(left: Leaf, right: Leaf): number {
  return left.path < right.path ? -1 : 1;
}
