// pure
import { type Outcome, type Priority, ReconcileError } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { NextTry } from "./remote-error.ts";

/** When an object is to be looked at again. `never`: only when something changes. */
export type NextPass = NextTry | { readonly kind: "never" };

/** The next look at an object that is at rest; `Infinity`: never by itself. */
export function passIn(afterMs: number): NextPass {
  return Number.isFinite(afterMs) ? { kind: "recheck", afterMs } : { kind: "never" };
}

/** The same in the words of the controller. `message` says why the pass failed, where it is tried again with back-off. */
export function outcomeOf(next: NextPass, facts: { readonly priority: Priority; readonly message: string }): Outcome {
  switch (next.kind) {
    case "never":
      return { kind: "settled" };
    case "recheck":
      return { kind: "recheck", afterMs: next.afterMs, priority: facts.priority };
    case "backoff": {
      const error = new ReconcileError(facts.message);
      const { notBeforeMs } = next;
      return notBeforeMs === undefined ? { kind: "retry", error } : { kind: "retry", error, notBeforeMs };
    }
    default:
      return assertNever(next, "next pass");
  }
}
