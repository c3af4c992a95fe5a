import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import type { Manifest } from "../fields/calls.ts";
import { pages, propertyCases } from "../fields/cases.ts";
import { type Cluster, clusterUnderTest, type RawResponse } from "../support/cluster.ts";

// What test/fields/fields.test.ts says of the offline check, said of the API server: every property of every documented
// request body is stored as it is written, and refused by name when it has the wrong shape.

let cluster: Cluster;
let namespace: string;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
});

afterAll(async () => {
  await cluster?.stop();
});

describe.each(pages)("$name", (page) => {
  const { call } = page;
  const properties = propertyCases(page);

  test(`${properties.length} properties are stored as they are written`, async () => {
    for (const { name, good } of properties) {
      for (const { title, body } of good) {
        const manifest = call.manifest(body);
        const { status, body: answer } = await apply(manifest);
        expect([name, title, status, answer]).toEqual([
          name,
          title,
          201,
          expect.objectContaining({ kind: manifest.kind }),
        ]);
        expect((answer as Manifest).spec).toMatchObject(manifest.spec);
      }
    }
  });

  test(`${properties.length} properties are refused by name when they have the wrong shape`, async () => {
    for (const { name, path, bad } of properties) {
      const known = path.filter((step) => step !== "[]" && step !== "*").at(-1);
      for (const { title, body } of bad) {
        const { status, body: answer } = await apply(call.manifest(body));
        expect([name, title, isRefusal(status)]).toEqual([name, title, true]);
        expect([title, JSON.stringify(answer)]).toEqual([title, expect.stringContaining(`${known}`)]);
      }
    }
  });
});

/** As `kubectl apply --server-side --dry-run=server` does it. */
function apply(manifest: Manifest): Promise<RawResponse> {
  const { type } = kinds.find((each) => each.type.kind === manifest.kind) ?? {};
  const path = `/apis/${type?.group}/${type?.version}/namespaces/${namespace}/${type?.plural}/${manifest.metadata.name}`;
  const query = "dryRun=All&fieldValidation=Strict&fieldManager=kubectl";
  return cluster.request("PATCH", `${path}?${query}`, { contentType: "application/apply-patch+yaml", body: manifest });
}

/** 400: a field that is not known. 422: a value that is not good. 500: what server-side apply makes of a wrong type. */
function isRefusal(status: number): boolean {
  return status === 400 || status === 422 || status === 500;
}
