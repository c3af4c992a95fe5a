import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap, type HeapNode } from "../../src/runtime/heap.ts";

function node(rank: number, order: number): HeapNode {
  return { rank, order, slot: -1 };
}

test("for any pushes and removals, nodes come out by rank, then by order, and know that they are out", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean())), (wishes) => {
      const heap = new Heap<HeapNode>();
      const nodes = wishes.map(([rank], order) => node(rank, order));
      for (const one of nodes) heap.push(one);
      for (const [index, [, leaves]] of wishes.entries()) if (leaves) heap.remove(nodes[index]!);
      const staying = nodes.filter((_, index) => wishes[index]?.[1] === false);
      expect(heap.size).toBe(staying.length);
      const out: HeapNode[] = [];
      for (let next = heap.pop(); next !== undefined; next = heap.pop()) out.push(next);
      expect(out).toEqual(staying.toSorted((a, b) => a.rank - b.rank || a.order - b.order));
      expect(nodes.every(({ slot }) => slot === -1)).toBe(true);
    }),
  );
});

test("removing a node that is in another heap, or in none, changes nothing", () => {
  const [mine, other] = [new Heap<HeapNode>(), new Heap<HeapNode>()];
  const [a, b] = [node(1, 0), node(1, 1)];
  mine.push(a);
  other.push(b);
  mine.remove(b);
  mine.remove(node(1, 2));
  expect([mine.peek(), other.peek()]).toEqual([a, b]);
});
