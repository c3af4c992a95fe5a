import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import { configMaps, events, type KubeObject, type Lease, leases } from "../../src/kube/types.ts";
import { Events } from "../../src/runtime/events.ts";
import { addFinalizer, removeFinalizer } from "../../src/runtime/finalizers.ts";
import { LeaderElection } from "../../src/runtime/leader-election.ts";
import { Reflector } from "../../src/runtime/reflector.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";
import { fakeLog } from "../support/fake-log.ts";

// The parts of the controller runtime that talk to Kubernetes, against a server: what they ask for is what it gives.

let cluster: Cluster;
let operator: KubeClient & AsyncDisposable;
const leftovers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  cluster = await clusterUnderTest();
  const access = await loadKubeAccess({ path: cluster.operatorKubeconfigPath }, { clock: systemClock });
  operator = createKubeClient({ access, clock: systemClock });
});

afterAll(async () => {
  for (const stop of leftovers.reverse()) await stop();
  await operator?.[Symbol.asyncDispose]();
  await cluster?.stop();
});

const never = new AbortController().signal;

function configMap(namespace: string, name: string, data: Record<string, string> = {}): KubeObject & { data: object } {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 20 });
}

function follow(namespace: string, changes: { kube?: Pick<KubeClient, "list" | "watch">; pageSize?: number } = {}) {
  const heard: string[] = [];
  const modes: string[] = [];
  const reflector = new Reflector<KubeObject>({
    kube: changes.kube ?? cluster.client,
    resource: configMaps,
    namespace,
    labelSelector: "test=yes",
    project: (raw) => raw,
    clock: systemClock,
    random: Math.random,
    log: fakeLog().log,
    observer: {
      listed: ({ mode }) => modes.push(mode),
      received: () => undefined,
      failed: (cause) => modes.push(cause),
      regressed: () => modes.push("regressed"),
      handlerFailed: () => modes.push("handler failed"),
    },
    timing: { pageSize: changes.pageSize ?? 500 },
  });
  reflector.store.listen(({ kind, key }) => heard.push(`${kind} ${key.slice(namespace.length + 1)}`));
  leftovers.push(() => reflector.stop());
  return { reflector, heard, modes };
}

function labelled(namespace: string, name: string, data: Record<string, string> = {}): KubeObject & { data: object } {
  const plain = configMap(namespace, name, data);
  return { ...plain, metadata: { ...plain.metadata, labels: { test: "yes" } } };
}

describe("a reflector", () => {
  test("streams what exists, then follows changes, deletions and successors", async () => {
    const namespace = await cluster.freshNamespace();
    await cluster.client.create(configMaps, labelled(namespace, "a"));
    await cluster.client.create(configMaps, configMap(namespace, "unlabelled"));
    const { reflector, heard, modes } = follow(namespace);
    reflector.start();
    await reflector.whenSynced(never);
    expect([heard, modes]).toEqual([["added a"], ["stream"]]);

    await cluster.client.create(configMaps, labelled(namespace, "b"));
    await cluster.client.replace(configMaps, labelled(namespace, "a", { changed: "yes" }));
    await cluster.client.delete(configMaps, { namespace, name: "b" });
    await cluster.client.create(configMaps, labelled(namespace, "b"));
    await eventually(() => {
      expect(heard).toEqual(["added a", "added b", "updated a", "deleted b", "added b"]);
    });
    expect(modes).toEqual(["stream"]);
  });

  test("sees its own write at once, and its event says nothing more", async () => {
    const namespace = await cluster.freshNamespace();
    await cluster.client.create(configMaps, labelled(namespace, "a"));
    const { reflector, heard } = follow(namespace);
    reflector.start();
    await reflector.whenSynced(never);
    const answer = await cluster.client.replace(configMaps, labelled(namespace, "a", { mine: "yes" }));
    reflector.overlay(answer);
    expect(reflector.store.get(`${namespace}/a`)?.metadata.resourceVersion).toBe(answer.metadata.resourceVersion);
    await cluster.client.create(configMaps, labelled(namespace, "later"));
    await eventually(() => expect(heard).toEqual(["added a", "updated a", "added later"]));
  });

  test("reads pages where the server does not stream, and follows from their resourceVersion", async () => {
    const namespace = await cluster.freshNamespace();
    for (const name of ["a", "b", "c", "d", "e"]) await cluster.client.create(configMaps, labelled(namespace, name));
    const kube: Pick<KubeClient, "list" | "watch"> = {
      list: (...args) => cluster.client.list(...args),
      watch: async (type, options, sink, signal) => {
        if (options.sendInitialEvents) throw new KubeError({ code: "invalid", step: "watch", detail: "no streaming" });
        await cluster.client.watch(type, options, sink, signal);
      },
    };
    const { reflector, heard, modes } = follow(namespace, { kube, pageSize: 2 });
    reflector.start();
    await reflector.whenSynced(never);
    expect(heard).toEqual(["added a", "added b", "added c", "added d", "added e"]);
    await cluster.client.create(configMaps, labelled(namespace, "f"));
    await eventually(() => expect(heard.at(-1)).toBe("added f"));
    expect(modes).toEqual(["refused", "pages"]);
  });
});

