import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { routes } from "../../sandbox/northflank/routes.ts";
import { sdkCallOf } from "../../sandbox/northflank/sdk-calls.ts";
import { fieldsOf, useOf } from "../../scripts/generated/fields.ts";
import { pagesByHand, referencePages } from "../../scripts/generated/reference.ts";
import { conditionTypes } from "../../scripts/generated/texts/condition-types.ts";
import { normalEvents, warningEvents } from "../../scripts/generated/texts/events.ts";
import { fieldUses } from "../../scripts/generated/texts/field-uses.ts";
import { integrationCalls, northflankCallTexts } from "../../scripts/generated/texts/northflank-calls.ts";
import { kinds } from "../../src/api/kinds.ts";
import { northflankCalls, permissionName, permissionsFor, type TokenUse } from "../../src/api/northflank-calls.ts";
import { createMetrics } from "../../src/metrics.ts";
import { pages } from "../fields/cases.ts";
import { propertiesOf } from "../fields/json-schema.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = join(root, "docs", "reference");

const fields = kinds.flatMap((kind) =>
  fieldsOf(kind.spec).map(({ path }) => ({ name: `${kind.type.kind} spec.${path}`, kind, path })),
);

test.each(referencePages())("docs/reference/$name is what the source says now (else: npm run generate)", (page) => {
  expect(readFileSync(join(folder, page.name), "utf8")).toBe(page.text);
});

test("the index leads to every page of the folder", () => {
  const index = referencePages().find(({ name }) => name === "README.md")?.text ?? "";
  for (const name of readdirSync(folder)) if (name !== "README.md") expect(index).toContain(`](${name})`);
  for (const name of pagesByHand) expect(readdirSync(folder)).toContain(name);
});

