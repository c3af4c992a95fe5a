import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/*
 * A setting that Northflank does not return is known by what was last sent, and that by a hash whose key is made from the
 * token. So a new token takes away what was known, at any moment. The promise: what InSync=True says is so.
 */

const minuteMs = 60_000;
const settings = { runtimeEnvironmentFrom: [{ secretRef: { name: "mail" } }] };
type Spec = NonNullable<NonNullable<Parameters<typeof jobObject>[0]>["spec"]>;

function inForce(made: JobScene): unknown {
  return made.northflank.jobSettings.get("migrate")?.settings.runtimeEnvironment;
}

async function minutes(made: JobScene, count: number): Promise<void> {
  for (let minute = 0; minute < count; minute += 1) {
    await made.clock.advance(minuteMs);
    await made.pass();
  }
}

function rotateToken(made: JobScene): void {
  made.northflank.token = `${made.northflank.token} rotated`;
  made.accountVersion += "+";
}

function setPassword(made: JobScene, value: string): void {
  made.hasSecret("mail", { SMTP_PASSWORD: value });
}

async function settled(spec: Spec): Promise<JobScene> {
  const made = new JobScene();
  made.northflank.hasSettings("migrate", { description: "Old", settings: { backoffLimit: 1 } }, "manual");
  setPassword(made, "spring");
  made.has(jobObject({ spec: { settings, ...spec } }));
  await made.settle(50_000);
  expect(inForce(made)).toEqual({ SMTP_PASSWORD: "spring" });
  made.northflank.takeCalls();
  return made;
}

/** Withdraws the token; returns what puts it, or another one, in its place. */
function expireToken(made: JobScene): () => void {
  const usable = made.resolution;
  const readyState = { kind: "stalled", reason: "AuthenticationFailed", message: "The token was refused." } as const;
  made.resolution = () => ({ kind: "blocked", readyState, recheckAfterMs: minuteMs });
  return () => {
    made.resolution = usable;
  };
}

describe.each(["Enforce", "EnforceOnChange"] as const)("under %s, a password that changes", (managementPolicy) => {
  test.each([900, 0])(
    "while the token is expired is sent with the next token (resync %i s)",
    async (resyncPeriodSeconds) => {
      const made = await settled({ managementPolicy, resyncPeriodSeconds });
      const renew = expireToken(made);
      await minutes(made, 30);
      setPassword(made, "summer");
      await minutes(made, 30);
      expect(made.state()).toContain("InSync=Unknown/AuthenticationFailed");
      rotateToken(made);
      renew();
      await minutes(made, 5);
      expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
      expect(made.state()).toContain("InSync=True/InSync");
    },
  );

  test.each([900, 0])(
    "while the quota is spent is sent after the token was rotated (resync %i s)",
    async (resyncPeriodSeconds) => {
      const made = await settled({ managementPolicy, resyncPeriodSeconds });
      setPassword(made, "summer");
      const spent = northflankError("quota_closed", { retryAfterMs: 30 * minuteMs, sent: false });
      made.northflank.failNext("getJobSettings", spent);
      await minutes(made, 1);
      expect(made.state()).toContain("InSync=Unknown/WaitingForQuota");
      rotateToken(made);
      await minutes(made, 35);
      expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
    },
  );

  test.each([900, 0])("in the same minute as the token is sent (resync %i s)", async (resyncPeriodSeconds) => {
    const made = await settled({ managementPolicy, resyncPeriodSeconds });
    setPassword(made, "summer");
    rotateToken(made);
    await minutes(made, 2);
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
  });

  test("long after the token was rotated is sent, though there is no resync, also after a restart", async () => {
    const made = await settled({ managementPolicy, resyncPeriodSeconds: 0 });
    rotateToken(made);
    await minutes(made, 60);
    setPassword(made, "summer");
    await minutes(made, 2);
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
    rotateToken(made);
    made.restart();
    await minutes(made, 60);
    setPassword(made, "autumn");
    await minutes(made, 2);
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "autumn" });
  });

  test("whose new value was on its way when the token changed and the process ended is taken back", async () => {
    const made = await settled({ managementPolicy, settings: { runtimeEnvironment: { SMTP_PASSWORD: "spring" } } });
    rotateToken(made);
    made.northflank.failNext("patchJob", new Error("killed"), { isDone: true });
    made.edit({ settings: { runtimeEnvironment: { SMTP_PASSWORD: "summer" } } });
    expect(await made.pass()).toMatchObject({ kind: "retry" });
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
    made.restart();
    made.edit({ settings: { runtimeEnvironment: { SMTP_PASSWORD: "spring" } } });
    await minutes(made, 5);
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "spring" });
  });

  test("whose new value was on its way is taken back, also when the former token comes back", async () => {
    const made = await settled({ managementPolicy, settings: { runtimeEnvironment: { SMTP_PASSWORD: "spring" } } });
    const former = made.northflank.token;
    rotateToken(made);
    made.northflank.failNext("patchJob", new Error("killed"), { isDone: true });
    made.edit({ settings: { runtimeEnvironment: { SMTP_PASSWORD: "summer" } } });
    await made.pass();
    made.northflank.token = former;
    made.edit({ settings: { runtimeEnvironment: { SMTP_PASSWORD: "spring" } } });
    await minutes(made, 5);
    expect(inForce(made)).toEqual({ SMTP_PASSWORD: "spring" });
  });
});

