import { describe, expect, test } from "vitest";
import type { Call, Fault } from "../../sandbox/http.ts";
import type { OperatorProcess } from "../../sandbox/operator-process.ts";
import { inTurns } from "../support/in-turns.ts";
import { conditionOf, type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

/*
 * The operator is killed (SIGKILL) at every external call that a run makes from its creation to its end: every request
 * to Northflank, and every request to Kubernetes about the run. Then a new operator takes over.
 *
 *   before: killed as the call arrives; it is never carried out
 *   after:  killed when it is carried out and not answered yet
 *   late:   killed as the call arrives; it is carried out when the next operator is at work (writes only)
 *
 * The calls are not written down here: an undisturbed run is recorded first, and each of its calls is a place to die at.
 */
const sides = ["before", "after", "late"] as const;
type Side = (typeof sides)[number];
type Guarantee = "AtMostOnce" | "AtLeastOnce";

interface Flow {
  readonly title: string;
  readonly guarantee: Guarantee;
  readonly spec?: object;
  /** What goes wrong with the first POST, with nobody killed: the recovery is what is cut off then. */
  readonly firstPost?: Fault["kind"];
  /** The part that is cut off, where the calls outside are those of another flow. */
  readonly after?: string;
  readonly until?: string;
}

const recorded = "PUT northflankjobruns/status 1";
const answered = "PUT northflankjobruns/status 2";
const posted = "POST runs 1";

const flows: readonly Flow[] = [
  { title: "a run", guarantee: "AtMostOnce" },
  { title: "a start", guarantee: "AtLeastOnce", after: "GET northflankjobruns 1", until: answered },
  {
    title: "a run with a finalizer and values from a Secret",
    guarantee: "AtMostOnce",
    spec: {
      deletionPolicy: "Abort",
      runtimeEnvironmentFrom: [{ name: "DATABASE_URL", secretKeyRef: { name: "db", key: "url" } }],
    },
  },
  { title: "a start whose answer was lost", guarantee: "AtMostOnce", firstPost: "reset-after", after: posted },
  { title: "a start that never arrived", guarantee: "AtMostOnce", firstPost: "reset-before", after: posted },
  { title: "a start that never arrived", guarantee: "AtLeastOnce", firstPost: "reset-before", after: posted },
];

interface Case {
  readonly flow: Flow;
  /** `PUT northflankjobruns/status 2`: the second such call since the object was created. */
  readonly position: string;
  readonly side: Side;
}

// As short as the protocol may be on a busy machine: a call that takes longer is one more lost answer, which is survived.
const flags = [
  "--leader-elect=false",
  "--start-gate=1s",
  "--request-timeout=1s",
  "--start-settle=300ms",
  "--run-poll-interval=100ms",
];

const startScenario = scenarios();
const isReal = process.env.TEST_CLUSTER === "real";

describe.skipIf(isReal)("an operator that is killed while it starts a run", () => {
  const title = "never starts it twice, and the object always comes to an end or says what it waits for";
  test(title, { timeout: 600_000 }, async () => {
    const cases: Case[] = [];
    await inTurns(3, flows, async (flow) => {
      for (const position of await positionsOf(flow)) {
        for (const side of sidesOf(position)) cases.push({ flow, position, side });
      }
    });
    const problems: string[] = [];
    const missed: string[] = [];
    await inTurns(8, cases, async (one) => {
      const outcome = await play(one).catch((error: unknown) => [String(error)]);
      if (outcome === "missed") missed.push(describeCase(one));
      else problems.push(...outcome.map((problem) => `${describeCase(one)}: ${problem}`));
    });
    process.stdout.write(`killed the operator in ${cases.length - missed.length} cases\n`);
    expect(problems).toEqual([]);
    // How often a list is read while a start settles depends on the clock; what is written does not.
    expect(missed.filter((one) => !one.includes("GET runs"))).toEqual([]);
    expect(missed.length).toBeLessThan(0.1 * cases.length);
    for (const position of [recorded, posted, answered]) {
      const struck = cases.filter((one) => one.position === position).map(({ side }) => side);
      expect(struck).toEqual(expect.arrayContaining([...sides]));
    }
  });
});

/** A read has no effect that could come late, and nothing depends on an Event. */
function sidesOf(position: string): readonly Side[] {
  return /^GET | events /.test(position) ? ["before", "after"] : sides;
}

function describeCase({ flow, position, side }: Case): string {
  return `${flow.title}, ${flow.guarantee}, ${side} ${position}`;
}

/** The calls of an undisturbed run, in order. */
async function positionsOf(flow: Flow): Promise<readonly string[]> {
  await using scenario = await startScenario({ flags: [...flags, "--start-gate=2s", "--request-timeout=2s"] });
  const positions: string[] = [];
  const stop = watchCalls(scenario, flow, (position) => {
    positions.push(position);
    return undefined;
  });
  const run = await createRun(scenario, flow);
  await run.becomes("came to an end", isOver);
  await scenario.quiet(1_000);
  stop();
  const from = flow.after === undefined ? 0 : indexIn(positions, flow.after) + 1;
  const to = flow.until === undefined ? positions.length : indexIn(positions, flow.until) + 1;
  return positions.slice(from, to);
}

function indexIn(positions: readonly string[], position: string): number {
  const index = positions.indexOf(position);
  if (index < 0) throw new Error(`${position} was not called, only ${positions.join(", ")}`);
  return index;
}

/** What went wrong; empty when all promises were kept. `missed`: the operator never made this call. */
async function play({ flow, position, side }: Case): Promise<readonly string[] | "missed"> {
  await using scenario = await startScenario({ flags });
  const { northflank } = scenario;
  const victim = scenario.operator;
  let takesOver: (next: OperatorProcess) => void;
  const successor = new Promise<OperatorProcess>((resolve) => {
    takesOver = resolve;
  });
  const kill = async () => {
    victim.signal("SIGKILL");
    await victim.exited;
    takesOver(scenario.startOperator());
  };
  const stop = watchCalls(scenario, flow, (at) => (at === position ? strike(side, kill) : undefined));
  const run = await createRun(scenario, flow);
  const next = await Promise.race([successor, missedBy(run)]);
  if (next === "missed") return next;
  await next.ready();
  await run.becomes("came to an end", isOver);
  // The operator that took over has read the object as it is at the end, too.
  await run.reconcileNow();
  const last = await run.becomes("came to an end", isOver);
  stop();

  const started = conditionOf(last, "Started");
  const count = northflank.runs("shop", "migrate").length;
  const problems: string[] = [];
  if (count > 1 && flow.guarantee === "AtMostOnce") problems.push(`${count} runs`);
  if (count > 1 && started?.reason !== "DuplicateRun") problems.push(`${count} runs, and it says ${started?.reason}`);
  if (flow.guarantee === "AtLeastOnce" && last.status?.completionTime === undefined) problems.push("it did not run");
  return problems;
}

function strike(side: Side, kill: () => Promise<void>): Fault {
  switch (side) {
    case "before":
      return { kind: "reset-before", before: kill };
    case "after":
      return { kind: "reset-after", after: kill };
    case "late":
      return { kind: "delay", delayMs: 700, before: kill };
  }
}

/** The object is over and nothing is called any more, but the call in question was not made. */
async function missedBy(run: Handle): Promise<"missed"> {
  await run.becomes("came to an end", isOver);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  return "missed";
}

function isOver({ status }: { readonly status?: Parameters<typeof conditionOf>[0]["status"] }): boolean {
  if (status?.completionTime !== undefined) return true;
  return conditionOf(status === undefined ? {} : { status }, "Stalled")?.reason === "StartOutcomeUnknown";
}

async function createRun(scenario: Scenario, flow: Flow): Promise<Handle> {
  // A run ends at the second read of it, however long that takes.
  scenario.northflank.hangNextRun("shop", "migrate");
  await scenario.secret("db", { url: "postgres://canary-in-a-secret" });
  return await scenario.jobRun("once", { startGuarantee: flow.guarantee, ...flow.spec });
}

/** Tells `decide` of each call about the run, with its name and number. Returns how to stop. */
function watchCalls(scenario: Scenario, flow: Flow, decide: (position: string) => Fault | undefined): () => void {
  const { cluster, northflank, namespace } = scenario;
  const { sandbox } = cluster;
  if (sandbox === undefined) throw new Error("only the sandbox can be told to fail");
  const counts = new Map<string, number>();
  let reads = 0;
  const position = (name: string) => {
    const number = (counts.get(name) ?? 0) + 1;
    counts.set(name, number);
    return `${name} ${number}`;
  };
  northflank.fault = (call) => {
    const name = nameOfRemote(call);
    if (name === undefined) return undefined;
    const active = northflank.runs("shop", "migrate").filter(({ concluded }) => !concluded);
    // Followed by its id, or in the list where a duplicate may turn up.
    if (call.method === "GET" && active.length > 0 && ++reads >= 2) {
      for (const { id } of active) northflank.finishRun(id, "SUCCESS");
    }
    const at = position(name);
    const fault = decide(at);
    if (fault !== undefined) return fault;
    return at === "POST runs 1" && flow.firstPost !== undefined ? { kind: flow.firstPost } : undefined;
  };
  faultsByNamespace.set(namespace, (call) => {
    const name = nameOfKubernetes(call, namespace);
    return name === undefined ? undefined : decide(position(name));
  });
  sandbox.fault = (call) => {
    const [, namespace = ""] = /\/namespaces\/([^/]+)\//.exec(call.path) ?? [];
    return faultsByNamespace.get(namespace)?.(call);
  };
  return () => {
    northflank.fault = undefined;
    faultsByNamespace.delete(namespace);
  };
}

/** All cases share one Kubernetes API. */
const faultsByNamespace = new Map<string, (call: Call) => Fault | undefined>();

function nameOfRemote({ method, path }: Call): string | undefined {
  if (!path.includes("/jobs/migrate/runs")) return undefined;
  return `${method} ${path.endsWith("/runs") ? "runs" : "run"}`;
}

/** Calls of the operator about the run: reads and writes of the object, what it refers to, Events. */
function nameOfKubernetes({ method, path, body, headers }: Call, namespace: string): string | undefined {
  if (headers.authorization !== "Bearer operator") return undefined;
  const rest = path.split(`/namespaces/${namespace}/`)[1] ?? "";
  if (rest === "events" || rest.startsWith("events/")) {
    return body.includes("NorthflankJobRun") ? `${method} events` : undefined;
  }
  if (rest === "northflankjobruns/once") return `${method} northflankjobruns`;
  if (rest === "northflankjobruns/once/status") return `${method} northflankjobruns/status`;
  return rest === "secrets/db" ? `${method} secrets` : undefined;
}
