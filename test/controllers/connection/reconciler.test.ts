import { describe, expect, test } from "vitest";
import { mergePatch } from "../../../sandbox/kubernetes/patch.ts";
import type { NorthflankConnection } from "../../../src/api/connection.ts";
import { northflankConnections, reconcileRequestedAt } from "../../../src/api/names.ts";
import type { TokenNeed } from "../../../src/api/northflank-calls.ts";
import { createValidator } from "../../../src/api/validate.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { ConnectionAccounts } from "../../../src/controllers/account/connection-accounts.ts";
import { createConnectionReconciler } from "../../../src/controllers/connection/reconciler.ts";
import type { EventDraft } from "../../../src/controllers/reconcile/events.ts";
import { PollSchedule } from "../../../src/controllers/reconcile/poll-schedule.ts";
import { connectionChanged } from "../../../src/controllers/reconcile/predicates.ts";
import { createStatusWriter } from "../../../src/controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import type { NorthflankError } from "../../../src/northflank/errors.ts";
import type { LedgerSnapshot } from "../../../src/northflank/ledger.ts";
import type { TokenView } from "../../../src/northflank/types.ts";
import type { Outcome } from "../../../src/runtime/outcome.ts";
import { connection } from "../../support/builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeLog } from "../../support/fake-log.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises, kstatusOf } from "../../support/kstatus.ts";
import { Pace } from "../../support/pace.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

const validator = createValidator();
const canary = "canary-token-value";
const hourMs = 3_600_000;

/** A connection with its Secret, its checks and its status, all in memory. */
class ConnectionScene {
  readonly clock = new FakeClock();
  readonly logged = fakeLog();
  readonly pace = new Pace(this.clock);
  readonly events: string[] = [];
  secret: { text: string; resourceVersion: string } | undefined = { text: canary, resourceVersion: "1" };
  secretError: KubeError | undefined;
  /** What the check of a token comes to: an error, a time of expiry, or `no-route`. */
  answer: NorthflankError | "no-route" | string | undefined;
  /** What else is told of a token that is accepted. */
  token: Partial<TokenView> = {};
  needs: readonly TokenNeed[] = [];
  quota: LedgerSnapshot | undefined;
  dependents = 0;
  statusWrites = 0;
  /** So many writes of a status later one fails; counts down. */
  failStatusIn = Number.POSITIVE_INFINITY;
  #checks: string[] = [];
  #object: NorthflankConnection | undefined;
  #accounts = this.#newAccounts();
  #reconcile = this.#newReconciler();

  has(object: NorthflankConnection | undefined): void {
    this.#object = object;
    this.pace.happened("shop/default");
  }

  edit(spec: Partial<NorthflankConnection["spec"]>): void {
    const { metadata, ...rest } = this.object;
    const generation = (metadata.generation ?? 0) + 1;
    this.has({ ...rest, metadata: { ...metadata, generation }, spec: { ...rest.spec, ...spec } });
  }

  /** Somebody writes the annotation that asks for a look. */
  request(value: string): void {
    const { metadata, ...rest } = this.object;
    this.has({ ...rest, metadata: { ...metadata, annotations: { [reconcileRequestedAt]: value } } });
  }

  get object(): NorthflankConnection {
    if (this.#object === undefined) throw new Error("no connection in the scene");
    return this.#object;
  }

  /** The tokens that were checked since this was last asked. */
  takeChecks(): readonly string[] {
    return this.#checks.splice(0);
  }

  async pass(): Promise<Outcome> {
    const context = {
      signal: neverAborted(),
      statusSignal: neverAborted(),
      reconcileId: "r",
      log: this.logged.log,
      failures: 0,
    };
    this.pace.count("reconcile", "shop/default");
    const outcome = await this.#reconcile("shop/default", context).catch(
      (error: Error): Outcome => ({ kind: "retry", error }),
    );
    if (this.pace.breach !== undefined) throw this.pace.breach;
    // Nothing that could not be written can be promised.
    const isUnwritten = outcome.kind === "retry" && outcome.error instanceof KubeError;
    if (this.#object !== undefined && !isUnwritten) this.#checkPromises(this.#object);
    return outcome;
  }

  /** Passes on at the times the outcomes name, for `durationMs`. */
  async run(durationMs: number): Promise<void> {
    const endMs = this.clock.monotonic() + durationMs;
    while (this.clock.monotonic() < endMs) {
      const outcome = await this.pass();
      if (outcome.kind === "settled") return;
      const afterMs = outcome.kind === "recheck" ? outcome.afterMs : 5_000;
      await this.clock.advance(Math.min(afterMs, endMs - this.clock.monotonic()));
    }
  }

  restart(): void {
    this.#accounts = this.#newAccounts();
    this.#reconcile = this.#newReconciler();
  }

  /** An object of another kind makes a call with this connection. */
  async ordinaryCall(): Promise<void> {
    const request = { namespace: "shop", connectionName: undefined, projectId: "shop" };
    const resolution = await this.#accounts.resolve(request, neverAborted());
    if (resolution.kind === "blocked") throw new Error(resolution.readyState.reason);
    await resolution.account.api
      .getService({ projectId: "shop", serviceId: "api" }, { class: "observe", signal: neverAborted() })
      .catch(() => undefined);
  }

  /** The account of an object of this project. */
  async resolve(projectId: string): Promise<AccountResolution> {
    return await this.#accounts.resolve({ namespace: "shop", connectionName: undefined, projectId }, neverAborted());
  }

  state(): string {
    const shown = (this.object.status?.conditions ?? []).map(
      ({ type, status, reason }) => `${type}=${status}/${reason}`,
    );
    return `${shown.join(" ")} -> ${kstatusOf(this.object as Parameters<typeof kstatusOf>[0])}`;
  }

  #checkPromises(object: NorthflankConnection): void {
    const text = JSON.stringify([object.status, this.events, this.logged.lines]);
    expect(text).not.toContain("canary");
    expect(text).not.toContain(Buffer.from(canary).toString("base64"));
    if (object.status?.observedGeneration === -1) return;
    const problems = validator.validateManifest({ ...object, prunedFields: undefined });
    expect(problems.filter(({ field }) => field.startsWith("status"))).toEqual([]);
    expect(brokenPromises(object as Parameters<typeof brokenPromises>[0])).toEqual([]);
  }

