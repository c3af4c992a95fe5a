import { describe, expect, test } from "vitest";
import type { NorthflankJobSpec } from "../../../src/api/job.ts";
import type { Change } from "../../../src/controllers/job/observation.ts";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import type { WriteResult } from "../../../src/controllers/target/send.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises } from "../../support/kstatus.ts";
import { type Answer, JobLife } from "../../support/lives.ts";
import { settingsSeen } from "../../support/sights.ts";

const second = 1_000;
const minute = 60 * second;

const description = { description: "ours" };
const other = { description: "theirs" };

function unknown(spec: Partial<NorthflankJobSpec> = {}): JobLife {
  return new JobLife(jobObject({ spec: { settings: description, ...spec } }));
}

/** A value that Northflank does not tell was sent, and another one is declared since. */
function replacing(): JobLife {
  const life = unknown({ settings: { runtimeEnvironment: { LEVEL: "info" }, description: "ours" } });
  expect(life.sees(settingsSeen(life, description))).toBe("sent, ready/InSync, again in 900 s");
  life.edit({ settings: { runtimeEnvironment: { LEVEL: "debug" }, description: "ours" } });
  return life;
}

/** The settings whose value in force is known from what was sent. */
function knownOf(life: JobLife): string {
  const { applied } = life.object.status ?? {};
  const known = new Map((applied?.settings ?? []).map(({ path, hash }) => [path, hash]));
  const states = life.desire.leaves.map(({ path, hash }) => {
    const before = known.get(path);
    return `${path} ${before === undefined ? "unknown" : before === hash ? "as declared" : "as before"}`;
  });
  return states.join(", ");
}

function inSyncOf({ object }: JobLife): string {
  const inSync = object.status?.conditions?.find(({ type }) => type === "InSync");
  return `${inSync?.status}/${inSync?.reason}`;
}

describe("each answer to a change", () => {
  type Row = readonly [answer: Answer, text: string, inSync: string, known: string];
  const asDeclared = "description as declared, runtimeEnvironment as declared, runtimeEnvironment.LEVEL as declared";
  const unsure = "description as declared, runtimeEnvironment as declared, runtimeEnvironment.LEVEL unknown";
  const cases: Record<WriteResult["kind"], Row> = {
    written: ["accepted", "sent, ready/InSync, again in 900 s", "True/InSync", asDeclared],
    "route-gone": ["no route", "sent, stalled/UnsupportedTarget, again in 3600 s", "False/UnsupportedTarget", unsure],
    failed: [
      northflankError("server_error", { httpStatus: 503 }),
      "sent, retrying/RemoteUnavailable, again backoff",
      "False/RemoteUnavailable",
      unsure,
    ],
  };
  test.each(Object.entries(cases))("%s", (_kind, [answer, text, inSync, known]) => {
    const life = replacing();
    expect(life.sees(settingsSeen(life, description), minute, answer)).toBe(text);
    expect(inSyncOf(life)).toBe(inSync);
    expect(knownOf(life)).toBe(known);
    expect(brokenPromises(life.object)).toEqual([]);
  });
});

/*
 * Before a value that nobody can read is replaced, the status stops saying what it is. An answer that proves that nothing
 * was done does not bring that back: the former value is not declared any more, and what is declared is sent again anyway.
 */
