import { describe, expect, test } from "vitest";
import { northflankConnections, northflankJobRuns, runFinalizer } from "../../src/api/names.ts";
import { secrets } from "../../src/kube/types.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const runs = ({ northflank }: Scenario) => northflank.runs("shop", "migrate");
const starts = (scenario: Scenario) => scenario.changes().filter(({ method }) => method === "POST");

/** The run hangs until the test ends it. */
async function hangingRun(scenario: Scenario, name: string, spec: object = {}) {
  scenario.northflank.hangNextRun("shop", "migrate");
  const object = await scenario.jobRun(name, spec);
  await object.becomes("ran", ({ status }) => status?.phase === "Running");
  return object;
}

describe("a job run", { concurrent: true, timeout: 200_000 }, () => {
  test("is started once, followed, and costs nothing once it is over", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("once");
    const over = await object.reaches("Finished", { reason: "RunSucceeded" });

    expect(starts(scenario)).toHaveLength(1);
    expect(runs(scenario)).toHaveLength(1);
    expect(over.status).toMatchObject({ phase: "Succeeded", runId: runs(scenario)[0]?.id });
    expect(kstatusOf(over)).toBe("Current");
    const before = object.versions().slice(0, -1).map(kstatusOf);
    expect(new Set(before)).toEqual(new Set(["InProgress"]));
    expect(conditionOf(over, "Succeeded")?.status).toBe("True");
    await scenario.until("both Events", async () => {
      const reasons = (await scenario.events()).map(({ reason }) => reason);
      return reasons.includes("RunStarted") && reasons.includes("RunSucceeded");
    });
    await scenario.quiet(1_500);
  });

  test("sends what Secrets and ConfigMaps hold, and shows it nowhere", async () => {
    await using scenario = await startScenario({ flags: ["--log-level=debug"] });
    await scenario.secret("db", { url: "postgres://canary-of-a-key" });
    await scenario.secret("stripe", { TOKEN: "canary-of-a-whole-secret", OTHER: "second-canary" });
    await scenario.secret("tls", { crt: "canary-of-a-file" });
    await scenario.configMap("settings", { "app.yaml": "level: canary-of-a-config-map" });
    for (const text of ["level: canary-of-a-config-map", "canary-of-a-literal", "Y2FuYXJ5LWZpbGU="])
      scenario.keepSecret(text);
    const object = await scenario.jobRun("with-values", {
      runtimeEnvironment: { LITERAL: "canary-of-a-literal" },
      runtimeEnvironmentFrom: [
        { name: "DATABASE_URL", secretKeyRef: { name: "db", key: "url" } },
        { secretRef: { name: "stripe", prefix: "STRIPE_" } },
      ],
      runtimeFiles: { "/etc/literal": { data: "Y2FuYXJ5LWZpbGU=", encoding: "utf-8" } },
      runtimeFilesFrom: [
        { path: "/etc/tls.crt", secretKeyRef: { name: "tls", key: "crt" } },
        { path: "/etc/app.yaml", configMapKeyRef: { name: "settings", key: "app.yaml" } },
      ],
    });
    await object.reaches("Succeeded");
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    expect(runs(scenario)[0]?.request).toEqual({
      runtimeEnvironment: {
        LITERAL: "canary-of-a-literal",
        DATABASE_URL: "postgres://canary-of-a-key",
        STRIPE_TOKEN: "canary-of-a-whole-secret",
        STRIPE_OTHER: "second-canary",
      },
      runtimeFiles: {
        "/etc/literal": { data: "Y2FuYXJ5LWZpbGU=", encoding: "utf-8" },
        "/etc/tls.crt": { data: base64("canary-of-a-file"), encoding: "utf-8" },
        "/etc/app.yaml": { data: base64("level: canary-of-a-config-map"), encoding: "utf-8" },
      },
    });
  });

  test("that fails is Stalled and over, and is not started again", async () => {
    await using scenario = await startScenario();
    scenario.northflank.failNextRun("shop", "migrate");
    const object = await scenario.jobRun("fails");
    const over = await object.reaches("Finished", { reason: "RunFailed" });
    expect(over.status?.phase).toBe("Failed");
    expect(kstatusOf(over)).toBe("Failed");
    expect(conditionOf(over, "Succeeded")?.status).toBe("False");
    await object.reconcileNow();
    await scenario.quiet(500);
    expect(starts(scenario)).toHaveLength(1);
  });

  test("is tried again within backoffLimit, each time as another attempt", async () => {
    await using scenario = await startScenario();
    scenario.northflank.failNextRun("shop", "migrate");
    const object = await scenario.jobRun("retried", { backoffLimit: 1 });
    const over = await object.reaches("Succeeded");
    expect(over.status?.attempts).toMatchObject([
      { number: 1, remoteStatus: "FAILED" },
      { number: 2, remoteStatus: "SUCCESS" },
    ]);
    expect(starts(scenario)).toHaveLength(2);
  });

  test("gives up after backoffLimit", async () => {
    await using scenario = await startScenario();
    scenario.northflank.failNextRun("shop", "migrate", 2);
    const object = await scenario.jobRun("given-up", { backoffLimit: 1 });
    const over = await object.reaches("Finished", { reason: "BackoffLimitExceeded" });
    expect(kstatusOf(over)).toBe("Failed");
    expect(starts(scenario)).toHaveLength(2);
  });

  test("that is aborted before it is started never starts", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("aborted-early", { suspend: true });
    await object.reaches("Suspended");
    await object.patch({ abort: true });
    const over = await object.reaches("Finished", { reason: "RunAborted" });
    expect(over.status?.phase).toBe("Aborted");
    // Taking it back is no error and has no effect.
    await object.patch({ abort: false, suspend: false });
    await object.reaches("Finished", { reason: "RunAborted" });
    await scenario.quiet(500);
    expect(scenario.changes()).toEqual([]);
  });

  test("that is aborted while it runs is aborted in Northflank, also when that is taken back", async () => {
    await using scenario = await startScenario();
    const object = await hangingRun(scenario, "aborted");
    await object.patch({ abort: true });
    const over = await object.reaches("Finished", { reason: "RunAborted" });
    expect(over.status?.phase).toBe("Aborted");
    expect(kstatusOf(over)).toBe("Failed");
    expect(runs(scenario)[0]?.wasAborted).toBe(true);
    await object.patch({ abort: false });
    await object.reaches("Finished", { reason: "RunAborted" });
    expect(starts(scenario)).toHaveLength(1);
  });

  test("is aborted after activeDeadlineSeconds", async () => {
    await using scenario = await startScenario();
    const object = await hangingRun(scenario, "too-long", { activeDeadlineSeconds: 1 });
    const over = await object.reaches("Finished", { reason: "DeadlineExceeded" });
    expect(kstatusOf(over)).toBe("Failed");
    expect(runs(scenario)[0]?.wasAborted).toBe(true);
  });

  test("that could not be started within startDeadlineSeconds is over", async () => {
    await using scenario = await startScenario();
    await hangingRun(scenario, "first");
    const object = await scenario.jobRun("late", { concurrencyPolicy: "Forbid", startDeadlineSeconds: 2 });
    const over = await object.reaches("Finished", { reason: "StartDeadlineExceeded" });
    expect(kstatusOf(over)).toBe("Failed");
    expect(starts(scenario)).toHaveLength(1);
  });

  test("that is suspended waits, and starts when it is not any more", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("held", { suspend: true });
    const held = await object.reaches("Suspended");
    expect(conditionOf(held, "Ready")).toMatchObject({ status: "False", reason: "Suspended" });
    await object.reconcileNow();
    expect(scenario.changes()).toEqual([]);
    await object.patch({ suspend: false });
    await object.reaches("Succeeded");
    expect(starts(scenario)).toHaveLength(1);
  });

  test("under Forbid waits for the run that is there", async () => {
    await using scenario = await startScenario();
    const first = await hangingRun(scenario, "first");
    const second = await scenario.jobRun("second", { concurrencyPolicy: "Forbid", startDeadlineSeconds: 600 });
    const waiting = await second.reaches("Ready", { status: "Unknown", reason: "WaitingForConcurrency" });
    expect(kstatusOf(waiting)).toBe("InProgress");
    expect(starts(scenario)).toHaveLength(1);
    scenario.northflank.finishRun(runs(scenario)[0]?.id ?? "", "SUCCESS");
    await first.reaches("Succeeded");
    await second.reaches("Succeeded");
    expect(starts(scenario)).toHaveLength(2);
  });

  test("under Replace aborts the run that is there", async () => {
    await using scenario = await startScenario();
    const first = await hangingRun(scenario, "first");
    const second = await scenario.jobRun("second", { concurrencyPolicy: "Replace", startDeadlineSeconds: 600 });
    await first.reaches("Finished", { reason: "RunAborted" });
    await second.reaches("Succeeded");
    expect(runs(scenario).map(({ wasAborted }) => wasAborted)).toEqual([true, false]);
  });

  test("with deletionPolicy Abort holds its deletion until the run is aborted", async () => {
    await using scenario = await startScenario();
    const object = await hangingRun(scenario, "held-by-finalizer", { deletionPolicy: "Abort" });
    expect((await object.get()).metadata.finalizers).toEqual([runFinalizer]);
    await object.delete();
    await object.isGone();
    expect(runs(scenario)[0]?.wasAborted).toBe(true);
  });

  test("with deletionPolicy Abort is aborted although its connection and the Secret are deleted first", async () => {
    await using scenario = await startScenario();
    const object = await hangingRun(scenario, "teardown", { deletionPolicy: "Abort" });
    const { client } = scenario.cluster;
    const { namespace } = scenario;
    await client.delete(northflankConnections, { namespace, name: "default" });
    await client.delete(secrets, { namespace, name: "nf-token" });
    await scenario.quiet(500);
    await object.delete();
    await object.isGone();
    expect(runs(scenario)[0]?.wasAborted).toBe(true);
  });

  test("with deletionPolicy Abort lets go of the object when the run is over", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("let-go", { deletionPolicy: "Abort" });
    await object.reaches("Finished");
    await object.becomes("lost its finalizer", ({ metadata }) => (metadata.finalizers ?? []).length === 0);
    await object.delete();
    await object.isGone();
  });

  test("with the default deletionPolicy leaves the run alone when it is deleted", async () => {
    await using scenario = await startScenario();
    const object = await hangingRun(scenario, "orphaned");
    await object.delete();
    await object.isGone();
    await scenario.quiet(500);
    expect(runs(scenario)[0]).toMatchObject({ concluded: false, wasAborted: false });
  });

  test("deletes itself after ttlSecondsAfterFinished", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("ephemeral", { ttlSecondsAfterFinished: 1 });
    await object.isGone();
    expect(starts(scenario)).toHaveLength(1);
    expect(runs(scenario)[0]?.concluded).toBe(true);
  });

  test("acknowledges a new generation when it is over", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("done");
    await object.reaches("Finished");
    await object.patch({ suspend: true, ttlSecondsAfterFinished: 86_400 });
    const edited = await object.reaches("Finished", { reason: "RunSucceeded" });
    expect(edited.metadata.generation).toBe(2);
    await object.patch({ abort: true });
    const aborted = await object.reaches("Succeeded");
    expect(kstatusOf(aborted)).toBe("Current");
    expect(scenario.changes()).toHaveLength(1);
  });

  test("acknowledges a reconcile request in every state", async () => {
    await using scenario = await startScenario();
    scenario.northflank.addJob("shop", { id: "other", image: "ghcr.io/acme/other:1" });
    const active = await hangingRun(scenario, "active");
    const waiting = await scenario.jobRun("waiting", { concurrencyPolicy: "Forbid", startDeadlineSeconds: 600 });
    const suspended = await scenario.jobRun("suspended", { jobId: "other", suspend: true });
    const blocked = await scenario.jobRun("blocked", {
      jobId: "other",
      runtimeEnvironmentFrom: [{ secretRef: { name: "missing" } }],
    });
    const unknown = await scenario.jobRun("unknown", { jobId: "nowhere" });
    const succeeded = await scenario.jobRun("succeeded", { jobId: "other" });
    await succeeded.reaches("Finished");
    scenario.northflank.failNextRun("shop", "other");
    const failed = await scenario.jobRun("failed", { jobId: "other" });
    await failed.reaches("Finished");
    for (const object of [active, waiting, suspended, blocked, unknown, succeeded, failed]) await object.reconcileNow();
    expect(starts(scenario).filter(({ path }) => path.includes("/other/"))).toHaveLength(2);
  });

  test("with a field that the API server dropped is never started", async () => {
    await using scenario = await startScenario();
    const spec = { projectId: "shop", jobId: "migrate", suspendd: true };
    const object = await scenario.create(northflankJobRuns, "typo", spec);
    expect((await object.get()).spec).not.toHaveProperty("suspendd");
    const stalled = await object.reaches("Stalled", { reason: "InvalidSpec" });
    expect(conditionOf(stalled, "Ready")?.message).toContain("suspendd");
    await object.reconcileNow();
    await scenario.quiet(500);
    expect(scenario.northflank.calls.filter(({ path }) => path.includes("/jobs/"))).toEqual([]);
  });

  test("of a job that does not exist says so, and is started when there is one", async () => {
    await using scenario = await startScenario();
    const object = await scenario.jobRun("early", { jobId: "new" });
    const stalled = await object.reaches("Stalled", { reason: "TargetNotFound" });
    expect(kstatusOf(stalled)).toBe("Failed");
    scenario.northflank.addJob("shop", { id: "new", image: "ghcr.io/acme/new:1" });
    await object.reconcileNow();
    await object.reaches("Succeeded");
    expect(starts(scenario)).toHaveLength(1);
  });

  test("whose start was answered with nothing is found again, not started again", async () => {
    await using scenario = await startScenario({ flags: ["--start-gate=1s", "--request-timeout=1s"] });
    scenario.northflank.fault = ({ method }) => (method === "POST" ? { kind: "reset-after" } : undefined);
    const object = await scenario.jobRun("recovered");
    const over = await object.reaches("Succeeded");
    expect(over.status?.attempts).toMatchObject([{ number: 1, origin: "Recovered" }]);
    expect(starts(scenario)).toHaveLength(1);
    expect(runs(scenario)).toHaveLength(1);
  });

  test.each([
    { answer: "fail", reason: "StartOutcomeUnknown", count: 1, phase: "Failed" },
    { answer: "retry", reason: "RunSucceeded", count: 2, phase: "Succeeded" },
  ])("whose start never arrived waits for a person, who says $answer", async ({ answer, reason, count, phase }) => {
    await using scenario = await startScenario({ flags: ["--start-gate=1s", "--request-timeout=1s"] });
    scenario.northflank.fault = ({ method }) => (method === "POST" ? { kind: "reset-before" } : undefined);
    const object = await scenario.jobRun("unknown");
    const unknown = await object.reaches("Stalled", { reason: "StartOutcomeUnknown" });
    expect(unknown.status?.phase).toBe("Unknown");
    expect(kstatusOf(unknown)).toBe("Failed");
    expect(starts(scenario)).toHaveLength(1);
    scenario.northflank.fault = undefined;
    await object.annotate({ "northflank-operator.io/resolve-start": answer });
    const over = await object.reaches("Finished", { reason });
    expect(over.status?.phase).toBe(phase);
    expect(starts(scenario)).toHaveLength(count);
  });

  test("that Northflank refuses is Stalled until a reconcile is requested", async () => {
    await using scenario = await startScenario();
    scenario.northflank.fault = ({ method }) =>
      method === "POST"
        ? { kind: "answer", answer: { status: 400, body: { error: { message: "No such plan", status: 400 } } } }
        : undefined;
    const object = await scenario.jobRun("refused");
    const stalled = await object.reaches("Stalled", { reason: "RequestRejected" });
    expect(kstatusOf(stalled)).toBe("Failed");
    await scenario.quiet(1_000);
    expect(starts(scenario)).toHaveLength(1);
    scenario.northflank.fault = undefined;
    await object.reconcileNow();
    await object.reaches("Succeeded");
    expect(starts(scenario)).toHaveLength(2);
  });
});
