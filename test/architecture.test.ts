import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const everyController = [
  "reconcile",
  "secrets",
  "account",
  "build",
  "target",
  "connection",
  "deployment",
  "job",
  "job-run",
].map((room) => `controllers/${room}`);

const below = ["api", "runtime", "northflank", "kube", "util"];

/** The rooms of controllers: what each may import of the others, and all that stands below. */
function controllerRooms(rooms: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> {
  const qualified = (names: readonly string[]) => names.map((name) => `controllers/${name}`);
  return Object.fromEntries(
    Object.entries(rooms).map(([room, others]) => [`controllers/${room}`, [...qualified(others), ...below]]),
  );
}

/**
 * The layout as data. Each room may import from itself and from the rooms named here, nothing else. Change the table
 * together with ARCHITECTURE.md, never the code around it.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  util: [],
  kube: ["util"],
  northflank: ["util"],
  runtime: ["kube", "util"],
  api: ["util", "kube (types)"],
  ...controllerRooms({
    reconcile: [],
    secrets: ["reconcile"],
    account: ["reconcile", "secrets"],
    build: ["reconcile", "account"],
    target: ["reconcile", "account"],
    connection: ["reconcile", "secrets", "account"],
    deployment: ["reconcile", "account", "build", "target"],
    job: ["reconcile", "secrets", "account", "target"],
    "job-run": ["reconcile", "secrets", "account", "build"],
  }),
  import: ["controllers/deployment", "northflank", "api", "util"],
  plan: [...everyController, "api", "runtime", "northflank", "kube", "util", "command-remedies.ts"],
  "command-remedies.ts": ["northflank"],
  "flags.ts": ["northflank", "util"],
  "config.ts": ["flags.ts", "northflank", "util"],
  "logger.ts": ["util"],
  "event-loop-lag.ts": [],
  "metrics.ts": ["event-loop-lag.ts", "util"],
  "http-feed.ts": [],
  "http-server.ts": ["http-feed.ts", "util"],
  "version.ts": [],
  "status-page": ["util"],
  webhook: ["controllers/secrets", "api", "runtime", "kube", "util", "http-server.ts"],
  operator: [
    ...everyController,
    "webhook",
    "api",
    "runtime",
    "northflank",
    "kube",
    "util",
    "flags.ts",
    "config.ts",
    "metrics.ts",
    "http-server.ts",
    "status-page",
    "version.ts",
  ],
  cli: [
    "import",
    "plan",
    "controllers/reconcile",
    "controllers/account",
    "api",
    "runtime",
    "northflank",
    "kube",
    "util",
    "command-remedies.ts",
    "flags.ts",
    "config.ts",
    "logger.ts",
    "version.ts",
  ],
  "main.ts": ["*"],
};

/** Files that decide and never act. The comment `// pure` on the first line of any other file adds it. */
const pureFiles = [
  "util/backoff.ts",
  "util/duration.ts",
  "runtime/watch-state.ts",
  "runtime/leader-state.ts",
  "runtime/conditions.ts",
  "runtime/finalizers.ts",
  "util/image-reference.ts",
  "northflank/retry.ts",
  "controllers/deployment/decide.ts",
  "controllers/deployment/status.ts",
  "controllers/job/decide.ts",
  "controllers/job/status.ts",
  "controllers/job-run/decide.ts",
  "controllers/job-run/status.ts",
  "controllers/connection/decide.ts",
  "controllers/connection/status.ts",
];

const impure = [
  { pattern: /\basync\b|\bawait\b/, why: "it waits" },
  { pattern: /\bnew Date\(\)|\bDate\.now\b|\bperformance\b/, why: "it reads the clock" },
  { pattern: /\bMath\.random\b|\brandomUUID\b/, why: "it draws at random" },
  { pattern: /\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b/, why: "it sets a timer" },
  { pattern: /\bprocess\b/, why: "it reads the environment" },
];

/** Libraries that only one room may touch. */
const guarded: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node": [],
  undici: ["kube", "northflank"],
  "prom-client": ["metrics.ts", "event-loop-lag.ts"],
  pino: ["logger.ts"],
  "pino-pretty": ["logger.ts"],
  ajv: ["api"],
  "ajv-formats": ["api"],
  "p-retry": ["northflank"],
  yaml: ["cli", "kube"],
  commander: ["flags.ts", "cli"],
};

/** Time and chance are handed in: only these files may take them from the machine. */
const ambient = /\bnew Date\(\)|\b(?:Date\.now|performance\.now|Math\.random|randomUUID|setTimeout|setInterval)\b/;
const mayTakeTheAmbient = ["util/clock.ts", "main.ts"];

const src = resolve(dirname(fileURLToPath(import.meta.url)), "../src");

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll("\\", "/"))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(src, file), "utf8")]));
const imports = new Map(files.map((file) => [file, importsOf(textOf(file))]));

function textOf(file: string): string {
  const text = texts.get(file);
  if (text === undefined) throw new Error(`no such file in src: ${file}`);
  return text;
}

function importsOf(text: string): readonly Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
  for (const [, type, from] of text.matchAll(statement)) found.push({ from: from ?? "", typeOnly: type !== undefined });
  for (const [, from] of text.matchAll(/\bimport\("([^"]+)"\)/g)) found.push({ from: from ?? "", typeOnly: true });
  return found;
}

