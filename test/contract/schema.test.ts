import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { formatProblem } from "../../src/api/problem.ts";
import { createValidator } from "../../src/api/validate.ts";
import { documents } from "../api/documents.ts";
import { nearlyGood } from "../api/mutations.ts";
import { type Cluster, clusterUnderTest, type RawResponse } from "../support/cluster.ts";
import { readManifests, resourceTypeOf } from "../support/manifests.ts";

// The API server and the offline check read the same documents and have to come to the same verdict.

const examples = join(resolve(dirname(fileURLToPath(import.meta.url)), "../.."), "examples");
let cluster: Cluster;
let namespace: string;
const validator = createValidator();

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
});

afterAll(async () => {
  await cluster?.stop();
});

test.each(Object.entries(documents))("%s", async (_, document) => {
  const object = plain(document.object);
  const answer = document.old === undefined ? await create(object) : await update(plain(document.old), object);
  const offline = validator.validateManifest(object, document.old === undefined ? undefined : plain(document.old));
  const message = JSON.stringify(answer.body);
  expect([isAccepted(answer), message]).toEqual([document.problems.length === 0, message]);
  expect(offline.length === 0).toBe(isAccepted(answer));
});

test("they agree on documents that are nearly good", async () => {
  const agrees = fc.asyncProperty(nearlyGood, async (document) => {
    const object = plain(document);
    const { status, body } = await create(object);
    const offline = validator.validateManifest(object).map(formatProblem);
    expect({ isAccepted: isAccepted({ status }), object, body }).toEqual({
      isAccepted: offline.length === 0,
      object,
      body,
    });
  });
  await fc.assert(agrees, { numRuns: 400 });
});

test("the server names the field of a rule, as the offline check does", async () => {
  const { object } = documents["run: Forbid without a deadline"] ?? {};
  const { status, body } = await create(plain(object));
  expect([status, body]).toEqual([422, expect.objectContaining({ reason: "Invalid" })]);
  expect(JSON.stringify(body)).toContain("spec.startDeadlineSeconds");
});

test("an object that nobody has looked at starts with a status that says so, and with its defaults", async () => {
  const { object } = documents["deployment: an image"] ?? {};
  const { body } = await create(plain(object));
  expect(body).toMatchObject({
    status: { observedGeneration: -1 },
    spec: {
      managementPolicy: "Enforce",
      rollout: { wait: true, timeoutSeconds: 900, onFailure: "Report" },
      suspend: false,
    },
  });
});

test.each(
  readdirSync(examples)
    .filter((name) => name.endsWith(".yaml"))
    .sort(),
)("takes examples/%s as it is", async (file) => {
  for (const object of readManifests(join(examples, file))) {
    const type = resourceTypeOf(object);
    const base = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
    const path = `${base}/namespaces/${namespace}/${type.plural}?dryRun=All&fieldValidation=Strict`;
    const { status, body } = await cluster.request("POST", path, { body: object });
    expect([status, body]).toEqual([201, body]);
  }
});

interface Manifest {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

function plain(value: unknown): Manifest {
  return JSON.parse(JSON.stringify(value));
}

function create(object: Manifest): Promise<RawResponse> {
  return cluster.request("POST", `${pathOf(object)}?dryRun=All&fieldValidation=Strict`, { body: object });
}

async function update(old: Manifest, object: Manifest): Promise<RawResponse> {
  const created = await cluster.request("POST", pathOf(old), { body: old });
  expect([created.status, created.body]).toEqual([201, created.body]);
  const { resourceVersion } = (created.body as Manifest).metadata;
  const body = { ...object, metadata: { ...object.metadata, resourceVersion } };
  const answer = await cluster.request("PUT", `${pathOf(object)}/doc?fieldValidation=Strict`, { body });
  await cluster.request("DELETE", `${pathOf(object)}/doc`);
  return answer;
}

/** A kind that does not exist is sent to a path that does. */
function pathOf({ kind }: Manifest): string {
  const { type } = kinds.find((each) => each.type.kind === kind) ?? { type: kinds[1]?.type };
  return `/apis/${type?.group}/${type?.version}/namespaces/${namespace}/${type?.plural}`;
}

function isAccepted({ status }: Pick<RawResponse, "status">): boolean {
  return status === 200 || status === 201;
}
