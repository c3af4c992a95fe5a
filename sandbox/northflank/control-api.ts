import type { Answer, Call } from "../http.ts";
import { ApiProblem, problemAnswer } from "./api-problem.ts";
import { listControls } from "./control-list.ts";
import type { AccountControls } from "./controls.ts";
import type { SandboxSettings } from "./state.ts";

export interface ControlSubject {
  readonly settings: SandboxSettings;
  account(name: string): AccountControls;
}

/** Everything below it is no part of Northflank's API. */
export const controlPath = "/sandbox";

/**
 * The controls for people with curl; neither token nor quota is asked for.
 *
 * - `GET /sandbox`: what each control does, its parameters and a command to try it; and the settings as they are.
 * - `POST /sandbox/CONTROL`: the parameters as a JSON list, as `AccountControls` has them, null for `undefined`; answers
 *   with what it returns. `?account=NAME` for another account than `defaultAccount`.
 * - `PATCH /sandbox/settings`: the settings to change.
 *
 * *Errors*: 400 with the text for what is not there or does not fit.
 */
export function controlAnswer(subject: ControlSubject, call: Call, defaultAccount: string): Answer {
  try {
    const data = runControl(subject, call, defaultAccount);
    const headers = { "content-type": "application/json" };
    // For people: with line breaks.
    return { status: 200, headers, body: `${JSON.stringify({ data }, undefined, 2)}\n` };
  } catch (error) {
    return problemAnswer(new ApiProblem(400, error instanceof Error ? error.message : String(error)));
  }
}

function runControl(subject: ControlSubject, call: Call, defaultAccount: string): unknown {
  const { settings } = subject;
  const controls = subject.account(call.query.get("account") ?? defaultAccount);
  const name = call.path.slice(controlPath.length + 1);
  if (call.method === "GET" && name === "") {
    return { controls: listControls(`http://${call.headers.host}${controlPath}`), settings };
  }
  if (call.method === "PATCH" && name === "settings") return Object.assign(settings, settingsIn(settings, call.body));
  if (call.method !== "POST") throw new Error(`${call.method} ${call.path} is no control`);
  const control = Object.entries(controls).find(([known]) => known === name)?.[1] as Control | undefined;
  if (control === undefined) throw new Error(`no control ${name}`);
  return control(...parametersIn(call.body)) ?? {};
}

type Control = (...parameters: readonly unknown[]) => unknown;

function parametersIn(body: string): readonly unknown[] {
  const parameters: unknown = body === "" ? [] : JSON.parse(body);
  if (!Array.isArray(parameters)) throw new Error("the parameters of a control are a JSON list");
  return parameters.map((parameter: unknown) => (parameter === null ? undefined : parameter));
}

function settingsIn(settings: SandboxSettings, body: string): Partial<SandboxSettings> {
  const changes: unknown = JSON.parse(body);
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw new Error("settings are a JSON object");
  }
  const unknown = Object.keys(changes).filter((key) => !Object.hasOwn(settings, key));
  if (unknown.length > 0) throw new Error(`no setting ${unknown.join(", ")}`);
  return changes;
}
