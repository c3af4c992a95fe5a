import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { describeUser } from "../../kube/missing-right.ts";
import { type ConfigMap, configMaps, type KubeObject, type Secret, secrets } from "../../kube/types.ts";
import type { Blocked } from "../reconcile/ready-state.ts";
import { recheckSecretMs } from "./secret-tokens.ts";
import { refusedSecretType } from "./token-secret.ts";

/** References as a spec has them, with the literal values that win over them. */
export interface ReferencingSpec {
  readonly runtimeEnvironment?: Readonly<Record<string, string>>;
  readonly runtimeEnvironmentFrom?: readonly EnvironmentSource[];
  readonly runtimeFiles?: Files;
  readonly runtimeFilesFrom?: readonly FileSource[];
  readonly allowReferences?: boolean;
}

/** Where one variable, or all keys of an object as variables, come from. */
export interface EnvironmentSource {
  readonly name?: string;
  readonly secretRef?: AllKeys;
  readonly configMapRef?: AllKeys;
  readonly secretKeyRef?: OneKey;
  readonly configMapKeyRef?: OneKey;
}

/** Where the content of one file comes from. */
export interface FileSource {
  readonly path: string;
  readonly secretKeyRef?: OneKey;
  readonly configMapKeyRef?: OneKey;
}

interface AllKeys {
  readonly name: string;
  readonly prefix?: string;
  readonly optional?: boolean;
}

interface OneKey {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean;
}

type Files = Readonly<Record<string, { readonly data: string; readonly encoding?: string }>>;

/** The result of resolving the references of a spec. */
export type ResolvedReferences =
  /** The values themselves: they go into a request body, and nowhere else. */
  | {
      readonly kind: "resolved";
      readonly environment: Readonly<Record<string, string>>;
      readonly files: Files;
      /**
       * Which version of each object the values came from, sorted: while these stay, so do the values. `undefined`
       * where an object does not say its version.
       */
      readonly versions: readonly string[] | undefined;
    }
  /** Something is missing or cannot be used; read again after `recheckAfterMs`. Names keys, never values. */
  | BlockedReference;

/** A reference that cannot be resolved. */
export interface BlockedReference extends Blocked {
  /** What does not exist, where that is the reason. */
  readonly missing: MissingReference | undefined;
}

/** An object that is referred to and does not exist. */
export interface MissingReference {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
}

const maxVariables = 1_000;
const maxEnvironmentBytes = 65_536;
const maxFileBytes = 4_194_304;

/** As the Northflank API takes them. */
const variableName = /^[A-Za-z0-9_./-]{1,255}$/;

/**
 * Reads what a spec refers to: each object once, by name, in the given namespace, with no cache of its own. As in a
 * Pod, later sources win over earlier ones, and literal values over all of them.
 *
 * *Guarantees*: no value reaches a ready state; nothing is kept.
 *
 * *Errors*: `KubeError` when Kubernetes cannot be read (a refusal by RBAC is a `blocked` result).
 */
export async function resolveReferences(options: {
  readonly kube: Pick<KubeClient, "get">;
  readonly namespace: string;
  readonly spec: ReferencingSpec;
  readonly signal: AbortSignal;
}): Promise<ResolvedReferences> {
  const { spec } = options;
  try {
    const sources = await readSources(options, spec);
    return {
      kind: "resolved",
      environment: environmentOf(spec, sources),
      files: filesOf(spec, sources),
      versions: versionsOf(sources),
    };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    const { reason, message, missing } = error;
    // Rights may be granted a moment later (a rollout of RBAC); everything else waits for a person.
    const kind = reason === "PermissionDenied" ? "retrying" : "stalled";
    const pause = { withinMs: recheckSecretMs };
    return { kind: "blocked", readyState: { kind, reason, message }, recheckAfterMs: recheckSecretMs, pause, missing };
  }
}

/** What stops a resolution half way. Stays inside this file. */
class Unusable extends Error {
  readonly reason: "SecretNotFound" | "SecretKeyMissing" | "SecretInvalid" | "InvalidSpec" | "PermissionDenied";
  readonly missing: MissingReference | undefined;

  constructor(reason: Unusable["reason"], message: string, missing?: MissingReference) {
    super(message);
    this.reason = reason;
    this.missing = missing;
  }
}

/** The content of a Secret or ConfigMap as text; `undefined` for what does not exist. */
interface Source {
  /** `Secret "db"`. */
  readonly title: string;
  /** Equal only for the same content; `undefined` where the server does not say it. */
  readonly version: string | undefined;
  readonly keys: readonly string[];
  /** Throws {@link Unusable} for a value that is not text. */
  readonly text: (key: string) => string;
}

type SourceKind = MissingReference["kind"];
type Sources = ReadonlyMap<string, Source | undefined>;
type Reader = Pick<Parameters<typeof resolveReferences>[0], "kube" | "namespace" | "signal">;

