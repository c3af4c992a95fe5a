import type { Condition } from "../../src/kube/types.ts";
import { isSameJson } from "../../src/util/same-json.ts";
import type { Answer } from "./lives.ts";

/*
 * Every state of an object by everything that may be seen of it, as a text: the judge of a change that is to change nothing.
 *
 *     # rolling out | Ready=Unknown/RollingOut ...              a state, with what its status says
 *     as declared, complete: ready/RolloutComplete ... | ...    what an observation comes to
 *
 * One line per cell: what is done, verdict and time of the next reconcile; the conditions that change (without the reason
 * where it is that of the verdict or the name of the condition, and without those that follow from the verdict); the fields
 * of status that change, times in seconds from now. No messages: these may be worded anew.
 */

/** What is seen of an object in a state, and how a change is answered. Rows with an answer stand only where one is sent. */
export interface Sight<L, O> {
  readonly see: (life: L) => O;
  readonly answer?: Answer;
}

const soonMs = 20_000;
const lateMs = 3_600_000;

/** An object as it is now; `desire`: what it declares, for the hashes of which a status tells. */
interface Living {
  readonly object: { readonly status?: object & { readonly conditions?: readonly Condition[] } };
  readonly now: number;
  readonly desire?: object;
}

/** The table. Each observation comes 20 s after the state; an hour after it only where it then comes to something else. */
export function stateTable<
  O,
  L extends Living & {
    judges(observation: O): string;
    sees(observation: O, afterMs: number, answer?: Answer): string;
    readonly sent: readonly string[];
    passes(ms: number): void;
  },
>(states: Readonly<Record<string, () => L>>, sights: Readonly<Record<string, Sight<L, O>>>): string {
  const blocks = Object.entries(states).map(([state, make]) => {
    const rows = Object.entries(sights).flatMap(([name, { see, answer }]) => {
      const life = make();
      life.passes(soonMs);
      const observation = see(life);
      const soon = life.judges(observation);
      const isSent = soon.startsWith("write");
      if (answer !== undefined && !isSent) return [];
      life.passes(lateMs - soonMs);
      const late = life.judges(observation);
      life.passes(soonMs - lateMs);
      const before = life.object.status;
      const count = life.sent.length;
      const text = life.sees(observation, 0, answer);
      const parts = life.sent.slice(count).map((one) => ` (${one})`);
      const later = late === soon ? "" : `  LATER ${late}`;
      return [
        `${name}: ${isSent ? `${soon}${parts.join("")}: ${text}` : soon}${changesOf(before, life, text)}${later}`,
      ];
    });
    return [`# ${state}${changesOf(undefined, make(), "")}`, ...rows, ""].join("\n");
  });
  return blocks.join("\n");
}

type Status = Readonly<Record<string, unknown>> & Living["object"]["status"];

/** What is not shown: it follows from the verdict, or is told by Northflank as it is. */
const unshown: readonly string[] = ["conditions", "observedGeneration", "nextReconcileTime", "target"];

/** Told by the kind of verdict: see `brokenPromises`. */
const implied: readonly string[] = ["Reconciling", "Stalled", "Suspended"];

/** The conditions and fields that have changed, as they stand in a line; `text`: the verdict, whose reason is left out. */
export function changesOf(before: Living["object"]["status"], life: Living, text: string): string {
  const [old, now] = [before, life.object.status] as readonly (Status | undefined)[];
  const types = [old, now].flatMap((status) => (status?.conditions ?? []).map(({ type }) => type));
  const conditions = [...new Set(types)].flatMap((type) => {
    const [was, is] = [old, now].map((status) => {
      const found = status?.conditions?.find((condition) => condition.type === type);
      const isTold = found?.reason === type || text.includes(`/${found?.reason},`);
      return found && [`${found.status}/${found.reason}`, isTold ? found.status : `${found.status}/${found.reason}`];
    });
    if (was?.[0] === is?.[0] || implied.includes(type)) return [];
    return [is === undefined ? `-${type}` : `${type}=${is[1]}`];
  });
  const names = [...new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})])].sort();
  const fields = names.flatMap((name) => {
    const [was, is] = [old?.[name], now?.[name]];
    if (unshown.includes(name) || isSameJson(was, is)) return [];
    return [is === undefined ? `-${name}` : `${name}=${brief(name, is, life)}`];
  });
  return [conditions, fields].map((list) => (list.length === 0 ? "" : ` | ${list.join(" ")}`)).join("");
}

/** A value in a few words: times as seconds from now, hashes as this declaration or another one. */
function brief(name: string, value: unknown, life: Living): string {
  if (name === "observed") return "*";
  if (Array.isArray(value)) {
    if (name === "history" || name === "changes") return `${value.length}:${brief(name, value[0], life)}`;
    const items = value.map((item: Item) => (item.path === undefined ? brief("", item, life) : pathText(item, life)));
    return `[${items.join(" ")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const isShown = (key: string) =>
      !["message", "generation", ...(name === "history" ? ["source"] : [])].includes(key);
    const shown = Object.entries(value).filter(([key]) => isShown(key));
    return `{${shown.map(([key, inner]) => `${key}:${brief(key, inner, life)}`).join(" ")}}`;
  }
  if (/Hash$|^of$|^keyId$|^sourcesId$/.test(name)) return hashText(String(value), life);
  const text = String(value);
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)) return `${Math.round((Date.parse(text) - life.now) / 1_000)}s`;
  return text
    .replaceAll(/ghcr\.io\/acme\/|https:\/\/api\.northflank\.com, /g, "")
    .replaceAll(/\b([0-9a-f]{7})[0-9a-f]{33}\b/g, "$1");
}

interface Item {
  readonly path?: string;
  readonly hash?: string;
}

/** A setting; marked where its value was another one. */
function pathText({ path, hash }: Item, { desire = {} }: Living): string {
  const { leaves = [] } = desire as { readonly leaves?: readonly Item[] };
  return `${path}${hash === undefined || leaves.some((leaf) => leaf.hash === hash) ? "" : "(other)"}`;
}

function hashText(hash: string, { desire = {} }: Living): string {
  return Object.values<unknown>({ ...desire }).includes(hash) ? "this" : "other";
}
