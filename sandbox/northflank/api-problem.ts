import type { Answer } from "../http.ts";

/** A refusal in the shape of the real API. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly id: string | undefined;
  readonly details: object | undefined;

  constructor(status: number, message: string, more: { readonly id?: string; readonly details?: object } = {}) {
    super(message);
    this.status = status;
    this.id = more.id;
    this.details = more.details;
  }
}

export function problemAnswer({ status, message, id, details }: ApiProblem): Answer {
  return { status, body: { error: { status, message, ...(id && { id }), ...(details && { details }) } } };
}

/** The answer to a route that the API does not have, before it checks the token. */
export function unknownRoute(): Answer {
  return problemAnswer(new ApiProblem(404, "Not Found"));
}

/** 405 is not JSON, and is judged before the token. */
export function wrongMethod(allowed: readonly string[]): Answer {
  return { status: 405, headers: { allow: allowed.join(", ") }, body: "Method Not Allowed" };
}
