import { expect, test } from "vitest";
import { didYouMean, suggest } from "../../src/api/suggest.ts";

const known = ["suspend", "abort", "jobId", "deployment", "imagePath"];

test.each<[string, string | undefined]>([
  ["sespend", "suspend"],
  ["Suspend", "suspend"],
  ["supsend", "suspend"],
  ["jobID", "jobId"],
  ["jobid", "jobId"],
  ["imagepath", "imagePath"],
  ["deploymnet", "deployment"],
  ["abrot", "abort"],
  ["replicas", undefined],
  ["x", undefined],
  ["", undefined],
  ["a".repeat(100_000), undefined],
])("for %.20s suggests %s", (word, expected) => {
  expect(suggest(word, known)).toBe(expected);
});

test("says what is known when nothing is near", () => {
  expect(didYouMean("sespend", known)).toBe('did you mean "suspend"?');
  expect(didYouMean("replicas", ["abort", "jobId"])).toBe("remove it; known here: abort, jobId");
  expect(didYouMean("replicas", [])).toBe("remove it");
});