describe("each error of a change", () => {
  /** Whether it is certain that nothing was done. */
  type Proof = "refused" | "open";
  type Row = readonly [text: string, answers: readonly (readonly [httpStatus: number | undefined, Proof])[]];
  const none = [undefined, "open"] as const;
  const cases: Record<NorthflankErrorCode, Row> = {
    quota_closed: ["waiting/WaitingForQuota, again in 60 s", [none]],
    rate_limited: ["waiting/WaitingForQuota, again in 90 s", [[429, "refused"]]],
    unauthorized: ["stalled/AuthenticationFailed, again in 1 s", [[401, "refused"]]],
    forbidden: ["stalled/PermissionDenied, again in 3600 s", [[403, "refused"]]],
    not_found: ["stalled/TargetNotFound, again in 15 s", [[404, "refused"]]],
    gone: ["stalled/TargetNotFound, again in 3600 s", [[410, "open"]]],
    rejected: [
      "stalled/RequestRejected, again in 3600 s",
      [400, 413, 422].map((httpStatus) => [httpStatus, "refused"] as const),
    ],
    wrong_method: ["stalled/RemoteMisconfigured, again in 60 s", [[405, "refused"]]],
    redirect: ["stalled/RemoteMisconfigured, again in 60 s", [[302, "open"]]],
    protocol: ["stalled/RemoteMisconfigured, again in 60 s", [none, [200, "open"]]],
    tls: ["stalled/RemoteMisconfigured, again in 60 s", [none]],
    server_error: [
      "retrying/RemoteUnavailable, again backoff",
      [
        [500, "open"],
        [503, "open"],
      ],
    ],
    unreachable: ["retrying/RemoteUnavailable, again backoff", [none]],
    interrupted: ["retrying/RemoteUnavailable, again backoff", [none]],
    timeout: ["retrying/RequestTimeout, again backoff", [none]],
  };
  const all = Object.entries(cases).flatMap(([code, [text, answers]]) =>
    answers.map(([httpStatus, proof]) => ({
      text,
      httpStatus,
      proof,
      error: northflankError(code as NorthflankErrorCode, httpStatus === undefined ? {} : { httpStatus }),
    })),
  );

  test.each(all)("HTTP $httpStatus, $text: a value that nobody can read", ({ error, text }) => {
    const life = replacing();
    const { changes } = life.object.status ?? {};
    expect(life.sees(settingsSeen(life, description), minute, error)).toBe(`sent, ${text}`);
    const [, reason] = /\/(\w+),/.exec(text) ?? [];
    const { status } = life.object;
    expect(inSyncOf(life)).toBe(`False/${reason}`);
    expect(status?.changes?.filter(({ phase }) => phase !== "Sending")).toEqual(changes);
    expect(status?.pendingChanges?.map(({ path }) => path)).toEqual(["runtimeEnvironment.LEVEL"]);
    expect(status?.failure?.count).toBe(text.startsWith("waiting") ? undefined : 1);
    expect(knownOf(life)).toContain("LEVEL unknown");
    expect(life.judges(settingsSeen(life, description))).toBe("write because SpecChanged");
    expect(brokenPromises(life.object)).toEqual([]);
  });

  test.each(all)("HTTP $httpStatus, $text: a value that Northflank tells, $proof", ({ error, text, proof }) => {
    const life = unknown();
    life.sees(settingsSeen(life, description));
    life.edit({ settings: { description: "edited" } });
    expect(life.sees(settingsSeen(life, description), minute, error)).toBe(`sent, ${text}`);
    expect(knownOf(life)).toBe(`description ${proof === "refused" ? "as before" : "unknown"}`);
    expect(life.judges(settingsSeen(life, description))).toBe("write because SpecChanged");
  });

  test("without an answer is open even where the last try was not sent: an earlier one may have arrived", () => {
    const life = unknown();
    life.sees(settingsSeen(life, description));
    life.edit({ settings: { description: "edited" } });
    life.sees(settingsSeen(life, description), minute, northflankError("unreachable", { sent: false }));
    expect(knownOf(life)).toBe("description unknown");
  });
});

describe("each cause of a change", () => {
  interface Row {
    readonly make: () => JobLife;
    readonly tells: object;
    readonly text: string;
    readonly corrections: number;
  }
  const drifted = () => {
    const life = unknown();
    life.sees(settingsSeen(life, description));
    life.sees(settingsSeen(life, other));
    life.sees(settingsSeen(life, description), 2 * second);
    return life;
  };
  const cases: Record<Change["cause"], Row> = {
    SpecChanged: {
      make: () => {
        const life = drifted();
        life.edit({ settings: { description: "edited" } });
        return life;
      },
      tells: description,
      text: "sent, progressing/ApplyingChange, again in 2 s",
      corrections: 0,
    },
    SourceChanged: {
      make: () => {
        const life = unknown({ settings: { runtimeEnvironment: { LEVEL: "info" } } });
        life.sees(settingsSeen(life, {}));
        life.values = { runtimeEnvironment: { LEVEL: "debug" } };
        return life;
      },
      tells: {},
      text: "sent, ready/InSync, again in 900 s",
      corrections: 0,
    },
    DriftCorrected: {
      make: drifted,
      tells: other,
      text: "sent, progressing/ApplyingChange, again in 2 s",
      corrections: 2,
    },
    PartResent: {
      make: () => {
        const life = drifted();
        life.sees(settingsSeen(life, other));
        return life;
      },
      tells: other,
      text: "sent, progressing/ApplyingChange, again in 2 s",
      corrections: 2,
    },
  };
  test.each(Object.entries(cases))("%s", (cause, { make, tells, text, corrections }) => {
    const life = make();
    life.passes(minute);
    expect(life.judges(settingsSeen(life, tells as typeof other))).toBe(`write because ${cause}`);
    const events = life.events.length;
    const changes = life.object.status?.changes?.length ?? 0;
    expect(life.sees(settingsSeen(life, tells as typeof other))).toBe(text);
    const { changes: records = [], notKept, pendingChanges } = life.object.status ?? {};
    expect(records.map((entry) => entry.cause)[0]).toBe(cause);
    expect(records).toHaveLength(changes + 1);
    expect(correctionsOf(life.object)).toHaveLength(corrections);
    expect(notKept !== undefined).toBe(cause === "PartResent");
    expect(pendingChanges).toBeUndefined();
    expect(knownOf(life)).not.toMatch(/unknown|as before/);
    expect(life.events.slice(events)).toEqual(["Normal ChangeApplied"]);
  });

  test("the five newest changes are kept", () => {
    const life = unknown();
    for (let count = 0; count < 7; count += 1) {
      life.edit({ settings: { description: `ours ${count}` } });
      life.sees(settingsSeen(life, other), minute);
    }
    expect(life.object.status?.changes?.map(({ time }) => time.slice(11, 16))).toEqual([
      "00:07",
      "00:06",
      "00:05",
      "00:04",
      "00:03",
    ]);
  });
});

