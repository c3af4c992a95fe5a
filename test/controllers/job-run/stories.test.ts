import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reconcileRequestedAt, resolveStart, startedRun } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { isUnresolved, stateOf } from "../../../src/controllers/job-run/machine.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import { startModes } from "../../support/fake-runs.ts";
import type { RunProcess } from "../../support/run-process.ts";
import { RunStory } from "../../support/run-story.ts";

/*
 * Random stories of one object, and of several objects of one job: kills, freezes, lost leases, answers that are lost,
 * late or lost after they were applied, writes of status that fail, runs and lists that are not there, foreign runs, a
 * connection that is suspended, objects that come back from a backup without their status, and what people do meanwhile.
 * Each is told by its seed alone:
 *
 *   FUZZ_RUNS=2000 npx vitest run --project unit test/controllers/job-run/stories.test.ts     more of them
 *   FUZZ_SEED=1234 npx vitest run ...                                                         this one
 */
const runs = Number(process.env.FUZZ_RUNS ?? 60);
const only = process.env.FUZZ_SEED === undefined ? undefined : Number(process.env.FUZZ_SEED);
const seeds = only === undefined ? Array.from({ length: runs }, (_, index) => index + 1) : [only];

const minute = 60_000;

/** Longer than every deadline below: then nothing waits for anything but a person. */
const quietMs = 75 * minute;

// A story takes some hundred passes: one that needs so many turns in a circle.
const mostPasses = 4_000;

// 75 min at the slowest pace of following, of waiting for a foreign run, or of asking for what is refused, per object.
const mostCallsPerObject = 200;

describe.each([
  ["one object", 1],
  ["several objects of one job", 5],
] as const)("%s", (_, objects) => {
  test(`${seeds.length} random stories`, { timeout: 20_000 + seeds.length * 1_000 }, async () => {
    const broken: string[] = [];
    for (const seed of seeds) broken.push(...(await tell(seed, objects)).map((what) => `seed ${seed}: ${what}`));
    expect(broken).toEqual([]);
  });
});

/** Plays one story; says what it broke. */
async function tell(seed: number, objects: number): Promise<readonly string[]> {
  const random = randomOf(seed * 7_919 + objects);
  const pick = <T>(...list: readonly [T, ...T[]]): T => list[Math.floor(random() * list.length)] ?? list[0];
  const broken = new Set<string>();
  const world = { isOpen: true, isOver: false, watchLateMs: 0 };
  const story = new RunStory({
    watchLateMs: () => world.watchLateMs,
    account: () => (world.isOpen ? undefined : suspended),
    onBoundary: (process) => {
      if (world.isOver || process !== story.process || random() >= 0.1 / (objects + 1)) return;
      if (process.passes > mostPasses) return;
      strike(story, pick);
    },
  });
  const { cluster, remote, clock } = story;
  remote.runMs = pick(2_000, 25_000, 5 * minute);
  remote.skewMs = pick(0, 400, 60 * minute, -60 * minute);
  remote.sendsDate = random() < 0.85;
  remote.lateMs = pick(31_000, 40_000, 64_000);
  const faults = spoil(story, random);
  const watch = watchPosts(story, faults, broken, objects === 1);
  watchAborts(story, broken);
  const passes = countPasses(story, broken);

  for (let step = 0; step < 6 + objects; step++) {
    if (step < objects) cluster.create(`r${step}`, specOf(`r${step}`, pick, objects > 1));
    if (random() < 0.4) remote.nextMode = pick("normal", ...startModes);
    if (random() < 0.1) remote.refusals.push(pick(...refusals));
    await clock.advance(pick(10, 500, 5_000, 35_000, 70_000));
    world.watchLateMs = pick(0, 0, 0, 2_000, 20_000);
    faults.cutAt = pick(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1, 3);
    faults.lagMs = pick(0, 0, 0, 10_000, 25_000);
    const name = `r${Math.floor(random() * objects)}`;
    const spec = specOf(`${name} ${step}`, pick, objects > 1);
    disturb({ story, world, random, pick, name, step, watch, spec });
    faults.left = pick(0, 0, 1, 3);
    for (const what of claimedTwice(cluster.list())) broken.add(what);
  }

  // From here on nothing is in the way any more.
  world.isOver = true;
  world.isOpen = true;
  world.watchLateMs = 0;
  faults.left = 0;
  faults.cutAt = Number.POSITIVE_INFINITY;
  faults.lagMs = 0;
  remote.refusals.length = 0;
  for (const { metadata } of cluster.list()) cluster.edit(metadata.name ?? "", { spec: { suspend: false } });
  for (const before of watch.succeeded) before.kill();
  story.restart();
  const calls = remote.calls.length;
  await clock.advance(quietMs);
  const asked = remote.calls.length - calls;
  if (asked > mostCallsPerObject * objects) broken.add(`${asked} calls in ${quietMs / minute} min of quiet`);
  for (const what of [...claimedTwice(cluster.list()), ...unfinished(story)]) broken.add(what);
  passes.stop();
  for (const what of story.end()) broken.add(String(what));
  return [...broken];
}

