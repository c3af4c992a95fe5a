import fc from "fast-check";
import { expect, test } from "vitest";
import { resolveStart } from "../../../src/api/names.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import { startModes } from "../../support/fake-runs.ts";
import { RunStory } from "../../support/run-story.ts";

/** What people, the API and the machine do to a run, in any order. */
const events = fc.oneof(
  fc.constantFrom(
    { kind: "restart" },
    { kind: "abort" },
    { kind: "abortTakenBack" },
    { kind: "suspend" },
    { kind: "resume" },
    { kind: "request" },
    { kind: "foreign" },
    { kind: "delete" },
    { kind: "retry" },
    { kind: "fail" },
  ),
  fc.record({ kind: fc.constant("wait"), seconds: fc.integer({ min: 1, max: 120 }) }),
);

const spec = fc.record({
  startGuarantee: fc.constantFrom("AtMostOnce", "AtLeastOnce"),
  deletionPolicy: fc.constantFrom("Orphan", "Abort"),
  backoffLimit: fc.integer({ min: 0, max: 2 }),
});

test("whatever happens in whatever order: no run too many, no broken status, and an end or a name for the wait", async () => {
  await fc.assert(
    fc.asyncProperty(
      spec,
      fc.constantFrom(...startModes),
      fc.array(fc.constantFrom("SUCCESS", "FAILED"), { maxLength: 4 }),
      fc.array(events, { maxLength: 14 }),
      async (given, mode, results, sequence) => {
        const story = new RunStory();
        story.remote.mode = mode;
        story.remote.results.push(...results);
        await story.run(given, 0);
        let retries = 0;
        for (const event of sequence) {
          await story.clock.advance("seconds" in event ? event.seconds * 1_000 : 300);
          if (story.cluster.read("once") === undefined) break;
          if (event.kind === "restart") story.restart();
          if (event.kind === "abort") story.cluster.edit("once", { spec: { abort: true } });
          if (event.kind === "abortTakenBack") story.cluster.edit("once", { spec: { abort: false } });
          if (event.kind === "suspend") story.cluster.edit("once", { spec: { suspend: true } });
          if (event.kind === "resume") story.cluster.edit("once", { spec: { suspend: false } });
          const request = { "northflank-operator.io/reconcile-requested-at": `${story.clock.now()}` };
          if (event.kind === "request") story.cluster.edit("once", { annotations: request });
          if (event.kind === "foreign") story.remote.startForeign();
          if (event.kind === "delete") story.cluster.delete("default/once");
          if (event.kind === "retry") {
            retries += 1;
            story.cluster.edit("once", { annotations: { [resolveStart]: `retry@${retries}` } });
          }
          if (event.kind === "fail") story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
        }
        if (story.cluster.read("once") !== undefined) story.cluster.edit("once", { spec: { suspend: false } });
        await story.clock.advance(25 * 60_000);
        const object = story.cluster.read("once");
        const failures = results.filter((result) => result === "FAILED").length;
        const allowed = 1 + Math.min(failures, given.backoffLimit) + retries;
        if (given.startGuarantee === "AtMostOnce") expect(story.remote.ours.length).toBeLessThanOrEqual(allowed);
        if (object !== undefined) {
          const isNamed = story.condition("Stalled") === "True/StartOutcomeUnknown";
          expect(object.status?.completionTime !== undefined || isNamed).toBe(true);
          expect(object.status?.observedGeneration).toBe(object.metadata.generation);
        }
        expect(story.end()).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});

/** What may go wrong around a run for a while, without being the run's fault. */
const mishaps = fc.record({
  waitSeconds: fc.integer({ min: 1, max: 300 }),
  kind: fc.constantFrom(
    "restart",
    "clockAhead",
    "clockBack",
    "hidden",
    "writesFail",
    "readsFail",
    "abortRefused",
    "touch",
  ),
  lastsSeconds: fc.integer({ min: 1, max: 240 }),
});

test("whatever goes wrong for some minutes: a healthy run is never aborted or lost, an overdue one is aborted in time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(mishaps, { maxLength: 8 }),
      fc.constantFrom(-3_600_000, 0, 3_600_000),
      fc.boolean(),
      fc.boolean(),
      async (sequence, skewMs, sendsDate, isOverdue) => {
        const story = new RunStory();
        const { remote, cluster, clock } = story;
        const isOn = { hidden: 0, writesFail: 0, readsFail: 0, abortRefused: 0 };
        const away = () => new NorthflankError({ code: "server_error", step: "call", detail: "503", sent: true });
        const [read, list, abort] = [remote.read.bind(remote), remote.list.bind(remote), remote.abort.bind(remote)];
        const write = cluster.patchStatus.bind(cluster);
        const aborts: number[] = [];
        remote.read = (runId) => {
          if (isOn.readsFail > 0) throw away();
          return isOn.hidden > 0 ? undefined : read(runId);
        };
        remote.list = (jobId) => {
          if (isOn.readsFail > 0) throw away();
          const answer = list(jobId);
          return isOn.hidden > 0 ? { ...answer, runs: [] } : answer;
        };
        remote.abort = (runId) => {
          aborts.push(clock.monotonic());
          if (isOn.abortRefused > 0) throw away();
          abort(runId);
        };
        cluster.patchStatus = (key, patch) => {
          if (isOn.writesFail > 0) throw new KubeError({ code: "unavailable", step: "write", detail: "503" });
          return write(key, patch);
        };
        remote.skewMs = skewMs;
        remote.sendsDate = sendsDate;
        remote.runMs = isOverdue ? 24 * 3_600_000 : 29 * 60_000;
        await story.run({ activeDeadlineSeconds: 1_800 }, 10_000);
        let wasHidden = false;
        let rightAtMs = Number.NEGATIVE_INFINITY;
        for (const { waitSeconds, kind, lastsSeconds } of sequence) {
          await clock.advance(waitSeconds * 1_000);
          // Hidden for five minutes in all, a run counts as gone, as it should.
          if (kind === "hidden" && wasHidden) continue;
          wasHidden ||= kind === "hidden";
          if (kind === "restart") story.restart();
          else if (kind === "touch") cluster.edit("once", { annotations: { touched: `${clock.monotonic()}` } });
          else if (kind === "clockAhead" || kind === "clockBack") {
            // Where no look falls between two jumps, they are one that lasts longer than a process has to see for itself.
            if (clock.monotonic() < rightAtMs + 70_000) continue;
            const byMs = kind === "clockAhead" ? 3_600_000 : -3_600_000;
            clock.jump(byMs);
            const lastsMs = Math.min(lastsSeconds, 50) * 1_000;
            rightAtMs = clock.monotonic() + lastsMs;
            clock.setTimer(() => clock.jump(-byMs), lastsMs);
          } else {
            isOn[kind] += 1;
            clock.setTimer(() => {
              isOn[kind] -= 1;
            }, lastsSeconds * 1_000);
          }
        }
        await clock.advance(90 * 60_000 - clock.monotonic());
        story.process.failures.splice(0);
        expect(story.end()).toEqual([]);
        expect(remote.posts).toHaveLength(1);
        if (!isOverdue) expect(aborts).toEqual([]);
        expect(story.condition("Ready")).toBe(isOverdue ? "False/DeadlineExceeded" : "True/RunSucceeded");
        if (isOverdue) {
          // Seen from the first start on; a process that is restarted has to look, and to see, once more.
          expect(aborts[0]).toBeGreaterThanOrEqual(1_795_000);
          expect(aborts.length).toBeLessThan(20);
        }
      },
    ),
    { numRuns: 100 },
  );
});
