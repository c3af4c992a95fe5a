import type { NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";

/**
 * What an accepted token was accepted for: `token` alone, or the `account` that the call was about, with its team. A
 * missing permission shows that the token lives, and `GET /v1/auth` is asked without the team.
 */
export type AcceptedFor = "token" | "account";

/** The same API, with an ear on whether the token is accepted, so that no caller can forget to tell. */
export function listened(
  api: NorthflankApi,
  ear: { readonly accepted: (what: AcceptedFor) => void; readonly rejected: () => void },
): NorthflankApi {
  const hear = async <T>(
    call: Promise<T>,
    provesToken: (answer: T) => boolean = () => true,
    what: AcceptedFor = "account",
  ): Promise<T> => {
    try {
      const answer = await call;
      if (provesToken(answer)) ear.accepted(what);
      return answer;
    } catch (error) {
      if (isNorthflankError(error, "unauthorized")) ear.rejected();
      // A missing permission is judged after the token. Of no other refusal is that sure.
      if (isNorthflankError(error, "forbidden")) ear.accepted("token");
      throw error;
    }
  };
  // "Not there" may be said of a route, which is judged before the token.
  const isThere = (answer: object | undefined) => answer !== undefined;
  return {
    reserve: (count, requestClass) => api.reserve(count, requestClass),
    keyedHash: (text) => api.keyedHash(text),
    listServices: (name, options) => hear(api.listServices(name, options)),
    listJobs: (name, options) => hear(api.listJobs(name, options)),
    getService: (name, options) => hear(api.getService(name, options)),
    updateServiceDeployment: (name, body, options) => hear(api.updateServiceDeployment(name, body, options)),
    patchDeploymentService: (name, body, options) => hear(api.patchDeploymentService(name, body, options)),
    patchCombinedService: (name, body, options) => hear(api.patchCombinedService(name, body, options)),
    getJob: (name, options) => hear(api.getJob(name, options)),
    getJobSettings: (name, options) => hear(api.getJobSettings(name, options)),
    patchJob: (name, route, body, options) => hear(api.patchJob(name, route, body, options)),
    getJobDeployment: (name, options) => hear(api.getJobDeployment(name, options)),
    updateJobDeployment: (name, body, options) => hear(api.updateJobDeployment(name, body, options)),
    getBuild: (name, options) => hear(api.getBuild(name, options), isThere),
    listBuilds: (name, options) => hear(api.listBuilds(name, options), isThere),
    listRuns: (name, options) => hear(api.listRuns(name, options)),
    getRun: (name, options) => hear(api.getRun(name, options), isThere),
    abortRun: (name, options) => hear(api.abortRun(name, options), () => true, "token"),
    whoAmI: (options) => hear(api.whoAmI(options), isThere, "token"),
    async startRun(name, body, options) {
      const result = await api.startRun(name, body, options);
      if (result.kind === "accepted") ear.accepted("account");
      if (result.kind === "refused" && result.error.code === "unauthorized") ear.rejected();
      return result;
    },
  };
}
