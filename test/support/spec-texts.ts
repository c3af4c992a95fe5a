import { parse } from "yaml";
import { crdFiles } from "../../src/cli/crds.ts";

// Every text of every spec, read from the CRDs: by other code than that which generates deploy/kustomize-config.

interface Json {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Json>>;
  readonly items?: Json;
  readonly additionalProperties?: Json;
}

export interface Leaf {
  readonly kind: string;
  /** From `spec` on, with `[]` for the items of lists and `*` for the values of maps. */
  readonly path: readonly string[];
}

/** Every text of every spec, as the CRDs have them. */
export const leaves = crdFiles().flatMap(({ text }): readonly Leaf[] => {
  const crd = parse(text);
  return leavesOf(crd.spec.versions[0].schema.openAPIV3Schema.properties.spec, {
    kind: crd.spec.names.kind,
    path: ["spec"],
  });
});

/** What a field names: by the end of its path. */
export function referent({ path }: Leaf): string | undefined {
  const [field = "", name] = path.slice(-2);
  if (name !== "name" || !field.endsWith("Ref")) return undefined;
  if (/secret/i.test(field)) return "Secret";
  if (/configMap/i.test(field)) return "ConfigMap";
  return { connectionRef: "NorthflankConnection", jobRunRef: "NorthflankJobRun" }[field] ?? `what ${field} names`;
}

export const isImage = ({ path }: Leaf) => path.at(-1) === "imagePath";
export const references = leaves.filter((leaf) => referent(leaf) !== undefined);

function leavesOf(schema: Json, at: Leaf): readonly Leaf[] {
  const into = (part: string, inner: Json) => leavesOf(inner, { ...at, path: [...at.path, part] });
  if (schema.items) return into("[]", schema.items);
  if (schema.additionalProperties) return into("*", schema.additionalProperties);
  if (schema.properties) return Object.entries(schema.properties).flatMap(([name, inner]) => into(name, inner));
  return schema.type === "string" && schema.enum === undefined ? [at] : [];
}
