import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isKubeError } from "../../src/kube/errors.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import { resourcePath } from "../../src/kube/paths.ts";
import { kubeErrorOfStatus } from "../../src/kube/status-error.ts";
import {
  configMaps,
  events,
  type KubeObject,
  type KubeStatus,
  type Lease,
  leases,
  type ResourceType,
  secrets,
  type WatchEvent,
} from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";

// The same promises on the sandbox and on a real kube-apiserver: where they differ, the sandbox is wrong.

interface JobRun extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

const jobRuns: ResourceType = {
  group: "northflank-operator.io",
  version: "v1alpha1",
  plural: "northflankjobruns",
  kind: "NorthflankJobRun",
  namespaced: true,
};

let cluster: Cluster;
let namespace: string;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
});
afterAll(async () => {
  await cluster?.stop();
});

let count = 0;
/** A name that no other test uses. */
const fresh = (): string => `run-${++count}`;

function jobRun(
  name: string,
  more: { readonly spec?: object; readonly metadata?: object; readonly status?: Record<string, unknown> } = {},
) {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: { name, namespace, ...more.metadata },
    spec: { projectId: "shop", jobId: "migrate", ...more.spec },
    ...(more.status === undefined ? {} : { status: more.status }),
  } satisfies JobRun;
}

const create = (name: string, more: Parameters<typeof jobRun>[1] = {}): Promise<JobRun> =>
  cluster.client.create<JobRun>(jobRuns, jobRun(name, more));
const get = (name: string): Promise<JobRun> => cluster.client.get<JobRun>(jobRuns, { namespace, name });

