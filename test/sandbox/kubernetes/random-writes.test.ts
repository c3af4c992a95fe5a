import { afterAll, beforeAll, expect, test } from "vitest";
import { type KubernetesSandbox, startKubernetes } from "../../../sandbox/kubernetes/server.ts";
import { widgetDefinition } from "../../contract/kubernetes-api.cases.ts";
import { pathOf, randomWrite, type Subject } from "./random-writes.ts";

let server: KubernetesSandbox;

beforeAll(async () => {
  server = await startKubernetes();
  server.installCrds([widgetDefinition]);
});
afterAll(() => server.stop());

/** Refusals that the real server gives as well. */
const known = new Set([200, 201, 409, 422]);

test.each(Array.from({ length: 20 }, (_, index) => index + 1))("writes of seed %i are answered", async (seed) => {
  const random = randomOf(seed);
  const kind = seed % 2 === 0 ? "Widget" : "ConfigMap";
  const subject: Subject = { kind, namespace: "default", name: `seed-${seed}` };
  const place = `${server.url}${pathOf(subject)}/${subject.name}`;
  for (let step = 0; step < 14; step++) {
    const before = await fetch(place);
    // biome-ignore lint/suspicious/noExplicitAny: an object of either kind
    const live: any = before.status === 200 ? await before.json() : undefined;
    const { method, path, contentType, body } = randomWrite(random, subject, live);
    // A connection that ends without an answer makes this throw.
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers: { "content-type": contentType },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    expect(known, `step ${step}: ${method} ${path} ${JSON.stringify(body)} -> ${text}`).toContain(answer.status);
    if (answer.status >= 300) continue;
    // Whatever is taken away: the server's own part of the metadata, and what this write does not speak of, stay.
    const after = JSON.parse(text);
    expect(after.metadata).toMatchObject({ name: subject.name, namespace: "default", uid: expect.any(String) });
    if (live !== undefined) expect(after.metadata.uid).toBe(live.metadata.uid);
    if (kind === "Widget") expect(after.spec.projectId).toBe("shop");
  }
});

test("a handler that throws answers 500 with the text, as a Status", async () => {
  const answer = await fetch(`${server.url}/api/v1/namespaces/default/configmaps/%`);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({
    kind: "Status",
    status: "Failure",
    reason: "InternalError",
    code: 500,
    message: "Internal error occurred: URI malformed",
  });
});

/** mulberry32: the same numbers for the same seed, everywhere. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
