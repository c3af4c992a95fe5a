import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { Account } from "../account/accounts.ts";
import { type BuildQuery, type BuildSight, pickBuild, type SeenBuild, sightOf } from "./build-query.ts";

/**
 * Reads one declared build, with as few requests as there are: one for an id, one for most lists.
 *
 * *Errors*: `NorthflankError`, but not for what the token may not see: then Northflank itself decides on the change.
 */
export async function readBuild(options: {
  readonly account: Account;
  /** Project of the object that asks. */
  readonly projectId: string;
  readonly query: BuildQuery;
  readonly call: CallOptions;
}): Promise<SeenBuild> {
  const { query, projectId } = options;
  try {
    const sight = await sightFor(options);
    // A token that is limited to this project does not see another one, which Northflank may deploy from all the same.
    const isForeign = query.builder.projectId !== projectId;
    const isMissing = sight.kind === "no-builder" || (sight.kind === "none" && query.by.kind === "id");
    return { query, sight: isForeign && isMissing ? { kind: "unseen" } : sight };
  } catch (error) {
    if (isNorthflankError(error, "forbidden")) return { query, sight: { kind: "unseen" } };
    throw error;
  }
}

async function sightFor(options: Parameters<typeof readBuild>[0]): Promise<BuildSight> {
  const { account, query, call } = options;
  const { builder, by } = query;
  if (by.kind === "id") {
    const build = await account.api.getBuild({ ...builder, buildId: by.buildId }, call);
    return build === undefined ? { kind: "none" } : { kind: "found", build };
  }
  const list = await account.api.listBuilds(builder, {
    ...call,
    isEnough: (builds) => pickBuild(query, builds)?.outcome === "succeeded",
  });
  return sightOf(query, list);
}
