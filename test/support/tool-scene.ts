import { type NorthflankOptions, type NorthflankSandbox, startNorthflank } from "../../sandbox/northflank/server.ts";
import type { ExitCode } from "../../src/cli/io.ts";
import type { ToolDeps } from "../../src/cli/remote.ts";
import { systemClock } from "../../src/util/clock.ts";

export const toolToken = "tool-token-b1946ac92492d234";

export interface ToolResult {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** A Northflank of its own, and commands that are run against it as from a shell. */
export interface ToolScene extends AsyncDisposable {
  readonly northflank: NorthflankSandbox;
  /** Address and host of the sandbox are added to the arguments. */
  run(
    command: (args: readonly string[], deps: ToolDeps) => Promise<ExitCode>,
    args: readonly string[],
    more?: { readonly env?: ToolDeps["env"]; readonly isTerminal?: boolean; readonly stdin?: string },
  ): Promise<ToolResult>;
}

/** Disposing of it throws if the token turned up in any output. */
export async function startToolScene(options: NorthflankOptions = {}): Promise<ToolScene> {
  const northflank = await startNorthflank(options);
  northflank.addToken(toolToken);
  const told: string[] = [];
  return {
    northflank,
    run: async (command, args, { env = { NORTHFLANK_API_TOKEN: toolToken }, isTerminal = false, stdin = "" } = {}) => {
      const out: string[] = [];
      const err: string[] = [];
      const address = [`--api-url=${northflank.url}`, `--allowed-api-hosts=${new URL(northflank.url).host}`];
      const io = {
        out: (text: string) => out.push(text),
        err: (text: string) => err.push(text),
        isTerminal,
        isErrorTerminal: isTerminal,
        readStdin: async () => stdin,
      };
      const code = await command([...args, ...address], { env, io, clock: systemClock, random: () => 0 });
      told.push(...out, ...err);
      return { code, out: out.join(""), err: err.join("") };
    },
    [Symbol.asyncDispose]: async () => {
      await northflank.stop();
      if (told.join("").includes(toolToken)) throw new Error("the token turned up in the output of a tool");
    },
  };
}
