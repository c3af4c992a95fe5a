import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runValidate } from "../../src/cli/validate.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "validate-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function validate(args: readonly string[], stdin = ""): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await runValidate(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    isTerminal: false,
    readStdin: async () => stdin,
  });
  return { code, out, err };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const run = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: migrate}\n";
const head = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankDeployment\nmetadata: {name: api}\n";
const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b, a: c}\n";

/** Text and what is found in it: `line:column field rule`. */
const manifests: Readonly<Record<string, [string, readonly string[]]>> = {
  "a run": [`${run}spec: {projectId: shop, jobId: migrate}\n`, []],
  "a run in JSON": [
    '{"apiVersion": "northflank-operator.io/v1alpha1", "kind": "NorthflankJobRun", "metadata": {"name": "a"},\n "spec": {"projectId": "shop", "jobId": "migrate"}}',
    [],
  ],
  "text in YAML that is a number in YAML 1.1": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  runtimeEnvironment:\n    PORT: 010\n`,
    ["8:5 spec.runtimeEnvironment.PORT type"],
  ],
  "a country that is a boolean in YAML 1.1": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  runtimeEnvironment:\n    COUNTRY: NO\n`,
    ["8:5 spec.runtimeEnvironment.COUNTRY type"],
  ],
  "the same in quotes": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  runtimeEnvironment: {COUNTRY: "NO", PORT: '010'}\n`,
    [],
  ],
  "a time stays text": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  runtimeEnvironment: {AT: 2026-01-01, T: 12:30:45}\n`,
    [],
  ],
  "suspend: yes is true": [`${run}spec: {projectId: shop, jobId: migrate, suspend: yes}\n`, []],
  "suspend in quotes is text": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  suspend: "yes"\n`,
    ["7:3 spec.suspend type"],
  ],
  "an octal number is a number": [`${run}spec: {projectId: shop, jobId: migrate, backoffLimit: 010}\n`, []],
  "a project that is a number": [`${run}spec:\n  projectId: 123\n  jobId: migrate\n`, ["5:3 spec.projectId type"]],
  "a number that is not one": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  backoffLimit: .nan\n`,
    ["7:3 spec.backoffLimit type"],
  ],
  "a misspelt field": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  sespend: true\n`,
    ["7:3 spec.sespend unknown-field"],
  ],
  "a field that was not indented": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\nsuspend: true\n`,
    ["7:1 suspend unknown-field"],
  ],
  "a field twice": [
    `${run}spec:\n  projectId: shop\n  jobId: migrate\n  jobId: migrate\n`,
    ["7:3 spec.jobId duplicate-key"],
  ],
  "a missing field points at its parent": [`${run}spec:\n  projectId: shop\n`, ["4:1 spec.jobId required"]],
  "no spec": [run, ["1:1 spec required"]],
  "no name": [
    "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {}\nspec: {projectId: shop, jobId: migrate}\n",
    ["3:1 metadata object-name"],
  ],
  "no metadata": [
    "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nspec: {projectId: shop, jobId: migrate}\n",
    ["1:1 metadata required"],
  ],
  "another version of ours": [
    "apiVersion: northflank-operator.io/v1\nkind: NorthflankJobRun\nmetadata: {name: a}\nspec: {projectId: shop, jobId: migrate}\n",
    ["1:1 apiVersion api-version"],
  ],
  "a kind that our group does not have": [
    "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankAddon\nmetadata: {name: a}\n",
    ["2:1 kind kind"],
  ],
  "our kind in a group that is not ours": [
    "apiVersion: northflank.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: a}\nspec: {projectId: shop, jobId: migrate}\n",
    ["1:1 apiVersion api-version"],
  ],
  "our group without a kind": ["apiVersion: northflank-operator.io/v1alpha1\n", ["1:1 kind kind"]],
  "an image without tag": [
    `${head}spec:\n  projectId: shop\n  serviceId: api\n  deployment:\n    external:\n      imagePath: ghcr.io/acme/api\n`,
    ["9:7 spec.deployment.external.imagePath tag-or-digest"],
  ],
  "an empty deployment": [
    `${head}spec:\n  projectId: shop\n  serviceId: api\n  deployment:\n`,
    ["7:3 spec.deployment required"],
  ],
  "both targets": [
    `${head}spec:\n  projectId: shop\n  serviceId: api\n  jobId: api\n  deployment: {docker: {configType: default}}\n`,
    ["4:1 spec one-target"],
  ],
  "an anchor and a merge": [
    `${head}spec:\n  projectId: shop\n  serviceId: api\n  deployment:\n    docker: &d {configType: default}\n    buildpack: {<<: *d}\n`,
    [],
  ],
  "two problems in the order of their lines": [
    `${head}spec:\n  serviceId: a\n  projectId: b\n  deployment: {docker: {configType: default}}\n`,
    ["5:3 spec.serviceId minLength", "6:3 spec.projectId minLength"],
  ],
  "several documents": [
    `${run}spec: {projectId: shop, jobId: migrate}\n---\n${configMap}---\n${run}spec: {projectId: shop}\n`,
    ["14:1 spec.jobId required"],
  ],
  "a list": [
    `apiVersion: v1\nkind: List\nitems:\n- apiVersion: northflank-operator.io/v1alpha1\n  kind: NorthflankJobRun\n  metadata: {name: a}\n  spec: {projectId: shop}\n- {apiVersion: v1, kind: Secret}\n`,
    ["7:3 spec.jobId required"],
  ],
  "a list of ours": [
    `apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRunList\nitems:\n- apiVersion: northflank-operator.io/v1alpha1\n  kind: NorthflankJobRun\n  metadata: {name: a}\n  spec: {projectId: shop, jobId: migrate, jobId: x12}\n`,
    ["7:43 spec.jobId duplicate-key"],
  ],
  "a list with a key twice": [
    `apiVersion: v1\nkind: List\nkind: List\nitems:\n- ${run.replaceAll("\n", "\n  ")}spec: {projectId: shop, jobId: migrate}\n`,
    ["3:1 kind duplicate-key"],
  ],
  "a document that breaks off": [`${run}spec: {projectId: shop`, ["4:23  syntax"]],
  "something else with a key twice": [configMap, []],
  "something else altogether": ["- a\n- b\n---\njust text\n---\n5\n", []],
  nothing: ["", []],
  "only comments": ["# nothing here\n---\n", []],
  "Windows line ends": [
    `${run}spec:\r\n  projectId: shop\r\n  sespend: true\r\n  jobId: migrate\r\n`,
    ["6:3 spec.sespend unknown-field"],
  ],
  "a byte order mark": [`\uFEFF${run}spec: {projectId: shop, jobId: migrate}\n`, []],
};