  #newAccounts() {
    const kube = strictFake<KubeClient>("kube", {
      get: async <T>() => {
        if (this.secretError !== undefined) throw this.secretError;
        if (this.secret === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "none" });
        const { text, resourceVersion } = this.secret;
        const data = { token: Buffer.from(text).toString("base64") };
        return { metadata: { name: "nf-token", resourceVersion }, data } as T;
      },
    });
    return new ConnectionAccounts({
      kube,
      connections: { get: () => this.#object },
      openApi: ({ token }) =>
        strictFake<NorthflankApi>("northflank", {
          whoAmI: async () => {
            this.pace.count("remote call", "shop/default");
            this.#checks.push(token.reveal());
            if (this.answer === "no-route") return undefined;
            if (this.answer !== undefined && typeof this.answer !== "string") throw this.answer;
            return { expiresAt: this.answer, ...this.token };
          },
          getService: async () => {
            if (this.answer !== undefined && typeof this.answer !== "string") throw this.answer;
            return {} as never;
          },
        }),
      operatorToken: undefined,
      defaultApiUrl: "https://api.northflank.com",
      defaultMaxRequestsPerHour: 900,
      allowedApiHosts: ["api.northflank.com"],
      clock: this.clock,
      random: always(0.5),
    });
  }

  #newReconciler() {
    const { clock } = this;
    const random = always(0.5);
    return createConnectionReconciler({
      store: { get: () => this.#object },
      accounts: this.#accounts,
      validate: ({ kind, spec }) => validator.validateSpec(kind, spec),
      dependents: () => this.dependents,
      needs: () => this.needs,
      quota: () => this.quota,
      schedule: new PollSchedule({ clock, random }),
      validationPeriodMs: hourMs,
      statusWriter: createStatusWriter<NorthflankConnection>({
        log: this.logged.log,
        kube: strictFake<KubeClient>("kube", {
          patch: async <T extends KubeObject>(...[, , { body }]: Parameters<KubeClient["patch"]>): Promise<T> => {
            if (this.failStatusIn-- === 0) {
              throw new KubeError({ code: "unavailable", step: "patch", detail: "HTTP 503", httpStatus: 503 });
            }
            this.statusWrites += 1;
            this.pace.count("write", "shop/default");
            const { status } = body as { readonly status: object };
            return { ...this.object, status: mergePatch(this.object.status ?? {}, status) } as unknown as T;
          },
        }),
        type: northflankConnections,
        overlay: (answer) => {
          this.#object = answer;
        },
      }),
      events: { record: (_object, draft: EventDraft) => this.events.push(`${draft.type} ${draft.reason}`) },
      clock,
      random,
    });
  }
}

function scene(spec: Partial<NorthflankConnection["spec"]> = {}): ConnectionScene {
  const made = new ConnectionScene();
  made.has(connection({ spec }));
  return made;
}

const unauthorized = northflankError("unauthorized", { httpStatus: 401 });
const valid = "Ready=True/Valid CredentialsValid=True/Valid QuotaAvailable=Unknown/Progressing -> Current";

