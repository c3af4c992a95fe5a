import { expect, test } from "vitest";
import { invocationOf, namedIo } from "../../src/cli/invocation.ts";
import { capturedIo } from "../support/captured-io.ts";

test.each([
  ["/usr/local/bin/northflank-operator", "northflank-operator", ["get"]],
  ["/srv/dist/northflank-operator.js", "northflank-operator", ["get"]],
  ["/usr/local/bin/kubectl-northflank", "kubectl northflank", ["get"]],
  ["C:\\tools\\kubectl-northflank.js", "kubectl northflank", ["get"]],
  ["/bin/kubectl_complete-northflank", "kubectl northflank", ["__complete", "get"]],
  [undefined, "northflank-operator", ["get"]],
])("started as %s", (path, invokedAs, args) => {
  expect(invocationOf(path, ["get"])).toEqual({ invokedAs, args });
});

function spoken(text: string, options: { invokedAs: string; isHelp: boolean }) {
  const { io, printed } = capturedIo();
  const named = namedIo(io, { ...options, commands: ["get", "budget"] });
  named.out(text);
  named.err(text);
  return printed();
}

const help = `usage: northflank-operator budget [FLAGS]

  kubectl -n northflank-operator get lease northflank-operator
  northflank-operator budget --metrics-url URL
northflank-operator port-forward is none of them
`;
const renamed = help.replaceAll("northflank-operator budget", "kubectl northflank budget");

test("help has the name that was typed, where the program and a command begin a line", () => {
  expect(spoken(help, { invokedAs: "kubectl northflank", isHelp: true })).toEqual({ out: renamed, err: renamed });
});

test("data is not changed, messages are", () => {
  expect(spoken(help, { invokedAs: "kubectl northflank", isHelp: false })).toEqual({ out: help, err: renamed });
  expect(spoken(help, { invokedAs: "northflank-operator", isHelp: true })).toEqual({ out: help, err: help });
});
