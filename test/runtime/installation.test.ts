import { describe, expect, test } from "vitest";
import { KubeError, type KubeErrorFacts } from "../../src/kube/errors.ts";
import type { MissingRight } from "../../src/kube/missing-right.ts";
import { events, leases, secrets } from "../../src/kube/types.ts";
import { Installation } from "../../src/runtime/installation.ts";
import type { Access, Remedies } from "../../src/runtime/installation-fault.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

const pets = { group: "example.com", version: "v1", plural: "pets", kind: "Pet", namespaced: true };
const remedies: Remedies = {
  kind: "Apply the CRDs",
  schemas: "Apply the CRDs",
  right: "Apply the RBAC rules",
  lease: "Apply the RBAC rules of the Lease",
  leaseNamespace: "Create it",
  credentials: "Check the token",
  server: "Check the address",
  answers: "Check the proxy",
};

const list: Access = { verb: "list", type: pets };
const watch: Access = { verb: "watch", type: pets };
const patchStatus = (namespace: string): Access => ({ verb: "patch", type: pets, subresource: "status", namespace });
const getSecret = (namespace: string): Access => ({ verb: "get", type: secrets, namespace });
const lease = (verb: Access["verb"]): Access => ({ verb, type: leases, namespace: "nf" });
const createEvent: Access = { verb: "create", type: events, namespace: "shop" };

function refusal(code: KubeErrorFacts["code"], extra: Partial<KubeErrorFacts> = {}): KubeError {
  return new KubeError({ code, step: "try it", detail: "the words of the server", ...extra });
}

