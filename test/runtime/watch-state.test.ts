import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type FailureCause,
  initialWatchState,
  stepWatch,
  type WatchEffect,
  type WatchInput,
  type WatchState,
} from "../../src/runtime/watch-state.ts";

type Name = WatchState["kind"];
type InputName = Exclude<WatchInput["kind"], "failed"> | FailureCause;

const memory = { failures: 0, canStream: true, hasExpired: false };

const watching = { ...memory, kind: "watching", resourceVersion: "5", hasProgressed: false, quiets: 0 } as const;

const states: Readonly<Record<Name, WatchState>> = {
  idle: { ...memory, kind: "idle" },
  streaming: { ...memory, kind: "streaming" },
  paging: { ...memory, kind: "paging" },
  watching,
  waiting: { ...memory, failures: 1, kind: "waiting", next: { resourceVersion: "5" } },
};

const inputs: Readonly<Record<InputName, WatchInput>> = {
  start: { kind: "start" },
  listed: { kind: "listed", resourceVersion: "7" },
  complete: { kind: "complete", resourceVersion: "7" },
  progressed: { kind: "progressed", resourceVersion: "7" },
  ended: { kind: "ended", lastedMs: 4_999 },
  quiet: { kind: "quiet" },
  waited: { kind: "waited" },
  doubted: { kind: "doubted" },
  stop: { kind: "stop" },
  expired: { kind: "failed", cause: "expired" },
  ahead: { kind: "failed", cause: "ahead", retryAfterMs: 1_000 },
  absent: { kind: "failed", cause: "absent" },
  refused: { kind: "failed", cause: "refused" },
  silent: { kind: "failed", cause: "silent" },
  broken: { kind: "failed", cause: "broken" },
};

/** What a step does, in words: effects in order, then the state it ends in. `-` is: nothing at all. */
function describeStep(from: WatchState, input: WatchInput): string {
  const { state, effects } = stepWatch(from, input);
  if (state === from && effects.length === 0) return "-";
  return [...effects.map(describeEffect), describeState(state)].join(", ");
}

function describeState(state: WatchState): string {
  const trouble = state.failures > 0 ? ` !${state.failures}` : "";
  const pagesOnly = state.canStream ? "" : " pages only";
  switch (state.kind) {
    case "watching":
      return `watching@${state.resourceVersion}${state.hasProgressed ? "+" : ""}${trouble}${pagesOnly}`;
    case "waiting":
      return `waiting to ${state.next === "list" ? "list" : `watch@${state.next.resourceVersion}`}${trouble}${pagesOnly}`;
    default:
      return `${state.kind}${trouble}${pagesOnly}`;
  }
}

function describeEffect(effect: WatchEffect): string {
  switch (effect.kind) {
    case "send":
      if (effect.request.kind === "watch") return `watch@${effect.request.resourceVersion}`;
      if (effect.request.kind === "stream") return "stream";
      return effect.request.continueToken === undefined ? "page" : `page ${effect.request.continueToken}`;
    case "swap":
      return `swap@${effect.resourceVersion}`;
    case "wait":
      return effect.atLeastMs > 0 ? `wait ${effect.failures} >=${effect.atLeastMs}` : `wait ${effect.failures}`;
    default:
      return effect.kind;
  }
}

const table: Readonly<Record<Name, Readonly<Record<InputName, string>>>> = {
  idle: {
    start: "stream, streaming",
    listed: "-",
    complete: "-",
    progressed: "-",
    ended: "-",
    quiet: "-",
    waited: "-",
    doubted: "-",
    stop: "-",
    expired: "-",
    ahead: "-",
    absent: "-",
    refused: "-",
    silent: "-",
    broken: "-",
  },
  streaming: {
    start: "-",
    listed: "-",
    complete: "swap@7, watching@7",
    progressed: "page, paging pages only",
    ended: "wait 1, waiting to list !1",
    quiet: "-",
    waited: "-",
    doubted: "-",
    stop: "cancel, idle",
    expired: "stream, streaming !1",
    ahead: "wait 1 >=1000, waiting to list !1",
    absent: "clear, wait 1, waiting to list !1",
    refused: "page, paging pages only",
    silent: "page, paging !1",
    broken: "wait 1, waiting to list !1",
  },
  paging: {
    start: "-",
    listed: "swap@7, watch@7, watching@7",
    complete: "-",
    progressed: "-",
    ended: "-",
    quiet: "-",
    waited: "-",
    doubted: "-",
    stop: "cancel, idle",
    expired: "stream, streaming !1",
    ahead: "wait 1 >=1000, waiting to list !1",
    absent: "clear, wait 1, waiting to list !1",
    refused: "wait 1, waiting to list !1",
    silent: "wait 1, waiting to list !1",
    broken: "wait 1, waiting to list !1",
  },
  watching: {
    start: "-",
    listed: "-",
    complete: "watching@7+",
    progressed: "watching@7+",
    ended: "wait 1, waiting to watch@5 !1",
    quiet: "watch@5, watching@5",
    waited: "-",
    doubted: "stream, streaming",
    stop: "cancel, idle",
    expired: "stream, streaming !1",
    ahead: "wait 1 >=1000, waiting to list !1",
    absent: "clear, wait 1, waiting to list !1",
    refused: "wait 1, waiting to list !1",
    silent: "watch@5, watching@5 !1",
    broken: "wait 1, waiting to watch@5 !1",
  },
  waiting: {
    start: "-",
    listed: "-",
    complete: "-",
    progressed: "-",
    ended: "-",
    quiet: "-",
    waited: "watch@5, watching@5 !1",
    doubted: "waiting to list !1",
    stop: "cancel, idle !1",
    expired: "-",
    ahead: "-",
    absent: "-",
    refused: "-",
    silent: "-",
    broken: "-",
  },
};

