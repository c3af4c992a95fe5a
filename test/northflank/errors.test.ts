import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NorthflankError, stepVerbs } from "../../src/northflank/errors.ts";

const folders = ["../../src/northflank", "../../src/import", "../../src/plan"].map((folder) =>
  join(import.meta.dirname, folder),
);
const sources = folders.flatMap((folder) =>
  readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8")),
);
const written = sources.flatMap((text) => [...text.matchAll(/\bstep(?:: Step)? ?[:=] ["`]([a-z]+) /g)]);
const verbs = [...new Set(written.map(([, verb]) => verb))].sort();

test("the steps of the client begin with the verbs of the list, each of them", () => {
  expect(verbs).toEqual([...stepVerbs].sort());
});

test.each(stepVerbs)("a step that begins with %s is told as a statement, never as an order", (verb) => {
  const error = new NorthflankError({ code: "unauthorized", step: `${verb} it`, detail: "status 401", sent: true });
  expect([error.statement, error.message]).toEqual([
    `could not ${verb} it: status 401`,
    `[unauthorized] could not ${verb} it: status 401`,
  ]);
});

test("nothing but the error itself puts a step before a colon", () => {
  const others = ["../../src/controllers", "../../src/cli", "../../src/operator"].map((folder) =>
    join(import.meta.dirname, folder),
  );
  const files = others.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  const found = files.filter((file) => file.endsWith(".ts") && /\bstep\}: \$\{/.test(readFileSync(file, "utf8")));
  expect(found).toEqual([]);
});
