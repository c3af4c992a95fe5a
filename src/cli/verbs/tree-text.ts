// pure
import { northflankConnections, northflankJobRuns } from "../../api/names.ts";
import { plainLine } from "../printable.ts";
import { conditionAt, type ReadObject, textAt } from "./fields.ts";
import { quotaOf, reasonOf, toneOf } from "./get-columns.ts";
import { type Cell, inColor } from "./table.ts";

/** An object of a tree, with what it depends on or what depends on it. */
export interface TreeNode {
  /** How it belongs to the one above: `waits for`; empty for the first. */
  readonly relation: string;
  readonly title: string;
  readonly state: Cell;
  readonly children: readonly TreeNode[];
}

/** Where an object stands, in a few words. */
export function stateText(object: ReadObject, now: number): Cell {
  const reason = reasonOf(object) ?? "";
  const ready = conditionAt(object, "Ready")?.status ?? "Unknown";
  const state = object.kind === northflankJobRuns.kind ? textAt(object, "status", "phase") : `Ready=${ready}`;
  const quota = object.kind === northflankConnections.kind ? quotaOf(object, now) : undefined;
  const parts = [state ?? "NotObservedYet", reason, quota === undefined ? "" : `${quota} requests left`];
  return { text: parts.filter((part) => part !== "").join(", "), tone: toneOf(object) };
}

/** The lines of a tree. Texts may hold anything. */
export function formatTree(node: TreeNode, options: { readonly isColored: boolean }): string {
  const lines = (one: TreeNode, first: string, rest: string): readonly string[] => {
    const relation = one.relation === "" ? "" : `${one.relation} `;
    const state = inColor({ ...one.state, text: plainLine(one.state.text ?? "") }, options.isColored);
    const own = `${plainLine(`${first}${relation}${one.title}`)}   ${state}`;
    const children = one.children.flatMap((child, index) => {
      const isLast = index === one.children.length - 1;
      return lines(child, `${rest}${isLast ? "└─ " : "├─ "}`, `${rest}${isLast ? "   " : "│  "}`);
    });
    return [own, ...children];
  };
  return lines(node, "", "")
    .map((line) => `${line}\n`)
    .join("");
}
