import { describe, expect, test } from "vitest";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

const inSync = "Ready=True/InSync Accepted=True/Accepted InSync=True/InSync -> Current";

/** A scene with one job in Northflank and one object. */
function scene(spec: Parameters<typeof jobObject>[0] = {}, jobType = "manual"): JobScene {
  const made = new JobScene();
  made.northflank.hasSettings(
    "migrate",
    { description: "Old", disabledCI: false, settings: { backoffLimit: 1 } },
    jobType,
  );
  made.has(jobObject(spec));
  return made;
}

/** Everything that anybody who reads the object, its Events or the log can see. */
function visible(made: JobScene): string {
  return JSON.stringify([made.object().status, made.events, made.logged]);
}

describe("named settings", () => {
  test("are sent where they differ, all that is declared and nothing else", async () => {
    const made = scene({ spec: { settings: { description: "New", backoffLimit: 2, tags: ["nightly"] } } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual([
      "get settings of job migrate (change)",
      'patch job migrate {"description":"New","tags":["nightly"],"settings":{"backoffLimit":2}}',
      "get settings of job migrate (change)",
    ]);
    expect(made.state()).toBe(inSync);
    expect(made.object().status?.changes).toMatchObject([
      { cause: "SpecChanged", call: "patch job", settings: ["description", "tags", "backoffLimit"].sort() },
    ]);
    expect(made.takeEvents()).toEqual([
      "Normal ChangeApplied: Sent the declared settings, as declared: backoffLimit, description, tags.",
    ]);
    expect(made.metrics).toEqual(["change", "ready after 2 s"]);
  });

  test("are not sent where Northflank has them", async () => {
    const made = scene({ spec: { settings: { description: "Old", settings: { backoffLimit: 1 } } } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.state()).toBe(inSync);
    expect(made.object().status?.applied?.settings?.map(({ path }) => path)).toEqual(["backoffLimit", "description"]);
    expect(made.takeEvents()).toEqual([]);
  });

  test("cost nothing when they have settled, also after a restart, and one read at resync", async () => {
    const made = scene();
    await made.settle();
    const writes = made.statusWrites;
    made.northflank.takeCalls();
    for (let count = 0; count < 5; count += 1) await made.pass();
    made.restart();
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
    await made.clock.advance(900_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
    expect(made.statusWrites).toBe(writes);
  });

  test("of somebody else are left alone, also at resync", async () => {
    const made = scene();
    await made.settle();
    made.northflank.patchSettings("migrate", { disabledCI: true, settings: { backoffLimit: 9 } });
    made.northflank.takeCalls();
    await made.clock.advance(900_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
    expect(made.state()).toBe(inSync);
  });

  test("that are taken out are let go, once, and keep their values", async () => {
    const made = scene({ spec: { settings: { description: "New", backoffLimit: 2 } } });
    await made.settle();
    made.takeEvents();
    made.northflank.takeCalls();
    made.edit({ settings: { description: "New" } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.object().status?.released).toMatchObject({ generation: 2, settings: ["backoffLimit"] });
    expect(made.takeEvents()).toEqual([
      "Normal SettingsReleased: No longer managed, because they were removed from the manifest: backoffLimit. They keep the " +
        "values that they have in Northflank.",
    ]);
    expect(made.northflank.jobSettings.get("migrate")?.settings.settings).toEqual({ backoffLimit: 2 });
    made.northflank.patchSettings("migrate", { settings: { backoffLimit: 7 } });
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
    expect(made.takeEvents()).toEqual([]);
  });

  test("written in the other place are the same settings", async () => {
    const made = scene({ spec: { settings: { backoffLimit: 2 } } });
    await made.settle();
    made.northflank.takeCalls();
    made.edit({ settings: { settings: { backoffLimit: 2 } } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.object().status?.released).toBeUndefined();
  });
});

describe("a change that Northflank accepts", () => {
  const reading =
    "Ready=Unknown/ApplyingChange Reconciling=True/Progressing Accepted=True/Accepted InSync=Unknown/ApplyingChange -> " +
    "InProgress";

  test("is Ready when it has been read back, two seconds later", async () => {
    const made = scene();
    expect(await made.pass()).toMatchObject({ kind: "recheck", afterMs: 2_000 });
    expect(made.state()).toBe(reading);
    await made.clock.advance(1_500);
    made.northflank.takeCalls();
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
    await made.clock.advance(500);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.state()).toBe(inSync);
  });

  test("and does not show is not sent again for a minute, and is looked at more and more rarely", async () => {
    const made = scene();
    made.northflank.afterPatch = () => made.northflank.patchSettings("migrate", { description: "Old" });
    await made.pass();
    const start = made.clock.now();
    made.northflank.takeCalls();
    const calls: string[] = [];
    while (made.clock.now() - start < 59_000) {
      await made.clock.advance(1_000);
      await made.pass();
      calls.push(...made.northflank.takeCalls());
      expect(made.state()).toBe(reading);
    }
    expect(calls.filter((call) => call.startsWith("patch"))).toEqual([]);
    expect(calls.length).toBeLessThanOrEqual(6);
    await made.clock.advance(1_000);
    await made.settle(50_000);
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(1);
    expect(made.state()).toBe(inSync);
  });

  test("and never shows is sent once more, and named: no loop, and nobody is accused", async () => {
    const made = scene();
    const undo = () => {
      made.northflank.patchSettings("migrate", { description: "Old" });
      made.northflank.afterPatch = undo;
    };
    made.northflank.afterPatch = undo;
    await made.settle();
    expect(made.state()).toContain("Stalled=True/ChangeNotKept");
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(2);
  });

  test("is sent again at once when somebody asks for it", async () => {
    const made = scene();
    made.northflank.afterPatch = () => made.northflank.patchSettings("migrate", { description: "Old" });
    await made.pass();
    made.northflank.takeCalls();
    await made.clock.advance(5_000);
    made.annotate({ "northflank-operator.io/reconcile-requested-at": "now" });
    await made.pass();
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(1);
  });

  test("and was changed elsewhere after it was seen is drift, however soon", async () => {
    const made = scene();
    await made.settle();
    made.northflank.patchSettings("migrate", { description: "Theirs" });
    made.northflank.takeCalls();
    await made.clock.advance(10_000);
    made.annotate({ "northflank-operator.io/reconcile-requested-at": "now" });
    await made.pass();
    expect(made.object().status?.changes?.[0]).toMatchObject({ cause: "DriftCorrected" });
  });
});

describe("what Northflank does not tell", () => {
  const secret = "hunter2-very-secret";
  const spec = {
    settings: { runtimeEnvironment: { A: secret, B: "2" }, runtimeFiles: { "/etc/x": { data: "c2VjcmV0LWZpbGU=" } } },
  };

  test("is sent once, compared by keyed hash, and never shown", async () => {
    const made = scene({ spec });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual([
      "get settings of job migrate (change)",
      `patch job migrate ${JSON.stringify(spec.settings)}`,
    ]);
    expect(made.object().status?.applied?.settings?.map(({ path }) => path)).toEqual([
      "runtimeEnvironment",
      "runtimeEnvironment.A",
      "runtimeEnvironment.B",
      "runtimeFiles",
      "runtimeFiles./etc/x",
    ]);
    expect(visible(made)).not.toContain(secret);
    expect(visible(made)).not.toContain("c2VjcmV0");
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
  });

  test("is sent again when it is edited, naming the key", async () => {
    const made = scene({ spec });
    await made.settle();
    made.takeEvents();
    made.edit({ settings: { ...spec.settings, runtimeEnvironment: { A: "other", B: "2" } } });
    await made.settle();
    expect(made.takeEvents()).toEqual([
      "Normal ChangeApplied: Sent the declared settings, as declared: runtimeEnvironment.A.",
    ]);
  });

  test("is sent again without a key that was taken out, which is a change of the map", async () => {
    const made = scene({ spec });
    await made.settle();
    made.northflank.takeCalls();
    made.edit({ settings: { runtimeEnvironment: { A: secret } } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual([
      "get settings of job migrate (change)",
      `patch job migrate {"runtimeEnvironment":{"A":"${secret}"}}`,
    ]);
    expect(made.object().status?.released?.settings).toEqual(["runtimeFiles"]);
  });

  test("does not hash alike in two objects, nor under two tokens", async () => {
    const hashes = async (uid: string, token: string) => {
      const made = scene({ metadata: { uid }, spec });
      made.northflank.token = token;
      await made.settle();
      return made.object().status?.applied?.settings?.find(({ path }) => path === "runtimeEnvironment.A")?.hash;
    };
    const all = [
      await hashes("u1", "t1"),
      await hashes("u2", "t1"),
      await hashes("u1", "t2"),
      await hashes("u1", "t1"),
    ];
    expect(new Set(all).size).toBe(3);
    expect(all[0]).toBe(all[3]);
  });

  test("is sent to another account that has the same token", async () => {
    const made = scene({ spec });
    await made.settle();
    made.northflank.takeCalls();
    made.accountAddress = "https://api.northflank.com, team other";
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(1);
  });

  test("is sent once more after the token has changed, because its hashes say nothing any more", async () => {
    const made = scene({ spec });
    await made.settle();
    made.northflank.takeCalls();
    made.northflank.token = "rotated";
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls().map((call) => call.slice(0, 17))).toEqual([
      "get settings of j",
      "patch job migrate",
    ]);
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
  });

  test("is sent again when the answer was lost and the status with it", async () => {
    const made = scene({ spec });
    made.failStatus = new Error("the API server is away");
    expect(await made.pass()).toMatchObject({ kind: "retry" });
    made.restart();
    await made.settle();
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(2);
    expect(made.state()).toBe(inSync);
  });
});

describe("a change of what Northflank does not tell, of which nobody knows whether it arrived", () => {
  const env = (value: string) => ({ settings: { runtimeEnvironment: { A: value, B: "2" } } });
  const remoteValue = (made: JobScene) => made.northflank.jobSettings.get("migrate")?.settings.runtimeEnvironment;

  async function applied(): Promise<JobScene> {
    const made = scene({ spec: env("one") });
    await made.settle();
    made.northflank.takeCalls();
    return made;
  }

  /** Rolls back, and expects what was there before to be sent again. */
  async function rollBack(made: JobScene): Promise<void> {
    expect(remoteValue(made)).toEqual({ A: "two", B: "2" });
    made.edit(env("one"));
    await made.settle();
    expect(remoteValue(made)).toEqual({ A: "one", B: "2" });
    expect(made.state()).toBe(inSync);
  }

  test.each([
    { code: "timeout" },
    { code: "interrupted" },
    { code: "server_error", httpStatus: 502 },
    { code: "rejected", httpStatus: 408 },
    { code: "unreachable", sent: false },
  ] as const)("is taken back when it is rolled back after $code", async ({ code, ...facts }) => {
    const made = await applied();
    made.northflank.failNext("patchJob", northflankError(code, facts), { isDone: true });
    made.edit(env("two"));
    await made.pass();
    expect(made.object().status?.applied?.settings?.map(({ path }) => path)).toEqual([
      "runtimeEnvironment",
      "runtimeEnvironment.B",
    ]);
    await rollBack(made);
  });

  test("is taken back when the process ends while it is sent", async () => {
    const made = await applied();
    made.northflank.failNext("patchJob", new Error("killed"), { isDone: true });
    made.edit(env("two"));
    expect(await made.pass()).toMatchObject({ kind: "retry" });
    expect(made.state()).toContain("Ready=Unknown/ApplyingChange");
    made.restart();
    await rollBack(made);
  });

  test("is taken back when the status after it could not be written", async () => {
    const made = await applied();
    made.northflank.afterPatch = () => {
      made.failStatus = new Error("the API server is away");
    };
    made.edit(env("two"));
    expect(await made.pass()).toMatchObject({ kind: "retry" });
    made.restart();
    await rollBack(made);
  });

  test("is not sent before status says so", async () => {
    const made = await applied();
    made.edit(env("two"));
    made.failStatus = new Error("the API server is away");
    expect(await made.pass()).toMatchObject({ kind: "retry" });
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(remoteValue(made)).toEqual({ A: "one", B: "2" });
  });

  test("costs one more status write and no further request", async () => {
    const made = await applied();
    const writes = made.statusWrites;
    made.edit(env("two"));
    await made.settle();
    expect(made.northflank.takeCalls()).toHaveLength(2);
    expect(made.statusWrites - writes).toBe(2);
  });

  test("is over when the values were refused: what Northflank tells stays remembered", async () => {
    const made = scene();
    await made.settle();
    const before = made.object().status?.applied;
    made.northflank.failNext("patchJob", northflankError("rejected", { httpStatus: 422 }));
    made.edit({ settings: { description: "New" } });
    await made.pass();
    expect(made.object().status?.applied).toEqual(before);
  });

  test("is taken back under EnforceOnChange too, also for what Northflank tells", async () => {
    const made = scene({ spec: { managementPolicy: "EnforceOnChange", settings: { description: "One" } } });
    await made.settle();
    made.northflank.failNext("patchJob", northflankError("timeout"), { isDone: true });
    made.edit({ settings: { description: "Two" } });
    await made.pass();
    made.edit({ settings: { description: "One" } });
    await made.settle();
    expect(made.northflank.jobSettings.get("migrate")?.settings.description).toBe("One");
    expect(made.state()).toBe(inSync);
  });
});

describe("values from Secrets and ConfigMaps", () => {
  const spec = {
    settings: {
      runtimeEnvironmentFrom: [{ secretRef: { name: "db", prefix: "DB_" } }],
      buildArgumentsFrom: [{ name: "TOKEN", secretKeyRef: { name: "db", key: "url" } }],
    },
  };

  test("are read, sent, and seen within a minute when they change, without a request before", async () => {
    const made = scene({ spec });
    made.hasSecret("db", { url: "postgres://one" });
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([
      "get settings of job migrate (change)",
      'patch job migrate {"runtimeEnvironment":{"DB_url":"postgres://one"},"buildArguments":{"TOKEN":"postgres://one"}}',
    ]);
    const outcome = await made.pass();
    expect(outcome).toMatchObject({ kind: "recheck", afterMs: 60_000 });
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
    made.hasSecret("db", { url: "postgres://two" });
    made.takeEvents();
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([
      "get settings of job migrate (change)",
      'patch job migrate {"runtimeEnvironment":{"DB_url":"postgres://two"},"buildArguments":{"TOKEN":"postgres://two"}}',
    ]);
    expect(made.object().status?.changes?.[0]).toMatchObject({ cause: "SourceChanged" });
    expect(made.takeEvents()).toEqual([
      "Normal ChangeApplied: Sent the declared settings, because a Secret or ConfigMap that is referred to changed, the " +
        "key of the hashes did, or an answer was lost: buildArguments.TOKEN, runtimeEnvironment.DB_url.",
    ]);
    expect(visible(made)).not.toContain("postgres");
  });

  test("hold the object back while one is missing, at no request, and go on when it is there", async () => {
    const made = scene({ spec });
    expect(await made.pass()).toMatchObject({ kind: "recheck", afterMs: 60_000 });
    expect(made.northflank.takeCalls()).toEqual([]);
    expect(made.state()).toContain("Stalled=True/SecretNotFound Accepted=False/SecretNotFound");
    made.hasSecret("db", { url: "postgres://one" });
    await made.clock.advance(60_000);
    await made.settle(50_000);
    expect(made.state()).toBe(inSync);
  });

  test("of one Secret are read once for all the objects that compare it, and anew for an edited one", async () => {
    const made = new JobScene();
    made.hasSecret("db", { url: "postgres://one" });
    const names = Array.from({ length: 50 }, (_, index) => `job-${index}`);
    for (const name of names) {
      made.northflank.hasSettings(name, { description: "Old" }, "manual");
      made.has(jobObject({ metadata: { name, uid: name }, spec: { ...spec, jobId: name } }));
      await made.settle(50_000, `shop/${name}`);
    }
    made.sourceReads = 0;
    await made.clock.advance(60_000);
    for (const name of names) await made.pass(`shop/${name}`);
    // Once for the environment, and for the arguments from the same answer.
    expect(made.sourceReads).toBe(1);
    made.edit({ settings: { ...spec.settings, description: "New" } }, "shop/job-7");
    await made.pass("shop/job-7");
    expect(made.sourceReads).toBe(3);
  });

  test("of an optional reference that is not there are not managed", async () => {
    const from = [{ secretRef: { name: "db", optional: true } }];
    const made = scene({ spec: { settings: { description: "New", runtimeEnvironmentFrom: from } } });
    await made.settle(50_000);
    expect(made.northflank.takeCalls()[1]).toBe('patch job migrate {"description":"New"}');
  });
});

describe("managementPolicy", () => {
  test("Enforce corrects what was changed elsewhere, and stops when somebody keeps changing it back", async () => {
    const made = scene({ spec: { resyncPeriodSeconds: 60 } });
    await made.settle(50_000);
    for (let count = 0; count < 3; count += 1) {
      made.northflank.patchSettings("migrate", { description: "Theirs" });
      await made.clock.advance(72_000);
      await made.settle(50_000);
    }
    expect(made.object().status?.changes?.[0]).toMatchObject({ cause: "DriftCorrected", settings: ["description"] });
    made.northflank.patchSettings("migrate", { description: "Theirs" });
    made.northflank.takeCalls();
    await made.clock.advance(72_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
    expect(made.state()).toContain("Stalled=True/FightDetected");
    made.edit({ settings: { description: "Another" } });
    await made.settle(50_000);
    expect(made.state()).toBe(inSync);
    expect(correctionsOf(made.object())).toEqual([]);
  });

  test("Enforce finds such a fight at the default period too", async () => {
    const made = scene();
    await made.settle();
    for (let count = 0; count < 3; count += 1) {
      made.northflank.patchSettings("migrate", { description: "Theirs" });
      await made.clock.advance(1_080_000);
      await made.settle();
      expect(made.state()).toBe(inSync);
    }
    made.northflank.patchSettings("migrate", { description: "Theirs" });
    await made.clock.advance(1_080_000);
    await made.settle();
    expect(made.state()).toContain("Stalled=True/FightDetected");
    expect(made.message()).toContain("after each of 3 corrections in a row");
  });

  test("EnforceOnChange reports drift and writes only what is new", async () => {
    const made = scene({ spec: { managementPolicy: "EnforceOnChange" } });
    await made.settle();
    made.northflank.patchSettings("migrate", { description: "Theirs" });
    made.northflank.takeCalls();
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (observe)"]);
    expect(made.state()).toBe("Ready=True/DriftObserved Accepted=True/Accepted InSync=False/DriftObserved -> Current");
    expect(made.object().status?.pendingChanges).toEqual([
      { path: "description", from: "Theirs", to: "Migrates the database" },
    ]);
    made.edit({ settings: { description: "New" } });
    await made.settle();
    expect(made.state()).toBe(inSync);
  });

  describe("EnforceOnChange with values from a Secret", () => {
    const settings = { description: "New", backoffLimit: 2, runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] };

    /** Applied, then changed elsewhere, which a look has found. */
    async function drifted(): Promise<JobScene> {
      const made = scene({ spec: { managementPolicy: "EnforceOnChange", settings } });
      made.hasSecret("db", { url: "one" });
      await made.settle(50_000);
      made.northflank.patchSettings("migrate", { description: "Theirs" });
      await made.clock.advance(900_000);
      await made.pass();
      expect(made.state()).toContain("InSync=False/DriftObserved");
      made.northflank.takeCalls();
      made.takeEvents();
      return made;
    }

    async function anHour(made: JobScene): Promise<void> {
      for (let minute = 0; minute < 60; minute += 1) {
        await made.clock.advance(60_000);
        await made.pass();
      }
    }

    test("lets go of what is declared no more while there is drift, and looks no oftener for it", async () => {
      const made = await drifted();
      const { backoffLimit: _gone, ...rest } = settings;
      made.edit({ settings: rest });
      await made.pass();
      expect(made.object().status?.released?.settings).toEqual(["backoffLimit"]);
      expect(made.takeEvents()).toEqual([expect.stringContaining("SettingsReleased")]);
      expect(made.state()).toContain("InSync=False/DriftObserved");
      made.northflank.takeCalls();
      await anHour(made);
      expect(made.northflank.takeCalls().length).toBeLessThanOrEqual(5);
      expect(made.takeEvents()).toEqual([]);
    });

    test("does not take a new token for a change, and sees the next one of the Secret", async () => {
      const made = await drifted();
      made.northflank.token = "rotated";
      await anHour(made);
      const calls = made.northflank.takeCalls();
      expect(calls.filter((call) => call.startsWith("patch"))).toEqual([]);
      expect(calls.length).toBeLessThanOrEqual(5);
      expect(made.state()).toContain("InSync=False/DriftObserved");
      made.hasSecret("db", { url: "two" });
      await made.clock.advance(60_000);
      await made.pass();
      expect(made.northflank.jobSettings.get("migrate")?.settings).toMatchObject({
        description: "New",
        runtimeEnvironment: { url: "two" },
      });
    });

    test("takes a new spec for a change, also after a new token", async () => {
      const made = await drifted();
      made.northflank.token = "rotated";
      made.edit({ settings: { ...settings, backoffLimit: 3 } });
      await made.settle(50_000);
      expect(made.northflank.jobSettings.get("migrate")?.settings).toMatchObject({ description: "New" });
    });

    test("takes another account for a change", async () => {
      const made = await drifted();
      made.accountAddress = "https://api.northflank.com, team other";
      await made.clock.advance(60_000);
      await made.pass();
      expect(made.northflank.jobSettings.get("migrate")?.settings).toMatchObject({ description: "New" });
    });
  });

  test("Enforce sends what cannot be read back after a new token at the resync, not before", async () => {
    const made = scene({ spec: { settings: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] } } });
    made.hasSecret("db", { url: "one" });
    await made.settle(50_000);
    made.northflank.takeCalls();
    made.northflank.token = "rotated";
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
    await made.clock.advance(900_000);
    await made.pass();
    expect(made.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(1);
  });

  test("Observe writes nothing and shows what would be written, but no secret", async () => {
    const settings = { description: "New", runtimeEnvironment: { A: "secret-value" }, activeDeadlineSeconds: 600 };
    const made = scene({ spec: { managementPolicy: "Observe", settings } });
    await made.settle();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.object().status?.pendingChanges).toEqual([{ path: "description", from: "Old", to: "New" }]);
    expect(made.object().status?.applied).toBeUndefined();
    made.edit({ settings: { description: "Old", runtimeEnvironment: { A: "secret-value" } } });
    await made.settle();
    expect(made.state()).toBe("Ready=True/Observed Accepted=True/Accepted InSync=Unknown/Observed -> Current");
    expect(made.message()).toBe(
      "Northflank has the declared settings (3); of these it does not return 2: whether they are as declared is not known.",
    );
  });
});

describe("calls", () => {
  test.each([
    { jobType: "any", actual: "manual", sent: 'job migrate {"description":"New","settings":{"backoffLimit":2}}' },
    { jobType: "manual", actual: "manual", sent: 'manual migrate {"description":"New","backoffLimit":2}' },
    { jobType: "cron", actual: "cron", sent: 'cron migrate {"description":"New","backoffLimit":2}' },
  ] as const)("jobType $jobType has its own, with its own body", async ({ jobType, actual, sent }) => {
    const made = scene({ spec: { jobType, settings: { description: "New", backoffLimit: 2 } } }, actual);
    await made.settle();
    expect(made.northflank.takeCalls()[1]).toBe(`patch ${sent}`);
    expect(made.object().status?.jobType).toBe(actual);
  });

  test.each([
    { jobType: "any", sent: 'job migrate {"settings":{"cron":{"suspended":true}}}' },
    { jobType: "cron", sent: 'cron migrate {"suspended":true}' },
  ] as const)("jobType $jobType suspends a schedule, and corrects who resumes it", async ({ jobType, sent }) => {
    const made = scene({ spec: { jobType, settings: { cron: { suspended: true } } } }, "cron");
    made.northflank.patchSettings("migrate", { settings: { cron: { schedule: "@daily", suspended: false } } });
    await made.settle();
    expect(made.northflank.takeCalls()[1]).toBe(`patch ${sent}`);
    expect(made.state()).toBe(inSync);
    made.northflank.patchSettings("migrate", { settings: { cron: { schedule: "@daily", suspended: false } } });
    await made.clock.advance(900_000);
    await made.settle();
    expect(made.northflank.takeCalls()[1]).toBe(`patch ${sent}`);
    expect(made.object().status?.changes?.[0]).toMatchObject({
      cause: "DriftCorrected",
      settings: ["cron.suspended"],
    });
    expect(made.state()).toBe(inSync);
  });

  test("a deprecated one says so, once", async () => {
    const made = scene({ spec: { jobType: "manual" } });
    await made.settle();
    const deprecations = made.takeEvents().filter((event) => event.startsWith("Warning"));
    expect(deprecations).toEqual([
      'Warning DeprecatedRoute: The settings were sent by "patch manual job", which Northflank has deprecated. Set ' +
        "spec.jobType to any for the call that replaces it.",
    ]);
    made.edit({ settings: { description: "New" } });
    await made.settle();
    expect(made.takeEvents().filter((event) => event.startsWith("Warning"))).toEqual([]);
  });

  test.each([
    { jobType: "any", actual: "manual", code: "gone", used: "manual" },
    { jobType: "any", actual: "cron", code: "wrong_method", used: "cron" },
    { jobType: "manual", actual: "manual", code: "not_found", used: "job" },
    { jobType: "cron", actual: "cron", code: "gone", used: "job" },
  ] as const)("one that is gone ($code) is replaced: $jobType by $used", async ({ jobType, actual, code, used }) => {
    const made = scene({ spec: { jobType, settings: { cron: { schedule: "@daily" } } } }, actual);
    if (actual === "manual") made.edit({ settings: { backoffLimit: 5 } });
    made.northflank.failNext("patchJob", northflankError(code, { httpStatus: 404 }));
    await made.settle();
    expect(made.northflank.takeCalls()[2]).toMatch(new RegExp(`^patch ${used} migrate`));
    expect(made.takeEvents().some((event) => event.startsWith("Warning FallbackUsed"))).toBe(true);
    expect(made.state()).toBe(inSync);
  });

  test("all gone, though the job can be read, is UnsupportedTarget and no loop", async () => {
    const made = scene();
    made.northflank.failNext("patchJob", northflankError("gone", { httpStatus: 410 }));
    made.northflank.failNext("patchJob", northflankError("gone", { httpStatus: 410 }));
    expect(await made.pass()).toMatchObject({ kind: "recheck", afterMs: 3_600_000 });
    expect(made.state()).toContain("Stalled=True/UnsupportedTarget");
    made.northflank.takeCalls();
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
  });

  test("a job that is gone is TargetNotFound, and nothing is patched", async () => {
    const made = new JobScene();
    made.has(jobObject());
    await made.pass();
    expect(made.state()).toContain("Stalled=True/TargetNotFound");
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
  });

  test.each([
    { title: "a manual job declared as cron", spec: { jobType: "cron" as const }, actual: "manual" },
    { title: "a cron job declared as manual", spec: { jobType: "manual" as const }, actual: "cron" },
    { title: "a schedule of a manual job", spec: { settings: { cron: { schedule: "@daily" } } }, actual: "manual" },
  ])("$title is UnsupportedTarget, before anything is sent", async ({ spec, actual }) => {
    const made = scene({ spec }, actual);
    await made.pass();
    expect(made.state()).toContain("Stalled=True/UnsupportedTarget");
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
  });

  test("one that is refused shows what was to be sent, and is not sent in a loop", async () => {
    const made = scene();
    made.northflank.failNext("patchJob", northflankError("rejected", { httpStatus: 400 }));
    const outcome = await made.pass();
    expect(outcome).toMatchObject({ kind: "recheck" });
    expect(made.state()).toContain("Stalled=True/RequestRejected");
    expect(made.object().status?.pendingChanges).toHaveLength(1);
    made.northflank.takeCalls();
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual([]);
  });
});

describe("holding back", () => {
  test("suspend costs nothing and keeps Ready for an applied spec, but not for an edited one", async () => {
    const made = scene();
    await made.settle();
    made.northflank.takeCalls();
    made.edit({ suspend: true });
    await made.pass();
    expect(made.state()).toContain("Ready=True/InSync Suspended=True/Suspended");
    made.edit({ settings: { description: "New" } });
    await made.pass();
    expect(made.state()).toContain("Ready=False/Suspended Suspended=True/Suspended");
    expect(made.northflank.takeCalls()).toEqual([]);
    made.edit({ suspend: false });
    await made.settle();
    expect(made.state()).toBe(inSync);
  });

  test("an invalid spec and a dropped field send nothing", async () => {
    const made = scene({ spec: { settings: { backoffLimit: -1 } } });
    await made.pass();
    expect(made.state()).toContain("Stalled=True/InvalidSpec");
    made.has({ ...jobObject(), prunedFields: ['spec.settings.tag: did you mean "tags"?'] });
    await made.pass();
    expect(made.state()).toContain("Stalled=True/InvalidSpec");
    expect(made.northflank.takeCalls()).toEqual([]);
  });

  test("of two objects for one job the older one acts, and the other takes over when it goes", async () => {
    const made = scene();
    made.has(jobObject({ metadata: { name: "later", creationTimestamp: "2025-12-31T23:30:00Z" } }));
    await made.settle();
    await made.pass("shop/later");
    expect(made.state("shop/later")).toContain("Stalled=True/TargetConflict");
    made.northflank.takeCalls();
    made.remove("shop/migrate");
    await made.pass("shop/later");
    expect(made.state("shop/later")).toBe(inSync);
  });

  test("of two objects for one job one that only observes is in nobody's way, and nobody is in its way", async () => {
    const made = scene({ spec: { managementPolicy: "Observe" } });
    made.has(jobObject({ metadata: { name: "later", creationTimestamp: "2025-12-31T23:30:00Z" } }));
    made.has(
      jobObject({
        metadata: { name: "last", creationTimestamp: "2025-12-31T23:40:00Z" },
        spec: { managementPolicy: "Observe" },
      }),
    );
    await made.settle(120_000, "shop/later");
    expect(made.state("shop/later")).toBe(inSync);
    for (const key of ["shop/migrate", "shop/last"]) {
      await made.pass(key);
      expect(made.state(key)).toContain("Ready=True");
      expect(made.state(key)).not.toContain("TargetConflict");
    }
    made.edit({ managementPolicy: "Enforce" }, "shop/migrate");
    await made.pass("shop/later");
    expect(made.state("shop/later")).toContain("Stalled=True/TargetConflict");
    made.edit({ managementPolicy: "Observe" }, "shop/migrate");
    await made.pass("shop/later");
    expect(made.state("shop/later")).not.toContain("TargetConflict");
  });

  test("an object that was held back by another one sends all again when it takes over", async () => {
    const made = scene({ metadata: { name: "later" }, spec: { settings: { runtimeEnvironment: { A: "mine" } } } });
    await made.settle(120_000, "shop/later");
    made.has(
      jobObject({
        metadata: { creationTimestamp: "2025-01-01T00:00:00Z", uid: "u-older" },
        spec: { settings: { runtimeEnvironment: { A: "theirs" } } },
      }),
    );
    await made.clock.advance(900_000);
    await made.pass("shop/later");
    expect(made.state("shop/later")).toContain("Stalled=True/TargetConflict");
    await made.settle();
    made.remove("shop/migrate");
    await made.settle(120_000, "shop/later");
    expect(made.northflank.jobSettings.get("migrate")?.settings.runtimeEnvironment).toEqual({ A: "mine" });
  });

  test("a reconcile request stays open while the quota allows no look", async () => {
    const made = scene();
    await made.settle();
    await made.clock.advance(60_000);
    made.northflank.failNext("getJobSettings", northflankError("quota_closed", { sent: false, retryAfterMs: 60_000 }));
    made.annotate({ "northflank-operator.io/reconcile-requested-at": "now" });
    await made.pass();
    expect(made.object().status?.lastHandledReconcileAt).toBeUndefined();
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.object().status?.lastHandledReconcileAt).toBe("now");
  });

  test("a changed Secret that cannot be sent yet is not in sync", async () => {
    const made = scene({ spec: { settings: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] } } });
    made.hasSecret("db", { url: "one" });
    await made.settle(50_000);
    made.hasSecret("db", { url: "two" });
    made.northflank.failNext("getJobSettings", northflankError("quota_closed", { sent: false, retryAfterMs: 5_000 }));
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.state()).toContain("InSync=Unknown/WaitingForQuota");
    await made.clock.advance(60_000);
    await made.pass();
    expect(made.state()).toBe(inSync);
  });

  test("a type of job that is longer than any is shown short", async () => {
    const made = scene({ spec: { jobType: "cron" } }, "manual".repeat(50));
    await made.pass();
    expect(made.state()).toContain("Stalled=True/UnsupportedTarget");
    expect(made.object().status?.jobType).toHaveLength(64);
  });

  test("an empty quota is waited for and fails nothing", async () => {
    const made = scene();
    await made.settle();
    made.northflank.failNext("getJobSettings", northflankError("quota_closed", { sent: false, retryAfterMs: 5_000 }));
    await made.clock.advance(900_000);
    await made.pass();
    expect(made.state()).toBe(inSync);
  });

  test("an object that was edited during the look is looked at again before anything is sent", async () => {
    const made = scene();
    made.duringLook = () => made.edit({ settings: { description: "Newer" } });
    expect(await made.pass()).toEqual({ kind: "recheck", afterMs: 0, priority: "change" });
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
  });

  test("a requested reconcile looks at once and is echoed", async () => {
    const made = scene();
    await made.settle();
    made.northflank.takeCalls();
    await made.clock.advance(10_000);
    made.annotate({ "northflank-operator.io/reconcile-requested-at": "now" });
    await made.pass();
    expect(made.northflank.takeCalls()).toEqual(["get settings of job migrate (change)"]);
    expect(made.object().status?.lastHandledReconcileAt).toBe("now");
  });

  test("a rejected token is read again at once", async () => {
    const made = scene();
    made.northflank.failNext("getJobSettings", northflankError("unauthorized", { httpStatus: 401 }));
    await made.settle();
    expect(made.rejectedTokens).toBe(1);
    expect(made.state()).toBe(inSync);
  });
});
