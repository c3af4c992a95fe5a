import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { published } from "./published.ts";

// Bundles src/main.ts into one ESM file that runs on every Node from 20 on, without node_modules, and writes the licenses of
// what is in it beside it. The same sources give the same bytes: no time, no absolute path and no machine name gets in.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
// npm run build -- FOLDER; `dist` by default.
const outfile = resolve(root, process.argv[2] ?? "dist", "northflank-operator.js");
const { version, files } = published();

const result = await build({
  absWorkingDir: root,
  entryPoints: ["src/main.ts"],
  outfile: relative(root, outfile),
  write: false,
  // Packages are named in the bundle by where they stand here, also where node_modules is a link.
  preserveSymlinks: true,
  bundle: true,
  metafile: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "linked",
  // The sources themselves are in the repository; without them the map is a tenth of the size and stack traces are the same.
  sourcesContent: false,
  minifySyntax: true,
  minifyWhitespace: true,
  // Node prints the source line of an uncaught error: that must be a line and not the whole program.
  lineLimit: 160,
  // Names stay, so that stack traces and class names in messages can be read.
  minifyIdentifiers: false,
  logLevel: "warning",
  define: {
    BUILD_VERSION: JSON.stringify(version),
    BUILD_REVISION: JSON.stringify(revision()),
    BUILD_FILES: JSON.stringify(files),
  },
  plugins: [onlyUsedUndici(), withoutUnused()],
  banner: {
    // CommonJS packages inside an ESM bundle call `require` for Node's own modules.
    js: `#!/usr/bin/env node\nimport { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);`,
  },
});
for (const { path, contents } of result.outputFiles) {
  put(path, path.endsWith(".map") ? withPlainSources(path, contents) : inAscii(contents));
}
put(join(dirname(outfile), "THIRD-PARTY-LICENSES.txt"), Buffer.from(licenses(Object.keys(result.metafile.inputs))));
const bytes = result.outputFiles.find(({ path }) => path === outfile)?.contents.length ?? 0;
console.log(`${relative(process.cwd(), outfile)} ${(bytes / 1_048_576).toFixed(2)} MiB, version ${version}`);

/** Name, version and license text of every package that has a file in the bundle: their licenses ask for it. */
function licenses(inputs: readonly string[]): string {
  const folders = inputs.flatMap((input) => {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [];
    return folder === undefined ? [] : [resolve(root, folder)];
  });
  const texts = [...new Set(folders)].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no license file to hand on`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return texts.toSorted().join(`\n${"-".repeat(80)}\n\n`);
}

/**
 * Escapes the few characters of templates that esbuild leaves as they are: with one that is not in Latin-1 Node keeps the
 * whole program with two bytes for each character, 5 MB of resident memory.
 */
function inAscii(contents: Uint8Array): Uint8Array {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return Buffer.from(
    Buffer.from(contents)
      .toString("utf8")
      .replaceAll(/[\u0080-\uffff]/g, escaped),
  );
}

/** Names sources from the root of this repository, wherever the bundle goes and wherever node_modules really is. */
function withPlainSources(mapPath: string, contents: Uint8Array): Uint8Array {
  const map = JSON.parse(Buffer.from(contents).toString("utf8")) as { readonly sources: readonly string[] };
  const sources = map.sources.map((source) => {
    const [, inPackage] = /.*(node_modules\/.*)$/.exec(source) ?? [];
    if (inPackage !== undefined) return inPackage;
    return source.includes(":") ? source : relative(root, resolve(dirname(mapPath), source));
  });
  return Buffer.from(JSON.stringify({ ...map, sources }));
}

/** Replaces a file in one step, so that whoever starts the program meanwhile gets the old one or the new one, whole. */
function put(path: string, contents: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, contents);
  // The umask has no say: npm packs a file with its mode, and the same sources give the same package.
  chmodSync(draft, path === outfile ? 0o755 : 0o644);
  renameSync(draft, path);
}

/** The commit, when there is one to ask and nothing was changed since. */
function revision(): string {
  if (process.env.BUILD_REVISION) return process.env.BUILD_REVISION;
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return git("status", "--porcelain") === "" ? git("rev-parse", "HEAD") : "unknown";
  } catch {
    // No git, or no repository: a source archive, or the image's build.
    return "unknown";
  }
}

/**
 * Parts of packages that are loaded at the start and never used: undici's HTTP/2, which nothing asks for (`allowH2`), with
 * Node's own behind it, and what prom-client would need for exemplars of a trace. One that is used all the same fails.
 */
function withoutUnused(): Plugin {
  const parts = /\/undici\/lib\/dispatcher\/client-h2\.js$|\/@opentelemetry\/api\//;
  const contents = `module.exports = () => { throw new Error("this part is not in the bundle"); };`;
  return {
    name: "without-unused",
    setup: ({ onLoad }) => {
      onLoad({ filter: parts }, () => ({ contents, loader: "js" }));
    },
  };
}

/**
 * undici's front door loads its fetch, WebSocket, cache and mock code as well, half of the package. This is the part that
 * is used, in the form of its index; anything else that the program imports fails the build here and not at run time.
 */
function onlyUsedUndici(): Plugin {
  const folder = join(root, "node_modules/undici");
  const contents = `
    import Agent from "./lib/dispatcher/agent.js";
    import Pool from "./lib/dispatcher/pool.js";
    import Client from "./lib/dispatcher/client.js";
    import ProxyAgent from "./lib/dispatcher/proxy-agent.js";
    import EnvHttpProxyAgent from "./lib/dispatcher/env-http-proxy-agent.js";
    import Dispatcher from "./lib/dispatcher/dispatcher.js";
    import errors from "./lib/core/errors.js";
    import api from "./lib/api/index.js";
    import buildConnector from "./lib/core/connect.js";
    Object.assign(Dispatcher.prototype, api);
    export { Agent, Pool, Client, ProxyAgent, EnvHttpProxyAgent, Dispatcher, errors, buildConnector };`;
  return {
    name: "only-used-undici",
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "used-undici" }));
      onLoad({ filter: /.*/, namespace: "used-undici" }, () => ({ contents, resolveDir: folder }));
    },
  };
}
