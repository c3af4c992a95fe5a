// pure
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { WorkGroup, WorkQueueGroups } from "../../runtime/work-queue.ts";
import { connectionKeys } from "../reconcile/predicates.ts";

/** An object about something in a project of an account. */
export type ProjectObject = Parameters<typeof connectionKeys>[0] & { readonly spec: { readonly projectId: string } };

// Users can write any number of names into specs.
const mostMade = 1_000;

/**
 * What hangs, hangs for a project, for a connection, for all connections of a namespace, or for all. Each may have a
 * part of what the next one has left, so one that hangs gets many places and many that hang get few each, but whoever
 * comes next always finds one: of a project as many as there are workers at most, and two thirds of what its connection
 * has left; of a connection four times as many, and an eighth of what its namespace has left; of a namespace as many as
 * are left.
 *
 * *Guarantees*: projects that hang leave a place to the other projects of their connection, connections to the other
 * ones, namespaces to the other ones; a namespace never has more than half of all places, however many connections it
 * makes. That ends where so many hang that each has only one place left: with the default, at 19 projects of a
 * connection, 96 connections of a namespace, or 192 in all.
 */
export function projectGroups(
  objects: { get(key: ObjectKey): ProjectObject | undefined },
  workers: number,
): WorkQueueGroups {
  const outer = connectionGroups(workers);
  // Asked several times for each reconcile, and the answer is the same for all objects of a project.
  const made = new Map<string, readonly WorkGroup[]>();
  return (key) => {
    const object = objects.get(key);
    if (object === undefined) return [];
    const [connection = ""] = connectionKeys(object);
    const name = `project ${connection} ${object.spec.projectId}`;
    const known = made.get(name);
    if (known !== undefined) return known;
    const groups: readonly WorkGroup[] = [
      // At least the number of workers as long as nothing hangs: a full group costs each key its place in the queue.
      { name, limit: workers, share: 2 / 3 },
      { name: `connection ${connection}`, limit: 4 * workers, share: 1 / 8, isSlowTogether: true },
      ...outer(key),
    ];
    if (made.size >= mostMade) made.clear();
    made.set(name, groups);
    return groups;
  };
}

/** The groups of connections themselves: each is alone in its own. */
export function connectionGroups(workers: number): WorkQueueGroups {
  // A reconcile that hangs takes about 140 KB with its TLS connection: with all places used four kinds take 110 MB.
  const limit = 24 * Math.max(8, workers);
  const all: WorkGroup = { name: "all", limit };
  return (key) => [{ name: `namespace ${key.slice(0, Math.max(0, key.indexOf("/")))}`, limit, share: 1 }, all];
}
