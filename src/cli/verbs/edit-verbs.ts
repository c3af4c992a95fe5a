import { type KindDefinition, kinds } from "../../api/kinds.ts";
import { northflankJobRuns, reconcileRequestedAt } from "../../api/names.ts";
import { flag, Refusal, switchFlag } from "../../flags.ts";
import { isKubeError } from "../../kube/errors.ts";
import { readableRunId } from "../../northflank/run-view.ts";
import { present } from "../../util/present.ts";
import type { ExitCode } from "../io.ts";
import { type EditDecision, editObject } from "./edit.ts";
import {
  type Answer,
  decideAbort,
  decideReconcile,
  decideResolve,
  decideSuspend,
  newRequest,
} from "./edit-decisions.ts";
import { explained } from "./explained.ts";
import { type ReadObject, textAt } from "./fields.ts";
import type { Selection } from "./objects.ts";
import { kindNamed } from "./objects.ts";
import { Refused, Wrong } from "./refused.ts";
import { readSelectionArguments } from "./selection.ts";
import { type FoundObject, readSome, type Session } from "./session.ts";
import type { Verb } from "./verb.ts";
import { placeFlags, selectionFlags, timeoutFlag } from "./verb-flags.ts";
import type { Goal } from "./verdict.ts";
import { waitFor } from "./wait-for.ts";

const runKind = kindNamed(northflankJobRuns.kind);

const wait = switchFlag("wait", "wait until the objects are ready or succeeded, or one has failed");
const waitFlags = { wait, timeout: timeoutFlag } as const;

const usageOf = (name: string, kind: string) => `usage: northflank-operator ${name} ${kind} [FLAGS]`;
const manyKinds = "KIND/NAME... | KIND NAME... | KIND -l LABELS | KIND --all | -f FILE";
const manyRuns = "RUN... | -l LABELS | --all | -f FILE";
const exits = "0 done, 1 an object does not exist or it cannot be done";

interface Input {
  readonly selection: Selection;
  readonly isWaiting: boolean;
  readonly timeoutMs: number | undefined;
}

/** Reads which objects a verb is for. */
const readFor =
  (allowed: readonly KindDefinition[]): Verb<Input>["read"] =>
  async (settings, deps) => {
    const selection = await readSelectionArguments(settings, { kinds: allowed }, deps);
    if (selection instanceof Wrong) return selection;
    const isWaiting = settings.of(wait) ?? false;
    const timeoutMs = settings.of(timeoutFlag);
    if (timeoutMs !== undefined && !isWaiting) return new Wrong("--timeout needs --wait");
    return { selection, isWaiting, timeoutMs };
  };

/** `northflank-operator reconcile`: requests a reconcile. */
export const reconcileVerb: Verb<Input> = {
  name: "reconcile",
  summary: "request a reconcile now",
  help: `${usageOf("reconcile", manyKinds)}

Requests a reconcile by the annotation ${reconcileRequestedAt}: Northflank is read now, drift is corrected, and what
failed is retried. A suspended object and a run that has ended are refused.`,
  exits: `${exits}, or with --wait one has failed or the time is over`,
  flags: { own: { ...waitFlags, ...selectionFlags, ...placeFlags }, secret: [] },
  read: readFor(kinds),
  run: async (input, session) => {
    const now = session.clock.now();
    const decide = (object: ReadObject) => decideReconcile(object, newRequest(object, now));
    return await editAndWait(session, input, decide, ({ object }) => {
      return present({ handledRequest: textAt(object, "metadata", "annotations", reconcileRequestedAt) });
    });
  },
};

/** `northflank-operator suspend`: sets `spec.suspend`. */
export const suspendVerb: Verb<Pick<Input, "selection">> = {
  name: "suspend",
  summary: "suspend reconciliation",
  help: `${usageOf("suspend", manyKinds)}

Sets spec.suspend to true: the object is not reconciled, and Northflank is not changed. A run that was not started is not
started; one that was started continues in Northflank. A run that has ended is refused.`,
  exits,
  flags: { own: { ...selectionFlags, ...placeFlags }, secret: [] },
  read: (settings, deps) => readOnly(settings, deps, kinds),
  run: async ({ selection }, session) =>
    (await editAll(session, selection, (object) => decideSuspend(object, true))).code,
};

/** `northflank-operator resume`: takes `spec.suspend` back. */
export const resumeVerb: Verb<Input> = {
  name: "resume",
  summary: "resume reconciliation",
  help: `${usageOf("resume", manyKinds)}

Sets spec.suspend to false: the object is reconciled at once.`,
  exits: `${exits}, or with --wait one has failed or the time is over`,
  flags: { own: { ...waitFlags, ...selectionFlags, ...placeFlags }, secret: [] },
  read: readFor(kinds),
  run: (input, session) =>
    editAndWait(
      session,
      input,
      (object) => decideSuspend(object, false),
      () => ({}),
    ),
};

