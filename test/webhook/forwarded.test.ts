import { expect, test } from "vitest";
import { forwardedHint, forwardHeaders } from "../../src/webhook/forwarded.ts";

const hint = { projectId: "shop", serviceId: undefined, jobId: "migrate", runId: undefined, isAboutRun: true };

test.each([hint, { ...hint, isStart: true as const }])("what is forwarded arrives as it was: %j", (sent) => {
  const headers = forwardHeaders("ns/default", { hint: sent, eventId: "e" }, { digest: Buffer.from("d"), nowMs: 1 });
  expect(forwardedHint(headers)).toEqual({ hint: sent, eventId: "e" });
});
