import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../sandbox/start.ts";
import { kinds } from "../../src/api/kinds.ts";

// Reading the source is enough: to start a sandbox takes seconds.
test.each(["main.ts", "demo.ts"])("sandbox/%s shows every kind, because it lists none by itself", (file) => {
  const source = readFileSync(join(root, "sandbox", file), "utf8");
  expect(source).toMatch(/\bkinds\.map\(/);
  const lists = kinds.flatMap(({ type, shortName }) => [`kubectl get ${shortName}`, `"${type.plural}"`]);
  expect(lists.filter((text) => source.includes(text))).toEqual([]);
  expect(source).not.toContain("northflankConnections");
});
