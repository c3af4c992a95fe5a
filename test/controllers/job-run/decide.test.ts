import { describe, expect, test } from "vitest";
import { decideNoQuota } from "../../../src/controllers/job-run/decide.ts";
import type { RunState } from "../../../src/controllers/job-run/machine.ts";
import { runSituation } from "../../support/run-situation.ts";
import { runIn } from "../../support/runs-in-states.ts";

describe("a spent quota is told of what it holds back", () => {
  const cases: Readonly<Record<RunState, string>> = {
    idle: "a start",
    marked: "a start",
    rejected: "a start",
    between: "a start",
    unresolved: "a search for the run",
    unknown: "a search for the run",
    active: "a read of the run",
    adopted: "a read of the run",
    // Never asked for.
    finished: "a start",
  };
  test.each(Object.entries(cases))("%s: %s", async (state, what) => {
    const story = await runIn(state as RunState);
    story.end();
    const { verdict } = decideNoQuota(runSituation(story.object(), story.clock.now()), 60_000);
    expect(verdict).toMatchObject({ kind: "waiting", reason: "WaitingForQuota" });
    expect(verdict.message).toContain(`does not allow ${what} now`);
  });
});
