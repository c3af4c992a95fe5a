import { isKubeError } from "../../kube/errors.ts";
import { sleep } from "../../util/clock.ts";
import type { ReadObject } from "./fields.ts";
import { gitopsNote } from "./gitops.ts";
import { Refused } from "./refused.ts";
import { type FoundObject, readObject, type Session, shownName } from "./session.ts";

/** What is to be done about an object. */
export type EditDecision =
  /** A merge patch of only what changes; `done` is said of the object: `suspended`. */
  | { readonly kind: "patch"; readonly body: Readonly<Record<string, object>>; readonly done: string }
  /** It is so already. */
  | { readonly kind: "nothing"; readonly done: string }
  /** It cannot be done: a sentence without its subject, such as `has ended`. */
  | { readonly kind: "refuse"; readonly why: string };

const attempts = 6;
const pauseMs = 500;

/**
 * Changes one object as `decide` says, and prints what was done. The patch holds the uid and the resourceVersion that the
 * decision was made on: where another client was faster, the object is read and decided on anew. So a patch whose response
 * was lost is never applied twice, and never to an object that was created again under the same name.
 *
 * *Errors*: `Refused`; `KubeError`.
 */
export async function editObject(
  session: Session,
  found: FoundObject,
  decide: (object: ReadObject) => EditDecision,
): Promise<FoundObject> {
  let current = found;
  for (let attempt = 1; ; attempt++) {
    const decision = decide(current.object);
    if (decision.kind === "refuse") throw new Refused(`${shownName(found)} ${decision.why}`);
    if (decision.kind === "nothing") {
      session.say(`${shownName(found)} ${decision.done}`);
      return current;
    }
    try {
      const object = await send(session, current, decision.body);
      session.say(`${shownName(found)} ${decision.done}`);
      const note = gitopsNote(object, decision.body);
      if (note !== undefined) session.complain(`note: ${shownName(found)} ${note}`);
      return { ...current, object };
    } catch (error) {
      if (attempt >= attempts || !isKubeError(error, "conflict", "unavailable", "timeout", "throttled")) throw error;
      await sleep(session.clock, error.code === "conflict" ? 0 : (error.retryAfterMs ?? pauseMs * attempt));
      const next = await readObject(session, found);
      if (next.object.metadata.uid !== found.object.metadata.uid) {
        throw new Refused(`${shownName(found)} was deleted and created again meanwhile`);
      }
      current = next;
    }
  }
}

// A merge patch, not an apply: an apply of one field gives up the fields that the manager applied before, so that `abort`
// would take back what `suspend` has set. An apply also creates an object that does not exist.
async function send(session: Session, found: FoundObject, body: Readonly<Record<string, object>>): Promise<ReadObject> {
  const { kind, namespace, name, object } = found;
  const { uid, resourceVersion } = object.metadata;
  const metadata = { ...body.metadata, uid, resourceVersion };
  return session.client.patch<ReadObject>(
    kind.type,
    { namespace, name },
    { kind: "merge", body: { ...body, metadata } },
  );
}
