import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { createValidator } from "../../src/api/validate.ts";
import type { AccountResolution } from "../../src/controllers/account/accounts.ts";
import { deployment, service } from "../support/builders.ts";
import { DeploymentScene } from "../support/deployment-scene.ts";
import { recordingApi } from "../support/recording-transport.ts";
import { RunStory } from "../support/run-story.ts";
import { type Hostile, hostile } from "./hostile.ts";

// An API server whose CRDs are older, or were edited, lets in what the schema refuses. The reconcilers judge again, and
// nothing of it leaves the machine.

const validator = createValidator();

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly refused: string | undefined;
}

const cases = Object.entries(hostile).flatMap(([group, table]) =>
  Object.entries(table).map(([name, row]) => caseOf(`${group}: ${name}`, row)),
);

function caseOf(name: string, { text, refused }: Hostile): Case {
  const { kind, spec } = JSON.parse(text) as Pick<Case, "kind" | "spec">;
  return { name, kind, spec, refused };
}

/** A field that is not known is dropped by the API server before a reconciler sees it, and one that is missing is there. */
function reaches({ refused = "" }: Case): boolean {
  return !refused.endsWith(" unknown-field") && !refused.endsWith(" required");
}

/** Longest message of a condition that is written. */
const longestMessage = 4_096;

describe("a NorthflankDeployment with", () => {
  const mine = cases.filter((one) => one.kind === "NorthflankDeployment" && reaches(one));

  test.each(mine.filter(({ refused }) => refused !== undefined))(
    "$name is InvalidSpec, and nothing is asked or sent",
    async ({ spec, refused = "" }) => {
      const scene = new DeploymentScene();
      scene.northflank.has(service());
      scene.has(deployment({ spec: spec as Partial<NorthflankDeployment["spec"]> }));
      const outcome = await scene.pass();
      expect(outcome.kind).not.toBe("retry");
      expect(scene.northflank.takeCalls()).toEqual([]);
      expect(scene.state()).toContain("Stalled=True/InvalidSpec");
      expect(scene.kstatus()).toBe("Failed");
      expectReadable(scene.message(), refused);
    },
  );

  test.each(mine.filter(({ refused }) => refused === undefined))("$name is carried out", async ({ spec }) => {
    const scene = new DeploymentScene();
    scene.northflank.has(service());
    scene.has(deployment({ spec: spec as Partial<NorthflankDeployment["spec"]> }));
    await scene.pass();
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toHaveLength(1);
  });
});

describe("a NorthflankJobRun with", () => {
  const mine = cases.filter((one) => one.kind === "NorthflankJobRun" && reaches(one));
  let story: RunStory;
  let wire: ReturnType<typeof recordingApi>;

  beforeEach(() => {
    // One account for the whole story: another one each time would be a new connection each time.
    let account: AccountResolution | undefined;
    story = new RunStory({
      validate: ({ spec }) => validator.validateSpec("NorthflankJobRun", spec),
      account: () => account,
    });
    wire = recordingApi({
      clock: story.clock,
      answer: ({ method }) => ({ status: 200, body: { data: method === "POST" ? { id: "run-1" } : { runs: [] } } }),
    });
    account = {
      kind: "usable",
      account: { api: wire.api, pool: "acme", address: "https://api.northflank.com", version: "1" },
    };
  });
  afterEach(() => expect(story.end()).toEqual([]));

  test.each(mine.filter(({ refused }) => refused !== undefined))(
    "$name is InvalidSpec, and nothing is asked or sent",
    async ({ spec, refused = "" }) => {
      await story.run(spec as Partial<NorthflankJobRun["spec"]>, 1_000);
      expect(wire.sent).toEqual([]);
      expect(story.condition("Ready")).toBe("False/InvalidSpec");
      const message = story.status().conditions?.find(({ type }) => type === "Ready")?.message ?? "";
      expectReadable(message, refused);
    },
  );

  test.each(mine.filter(({ refused }) => refused === undefined))(
    "$name is started with just that",
    async ({ spec }) => {
      await story.run(spec as Partial<NorthflankJobRun["spec"]>, 1_000);
      const posts = wire.sent.filter(({ method }) => method === "POST");
      const { projectId: _, jobId: __, allowReferences: ___, ...body } = spec;
      expect(posts.map((post) => post.body)).toEqual([JSON.stringify(body)]);
      expect(Reflect.get({}, "polluted")).toBeUndefined();
    },
  );
});

/** Names the field, is short, and holds nothing that moves a cursor. */
function expectReadable(message: string, refused: string): void {
  expect(message).toContain(refused.split(" ")[0]);
  expect(message.length).toBeLessThanOrEqual(longestMessage);
  expect(message).not.toMatch(/\p{Cc}/u);
}
