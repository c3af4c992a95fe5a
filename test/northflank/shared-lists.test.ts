import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CallOptions, NorthflankApi } from "../../src/northflank/client.ts";
import { type ListAsk, type SharedAnswer, SharedLists } from "../../src/northflank/shared-lists.ts";
import type {
  ItemList,
  JobRunView,
  ProjectItem,
  RequestClass,
  RunList,
  RunsNeeded,
} from "../../src/northflank/types.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { northflankError } from "../support/fake-northflank.ts";
import { strictFake } from "../support/strict-fake.ts";

interface Sent {
  readonly what: string;
  readonly class: RequestClass;
  readonly startedAtMs: number;
  readonly signal: AbortSignal;
  readonly needs: RunsNeeded | undefined;
  readonly resolve: (list: ItemList & RunList) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
}

/** Requests for lists stay open until the test answers them. */
class OpenLists {
  readonly sent: Sent[] = [];
  /** Ledgers of these classes refuse at once. */
  readonly refuses = new Set<RequestClass>();
  readonly #clock: FakeClock;
  readonly #name: string;

  constructor(clock: FakeClock, name = "") {
    this.#clock = clock;
    this.#name = name;
  }

  get open(): readonly Sent[] {
    return this.sent.filter(({ isOver }) => !isOver);
  }

  readonly api = strictFake<NorthflankApi>("Northflank", {
    listServices: ({ projectId }, options) => this.#send(`services of ${projectId}`, options),
    listJobs: ({ projectId }, options) => this.#send(`jobs of ${projectId}`, options),
    listRuns: ({ projectId, jobId }, options) => this.#send(`runs of ${projectId}/${jobId}`, options),
  });

  #send(what: string, options: CallOptions & { readonly needs?: RunsNeeded }): Promise<ItemList & RunList> {
    const { class: requestClass, signal, needs } = options;
    if (this.refuses.has(requestClass)) {
      return Promise.reject(northflankError("quota_closed", { detail: `${this.#name}${requestClass}`, sent: false }));
    }
    return new Promise((resolve, reject) => {
      const entry: Sent = {
        what,
        class: requestClass,
        startedAtMs: this.#clock.monotonic(),
        signal,
        needs,
        isOver: false,
        resolve: (list) => {
          entry.isOver = true;
          resolve(list);
        },
        reject: (error) => {
          entry.isOver = true;
          reject(error);
        },
      };
      signal.addEventListener("abort", () => entry.reject(signal.reason));
      this.sent.push(entry);
    });
  }
}

/** A list whose one entry names the time at which it was requested. */
function dated(sent: Sent): ItemList & RunList {
  const entry = { id: "web", type: String(sent.startedAtMs) };
  return { items: [entry], runs: [], serverTimeMs: undefined };
}

