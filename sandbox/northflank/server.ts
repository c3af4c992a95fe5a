import { randomUUID } from "node:crypto";
import { type Answer, type Call, type SandboxServer, startSandboxServer } from "../http.ts";
import { ApiProblem, problemAnswer } from "./api-problem.ts";
import { controlAnswer, controlPath } from "./control-api.ts";
import { type AccountControls, addAccount, controlsOf } from "./controls.ts";
import type { Account, Token } from "./model.ts";
import { followChanges } from "./notifications.ts";
import { checkAllowed } from "./permissions.ts";
import { spend } from "./quota.ts";
import { bodyProblems } from "./request-bodies.ts";
import { createRouter, type Match, type RemovedAs } from "./router.ts";
import { type Method, routes } from "./routes.ts";
import { createWorld, type SandboxSettings, type World } from "./state.ts";

export interface NorthflankOptions extends Partial<SandboxSettings> {
  /** Default: any free port. */
  readonly port?: number;
  /** The API's clock, in milliseconds since the epoch. Default: the real one. Its `Date` header follows it. */
  readonly now?: () => number;
  /** Quota of the default account. Default 1,000. */
  readonly limitPerHour?: number;
  /** Makes ids repeat from start to start. Default: new ones each time. */
  readonly seed?: string;
}

/** The in-memory Northflank API, and the hands behind it. Controls without an account mean the default one. */
export interface NorthflankModel extends AccountControls {
  /** Answers a call at once, as at the time of `now`: latency, faults and the log of calls belong to the server. */
  answer(call: Call): Answer;
  /** What may be changed while it runs: durations, the form of answers, latency. */
  readonly settings: SandboxSettings;
  /** The controls of an account. */
  account(name: string): AccountControls;
  /** Adds an account with its own tokens, quota and projects. */
  addAccount(options: AccountOptions): AccountControls;
  /** Takes a route away as the vendor may do with deprecated ones; `undefined` brings it back. */
  removeRoute(method: Method, path: string, as: RemovedAs | undefined): void;
  /** Sends notification integrations no more, once deliveries under way are over. */
  stopDeliveries(): Promise<void>;
}

/** The same over real HTTP. */
export interface NorthflankSandbox extends SandboxServer, NorthflankModel {}

export interface AccountOptions {
  readonly name: string;
  readonly tokens: readonly string[];
  /** Teams whose `/v1/teams/{team}` paths lead to this account. Default: its name. */
  readonly teams?: readonly string[];
  readonly limitPerHour?: number;
}

export const defaultAccountName = "acme";
export const defaultToken = "sandbox-token";

/**
 * Starts it. There is one account, `acme`, with the token `sandbox-token` and the project `shop`: services `api` and
 * `web` (external images), `storefront` (combined) and `builder` (build), jobs `migrate` (manual) and `report` (cron). And
 * the project `backend`: services `worker`, `checkout` and `queue` (external images) and `builder` (build),
 * job `reindex` (manual).
 */
export async function startNorthflank(options: NorthflankOptions = {}): Promise<NorthflankSandbox> {
  const { port, ...api } = options;
  const { now = Date.now } = api;
  const model = createNorthflank(api);
  const { settings } = model;
  const judge = (call: Call): Answer =>
    `${call.path}/`.startsWith(`${controlPath}/`) ? controlAnswer(model, call, defaultAccountName) : model.answer(call);
  const server = await startSandboxServer({
    ...(port !== undefined && { port }),
    problem: (error) => problemAnswer(new ApiProblem(500, error instanceof Error ? error.message : String(error))),
    handle: async (call) => {
      if (settings.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, settings.latencyMs));
      const { headers, ...rest } = judge(call);
      return { ...rest, headers: { date: new Date(now()).toUTCString(), ...headers } };
    },
  });
  const { stop } = server;
  const sandbox = Object.assign(server, model, {
    stop: async () => {
      await model.stopDeliveries();
      await stop();
    },
  });
  populate(sandbox);
  return sandbox;
}

/** Makes the API without a server: one account, `acme`, with the token `sandbox-token` and no project. */
export function createNorthflank(options: Omit<NorthflankOptions, "port"> = {}): NorthflankModel {
  const { now = Date.now, limitPerHour = 1_000, seed = randomUUID(), ...changed } = options;
  const settings: SandboxSettings = { ...defaults(options.rolloutMs ?? 3_000), ...changed };
  const world = createWorld({ now, settings, seed });
  const router = createRouter(routes);
  addAccount(world, { name: defaultAccountName, tokens: [defaultToken], limitPerHour });

  const account = (name: string) => controlsOf(world, accountNamed(world, name));
  const deliveries = followAccounts(world);
  return {
    ...account(defaultAccountName),
    settings,
    account,
    addAccount: (added) => controlsOf(world, addAccount(world, added)),
    removeRoute: router.remove,
    stopDeliveries: deliveries.stop,
    answer: (call) => {
      const match = router.find(call.method, call.path);
      if ("status" in match) return match;
      if (match.route.path === "/v1/auth" && !settings.hasAuthRoute)
        return problemAnswer(new ApiProblem(404, "Not Found"));
      return answer({ world, call, match });
    },
  };
}

