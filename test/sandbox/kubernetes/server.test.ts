import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type KubernetesSandbox, startKubernetes } from "../../../sandbox/kubernetes/server.ts";
import { testGroup, widgetDefinition } from "../../contract/kubernetes-api.cases.ts";

let server: KubernetesSandbox;
const path = `/apis/${testGroup}/v1alpha1/namespaces/default/widgets`;

beforeEach(async () => {
  server = await startKubernetes();
  server.installCrds([widgetDefinition]);
});
afterEach(() => server.stop());

describe("what tests can do to the sandbox", () => {
  test("a forgotten past is told to a watch in the stream and to a page by status, with a token to go on", async () => {
    await create("a");
    await create("b");
    const page = await json("GET", `${path}?limit=1`);
    const from = server.revision;
    await create("c");
    server.compactHistory();
    const watch = await (await fetch(`${server.url}${path}?watch=1&timeoutSeconds=1&resourceVersion=${from}`)).json();
    expect(watch).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
    const next = await json("GET", `${path}?limit=1&continue=${page.body.metadata.continue}`);
    expect(next).toMatchObject({ status: 410, body: { reason: "Expired" } });
    const rest = await json("GET", `${path}?continue=${next.body.metadata.continue}`);
    expect(rest.body.items.map(nameOf)).toEqual(["b", "c"]);
  });

  test("pages of one list show one moment, whatever is written in between", async () => {
    for (const name of ["a", "b", "c"]) await create(name);
    const first = await json("GET", `${path}?limit=2`);
    await json("DELETE", `${path}/c`);
    await create("d");
    const second = await json("GET", `${path}?limit=2&continue=${first.body.metadata.continue}`);
    expect([...first.body.items, ...second.body.items].map(nameOf)).toEqual(["a", "b", "c"]);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });

  test("a failed watch gets an ERROR event and its end", async () => {
    const response = await fetch(`${server.url}${path}?watch=1`);
    expect(server.openWatches).toBe(1);
    server.failWatches();
    expect(JSON.parse(await response.text())).toMatchObject({ type: "ERROR", object: { code: 410 } });
    expect(server.openWatches).toBe(0);
  });

  test("an ended watch ends, a cut one breaks", async () => {
    const ended = await fetch(`${server.url}${path}?watch=1`);
    server.endWatches();
    expect(await ended.text()).toBe("");
    const cut = await fetch(`${server.url}${path}?watch=1`);
    server.cutWatches();
    await expect(cut.text()).rejects.toThrow();
  });

  test("a silent watch stays open and hears nothing, while a new one works", async () => {
    const silent = await fetch(`${server.url}${path}?watch=1`);
    server.silenceWatches();
    await create("a");
    const fresh = await fetch(`${server.url}${path}?watch=1`);
    expect(server.openWatches).toBe(2);
    server.endWatches();
    expect(await silent.text()).toBe("");
    expect(await fresh.text()).toContain('"ADDED"');
  });

  test("a restore brings back what a backup held, and counts on from there", async () => {
    await create("kept");
    await create("deleted-later");
    const backup = server.revision;
    await create("made-later");
    await json("DELETE", `${path}/deleted-later`);
    const watch = await fetch(`${server.url}${path}?watch=1`);
    server.restore(backup);
    const last = (await watch.text()).trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ type: "ERROR", object: { code: 410 } });
    const list = await json("GET", path);
    expect(list.body.items.map(nameOf)).toEqual(["deleted-later", "kept"]);
    expect(list.body.metadata.resourceVersion).toBe(String(backup));
    await create("made-after");
    expect(server.revision).toBe(backup + 1);
    expect(() => server.restore(backup + 2)).toThrow(RangeError);
    expect(() => server.restore(backup - 1)).toThrow(RangeError);
  });

  test("a definition with a rule that cannot be read is refused when it is installed", () => {
    const broken = structuredClone(widgetDefinition);
    broken.spec.versions[0]?.schema.openAPIV3Schema.properties.spec["x-kubernetes-validations"].push({
      rule: "self.nope == 1",
      message: "never",
      fieldPath: ".projectId",
    });
    expect(() => server.installCrds([broken])).toThrow("undefined field 'nope'");
  });

  test("a namespace takes its objects along, but not before their finalizers are gone", async () => {
    await json("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    const inside = path.replace("default", "n");
    await json("POST", inside, widget("held", { finalizers: ["a.b/c"] }));
    await json("POST", inside, widget("free", {}));
    await json("DELETE", "/api/v1/namespaces/n");
    expect((await json("GET", `${inside}/free`)).status).toBe(404);
    expect((await json("GET", "/api/v1/namespaces/n")).body.status.phase).toBe("Terminating");
    expect((await json("POST", inside, widget("late", {}))).status).toBe(403);
    await json("PATCH", `${inside}/held`, { metadata: { finalizers: null } }, "application/merge-patch+json");
    expect((await json("GET", "/api/v1/namespaces/n")).status).toBe(404);
  });
});

function nameOf(item: { readonly metadata: { readonly name: string } }): string {
  return item.metadata.name;
}

function widget(name: string, metadata: object): object {
  const apiVersion = `${testGroup}/v1alpha1`;
  return { apiVersion, kind: "Widget", metadata: { name, ...metadata }, spec: { projectId: "shop" } };
}

async function create(name: string): Promise<void> {
  expect((await json("POST", path, widget(name, {}))).status).toBe(201);
}

interface AnyBody {
  readonly metadata: { readonly continue: string; readonly resourceVersion: string };
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
  readonly status: { readonly phase: string };
}

async function json(method: string, at: string, body?: object, type = "application/json") {
  const response = await fetch(server.url + at, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": type } }),
  });
  return { status: response.status, body: (await response.json()) as AnyBody };
}