describe("what is told in Events beside the change", () => {
  type Row = readonly [spec: Partial<NorthflankJobSpec>, answer: Answer, calls: readonly string[], events: string[]];
  const cron = { cron: { schedule: "@daily" } };
  const applied = "Normal ChangeApplied";
  const cases: Readonly<Record<string, Row>> = {
    "nothing, by the call for jobs of either type": [{}, "accepted", ["patch job"], [applied]],
    "once that a call is deprecated": [
      { jobType: "manual" },
      "accepted",
      ["patch manual job", "patch manual job"],
      [applied, "Warning DeprecatedRoute", applied],
    ],
    "that the other call was used": [
      { jobType: "manual" },
      "by the fallback",
      ["patch job"],
      [applied, "Warning FallbackUsed"],
    ],
    both: [
      { jobType: "any" },
      "by the fallback",
      ["patch manual job"],
      [applied, "Warning FallbackUsed", "Warning DeprecatedRoute"],
    ],
    "the call of a cron job": [
      { jobType: "cron", settings: { ...description, ...cron } },
      "accepted",
      ["patch cron job"],
      [applied, "Warning DeprecatedRoute"],
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [spec, answer, calls, events]) => {
    const life = unknown(spec);
    const jobType = spec.jobType === "cron" ? "cron" : "manual";
    for (const _call of calls) {
      life.sees(settingsSeen(life, other, { jobType }), minute, answer);
      life.edit({ settings: { ...life.object.spec.settings, description: `ours at ${life.now}` } });
    }
    expect(life.object.status?.changes?.map(({ call }) => call)).toEqual(calls);
    expect(life.events).toEqual(events);
  });

  test("that a setting is released, with the change that goes without it", () => {
    const life = unknown({ settings: { ...description, backoffLimit: 1 } });
    life.sees(settingsSeen(life, {}));
    life.edit({ settings: { description: "edited" } });
    life.sees(settingsSeen(life, other), minute);
    expect(life.events.slice(1)).toEqual([applied, "Normal SettingsReleased"]);
    expect(life.object.status?.released?.settings).toEqual(["backoffLimit"]);
  });
});

describe("what is in status before the call, for a process that ends in it", () => {
  const text = (life: JobLife) => {
    const ready = life.object.status?.conditions?.find(({ type }) => type === "Ready");
    return `${ready?.status}/${ready?.reason}`;
  };

  test("a value that nobody can read is not remembered while another one is on its way, and that one is sent again", () => {
    const life = replacing();
    expect(life.sees(settingsSeen(life, description), minute, "not sent")).toBe("not sent");
    expect(text(life)).toBe("Unknown/ApplyingChange");
    expect(inSyncOf(life)).toBe("Unknown/ApplyingChange");
    expect(knownOf(life)).toBe(
      "description as declared, runtimeEnvironment as declared, runtimeEnvironment.LEVEL unknown",
    );
    life.restart();
    expect(life.judges(settingsSeen(life, description))).toBe("write because SpecChanged");
    // Also where what was declared before is declared again: the call may have arrived.
    life.edit({ settings: { runtimeEnvironment: { LEVEL: "info" }, description: "ours" } });
    expect(life.judges(settingsSeen(life, description))).toBe("write because SourceChanged");
  });

  test("nothing, where the first value is sent, or one that Northflank tells", () => {
    const first = unknown({ settings: { runtimeEnvironment: { LEVEL: "info" } } });
    first.sees(settingsSeen(first, {}), 0, "not sent");
    expect(first.object.status).toEqual({ observedGeneration: -1 });
    const life = unknown();
    life.sees(settingsSeen(life, description));
    const { status } = life.object;
    life.sees(settingsSeen(life, other), minute, "not sent");
    expect(life.object.status).toBe(status);
  });

  test("what is sent alone, which is then not sent a second time without a request", () => {
    const life = unknown();
    life.sees(settingsSeen(life, other));
    expect(life.sees(settingsSeen(life, other), minute, "not sent")).toBe("not sent");
    expect(life.object.status?.notKept?.parts).toEqual(["description"]);
    life.restart();
    // A process that has just started has not seen a minute pass since the first call.
    expect(life.sees(settingsSeen(life, other), minute)).toBe("progressing/ApplyingChange, again in 2 s");
    expect(life.sees(settingsSeen(life, other), minute)).toBe("stalled/ChangeNotKept, again in 60 s");
  });

  test("nothing of what is sent alone, where it was refused for sure: that is sent again", () => {
    const refused = northflankError("forbidden", { httpStatus: 403 });
    const lost = northflankError("timeout");
    const after = [refused, lost].map((error) => {
      const life = unknown();
      life.sees(settingsSeen(life, other));
      life.sees(settingsSeen(life, other), minute, error);
      expect(life.object.status?.notKept !== undefined).toBe(error === lost);
      return life.judges(settingsSeen(life, other));
    });
    expect(after).toEqual(["write because PartResent", "stalled/ChangeNotKept, again in 60 s"]);
  });
});