describe("objects", () => {
  test("are created with uid, generation 1, a resourceVersion and the defaults of the schema", async () => {
    const created = await create(fresh());
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.metadata.resourceVersion).toMatch(/^\d+$/);
    expect(created.metadata.generation).toBe(1);
    expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(created.status).toEqual({ observedGeneration: -1 });
    expect(await get(created.metadata.name)).toEqual(created);
  });

  test("that exist already are not created again", async () => {
    const name = fresh();
    await create(name);
    await expect(create(name)).rejects.toMatchObject({ code: "already_exists", httpStatus: 409 });
  });

  test("that do not exist are not found, whatever the verb", async () => {
    const nowhere = { namespace, name: "nowhere" };
    const { client } = cluster;
    await expect(client.get(jobRuns, nowhere)).rejects.toMatchObject({ code: "not_found", reason: "NotFound" });
    await expect(client.delete(jobRuns, nowhere)).rejects.toMatchObject({ code: "not_found" });
    await expect(client.patch(jobRuns, nowhere, { kind: "merge", body: {} })).rejects.toMatchObject({
      code: "not_found",
    });
    const applied = client.apply(jobRuns, jobRun("nowhere", { status: { phase: "Running" } }), {
      subresource: "status",
    });
    await expect(applied).rejects.toMatchObject({ code: "not_found" });
  });

  test("of a kind that the server does not know are not found", async () => {
    const unknown = { ...jobRuns, plural: "northflankunicorns" };
    await expect(cluster.client.list(unknown, {})).rejects.toMatchObject({ code: "not_found" });
  });

  test("are replaced only from the state that was read", async () => {
    const first = await create(fresh());
    const second = await cluster.client.replace(jobRuns, { ...first, spec: { ...first.spec, suspend: true } });
    expect(second.metadata.generation).toBe(2);
    await expect(cluster.client.replace(jobRuns, first)).rejects.toMatchObject({
      code: "conflict",
      reason: "Conflict",
    });
  });

  test("that break the schema or a rule are invalid, with the field in the message", async () => {
    await expect(create(fresh(), { spec: { jobId: 7 } })).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining("spec.jobId"),
    });
    await expect(create(fresh(), { spec: { concurrencyPolicy: "Forbid" } })).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining("startDeadlineSeconds"),
    });
    const { metadata } = await create(fresh());
    const changed = cluster.client.patch(
      jobRuns,
      { namespace, name: metadata.name },
      {
        kind: "merge",
        body: { spec: { jobId: "other" } },
      },
    );
    await expect(changed).rejects.toMatchObject({ code: "invalid" });
  });

  test("lose fields that the schema does not know", async () => {
    const created = await create(fresh(), { spec: { supend: true } });
    expect(created.spec).not.toHaveProperty("supend");
  });

  test("are deleted only if they are the one that was meant", async () => {
    const { metadata } = await create(fresh());
    const name = { namespace, name: metadata.name };
    const other = cluster.client.delete(jobRuns, name, { uid: "00000000-0000-0000-0000-000000000000" });
    await expect(other).rejects.toMatchObject({ code: "conflict" });
    const stale = cluster.client.delete(jobRuns, name, { resourceVersion: "1" });
    await expect(stale).rejects.toMatchObject({ code: "conflict" });
    await cluster.client.delete(jobRuns, name, { uid: metadata.uid ?? "" });
    await expect(get(metadata.name)).rejects.toMatchObject({ code: "not_found" });
  });

  test("with a finalizer stay until it is gone", async () => {
    const finalizers = ["northflank-operator.io/test"];
    const { metadata } = await create(fresh(), { metadata: { finalizers } });
    const name = { namespace, name: metadata.name };
    await cluster.client.delete(jobRuns, name);
    const deleting = await get(metadata.name);
    expect(deleting.metadata.deletionTimestamp).toBeDefined();
    expect(deleting.metadata.generation).toBe(2);
    await cluster.client.patch(jobRuns, name, { kind: "json", body: [{ op: "remove", path: "/metadata/finalizers" }] });
    await expect(get(metadata.name)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("patches", () => {
  test("a merge patch sets, and removes with null", async () => {
    const { metadata } = await create(fresh(), { metadata: { annotations: { a: "1", b: "2" } } });
    const patched = await cluster.client.patch(
      jobRuns,
      { namespace, name: metadata.name },
      {
        kind: "merge",
        body: { metadata: { annotations: { a: null, c: "3" } } },
      },
    );
    expect(patched.metadata.annotations).toEqual({ b: "2", c: "3" });
  });

  test("a merge patch with an old resourceVersion is a conflict", async () => {
    const { metadata } = await create(fresh());
    const name = { namespace, name: metadata.name };
    const body = { metadata: { resourceVersion: metadata.resourceVersion, annotations: { a: "1" } } };
    await cluster.client.patch(jobRuns, name, { kind: "merge", body });
    const again = cluster.client.patch(jobRuns, name, {
      kind: "merge",
      body: { metadata: { ...body.metadata, labels: {} } },
    });
    await expect(again).rejects.toMatchObject({ code: "conflict" });
  });

  test("a JSON patch whose test fails changes nothing", async () => {
    const { metadata } = await create(fresh());
    const name = { namespace, name: metadata.name };
    const body = [
      { op: "test", path: "/spec/jobId", value: "another" },
      { op: "add", path: "/metadata/labels", value: { a: "b" } },
    ];
    await expect(cluster.client.patch(jobRuns, name, { kind: "json", body })).rejects.toMatchObject({
      code: "invalid",
    });
    expect((await get(metadata.name)).metadata.resourceVersion).toBe(metadata.resourceVersion);
  });

  test("that change nothing do not make a new version", async () => {
    const { metadata } = await create(fresh());
    const name = { namespace, name: metadata.name };
    const body = { metadata: { labels: { a: "b" } } };
    // The first write after the creation is never without effect: it stores the default of the status as well.
    const first = await cluster.client.patch(jobRuns, name, { kind: "merge", body });
    const second = await cluster.client.patch(jobRuns, name, { kind: "merge", body });
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });
});

describe("server-side apply", () => {
  const annotated = (name: string, annotations: Record<string, string>) => ({
    ...jobRun(name),
    metadata: { name, namespace, annotations },
  });

  test("creates what is not there, and names the manager", async () => {
    const name = fresh();
    const applied = await cluster.client.apply<JobRun>(jobRuns, jobRun(name), { fieldManager: "ours" });
    expect(applied.metadata.generation).toBe(1);
    // The client empties them; the server has them.
    expect(applied.metadata.managedFields).toEqual([]);
    const stored = resourcePath(jobRuns, { namespace, name });
    const owner = { manager: "ours", operation: "Apply", apiVersion: "northflank-operator.io/v1alpha1" };
    const owners = async () => ((await cluster.request("GET", stored)).body as JobRun).metadata.managedFields;
    expect(await owners()).toEqual([expect.objectContaining(owner)]);
    // Sent back as it came, it takes nothing from anybody.
    await cluster.client.replace<JobRun>(jobRuns, applied);
    expect(await owners()).toContainEqual(expect.objectContaining(owner));
  });

  test("removes what this manager applied before and leaves out now, and nothing else", async () => {
    const name = fresh();
    await cluster.client.apply(jobRuns, annotated(name, { a: "1", b: "1" }), { fieldManager: "ours" });
    const patch = { kind: "merge", body: { metadata: { annotations: { c: "1" } } } } as const;
    await cluster.client.patch(jobRuns, { namespace, name }, patch, { fieldManager: "theirs" });
    const after = await cluster.client.apply(jobRuns, annotated(name, { a: "2" }), { fieldManager: "ours" });
    expect(after.metadata.annotations).toEqual({ a: "2", c: "1" });
  });

  test("does not take a field that somebody else applied, unless forced", async () => {
    const name = fresh();
    await cluster.client.apply(jobRuns, annotated(name, { a: "theirs" }), { fieldManager: "theirs" });
    const ours = { ...annotated(name, { a: "ours" }) };
    const polite = cluster.client.apply(jobRuns, ours, { fieldManager: "ours", force: false });
    await expect(polite).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("theirs") });
    const forced = await cluster.client.apply(jobRuns, ours, { fieldManager: "ours" });
    expect(forced.metadata.annotations).toEqual({ a: "ours" });
    // The loser left it out: nothing is removed, because it no longer owns it.
    const without = await cluster.client.apply(jobRuns, annotated(name, {}), { fieldManager: "theirs" });
    expect(without.metadata.annotations).toEqual({ a: "ours" });
  });

  test("of the same fields again makes no new version", async () => {
    const name = fresh();
    await create(name);
    const first = await cluster.client.apply(jobRuns, annotated(name, { a: "1" }), { fieldManager: "ours" });
    const second = await cluster.client.apply(jobRuns, annotated(name, { a: "1" }), { fieldManager: "ours" });
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });
});

describe("the status subresource", () => {
  const condition = (status: string) => ({
    type: "Ready",
    status,
    reason: "Testing",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
  const applyStatus = (name: string, status: Record<string, unknown>, fieldManager = "ours") => {
    const { spec: _, ...rest } = jobRun(name, { status });
    return cluster.client.apply<JobRun>(jobRuns, rest, { subresource: "status", fieldManager });
  };

  test("takes status and nothing else, and is no new generation", async () => {
    const { metadata } = await create(fresh());
    const changed = await cluster.client.apply<JobRun>(
      jobRuns,
      jobRun(metadata.name, {
        spec: { suspend: true },
        status: { observedGeneration: 1 },
        metadata: { labels: { a: "b" } },
      }),
      { subresource: "status" },
    );
    expect(changed.status).toEqual({ observedGeneration: 1 });
    expect(changed.spec).toMatchObject({ suspend: false });
    expect(changed.metadata).toMatchObject({ generation: 1 });
    expect(changed.metadata.labels).toBeUndefined();
  });

  test("is not touched by a write to the object", async () => {
    const { metadata } = await create(fresh());
    const written = await applyStatus(metadata.name, { observedGeneration: 1, conditions: [condition("True")] });
    const replaced = await cluster.client.replace<JobRun>(jobRuns, {
      ...written,
      spec: { ...written.spec, suspend: true },
      status: { observedGeneration: 99 },
    });
    expect(replaced.status).toEqual(written.status);
    expect(replaced.metadata.generation).toBe(2);
  });

  test("loses by apply what its manager leaves out, also one condition of the list", async () => {
    const { metadata } = await create(fresh());
    const stalled = { ...condition("True"), type: "Stalled" };
    await applyStatus(metadata.name, { observedGeneration: 1, runId: "r1", conditions: [condition("False"), stalled] });
    const after = await applyStatus(metadata.name, { observedGeneration: 2, conditions: [condition("True")] });
    expect(after.status).toEqual({ observedGeneration: 2, conditions: [condition("True")] });
  });

  test("keeps by apply what a PUT of the same name wrote", async () => {
    const { metadata } = await create(fresh());
    const live = await applyStatus(metadata.name, { observedGeneration: 1 });
    const start = { id: "s1", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" };
    await cluster.client.replace(
      jobRuns,
      { ...live, status: { ...live.status, start } },
      {
        subresource: "status",
        fieldManager: "ours",
      },
    );
    const after = await applyStatus(metadata.name, { observedGeneration: 2 });
    expect(after.status).toMatchObject({ observedGeneration: 2, start: { id: "s1", outcome: "Pending" } });
  });

  test("is applied whatever uid is named, but only to the resourceVersion that is named", async () => {
    const { metadata } = await create(fresh());
    const { name, resourceVersion } = metadata;
    const applyTo = (identity: object) => {
      const { spec: _, ...rest } = jobRun(name, { status: { observedGeneration: 1 }, metadata: identity });
      return cluster.client.apply<JobRun>(jobRuns, rest, { subresource: "status" });
    };
    const written = await applyTo({ uid: "00000000-0000-0000-0000-000000000000" });
    expect(written).toMatchObject({ metadata: { uid: metadata.uid }, status: { observedGeneration: 1 } });
    await expect(applyTo({ resourceVersion })).rejects.toMatchObject({ code: "conflict" });
    await applyTo({ resourceVersion: written.metadata.resourceVersion });
  });

  test("is patched whatever uid is named, but only in the version that is named", async () => {
    const { metadata } = await create(fresh());
    const name = { namespace, name: metadata.name };
    const patchFor = (identity: object, status: object) =>
      cluster.client.patch<JobRun>(
        jobRuns,
        name,
        { kind: "merge", body: { metadata: identity, status } },
        { subresource: "status" },
      );
    const { resourceVersion } = metadata;
    const written = await patchFor({ resourceVersion }, { observedGeneration: 1, conditions: [condition("True")] });
    await expect(patchFor({ resourceVersion }, { observedGeneration: 2 })).rejects.toMatchObject({ code: "conflict" });
    const stalled = { ...condition("True"), type: "Stalled" };
    const later = await patchFor(
      { resourceVersion: written.metadata.resourceVersion, uid: "00000000-0000-0000-0000-000000000000" },
      { observedGeneration: null, conditions: [stalled] },
    );
    // What is removed comes back with its default.
    expect(later).toMatchObject({ metadata: { uid: metadata.uid } });
    expect(later.status).toEqual({ observedGeneration: -1, conditions: [stalled] });
  });

  test("is written by PUT only from the state that was read", async () => {
    const first = await create(fresh());
    await applyStatus(first.metadata.name, { observedGeneration: 1 });
    const stale = cluster.client.replace(
      jobRuns,
      { ...first, status: { observedGeneration: 5 } },
      { subresource: "status" },
    );
    await expect(stale).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("lists", () => {
  test("come in pages of one and the same moment", async () => {
    const labels = { list: "paged" };
    for (const _ of [1, 2, 3, 4, 5]) await create(fresh(), { metadata: { labels } });
    const options = { namespace, labelSelector: "list=paged", limit: 2 };
    const first = await cluster.client.list<JobRun>(jobRuns, options);
    await create(fresh(), { metadata: { labels } });
    const pages = [first];
    for (let token = first.metadata.continue; token; token = pages.at(-1)?.metadata.continue) {
      pages.push(await cluster.client.list<JobRun>(jobRuns, { ...options, continue: token }));
    }
    expect(pages.map(({ items }) => items.length)).toEqual([2, 2, 1]);
    const versions = new Set(pages.map(({ metadata }) => metadata.resourceVersion));
    expect([...versions]).toEqual([first.metadata.resourceVersion]);
    expect(first.items[0]).toMatchObject({ apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankJobRun" });
  });

  test("with a token that no server made are a bad request", async () => {
    await expect(
      cluster.client.list(jobRuns, { namespace, limit: 1, continue: "bm90IGEgdG9rZW4" }),
    ).rejects.toMatchObject({
      code: "bad_request",
    });
  });

  test("select by label, by name and by a selectable field", async () => {
    const [one, two] = [fresh(), fresh()];
    await create(one, { metadata: { labels: { pick: "yes" } }, spec: { jobId: "picked" } });
    await create(two, { metadata: { labels: { pick: "no" } } });
    const names = async (options: object) => {
      const { items } = await cluster.client.list(jobRuns, { namespace, ...options });
      return items.map(({ metadata }) => metadata.name);
    };
    expect(await names({ labelSelector: "pick=yes" })).toEqual([one]);
    expect(await names({ labelSelector: "pick notin (yes),pick" })).toEqual([two]);
    expect(await names({ fieldSelector: `metadata.name=${two}` })).toEqual([two]);
    expect(await names({ fieldSelector: "spec.jobId=picked" })).toEqual([one]);
  });

  test("from a future that the server has not seen are refused as ahead", { timeout: 20_000 }, async () => {
    const future = { namespace, resourceVersion: "999999999999", resourceVersionMatch: "NotOlderThan" } as const;
    await expect(cluster.client.list(jobRuns, future)).rejects.toMatchObject({ code: "ahead" });
  });
});

describe("watches", () => {
  interface Watching {
    readonly seen: WatchEvent[];
    readonly names: () => readonly string[];
    readonly until: (ready: (seen: readonly WatchEvent[]) => boolean) => Promise<void>;
    readonly ended: Promise<unknown>;
    readonly stop: () => Promise<void>;
  }

  function watch(options: Parameters<Cluster["client"]["watch"]>[1], type = jobRuns): Watching {
    const seen: WatchEvent[] = [];
    const controller = new AbortController();
    const ended = cluster.client
      .watch(type, { namespace, ...options }, { onEvent: (event) => seen.push(event) }, controller.signal)
      .then(
        () => "ended",
        (error: unknown) => error,
      );
    return {
      seen,
      names: () =>
        seen.map(({ type: kind, object }) => `${kind} ${(object as KubeObject).metadata?.name ?? ""}`.trim()),
      until: (ready) => expect.poll(() => ready(seen), { timeout: 20_000, interval: 20 }).toBe(true),
      ended,
      stop: async () => {
        controller.abort(new Error("seen enough"));
        await ended;
      },
    };
  }

  const now = async () => (await cluster.client.list(jobRuns, { namespace })).metadata.resourceVersion ?? "";

  test("tell what happens after a resourceVersion, in order", async () => {
    const resourceVersion = await now();
    const name = fresh();
    await create(name);
    const watching = watch({ resourceVersion });
    await cluster.client.patch(jobRuns, { namespace, name }, { kind: "merge", body: { spec: { suspend: true } } });
    await cluster.client.delete(jobRuns, { namespace, name });
    await watching.until((seen) => seen.length === 3);
    expect(watching.names()).toEqual([`ADDED ${name}`, `MODIFIED ${name}`, `DELETED ${name}`]);
    const versions = watching.seen.map(({ object }) => Number((object as KubeObject).metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(3);
    await watching.stop();
  });

  test("show an object that leaves the selection as deleted, and one that enters it as added", async () => {
    const resourceVersion = await now();
    const name = fresh();
    const watching = watch({ resourceVersion, labelSelector: "in=yes" });
    await create(name);
    const label = (value: string) =>
      cluster.client.patch(
        jobRuns,
        { namespace, name },
        { kind: "merge", body: { metadata: { labels: { in: value } } } },
      );
    await label("yes");
    await label("no");
    await watching.until((seen) => seen.length === 2);
    expect(watching.names()).toEqual([`ADDED ${name}`, `DELETED ${name}`]);
    await watching.stop();
  });

  test("end by themselves when their time is over", async () => {
    const watching = watch({ resourceVersion: await now(), timeoutSeconds: 1 });
    expect(await watching.ended).toBe("ended");
  });

  test("begin with everything and say when that is done, where the server streams lists", async () => {
    const labels = { list: "streamed" };
    const names = [fresh(), fresh()];
    for (const name of names) await create(name, { metadata: { labels } });
    const watching = watch({
      labelSelector: "list=streamed",
      sendInitialEvents: true,
      resourceVersionMatch: "NotOlderThan",
      allowWatchBookmarks: true,
    });
    await watching.until((seen) => seen.at(-1)?.type === "BOOKMARK");
    expect(watching.names().slice(0, -1)).toEqual(names.map((name) => `ADDED ${name}`));
    const { metadata, kind } = watching.seen.at(-1)!.object as KubeObject;
    expect(metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
    expect(metadata.resourceVersion).toMatch(/^\d+$/);
    expect(kind).toBe("NorthflankJobRun");
    const later = fresh();
    await create(later, { metadata: { labels } });
    await watching.until((seen) => seen.at(-1)?.type === "ADDED");
    expect(watching.names().at(-1)).toBe(`ADDED ${later}`);
    await watching.stop();
  });

  test("from a past that the server has forgotten are expired, as status or as event", async () => {
    // A real server remembers less than that by itself; the sandbox has to be told.
    cluster.sandbox?.compactHistory();
    const watching = watch({ resourceVersion: "1" });
    const outcome = await Promise.race([watching.ended, watching.until((seen) => seen.length > 0)]);
    const event = watching.seen[0];
    const error = event === undefined ? outcome : kubeErrorOfStatus("watch", event.object as KubeStatus);
    if (event !== undefined) expect(event.type).toBe("ERROR");
    expect(isKubeError(error, "expired"), String(error)).toBe(true);
    await watching.stop();
  });
});

describe("what the operator uses besides its own kinds", () => {
  test("Secrets and ConfigMaps", async () => {
    const data = { token: Buffer.from("canary").toString("base64") };
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace }, data };
    await cluster.client.create(secrets, secret);
    expect(await cluster.client.get(secrets, { namespace, name: "s" })).toMatchObject({ type: "Opaque", data });
    const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m", namespace }, data: { a: "b" } };
    await cluster.client.create(configMaps, map);
    expect(await cluster.client.get(configMaps, { namespace, name: "m" })).toMatchObject({ data: { a: "b" } });
  });

  test("Leases: whoever is slower gets a conflict, and times have six digits", async () => {
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "l", namespace },
      spec: { holderIdentity: "a", leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000000Z" },
    };
    const created = await cluster.client.create(leases, lease);
    expect(created.spec).toEqual(lease.spec);
    await cluster.client.replace(leases, { ...created, spec: { ...created.spec, holderIdentity: "b" } });
    const slower = cluster.client.replace(leases, { ...created, spec: { ...created.spec, holderIdentity: "c" } });
    await expect(slower).rejects.toMatchObject({ code: "conflict" });
    const seconds = { ...lease, metadata: { name: "other", namespace }, spec: { renewTime: "2026-01-01T00:00:00Z" } };
    await expect(cluster.client.create(leases, seconds)).rejects.toMatchObject({ code: "bad_request" });
  });

  test("Events, and their series", async () => {
    const event = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: "e", namespace },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "northflank-operator.io/operator",
      reportingInstance: "pod-1",
      action: "Apply",
      reason: "ChangeApplied",
      type: "Normal",
      note: "said",
      regarding: { apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankJobRun", namespace, name: "x" },
    };
    await cluster.client.create(events, event);
    const series = { count: 2, lastObservedTime: "2026-01-01T00:01:00.000000Z" };
    const folded = await cluster.client.patch(events, { namespace, name: "e" }, { kind: "merge", body: { series } });
    expect(folded).toMatchObject({ note: "said", series });
  });
});

test("the operator may read its own kinds, and nothing that it tried was refused", async () => {
  const access = await loadKubeAccess({ path: cluster.operatorKubeconfigPath }, { clock: systemClock });
  await using operator = createKubeClient({ access, clock: systemClock });
  await operator.list(jobRuns, { namespace });
  expect(await cluster.forbidden()).toEqual([]);
});