async function readSources(reader: Reader, spec: ReferencingSpec): Promise<Sources> {
  const wanted = new Map<string, MissingReference>();
  for (const from of [...(spec.runtimeEnvironmentFrom ?? []), ...(spec.runtimeFilesFrom ?? [])]) {
    const { kind, ref } = referenceOf(from);
    wanted.set(sourceId(kind, ref.name), { kind, name: ref.name });
  }
  const read = [...wanted].map(async ([id, reference]) => [id, await readSource(reader, reference)] as const);
  return new Map(await Promise.all(read));
}

async function readSource(
  { kube, namespace, signal }: Reader,
  { kind, name }: MissingReference,
): Promise<Source | undefined> {
  const title = `${kind} "${name}"`;
  try {
    if (kind === "Secret") return secretSource(title, await kube.get<Secret>(secrets, { namespace, name }, signal));
    return configMapSource(title, await kube.get<ConfigMap>(configMaps, { namespace, name }, signal));
  } catch (error) {
    if (isKubeError(error, "not_found")) return undefined;
    if (!isKubeError(error, "forbidden")) throw error;
    const right = kind === "Secret" ? "secrets" : "configmaps";
    const account = error.missingRight === undefined ? "" : ` (${describeUser(error.missingRight)})`;
    const message = `The operator${account} may not get ${right} in namespace "${namespace}", and ${title} is referred to.`;
    throw new Unusable("PermissionDenied", message);
  }
}

function secretSource(title: string, secret: Secret): Source {
  const type = refusedSecretType(secret);
  if (type !== undefined) {
    refuse("SecretInvalid", `${title} is of type ${type}, which is never sent to Northflank. Use an Opaque Secret.`);
  }
  const data = new Map(Object.entries(secret.data ?? {}));
  return {
    title,
    version: versionOf(secret.metadata),
    keys: [...data.keys()],
    text: (key) => decodedText(Buffer.from(data.get(key) ?? "", "base64"), `Key "${key}" of ${title}`),
  };
}

function configMapSource(title: string, configMap: ConfigMap): Source {
  const data = new Map(Object.entries(configMap.data ?? {}));
  return {
    title,
    version: versionOf(configMap.metadata),
    keys: [...data.keys(), ...Object.keys(configMap.binaryData ?? {})],
    text: (key) =>
      data.get(key) ?? refuse("SecretInvalid", `Key "${key}" of ${title} is binary; only text can be sent.`),
  };
}

function versionOf({ uid, resourceVersion }: KubeObject["metadata"]): string | undefined {
  return uid === undefined || resourceVersion === undefined ? undefined : `${uid} ${resourceVersion}`;
}

/** What is missing and optional has a version too: that it is missing. */
function versionsOf(sources: Sources): readonly string[] | undefined {
  const versions = [...sources].map(([id, source]) => [id, source === undefined ? "-" : source.version] as const);
  if (versions.some(([, version]) => version === undefined)) return undefined;
  return versions.map(([id, version]) => `${id} ${version}`).toSorted();
}

function decodedText(bytes: Uint8Array, what: string): string {
  try {
    // A mark at the beginning is part of the content: it is kept.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // The decoder's own message is dropped: it is about the value.
    throw new Unusable("SecretInvalid", `${what} is not UTF-8 text; only text can be sent.`);
  }
}

function environmentOf(spec: ReferencingSpec, sources: Sources): Readonly<Record<string, string>> {
  // A Map, so that a variable named __proto__ is a variable.
  const environment = new Map<string, string>();
  for (const from of spec.runtimeEnvironmentFrom ?? []) {
    for (const variable of variablesOf(from, sources)) {
      checkVariable(variable, spec, "SecretInvalid");
      environment.set(variable.name, variable.value);
    }
  }
  for (const [name, value] of Object.entries(spec.runtimeEnvironment ?? {})) {
    checkVariable({ name, value, where: "spec.runtimeEnvironment" }, spec, "InvalidSpec");
    environment.set(name, value);
  }
  checkSize(environment);
  return Object.fromEntries(environment);
}

interface Variable {
  readonly name: string;
  readonly value: string;
  /** Where it comes from, for messages. */
  readonly where: string;
}

function variablesOf(from: EnvironmentSource, sources: Sources): readonly Variable[] {
  const { kind, ref } = referenceOf(from);
  const whereOf = (key: string) => `key "${key}" of ${kind} "${ref.name}"`;
  if ("key" in ref) {
    const value = textOf(kind, ref, sources);
    return value === undefined ? [] : [{ name: from.name ?? ref.key, value, where: whereOf(ref.key) }];
  }
  const source = sourceOf(kind, ref, sources);
  const { prefix = "" } = ref;
  return (source?.keys ?? []).map((key) => ({
    name: `${prefix}${key}`,
    value: source?.text(key) ?? "",
    where: whereOf(key),
  }));
}

