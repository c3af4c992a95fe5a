import { isList, isMap, isObject } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { group } from "../../src/api/names.ts";
import type { Schema } from "../../src/api/schema.ts";
import type { GeneratedFile } from "./file.ts";

/** What a reference field names, by the field. Another one has to be added here: without it nothing is generated. */
const referents: Readonly<Record<string, string>> = {
  connectionRef: "NorthflankConnection",
  jobRunRef: "NorthflankJobRun",
  tokenSecretRef: "Secret",
  secretRef: "Secret",
  secretKeyRef: "Secret",
  configMapRef: "ConfigMap",
  configMapKeyRef: "ConfigMap",
};

interface Place {
  readonly kind: string;
  /** As kustomize writes it: `spec/waitFor/jobRunRef/name`; lists and maps have no part of their own. */
  readonly path: string;
}

/**
 * The configuration that makes kustomize's own transformers know our kinds, as a component: images, names that a prefix or
 * a hash changes, and variables.
 */
export function kustomizeFiles(): readonly GeneratedFile[] {
  const kustomization = `# Makes kustomize know the kinds of northflank-operator: see docs/kustomize.md.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
configurations:
  - northflank.yaml
`;
  return [
    { name: "kustomization.yaml", text: kustomization },
    { name: "northflank.yaml", text: configuration() },
  ];
}

function configuration(): string {
  const places = kinds.flatMap(({ type, spec }) => placesIn(spec, { kind: type.kind, path: "spec" }, ""));
  const images = places.filter(({ use }) => use === "image");
  const variables = places.filter(({ use }) => use === "text");
  const named = [...new Set(Object.values(referents))].sort();
  const references = named.map((kind) => {
    const fields = places.filter(({ use }) => use === kind);
    const isOurs = kinds.some(({ type }) => type.kind === kind);
    return `  - kind: ${kind}\n${isOurs ? `    group: ${group}\n` : "    version: v1\n"}    fieldSpecs:\n${fields.map((field) => line(field, "      ")).join("")}`;
  });
  return `# Generated from src/api by "npm run generate". A configuration of kustomize: see docs/kustomize.md.
images:
${images.map((field) => line(field, "  ")).join("")}
nameReference:
${references.join("")}
varReference:
${variables.map((field) => line(field, "  ")).join("")}`;
}

function line({ kind, path }: Place, indent: string): string {
  return `${indent}- {path: ${path}, kind: ${kind}, group: ${group}}\n`;
}

type Found = Place & { readonly use: string };

/** The fields that a transformer of kustomize has something to do with. `name` is that of the field around. */
function placesIn(schema: Schema, at: Place, name: string): readonly Found[] {
  if (isList(schema)) return placesIn(schema.items, at, name);
  if (isMap(schema)) {
    const { additionalProperties: value } = schema;
    return value.type === "string" ? [{ ...at, use: "text" }] : [];
  }
  if (!isObject(schema)) return schema.type === "string" && !("enum" in schema) ? [{ ...at, use: "text" }] : [];
  return Object.entries(schema.properties).flatMap(([key, inner]) => {
    const place = { ...at, path: `${at.path}/${key}` };
    if (key === "imagePath") return [{ ...place, use: "image" }, ...placesIn(inner, place, key)];
    if (key === "name" && /Ref$/.test(name)) return [{ ...place, use: referentOf(name) }];
    return placesIn(inner, place, key);
  });
}

function referentOf(field: string): string {
  const kind = Object.hasOwn(referents, field) ? referents[field] : undefined;
  if (kind === undefined) throw new Error(`scripts/generated/kustomize.ts does not say what ${field} names`);
  return kind;
}
