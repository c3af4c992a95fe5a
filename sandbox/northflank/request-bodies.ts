import { readFileSync } from "node:fs";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";

/** Names of the files in `schemas/`. */
export type BodySchema =
  | "service-deployment-update"
  | "job-deployment-update"
  | "run-job"
  | "resume-service"
  | "rollout-rollback"
  | "rollout-configuration"
  | "patch-job"
  | "patch-manual-job"
  | "patch-cron-job"
  | "patch-deployment-service"
  | "patch-combined-service"
  | "create-notification"
  | "update-notification";

/** What is wrong with a body: field -> messages, as the API words its `details`. */
export type BodyProblems = Readonly<Record<string, readonly string[]>>;

// Compiled on first use and kept for all servers of the process: compiling takes longer than starting a server, and a
// compiled schema never changes.
const compiled = new Map<BodySchema, ValidateFunction>();

/** Checks a body; `undefined` means that it is good. */
export function bodyProblems(schema: BodySchema, body: unknown): BodyProblems | undefined {
  const check = compiled.get(schema) ?? compile(schema);
  return check(body) ? undefined : problemsOf(check.errors ?? []);
}

function compile(schema: BodySchema): ValidateFunction {
  // `verbose`, because the real API repeats submitted values in its messages: whoever logs those must notice here.
  const ajv = new Ajv2020({
    strict: true,
    strictRequired: false,
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
  });
  const check = ajv.compile(readSchema(schema));
  compiled.set(schema, check);
  return check;
}

function readSchema(name: BodySchema): object {
  return JSON.parse(readFileSync(new URL(`./schemas/${name}.json`, import.meta.url), "utf8"));
}

function problemsOf(errors: readonly ErrorObject[]): BodyProblems {
  const problems: Record<string, string[]> = {};
  for (const error of errors) {
    const field = error.instancePath.slice(1).replaceAll("/", ".") || "body";
    const value = JSON.stringify(error.data) ?? "undefined";
    const messages = problems[field] ?? [];
    messages.push(`${value} ${error.message}`);
    problems[field] = messages;
  }
  return problems;
}
