import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { decodeManifest } from "../../src/cli/manifest-files.ts";
import { judgeFile, runValidate } from "../../src/cli/validate.ts";
import { texts } from "../corpus/texts.ts";

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
const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b, a: c}\n";

describe("a manifest", () => {
  test.each(Object.entries(texts))("%s", async (_, { text, findings }) => {
    const { code, out, err } = await validate([file("a.yaml", text), "--output", "json", "--allow-empty"]);
    const found = JSON.parse(out).map(
      ({ line, column, field, rule }: Record<string, unknown>) => `${line}:${column} ${field} ${rule}`,
    );
    expect([found, code, err]).toEqual([findings, findings.length === 0 ? 0 : 1, ""]);
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
      "0 manifests checked, none is of this operator; 1 document of other kinds skipped\n",
    );
  });

  test.each(["text", "json", "github"])("as %s refuses input without any manifest of ours, by name", async (output) => {
    const empty = file("empty.yaml", "# nothing yet\n");
    const { code, err } = await validate([empty, "-", `--output=${output}`], configMap);
    expect([code, err]).toEqual([
      2,
      `northflank-operator validate: no manifest of this operator in ${empty}, standard input; name other files, or allow this with --allow-empty\n`,
    ]);
    expect(await validate([empty, "-", `--output=${output}`, "--allow-empty"], configMap)).toMatchObject({
      code: 0,
      err: "",
    });
  });

  test("never shows values of variables or files, nor control characters of names", async () => {
    const spec =
      'spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: "hunter2\\0"}, runtimeFiles: {/a: {data: hunter2!}}}';
    const bad = `${run.replace("{name: migrate}", '{name: "a\\u001b[2J"}')}${spec}\n`;
    const { code, out } = await validate(["-"], bad);
    expect(code).toBe(1);
    expect(out).not.toContain("hunter2");
    expect(out).not.toContain("\u001b");
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: this is what people write.
    const contents =
      "spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: '${hunter2}'}, runtimeFiles: {/a: {data: '${hunter2}', " +
      "encoding: base64}, /b: {data: '<hunter2>'}}, dockerSecretMounts: {m: {data: '$(hunter2)'}}}";
    const settings =
      "spec: {projectId: shop, jobId: migrate, settings: {runtimeEnvironment: {A: '${hunter2}'}, buildArguments: {A: " +
      "'{{hunter2}}\u0000'}, buildFiles: {/a: {data: '${hunter2}'}}, runtimeFiles: {/a: {data: '%hunter2%'}}}}";
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: this is what people write.
    const job = run.replace("JobRun", "Job");
    for (const text of [`${run}${contents}`, `${job}${settings}`]) {
      const judged = await validate(["-"], text);
      expect([judged.code, judged.out.includes("hunter2")]).toEqual([1, false]);
    }
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
    expect(err).toContain("a.yaml: there is no such file or directory\n");
    expect(err).toContain("empty: no file with the extension .yaml, .yml, .json in this folder\n");
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

test.each(["text", "github"])("a name of a file cannot move a cursor or end a line, as %s", async (format) => {
  const path = file("a\u001b[2J\n::stop-commands::x\u202e.yaml", `${run}spec: {}\n`);
  const { code, out } = await validate([path, `--output=${format}`]);
  expect(code).toBe(1);
  expect(out).not.toMatch(/[\p{Cf}]|^::stop-commands/mu);
  expect(out).not.toContain("\u001b");
});

test("of what cannot be read in one object, no more than a hundred things are told", async () => {
  const keys = (count: number) => Array.from({ length: count }, () => "suspend: true").join(", ");
  const of = async (count: number) =>
    (await validate(["-"], `${run}spec: {projectId: shop, jobId: migrate, ${keys(count)}}\n`)).out;
  const rules = (out: string) => out.match(/\[[a-z-]+\]$/gm)?.length;
  const [some, all] = [await of(101), await of(102)];
  expect([rules(some), some.includes("more problems")]).toEqual([100, false]);
  expect([rules(all), all.includes("has 1 more problems")]).toEqual([101, true]);
});

test("each problem of a list belongs to its own item, in lists of lists too", async () => {
  const item = (name: string) =>
    `{apiVersion: northflank-operator.io/v1alpha1, kind: NorthflankJobRun, metadata: {name: ${name}, name: ${name}}, spec: {projectId: shop, jobId: migrate}}`;
  const list = (items: readonly string[]) => `{apiVersion: v1, kind: List, items: [${items.join(", ")}]}`;
  const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
  const text = `---\n${list([...names.map(item), list([item("inner")])])}`;
  const { out } = await validate(["-", "--output=json"], text);
  expect((JSON.parse(out) as readonly { name: string }[]).map(({ name }) => name)).toEqual([...names, "inner"]);
});

test("a file of many documents that cannot be read is searched for ours once", () => {
  const readsFor = (documents: number) => {
    let reads = 0;
    const broken = {
      name: "templates.yaml",
      isNamed: false,
      get text() {
        reads += 1;
        return "a: {{ .Values.a }\n---\n".repeat(documents);
      },
    };
    expect(judgeFile(broken, createValidator()).map(({ kind }) => kind)).toContain("skipped");
    return reads;
  };
  expect([readsFor(10), readsFor(100)]).toEqual([1, 1]);
});

describe("a file in UTF-16, as PowerShell writes what is redirected", () => {
  const good = `${run}spec: {projectId: shop, jobId: migrate}\n`;
  const bad = good.replace("migrate}\n", "other}\n").replace("jobId: migrate", "jobId: a_b");
  const bytes = (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le");

  test.each([
    ["little-endian", bytes],
    ["big-endian", (text: string) => bytes(text).swap16()],
  ])("is read, %s, every document of it", async (_, encode) => {
    const path = join(folder, "out.yaml");
    writeFileSync(path, encode(good.replaceAll("\n", "\r\n")));
    expect((await validate([path])).out).toBe("1 manifest checked, all good\n");
    writeFileSync(path, encode(`${good}---\n${bad}`));
    expect((await validate([path])).out).toContain(
      "out.yaml:9:25: NorthflankJobRun other: spec.jobId: has the wrong form",
    );
    expect(decodeManifest(encode(good))).toBe(good);
  });

  test("without a mark is no text, for kubectl either", async () => {
    const path = join(folder, "out.yaml");
    writeFileSync(path, Buffer.from(good, "utf16le"));
    expect((await validate([path])).code).toBe(1);
  });
});

describe("a large object", () => {
  const withFiles = (...sizes: readonly number[]) => {
    const files = sizes.map((size, index) => `    /f${index}: {data: ${"A".repeat(size)}}\n`).join("");
    return `${run}spec:\n  projectId: shop\n  jobId: migrate\n  runtimeFiles:\n${files}`;
  };

  test("whose copy kubectl apply cannot keep is good, with a note", async () => {
    const { code, out } = await validate(["-"], withFiles(280_000));
    expect([code, out]).toEqual([
      0,
      "-:1:1: NorthflankJobRun migrate: note: kubectl apply cannot keep its copy of this object in an annotation: the " +
        "annotations would have 280251 bytes, and 262144 is the most (use kubectl apply --server-side) [last-applied]\n" +
        "1 manifest checked, all good\n",
    ]);
    expect((await validate(["-", "--output=json"], withFiles(280_000))).out).toBe("[]\n");
    expect((await validate(["-", "--output=github"], withFiles(280_000))).out).toMatch(/^::notice line=1,/);
    expect((await validate(["-"], withFiles(250_000))).out).toBe("1 manifest checked, all good\n");
  });

  test("that etcd does not store is bad, without the note", async () => {
    const { code, out } = await validate(["-"], withFiles(800_000, 800_000));
    expect(code).toBe(1);
    expect(out).toMatch(
      /has 16002\d\d bytes, and etcd stores 1572864 at most .*\[size\]\n1 manifest checked, 1 bad\n$/,
    );
    expect((await validate(["-"], withFiles(700_000, 700_000))).code).toBe(0);
  });
});

test.each([
  [
    "an array of them",
    '[{"apiVersion": "northflank-operator.io/v1alpha1"}]',
    "separate them with ---, or write them as items",
  ],
  [
    "a text with a comment of JSON",
    '// northflank-operator.io\n{"a":1}',
    "write comments with #; JSON does not allow them",
  ],
  ["JSON with a comma too much", '{"kind": "NorthflankJobRun",}', "remove the comma before it"],
  ["JSON with a comment", '{"kind": "NorthflankJobRun" // x\n}', "remove the comment, which JSON does not allow"],
  ["JSON in single quotes", "{'kind': 1}", 'write " in place of'],
  ["JSON without quotes", "{kind: NorthflankJobRun}", 'put texts and names in "double quotes"'],
  ["JSON that breaks off", '{"kind": ', "something is missing at its end"],
  ["JSON that is parted as YAML", '{"kind": "NorthflankJobRun"}\n---\n{}', "write the values one after the other"],
])("says what to do about %s", async (_, text, remedy) => {
  const { code, out } = await validate(["-"], text);
  expect([code, out]).toEqual([1, expect.stringContaining(remedy)]);
});

test("an array and a text that have nothing to do with us are passed over", async () => {
  for (const text of ["- a: b\n", "just a text\n", '["a"]']) {
    expect((await validate([file("a.yaml", text)])).out).toContain("1 document of other kinds skipped");
  }
});
