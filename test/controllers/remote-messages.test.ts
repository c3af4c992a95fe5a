import { describe, expect, test } from "vitest";
import { withTokenCheck } from "../../src/controllers/account/auth-tracking-api.ts";
import { jobRouteGoneMessage, unsupportedConclusion } from "../../src/controllers/deployment/preconditions.ts";
import { decideAbortRefused } from "../../src/controllers/job-run/abort.ts";
import { decideFailed, decideStarted } from "../../src/controllers/job-run/decide.ts";
import { type ReadyState, summaryConditions } from "../../src/controllers/reconcile/ready-state.ts";
import { judgeRemoteError } from "../../src/controllers/reconcile/remote-error.ts";
import type { Requeue } from "../../src/controllers/reconcile/requeue.ts";
import type { NorthflankApi } from "../../src/northflank/client.ts";
import type { NorthflankError } from "../../src/northflank/errors.ts";
import { mergeConditions } from "../../src/runtime/conditions.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { brokenPromises } from "../support/kstatus.ts";
import { remoteError, remoteMessages } from "../support/remote-messages.ts";
import { runSituation } from "../support/run-situation.ts";
import { runIn } from "../support/runs-in-states.ts";

/* Whatever Northflank says is one clause of a message: a condition stays within its three sentences. */

interface Concluded {
  readonly readyState: ReadyState;
  readonly next: Requeue;
}

const random = () => 0.5;
const statuses = [400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503];

function promisesBrokenBy({ readyState, next }: Concluded): readonly string[] {
  const drafts = summaryConditions({ readyState, next, previous: undefined, generation: 1 });
  const conditions = mergeConditions({ previous: [], drafts, generation: 1, now: 0 });
  return brokenPromises({ metadata: { generation: 1 }, status: { observedGeneration: 1, conditions } });
}

function expectPromisesKept(conclude: (error: NorthflankError) => Concluded | undefined): void {
  for (const message of remoteMessages) {
    for (const status of statuses) {
      const concluded = conclude(remoteError(status, message));
      if (concluded === undefined) throw new Error(`nothing is concluded of ${status}`);
      expect(promisesBrokenBy(concluded), concluded.readyState.message).toEqual([]);
    }
  }
}

describe("a condition that cites Northflank has at most three sentences", () => {
  test("for a call of any kind", () => {
    expectPromisesKept((error) => judgeRemoteError({ error, failures: 0, random }));
  });

  test("for a call that a job as a target needs", () => {
    expectPromisesKept((error) => unsupportedConclusion(jobRouteGoneMessage(error)));
  });

  test("for a start of a run", async () => {
    const story = await runIn("idle");
    story.end();
    const situation = runSituation(story.object(), story.clock.now());
    const start = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } as const;
    for (const kind of ["refused", "unknown"] as const) {
      expectPromisesKept((error) => decideStarted(situation, { kind: "answered", start, result: { kind, error } }, 0));
    }
  });

  test("for a poll and an abort of a run", async () => {
    const story = await runIn("active");
    story.end();
    const situation = runSituation(story.object(), story.clock.now());
    expectPromisesKept((error) => decideFailed(situation, error));
    expectPromisesKept((error) => decideAbortRefused(situation, decideFailed(situation, error), { error, count: 1 }));
  });

  test.each([undefined, 401, 500])("for a bare 401, where GET /v1/auth gets %j", async (checkStatus) => {
    for (const message of remoteMessages) {
      const bare = remoteError(403, message);
      const unauthorized = Object.assign(bare, { code: "unauthorized", denial: undefined });
      const failing = async () => await Promise.reject(unauthorized);
      const whoAmI = async () =>
        checkStatus === undefined ? { id: "t" } : await Promise.reject(remoteError(checkStatus, message));
      const api = { getService: failing, whoAmI } as unknown as NorthflankApi;
      const call = withTokenCheck(api, new FakeClock()).getService(
        { projectId: "p", serviceId: "s" },
        { class: "change", signal: new AbortController().signal },
      );
      const error = await call.then(
        () => undefined,
        (thrown: NorthflankError) => thrown,
      );
      if (error === undefined) throw new Error("the call did not fail");
      const judged = judgeRemoteError({ error, failures: 0, random });
      expect(promisesBrokenBy(judged), judged.readyState.message).toEqual([]);
    }
  });
});
