import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import type { Call } from "../../sandbox/http.ts";
import { type NorthflankOptions, type NorthflankSandbox, startNorthflank } from "../../sandbox/northflank/server.ts";
import { type LogLine, type OperatorProcess, startOperator } from "../../sandbox/operator-process.ts";
import {
  apiVersion,
  lastAppliedConfiguration,
  northflankConnections,
  northflankDeployments,
  northflankJobRuns,
  northflankJobs,
} from "../../src/api/names.ts";
import {
  type Condition,
  configMaps,
  events,
  type KubeObject,
  type ResourceType,
  secrets,
} from "../../src/kube/types.ts";
import { operatorProgram } from "./build-operator.ts";
import { type Cluster, clusterUnderTest, type OperatorCall } from "./cluster.ts";
import { brokenPromises } from "./kstatus.ts";
import { type ObjectHistory, recordHistory, type StoredObject } from "./object-history.ts";

export interface ScenarioOptions {
  /** Further flags of the operator; they win over those for all scenarios. */
  readonly flags?: readonly string[];
  readonly northflank?: NorthflankOptions;
  /** Further variables of the environment of the operator. */
  readonly env?: Readonly<Record<string, string>>;
  /** `none`: neither token Secret nor connection; `no-secret`: the connection alone. Default: both. */
  readonly connection?: "none" | "no-secret";
  /** False: the test starts the operator itself. Default: it is ready when the scenario is handed out. */
  readonly isStarted?: boolean;
  /** Default: the cluster that all scenarios of the file share. */
  readonly cluster?: Cluster;
}

/**
 * One namespace with a connection, one Northflank, one operator (or several) between them.
 *
 * Disposing of it ends every process and server, and throws if the operator broke a promise that holds everywhere: every
 * status it wrote reads rightly to kstatus and Argo CD, no secret value turns up in status, Events, log or metrics, and no
 * object was written, or cost requests, in a hot loop.
 */
export interface Scenario extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly northflank: NorthflankSandbox;
  /** The token in the Secret of the connection `default`. */
  readonly token: string;
  /** The one that was started last. */
  readonly operator: OperatorProcess;
  startOperator(flags?: readonly string[]): OperatorProcess;
  /** Ends the operator with SIGTERM and starts another one; resolves when that is ready. */
  restart(): Promise<void>;
  /** Applies an object as `kubectl apply --server-side` does. */
  apply(type: ResourceType, name: string, spec: object): Promise<Handle>;
  /** Creates an object as `kubectl apply --validate=false` does: what was sent is kept, also what the server drops. */
  create(type: ResourceType, name: string, spec: object): Promise<Handle>;
  deployment(name: string, spec: object): Promise<Handle>;
  job(name: string, spec: object): Promise<Handle>;
  jobRun(name: string, spec?: object): Promise<Handle>;
  /** Makes or replaces a Secret. Its values are from now on searched for wherever they must not be. */
  secret(name: string, values: Readonly<Record<string, string>>): Promise<void>;
  configMap(name: string, values: Readonly<Record<string, string>>): Promise<void>;
  /** A text that must not turn up in status, Events, log or metrics. */
  keepSecret(text: string): void;
  /** Calls to Northflank that may change something there. */
  changes(): readonly Call[];
  /** What the operator wrote to this namespace, but for its Lease. */
  writes(): Promise<readonly OperatorCall[]>;
  /** Resolves when nothing was called or written for so long. */
  quiet(forMs: number): Promise<void>;
  events(): Promise<readonly EventObject[]>;
  metrics(): Promise<string>;
  /** Of all operators of this scenario, in order of their start. */
  log(): readonly LogLine[];
  /** Asks again and again until `probe` is true. */
  until(what: string, probe: () => boolean | Promise<boolean>): Promise<void>;
}

export interface EventObject extends KubeObject {
  readonly reason: string;
  readonly type: string;
  readonly note?: string;
  readonly regarding?: { readonly kind: string; readonly name: string };
}

/** One object of the scenario. */
export interface Handle {
  readonly name: string;
  get(): Promise<StoredObject>;
  patch(spec: object): Promise<void>;
  annotate(annotations: Readonly<Record<string, string | null>>): Promise<void>;
  delete(): Promise<void>;
  /** As `kubectl wait --for=condition=...`: the condition is True (or as said), judged for the present generation. */
  reaches(
    condition: string,
    wanted?: { readonly status?: Condition["status"]; readonly reason?: string },
  ): Promise<StoredObject>;
  /** Waits until the newest version is as wanted. */
  becomes(what: string, isWanted: (object: StoredObject) => boolean): Promise<StoredObject>;
  /** Requests a reconcile and waits until the request is acknowledged. */
  reconcileNow(): Promise<StoredObject>;
  isGone(): Promise<void>;
  /** Every version so far. */
  versions(): readonly StoredObject[];
}

