import { expect, test } from "vitest";
import { customResourceDefinition } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { KubeError } from "../../src/kube/errors.ts";
import { remedies } from "../../src/operator/installation-remedies.ts";
import { watchServedSchemas } from "../../src/operator/served-schemas.ts";
import { Installation } from "../../src/runtime/installation.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

interface Schema {
  readonly properties: Record<"spec" | "status", { readonly properties: Record<string, unknown> }>;
}

/** The OpenAPI document of a server that has our CRDs, without the given fields and kinds. */
function documentWithout({
  fields = [],
  absent = [],
}: {
  readonly fields?: readonly (readonly [string, "spec" | "status", string])[];
  readonly absent?: readonly string[];
} = {}) {
  const schemas = kinds
    .filter(({ type }) => !absent.includes(type.kind))
    .map((kind) => {
      const { group, version } = kind.type;
      const { spec } = structuredClone(customResourceDefinition(kind)) as unknown as {
        spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] };
      };
      const { openAPIV3Schema: schema } = spec.versions[0].schema;
      for (const [name, part, field] of fields) {
        if (name === kind.type.kind) delete schema.properties[part].properties[field];
      }
      const named = { "x-kubernetes-group-version-kind": [{ group, version, kind: kind.type.kind }] };
      return [kind.type.kind, { ...schema, ...named }];
    });
  return { components: { schemas: Object.fromEntries(schemas) } };
}

const older = documentWithout({
  fields: [
    ["NorthflankDeployment", "spec", "redeployToken"],
    ["NorthflankDeployment", "status", "changes"],
    ["NorthflankJobRun", "status", "start"],
  ],
});
const refusal = (code: "not_found" | "unavailable") => new KubeError({ code, step: "get it", detail: "no" });

async function setUp(first: object) {
  const clock = new FakeClock();
  const { log, lines } = fakeLog();
  const installation = new Installation({ remedies, clock, log });
  const stop = new AbortController();
  const server = { answer: first, asked: 0 };
  const openApi = async () => {
    server.asked += 1;
    if (server.answer instanceof Error) throw server.answer;
    return server.answer;
  };
  const ended = watchServedSchemas(
    { kube: { openApi }, kinds, installation, clock, log },
    Promise.resolve(),
    stop.signal,
  );
  await settle();
  const told = () => lines.filter(({ level }) => level !== "debug").map(({ level, message }) => `${level} ${message}`);
  const end = async () => {
    stop.abort(new Error("the test is over"));
    await ended;
    expect(clock.pendingTimers).toBe(0);
  };
  return { clock, lines, installation, server, told, end };
}

test("CRDs of the same version are nothing to talk about, and are read again after an hour", async () => {
  const { clock, server, told, end } = await setUp(documentWithout());
  await clock.advance(3_599_999);
  expect(server.asked).toBe(1);
  await clock.advance(1);
  expect([server.asked, told()]).toEqual([2, []]);
  await end();
});

test("older CRDs are one warning, which names fields, and readiness stays good with the same words", async () => {
  const { clock, lines, installation, told, end } = await setUp(older);
  const missing =
    "fields in the CRDs of the cluster, which are older than the operator: " +
    "NorthflankDeployment spec.redeployToken, NorthflankDeployment status.changes, NorthflankJobRun status.start";
  expect(lines.at(-1)).toEqual({
    level: "warn",
    message: "installation incomplete",
    fields: { missing, remedy: remedies.schemas },
  });
  expect(installation.checks([])).toEqual([
    { name: "installation", ok: true, reason: `missing ${missing}. ${remedies.schemas}` },
  ]);
  await clock.advance(300_000);
  expect(told()).toHaveLength(1);
  await end();
});

test("five fields are named, and the others counted", async () => {
  const names = Object.keys(kinds.find(({ type }) => type.kind === "NorthflankJob")?.spec.properties ?? {});
  expect(names.length).toBeGreaterThan(5);
  const fields = names.map((name) => ["NorthflankJob", "spec", name] as const);
  const { lines, end } = await setUp(documentWithout({ fields }));
  const named = names.slice(0, 5).map((name) => `NorthflankJob spec.${name}`);
  const more = ` and ${names.length - 5} more`;
  expect(lines.at(-1)?.fields.missing).toMatch(new RegExp(`operator: ${named.join(", ")}${more}$`));
  await end();
});

test("after the repair readiness says so within half a minute, and one line after a minute of quiet", async () => {
  const { clock, server, installation, told, end } = await setUp(older);
  server.answer = documentWithout();
  await clock.advance(30_000);
  expect(installation.checks([])).toEqual([{ name: "installation", ok: true, reason: "" }]);
  expect(told()).toEqual(["warn installation incomplete"]);
  await clock.advance(30_000);
  installation.checks([]);
  expect(told()).toEqual(["warn installation incomplete", "info installation repaired"]);
  await end();
});

test("CRDs that are repaired in part are told again, with what is left", async () => {
  const { clock, lines, server, told, end } = await setUp(older);
  server.answer = documentWithout({ fields: [["NorthflankJobRun", "status", "start"]] });
  await clock.advance(30_000);
  expect(told()).toHaveLength(2);
  expect(lines.at(-1)?.fields.missing).toMatch(/operator: NorthflankJobRun status\.start$/);
  await end();
});

test("a kind that is missing is for its watch to tell; it is compared as soon as it is there", async () => {
  const { clock, server, told, end } = await setUp(documentWithout({ absent: ["NorthflankDeployment"] }));
  expect(told()).toEqual([]);
  server.answer = older;
  await clock.advance(30_000);
  expect(told()).toEqual(["warn installation incomplete"]);
  await end();
});

test.each([
  ["without any kind of ours is asked again after half a minute", refusal("not_found"), 30_000],
  ["that cannot tell is asked again after five minutes", refusal("unavailable"), 300_000],
])("a server %s, without a line", async (_, error, periodMs) => {
  const { clock, server, told, end } = await setUp(error);
  await clock.advance(periodMs - 1);
  expect(server.asked).toBe(1);
  await clock.advance(1);
  expect([server.asked, told()]).toEqual([2, []]);
  await end();
});

test("a document that is no use (a proxy's, say) does no harm", async () => {
  const { server, told, clock, end } = await setUp({ components: { schemas: [null, "text"] } });
  await clock.advance(30_000);
  expect([server.asked, told()]).toEqual([2, []]);
  await end();
});

test.each<readonly [string, object]>([
  ["an empty object", {}],
  ["a list", []],
  ["a document without schemas", { components: { schemas: {} } }],
  ["a document without the older kinds", documentWithout({ absent: ["NorthflankDeployment", "NorthflankJobRun"] })],
])("%s shows no repair of older CRDs", async (_, answer) => {
  const { clock, server, installation, told, end } = await setUp(older);
  const before = installation.checks([]);
  server.answer = answer;
  await clock.advance(120_000);
  expect(server.asked).toBe(5);
  expect(told()).toEqual(["warn installation incomplete"]);
  expect(installation.checks([])).toEqual(before);
  expect(before[0]?.reason).toContain("NorthflankDeployment spec.redeployToken");
  await end();
});
