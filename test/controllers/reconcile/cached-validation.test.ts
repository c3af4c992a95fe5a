import { describe, expect, test } from "vitest";
import { judgeOnce } from "../../../src/controllers/reconcile/cached-validation.ts";

const object = (uid: string | undefined, generation: number | undefined) => ({
  metadata: { ...(uid === undefined ? {} : { uid }), ...(generation === undefined ? {} : { generation }) },
});

function counting(capacity?: number) {
  const judged: string[] = [];
  const judge = judgeOnce((one: ReturnType<typeof object>) => {
    const name = `${one.metadata.uid}@${one.metadata.generation}`;
    judged.push(name);
    return `verdict on ${name}`;
  }, capacity);
  return { judge, judged };
}

describe("an object", () => {
  test("is judged once for each generation", () => {
    const { judge, judged } = counting();
    const verdicts = [1, 1, 2, 2].map((generation) => judge(object("a", generation)));
    expect(judged).toEqual(["a@1", "a@2"]);
    expect(verdicts).toEqual(["verdict on a@1", "verdict on a@1", "verdict on a@2", "verdict on a@2"]);
  });

  test.each([
    [undefined, 1],
    ["a", undefined],
  ])("without a uid or a generation (%s, %s) is judged each time", (uid, generation) => {
    const { judge, judged } = counting();
    judge(object(uid, generation));
    judge(object(uid, generation));
    expect(judged).toHaveLength(2);
  });

  test("is forgotten after at most twice as many others as are remembered, and not before as many", () => {
    const { judge, judged } = counting(2);
    for (const uid of ["a", "b", "c", "a"]) judge(object(uid, 1));
    expect(judged).toEqual(["a@1", "b@1", "c@1"]);
    for (const uid of ["d", "e", "a"]) judge(object(uid, 1));
    expect(judged).toEqual(["a@1", "b@1", "c@1", "d@1", "e@1", "a@1"]);
  });
});
