import { expect, test } from "vitest";
import { runStates } from "../../support/run-states.ts";
import type { RunStatus } from "../../support/runs-in-states.ts";

// The alert about Stalled objects and the dashboard take the runs that have failed off those that are Stalled.

const statuses = Object.values(runStates).flat();

function has(conditions: RunStatus["conditions"], type: string, status: string): boolean {
  return conditions?.some((each) => each.type === type && each.status === status) ?? false;
}

test("a run that ended without success is Stalled", () => {
  const failed = statuses.filter(({ conditions }) => has(conditions, "Succeeded", "False"));
  expect(failed.length).toBeGreaterThan(0);
  for (const { conditions } of failed) expect(has(conditions, "Stalled", "True")).toBe(true);
});

test("a start that a user must decide about is counted by its condition Started", () => {
  expect(runStates.unknown.length).toBeGreaterThan(0);
  for (const { conditions } of runStates.unknown) {
    const started = conditions?.find(({ type }) => type === "Started");
    expect(started).toMatchObject({ status: "Unknown", reason: "StartOutcomeUnknown" });
  }
});
