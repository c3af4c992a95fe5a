import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runValidate } from "../../src/cli/validate.ts";

const examples = join(resolve(dirname(fileURLToPath(import.meta.url)), "../.."), "examples");

test("the manifests that users copy are good", async () => {
  let out = "";
  const fail = (text: string) => {
    throw new Error(text);
  };
  const code = await runValidate([examples], {
    out: (text) => {
      out += text;
    },
    err: fail,
    isTerminal: false,
    readStdin: async () => fail("nothing is read from standard input"),
  });
  expect([code, out]).toEqual([0, "18 manifests checked, all good; 15 documents of other kinds skipped\n"]);
});
