import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../sandbox/start.ts";
import { stopSignal } from "../../sandbox/stop-signal.ts";

function scene(startedByNpm: boolean) {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const checks: (() => void)[] = [];
  let parent = 100;
  const signal = stopSignal({
    on: (name, listener) => void listeners.set(name, listener),
    parentPid: () => parent,
    repeat: (act) => void checks.push(act),
    startedByNpm,
  });
  return {
    signal,
    send: (name: NodeJS.Signals) => listeners.get(name)?.(),
    parentBecomes: (pid: number) => {
      parent = pid;
      for (const check of checks) check();
    },
  };
}

test.each<NodeJS.Signals>(["SIGINT", "SIGTERM", "SIGHUP"])(
  "%s asks for a stop, and once more changes nothing",
  (name) => {
    const { signal, send } = scene(true);
    expect(signal.aborted).toBe(false);
    send(name);
    send(name);
    expect(signal.aborted).toBe(true);
  },
);

test("the end of the npm that started it asks for a stop", () => {
  const { signal, parentBecomes } = scene(true);
  parentBecomes(100);
  expect(signal.aborted).toBe(false);
  parentBecomes(1);
  expect(signal.aborted).toBe(true);
});

test("what was started by hand outlives its shell", () => {
  const { signal, parentBecomes } = scene(false);
  parentBecomes(1);
  expect(signal.aborted).toBe(false);
});

test("no shell stands between npm and the sandbox: it would keep the signals to itself", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(scripts.sandbox).toMatch(/^exec node --import tsx sandbox\/main\.ts$/);
});
