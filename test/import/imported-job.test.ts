import { describe, expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { importJob } from "../../src/import/imported-job.ts";
import { toJobSettings } from "../../src/northflank/job-view.ts";

const target = { projectId: "shop", jobId: "migrate", name: "migrate", connectionName: undefined, isObserved: false };
const validator = createValidator();

/** As the API tells a job. */
function imported(job: object) {
  const view = toJobSettings({ id: "migrate", jobType: "manual", ...job });
  if (view === undefined) throw new Error("not a job");
  const result = importJob(view, target, validator.validateManifest);
  if (result.kind === "left-out") return { result, settings: undefined, notes: [] };
  expect(validator.validateManifest(result.manifest)).toEqual([]);
  const { spec } = result.manifest as { readonly spec: { readonly settings: unknown } };
  return { result, settings: spec.settings, notes: result.notes };
}

describe("what a job declares", () => {
  test.each<[string, object, object]>([
    ["its plan", { billing: { deploymentPlan: "nf-compute-20" } }, { billing: { deploymentPlan: "nf-compute-20" } }],
    ["its run policy, beside the other settings", { settings: { backoffLimit: 2 } }, { backoffLimit: 2 }],
    [
      "its schedule, in the words that a manifest takes",
      { jobType: "cron", settings: { cron: { schedule: "0 3 * * *", concurrencyPolicy: "Forbid" } } },
      { cron: { schedule: "0 3 * * *", concurrencyPolicy: "forbid" } },
    ],
    [
      "zero and false, which say something",
      { disabledCI: false, settings: { backoffLimit: 0 } },
      { disabledCI: false, backoffLimit: 0 },
    ],
    [
      "nothing that is empty",
      { disabledCI: true, description: "", tags: [], buildConfiguration: { pathIgnoreRules: [] } },
      { disabledCI: true },
    ],
  ])("is %s", (_what, job, settings) => {
    expect(imported(job).settings).toEqual(settings);
  });

  test("leaves out a setting that a manifest cannot have, keeps the others, and says so", () => {
    const { settings, notes } = imported({ disabledCI: true, billing: { deploymentPlan: "x y" } });
    expect(settings).toEqual({ disabledCI: true });
    expect(notes[0]).toMatch(
      /^The setting billing is left out, because it is not valid in a manifest: spec\.settings\.billing/,
    );
  });

  test("never holds a value of an environment, a file or an argument", () => {
    const canary = "canary-4711";
    const secret = {
      runtimeEnvironment: { A: canary },
      buildArguments: { A: canary },
      runtimeFiles: { "/a": { data: canary } },
    };
    const { result, notes } = imported({ disabledCI: true, ...secret });
    expect(JSON.stringify(result)).not.toContain(canary);
    expect(notes.at(-1)).toContain("secretKeyRef: {name: migrate-env, key: DATABASE_URL}");
  });

  test("is left out when nothing of it is told", () => {
    expect(imported({}).result).toEqual({ kind: "left-out", reason: "Northflank returns none of its settings" });
  });
});
