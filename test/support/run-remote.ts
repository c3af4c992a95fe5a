import { NorthflankError } from "../../src/northflank/errors.ts";
import type {
  BuildView,
  JobRunView,
  JobView,
  RequestClass,
  RunList,
  RunRequest,
  StartResult,
} from "../../src/northflank/types.ts";
import type { Clock } from "../../src/util/clock.ts";
import { isoOf } from "./fake-kube.ts";

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

/** The runs of jobs in Northflank, and nothing else of it. Its clock may be off from ours. */
export class RunRemote {
  readonly #clock: Clock;
  readonly #runs: Run[] = [];
  /** Every POST that arrived, with its body. */
  readonly posts: { readonly jobId: string; readonly body: RunRequest; readonly atMs: number }[] = [];
  /** Every call, by name. */
  readonly calls: string[] = [];
  /** How urgent each read of one run was said to be. */
  readonly urgencies: RequestClass[] = [];
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
  /** Builds by `project/service`, or `project/job`: newest first. */
  readonly builds = new Map<string, BuildView[]>();
  /** Called when a POST is about to be applied, and when it has been. */
  onApply: (side: "before" | "after") => void = () => undefined;
  /** Refusals of the next POSTs, in order. */
  readonly refusals: NorthflankError[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
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
    this.calls.push("list");
    const now = this.#clock.now();
    const shown = this.#runs.filter((run) => run.jobId === jobId && run.shownAtMs <= now);
    const runs = shown
      .map((run) => this.#view(run))
      .toSorted((a, b) => Date.parse(b.startedAt ?? "") - Date.parse(a.startedAt ?? ""));
    return { runs, serverTimeMs: this.sendsDate ? this.#dateMs : undefined };
  }

  read(runId: string): (JobRunView & { readonly serverTimeMs?: number }) | undefined {
    this.calls.push("get");
    const run = this.#runs.find(({ id }) => id === runId);
    if (run === undefined) return undefined;
    return this.sendsDate ? { ...this.#view(run), serverTimeMs: this.#dateMs } : this.#view(run);
  }

  /** As in a `Date` header: whole seconds. */
  get #dateMs(): number {
    return Math.floor(this.serverMs / 1_000) * 1_000;
  }

  abort(runId: string): void {
    this.calls.push("abort");
    const run = this.#runs.find(({ id }) => id === runId);
    if (run !== undefined && this.#clock.now() < run.endMs) run.abortedAtMs ??= this.#clock.now();
  }

  /** What is so, whatever anybody has been told. */
  isActive(runId: string | undefined): boolean {
    const run = this.#runs.find(({ id }) => id === runId);
    return run !== undefined && !this.#view(run).concluded;
  }

  /** When the job was created, by Northflank's clock; told only where it is known. */
  jobCreatedMs: number | undefined;

  /** A person deletes the job, with its runs, and creates it again under its id. */
  remakeJob(): void {
    this.forgetRuns();
    this.jobCreatedMs = this.serverMs;
  }

  job(jobId: string): JobView {
    this.calls.push("getJob");
    const createdAt = this.jobCreatedMs === undefined ? undefined : isoOf(this.jobCreatedMs);
    const untold = { jobType: undefined, disabledCD: undefined, runOnSourceChange: undefined };
    return { id: jobId, createdAt, docker: undefined, buildpack: undefined, ...untold };
  }

  /** Removes every run, as if its history had been cleared. */
  forgetRuns(): void {
    this.#runs.length = 0;
  }

  /** The POST: what the client learns, and when; the run starts, or not, whatever becomes of the client. */
  post(jobId: string, body: RunRequest): Promise<StartResult> {
    this.calls.push("post");
    const post = this.posts.push({ jobId, body, atMs: this.#clock.now() });
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return this.#answer(100, () => ({ kind: "refused", error: refusal }));
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
  return { kind: "unknown", error: new NorthflankError(facts) };
}
