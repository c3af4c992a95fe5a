import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { systemClock } from "../src/util/clock.ts";

// How long `northflank-operator validate` takes, built and started as a pipeline would. The figures of
// docs/performance.md come from here:
//   npx tsx scripts/measure-validate.ts [documents] [rounds]

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const count = Number(process.argv[2] ?? 10_000);
const rounds = Number(process.argv[3] ?? 3);

const folder = mkdtempSync(join(tmpdir(), "measure-validate-"));
try {
  const program = join(folder, "program");
  execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts", program], { cwd: root, stdio: "ignore" });
  const inputs = writeInputs(Array.from({ length: count }, (_, index) => manifest(index)));
  for (const [name, input] of Object.entries(inputs)) {
    const times = Array.from({ length: rounds }, () =>
      secondsOf([join(program, "northflank-operator.js"), "validate", input]),
    );
    const median = times.toSorted((left, right) => left - right)[Math.floor(rounds / 2)] ?? 0;
    console.log(`${name.padEnd(40)} ${median.toFixed(2)} s, ${Math.round(count / median)} documents/s`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** Deployments and runs of about thirty lines, as they are in repositories; every hundredth has a misspelt field. */
function manifest(index: number): string {
  const typo = index % 100 === 99 ? "  sespend: true\n" : "";
  const head = `# Service ${index} of the shop.\napiVersion: northflank-operator.io/v1alpha1\n`;
  const labels = `  labels:\n    app.kubernetes.io/name: service-${index}\n    app.kubernetes.io/part-of: shop\n`;
  const metadata = `metadata:\n  name: object-${index}\n  namespace: shop\n${labels}`;
  return index % 2 === 0
    ? `${head}kind: NorthflankDeployment\n${metadata}spec:\n  projectId: shop\n  serviceId: service-${index}\n  deployment:\n    external:\n      imagePath: ghcr.io/acme/service-${index}:1.4.${index}\n      credentials: ghcr\n    docker:\n      configType: customCommand\n      customCommand: node server.js --port 8080\n  rollout:\n    timeoutSeconds: 600\n  waitFor:\n    - jobRunRef:\n        name: object-${index + 1}\n${typo}`
    : `${head}kind: NorthflankJobRun\n${metadata}spec:\n  projectId: shop\n  jobId: job-${index}\n  runtimeEnvironment:\n    RELEASE: "1.4.${index}"\n    LOG_LEVEL: debug\n  runtimeEnvironmentFrom:\n    - name: DATABASE_URL\n      secretKeyRef:\n        name: db\n        key: url\n  concurrencyPolicy: Forbid\n  startDeadlineSeconds: 600\n  activeDeadlineSeconds: 3600\n${typo}`;
}

function writeInputs(manifests: readonly string[]): Readonly<Record<string, string>> {
  const each = join(folder, "each");
  mkdirSync(each);
  for (const [index, text] of manifests.entries()) writeFileSync(join(each, `${index}.yaml`), text);
  const all = join(folder, "all.yaml");
  writeFileSync(all, manifests.join("---\n"));
  const list = join(folder, "list.json");
  const items: readonly unknown[] = manifests.map((text) => parse(text));
  writeFileSync(list, JSON.stringify({ apiVersion: "v1", kind: "List", items }, undefined, 2));
  return {
    [`${count} files of one document`]: each,
    [`one file of ${count} documents`]: all,
    [`one JSON list of ${count} objects`]: list,
  };
}

function secondsOf(args: readonly string[]): number {
  const started = systemClock.monotonic();
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  const seconds = (systemClock.monotonic() - started) / 1_000;
  const summary = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (status !== 1 || !summary.startsWith(`${count} manifests checked, ${Math.floor(count / 100)} bad`)) {
    throw new Error(`exit ${status}: ${summary}`);
  }
  return seconds;
}
