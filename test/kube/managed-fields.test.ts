import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { withoutManagedFields } from "../../src/kube/managed-fields.ts";

const emptied = (json: string): unknown => JSON.parse(withoutManagedFields(json));

describe("managedFields", () => {
  test.each([
    ["no metadata", { kind: "Status", message: "managedFields" }],
    ["none", { metadata: { name: "a" } }],
    ["an empty list", { metadata: { managedFields: [], name: "a" } }],
    ["text that speaks of them", { metadata: { annotations: { a: '"managedFields":[{}]' } } }],
    ["text in text that speaks of them", { metadata: { annotations: { a: JSON.stringify('"managedFields":[') } } }],
  ])("are not looked for in what has %s", (_, object) => {
    expect(emptied(JSON.stringify(object))).toEqual(object);
  });

  test("are emptied, and nothing else is lost", () => {
    const rest = fc.dictionary(
      fc.string().filter((key) => key !== "managedFields" && key !== "__proto__"),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(rest, rest, fc.array(fc.jsonValue()), (before, after, managedFields) => {
        const json = JSON.stringify({ a: before, metadata: { managedFields, name: "x" }, z: after });
        expect(emptied(json)).toEqual(
          JSON.parse(JSON.stringify({ a: before, metadata: { managedFields: [], name: "x" }, z: after })),
        );
      }),
    );
  });

  test("are emptied in each object of a list", () => {
    const item = (name: string) => ({ metadata: { managedFields: [{ manager: 'a"]}\\' }, [name]], name } });
    const list = JSON.stringify({ items: [item("a"), item("b"), { metadata: { name: "c" } }] });
    expect(emptied(list)).toEqual({
      items: [
        { metadata: { managedFields: [], name: "a" } },
        { metadata: { managedFields: [], name: "b" } },
        { metadata: { name: "c" } },
      ],
    });
  });

  test.each([['{"metadata":{"managedFields":[{"a":1}'], ['{"metadata":{"managedFields":['], ['{"managedFields":["\\']])(
    "that were cut off leave text that is not JSON: %s",
    (json) => {
      expect(() => emptied(json)).toThrow(SyntaxError);
    },
  );

  test("are the only list of that name: no field of ours could be taken for them", () => {
    for (const { spec, status } of kinds) expect(JSON.stringify([spec, status])).not.toContain('"managedFields"');
  });
});
