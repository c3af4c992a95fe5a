import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { hostile } from "../bad-input/hostile.ts";
import { type Cluster, clusterUnderTest, type RawResponse } from "../support/cluster.ts";

// What test/bad-input/validate.test.ts says of the offline check, said of the API server.

let cluster: Cluster;
let namespace: string;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
});

afterAll(async () => {
  await cluster?.stop();
});

describe.each(Object.entries(hostile))("the API server and %s", (_, table) => {
  test.each(Object.entries(table))("%s", async (_, { text, refused }) => {
    const { status, body } = await create(text);
    const told = JSON.stringify(body).slice(0, 2_000);
    expect([status, told]).toEqual([refused === undefined ? 201 : expect.toBeOneOf([400, 422]), told]);
  });
});

test("half of a character never comes out again: it is replaced when it is stored", async () => {
  const spec = '{"projectId": "shop", "jobId": "migrate", "runtimeEnvironment": {"A": "\\ud800"}}';
  const head =
    '{"apiVersion": "northflank-operator.io/v1alpha1", "kind": "NorthflankJobRun", "metadata": {"name": "doc"}';
  const { status, body } = await create(`${head}, "spec": ${spec}}`);
  expect([status, body]).toEqual([
    201,
    expect.objectContaining({ spec: expect.objectContaining({ runtimeEnvironment: { A: "\ufffd" } }) }),
  ]);
});

/** As `kubectl create --dry-run=server --validate=strict` sends JSON. */
function create(text: string): Promise<RawResponse> {
  const { kind } = JSON.parse(text) as { readonly kind: string };
  const { type } = kinds.find((each) => each.type.kind === kind) ?? {};
  const path = `/apis/${type?.group}/${type?.version}/namespaces/${namespace}/${type?.plural}`;
  return cluster.request("POST", `${path}?dryRun=All&fieldValidation=Strict`, { body: text });
}
