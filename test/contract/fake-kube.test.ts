import { afterAll, beforeAll, expect, test } from "vitest";
import { apiVersion, northflankJobRuns as type } from "../../src/api/names.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { isKubeError } from "../../src/kube/errors.ts";
import type { KubeObject, WatchEvent } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";
import { FakeKube, type Stored } from "../support/fake-kube.ts";

// The fake of unit tests answers as an API server does: the same conversation with both comes to the same.

let cluster: Cluster;
beforeAll(async () => {
  cluster = await clusterUnderTest();
});
afterAll(() => cluster?.stop());

/** What a conversation is held with. */
interface Server {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly create: (object: Stored) => Promise<Stored>;
}

type Status = Readonly<Record<string, unknown>>;

/** An object, and what is asked of it: each question by the object as it was answered before. */
class Conversation {
  readonly #server: Server;
  readonly #name: string;
  object!: Stored;
  readonly answers: unknown[] = [];

  constructor(server: Server, name: string) {
    this.#server = server;
    this.#name = name;
  }

  get at() {
    return { namespace: this.#server.namespace, name: this.#name };
  }

  async begin(metadata: object = {}): Promise<void> {
    this.object = await this.#server.create({
      apiVersion,
      kind: type.kind,
      metadata: { ...this.at, ...metadata },
      spec: { projectId: "shop", jobId: "migrate" },
    });
  }

  replaceStatus(status: Status, resourceVersion = this.object.metadata.resourceVersion): Promise<void> {
    const metadata = { ...this.object.metadata, ...(resourceVersion && { resourceVersion }) };
    return this.#note((client) =>
      client.replace(type, { ...this.object, metadata, status }, { subresource: "status" }),
    );
  }

  patchStatus(status: object, resourceVersion = this.object.metadata.resourceVersion): Promise<void> {
    const body = { metadata: { resourceVersion }, status };
    return this.#note((client) => client.patch(type, this.at, { kind: "merge", body }, { subresource: "status" }));
  }

  patch(...body: readonly object[]): Promise<void> {
    return this.#note((client) => client.patch(type, this.at, { kind: "json", body }));
  }

  get(): Promise<void> {
    return this.#note((client) => client.get(type, this.at));
  }

  /** And what is there then. */
  async delete(options: { readonly uid?: string } = {}): Promise<void> {
    await this.#note(async (client) => {
      await client.delete(type, this.at, options);
      return undefined;
    });
    await this.get();
  }

  async #note(ask: (client: KubeClient) => Promise<KubeObject | undefined>): Promise<void> {
    try {
      const object = (await ask(this.#server.client)) as Stored | undefined;
      if (object === undefined) return void this.answers.push("done");
      const { generation, resourceVersion, deletionTimestamp, finalizers, annotations, uid } = object.metadata;
      const before = this.object.metadata;
      this.object = object;
      this.answers.push({
        isNewVersion: resourceVersion !== before.resourceVersion,
        isSame: uid === before.uid,
        isMarked: deletionTimestamp !== undefined,
        ...{ generation, finalizers, annotations, status: object.status },
      });
    } catch (error) {
      if (!isKubeError(error)) throw error;
      this.answers.push(error.code);
    }
  }
}

const running = { observedGeneration: 1, phase: "Running", runId: "r1" };
const start = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" };
const finalizers = ["example.com/hold"];

