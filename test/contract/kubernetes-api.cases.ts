/**
 * What the operator, its users and kubectl rely on of the Kubernetes API, as conversations. Each runs in a namespace of
 * its own (`{ns}` in paths) against whatever cluster is under test. What the answers must be was recorded on a real
 * kube-apiserver and stands in `kubernetes-api.expected.json`, so that sandbox and server cannot drift apart unseen.
 */

export interface Step {
  /** `METHOD path`; `{w}` is the path of the test resource, `{ns}` the namespace. */
  readonly call: string;
  /** A body, or what makes one from earlier answers (in order; the newest last). */
  readonly body?: unknown;
  readonly type?: keyof typeof contentTypes;
  readonly accept?: string;
  /** `outline`: only status, reason and the fields of the causes must agree; `status`: only the HTTP status. */
  readonly compare?: "outline" | "status";
}

export interface Conversation {
  readonly name: string;
  /** Compare `managedFields` too. */
  readonly ownership?: boolean;
  readonly steps: readonly Step[];
}

export type MakeBody = (answers: readonly unknown[]) => unknown;

export const contentTypes = {
  json: "application/json",
  yaml: "application/yaml",
  merge: "application/merge-patch+json",
  patch: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
  text: "text/plain",
} as const;

export const testGroup = "contract.example.io";
const apiVersion = `${testGroup}/v1alpha1`;

const short = { type: "string", maxLength: 20 } as const;

