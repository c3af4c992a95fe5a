import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, NorthflankError } from "../../northflank/errors.ts";
import { unlessAborted } from "../../util/abort.ts";
import type { Clock } from "../../util/clock.ts";
import { TokenChecker, type TokenValidity } from "./token-check.ts";

/**
 * What an accepted token was accepted for: `token` alone, or the `account` that the call was about, with its team. A
 * missing permission shows that the token is valid, and `GET /v1/auth` is sent without the team.
 */
export type AcceptedFor = "token" | "account";

/** What is called with what the answers say of a token. */
export interface AuthTracker {
  readonly accepted: (what: AcceptedFor) => void;
  /** The token is invalid: a call got a bare 401, and so did `GET /v1/auth`. */
  readonly rejected: () => void;
  /** Whether the token is valid that a call got a bare 401 with. `isFresh`: it was `GET /v1/auth` itself. */
  readonly check: (options: { readonly isFresh: boolean }) => Promise<TokenValidity>;
}

/**
 * The same API; each answer is tracked for whether the token is accepted, so that no caller can forget to report it.
 *
 * A bare 401 speaks of the token only where `GET /v1/auth` confirms it:
 *
 *     answer of GET /v1/auth   what the caller gets
 *     401                      `unauthorized`: the token is invalid
 *     200                      the answer to the same call sent once more; `forbidden` where that gets a 401 too, and
 *                              for what is never sent twice
 *     429, 5xx, none           an error of that code: nothing is known of the token
 *
 * `who`: spends what is sent, where the client serves several.
 */
export function withAuthTracking(api: NorthflankApi, tracker: AuthTracker, who?: string): NorthflankApi {
  const spending = <O extends CallOptions>(options: O): O => (who === undefined ? options : { ...options, who });
  const track = async <T>(call: Promise<T>, { mayBeAbsent, accepts = "account" }: CallTraits): Promise<T> => {
    try {
      const answer = await call;
      if (mayBeAbsent !== true || answer !== undefined) tracker.accepted(accepts);
      return answer;
    } catch (error) {
      // A missing permission is checked after the token. Of no other refusal is that sure.
      if (isNorthflankError(error, "forbidden")) tracker.accepted("token");
      throw error;
    }
  };
  const check = async (isFresh: boolean, signal: AbortSignal): Promise<TokenValidity> => {
    const validity = await unlessAborted(tracker.check({ isFresh }), signal);
    if (validity.kind === "invalid") tracker.rejected();
    if (validity.kind === "valid") tracker.accepted("token");
    return validity;
  };
  /** The error of a bare 401; `undefined` where the token is valid. */
  const confirm = async (error: NorthflankError, signal: AbortSignal): Promise<NorthflankError | undefined> => {
    const validity = await check(false, signal);
    if (validity.kind === "valid") return undefined;
    return validity.kind === "invalid" ? error : undecided(error, validity.error);
  };
  const tracked = <K extends Call>(name: K, traits: CallTraits = {}): NorthflankApi[K] => {
    const call = async (...args: unknown[]): Promise<unknown> => {
      const options = args.pop() as CallOptions & { readonly isOnce?: boolean };
      const send = (sent: CallOptions) => (api as unknown as Record<Call, AnyCall>)[name](...args, spending(sent));
      try {
        return await track(send(options), traits);
      } catch (error) {
        if (!isNorthflankError(error, "unauthorized")) throw error;
        const problem = await confirm(error, options.signal);
        if (problem !== undefined) throw problem;
        if (traits.isOnce === true || options.isOnce === true) throw denied(error);
        return await track(send(unreserved(options)).catch(deniedIfUnauthorized), traits);
      }
    };
    return call as unknown as NorthflankApi[K];
  };
  return {
    reserve: (count, requestClass) => api.reserve(count, requestClass, who),
    keyedHash: (text) => api.keyedHash(text),
    listServices: tracked("listServices"),
    listJobs: tracked("listJobs"),
    getService: tracked("getService"),
    restartService: tracked("restartService", { isOnce: true }),
    updateServiceDeployment: tracked("updateServiceDeployment"),
    patchDeploymentService: tracked("patchDeploymentService"),
    patchCombinedService: tracked("patchCombinedService"),
    getJob: tracked("getJob"),
    getJobSettings: tracked("getJobSettings"),
    patchJob: tracked("patchJob"),
    getJobDeployment: tracked("getJobDeployment"),
    updateJobDeployment: tracked("updateJobDeployment", { isOnce: true }),
    getBuild: tracked("getBuild", { mayBeAbsent: true }),
    listBuilds: tracked("listBuilds", { mayBeAbsent: true }),
    listRuns: tracked("listRuns"),
    getRun: tracked("getRun", { mayBeAbsent: true }),
    abortRun: tracked("abortRun", { accepts: "token" }),
    listIntegrations: tracked("listIntegrations"),
    getIntegration: tracked("getIntegration", { mayBeAbsent: true }),
    createIntegration: tracked("createIntegration", { isOnce: true }),
    updateIntegration: tracked("updateIntegration"),
    // One that is gone counts as deleted: "not there" may be about the route, which is checked before the token.
    deleteIntegration: tracked("deleteIntegration", { accepts: "token" }),
    async whoAmI(options) {
      try {
        return await track(api.whoAmI(spending(options)), { mayBeAbsent: true, accepts: "token" });
      } catch (error) {
        if (!isNorthflankError(error, "unauthorized")) throw error;
        const validity = await check(true, options.signal);
        if (validity.kind !== "valid") throw validity.kind === "invalid" ? error : validity.error;
        if (validity.token === undefined) throw denied(error);
        return validity.token;
      }
    },
    async startRun(name, body, options) {
      const result = await api.startRun(name, body, spending(options));
      if (result.kind === "accepted") tracker.accepted("account");
      if (result.kind !== "refused") return result;
      if (result.error.code === "forbidden") tracker.accepted("token");
      if (result.error.code !== "unauthorized") return result;
      // The 401 proves that nothing was started; whatever the result of the check, that must reach the caller.
      const error = await confirm(result.error, options.signal).catch(() => undecided(result.error));
      return { kind: "refused", error: error ?? denied(result.error) };
    },
  };
}