describe("a token", () => {
  test("that is accepted makes the connection Ready, with one check and one write", async () => {
    const it = scene();
    expect(await it.pass()).toEqual({ kind: "recheck", afterMs: 54_000, priority: "resync" });
    expect(it.state()).toBe(valid);
    expect(it.takeChecks()).toEqual([canary]);
    expect(it.object.status).toMatchObject({
      tokenSecretResourceVersion: "1",
      nextReconcileTime: "2026-01-01T01:00:00Z",
    });
    await it.run(hourMs - 60_000);
    expect({ checks: it.takeChecks(), writes: it.statusWrites }).toEqual({ checks: [], writes: 1 });
  });

  test.each([false, true])(
    "is checked at once where the condition Ready was removed (restart: %s)",
    async (isRestart) => {
      const it = scene();
      await it.pass();
      it.takeChecks();
      const { status = { observedGeneration: 1 }, ...rest } = it.object;
      it.has({ ...rest, status: { ...status, conditions: [] } });
      if (isRestart) it.restart();
      await it.pass();
      expect([it.takeChecks(), it.state()]).toEqual([[canary], valid]);
    },
  );

  test("is checked again once per period", async () => {
    const it = scene();
    await it.run(4 * hourMs + 300_000);
    expect(it.takeChecks()).toHaveLength(5);
    expect(it.statusWrites).toBe(1);
  });

  test("that is rotated is checked within a minute, and its users are woken", async () => {
    const it = scene();
    await it.pass();
    const before = it.object;
    it.takeChecks();
    it.secret = { text: "canary-rotated", resourceVersion: "2" };
    await it.run(120_000);
    expect(it.takeChecks()).toEqual(["canary-rotated"]);
    expect(it.object.status?.tokenSecretResourceVersion).toBe("2");
    expect(connectionChanged(before, it.object)).toBe(true);
  });

  test("with a time of expiry says so", async () => {
    const it = scene();
    it.answer = "2026-03-01T12:00:00.000Z";
    await it.pass();
    expect(it.object.status?.conditions?.[0]?.message).toBe(
      "Northflank accepted the token, which expires at 2026-03-01T12:00:00Z.",
    );
  });

  test("that is refused is Stalled and not sent again before an hour, while the Secret is looked at", async () => {
    const it = scene();
    it.answer = unauthorized;
    await it.pass();
    expect(it.state()).toBe(
      "Ready=False/AuthenticationFailed Stalled=True/AuthenticationFailed CredentialsValid=False/AuthenticationFailed " +
        "QuotaAvailable=Unknown/Progressing -> Failed",
    );
    expect(it.events).toEqual(["Warning AuthenticationFailed"]);
    await it.run(50 * 60_000);
    expect(it.takeChecks()).toEqual([canary]);
    expect(it.events).toEqual(["Warning AuthenticationFailed"]);
  });

  test("that is refused is used again within a minute after it was replaced", async () => {
    const it = scene();
    it.answer = unauthorized;
    await it.pass();
    it.takeChecks();
    it.answer = undefined;
    it.secret = { text: "canary-rotated", resourceVersion: "2" };
    await it.run(61_000);
    expect(it.takeChecks()).toContain("canary-rotated");
    expect(it.state()).toBe(valid);
  });

  test("that was rotated a moment before it was refused is checked anew in the same pass", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.secret = { text: "canary-rotated", resourceVersion: "2" };
    it.answer = unauthorized;
    it.edit({ allowedProjects: ["shop"] });
    await it.pass();
    // A token that was good so far is asked about once more before it counts as dead.
    expect(it.takeChecks()).toEqual([canary, canary, "canary-rotated"]);
  });

  test("that an ordinary call finds refused turns the connection around at its next pass", async () => {
    const it = scene();
    await it.pass();
    it.answer = unauthorized;
    await it.ordinaryCall();
    await it.pass();
    expect(it.state()).toContain("Stalled=True/AuthenticationFailed CredentialsValid=False/AuthenticationFailed");
    await expect(it.ordinaryCall()).rejects.toThrow("AuthenticationFailed");
  });

  test("is checked at once when somebody asks for it, once", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    await it.clock.advance(5_000);
    it.request("t1");
    await it.pass();
    await it.pass();
    expect(it.takeChecks()).toHaveLength(1);
    expect(it.object.status?.lastHandledReconcileAt).toBe("t1");
  });

  test.each([
    ["the quota allows no check", northflankError("quota_closed", { sent: false, retryAfterMs: 600_000 }), 3],
    ["Northflank is away", northflankError("server_error", { httpStatus: 503 }), 13],
  ])("that somebody asks for stays open while %s, and is not asked for ever more", async (_why, error, most) => {
    const it = scene();
    await it.pass();
    await it.clock.advance(10_000);
    it.takeChecks();
    it.answer = error;
    it.request("t1");
    await it.run(60_000);
    expect(it.takeChecks().length).toBeLessThanOrEqual(most);
    expect(it.object.status?.lastHandledReconcileAt).toBeUndefined();
    it.answer = undefined;
    await it.run(700_000);
    expect(it.object.status?.lastHandledReconcileAt).toBe("t1");
  });

  test("that was rotated is read at once when somebody asks, not only when the minute is over", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.secret = { text: "canary-rotated", resourceVersion: "2" };
    await it.clock.advance(10_000);
    await it.pass();
    expect(it.takeChecks()).toEqual([]);
    it.request("t1");
    await it.pass();
    expect(it.takeChecks()).toEqual(["canary-rotated"]);
    expect(it.object.status?.tokenSecretResourceVersion).toBe("2");
  });

  test("is checked and the Secret read once in five seconds, however often somebody asks", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    for (let n = 0; n < 49; n += 1) {
      it.request(`t${n}`);
      expect(await it.pass()).toEqual({ kind: "recheck", afterMs: 5_000 - n * 100, priority: "change" });
      await it.clock.advance(100);
    }
    expect(it.object.status?.lastHandledReconcileAt).toBeUndefined();
    await it.clock.advance(100);
    await it.pass();
    expect(it.takeChecks()).toHaveLength(1);
    expect(it.object.status?.lastHandledReconcileAt).toBe("t48");
  });

  test.each([
    ["its own period", { validationPeriodSeconds: 60 }, 60_000],
    ["an hour, where it names none", {}, hourMs],
  ])("is checked again after %s, not before", async (_, spec, periodMs) => {
    const it = scene(spec);
    await it.pass();
    it.takeChecks();
    await it.clock.advance(periodMs - 1_000);
    await it.pass();
    expect(it.takeChecks()).toEqual([]);
    await it.clock.advance(1_000);
    await it.pass();
    expect(it.takeChecks()).toHaveLength(1);
  });

  test("lacking a permission is a valid token", async () => {
    const it = scene();
    it.answer = northflankError("forbidden", { httpStatus: 403 });
    await it.pass();
    expect(it.state()).toBe(valid);
  });

  test("that nothing can check is judged by the first ordinary call", async () => {
    const it = scene();
    it.answer = "no-route";
    await it.pass();
    expect(it.state()).toContain("Ready=True/Progressing CredentialsValid=Unknown/Progressing");
    await it.ordinaryCall();
    await it.run(hourMs + 60_000);
    expect(it.state()).toBe(valid);
  });
});

