import type { RunState } from "../../src/controllers/job-run/machine.ts";
import { type RunStatus, runStatus } from "./runs-in-states.ts";

const idle = await runStatus("idle");
const unresolved = await runStatus("unresolved");
const active = await runStatus("active");
const adopted = await runStatus("adopted");
const second = await runStatus("its second run active");
const between = await runStatus("between");
const finished = await runStatus("finished");

/** The record of the start says another outcome: another process wrote later, or a person did. */
function withOutcome(status: RunStatus, outcome: "Pending" | "Accepted" | "Recovered"): RunStatus {
  if (status.start === undefined) throw new Error("a status without a start");
  return { ...status, start: { ...status.start, outcome } };
}

/** Another client removed the end. */
function withoutEnd({ completionTime: _, ...status }: RunStatus): RunStatus {
  return status;
}

function withoutAttempts({ attempts: _, ...status }: RunStatus): RunStatus {
  return status;
}

function withoutStart({ start: _, ...status }: RunStatus): RunStatus {
  return status;
}

/** Its last run has failed, and the operator has not said what follows. */
function failed({ attempts = [], ...status }: RunStatus): RunStatus {
  const end = { remoteStatus: "FAILED", completionTime: "2026-01-01T02:00:00Z" };
  return {
    ...status,
    attempts: attempts.map((one, index) => (index === attempts.length - 1 ? { ...one, ...end } : one)),
  };
}

/**
 * Statuses for each state, made by the operator, and some of them changed by another client; the compiler asks for one when a
 * state is added.
 */
export const runStates: Readonly<Record<RunState, readonly RunStatus[]>> = {
  idle: [idle, await runStatus("refused for now"), await runStatus("to be started again by request")],
  // What makes it so is an annotation, no part of the status.
  marked: [],
  rejected: [await runStatus("rejected")],
  unresolved: [
    unresolved,
    await runStatus("its second start without an answer"),
    withoutAttempts(active),
    withoutAttempts(withOutcome(active, "Recovered")),
  ],
  unknown: [await runStatus("unknown")],
  active: [
    active,
    withOutcome(active, "Pending"),
    second,
    // No other run follows a success, nor the last failure that is allowed.
    withoutEnd(finished),
    failed(second),
  ],
  adopted: [
    adopted,
    // No other run follows it, whatever backoffLimit allows.
    withOutcome(failed(adopted), "Pending"),
    withoutStart(adopted),
  ],
  between: [between],
  finished: [finished, withoutAttempts(withoutStart(finished)), await runStatus("said to have failed by a person")],
};
