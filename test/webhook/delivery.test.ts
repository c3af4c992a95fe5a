import { describe, expect, test } from "vitest";
import { eventIdOf, hintIn } from "../../src/webhook/delivery.ts";

const hint = (body: unknown, headers = {}) =>
  hintIn(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), headers);
const empty = { serviceId: undefined, jobId: undefined, runId: undefined, isAboutRun: false };
const project = { id: "shop", name: "Shop" };

describe("a delivery", () => {
  test("as Northflank prints it names its project and service", () => {
    const data = {
      build: { id: "b-1", branch: "main", pullRequestId: null, status: "PENDING", sha: "abc", concluded: false },
      service: { id: "api", name: "API" },
      project,
      user: { id: "u-1" },
    };
    expect(hint({ event: "build:start", data })).toEqual({ ...empty, projectId: "shop", serviceId: "api" });
  });

  test.each<[string, unknown, object]>([
    ["of a job", { event: "x", data: { project, job: { id: "etl" } } }, { jobId: "etl" }],
    ["with plain ids", { event: "x", data: { projectId: "shop", serviceId: "api" } }, { serviceId: "api" }],
    [
      "of a service and a job",
      { data: { project, service: { id: "api" }, job: { id: "etl" } } },
      { serviceId: "api", jobId: "etl" },
    ],
    [
      "of a run",
      { event: "job-run:success", data: { project, job: { id: "etl" }, run: { id: "r-1" } } },
      { jobId: "etl", runId: "r-1", isAboutRun: true },
    ],
    [
      "of a run, with the prefix",
      { event: "trigger:job-run:start", data: { project, job: { id: "etl" } } },
      { jobId: "etl", isAboutRun: true, isStart: true },
    ],
    [
      "of a run, under another name",
      { event: "job-run:abort", data: { project, jobId: "etl", jobRun: { id: "r-1" } } },
      { jobId: "etl", runId: "r-1", isAboutRun: true },
    ],
    [
      "of an event that there is not yet",
      { event: "moon:rise", data: { project, service: { id: "api" } } },
      { serviceId: "api" },
    ],
    ["whose event is no text", { event: { a: 1 }, data: { project, service: { id: "api" } } }, { serviceId: "api" }],
  ])("%s is a hint", (_, body, want) => {
    expect(hint(body)).toEqual({ ...empty, projectId: "shop", ...want });
  });

  test("that names its event in the header only is about a run all the same", () => {
    const headers = { "x-northflank-notification-integration-event-type": "trigger:job-run:failure" };
    expect(hint({ data: { project, job: { id: "etl" } } }, headers)).toMatchObject({ isAboutRun: true });
  });

  test.each<[string, unknown]>([
    ["no JSON", "event=build:start"],
    ["cut off", '{"event":"build:start","data":{"project":{"id":"sh'],
    ["empty", ""],
    ["null", null],
    ["a list", [1]],
    ["a text", '"build:start"'],
    ["without data", { event: "build:start" }],
    ["without a project", { event: "build:start", data: { service: { id: "api" } } }],
    ["about a project alone", { event: "build:start", data: { project } }],
    ["with an id that is no text", { data: { project, service: { id: 7 } } }],
    ["with an id that is a path", { data: { project: { id: "../x" }, service: { id: "api" } } }],
    ["with an id of 101 characters", { data: { project, service: { id: "a".repeat(101) } } }],
    ["with names of the prototype", { __proto__: { data: 1 }, data: { constructor: project } }],
    ["bytes that are no text", "\u0000\ufffd"],
  ])("that is %s is no hint", (_, body) => {
    expect(hint(body)).toBeUndefined();
  });
});

test.each<[string | undefined, string | undefined]>([
  ["e-1", "e-1"],
  [undefined, undefined],
  ["a".repeat(128), "a".repeat(128)],
  ["a".repeat(129), undefined],
])("the id of an event %j is %j", (id, want) => {
  expect(eventIdOf(id === undefined ? {} : { "x-northflank-notification-integration-event-id": id })).toBe(want);
});
