import { readFileSync } from "node:fs";

/** What Northflank's own SDK says of a call. */
export interface SdkCall {
  readonly method: string;
  /** Without the team: `/v1/projects/{projectId}/jobs/{jobId}/runs`. */
  readonly path: string;
  /** As the vendor words it: `Project > Jobs > General > Run Job`; `null`: any valid token will do. */
  readonly permission: string | null;
  readonly query: readonly string[];
  readonly isPaginated: boolean;
  /** JSON Schema of `data` in the answer. */
  readonly data: object;
}

export interface SdkCalls {
  readonly source: { readonly package: string; readonly version: string };
  readonly calls: readonly SdkCall[];
}

// Read on first use and kept for all servers of the process: the file never changes.
let read: { readonly list: SdkCalls; readonly byKey: ReadonlyMap<string, SdkCall> } | undefined;

/** The list in `schemas/sdk-calls.json`. */
export function sdkCalls(): SdkCalls {
  return load().list;
}

/** The call of a route; what its parameters are called makes no difference. */
export function sdkCallOf({ method, path }: { readonly method: string; readonly path: string }): SdkCall | undefined {
  return load().byKey.get(keyOf(method, path));
}

function load(): NonNullable<typeof read> {
  if (read !== undefined) return read;
  const text = readFileSync(new URL("./schemas/sdk-calls.json", import.meta.url), "utf8");
  const list = JSON.parse(text) as SdkCalls;
  read = { list, byKey: new Map(list.calls.map((call) => [keyOf(call.method, call.path), call])) };
  return read;
}

function keyOf(method: string, path: string): string {
  return `${method} ${path.replaceAll(/\{\w+\}/g, "{}")}`;
}
