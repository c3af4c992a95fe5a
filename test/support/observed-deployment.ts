import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import { timesOf } from "../../src/controllers/deployment/ages.ts";
import { decide } from "../../src/controllers/deployment/decide.ts";
import type { Settings } from "../../src/controllers/deployment/decision.ts";
import { type Desire, desireOf } from "../../src/controllers/deployment/desire.ts";
import type { Observation } from "../../src/controllers/deployment/observation.ts";
import { statusOf } from "../../src/controllers/deployment/status.ts";
import { concludeChange } from "../../src/controllers/deployment/written.ts";
import { Stopwatch } from "../../src/controllers/shared/stopwatch.ts";
import { FakeClock } from "./fake-clock.ts";
import { always } from "./strict-fake.ts";

const settings: Settings = { resyncPeriodMs: 900_000, rolloutPollIntervalMs: 10_000 };
const random = always(0.5);

/**
 * An object whose statuses are made as the operator makes them: each observation is decided on, and what it comes to is
 * written down. A change is sent and accepted. No status is typed by the test.
 */
export class ObservedDeployment {
  readonly clock = new FakeClock();
  #stopwatch = new Stopwatch(this.clock);
  object: NorthflankDeployment;

  constructor(object: NorthflankDeployment) {
    this.object = object;
  }

  get desire(): Desire {
    const read = desireOf(this.object.spec);
    if (read.kind === "problem") throw new Error(read.problem.message);
    return read.desire;
  }

  /** Another process goes on with what the status says. */
  restart(): void {
    this.#stopwatch = new Stopwatch(this.clock);
  }

  /** What one observation, `afterMs` after the last one, comes to: `stalled/RolloutFailed, again in 60 s`, or `sent`. */
  async sees(observation: Observation, afterMs: number): Promise<string> {
    await this.clock.advance(afterMs);
    const now = this.clock.now();
    const { object } = this;
    const decision = decide({ object, observation, now, ages: this.#ages(), random, settings });
    if (decision.kind === "rest") return "rest";
    const nextResyncMs = 900_000;
    const conclusion =
      decision.kind === "conclude"
        ? decision.conclusion
        : concludeChange({
            object,
            change: decision.change,
            result: { kind: "written", usedFallback: false },
            nextResyncMs,
            now,
            random,
            settings,
          });
    this.object = { ...object, status: statusOf(object, conclusion, now) };
    this.#ages();
    const { verdict, next } = conclusion;
    const again = next.kind === "recheck" ? `again in ${next.afterMs / 1_000} s` : next.kind;
    return `${decision.kind === "write" ? "sent, " : ""}${verdict.kind}/${verdict.reason}, ${again}`;
  }

  #ages() {
    return this.#stopwatch.ages({ key: "shop/api", uid: "uid-api" }, timesOf(this.object.status));
  }
}
