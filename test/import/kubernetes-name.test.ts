import { expect, test } from "vitest";
import { createNames } from "../../src/import/kubernetes-name.ts";

test("names are the ids in lower case, and each is given once", () => {
  const name = createNames();
  expect(["API", "api", "Api", "api-2", "web"].map(name)).toEqual(["api", "api-2", "api-3", "api-2-2", "web"]);
});

test("the longest id makes a Kubernetes name, with a number too", () => {
  const name = createNames();
  const id = "a".repeat(54);
  name(id);
  expect(name(id)).toMatch(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/);
});
