import { describe, expect, test } from "vitest";
import type { NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import type { Observation } from "../../../src/controllers/deployment/observation.ts";
import { serviceTarget } from "../../../src/controllers/deployment/target.ts";
import { build, deployment, service } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { DeploymentLife } from "../../support/lives.ts";

const second = 1_000;
const minute = 60 * second;
const day = 1_440 * minute;

const sha = "b".repeat(40);
const named: NorthflankDeploymentSpec["deployment"] = { internal: { id: "builder", branch: "main", buildSHA: sha } };

class Life extends DeploymentLife {
  /** The service, with what is declared unless the test says otherwise. */
  seen(view: Parameters<typeof service>[0] = {}, more: Partial<Observation & { kind: "seen" }> = {}): Observation {
    const target = serviceTarget(service({ imagePath: "ghcr.io/acme/api:2", ...view }), undefined);
    return { kind: "seen", desire: this.desire, service: target, dependencies: [], nextResyncMs: 900_000, ...more };
  }

  rolling(): Observation {
    return this.seen({ rolloutStatus: "IN_PROGRESS", rolloutTransitionTime: new Date(this.now).toISOString() });
  }

  outage(): Observation {
    return { kind: "failed", desire: this.desire, error: northflankError("server_error", { httpStatus: 503 }) };
  }

  /** The declared build, which is in this state. */
  built(outcome: "active" | "failed" | undefined): Observation {
    const query = {
      builder: { projectId: "shop", serviceId: "builder" },
      by: { kind: "commit", sha },
      branch: "main",
    } as const;
    const sight =
      outcome === undefined
        ? ({ kind: "none" } as const)
        : ({ kind: "found", build: build({ sha, outcome, status: outcome.toUpperCase() }) } as const);
    return this.seen({}, { build: { query, sight } });
  }
}

describe("a rollout is timed from its own beginning", () => {
  test("that somebody else began in an outage of Northflank has its whole time", () => {
    const life = new Life(deployment());
    expect(life.sees(life.seen(), 0)).toBe("ready/RolloutComplete, again in 900 s");
    expect(life.sees(life.outage(), 15 * minute)).toContain("RemoteUnavailable");
    expect(life.sees(life.rolling(), 20 * minute)).toBe("progressing/RollingOut, again in 10 s");
    expect(life.sees(life.rolling(), 10 * second)).toBe("progressing/RollingOut, again in 10 s");
    expect(life.sees(life.rolling(), 14 * minute)).toContain("progressing/RollingOut");
    expect(life.sees(life.rolling(), minute)).toBe("stalled/RolloutTimedOut, again in 300 s");
  });

  test("that is interrupted by an outage goes on being timed, and late stays late", () => {
    const life = new Life(deployment());
    life.sees(life.seen(), 0);
    life.sees(life.rolling(), 15 * minute);
    life.sees(life.outage(), 10 * minute);
    expect(life.sees(life.rolling(), 5 * minute)).toContain("stalled/RolloutTimedOut");
    life.sees(life.outage(), 5 * minute);
    expect(life.sees(life.rolling(), minute)).toContain("stalled/RolloutTimedOut");
    life.restart();
    expect(life.sees(life.rolling(), minute)).toContain("stalled/RolloutTimedOut");
  });

  test("that follows another one begins anew", () => {
    const life = new Life(deployment());
    life.sees(life.seen(), 0);
    life.sees(life.rolling(), 15 * minute);
    life.sees(life.seen(), 14 * minute);
    expect(life.sees(life.rolling(), 10 * minute)).toBe("progressing/RollingOut, again in 10 s");
  });
});

describe("a build that stands in the way is probed by the time that it does so", () => {
  const stalledForADay = (deploymentOf = named) => {
    const life = new Life(deployment({ spec: { deployment: deploymentOf } }));
    const unsupported = life.seen({ serviceType: "build" });
    expect(life.sees(unsupported, 0)).toContain("stalled/UnsupportedTarget");
    expect(life.sees(unsupported, day)).toContain("stalled/UnsupportedTarget");
    return life;
  };

  test.each([
    ["failed", "failed", "stalled/BuildFailed", 60, 60],
    ["missing", undefined, "stalled/BuildNotFound", 15, 15],
  ] as const)("after a day of another trouble: %s", (_name, outcome, state, first, then) => {
    const life = stalledForADay();
    expect(life.sees(life.built(outcome), minute)).toBe(`${state}, again in ${first} s`);
    expect(life.sees(life.built(outcome), first * second)).toBe(`${state}, again in ${then} s`);
    expect(life.sees(life.built(outcome), 40 * minute)).toMatch(/again in 6\d\d/);
  });

  test("after an outage, while it is under way", () => {
    const life = new Life(deployment({ spec: { deployment: named } }));
    life.sees(life.outage(), 0);
    life.sees(life.outage(), day);
    expect(life.sees(life.built("active"), minute)).toBe("progressing/WaitingForBuild, again in 10 s");
    expect(life.sees(life.built("active"), 10 * second)).toBe("progressing/WaitingForBuild, again in 10 s");
    expect(life.sees(life.built("active"), 790 * second)).toBe("progressing/WaitingForBuild, again in 100 s");
    expect(life.sees(life.built("active"), 40 * minute)).toContain("again in 300 s");
    // Failed is another phase: the time that it took to build says nothing about it.
    expect(life.sees(life.built("failed"), 300 * second)).toBe("stalled/BuildFailed, again in 60 s");
  });
});

test("a phase of another declaration, and one that is over, times nothing", () => {
  const life = new Life(deployment({ spec: { deployment: named } }));
  life.sees(life.built("failed"), 0);
  const other = { internal: { id: "builder", branch: "main", buildSHA: "c".repeat(40) } };
  life.object = { ...life.object, spec: { ...life.object.spec, deployment: other } };
  expect(life.sees(life.built("failed"), day)).toBe("stalled/BuildFailed, again in 60 s");
  expect(life.sees(life.built("failed"), minute)).toBe("stalled/BuildFailed, again in 60 s");
  life.object = { ...life.object, spec: { ...life.object.spec, deployment: named } };
  expect(life.sees(life.seen({ servicePaused: true }), minute)).toContain("sent, progressing/ApplyingChange");
  expect(life.object.status?.phase).toBeUndefined();
});