describe("a check that fails otherwise", () => {
  test("for a while is retried, and says nothing about the token", async () => {
    const it = scene();
    await it.pass();
    it.answer = northflankError("server_error", { httpStatus: 502 });
    it.edit({ teamId: "acme" });
    expect(await it.pass()).toMatchObject({ kind: "retry" });
    expect(it.state()).toContain(
      "Ready=False/RemoteUnavailable Reconciling=True/ProgressingWithRetry CredentialsValid=True",
    );
    it.answer = undefined;
    await it.pass();
    expect(it.state()).toBe(valid);
    expect(it.object.status?.failure).toBeUndefined();
  });

  test("for quota leaves Ready as it is", async () => {
    const it = scene();
    await it.pass();
    await it.clock.advance(hourMs);
    it.answer = northflankError("quota_closed", { retryAfterMs: 600_000, sent: false });
    await it.pass();
    expect(it.state()).toBe(valid);
  });

  test("because the far end is no API is Stalled, and probed ever more rarely", async () => {
    const it = scene();
    it.answer = northflankError("protocol", { httpStatus: 200 });
    await it.pass();
    expect(it.state()).toContain("Stalled=True/RemoteMisconfigured CredentialsValid=Unknown/RemoteMisconfigured");
    await it.run(2 * hourMs);
    expect(it.takeChecks().length).toBeLessThan(12);
  });
});

describe("before any check", () => {
  test.each([
    ["a missing Secret", "SecretNotFound", (it: ConnectionScene) => (it.secret = undefined)],
    ["an empty Secret", "SecretInvalid", (it: ConnectionScene) => (it.secret = { text: "", resourceVersion: "1" })],
    [
      "a Secret with a line break inside",
      "SecretInvalid",
      (it: ConnectionScene) => (it.secret = { text: `${canary}\n${canary}`, resourceVersion: "1" }),
    ],
    [
      "a token in quotes",
      "SecretInvalid",
      (it: ConnectionScene) => (it.secret = { text: `"${canary}"\n`, resourceVersion: "1" }),
    ],
    [
      "a line of .env",
      "SecretInvalid",
      (it: ConnectionScene) => (it.secret = { text: `NF_TOKEN=${canary}\n`, resourceVersion: "1" }),
    ],
  ])("%s is Stalled, and mended within a minute after it is right", async (_sentence, reason, bring) => {
    const it = scene();
    bring(it);
    await it.pass();
    expect(it.state()).toContain(`Ready=False/${reason} Stalled=True/${reason} CredentialsValid=Unknown/${reason}`);
    expect(it.takeChecks()).toEqual([]);
    it.secret = { text: canary, resourceVersion: "2" };
    await it.run(121_000);
    expect(it.state()).toBe(valid);
  });

  test("a Secret that may not be read is named with the missing right, and checked once it may", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.secretError = new KubeError({ code: "forbidden", step: "get", detail: "no" });
    await it.clock.advance(60_000);
    await it.pass();
    expect(it.state()).toContain("Ready=False/PermissionDenied Reconciling=True/ProgressingWithRetry");
    it.secretError = undefined;
    await it.run(121_000);
    expect(it.state()).toBe(valid);
  });

  test("Kubernetes that cannot be asked fails the pass and writes nothing", async () => {
    const it = scene();
    it.secretError = new KubeError({ code: "unavailable", step: "get", detail: "down" });
    expect(await it.pass()).toMatchObject({ kind: "retry" });
    expect(it.statusWrites).toBe(0);
  });

  test("a host that is not on the list gets nothing", async () => {
    const it = scene({ apiURL: "https://evil.example" });
    await it.pass();
    expect(it.state()).toContain("Ready=False/InvalidSpec Stalled=True/InvalidSpec");
    expect(it.state()).toContain("CredentialsValid=Unknown/InvalidSpec");
    const message = it.object.status?.conditions?.find(({ type }) => type === "Ready")?.message;
    expect(message).toContain("spec.apiURL cannot be used: the host evil.example is not on the operator's list");
    expect(message).toContain("--allowed-api-hosts");
    expect(it.takeChecks()).toEqual([]);
    await it.run(3_600_000);
    expect(it.statusWrites).toBe(1);
  });

  test("a field that the API server dropped is refused", async () => {
    const it = scene();
    it.has({ ...it.object, prunedFields: ['spec.tokenSecret: did you mean "tokenSecretRef"?'] });
    expect(await it.pass()).toEqual({ kind: "settled" });
    expect(it.state()).toContain("Stalled=True/InvalidSpec");
    expect(it.takeChecks()).toEqual([]);
  });
});

