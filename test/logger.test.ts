import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { KubeError } from "../src/kube/errors.ts";
import { createLogger, logKeys } from "../src/logger.ts";
import { ReconcileError } from "../src/runtime/outcome.ts";

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
  log.error({ err: new Error("call failed", { cause }) }, "reconcile failed");
  expect(last().err).toMatchObject({ type: "Error", message: "call failed", cause: "Error ECONNRESET" });
  expect(JSON.stringify(last())).not.toContain("s3cret");
});

test("an error of the Kubernetes API is written without a stack, which shows the inside of the transport", () => {
  const { log, last } = capture("json");
  log.warn({ err: new KubeError({ code: "forbidden", step: "list pets", detail: "no" }) }, "watch interrupted");
  expect(last().err).toEqual({ type: "KubeError", message: "[forbidden] list pets: no" });
  log.warn({ err: new TypeError("a bug") }, "watch interrupted");
  expect(last().err.stack).toContain("logger.test.ts");
});

test("what a reconcile says of an unreachable Northflank is written without a stack", () => {
  const { log, last } = capture("json");
  log.warn({ err: new ReconcileError("RemoteUnavailable: Northflank did not respond.") }, "reconcile failed");
  expect(last().err).toEqual({ type: "ReconcileError", message: "RemoteUnavailable: Northflank did not respond." });
});

test.each(["token", "authorization", "data", "body", "runtimeEnvironment"])("the key %s is redacted", (key) => {
  const { log, lines } = capture("json");
  log.info({ [key]: "s3cret", inner: { [key]: { deeper: "s3cret" } } }, "facts");
  log.child({ [key]: "s3cret" }).info({ object: "default/api" }, "facts");
  expect(lines.join()).not.toContain("s3cret");
  expect(lines.join().match(/\[redacted\]/g)).toHaveLength(3);
});

test("an error under another key than err is redacted like any object", () => {
  const { log, lines } = capture("json");
  log.info({ cause: Object.assign(new Error("call failed"), { headers: "s3cret" }) }, "facts");
  expect(lines.join()).not.toContain("s3cret");
});

test("redacting changes nothing of what was handed over", () => {
  const { log, last } = capture("json");
  const facts = { namespaces: ["a", "b"], inner: { token: "s3cret", kind: "ready" } };
  log.info(facts, "facts");
  expect(last()).toMatchObject({ namespaces: ["a", "b"], inner: { token: "[redacted]", kind: "ready" } });
  expect(facts.inner.token).toBe("s3cret");
});

test("pretty lines are for people: message and fields, no JSON", () => {
  const { log, lines } = capture("pretty");
  log.warn({ object: "default/api" }, "drift corrected");
  expect(lines.join("")).toMatch(/WARN.*drift corrected.*"object":"default\/api"/);
  expect(lines.join("")).toMatch(/^\[\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3}\] /);
});

const src = resolve(fileURLToPath(import.meta.url), "../../src");
const sources = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && file !== "logger.ts")
  .map((file) => readFileSync(join(src, file), "utf8"));

test("every key that the code logs under is in the list", () => {
  const used = new Set(sources.flatMap(keysLogged));
  expect(used.size).toBeGreaterThan(20);
  expect([...used].filter((key) => !(logKeys as readonly string[]).includes(key))).toEqual([]);
});

test("every message is a constant of at most six words, in the words of Kubernetes", () => {
  const call = /\blog\w*(?:\??\.(?:debug|info|warn|error)|\[[^\]]+\])\((?:[^;]*?,\s*)"([^"]+)",?\s*\)/g;
  const messages = sources.flatMap((text) => [...text.matchAll(call)].map(([, message = ""]) => message));
  expect(messages.length).toBeGreaterThan(40);
  expect(messages.filter((message) => message.split(" ").length > 6)).toEqual([]);
  const dialect = /\b(?:pass(?:es)?|look(?:s|ing)?|told|tells?|let go|wakes?|woken|somebody|shall)\b|;/;
  expect(messages.filter((message) => dialect.test(message))).toEqual([]);
});

test.each(logKeys)("the key %s is used by something that logs", (key) => {
  const files = sources.filter((text) => text.includes("log") && new RegExp(`\\b${key}\\b`).test(text));
  expect(files).not.toEqual([]);
});

/** The keys of the objects that are handed to a logger right in the call, or by the name `facts` just before. */
function keysLogged(text: string): readonly string[] {
  const withoutTemplates = text.replaceAll(/`[^`]*`/g, "text");
  const direct = /\blog\w*(?:\.(?:debug|info|warn|error|child)\(|With\([\w.]+,)\s*\{([^{}]*)\}/g;
  const named = /const facts = \{([^{}]*)\};\n\s+if \(.*log\./g;
  const objects = [...withoutTemplates.matchAll(direct), ...withoutTemplates.matchAll(named)].map(
    ([, fields]) => fields,
  );
  return objects.flatMap((fields) => [...(fields ?? "").matchAll(/(?:^|,)\s*(\w+)/g)].map(([, key]) => key ?? ""));
}
