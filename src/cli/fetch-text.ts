import { systemCode } from "../kube/errors.ts";
import type { Clock } from "../util/clock.ts";

/** What was read, or why not: the end of a sentence that begins with the URL. */
export type FetchedText =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problem"; readonly problem: string };

/**
 * Reads a text by HTTP, without following redirects and without a proxy.
 *
 * *Guarantees*: ends within `timeoutMs`, and reads no more than `maxBytes`. The problem quotes nothing that the server sent.
 */
export async function fetchText(
  url: URL,
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
  clock: Clock,
): Promise<FetchedText> {
  const { timeoutMs, maxBytes } = limits;
  const stop = new AbortController();
  let isLate = false;
  const timer = clock.setTimer(() => {
    isLate = true;
    stop.abort();
  }, timeoutMs);
  try {
    const response = await fetch(url, { redirect: "manual", signal: stop.signal });
    if (response.status !== 200) return problem(`answered with HTTP status ${response.status}`);
    const text = await bounded(response, maxBytes);
    return text === undefined ? problem(`sent more than ${maxBytes / 1_048_576} MiB`) : { kind: "text", text };
  } catch (error) {
    if (isLate) return problem(`did not answer within ${timeoutMs / 1_000} s`);
    return problem(`could not be read (${codeOf(error)})`);
  } finally {
    timer.cancel();
    // What is left of an answer is not read.
    stop.abort();
  }
}

async function bounded(response: Response, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `ECONNREFUSED` and the like, which is the cause of what `fetch` throws. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  // An address with several entries fails once for each of them.
  const first = cause instanceof AggregateError ? cause.errors[0] : cause;
  return systemCode(cause) ?? systemCode(first) ?? "the connection failed";
}

function problem(text: string): FetchedText {
  return { kind: "problem", problem: text };
}