test.each(referencePages())("the links of docs/reference/$name lead somewhere", ({ text }) => {
  const targets = [...text.replaceAll(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  for (const target of new Set(targets)) {
    const [file = "", anchor] = target.split("#");
    expect([target, existsSync(join(folder, file))]).toEqual([target, true]);
    if (anchor === undefined) continue;
    const headings = readFileSync(join(folder, file), "utf8").match(/^#+ .*$/gm) ?? [];
    const anchors = headings.map((heading) => heading.replace(/^#+ /, "").toLowerCase().replaceAll(" ", "-"));
    expect(anchors).toContain(anchor);
  }
});

describe("what becomes of the fields at Northflank", () => {
  test.each(fields)("is said for $name", ({ kind, path }) => {
    expect(() => useOf(kind, path)).not.toThrow();
  });

  test("is said of no field that does not exist", () => {
    const known = new Set(fields.map(({ name }) => name));
    const said = Object.entries(fieldUses).flatMap(([kind, uses]) =>
      Object.entries(uses).flatMap(([name, use]) => {
        const inner = "inner" in use ? use.inner : [];
        return [name, ...inner.map((path) => (path.startsWith("[") ? `${name}${path}` : `${name}.${path}`))].map(
          (path) => `${kind} spec.${path}`,
        );
      }),
    );
    expect(said.filter((name) => !known.has(name))).toEqual([]);
    expect(new Set(said).size).toBe(said.length);
  });

  /** The properties of each call, by Northflank's own pages of any age. */
  const documented = new Map(
    pages.map(({ call }) => [
      call.name as string,
      new Set(pages.filter((page) => page.call.name === call.name).flatMap(({ schema }) => propertiesOf(schema).map(({ name }) => name))), // biome-ignore format: one thing
    ]),
  );
  const sent = fields.flatMap(({ name, kind, path }) => useOf(kind, path).sent.map((one) => ({ name, ...one })));

  test.each(sent)("is a property that Northflank documents: $name as $property of $call", ({ call, property }) => {
    const known = documented.get(call);
    expect(known).toBeDefined();
    // Of a free map the pages describe no values.
    const name = property.replace(/\.\*$/, "");
    if (name !== "") expect([...(known ?? [])]).toContain(name);
  });

  test.each(Object.entries(northflankCallTexts))("%s is a call that the sandbox answers", (_, { request }) => {
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toContain(request);
  });
});

describe("what a token needs", () => {
  const needs: Readonly<Record<string, { readonly usedBy: unknown; readonly permission?: string }>> = northflankCalls;
  const all = Object.entries(northflankCallTexts).map(
    ([call, { request }]) => [call, { request, permission: needs[call]?.permission }] as const,
  );

  test.each(all)("is told of %s as Northflank's own SDK tells it", (_, { request, permission }) => {
    const [method = "", path = ""] = request.split(" ");
    const call = sdkCallOf({ method, path });
    expect(call).toBeDefined();
    expect(permission ?? null).toBe(call?.permission);
  });

  test.each(all)("stands on the page of calls for %s", (call, { permission }) => {
    const page = referencePages().find(({ name }) => name === "calls.md")?.text ?? "";
    const section = page.split(`\n## ${call}\n`)[1]?.split("\n## ")[0];
    expect(section).toContain(permission === undefined ? "Permission: none" : `Permission: ${permission} (\`ps_`);
  });

  test.each(integrationCalls)("is told of $request as Northflank's own SDK tells it", ({ request, permission }) => {
    const [method = "", path = ""] = request.split(" ");
    expect(sdkCallOf({ method, path })?.permission).toBe(permission);
    expect(routes.map((route) => `${route.method} ${route.path}`)).toContain(request);
    expect(referencePages().find(({ name }) => name === "calls.md")?.text).toContain(
      `| \`${request}\` | ${permission} |`,
    );
  });

  test("is said in the first example, all of it and nothing else", () => {
    const example = readFileSync(join(root, "examples/00-connection.yaml"), "utf8");
    const lines = [...example.matchAll(/^# +(Project > .*): (.*)$/gm)];
    const named = lines.flatMap(([, group, actions = ""]) =>
      actions.split(", ").map((action) => `${group} > ${action}`),
    );
    const needed = all.flatMap(([, { permission }]) => permission ?? []);
    expect(new Set(named)).toEqual(new Set(needed));
  });

  test.each([
    ["Project > Jobs > General > Run Job", "ps_jobs_general_run-job"],
    ["Project > Services > Deployment > View Observability", "ps_services_deployment_view-observability"],
  ])("is named by the API as it names %s", (words, name) => {
    expect(permissionName(words)).toBe(name);
  });

  test.each<readonly [TokenUse, boolean, readonly string[]]>([
    ["NorthflankDeployment of a service", false, ["ps_services_general_read"]],
    ["NorthflankDeployment of a service", true, ["ps_services_general_read", "ps_services_general_update"]],
    ["NorthflankDeployment of a job", false, ["ps_jobs_general_read"]],
    ["NorthflankDeployment of a job", true, ["ps_jobs_general_read", "ps_jobs_general_update"]],
    ["NorthflankJob", false, ["ps_jobs_general_read"]],
    ["NorthflankJob", true, ["ps_jobs_general_read", "ps_jobs_general_update"]],
    ["NorthflankJobRun", true, ["ps_jobs_general_read", "ps_jobs_general_run-job", "ps_jobs_general_update"]],
    ["import", false, ["ps_jobs_general_read", "ps_services_general_read"]],
  ])("for %s, writing: %s, is %j", (use, writes, expected) => {
    expect(permissionsFor([{ use, writes }])).toEqual(expected);
  });
});

describe("the catalogue of conditions", () => {
  const code = readdirSync(join(root, "src/controllers"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(root, "src/controllers", file), "utf8"))
    .join("\n");

  test.each(kinds.map(({ type }) => type.kind))(
    "has for %s those that are counted, and each is written",
    async (kind) => {
      const types: object = conditionTypes[kind as keyof typeof conditionTypes];
      const metrics = createMetrics({ version: "0", revision: "0", nodeVersion: "0" });
      metrics.conditions(kind, []);
      const lines = (await metrics.registry.metrics()).matchAll(
        new RegExp(`^northflank_operator_resource_condition\\{kind="${kind}",type="([A-Za-z]+)"`, "gm"),
      );
      expect(new Set([...lines].map(([, type]) => type))).toEqual(new Set(Object.keys(types)));
      for (const type of Object.keys(types)) expect(code).toMatch(new RegExp(`["' ]${type}["':]`));
    },
  );
});

test.each(Object.keys({ ...normalEvents, ...warningEvents }))("an Event %s is written somewhere", (reason) => {
  const writers = ["controllers", "operator"].flatMap((room) =>
    readdirSync(join(root, "src", room), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(root, "src", room, file), "utf8")),
  );
  expect(writers.join("\n")).toMatch(new RegExp(`(normal|warning)\\("${reason}"|reason: "${reason}"`));
});
