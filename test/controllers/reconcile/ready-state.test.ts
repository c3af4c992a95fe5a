import { describe, expect, test } from "vitest";
import { followUp, type ReadyState, summaryConditions } from "../../../src/controllers/reconcile/ready-state.ts";
import type { Requeue } from "../../../src/controllers/reconcile/requeue.ts";
import type { Condition } from "../../../src/kube/types.ts";
import { mergeConditions } from "../../../src/runtime/conditions.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "../../support/kstatus.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const generation = 2;

function ready(status: Condition["status"], observedGeneration: number): readonly Condition[] {
  const lastTransitionTime = "2025-12-31T00:00:00Z";
  return [{ type: "Ready", status, reason: "Before", message: "Seen before.", lastTransitionTime, observedGeneration }];
}

function objectAfter(options: {
  readonly kind: ReadyState["kind"];
  readonly previous?: readonly Condition[];
  readonly sameDesire?: boolean;
}) {
  const { kind, previous = [], ...rest } = options;
  const readyState: ReadyState = { kind, reason: "TheReason" as never, message: "What was seen." };
  const drafts = summaryConditions({ readyState, next: { kind: "never" }, previous, generation, ...rest });
  const conditions = mergeConditions({ previous, drafts, generation, now });
  return { metadata: { generation }, status: { observedGeneration: generation, conditions } };
}

function summary(object: ReturnType<typeof objectAfter>): string {
  return object.status.conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(" ");
}

const neverReady: Record<ReadyState["kind"], { readonly conditions: string; readonly kstatus: KstatusResult }> = {
  ready: { conditions: "Ready=True/TheReason", kstatus: "Current" },
  progressing: { conditions: "Ready=Unknown/TheReason Reconciling=True/Progressing", kstatus: "InProgress" },
  retrying: { conditions: "Ready=False/TheReason Reconciling=True/ProgressingWithRetry", kstatus: "InProgress" },
  waiting: { conditions: "Ready=Unknown/TheReason Reconciling=True/Progressing", kstatus: "InProgress" },
  stalled: { conditions: "Ready=False/TheReason Stalled=True/TheReason", kstatus: "Failed" },
  suspended: { conditions: "Ready=False/TheReason Suspended=True/Suspended", kstatus: "InProgress" },
};

const wasReady: Record<ReadyState["kind"], { readonly conditions: string; readonly kstatus: KstatusResult }> = {
  ...neverReady,
  waiting: { conditions: "Ready=True/Before", kstatus: "Current" },
  suspended: { conditions: "Ready=True/Before Suspended=True/Suspended", kstatus: "Current" },
};

const kinds = Object.keys(neverReady) as readonly ReadyState["kind"][];

describe.each(kinds)("a verdict of kind %s", (kind) => {
  test("reads as it should when the object was never ready", () => {
    const object = objectAfter({ kind });
    expect({ conditions: summary(object), kstatus: kstatusOf(object) }).toEqual(neverReady[kind]);
  });

  test("reads as it should when the object was ready for this spec", () => {
    const object = objectAfter({ kind, previous: ready("True", generation) });
    expect({ conditions: summary(object), kstatus: kstatusOf(object) }).toEqual(wasReady[kind]);
  });

  test("does not keep a Ready that was judged for an older spec", () => {
    const object = objectAfter({ kind, previous: ready("True", generation - 1) });
    expect({ conditions: summary(object), kstatus: kstatusOf(object) }).toEqual(neverReady[kind]);
  });

  test("keeps a Ready of an older generation when the caller says that the desire is the same", () => {
    const object = objectAfter({ kind, previous: ready("True", generation - 1), sameDesire: true });
    expect(summary(object)).toBe(wasReady[kind].conditions);
  });

  test("drops a Ready of this generation when the caller says that the desire is another one", () => {
    const object = objectAfter({ kind, previous: ready("True", generation), sameDesire: false });
    expect(summary(object)).toBe(neverReady[kind].conditions);
  });

  test.each([[], ready("True", generation), ready("False", generation), ready("Unknown", generation - 1)])(
    "keeps every promise of a status, whatever was before (%#)",
    (...previous) => {
      const object = objectAfter({ kind, previous });
      expect(brokenPromises(object)).toEqual([]);
    },
  );
});

