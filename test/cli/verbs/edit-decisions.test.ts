import { describe, expect, test } from "vitest";
import {
  decideAbort,
  decideReconcile,
  decideResolve,
  decideSuspend,
  newRequest,
} from "../../../src/cli/verbs/edit-decisions.ts";
import type { ReadObject } from "../../../src/cli/verbs/fields.ts";
import { gitopsNote } from "../../../src/cli/verbs/gitops.ts";

function object(parts: { kind?: string; metadata?: object; spec?: object; status?: object }): ReadObject {
  const { kind = "NorthflankJobRun", metadata, spec = {}, status = {} } = parts;
  return { apiVersion: "northflank-operator.io/v1alpha1", kind, metadata: { name: "x", ...metadata }, spec, status };
}

const over = object({
  status: {
    completionTime: "2026-06-01T12:00:00Z",
    conditions: [{ type: "Succeeded", status: "False", reason: "RunFailed", message: "It failed." }],
  },
});
const request = "2026-06-01T12:00:00.000Z";
const annotations = (values: object) => ({ kind: "patch", body: { metadata: { annotations: values } } });

describe("reconcile", () => {
  test("sets the annotation and nothing else", () => {
    const expected = annotations({ "northflank-operator.io/reconcile-requested-at": request });
    expect(decideReconcile(object({}), request)).toMatchObject(expected);
  });

  test("is refused of what would not be reconciled", () => {
    expect(decideReconcile(object({ spec: { suspend: true } }), request)).toEqual({
      kind: "refuse",
      why: "is suspended; resume it first",
    });
    expect(decideReconcile(over, request)).toEqual({ kind: "refuse", why: "has ended (RunFailed); start another run" });
    const deleting = object({ metadata: { deletionTimestamp: request } });
    expect(decideReconcile(deleting, request)).toEqual({ kind: "refuse", why: "is being deleted" });
  });

  test("is done when the annotation is there: a patch whose response was lost is not sent twice", () => {
    const metadata = { annotations: { "northflank-operator.io/reconcile-requested-at": request } };
    expect(decideReconcile(object({ metadata }), request)).toMatchObject({ kind: "nothing" });
  });

  test("is later than a request of Flux, which would count otherwise", () => {
    const now = Date.parse(request);
    expect(newRequest(object({}), now)).toBe(request);
    const flux = (time: string) => object({ metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": time } } });
    expect(newRequest(flux("2026-06-01T12:00:05Z"), now)).toBe("2026-06-01T12:00:05.001Z");
    expect(newRequest(flux("2026-06-01T11:00:05Z"), now)).toBe(request);
    expect(newRequest(flux("now"), now)).toBe(request);
  });
});

describe("suspend and resume", () => {
  test("set spec.suspend, and nothing where it is so already", () => {
    expect(decideSuspend(object({}), true)).toMatchObject({ kind: "patch", body: { spec: { suspend: true } } });
    const suspended = object({ spec: { suspend: true } });
    expect(decideSuspend(suspended, false)).toMatchObject({ kind: "patch", body: { spec: { suspend: false } } });
    expect(decideSuspend(suspended, true)).toEqual({ kind: "nothing", done: "is suspended already" });
    expect(decideSuspend(object({}), false)).toEqual({ kind: "nothing", done: "is not suspended" });
  });

  test("a run that has ended cannot be suspended", () => {
    expect(decideSuspend(over, true)).toEqual({ kind: "refuse", why: "has ended (RunFailed)" });
  });
});

describe("abort", () => {
  test("sets spec.abort once", () => {
    expect(decideAbort(object({}))).toMatchObject({ kind: "patch", body: { spec: { abort: true } } });
    expect(decideAbort(object({ spec: { abort: true } }))).toMatchObject({ kind: "nothing" });
    expect(decideAbort(over)).toEqual({ kind: "refuse", why: "has ended (RunFailed)" });
  });
});

describe("resolve", () => {
  const unknown = (more: object = {}, metadata: object = {}) =>
    object({ metadata, status: { unknownStartId: "start-1", ...more } });
  const key = "northflank-operator.io/resolve-start";

  test.each([
    [{ kind: "retry" } as const, {}, "retry"],
    [{ kind: "fail" } as const, {}, "fail"],
    [{ kind: "run", runId: "r-1" } as const, {}, "r-1"],
    [{ kind: "retry" } as const, { lastHandledResolveStart: "retry" }, "retry@2"],
    [{ kind: "retry" } as const, { lastHandledResolveStart: "retry@2" }, "retry@3"],
    [{ kind: "retry" } as const, { lastHandledResolveStart: "retry@again" }, "retry@2"],
    [{ kind: "retry" } as const, { lastHandledResolveStart: "r-1" }, "retry"],
    [{ kind: "run", runId: "r-1" } as const, { lastHandledResolveStart: "r-1" }, "r-1@2"],
  ])("%j after %j sets %s", (answer, status, value) => {
    expect(decideResolve(unknown(status), answer)).toMatchObject(annotations({ [key]: value }));
  });

  test("is done when the same answer waits to be handled", () => {
    const waiting = unknown({ lastHandledResolveStart: "retry" }, { annotations: { [key]: "retry@2" } });
    expect(decideResolve(waiting, { kind: "retry" })).toMatchObject({ kind: "nothing" });
    expect(decideResolve(waiting, { kind: "fail" })).toMatchObject(annotations({ [key]: "fail" }));
  });

  test("is refused where no start is unknown", () => {
    const why = "has no start whose outcome is unknown";
    expect(decideResolve(object({}), { kind: "retry" })).toEqual({ kind: "refuse", why });
    expect(decideResolve(object({ status: { start: { outcome: "Pending" } } }), { kind: "fail" })).toMatchObject({
      why,
    });
    expect(decideResolve(over, { kind: "fail" })).toEqual({ kind: "refuse", why: "has ended (RunFailed)" });
  });

  test.each([
    [
      "the condition Started says so",
      [{ type: "Started", status: "Unknown", reason: "StartOutcomeUnknown", message: "x" }],
    ],
    [
      "the connection uses another account",
      [{ type: "Ready", status: "False", reason: "AccountChanged", message: "x" }],
    ],
  ])("is possible where %s", (_, conditions) => {
    const one = object({ status: { start: { outcome: "Pending" }, conditions } });
    expect(decideResolve(one, { kind: "fail" })).toMatchObject({ kind: "patch" });
  });
});

describe("an object that a GitOps tool manages", () => {
  const body = { spec: { suspend: true } };
  const labels = (values: object) => object({ metadata: { labels: values } });

  test.each([
    [
      labels({ "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system" }),
      "Flux (Kustomization flux-system/apps)",
    ],
    [
      labels({ "helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "shop" }),
      "Flux (HelmRelease shop/shop)",
    ],
    [labels({ "argocd.argoproj.io/instance": "shop" }), "Argo CD (Application shop)"],
    [
      object({
        metadata: { annotations: { "argocd.argoproj.io/tracking-id": "shop:northflank-operator.io/X:shop/x" } },
      }),
      "Argo CD (Application shop)",
    ],
  ])("is said of a change of its spec", (managed, tool) => {
    expect(gitopsNote(managed, body)).toBe(
      `is managed by ${tool}: if Git sets spec.suspend, this change will be reverted at its next reconcile; change it there too`,
    );
    expect(gitopsNote(managed, { metadata: { annotations: {} } })).toBeUndefined();
  });

  test("and not of any other", () => {
    expect(gitopsNote(labels({ "app.kubernetes.io/instance": "shop" }), body)).toBeUndefined();
  });
});
