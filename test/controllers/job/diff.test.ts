import { describe, expect, test } from "vitest";
import type { NorthflankJobSpec } from "../../../src/api/job.ts";
import type { ResolvedValues } from "../../../src/controllers/job/desired.ts";
import { compare, isAsApplied } from "../../../src/controllers/job/diff.ts";
import { toJobSettings } from "../../../src/northflank/job-view.ts";
import { jobObject } from "../../support/builders.ts";
import { JobLife } from "../../support/lives.ts";
import { settingsSeen } from "../../support/sights.ts";

/*
 * Three sides: what is declared, what was last sent, and what Northflank tells. What was sent is made by sending it.
 */

type Settings = NorthflankJobSpec["settings"];

/** One setting with a value of this name, and what stands behind its references. */
type Declare = (value: "ours" | "former") => readonly [settings: Settings, values?: Partial<ResolvedValues>];

interface Row {
  readonly declare: Declare;
  /** Values of maps are secrets, or may be: whatever Northflank tells of them is not looked at. */
  readonly isHidden: boolean;
}

const told = (declare: (value: "ours" | "former") => Settings): Row => ({
  isHidden: false,
  declare: (value) => [declare(value)],
});
const hidden = (declare: (value: "ours" | "former") => Settings): Row => ({ ...told(declare), isHidden: true });
const referred = (settings: Settings, values: (value: "ours" | "former") => Partial<ResolvedValues>): Row => ({
  isHidden: true,
  declare: (value) => [settings, values(value)],
});
const check = {
  protocol: "CMD",
  type: "livenessProbe",
  initialDelaySeconds: 1,
  periodSeconds: 10,
  timeoutSeconds: 1,
  failureThreshold: 3,
} as const;
const number = { ours: 2, former: 3 } as const;
const from = { secretKeyRef: { name: "db", key: "url" } } as const;
const file = (value: string) => ({ data: value, encoding: "utf-8" }) as const;

/** Every setting: a new one does not compile until somebody says whether it is compared. */
const rows: Readonly<Record<keyof Settings, Row>> = {
  description: told((value) => ({ description: value })),
  stageId: told((value) => ({ stageId: value })),
  tags: told((value) => ({ tags: ["all", value] })),
  billing: told((value) => ({ billing: { deploymentPlan: value } })),
  disabledCI: told((value) => ({ disabledCI: value === "ours" })),
  buildConfiguration: told((value) => ({ buildConfiguration: { dockerfileTarget: value } })),
  buildSettings: told((value) => ({ buildSettings: { dockerfile: { dockerFilePath: `/${value}` } } })),
  healthChecks: told((value) => ({ healthChecks: [{ ...check, cmd: value }] })),
  backoffLimit: told((value) => ({ backoffLimit: number[value] })),
  runOnSourceChange: told((value) => ({ runOnSourceChange: value === "ours" ? "never" : "always" })),
  activeDeadlineSeconds: told((value) => ({ activeDeadlineSeconds: number[value] })),
  cron: told((value) => ({ cron: { schedule: value } })),
  settings: told((value) => ({ settings: { backoffLimit: number[value] } })),
  runtimeEnvironment: hidden((value) => ({ runtimeEnvironment: { LOG_LEVEL: value } })),
  runtimeFiles: hidden((value) => ({ runtimeFiles: { "/etc/app": file(value) } })),
  buildArguments: hidden((value) => ({ buildArguments: { VERSION: value } })),
  buildFiles: hidden((value) => ({ buildFiles: { "/etc/app": file(value) } })),
  dockerSecretMounts: hidden((value) => ({ dockerSecretMounts: { npmrc: file(value) } })),
  runtimeEnvironmentFrom: referred({ runtimeEnvironmentFrom: [{ name: "URL", ...from }] }, (URL) => ({
    runtimeEnvironment: { URL },
    versions: [URL],
  })),
  runtimeFilesFrom: referred({ runtimeFilesFrom: [{ path: "/etc/url", ...from }] }, (value) => ({
    runtimeFiles: { "/etc/url": file(value) },
    versions: [value],
  })),
  buildArgumentsFrom: referred({ buildArgumentsFrom: [{ name: "URL", ...from }] }, (URL) => ({
    buildArguments: { URL },
    versions: [URL],
  })),
};