/** Sends what changes in an account to its integrations, from the first one on. */
function followAccounts(world: World): { stop(): Promise<void> } {
  const followed = new Map<Account, { stop(): Promise<void> }>();
  const follow = (account: Account): void => {
    const controls = controlsOf(world, account);
    const following = followChanges({
      account: controls,
      projects: () => [...account.projects.keys()],
      modes: () => world.settings.deliveries,
      take: async ({ projectId, event, data }, eventId) => {
        const { hasPrefix } = world.settings.deliveries;
        const wanted = [...account.integrations.values()].filter(
          ({ isFollowed, restricted, projects, events }) =>
            isFollowed && events[`trigger:${event}`] === true && (!restricted || projects.includes(projectId)),
        );
        await Promise.all(wanted.map(({ id }) => controls.deliver(id, event, data, { eventId, hasPrefix })));
      },
    });
    followed.set(account, following);
  };
  world.integrationAdded = () => {
    for (const account of world.accounts.values()) {
      const isWanted = [...account.integrations.values()].some(({ isFollowed }) => isFollowed);
      if (isWanted && !followed.has(account)) follow(account);
    }
  };
  return {
    stop: async () => {
      world.integrationAdded = () => undefined;
      await Promise.all([...followed.values()].map((following) => following.stop()));
    },
  };
}

function defaults(rolloutMs: number): SandboxSettings {
  return {
    rolloutMs,
    rolloutLagMs: Math.min(150, rolloutMs / 10),
    runMs: 2_000,
    buildMs: 2_000,
    runListLagMs: 0,
    serviceForm: "B",
    tellsImageUrl: undefined,
    pauseSign: undefined,
    updateResumes: false,
    dockerBesideImage: "reset",
    tellsRunOnSourceChange: false,
    hasAuthRoute: true,
    sendsRetryAfter: false,
    latencyMs: 0,
    deliveries: { hasPrefix: false, lateMs: 0, times: 1, isOutOfOrder: false },
  };
}

function accountNamed(world: World, name: string): Account {
  const account = world.accounts.get(name);
  if (account === undefined) throw new Error(`no account ${name}`);
  return account;
}

/** Token, quota, permission, body, resource: in this order. */
function answer(context: { readonly world: World; readonly call: Call; readonly match: Match }): Answer {
  const { world, call, match } = context;
  const bearer = /^Bearer (\S+)$/.exec(call.headers.authorization ?? "")?.[1];
  const known = bearer === undefined ? undefined : holderOf(world, bearer);
  if (known === undefined) return problemAnswer(unauthorized());
  const { account, token } = known;
  const quota = spend(account, world.now());
  const headers = {
    ...quota.headers,
    ...(quota.isSpent && world.settings.sendsRetryAfter && retryAfter(quota.headers)),
  };
  if (quota.isSpent) return { ...problemAnswer(new ApiProblem(429, "Too many requests")), headers };
  try {
    if (account.strayRejections > 0 && match.route.path !== "/v1/auth") {
      account.strayRejections--;
      throw unauthorized();
    }
    checkAllowed(account, token, match);
    if (match.team !== undefined && !account.teams.has(match.team)) throw new ApiProblem(404, "Team not found");
    const body = bodyOf(call, match);
    return { ...match.route.handle({ world, account, params: match.params, call, body, token }), headers };
  } catch (error) {
    if (error instanceof ApiProblem) return { ...problemAnswer(error), headers };
    throw error;
  }
}

/** A bare 401: it does not say whether the token is the cause. */
function unauthorized(): ApiProblem {
  return new ApiProblem(401, "Unauthorized");
}

function holderOf(world: World, bearer: string): { readonly account: Account; readonly token: Token } | undefined {
  for (const account of world.accounts.values()) {
    const token = account.tokens.get(bearer);
    if (token === undefined) continue;
    return token.expiresAtMs !== undefined && token.expiresAtMs <= world.now() ? undefined : { account, token };
  }
  return undefined;
}

function retryAfter(headers: Readonly<Record<string, string>>): Record<string, string> {
  return { "retry-after": headers["x-ratelimit-reset"] ?? "1" };
}

function bodyOf(call: Call, { route }: Match): Readonly<Record<string, unknown>> {
  if (route.schema === undefined) return {};
  const refuse = (details: object) =>
    new ApiProblem(400, "The request body is invalid", { id: "nf-invalid-request-body", details });
  if (!(call.headers["content-type"] ?? "").startsWith("application/json")) throw refuse({ body: ["must be JSON"] });
  const body = parse(call.body);
  if (body === undefined) throw refuse({ body: ["must be JSON"] });
  const problems = bodyProblems(route.schema, body);
  if (problems !== undefined) throw refuse(problems);
  return body as Readonly<Record<string, unknown>>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function populate(sandbox: AccountControls): void {
  sandbox.addProject("shop");
  sandbox.addService("shop", { id: "api", image: "ghcr.io/acme/api:1.4.1" });
  sandbox.addService("shop", { id: "web", image: "ghcr.io/acme/web:2.0.0", instances: 2 });
  sandbox.addService("shop", { id: "storefront", serviceType: "combined" });
  sandbox.addService("shop", { id: "builder", serviceType: "build" });
  sandbox.addBuild("shop", "builder", { sha: "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5", branch: "main" });
  sandbox.addJob("shop", { id: "migrate", image: "ghcr.io/acme/migrate:1.4.1" });
  sandbox.addJob("shop", { id: "report", image: "ghcr.io/acme/report:2.0.0", schedule: "0 3 * * *" });
  sandbox.addProject("backend");
  sandbox.addService("backend", { id: "builder", serviceType: "build" });
  sandbox.addBuild("backend", "builder", { sha: "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5", branch: "main" });
  sandbox.addService("backend", { id: "worker", image: "ghcr.io/acme/worker:1.0.0" });
  sandbox.addService("backend", { id: "checkout", image: "ghcr.io/acme/checkout:3.0.0" });
  sandbox.addService("backend", { id: "queue", image: "ghcr.io/acme/queue:1.0.0" });
  sandbox.addJob("backend", { id: "reindex", image: "ghcr.io/acme/reindex:1.0.0" });
}
