// pure
import type { Io } from "./io.ts";

/** The name of the program, as its own texts use it. */
export const programName = "northflank-operator";

/** How the program was started. */
export interface Invocation {
  /** What a user typed for it. */
  readonly invokedAs: string;
  /** Without the names of the interpreter and the program. */
  readonly args: readonly string[];
}

/**
 * Reads the name that the program has on disk. kubectl runs `kubectl-northflank` for `kubectl northflank`, and
 * `kubectl_complete-northflank` with the words up to the cursor to complete it: both are this program under another name.
 */
export function invocationOf(path: string | undefined, args: readonly string[]): Invocation {
  const name = (path ?? "").replace(/^.*[/\\]/, "").replace(/\.(?:m?js|exe|cmd)$/, "");
  switch (name) {
    case "kubectl-northflank":
      return { invokedAs: "kubectl northflank", args };
    case "kubectl_complete-northflank":
      return { invokedAs: "kubectl northflank", args: [completeCommand, ...args] };
    default:
      return { invokedAs: programName, args };
  }
}

/** The hidden command behind completion, under cobra's name. */
export const completeCommand = "__complete";

/**
 * The same streams, where lines that begin with the program's name and a command have the name that was typed instead:
 * commands do not know how they were started. `out` is left alone unless it is help: it may be data.
 */
export function namedIo(
  io: Io,
  { invokedAs, commands, isHelp }: { invokedAs: string; commands: readonly string[]; isHelp: boolean },
): Io {
  if (invokedAs === programName) return io;
  const spoken = new RegExp(`^( *(?:usage: )?)${programName}(?= (?:${commands.join("|")})\\b)`, "gm");
  const rename = (text: string) => text.replace(spoken, `$1${invokedAs}`);
  return {
    ...io,
    err: (text) => io.err(rename(text)),
    out: isHelp ? (text) => io.out(rename(text)) : io.out,
  };
}
