import { parseArgs } from "node:util";
import { toError } from "../src/util/errors.ts";

/** The port that the arguments of `npm run sandbox` ask for, 0 for any free one; a sentence where they cannot be used. */
export function readPort(args: readonly string[]): number | string {
  try {
    const { values } = parseArgs({ args: [...args], options: { port: { type: "string", default: "0" } } });
    const port = /^\d+$/.test(values.port) ? Number(values.port) : Number.NaN;
    return port <= 65_535 ? port : `--port ${JSON.stringify(values.port)}: a number from 0 to 65535 is expected`;
  } catch (error) {
    return toError(error).message;
  }
}

/** Another process listens on the port. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