describe("a message has at most three sentences", () => {
  const broken = (message: string) => {
    const { status, metadata } = objectAfter({ kind: "stalled" });
    const conditions = (status?.conditions ?? []).map((condition) => ({ ...condition, message }));
    return brokenPromises({ metadata, status: { ...status, conditions } });
  };

  test.each([
    "It is. Fix it. No retry until the object changes.",
    'Northflank has ghcr.io/acme/api:1.2. See https://app.northflank.com/s. It said "No. Not now. Later." Next check in 1h.',
    "Northflank began no rollout (it said: Wait. Then wait.). See its log. Next check in 1h.",
  ])("%s", (message) => {
    expect(broken(message)).toEqual([]);
  });

  test.each([
    "It is. Fix it. It waits. No retry until the object changes.",
    'It is. Fix "it". It waits (for a day). Next check in 1h.',
  ])("not: %s", (message) => {
    expect(broken(message)).toEqual(["a message has at most three sentences"]);
  });
});

describe("the reading of kstatus", () => {
  const reconciling = {
    type: "Reconciling",
    status: "True",
    reason: "R",
    message: "m",
    lastTransitionTime: "",
  } as const;
  const stalled = { ...reconciling, type: "Stalled" } as const;
  const cases: Readonly<Record<string, readonly [Parameters<typeof kstatusOf>[0], KstatusResult]>> = {
    "no status at all is Current: the trap": [{ metadata: { generation: 1 } }, "Current"],
    "the default status of a fresh object is InProgress": [
      { metadata: { generation: 1 }, status: { observedGeneration: -1 } },
      "InProgress",
    ],
    "a new generation that is not acknowledged is InProgress, Ready or not": [
      { metadata: { generation: 2 }, status: { observedGeneration: 1, conditions: ready("True", 1) } },
      "InProgress",
    ],
    "the first of Reconciling and Stalled decides": [
      { metadata: { generation: 1 }, status: { observedGeneration: 1, conditions: [stalled, reconciling] } },
      "Failed",
    ],
    "in the other order it is InProgress": [
      { metadata: { generation: 1 }, status: { observedGeneration: 1, conditions: [reconciling, stalled] } },
      "InProgress",
    ],
    "Ready=False alone is InProgress, never Failed": [
      { metadata: { generation: 1 }, status: { observedGeneration: 1, conditions: ready("False", 1) } },
      "InProgress",
    ],
    "deletion comes first": [
      { metadata: { generation: 1, deletionTimestamp: "2026-01-01T00:00:00Z" }, status: { observedGeneration: 1 } },
      "Terminating",
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [object, expected]) => {
    expect(kstatusOf(object)).toBe(expected);
  });
});

const pause = { kind: "recheck", afterMs: 61_234 } as const;

test.each<readonly [ReadyState["kind"], Requeue, string | undefined]>([
  ["stalled", { kind: "never" }, "No retry until the object changes."],
  ["stalled", { ...pause, pause: { inMs: 3_600_000 } }, "Next check in 1h."],
  ["stalled", { ...pause, pause: { withinMs: 60_000 } }, "Next check within 1m."],
  ["stalled", { ...pause, pause: { everyMs: [60_000, 3_600_000] } }, "Polled every 1m to 1h."],
  ["stalled", pause, undefined],
  ["retrying", { kind: "backoff", notBeforeMs: 5_000 }, "Retrying with back-off."],
  ["retrying", { ...pause, pause: { withinMs: 60_000 } }, "Retrying within 1m."],
  ["waiting", { ...pause, pause: { inMs: 720_000 } }, "Retrying in 12m."],
  ["waiting", { kind: "never" }, undefined],
  ["progressing", { ...pause, pause: { everyMs: [10_000, 60_000] } }, "Polled every 10s to 1m."],
  ["progressing", { kind: "never" }, undefined],
  ["ready", { ...pause, pause: { inMs: 3_600_000 } }, undefined],
  ["ready", { kind: "never" }, undefined],
  ["suspended", { kind: "never" }, undefined],
])("what is %s and goes on with %j is told to %s", (kind, next, sentence) => {
  expect(followUp(kind, next)).toBe(sentence);
});

test("only conditions say what happens next, each of the summary the same", () => {
  const readyState: ReadyState = { kind: "stalled", reason: "TheReason" as never, message: "What was seen." };
  const drafts = summaryConditions({ readyState, next: { kind: "never" }, previous: [], generation });
  const message = "What was seen. No retry until the object changes.";
  expect(drafts.map((draft) => draft.message)).toEqual([message, message]);
  expect(readyState.message).toBe("What was seen.");
});
