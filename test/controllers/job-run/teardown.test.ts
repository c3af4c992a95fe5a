import { afterEach, describe, expect, test } from "vitest";
import type { Account, AccountRequest, AccountResolution } from "../../../src/controllers/account/accounts.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { RunStory } from "../../support/run-story.ts";
import { strictFake } from "../../support/strict-fake.ts";

const second = 1_000;
const minute = 60 * second;

let story: RunStory;

afterEach(() => {
  expect(story.end()).toEqual([]);
});

type Thing = "Secret" | "connection" | "run";

/** A namespace with a connection, its Secret and an active run that is to be aborted when it is deleted. */
class Namespace {
  readonly #gone = new Set<Thing>();
  /** What stands in the place of the account, whatever else is gone. */
  readyState: (AccountResolution & { readonly kind: "blocked" })["readyState"] | undefined;
  /** Until when the token that was read last is used without reading the Secret again. */
  #cachedUntilMs = 0;

  async start(): Promise<void> {
    story = new RunStory({ account: () => this.#resolve() });
    story.remote.runMs = 24 * 60 * minute;
    await story.run({ deletionPolicy: "Abort" }, 10 * second);
    expect(story.remote.calls).not.toContain("abort");
  }

  delete(thing: Thing): void {
    this.#gone.add(thing);
    if (thing === "run") story.cluster.delete("default/once");
    else if (story.cluster.read("once") !== undefined) story.process.wake("default/once");
  }

  restart(): void {
    this.#cachedUntilMs = 0;
    story.restart();
  }

  #resolve(): AccountResolution | undefined {
    const blocked = (reason: "ConnectionNotFound" | "SecretNotFound") =>
      ({
        kind: "blocked",
        readyState: { kind: "stalled", reason, message: "It is gone." },
        recheckAfterMs: minute,
      }) as const;
    if (this.readyState !== undefined) return { kind: "blocked", readyState: this.readyState, recheckAfterMs: minute };
    if (this.#gone.has("connection")) return blocked("ConnectionNotFound");
    const nowMs = story.clock.monotonic();
    if (nowMs < this.#cachedUntilMs) return undefined;
    if (this.#gone.has("Secret")) return blocked("SecretNotFound");
    this.#cachedUntilMs = nowMs + 45 * second;
    return undefined;
  }
}

const orders: readonly (readonly Thing[])[] = [
  ["Secret", "connection", "run"],
  ["Secret", "run", "connection"],
  ["connection", "Secret", "run"],
  ["connection", "run", "Secret"],
  ["run", "Secret", "connection"],
  ["run", "connection", "Secret"],
];

const restarts: readonly (readonly number[])[] = [[], [0], [1], [2], [0, 1], [1, 2], [0, 1, 2]];

const cases = orders.flatMap((order) =>
  restarts.flatMap((after) => [0, 5 * second, 3 * minute].map((gapMs) => ({ order, after, gapMs }))),
);

describe("a namespace that is deleted", () => {
  test.each(cases)("in the order $order, restarted after $after, with $gapMs ms between", async (given) => {
    const { order, after, gapMs } = given;
    const namespace = new Namespace();
    await namespace.start();
    const events: string[] = [];
    let isWayLost = false;
    let isRemembered = true;
    let isAborted = false;
    for (const [index, thing] of order.entries()) {
      namespace.delete(thing);
      isWayLost ||= thing !== "run";
      await story.clock.advance(gapMs);
      isAborted = story.remote.calls.includes("abort");
      if (!after.includes(index)) continue;
      events.push(...story.events());
      namespace.restart();
      await story.clock.advance(gapMs);
      // A process that comes up while the way is open sees the run at once, if it gets the time.
      isRemembered = !isWayLost && gapMs > 0;
    }
    await story.clock.advance(2 * minute);
    events.push(...story.events());
    expect(story.cluster.read("once")).toBeUndefined();
    if (isRemembered || isAborted) expect(story.remote.calls).toContain("abort");
    else expect([story.remote.calls.includes("abort"), events.at(-1)]).toEqual([false, "Warning Abandoned"]);
  });

  test("says what goes on at Northflank, also in the log: its Events may be refused", async () => {
    const namespace = new Namespace();
    await namespace.start();
    namespace.delete("connection");
    namespace.restart();
    namespace.delete("run");
    const { runId } = story.status();
    await story.clock.advance(29 * second);
    expect(story.cluster.read("once")).toBeDefined();
    await story.clock.advance(3 * second);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.process.events.at(-1)?.event.note).toBe(
      `Run ${runId} of job "migrate" of project "shop" may still be active, and the connection of the object is gone, so ` +
        "the operator cannot abort the run; the object is released. Check the job in Northflank, and abort the run there.",
    );
    expect(story.process.log.lines).toContainEqual(
      expect.objectContaining({
        level: "warn",
        fields: expect.objectContaining({ reason: "Abandoned", project: "shop", job: "migrate", run: runId }),
      }),
    );
  });
});

test("a connection that is replaced within the wait still has the run aborted", async () => {
  const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "It is gone." } as const;
  const namespace = new Namespace();
  await namespace.start();
  namespace.restart();
  namespace.readyState = gone;
  namespace.restart();
  namespace.delete("run");
  await story.clock.advance(25 * second);
  namespace.readyState = undefined;
  story.process.wake("default/once");
  await story.clock.advance(minute);
  expect(story.remote.calls).toContain("abort");
  expect(story.cluster.read("once")).toBeUndefined();
  expect(story.events()).not.toContain("Warning Abandoned");
});

test.each(["ConnectionSuspended", "WaitingForConnection", "SecretInvalid", "ProjectNotAllowed"] as const)(
  "a connection that is there and says %s is not overruled by what is remembered",
  async (reason) => {
    const namespace = new Namespace();
    await namespace.start();
    namespace.readyState = { kind: "stalled", reason, message: "Not now." };
    namespace.delete("run");
    await story.clock.advance(9 * minute);
    expect(story.remote.calls).not.toContain("abort");
    expect(story.cluster.read("once")).toBeDefined();
  },
);

test("a run that is not being deleted waits for its connection, whatever is remembered", async () => {
  const namespace = new Namespace();
  await namespace.start();
  namespace.delete("connection");
  const before = story.remote.calls.length;
  await story.clock.advance(30 * minute);
  expect(story.remote.calls.length).toBe(before);
  expect(story.condition("Stalled")).toBe("True/ConnectionNotFound");
});

test.each(["unauthorized", "forbidden"] as const)(
  "a remembered token that gets %s, with the connection gone, does not hold the namespace",
  async (code) => {
    const namespace = new Namespace();
    await namespace.start();
    const refuse = () => {
      throw northflankError(code, { httpStatus: 401 });
    };
    Object.assign(story.remote, { abort: refuse, read: refuse, list: refuse });
    namespace.delete("connection");
    namespace.delete("run");
    await story.clock.advance(2 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Warning Abandoned");
  },
);

test("a start without an answer is searched for with what is remembered", async () => {
  let isGone = false;
  const readyState = { kind: "stalled", reason: "ConnectionNotFound", message: "It is gone." } as const;
  story = new RunStory({
    account: (_: AccountRequest) => (isGone ? { kind: "blocked", readyState, recheckAfterMs: minute } : undefined),
  });
  story.remote.mode = "answerLost";
  story.remote.runMs = 60 * minute;
  await story.run({ deletionPolicy: "Abort" }, 10 * second);
  isGone = true;
  story.cluster.delete("default/once");
  await story.clock.advance(3 * minute);
  expect(story.remote.calls).toContain("abort");
  expect(story.cluster.read("once")).toBeUndefined();
});

test("an operator-wide token in the place of the connection is not asked about a run of another account", async () => {
  const unasked = strictFake<NorthflankApi>("operator-wide", {});
  let isGone = false;
  const account: Account = {
    api: unasked,
    pool: "operator-wide",
    address: "https://api.northflank.com, team home",
    version: "9",
    isOperatorWide: true,
  };
  story = new RunStory({ account: () => (isGone ? { kind: "usable", account } : undefined) });
  story.remote.runMs = 60 * minute;
  await story.run({ deletionPolicy: "Abort" }, 10 * second);
  isGone = true;
  story.cluster.delete("default/once");
  await story.clock.advance(minute);
  expect(story.remote.calls).toContain("abort");
  expect(story.cluster.read("once")).toBeUndefined();
});
