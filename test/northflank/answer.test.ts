import { expect, test } from "vitest";
import { remoteError } from "../support/remote-messages.ts";

test.each([
  ["", "status 404"],
  [" . ", "status 404"],
  ["No such service.", 'status 404, "No such service"'],
  ["No such service. Create it.", 'status 404, "No such service. Create it"'],
  ['The value "a" is bad.\nUse "b".', "status 404, \"The value 'a' is bad. Use 'b'\""],
  ["x".repeat(301), `status 404, "${"x".repeat(300)}…"`],
  // Half of a surrogate pair is no text that Kubernetes stores.
  [`${"x".repeat(299)}😀`, `status 404, "${"x".repeat(299)}…"`],
  ["x".repeat(20_000), "status 404, with a message of 20000 characters, which is not shown"],
])("what the API says is one clause: %j", (message, detail) => {
  expect(remoteError(404, message).detail).toBe(detail);
});

test("names that the API gives end no sentence", () => {
  const { detail, fields } = remoteError(401, 'a.b (c. D). "E".');
  expect(detail).toBe("status 401, \"a.b (c. D). 'E'\"; the token lacks the permissions a.b c D 'E', a.b c D 'E'");
  expect(fields).toEqual(["a.b c D 'E'"]);
});