describe("suspend", () => {
  test("checks nothing, acknowledges the spec, and keeps what Ready said", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.edit({ suspend: true });
    expect(await it.pass()).toEqual({ kind: "settled" });
    expect(it.takeChecks()).toEqual([]);
    expect(it.state()).toContain("Ready=True/Valid Suspended=True/Suspended");
    expect(it.object.status?.observedGeneration).toBe(2);
  });

  test("that ends is followed by a check", async () => {
    const it = scene({ suspend: true });
    await it.pass();
    expect(it.state()).toContain("Ready=False/Suspended");
    it.edit({ suspend: false });
    await it.pass();
    expect(it.state()).toBe(valid);
  });
});

describe("the counters", () => {
  const figures = (remaining: number, more: Partial<LedgerSnapshot> = {}): LedgerSnapshot => ({
    limit: 1_000,
    remaining,
    resetAtMs: Date.parse("2026-01-01T00:59:30Z"),
    usedBy: { change: 0, run: 0, observe: 0 },
    deferredBy: { change: 0, run: 0, observe: 0 },
    waiting: 0,
    closedBy: undefined,
    closedUntilMs: undefined,
    used: 1_000 - remaining,
    ...more,
  });

  test("move in tenths of the limit, so that a busy hour costs ten writes", async () => {
    const it = scene();
    await it.pass();
    it.statusWrites = 0;
    for (let remaining = 999; remaining >= 0; remaining -= 7) {
      it.quota = figures(remaining, { resetAtMs: Date.parse("2026-01-01T00:59:30Z") + (remaining % 3) * 1_000 });
      it.pace.happened("shop/default");
      await it.pass();
    }
    expect(it.statusWrites).toBeLessThanOrEqual(10);
    expect(it.object.status?.rateLimit).toMatchObject({
      limit: 1_000,
      remaining: 0,
      resetTime: "2026-01-01T01:00:00Z",
    });
  });

  test("say when the quota is spent, and the connection stays Ready", async () => {
    const it = scene();
    await it.pass();
    it.quota = figures(0, { closedUntilMs: Date.parse("2026-01-01T00:59:30Z") });
    await it.pass();
    expect(it.state()).toBe(
      "Ready=True/Valid CredentialsValid=True/Valid QuotaAvailable=False/WaitingForQuota -> Current",
    );
    await it.clock.advance(hourMs - 30_000);
    await it.pass();
    expect(it.state()).toContain("QuotaAvailable=True/QuotaAvailable");
  });

  test("tell how many objects use the connection", async () => {
    const it = scene();
    it.dependents = 57;
    await it.pass();
    expect(it.object.status?.dependents).toBe(57);
  });
});

describe("a restart", () => {
  test("costs a connection in order no check and no write", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.statusWrites = 0;
    await it.clock.advance(10 * hourMs + 1_000);
    it.restart();
    await it.pass();
    expect({ checks: it.takeChecks(), writes: it.statusWrites }).toEqual({ checks: [], writes: 0 });
  });

  test("sees that the Secret changed meanwhile", async () => {
    const it = scene();
    await it.pass();
    it.takeChecks();
    it.secret = { text: "canary-rotated", resourceVersion: "2" };
    it.restart();
    await it.pass();
    expect(it.takeChecks()).toEqual(["canary-rotated"]);
  });
});

test("a connection that is gone is forgotten, one that is being deleted is left alone", async () => {
  const it = scene();
  it.has(connection({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }));
  expect(await it.pass()).toEqual({ kind: "settled" });
  it.has(undefined);
  expect(await it.pass()).toEqual({ kind: "settled" });
  expect({ checks: it.takeChecks(), writes: it.statusWrites }).toEqual({ checks: [], writes: 0 });
});

