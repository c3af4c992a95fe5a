import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, NorthflankError } from "../../northflank/errors.ts";
import { unlessAborted } from "../../util/abort.ts";
import type { Clock } from "../../util/clock.ts";
import { TokenJudge, type TokenJudgment } from "./token-check.ts";

/**
 * What an accepted token was accepted for: `token` alone, or the `account` that the call was about, with its team. A
 * missing permission shows that the token lives, and `GET /v1/auth` is asked without the team.
 */
export type AcceptedFor = "token" | "account";

/** What hears of tokens. */
export interface TokenEar {
  readonly accepted: (what: AcceptedFor) => void;
  /** The token is dead: a call got a bare 401, and so did `GET /v1/auth`. */
  readonly rejected: () => void;
  /** Whether the token lives that a call got a bare 401 with. `isFresh`: it was `GET /v1/auth` itself. */
  readonly judge: (options: { readonly isFresh: boolean }) => Promise<TokenJudgment>;
}

/**
 * The same API, with an ear on whether the token is accepted, so that no caller can forget to say so.
 *
 * A bare 401 speaks of the token only where `GET /v1/auth` confirms it:
 *
 *     answer of GET /v1/auth   what the caller gets
 *     401                      `unauthorized`: the token is dead
 *     200                      the answer to the same call sent once more; `forbidden` where that gets a 401 too, and for
 *                              what is never sent twice
 *     429, 5xx, none           an error of that code: nothing is known of the token
 */
export function listened(api: NorthflankApi, ear: TokenEar): NorthflankApi {
  const settle = async <T>(call: Promise<T>, { proves = () => true, what = "account" }: Proof<T>): Promise<T> => {
    try {
      const answer = await call;
      if (proves(answer)) ear.accepted(what);
      return answer;
    } catch (error) {
      // A missing permission is judged after the token. Of no other refusal is that sure.
      if (isNorthflankError(error, "forbidden")) ear.accepted("token");
      throw error;
    }
  };
  /** What a bare 401 comes to; `undefined` where the token lives. */
  const judged = async (error: NorthflankError, signal: AbortSignal): Promise<NorthflankError | undefined> => {
    const judgment = await unlessAborted(ear.judge({ isFresh: false }), signal);
    if (judgment.kind === "undecided") return undecided(error, judgment.error);
    if (judgment.kind === "dead") {
      ear.rejected();
      return error;
    }
    ear.accepted("token");
    return undefined;
  };
  /** A call that may be sent again. */
  const hear = async <T, O extends CallOptions>(
    options: O,
    send: (options: O) => Promise<T>,
    proof: Proof<T> = {},
  ): Promise<T> => {
    try {
      return await settle(send(options), proof);
    } catch (error) {
      if (!isNorthflankError(error, "unauthorized")) throw error;
      const problem = await judged(error, options.signal);
      if (problem !== undefined) throw problem;
      return await settle(send(unreserved(options)).catch(deniedIfUnauthorized), proof);
    }
  };
  /** A call that is never sent twice. */
  const hearOnce = async <T>(options: CallOptions, send: (options: CallOptions) => Promise<T>): Promise<T> => {
    try {
      return await settle(send(options), {});
    } catch (error) {
      if (!isNorthflankError(error, "unauthorized")) throw error;
      throw (await judged(error, options.signal)) ?? denied(error);
    }
  };
  return {
    reserve: (count, requestClass) => api.reserve(count, requestClass),
    keyedHash: (text) => api.keyedHash(text),
    listServices: (name, call) => hear(call, (options) => api.listServices(name, options)),
    listJobs: (name, call) => hear(call, (options) => api.listJobs(name, options)),
    getService: (name, call) => hear(call, (options) => api.getService(name, options)),
    restartService: (name, call) => hearOnce(call, (options) => api.restartService(name, options)),
    updateServiceDeployment: (name, body, call) => {
      const send = (options: typeof call) => api.updateServiceDeployment(name, body, options);
      return call.isOnce === true ? hearOnce(call, send) : hear(call, send);
    },
    patchDeploymentService: (name, body, call) =>
      hear(call, (options) => api.patchDeploymentService(name, body, options)),
    patchCombinedService: (name, body, call) => hear(call, (options) => api.patchCombinedService(name, body, options)),
    getJob: (name, call) => hear(call, (options) => api.getJob(name, options)),
    getJobSettings: (name, call) => hear(call, (options) => api.getJobSettings(name, options)),
    patchJob: (name, route, body, call) => hear(call, (options) => api.patchJob(name, route, body, options)),
    getJobDeployment: (name, call) => hear(call, (options) => api.getJobDeployment(name, options)),
    updateJobDeployment: (name, body, call) =>
      hearOnce(call, (options) => api.updateJobDeployment(name, body, options)),
    getBuild: (name, call) => hear(call, (options) => api.getBuild(name, options), isThere),
    listBuilds: (name, call) => hear(call, (options) => api.listBuilds(name, options), isThere),
    listRuns: (name, call) => hear(call, (options) => api.listRuns(name, options)),
    getRun: (name, call) => hear(call, (options) => api.getRun(name, options), isThere),
    abortRun: (name, call) => hear(call, (options) => api.abortRun(name, options), { what: "token" }),
    async whoAmI(call) {
      try {
        return await settle(api.whoAmI(call), { ...isThere, what: "token" });
      } catch (error) {
        if (!isNorthflankError(error, "unauthorized")) throw error;
        const judgment = await unlessAborted(ear.judge({ isFresh: true }), call.signal);
        if (judgment.kind === "undecided") throw judgment.error;
        if (judgment.kind === "dead") {
          ear.rejected();
          throw error;
        }
        ear.accepted("token");
        if (judgment.token === undefined) throw denied(error);
        return judgment.token;
      }
    },
    async startRun(name, body, options) {
      const result = await api.startRun(name, body, options);
      if (result.kind === "accepted") ear.accepted("account");
      if (result.kind !== "refused") return result;
      if (result.error.code === "forbidden") ear.accepted("token");
      if (result.error.code !== "unauthorized") return result;
      // The 401 proves that nothing was started; whatever becomes of the check, that must reach the caller.
      const error = await judged(result.error, options.signal).catch(() => undecided(result.error));
      return { kind: "refused", error: error ?? denied(result.error) };
    },
  };
}

