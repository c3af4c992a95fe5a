import type { Answer } from "../http.ts";
import { unknownRoute, wrongMethod } from "./api-problem.ts";
import type { Method, Route } from "./routes.ts";

/** A route that was found, with what its path names. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  /** Set on `/v1/teams/{team}/...` paths. */
  readonly team: string | undefined;
}

/** How a route that the vendor took away answers. */
export type RemovedAs = 404 | 405 | 410;

export interface Router {
  /** Finds the route; an `Answer` when there is none for this path or method. That is judged before the token. */
  find(method: string, path: string): Match | Answer;
  /** Takes a route away, as the vendor may do with deprecated ones. `undefined` brings it back. */
  remove(method: Method, path: string, as: RemovedAs | undefined): void;
}

export function createRouter(routes: readonly Route[]): Router {
  const removed = new Map<string, RemovedAs>();
  // Literal words win over parameters: `/services/deployment/x` is never the deployment of a service "deployment".
  const patterns = [...new Set(routes.map(({ path }) => path))]
    .map((path) => ({ words: path.split("/"), routes: routes.filter((route) => route.path === path) }))
    .sort((a, b) => literals(b.words) - literals(a.words));

  return {
    find: (method, path) => {
      const { words, team } = withoutTeam(path.split("/"));
      const hit = patterns.find((pattern) => matches(pattern.words, words));
      const here = (hit?.routes ?? []).filter(({ isScoped }) => isScoped || team === undefined);
      const left = here.filter((route) => ![404, 405].includes(removed.get(keyOf(route)) ?? 0));
      const route = left.find((candidate) => candidate.method === method);
      if (route !== undefined) {
        if (removed.get(keyOf(route)) === 410) return gone();
        return { route, params: paramsOf(route.path.split("/"), words), team };
      }
      const isGone = here.some((candidate) => candidate.method === method && removed.get(keyOf(candidate)) === 404);
      return left.length === 0 || isGone ? unknownRoute() : wrongMethod(left.map((other) => other.method));
    },
    remove: (method, path, as) => {
      const key = keyOf({ method, path });
      if (!routes.some((route) => keyOf(route) === key)) throw new Error(`no route ${key}`);
      if (as === undefined) removed.delete(key);
      else removed.set(key, as);
    },
  };
}

function gone(): Answer {
  return { status: 410, body: { error: { status: 410, message: "This endpoint has been removed" } } };
}

/** Names a route: `GET /v1/projects`. */
export function keyOf({ method, path }: { readonly method: Method; readonly path: string }): string {
  return `${method} ${path}`;
}

function literals(words: readonly string[]): number {
  return words.filter((word) => !word.startsWith("{")).length;
}

/** `/v1/teams/{team}/projects/...` means `/v1/projects/...` of that team. */
function withoutTeam(words: readonly string[]): {
  readonly words: readonly string[];
  readonly team: string | undefined;
} {
  const isTeam = words[1] === "v1" && words[2] === "teams" && words[3] !== "";
  if (!isTeam) return { words, team: undefined };
  return { words: ["", "v1", ...words.slice(4)], team: words[3] };
}

function matches(pattern: readonly string[], words: readonly string[]): boolean {
  if (pattern.length !== words.length) return false;
  return pattern.every((word, index) => (word.startsWith("{") ? words[index] !== "" : word === words[index]));
}

function paramsOf(pattern: readonly string[], words: readonly string[]): Record<string, string> {
  const named = pattern.flatMap((word, index) =>
    word.startsWith("{") ? [[word.slice(1, -1), words[index] ?? ""]] : [],
  );
  return Object.fromEntries(named);
}