describe("a status write that fails once", () => {
  type Step = readonly [what: (it: ConnectionScene) => void, forMs: number];
  const minute = 60_000;
  const created: Step = [() => {}, minute];
  const refused: Step = [
    (it) => {
      it.answer = unauthorized;
    },
    hourMs + 3 * minute,
  ];

  const stories: Readonly<Record<string, readonly Step[]>> = {
    "of a token that is accepted": [created],
    "of a token that is refused later, and replaced": [
      created,
      refused,
      [
        (it) => {
          it.answer = undefined;
          it.secret = { text: "canary-rotated", resourceVersion: "2" };
        },
        3 * minute,
      ],
    ],
    "of a Secret that is not there, and is made": [
      [
        (it) => {
          it.secret = undefined;
        },
        3 * minute,
      ],
      [
        (it) => {
          it.secret = { text: canary, resourceVersion: "2" };
        },
        3 * minute,
      ],
    ],
    "of an API that is away for a while": [
      created,
      [
        (it) => {
          it.answer = northflankError("server_error", { httpStatus: 502 });
        },
        hourMs + minute,
      ],
      [
        (it) => {
          it.answer = undefined;
        },
        10 * minute,
      ],
    ],
    "of a connection that is suspended, and let go": [
      created,
      [(it) => it.edit({ suspend: true }), minute],
      [(it) => it.edit({ suspend: false }), minute],
    ],
    "of a token that expires at a time that is new": [
      created,
      [
        (it) => {
          it.answer = "2027-01-01T00:00:00Z";
        },
        hourMs + minute,
      ],
    ],
    "of a check that somebody asked for": [created, [(it) => it.request("now"), minute]],
  };

  async function play(steps: readonly Step[], failStatusIn: number): Promise<ConnectionScene> {
    const it = scene();
    it.failStatusIn = failStatusIn;
    for (const [what, forMs] of steps) {
      what(it);
      await it.run(forMs);
    }
    return it;
  }

  /** Everything that does not move with the clock. */
  function told(it: ConnectionScene): unknown {
    const { nextReconcileTime: _, failure, ...status } = it.object.status ?? {};
    const text = JSON.stringify({ status, reason: failure?.reason, events: it.events });
    return JSON.parse(text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "a time"));
  }

  test.each(Object.entries(stories))("%s is made up for soon, and asks Northflank no more", async (_name, steps) => {
    const undisturbed = await play(steps, Number.POSITIVE_INFINITY);
    const checks = undisturbed.takeChecks().length;
    const writes = undisturbed.statusWrites;
    expect(writes).toBeGreaterThan(0);
    for (let index = 0; index < writes; index += 1) {
      const it = await play(steps, index);
      expect(told(it), `write ${index + 1} of ${writes} failed`).toEqual(told(undisturbed));
      expect(it.takeChecks().length).toBeLessThanOrEqual(checks + 1);
    }
  });
});

describe.each([hourMs, -hourMs, 24 * hourMs, -24 * hourMs])("a wall clock that jumps by %i ms", (jumpMs) => {
  const stories: Readonly<Record<string, (it: ConnectionScene) => void>> = {
    "a token that is accepted": () => {},
    "a token that is refused": (it) => {
      it.answer = unauthorized;
    },
    "an API that answers nonsense": (it) => {
      it.answer = northflankError("protocol");
    },
    "a quota that is spent": (it) => {
      it.answer = northflankError("quota_closed", { retryAfterMs: 20 * 60_000, sent: false });
    },
  };

  /** When the token was checked, and what the status says in the end. */
  async function play(what: (it: ConnectionScene) => void, byMs: number) {
    const it = scene();
    const times: number[] = [];
    const live = async (durationMs: number) => {
      for (let minute = 0; minute < durationMs / 60_000; minute += 1) {
        await it.run(60_000);
        times.push(...it.takeChecks().map(() => minute));
      }
    };
    await it.run(50 * 60_000);
    what(it);
    await live(15 * 60_000);
    it.clock.jump(byMs);
    await live(1.3 * hourMs);
    return { times, state: it.state() };
  }

  test.each(Object.entries(stories))("moves no check of %s", async (_name, what) => {
    expect(await play(what, jumpMs)).toEqual(await play(what, 0));
  });

  test("does not keep a process that starts after it from checking within a period", async () => {
    const it = scene();
    await it.run(10 * 60_000);
    it.clock.jump(jumpMs);
    it.restart();
    it.takeChecks();
    await it.run(1.3 * hourMs);
    expect(it.takeChecks().length).toBeGreaterThanOrEqual(1);
    expect(it.statusWrites).toBeLessThanOrEqual(2);
  });
});

test("the team that Northflank has answered for is remembered over a refused token, and not before an answer", async () => {
  const it = scene({ teamId: "acme" });
  await it.pass();
  expect(it.object.status?.acceptedFor).toBeUndefined();
  await it.ordinaryCall();
  await it.pass();
  const acceptedFor = "https://api.northflank.com, team acme";
  expect(it.object.status?.acceptedFor).toBe(acceptedFor);
  it.restart();
  it.answer = unauthorized;
  await it.run(2 * hourMs);
  expect(it.object.status).toMatchObject({ acceptedFor, conditions: [{ reason: "AuthenticationFailed" }, {}, {}, {}] });
});

