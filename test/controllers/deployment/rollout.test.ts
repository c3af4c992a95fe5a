import { describe, expect, test } from "vitest";
import type { ChangeRecord } from "../../../src/controllers/deployment/observation.ts";
import { pollPlanOf, tookNews } from "../../../src/controllers/deployment/rollout.ts";
import { serviceTarget } from "../../../src/controllers/deployment/target.ts";
import { deployment, service } from "../../support/builders.ts";

const startMs = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(startMs + seconds * 1_000).toISOString();

const sent: ChangeRecord = {
  specHash: "h",
  generation: 1,
  cause: "SpecChanged",
  phase: "RollingOut",
  time: at(0),
  since: at(0),
};

/** What is recorded of a rollout whose end is read after 100 s, and was after 90 s by Northflank's clock. */
function took(parts: Partial<Parameters<typeof tookNews>[0]> & { readonly endTime?: string } = {}): number | undefined {
  const { endTime = at(90), ...more } = parts;
  const target = serviceTarget(service({ rolloutStatus: "COMPLETED", rolloutTransitionTime: endTime }), undefined);
  const age = { elapsedMs: 100_000, seenMs: 100_000 };
  return tookNews({ change: sent, service: target, progress: "complete", age, ...more }).rolloutSeconds;
}

describe("how long a rollout took is recorded", () => {
  test("by the time that Northflank reports for its end, not by the poll that sees it", () => {
    expect(took()).toBe(90);
    expect(took({ progress: "failed" })).toBe(90);
    expect(took({ change: { ...sent, phase: "TimedOut" } })).toBe(90);
  });

  test("from when a build was over that it waited for", () => {
    expect(took({ begun: at(60) })).toBe(30);
  });

  test.each<[string, Parameters<typeof took>[0]]>([
    ["it is not over", { progress: "rolling" }],
    ["it was complete before", { change: { ...sent, phase: "Complete" } }],
    ["it is not ours", { change: { ...sent, cause: "Adopted" } }],
    ["nothing was sent", { change: undefined }],
    ["it was paused in between", { change: { ...sent, since: at(50) } }],
    ["the end is before the change, as that of the rollout before it", { endTime: at(-10) }],
    ["the end is in the future", { endTime: at(200) }],
    ["the time makes no sense", { endTime: "yesterday" }],
  ])("not where %s", (_, parts) => {
    expect(took(parts)).toBeUndefined();
  });
});

test("polls are planned by the rollouts in the record", () => {
  const changes = [sent, { ...sent, rolloutSeconds: 90 }, { ...sent, rolloutSeconds: 60 }];
  const object = deployment({ status: { observedGeneration: 1, changes } });
  expect(pollPlanOf({ object, pace: undefined })).toEqual({ earlierMs: [90_000, 60_000], pace: undefined });
  expect(pollPlanOf({ object: deployment(), pace: undefined }).earlierMs).toEqual([]);
});