describe("a manifest", () => {
  test.each(Object.entries(manifests))("%s", async (_, [text, expected]) => {
    const { code, out, err } = await validate([file("a.yaml", text), "--output", "json"]);
    const found = JSON.parse(out).map(
      ({ line, column, field, rule }: Record<string, unknown>) => `${line}:${column} ${field} ${rule}`,
    );
    expect([found, code, err]).toEqual([expected, expected.length === 0 ? 0 : 1, ""]);
  });
});

describe("the output", () => {
  const text = `${configMap}---\n${run}spec:\n  projectId: shop\n  jobId: migrate\n  sespend: true\n`;

  test("as text names file, line, column, object, field, rule and remedy, and sums up", async () => {
    const { out } = await validate(["-"], text);
    expect(out).toBe(
      '-:12:3: NorthflankJobRun migrate: spec.sespend: is not a field (did you mean "suspend"?) [unknown-field]\n' +
        "1 manifest checked, 1 bad; 1 document of other kinds skipped\n",
    );
  });

  test("as JSON is one list with the same keys for every finding", async () => {
    const { out } = await validate(["-", "-o", "json"], text);
    expect(JSON.parse(out)).toEqual([
      {
        file: "-",
        line: 12,
        column: 3,
        kind: "NorthflankJobRun",
        name: "migrate",
        field: "spec.sespend",
        rule: "unknown-field",
        message: 'is not a field (did you mean "suspend"?)',
      },
    ]);
  });

  test("for GitHub is one command for each finding, with what would end it escaped", async () => {
    const { out } = await validate([file("a,b.yaml", text), "--output=github"]);
    expect(out.split("\n")[0]).toBe(
      `::error file=${join(folder, "a%2Cb.yaml")},line=12,col=3,title=NorthflankJobRun%3A unknown-field::` +
        'NorthflankJobRun migrate: spec.sespend: is not a field (did you mean "suspend"?)',
    );
  });

  test("says so when all is good, or when nothing is ours", async () => {
    expect((await validate(["-"], `${run}spec: {projectId: shop, jobId: migrate}`)).out).toBe(
      "1 manifest checked, all good\n",
    );
    expect((await validate(["-"], configMap)).out).toBe(
      "0 manifests checked, none is ours; 1 document of other kinds skipped\n",
    );
  });

  test("never shows values of variables or files, nor control characters of names", async () => {
    const spec =
      'spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: "hunter2\\0"}, runtimeFiles: {/a: {data: hunter2!}}}';
    const bad = `${run.replace("{name: migrate}", '{name: "a\\u001b[2J"}')}${spec}\n`;
    const { code, out } = await validate(["-"], bad);
    expect(code).toBe(1);
    expect(out).not.toContain("hunter2");
    expect(out).not.toContain("\u001b");
  });
});

