import { readFileSync } from "node:fs";
import { type CallName, calls, type DocumentedCall } from "./calls.ts";

/** A body that a page of Northflank's documentation shows, letter by letter as far as JSON goes. */
export interface PageExample {
  /** `run job, example 1`. */
  readonly name: string;
  readonly call: DocumentedCall;
  readonly body: object;
}

/** The pages with examples: which call each of them describes. */
const examplePages: Readonly<Record<string, CallName>> = {
  "update-service-deployment": "update service deployment",
  "update-service-deployment-2025-07": "update service deployment",
  "update-job-deployment": "update job deployment",
  "run-job": "run job",
  "patch-manual-job": "patch manual job",
};

export const pageExamples: readonly PageExample[] = Object.entries(examplePages).flatMap(([page, name]) => {
  const call = calls.find((one) => one.name === name);
  if (call === undefined) throw new Error(`no call ${name}`);
  const bodies = JSON.parse(
    readFileSync(new URL(`./pages/${page}.json`, import.meta.url), "utf8"),
  ) as readonly object[];
  return bodies.map((body, index) => ({ name: `${page}, example ${index + 1}`, call, body }));
});
