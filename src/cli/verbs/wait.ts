import { kinds } from "../../api/kinds.ts";
import type { Selection } from "./objects.ts";
import { Wrong } from "./refused.ts";
import { readSelectionArguments } from "./selection.ts";
import { readSome } from "./session.ts";
import type { Verb } from "./verb.ts";
import { placeFlags, selectionFlags, timeoutFlag } from "./verb-flags.ts";
import { waitFor } from "./wait-for.ts";

const own = { timeout: timeoutFlag, ...selectionFlags, ...placeFlags } as const;

interface Input {
  readonly selection: Selection;
  readonly timeoutMs: number | undefined;
}

/** `northflank-operator wait`: ends when objects are ready or succeeded, or one has failed. */
export const waitVerb: Verb<Input> = {
  name: "wait",
  summary: "wait until objects are ready or succeeded, or one has failed",
  help: `usage: northflank-operator wait KIND/NAME... | KIND NAME... | KIND -l LABELS | -f FILE [FLAGS]

Waits until every object is Ready, and every run has succeeded. It ends with 1 as soon as one has failed: it is Stalled, its
run has failed, or it was deleted. Only a status of the present spec counts. A terminal shows where the objects stand; one
line for each is printed when it is decided.`,
  exits: "0 all are ready, 1 one has failed, was deleted or does not exist, or the time is over",
  flags: { own, secret: [] },
  read: async (settings, deps) => {
    const selection = await readSelectionArguments(settings, { kinds }, deps);
    return selection instanceof Wrong ? selection : { selection, timeoutMs: settings.of(own.timeout) };
  },
  run: async ({ selection, timeoutMs }, session) => {
    const found = await readSome(session, selection);
    return waitFor(
      session,
      found.map((each) => ({ ...each, goal: {} })),
      timeoutMs,
    );
  },
};