const waitForEnd = switchFlag("wait", "wait until the runs have ended, whatever their results");

/** `northflank-operator abort`: sets `spec.abort` of runs. */
export const abortVerb: Verb<Input> = {
  name: "abort",
  summary: "abort runs",
  help: `${usageOf("abort", manyRuns)}

Sets spec.abort to true: the run is aborted in Northflank, or not started. It cannot be undone. A run that has ended is
refused.`,
  exits: `${exits}, or with --wait the time is over`,
  flags: { own: { wait: waitForEnd, timeout: timeoutFlag, ...selectionFlags, ...placeFlags }, secret: [] },
  read: readFor([runKind]),
  run: (input, session) => editAndWait(session, input, decideAbort, () => ({ isAnyEnd: true })),
};

const runId = (value: string): string | Refusal => {
  const id = readableRunId(value);
  // Such an ID could not be distinguished from a word. Those of Northflank are UUIDs.
  return id === undefined || id === "retry" || id === "fail" ? new Refusal("the ID of a run is expected") : id;
};

const resolveFlags = {
  runId: flag("run-id", "ID", undefined, runId, "the run that the start has started: it is followed to its end"),
  retry: switchFlag("retry", "no run was started: start again"),
  fail: switchFlag("fail", "give up: the run has failed"),
  ...placeFlags,
} as const;

interface ResolveInput {
  readonly selection: Selection;
  readonly answer: Answer;
}

/** `northflank-operator resolve`: says what came of a start whose outcome is unknown. */
export const resolveVerb: Verb<ResolveInput> = {
  name: "resolve",
  summary: "say what came of a start whose outcome is unknown",
  help: `${usageOf("resolve", "RUN --run-id ID | --retry | --fail")}

For a run that is Stalled with StartOutcomeUnknown: the start got no response, and the operator starts nothing by itself.
Check the runs of the job in Northflank first. Any other run is refused.`,
  exits,
  flags: { own: resolveFlags, secret: [] },
  read: async (settings, deps) => {
    const answers: Answer[] = [];
    const id: string | undefined = settings.of(resolveFlags.runId);
    if (id !== undefined) answers.push({ kind: "run", runId: id });
    if (settings.of(resolveFlags.retry)) answers.push({ kind: "retry" });
    if (settings.of(resolveFlags.fail)) answers.push({ kind: "fail" });
    const [answer, ...others] = answers;
    const read = await readOnly(settings, deps, [runKind]);
    const problems = read instanceof Wrong ? ["name one run"] : [];
    if (answer === undefined || others.length > 0) problems.push("set exactly one of --run-id, --retry and --fail");
    if (read instanceof Wrong || answer === undefined || problems.length > 0) return new Wrong(...problems);
    const { selection } = read;
    if (selection.kind !== "objects" || selection.objects.length !== 1) return new Wrong("name one run");
    return { selection, answer };
  },
  run: async ({ selection, answer }, session) =>
    (await editAll(session, selection, (object) => decideResolve(object, answer))).code,
};

async function readOnly(
  settings: Parameters<Verb["read"]>[0],
  deps: Parameters<Verb["read"]>[1],
  allowed: readonly KindDefinition[],
): Promise<Pick<Input, "selection"> | Wrong> {
  const selection = await readSelectionArguments(settings, { kinds: allowed }, deps);
  return selection instanceof Wrong ? selection : { selection };
}

/** Changes all objects, and waits for them where that was asked for. */
async function editAndWait(
  session: Session,
  { selection, isWaiting, timeoutMs }: Input,
  decide: (object: ReadObject) => EditDecision,
  goalOf: (edited: FoundObject) => Goal,
): Promise<ExitCode> {
  const { code, edited } = await editAll(session, selection, decide);
  if (code !== 0 || !isWaiting) return code;
  const awaited = edited.map((found) => ({ ...found, goal: goalOf(found) }));
  return await waitFor(session, awaited, timeoutMs);
}

/** Changes all objects one after the other. One that cannot be changed is said, and does not keep the others from it. */
async function editAll(
  session: Session,
  selection: Selection,
  decide: (object: ReadObject) => EditDecision,
): Promise<{ readonly code: ExitCode; readonly edited: readonly FoundObject[] }> {
  const found = await readSome(session, selection);
  const edited: FoundObject[] = [];
  for (const each of found) {
    try {
      edited.push(await editObject(session, each, decide));
    } catch (error) {
      if (error instanceof Refused) session.complain(error.message);
      else if (isKubeError(error)) session.complain(explained(error));
      else throw error;
    }
  }
  return { code: edited.length === found.length ? 0 : 1, edited };
}
