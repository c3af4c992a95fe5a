import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import { RunStory } from "../../support/run-story.ts";

/* What a refused start tells people to do: the spec of a run cannot be changed, so it must never say so. */

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;
const refusal = (httpStatus: number, code: NorthflankError["code"], detail: string) =>
  new NorthflankError({ code, step: 'start a run of job "train"', detail, httpStatus, sent: true });
const noSource = () => refusal(409, "rejected", 'status 409, "No deployment configured"');

const message = () => story.status().conditions?.find(({ type }) => type === "Ready")?.message ?? "";

describe("a job without an image", () => {
  async function refused(spec: Partial<NorthflankJobRun["spec"]> = {}): Promise<void> {
    story = new RunStory();
    story.remote.refusals.push(...Array.from({ length: 100 }, noSource));
    await story.run(spec, 10_000);
  }

  test("is said to be one, with what to do and when the start is tried again", async () => {
    await refused();
    expect(story.summary()).toMatchObject({ phase: "Pending", Stalled: "True/RequestRejected" });
    expect(story.summary()).toMatchObject({ Accepted: "False/RequestRejected", Started: "False/RequestRejected" });
    expect(message()).toBe(
      'Could not start a run of job "train": status 409, "No deployment configured". The job has no image and no build: give it one of ' +
        "them in Northflank, or create a run that sets spec.deployment. Next check in 1m.",
    );
  });

  test("is tried again ever more rarely, and runs by itself once the job has an image", async () => {
    await refused();
    await story.clock.advance(120 * minute);
    expect(story.remote.posts.length).toBeGreaterThanOrEqual(4);
    expect(story.remote.posts.length).toBeLessThanOrEqual(9);
    story.remote.refusals.length = 0;
    await story.clock.advance(75 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.ours).toEqual(["run-1"]);
  });

  test("is given up when startDeadlineSeconds is over", async () => {
    await refused({ startDeadlineSeconds: 600 });
    await story.clock.advance(15 * minute);
    expect(story.condition("Finished")).toBe("True/StartDeadlineExceeded");
    const sent = story.remote.posts.length;
    await story.clock.advance(120 * minute);
    expect(story.remote.posts).toHaveLength(sent);
  });
});

test.each([
  [409, "rejected", "the job is being deleted"],
  [404, "not_found", "no such job"],
  [422, "rejected", "no plan"],
  [400, "rejected", "bad body"],
] as const)("a start refused with %i says nothing of changing the spec", async (httpStatus, code, detail) => {
  story = new RunStory();
  story.remote.refusals.push(refusal(httpStatus, code, detail));
  await story.run({}, 10_000);
  const texts = [message(), story.status().start?.message ?? "", story.status().failure?.message ?? ""];
  for (const text of texts) expect(text).not.toMatch(/change the spec|point the object/i);
  expect(message()).toMatch(/create a run|make a new object/i);
});

test.each([
  [410, "gone"],
  [418, "rejected"],
  [503, "server_error"],
] as const)("a start answered with %i may have started a run: it is not repeated", async (httpStatus, code) => {
  story = new RunStory();
  story.remote.refusals.push(refusal(httpStatus, code, "no"));
  await story.run({}, 5 * minute);
  expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
  expect(story.remote.posts).toHaveLength(1);
});

describe("what is wrong with the spec of a run", () => {
  const another = "for any other change of the spec, create another run.";

  test("is said with what can be changed", async () => {
    const problem = { field: "spec.jobId", message: "is bad", remedy: "Write another one" };
    story = new RunStory({ validate: () => [problem] });
    await story.run({}, minute);
    expect(story.condition("Ready")).toBe("False/InvalidSpec");
    expect(message()).toContain(another);
  });

  test("is said so of a reference, too, but not of a Secret that may not be read", async () => {
    story = new RunStory();
    await story.run({ runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] as never }, minute);
    expect(story.condition("Ready")).toBe("False/SecretNotFound");
    expect(message()).toContain(another);
    story.cluster.get = () => {
      throw new KubeError({ code: "forbidden", step: "get", detail: "no", httpStatus: 403 });
    };
    await story.clock.advance(5 * minute);
    expect(story.condition("Ready")).toBe("False/PermissionDenied");
    expect(message()).not.toContain(another);
  });
});