function denied({ verb, type, subresource, namespace }: Access): KubeError {
  const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`;
  const missingRight: MissingRight = {
    user: "system:serviceaccount:nf:op",
    verb,
    resource,
    group: type.group,
    namespace,
  };
  return refusal("forbidden", { httpStatus: 403, missingRight });
}

const absent = () => refusal("not_found", { httpStatus: 404 });
const lost = () => refusal("unavailable");

function setUp() {
  const clock = new FakeClock();
  const { log, lines } = fakeLog();
  const installation = new Installation({ remedies, clock, log });
  const told = () => lines.map(({ level, message, fields }) => `${level} ${message}: ${fields.missing}`);
  const ready = () => installation.checks([]).map(({ reason }) => reason);
  return { clock, lines, installation, told, ready };
}

describe("one line says what is missing and what to do", () => {
  test.each<readonly [string, Access, KubeError, string, string]>([
    ["a CRD", list, absent(), "the CustomResourceDefinition pets.example.com with version v1", "Apply the CRDs"],
    [
      "the permission to list in all namespaces",
      list,
      denied(list),
      'the permission of service account "nf/op" to list pets.example.com in all namespaces',
      "Apply the RBAC rules",
    ],
    [
      "the permission to write a status",
      patchStatus("shop"),
      denied(patchStatus("shop")),
      'the permission of service account "nf/op" to patch pets.example.com/status in namespace "shop"',
      "Apply the RBAC rules",
    ],
    [
      "the permission to read Secrets",
      getSecret("shop"),
      denied(getSecret("shop")),
      'the permission of service account "nf/op" to get secrets in namespace "shop"',
      "Apply the RBAC rules",
    ],
    [
      "the permission to create Events",
      createEvent,
      denied(createEvent),
      'the permission of service account "nf/op" to create events.events.k8s.io in namespace "shop"',
      "Apply the RBAC rules",
    ],
    [
      "a permission on the Lease",
      lease("update"),
      denied(lease("update")),
      'the permission of service account "nf/op" to update leases.coordination.k8s.io in namespace "nf"',
      "Apply the RBAC rules of the Lease",
    ],
    ["the namespace of the Lease", lease("create"), absent(), 'the namespace "nf" of the Lease', "Create it"],
    [
      "a permission that something else than RBAC keeps back",
      list,
      refusal("forbidden", { httpStatus: 403 }),
      "the permission to list pets.example.com in all namespaces",
      "Apply the RBAC rules",
    ],
  ])("%s", (_, access, error, missing, remedy) => {
    const { installation, lines, ready } = setUp();
    installation.failed(access, error);
    expect(lines).toEqual([{ level: "warn", message: "installation incomplete", fields: { missing, remedy } }]);
    expect(ready()).toEqual([`${missing}. ${remedy}`]);
    expect(installation.explain(error, access)).toEqual({ text: `missing ${missing}. ${remedy}`, isLogged: true });
  });
});

test.each<readonly [string, Access, KubeError]>([
  ["an object that is gone", getSecret("shop"), absent()],
  ["an Event in a namespace that is gone", createEvent, absent()],
  ["a write that an admission webhook refuses", patchStatus("shop"), refusal("forbidden", { httpStatus: 403 })],
  ["a conflict", patchStatus("shop"), refusal("conflict", { httpStatus: 409 })],
  ["an object that does not fit its schema", patchStatus("shop"), refusal("invalid", { httpStatus: 422 })],
  ["a resourceVersion that is too old", watch, refusal("expired", { httpStatus: 410 })],
  ["a busy server", list, refusal("throttled", { httpStatus: 429 })],
])("%s is no fault of the installation", async (_, access, error) => {
  const { installation, lines, clock } = setUp();
  installation.failed(access, error);
  await clock.advance(60_000);
  installation.failed(access, error);
  expect(lines).toEqual([]);
  expect(installation.explain(error, access)).toBeUndefined();
});

test("anything else than an error of the API server is no fault either", () => {
  const { installation, lines } = setUp();
  installation.failed(list, new TypeError("a bug"));
  expect(lines).toEqual([]);
  expect(installation.explain(new TypeError("a bug"))).toBeUndefined();
});

describe("what lasts", () => {
  test("is logged once, however many meet it, and again every ten minutes", async () => {
    const { installation, clock, told } = setUp();
    for (let n = 0; n < 1_000; n += 1) installation.failed(patchStatus("shop"), denied(patchStatus("shop")));
    expect(told()).toHaveLength(1);
    await clock.advance(599_999);
    installation.failed(patchStatus("shop"), denied(patchStatus("shop")));
    expect(told()).toHaveLength(1);
    await clock.advance(1);
    installation.failed(patchStatus("shop"), denied(patchStatus("shop")));
    expect(told()).toHaveLength(2);
  });

  test("in many namespaces is one fault, which names three and counts the others", () => {
    const { installation, ready, told } = setUp();
    for (const name of ["a", "b", "c", "d", "e"]) installation.failed(getSecret(name), denied(getSecret(name)));
    expect(told()).toHaveLength(1);
    const [line] = ready();
    expect(line).toContain('to get secrets in namespaces "a", "b", "c" and 2 more. Apply');
  });

  test("without being met again for an hour is forgotten, without a line", async () => {
    const { installation, clock, ready, told } = setUp();
    installation.failed(createEvent, denied(createEvent));
    await clock.advance(3_599_999);
    expect(ready()[0]).toContain("events");
    await clock.advance(1);
    expect(ready()).toEqual([""]);
    expect(told()).toHaveLength(1);
  });
});

test("a kind that may be neither watched nor listed is one line; what is left after the first repair is another", () => {
  const { installation, told } = setUp();
  installation.failed(watch, denied(watch));
  installation.failed(list, denied(list));
  expect(told()).toHaveLength(1);
  installation.worked(watch);
  installation.failed(list, denied(list));
  expect(told().map((line) => line.replace(/ the permission of .* to/, ""))).toEqual([
    "warn installation incomplete: watch pets.example.com in all namespaces",
    "info installation repaired: watch pets.example.com in all namespaces",
    "warn installation incomplete: list pets.example.com in all namespaces",
  ]);
});

describe("what is repaired", () => {
  const missingKind = "the CustomResourceDefinition pets.example.com with version v1";

  test("is logged once, and readiness says no more of it", () => {
    const { installation, ready, told } = setUp();
    installation.failed(list, absent());
    installation.worked(watch);
    installation.worked(list);
    expect(told()).toEqual([
      `warn installation incomplete: ${missingKind}`,
      `info installation repaired: ${missingKind}`,
    ]);
    expect(ready()).toEqual([""]);
  });

  test("and breaks again is logged again", () => {
    const { installation, told } = setUp();
    installation.failed(list, absent());
    installation.worked(list);
    installation.failed(list, absent());
    expect(told()).toHaveLength(3);
  });

  test("in one of two namespaces stays a fault in the other", () => {
    const { installation, ready, told } = setUp();
    for (const name of ["a", "b"]) installation.failed(getSecret(name), denied(getSecret(name)));
    installation.worked(getSecret("a"));
    expect(ready()[0]).toContain('in namespace "b".');
    expect(told()).toHaveLength(1);
    installation.worked(getSecret("c"));
    expect(told()).toHaveLength(1);
    installation.worked(getSecret("b"));
    expect(ready()).toEqual([""]);
    expect(told()[1]).toBe(
      'info installation repaired: the permission of service account "nf/op" to get secrets in namespace "b"',
    );
    expect(told()).toHaveLength(2);
  });

  test("is not shown by another verb, nor by another kind", () => {
    const { installation, told } = setUp();
    installation.failed(watch, denied(watch));
    installation.worked(list);
    installation.worked(getSecret("shop"));
    expect(told()).toHaveLength(1);
  });

  test("is shown by a Secret that does not exist: who may not ask is not told so", () => {
    const { installation, told } = setUp();
    installation.failed(getSecret("a"), denied(getSecret("a")));
    installation.failed(getSecret("a"), absent());
    expect(told()).toHaveLength(2);
  });

  test("is shown for credentials by any answer of the API server but another 401", async () => {
    const { installation, clock, told } = setUp();
    installation.failed(list, refusal("unauthorized", { httpStatus: 401 }));
    await clock.advance(10_000);
    installation.failed(watch, refusal("unauthorized", { httpStatus: 401 }));
    // What stands before the API server may have answered.
    installation.failed(list, refusal("unavailable", { httpStatus: 503 }));
    expect(told()).toHaveLength(1);
    installation.failed(list, denied(list));
    expect(told()[1]).toMatch(/^info installation repaired: credentials/);
  });
});

test.each<readonly [number, KubeErrorFacts["code"]]>([
  [400, "bad_request"],
  [408, "timeout"],
  [413, "invalid"],
  [429, "throttled"],
  [500, "unavailable"],
  [503, "unavailable"],
  [504, "ahead"],
])("an answer %i shows no permission: it may come before that is asked", (httpStatus, code) => {
  const { installation, told, ready } = setUp();
  installation.failed(watch, denied(watch));
  const before = ready();
  for (let n = 0; n < 50; n += 1) {
    installation.failed(watch, refusal(code, { httpStatus }));
    installation.failed(watch, denied(watch));
  }
  installation.failed(watch, refusal(code, { httpStatus }));
  expect(told()).toHaveLength(1);
  expect(ready()).toEqual(before);
});

test.each<readonly [number, KubeErrorFacts["code"]]>([
  [404, "not_found"],
  [409, "conflict"],
  [410, "expired"],
  [422, "invalid"],
])("an answer %i shows the permission", (httpStatus, code) => {
  const { installation, ready } = setUp();
  installation.failed(patchStatus("a"), denied(patchStatus("a")));
  installation.failed(patchStatus("a"), refusal(code, { httpStatus }));
  expect(ready()).toEqual([""]);
});

test.each([
  ["a token that the server does not accept", refusal("unauthorized", { httpStatus: 401 })],
  ["credentials that cannot be had", refusal("config")],
])("%s is a fault after ten seconds: it may just be replaced", async (_, error) => {
  const { installation, clock, lines } = setUp();
  installation.failed(list, error);
  await clock.advance(9_999);
  installation.failed(list, error);
  expect(lines).toEqual([]);
  await clock.advance(1);
  installation.failed(list, error);
  expect(lines.map(({ fields }) => fields)).toEqual([
    { missing: "credentials that can be used: the words of the server", remedy: "Check the token" },
  ]);
});

describe("a server that does not answer", () => {
  test("is a fault after ten seconds", async () => {
    const { installation, clock, told, ready } = setUp();
    installation.failed(list, lost());
    await clock.advance(9_999);
    installation.failed(list, lost());
    expect([told(), ready()]).toEqual([[], [""]]);
    await clock.advance(1);
    installation.failed(list, lost());
    expect(told()).toEqual(["warn installation incomplete: an answer from the API server: the words of the server"]);
  });

  test("is none where any call goes well in between", async () => {
    const { installation, clock, told } = setUp();
    for (let n = 0; n < 60; n += 1) {
      installation.failed(list, lost());
      await clock.advance(5_000);
      installation.worked(lease("update"));
    }
    expect(told()).toEqual([]);
  });

  test("may refuse in its first minute what it allows later", async () => {
    const { installation, clock, told } = setUp();
    installation.failed(list, lost());
    await clock.advance(59_999);
    installation.failed(list, denied(list));
    expect(told()).toEqual([]);
    await clock.advance(1);
    installation.failed(list, denied(list));
    expect(told()).toHaveLength(1);
  });
});

test("answers of no use about a kind are a fault after half a minute, and over with a good one", async () => {
  const { installation, clock, told } = setUp();
  installation.failed(list, refusal("protocol"));
  await clock.advance(29_999);
  installation.failed(list, refusal("protocol"));
  expect(told()).toEqual([]);
  await clock.advance(1);
  installation.failed(list, refusal("protocol"));
  installation.worked(list);
  expect(told()).toEqual([
    "warn installation incomplete: a usable answer about pets: the words of the server",
    "info installation repaired: a usable answer about pets: the words of the server",
  ]);
});

test("readiness does not say what another check says already", () => {
  const { installation } = setUp();
  installation.failed(list, absent());
  const reason = `not listed yet: ${installation.explain(absent(), list)?.text}`;
  expect(installation.checks([{ name: "cache/pets", ok: false, reason }])).toEqual([
    { name: "installation", ok: true, reason: "" },
  ]);
});

test("a pass that failed is explained by the permission that the server names", () => {
  const { installation } = setUp();
  const text =
    'missing the permission of service account "nf/op" to patch pets.example.com/status in namespace "shop". ' +
    "Apply the RBAC rules";
  expect(installation.explain(denied(patchStatus("shop")))).toEqual({ text, isLogged: false });
  installation.failed(patchStatus("shop"), denied(patchStatus("shop")));
  expect(installation.explain(denied(patchStatus("shop")))).toEqual({ text, isLogged: true });
});
