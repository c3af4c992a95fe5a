import { isRefusedForSure } from "../../src/northflank/answer.ts";
import { NorthflankError } from "../../src/northflank/errors.ts";
import type { JobRunView, RequestClass, RunList, RunRequest, StartResult } from "../../src/northflank/types.ts";
import type { Clock } from "../../src/util/clock.ts";
import { isoOf } from "./fake-kube.ts";
import type { NotedCall } from "./fake-northflank.ts";

/**
 * How the API treats the first POST.
 *
 * - `normal`: it is applied and answered.
 * - `answerLost`: applied; the connection breaks before the answer.
 * - `notApplied`: lost on the way there; the client's time limit ends the wait.
 * - `appliedLate`: the client's time limit ends the wait, and later the request is applied after all.
 * - `failedAfterApplying`: applied, and answered with 503.
 * - `listLags`: applied and answered, but the list shows a new run only after 20 s.
 * - `foreignRun`: applied and answered, and another client starts the job in the same second.
 */
export type StartMode =
  | "normal"
  | "answerLost"
  | "notApplied"
  | "appliedLate"
  | "failedAfterApplying"
  | "listLags"
  | "foreignRun";

export const startModes: readonly StartMode[] = [
  "normal",
  "answerLost",
  "notApplied",
  "appliedLate",
  "failedAfterApplying",
  "listLags",
  "foreignRun",
];

interface Run {
  readonly id: string;
  readonly jobId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly result: string;
  /** The POST that started it; missing for a run that another client started. */
  readonly post: number | undefined;
  readonly shownAtMs: number;
  abortedAtMs: number | undefined;
}

/** What the runs have to do with the rest of the account. */
interface RunsOfAccount {
  /** Every call of the account so far. */
  readonly noted: NotedCall[];
  /** Why a job cannot be started with this body; `undefined` when it can. */
  readonly refusalOf: (jobId: string, body: RunRequest) => NorthflankError | undefined;
}

/** How tests of runs write the calls that are about a run; others by their method. */
const shortNames: Readonly<Partial<Record<NotedCall["method"], string>>> = {
  listRuns: "list",
  getRun: "get",
  startRun: "post",
  abortRun: "abort",
};

/**
 * The runs of an account's jobs: the part of `FakeNorthflank` that goes on by itself while time passes. Its clock may be
 * off from ours. A test may replace `list`, `read`, `abort` and `post` to answer otherwise.
 */
export class FakeRuns {
  readonly #clock: Clock;
  readonly #account: RunsOfAccount;
  readonly #runs: Run[] = [];
  /** Every POST that arrived, with its body. */
  readonly posts: { readonly jobId: string; readonly body: RunRequest; readonly atMs: number }[] = [];
  mode: StartMode = "normal";
  /** How the API treats the next POST, whichever it is; used up by it. */
  nextMode: StartMode | undefined;
  /** How long a run takes. */
  runMs = 25_000;
  /** Results of the next runs, in order; SUCCESS when there are none left. */
  readonly results: string[] = [];
  /** Northflank's clock minus ours. */
  skewMs = 3_600_000;
  sendsDate = true;
  /** For `appliedLate`: how long after it was sent. */
  lateMs = 40_000;
  /** Time limit of the client. */
  timeoutMs = 30_000;
  /** Called when a POST is about to be applied, and when it has been. */
  onApply: (side: "before" | "after") => void = () => undefined;
  /** Errors that answer the next POSTs, in order. Which of them refuse for sure is the client's rule. */
  readonly refusals: NorthflankError[] = [];

  constructor(clock: Clock, account: RunsOfAccount) {
    this.#clock = clock;
    this.#account = account;
  }

  /** Every call of the account so far, by its short name. */
  get calls(): readonly string[] {
    return this.#account.noted.map(({ method }) => shortNames[method] ?? method);
  }

  /** How urgent each read of one run was said to be. */
  get urgencies(): readonly RequestClass[] {
    return this.#account.noted.filter(({ method }) => method === "getRun").map((call) => call.class);
  }

  get serverMs(): number {
    return this.#clock.now() + this.skewMs;
  }

  /** Ids of the runs that our POSTs started. */
  get ours(): readonly string[] {
    return this.#runs.filter(({ post }) => post !== undefined).map(({ id }) => id);
  }

  /** Another client starts the job, or did so `agoMs` ago and the list shows it only now. */
  startForeign(jobId = "migrate", agoMs = 0): string {
    return this.#begin(jobId, undefined, { agoMs }).id;
  }