/** The same API for a client that shares its token with no other. */
export function withTokenCheck(api: NorthflankApi, clock: Pick<Clock, "monotonic">): NorthflankApi {
  const checker = new TokenChecker(clock);
  let isInvalid = false;
  return withAuthTracking(api, {
    accepted: () => undefined,
    rejected: () => {
      isInvalid = true;
    },
    check: async (options) => (isInvalid ? { kind: "invalid" } : await checker.check(api, options)),
  });
}

type AnyCall = (...args: readonly unknown[]) => Promise<unknown>;

/** The methods that send a request. */
type Call = {
  [K in keyof NorthflankApi]: Parameters<NorthflankApi[K]> extends [...unknown[], CallOptions] ? K : never;
}[keyof NorthflankApi];

interface CallTraits {
  /** Never sent twice. Default: false, unless the options of the call say so. */
  readonly isOnce?: true;
  /** An answer "not there" may be about the route, which is checked before the token. Default: false. */
  readonly mayBeAbsent?: true;
  /** What an answer shows. Default: `account`. */
  readonly accepts?: AcceptedFor;
}

/** What was set aside is for the sequence: a call that is sent once more must not use up the next one. */
function unreserved({ reservation: _reservation, ...rest }: CallOptions): CallOptions {
  return rest;
}

function deniedIfUnauthorized(error: unknown): never {
  throw isNorthflankError(error, "unauthorized") ? denied(error) : error;
}

/** A 401 without a reason, for a valid token: it is about what was requested. */
function denied({ step, detail, httpStatus, fields, cause }: NorthflankError): NorthflankError {
  return new NorthflankError({
    code: "forbidden",
    denial: "unexplained",
    step,
    detail: `${detail}; GET /v1/auth accepts the token, so Northflank denied this call only`,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    fields,
    sent: true,
    cause,
  });
}

/** A 401 for a token that could not be checked: what prevented the check decides what follows. */
function undecided({ step, detail, httpStatus, fields }: NorthflankError, check?: NorthflankError): NorthflankError {
  const why = check === undefined ? "the check was given up" : check.detail;
  return new NorthflankError({
    code: check?.code ?? "interrupted",
    step,
    detail: `${detail}; whether the token is valid is unknown: GET /v1/auth: ${why}`,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(check?.retryAfterMs === undefined ? {} : { retryAfterMs: check.retryAfterMs }),
    fields,
    sent: true,
    cause: check,
  });
}