/** A resource shaped like ours: status default, list map of conditions, rules, selectable fields, columns. */
export const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `widgets.${testGroup}` },
  spec: {
    group: testGroup,
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wgt"] },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: ".spec.projectId" }],
        additionalPrinterColumns: [
          { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: "Size", type: "integer", jsonPath: ".spec.size" },
          { name: "Suspended", type: "boolean", jsonPath: ".spec.suspend", priority: 1 },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            description: "A widget.",
            required: ["spec"],
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              spec: {
                type: "object",
                description: "What is wanted.",
                required: ["projectId"],
                "x-kubernetes-validations": [
                  {
                    rule: "self.projectId == oldSelf.projectId",
                    message: "projectId is immutable",
                    fieldPath: ".projectId",
                  },
                  {
                    rule: "!has(self.size) || self.size < 100",
                    messageExpression: "self.projectId + ' is too large'",
                    reason: "FieldValueForbidden",
                  },
                  {
                    rule: "!has(self.mode) || self.mode != 'Slow' || has(self.suspend)",
                    message: "slow needs suspend",
                  },
                  { rule: "!has(self.note) || self.note != 'bad'" },
                ],
                properties: {
                  projectId: { type: "string", minLength: 3, maxLength: 54, pattern: "^[A-Za-z](-?[A-Za-z0-9])*$" },
                  size: { type: "integer", minimum: 1, maximum: 1000, default: 3 },
                  mode: { type: "string", enum: ["Fast", "Slow"] },
                  suspend: { type: "boolean" },
                  env: { type: "object", maxProperties: 5, additionalProperties: short },
                  port: { "x-kubernetes-int-or-string": true },
                  free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                  note: { type: "string", nullable: true, maxLength: 10 },
                  at: { type: "string", format: "date-time" },
                  tags: { type: "array", maxItems: 4, "x-kubernetes-list-type": "set", items: short },
                  words: { type: "array", maxItems: 4, items: short },
                  refs: {
                    type: "array",
                    maxItems: 10,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    items: {
                      type: "object",
                      required: ["name"],
                      "x-kubernetes-validations": [{ rule: "self.name != 'bad'", message: "no bad names" }],
                      properties: { name: short, key: { ...short, default: "token" } },
                    },
                  },
                  source: {
                    type: "object",
                    oneOf: [{ required: ["external"] }, { required: ["internal"] }],
                    properties: {
                      external: { type: "object", properties: { image: short } },
                      internal: { type: "object", properties: { id: short } },
                    },
                  },
                },
              },
              status: {
                type: "object",
                default: { observedGeneration: -1 },
                properties: {
                  observedGeneration: { type: "integer", format: "int64" },
                  phase: { type: "string" },
                  runId: { type: "string" },
                  conditions: {
                    type: "array",
                    maxItems: 16,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    items: {
                      type: "object",
                      required: ["type", "status"],
                      properties: {
                        type: { type: "string", maxLength: 40 },
                        status: { type: "string", enum: ["True", "False", "Unknown"] },
                        reason: { type: "string" },
                        lastTransitionTime: { type: "string", format: "date-time" },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

type Json = Record<string, unknown>;

function widget(name: string, spec: unknown, more: Json = {}, metadata: Json = {}): Json {
  return { apiVersion, kind: "Widget", metadata: { name, ...metadata }, spec, ...more };
}

/** For apply: the namespace in the body stands in some messages. */
function config(name: string, spec: unknown, more: Json = {}): MakeBody {
  return () => ({
    apiVersion,
    kind: "Widget",
    metadata: { name, namespace: "{ns}" },
    ...(spec ? { spec } : {}),
    ...more,
  });
}

/** The newest answer with changes: what a client does that reads, changes and writes back. */
function last(change: (object: Json & { metadata: Json; spec: Json }) => Json): MakeBody {
  return (answers) => change(structuredClone(answers.at(-1)) as Json & { metadata: Json; spec: Json });
}

/** The answer of a given step (from 0), changed. */
function answerOf(step: number, change: (object: Json & { metadata: Json; spec: Json }) => Json): MakeBody {
  return (answers) => change(structuredClone(answers[step]) as Json & { metadata: Json; spec: Json });
}

const plain = { projectId: "shop" };

function refused(name: string, spec: unknown, compare?: "outline"): Conversation {
  return {
    name: `a spec with ${name}`,
    steps: [{ call: "POST {w}", body: widget("a", spec), ...(compare === undefined ? {} : { compare }) }],
  };
}

const validation: readonly Conversation[] = [
  refused("a string for an integer", { ...plain, size: "x" }),
  refused("a fraction for an integer", { ...plain, size: 1.5 }),
  refused("a required field missing", {}),
  refused("a value outside an enum", { ...plain, mode: "x" }),
  refused("a pattern not matched", { projectId: "1ab" }),
  refused("a string too short", { projectId: "a" }),
  refused("a string too long", { projectId: "a".repeat(60) }),
  refused("a number too small", { ...plain, size: 0 }),
  refused("a number too large and a rule broken", { ...plain, size: 2000 }),
  refused("too many items", { ...plain, words: ["a", "b", "c", "d", "e"] }),
  refused("too many properties", { ...plain, env: { a: "", b: "", c: "", d: "", e: "", f: "" } }),
  refused("a set with a duplicate", { ...plain, tags: ["a", "a"] }),
  refused("a list map with a duplicate", { ...plain, refs: [{ name: "a" }, { name: "a" }] }),
  refused("a list map item without its key", { ...plain, refs: [{ key: "a" }] }),
  refused("null for a required field", { projectId: null }),
  refused("null for a field with a default", { ...plain, size: null }),
  refused("null for a nullable field", { ...plain, note: null }),
  refused("a fraction for int-or-string", { ...plain, port: 1.5 }),
  refused("a number for int-or-string", { ...plain, port: 8080 }),
  refused("no alternative of oneOf", { ...plain, source: {} }),
  refused("both alternatives of oneOf", { ...plain, source: { external: {}, internal: {} } }),
  refused("a date that is none", { ...plain, at: "yesterday" }),
  refused("a broken rule with a message expression", { ...plain, size: 500 }),
  refused("a broken rule with a message", { ...plain, mode: "Slow" }),
  refused("a broken rule without a message", { ...plain, note: "bad" }),
  refused("a broken rule in a list item", { ...plain, refs: [{ name: "ok" }, { name: "bad" }] }),
  refused("a broken rule and a wrong value", { ...plain, size: 500, mode: "x" }),
  refused("a wrong value in a map", { ...plain, env: { a: 1 } }),
  refused("unknown fields, which are pruned with a warning", { ...plain, foo: 1, source: { external: { z: 1 } } }),
  refused("fields below a field that keeps everything", { ...plain, free: { any: { thing: [1, null] } } }),
  { name: "a spec that is a string", steps: [{ call: "POST {w}", body: widget("a", "x") }] },
];

const bodies: readonly Conversation[] = [
  {
    name: "unknown fields under strict validation",
    steps: [
      { call: "POST {w}?fieldValidation=Strict", body: widget("a", { ...plain, foo: 1, bar: 2 }) },
      { call: "POST {w}?fieldValidation=Strict", body: widget("a", plain, {}, { foo: 1 }) },
      { call: "POST {w}?fieldValidation=Ignore&dryRun=All", body: widget("a", { ...plain, foo: 1 }) },
      { call: "POST {w}?fieldValidation=nope", body: widget("a", plain) },
    ],
  },
  {
    name: "duplicate fields under each validation",
    steps: ["Strict", "Warn", "Ignore"].map((level) => ({
      call: `POST {w}?dryRun=All&fieldValidation=${level}`,
      body: `{"apiVersion":"${apiVersion}","kind":"Widget","metadata":{"name":"u"},"spec":{"projectId":"shop","projectId":"shop"}}`,
    })),
  },
  {
    name: "bodies that are no object of this kind",
    steps: [
      { call: "POST {w}", body: '{"a' },
      { call: "POST {w}", body: "[]", compare: "outline" },
      { call: "POST {w}", body: { apiVersion, kind: "Foo", metadata: { name: "u" } } },
      { call: "POST {w}", body: { apiVersion: "v1", kind: "Widget", metadata: { name: "u" } } },
      { call: "POST {w}", body: { metadata: { name: "u" } }, compare: "outline" },
      { call: "POST {w}", body: "x", type: "text", compare: "outline" },
      { call: "GET {w}", accept: "text/html", compare: "outline" },
    ],
  },
  {
    name: "metadata that cannot be",
    steps: [
      { call: "POST {w}", body: { apiVersion, kind: "Widget", metadata: {}, spec: plain } },
      { call: "POST {w}", body: widget("Bad_Name", plain) },
      { call: "POST {w}", body: widget("u", plain, {}, { namespace: "other" }) },
      { call: "POST {w}", body: widget("u", plain, {}, { labels: { "a b": "!" } }) },
      { call: "POST {w}", body: widget("u", plain, {}, { labels: { a: 1 } }) },
      { call: "POST {w}", body: widget("u", plain, {}, { resourceVersion: "5" }) },
      { call: "POST {w}?dryRun=All", body: widget("u", plain, {}, { finalizers: ["foo", "a.b/c"] }) },
      {
        call: `POST /apis/${apiVersion}/namespaces/no-such-namespace/widgets`,
        body: widget("u", plain),
      },
    ],
  },
  {
    name: "YAML as a body is read as YAML 1.1",
    steps: ["name: yaml", "name: y", 'name: "y"'].map((name) => ({
      call: "POST {w}",
      type: "yaml" as const,
      accept: "application/json",
      body: `apiVersion: ${apiVersion}\nkind: Widget\nmetadata:\n  ${name}\nspec:\n  projectId: shop\n  size: 010\n`,
    })),
  },
];

const writes: readonly Conversation[] = [
  {
    name: "create, name taken, name made up",
    ownership: true,
    steps: [
      {
        call: "POST {w}?fieldManager=m1",
        body: widget("ok", { ...plain, env: { A: "1" } }, { status: { phase: "x" } }),
      },
      { call: "POST {w}", body: widget("ok", plain) },
      { call: "GET {w}/ok" },
      { call: "GET {w}/nope" },
    ],
  },
  {
    name: "replace with and without the right resourceVersion",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=m1", body: widget("ok", plain) },
      { call: "PUT {w}/ok", body: widget("ok", plain) },
      { call: "PUT {w}/ok", body: answerOf(0, (o) => ({ ...o, metadata: { ...o.metadata, resourceVersion: "abc" } })) },
      { call: "PUT {w}/ok", body: answerOf(0, (o) => ({ ...o, metadata: { ...o.metadata, resourceVersion: "1" } })) },
      { call: "PUT {w}/ok", body: answerOf(0, (o) => ({ ...o, metadata: { ...o.metadata, name: "other" } })) },
      { call: "PUT {w}/nope", body: widget("nope", plain) },
      { call: "PUT {w}/ok?fieldManager=m2", body: answerOf(0, (o) => ({ ...o, spec: { ...o.spec, size: 7 } })) },
      { call: "PUT {w}/ok?fieldManager=m2", body: answerOf(0, (o) => ({ ...o, spec: { ...o.spec, size: 8 } })) },
    ],
  },
  {
    name: "writes that change nothing: the first after a create fills in the status default, later ones are none",
    steps: [
      { call: "POST {w}?fieldManager=m1", body: widget("ok", plain) },
      { call: "PUT {w}/ok?fieldManager=m2", body: last((o) => o) },
      { call: "PUT {w}/ok?fieldManager=m2", body: last((o) => o) },
      { call: "PATCH {w}/ok?fieldManager=m3", type: "merge", body: { spec: { size: 3 } } },
      { call: "PATCH {w}/ok/status?fieldManager=m3", type: "merge", body: { status: { observedGeneration: -1 } } },
      { call: "PATCH {w}/ok?fieldManager=m4", type: "apply", body: config("ok", plain) },
      { call: "PATCH {w}/ok?fieldManager=m4", type: "apply", body: config("ok", plain) },
    ],
  },
  {
    name: "spec and status have a door each, and only the spec counts the generation",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=m1", body: widget("ok", plain) },
      {
        call: "PUT {w}/ok/status?fieldManager=m2",
        body: last((o) => ({ ...o, spec: { projectId: "other" }, status: { phase: "Running" } })),
      },
      { call: "PUT {w}/ok?fieldManager=m3", body: last((o) => ({ ...o, status: { phase: "no" } })) },
      {
        call: "PATCH {w}/ok/status?fieldManager=m4",
        type: "merge",
        body: { metadata: { labels: { a: "b" } }, spec: { size: 7 }, status: { runId: "r" } },
      },
      { call: "PATCH {w}/ok?fieldManager=m5", type: "merge", body: { spec: { size: 9 }, status: { phase: "no" } } },
      { call: "PATCH {w}/ok?fieldManager=m6", type: "merge", body: { metadata: { labels: { a: "b" } } } },
      { call: "GET {w}/ok/status" },
      { call: "PATCH {w}/ok/status", type: "merge", body: { status: { observedGeneration: "x" } } },
      {
        call: "PATCH {w}/ok/status",
        type: "merge",
        body: { status: { conditions: [{ type: "Ready", status: "Maybe" }] } },
      },
    ],
  },
  {
    name: "immutable fields, by every way of writing",
    steps: [
      { call: "POST {w}", body: widget("ok", plain) },
      { call: "PUT {w}/ok", body: last((o) => ({ ...o, spec: { projectId: "other" } })) },
      { call: "PATCH {w}/ok", type: "merge", body: { spec: { projectId: "other" } } },
      { call: "PATCH {w}/ok", type: "merge", body: { spec: { projectId: "other", size: 500 } } },
      { call: "PATCH {w}/ok?fieldManager=x&force=true", type: "apply", body: config("ok", { projectId: "other" }) },
    ],
  },
  {
    name: "merge and json patches",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=m1", body: widget("ok", { ...plain, env: { A: "1" } }) },
      { call: "PATCH {w}/ok?fieldManager=m3", type: "merge", body: { spec: { env: { B: "2" } } } },
      { call: "PATCH {w}/ok?fieldManager=m4", type: "merge", body: { spec: { env: { B: "2" } } } },
      { call: "PATCH {w}/ok", type: "merge", body: { metadata: { resourceVersion: "1" }, spec: { size: 4 } } },
      { call: "PATCH {w}/ok?fieldValidation=Strict", type: "merge", body: { spec: { zzz: 1 } }, compare: "outline" },
      { call: "PATCH {w}/ok?fieldManager=m5", type: "merge", body: { spec: { env: null } } },
      {
        call: "PATCH {w}/ok?fieldManager=m6",
        type: "patch",
        body: [
          { op: "test", path: "/spec/size", value: 3 },
          { op: "replace", path: "/spec/size", value: 4 },
        ],
      },
      { call: "PATCH {w}/ok", type: "patch", body: [{ op: "test", path: "/spec/size", value: 9 }] },
      { call: "PATCH {w}/ok", type: "patch", body: [{ op: "remove", path: "/spec/nope" }] },
      { call: "PATCH {w}/ok", type: "patch", body: { op: "foo" } },
      { call: "PATCH {w}/ok", type: "strategic", body: {} },
      { call: "PATCH {w}/ok", type: "json", body: {} },
      { call: "PATCH {w}/nope", type: "merge", body: {} },
      { call: "PATCH {w}/ok", type: "merge", body: { metadata: { name: "zz" } } },
      { call: "PATCH {w}/ok", type: "merge", body: { metadata: { uid: "zz" } } },
      {
        call: "PATCH {w}/ok",
        type: "merge",
        body: { metadata: { generation: 77, creationTimestamp: "2020-01-01T00:00:00Z" } },
      },
    ],
  },
  {
    name: "dry runs leave nothing behind",
    steps: [
      { call: "POST {w}?dryRun=All", body: widget("a", plain) },
      { call: "GET {w}/a" },
      { call: "POST {w}", body: widget("a", plain) },
      { call: "PATCH {w}/a?dryRun=All", type: "merge", body: { spec: { size: 9 } } },
      { call: "DELETE {w}/a?dryRun=All" },
      { call: "GET {w}/a" },
    ],
  },
];

const deletion: readonly Conversation[] = [
  {
    name: "delete with preconditions",
    steps: [
      { call: "DELETE {w}/nope" },
      { call: "POST {w}", body: widget("a", plain) },
      { call: "DELETE {w}/a", body: { preconditions: { uid: "x" } } },
      { call: "DELETE {w}/a", body: { preconditions: { resourceVersion: "1" } } },
      {
        call: "DELETE {w}/a",
        body: answerOf(1, (o) => ({
          preconditions: { uid: o.metadata.uid, resourceVersion: o.metadata.resourceVersion },
          propagationPolicy: "Background",
        })),
      },
      { call: "GET {w}/a" },
    ],
  },
  {
    name: "a finalizer holds an object until it is taken away",
    steps: [
      { call: "POST {w}", body: widget("a", plain, {}, { finalizers: ["a.b/c"] }) },
      { call: "DELETE {w}/a" },
      { call: "DELETE {w}/a" },
      { call: "PATCH {w}/a", type: "merge", body: { metadata: { finalizers: ["a.b/c", "a.b/d"] } } },
      { call: "PATCH {w}/a/status", type: "merge", body: { status: { phase: "Ending" } } },
      { call: "PATCH {w}/a", type: "merge", body: { metadata: { finalizers: null } } },
      { call: "GET {w}/a" },
    ],
  },
  {
    name: "delete a collection",
    steps: [
      { call: "POST {w}", body: widget("a", plain) },
      { call: "POST {w}", body: widget("b", plain, {}, { labels: { keep: "no" } }) },
      { call: "DELETE {w}?labelSelector=keep=no", compare: "outline" },
      { call: "GET {w}/a" },
      { call: "GET {w}/b" },
    ],
  },
];

const lists: readonly Conversation[] = [
  {
    name: "lists, pages and selectors",
    steps: [
      { call: "GET {w}" },
      { call: "POST {w}", body: widget("a", plain, {}, { labels: { tier: "web", x: "1" } }) },
      { call: "POST {w}", body: widget("b", { projectId: "other" }, {}, { labels: { tier: "db" } }) },
      { call: "GET {w}?labelSelector=tier%3Dweb" },
      { call: "GET {w}?labelSelector=tier%20in%20(db,x)" },
      { call: "GET {w}?labelSelector=!x" },
      { call: "GET {w}?labelSelector=tier!%3Dweb,x" },
      { call: "GET {w}?labelSelector=a%20b" },
      { call: "GET {w}?fieldSelector=spec.projectId%3Dshop" },
      { call: "GET {w}?fieldSelector=spec.projectId!%3Dshop" },
      { call: "GET {w}?fieldSelector=metadata.name%3Db" },
      { call: "GET {w}?fieldSelector=spec.size%3D1" },
      { call: "GET {w}?fieldSelector=spec" },
      { call: "GET {w}?limit=abc" },
      { call: "GET {w}?limit=1&continue=abc", compare: "outline" },
      { call: "GET {w}?resourceVersion=abc" },
      { call: "GET {w}?resourceVersionMatch=Exact" },
      { call: "GET {w}?resourceVersionMatch=Exact&resourceVersion=0" },
      { call: "GET {w}?resourceVersion=99999999", compare: "outline" },
      {
        call: "GET {w}?includeObject=None",
        accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
        compare: "outline",
      },
    ],
  },
];

function watchCall(query: string, accept?: string): Step {
  return { call: `GET {w}?watch=true&timeoutSeconds=1&${query}`, ...(accept === undefined ? {} : { accept }) };
}

const watches: readonly Conversation[] = [
  {
    name: "a watch from the present begins with what exists",
    steps: [{ call: "POST {w}", body: widget("a", plain) }, watchCall(""), watchCall("resourceVersion=0")],
  },
  {
    name: "a watch of a list with bookmarks ends the initial events with one",
    steps: [
      { call: "POST {w}", body: widget("a", plain) },
      watchCall("allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
      watchCall("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
    ],
  },
  {
    name: "a watch with parameters that do not go together",
    steps: [
      watchCall("allowWatchBookmarks=true&sendInitialEvents=true"),
      watchCall("resourceVersionMatch=NotOlderThan&resourceVersion=0"),
      watchCall("resourceVersion=abc"),
      watchCall("fieldSelector=foo%3Dbar"),
    ],
  },
  {
    name: "a watch in the future waits, and a list in the future is refused in the stream",
    steps: [
      watchCall("resourceVersion=99999999"),
      {
        ...watchCall(
          "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999999&allowWatchBookmarks=true",
        ),
        compare: "outline",
      },
    ],
  },
];

const apply: readonly Conversation[] = [
  {
    name: "apply creates, repeats, conflicts, forces and gives up fields",
    ownership: true,
    steps: [
      {
        call: "PATCH {w}/s?fieldManager=a",
        type: "apply",
        body: config("s", { ...plain, env: { A: "1" }, refs: [{ name: "one" }] }),
      },
      {
        call: "PATCH {w}/s?fieldManager=b",
        type: "apply",
        body: config("s", { ...plain, env: { A: "2" }, refs: [{ name: "one", key: "k" }] }),
      },
      {
        call: "PATCH {w}/s?fieldManager=b&force=true",
        type: "apply",
        body: config("s", { ...plain, env: { A: "2", B: "b" } }),
      },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", plain) },
      { call: "PATCH {w}/s?fieldManager=b", type: "apply", body: config("s", plain) },
    ],
  },
  {
    name: "apply through the status door",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=m", body: widget("s", plain) },
      {
        call: "PATCH {w}/s/status?fieldManager=st",
        type: "apply",
        body: config("s", undefined, { status: { conditions: [{ type: "Ready", status: "True" }], phase: "p" } }),
      },
      {
        call: "PATCH {w}/s/status?fieldManager=st",
        type: "apply",
        body: config("s", undefined, { status: { conditions: [{ type: "Other", status: "True" }] } }),
      },
      {
        call: "PATCH {w}/s/status?fieldManager=st2",
        type: "apply",
        body: config("s", { size: 9 }, { status: { runId: "x" } }),
      },
      {
        call: "PATCH {w}/s/status?fieldManager=st3",
        type: "apply",
        body: config("s", undefined, { status: { runId: "y" } }),
      },
      {
        call: "PATCH {w}/nope/status?fieldManager=st",
        type: "apply",
        body: config("nope", undefined, { status: { phase: "p" } }),
      },
    ],
  },
  {
    name: "apply refuses what does not fit",
    steps: [
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", plain) },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, foo: 1 }) },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, size: "x" }) },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, size: 5000 }) },
      {
        call: "PATCH {w}/s?fieldManager=a",
        type: "apply",
        body: config("s", { ...plain, refs: [{ name: "a" }, { name: "a" }] }),
      },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, refs: [{ key: "a" }] }) },
      { call: "PATCH {w}/s", type: "apply", body: config("s", plain) },
      { call: "PATCH {w}/s?fieldManager=z", type: "apply", body: { metadata: { name: "s" } } },
      { call: "PATCH {w}/s?fieldManager=z", type: "apply", body: config("t", plain) },
      { call: "PATCH {w}/s?fieldManager=z", type: "apply", body: "a: [", compare: "outline" },
      {
        call: "PATCH {w}/s?fieldManager=z&fieldValidation=Strict",
        type: "apply",
        body: `apiVersion: ${apiVersion}\nkind: Widget\nmetadata:\n  name: s\nspec:\n  size: 4\n  size: 5\n`,
      },
      { call: "PATCH {w}/s?force=true", type: "merge", body: {} },
      {
        call: "PATCH {w}/nope?fieldManager=z",
        type: "apply",
        body: { apiVersion, kind: "Widget", metadata: { name: "nope", uid: "abc" } },
      },
      {
        call: "PATCH {w}/s?fieldManager=z",
        type: "apply",
        body: { apiVersion, kind: "Widget", metadata: { name: "s", resourceVersion: "1" } },
      },
      {
        call: "PATCH {w}/s?fieldManager=z",
        type: "apply",
        body: { apiVersion, kind: "Widget", metadata: { name: "s", managedFields: [{ manager: "x" }] } },
      },
    ],
  },
  {
    name: "apply after others wrote by update, and after ownership was cleared",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=kubectl-create", body: widget("s", { ...plain, size: 5, env: { A: "1" } }) },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, size: 6 }) },
      { call: "PATCH {w}/s?fieldManager=a&force=true", type: "apply", body: config("s", { ...plain, size: 6 }) },
      { call: "PATCH {w}/s", type: "merge", body: { metadata: { managedFields: [{}] } } },
      { call: "PATCH {w}/s?fieldManager=a", type: "apply", body: config("s", { ...plain, size: 8 }) },
      { call: "PATCH {w}/s?fieldManager=a&force=true", type: "apply", body: config("s", { ...plain, size: 8 }) },
    ],
  },
  {
    name: "apply to sets, list maps and open objects",
    ownership: true,
    steps: [
      { call: "PATCH {w}/s?fieldManager=t1", type: "apply", body: config("s", { ...plain, tags: ["a", "b"] }) },
      { call: "PATCH {w}/s?fieldManager=t2", type: "apply", body: config("s", { ...plain, tags: ["b", "c"] }) },
      { call: "PATCH {w}/s?fieldManager=t1", type: "apply", body: config("s", { ...plain, tags: ["b"] }) },
      {
        call: "PATCH {w}/s?fieldManager=r1",
        type: "apply",
        body: config("s", { ...plain, refs: [{ name: "x" }, { name: "y" }] }),
      },
      {
        call: "PATCH {w}/s?fieldManager=r2",
        type: "apply",
        body: config("s", { ...plain, refs: [{ name: "z" }, { name: "y", key: "k" }, { name: "x" }] }),
      },
      { call: "PATCH {w}/s?fieldManager=r1", type: "apply", body: config("s", { ...plain, refs: [{ name: "y" }] }) },
      { call: "PATCH {w}/s?fieldManager=w", type: "apply", body: config("s", { ...plain, words: ["p", "q"] }) },
      { call: "PATCH {w}/s?fieldManager=w", type: "apply", body: config("s", { ...plain, words: ["q"] }) },
      {
        call: "PATCH {w}/s?fieldManager=f",
        type: "apply",
        body: config("s", { ...plain, free: { a: { b: [1, 2] }, c: 1 } }),
      },
      { call: "PATCH {w}/s?fieldManager=f", type: "apply", body: config("s", { ...plain, free: { a: { d: 2 } } }) },
      { call: "PUT {w}/s?fieldManager=put", body: last((o) => ({ ...o, spec: { ...o.spec, tags: ["z"] } })) },
    ],
  },
];

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
const configMapPath = "/api/v1/namespaces/{ns}/configmaps";

function configMap(metadata: Json, more: Json = {}): MakeBody {
  return () => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", namespace: "{ns}", ...metadata },
    ...more,
  });
}

