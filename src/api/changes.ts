import { text, time } from "./fragments.ts";
import type { Schema } from "./schema.ts";

/** So many changes are kept in `status.changes`; older ones are dropped. */
export const mostChanges = 5;

/**
 * `status.changes`: what was changed at Northflank for an object, newest first, and what has become of it. The causes, the
 * phases and the fields beyond the common ones are those of the kind.
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
        specHash: text("Hash of the declaration in its normal form.", 128),
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation of the object at that time.",
        },
        cause: { type: "string", enum: causes, description: causeDescription },
        phase: { type: "string", enum: phases, description: phaseDescription },
        time: time("When it was sent, or first found in force."),
        since: time("When the phase began."),
        confirmedTime: time(
          "For DriftCorrected: when a check, ten minutes or more later, found it still in force. It ends a row of " +
            "corrections.",
        ),
        ...fields,
      },
      required: ["specHash", "generation", "cause", "phase", "time", "since"],
    },
  } as const;
}
