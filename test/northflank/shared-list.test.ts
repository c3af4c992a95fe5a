import { describe, expect, test } from "vitest";
import {
  asked,
  believedOf,
  jobRuns,
  type Listing,
  type ListState,
  longestLagMs,
  payerOf,
  projectItems,
  suffices,
  takeIn,
  unreadList,
  withRead,
} from "../../src/northflank/shared-list.ts";
import type { JobRunView, ProjectItem, RequestClass } from "../../src/northflank/types.ts";

const item = (id: string, more: Partial<ProjectItem> = {}): ProjectItem => ({ id, type: "deployment", ...more });
const at = (second: number, more: Partial<ProjectItem> = {}) =>
  item("web", { uid: "u", rolloutTransitionTime: `2026-01-01T00:00:0${second}Z`, ...more });

function listing(startedAtMs: number, items: readonly ProjectItem[], isComplete = true): Listing<ProjectItem> {
  const entries = new Map(items.map((one) => [one.id, one]));
  return { startedAtMs, receivedAtMs: startedAtMs + 10, entries, isComplete, serverTimeMs: undefined };
}

/** The state after these lists. */
function afterLists(...listings: readonly Listing<ProjectItem>[]): ListState<ProjectItem> {
  return listings.reduce<ListState<ProjectItem>>(takeIn, unreadList());
}

describe("an answer suffices", () => {
  test.each<[string, number, Omit<Parameters<typeof suffices>[1], "askedAtMs">, boolean]>([
    ["as old as the caller can use", 900, { maxAgeMs: 100 }, true],
    ["older", 899, { maxAgeMs: 100 }, false],
    ["requested after the write", 951, { maxAgeMs: 100, notBeforeMs: 950 }, true],
    ["requested in the instant of the write, which may be before it", 950, { maxAgeMs: 100, notBeforeMs: 950 }, false],
    ["requested before the write", 949, { maxAgeMs: 100, notBeforeMs: 950 }, false],
    ["after the write, and too old", 899, { maxAgeMs: 100, notBeforeMs: 800 }, false],
    [
      "of this very instant, for a caller that can use none that is older than its question",
      1_000,
      { maxAgeMs: 0 },
      false,
    ],
  ])("%s: of %i, asked at 1000", (_what, startedAtMs, need, expected) => {
    expect(suffices(startedAtMs, { askedAtMs: 1_000, ...need })).toBe(expected);
  });
});

test("what is known is kept for twice the age that its callers can use, counted from the latest of them", () => {
  const state = asked(asked(unreadList(), { askedAtMs: 100, maxAgeMs: 1_000 }), { askedAtMs: 200, maxAgeMs: 10 });
  expect(state.keptUntilMs).toBe(2_100);
});

