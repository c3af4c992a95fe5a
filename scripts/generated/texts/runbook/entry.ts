import { reconcileRequestedAt, resolveStart, startedRun } from "../../../../src/api/names.ts";

/** A paragraph, or the lines of a block of commands. In commands, words in capitals stand for names of the reader. */
export type Block = string | readonly string[];

/** What a person on call needs to know of one reason or one alert; each text in Markdown. */
export interface Remedy {
  readonly means: string;
  readonly check: readonly Block[];
  readonly act: readonly Block[];
  /** What happens if nothing is done. */
  readonly otherwise: string;
}

/** A reason for which nothing has to be done, with one line about why. */
export interface Fine {
  readonly fine: string;
}

export type RunbookEntry = Remedy | Fine;

/** Short names of the kinds, as `kubectl` takes them. */
export type ShortName = "nfconn" | "nfdeploy" | "nfjob" | "nfrun";

/** Conditions and Events of an object. */
export function describe(...kinds: readonly ShortName[]): Block {
  return kinds.map((kind) => `kubectl describe ${kind}/NAME -n NAMESPACE`);
}

/** Requests a reconcile. */
export function reconcile(...kinds: readonly ShortName[]): Block {
  return kinds.map(
    (kind) => `kubectl annotate ${kind}/NAME -n NAMESPACE ${reconcileRequestedAt}="$(date +%s)" --overwrite`,
  );
}

/** Answers what became of a start: `RUN_ID`, `retry` or `fail`. */
export function resolve(answer: string): string {
  return `kubectl annotate nfrun/NAME -n NAMESPACE ${resolveStart}=${answer} --overwrite`;
}

/** Removes the annotation of a start. */
export const forgetStart = `kubectl annotate nfrun/NAME -n NAMESPACE ${startedRun}-`;

/** Sets one field of the spec. `value` is JSON. */
export function setField(kind: ShortName, field: string, value: string): string {
  return `kubectl patch ${kind}/NAME -n NAMESPACE --type merge -p '{"spec":{"${field}":${value}}}'`;
}

/** Log lines of one object. */
export const logsOfObject =
  "kubectl -n northflank-operator logs -l app.kubernetes.io/name=northflank-operator --prefix --tail=-1 | grep NAMESPACE/NAME";
