import { expect, test } from "vitest";
import { sourceDate } from "../../../scripts/release/time.ts";

test("SOURCE_DATE_EPOCH is a time in seconds, or not set", () => {
  expect(sourceDate("1000000000")).toEqual(new Date("2001-09-09T01:46:40Z"));
  expect(sourceDate("0")).toEqual(new Date(0));
  expect([sourceDate(undefined), sourceDate("")]).toEqual([undefined, undefined]);
});

test.each(["abc", "-1", "1.5", "1e9", " 1", "0x10", "99999999999999999999"])(
  "SOURCE_DATE_EPOCH %j is refused",
  (text) => {
    expect(() => sourceDate(text)).toThrow(
      `SOURCE_DATE_EPOCH is "${text}"; a number of seconds since 1970 is expected`,
    );
  },
);