  list(jobId: string): RunList {
    const now = this.#clock.now();
    const shown = this.#runs.filter((run) => run.jobId === jobId && run.shownAtMs <= now);
    const runs = shown
      .map((run) => this.#view(run))
      .toSorted((a, b) => Date.parse(b.startedAt ?? "") - Date.parse(a.startedAt ?? ""));
    return { runs, serverTimeMs: this.sendsDate ? this.#dateMs : undefined };
  }

  /** A run of this job; `undefined` where there is none. Without a job: of any. */
  read(runId: string, jobId?: string): (JobRunView & { readonly serverTimeMs?: number }) | undefined {
    const run = this.#find(runId, jobId);
    if (run === undefined) return undefined;
    return this.sendsDate ? { ...this.#view(run), serverTimeMs: this.#dateMs } : this.#view(run);
  }

  /** As in a `Date` header: whole seconds. */
  get #dateMs(): number {
    return Math.floor(this.serverMs / 1_000) * 1_000;
  }

  /** What is over, and what is not a run of this job, counts as aborted. */
  abort(runId: string, jobId?: string): void {
    const run = this.#find(runId, jobId);
    if (run !== undefined && this.#clock.now() < run.endMs) run.abortedAtMs ??= this.#clock.now();
  }

  /** What is so, whatever anybody has been told. */
  isActive(runId: string | undefined): boolean {
    const run = runId === undefined ? undefined : this.#find(runId);
    return run !== undefined && !this.#view(run).concluded;
  }

  /** Removes every run, as if its history had been cleared. */
  forgetRuns(): void {
    this.#runs.length = 0;
  }

  /** Removes the runs of a job that was deleted. */
  forgetRunsOf(jobId: string): void {
    this.#runs.splice(0, this.#runs.length, ...this.#runs.filter((run) => run.jobId !== jobId));
  }

  /** The POST: what the client learns, and when; the run starts, or not, whatever becomes of the client. */
  post(jobId: string, body: RunRequest): Promise<StartResult> {
    const post = this.posts.push({ jobId, body, atMs: this.#clock.now() });
    const error = this.refusals.shift() ?? this.#account.refusalOf(jobId, body);
    if (error !== undefined) return this.#answer(100, () => failed(error));
    const mode = this.nextMode ?? (post === 1 ? this.mode : "normal");
    this.nextMode = undefined;
    switch (mode) {
      case "normal":
      case "listLags":
        return this.#answer(100, () => accepted(this.#apply(jobId, post, mode === "listLags" ? 20_000 : 0)));
      case "foreignRun":
        return this.#answer(100, () => {
          const run = this.#apply(jobId, post);
          this.startForeign(jobId);
          return accepted(run);
        });
      case "answerLost":
        return this.#answer(100, () => {
          this.#apply(jobId, post);
          return lost("interrupted");
        });
      case "failedAfterApplying":
        return this.#answer(100, () => {
          this.#apply(jobId, post);
          return lost("server_error", 503);
        });
      case "notApplied":
        return this.#answer(this.timeoutMs, () => lost("timeout"));
      case "appliedLate":
        this.#clock.setTimer(() => this.#apply(jobId, post), this.lateMs);
        return this.#answer(this.timeoutMs, () => lost("timeout"));
    }
  }

  #find(runId: string, jobId?: string): Run | undefined {
    return this.#runs.find((run) => run.id === runId && (jobId === undefined || run.jobId === jobId));
  }

  #answer(afterMs: number, make: () => StartResult): Promise<StartResult> {
    return new Promise((resolve) => this.#clock.setTimer(() => resolve(make()), afterMs));
  }

  #apply(jobId: string, post: number, hiddenMs = 0): Run {
    this.onApply("before");
    const run = this.#begin(jobId, post, { hiddenMs });
    this.onApply("after");
    return run;
  }

  #begin(jobId: string, post: number | undefined, { hiddenMs = 0, agoMs = 0 }): Run {
    const startMs = this.#clock.now() - agoMs;
    const run: Run = {
      id: `run-${this.#runs.length + 1}${post === undefined ? "-foreign" : ""}`,
      jobId,
      startMs,
      endMs: startMs + this.runMs,
      result: post === undefined ? "SUCCESS" : (this.results.shift() ?? "SUCCESS"),
      post,
      shownAtMs: this.#clock.now() + hiddenMs,
      abortedAtMs: undefined,
    };
    this.#runs.push(run);
    return run;
  }

  #view(run: Run): JobRunView {
    const endMs = run.abortedAtMs ?? run.endMs;
    const concluded = this.#clock.now() >= endMs;
    const ended = run.abortedAtMs === undefined ? run.result : "FAILED";
    return {
      id: run.id,
      runName: `${run.jobId}-${run.id}`,
      status: concluded ? ended : "RUNNING",
      concluded,
      startedAt: isoOf(run.startMs + this.skewMs),
      concludedAt: concluded ? isoOf(endMs + this.skewMs) : undefined,
    };
  }
}

function accepted({ id, jobId }: Run): StartResult {
  return { kind: "accepted", runId: id, runName: `${jobId}-${id}` };
}

function lost(code: "interrupted" | "server_error" | "timeout", httpStatus?: number): StartResult {
  const step = 'start a run of job "migrate"';
  const facts = { code, step, detail: "no answer", sent: true, ...(httpStatus === undefined ? {} : { httpStatus }) };
  return failed(new NorthflankError(facts));
}

/** What an error means for a start: whatever does not refuse it for sure may have started a run. */
export function failed(error: NorthflankError): StartResult {
  return { kind: isRefusedForSure(error) ? "refused" : "unknown", error };
}
