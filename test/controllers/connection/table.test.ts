import { expect, test } from "vitest";
import type { NorthflankConnection } from "../../../src/api/connection.ts";
import type { TokenCheck } from "../../../src/controllers/connection/observation.ts";
import type { ReadyState } from "../../../src/controllers/reconcile/ready-state.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { connection } from "../../support/builders.ts";
import { ConnectionLife, type ConnectionSight } from "../../support/connection-life.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { type Sight, stateTable } from "../../support/state-table.ts";

/*
 * Every state of a NorthflankConnection by everything that may be observed of it, in `table.expected.txt` (how to read it:
 * test/support/state-table.ts). A change of src that changes a line has to say why. To write it anew:
 *
 *     npx vitest run --project unit test/controllers/connection/table.test.ts -u
 */

const minute = 60_000;

/** A week from the beginning of a life: soon enough for a warning. */
const expiresAt = "2026-01-08T00:00:00Z";

function checked(check: TokenCheck, secretResourceVersion: string | undefined = "1"): ConnectionSight {
  return { kind: "checked", check, secretResourceVersion };
}

function failed(code: NorthflankErrorCode): ConnectionSight {
  return checked({ kind: "failed", error: northflankError(code) });
}

function blocked(kind: ReadyState["kind"], reason: ReadyState["reason"]): ConnectionSight {
  return { kind: "blocked", readyState: { kind, reason, message: "None." }, recheckAfterMs: 50_000 };
}

const observations: Readonly<Record<string, ConnectionSight>> = {
  "nothing is due": { kind: "rest" },
  "invalid spec": { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
  suspended: { kind: "suspended" },
  "no Secret": blocked("stalled", "SecretNotFound"),
  "Secret may not be read": blocked("retrying", "PermissionDenied"),
  "token refused before": blocked("stalled", "AuthenticationFailed"),
  "too many refusals in the namespace": blocked("waiting", "WaitingForConnection"),
  accepted: checked({ kind: "accepted", token: undefined }),
  "accepted from another version of the Secret": checked({ kind: "accepted", token: undefined }, "2"),
  "accepted, expires soon": checked({ kind: "accepted", token: { expiresAt, permissions: new Set() } }),
  "no call that checks it": checked({ kind: "unsupported", isAccepted: false }),
  "401 answer": failed("unauthorized"),
  "wrong address": failed("not_found"),
  "lost answer": failed("timeout"),
  "no quota": failed("quota_closed"),
};

const seen =
  (name: keyof typeof observations, afterMs = minute) =>
  (life: ConnectionLife) => {
    life.sees(observations[name] ?? { kind: "rest" }, afterMs);
  };

const edited = (spec: Partial<NorthflankConnection["spec"]>) => (life: ConnectionLife) => life.edit(spec);

function life(...steps: readonly ((life: ConnectionLife) => void)[]): () => ConnectionLife {
  return () => {
    const made = new ConnectionLife(connection());
    for (const step of steps) step(made);
    return made;
  };
}

const accepted = seen("accepted");

const states: Readonly<Record<string, () => ConnectionLife>> = {
  unknown: life(),
  accepted: life(accepted),
  "accepted, expires soon": life(seen("accepted, expires soon")),
  "accepted, edited since": life(accepted, edited({ teamId: "t" })),
  "accepted, then no Secret": life(accepted, seen("no Secret")),
  "accepted, then too many refusals in the namespace": life(accepted, seen("too many refusals in the namespace")),
  "accepted, then suspended": life(accepted, edited({ suspend: true }), seen("suspended")),
  "accepted, then lost answer": life(accepted, seen("lost answer")),
  "accepted, then no quota": life(accepted, seen("no quota")),
  "accepted, then 401": life(accepted, seen("401 answer")),
  "accepted, then 401, which is not sent again": life(accepted, seen("401 answer"), seen("token refused before")),
  "no call that checks it": life(seen("no call that checks it")),
  "invalid spec": life(seen("invalid spec")),
  suspended: life(edited({ suspend: true }), seen("suspended")),
  "Secret may not be read": life(seen("Secret may not be read")),
  "lost answers": life(seen("lost answer"), seen("lost answer")),
  "wrong address twice": life(seen("wrong address"), seen("wrong address")),
  "no quota": life(seen("no quota")),
};

const sights: Readonly<Record<string, Sight<ConnectionLife, ConnectionSight>>> = Object.fromEntries(
  Object.entries(observations).map(([name, sight]) => [name, { see: () => sight }]),
);

test("every state of a connection by everything that may be observed of it", async () => {
  await expect(stateTable(states, sights)).toMatchFileSnapshot("table.expected.txt");
});
