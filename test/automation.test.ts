import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { northflankJobRuns } from "../src/api/names.ts";
import { createValidator } from "../src/api/validate.ts";
import type { ReadObject } from "../src/cli/verbs/fields.ts";
import { judge } from "../src/cli/verbs/verdict.ts";
import type { KubeObject } from "../src/kube/types.ts";
import { everyStatus, freshObjects } from "./support/every-status.ts";
import { readManifests } from "./support/manifests.ts";
import { rolesOfPage } from "./support/page-roles.ts";
import { startVerbScene, type VerbScene } from "./support/verb-scene.ts";

/*
 * The examples of docs/automation.md: what they start is started by the real command line, and the conditions of Argo
 * Workflows are compared with what `wait` says of every status that the operator can write.
 */

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "examples/automation");
const files = readdirSync(folder).sort();
const page = readFileSync(join(root, "docs/automation.md"), "utf8");

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly securityContext: object;
}

interface PodSpec {
  readonly restartPolicy?: string;
  readonly serviceAccountName?: string;
  readonly containers: readonly Container[];
}

function manifestOf<T>(file: string, kind: string): T {
  const found = readManifests(join(folder, file)).find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`${file} has no ${kind}`);
  return found as T;
}

function inPod({ restartPolicy, serviceAccountName, containers }: PodSpec) {
  expect([restartPolicy, serviceAccountName, containers.length]).toEqual(["Never", "northflank-start", 1]);
  return containers[0];
}

const cronJob = manifestOf<{
  spec: { concurrencyPolicy: string; jobTemplate: { spec: { backoffLimit: number; template: { spec: PodSpec } } } };
}>("cronjob.yaml", "CronJob");
const task = manifestOf<{ spec: { params: readonly { name: string }[]; steps: readonly Container[] } }>(
  "tekton-task.yaml",
  "Task",
);

const containers: readonly (readonly [string, Container | undefined])[] = [
  ["ci-pod.yaml", inPod(manifestOf<{ spec: PodSpec }>("ci-pod.yaml", "Pod").spec)],
  ["cronjob.yaml", inPod(cronJob.spec.jobTemplate.spec.template.spec)],
  ["tekton-task.yaml", task.spec.steps[0]],
];