const suspended: AccountResolution = {
  kind: "blocked",
  readyState: { kind: "waiting", reason: "ConnectionSuspended", message: "paused" },
  recheckAfterMs: minute,
};

type Pick = <T>(...list: readonly [T, ...T[]]) => T;

function specOf(name: string, pick: Pick, isOneOfMany: boolean): Partial<NorthflankJobRun["spec"]> {
  return {
    // Tells which object a POST was sent for.
    runtimeEnvironment: { OBJECT: name },
    startGuarantee: pick("AtMostOnce", "AtMostOnce", "AtLeastOnce"),
    concurrencyPolicy: isOneOfMany ? pick("Allow", "Forbid", "Replace", "Forbid") : "Allow",
    deletionPolicy: pick("Orphan", "Abort"),
    backoffLimit: pick(0, 0, 1),
    startDeadlineSeconds: pick(120, 3_600),
    ...pick({}, {}, { activeDeadlineSeconds: 20 }, { activeDeadlineSeconds: 400 }),
  };
}

const refusals = [429, 403, 404, 422].map((httpStatus) => {
  const codes = { 429: "rate_limited", 403: "forbidden", 404: "not_found", 422: "rejected" } as const;
  const code = codes[httpStatus as keyof typeof codes];
  return new NorthflankError({ code, step: "start", detail: "no", httpStatus, sent: true });
}) as [NorthflankError, ...NorthflankError[]];

/** What befalls the process at a boundary. A pause is shorter than what a start gets before others may follow it. */
function strike(story: RunStory, pick: Pick): void {
  const { process } = story;
  switch (pick("kill", "freeze", "lease")) {
    case "kill":
      story.restart();
      return;
    case "lease":
      process.loseLease();
      story.restart();
      return;
    case "freeze": {
      const thawMs = pick(2_000, 20_000, 55_000);
      process.freeze(pick(1_000, 10_000));
      story.clock.setTimer(() => process.thaw(), thawMs);
      story.clock.setTimer(() => {
        if (story.process === process) story.restart();
        else process.kill();
      }, thawMs + 1_000);
    }
  }
}

function refusalOf(step: string, random: () => number): KubeError {
  const kinds = [
    ["unavailable", 503],
    ["conflict", 409],
    ["throttled", 429],
    ["unavailable", 500],
  ] as const;
  const [code, httpStatus] = kinds[Math.floor(random() * kinds.length)] ?? kinds[0];
  return new KubeError({
    code,
    step,
    detail: "no",
    httpStatus,
    ...(httpStatus === 429 ? { retryAfterMs: 3_000 } : {}),
  });
}

