import { describe, expect, test } from "vitest";
import { northflankDeployments, northflankJobRuns, resolveStart } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { hookFinalizer } from "../support/argocd.ts";
import { patchOf } from "../support/argocd-actions.ts";
import { syncStepsOf } from "../support/argocd-sync.ts";
import { type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

// Lives of objects as a sync of Argo CD sees them: at every version that the API server hands out it asks the health
// script, and holds, continues or fails by what that says.

const startScenario = scenarios();

/** A run as Argo CD creates it for a hook: with its finalizer, which stays while the phase of the sync runs. */
async function hook(scenario: Scenario, spec: object = {}): Promise<Handle> {
  const { namespace } = scenario;
  const manifest: KubeObject & { readonly spec: object } = {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: {
      name: "migrate-3f2c1ab-presync-1767225600",
      namespace,
      annotations: {
        "argocd.argoproj.io/hook": "PreSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
      },
      finalizers: [hookFinalizer],
    },
    spec: { projectId: "shop", jobId: "migrate", ...spec },
  };
  await scenario.cluster.client.create(northflankJobRuns, manifest, { fieldManager: "argocd-controller" });
  return await scenario.jobRun(manifest.metadata.name, spec);
}

/** What the user interface of Argo CD does for an action. */
async function act(scenario: Scenario, object: Handle, action: string): Promise<void> {
  const before = await object.get();
  const type = before.kind === "NorthflankJobRun" ? northflankJobRuns : northflankDeployments;
  const body = patchOf(before, action);
  const at = { namespace: scenario.namespace, name: object.name };
  await scenario.cluster.client.patch(type, at, { kind: "merge", body }, { fieldManager: "argocd-server" });
}

/** The hook's finalizer goes with the phase. */
async function phaseEnds(scenario: Scenario, object: Handle): Promise<void> {
  const { finalizers = [] } = (await object.get()).metadata;
  const body = { metadata: { finalizers: finalizers.filter((one) => one !== hookFinalizer) } };
  const at = { namespace: scenario.namespace, name: object.name };
  await scenario.cluster.client.patch(northflankJobRuns, at, { kind: "merge", body });
}

describe("a run as a hook", { concurrent: true, timeout: 200_000 }, () => {
  test("holds the sync from its creation on, and lets it continue when it has succeeded", async () => {
    await using scenario = await startScenario();
    const run = await hook(scenario);
    await run.reaches("Finished");
    expect(run.versions()[0]?.status).toEqual({ observedGeneration: -1 });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "continues"]);
  });

  test("fails the sync when it has failed, and not before the last attempt has", async () => {
    await using scenario = await startScenario();
    scenario.northflank.failNextRun("shop", "migrate", 2);
    const run = await hook(scenario, { backoffLimit: 1 });
    await run.reaches("Finished", { reason: "BackoffLimitExceeded" });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "fails"]);
  });

  test("fails the sync when it is aborted by the action, which is the end of the run in Northflank", async () => {
    await using scenario = await startScenario();
    scenario.northflank.hangNextRun("shop", "migrate");
    const run = await hook(scenario);
    await run.becomes("ran", ({ status }) => status?.phase === "Running");
    await act(scenario, run, "abort");
    await run.reaches("Finished", { reason: "RunAborted" });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "fails"]);
  });

  test("holds the sync while it is suspended by the action, and continues from there with resume", async () => {
    await using scenario = await startScenario();
    const run = await hook(scenario, { suspend: true });
    await run.reaches("Suspended");
    await scenario.quiet(500);
    expect(syncStepsOf(run.versions())).toEqual(["holds"]);
    await act(scenario, run, "resume");
    await run.reaches("Finished");
    expect(syncStepsOf(run.versions())).toEqual(["holds", "continues"]);
  });

  test("holds the sync while nobody can tell whether it was started: a retry could start a second run", async () => {
    await using scenario = await startScenario({ flags: ["--start-gate=1s", "--request-timeout=2s"] });
    let isLost = false;
    scenario.northflank.fault = ({ method, path }) => {
      if (isLost || method !== "POST" || !path.endsWith("/runs")) return undefined;
      isLost = true;
      return { kind: "reset-before" };
    };
    const run = await hook(scenario);
    await run.reaches("Stalled", { reason: "StartOutcomeUnknown" });
    expect(syncStepsOf(run.versions())).toEqual(["holds"]);
    await run.annotate({ [resolveStart]: "retry" });
    await run.reaches("Finished", { reason: "RunSucceeded" });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "continues"]);
  });

  test("fails the sync at once when it cannot be started, because nothing else would end it", async () => {
    await using scenario = await startScenario();
    const run = await hook(scenario, { runtimeEnvironmentFrom: [{ secretRef: { name: "nowhere" } }] });
    await run.reaches("Stalled", { reason: "SecretNotFound" });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "fails"]);
    expect(scenario.changes()).toEqual([]);
  });

  test("that is deleted while it runs holds the sync to its end all the same", async () => {
    await using scenario = await startScenario();
    scenario.northflank.hangNextRun("shop", "migrate");
    const run = await hook(scenario);
    const { status } = await run.becomes("ran", (object) => object.status?.phase === "Running");
    await run.delete();
    await run.becomes(
      "was seen as deleted",
      ({ metadata, status: now }) => now?.observedGeneration === metadata.generation,
    );
    expect(syncStepsOf(run.versions())).toEqual(["holds"]);
    scenario.northflank.finishRun(String(status?.runId), "SUCCESS");
    await run.reaches("Finished", { reason: "RunSucceeded" });
    expect(syncStepsOf(run.versions())).toEqual(["holds", "continues"]);
    await phaseEnds(scenario, run);
    await run.isGone();
  });

  test("that is deleted while it runs fails the sync under deletionPolicy Abort, when the run is aborted", async () => {
    await using scenario = await startScenario();
    scenario.northflank.hangNextRun("shop", "migrate");
    const run = await hook(scenario, { deletionPolicy: "Abort" });
    await run.becomes("ran", ({ status }) => status?.phase === "Running");
    await run.delete();
    await run.reaches("Finished", { reason: "AbortedOnDelete" });
    await run.becomes("was released by the operator", ({ metadata }) => metadata.finalizers?.length === 1);
    expect(syncStepsOf(run.versions())).toEqual(["holds", "fails"]);
    await phaseEnds(scenario, run);
    await run.isGone();
  });

  test("that is deleted before its start fails the sync: it is never started", async () => {
    await using scenario = await startScenario();
    const run = await hook(scenario, { suspend: true });
    await run.reaches("Suspended");
    await run.delete();
    await run.becomes(
      "was seen as deleted",
      ({ metadata, status }) => status?.observedGeneration === metadata.generation,
    );
    await scenario.quiet(500);
    expect(syncStepsOf(run.versions())).toEqual(["holds", "fails"]);
    await phaseEnds(scenario, run);
    await run.isGone();
    expect(scenario.changes()).toEqual([]);
  });
});

