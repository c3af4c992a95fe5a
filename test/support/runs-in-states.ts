import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { resolveStart, runFinalizer } from "../../src/api/names.ts";
import type { AccountResolution } from "../../src/controllers/account/accounts.ts";
import { type RunState, stateOf } from "../../src/controllers/job-run/machine.ts";
import { northflankError } from "./fake-northflank.ts";
import { RunStory } from "./run-story.ts";

/*
 * A run in each state of machine.ts, made by the operator itself: no status is typed.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Of one that the operator has seen. */
export type RunStatus = NonNullable<NorthflankJobRun["status"]>;

/** A run with a world in which the account and the judgement of the spec can be changed. */
export class RunInState extends RunStory {
  readonly faults: { isBlocked: boolean; isInvalid: boolean };

  constructor() {
    const faults = { isBlocked: false, isInvalid: false };
    super({
      account: (): AccountResolution | undefined => (faults.isBlocked ? blocked : undefined),
      validate: () => (faults.isInvalid ? [{ field: "spec.x", message: "is wrong", remedy: "" }] : []),
    });
    this.faults = faults;
    this.remote.runMs = 2 * hour;
  }

  /** What is there before the operator sees it. */
  create(spec: Partial<NorthflankJobRun["spec"]> = {}): void {
    // The other one keeps an object in sight that nobody of ours holds any more.
    const finalizers = [runFinalizer, "example.com/hold"];
    this.cluster.create("once", { deletionPolicy: "Abort", backoffLimit: 1, ...spec }, { finalizers });
  }
}

const blocked: AccountResolution = {
  kind: "blocked",
  readyState: { kind: "stalled", reason: "SecretNotFound", message: "None." },
  recheckAfterMs: 50_000,
};

const states: Readonly<Record<RunState, (story: RunInState) => Promise<void>>> = {
  idle: async (story) => {
    story.process.kill();
    story.create();
  },
  marked: async (story) => {
    story.create();
    await story.clock.advance(second);
    story.process.kill();
    story.cluster.recreate(story.object());
  },
  rejected: async (story) => {
    story.remote.refusals.push(northflankError("rejected", { httpStatus: 422 }));
    story.create();
    await story.clock.advance(second);
  },
  unresolved: async (story) => {
    story.remote.mode = "answerLost";
    story.create();
    await story.clock.advance(second);
  },
  unknown: async (story) => {
    story.remote.mode = "notApplied";
    story.create();
    await story.clock.advance(5 * minute);
  },
  active: async (story) => {
    story.create();
    await story.clock.advance(second);
  },
  adopted: async (story) => {
    story.create();
    await story.clock.advance(second);
    story.cluster.recreate(story.object());
    await story.clock.advance(5 * minute);
  },
  between: async (story) => {
    story.remote.results.push("FAILED");
    story.remote.runMs = 5 * second;
    story.create();
    await story.clock.advance(12 * second);
    story.remote.runMs = 2 * hour;
  },
  finished: async (story) => {
    story.remote.runMs = 5 * second;
    story.create();
    await story.clock.advance(30 * second);
  },
};

export const allRunStates = Object.keys(states) as RunState[];

/** A run that has come into this state. */
export async function runIn(state: RunState): Promise<RunInState> {
  const story = new RunInState();
  await states[state](story);
  const reached = stateOf(story.object());
  if (reached !== state) throw new Error(`the run is ${reached}, not ${state}`);
  return story;
}

/** Where a run may be within a state. */
const moments = {
  "held back by spec.suspend": async (story) => {
    story.create({ suspend: true });
    await story.clock.advance(second);
  },
  "waiting for the place of another run": async (story) => {
    story.remote.abort = () => undefined;
    story.cluster.create("other");
    await story.clock.advance(second);
    story.create({ concurrencyPolicy: "Replace" });
    await story.clock.advance(second);
  },
  "refused for now": async (story) => {
    story.remote.refusals.push(northflankError("forbidden", { httpStatus: 403 }));
    story.create();
    await story.clock.advance(second);
  },
  "to be started again by request": async (story) => {
    await states.unknown(story);
    story.cluster.edit("once", { spec: { suspend: true }, annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(second);
  },
  "its second start without an answer": async (story) => {
    await states.between(story);
    story.remote.nextMode = "answerLost";
    await story.clock.advance(15 * second);
  },
  "its second run active": async (story) => {
    await states.between(story);
    await story.clock.advance(minute);
  },
  "said to have failed by a person": async (story) => {
    await states.unknown(story);
    story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
    await story.clock.advance(second);
  },
  "its abort taken back": async (story) => {
    await states.active(story);
    story.remote.abort = () => undefined;
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(second);
    story.cluster.edit("once", { spec: { abort: false } });
    await story.clock.advance(second);
  },
} satisfies Readonly<Record<string, (story: RunInState) => Promise<void>>>;

/**
 * The status of a run in a state, or at a moment of its life, as the operator writes it. What is `marked` has none.
 */
export async function runStatus(at: Exclude<RunState, "marked"> | keyof typeof moments): Promise<RunStatus> {
  const story = new RunInState();
  await { ...states, ...moments }[at](story);
  return story.status();
}
