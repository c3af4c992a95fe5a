import { expect, test, vi } from "vitest";
import { addRun, indexes, jobOf, projectOf, settledWorld } from "../../bench/quota/objects.ts";
import type { World } from "../../bench/quota/world.ts";

/*
 * What following runs costs, with the whole operator on a simulated clock.
 */

const minute = 60_000;
const job = { id: jobOf(0), projectId: projectOf(0, 1) };

// A simulation is a second of CPU, and many seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** A world with one job, whose runs take ten minutes, and which has run once. */
async function ranOnce(): Promise<World> {
  const world = await settledWorld(
    { seed: 3, latencyMs: 100, rolloutMs: minute, runMs: 10 * minute },
    { objects: 0, projects: 1, jobs: 1 },
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
