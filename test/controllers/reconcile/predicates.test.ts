import { describe, expect, test } from "vitest";
import { startedRun } from "../../../src/api/names.ts";
import { connectionChanged, connectionKeys, objectChanged } from "../../../src/controllers/reconcile/predicates.ts";
import { connection, deployment } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { madeConnection, madeDeployment, tokenAccepted } from "../../support/made-objects.ts";
import { runStatus } from "../../support/runs-in-states.ts";

describe("the connection that an object belongs to", () => {
  test("is the one it names, else `default` of its namespace", () => {
    expect(connectionKeys(deployment({ spec: { connectionRef: { name: "main" } } }))).toEqual(["shop/main"]);
    expect(connectionKeys(deployment())).toEqual(["shop/default"]);
  });
});

const usable = madeConnection();
const tokenRefused = {
  kind: "checked",
  check: { kind: "failed", error: northflankError("unauthorized", { httpStatus: 401 }) },
  secretResourceVersion: "1",
} as const;
const active = await runStatus("active");
const finished = await runStatus("finished");

describe("a change of a connection", () => {
  const cases: Readonly<Record<string, readonly [Parameters<typeof connectionChanged>, boolean]>> = {
    "matters when it appears": [[undefined, connection()], true],
    "matters when it goes": [[connection(), undefined], true],
    "matters when it was made again": [[connection(), connection({ metadata: { uid: "other" } })], true],
    "matters when it was edited": [[connection(), connection({ spec: { teamId: "t" } })], true],
    "matters when it became usable": [[madeConnection({}, [tokenRefused]), usable], true],
    "matters when another version of its Secret was accepted": [
      [usable, madeConnection({}, [tokenAccepted("2")])],
      true,
    ],
    "does not matter when its counters move": [
      [usable, madeConnection({}, [{ ...tokenAccepted(), dependents: 3 }])],
      false,
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [change, expected]) => {
    expect(connectionChanged(...change)).toBe(expected);
  });
});

describe("a change of an object", () => {
  const before = deployment();
  const recorded = (metadata: object) => ({ metadata, status: active });
  const judged = madeDeployment();
  const cases: Readonly<Record<string, readonly [Parameters<typeof objectChanged>, boolean]>> = {
    "calls for a pass when it is new": [[undefined, before], true],
    "calls for a pass when its spec changed": [[before, deployment({ metadata: { generation: 2 } })], true],
    "calls for a pass when it is deleted": [[before, deployment({ metadata: { deletionTimestamp: "t" } })], true],
    "calls for a pass when it was made again": [[before, deployment({ metadata: { uid: "other" } })], true],
    "calls for a pass when an annotation changed": [
      [before, deployment({ metadata: { annotations: { a: "b" } } })],
      true,
    ],
    "calls for a pass when a field that was dropped is no longer applied": [
      [{ ...before, prunedFields: ["spec.sespend: ?"] }, before],
      true,
    ],
    "calls for a pass when somebody wiped its status": [[judged, deployment()], true],
    "calls for a pass when somebody took its verdict away": [
      [judged, { ...judged, status: { ...judged.status, conditions: [] } }],
      true,
    ],
    "calls for a pass when somebody took its end away": [
      [
        { metadata: {}, status: finished },
        { metadata: {}, status: active },
      ],
      true,
    ],
    "calls for a pass when the annotation of a start that it has lost is taken away": [
      [deployment({ metadata: { annotations: { [startedRun]: "x" } } }), before],
      true,
    ],
    "does not when the operator keeps a start in its annotation": [
      [recorded({}), recorded({ annotations: { [startedRun]: "x" } })],
      false,
    ],
    "calls for a pass when another annotation changed beside that": [
      [recorded({}), recorded({ annotations: { [startedRun]: "x", a: "b" } })],
      true,
    ],
    "does not when its status moves on": [[before, judged], false],
    "does not when only its status was written": [
      [before, madeDeployment({ metadata: { resourceVersion: "2" } })],
      false,
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [change, expected]) => {
    expect(objectChanged(...change)).toBe(expected);
  });
});
