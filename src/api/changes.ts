import { text, time } from "./fragments.ts";
import type { Schema } from "./schema.ts";

/** Maximum length of `status.changes`; older changes are dropped. */
export const mostChanges = 5;

/**
 * `status.changes`: the changes that were sent to Northflank for an object, newest first, and the phase of each. The causes,
 * the phases and the fields beyond the common ones are those of the kind.
 */
export function changeList<
  const C extends readonly string[],
  const P extends readonly string[],
  const F extends Readonly<Record<string, Schema>>,
>(kind: {
  readonly description: string;
  readonly causes: C;
  readonly causeDescription: string;
  readonly phases: P;
  readonly phaseDescription: string;
  readonly fields: F;
}) {
  const { description, causes, causeDescription, phases, phaseDescription, fields } = kind;
  return {
    type: "array",
    maxItems: mostChanges,
    "x-kubernetes-list-type": "atomic",
    description,
    items: {
      type: "object",
      description: "One change.",
      properties: {
        specHash: text("Hash of the declared source and settings.", 128),
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation for which it was sent.",
        },
        cause: { type: "string", enum: causes, description: causeDescription },
        phase: { type: "string", enum: phases, description: phaseDescription },
        time: time("Time at which it was sent, or was first observed in force."),
        since: time("Start of the phase."),
        confirmedTime: time(
          "For DriftCorrected: time of the first check, ten minutes or more later, that found it still in force. It ends a " +
            "series of corrections.",
        ),
        ...fields,
      },
      required: ["specHash", "generation", "cause", "phase", "time", "since"],
    },
  } as const;
}