test.each(Object.entries(rows))("%s is read from a response, unless its values are hidden", (_name, row) => {
  const [settings] = row.declare("ours");
  const response = { id: "migrate", jobType: "cron", ...settings, settings: settings.settings ?? settings };
  const read = toJobSettings(response)?.settings ?? {};
  expect(Object.keys(read).length > 0).toBe(!row.isHidden);
});

type Told = "nothing" | "the same" | "another value";
type Sent = "nothing" | "the same" | "another value" | "the same, with a former token" | "it, to another account";

function lifeOf({ declare }: Row, value: "ours" | "former"): JobLife {
  const [settings, values = {}] = declare(value);
  const life = new JobLife(jobObject({ spec: { settings } }));
  life.values = values;
  return life;
}

/** Sends this value of a setting of which Northflank tells nothing, and returns what status remembers of it. */
function appliedOf(row: Row, sent: Exclude<Sent, "nothing">) {
  const life = lifeOf(row, sent === "another value" ? "former" : "ours");
  if (sent === "the same, with a former token") life.token = "former";
  if (sent === "it, to another account") life.address = "https://api.example.com";
  expect(life.sees(settingsSeen(life, {}, { jobType: "cron" }))).toContain("sent, ready/InSync");
  return life.object.status?.applied;
}

/** `as declared`, `differs` or `not sent`, and whether that is certain. */
function classOf(row: Row, tells: Told, sent: Sent): string {
  const { desire } = lifeOf(row, "ours");
  const [settings, values = {}] = row.declare(tells === "the same" ? "ours" : "former");
  const { versions: _versions, ...maps } = values;
  const view = { jobType: "manual", settings: tells === "nothing" ? {} : { ...settings, ...maps } };
  const applied = sent === "nothing" ? undefined : appliedOf(row, sent);
  const { differences, unsent, changed, released, untold, canTell, isCarriedOver } = compare(desire, view, applied);
  expect(released).toEqual([]);
  expect(changed.length === 0).toBe(sent === "the same");
  expect(untold).toBe(row.isHidden || tells === "nothing" ? desire.leaves.length : 0);
  expect(isAsApplied(desire, applied)).toBe(sent === "the same" || isCarriedOver);
  const state = differences.length > 0 ? "differs" : unsent.length > 0 ? "not sent" : "as declared";
  const hashes = canTell ? (isCarriedOver ? ", carried over" : "") : ", nobody can tell";
  return `${state}${hashes}`;
}

/** What is told counts; what is not told counts as what was last sent. */
const shown: Readonly<Record<Told, Readonly<Record<Sent, string>>>> = {
  "the same": {
    nothing: "as declared, nobody can tell",
    "the same": "as declared",
    "another value": "as declared",
    "the same, with a former token": "as declared, carried over",
    "it, to another account": "as declared, nobody can tell",
  },
  "another value": {
    nothing: "differs, nobody can tell",
    "the same": "differs",
    "another value": "differs",
    "the same, with a former token": "differs, carried over",
    "it, to another account": "differs, nobody can tell",
  },
  nothing: {
    nothing: "not sent, nobody can tell",
    "the same": "as declared",
    "another value": "not sent",
    "the same, with a former token": "not sent, carried over",
    "it, to another account": "not sent, nobody can tell",
  },
};

const cases = (Object.keys(rows) as (keyof Settings)[]).flatMap((setting) =>
  (Object.keys(shown) as Told[]).flatMap((tells) =>
    (Object.keys(shown[tells]) as Sent[]).map((sent) => ({ setting, tells, sent })),
  ),
);

describe(`each setting, by what Northflank tells and what was last sent: ${cases.length} cases`, () => {
  test.each(cases)("$setting, told: $tells, sent: $sent", ({ setting, tells, sent }) => {
    const row = rows[setting];
    expect(classOf(row, tells, sent)).toBe(shown[row.isHidden ? "nothing" : tells][sent]);
  });
});

type Values = readonly [declared: Settings, tells: object, paths: readonly string[]];

