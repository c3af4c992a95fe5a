import type { NorthflankConnection } from "../../src/api/connection.ts";
import { type Decision, decide } from "../../src/controllers/connection/decide.ts";
import type { Observation } from "../../src/controllers/connection/observation.ts";
import { statusOf } from "../../src/controllers/connection/status.ts";
import { always } from "./strict-fake.ts";

type Kinds<O> = O extends { readonly dependents: number } ? Omit<O, "dependents" | "quota"> : never;

/** What a connection shows, where nothing is said of its account and of who uses it. */
export type ConnectionSight = Kinds<Observation> &
  Partial<Pick<Observation, "dependents" | "quota" | "pace" | "lastHintMs">>;

/**
 * The life of a NorthflankConnection: each observation is decided on, and what it comes to is written down as the operator
 * does it, so that no test types a status. Pure; time is what the test says.
 */
export class ConnectionLife {
  object: NorthflankConnection;
  /** Wall clock; a life begins at 2026-01-01T00:00:00Z. */
  now = Date.parse("2026-01-01T00:00:00Z");

  constructor(object: NorthflankConnection) {
    this.object = object;
  }

  /** Nothing is ever sent for a connection but checks of its token. */
  readonly sent: readonly string[] = [];

  passes(ms: number): void {
    this.now += ms;
  }

  /** What one observation, `afterMs` after the last one, comes to: `ready/Valid, again in 54 s, token again in 3600 s`. */
  sees(sight: ConnectionSight, afterMs = 0): string {
    this.passes(afterMs);
    const decision = this.#decides(sight);
    this.object = { ...this.object, status: statusOf(this.object, decision, this.now) };
    return textOf(decision);
  }

  /** The same, of which nothing is written down. */
  judges(sight: ConnectionSight): string {
    return textOf(this.#decides(sight));
  }

  #decides(sight: ConnectionSight): Decision {
    const { object, now } = this;
    const observation = { dependents: 0, quota: undefined, ...sight } as Observation;
    return decide({ object, observation, now, random: always(0.5), validationPeriodMs: 3_600_000 });
  }

  /** `True/Valid`; `undefined` where the condition is not there. */
  condition(type: string): string | undefined {
    const found = this.object.status?.conditions?.find((condition) => condition.type === type);
    return found && `${found.status}/${found.reason}`;
  }

  /** A person changes the spec, which is a new generation. */
  edit(spec: Partial<NorthflankConnection["spec"]>): void {
    const { metadata, ...rest } = this.object;
    const generation = (metadata.generation ?? 0) + 1;
    this.object = { ...this.object, metadata: { ...metadata, generation }, spec: { ...rest.spec, ...spec } };
  }
}

function textOf({ readyState, next, checkAgainMs }: Decision): string {
  const state = readyState === "as-before" ? readyState : `${readyState.kind}/${readyState.reason}`;
  const again = next.kind === "recheck" ? `in ${next.afterMs / 1_000} s` : next.kind;
  const check = checkAgainMs === undefined ? "" : `, token again in ${checkAgainMs / 1_000} s`;
  return `${state}, again ${again}${check}`;
}