test.each(files)("examples/automation/%s begins by saying what it is for, and is on the page", (file) => {
  expect(readFileSync(join(folder, file), "utf8")).toMatch(/^# [A-Z]/);
  expect(page).toContain(`examples/automation/${file}`);
});

test("a Job of the CronJob starts nothing twice", () => {
  expect(cronJob.spec.concurrencyPolicy).toBe("Forbid");
  expect(cronJob.spec.jobTemplate.spec.backoffLimit).toBe(0);
});

test("the Role grants what docs/verbs.md says that start needs for a job by its ID", () => {
  const rulesOf = (role: unknown) => (role as { rules: readonly { resources: readonly string[] }[] }).rules;
  const needed = rulesOf(rolesOfPage.get("northflank-start")).filter(({ resources }) =>
    resources.includes(northflankJobRuns.plural),
  );
  expect(rulesOf(manifestOf("ci-pod.yaml", "Role"))).toEqual(needed);
});

describe.each(containers)("the container of %s", (file, container) => {
  let scene: VerbScene;
  beforeAll(async () => {
    scene = await startVerbScene();
  });
  afterEach(() => scene.clear());
  afterAll(() => scene[Symbol.asyncDispose]());

  const params: Readonly<Record<string, string>> = { project: "shop", job: "migrate", release: "1.4.2" };
  const args = (container?.args ?? []).map((arg) =>
    arg.replaceAll(/\$\(params\.(\w+)\)/g, (_, name) => params[name] ?? "?"),
  );

  test("has the entrypoint of the image", () => {
    const [, entrypoint = ""] = /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8")) ?? [];
    if (container?.command !== undefined) expect(container.command).toEqual(JSON.parse(entrypoint));
    else expect(file).not.toContain("tekton");
  });

  test("starts a run that the API server takes", async () => {
    const { code, out, err } = await scene.run([...args, "--no-wait"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^northflankjobrun\/(?:migrate|report)-\w{5} created\n$/);
    const [run] = (await scene.client.list<KubeObject & { spec: object }>(northflankJobRuns, { namespace: "shop" }))
      .items;
    const expected: Readonly<Record<string, object>> = {
      "cronjob.yaml": {
        jobId: "report",
        backoffLimit: 2,
        concurrencyPolicy: "Forbid",
        startDeadlineSeconds: 1_800,
        activeDeadlineSeconds: 7_200,
        ttlSecondsAfterFinished: 604_800,
      },
    };
    const byDefault = { jobId: "migrate", runtimeEnvironment: { RELEASE: "1.4.2" }, activeDeadlineSeconds: 3_600 };
    expect(run?.spec).toMatchObject({ projectId: "shop", ...(expected[file] ?? byDefault) });
  });

  test.each([
    ["Succeeded", "True", 0],
    ["Failed", "False", 1],
    ["Aborted", "False", 1],
  ] as const)("ends as the run ends: %s", async (phase, status, code) => {
    const condition = { type: "Succeeded", status, reason: `Run${phase}`, message: "It ended.", observedGeneration: 1 };
    const conditions = [{ ...condition, lastTransitionTime: "2026-06-01T12:00:00Z" }];
    const onPrint = (text: string) => {
      const [, name] = /^northflankjobrun\/(\S+) created/.exec(text) ?? [];
      if (name === undefined) return;
      const { group, version, kind } = northflankJobRuns;
      const run = { apiVersion: `${group}/${version}`, kind, metadata: { name, namespace: "shop" } };
      void scene.setStatus(run, { observedGeneration: 1, phase, conditions });
    };
    expect(await scene.run(args, { onPrint })).toMatchObject({ code });
  });

  test("may do nothing but that", () => {
    expect(container?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });
});

test("the parameters of the Tekton task are those that it uses", () => {
  const used = [...JSON.stringify(task.spec.steps).matchAll(/\$\(params\.(\w+)\)/g)].map(([, name]) => name);
  expect(used.sort()).toEqual(task.spec.params.map(({ name }) => name).sort());
});

describe("the resource template of Argo Workflows", () => {
  const workflow = manifestOf<{ spec: { templates: readonly { resource: Record<string, string> }[] } }>(
    "argo-workflow.yaml",
    "Workflow",
  );
  const {
    successCondition = "",
    failureCondition = "",
    manifest = "",
    action,
  } = workflow.spec.templates[0]?.resource ?? {};

  test("creates a run that is valid once its parameters are replaced", () => {
    expect(action).toBe("create");
    const object = parse(manifest.replaceAll(/\{\{workflow\.parameters\.release\}\}/g, "1.4.2"));
    expect(createValidator().validateManifest(object)).toEqual([]);
    expect(object.metadata.generateName).toBe("migrate-");
  });

  test("has the conditions that the page explains", () => {
    expect(page).toContain(`successCondition: ${successCondition}\nfailureCondition: ${failureCondition}\n`);
  });

  const [failures, successes] = [requirementsOf(failureCondition), requirementsOf(successCondition)];

  /** As its executor does: any requirement of the failure, then all of the success; else it reads again. */
  function verdictOf(object: ReadObject): "reached" | "failed" | "open" {
    if (failures.some((matches) => matches(object))) return "failed";
    return successes.every((matches) => matches(object)) ? "reached" : "open";
  }

  test("judge every status that the operator can write as wait does", () => {
    const objects = everyStatus.NorthflankJobRun?.() ?? [];
    const verdicts = objects.map((object) => [verdictOf(object), judge(object).kind] as const);
    expect(new Set(verdicts.map(([argo]) => argo))).toEqual(new Set(["reached", "failed", "open"]));
    expect(verdicts.filter(([argo, wait]) => argo !== wait)).toEqual([]);
    // Thousands of statuses are made first.
  }, 60_000);

  test("wait for a run that was not observed yet", () => {
    for (const object of freshObjects.filter(({ kind }) => kind === northflankJobRuns.kind))
      expect(verdictOf(object)).toBe("open");
  });
});

/** The requirements of a label selector, whose keys are paths (gjson) in the object. What this does not know, it refuses. */
function requirementsOf(selector: string): readonly ((object: unknown) => boolean)[] {
  const parts = selector.split(/,(?![^(]*\))/).map((part) => part.trim());
  return parts.map((part) => {
    const [, key = "", operator, value = ""] = /^([\w.]+) (==|in) (\w+|\(\w+(?:, \w+)*\))$/.exec(part) ?? [];
    if (operator === undefined) throw new Error(`${part} is not understood here`);
    const values = value.replaceAll(/[()]/g, "").split(", ");
    return (object) => values.includes(String(at(object, key.split("."))));
  });
}

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}