/** A file inside a library counts as the library. */
function isPartOf(library: string, from: string): boolean {
  return from === library || from.startsWith(`${library}/`);
}

function roomOf(file: string): string {
  const parts = file.split("/");
  if (parts.length === 1) return file;
  return parts[0] === "controllers" ? `${parts[0]}/${parts[1]}` : (parts[0] ?? file);
}

/** The file in `src` that a relative import of `file` means. */
function target(file: string, from: string): string {
  return relative(src, resolve(src, dirname(file), from)).replaceAll("\\", "/");
}

describe.each(files)("src/%s", (file) => {
  const room = roomOf(file);

  test("stands in a known room", () => {
    expect(Object.keys(mayImport)).toContain(room);
  });

  test("imports only what its room may import", () => {
    const allowed = mayImport[room] ?? [];
    const forbidden = (imports.get(file) ?? [])
      .filter(({ from }) => from.startsWith("."))
      .filter(({ from, typeOnly }) => {
        const other = roomOf(target(file, from));
        if (other === room || allowed.includes("*") || allowed.includes(other)) return false;
        return !(typeOnly && allowed.includes(`${other} (types)`));
      })
      .map(({ from }) => from);
    expect(forbidden).toEqual([]);
  });

  test("imports guarded libraries only where they belong", () => {
    const forbidden = (imports.get(file) ?? [])
      .map(({ from }) => from)
      .filter((from) =>
        Object.entries(guarded).some(([library, rooms]) => isPartOf(library, from) && !rooms.includes(room)),
      );
    expect(forbidden).toEqual([]);
  });

  test("reads the environment, ends the process or handles signals only in main.ts", () => {
    if (file === "main.ts") return;
    expect(/\bprocess\.(env|exit|on|once|argv)\b/.test(withoutComments(textOf(file)))).toBe(false);
  });
});

test.each(files.filter((file) => !mayTakeTheAmbient.includes(file)))("src/%s is given time and chance", (file) => {
  expect(withoutComments(textOf(file))).not.toMatch(ambient);
});

describe("pure files", () => {
  const marked = files.filter((file) => textOf(file).startsWith("// pure") || pureFiles.includes(file));

  test.each(marked)("src/%s decides and never acts", (file) => {
    const code = withoutComments(textOf(file));
    const reasons = impure.filter(({ pattern }) => pattern.test(code)).map(({ why }) => why);
    const clients = (imports.get(file) ?? []).filter(
      ({ from, typeOnly }) => !typeOnly && /\/(client|transport)\.ts$/.test(from),
    );
    expect({ reasons, clients }).toEqual({ reasons: [], clients: [] });
  });
});

/**
 * Conditions are written for people and not read back: what a controller has to remember stands in fields of its own. These
 * files may read some: they write them, compare Ready before and after, read those of other objects, or still do.
 */
const mayReadConditions = [
  ...["ready-state", "status-writer", "events", "predicates"].map((name) => `controllers/reconcile/${name}.ts`),
  // It writes them, and keeps what is not known anew.
  "controllers/target/status.ts",
  // Ready and Accepted of the last reconcile say whether an object rests. Without them each start of the operator would
  // judge and read thousands of settled objects, and one whose obstacle is gone would wait for its next check. Only the
  // conditions hold that: what keeps an object from its target (a Secret, a connection) leaves no other trace in status.
  ...["object", "poll-due"].map((name) => `controllers/target/${name}.ts`),
  // The same, and that this object has given way to an older one: an account that is not known for now changes no owner.
  "controllers/target/conflicts.ts",
  "controllers/deployment/status.ts",
  "controllers/deployment/dependencies.ts",
  "controllers/connection/status.ts",
  // Whether Ready is there at all: where another client has removed it, only a check can write it anew.
  "controllers/connection/observe.ts",
  "controllers/job-run/status.ts",
  // Which other objects wait for this one.
  "controllers/job-run/concurrency.ts",
];

test.each(files.filter((file) => file.startsWith("controllers/") && !mayReadConditions.includes(file)))(
  "src/%s reads no condition back",
  (file) => {
    expect(withoutComments(textOf(file))).not.toMatch(/\b(?:findCondition|readyReason|isSettled)\(/);
  },
);

/** Observing modifies nothing: what a run's reconcile remembers of what it saw, these files remember. */
const mayRemember = [
  ...["memory", "run-reconcile", "ask", "steps", "poll", "check-build"],
  ...["start", "intent", "reconciler"],
].map((name) => `controllers/job-run/${name}.ts`);

test.each(files.filter((file) => file.startsWith("controllers/job-run/") && !mayRemember.includes(file)))(
  "src/%s remembers nothing",
  (file) => {
    expect(withoutComments(textOf(file))).not.toMatch(/\.remember\(|\b(?:rememberEnd|forgetEnd|learnServerTime)\(/);
  },
);

test("there is no import cycle, types included", () => {
  const done = new Set<string>();
  const path: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    if (done.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file].join(" -> "));
      return;
    }
    path.push(file);
    for (const { from } of imports.get(file) ?? []) if (from.startsWith(".")) visit(target(file, from));
    path.pop();
    done.add(file);
  };
  for (const file of files) visit(file);
  expect(cycles).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}