/** Failures of Kubernetes and of reads of Northflank, as many as are left. */
function spoil(story: RunStory, random: () => number): Faults {
  const { cluster, remote } = story;
  const faults: Faults = { left: 0, cutAt: Number.POSITIVE_INFINITY, lagMs: 0, resolved: new Map() };
  const fails = (share: number) => faults.left > 0 && random() < share && faults.left-- > 0;
  const failing =
    <A extends unknown[], T>(step: string, real: (...args: A) => T) =>
    (...args: A): T => {
      if (fails(0.2)) throw refusalOf(step, random);
      const answer = real(...args);
      // The second is what a request says that was sent twice on its way.
      if (fails(0.2)) throw new KubeError({ code: random() < 0.7 ? "timeout" : "conflict", step, detail: "no answer" });
      return answer;
    };
  const patchStatus = failing("patch", cluster.patchStatus.bind(cluster));
  cluster.patchStatus = (key, patch) => {
    const { completionTime, lastHandledResolveStart: word = "" } = patch.status as RunStatus;
    const isOver = completionTime !== undefined || /^(retry|fail)/.test(word);
    if (isOver) faults.resolved.set(key, story.process);
    return patchStatus(key, patch);
  };
  cluster.replaceStatus = failing("replace", cluster.replaceStatus.bind(cluster));
  const list = remote.list.bind(remote);
  remote.list = (jobId) => {
    if (fails(0.2)) {
      throw new NorthflankError({ code: "server_error", step: "list", detail: "no", httpStatus: 503, sent: true });
    }
    const { runs, ...rest } = list(jobId);
    const latestMs = remote.serverMs - faults.lagMs;
    const shown = faults.lagMs === 0 ? runs : runs.filter((run) => Date.parse(run.startedAt ?? "") <= latestMs);
    const isCut = shown.length > faults.cutAt;
    return { ...rest, runs: shown.slice(0, faults.cutAt), ...(isCut ? { truncated: true } : {}) };
  };
  const read = remote.read.bind(remote);
  remote.read = (runId) => {
    const run = read(runId);
    return fails(0.3) ? undefined : run;
  };
  return faults;
}

type RunStatus = NonNullable<NorthflankJobRun["status"]>;

interface Faults {
  left: number;
  /** The list of runs ends after so many of the newest. */
  cutAt: number;
  /** The list lacks what began so recently. */
  lagMs: number;
  /** Which process has tried to write that the start of this object is over: it knows of it, written down or not. */
  readonly resolved: Map<string, RunProcess>;
}

interface Watch {
  /** So many times a person has said that an object may be started again. */
  readonly retries: Map<string, number>;
  /** Objects that came back without their status, by uid: which one they were first. */
  readonly origins: Map<string, string>;
  /** Of those that came back with the annotation of a start: how often a person had said by then to start them again. */
  readonly copies: Map<string, number>;
  /** The story is about one object. */
  readonly isAlone: boolean;
  /** Processes that go on beside another one. */
  readonly succeeded: RunProcess[];
}

/** At each POST: the record is there and new, the attempt is the first one, and nothing of ours is in its way. */
function watchPosts(story: RunStory, { resolved }: Faults, broken: Set<string>, isAlone: boolean): Watch {
  const { cluster, remote } = story;
  const retries = new Map<string, number>();
  const origins = new Map<string, string>();
  const copies = new Map<string, number>();
  const ids = new Set<string>();
  const sent = new Map<string, number>();
  const post = remote.post.bind(remote);
  remote.post = (jobId, body) => {
    const told = body.runtimeEnvironment?.OBJECT ?? "";
    const [name = ""] = told.split(" ");
    const object = cluster.read(name);
    const start = object?.status?.start;
    // Deleted since the intent: that is seen too late to be helped.
    const isSame = object?.spec.runtimeEnvironment?.OBJECT === told;
    if (object === undefined || start === undefined || !isSame) return post(jobId, body);
    if (start.outcome !== "Pending") broken.add(`${name}: a POST under a record that says ${start.outcome}`);
    if (ids.has(start.id)) broken.add(`${name}: two POSTs under one record`);
    ids.add(start.id);
    const isRefused = remote.refusals.length > 0;
    const { uid = "" } = object.metadata;
    const key = `${origins.get(uid) ?? uid} ${start.attempt}`;
    if (copies.get(uid) === (retries.get(name) ?? 0))
      broken.add(`${name}: a copy of what was started was started again`);
    if (!isRefused) sent.set(key, (sent.get(key) ?? 0) + 1);
    const allowed = 1 + (retries.get(name) ?? 0);
    if (object.spec.startGuarantee === "AtMostOnce" && (sent.get(key) ?? 0) > allowed) {
      broken.add(`${name}: ${sent.get(key)} POSTs for attempt ${start.attempt}`);
    }
    if (object.spec.concurrencyPolicy !== "Allow") {
      for (const other of cluster.list()) {
        if (other.metadata.name === name) continue;
        const state = stateOf(other);
        // Of a record under which nothing was sent, or one that is resolved, the process may know so before it can write it.
        const isOver = resolved.get(`default/${other.metadata.name}`) === story.process;
        const isOpen = isUnresolved(other) && ids.has(other.status?.start?.id ?? "") && !isOver;
        // Nor that a run is over.
        const isActive = (state === "active" || state === "adopted") && remote.isActive(other.status?.runId);
        if (isOpen || isActive) broken.add(`${name}: started beside ${other.metadata.name}, ${state}`);
      }
    }
    return post(jobId, body);
  };
  return { retries, origins, copies, isAlone, succeeded: [] };
}

