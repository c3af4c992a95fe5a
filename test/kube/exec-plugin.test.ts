import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type PluginCall, runPlugin } from "../../src/kube/exec-plugin.ts";
import type { Stanza } from "../../src/kube/kubeconfig-stanzas.ts";
import { systemClock } from "../../src/util/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

const apiVersion = "client.authentication.k8s.io/v1";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "exec-plugin-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string) => join(directory, name);
const credential = `echo '{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"canary-in-the-output"}}'`;

/** A call of the plugin `script`, which finds `$HERE`. */
function call(script: string, settings: Partial<PluginCall["exec"]> = {}, more: Partial<PluginCall> = {}): PluginCall {
  writeFileSync(file("plugin"), `#!/bin/sh\nHERE=${directory}\n${script}\n`);
  chmodSync(file("plugin"), 0o755);
  const stanza = (kind: Stanza["kind"]): Stanza => ({ kind, name: "ada", file: file("config"), body: {} });
  return {
    stanza: stanza("user"),
    exec: {
      apiVersion,
      command: file("plugin"),
      args: [],
      env: [],
      installHint: undefined,
      provideClusterInfo: false,
      ...settings,
    },
    cluster: {
      stanza: stanza("cluster"),
      server: "https://kube.example",
      ca: undefined,
      skipTlsVerify: false,
      tlsServerName: undefined,
      proxyUrl: undefined,
      disableCompression: false,
      execConfig: undefined,
    },
    ca: undefined,
    env: { PATH: process.env.PATH },
    clock: systemClock,
    stop: new AbortController().signal,
    ...more,
  };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  if (error === undefined) throw new Error("it was expected to fail");
  expect(error).toMatchObject({ name: "KubeError", code: "config" });
  return `${error.stack}\n${String(error.cause)}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie answers as well.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("a plugin that hangs", () => {
  test("is stopped after 30 s, with what it started", async () => {
    const clock = new FakeClock();
    const script =
      'sleep 100000 & echo $! > "$HERE/child"; echo "waiting for a browser" >&2; touch "$HERE/ready"; wait';
    const running = runPlugin(call(script, {}, { clock }));
    let isSettled = false;
    const outcome = failure(running).finally(() => {
      isSettled = true;
    });
    await vi.waitUntil(() => existsSync(file("ready")));
    await clock.advance(29_999);
    expect(isSettled).toBe(false);
    await clock.advance(1);
    expect(await outcome).toContain("did not end within 30s and was stopped. It wrote: waiting for a browser");
    const child = Number(readFileSync(file("child"), "utf8"));
    await vi.waitUntil(() => !isAlive(child));
    expect(clock.pendingTimers).toBe(0);
  });

  test("is stopped when the program ends", async () => {
    const stop = new AbortController();
    const script = 'echo $$ > "$HERE/child"; touch "$HERE/ready"; sleep 100000';
    const said = failure(runPlugin(call(script, {}, { stop: stop.signal })));
    await vi.waitUntil(() => existsSync(file("ready")));
    stop.abort();
    expect(await said).toContain("was stopped because this program is ending");
    const child = Number(readFileSync(file("child"), "utf8"));
    await vi.waitUntil(() => !isAlive(child));
  });

  test("is not even started by a program that has ended", async () => {
    const said = await failure(runPlugin(call('touch "$HERE/ready"', {}, { stop: AbortSignal.abort() })));
    expect(said).toContain("was stopped because this program is ending");
    expect(existsSync(file("ready"))).toBe(false);
  });

  test("is not waited for when only something that it left behind holds its standard error", async () => {
    const script = `sleep 100000 > /dev/null & echo $! > "$HERE/child"; ${credential}`;
    expect(await runPlugin(call(script))).toMatchObject({ token: "canary-in-the-output" });
    process.kill(Number(readFileSync(file("child"), "utf8")), "SIGKILL");
  });
});

describe("what a plugin says", () => {
  test("on its standard error is in the message, in one line and without colors, with its hint", async () => {
    const script = `printf '\\033[31merror:\\033[0m no\\n  cluster \\a information\\n' >&2; exit 4`;
    const said = await failure(runPlugin(call(script, { installHint: "Install it:\n  brew install it" })));
    expect(said).toContain(
      `[config] use user "ada" of ${file("config")}: the credential plugin "${file("plugin")}" failed with exit code 4. ` +
        "It wrote: error: no cluster information. Its installHint: Install it: brew install it. Fix the plugin",
    );
  });

  test("is cut to its end when it is long", async () => {
    const said = await failure(runPlugin(call("yes word | head -n 5000 >&2; echo 'the end' >&2; exit 1")));
    expect(said).toMatch(/It wrote: \.\.\. [word ]+the end\./);
    expect(said.length).toBeLessThan(3_000);
  });

  test("on its standard output is never shown", async () => {
    expect(await failure(runPlugin(call(`${credential}; exit 1`)))).not.toContain("canary");
    expect(await failure(runPlugin(call("echo canary not JSON")))).not.toContain("canary");
  });

  test.each<[string, string, Partial<PluginCall["exec"]>]>([
    ["a setting", 'echo "login as $WHO" >&2', { env: [{ name: "WHO", value: "canary-1" }] }],
    ["a secret argument", 'echo "usage: $*" >&2', { args: ["--client-secret=canary-2"] }],
    ["the argument after a secret flag", 'echo "usage: $*" >&2', { args: ["--oidc-client-secret", "canary-3"] }],
    ["the argument after a short flag", 'echo "no $* for you" >&2', { args: ["-p", "canary"] }],
    ["the password of a URL", "echo dial https://robot:canary@login.example: 401 >&2", {}],
    ["its credential", `${credential}; echo "got canary-in-the-output" >&2`, {}],
    ["a JSON web token", "echo got eyJjYW5hcnkiOiJ4In0.canary.canary >&2", {}],
    ["a header", "echo authorization: Bearer canary >&2", {}],
    ["a key", "printf -- '-----BEGIN PRIVATE KEY-----\\ncanary\\n' >&2", {}],
    ["anything long without a blank", "echo canarycanarycanarycanarycanarycanarycanarycanary >&2", {}],
  ])("is hidden where it is %s", async (_, script, settings) => {
    const said = await failure(runPlugin(call(`${script}; exit 1`, settings)));
    expect(said).toContain("It wrote: ");
    expect(said).toContain("[redacted]");
    expect(said).not.toContain("canary");
  });

  test("is hidden where it is inherited under the name of a secret", async () => {
    const env = { PATH: process.env.PATH, SOME_PASSWORD: "canary" };
    expect(await failure(runPlugin(call('echo "tried $SOME_PASSWORD" >&2; exit 1', {}, { env })))).toContain(
      "It wrote: tried [redacted].",
    );
  });

  test("is hidden in the middle of a long log, too", async () => {
    const script = 'i=0; while [ $i -lt 300 ]; do echo "line $i with canary-x for ada" >&2; i=$((i+1)); done; exit 1';
    const said = await failure(runPlugin(call(script, { env: [{ name: "X", value: "canary-x" }] })));
    expect(said).toContain("line 299 with [redacted] for ada");
    expect(said).not.toContain("canary");
  });

  test("without end is cut off", async () => {
    expect(await failure(runPlugin(call("yes")))).toContain("wrote more than 1 MiB and was stopped");
  });
});

describe("a plugin that cannot be started", () => {
  test("because it is not there is reported with its hint", async () => {
    const said = await failure(runPlugin(call("", { command: "no-such-plugin", installHint: "Install it" })));
    expect(said).toContain(
      'the credential plugin "no-such-plugin" was not found (ENOENT). Its installHint: Install it.',
    );
  });

  test("because it is not executable is reported", async () => {
    const wanted = call("");
    chmodSync(file("plugin"), 0o644);
    expect(await failure(runPlugin(wanted))).toContain("could not be started (EACCES)");
  });

  test("because an argument cannot be passed does not quote it", async () => {
    const said = await failure(runPlugin(call("", { args: ["canary\0"] })));
    expect(said).toContain("could not be started (a null character in command, args or env)");
    expect(said).not.toContain("canary");
  });

  test("because it is a folder, or found under PATH as one, is reported", async () => {
    const said = await failure(runPlugin(call("", { command: directory })));
    expect(said).toContain("could not be started (EACCES)");
  });
});

test("a plugin inherits the environment, and its own settings win", async () => {
  const script = `printf '{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"%s"}}' "$A $B"`;
  const env = { PATH: process.env.PATH, A: "inherited", B: "inherited" };
  const wanted = call(script, { env: [{ name: "B", value: "own" }] }, { env });
  expect(await runPlugin(wanted)).toMatchObject({ token: "inherited own" });
});
