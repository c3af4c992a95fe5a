import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

// What every workflow promises, read from the files: nothing unpinned runs, no step holds more rights than it needs, and no text
// from outside becomes a command. actionlint checks the syntax, in test/packaging/workflows.test.ts.

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, ".github/workflows");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly steps?: readonly Step[];
  readonly strategy?: { readonly matrix?: { readonly node?: readonly string[] } };
}

interface Workflow {
  readonly file: string;
  readonly text: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: unknown;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
}

const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const workflows = readdirSync(folder).map((file): Workflow => {
  const text = readFileSync(join(folder, file), "utf8");
  return { file, text, ...parse(text) };
});
const jobs = workflows.flatMap(({ file, jobs }) =>
  Object.entries(jobs).map(([name, job]) => ({ name: `${file}: ${name}`, file, job })),
);
const steps = jobs.flatMap(({ name, job }) => (job.steps ?? []).map((step) => ({ job: name, step })));
const commands = steps.flatMap(({ job, step }) => (step.run === undefined ? [] : [{ job, run: step.run }]));

test("there are workflows to look at", () => {
  expect(workflows.map(({ file }) => file).toSorted()).toEqual(["checks.yaml", "release.yaml"]);
  expect(commands.length).toBeGreaterThan(15);
});

describe("actions", () => {
  const used = workflows.flatMap(({ file, text }) =>
    [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, value = ""]) => ({ file, value })),
  );

  test("are pinned by commit, with the version beside it", () => {
    const pinned = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(used.filter(({ value }) => !value.startsWith("./") && !pinned.test(value))).toEqual([]);
    expect(used.length).toBeGreaterThan(20);
  });

  test("have one version each", () => {
    const versions = new Set(used.map(({ value }) => value));
    expect(versions.size).toBe(new Set(used.map(({ value }) => value.split("@")[0])).size);
  });

  test("in this repository exist", () => {
    const own = used.filter(({ value }) => value.startsWith("./"));
    expect(own.filter(({ value }) => !existsSync(join(root, value)))).toEqual([]);
  });

  test("of the page about plan are pinned as ours are", () => {
    const page = readFileSync(join(root, "docs/import-and-plan.md"), "utf8");
    const shown = [...page.matchAll(/^ +- uses: (.*)$/gm)].map(([, value = ""]) => value);
    expect(shown.map((value) => value.split("@")[0])).toEqual(["actions/checkout", "actions/setup-node"]);
    const ours = workflows.map(({ text }) => text).join("\n");
    expect(shown.filter((value) => !ours.includes(`uses: ${value}\n`))).toEqual([]);
  });

  test("leave no token in the checkout", () => {
    const checkouts = steps.filter(({ step }) => step.uses?.startsWith("actions/checkout@"));
    expect(checkouts.length).toBeGreaterThan(5);
    expect(checkouts.filter(({ step }) => step.with?.["persist-credentials"] !== false)).toEqual([]);
  });
});

describe("rights", () => {
  test("of a workflow are none: each job names its own", () => {
    expect(workflows.filter(({ permissions }) => JSON.stringify(permissions) !== "{}")).toEqual([]);
    expect(jobs.filter(({ job }) => job.permissions === undefined)).toEqual([]);
  });

  test("to write are with jobs of the release only", () => {
    const writing = jobs.filter(({ job }) => writes(job));
    expect([...new Set(writing.map(({ file }) => file))]).toEqual(["release.yaml"]);
    expect(writing.map(({ name }) => name)).toHaveLength(4);
  });

  test("to write are with no job that installs or runs packages of npm outside a container", () => {
    const installs = /\bnpm (?:ci|i|install|exec|run|test)\b|\bnpx\b/;
    expect(jobs.filter(({ job }) => writes(job) && job.steps?.some(({ run = "" }) => installs.test(run)))).toEqual([]);
  });

  test("are not lent to code of a fork: no pull_request_target or workflow_run, and no secret", () => {
    expect(workflows.filter(({ on }) => "pull_request_target" in on || "workflow_run" in on)).toEqual([]);
    expect(workflows.filter(({ text }) => /\$\{\{[^}]*\bsecrets\b/.test(text))).toEqual([]);
  });
});

function writes({ permissions = {} }: Job): boolean {
  return Object.values(permissions).includes("write");
}

test("no expression is pasted into a command: values reach it through the environment", () => {
  expect(commands.filter(({ run }) => run.includes("${{"))).toEqual([]);
});

test("every npm script that a workflow or a document of the repository names exists", () => {
  const texts = [
    ...commands.map(({ job, run }) => ({ where: job, text: run })),
    ...["CONTRIBUTING.md", "docs/release.md", ".github/pull_request_template.md"].map((file) => ({
      where: file,
      text: readFileSync(join(root, file), "utf8"),
    })),
  ];
  const named = texts.flatMap(({ where, text }) => [
    ...[...text.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g)].map(([, script = ""]) => ({ where, script })),
    ...[...text.matchAll(/\bnpm test\b/g)].map(() => ({ where, script: "test" })),
  ]);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ script }) => manifest.scripts[script] === undefined)).toEqual([]);
});

