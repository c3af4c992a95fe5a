import { expect, test } from "vitest";
import { createProgress } from "../../src/cli/progress.ts";

function written(
  isErrorTerminal: boolean | undefined,
  act: (progress: ReturnType<typeof createProgress>) => void,
): string {
  let text = "";
  const io = { err: (chunk: string) => (text += chunk), ...(isErrorTerminal !== undefined && { isErrorTerminal }) };
  act(createProgress(io));
  return text;
}

test("a line is written over by the next, never wraps, and is taken away once", () => {
  const text = written(true, ({ show, clear }) => {
    show("one");
    show("x".repeat(200));
    clear();
    clear();
  });
  expect(text).toBe(`\r\u001b[2Kone\r\u001b[2K${"x".repeat(78)}\r\u001b[2K`);
});

test.each([[false], [undefined]])("without a terminal (%s) nothing is written", (isErrorTerminal) => {
  const text = written(isErrorTerminal, ({ show, clear }) => {
    show("one");
    clear();
  });
  expect(text).toBe("");
});