let clock: FakeClock;
let remote: OpenLists;
let lists: SharedLists;
beforeEach(() => {
  clock = new FakeClock();
  remote = new OpenLists(clock);
  lists = new SharedLists({ clock });
});
afterEach(() => {
  expect(remote.open).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

const reader = () => ({ api: remote.api, scope: "token 1" });
const shop = { kind: "services", projectId: "shop" } as const;
const forever = new AbortController().signal;
const ask = (more: Partial<ListAsk> = {}): ListAsk => ({ class: "run", maxAgeMs: 10_000, signal: forever, ...more });

/** What became of a question: `pending`, what the answer shows, or the code of the error. */
function outcomeOf(answer: Promise<SharedAnswer<ProjectItem>>): () => string {
  let outcome = "pending";
  answer.then(
    (one) => {
      outcome = `${one.get("web").entry?.type}, ${one.ageMs} old`;
    },
    (error: Error) => {
      outcome = error.message;
    },
  );
  return () => outcome;
}

const asks = (more: Partial<ListAsk> = {}, from = reader()) => outcomeOf(lists.items(from, shop, ask(more)));

async function answer(index = 0, list?: ItemList & RunList): Promise<void> {
  const sent = remote.open[index];
  if (sent === undefined) throw new Error("no request is in flight");
  sent.resolve(list ?? dated(sent));
  await settle();
}

describe("callers of one list", () => {
  test("share the request in flight, and its answer while it is young enough for them", async () => {
    const first = asks();
    await clock.advance(400);
    const second = asks();
    await clock.advance(600);
    await answer();
    expect([first(), second()]).toEqual(["0, 1000 old", "0, 1000 old"]);
    await clock.advance(9_000);
    const young = asks();
    await settle();
    expect([young(), remote.sent.length]).toEqual(["0, 10000 old", 1]);
    await clock.advance(1);
    const old = asks();
    await answer();
    expect([old(), remote.sent.length]).toEqual(["10001, 0 old", 2]);
  });

  test("that wrote something wait for a request that starts after it, one for all of them", async () => {
    const before = asks();
    await clock.advance(1_000);
    const [writer, other] = [asks({ notBeforeMs: 500 }), asks({ notBeforeMs: 900 })];
    expect(remote.sent).toHaveLength(1);
    await answer();
    expect([before(), writer(), other()]).toEqual(["0, 1000 old", "pending", "pending"]);
    await answer();
    expect([writer(), other(), remote.sent.length]).toEqual(["1000, 0 old", "1000, 0 old", 2]);
  });

  test("that can use no older answer join no request that is under way", async () => {
    const first = asks({ maxAgeMs: 0 });
    const second = asks({ maxAgeMs: 0 });
    await answer();
    expect([first(), second()]).toEqual(["0, 0 old", "pending"]);
    await answer();
    expect([second(), remote.sent.length]).toEqual(["0, 0 old", 2]);
  });

  test("get the error that they waited for, and the next one does not", async () => {
    const [first, second] = [asks(), asks()];
    const late = asks({ maxAgeMs: 0 });
    remote.open[0]?.reject(northflankError("server_error", { detail: "down" }));
    await settle();
    expect([first(), second(), late()]).toEqual([
      expect.stringContaining("[server_error]"),
      expect.stringContaining("[server_error]"),
      "pending",
    ]);
    await answer();
    expect(late()).toBe("0, 0 old");
  });

  test("that have another token, or ask for another list, share nothing", async () => {
    const answers = [
      asks(),
      asks({}, { ...reader(), scope: "token 2" }),
      outcomeOf(lists.items(reader(), { ...shop, kind: "jobs" }, ask())),
      outcomeOf(lists.items(reader(), { ...shop, projectId: "other" }, ask())),
    ];
    expect(remote.sent.map(({ what }) => what)).toEqual([
      "services of shop",
      "services of shop",
      "jobs of shop",
      "services of other",
    ]);
    for (const _ of answers) await answer();
    expect(answers.map((one) => one())).toEqual(answers.map(() => "0, 0 old"));
  });
});

describe("a caller that gives up", () => {
  test("does not end the request of the others, even where it was its own", async () => {
    const stop = new AbortController();
    const first = asks({ signal: stop.signal });
    const second = asks();
    stop.abort(new Error("stopped"));
    await settle();
    expect([first(), second(), remote.open[0]?.signal.aborted]).toEqual(["stopped", "pending", false]);
    await answer();
    expect(second()).toBe("0, 0 old");
  });

  test("ends it where it was the last one that waited, and whoever waits for the next one is served at once", async () => {
    const stop = new AbortController();
    const first = asks({ signal: stop.signal });
    await clock.advance(100);
    const writer = asks({ notBeforeMs: 50 });
    stop.abort(new Error("stopped"));
    await settle();
    expect([first(), remote.sent[0]?.signal.aborted, remote.open.length]).toEqual(["stopped", true, 1]);
    await answer();
    expect(writer()).toBe("100, 0 old");
  });

  test("before it asks sends nothing", async () => {
    expect(asks({ signal: AbortSignal.abort(new Error("stopped")) })()).toBe("pending");
    await settle();
    expect(remote.sent).toEqual([]);
  });
});

describe("the quota", () => {
  test("is that of the most urgent caller where the ledger refuses the first one, for all who wait", async () => {
    remote.refuses.add("observe");
    const drift = asks({ class: "observe" });
    const change = asks({ class: "change" });
    await settle();
    expect(remote.open.map((one) => one.class)).toEqual(["change"]);
    await answer();
    expect([drift(), change()]).toEqual(["0, 0 old", "0, 0 old"]);
  });

  test("that is refused to each of them is refused to each in its own words, and is asked for anew by the next", async () => {
    for (const one of ["observe", "run"] as const) remote.refuses.add(one);
    const [drift, run] = [asks({ class: "observe" }), asks()];
    await settle();
    expect([drift(), run()]).toEqual([expect.stringMatching(/: observe$/), expect.stringMatching(/: run$/)]);
    const change = asks({ class: "change" });
    await answer();
    expect(change()).toBe("0, 0 old");
  });

  test("of another connection with the same token is asked where that of the first is spent", async () => {
    const other = new OpenLists(clock);
    remote.refuses.add("run");
    const first = asks();
    const second = asks({}, { api: other.api, scope: "token 1" });
    await settle();
    expect([remote.sent.length, other.open.length]).toEqual([0, 1]);
    other.open[0]?.resolve(dated(other.open[0]));
    await settle();
    expect([first(), second()]).toEqual(["0, 0 old", "0, 0 old"]);
  });

  test("that Northflank itself refuses is refused to all", async () => {
    const [drift, change] = [asks({ class: "observe" }), asks({ class: "change" })];
    remote.open[0]?.reject(northflankError("rate_limited", { httpStatus: 429 }));
    await settle();
    expect([drift(), change()].every((one) => one.includes("[rate_limited]"))).toBe(true);
    expect(remote.sent).toHaveLength(1);
  });
});

describe("what is known of an entry", () => {
  const web = (second: number): ProjectItem => ({
    id: "web",
    type: "deployment",
    rolloutTransitionTime: `2026-01-01T00:00:0${second}Z`,
  });
  const list = (...items: readonly ProjectItem[]): ItemList & RunList => ({ items, runs: [], serverTimeMs: undefined });

  test("is the newer read of it alone, not the older list", async () => {
    const first = lists.items(reader(), shop, ask());
    await answer(0, list(web(1)));
    await clock.advance(100);
    lists.noteItem(reader(), shop, { id: "web", startedAtMs: 50, entry: web(2) });
    const cached = await lists.items(reader(), shop, ask());
    expect([(await first).get("web"), cached.get("web")]).toEqual([
      { entry: web(1), startedAtMs: 0 },
      { entry: web(2), startedAtMs: 50 },
    ]);
    const next = lists.items(reader(), shop, ask({ maxAgeMs: 0 }));
    await answer(0, list(web(1)));
    expect((await next).get("web").entry).toEqual(web(2));
  });

  test("is that it is missing, in a list that says whether it is complete", async () => {
    const asked = lists.items(reader(), shop, ask());
    await answer(0, { ...list(), truncated: true });
    expect([(await asked).isComplete, (await asked).get("web")]).toEqual([false, { entry: undefined, startedAtMs: 0 }]);
  });
});

describe("runs of a job", () => {
  const job = { projectId: "shop", jobId: "etl" };
  const run = (id: string): JobRunView => ({
    id,
    runName: undefined,
    status: "RUNNING",
    concluded: false,
    startedAt: undefined,
    concludedAt: undefined,
  });
  const wants = (...runIds: readonly string[]) => ({ ...ask(), runIds, maxPages: 3 });

  test("are read until each caller that waits has its own, and the list then proves nothing of others", async () => {
    const first = lists.runs(reader(), job, wants("a"));
    const second = lists.runs(reader(), job, wants("b"));
    const { needs } = remote.open[0]!;
    expect(needs).toMatchObject({ maxPages: 3, isAnyOrder: true });
    expect(needs?.isEnough([run("a")])).toBe(false);
    expect(needs?.isEnough([run("a"), run("b")])).toBe(true);
    await answer(0, { items: [], runs: [run("a"), run("b")], serverTimeMs: 5_000 });
    expect([(await first).get("a").entry?.id, (await second).get("b").entry?.id]).toEqual(["a", "b"]);
    await clock.advance(700);
    const later = await lists.runs(reader(), job, wants("a"));
    expect([later.isComplete, later.serverTimeMs]).toEqual([false, 5_700]);
  });

  test("are all there where the list was read to its end", async () => {
    const asked = lists.runs(reader(), job, wants("a"));
    expect(remote.open[0]?.needs?.isEnough([run("b")])).toBe(false);
    await answer(0, { items: [], runs: [run("b")], serverTimeMs: undefined });
    expect([(await asked).isComplete, (await asked).get("a").entry]).toEqual([true, undefined]);
    lists.noteRun(reader(), job, { id: "a", startedAtMs: 1, entry: run("a") });
    expect((await lists.runs(reader(), job, wants("a"))).get("a").entry?.id).toBe("a");
  });
});

test("what no caller asks for within twice the age that it can use is forgotten", async () => {
  asks({ maxAgeMs: 60_000 });
  await answer();
  const other = (projectId: string) => lists.items(reader(), { ...shop, projectId }, ask({ maxAgeMs: 1 }));
  await clock.advance(120_000);
  void other("a");
  await answer();
  expect(lists.size).toBe(2);
  await clock.advance(60_000);
  void other("b");
  await answer();
  // That of a minute ago is older than it may be as well.
  expect(lists.size).toBe(1);
});

describe("whatever callers, answers, refusals and writes come in whatever order", () => {
  type Step =
    | {
        readonly kind: "ask";
        readonly class: RequestClass;
        readonly maxAgeMs: number;
        readonly wrote: boolean;
        readonly api: 0 | 1;
      }
    | { readonly kind: "pass"; readonly ms: number }
    | { readonly kind: "answer" | "fail" }
    | { readonly kind: "abort"; readonly index: number }
    | { readonly kind: "ledger"; readonly class: RequestClass; readonly api: 0 | 1; readonly refuses: boolean };
  const api = fc.constantFrom<0 | 1>(0, 1);
  const requestClass = fc.constantFrom<RequestClass>("change", "run", "observe");
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        class: requestClass,
        maxAgeMs: fc.constantFrom(0, 1, 5, 20),
        wrote: fc.boolean(),
        api,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("answer" as const, "fail" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), index: fc.nat(20) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("ledger" as const), class: requestClass, api, refuses: fc.boolean() }),
    },
  );

  test("no answer is older than its caller can use, one request is in flight, and none is lost", async () => {
    const seen = { answers: 0, shared: 0, refusals: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
        const time = new FakeClock();
        const apis = [new OpenLists(time, "0 "), new OpenLists(time, "1 ")] as const;
        const shared = new SharedLists({ clock: time });
        const callers: { settled: string; readonly stop: AbortController }[] = [];
        const inFlight = () => apis.flatMap(({ open }) => open);
        const askFor = ({ class: spent, maxAgeMs, wrote, api: index }: Step & { kind: "ask" }) => {
          const askedAtMs = time.monotonic();
          // The answer to a write has just come: what was requested before it is not to be served.
          const notBeforeMs = wrote ? askedAtMs : undefined;
          const sentBefore = new Set(apis.flatMap(({ sent }) => sent));
          const caller = { settled: "", stop: new AbortController() };
          callers.push(caller);
          const own = { class: spent, maxAgeMs, notBeforeMs, signal: caller.stop.signal };
          shared.items({ api: apis[index].api, scope: "t" }, shop, own).then(
            (given) => {
              const { entry, startedAtMs } = given.get("web");
              const requests = apis.flatMap(({ sent }) => sent).filter((one) => one.startedAtMs === startedAtMs);
              const isRight =
                entry?.type === String(startedAtMs) &&
                given.ageMs === time.monotonic() - startedAtMs &&
                startedAtMs >= askedAtMs - maxAgeMs &&
                (!wrote || requests.some((one) => !sentBefore.has(one)));
              caller.settled = isRight
                ? "right"
                : `wrong: of ${startedAtMs}, asked at ${askedAtMs}, now ${time.monotonic()}`;
              seen.answers += 1;
              if (startedAtMs < askedAtMs) seen.shared += 1;
            },
            (error: Error) => {
              const isOfLedger = error.message.includes("quota_closed");
              // A caller is never refused by the ledger of another one.
              const isRight = !isOfLedger || error.message.endsWith(`: ${index} ${spent}`);
              caller.settled = isRight ? "right" : `wrong: ${error.message}`;
              if (isOfLedger) seen.refusals += 1;
            },
          );
        };
        for (const one of steps) {
          if (one.kind === "ask") askFor(one);
          else if (one.kind === "pass") await time.advance(one.ms);
          else if (one.kind === "abort") callers[one.index]?.stop.abort(new Error("aborted"));
          else if (one.kind === "ledger") apis[one.api].refuses[one.refuses ? "add" : "delete"](one.class);
          else if (one.kind === "answer") inFlight()[0]?.resolve(dated(inFlight()[0]!));
          else inFlight()[0]?.reject(northflankError("server_error"));
          await settle();
          expect(inFlight().length).toBeLessThanOrEqual(1);
        }
        for (let request = inFlight()[0]; request !== undefined; request = inFlight()[0]) {
          request.resolve(dated(request));
          await settle();
        }
        expect(callers.filter(({ settled }) => settled !== "right")).toEqual([]);
      }),
      { numRuns: 200 },
    );
    // The steps do come to what is claimed.
    expect(Math.min(seen.answers, seen.shared, seen.refusals)).toBeGreaterThan(50);
  });
});