describe("a new token alone", () => {
  test("sends nothing under EnforceOnChange, however long, and costs no look without a resync", async () => {
    const made = await settled({ managementPolicy: "EnforceOnChange", resyncPeriodSeconds: 0 });
    rotateToken(made);
    await minutes(made, 100);
    expect(made.northflank.takeCalls()).toEqual([]);
    expect(made.state()).toContain("InSync=True/InSync");
  });

  test("makes a look due and sends what cannot be read back where versions were not recorded", async () => {
    const made = await settled({ managementPolicy: "EnforceOnChange", resyncPeriodSeconds: 0 });
    const object = made.object();
    const { sourcesId: _before, ...applied } = object.status?.applied ?? {};
    made.has({ ...object, status: { ...object.status, applied } as NonNullable<typeof object.status> });
    rotateToken(made);
    await minutes(made, 2);
    const calls = made.northflank.takeCalls();
    expect(calls.map((call) => call.split(" ")[0])).toEqual(["get", "patch"]);
    expect(made.object().status?.applied?.sourcesId).toMatch(/^[0-9a-f]{32}$/);
  });

  test("leaves Observe with what it knew, and after a change of the Secret it says that it does not know", async () => {
    const made = await settled({});
    made.edit({ managementPolicy: "Observe" });
    await minutes(made, 1);
    rotateToken(made);
    await minutes(made, 20);
    expect(made.state()).toContain("InSync=True/InSync");
    setPassword(made, "summer");
    await minutes(made, 20);
    expect(made.state()).toContain("Ready=True/Observed");
    expect(made.state()).toContain("InSync=Unknown/Observed");
  });
});

test("a change that ended without an answer is sent again at once, though there is no resync", async () => {
  const made = await settled({ resyncPeriodSeconds: 0 });
  setPassword(made, "summer");
  made.northflank.failNext("patchJob", new Error("the pass took too long"));
  await minutes(made, 1);
  expect(made.state()).toContain("Ready=Unknown/ApplyingChange");
  await made.pass();
  expect(inForce(made)).toEqual({ SMTP_PASSWORD: "summer" });
  expect(made.state()).toContain("Ready=True/InSync");
});

