import { describe, expect, expectTypeOf, test } from "vitest";
import { type Known, RunMemories, serverTimeAt } from "../../../src/controllers/job-run/memory.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";

const first = new RunCluster(new FakeClock()).create("once");

describe("the memory of a run", () => {
  test("is a value that only remember replaces", () => {
    const memory = new RunMemories().of("default/once", first);
    const before = memory.known;
    memory.remember({ givenUpStarts: 2 });
    expect(before.givenUpStarts).toBe(0);
    expect(memory.known).toEqual({ ...before, givenUpStarts: 2 });
    expectTypeOf<Known>().toEqualTypeOf<Readonly<Known>>();
    expectTypeOf<Known["endedStarts"]>().not.toHaveProperty("push");
    // @ts-expect-error: nothing is written past remember
    const write = () => (memory.known.pause = undefined);
    expect(write).toBeTypeOf("function");
  });

  test("is empty again for another object of the same name", () => {
    const memories = new RunMemories();
    memories.of("default/once", first).remember({ unsettled: 1 });
    expect(memories.peek("default/once", first)?.unsettled).toBe(1);
    const second = { ...first, metadata: { ...first.metadata, uid: "second" } };
    expect(memories.peek("default/once", second)).toBeUndefined();
    expect(memories.of("default/once", second).known.unsettled).toBe(0);
  });

  test("tells Northflank's clock from one reading", () => {
    expect(serverTimeAt({}, 5_000)).toBeUndefined();
    expect(serverTimeAt({ serverClock: { serverMs: 1_000_000, atMs: 2_000 } }, 5_000)).toBe(1_003_000);
  });
});
