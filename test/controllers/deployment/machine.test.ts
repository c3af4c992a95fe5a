import { describe, expect, test } from "vitest";
import { steps } from "../../../src/controllers/deployment/machine.ts";
import type { Observation, Progress, State } from "../../../src/controllers/deployment/observation.ts";
import { deployment } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { DeploymentLife } from "../../support/lives.ts";
import { serviceSeen } from "../../support/sights.ts";

/*
 * The table of `machine.ts`, played: an object is brought into each state by what it sees, then sees each observation. A
 * cell is the phase of the newest entry after that, with its cause where it is a new one; `left`: nothing is sent.
 */

const second = 1_000;
const minute = 60 * second;

type Sight = Progress | "different";
type View = NonNullable<Parameters<typeof serviceSeen>[1]>;

const restore = { rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } } as const;
const other = { deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } };

function shows(life: DeploymentLife, view: View): Observation {
  const { external } = life.object.spec.deployment;
  const rolloutTransitionTime = new Date(life.now).toISOString();
  return serviceSeen(life, { imagePath: external?.imagePath ?? "", rolloutTransitionTime, ...view });
}

/** What is seen, a second after the last look; `late`: when the limit of a rollout is over. */
const sights: Readonly<Record<Sight, (life: DeploymentLife) => void>> = {
  rolling: (life) => sees(life, second, { rolloutStatus: "IN_PROGRESS" }),
  late: (life) => {
    sees(life, second, { rolloutStatus: "IN_PROGRESS" });
    sees(life, 15 * minute, { rolloutStatus: "IN_PROGRESS" });
  },
  gradual: (life) => sees(life, second, { rolloutStatus: "IN_PROGRESS", gradualRolloutStrategyId: "canary" }),
  paused: (life) => sees(life, second, { servicePaused: true }),
  complete: (life) => sees(life, second, { rolloutStatus: "COMPLETED" }),
  failed: (life) => sees(life, second, { rolloutStatus: "FAILED" }),
  different: (life) => sees(life, second, { imagePath: "ghcr.io/acme/api:9" }),
};

function sees(life: DeploymentLife, afterMs: number, view: View): void {
  life.passes(afterMs);
  life.sees(shows(life, view));
}

/** How an object gets into a state; a new one does not compile until it has a row. */
const states: Readonly<Record<State, (life: DeploymentLife) => void>> = {
  Unknown: () => undefined,
  Sending: (life) => {
    sights.complete(life);
    life.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" } } });
    life.sees(shows(life, {}), second, northflankError("timeout"));
  },
  RollingOut: sights.different,
  Paused: (life) => {
    sights.different(life);
    sights.paused(life);
  },
  AwaitingPromotion: (life) => {
    sights.different(life);
    sights.gradual(life);
  },
  NotKept: (life) => {
    const docker = { configType: "customCommand", customCommand: "run" } as const;
    life.edit({ deployment: { ...life.object.spec.deployment, docker } });
    sights.different(life);
    for (const _ of ["sent alone", "not kept"]) sees(life, second, { docker: { configType: "default" } });
  },
  Complete: (life) => {
    sights.different(life);
    sights.complete(life);
  },
  Failed: (life) => {
    sights.different(life);
    sights.failed(life);
  },
  TimedOut: (life) => {
    sights.different(life);
    sights.late(life);
  },
  Superseded: (life) => {
    states.Complete(life);
    for (const _ of [1, 2, 3, "fight"]) {
      sights.different(life);
      sights.complete(life);
    }
    sights.different(life);
  },
  RolledBack: (life) => {
    life.edit(restore);
    states.Complete(life);
    life.edit(other);
    sights.different(life);
    sights.failed(life);
    sights.failed(life);
  },
};

function made(state: State): DeploymentLife {
  const life = new DeploymentLife(deployment());
  states[state](life);
  return life;
}

const head = ({ object }: DeploymentLife) => object.status?.changes?.[0];

function cell(state: State, sight: Sight): string {
  const life = made(state);
  const before = life.sent.length;
  const known = head(life);
  sights[sight](life);
  const { cause, phase, time } = head(life) ?? {};
  if (sight === "different" && life.sent.length === before) return "left";
  return known?.cause === cause && known?.time === time ? `${phase}` : `${cause}/${phase}`;
}

function table(): string {
  const [names, columns] = [Object.keys(states) as State[], Object.keys(sights) as Sight[]];
  const rows = names.map((name) => [name, ...columns.map((sight) => cell(name, sight))]);
  const all = [["", ...columns], ...rows];
  const widths = all[0]?.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Superseded by another client after three corrections, so that what differs is left; Sending is sent whole again. */
const expected = `
                   rolling                 late                  gradual                    paused                  complete                failed                  different
Unknown            Adopted/RollingOut      Adopted/TimedOut      Adopted/AwaitingPromotion  Adopted/Paused          Adopted/Complete        Adopted/Failed          SpecChanged/RollingOut
Sending            SpecChanged/RollingOut  SpecChanged/TimedOut  SpecChanged/RollingOut     SpecChanged/RollingOut  SpecChanged/RollingOut  SpecChanged/RollingOut  SpecChanged/RollingOut
RollingOut         RollingOut              TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  DriftCorrected/RollingOut
Paused             RollingOut              TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  DriftCorrected/RollingOut
AwaitingPromotion  RollingOut              TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  DriftCorrected/RollingOut
NotKept            RollingOut              TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  DriftCorrected/RollingOut
Complete           Complete                Complete              Complete                   Complete                Complete                Failed                  DriftCorrected/RollingOut
Failed             RollingOut              TimedOut              AwaitingPromotion          Failed                  Complete                Failed                  DriftCorrected/RollingOut
TimedOut           TimedOut                TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  DriftCorrected/RollingOut
Superseded         RollingOut              TimedOut              AwaitingPromotion          Paused                  Complete                Failed                  left
RolledBack         Adopted/RollingOut      Adopted/TimedOut      Adopted/AwaitingPromotion  Adopted/Paused          Adopted/Complete        Adopted/Failed          left
`;

test("states by observations", () => {
  expect(`\n${table()}\n`).toBe(expected);
});

test("a phase moves as the table says, whatever was seen before", () => {
  const ours: readonly State[] = [
    "RollingOut",
    "Paused",
    "AwaitingPromotion",
    "NotKept",
    "Complete",
    "Failed",
    "TimedOut",
  ];
  for (const state of ours) {
    const { different: _, ...row } = steps[state];
    for (const [progress, phase] of Object.entries(row)) expect(cell(state, progress as Progress)).toBe(phase);
  }
});

describe("an object is in the state that it was brought into", () => {
  test.each(Object.keys(states) as State[])("%s", (state) => {
    const phases: Partial<Record<State, string | undefined>> = { Unknown: undefined, RolledBack: "RollingOut" };
    expect(head(made(state))?.phase).toBe(Object.hasOwn(phases, state) ? phases[state] : state);
  });
});
