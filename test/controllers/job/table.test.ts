import { expect, test } from "vitest";
import type { NorthflankJobSpec } from "../../../src/api/job.ts";
import type { Observation } from "../../../src/controllers/job/observation.ts";
import type { JobSettingsView } from "../../../src/northflank/types.ts";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { type Answer, JobLife } from "../../support/lives.ts";
import { settingsSeen } from "../../support/sights.ts";
import { type Sight, stateTable } from "../../support/state-table.ts";

/*
 * Every state of a NorthflankJob by everything that may be seen of it, in `table.expected.txt` (how to read it:
 * test/support/state-table.ts). A change of src that changes a line has to say why. To write it anew:
 *
 *     npx vitest run --project unit test/controllers/job/table.test.ts -u
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

type Step = (life: JobLife) => void;

const lost = northflankError("timeout");
const refused = northflankError("forbidden", { httpStatus: 403 });

/** Northflank tells the description, and nothing of the environment, which comes from a Secret. */
const ours = { description: "ours" };
const theirs = { description: "theirs" };
const environment: NorthflankJobSpec["settings"] = {
  runtimeEnvironmentFrom: [{ name: "URL", secretKeyRef: { name: "db", key: "url" } }],
};
const settings = { ...ours, ...environment };

/** The Secret is in this version. */
const rotated =
  (version: string): Step =>
  (life) => {
    life.values = { runtimeEnvironment: { URL: `value ${version}` }, versions: [version] };
  };

function step(afterMs: number, see: (life: JobLife) => Observation, answer?: Answer): Step {
  return (made) => {
    made.passes(afterMs);
    made.sees(see(made), 0, answer);
  };
}

function life(more: Partial<NorthflankJobSpec>, ...steps: readonly Step[]): () => JobLife {
  return () => {
    const made = new JobLife(jobObject({ spec: { settings, ...more } }));
    for (const one of [rotated("1"), ...steps]) one(made);
    return made;
  };
}

const told = (values: JobSettingsView["settings"]) => (made: JobLife) => settingsSeen(made, values);
const sent = step(0, told(theirs));
const same = step(2 * second, told(ours));
const undone = step(hour, told(theirs));
const corrected = (times: number): readonly Step[] => Array.from({ length: times }, () => [undone, same]).flat();
const newToken: Step = (made) => {
  made.token = "new";
};
const edited =
  (change: Partial<NorthflankJobSpec>): Step =>
  (made) =>
    made.edit(change);
const failed = (error = northflankError("server_error", { httpStatus: 503 })) =>
  step(minute, () => ({ kind: "failed", error, hasChangedSource: false }));

const states: Readonly<Record<string, () => JobLife>> = {
  unknown: life({}),
  sent: life({}, sent),
  "in sync": life({}, sent, same),
  "in sync without a description": life({ settings: environment }, step(0, told({}))),
  refused: life({}, step(0, told(theirs), refused)),
  "answer lost": life({}, sent, same, rotated("2"), step(minute, told(ours), lost)),
  "ended before the call": life({}, sent, same, rotated("2"), step(minute, told(ours), "not sent")),
  "values rotated": life({}, sent, same, rotated("2")),
  "new token": life({}, sent, same, newToken),
  "new token and values rotated": life({}, sent, same, newToken, rotated("2")),
  "edited since it was in sync": life({}, sent, same, edited({ settings: { ...settings, description: "edited" } })),
  "setting taken out": life({}, sent, same, edited({ settings: environment })),
  "corrected once": life({}, sent, same, undone),
  "corrected three times": life({}, sent, same, ...corrected(3)),
  fight: life({}, sent, same, ...corrected(3), undone),
  "not kept, sent alone": life({}, sent, step(minute, told(theirs))),
  "not kept, ended before the call": life({}, sent, step(minute, told(theirs), "not sent")),
  "not kept twice": life({}, sent, step(minute, told(theirs)), step(minute, told(theirs))),
  "EnforceOnChange, in sync": life({ managementPolicy: "EnforceOnChange" }, sent, same),
  "EnforceOnChange, drifted": life({ managementPolicy: "EnforceOnChange" }, sent, same, undone),
  "EnforceOnChange, new token": life({ managementPolicy: "EnforceOnChange" }, sent, same, newToken),
  "Observe, in sync": life({ managementPolicy: "Observe" }, same),
  "Observe, drifted": life({ managementPolicy: "Observe" }, undone),
  "Observe after Enforce": life({}, sent, same, edited({ managementPolicy: "Observe" })),
  "Observe after Enforce, new token": life({}, sent, same, edited({ managementPolicy: "Observe" }), newToken),
  "Observe after Enforce, values rotated": life({}, sent, same, edited({ managementPolicy: "Observe" }), rotated("2")),
  unavailable: life({}, sent, same, failed()),
  "target not found": life({}, sent, same, failed(northflankError("not_found", { httpStatus: 404 }))),
  suspended: life(
    {},
    sent,
    same,
    step(minute, () => ({ kind: "suspended" })),
  ),
  conflict: life(
    {},
    sent,
    same,
    step(minute, () => ({ kind: "conflict", owner: "shop/older" })),
  ),
  invalid: life(
    {},
    step(0, () => ({ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] })),
  ),
  unsupported: life({ jobType: "cron" }, same),
  "another job of the same name": life(
    {},
    step(0, (made) => settingsSeen(made, ours, { uid: "uid-1" })),
    step(minute, (made) => settingsSeen(made, ours, { uid: "uid-2" })),
  ),
};

