// pure
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { WorkQueueGroups } from "../../runtime/work-queue.ts";
import { connectionKeys } from "./dependents.ts";

/** An object about something in a project of an account. */
export type ProjectObject = Parameters<typeof connectionKeys>[0] & { readonly spec: { readonly projectId: string } };

/**
 * What hangs, hangs for a project or for a whole connection, so objects share places with those of the same ones: of a
 * project as many as there are workers, of a connection twice as many.
 *
 * *Guarantees*: one project that hangs leaves half of its connection's places to the other projects. Three connections
 * that hang fill six times the workers, less than a controller may set aside (seven times), so the others go on.
 */
export function projectGroups(
  objects: { get(key: ObjectKey): ProjectObject | undefined },
  workers: number,
): WorkQueueGroups {
  return (key) => {
    const object = objects.get(key);
    if (object === undefined) return [];
    const [connection = ""] = connectionKeys(object);
    return [
      { name: `${connection} ${object.spec.projectId}`, limit: workers },
      { name: connection, limit: 2 * workers },
    ];
  };
}