describe("an entry that was read alone", () => {
  const older = at(1, { rolloutStatus: "IN_PROGRESS" });
  const newer = at(5, { rolloutStatus: "COMPLETED" });
  const believed = (list: Listing<ProjectItem>, read: { startedAtMs: number; entry: ProjectItem | undefined }) =>
    believedOf(takeIn(withRead(afterLists(listing(0, [])), { id: "web", ...read }), list), "web", projectItems);

  test.each<[string, Listing<ProjectItem>, { startedAtMs: number; entry: ProjectItem | undefined }, "list" | "read"]>([
    ["a list from before the read", listing(1_000, [newer]), { startedAtMs: 1_001, entry: older }, "read"],
    ["one that started together with it", listing(1_000, [newer]), { startedAtMs: 1_000, entry: older }, "read"],
    ["a later list that shows what came before", listing(1_001, [older]), { startedAtMs: 1_000, entry: newer }, "read"],
    ["a later list that shows what came after", listing(1_001, [newer]), { startedAtMs: 1_000, entry: older }, "list"],
    ["a later list that lacks it", listing(1_001, []), { startedAtMs: 1_000, entry: newer }, "list"],
    [
      "an earlier list that has what was not there",
      listing(1_000, [newer]),
      { startedAtMs: 1_001, entry: undefined },
      "read",
    ],
    [
      "a later list that has what was not there",
      listing(1_001, [newer]),
      { startedAtMs: 1_000, entry: undefined },
      "list",
    ],
    [
      "a later list with another service of that id",
      listing(1_001, [at(1, { uid: "v" })]),
      { startedAtMs: 1_000, entry: newer },
      "list",
    ],
    [
      "a list that would lag for two minutes",
      listing(1_000 + longestLagMs, [older]),
      { startedAtMs: 1_000, entry: newer },
      "read",
    ],
    [
      "a list that would lag for longer",
      listing(1_001 + longestLagMs, [older]),
      { startedAtMs: 1_000, entry: newer },
      "list",
    ],
  ])("against %s: the %s is not what decides", (_what, list, read, expected) => {
    const listed = { entry: list.entries.get("web"), startedAtMs: list.startedAtMs };
    expect(believed(list, read)).toEqual(expected === "read" ? read : listed);
  });

  test("overrules a second list that lags, after one that did not", () => {
    let state = afterLists(listing(0, [older]));
    state = withRead(state, { id: "web", startedAtMs: 100, entry: newer });
    for (const list of [listing(200, [newer]), listing(300, [older])]) state = takeIn(state, list);
    expect(believedOf(state, "web", projectItems)?.entry).toBe(newer);
  });

  test("is not replaced by an older read that is answered later", () => {
    const state = withRead(withRead(afterLists(listing(0, [])), { id: "web", startedAtMs: 9, entry: newer }), {
      id: "web",
      startedAtMs: 8,
      entry: older,
    });
    expect(believedOf(state, "web", projectItems)).toEqual({ startedAtMs: 9, entry: newer });
  });

  test("is forgotten once no list may lag behind it", () => {
    const read = withRead(afterLists(listing(0, [])), { id: "web", startedAtMs: 100, entry: newer });
    const state = takeIn(read, listing(101 + longestLagMs, [newer]));
    expect(state.reads.size).toBe(0);
  });
});

test("a run that was read as over is not active again in a list that lags", () => {
  const run = (concluded: boolean): JobRunView => ({
    id: "r",
    runName: undefined,
    status: concluded ? "SUCCESS" : "RUNNING",
    concluded,
    startedAt: undefined,
    concludedAt: undefined,
  });
  const list = { startedAtMs: 200, receivedAtMs: 210, isComplete: true, serverTimeMs: undefined };
  const read = withRead(unreadList<JobRunView>(), { id: "r", startedAtMs: 100, entry: run(true) });
  const lagging = takeIn(read, { ...list, entries: new Map([["r", run(false)]]) });
  expect(believedOf(lagging, "r", jobRuns)?.entry?.concluded).toBe(true);
  const stillActive = withRead(unreadList<JobRunView>(), { id: "r", startedAtMs: 100, entry: run(false) });
  const over = takeIn(stillActive, { ...list, entries: new Map([["r", run(true)]]) });
  expect(believedOf(over, "r", jobRuns)?.entry?.concluded).toBe(true);
});

describe("a request is paid by", () => {
  const [one, other] = [{}, {}];
  const of = (requestClass: RequestClass, api: object = one) => ({ class: requestClass, api });
  test.each<[string, readonly ReturnType<typeof of>[], readonly ReturnType<typeof of>[], number | undefined]>([
    ["the most urgent caller", [of("observe"), of("change"), of("run")], [], 1],
    ["the first of the most urgent ones", [of("observe"), of("run"), of("run", other)], [], 1],
    ["the next class once the ledger refused the first", [of("observe"), of("run")], [of("run")], 0],
    ["another connection of that class", [of("run"), of("run"), of("run", other)], [of("run")], 2],
    ["no caller once each was refused", [of("run"), of("run")], [of("run")], undefined],
    ["no caller where none waits", [], [], undefined],
  ])("%s", (_what, waiting, refused, expected) => {
    expect(payerOf(waiting, refused)).toBe(expected === undefined ? undefined : waiting[expected]);
  });
});
