// pure
/** What a {@link Heap} orders. The heap owns `slot`; the caller changes `rank` only while the node is in no heap. */
export interface HeapNode {
  /** Lower comes out first. */
  rank: number;
  /** Breaks ties: lower comes out first. Unique within one heap. */
  order: number;
  /** Where the node stands in its heap, -1 when in none. */
  slot: number;
}

/** A binary heap whose nodes know their place, so that any of them leaves in O(log n). */
export class Heap<T extends HeapNode> {
  readonly #nodes: T[] = [];

  get size(): number {
    return this.#nodes.length;
  }

  /** All nodes, in no particular order. */
  get nodes(): readonly T[] {
    return this.#nodes;
  }

  peek(): T | undefined {
    return this.#nodes[0];
  }

  push(node: T): void {
    this.#nodes.push(node);
    this.#rise(node, this.#nodes.length - 1);
  }

  pop(): T | undefined {
    const first = this.#nodes[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes a node out; does nothing when it is not in this heap. */
  remove(node: T): void {
    const slot = node.slot;
    if (this.#nodes[slot] !== node) return;
    const last = this.#nodes.pop();
    node.slot = -1;
    if (last === undefined || last === node) return;
    // The last node takes the free place and may belong above or below it.
    this.#rise(last, slot);
    this.#sink(last, last.slot);
  }

  #rise(node: T, from: number): void {
    let slot = from;
    while (slot > 0) {
      const parentSlot = (slot - 1) >> 1;
      const parent = this.#nodes[parentSlot];
      if (parent === undefined || !isBefore(node, parent)) break;
      this.#place(parent, slot);
      slot = parentSlot;
    }
    this.#place(node, slot);
  }

  #sink(node: T, from: number): void {
    let slot = from;
    for (;;) {
      const child = this.#firstChild(slot);
      if (child === undefined || !isBefore(child, node)) break;
      const childSlot = child.slot;
      this.#place(child, slot);
      slot = childSlot;
    }
    this.#place(node, slot);
  }

  #firstChild(slot: number): T | undefined {
    const left = this.#nodes[2 * slot + 1];
    const right = this.#nodes[2 * slot + 2];
    if (left === undefined || right === undefined) return left;
    return isBefore(right, left) ? right : left;
  }

  #place(node: T, slot: number): void {
    this.#nodes[slot] = node;
    node.slot = slot;
  }
}

/** True when `a` comes out before `b`. */
export function isBefore(a: HeapNode, b: HeapNode): boolean {
  return a.rank === b.rank ? a.order < b.order : a.rank < b.rank;
}