describe("files and folders", () => {
  const bad = `${run}spec: {projectId: shop}\n`;

  test("a folder stands for the manifests in it and below, hidden ones and node_modules left out", async () => {
    for (const path of ["sub", ".git", "node_modules"]) mkdirSync(join(folder, path));
    for (const name of ["b.yaml", "a.yml", "sub/c.json", ".git/d.yaml", "node_modules/e.yaml", ".f.yaml", "g.txt"]) {
      file(name, name.endsWith(".json") ? "{}" : bad);
    }
    symlinkSync(folder, join(folder, "sub", "up"));
    symlinkSync(join(folder, "nowhere"), join(folder, "lost.yaml"));
    const { code, out } = await validate([folder]);
    expect(code).toBe(1);
    expect(out.split("\n").map((line) => line.split(":")[0])).toEqual([
      join(folder, "a.yml"),
      join(folder, "b.yaml"),
      "2 manifests checked, 2 bad; 1 document of other kinds skipped",
      "",
    ]);
  });

  test("a template in a folder is skipped unless it is named or speaks of us", async () => {
    const template = "{{- if .Values.x }}\nkind: {{ .Values.kind }}\n";
    file("template.yaml", template);
    file("ours.yaml", `# northflank-operator.io\n${template}`);
    const found = async (...args: string[]) =>
      (await validate(args)).out.split("\n").filter((line) => line.includes("[syntax]"));
    expect(await found(folder)).toHaveLength(1);
    expect(await found(join(folder, "template.yaml"))).toHaveLength(1);
  });

  test("all files that cannot be read are named together, and nothing is judged", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const { code, out, err } = await validate([join(folder, "a.yaml"), empty, file("bad.yaml", bad)]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("a.yaml: there is no such file or folder\n");
    expect(err).toContain("empty: no file with an ending of .yaml, .yml, .json in this folder\n");
  });

  test.each([[["a.yaml", "--output", "xml"]], [["--outptu", "json", "a.yaml"]], [[]]])(
    "wrong usage: %j",
    async (args) => {
      const { code, out, err } = await validate(args);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain("usage: northflank-operator validate");
    },
  );

  test("help is no mistake", async () => {
    expect(await validate(["--help"])).toMatchObject({ code: 0, err: "" });
  });
});
