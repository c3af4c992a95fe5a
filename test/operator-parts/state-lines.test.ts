import { afterEach, expect, test } from "vitest";
import { connection, deployment } from "../support/builders.ts";
import { WholeOperator } from "../support/whole-operator.ts";

const hour = 3_600_000;
const count = 6;
const keys = Array.from({ length: count }, (_, n) => `shop/api-${n}`);
const answer = () => ({ status: 404, body: { error: { status: 404, message: "no such thing" } } });

let operator: WholeOperator;
afterEach(() => operator.stop());

function stateLines() {
  return operator.log.lines.filter(({ message }) => message === "object changed state");
}

test("objects that become Stalled together have one warning each, and none after a restart", async () => {
  operator = new WholeOperator({ answer });
  operator.store(connection());
  for (const key of keys) {
    const name = key.replace("shop/", "");
    operator.store(deployment({ metadata: { name, uid: `uid-${name}` }, spec: { serviceId: name } }));
  }
  operator.start();
  await operator.clock.advance(hour);
  const warned = stateLines().filter(({ level }) => level === "warn");
  expect(warned.map(({ fields }) => fields.object).sort()).toEqual([...keys].sort());
  expect(warned[0]?.fields).toMatchObject({
    controller: "deployment",
    kind: "NorthflankDeployment",
    ready: "False",
    message: expect.stringContaining("api-"),
  });
  const stored = keys.map((key) => operator.get("NorthflankDeployment", key));
  const used = operator.get("NorthflankConnection", "shop/default");
  await operator.stop();

  operator = new WholeOperator({ answer });
  for (const object of [used, ...stored]) operator.store(object);
  operator.start();
  await operator.clock.advance(2 * hour);
  expect(operator.sent.length).toBeGreaterThan(count);
  expect(stateLines()).toEqual([]);
});
