import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";
import {
  type Conversation,
  contentTypes,
  conversations,
  type MakeBody,
  type Step,
  testGroup,
  widgetDefinition,
} from "./kubernetes-api.cases.ts";

// RECORD_ANSWERS=1 with TEST_CLUSTER=real writes what the real server answered; any other run must get the same.
const file = join(import.meta.dirname, "kubernetes-api.expected.json");
const isRecording = process.env.RECORD_ANSWERS === "1";
const expected = JSON.parse(isRecording ? "{}" : readFileSync(file, "utf8")) as Record<string, unknown>;
const recorded: Record<string, unknown> = {};

let cluster: Cluster;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  if (isRecording && cluster.kind !== "real") throw new Error("answers are recorded on a real server only");
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${widgetDefinition.metadata.name}`;
  const options = { body: widgetDefinition, contentType: contentTypes.apply };
  const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, options);
  expect(answer).toMatchObject({ status: expect.toBeOneOf([200, 201]) });
  // A real server takes a moment to serve a new definition.
  const served = `/apis/${testGroup}/v1alpha1/namespaces/default/widgets`;
  await vi.waitUntil(async () => (await cluster.request("GET", served)).status === 200, { timeout: 30_000 });
  await vi.waitUntil(async () => (await cluster.request("GET", `/apis/${testGroup}`)).status === 200);
});

afterAll(async () => {
  if (isRecording) writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
  await cluster?.stop();
});

describe("the Kubernetes API answers as recorded on a real server", () => {
  test.each(conversations)("$name", async (conversation) => {
    const answers = await hold(conversation);
    if (isRecording) recorded[conversation.name] = answers;
    else expect(byManager(answers)).toEqual(byManager(expected[conversation.name]));
  });
});

/** Owners are listed by the second of their last write, so their order differs from run to run on a busy machine. */
function byManager(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byManager);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (key !== "managedFields" || !Array.isArray(item)) return [key, byManager(item)];
    const name = (owner: Record<string, unknown>) => `${owner.operation} ${owner.manager} ${owner.subresource ?? ""}`;
    return [key, [...item].sort((a, b) => name(a).localeCompare(name(b)))];
  });
  return Object.fromEntries(entries);
}

async function hold(conversation: Conversation): Promise<unknown[]> {
  const namespace = await cluster.freshNamespace();
  const symbols = new Symbols(namespace);
  const bodies: unknown[] = [];
  const answers: unknown[] = [];
  for (const step of conversation.steps) {
    const answer = await take(step, namespace, bodies);
    bodies.push(answer.body);
    answers.push({ call: step.call, ...symbols.normalise(answer, step, conversation) });
  }
  // As JSON has it: what is undefined is not there.
  return JSON.parse(JSON.stringify(answers)) as unknown[];
}

async function take(step: Step, namespace: string, earlier: readonly unknown[]) {
  const [method = "", path = ""] = step.call.split(" ");
  const place = path
    .replace("{w}", `/apis/${testGroup}/v1alpha1/namespaces/{ns}/widgets`)
    .replaceAll("{ns}", namespace);
  const made = typeof step.body === "function" ? (step.body as MakeBody)(earlier) : step.body;
  const body = typeof made === "object" && made !== null ? JSON.stringify(made).replaceAll("{ns}", namespace) : made;
  return cluster.request(method, place, {
    contentType: contentTypes[step.type ?? "json"],
    headers: { "user-agent": "contract-test/1", ...(step.accept === undefined ? {} : { accept: step.accept }) },
    ...(body === undefined ? {} : { body }),
  });
}

/** Replaces what differs from run to run by names that are given in order of appearance. */
class Symbols {
  readonly #namespace: string;
  readonly #names = new Map<string, string>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  normalise(
    answer: { readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly body: unknown },
    step: Step,
    conversation: Conversation,
  ): object {
    if (step.compare === "status") return { status: answer.status };
    if (step.compare === "outline") return outlineOf(answer);
    const { warning } = answer.headers;
    const body = this.#value(documents(answer.body), "", conversation.ownership === true);
    return { status: answer.status, ...(warning === undefined ? {} : { warning }), body };
  }

  #value(value: unknown, key: string, ownership: boolean): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#value(item, key, ownership));
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(withoutServerTime(value))
        .filter(([name]) => ownership || name !== "managedFields")
        .map(([name, item]) => [name, this.#value(item, name, ownership)]);
      return Object.fromEntries(entries);
    }
    return typeof value === "string" ? this.#text(value, key) : value;
  }

  #text(text: string, key: string): string {
    if (key === "resourceVersion" && text !== "") return this.#name(`revision ${text}`, "revision");
    if (key === "uid" && text.length === 36) return this.#name(text, "uid");
    return text
      .replaceAll(this.#namespace, "NAMESPACE")
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (uid) => this.#name(uid, "uid"))
      .replaceAll(/in record \(\d+\)/g, "in record (REVISION)")
      .replaceAll(/20(?!26-01-01|20-)\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "TIME");
  }

  #name(value: string, kind: string): string {
    let name = this.#names.get(value);
    if (name === undefined) {
      const count = [...this.#names.values()].filter((other) => other.startsWith(kind)).length;
      name = `${kind}-${count + 1}`;
      this.#names.set(value, name);
    }
    return name;
  }
}

/** Lists and bookmarks carry the revision of the whole server, which others move too. */
function withoutServerTime(value: object): object {
  const { kind, metadata, items, type, object } = value as {
    readonly kind?: string;
    readonly metadata?: object;
    readonly items?: unknown;
    readonly type?: string;
    readonly object?: { readonly metadata?: object };
  };
  const revision = { resourceVersion: "" };
  if (kind?.endsWith("List") && items !== undefined) return { ...value, metadata: { ...metadata, ...revision } };
  if (type !== "BOOKMARK") return value;
  return { type, object: { ...object, metadata: { ...object?.metadata, ...revision } } };
}

/** The lines of a watch stream as a list, anything else as it is. */
function documents(body: unknown): unknown {
  if (typeof body !== "string" || !body.startsWith("{")) return body;
  return body
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

function outlineOf(answer: { readonly status: number; readonly body: unknown }): object {
  const body = documents(answer.body);
  const status = (Array.isArray(body) ? body[0]?.object : body) as
    | { readonly reason?: string; readonly details?: { readonly causes?: readonly { readonly field?: string }[] } }
    | undefined;
  const causes = status?.details?.causes?.map(({ field }) => field);
  return { status: answer.status, reason: status?.reason, ...(causes === undefined ? {} : { fields: causes }) };
}