test("a status that was copied from another object, or lost its hashes, confirms nothing", async () => {
  const other = await settled({ managementPolicy: "EnforceOnChange" });
  const { applied } = other.object().status ?? {};
  const broken: readonly (typeof applied)[] = [
    applied,
    { ...applied, keyId: "another.0" },
    { ...applied, settings: [] },
    { ...applied, settings: applied?.settings?.map(({ path }) => ({ path, hash: "edited" })) ?? [] },
    { ...applied, keyId: `00000000.${applied?.keyId?.split(".")[1]}` },
    undefined,
  ];
  for (const stated of broken) {
    const made = await settled({ managementPolicy: "EnforceOnChange" });
    // Same spec and same Secret, but another object; Northflank has what nobody here has sent.
    const object = made.object();
    made.northflank.patchSettings("migrate", { runtimeEnvironment: { SMTP_PASSWORD: "theirs" } });
    const status = { ...object.status, applied: stated } as typeof object.status;
    made.has({ ...object, metadata: { ...object.metadata, uid: "of another object" }, ...(status && { status }) });
    made.restart();
    await minutes(made, 20);
    expect(inForce(made), JSON.stringify(stated)).toEqual({ SMTP_PASSWORD: "spring" });
  }
});

const policies = ["Enforce", "EnforceOnChange", "Observe"] as const;

const events = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), count: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("password" as const), value: fc.constantFrom("a", "b", "c") }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("rotate", "expire", "renew", "restart", "touch") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("spend", "lose", "kill", "refuse", "forget") }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("policy" as const), policy: fc.constantFrom(...policies) }),
  },
);
type StoryEvent = typeof events extends fc.Arbitrary<infer T> ? T : never;

/** Lives a story, and checks after each minute that nothing is called in sync that is not. */
async function live(story: readonly StoryEvent[], start: { policy: (typeof policies)[number]; resync: number }) {
  const made = new JobScene();
  made.northflank.hasSettings("migrate", { description: "Old" }, "manual");
  let password = "a";
  let policy = start.policy;
  setPassword(made, password);
  made.has(jobObject({ spec: { settings, managementPolicy: policy, resyncPeriodSeconds: start.resync } }));
  const renew = expireToken(made);
  renew();
  const check = () => {
    const says = made.object().status?.conditions?.find(({ type }) => type === "InSync")?.status;
    // Observe looks at resyncs only, so its word is about the last one.
    if (says === "True" && policy !== "Observe") expect(inForce(made)).toEqual({ SMTP_PASSWORD: password });
  };
  const wait = async (count: number) => {
    for (let minute = 0; minute < count; minute += 1) {
      await made.clock.advance(minuteMs);
      const outcome = await made.pass();
      // A pass that failed has said nothing; the next one does.
      if (outcome.kind !== "retry") check();
    }
  };
  for (const event of story) {
    switch (event.kind) {
      case "wait":
        await wait("count" in event ? event.count : 1);
        break;
      case "password":
        password = "value" in event ? event.value : password;
        setPassword(made, password);
        break;
      case "touch":
        setPassword(made, password);
        break;
      case "rotate":
        rotateToken(made);
        break;
      case "expire":
        expireToken(made);
        break;
      case "renew":
        renew();
        break;
      case "restart":
        made.restart();
        break;
      case "spend":
        made.northflank.failNext(
          "getJobSettings",
          northflankError("quota_closed", { retryAfterMs: 30 * minuteMs, sent: false }),
        );
        break;
      case "lose":
        made.northflank.failNext("patchJob", northflankError("timeout"), { isDone: true });
        break;
      case "kill":
        made.northflank.failNext("patchJob", new Error("killed"), { isDone: true });
        break;
      case "refuse":
        made.northflank.failNext("patchJob", northflankError("rejected", { httpStatus: 422 }));
        break;
      case "forget":
        made.failStatus = new Error("the API server is away");
        break;
      case "policy":
        policy = "policy" in event ? event.policy : policy;
        made.edit({ managementPolicy: policy });
        break;
    }
  }
  made.northflank.clearFailures();
  renew();
  if (policy === "Observe") {
    policy = "Enforce";
    made.edit({ managementPolicy: policy });
  }
  // A refused value is probed once an hour.
  await wait(75);
  expect(inForce(made)).toEqual({ SMTP_PASSWORD: password });
  expect(made.state()).toContain("Ready=True/InSync");
}

test("whatever happens in whatever order, InSync=True is so, and in the end what is declared is there", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(events, { maxLength: 12 }),
      fc.record({ policy: fc.constantFrom(...policies), resync: fc.constantFrom(0, 900) }),
      live,
    ),
    { numRuns: 20 },
  );
}, 120_000);