test("of two replicas one leads, and hands over when it lets go", async () => {
  const namespace = await cluster.freshNamespace();
  const replica = (identity: string) => {
    const election = new LeaderElection({
      kube: operator,
      namespace,
      name: "northflank-operator",
      identity,
      leaseDurationMs: 4_000,
      renewDeadlineMs: 3_000,
      retryPeriodMs: 500,
      clock: systemClock,
      random: Math.random,
      log: fakeLog().log,
    });
    leftovers.push(() => election.release());
    return election;
  };
  const [first, second] = [replica("first"), replica("second")];
  first.start();
  const leading = await first.whenLeading(never);
  second.start();
  // Several renewals, so that the Lease was replaced more than once.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect([first.isLeaderFor(1_000), second.isLeaderFor(1), leading.aborted]).toEqual([true, false, false]);
  await first.release();
  expect(leading.aborted).toBe(true);
  await second.whenLeading(never);
  const lease = await cluster.client.get<Lease>(leases, { namespace, name: "northflank-operator" });
  expect(lease.spec).toMatchObject({ holderIdentity: "second", leaseDurationSeconds: 4, leaseTransitions: 1 });
});

test("events are taken by the server, and repeats become a series of the same one", async () => {
  const namespace = await cluster.freshNamespace();
  const regarding = await cluster.client.create(configMaps, configMap(namespace, "subject"));
  const dropped: string[] = [];
  const recorder = new Events({
    kube: operator,
    reportingController: "northflank-operator.io/operator",
    reportingInstance: "test",
    clock: systemClock,
    random: Math.random,
    log: fakeLog().log,
    observer: { written: () => undefined, dropped: (why) => dropped.push(why) },
  });
  const draft = {
    regarding,
    type: "Warning",
    reason: "RunFailed",
    action: "Observe",
    note: "ü".repeat(2_000),
  } as const;
  recorder.record(draft);
  await eventually(() => expect(recorder.pending).toBe(0));
  recorder.record(draft);
  recorder.record(draft);
  await recorder.drain(never);
  expect(dropped).toEqual([]);
  const { items } = await cluster.client.list<KubeObject>(events, { namespace });
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    regarding: { kind: "ConfigMap", name: "subject", uid: regarding.metadata.uid },
    reportingController: "northflank-operator.io/operator",
    series: { count: 3 },
  });
});

test("a finalizer comes and goes, and those of others stay", async () => {
  const namespace = await cluster.freshNamespace();
  const ours = "northflank-operator.io/run-finalizer";
  const theirs = "example.io/theirs";
  const name = { namespace, name: "guarded" };
  const finalizersOf = ({ metadata }: KubeObject) => metadata.finalizers ?? [];
  const patch = (body: readonly object[] = []) => cluster.client.patch(configMaps, name, { kind: "json", body });

  const bare = await cluster.client.create(configMaps, configMap(namespace, "guarded"));
  const withTheirs = await patch(addFinalizer(bare.metadata, theirs));
  expect(finalizersOf(withTheirs)).toEqual([theirs]);
  // Decided on a view in which nobody has a finalizer yet: refused, instead of wiping theirs.
  await expect(patch(addFinalizer(bare.metadata, ours))).rejects.toMatchObject({ code: "invalid" });
  const both = await patch(addFinalizer(withTheirs.metadata, ours));
  expect(finalizersOf(both)).toEqual([theirs, ours]);
  const withOurs = await patch(removeFinalizer(both.metadata, theirs));
  // Decided on a view in which ours stood second.
  await expect(patch(removeFinalizer(both.metadata, ours))).rejects.toMatchObject({ code: "invalid" });
  expect(finalizersOf(await patch(removeFinalizer(withOurs.metadata, ours)))).toEqual([]);
});
