import { describe, expect, test } from "vitest";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { deployment, jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { DeploymentLife, JobLife } from "../../support/lives.ts";
import { serviceSeen, settingsSeen } from "../../support/sights.ts";

/* What a read that failed comes to, by its error, for an object that was settled. */

const minute = 60_000;
const hour = 60 * minute;

const kinds: Readonly<Record<string, () => (code: NorthflankErrorCode, afterMs: number) => string>> = {
  NorthflankDeployment: () => {
    const life = new DeploymentLife(deployment());
    expect(life.sees(serviceSeen(life, { imagePath: "ghcr.io/acme/api:2" }))).toMatch(/^ready/);
    const { desire } = life;
    return (code, afterMs) => life.sees({ kind: "failed", desire, error: northflankError(code) }, afterMs);
  },
  NorthflankJob: () => {
    const life = new JobLife(jobObject({ spec: { settings: { description: "ours" } } }));
    expect(life.sees(settingsSeen(life, { description: "ours" }))).toMatch(/^ready/);
    return (code, afterMs) =>
      life.sees({ kind: "failed", error: northflankError(code), hasChangedSource: false }, afterMs);
  },
};

const cases: Readonly<Record<NorthflankErrorCode, readonly [first: string, second: string]>> = {
  quota_closed: both("waiting/WaitingForQuota, again in 60 s"),
  rate_limited: both("waiting/WaitingForQuota, again in 90 s"),
  unauthorized: ["stalled/AuthenticationFailed, again in 1 s", "stalled/AuthenticationFailed, again in 2 s"],
  forbidden: both("stalled/PermissionDenied, again in 3600 s"),
  not_found: ["stalled/TargetNotFound, again in 15 s", "stalled/TargetNotFound, again in 30 s"],
  gone: both("stalled/TargetNotFound, again in 3600 s"),
  rejected: both("stalled/RequestRejected, again in 3600 s"),
  wrong_method: doubled("stalled/RemoteMisconfigured"),
  redirect: doubled("stalled/RemoteMisconfigured"),
  protocol: doubled("stalled/RemoteMisconfigured"),
  tls: doubled("stalled/RemoteMisconfigured"),
  server_error: both("retrying/RemoteUnavailable, again backoff"),
  unreachable: both("retrying/RemoteUnavailable, again backoff"),
  interrupted: both("retrying/RemoteUnavailable, again backoff"),
  timeout: both("retrying/RequestTimeout, again backoff"),
};

function both(text: string): readonly [string, string] {
  return [text, text];
}

function doubled(state: string): readonly [string, string] {
  return [`${state}, again in 60 s`, `${state}, again in 120 s`];
}

describe.each(Object.entries(kinds))("a %s", (_kind, settled) => {
  test.each(Object.entries(cases))("%s, the first time and the second", (code, expected) => {
    const fails = settled();
    expect([0, 1].map(() => fails(code as NorthflankErrorCode, minute))).toEqual(expected);
  });

  test("after eight lost answers the first failed handshake is probed within minutes, as any first one is", () => {
    const fails = settled();
    for (let count = 0; count < 8; count += 1) {
      expect(fails("timeout", minute)).toBe("retrying/RequestTimeout, again backoff");
    }
    const probes = [0, 1, 2].map(() => fails("tls", hour));
    expect(probes).toEqual([60, 120, 240].map((seconds) => `stalled/RemoteMisconfigured, again in ${seconds} s`));
  });
});
