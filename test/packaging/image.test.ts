import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKubernetes } from "../../sandbox/kubernetes/server.ts";
import { startNorthflank } from "../../sandbox/northflank/server.ts";
import { readCrds } from "../../sandbox/start.ts";
import { buildTree, readStages, type Stage } from "../support/image-tree.ts";

// The image without an engine: its files are put together as the Dockerfile says, and its own command line is started on them
// as a strict cluster would: a user that nobody knows, no home, an empty environment, nothing that can be written.
//
// Root can do all of that: a root folder of its own that holds nothing else, mounted read-only. Anybody else starts it in a
// folder without write bits; .github/workflows/checks.yaml runs the image itself.

const root = resolve(import.meta.dirname, "../..");
const isRoot = process.getuid?.() === 0;
const user = 54_321;
const revision = "0123456789abcdef0123456789abcdef01234567";
const { version }: { readonly version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

let folder: string;
let tree: string;
let image: Stage;
let files: readonly string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "image-"));
  chmodSync(folder, 0o755);
  const built = buildTree({ context: root, folder, args: { REVISION: revision } });
  ({ tree, stage: image } = built);
  files = readdirSync(tree, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(tree, path)).isFile())
    .toSorted();
  for (const path of readdirSync(tree, { recursive: true, encoding: "utf8" })) {
    const mode = statSync(join(tree, path)).mode;
    chmodSync(join(tree, path), mode & 0o555);
  }
  if (isRoot) addBase();
}, 120_000);

afterAll(() => {
  execFileSync("chmod", ["-R", "u+w", folder]);
  rmSync(folder, { recursive: true });
});

/** Node and the libraries that it is linked with, where the base image has them. */
function addBase(): void {
  const linked = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  for (const [from, to] of [[process.execPath, "/nodejs/bin/node"], ...libraries.map((path) => [path, path])]) {
    if (from === undefined || to === undefined) continue;
    mkdirSync(join(tree, dirname(to)), { recursive: true });
    copyFileSync(from, join(tree, to));
  }
  mkdirSync(join(tree, "proc"));
}

/** The image's command line, with arguments in the place of its CMD. */
function start(args: readonly string[] = image.cmd, entrypoint = image.entrypoint): ChildProcessWithoutNullStreams {
  const line = [...entrypoint, ...args];
  if (!isRoot) {
    const [program, script = "", ...rest] = line;
    expect(program).toBe("/nodejs/bin/node");
    return spawn(process.execPath, [join(tree, script), ...rest], { cwd: tree, env: image.env });
  }
  const enter = `
    mount --bind "$1" "$1"
    mount --rbind /proc "$1/proc"
    mount -o remount,bind,ro "$1"
    exec chroot --userspec=${user}:${user} --groups=${user} "$@"`;
  const command = ["--mount", "sh", "-ec", enter, "sh", tree, ...line];
  // Without a PATH the shell takes its own default; the program gets none.
  return spawn("unshare", command, { env: image.env });
}

async function run(args: readonly string[], entrypoint?: readonly string[]) {
  const child = start(args, entrypoint);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

describe("the image", () => {
  test("holds the program, what belongs to it, and nothing else", () => {
    expect(files).toEqual([
      "app/LICENSE",
      "app/dist/THIRD-PARTY-LICENSES.txt",
      "app/dist/northflank-operator.js",
      "app/dist/northflank-operator.js.map",
      "app/package.json",
    ]);
  });

  test("stands on bases that are pinned by digest, the last one without a shell", () => {
    const bases = readStages(join(root, "Dockerfile")).map(({ base }) => base);
    for (const base of bases) expect(base).toMatch(/^\S+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    expect(bases.at(-1)).toMatch(/^gcr\.io\/distroless\/nodejs24-debian13:nonroot@/);
  });

  test("says where it comes from", () => {
    const { repository, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const source = repository.url.replace(/^git\+(.*)\.git$/, "$1");
    const prefix = "org.opencontainers.image.";
    expect(image.labels).toEqual({
      [`${prefix}title`]: "northflank-operator",
      [`${prefix}description`]: "Runs Northflank from Kubernetes objects",
      [`${prefix}url`]: source,
      [`${prefix}source`]: source,
      [`${prefix}documentation`]: `${source}#readme`,
      [`${prefix}licenses`]: license,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: build arguments, which the release fills in.
      [`${prefix}version`]: "${VERSION}",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as above.
      [`${prefix}revision`]: "${REVISION}",
    });
  });
});

test.skipIf(isRoot)(
  "only root can try the read-only root folder and the unknown user: neither was tried",
  () => undefined,
);

describe.runIf(isRoot)("the cage of these tests", () => {
  test.each(["/app/dist/x", "/tmp/x", "/x"])("refuses to write %s", async (path) => {
    const { code, stderr } = await run(["-e", `fs.writeFileSync("${path}", "")`], ["/nodejs/bin/node"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/EROFS|ENOENT/);
  });

  test("has no user with a name, no home and no environment but the image's", async () => {
    const probe =
      "console.log(JSON.stringify([process.getuid(), process.env]));try{os.userInfo()}catch(e){console.log(e.code)}";
    const { stdout } = await run(["-e", probe], ["/nodejs/bin/node"]);
    const [first = "", second] = stdout.trim().split("\n");
    const [uid, env] = JSON.parse(first);
    expect(uid).toBe(user);
    expect(env).toMatchObject(image.env);
    expect(Object.keys(env).filter((name) => /HOME|PATH|TMP|USER/.test(name))).toEqual([]);
    expect(second).toBe("ERR_SYSTEM_ERROR");
  });
});

describe("its program", () => {
  test("says version and revision", async () => {
    const { code, stdout, stderr } = await run(["version"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(version);
    expect(stdout).toContain(revision);
  });

  test("explains its flags", async () => {
    const { code, stdout, stderr } = await run([...image.cmd, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("--leader-elect");
  });

  test("becomes ready on an API server, and ends on SIGTERM with 0", async () => {
    await using kubernetes = await startKubernetes({ port: 0 });
    await using northflank = await startNorthflank({});
    kubernetes.installCrds(readCrds());
    const kubeconfig = join(tree, "kubeconfig");
    writeFileSync(kubeconfig, kubernetes.kubeconfig(), { mode: 0o444 });
    const child = start([
      ...image.cmd,
      `--kubeconfig=${isRoot ? "/kubeconfig" : kubeconfig}`,
      `--api-url=${northflank.url}`,
      `--allowed-api-hosts=${new URL(northflank.url).host}`,
      "--health-bind-address=127.0.0.1:0",
      "--metrics-bind-address=127.0.0.1:0",
      "--leader-elect-namespace=default",
    ]);
    const closed = once(child, "close");
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      const { msg, endpoint, address } = JSON.parse(line);
      if (msg === "server listening" && endpoint === "health") {
        await untilReady(`http://${address}/readyz`);
        child.kill("SIGTERM");
      }
    }
    const [code] = await closed;
    expect({ code, stderr, last: code === 0 ? "" : lines.at(-1) }).toEqual({ code: 0, stderr: "", last: "" });
  });
});

async function untilReady(url: string): Promise<void> {
  while (true) {
    const answer = await fetch(url);
    await answer.body?.cancel();
    if (answer.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
