import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CaseRig, kubeconfigCases, kubectl, openCaseRig, ours, type Result } from "../kube/kubeconfig.cases.ts";

// kubectl itself, as users have it, and our client on the same files. What is expected of both is written down with the
// cases, so that the unit tests hold our client to it where there is no kubectl.
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
if (!hasKubectl) process.stderr.write("kubectl is not on PATH: test/contract/kubeconfig.test.ts is skipped\n");

let rig: CaseRig;
let theirs: ReadonlyMap<string, Result>;
let own: ReadonlyMap<string, Result>;

beforeAll(async () => {
  if (!hasKubectl) return;
  rig = await openCaseRig();
  theirs = await rig.runAll(kubectl);
  own = await rig.runAll(ours);
});
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
});

describe.skipIf(!hasKubectl)("kubectl with the same kubeconfig:", () => {
  test.each(Object.keys(kubeconfigCases))("%s", (name) => {
    const expected = rig.expected(name);
    expect({ kubectl: theirs.get(name)?.outcome, ours: own.get(name)?.outcome }).toEqual(expected);
    expect(own.get(name)?.told).toEqual(theirs.get(name)?.told);
  });
});
