import { errorOfAnswer } from "../../src/northflank/answer.ts";
import type { NorthflankError } from "../../src/northflank/errors.ts";

/** What the far end may say about a failed call: whatever is one clause of a condition afterwards. */
export const remoteMessages: readonly string[] = [
  "No.",
  "The job is paused. Resume it first. Then run it. Or do not!",
  'The field "image" is bad. Use "a:1". Or "b:2". See the docs.',
  "An odd quote. \" It never ends. No, it doesn't. Never!",
  "A (parenthesis. It never ends. Not here. Nor here.",
  "Ends here). And then. There is more. And more.",
  "Line one.\r\nLine two.\n\nLine three.\u2028Line four.\u0085Line five.",
  "Turned \u202eround. \u0000And.\u001b[31m Red. \ud800Half. \u2066Isolated.",
  "Retrying in 1s. Next check in 1h. No retry until the object changes. Done.",
  "Really? Yes! Really… Sure?! A. B. C. D.",
  `${"Long. ".repeat(49)}Cut. Here.`,
  `${"x".repeat(298)}😀. After. The. Cut.`,
  "Far too long. ".repeat(2_000),
  '"',
  "...",
];

/** The error that Northflank answers with; `message` stands in all places where it has words of its own. */
export function remoteError(status: number, message: string): NorthflankError {
  const details = { [message]: [message], requiredPermission: status === 401 ? [message, message] : undefined };
  return errorOfAnswer({
    step: 'read service "api" of project "shop"',
    status,
    json: { error: { message, id: message, details } },
    rateLimit: { limit: undefined, remaining: undefined, resetMs: undefined, retryAfterMs: undefined },
    secrets: [],
  });
}