test("a connection without a team has nothing to remember: its token says whose account it is", async () => {
  const it = scene();
  await it.ordinaryCall();
  await it.pass();
  expect(it.object.status?.acceptedFor).toBeUndefined();
});

const dayMs = 24 * hourMs;

describe("the expiry of a token", () => {
  /** Expires in so many days. */
  const expiring = async (days: number) => {
    const it = scene();
    it.answer = new Date(it.clock.now() + days * dayMs).toISOString().replace(".000Z", "Z");
    await it.pass();
    return it;
  };
  const warned = (it: ConnectionScene) => it.events.filter((event) => event.includes("TokenExp"));
  const condition = (it: ConnectionScene) => it.object.status?.conditions?.find(({ type }) => type === "TokenExpiring");

  test("is in the status", async () => {
    const it = await expiring(30);
    expect(it.object.status?.tokenExpirationTime).toBe("2026-01-31T00:00:00Z");
    expect(condition(it)).toBeUndefined();
    expect(it.events).toEqual([]);
  });

  test("is warned of 14 days before, and when it comes, once each, whatever is restarted", async () => {
    const it = await expiring(30);
    await it.clock.advance(16 * dayMs - 60_000);
    await it.pass();
    expect(warned(it)).toEqual([]);
    await it.clock.advance(60_000);
    for (let pass = 0; pass < 5; pass++) {
      await it.pass();
      it.restart();
      await it.clock.advance(dayMs);
    }
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon"]);
    expect(condition(it)).toMatchObject({
      status: "True",
      reason: "TokenExpiresSoon",
      message: 'The token expires at 2026-01-31T00:00:00Z. Put a new token into Secret "nf-token" before that.',
    });
    expect(it.state()).toContain("Ready=True/Valid");
    // The spec may change meanwhile: that is no new expiry.
    it.edit({ allowedProjects: ["shop"] });
    await it.pass();
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon"]);
    await it.clock.advance(10 * dayMs);
    for (let pass = 0; pass < 5; pass++) {
      await it.pass();
      it.restart();
      await it.clock.advance(dayMs);
    }
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon", "Warning TokenExpired"]);
    expect(condition(it)).toMatchObject({ reason: "TokenExpired" });
  });

  test("is warned of once also by a clock that goes back and forth", async () => {
    const it = await expiring(14);
    const back = it.clock.now() - 1_000;
    for (let pass = 0; pass < 4; pass++) {
      it.clock.jump(pass % 2 === 0 ? -1_000 : 1_000);
      await it.pass();
    }
    expect(it.clock.now()).toBeGreaterThan(back);
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon"]);
  });

  test("is taken back when it was a clock that was far ahead for a moment", async () => {
    const it = await expiring(60);
    it.clock.jump(100 * dayMs);
    await it.pass();
    expect(condition(it)).toMatchObject({ reason: "TokenExpired" });
    it.clock.jump(-100 * dayMs);
    await it.pass();
    expect(condition(it)).toBeUndefined();
  });

  test("is no more of interest with a token that lasts longer, or for ever", async () => {
    const it = await expiring(3);
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon"]);
    it.answer = undefined;
    it.secret = { text: "canary-other", resourceVersion: "2" };
    await it.run(120_000);
    expect(condition(it)).toBeUndefined();
    expect(it.object.status?.tokenExpirationTime).toBeUndefined();
    expect(warned(it)).toHaveLength(1);
  });

  test("in the past does not refuse a token that Northflank accepts", async () => {
    const it = await expiring(-1);
    expect(it.state()).toContain("Ready=True/Valid");
    expect(it.object.status?.conditions?.[0]?.message).toBe(
      "Northflank accepted the token, and reports that it expired at 2025-12-31T00:00:00Z.",
    );
    expect(warned(it)).toEqual(["Warning TokenExpired"]);
  });

  test("says why a token is rejected", async () => {
    const it = await expiring(2 / 24);
    it.answer = unauthorized;
    await it.run(4 * hourMs);
    expect(it.state()).toContain("Ready=False/AuthenticationFailed");
    expect(it.object.status?.conditions?.[0]?.message).toMatch(
      /; the one that was accepted last expired at 2026-01-01T02:00:00Z\. Put a valid token/,
    );
  });

  test("is warned of when a write of the status fails, by the next pass", async () => {
    const it = scene();
    it.answer = "2026-01-05T00:00:00Z";
    it.failStatusIn = 0;
    await it.pass();
    expect(it.events).toEqual([]);
    await it.run(120_000);
    expect(warned(it)).toEqual(["Warning TokenExpiresSoon"]);
  });

  test("stays known where a later check tells nothing of the same token", async () => {
    const it = await expiring(30);
    it.answer = northflankError("forbidden", { httpStatus: 401 });
    await it.run(2 * hourMs);
    expect(it.takeChecks().length).toBeGreaterThan(1);
    expect(it.object.status?.tokenExpirationTime).toBe("2026-01-31T00:00:00Z");
    it.secret = { text: "canary-other", resourceVersion: "2" };
    await it.run(120_000);
    expect(it.object.status?.tokenExpirationTime).toBeUndefined();
  });
});

