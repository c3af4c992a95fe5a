import { formatDuration } from "../../util/duration.ts";
import type { ExitCode } from "../io.ts";
import type { ReadObject } from "./fields.ts";
import { followObjects } from "./follow.ts";
import { type FoundObject, type Session, shownName } from "./session.ts";
import { type Goal, judge, judgeDeleted, type Verdict } from "./verdict.ts";

/** An object with what it is waited for. */
export interface Awaited extends FoundObject {
  readonly goal: Goal;
}

interface Entry {
  readonly awaited: Awaited;
  verdict: Verdict;
}

/**
 * Waits until every object has reached its goal: exit code 0. Ends with 1 as soon as one has failed, or was deleted, or
 * when `timeoutMs` is over (missing: never; 0: the states that were read are judged, and nothing is watched).
 *
 * Prints one line for each object when it is decided, and shows on a terminal where the others stand.
 */
export async function waitFor(
  session: Session,
  objects: readonly Awaited[],
  timeoutMs: number | undefined,
): Promise<ExitCode> {
  const startedMs = session.clock.monotonic();
  const entries = objects.map((awaited): Entry => ({ awaited, verdict: judge(awaited.object, awaited.goal) }));
  const stop = new AbortController();
  const end = { problem: undefined as string | undefined };
  const elapsed = () => formatDuration(session.clock.monotonic() - startedMs);

  let undecided = entries.filter((entry) => !isDecided(entry)).length;

  const settle = (entry: Entry, verdict: Verdict): void => {
    if (stop.signal.aborted || isDecided(entry)) return;
    entry.verdict = verdict;
    if (isDecided(entry)) {
      undecided -= 1;
      printDecided(session, entry, elapsed());
    }
    if (verdict.kind === "failed" || undecided === 0) stop.abort(new Error("the wait is over"));
    // Of thousands, the next second shows where they stand.
    else if (entries.length === 1) showProgress(session, entries, elapsed());
  };

  for (const entry of entries) if (isDecided(entry)) printDecided(session, entry, elapsed());
  const isOver = entries.every(isDecided) || entries.some(({ verdict }) => verdict.kind === "failed");
  if (!isOver && timeoutMs !== 0) {
    const timers = [
      session.clock.setTimer(() => noteUnobserved(session, entries), unobservedMs),
      ...(timeoutMs === undefined ? [] : [session.clock.setTimer(() => stop.abort(new Error("timed out")), timeoutMs)]),
      ticker(session, () => showProgress(session, entries, elapsed()), stop.signal),
    ];
    const lost = (problem: string) => {
      end.problem ??= problem;
      stop.abort(new Error(problem));
    };
    showProgress(session, entries, elapsed());
    await Promise.all(
      groupsOf(entries).map((group) => {
        const byName = new Map(group.map((entry) => [entry.awaited.name, entry]));
        const hear = (object: ReadObject, judgeIt: typeof judge) => {
          const entry = byName.get(object.metadata.name);
          // Created again under the same name: the deletion of the one that is waited for was seen before.
          if (entry === undefined || object.metadata.uid !== entry.awaited.object.metadata.uid) return;
          settle(entry, judgeIt(object, entry.awaited.goal));
        };
        const sink = {
          seen: (object: ReadObject) => hear(object, judge),
          deleted: (last: ReadObject) => hear(last, judgeDeleted),
          lost,
        };
        return followObjects(
          session,
          group.map(({ awaited }) => awaited),
          sink,
          stop.signal,
        );
      }),
    );
    for (const timer of timers) timer.cancel();
  }
  return conclude(session, entries, { problem: end.problem, elapsed: elapsed() });
}

function conclude(
  session: Session,
  entries: readonly Entry[],
  { problem, elapsed }: { readonly problem: string | undefined; readonly elapsed: string },
): ExitCode {
  const openEntries = entries.filter((entry) => !isDecided(entry));
  const isFailed = entries.some(({ verdict }) => verdict.kind === "failed");
  if (problem !== undefined) session.complain(problem);
  if (isFailed && openEntries.length > 0) {
    session.complain(
      `${openEntries.length} more not waited for: ${openEntries.map(({ awaited }) => shownName(awaited)).join(", ")}`,
    );
  }
  if (!isFailed && problem === undefined) {
    for (const { awaited, verdict } of openEntries) {
      session.complain(`timed out after ${elapsed}: ${shownName(awaited)} is not ready; ${verdict.detail}`);
    }
  }
  return isFailed || openEntries.length > 0 ? 1 : 0;
}

// The operator observes an object within a second, or a few after its own start.
const unobservedMs = 30_000;

/** Says why nothing may happen: no operator has seen these objects. */
function noteUnobserved(session: Session, entries: readonly Entry[]): void {
  const waiting = entries.filter(
    (entry) => !isDecided(entry) && entry.verdict.kind === "open" && entry.verdict.isUnobserved,
  );
  if (waiting.length === 0) return;
  const names = waiting.map(({ awaited }) => shownName(awaited)).join(", ");
  session.complain(
    `note: not observed for ${formatDuration(unobservedMs)}: ${names}; is the operator running, and does it watch this namespace?`,
  );
}

function isDecided({ verdict }: Entry): boolean {
  return verdict.kind !== "open";
}

function printDecided(session: Session, { awaited, verdict }: Entry, elapsed: string): void {
  if (verdict.kind === "open") return;
  const line = `${shownName(awaited)} ${verdict.word} after ${elapsed}; ${verdict.detail}`;
  if (verdict.kind === "reached") session.say(line);
  else session.complain(line);
}

function showProgress(session: Session, entries: readonly Entry[], elapsed: string): void {
  const openEntries = entries.filter((entry) => !isDecided(entry));
  const [first] = openEntries;
  if (first === undefined) return;
  const count = entries.length === 1 ? "" : `${entries.length - openEntries.length}/${entries.length} `;
  session.progress.show(`${elapsed} ${count}${shownName(first.awaited)} ${first.verdict.detail}`);
}

const tickMs = 1_000;

/** Calls `tick` once a second where a terminal shows it. */
function ticker({ clock, io }: Session, tick: () => void, signal: AbortSignal): { readonly cancel: () => void } {
  if (io.isErrorTerminal !== true) return { cancel: () => {} };
  const next = () => {
    if (signal.aborted) return;
    tick();
    timer = clock.setTimer(next, tickMs);
  };
  let timer = clock.setTimer(next, tickMs);
  return { cancel: () => timer.cancel() };
}

/** Objects of one kind and namespace share a watch. */
function groupsOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries.filter((each) => !isDecided(each))) {
    const key = `${entry.awaited.kind.type.kind} ${entry.awaited.namespace}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}
