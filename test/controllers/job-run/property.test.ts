import fc from "fast-check";
import { expect, test } from "vitest";
import { resolveStart } from "../../../src/api/names.ts";
import { startModes } from "../../support/run-remote.ts";
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
