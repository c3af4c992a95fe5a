import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLedger, type Ledger } from "../../src/northflank/ledger.ts";
import { type Spender, Spending } from "../../src/northflank/spending.ts";
import { FakeClock } from "../support/fake-clock.ts";

const hourMs = 3_600_000;

function deployment(name: string, namespace = "shop"): Spender {
  return { kind: "NorthflankDeployment", namespace, name };
}

function spent(...spenders: readonly Spender[]): Spending {
  const spending = new Spending();
  for (const spender of spenders) spending.add(spender);
  return spending;
}

describe("what was spent", () => {
  test("is counted by kind, namespace and object, the most first", () => {
    const list = { kind: "ServiceList", namespace: "", name: "p" };
    const spending = spent(deployment("a"), list, deployment("b", "other"), deployment("a"), list, deployment("a"));
    expect(spending.snapshot(20)).toEqual({
      total: 6,
      kinds: [
        ["NorthflankDeployment", 4],
        ["ServiceList", 2],
      ],
      namespaces: [
        ["shop", 3],
        ["", 2],
        ["other", 1],
      ],
      spenders: [
        [deployment("a"), 3],
        [list, 2],
        [deployment("b", "other"), 1],
      ],
    });
  });

  test("keeps objects apart that share a name, a namespace or a kind", () => {
    const job = { kind: "NorthflankJob", namespace: "shop", name: "a" };
    const { spenders } = spent(deployment("a"), deployment("b"), deployment("a", "other"), job).snapshot(20);
    expect(spenders.map(([, count]) => count)).toEqual([1, 1, 1, 1]);
  });

  test("of 100,000 objects stays exact in all but the objects, and names those that spend the most", () => {
    const spending = new Spending();
    for (let index = 0; index < 100_000; index++) {
      spending.add(deployment(`d${index}`));
      if (index % 100 === 0) spending.add(deployment("greedy", "greedy"));
    }
    const { total, kinds, namespaces, spenders } = spending.snapshot(3);
    expect([total, kinds]).toEqual([101_000, [["NorthflankDeployment", 101_000]]]);
    expect(namespaces).toEqual([
      ["shop", 100_000],
      ["greedy", 1_000],
    ]);
    expect(spenders).toHaveLength(3);
    expect(spenders[0]).toEqual([deployment("greedy", "greedy"), 1_000]);
  });
});

describe("a ledger", () => {
  const send = fc.record({
    kind: fc.constant("send" as const),
    object: fc.integer({ min: 0, max: 5 }),
    how: fc.constantFrom("unsent" as const, "lost" as const, "answered" as const),
    remaining: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
    resetMs: fc.option(fc.integer({ min: 1, max: 2 * hourMs }), { nil: undefined }),
  });
  const end = fc.record({ kind: fc.constant("end" as const), which: fc.nat() });
  const wait = fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: hourMs }) });
  const event = fc.oneof({ weight: 4, arbitrary: send }, { weight: 3, arbitrary: end }, { weight: 1, arbitrary: wait });

  test("counts what it counts as used, once nothing is in flight: whatever was lost, late or in another window", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
        const clock = new FakeClock();
        const ledger = createLedger({ clock, random: () => 0, maxRequestsPerHour: 900 });
        const inFlight: (() => void)[] = [];
        for (const one of events) {
          if (one.kind === "wait") await clock.advance(one.ms);
          if (one.kind === "end") inFlight.splice(one.which % (inFlight.length + 1), 1)[0]?.();
          if (one.kind !== "send") continue;
          const admission = ledger.admit({ class: "change", spender: deployment(`d${one.object}`) });
          if (admission.kind === "refused") continue;
          const settlement = one.how === "answered" ? answered(one) : { kind: one.how };
          inFlight.push(() => admission.ticket.settle(settlement));
        }
        for (const settle of inFlight) settle();
        expect(ledger.spending()?.snapshot(20).total ?? 0).toBe(ledger.snapshot().used);
      }),
    );
  });

  test("begins anew with each window", async () => {
    const clock = new FakeClock();
    const ledger = createLedger({ clock, random: () => 0, maxRequestsPerHour: 900 });
    spend(ledger, deployment("a"));
    expect(ledger.spending()?.snapshot(20).total).toBe(1);
    await clock.advance(hourMs);
    expect(ledger.spending()?.snapshot(20)).toEqual({ total: 0, kinds: [], namespaces: [], spenders: [] });
    spend(ledger, deployment("b"));
    expect(ledger.spending()?.snapshot(20).spenders).toEqual([[deployment("b"), 1]]);
  });

  test("takes over what was spent from the same account in another one", () => {
    const clock = new FakeClock();
    const [one, other] = [1, 2].map(() => createLedger({ clock, random: () => 0, maxRequestsPerHour: 900 }));
    if (one === undefined || other === undefined) throw new Error("two ledgers are expected");
    for (const ledger of [one, other]) spend(ledger, deployment("a"));
    one.absorb(other);
    expect(one.spending()?.snapshot(20).spenders).toEqual([[deployment("a"), 2]]);
    expect(one.snapshot().used).toBe(2);
  });

  test("that is named no spender keeps nothing", () => {
    const ledger = createLedger({ clock: new FakeClock(), random: () => 0, maxRequestsPerHour: 900 });
    spend(ledger, undefined);
    expect([ledger.spending(), ledger.snapshot().used]).toEqual([undefined, 1]);
  });
});

function answered(reading: { readonly remaining?: number | undefined; readonly resetMs?: number | undefined } = {}) {
  const { remaining, resetMs } = reading;
  const rateLimit = { limit: undefined, remaining, resetMs, retryAfterMs: undefined };
  return { kind: "answered", status: 200, rateLimit } as const;
}

function spend(ledger: Ledger, spender: Spender | undefined): void {
  const admission = ledger.admit({ class: "change", spender });
  if (admission.kind === "refused") throw new Error("refused");
  admission.ticket.settle(answered());
}
