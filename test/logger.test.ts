import { expect, test } from "vitest";
import { createLogger } from "../src/logger.ts";

function capture(format: "json" | "pretty", level = "info") {
  const lines: string[] = [];
  const log = createLogger({ level, format, destination: { write: (line: string) => void lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") };
}

test("writes one JSON object per line with level, time, message and fields", () => {
  const { log, last } = capture("json");
  log.child({ controller: "job-run" }).info({ object: "default/migrate" }, "run finished");
  expect(last()).toMatchObject({
    level: "info",
    controller: "job-run",
    object: "default/migrate",
    msg: "run finished",
  });
  expect(Date.parse(last().time)).toBeGreaterThan(0);
});

test("is silent below its level", () => {
  const { log, lines } = capture("json", "warn");
  log.info({}, "not seen");
  expect(lines).toEqual([]);
});

test("an error is written with its name, message and stack; of its cause only name and code", () => {
  const { log, last } = capture("json");
  const cause = Object.assign(new Error("header authorization: Bearer s3cret"), { code: "ECONNRESET" });
  log.error({ err: new Error("call failed", { cause }) }, "pass failed");
  expect(last().err).toMatchObject({ type: "Error", message: "call failed", cause: "Error ECONNRESET" });
  expect(JSON.stringify(last())).not.toContain("s3cret");
});

test.each(["token", "authorization", "data", "body", "runtimeEnvironment"])("the key %s is redacted", (key) => {
  const { log, lines } = capture("json");
  log.info({ [key]: "s3cret", inner: { [key]: "s3cret" } }, "facts");
  expect(lines.join()).not.toContain("s3cret");
});

test("pretty lines are for people: message and fields, no JSON", () => {
  const { log, lines } = capture("pretty");
  log.warn({ object: "default/api" }, "drift corrected");
  expect(lines.join("")).toMatch(/WARN.*drift corrected.*"object":"default\/api"/);
});
