import { describe, expect, test } from "vitest";
import { changedInList } from "../../../src/controllers/deployment/target.ts";
import type { ProjectItem } from "../../../src/northflank/types.ts";

type Status = Parameters<typeof changedInList>[1];

const at = "2026-01-01T00:00:00.000Z";
const item: ProjectItem = {
  id: "api",
  type: "deployment",
  uid: "u-1",
  disabledCD: false,
  rolloutStatus: "COMPLETED",
  rolloutTransitionTime: at,
};

function seen(observed: object, targetUid: string | undefined = "u-1"): Status {
  return { observed: { rolloutStatus: "COMPLETED", rolloutTransitionTime: at, ...observed }, targetUid } as Status;
}

describe("a list shows a change of a service", () => {
  test.each<[string, Partial<ProjectItem>, Status]>([
    ["whose rollout has moved", { rolloutTransitionTime: "2026-01-01T00:01:00.000Z" }, seen({})],
    ["whose rollout is in another state", { rolloutStatus: "IN_PROGRESS" }, seen({})],
    ["that had no rollout when it was read", {}, { targetUid: "u-1", observed: {} } as Status],
    ["that was created again", { uid: "u-2" }, seen({})],
    ["whose continuous deployment was disabled", { disabledCD: true }, seen({ continuousDeploymentEnabled: true })],
  ])("%s", (_what, shown, status) => {
    expect(changedInList({ ...item, ...shown }, status)).toBeDefined();
  });

  test("that is not there", () => {
    expect(changedInList(undefined, seen({}))).toBe("missing");
  });
});

describe("a list shows no change of a service", () => {
  // After a restart each such object would be read at once, in the class of polls: 5,000 reads for nothing.
  test.each<[string, Status]>([
    ["that is as it was read", seen({ continuousDeploymentEnabled: true })],
    ["whose continuous deployment no read returns", seen({})],
    ["whose uid no read returns", seen({ continuousDeploymentEnabled: true }, "")],
  ])("%s", (_what, status) => {
    const { targetUid, ...rest } = status ?? {};
    expect(changedInList(item, { ...rest, ...(targetUid ? { targetUid } : {}) } as Status)).toBeUndefined();
  });
});
