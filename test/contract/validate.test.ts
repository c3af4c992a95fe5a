import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { runValidate } from "../../src/cli/validate.ts";
import { documents } from "../api/documents.ts";
import { texts } from "../corpus/texts.ts";
import { type Cluster, clusterUnderTest, type RawResponse } from "../support/cluster.ts";
import { inTurns } from "../support/in-turns.ts";

// The corpus as text, as it stands in files: `northflank-operator validate`, the API server and kubectl come to the same
// verdict on every one of it. test/contract/schema.test.ts asks the same about objects, changes of objects among them.

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
const judged = Object.entries(texts).filter(([, { notAsked }]) => notAsked === undefined);

/** The objects that are not about a change, as JSON texts. */
const objects = Object.entries(documents)
  .filter(([, { old }]) => old === undefined)
  .map(([name, { object }]) => [name, JSON.stringify(object)] as const);

let cluster: Cluster;
let namespace: string;
let directory: string;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
  directory = mkdtempSync(join(tmpdir(), "validate-contract-"));
});

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await cluster?.stop();
});

test(`the corpus has ${Object.keys(documents).length} objects and ${Object.keys(texts).length} texts`, () => {
  const all = [
    ...Object.values(documents).map(({ problems }) => problems.length === 0),
    ...Object.values(texts).map(({ findings }) => findings.length === 0),
  ];
  const good = all.filter((isGood) => isGood).length;
  const asked = Object.keys(documents).length + judged.length;
  process.stderr.write(
    `corpus: ${all.length} documents, ${good} good and ${all.length - good} bad; ${asked} judged by the API server too\n`,
  );
  expect(asked).toBeGreaterThan(120);
  expect(good).toBeGreaterThan(60);
  expect(all.length - good).toBeGreaterThan(60);
});

test.each(objects)("dry-run apply and validate agree: %s", async (_, text) => {
  const answer = await applied(text);
  expect([await isGoodOffline(text), answer.message]).toEqual([answer.isGood, answer.message]);
});

// Lists are opened, values one after the other are parted, and keys merged with << are overridden by kubectl: the API
// server takes one object, each key once, and knows directives.
const asTheyAre = judged.filter(([, { text }]) => !/kind"?: "?[A-Za-z]*List|^\{.*\}\s*\{|<<:.*\n.*: |^%/ms.test(text));

test.each(asTheyAre)("the API server and validate agree: %s", async (_, { text, findings }) => {
  const answers = await Promise.all(documentsOf(text).map(created));
  const readyState = answers.every(({ isGood }) => isGood);
  expect([readyState, answers]).toEqual([findings.length === 0, answers]);
  expect(await isGoodOffline(text)).toBe(readyState);
});

describe.skipIf(!hasKubectl)("kubectl apply --dry-run=server --validate=strict", () => {
  // What kubectl reads has each key once: it drops the others before anybody could see them.
  // It has no way to apply an object whose name is to be completed.
  const forKubectl = Object.entries(texts).filter(([, { notAsked = "kubectl alone" }]) => notAsked === "kubectl alone");
  const asked = forKubectl.filter(
    ([, { text, findings }]) =>
      !findings.some((each) => each.endsWith("duplicate-key")) && !text.includes("generateName"),
  );

  test("agrees on every text", async () => {
    const wrong: unknown[] = [];
    await inTurns(3, asked, async ([name, { text, findings }]) => {
      const readyState = await kubectl(text);
      if (readyState.isGood !== (findings.length === 0)) wrong.push({ name, ...readyState });
    });
    expect(wrong).toEqual([]);
  }, 180_000);
});

interface ReadyState {
  readonly isGood: boolean;
  readonly message: string;
}

async function isGoodOffline(text: string): Promise<boolean> {
  const ignore = () => {};
  return (await runValidate(["-"], { out: ignore, err: ignore, isTerminal: false, readStdin: async () => text })) === 0;
}

/** The object is made, but for storing it: what kubectl apply does with one that is not there yet. */
async function created(text: string): Promise<ReadyState> {
  const contentType = text.startsWith("{") ? "application/json" : "application/yaml";
  const query = "dryRun=All&fieldValidation=Strict";
  return readyStateOf(await cluster.request("POST", `${pathOf(text)}?${query}`, { contentType, body: text }));
}

/**
 * Server-side apply. What it takes otherwise than kubectl's own apply does is made: it has no way with an object without
 * name, refuses a null where kubectl leaves the field out, and looks into a status before it drops it.
 */
async function applied(text: string): Promise<ReadyState> {
  const { metadata, status } = JSON.parse(text);
  const name: unknown = metadata?.name;
  if (name === undefined || status !== undefined || text.includes(":null")) return created(text);
  const query = "dryRun=All&fieldValidation=Strict&fieldManager=test";
  const path = `${pathOf(text)}/${encodeURIComponent(String(name))}?${query}`;
  return readyStateOf(
    await cluster.request("PATCH", path, { contentType: "application/apply-patch+yaml", body: text }),
  );
}

function readyStateOf({ status, body }: RawResponse): ReadyState {
  return { isGood: status === 200 || status === 201, message: JSON.stringify(body) };
}

/** A kind that does not exist is sent to a path that does. */
function pathOf(text: string): string {
  const [, name] = /^\s*"?kind"?: *"?([A-Za-z]+)/m.exec(text.replace(/,\s*/g, "\n")) ?? [];
  const { type } = kinds.find((each) => each.type.kind === name) ?? { type: kinds[1]?.type };
  return `/apis/${type?.group}/${type?.version}/namespaces/${namespace}/${type?.plural}`;
}

async function kubectl(text: string): Promise<ReadyState> {
  const file = join(directory, `${randomUUID()}.yaml`);
  writeFileSync(file, text);
  const args = ["apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", file];
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfigPath, KUBECACHEDIR: join(directory, "cache") };
  try {
    const { stdout } = await promisify(execFile)("kubectl", args, { env });
    return { isGood: true, message: stdout };
  } catch (error) {
    return { isGood: false, message: String(error) };
  }
}

/** The documents of a text, parted where kubectl parts them. Lists are kubectl's own affair. */
function documentsOf(text: string): readonly string[] {
  if (text.startsWith("{")) return [text];
  return text
    .replace(/^\uFEFF/, "")
    .split(/^---(?:[ \t].*)?\r?$/m)
    .filter((document) => /^[^#\s%]/m.test(document.replace(/^\.\.\.\s*$/gm, "")));
}
