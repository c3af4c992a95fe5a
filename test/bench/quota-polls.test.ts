import { describe, expect, test, vi } from "vitest";
import {
  addRun,
  edit,
  indexes,
  isReady,
  jobOf,
  projectOf,
  serviceOf,
  settledWorld,
} from "../../bench/quota/objects.ts";
import type { World } from "../../bench/quota/world.ts";

/*
 * What following runs and rollouts costs, with the whole operator on a simulated clock.
 */

const minute = 60_000;
const job = { id: jobOf(0), projectId: projectOf(0, 1) };

// A simulation is a second of CPU, and many seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** A world with one job, whose runs take ten minutes, and which has run once. */
async function ranOnce(hasHints = false): Promise<World> {
  const world = await settledWorld(
    { seed: 3, latencyMs: 100, rolloutMs: 5 * minute, runMs: 10 * minute, hasHints },
    { objects: 2, projects: 1, jobs: 1 },
  );
  world.start();
  addRun(world, "first", job);
  await world.clock.advance(20 * minute);
  expect(phaseOf(world, "first")).toBe("Succeeded");
  world.arrivals.length = 0;
  return world;
}

function phaseOf(world: World, name: string): unknown {
  const stored = world.kube.find(`shop/${name}`, "NorthflankJobRun");
  return (stored?.status as { readonly phase?: string } | undefined)?.phase;
}

/** The requests about the job, as `GET` and `POST`, with the second of each since `fromMs`. */
function requests({ arrivals }: World, fromMs = 0): readonly string[] {
  const own = arrivals.filter(({ path }) => path.includes(`/jobs/${job.id}`));
  return own.map(({ method, atMs }) => `${method} ${Math.floor((atMs - fromMs) / 1_000)}`);
}

test("a run of a job that has run before costs four requests, also in a process that has just started", async () => {
  const world = await ranOnce();
  for (const name of ["second", "third"]) {
    const fromMs = world.nowMs;
    addRun(world, name, job);
    await world.clock.advance(15 * minute);
    expect(phaseOf(world, name)).toBe("Succeeded");
    const all = requests(world, fromMs);
    expect(all.slice(0, 2)).toEqual(["GET 0", "POST 0"]);
    // The early poll, and one within half a minute after the end.
    expect(all).toHaveLength(4);
    expect(Number(all[2]?.slice(4))).toBeLessThan(40);
    expect(Number(all[3]?.slice(4))).toBeLessThan(630);
    await world.stop();
    world.start();
    await world.clock.advance(minute);
    world.arrivals.length = 0;
  }
  await world.stop();
});

test("fifty runs are followed by as many requests as one", async () => {
  const world = await ranOnce();
  for (const index of indexes(50)) addRun(world, `r-${index}`, job);
  await world.clock.advance(15 * minute);
  await world.stop();
  expect(new Set(indexes(50).map((index) => phaseOf(world, `r-${index}`)))).toEqual(new Set(["Succeeded"]));
  const all = requests(world);
  expect(all.slice(all.findLastIndex((request) => request.startsWith("POST")) + 1)).toHaveLength(2);
});

test("a deadline before the expected end is kept to", async () => {
  const world = await ranOnce();
  const fromMs = world.nowMs;
  addRun(world, "short", job);
  const stored = world.kube.find("shop/short", "NorthflankJobRun");
  if (stored === undefined) throw new Error("it is not stored");
  world.kube.store({ ...stored, spec: { ...(stored.spec as object), activeDeadlineSeconds: 120 } });
  await world.clock.advance(15 * minute);
  await world.stop();
  const aborts = requests(world, fromMs).filter((request) => request.startsWith("DELETE"));
  expect(aborts).toHaveLength(1);
  expect(Number(aborts[0]?.slice(7))).toBeGreaterThanOrEqual(120);
  expect(Number(aborts[0]?.slice(7))).toBeLessThan(130);
});

describe("where Northflank notifies of ends", () => {
  /** Northflank has reported the ends of three more runs, and is trusted to do so. */
  async function trusted(): Promise<World> {
    const world = await ranOnce(true);
    for (const index of indexes(3)) {
      addRun(world, `before-${index}`, job);
      await world.clock.advance(11 * minute);
    }
    world.arrivals.length = 0;
    return world;
  }

  test("a run costs three requests, and its end is seen within seconds", async () => {
    const world = await trusted();
    addRun(world, "hinted", job);
    await world.clock.advance(10 * minute + 5_000);
    expect(phaseOf(world, "hinted")).toBe("Succeeded");
    await world.stop();
    expect(requests(world)).toHaveLength(3);
  });

  test("an end that a poll finds without a hint brings the polls of the other runs back at once", async () => {
    const world = await trusted();
    addRun(world, "one", job);
    await world.clock.advance(minute);
    expect(requests(world)).toHaveLength(2);
    world.areHintsOn = false;
    await world.clock.advance(7 * minute);
    addRun(world, "other", job);
    await world.clock.advance(7 * minute - 20_000);
    expect(phaseOf(world, "one")).toBe("Running");
    // The poll below hints is a quarter of an hour after the start; the other run ends at 18 minutes.
    await world.clock.advance(minute);
    expect(phaseOf(world, "one")).toBe("Succeeded");
    await world.clock.advance(3 * minute);
    expect(phaseOf(world, "other")).toBe("Succeeded");
    await world.stop();
  });

  test("rollouts likewise: only a hint is waited for, and without it the polls of others are back", async () => {
    const world = await ranOnce(true);
    const [first, second] = [serviceOf(0), serviceOf(1)];
    for (const index of indexes(4)) {
      edit(world, first, `${index + 2}`);
      await world.clock.advance(6 * minute);
      expect(isReady(world, first)).toBe(true);
    }
    const reads = () =>
      world.arrivals.filter(({ method, path }) => method === "GET" && path.includes(`/services/${first}`));
    world.arrivals.length = 0;
    edit(world, first, "hinted");
    await world.clock.advance(5 * minute + 10_000);
    expect(isReady(world, first)).toBe(true);
    // Before the write, at its beginning, and after the end.
    expect(reads()).toHaveLength(3);
    world.areHintsOn = false;
    edit(world, first, "silent");
    await world.clock.advance(12 * minute);
    edit(world, second, "silent");
    await world.clock.advance(2 * minute);
    expect(isReady(world, first)).toBe(false);
    await world.clock.advance(2 * minute);
    expect(isReady(world, first)).toBe(true);
    await world.clock.advance(2 * minute);
    expect(isReady(world, second)).toBe(true);
    await world.stop();
  });
});
