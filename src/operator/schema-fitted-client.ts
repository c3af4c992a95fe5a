import type { NorthflankJobRun } from "../api/job-run.ts";
import { kinds } from "../api/kinds.ts";
import { createFit, type Fit } from "../api/project-object.ts";
import type { Validator } from "../api/validate.ts";
import { heldIfUnreadable } from "../controllers/job-run/unreadable.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, ResourceType } from "../kube/types.ts";

/** How objects of each of our kinds are made to fit their schema, by kind. The same ones for caches and responses. */
export type Fits = ReadonlyMap<string, Fit>;

/** Makes a set; each set remembers what it has made to fit. */
export function createFits(validator: Validator): Fits {
  return new Map(
    kinds.map((kind) => {
      if (kind.type.kind !== "NorthflankJobRun") return [kind.type.kind, createFit(kind, validator)];
      return [
        kind.type.kind,
        createFit(kind, validator, (run, misfits) => heldIfUnreadable(run as NorthflankJobRun, misfits.status)),
      ];
    }),
  );
}

/**
 * A client whose responses with our kinds have the types of the schema, as cached objects do: reconciles continue with
 * the response to their own write. `replace` does not send `misfits`, which was added for readers.
 */
export function schemaFittedClient(kube: KubeClient, fits: Fits): KubeClient {
  const fitted = <T extends KubeObject>({ kind }: ResourceType, object: T): T => fits.get(kind)?.(object) ?? object;
  return {
    ...kube,
    get: async (type, ...rest) => fitted(type, await kube.get(type, ...rest)),
    patch: async (type, ...rest) => fitted(type, await kube.patch(type, ...rest)),
    replace: async (type, object, ...rest) => {
      const { misfits: _, ...sent } = object as typeof object & { readonly misfits?: unknown };
      return fitted(type, await kube.replace(type, sent as typeof object, ...rest));
    },
  };
}