describe("the projects of a token", () => {
  test("are in the status, wake the objects when they change, and keep others from sending anything", async () => {
    const it = scene();
    it.token = { projectRestrictions: { mode: "in", projects: ["shop"] } };
    await it.pass();
    expect(it.object.status?.projectRestrictions).toEqual({ mode: "In", projects: ["shop"] });
    expect((await it.resolve("shop")).kind).toBe("usable");
    const refused = await it.resolve("billing");
    expect(refused).toMatchObject({ kind: "blocked", readyState: { kind: "stalled", reason: "ProjectNotAllowed" } });
    expect(refused.kind === "blocked" && refused.readyState.message).toContain(
      'NorthflankConnection "default" reach project "billing"',
    );

    const before = it.object;
    it.token = { projectRestrictions: { mode: "notIn", projects: ["shop"] } };
    await it.run(2 * hourMs);
    expect(it.object.status?.projectRestrictions).toEqual({ mode: "NotIn", projects: ["shop"] });
    expect(connectionChanged(before, it.object)).toBe(true);
    expect((await it.resolve("shop")).kind).toBe("blocked");
    expect((await it.resolve("billing")).kind).toBe("usable");

    it.token = {};
    await it.run(2 * hourMs);
    expect(it.object.status?.projectRestrictions).toBeUndefined();
    expect((await it.resolve("shop")).kind).toBe("usable");
  });

  test("are known after a restart without a request", async () => {
    const it = scene();
    it.token = { projectRestrictions: { mode: "in", projects: ["shop"] } };
    await it.pass();
    it.takeChecks();
    it.restart();
    expect((await it.resolve("billing")).kind).toBe("blocked");
    expect(it.takeChecks()).toEqual([]);
  });

  test("leave those to Northflank that a list which was cut does not name", async () => {
    const it = scene();
    const projects = Array.from({ length: 200 }, (_, index) => `project-${index}`);
    it.token = { projectRestrictions: { mode: "in", projects, isIncomplete: true } };
    await it.pass();
    expect(it.object.status?.projectRestrictions).toMatchObject({ isIncomplete: true });
    expect((await it.resolve("billing")).kind).toBe("usable");
    it.token = { projectRestrictions: { mode: "notIn", projects, isIncomplete: true } };
    await it.run(2 * hourMs);
    expect((await it.resolve("billing")).kind).toBe("usable");
    expect((await it.resolve("project-7")).kind).toBe("blocked");
  });
});

describe("the permissions of a token", () => {
  const runs: TokenNeed = { use: "NorthflankJobRun", writes: true };
  const observed: TokenNeed = { use: "NorthflankDeployment of a service", writes: false };
  const condition = (it: ConnectionScene) =>
    it.object.status?.conditions?.find(({ type }) => type === "PermissionsGranted");

  test("that objects need and it lacks are in the status, and nothing is held back", async () => {
    const it = scene();
    it.needs = [runs];
    it.token = { permissions: new Set(["ps_jobs_general_read", "ps_jobs_general_update", "ps_addons_general_read"]) };
    await it.pass();
    expect(it.object.status).toMatchObject({
      grantedPermissions: ["ps_jobs_general_read", "ps_jobs_general_update"],
      missingPermissions: ["ps_jobs_general_run-job"],
    });
    expect(condition(it)).toMatchObject({
      status: "False",
      reason: "PermissionDenied",
      message:
        "The token lacks the permission ps_jobs_general_run-job (NorthflankJobRun). Grant it to the token's role.",
    });
    expect(it.state()).toContain("Ready=True/Valid");
    expect((await it.resolve("shop")).kind).toBe("usable");
  });

  test("are judged anew when objects of another kind come and go, without a request", async () => {
    const it = scene();
    it.token = { permissions: new Set(["ps_services_general_read"]) };
    it.needs = [observed];
    await it.pass();
    expect(condition(it)).toMatchObject({ status: "True", reason: "Valid" });
    it.takeChecks();
    it.restart();
    it.needs = [observed, { ...observed, writes: true }];
    await it.run(60_000);
    expect(it.object.status?.missingPermissions).toEqual(["ps_services_general_update"]);
    it.needs = [];
    await it.run(60_000);
    expect(it.object.status?.missingPermissions).toBeUndefined();
    expect(it.takeChecks()).toEqual([]);
  });

  test("that are not told are not missing", async () => {
    const it = scene();
    it.needs = [runs];
    await it.pass();
    expect(it.object.status?.missingPermissions).toBeUndefined();
    expect(condition(it)).toBeUndefined();
  });
});
