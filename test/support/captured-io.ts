import type { Io } from "../../src/cli/io.ts";

/** What a command prints. One that reads standard input fails. */
export function capturedIo() {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    out: (text: string) => out.push(text),
    err: (text: string) => err.push(text),
    isTerminal: false,
    readStdin: () => Promise.reject(new Error("nothing reads standard input here")),
  };
  return { io, printed: () => ({ out: out.join(""), err: err.join("") }) };
}
