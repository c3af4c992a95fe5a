import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { controlPlaneCache, findControlPlaneBinaries } from "./control-plane-binaries.ts";

let directory: string;
let said: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "control-plane-binaries-test-"));
  said = [];
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const say = (line: string) => said.push(line);
/** An environment without Go, but for the one that a test puts into `bin`. */
const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: `${join(directory, "bin")}:/usr/bin:/bin`,
  XDG_CACHE_HOME: join(directory, "cache"),
  HOME: directory,
  ...more,
});

function putProgram(path: string, script: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** A `go` that calls itself `version` and, for a build, leaves two programs and its own arguments. */
function putGo(
  version: string,
  build = 'for last in "$@"; do case "$prev" in -o) out="$last";; esac; prev="$last"; done',
) {
  const leave = 'for name in etcd kube-apiserver; do printf "#!/bin/sh\\n" > "$out$name"; chmod +x "$out$name"; done';
  putProgram(
    join(directory, "bin", "go"),
    `if [ "$1" = env ]; then echo ${version}; exit 0; fi\necho "$PWD $CGO_ENABLED $@" > ${directory}/built\n${build}\n${leave}`,
  );
}

test("the cache folder is named after the Kubernetes version and the recipe", () => {
  expect(controlPlaneCache(env())).toMatch(
    new RegExp(`^${directory}/cache/northflank-operator/control-plane/v1\\.\\d+\\.\\d+-[0-9a-f]{12}$`),
  );
});

test("KUBEBUILDER_ASSETS wins over everything", async () => {
  const assets = join(directory, "assets");
  for (const name of ["etcd", "kube-apiserver"]) putProgram(join(assets, name), "");
  const found = await findControlPlaneBinaries({ env: env({ KUBEBUILDER_ASSETS: assets }), say });
  expect(found).toEqual({
    etcd: join(assets, "etcd"),
    apiserver: join(assets, "kube-apiserver"),
    origin: "KUBEBUILDER_ASSETS",
  });
});

test("KUBEBUILDER_ASSETS without the programs is an error, and nothing is built behind its back", async () => {
  putGo("go1.26.0");
  const finding = findControlPlaneBinaries({ env: env({ KUBEBUILDER_ASSETS: directory }), say });
  await expect(finding).rejects.toThrow(`KUBEBUILDER_ASSETS is ${directory}, but there is no etcd`);
  expect(existsSync(join(directory, "built"))).toBe(false);
});

test("without either, they are built once and found the next time", async () => {
  putGo("go1.26.1");
  const cache = controlPlaneCache(env());
  expect(await findControlPlaneBinaries({ env: env(), say })).toMatchObject({
    origin: "built",
    etcd: join(cache, "etcd"),
  });
  expect(said[0]).toContain("about 5 minutes, once");
  const [folder, cgo, ...args] = readFileSync(join(directory, "built"), "utf8").split(" ");
  expect([folder, cgo]).toEqual([join(import.meta.dirname, "../control-plane"), "0"]);
  expect(args.join(" ")).toMatch(
    /^build -trimpath -buildvcs=false -ldflags=-s -w .*gitVersion=v1\.\d+\.\d+ .*\.\/cmd\/etcd \.\/cmd\/kube-apiserver\n$/,
  );

  rmSync(join(directory, "built"));
  expect(await findControlPlaneBinaries({ env: env(), say })).toMatchObject({ origin: "cache" });
  expect(existsSync(join(directory, "built"))).toBe(false);
});

test.each([
  ["go1.25.9", "Go is go1.25.9 to build them with"],
  ["devel", "Go is devel to build them with"],
])("with %s, it says what would help", async (version, reason) => {
  putGo(version);
  const finding = findControlPlaneBinaries({ env: env(), say });
  await expect(finding).rejects.toThrow(reason);
  await expect(finding).rejects.toThrow(/Either set KUBEBUILDER_ASSETS .* or install Go 1\.26/);
});

test("without Go, it says what would help", async () => {
  const finding = findControlPlaneBinaries({ env: env({ PATH: join(directory, "bin") }), say });
  await expect(finding).rejects.toThrow(/there is no Go to build them with\. Either set KUBEBUILDER_ASSETS/);
});

test("a build that fails leaves nothing behind and says why", async () => {
  putGo("go1.26.0", 'echo "no space left" >&2; exit 3');
  const error = await findControlPlaneBinaries({ env: env(), say }).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({
    message: expect.stringContaining("could not be built"),
    cause: { message: expect.stringContaining("go build ended with 3: no space left") },
  });
  expect(existsSync(controlPlaneCache(env()))).toBe(false);
});
