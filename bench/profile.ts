import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/*
 * tsx bench/profile.ts FOLDER [LINES]
 *
 * Adds up CPU profiles (`--cpu-prof`): per function the time in it and the time in it and what it calls, in milliseconds.
 */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const [folder = ".", lines = "60"] = process.argv.slice(2);
const own = new Map<string, number>();
const whole = new Map<string, number>();
for (const file of readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"))) {
  addUp(JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile);
}
print("own time", own);
print("with what it calls", whole);

function addUp({ nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const ownUs = new Map<number, number>();
  for (const [index, id] of samples.entries()) ownUs.set(id, (ownUs.get(id) ?? 0) + (timeDeltas[index] ?? 0));
  const [root] = nodes;
  if (root !== undefined) visit(root, new Set());

  /** The time below `node`; a function that calls itself is counted once. */
  function visit(node: ProfileNode, above: ReadonlySet<string>): number {
    const name = nameOf(node);
    const inner = above.has(name) ? above : new Set([...above, name]);
    const self = ownUs.get(node.id) ?? 0;
    let total = self;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) total += visit(child, inner);
    }
    own.set(name, (own.get(name) ?? 0) + self);
    if (!above.has(name)) whole.set(name, (whole.get(name) ?? 0) + total);
    return total;
  }
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  return `${functionName || "(anonymous)"} ${url.split("/").at(-1)}:${lineNumber + 1}`;
}

function print(title: string, times: ReadonlyMap<string, number>): void {
  console.log(`\n${title}, ms`);
  const most = [...times].sort(([, a], [, b]) => b - a).slice(0, Number(lines));
  for (const [name, us] of most) console.log(`${(us / 1_000).toFixed(1).padStart(9)}  ${name}`);
}
