import { expect, test } from "vitest";
import { EventLoop } from "../../src/runtime/event-loop.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

function setUp() {
  const clock = new FakeClock();
  const turns: (() => void)[] = [];
  const loop = new EventLoop(clock, (then) => turns.push(then));
  return { clock, loop, turns };
}

test("a turn is due every 5 ms of work, and all who ask meanwhile wait for the same one", async () => {
  const { clock, loop, turns } = setUp();
  const first = loop.turn();
  expect(first).toBeInstanceOf(Promise);
  turns[0]?.();
  await first;
  await clock.advance(4);
  expect(loop.turn()).toBeUndefined();
  await clock.advance(1);
  const second = loop.turn();
  expect([loop.turn() === second, turns.length]).toEqual([true, 2]);
  turns[1]?.();
  await second;
  expect(loop.turn()).toBeUndefined();
});

test("by default it is a turn in which timers and sockets are served, not only promises", async () => {
  const loop = new EventLoop(new FakeClock());
  const heard: string[] = [];
  const turned = loop.turn()?.then(() => heard.push("turned"));
  for (let n = 0; n < 100; n++) await Promise.resolve();
  expect(heard).toEqual([]);
  await settle();
  expect(heard).toEqual(["turned"]);
  await turned;
});