describe.each(Object.keys(states) as Name[])("%s", (name) => {
  test.each(Object.keys(inputs) as InputName[])("on %s", (input) => {
    expect(describeStep(states[name], inputs[input])).toBe(table[name][input]);
  });
});

describe("beyond the table", () => {
  test.each([
    [
      "a further page",
      { ...states.paging },
      { kind: "listed", resourceVersion: "7", continueToken: "t" },
      "page t, paging",
    ],
    [
      "a stream that ends after it has brought something is reopened at once",
      { ...states.watching, hasProgressed: true },
      inputs.ended,
      "watch@5, watching@5",
    ],
    ["so is one that was quiet for 5 s", states.watching, { kind: "ended", lastedMs: 5_000 }, "watch@5, watching@5"],
    ["progress forgets failures", { ...states.watching, failures: 4 }, inputs.progressed, "watching@7+"],
    [
      "and a former 410",
      stepWatch({ ...states.watching, hasExpired: true }, inputs.progressed).state,
      inputs.expired,
      "stream, streaming !1",
    ],
    [
      "quiet forgets failures and a former 410: a watch that lived so long is well",
      { ...states.watching, failures: 3, hasExpired: true },
      inputs.quiet,
      "watch@5, watching@5",
    ],
    ["the second quiet in a row compares", { ...watching, quiets: 1 }, inputs.quiet, "watch@5, compare, watching@5"],
    ["the third does not", { ...watching, quiets: 2 }, inputs.quiet, "watch@5, watching@5"],
    ["the sixth does again", { ...watching, quiets: 5 }, inputs.quiet, "watch@5, compare, watching@5"],
    [
      "an event in between begins the count anew",
      stepWatch({ ...watching, quiets: 1 }, inputs.progressed).state,
      inputs.quiet,
      "watch@7, watching@7",
    ],
    ["a second silence lists", { ...states.watching, failures: 1 }, inputs.silent, "page, paging !2"],
    [
      "a second 410 waits",
      { ...states.watching, failures: 1, hasExpired: true },
      inputs.expired,
      "wait 2, waiting to list !2",
    ],
    ["the first 410 after an outage does not", { ...states.watching, failures: 4 }, inputs.expired, "page, paging !5"],
    [
      "after two failures pages are tried",
      { ...states.waiting, next: "list", failures: 2 },
      inputs.waited,
      "page, paging !2",
    ],
    [
      "after one a stream again",
      { ...states.waiting, next: "list", failures: 1 },
      inputs.waited,
      "stream, streaming !1",
    ],
    [
      "a server that refused streams is not asked again",
      { ...states.idle, canStream: false },
      inputs.start,
      "page, paging pages only",
    ],
    [
      "what the server asks for is waited for",
      states.watching,
      { kind: "failed", cause: "broken", retryAfterMs: 7_000 },
      "wait 1 >=7000, waiting to watch@5 !1",
    ],
  ] as readonly (readonly [string, WatchState, WatchInput, string])[])("%s", (_, state, input, expected) => {
    expect(describeStep(state, input)).toBe(expected);
  });
});

test("whatever happens: one request or wait at a time, a swap only of a whole list, and no waiting without a wake-up", () => {
  const input = fc.oneof(
    ...Object.values(inputs).map((one) => fc.constant(one)),
    fc.constant<WatchInput>({ kind: "listed", resourceVersion: "9", continueToken: "t" }),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 50 }), (sequence) => {
      let state: WatchState = initialWatchState;
      for (const one of sequence) {
        const before = state;
        const step = stepWatch(state, one);
        state = step.state;
        const under = step.effects.filter(({ kind }) => kind === "send" || kind === "wait" || kind === "cancel");
        expect(under.length).toBeLessThanOrEqual(1);
        if (step.effects.some(({ kind }) => kind === "swap")) expect(["streaming", "paging"]).toContain(before.kind);
        if (state.kind === "waiting" && before.kind !== "waiting") expect(under[0]?.kind).toBe("wait");
        if (before.kind !== "idle" && state.kind === "idle") expect(under[0]?.kind).toBe("cancel");
        if (state.kind !== before.kind && state.kind === "paging") expect(under[0]?.kind).toBe("send");
      }
    }),
  );
});
