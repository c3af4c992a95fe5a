import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createLogger, logKeys } from "../src/logger.ts";

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

test("every key that the code logs under is in the list, and nothing else is", () => {
  const src = resolve(fileURLToPath(import.meta.url), "../../src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const used = new Set(files.flatMap((file) => keysLogged(readFileSync(join(src, file), "utf8"))));
  expect([...used].sort()).toEqual([...logKeys].sort());
});

/** The keys of the objects that are handed to a logger right in the call, or by the name `facts` just before. */
function keysLogged(text: string): readonly string[] {
  const withoutTemplates = text.replaceAll(/`[^`]*`/g, "text");
  const calls =
    /\blog\w*\.(?:debug|info|warn|error|child)\(\s*\{([^{}]*)\}|const facts = \{([^{}]*)\};\n\s+if \(.*log\./gi;
  return [...withoutTemplates.matchAll(calls)].flatMap(([, direct, named]) =>
    [...(direct ?? named ?? "").matchAll(/(?:^|,)\s*(\w+)/g)].map(([, key]) => key ?? ""),
  );
}
