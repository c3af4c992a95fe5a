// pure
import { isUtf8 } from "node:buffer";
import { isRecord } from "../util/records.ts";
import type { Path } from "./stored.ts";

/** What becomes of `${...}` in a text that reaches Northflank. */
export type ReferenceUse =
  /** Northflank puts in values of the project: judged as it is written, by a rule of the schema. */
  | { readonly kind: "text" }
  /** The same for the content that the text is base64 of. No rule of the API server can decode it. */
  | { readonly kind: "content" }
  /** Names Secrets and ConfigMaps; what they hold is judged when it is read. */
  | { readonly kind: "cluster" }
  /** Northflank takes it as it is. */
  | { readonly kind: "literal"; readonly why: string };

const text: ReferenceUse = { kind: "text" };
const content: ReferenceUse = { kind: "content" };
const cluster: ReferenceUse = { kind: "cluster" };
const command: ReferenceUse = { kind: "literal", why: "a command: the shell in the container expands it, if any does" };
const name: ReferenceUse = { kind: "literal", why: "the name of a file or mount" };
const rule: ReferenceUse = { kind: "literal", why: "is compared with paths or messages of commits" };

const runtimes = {
  "deployment.docker.customEntrypoint": command,
  "deployment.docker.customCommand": command,
  "deployment.buildpack.customEntrypoint": command,
  "deployment.buildpack.customCommand": command,
} as const;

/**
 * Every text of a spec that reaches Northflank and could hold `${...}`, by kind and path; `#` stands for the keys of a map.
 * A test goes through the schemas: a new field without an entry fails it.
 */
export const referenceUses: Readonly<Record<string, Readonly<Record<string, ReferenceUse>>>> = {
  NorthflankConnection: {},
  NorthflankDeployment: runtimes,
  NorthflankJobRun: {
    ...runtimes,
    "runtimeEnvironment.*": text,
    runtimeEnvironmentFrom: cluster,
    "runtimeFiles.#": name,
    "runtimeFiles.*.data": content,
    runtimeFilesFrom: cluster,
    "runtimeFilesFrom[].path": name,
    "dockerSecretMounts.#": name,
    "dockerSecretMounts.*.data": content,
  },
  NorthflankJob: {
    "settings.buildConfiguration.pathIgnoreRules[]": rule,
    "settings.buildConfiguration.ciIgnoreFlags[]": rule,
    "settings.buildSettings.dockerfile.dockerfileContents": {
      kind: "literal",
      why: "a Dockerfile: Docker expands its own arguments in it",
    },
    "settings.buildSettings.buildpack.buildpackLocators[]": { kind: "literal", why: "the address of a buildpack" },
    "settings.runtimeEnvironment.*": text,
    "settings.runtimeEnvironmentFrom": cluster,
    "settings.runtimeFiles.#": name,
    "settings.runtimeFiles.*.data": content,
    "settings.runtimeFilesFrom": cluster,
    "settings.runtimeFilesFrom[].path": name,
    "settings.buildArguments.*": text,
    "settings.buildArgumentsFrom": cluster,
    "settings.buildFiles.#": name,
    "settings.buildFiles.*.data": content,
    "settings.dockerSecretMounts.#": name,
    "settings.dockerSecretMounts.*.data": content,
    "settings.healthChecks[].cmd": command,
  },
};

/** Where the content of a file holds what Northflank would expand, and the spec does not allow it. From the spec on. */
export function forbiddenReferences(kind: string, spec: unknown): readonly Path[] {
  if (!isRecord(spec) || spec.allowReferences === true) return [];
  const uses = Object.hasOwn(referenceUses, kind) ? Object.entries(referenceUses[kind] ?? {}) : [];
  return uses.flatMap(([path, use]) =>
    use.kind === "content"
      ? valuesAt(spec, path.split("."), [])
          .filter(({ value }) => holdsReference(value))
          .map((found) => found.path)
      : [],
  );
}

interface Found {
  readonly path: Path;
  readonly value: unknown;
}

function valuesAt(value: unknown, parts: readonly string[], path: Path): readonly Found[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [{ path, value }];
  if (!isRecord(value)) return [];
  const keys = part === "*" ? Object.keys(value) : [part];
  return keys.flatMap((key) => (Object.hasOwn(value, key) ? valuesAt(value[key], rest, [...path, key]) : []));
}

/** Text that Northflank may expand in what is no UTF-8: a whole reference. Two signs alone turn up in any archive. */
const wholeReference = /\$\{\{?[ ]*[A-Za-z_][A-Za-z0-9_.-]*[ ]*\}/;

/** The same in UTF-16, of either order. */
const wideBeginnings = [Buffer.from("${", "utf16le"), Buffer.from([0, 0x24, 0, 0x7b])];

/** Whether a content in base64 holds `${`: anywhere in a text, and as a whole reference in other content. */
export function holdsReference(base64: unknown): boolean {
  if (typeof base64 !== "string") return false;
  const bytes = Buffer.from(base64, "base64");
  if (wideBeginnings.some((beginning) => bytes.includes(beginning))) return true;
  if (!bytes.includes("${")) return false;
  return isUtf8(bytes) || wholeReference.test(bytes.toString("latin1"));
}
