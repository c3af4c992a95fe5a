// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { recreated, sameTarget, wasJustRecreated } from "../target/same-target.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import type { Seen } from "./decision.ts";

/** The target has another uid than the one that status knows: what status says is about a service that is gone. */
export function isRecreated({ status }: NorthflankDeployment, { service }: Pick<Seen, "service">): boolean {
  return !sameTarget(status?.targetUid, service.uid);
}

const forgotten: Readonly<Record<Exclude<keyof StatedFields, "targetUid">, undefined>> = {
  image: undefined,
  observed: undefined,
  changes: undefined,
  build: undefined,
  lastGood: undefined,
  notKept: undefined,
  redeploy: undefined,
  pendingChanges: undefined,
  warnings: undefined,
};

/**
 * The status starts anew, and the target is read once more, in full, before anything is decided about it. That is in
 * status first: a process that ends now leaves nothing of the old target to the next one.
 */
export function recreatedConclusion(object: NorthflankDeployment, { service, nextResyncMs }: Seen): Conclusion {
  const target = {
    name: `${service.kind} "${service.id}"`,
    recordedUid: object.status?.targetUid,
    uid: service.uid,
    isAgain: wasJustRecreated(object),
    nextResyncMs,
  };
  return recreated(target, forgotten);
}