describe("an object in an early wave", { concurrent: true, timeout: 200_000 }, () => {
  test("holds the later waves as long as its run takes, and lets them follow or fails the sync with it", async () => {
    await using scenario = await startScenario();
    const first = await scenario.jobRun("migrate-1");
    await first.reaches("Finished");
    expect(syncStepsOf(first.versions())).toEqual(["holds", "continues"]);
    scenario.northflank.failNextRun("shop", "migrate");
    const second = await scenario.jobRun("migrate-2");
    await second.reaches("Finished");
    expect(syncStepsOf(second.versions())).toEqual(["holds", "fails"]);
  });

  test("a deployment holds them until the rollout is complete, and not again because it is suspended", async () => {
    await using scenario = await startScenario();
    const deployment = { external: { imagePath: "ghcr.io/acme/api:2" } };
    const object = await scenario.deployment("api", { projectId: "shop", serviceId: "api", deployment });
    await object.reaches("Ready");
    expect(syncStepsOf(object.versions())).toEqual(["holds", "continues"]);
    const ready = object.versions().length;
    await act(scenario, object, "suspend");
    await object.reaches("Suspended");
    // Until the operator has seen the new generation, nothing is known of it.
    expect(syncStepsOf(object.versions().slice(ready))).toEqual(["holds", "continues"]);
    await act(scenario, object, "reconcile");
    await object.becomes("was asked", ({ metadata, status }) => {
      const request = metadata.annotations?.["northflank-operator.io/reconcile-requested-at"];
      return request !== undefined && status?.lastHandledReconcileAt === request;
    });
  });

  test("a deployment that is suspended before it was ever Ready holds them", async () => {
    await using scenario = await startScenario();
    const deployment = { external: { imagePath: "ghcr.io/acme/api:2" } };
    const object = await scenario.deployment("api", { projectId: "shop", serviceId: "api", deployment, suspend: true });
    await object.reaches("Suspended");
    await scenario.quiet(500);
    expect(syncStepsOf(object.versions())).toEqual(["holds"]);
  });
});