test("every job ends by itself, and every workflow is the only one of its kind at a time", () => {
  expect(jobs.filter(({ job }) => job.uses === undefined && job["timeout-minutes"] === undefined)).toEqual([]);
  expect(workflows.filter(({ concurrency }) => concurrency === undefined)).toEqual([]);
});

describe("Node", () => {
  const [, oldest = ""] = /^>=(\d+\.\d+\.\d+)$/.exec(manifest.engines.node) ?? [];
  const tested = [oldest, "22", "24"];

  test("is tested at the oldest version of engines, and on each later line", () => {
    const matrices = jobs.flatMap(({ name, job }) => (job.strategy?.matrix?.node ? [{ name, job }] : []));
    expect(matrices.map(({ name }) => name)).toEqual(["checks.yaml: test", "checks.yaml: cluster"]);
    for (const { job } of matrices) expect(job.strategy?.matrix?.node).toEqual(tested);
  });

  test("of single jobs and of the image is the newest of them", () => {
    const single = steps.flatMap(({ step }) => step.with?.["node-version"] ?? []);
    expect(new Set(single)).toEqual(new Set([`\${{ matrix.node }}`, "24"]));
    const bases = [...readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^FROM .*?node(?:js|:)(\d+)/gm)];
    expect(bases.map(([, line]) => line)).toEqual(["24", "24"]);
  });

  test("is documented as it is tested", () => {
    expect(readFileSync(join(root, "docs/release.md"), "utf8")).toContain(`Node ${oldest}, 22 and 24`);
  });
});

describe("dependabot", () => {
  interface Update {
    readonly "package-ecosystem": string;
    readonly directory: string;
    readonly schedule: { readonly interval: string };
    readonly groups?: object;
  }
  const { updates }: { readonly updates: readonly Update[] } = parse(
    readFileSync(join(root, ".github/dependabot.yml"), "utf8"),
  );
  const files: Readonly<Record<string, string>> = {
    npm: "package-lock.json",
    docker: "Dockerfile",
    gomod: "go.mod",
    "github-actions": ".github/workflows",
  };

  test("proposes updates of every list of dependencies, weekly and grouped", () => {
    const places = updates.map((update) => `${update["package-ecosystem"]} ${update.directory}`);
    const modules = ["test", "bench"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith("go.mod"))
        .map((path) => `gomod /${folder}/${path.slice(0, -"/go.mod".length)}`),
    );
    expect(places.toSorted()).toEqual(["docker /", "github-actions /", "npm /", ...modules].toSorted());
    expect(updates.filter(({ schedule, groups }) => schedule.interval !== "weekly" || groups === undefined)).toEqual(
      [],
    );
  });

  test("is pointed at folders that have one", () => {
    const missing = updates.filter(
      (update) => !existsSync(join(root, update.directory, files[update["package-ecosystem"]] ?? "?")),
    );
    expect(missing).toEqual([]);
  });
});

describe("issue forms", () => {
  interface Form {
    readonly name: string;
    readonly description: string;
    readonly body: readonly {
      readonly type: string;
      readonly id?: string;
      readonly attributes: { readonly label?: string };
    }[];
  }
  const forms = readdirSync(join(root, ".github/ISSUE_TEMPLATE"))
    .filter((file) => file !== "config.yml")
    .map((file): readonly [string, Form] => [
      file,
      parse(readFileSync(join(root, ".github/ISSUE_TEMPLATE", file), "utf8")),
    ]);

  test.each(forms)("%s has what GitHub asks for", (_, { name, description, body }) => {
    expect([name, description]).toEqual([expect.stringMatching(/./), expect.stringMatching(/./)]);
    const fields = body.filter(({ type }) => type !== "markdown");
    const ids = fields.map(({ id }) => id);
    expect(new Set(ids).size).toBe(fields.length);
    for (const { type, attributes } of fields) {
      expect(["input", "textarea", "dropdown"]).toContain(type);
      expect(attributes.label).toMatch(/./);
    }
  });
});
