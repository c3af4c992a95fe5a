import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FieldSet, printPath } from "../../../sandbox/kubernetes/field-set.ts";

const element = fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', 'v:"y"');
const paths = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
const sets = paths.map((list) => FieldSet.of(...list));

describe("a field set", () => {
  test("reads back what it wrote", () => {
    fc.assert(fc.property(sets, (set) => FieldSet.parse(set.toFields()).equals(set)));
  });

  test("keeps the laws of sets", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        expect(a.union(b).equals(b.union(a))).toBe(true);
        expect(a.difference(b).intersection(b).isEmpty).toBe(true);
        expect(a.difference(b).union(a.intersection(b)).equals(a)).toBe(true);
      }),
    );
  });

  test("marks a member that has something below it", () => {
    expect(FieldSet.of(["f:spec"], ["f:spec", "f:size"]).toFields()).toEqual({ "f:spec": { ".": {}, "f:size": {} } });
    expect(FieldSet.of(["f:spec", "f:size"]).toFields()).toEqual({ "f:spec": { "f:size": {} } });
  });

  test("takes out a path alone, or with everything below", () => {
    const set = FieldSet.of(["f:a"], ["f:a", "f:b"]);
    expect(set.difference(FieldSet.of(["f:a"])).toFields()).toEqual({ "f:a": { "f:b": {} } });
    expect(set.without(FieldSet.of(["f:a"])).isEmpty).toBe(true);
  });

  test("prints paths as conflict messages do", () => {
    expect(printPath(["f:spec", "f:refs", 'k:{"name":"one"}', "f:key"])).toBe('.spec.refs[name="one"].key');
  });
});
