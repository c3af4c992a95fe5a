import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reasons } from "../../../src/api/reasons.ts";
import { finish } from "../../../src/controllers/job-run/ends.ts";
import { unchanged } from "../../../src/controllers/job-run/result.ts";
import { statusOf } from "../../../src/controllers/job-run/status.ts";
import { isSameStatus, plainMessage, withDocsAddress } from "../../../src/controllers/reconcile/docs-address.ts";
import type { Condition } from "../../../src/kube/types.ts";
import { jobObject, metadata, runDefaults } from "../../support/builders.ts";
import { JobScene } from "../../support/job-scene.ts";

const page = "https://docs.example.com/runbook";
const longestPage = `https://docs.example.com/${"a".repeat(231)}`;

function stalled(message: string, reason = "InvalidSpec"): { readonly conditions: readonly Condition[] } {
  const common = { observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z", reason, message };
  return {
    conditions: [
      { ...common, type: "Ready", status: "False" },
      { ...common, type: "Stalled", status: "True" },
    ],
  };
}

function messageIn(status: { readonly conditions?: readonly Condition[] } | undefined, type = "Stalled"): string {
  return status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
}

describe("the address of a reason", () => {
  test("ends the message of Stalled, and no other one", () => {
    const status = withDocsAddress(stalled("spec.jobId is missing."), page);
    expect(status.conditions.map(({ message }) => message)).toEqual([
      "spec.jobId is missing.",
      "spec.jobId is missing. See https://docs.example.com/runbook#invalidspec.",
    ]);
  });

  test.each(reasons)("of %s is read back as what was decided, in fewer than 300 characters", (reason) => {
    const message = "It is wrong. See https://example.com for the rule.";
    const added = messageIn(withDocsAddress(stalled(message, reason), longestPage));
    expect(plainMessage(added)).toBe(message);
    expect(added.length - message.length).toBeLessThan(300);
  });

  test("is added once, and follows the flag", () => {
    const once = withDocsAddress(stalled("Wrong."), page);
    expect(withDocsAddress(once, page)).toBe(once);
    expect(messageIn(withDocsAddress(once, "https://other.example"))).toBe(
      "Wrong. See https://other.example#invalidspec.",
    );
    expect(withDocsAddress(once, undefined)).toEqual(stalled("Wrong."));
  });

  test("is not added without the flag, nor where nothing is Stalled", () => {
    const bare = stalled("Wrong.");
    expect(withDocsAddress(bare, undefined)).toBe(bare);
    const ready = { conditions: bare.conditions.slice(0, 1) };
    expect(withDocsAddress(ready, page)).toBe(ready);
    const none = { phase: "x" };
    expect(withDocsAddress(none, page)).toBe(none);
  });

  test("is no difference between two statuses; anything else is", () => {
    const plain = stalled("Wrong.");
    expect(isSameStatus(plain, withDocsAddress(plain, page))).toBe(true);
    expect(isSameStatus(plain, withDocsAddress(stalled("Other."), page))).toBe(false);
    expect(isSameStatus(plain, { ...withDocsAddress(plain, page), phase: "x" })).toBe(false);
  });
});

describe("a job that stays Stalled", () => {
  async function settled(docsUrl: string | undefined): Promise<JobScene> {
    const made = new JobScene();
    made.docsUrl = docsUrl;
    made.restart();
    made.northflank.hasSettings("migrate", { description: "Old" }, "manual");
    made.has(jobObject({ spec: { jobType: "cron" } }));
    await made.settle();
    return made;
  }

  /** So many status writes follow in six hours. */
  async function writesInSixHours(made: JobScene): Promise<number> {
    const before = made.statusWrites;
    for (let hour = 0; hour < 6; hour += 1) {
      await made.clock.advance(3_700_000);
      await made.pass();
    }
    return made.statusWrites - before;
  }

  test("has the address, and is not written again by each check", async () => {
    const made = await settled(page);
    expect(messageIn(made.object().status)).toMatch(/ See https:\/\/docs\.example\.com\/runbook#unsupportedtarget\.$/);
    expect(messageIn(made.object().status, "Ready")).not.toContain("See ");
    const [other, bare] = [await settled(page), await settled(undefined)];
    expect(await writesInSixHours(other)).toBe(await writesInSixHours(bare));
    expect(await writesInSixHours(made)).toBe(0);
  });

  test.each([
    ["another page", page, "https://other.example"],
    ["none", page, undefined],
    ["the first one", undefined, page],
  ])("is written once when the flag names %s", async (_, before, after) => {
    const made = await settled(before);
    made.docsUrl = after;
    made.restart();
    const writes = made.statusWrites;
    await made.clock.advance(3_700_000);
    await made.pass();
    expect(made.statusWrites - writes).toBe(1);
    const message = messageIn(made.object().status);
    if (after === undefined) expect(message).not.toContain("See ");
    else expect(message.endsWith(` See ${after}#unsupportedtarget.`)).toBe(true);
    expect(message.match(/ See /g)?.length ?? 0).toBe(after === undefined ? 0 : 1);
    expect(await writesInSixHours(made)).toBe(0);
  });
});

test("a run that is over says the same again, also where its message is as long as any", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const object = {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: metadata("once"),
    spec: { ...runDefaults(), projectId: "shop", jobId: "migrate" },
  } as unknown as NorthflankJobRun;
  const end = { reason: "RunFailed", message: "x".repeat(2_000), time: "2026-01-01T00:00:00Z" } as const;
  const first = withDocsAddress(statusOf({ object, result: finish(object, end), now }), longestPage);
  expect(messageIn(first)).toMatch(/x… See https.*#runfailed\.$/);
  const over = { ...object, status: first } as NorthflankJobRun;
  const again = statusOf({ object: over, result: unchanged(over, undefined), now: now + 60_000 });
  expect(withDocsAddress(again, longestPage)).toEqual(first);
});
