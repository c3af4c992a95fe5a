// pure
import type { NorthflankJob } from "../../api/job.ts";
import { recreated, wasJustRecreated } from "../target/same-target.ts";
import type { Seen } from "./observation.ts";
import type { Conclusion, StatedFields } from "./status.ts";

const forgotten: Readonly<Record<Exclude<keyof StatedFields, "targetUid">, undefined>> = {
  jobType: undefined,
  applied: undefined,
  released: undefined,
  pendingChanges: undefined,
  notKept: undefined,
  changes: undefined,
};

/**
 * The job has another uid than the one that status knows: nothing that was sent is in force there, which of environments
 * and files nobody could see. The status starts anew, and the job is read once more before anything is sent.
 */
export function recreatedConclusion(object: NorthflankJob, { view, nextResyncMs }: Seen): Conclusion {
  const target = {
    name: `job "${object.spec.jobId}"`,
    recordedUid: object.status?.targetUid,
    uid: view.uid,
    isAgain: wasJustRecreated(object),
    nextResyncMs,
  };
  const { rolloutComplete: _rollout, ...conclusion } = recreated(target, forgotten);
  return conclusion;
}
