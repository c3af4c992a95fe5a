import { afterEach, describe, expect, test } from "vitest";
import { connection, deployment } from "../support/builders.ts";
import type { ScriptedAnswer, SentRequest } from "../support/recording-transport.ts";
import { WholeOperator } from "../support/whole-operator.ts";

const minute = 60_000;
const image = "ghcr.io/acme/api:2.0.0";
const names = Array.from({ length: 200 }, (_, n) => `api-${n}`);

const refused: ScriptedAnswer = { status: 401, body: { error: { status: 401, message: "Unauthorized" } } };

let operator: WholeOperator;
let isDead: boolean;
afterEach(() => operator.stop());

function answer({ path }: SentRequest): ScriptedAnswer {
  if (isDead) return refused;
  if (path === "/v1/auth") return { status: 200, body: { data: {} } };
  const id = /\/services\/([^/?]+)/.exec(path)?.[1] ?? "none";
  const status = {
    deployment: { status: "COMPLETED", reason: "DEPLOYING", lastTransitionTime: "2025-12-31T12:00:00Z" },
  };
  const service = { id, uid: `service-${id}`, name: id, serviceType: "deployment", disabledCD: false, status };
  const found = { ...service, servicePaused: false, deployment: { external: { imagePath: image }, instances: 1 } };
  return { status: 200, body: { data: found } };
}

function store(name: string, imagePath: string, generation = 1): void {
  const key = `shop/${name}`;
  const { status } = operator.get("NorthflankDeployment", key) ?? {};
  operator.store({
    ...deployment({
      metadata: { name, uid: `uid-${name}`, generation },
      spec: { projectId: "shop", serviceId: name, deployment: { external: { imagePath } } },
    }),
    ...(status === undefined ? {} : { status }),
  });
}

function ready(): ReadonlySet<string | undefined> {
  return new Set(names.map((name) => operator.condition("NorthflankDeployment", `shop/${name}`)));
}

describe.each([
  ["takes half a second to answer", 500],
  ["takes ten seconds to answer", 10_000],
])("200 deployments whose token dies, at a Northflank that %s,", (_how, latencyMs) => {
  test("cost what was under way, the check that confirms it, and one probe an hour", async () => {
    isDead = false;
    operator = new WholeOperator({ answer, latencyMs });
    operator.store(connection());
    for (const name of names) store(name, image);
    operator.start();
    await operator.clock.advance(10 * minute);
    expect(ready()).toEqual(new Set(["True/RolloutComplete"]));

    isDead = true;
    const before = operator.sent.length;
    for (const name of names) store(name, "ghcr.io/acme/api:2.1.0", 2);
    await operator.clock.advance(10 * minute);
    expect(ready()).toEqual(new Set(["False/AuthenticationFailed"]));
    // One per worker, one of the connection, and GET /v1/auth.
    expect(operator.sent.length - before).toBeLessThanOrEqual(10);

    const confirmed = operator.sent.length;
    await operator.clock.advance(75 * minute);
    const probes = operator.sent.slice(confirmed).map(({ path }) => path);
    expect(probes.filter((path) => path !== "/v1/auth")).toHaveLength(1);
    expect(probes.length).toBeLessThanOrEqual(2);
  });
});
