// pure
import type { NorthflankJob } from "../api/job.ts";
import { explained } from "../command-remedies.ts";
import { compare } from "../controllers/job/diff.ts";
import type { Decision, Observation } from "../controllers/job/observation.ts";
import type { Difference } from "../controllers/target/out-of-sync.ts";
import { assertNever } from "../util/assert-never.ts";
import {
  conflict,
  failure,
  held,
  type Planned,
  type PlannedChange,
  planBlocked,
  policyNotes,
  reasonAndMessage,
} from "./planned.ts";

/** What the decision of the job controller means before the object is applied. */
export function planJob(object: NorthflankJob, observation: Observation, decision: Decision): Planned {
  switch (observation.kind) {
    case "suspended":
      return held("spec.suspend is true");
    case "blocked":
      return planBlocked(observation.readyState);
    case "conflict":
      return conflict(observation.owner);
    case "failed":
      return failure(explained(observation.error));
    case "invalid":
    case "rest":
      return decision.kind === "conclude"
        ? failure(reasonAndMessage(decision.conclusion.readyState))
        : failure("the job was not read");
    case "seen":
      return planSeen(object, observation, decision);
    default:
      return assertNever(observation, "observation");
  }
}

function planSeen(object: NorthflankJob, seen: Observation & { readonly kind: "seen" }, decision: Decision): Planned {
  const { differences, unsent } = compare(seen.desire, seen.view, undefined);
  const changes = differences.map(changeOf);
  const notes = notReturnedNotes(unsent);
  if (decision.kind === "conclude" && decision.conclusion.readyState.kind !== "ready") {
    return failure(reasonAndMessage(decision.conclusion.readyState), changes);
  }
  if (changes.length === 0) return { kind: "same", notes };
  if (decision.kind === "write") return { kind: "change", changes, notes: [...policyNotes(object.spec), ...notes] };
  return held("it differs, and managementPolicy does not allow the change", changes, notes);
}

/** The path begins at the root of the spec. Values that may be secrets are left out already. */
function changeOf({ path, ...values }: Difference): PlannedChange {
  return { path: `settings.${path}`, ...values };
}

// More names than this make the note unreadable.
const mostNames = 10;

function notReturnedNotes(unsent: readonly Difference[]): readonly string[] {
  // Both a map and its keys are listed: the keys say more.
  const maps = new Set(unsent.flatMap(({ path }) => path.split(".", 1).filter((top) => top !== path)));
  const paths = unsent.map(({ path }) => path).filter((path) => !maps.has(path));
  if (paths.length === 0) return [];
  const names = paths.slice(0, mostNames).map((path) => `settings.${path}`);
  const more = paths.length > mostNames ? ` and ${paths.length - mostNames} more` : "";
  return [
    `${names.join(", ")}${more} cannot be compared: Northflank does not return them. An object that is new to the cluster ` +
      "sends them.",
  ];
}