const conversations: Readonly<Record<string, (it: Conversation) => Promise<void>>> = {
  "status by PUT": async (it) => {
    await it.begin();
    const stale = it.object.metadata.resourceVersion;
    await it.replaceStatus({ ...running, start });
    await it.replaceStatus({ ...running, phase: "Pending" }, stale);
    await it.replaceStatus({ ...running, start });
    await it.replaceStatus({ observedGeneration: 1 });
  },
  "status by merge patch": async (it) => {
    await it.begin();
    const stale = it.object.metadata.resourceVersion;
    await it.replaceStatus({ ...running, start });
    await it.patchStatus({ phase: "Pending" }, stale);
    await it.patchStatus({ phase: "Succeeded", runId: null });
    await it.patchStatus({ phase: "Succeeded" });
  },
  "annotations and finalizers by JSON patch": async (it) => {
    await it.begin({ annotations: { a: "1" } });
    await it.replaceStatus(running);
    await it.patch({ op: "test", path: "/metadata/annotations/a", value: "2" }, { op: "remove", path: "/spec" });
    await it.patch({ op: "add", path: "/metadata/annotations/b", value: "2" });
    await it.patch({ op: "add", path: "/metadata/annotations/b", value: "2" });
    await it.patch({ op: "add", path: "/metadata/finalizers", value: finalizers });
    await it.patch({ op: "replace", path: "/metadata/finalizers", value: [] });
    await it.patch(
      { op: "replace", path: "/status/phase", value: "Failed" },
      { op: "add", path: "/metadata/labels", value: {} },
    );
  },
  "deletion of what nobody holds": async (it) => {
    await it.begin();
    await it.delete({ uid: "00000000-0000-0000-0000-000000000000" });
    await it.delete({ uid: it.object.metadata.uid ?? "" });
    await it.delete();
    await it.patchStatus({ phase: "Failed" });
    await it.replaceStatus(running);
  },
  "deletion of what a finalizer holds": async (it) => {
    await it.begin({ finalizers });
    await it.delete();
    await it.delete();
    await it.patchStatus({ phase: "Failed" });
    await it.patch({ op: "remove", path: "/metadata/finalizers" });
    await it.get();
  },
};

async function answersOf(server: Server, talk: (it: Conversation) => Promise<void>, name: string) {
  const it = new Conversation(server, name);
  await talk(it);
  return it.answers;
}

function fakeServer(): Server {
  const kube = new FakeKube(systemClock);
  // The schema of the real ones fills this in.
  const create = async (object: Stored) => kube.store({ ...object, status: { observedGeneration: -1 } });
  return { client: kube.client(), namespace: "default", create };
}

async function realServer(): Promise<Server> {
  const { client } = cluster;
  return { client, namespace: await cluster.freshNamespace(), create: (object) => client.create(type, object) };
}

test.each(Object.entries(conversations))("%s", async (sentence, talk) => {
  const name = sentence.toLowerCase().replaceAll(" ", "-");
  const expected = await answersOf(await realServer(), talk, name);
  expect(expected.length).toBeGreaterThan(3);
  expect(await answersOf(fakeServer(), talk, name)).toEqual(expected);
});

test("a watch tells what happens from then on, and a list what is there", async () => {
  const seen = await Promise.all(
    [await realServer(), fakeServer()].map(async (server) => {
      const { client, namespace } = server;
      const it = new Conversation(server, "watched");
      await it.begin({ finalizers });
      const list = await client.list(type, { namespace });
      const events: string[] = [];
      const ended = new AbortController();
      const isOver = new Promise<void>((resolve) => {
        const onEvent = ({ type: kind, object }: WatchEvent) => {
          const { metadata } = object as KubeObject;
          events.push(`${kind} ${metadata.name} ${metadata.generation}`);
          if (kind === "DELETED") resolve();
        };
        const from = { namespace, resourceVersion: list.metadata.resourceVersion ?? "" };
        client.watch(type, from, { onEvent }, ended.signal).catch(() => resolve());
      });
      await it.replaceStatus(running);
      await it.replaceStatus(running);
      await it.delete();
      await it.patch({ op: "remove", path: "/metadata/finalizers" });
      await isOver;
      ended.abort(new Error("the test is over"));
      const left = await client.list(type, { namespace });
      return { listed: list.items.map(({ metadata }) => metadata.name), events, left: left.items };
    }),
  );
  expect(seen[0]?.events).toHaveLength(3);
  expect(seen[1]).toEqual(seen[0]);
});
