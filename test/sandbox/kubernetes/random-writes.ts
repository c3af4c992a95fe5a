import { testGroup } from "../../contract/kubernetes-api.cases.ts";

/** One request to the object under test. */
export interface Write {
  readonly method: "PATCH" | "PUT" | "POST" | "DELETE";
  /** Without host: path and query. */
  readonly path: string;
  readonly contentType: string;
  readonly body: unknown;
}

export interface Subject {
  readonly kind: "ConfigMap" | "Widget";
  readonly namespace: string;
  readonly name: string;
}

type Random = () => number;
// biome-ignore lint/suspicious/noExplicitAny: objects of any shape
type Live = any;

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

export function pathOf({ kind, namespace }: Subject): string {
  const plural = kind === "ConfigMap" ? "/configmaps" : "/widgets";
  const group = kind === "ConfigMap" ? "/api/v1" : `/apis/${testGroup}/v1alpha1`;
  return `${group}/namespaces/${namespace}${plural}`;
}

/**
 * A write as kubectl, Argo CD, controllers and people send them, valid in itself: apply by several managers that take up
 * and give up labels, annotations, data and parts of spec; patches of every kind; replacements; ownership that is
 * cleared, and annotations that hold anything.
 */
export function randomWrite(random: Random, subject: Subject, live: Live | undefined): Write {
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const some = (...keys: readonly string[]) => keys.filter(() => random() < 0.4);
  const path = `${pathOf(subject)}/${subject.name}`;
  const json = (method: Write["method"], type: string, body: unknown, query = ""): Write => ({
    method,
    path: `${path}?${query}`,
    contentType: type,
    body,
  });
  const apply = (config: object) => {
    const manager = one("kubectl", "argocd", "helm");
    const force = random() < 0.6;
    return json("PATCH", "application/apply-patch+yaml", config, `fieldManager=${manager}&force=${force}`);
  };
  const config = () => configOf(random, subject);

  if (live === undefined) {
    if (random() < 0.5) return apply(config());
    return {
      ...json("POST", "application/json", config(), "fieldManager=kubectl-create"),
      path: `${pathOf(subject)}?fieldManager=kubectl-create`,
    };
  }
  switch (Math.floor(random() * 14)) {
    case 0: // kubectl apply, client-side
      return json(
        "PATCH",
        "application/merge-patch+json",
        clientSide(config()),
        "fieldManager=kubectl-client-side-apply",
      );
    case 1:
      return json("PATCH", "application/merge-patch+json", {
        metadata: { [one("labels", "annotations")]: one<unknown>(null, { a: null }, { b: "p" }, {}) },
      });
    case 2:
      return json("PATCH", "application/merge-patch+json", {
        metadata: {
          annotations: {
            [lastApplied]: one("", "null", "{", "[]", '"x"', "{}", '{"kind":"X"}', JSON.stringify(config())),
          },
        },
      });
    case 3: {
      const { metadata, ...rest } = config() as Live;
      const put = { ...live, ...rest, metadata: { ...live.metadata, ...metadata } };
      for (const key of some("labels", "annotations")) delete put.metadata[key];
      return json("PUT", "application/json", put, `fieldManager=${one("editor", "kubectl-edit")}`);
    }
    case 4: // the documented way to clear ownership
      return json("PATCH", "application/merge-patch+json", { metadata: { managedFields: one<unknown>([{}], []) } });
    case 5:
      return json("PATCH", "application/json-patch+json", migrated(live));
    case 6:
      return json("PATCH", "application/json-patch+json", [
        one<object>(
          { op: "add", path: "/metadata/labels", value: { a: "j" } },
          { op: "add", path: "/metadata/annotations", value: {} },
          { op: "add", path: subject.kind === "ConfigMap" ? "/data" : "/spec/env", value: { x: "j" } },
        ),
      ]);
    case 7:
    case 8: {
      if (subject.kind === "ConfigMap") return apply(config());
      const { spec: _, ...rest } = config();
      return { ...apply({ ...rest, status: statusOf(random) }), path: apply({}).path.replace("?", "/status?") };
    }
    default:
      return apply(config());
  }
}

function configOf(random: Random, { kind, name, namespace }: Subject): Live {
  const maybe = <T>(value: T, chance = 0.5): T | undefined => (random() < chance ? value : undefined);
  const map = (...keys: readonly string[]) =>
    Object.fromEntries(keys.filter(() => random() < 0.4).map((key) => [key, random() < 0.5 ? "1" : "2"]));
  const metadata = {
    name,
    ...(random() < 0.7 && { namespace }),
    labels: maybe(map("a", "b")),
    annotations: maybe(map("n.example/a", "n.example/b")),
    finalizers: maybe(random() < 0.5 ? ["x.example/one"] : [], 0.15),
  };
  if (kind === "ConfigMap") {
    return clean({
      apiVersion: "v1",
      kind,
      metadata,
      data: maybe(map("x", "y", "z")),
      binaryData: maybe({ raw: "AAAA" }, 0.2),
      immutable: undefined,
    });
  }
  return clean({
    apiVersion: `${testGroup}/v1alpha1`,
    kind,
    metadata,
    spec: {
      projectId: "shop",
      size: maybe(random() < 0.5 ? 4 : 5),
      env: maybe(map("x", "y")),
      tags: maybe(Object.keys(map("a", "b", "c"))),
      refs: maybe(Object.keys(map("a", "b")).map((ref) => ({ name: ref, ...(random() < 0.5 && { key: "k" }) }))),
      free: maybe({ deep: map("x"), ...map("y") }),
      source: maybe(random() < 0.5 ? { external: { image: "i" } } : { internal: { id: "b" } }, 0.3),
      words: maybe(Object.keys(map("p", "q"))),
    },
  });
}

function statusOf(random: Random): object {
  const conditions = ["Ready", "Stalled"].filter(() => random() < 0.5);
  return {
    ...(random() < 0.5 && { phase: random() < 0.5 ? "One" : "Two" }),
    ...(random() < 0.3 && { runId: "r" }),
    ...(random() < 0.7 && {
      conditions: conditions.map((type) => ({ type, status: random() < 0.5 ? "True" : "False" })),
    }),
  };
}

/** What client-side apply adds to an object. */
function clientSide(config: Live): object {
  const text = `${JSON.stringify(config)}\n`;
  return {
    ...config,
    metadata: { ...config.metadata, annotations: { ...config.metadata.annotations, [lastApplied]: text } },
  };
}

/** What `kubectl apply --server-side` sends first where client-side apply came before: its entry becomes one of apply. */
function migrated(live: Live): object[] {
  const entries: Live[] = live.metadata.managedFields ?? [];
  const own = entries.find(
    ({ manager, operation }) => manager === "kubectl-client-side-apply" && operation === "Update",
  );
  const rest = entries.filter(
    (entry) => entry !== own && !(entry.manager === "kubectl" && entry.operation === "Apply"),
  );
  const value = own === undefined ? entries : [...rest, { ...own, manager: "kubectl", operation: "Apply" }];
  return [
    { op: "replace", path: "/metadata/managedFields", value },
    { op: "replace", path: "/metadata/resourceVersion", value: live.metadata.resourceVersion },
  ];
}

function clean(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}