/** What is left of an object when appliers give up the last of something. */
const givingUp: readonly Conversation[] = [
  {
    name: "apply that gives up the last label, annotation, finalizer or key keeps the rest",
    ownership: true,
    steps: [
      {
        call: `PATCH ${configMapPath}/a?fieldManager=m`,
        type: "apply",
        body: configMap(
          { labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["x.example/one"] },
          { data: { k: "v" } },
        ),
      },
      { call: `PATCH ${configMapPath}/a?fieldManager=n`, type: "apply", body: configMap({}, { data: { z: "1" } }) },
      { call: `PATCH ${configMapPath}/a?fieldManager=m`, type: "apply", body: configMap({ annotations: { c: "d" } }) },
      { call: `PATCH ${configMapPath}/a?fieldManager=m`, type: "apply", body: configMap({}) },
      { call: `PATCH ${configMapPath}/a?fieldManager=n`, type: "apply", body: configMap({}) },
      { call: `PATCH ${configMapPath}/a?fieldManager=n`, type: "apply", body: configMap({ labels: {} }, { data: {} }) },
    ],
  },
  {
    name: "apply that gives up what others have too, and what nobody has",
    ownership: true,
    steps: [
      { call: "POST {w}?fieldManager=maker", body: widget("s", { ...plain, env: { x: "1" }, tags: ["a"] }) },
      {
        call: "PATCH {w}/s?fieldManager=m&force=true",
        type: "apply",
        body: config("s", { ...plain, env: { y: "1" }, tags: ["b"], refs: [{ name: "r" }], free: { deep: { x: 1 } } }),
      },
      { call: "PATCH {w}/s?fieldManager=n", type: "apply", body: config("s", { ...plain, free: { deep: {} } }) },
      { call: "PATCH {w}/s?fieldManager=m", type: "apply", body: config("s", plain) },
      { call: "PATCH {w}/s", type: "merge", body: { spec: { env: null } } },
      {
        call: "PATCH {w}/s?fieldManager=edit",
        type: "patch",
        body: [{ op: "replace", path: "/spec/env", value: {} }],
      },
      { call: "PATCH {w}/s?fieldManager=m", type: "apply", body: config("s", { ...plain, env: { y: "1" } }) },
      // Of env there is nothing left, but somebody has it: null, which is no object.
      { call: "PATCH {w}/s?fieldManager=m", type: "apply", body: config("s", plain) },
    ],
  },
  {
    name: "apply puts new items of a list where the real server does",
    steps: [
      { call: "POST {w}", body: widget("s", { ...plain, refs: [{ name: "a" }, { name: "b" }] }) },
      { call: "PATCH {w}/s?fieldManager=m", type: "apply", body: config("s", { ...plain, refs: [{ name: "n" }] }) },
      {
        call: "PATCH {w}/s?fieldManager=m",
        type: "apply",
        body: config("s", { ...plain, refs: [{ name: "p" }, { name: "b" }, { name: "q" }] }),
      },
    ],
  },
  {
    name: "from client-side to server-side apply",
    ownership: true,
    steps: [
      {
        call: `POST ${configMapPath}?fieldManager=kubectl-client-side-apply`,
        body: configMap(
          {
            annotations: {
              [lastApplied]: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}}',
            },
          },
          { data: { k: "v" } },
        ),
      },
      {
        call: `PATCH ${configMapPath}/a?fieldManager=kubectl`,
        type: "apply",
        body: configMap({}, { data: { k: "w" } }),
      },
      {
        call: `PATCH ${configMapPath}/a?fieldManager=kubectl`,
        type: "apply",
        body: configMap({ annotations: { h: "<1>" } }),
      },
      { call: `PATCH ${configMapPath}/a?fieldManager=other`, type: "merge", body: { data: { k: "x", o: "1" } } },
      {
        call: `PATCH ${configMapPath}/a?fieldManager=kubectl`,
        type: "apply",
        body: configMap({}, { data: { k: "y", o: "2" } }),
      },
      ...["{", "null", "[]", '"x"', '{"kind":"X"}', ""].flatMap((text) => [
        {
          call: `PATCH ${configMapPath}/a?fieldManager=other`,
          type: "merge" as const,
          body: { metadata: { annotations: { [lastApplied]: text } } },
        },
        {
          call: `PATCH ${configMapPath}/a?fieldManager=kubectl`,
          type: "apply" as const,
          body: configMap({}, { data: { k: "y" } }),
        },
      ]),
      {
        call: `PATCH ${configMapPath}/a`,
        type: "patch",
        body: [{ op: "replace", path: "/metadata/labels", value: { l: "1" } }],
      },
    ],
  },
  {
    name: "ownership that is cleared comes back with the next apply only",
    ownership: true,
    steps: [
      { call: `POST ${configMapPath}?fieldManager=maker`, body: configMap({}, { data: { k: "v" } }) },
      { call: `PATCH ${configMapPath}/a`, type: "merge", body: { metadata: { managedFields: [] } } },
      { call: `PATCH ${configMapPath}/a?fieldManager=edit`, type: "merge", body: { data: { k: "w" } } },
      { call: `PATCH ${configMapPath}/a?fieldManager=m`, type: "apply", body: configMap({}, { data: { z: "1" } }) },
      { call: "POST {w}?fieldManager=maker", body: widget("s", plain) },
      { call: "PATCH {w}/s", type: "merge", body: { metadata: { managedFields: [] } } },
    ],
  },
  {
    name: "conflicts about several fields are listed by owner",
    steps: [
      { call: "PATCH {w}/s?fieldManager=b", type: "apply", body: config("s", { ...plain, size: 4, env: { X: "1" } }) },
      {
        call: "PATCH {w}/s?fieldManager=c",
        type: "apply",
        body: config("s", { ...plain, size: 5, env: { X: "2" } }),
      },
      {
        call: "PATCH {w}/s?fieldManager=a&force=true",
        type: "apply",
        body: config("s", { ...plain, env: { X: "1" } }),
      },
      {
        call: "PATCH {w}/s?fieldManager=c",
        type: "apply",
        body: config("s", { projectId: "other", size: 5, env: { X: "2" } }),
        // Two owners come in any order.
        compare: "status",
      },
      {
        call: "PATCH {w}/s?fieldManager=a",
        type: "apply",
        body: config("s", { ...plain, size: 5, env: { X: "2" } }),
      },
    ],
  },
];

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
const eventPath = "/apis/events.k8s.io/v1/namespaces/{ns}/events";