/** The condition of an object, if it has it. */
export function conditionOf(object: Pick<StoredObject, "status">, type: string): Condition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

/** Generous: the machine may be busy with everything else at the same time. */
const patienceMs = 100_000;

const flagsForAll = [
  "--rollout-poll-interval=150ms",
  "--run-poll-interval=150ms",
  "--start-gate=3s",
  "--start-settle=500ms",
  "--request-timeout=5s",
];

/**
 * Gives a test file its starter of scenarios. All of them share one cluster, which is started before the first test and
 * stopped after the last.
 */
export function scenarios(): (options?: ScenarioOptions) => Promise<Scenario> {
  let cluster: Cluster | undefined;
  const operators = new Set<OperatorProcess>();
  beforeAll(async () => {
    cluster = await clusterUnderTest();
  });
  afterAll(async () => {
    // A test that ran out of time has not disposed of its scenario.
    for (const operator of operators) await operator[Symbol.asyncDispose]();
    await cluster?.stop();
  });
  return (options = {}) => {
    const shared = options.cluster ?? cluster;
    if (shared === undefined) throw new Error("scenarios are started in tests");
    return startScenario(shared, options, (operator) => operators.add(operator));
  };
}

async function startScenario(
  cluster: Cluster,
  options: ScenarioOptions,
  onOperator: (operator: OperatorProcess) => void,
): Promise<Scenario> {
  const { client } = cluster;
  const ended = new AbortController();
  const startedMs = performance.now();
  const namespace = await cluster.freshNamespace();
  const northflank = await startNorthflank({ rolloutMs: 400, runMs: 400, ...options.northflank });
  const token = `nf-token-${randomBytes(12).toString("hex")}`;
  northflank.addToken(token);
  const histories = new Map<ResourceType, ObjectHistory>();
  for (const type of [northflankConnections, northflankDeployments, northflankJobs, northflankJobRuns]) {
    histories.set(type, await recordHistory(client, type, namespace, ended.signal));
  }
  const historyOf = (type: ResourceType): ObjectHistory => {
    const history = histories.get(type);
    if (history === undefined) throw new Error(`${type.plural} are not watched by the scenario`);
    return history;
  };
  const operators: OperatorProcess[] = [];
  const secretTexts = new Set<string>([token]);
  const named = <T extends object>(type: ResourceType, name: string, more: T) => ({
    apiVersion: type.group === "" ? type.version : apiVersion,
    kind: type.kind,
    metadata: { name, namespace },
    ...more,
  });
  const log = () => operators.flatMap((operator) => operator.log);

  const scenario: Scenario = {
    cluster,
    namespace,
    northflank,
    token,
    get operator() {
      const last = operators.at(-1);
      if (last === undefined) throw new Error("no operator was started yet");
      return last;
    },
    startOperator: (flags = []) => {
      const operator = startOperator({
        program: operatorProgram,
        kubeconfig: cluster.operatorKubeconfigPath,
        northflankUrl: northflank.url,
        ...(options.env && { env: options.env }),
        flags: withoutRepeats([
          `--watch-namespaces=${namespace}`,
          `--leader-elect-namespace=${namespace}`,
          ...flagsForAll,
          ...(options.flags ?? []),
          ...flags,
        ]),
      });
      operators.push(operator);
      onOperator(operator);
      return operator;
    },
    restart: async () => {
      await scenario.operator.stop();
      await scenario.startOperator().ready();
    },
    apply: async (type, name, spec) => {
      const stored = await client.apply<StoredObject>(type, named(type, name, { spec }), { fieldManager: "kubectl" });
      return createHandle({ scenario, type, name, stored, history: historyOf(type), explain });
    },
    create: async (type, name, spec) => {
      const { metadata, ...sent } = named(type, name, { spec });
      const annotations = { [lastAppliedConfiguration]: JSON.stringify({ ...sent, metadata }) };
      const body = { ...sent, metadata: { ...metadata, annotations } } as StoredObject;
      const stored = await client.create(type, body, { fieldManager: "kubectl-client-side-apply" });
      return createHandle({ scenario, type, name, stored, history: historyOf(type), explain });
    },
    deployment: (name, spec) => scenario.apply(northflankDeployments, name, spec),
    job: (name, spec) => scenario.apply(northflankJobs, name, { projectId: "shop", jobId: "migrate", ...spec }),
    jobRun: (name, spec = {}) =>
      scenario.apply(northflankJobRuns, name, { projectId: "shop", jobId: "migrate", ...spec }),
    secret: async (name, values) => {
      for (const value of Object.values(values)) secretTexts.add(value);
      await client.apply(secrets, named(secrets, name, { stringData: values }), { fieldManager: "kubectl" });
    },
    configMap: async (name, values) => {
      await client.apply(configMaps, named(configMaps, name, { data: values }), { fieldManager: "kubectl" });
    },
    keepSecret: (text) => secretTexts.add(text),
    changes: () => northflank.calls.filter(({ method }) => method !== "GET"),
    writes: async () => {
      const calls = await cluster.operatorCalls();
      return calls.filter(
        ({ verb, path }) => isWrite(verb) && path.includes(`/namespaces/${namespace}/`) && !path.includes("/leases"),
      );
    },
    quiet: async (forMs) => {
      const count = async () => northflank.calls.length + (await scenario.writes()).length;
      let before = await count();
      await scenario.until(`${forMs} ms of quiet`, async () => {
        await sleep(forMs);
        const now = await count();
        const isQuiet = now === before;
        before = now;
        return isQuiet;
      });
    },
    events: async () => (await client.list<EventObject>(events, { namespace })).items,
    metrics: async () => {
      const url = await scenario.operator.metricsUrl();
      return await (await fetch(`${url}/metrics`)).text();
    },
    log,
    until: async (what, probe) => {
      const deadlineMs = performance.now() + patienceMs;
      while (!(await probe())) {
        if (performance.now() > deadlineMs) throw new Error(`waited in vain for: ${what}\n${explain()}`);
        await sleep(50);
      }
    },
    [Symbol.asyncDispose]: async () => {
      const told = await toldByOperator();
      const loops = await hotLoops();
      for (const operator of operators) await operator[Symbol.asyncDispose]();
      ended.abort(new Error("the scenario is over"));
      await northflank.stop();
      const broken = [...brokenStatuses(histories.values()), ...leaks(told, secretTexts), ...loops];
      if (broken.length > 0) throw new Error(`the operator broke its promises:\n${broken.join("\n")}`);
    },
  };

  /** Everything that people and other programs can read of the operator. */
  async function toldByOperator(): Promise<ReadonlyMap<string, string>> {
    const statuses = [...histories.values()].flatMap((history) => history.all().map(({ status }) => status));
    const isAlive = operators.length > 0 && (await isRunning(scenario.operator));
    return new Map([
      ["status", JSON.stringify(statuses)],
      ["Events", JSON.stringify(await scenario.events())],
      ["the log", JSON.stringify(log())],
      ["the metrics", isAlive ? await scenario.metrics() : ""],
    ]);
  }

  /** Objects that were written more often than any test has a reason for, and requests to Northflank beyond that. */
  async function hotLoops(): Promise<readonly string[]> {
    const seconds = (performance.now() - startedMs) / 1_000;
    const most = (objects: number) => objects * (60 + 10 * seconds);
    const objects = [...histories.values()].flatMap((history) => history.all());
    const names = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    const writes = new Map<string, number>();
    for (const { path } of await scenario.writes()) {
      const object = path.replace(/\/status$/, "");
      if (!object.includes("/events")) writes.set(object, (writes.get(object) ?? 0) + 1);
    }
    const written = [...writes].filter(([, count]) => count > most(1));
    return [
      ...written.map(([object, count]) => `  ${object} was written ${count} times in ${seconds.toFixed(1)} s`),
      ...(northflank.calls.length > most(names.size) ? [`  ${northflank.calls.length} requests to Northflank`] : []),
    ];
  }

  /** What happened, for the message of a failed wait. */
  function explain(): string {
    const calls = northflank.calls.slice(-12).map(({ method, path, status }) => `  ${method} ${path} -> ${status}`);
    const lines = log().slice(-12);
    return [
      "last calls to Northflank:",
      ...calls,
      "end of the operator's log:",
      ...lines.map((line) => `  ${JSON.stringify(line)}`),
    ].join("\n");
  }

  try {
    if (options.connection !== "none") {
      if (options.connection !== "no-secret") await scenario.secret("nf-token", { token });
      const spec = { tokenSecretRef: { name: "nf-token" }, apiURL: northflank.url };
      await scenario.apply(northflankConnections, "default", spec);
    }
    if (options.isStarted ?? true) await scenario.startOperator().ready();
    return scenario;
  } catch (error) {
    await scenario[Symbol.asyncDispose]();
    throw error;
  }
}