type Row = Sight<JobLife, Observation>;

const failing = (hasChangedSource: boolean, ...facts: Parameters<typeof northflankError>): Row => ({
  see: () => ({ kind: "failed", error: northflankError(...facts), hasChangedSource }),
});
const blocked = (hasChangedSource: boolean): Row => ({
  see: () => ({
    kind: "blocked",
    readyState: { kind: "stalled", reason: "SecretNotFound", message: "None." },
    recheckAfterMs: 50_000,
    hasChangedSource,
  }),
});
const seen = (values: JobSettingsView["settings"], answer?: Answer): Row => ({
  see: told(values),
  ...(answer === undefined ? {} : { answer }),
});
const asked = (values: JobSettingsView["settings"]): Row => ({
  see: (made) => {
    made.request("now");
    return told(values)(made);
  },
});

const sights: Readonly<Record<string, Row>> = {
  "nothing is due": { see: () => ({ kind: "rest", dueInMs: 42_000 }) },
  invalid: { see: () => ({ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] }) },
  suspended: { see: () => ({ kind: "suspended" }) },
  conflict: { see: () => ({ kind: "conflict", owner: "shop/older" }) },
  "no Secret": blocked(false),
  "no Secret any more": blocked(true),
  unauthorized: failing(false, "unauthorized", { httpStatus: 401 }),
  "not found": failing(false, "not_found", { httpStatus: 404 }),
  "no quota": failing(false, "quota_closed", { retryAfterMs: 30_000, sent: false }),
  unavailable: failing(false, "server_error", { httpStatus: 503 }),
  "unavailable, values changed": failing(true, "server_error", { httpStatus: 503 }),
  "no handshake": failing(false, "tls"),
  "as declared": seen(ours),
  "as declared, requested": asked(ours),
  "as declared, another job": { see: (made) => settingsSeen(made, ours, { uid: "uid-9" }) },
  "as declared, a cron job": { see: (made) => settingsSeen(made, ours, { jobType: "cron" }) },
  "nothing is told": seen({}),
  "a foreign value": seen(theirs),
  "a foreign value, requested": asked(theirs),
  "a foreign value, refused": seen(theirs, refused),
  "a foreign value, answer lost": seen(theirs, lost),
  "a foreign value, no route": seen(theirs, "no route"),
  "a foreign value, by the fallback": seen(theirs, "by the fallback"),
  "a foreign value, not sent": seen(theirs, "not sent"),
};

/** The row of each kind of observation: a new kind does not compile until it has one. */
const kinds: Readonly<Record<Observation["kind"], Row | undefined>> = {
  rest: sights["nothing is due"],
  invalid: sights.invalid,
  suspended: sights.suspended,
  conflict: sights.conflict,
  blocked: sights["no Secret"],
  failed: sights["not found"],
  seen: sights["as declared"],
};

test.each(Object.entries(kinds))("there is a row of kind %s", (kind, row) => {
  expect(row?.see(life({})()).kind).toBe(kind);
});

test("state by observation", async () => {
  await expect(stateTable(states, sights)).toMatchFileSnapshot("./table.expected.txt");
}, 60_000);
