import type { ShownState, StatusModel } from "../../src/status-page/model.ts";

const nowMs = Date.parse("2026-03-01T03:00:00Z");
const minute = 60_000;

const state = (name: string, more: Partial<ShownState> = {}): ShownState => ({
  kind: "Deployment",
  namespace: "shop",
  name,
  reason: "RollingOut",
  message: 'Northflank is rolling out "registry.example.com/shop/api:1.4.2". It times out at 2026-03-01T03:20:00Z.',
  sinceMs: nowMs - 3 * minute,
  dueInMs: 20_000,
  ...more,
});

/** A model of an installation on a bad day. */
export function statusModel(more: Partial<StatusModel> = {}): StatusModel {
  const stalled = [
    state("checkout", {
      reason: "AuthenticationFailed",
      message:
        'Northflank rejected the token of connection "default" (401); the same token is not sent again for about 1h. Put a valid token into the Secret, or request a reconcile of the connection. Next check within 1m.',
      sinceMs: nowMs - 47 * minute,
    }),
    state("migrate-2026-03-01", {
      kind: "JobRun",
      reason: "StartOutcomeUnknown",
      message:
        'The answer to the start was lost and no new run was found. Nothing is started again by itself (AtMostOnce). Check the runs of the job in Northflank, then set the annotation northflank-operator.io/resolve-start to the run ID, "retry" or "fail".',
      sinceMs: nowMs - 190 * minute,
      dueInMs: 23 * minute,
    }),
  ];
  const history = Array.from({ length: 60 }, (_, at) => ({
    agoMs: (60 - at) * minute,
    remaining: at < 25 ? 420 - at * 14 : 1_000 - (at - 25) * 23,
  }));
  return {
    version: "0.1.0",
    identity: "northflank-operator-6c9f7d-x2x7p",
    nowMs,
    role: "leader",
    leader: undefined,
    checks: [
      { name: "shutdown", ok: true, reason: "" },
      { name: "cache/northflankconnections", ok: true, reason: "" },
      { name: "cache/northflankdeployments", ok: true, reason: "" },
      { name: "cache/northflankjobs", ok: true, reason: "namespace team-b: forbidden, list northflankjobs" },
      { name: "cache/northflankjobruns", ok: true, reason: "" },
      { name: "election", ok: true, reason: "" },
    ],
    kinds: [
      { kind: "NorthflankConnection", total: 3, ready: 2, inProgress: 0, stalled: 1, suspended: 0 },
      { kind: "NorthflankDeployment", total: 214, ready: 197, inProgress: 13, stalled: 2, suspended: 2 },
      { kind: "NorthflankJob", total: 18, ready: 18, inProgress: 0, stalled: 0, suspended: 0 },
      { kind: "NorthflankJobRun", total: 412, ready: 380, inProgress: 3, stalled: 29, suspended: 0 },
    ],
    accounts: {
      total: 2,
      items: [
        {
          pool: "https://api.northflank.com, team acme",
          limit: 1_000,
          remaining: 195,
          used: 611,
          resetInMs: 11 * minute,
          closedBy: undefined,
          waiting: 14,
          pollStretch: 2.4,
          checkStretch: 6.1,
          history: [...history, { agoMs: 0, remaining: 195 }],
          spenders: [
            { kind: "RunList", namespace: "", name: "shop/etl", requests: 130 },
            { kind: "NorthflankDeployment", namespace: "shop", name: "api", requests: 61 },
            { kind: "NorthflankJobRun", namespace: "shop", name: "nightly-report-2026-03-01", requests: 22 },
          ],
        },
        {
          pool: "https://api.northflank.com, connection team-b/default",
          limit: 1_000,
          remaining: 988,
          used: 4,
          resetInMs: 50 * minute,
          closedBy: "Northflank cannot be reached; one request at a time is sent until it answers.",
          waiting: 0,
          pollStretch: 1,
          checkStretch: 1,
          history: [],
          spenders: [],
        },
      ],
    },
    stalled: { items: stalled, total: 3 },
    failedRuns: {
      items: [
        state("etl-4711", {
          kind: "JobRun",
          reason: "RunFailed",
          message: "Run 77 failed (FAILED).",
          dueInMs: undefined,
        }),
      ],
      total: 29,
    },
    waiting: {
      items: [
        state("api", { sinceMs: nowMs - 6 * minute }),
        state("web", {
          reason: "WaitingForQuota",
          message: "The request quota allows no such request now. Retrying in 11m.",
          dueInMs: 11 * minute,
        }),
      ],
      total: 16,
    },
    slow: [
      { controller: "deployment", key: "shop/api", durationMs: 12_400 },
      { controller: "job-run", key: "shop/nightly-report-2026-03-01", durationMs: 4_020, endedAgoMs: 9 * minute },
    ],
    ...more,
  };
}
