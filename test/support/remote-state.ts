import type { Call } from "../../sandbox/http.ts";
import type { NorthflankSandbox } from "../../sandbox/northflank/server.ts";

const projects = ["shop", "backend"];

/** Everything that the operator could change at Northflank, as it is now. */
export function remoteState(northflank: NorthflankSandbox): object {
  return projects.map((project) => {
    const jobs = northflank.jobs(project);
    const runs = jobs.flatMap(({ id }) => northflank.runs(project, id));
    return { project, services: northflank.services(project), jobs, runs };
  });
}

/** Calls that may have changed something, in order. */
export function remoteWrites(northflank: NorthflankSandbox): readonly string[] {
  return northflank.calls.filter(isWrite).map(({ method, path }) => `${method} ${path}`);
}

function isWrite({ method }: Call): boolean {
  return method !== "GET";
}
