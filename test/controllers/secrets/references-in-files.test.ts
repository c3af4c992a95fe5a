import { describe, expect, test } from "vitest";
import { jobSpec } from "../../../src/api/job.ts";
import { referenceUses } from "../../../src/api/reference-uses.ts";
import { resolveValues } from "../../../src/controllers/job/observe.ts";
import { resolveReferences } from "../../../src/controllers/secrets/references.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { neverAborted, strictFake } from "../../support/strict-fake.ts";

// What Secrets and ConfigMaps hold is judged when it is read, in every field that reads them.

const canary = "c4n4ry";
const text = `${canary} \${refs.database.password}`;

const kube = strictFake<KubeClient>("kube", {
  get: (async (type, { name }) => {
    const metadata = { name, namespace: "shop" };
    if (type.kind === "Secret") return { metadata, data: { a: Buffer.from(text).toString("base64") } };
    return { metadata, data: { a: text } };
  }) as KubeClient["get"],
});

const sources = [{ secretKeyRef: { name: "s", key: "a" } }, { configMapKeyRef: { name: "c", key: "a" } }];

const fields = ["NorthflankJob", "NorthflankJobRun"].flatMap((kind) =>
  Object.entries(referenceUses[kind] ?? {})
    .filter(([, use]) => use.kind === "cluster")
    .flatMap(([path]) => sources.map((source) => ({ kind, path, source, where: Object.keys(source)[0] }))),
);

test("both kinds have such fields", () => {
  expect(fields).toHaveLength(10);
});

describe.each(fields)("$path of a $kind, by $where", ({ kind, path, source }) => {
  const entry = path.endsWith("FilesFrom") ? { path: "/etc/app.conf", ...source } : { name: "A", ...source };

  async function resolved(allowReferences: boolean) {
    const field = { [path.replace("settings.", "")]: [entry] };
    const common = { kube, namespace: "shop", signal: neverAborted() };
    if (kind === "NorthflankJobRun") return resolveReferences({ ...common, spec: { allowReferences, ...field } });
    return resolveValues({ ...common, spec: { allowReferences, settings: field } });
  }

  test("is refused with ${ in it, by name and key, and without the value", async () => {
    const result = await resolved(false);
    expect(result).toMatchObject({ kind: "blocked", readyState: { kind: "stalled", reason: "SecretInvalid" } });
    const { message } = (result as { readonly readyState: { readonly message: string } }).readyState;
    expect(message).toContain(path.endsWith("FilesFrom") ? 'file "/etc/app.conf"' : 'variable "A"');
    expect(message).toMatch(/key "a" of (Secret "s"|ConfigMap "c")/);
    expect(message).toContain("Set spec.allowReferences: true");
    expect(message).not.toContain(canary);
  });

  test("passes where references are allowed", async () => {
    expect((await resolved(true)).kind).toBe("resolved");
  });
});

test("the table names the fields of the schema", () => {
  const inSchema = Object.keys(jobSpec.properties.settings.properties).filter((name) => name.endsWith("From"));
  const inTable = Object.entries(referenceUses.NorthflankJob ?? {}).filter(([, use]) => use.kind === "cluster");
  expect(inTable.map(([path]) => path.replace("settings.", "")).toSorted()).toEqual(inSchema.toSorted());
});