describe("differences", () => {
  const table: Readonly<Record<string, Values>> = {
    "are named by the setting inside": [
      { billing: { deploymentPlan: "nf-1", buildPlan: "nf-2" } },
      { billing: { deploymentPlan: "nf-9", buildPlan: "nf-2" } },
      ["billing.deploymentPlan: nf-9 -> nf-1"],
    ],
    "are none where only what is not declared differs": [
      { billing: { deploymentPlan: "nf-1" } },
      { billing: { deploymentPlan: "nf-1", buildPlan: "nf-9" }, description: "theirs" },
      [],
    ],
    "are none where the run policy is told in the other place": [
      { backoffLimit: 2, settings: { runOnSourceChange: "never" } },
      { settings: { backoffLimit: 2 }, runOnSourceChange: "never" },
      [],
    ],
    "are none where tags are in another order": [{ tags: ["one", "two"] }, { tags: ["two", "one"] }, []],
    "are one where a tag is missing": [{ tags: ["one", "two"] }, { tags: ["two"] }, ['tags: ["two"] -> ["one","two"]']],
    "are one where a list has one more": [
      { buildConfiguration: { pathIgnoreRules: ["a"] } },
      { buildConfiguration: { pathIgnoreRules: ["a", "b"] } },
      ['buildConfiguration.pathIgnoreRules: ["a","b"] -> ["a"]'],
    ],
    "are one where another order of a list means something else": [
      { buildConfiguration: { pathIgnoreRules: ["a", "b"] } },
      { buildConfiguration: { pathIgnoreRules: ["b", "a"] } },
      ['buildConfiguration.pathIgnoreRules: ["b","a"] -> ["a","b"]'],
    ],
    "are none where Northflank adds fields to a check": [
      { healthChecks: [{ ...check, cmd: "true" }] },
      { healthChecks: [{ ...check, cmd: "true", successThreshold: 1 }] },
      [],
    ],
    "do not show the command of a check": [
      { healthChecks: [{ ...check, cmd: "true" }] },
      { healthChecks: [{ ...check, cmd: "false" }] },
      ["healthChecks"],
    ],
    "take a number and its text for two values": [{ backoffLimit: 2 }, { backoffLimit: "2" }, ["backoffLimit: 2 -> 2"]],
  };
  test.each(Object.entries(table))("%s", (_sentence, [settings, tells, expected]) => {
    const { desire } = new JobLife(jobObject({ spec: { settings } }));
    const { differences } = compare(desire, { jobType: "manual", settings: tells as Settings }, undefined);
    const texts = differences.map(({ path, from: is, to }) => (to === undefined ? path : `${path}: ${is} -> ${to}`));
    expect(texts).toEqual(expected);
  });
});

describe("what was applied and is declared no more", () => {
  const table: Readonly<Record<string, readonly [before: Settings, now: Settings, string]>> = {
    "is released": [
      { description: "ours", backoffLimit: 1 },
      { backoffLimit: 1 },
      "released description, changed nothing",
    ],
    "is released by its path": [
      { billing: { deploymentPlan: "nf-1", buildPlan: "nf-2" } },
      { billing: { buildPlan: "nf-2" } },
      "released billing.deploymentPlan, changed nothing",
    ],
    "is a change of its map when a key leaves it": [
      { runtimeEnvironment: { A: "1", B: "2" } },
      { runtimeEnvironment: { A: "1" } },
      "released nothing, changed runtimeEnvironment",
    ],
    "is released with its whole map": [
      { runtimeEnvironment: { A: "1" }, backoffLimit: 1 },
      { backoffLimit: 1 },
      "released runtimeEnvironment, changed nothing",
    ],
    "is nothing when the run policy moves to its other place": [
      { backoffLimit: 1 },
      { settings: { backoffLimit: 1 } },
      "released nothing, changed nothing",
    ],
  };
  test.each(Object.entries(table))("%s", (_sentence, [before, settings, expected]) => {
    const life = new JobLife(jobObject({ spec: { settings: before } }));
    life.sees(settingsSeen(life, {}));
    life.edit({ settings });
    const { released, changed } = compare(
      life.desire,
      { jobType: "manual", settings: {} },
      life.object.status?.applied,
    );
    const names = (list: readonly string[]) => (list.length === 0 ? "nothing" : list.join(", "));
    expect(`released ${names(released)}, changed ${names(changed)}`).toBe(expected);
  });
});
