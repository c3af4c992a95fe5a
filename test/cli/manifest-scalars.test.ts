import { expect, test } from "vitest";
import { resolvePlainScalar } from "../../src/cli/manifest-scalars.ts";

// Every row was read off `kubectl create --dry-run=client -o json` (1.32).
test.each<[string, string | number | boolean | null]>([
  ...["yes", "Yes", "YES", "y", "Y", "on", "On", "true", "True", "TRUE"].map(
    (text) => [text, true] as [string, boolean],
  ),
  ...["n", "N", "no", "off", "OFF", "false"].map((text) => [text, false] as [string, boolean]),
  ...["null", "Null", "NULL", "~", ""].map((text) => [text, null] as [string, null]),
  ...[
    ...["tRue", "nUll", "_1", "1e400", "0x", "0o8", "12:30:45", "2001-01-01", "2001-12-14t21:59:43.10-05:00"],
    ...[".", "..", "+", "=", "<<", "NaN", "infinity", "Inf", "0x1p-2", "1.5.2", "1e", "0b2", "0b", "yes please"],
  ].map((text) => [text, text] as [string, string]),
  ["010", 8],
  ["0o10", 8],
  ["0x1F", 31],
  ["0X1f", 31],
  ["0b11", 3],
  ["-0b11", -3],
  ["08", 8],
  ["09", 9],
  ["1_000", 1_000],
  ["+5", 5],
  ["-5", -5],
  ["-010", -8],
  ["+010", 8],
  ["1.", 1],
  ["1.5", 1.5],
  [".5", 0.5],
  ["5e3", 5_000],
  ["5e+3", 5_000],
  ["0.", 0],
  ["-.5", -0.5],
  ["+.5", 0.5],
  ["0_", 0],
  ["0x_1", 1],
  ["1__0", 10],
  ["00", 0],
  ["0", 0],
  ["-0", 0],
  ["1_0.5", 10.5],
  ["0.1e1_0", 1_000_000_000],
  ["18446744073709551616", 18_446_744_073_709_552_000],
])("%j is %j", (source, value) => {
  expect(resolvePlainScalar(source)).toBe(value);
});

test.each([".inf", "-.inf", ".nan"])("%s is no number that JSON has", (source) => {
  expect(Number.isFinite(resolvePlainScalar(source))).toBe(false);
});