/** The same API for a client that nobody else shares a token with. */
export function judgedApi(api: NorthflankApi, clock: Pick<Clock, "monotonic">): NorthflankApi {
  const judge = new TokenJudge(clock);
  let isDead = false;
  return listened(api, {
    accepted: () => undefined,
    rejected: () => {
      isDead = true;
    },
    judge: async (options) => (isDead ? { kind: "dead" } : await judge.judge(api, options)),
  });
}

/** What an answer says of the token. */
interface Proof<T> {
  readonly proves?: (answer: T) => boolean;
  readonly what?: AcceptedFor;
}

/** "Not there" may be said of a route, which is judged before the token. */
const isThere = { proves: (answer: object | undefined) => answer !== undefined } as const;

/** What was set aside is for the sequence: a call that is sent once more must not eat the one that is to follow. */
function unreserved<O extends CallOptions>(options: O): O {
  const { reservation: _reservation, ...rest } = options;
  return rest as O;
}

function deniedIfUnauthorized(error: unknown): never {
  throw isNorthflankError(error, "unauthorized") ? denied(error) : error;
}

/** A 401 without a reason, for a token that lives: it is about what was asked. */
function denied({ step, detail, httpStatus, fields, cause }: NorthflankError): NorthflankError {
  return new NorthflankError({
    code: "forbidden",
    denial: "unexplained",
    step,
    detail: `${detail}. GET /v1/auth accepts the token, so Northflank denied this call only`,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    fields,
    sent: true,
    cause,
  });
}

/** A 401, and no word on whether the token lives: what stood in the way of that word decides how it goes on. */
function undecided({ step, detail, httpStatus, fields }: NorthflankError, check?: NorthflankError): NorthflankError {
  const why = check === undefined ? "the check was given up" : check.detail;
  return new NorthflankError({
    code: check?.code ?? "interrupted",
    step,
    detail: `${detail}. Whether the token is valid is unknown: GET /v1/auth: ${why}`,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(check?.retryAfterMs === undefined ? {} : { retryAfterMs: check.retryAfterMs }),
    fields,
    sent: true,
    cause: check,
  });
}