/** At each abort: somebody wants it, or the deadline is over in truth, whatever any clock says. */
function watchAborts({ cluster, remote, clock }: RunStory, broken: Set<string>): void {
  const firstSentMs = new Map<string, number>();
  const post = remote.post.bind(remote);
  remote.post = (jobId, body) => {
    const name = body.runtimeEnvironment?.OBJECT ?? "";
    if (!firstSentMs.has(name)) firstSentMs.set(name, clock.monotonic());
    return post(jobId, body);
  };
  const abort = remote.abort.bind(remote);
  remote.abort = (runId) => {
    const owner = cluster.list().find(({ status }) => status?.attempts?.some((attempt) => attempt.runId === runId));
    abort(runId);
    // Deleted meanwhile, or not written down yet.
    if (owner === undefined) return;
    const { spec, status, metadata } = owner;
    const isAdopted = status?.attempts?.some((attempt) => attempt.runId === runId && attempt.origin === "Adopted");
    if (isAdopted) broken.add(`${runId}, which ${metadata.name} adopted, was aborted`);
    const sentMs = firstSentMs.get(spec.runtimeEnvironment?.OBJECT ?? "");
    // Killed before anything was sent: a run of somebody else was taken for its own.
    if (sentMs === undefined) return;
    const activeMs = clock.monotonic() - sentMs;
    const isOverdue = activeMs >= (spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1_000 - 5_000;
    const isWanted = status?.abortRequestedTime !== undefined || metadata.deletionTimestamp !== undefined;
    if (!isOverdue && !isWanted) broken.add(`${runId} of ${metadata.name} was aborted after ${activeMs} ms`);
  };
}

/** Ends a process that turns in a circle, which no fake clock would. */
function countPasses(story: RunStory, broken: Set<string>): { readonly stop: () => void } {
  const { clock } = story;
  const monotonic = clock.monotonic;
  const asked = clock as { monotonic: () => number };
  asked.monotonic = () => {
    if (story.process.isAlive && story.process.passes > mostPasses) {
      story.process.kill();
      broken.add(`more than ${mostPasses} passes`);
    }
    return monotonic();
  };
  return {
    stop: () => {
      asked.monotonic = monotonic;
    },
  };
}

/** The clock of the machine is off for less than a process has to see for itself. */
function jump({ clock }: RunStory, pick: Pick): void {
  const byMs = pick(60, -60, 3) * minute;
  clock.jump(byMs);
  clock.setTimer(() => clock.jump(-byMs), pick(5_000, 50_000));
}

/** One thing that people, or the machine, do. */
function disturb(given: {
  readonly story: RunStory;
  readonly world: { isOpen: boolean };
  readonly random: () => number;
  readonly pick: Pick;
  readonly name: string;
  readonly step: number;
  readonly watch: Watch;
  /** Of an object that is made again. */
  readonly spec: Partial<NorthflankJobRun["spec"]>;
}): void {
  const { story, world, random, pick, name, step, watch } = given;
  const { cluster, remote } = story;
  if (random() < 0.1) story.restart();
  // Two that lead at once: nothing but the record keeps one object from being started by both.
  if (watch.isAlone && random() < 0.15) {
    const before = story.beside();
    watch.succeeded.push(before);
    story.clock.setTimer(() => before.kill(), pick(5_000, 40_000, 100_000));
  }
  if (random() < 0.1) remote.startForeign();
  if (random() < 0.15) jump(story, pick);
  if (random() < 0.15) world.isOpen = !world.isOpen;
  if (random() < 0.2) remote.results.push("FAILED");
  if (cluster.read(name) === undefined || random() < 0.4) return;
  const annotate = (key: string, value: string) => cluster.edit(name, { annotations: { [key]: value } });
  switch (
    pick(
      "abort",
      "suspend",
      "resume",
      "request",
      "retry",
      "fail",
      "run",
      "nonsense",
      "delete",
      "replace",
      "restore",
      "restore",
      "nothing",
    )
  ) {
    case "abort":
      cluster.edit(name, { spec: { abort: true } });
      // As a GitOps tool undoes it.
      story.clock.setTimer(() => {
        if (cluster.read(name) !== undefined) cluster.edit(name, { spec: { abort: false } });
      }, 20_000);
      return;
    case "suspend":
      cluster.edit(name, { spec: { suspend: true } });
      return;
    case "resume":
      cluster.edit(name, { spec: { suspend: false } });
      return;
    case "request":
      annotate(reconcileRequestedAt, String(step));
      return;
    case "retry":
      watch.retries.set(name, (watch.retries.get(name) ?? 0) + 1);
      annotate(resolveStart, `retry@${step}`);
      return;
    case "fail":
      annotate(resolveStart, `fail@${step}`);
      return;
    case "run":
      annotate(resolveStart, `run-${1 + Math.floor(random() * 4)}`);
      return;
    case "nonsense":
      annotate(resolveStart, `run ${step}`);
      return;
    case "delete":
      cluster.delete(`default/${name}`);
      return;
    case "restore": {
      const copy = cluster.read(name);
      if (copy === undefined) return;
      const { uid: before = "" } = copy.metadata;
      const { uid = "" } = cluster.recreate(copy).metadata;
      watch.origins.set(uid, watch.origins.get(before) ?? before);
      if (copy.metadata.annotations?.[startedRun] !== undefined) watch.copies.set(uid, watch.retries.get(name) ?? 0);
      return;
    }
    case "replace":
      // As GitOps tools replace what cannot be changed: deleted, and made again as soon as it is gone.
      cluster.delete(`default/${name}`);
      if (cluster.read(name) === undefined) cluster.create(name, given.spec);
      return;
  }
}

function claimedTwice(objects: readonly NorthflankJobRun[]): readonly string[] {
  const owners = new Map<string, string>();
  const twice: string[] = [];
  for (const { metadata, status } of objects) {
    for (const { runId } of status?.attempts ?? []) {
      const owner = owners.get(runId);
      if (owner !== undefined) twice.push(`${runId} belongs to ${owner} and ${metadata.name}`);
      owners.set(runId, metadata.name ?? "");
    }
  }
  return twice;
}

/** What has neither an end nor a name for what it waits for, or has not seen its present spec. */
function unfinished({ cluster }: RunStory): readonly string[] {
  const stalledOf = ({ status }: NorthflankJobRun) =>
    status?.conditions?.find(({ type }) => type === "Stalled")?.reason ?? "";
  const waitsForPerson = cluster.list().some((object) => stalledOf(object) === "StartOutcomeUnknown");
  return cluster.list().flatMap((object) => {
    const { metadata, status } = object;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    const isNamed =
      ["StartOutcomeUnknown", "RequestRejected"].includes(stalledOf(object)) ||
      (waitsForPerson && ready?.reason === "WaitingForConcurrency");
    const told: string[] = [];
    if (status?.completionTime === undefined && !isNamed) told.push(`ends as ${ready?.reason}: ${ready?.message}`);
    if (status?.observedGeneration !== metadata.generation) told.push("has not seen its spec");
    if (status?.abortRequestedTime === undefined && object.spec.abort) told.push("its abort is not recorded");
    return told.map((what) => `${metadata.name} ${what}`);
  });
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