function lease(name: string, spec: Json): Json {
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name }, spec };
}

function event(name: string, change: Json): MakeBody {
  return () => ({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name, namespace: "{ns}" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "example.io/operator",
    reportingInstance: "pod-1",
    action: "Apply",
    reason: "ChangeApplied",
    type: "Normal",
    note: "hello",
    regarding: { kind: "Widget", name: "a", namespace: "{ns}", apiVersion, uid: "u1" },
    ...change,
  });
}

const builtins: readonly Conversation[] = [
  {
    name: "secrets: stringData is folded, data is checked",
    ownership: true,
    steps: [
      {
        call: "POST /api/v1/namespaces/{ns}/secrets",
        body: {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "a" },
          stringData: { token: "abc" },
          data: { x: "eA==" },
        },
      },
      {
        call: "POST /api/v1/namespaces/{ns}/secrets",
        body: { apiVersion: "v1", kind: "Secret", metadata: { name: "b" }, data: { x: "%%%" } },
      },
      {
        call: "POST /api/v1/namespaces/{ns}/secrets",
        body: { apiVersion: "v1", kind: "Secret", metadata: { name: "b" }, stringData: { "a b": "1" } },
      },
      { call: "PATCH /api/v1/namespaces/{ns}/secrets/a", type: "merge", body: { type: "foo" } },
      {
        call: "PATCH /api/v1/namespaces/{ns}/secrets/a",
        type: "strategic",
        body: { stringData: { token: "xyz" }, metadata: { labels: { a: "b" } } },
      },
      { call: "PATCH /api/v1/namespaces/{ns}/secrets/a", type: "merge", body: { stringData: { token: "xyz" } } },
      {
        call: "PUT /api/v1/namespaces/{ns}/secrets/a",
        body: { apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, data: { y: "eA==" } },
      },
      { call: "GET /api/v1/namespaces/{ns}/secrets?fieldSelector=foo%3Dbar" },
      { call: "DELETE /api/v1/namespaces/{ns}/secrets/a" },
      { call: "GET /api/v1/namespaces/{ns}/secrets/a" },
    ],
  },
  {
    name: "config maps: strategic merge, apply, undeclared fields",
    ownership: true,
    steps: [
      {
        call: "POST /api/v1/namespaces/{ns}/configmaps?fieldManager=m",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { k: "v" } },
      },
      {
        call: "POST /api/v1/namespaces/{ns}/configmaps",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" }, data: { k: 1 } },
      },
      {
        call: "PATCH /api/v1/namespaces/{ns}/configmaps/a?fieldManager=n",
        type: "strategic",
        body: { data: { k: null, z: "1" } },
      },
      {
        call: "PATCH /api/v1/namespaces/{ns}/configmaps/a?fieldManager=x",
        type: "apply",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { z: "2" } },
      },
      {
        call: "POST /api/v1/namespaces/{ns}/configmaps?fieldValidation=Strict",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" }, foo: { k: "1" } },
      },
    ],
  },
  {
    name: "leases: times have six digits, writes are guarded by the resourceVersion",
    ownership: true,
    steps: [
      {
        call: `POST ${leasePath}`,
        body: lease("a", { holderIdentity: "x", leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000000Z" }),
      },
      { call: `POST ${leasePath}`, body: lease("b", { renewTime: "2026-01-01T00:00:00.000Z" }) },
      { call: `POST ${leasePath}`, body: lease("b", { renewTime: "2026-01-01T00:00:00Z" }) },
      { call: `POST ${leasePath}`, body: lease("b", { leaseDurationSeconds: 0 }) },
      { call: `POST ${leasePath}`, body: lease("b", { leaseTransitions: -1 }) },
      { call: `POST ${leasePath}`, body: lease("b", { leaseDurationSeconds: "15" }), compare: "outline" },
      { call: `PUT ${leasePath}/a`, body: answerOf(0, (o) => ({ ...o, spec: { ...o.spec, holderIdentity: "y" } })) },
      { call: `PUT ${leasePath}/a`, body: answerOf(0, (o) => ({ ...o, spec: { ...o.spec, holderIdentity: "z" } })) },
      { call: `PATCH ${leasePath}/a`, type: "merge", body: { spec: { holderIdentity: "" } } },
      {
        call: `PATCH ${leasePath}/a`,
        type: "merge",
        body: { spec: { renewTime: "2026-01-01T00:00:00Z" } },
        compare: "outline",
      },
    ],
  },
  {
    name: "events: two groups show the same objects",
    ownership: true,
    steps: [
      { call: `POST ${eventPath}`, body: event("e1", {}) },
      { call: "GET /api/v1/namespaces/{ns}/events/e1" },
      {
        call: `PATCH ${eventPath}/e1`,
        type: "merge",
        body: { series: { count: 2, lastObservedTime: "2026-01-01T00:01:00.000000Z" } },
      },
      { call: `PATCH ${eventPath}/e1`, type: "strategic", body: { series: { count: 3 } } },
      { call: `PATCH ${eventPath}/e1`, type: "merge", body: { note: "changed" } },
      {
        call: "GET /api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DWidget,involvedObject.uid%3Du1",
      },
      { call: "GET /api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dnope" },
    ],
  },
  {
    name: "events that are refused",
    steps: [
      { call: `POST ${eventPath}`, body: event("e2", { action: "" }) },
      { call: `POST ${eventPath}`, body: event("e2", { reason: "" }) },
      { call: `POST ${eventPath}`, body: event("e2", { reportingController: "a b" }) },
      { call: `POST ${eventPath}`, body: event("e2", { reportingInstance: "" }) },
      { call: `POST ${eventPath}`, body: event("e2", { eventTime: null }) },
      { call: `POST ${eventPath}`, body: event("e2", { eventTime: "2026-01-01T00:00:00.000Z" }) },
      { call: `POST ${eventPath}`, body: event("e2", { type: "Foo" }) },
      { call: `POST ${eventPath}`, body: event("e2", { note: "x".repeat(1100) }) },
      { call: `POST ${eventPath}`, body: event("e2", { reason: "x".repeat(130) }) },
      {
        call: `POST ${eventPath}`,
        body: event("e2", { series: { count: 1, lastObservedTime: "2026-01-01T00:00:00.000000Z" } }),
      },
    ],
  },
  {
    name: "namespaces",
    steps: [
      { call: "GET /api/v1/namespaces/{ns}" },
      {
        call: "POST /api/v1/namespaces",
        body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "Bad.Name" } },
      },
      { call: "GET /api/v1/namespaces/nope" },
    ],
  },
  {
    name: "definitions that are refused",
    steps: [
      {
        call: "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body: definition({ a: { description: "no type" } }),
      },
      {
        call: "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body: definition({ a: { type: "string", maxLength: 3 } }, [{ rule: "self.a ++ 1" }]),
        compare: "outline",
      },
      {
        call: "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body: definition({ a: { type: "string", maxLength: 3 } }, [{ rule: "self.nope == 'a'" }]),
        compare: "outline",
      },
      {
        call: "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldValidation=Strict",
        body: definition({ a: { type: "object", propertyNames: { pattern: "a" } } }),
        compare: "outline",
      },
    ],
  },
];

function definition(properties: Json, rules: readonly Json[] = []): Json {
  const spec = { type: "object", properties, ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }) };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `foos.${testGroup}` },
    spec: {
      group: testGroup,
      scope: "Namespaced",
      names: { plural: "foos", kind: "Foo" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}

const discovery: readonly Conversation[] = [
  {
    name: "discovery of a custom resource",
    steps: [
      { call: `GET /apis/${testGroup}` },
      { call: "GET /apis/no.such.group/v1/foos", compare: "status" },
      { call: `GET /apis/${testGroup}/v1alpha1/namespaces/{ns}/foos`, compare: "status" },
    ],
  },
];

export const conversations: readonly Conversation[] = [
  ...validation,
  ...bodies,
  ...writes,
  ...deletion,
  ...lists,
  ...watches,
  ...apply,
  ...givingUp,
  ...builtins,
  ...discovery,
];