function filesOf(spec: ReferencingSpec, sources: Sources): Files {
  const files = new Map<string, Files[string]>();
  for (const from of spec.runtimeFilesFrom ?? []) {
    const { kind, ref } = referenceOf(from);
    const content = "key" in ref ? textOf(kind, ref, sources) : undefined;
    if (content === undefined) continue;
    if (spec.allowReferences !== true && content.includes("${")) refuseReference(from.path, kind, ref);
    files.set(from.path, { data: Buffer.from(content, "utf8").toString("base64"), encoding: "utf-8" });
  }
  for (const [path, file] of Object.entries(spec.runtimeFiles ?? {})) files.set(path, file);
  const bytes = [...files.values()].reduce((sum, { data }) => sum + data.length, 0);
  if (bytes > maxFileBytes) refuse("InvalidSpec", `The files together have more than ${maxFileBytes} bytes in base64.`);
  return Object.fromEntries(files);
}

/** Northflank expands in files what it expands in values. */
function refuseReference(path: string, kind: SourceKind, ref: AllKeys | OneKey): never {
  const key = "key" in ref ? `key "${ref.key}" of ` : "";
  refuse(
    "SecretInvalid",
    `The content of file "${path.slice(0, 256)}" (${key}${kind} "${ref.name}") holds "\${", which Northflank would expand. ` +
      "Set spec.allowReferences: true if that is intended.",
  );
}

/** One value; `undefined` when it is missing and optional. */
function textOf(kind: SourceKind, ref: OneKey, sources: Sources): string | undefined {
  const source = sourceOf(kind, ref, sources);
  if (source === undefined) return undefined;
  if (source.keys.includes(ref.key)) return source.text(ref.key);
  if (ref.optional) return undefined;
  return refuse("SecretKeyMissing", `${source.title} has no key "${ref.key}". Add it, or mark the reference optional.`);
}

function sourceOf(kind: SourceKind, ref: AllKeys | OneKey, sources: Sources): Source | undefined {
  const source = sources.get(sourceId(kind, ref.name));
  if (source !== undefined || ref.optional) return source;
  const message = `${kind} "${ref.name}" does not exist. Create it, or mark the reference optional.`;
  throw new Unusable("SecretNotFound", message, { kind, name: ref.name });
}

function checkVariable(
  { name, value, where }: Variable,
  { allowReferences }: ReferencingSpec,
  reason: "SecretInvalid" | "InvalidSpec",
): void {
  const shown = name.slice(0, 64);
  if (!variableName.test(name)) {
    const rule = "letters, digits and _ . / - only, 255 at most";
    const subject = `${where.charAt(0).toUpperCase()}${where.slice(1)}`;
    refuse(reason, `${subject} makes a variable named "${shown}", which is not a name: ${rule}.`);
  }
  // NUL cannot be in an environment; a lone surrogate cannot be sent as UTF-8.
  if (value.includes("\0") || /\p{Surrogate}/u.test(value)) {
    refuse(reason, `The value of variable "${shown}" (${where}) holds a character that cannot be sent.`);
  }
  if (allowReferences !== true && value.includes("${")) {
    const remedy = "Set spec.allowReferences: true if that is intended.";
    refuse(reason, `The value of variable "${shown}" (${where}) holds "\${", which Northflank would expand. ${remedy}`);
  }
}

function checkSize(environment: ReadonlyMap<string, string>): void {
  if (environment.size > maxVariables) {
    refuse("InvalidSpec", `There are ${environment.size} variables; ${maxVariables} is the most.`);
  }
  let bytes = 0;
  for (const [name, value] of environment) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  if (bytes <= maxEnvironmentBytes) return;
  const rule = `The variables together have more than ${maxEnvironmentBytes} bytes.`;
  refuse("InvalidSpec", `${rule} Use files for large values.`);
}

function referenceOf(from: EnvironmentSource | FileSource): { kind: SourceKind; ref: AllKeys | OneKey } {
  const { secretRef, configMapRef } = from as EnvironmentSource;
  const ofSecret = secretRef ?? from.secretKeyRef;
  if (ofSecret !== undefined) return { kind: "Secret", ref: ofSecret };
  const ofConfigMap = configMapRef ?? from.configMapKeyRef;
  if (ofConfigMap !== undefined) return { kind: "ConfigMap", ref: ofConfigMap };
  return refuse("InvalidSpec", "An entry of runtimeEnvironmentFrom or runtimeFilesFrom has no reference.");
}

function sourceId(kind: SourceKind, name: string): string {
  return `${kind}/${name}`;
}

function refuse(reason: Unusable["reason"], message: string): never {
  throw new Unusable(reason, message);
}
