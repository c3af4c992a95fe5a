import { expect, test } from "vitest";
import { customResourceState } from "../../../scripts/observability/kube-state-metrics.ts";
import { kinds } from "../../../src/api/kinds.ts";

interface Each {
  readonly path?: readonly string[];
  readonly labelsFromPath?: Readonly<Record<string, readonly string[]>>;
  readonly valueFrom?: readonly string[];
}

interface Configuration {
  readonly spec: {
    readonly resources: readonly {
      readonly groupVersionKind: { readonly kind: string };
      readonly labelsFromPath: Readonly<Record<string, readonly string[]>>;
      readonly metrics: readonly {
        readonly name: string;
        readonly each: { readonly info?: Each; readonly gauge?: Each };
      }[];
    }[];
  };
}

const { resources } = (customResourceState() as Configuration).spec;

/** Every path of a kind from the root of the object. */
const paths = resources.flatMap(({ groupVersionKind: { kind }, metrics }) =>
  metrics.flatMap(({ name, each }) => {
    const { path = [], labelsFromPath = {}, valueFrom } = each.info ?? each.gauge ?? {};
    const below = [...Object.values(labelsFromPath), ...(valueFrom === undefined ? [] : [valueFrom])];
    return (below.length === 0 ? [[]] : below).map((rest) => ({ kind, name, path: [...path, ...rest].join(".") }));
  }),
);

test.each(paths)("$kind has $path ($name)", ({ kind, path }) => {
  const definition = kinds.find(({ type }) => type.kind === kind);
  let schema: unknown = { properties: { spec: definition?.spec, status: definition?.status } };
  for (const part of path.split(".")) {
    // An entry of a list is named by one of its fields, or the list stands for each of them.
    const items = Reflect.get(schema as object, "items");
    if (part.startsWith("[")) {
      schema = items;
      continue;
    }
    schema = Reflect.get(Reflect.get((items ?? schema) as object, "properties") as object, part);
    expect(schema, part).toBeDefined();
  }
});

test("each kind has its metrics, and no label is one that Prometheus renames", () => {
  expect(resources.map(({ groupVersionKind }) => groupVersionKind.kind)).toEqual(kinds.map(({ type }) => type.kind));
  for (const { labelsFromPath } of resources)
    expect(Object.keys(labelsFromPath)).toEqual(["exported_namespace", "name"]);
  const ownLabels = resources.flatMap(({ metrics }) =>
    metrics.flatMap(({ each }) => Object.keys(each.info?.labelsFromPath ?? each.gauge?.labelsFromPath ?? {})),
  );
  for (const label of ["job", "namespace", "instance", "pod", "service"]) {
    expect(
      ownLabels.filter((own) => own === label),
      label,
    ).toEqual([]);
  }
});