function createHandle(given: {
  readonly scenario: Scenario;
  readonly type: ResourceType;
  readonly name: string;
  readonly stored: StoredObject;
  readonly history: ObjectHistory;
  readonly explain: () => string;
}): Handle {
  const { scenario, type, name, history } = given;
  const { client } = scenario.cluster;
  const at = { namespace: scenario.namespace, name };
  // Only what is at least as new as our own last write counts: before that, a wait would see the past.
  let since = given.stored.metadata.resourceVersion;
  let requests = 0;
  const wrote = ({ metadata }: KubeObject) => {
    since = metadata.resourceVersion;
  };
  const changed = (what: string, isReached: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        stop();
        end();
      };
      const check = () => {
        if (isReached()) settle(resolve);
      };
      const timer = setTimeout(() => {
        const status = JSON.stringify(history.latest(name)?.status, undefined, 1);
        const message = `${type.kind} ${name} never ${what}; its status: ${status}\n${given.explain()}`;
        settle(() => reject(new Error(message)));
      }, patienceMs);
      const stop = history.listen(check);
      check();
    });

  const handle: Handle = {
    name,
    get: () => client.get<StoredObject>(type, at),
    patch: async (spec) => wrote(await client.patch(type, at, { kind: "merge", body: { spec } })),
    annotate: async (annotations) =>
      wrote(await client.patch(type, at, { kind: "merge", body: { metadata: { annotations } } })),
    delete: () => client.delete(type, at),
    reaches: (condition, { status = "True", reason } = {}) =>
      handle.becomes(`reached ${condition}=${status}${reason === undefined ? "" : ` (${reason})`}`, (object) => {
        if (object.status?.observedGeneration !== object.metadata.generation) return false;
        const found = conditionOf(object, condition);
        return found?.status === status && (reason === undefined || found.reason === reason);
      }),
    becomes: async (what, isWanted) => {
      let wanted: StoredObject | undefined;
      await changed(what, () => {
        const newest = history.latest(name, since);
        if (newest !== undefined && isWanted(newest)) wanted = newest;
        return wanted !== undefined;
      });
      if (wanted === undefined) throw new Error("a wait ended without an object");
      return wanted;
    },
    reconcileNow: async () => {
      const request = `request ${++requests} of ${name}`;
      await handle.annotate({ "northflank-operator.io/reconcile-requested-at": request });
      return handle.becomes(`acknowledged ${request}`, ({ status }) => status?.lastHandledReconcileAt === request);
    },
    isGone: () => changed("went away", () => history.isDeleted(name)),
    versions: () => history.versionsOf(name),
  };
  return handle;
}

