import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compileRules } from "../../sandbox/kubernetes/cel.ts";
import { mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { findKind, kinds } from "../../src/api/kinds.ts";
import { fluxRequestedAt, reconcileRequestedAt } from "../../src/api/names.ts";
import { asStored } from "../../src/api/stored.ts";
import { createValidator } from "../../src/api/validate.ts";
import { crdFiles } from "../../src/cli/crds.ts";
import { isReconcileRequested } from "../../src/controllers/reconcile/reconcile-request.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { actionNames, actionsOf, patchOf } from "../support/argocd-actions.ts";
import { freshObjects } from "../support/every-status.ts";
import { readManifests } from "../support/manifests.ts";
import { runStatus } from "../support/runs-in-states.ts";

// The actions of deploy/argocd, on every manifest of examples/ and on an object of each kind: what Argo CD would send to
// the API server is one field, and the object stays one that the schema and its rules take.

const examples = resolve(fileURLToPath(import.meta.url), "../../../examples");
type WithSpec = KubeObject & { readonly spec: object };

const manifests: readonly WithSpec[] = [
  ...freshObjects,
  ...readdirSync(examples)
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) => readManifests(join(examples, file)))
    .filter(({ kind }) => findKind(kind) !== undefined),
] as never;
/** With the defaults that the API server fills in. */
const objects = manifests.map((object) => {
  const schema = findKind(object.kind)?.spec;
  if (schema === undefined) throw new Error(`no kind ${object.kind}`);
  return { ...object, spec: asStored(schema, object.spec) as object };
});

const validator = createValidator();
const rules = new Map(
  crdFiles()
    .map(({ text }) => parse(text))
    .map(({ spec }) => [spec.names.kind, compileRules(spec.versions[0].schema.openAPIV3Schema.properties.spec)]),
);

const changes: Readonly<Record<string, object>> = {
  suspend: { spec: { suspend: true } },
  resume: { spec: { suspend: false } },
  abort: { spec: { abort: true } },
  reconcile: {
    metadata: { annotations: { [reconcileRequestedAt]: expect.stringMatching(/^2\d{3}-\d\d-\d\dT[\d:]{8}Z$/) } },
  },
};

test("there are examples of every kind", () => {
  expect(new Set(objects.map(({ kind }) => kind)).size).toBe(kinds.length);
  expect(objects.length).toBeGreaterThan(15);
});

describe.each(objects.map((object) => ({ object, name: `${object.kind} ${object.metadata.name}` })))(
  "of $name",
  ({ object }) => {
    test.each(actionNames(object.kind))("%s changes one field, and the object stays valid", (action) => {
      const before = { ...object, spec: { ...object.spec, suspend: action === "resume" } };
      const patch = patchOf(before, action);
      expect(patch).toEqual(changes[action]);
      const after = mergePatch(before as never, patch as never) as unknown as typeof object;
      expect(validator.validateManifest(after)).toEqual(validator.validateManifest(before));
      expect(rules.get(object.kind)?.(after.spec, before.spec) ?? []).toEqual([]);
    });
  },
);

test("an action keeps empty maps and lists, though Lua does not tell them apart", () => {
  const [run] = objects.filter(({ kind }) => kind === "NorthflankJobRun");
  const spec = { ...run?.spec, runtimeEnvironment: {}, runtimeEnvironmentFrom: [], deployment: { docker: {} } };
  expect(patchOf({ ...run, spec } as never, "suspend")).toEqual(changes.suspend);
});

test("reconcile keeps the other annotations, asks for what was not asked for yet, and wins over an older request", () => {
  const annotations = {
    "example.com/mine": "x",
    [fluxRequestedAt]: "2025-01-01T00:00:00Z",
    [reconcileRequestedAt]: "1",
  };
  const asked = objects.map((object) => ({ ...object, metadata: { ...object.metadata, annotations } }));
  for (const object of asked) {
    const patch = patchOf(object, "reconcile");
    expect(patch).toEqual(changes.reconcile);
    const status = { lastHandledReconcileAt: "2025-01-01T00:00:00Z" };
    const after = mergePatch({ ...object, status } as never, patch as never) as unknown as typeof object;
    expect(after.metadata.annotations).toMatchObject({ "example.com/mine": "x" });
    expect(isReconcileRequested(after)).toBe(true);
  }
});

const finished = await runStatus("finished");
const abortTakenBack = await runStatus("its abort taken back");

describe("what is offered", () => {
  const [run] = freshObjects.filter(
    ({ kind }) => kind === "NorthflankJobRun",
  ) as unknown as readonly NorthflankJobRun[];
  const offers = (spec: object, status: object) => {
    const object = { ...run, spec: { ...run?.spec, ...spec }, status: { ...run?.status, ...status } };
    return enabled(object as never);
  };

  test.each(objects.filter(({ kind }) => kind !== "NorthflankJobRun").map((object) => [object.kind, object] as const))(
    "%s: suspend and reconcile, or resume",
    (_, object) => {
      expect(enabled({ ...object, spec: { ...object.spec, suspend: false } })).toEqual(["reconcile", "suspend"]);
      expect(enabled({ ...object, spec: { ...object.spec, suspend: true } })).toEqual(["resume"]);
    },
  );

  test.each<readonly [string, object, object, readonly string[]]>([
    ["a run that nobody has seen", {}, {}, ["abort", "reconcile", "suspend"]],
    ["a run that is held back", { suspend: true }, {}, ["abort", "resume"]],
    ["a run that is being aborted", { abort: true }, {}, ["reconcile"]],
    ["a run whose abort was taken back", {}, abortTakenBack, ["reconcile"]],
    ["a run that has ended", {}, finished, []],
    ["a suspended run that has ended", { suspend: true }, finished, []],
  ])("%s", (_, spec, status, expected) => {
    expect(offers(spec, status)).toEqual(expected);
  });

  test("of an object without a status, as of any other", () => {
    const { status: _, ...bare } = run ?? {};
    expect(enabled(bare as never)).toEqual(["abort", "reconcile", "suspend"]);
  });

  test("is offered with an icon, and has a script", () => {
    for (const object of objects) {
      const offered = actionsOf(object);
      expect(offered.map(({ name }) => name).sort()).toEqual([...actionNames(object.kind)].sort());
      for (const { iconClass } of offered) expect(iconClass).toMatch(/^fa fa-fw fa-[a-z]+$/);
    }
  });
});

function enabled(object: WithSpec): readonly string[] {
  return actionsOf(object)
    .filter(({ disabled }) => !disabled)
    .map(({ name }) => name)
    .sort();
}
