import fc from "fast-check";
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

const incomplete = "warn installation incomplete";
const repaired = "info installation repaired";
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
  /** What readiness says, fault by fault. */
  const ready = () => installation.checks([]).flatMap(({ reason }) => reason.split("; "));
  /** Nothing fails for a minute; a call of another kind goes well. */
  const quiet = async () => {
    await clock.advance(60_000);
    installation.worked({ verb: "get", type: { ...pets, plural: "others" } });
  };
  return { clock, lines, installation, told, ready, quiet };
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
    expect(ready()).toEqual([`missing ${missing}. ${remedy}`]);
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

test("a kind that may be neither watched nor listed is one line; what is left after the first repair is another", async () => {
  const { installation, told, quiet } = setUp();
  installation.failed(watch, denied(watch));
  installation.failed(list, denied(list));
  expect(told()).toHaveLength(1);
  installation.worked(watch);
  installation.failed(list, denied(list));
  await quiet();
  expect(told().map((line) => line.replace(/ the permission of .* to/, ""))).toEqual([
    "warn installation incomplete: watch pets.example.com in all namespaces",
    "warn installation incomplete: list pets.example.com in all namespaces",
    "info installation repaired: watch pets.example.com in all namespaces",
  ]);
});

describe("what is repaired", () => {
  const missingKind = "the CustomResourceDefinition pets.example.com with version v1";

  test("is logged once after a minute of quiet, and readiness says no more of it at once", async () => {
    const { installation, clock, ready, told } = setUp();
    installation.failed(list, absent());
    installation.worked(watch);
    installation.worked(list);
    expect(ready()).toEqual([""]);
    await clock.advance(59_999);
    installation.worked(list);
    expect(told()).toHaveLength(1);
    await clock.advance(1);
    installation.worked(list);
    await clock.advance(60_000);
    installation.worked(list);
    expect(told()).toEqual([
      `warn installation incomplete: ${missingKind}`,
      `info installation repaired: ${missingKind}`,
    ]);
    expect(ready()).toEqual([""]);
  });

  test("and breaks again is logged again, ten minutes after the last time; readiness says it at once", async () => {
    const { installation, clock, ready, told, quiet } = setUp();
    installation.failed(list, absent());
    const before = ready();
    installation.worked(list);
    await quiet();
    expect(told()).toHaveLength(2);
    installation.failed(list, absent());
    expect(told()).toHaveLength(2);
    expect(ready()).toEqual(before);
    expect(installation.explain(absent(), list)?.isLogged).toBe(true);
    await clock.advance(540_000);
    installation.failed(list, absent());
    expect(told()).toHaveLength(3);
  });

  test("in one of two namespaces stays a fault in the other", async () => {
    const { installation, ready, told, quiet } = setUp();
    for (const name of ["a", "b"]) installation.failed(getSecret(name), denied(getSecret(name)));
    installation.worked(getSecret("a"));
    expect(ready()[0]).toContain('in namespace "b".');
    expect(told()).toHaveLength(1);
    installation.worked(getSecret("c"));
    expect(told()).toHaveLength(1);
    installation.worked(getSecret("b"));
    expect(ready()).toEqual([""]);
    await quiet();
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

  test("is shown by a Secret that does not exist: who may not ask is not told so", async () => {
    const { installation, told, quiet } = setUp();
    installation.failed(getSecret("a"), denied(getSecret("a")));
    installation.failed(getSecret("a"), absent());
    await quiet();
    expect(told()).toHaveLength(2);
  });

  test("is shown for credentials by any answer of the API server but another 401", async () => {
    const { installation, clock, told, quiet } = setUp();
    installation.failed(list, refusal("unauthorized", { httpStatus: 401 }));
    await clock.advance(10_000);
    installation.failed(watch, refusal("unauthorized", { httpStatus: 401 }));
    // What stands before the API server may have answered.
    installation.failed(list, refusal("unavailable", { httpStatus: 503 }));
    expect(told()).toHaveLength(1);
    installation.failed(list, denied(list));
    await quiet();
    expect(told().at(-1)).toMatch(/^info installation repaired: credentials/);
  });
});

describe("a permission that is missing for one object", () => {
  const named = (name: string): Access => ({ ...getSecret("shop"), name });

  test("is a fault as long as that one is refused, whatever is allowed for others", async () => {
    const { installation, clock, told, ready } = setUp();
    for (let n = 0; n < 100; n += 1) {
      await clock.advance(1_000);
      installation.worked(named("allowed"));
      installation.failed(named("refused"), denied(named("refused")));
      installation.worked(named("allowed"));
      expect(ready()[0]).toContain('to get secrets in namespace "shop".');
    }
    expect(told()).toHaveLength(1);
    installation.worked(named("refused"));
    expect(ready()).toEqual([""]);
  });

  test("is over when the last of them is allowed", async () => {
    const { installation, told, ready, quiet } = setUp();
    for (const name of ["a", "b"]) installation.failed(named(name), denied(named(name)));
    installation.failed(named("a"), absent());
    expect(ready()[0]).toContain("to get secrets");
    installation.worked(named("b"));
    expect(ready()).toEqual([""]);
    await quiet();
    expect(told()).toHaveLength(2);
  });

  test("is forgotten by itself when nobody has asked for that one for an hour", async () => {
    const { installation, clock, ready } = setUp();
    installation.failed({ ...getSecret("old"), name: "a" }, denied(getSecret("old")));
    await clock.advance(3_000_000);
    installation.failed({ ...getSecret("new"), name: "a" }, denied(getSecret("new")));
    expect(ready()[0]).toContain('in namespaces "new", "old".');
    await clock.advance(600_000);
    expect(ready()[0]).toContain('in namespace "new".');
  });
});

describe("what is missing in more namespaces than are kept", () => {
  const all = Array.from({ length: 10_000 }, (_, n) => getSecret(`ns${n}`));

  async function failEverywhere() {
    const scene = setUp();
    for (const access of all) scene.installation.failed(access, denied(access));
    expect(scene.told()).toHaveLength(1);
    expect(scene.ready()[0]).toMatch(/ in namespaces "ns\d+", "ns\d+", "ns\d+" and at least 997 more\. Apply/);
    return scene;
  }

  test.each([
    ["the first", 0],
    ["the last", 9_000],
  ])("is not repaired when %s thousand are", async (_, from) => {
    const { installation, told, ready, quiet } = await failEverywhere();
    for (const access of all.slice(from, from + 1_000)) installation.worked(access);
    expect(ready()[0]).toContain("to get secrets in ");
    await quiet();
    expect(told()).toHaveLength(1);
    expect(ready()[0]).toContain("to get secrets in ");
  });

  test("is repaired when calls go well and none has failed for ten minutes", async () => {
    const { installation, clock, told, ready } = await failEverywhere();
    await clock.advance(599_999);
    for (const access of all) installation.worked(access);
    expect(ready()).toEqual([
      'missing the permission of service account "nf/op" to get secrets in other namespaces. Apply the RBAC rules',
    ]);
    await clock.advance(1);
    expect(ready()).toEqual([""]);
    expect(told()).toHaveLength(2);
  });

  test("is repaired at once when it is allowed in all namespaces", async () => {
    const { installation, ready } = await failEverywhere();
    installation.worked({ verb: "get", type: secrets });
    expect(ready()).toEqual([""]);
  });

  test("is forgotten without a line when nobody asks again", async () => {
    const { clock, told, ready } = await failEverywhere();
    await clock.advance(3_600_000);
    expect(ready()).toEqual([""]);
    expect(told()).toHaveLength(1);
  });
});

describe("a fault that hides another one of the same kind", () => {
  test("takes its place in readiness: a 403 says nothing of a CRD that was missing", async () => {
    const { installation, told, ready, quiet } = setUp();
    installation.failed(list, absent());
    installation.failed(list, denied(list));
    expect(ready()).toEqual([
      'missing the permission of service account "nf/op" to list pets.example.com in all namespaces. Apply the RBAC rules',
    ]);
    await quiet();
    // Nobody knows that it was repaired.
    expect(told().map((line) => line.split(":")[0])).toEqual([incomplete, incomplete]);
    installation.worked(list);
    expect(ready()).toEqual([""]);
    await quiet();
    expect(told().map((line) => line.split(":")[0])).toEqual([incomplete, incomplete, repaired, repaired]);
  });

  test("leaves it where it was seen in another namespace", () => {
    const { installation, ready } = setUp();
    const inA: Access = { ...list, namespace: "a" };
    const inB: Access = { ...list, namespace: "b" };
    installation.failed(inA, absent());
    installation.failed(inB, denied(inB));
    expect(ready()).toHaveLength(2);
    installation.failed(inA, denied(inA));
    expect(ready()).toHaveLength(1);
  });

  test("is followed by the hidden one, once it can be seen again", () => {
    const { installation, ready } = setUp();
    installation.failed(list, denied(list));
    installation.failed(list, absent());
    expect(ready()).toEqual(["missing the CustomResourceDefinition pets.example.com with version v1. Apply the CRDs"]);
  });

  test("takes the place of answers of no use", async () => {
    const { installation, clock, ready } = setUp();
    installation.failed(list, refusal("protocol"));
    await clock.advance(30_000);
    installation.failed(list, refusal("protocol"));
    expect(ready()[0]).toContain("a usable response");
    installation.failed(list, absent());
    expect(ready()).toEqual(["missing the CustomResourceDefinition pets.example.com with version v1. Apply the CRDs"]);
  });
});

describe("whatever fails and goes well in ten minutes", () => {
  const names = ["a", "b", "c"];
  const step = fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.nat(2_000), fc.nat(2_000), fc.nat(90_000)),
    name: fc.constantFrom(...names),
    isListed: fc.boolean(),
    answer: fc.constantFrom("worked", "denied", "absent", "throttled", "lost", "unauthorized", "schemas", "clear"),
  });

  test("each fault has at most five lines, and readiness says whether a Secret is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 300 }), async (steps) => {
        const { installation, clock, told, ready } = setUp();
        const refused = new Set<string>();
        let fields = 0;
        for (const { afterMs, name, isListed, answer } of steps) {
          if (clock.monotonic() + afterMs > 600_000) break;
          await clock.advance(afterMs);
          const access: Access = isListed ? list : { ...getSecret("shop"), name };
          if (answer === "clear") installation.clear("schemas");
          else if (answer === "schemas") {
            fields += 1;
            const missing = `field ${fields}`;
            installation.raise({ kind: "schemas", key: "schemas", missing, remedy: "Apply", toleranceMs: 0 });
          } else if (answer === "worked") installation.worked(access);
          else {
            const errors = {
              denied: denied(access),
              absent: absent(),
              throttled: refusal("throttled", { httpStatus: 429 }),
              lost: refusal("unavailable", { httpStatus: 503 }),
              unauthorized: refusal("unauthorized", { httpStatus: 401 }),
            };
            installation.failed(access, errors[answer]);
          }
          if (!isListed && answer === "denied") refused.add(name);
          if (!isListed && (answer === "worked" || answer === "absent")) refused.delete(name);
          expect(ready().some((reason) => reason.includes("get secrets"))).toBe(refused.size > 0);
        }
        const faults = [
          "get secrets",
          "list pets",
          "CustomResourceDefinition",
          "field ",
          "credentials",
          "usable answer",
        ];
        for (const each of faults) {
          expect(told().filter((line) => line.includes(each)).length).toBeLessThanOrEqual(each === "field " ? 5 : 4);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("so have CRDs that lack other fields each time they are read", async () => {
    const { installation, clock, told } = setUp();
    for (let n = 0; n < 600; n += 1) {
      const missing = `field ${n}`;
      installation.raise({ kind: "schemas", key: "schemas", missing, remedy: "Apply", toleranceMs: 0 });
      await clock.advance(1_000);
    }
    expect(told()).toEqual([`${incomplete}: field 0`, `${incomplete}: field 1`]);
  });

  test("so have faults that come and go every second", async () => {
    const { installation, clock, told } = setUp();
    for (let n = 0; n < 600; n += 1) {
      installation.failed(watch, denied(watch));
      await clock.advance(500);
      installation.worked(watch);
      await clock.advance(500);
    }
    expect(told()).toHaveLength(1);
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
    expect(told()).toEqual(["warn installation incomplete: a response from the API server: the words of the server"]);
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
  const { installation, clock, told, quiet } = setUp();
  installation.failed(list, refusal("protocol"));
  await clock.advance(29_999);
  installation.failed(list, refusal("protocol"));
  expect(told()).toEqual([]);
  await clock.advance(1);
  installation.failed(list, refusal("protocol"));
  installation.worked(list);
  await quiet();
  expect(told()).toEqual([
    "warn installation incomplete: a usable response about pets: the words of the server",
    "info installation repaired: a usable response about pets: the words of the server",
  ]);
});

test("readiness does not say what another check says already", () => {
  const { installation } = setUp();
  installation.failed(list, absent());
  const reason = `cannot list: ${installation.explain(absent(), list)?.text}`;
  expect(installation.checks([{ name: "cache/pets", ok: false, reason }])).toEqual([
    { name: "installation", ok: true, reason: "" },
  ]);
});

test("readiness says what no other check says in one line", () => {
  const { installation } = setUp();
  for (const access of [getSecret("shop"), createEvent]) installation.failed(access, denied(access));
  installation.failed(list, absent());
  const reason = `cannot list: ${installation.explain(absent(), list)?.text}`;
  const right = 'missing the permission of service account "nf/op" to';
  expect(installation.checks([{ name: "cache/pets", ok: false, reason }])).toEqual([
    {
      name: "installation",
      ok: true,
      reason:
        `${right} get secrets in namespace "shop". Apply the RBAC rules; ` +
        `${right} create events.events.k8s.io in namespace "shop". Apply the RBAC rules`,
    },
  ]);
});

test("readiness does not name one verb beside a check that names the other, in each namespace", () => {
  const { installation } = setUp();
  const accesses = ["a", "b"].flatMap((namespace) => [
    { ...watch, namespace },
    { ...list, namespace },
  ]);
  for (const access of accesses) installation.failed(access, denied(access));
  const texts = accesses
    .filter(({ verb }) => verb === "list")
    .map(
      (access) => `namespace "${access.namespace}": cannot list: ${installation.explain(denied(access), access)?.text}`,
    );
  const all = { name: "cache/pets", ok: false, reason: texts.join("; ") };
  expect(installation.checks([all])).toEqual([{ name: "installation", ok: true, reason: "" }]);
  const half = { name: "cache/pets", ok: true, reason: texts[0] ?? "" };
  expect(installation.checks([half])[0]?.reason).toContain('to watch pets.example.com in namespaces "a", "b".');
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