/** The last value of a flag wins; the operator itself refuses to be told twice. */
function withoutRepeats(flags: readonly string[]): readonly string[] {
  return [...new Map(flags.map((flag) => [flag.split("=")[0] ?? flag, flag])).values()];
}

function isWrite(verb: string): boolean {
  return ["create", "update", "patch", "delete"].includes(verb);
}

async function isRunning(operator: OperatorProcess): Promise<boolean> {
  return (await Promise.race([operator.exited, Promise.resolve("running")])) === "running";
}

/** States that a status shows of an older generation are the server's doing; all others are the operator's. */
function brokenStatuses(histories: Iterable<ObjectHistory>): readonly string[] {
  const written = [...histories]
    .flatMap((history) => history.all())
    .filter(
      ({ metadata, status }) => status?.conditions !== undefined && status.observedGeneration === metadata.generation,
    );
  return written.flatMap((object) =>
    brokenPromises(object).map(
      (promise) => `  ${object.kind} ${object.metadata.name}: ${promise}: ${JSON.stringify(object.status)}`,
    ),
  );
}

function leaks(told: ReadonlyMap<string, string>, secretTexts: ReadonlySet<string>): readonly string[] {
  return [...told].flatMap(([place, text]) =>
    [...secretTexts].filter((secret) => text.includes(secret)).map((secret) => `  "${secret}" turned up in ${place}`),
  );
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
