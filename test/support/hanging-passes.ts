import { type Controller, createController } from "../../src/runtime/controller.ts";
import type { WorkQueue } from "../../src/runtime/work-queue.ts";
import { sleep } from "../../src/util/clock.ts";
import type { FakeClock } from "./fake-clock.ts";
import { fakeLog } from "./fake-log.ts";

/** A controller of eight workers whose reconciles of keys that hang take an hour; all others end at once. */
export function hangingPasses(
  queue: WorkQueue,
  clock: FakeClock,
  hangs: (key: string) => boolean,
): { readonly controller: Controller; readonly started: readonly string[]; readonly passed: readonly string[] } {
  const started: string[] = [];
  const passed: string[] = [];
  const controller = createController({
    name: "pets",
    queue,
    workers: 8,
    reconcile: async (key, { signal }) => {
      started.push(key);
      if (hangs(key)) await sleep(clock, 3_600_000, signal);
      passed.push(key);
      return { kind: "settled" };
    },
    clock,
    random: () => 0.5,
    log: fakeLog().log,
  });
  return { controller, started, passed };
}
