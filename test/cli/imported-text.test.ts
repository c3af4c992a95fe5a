import fc from "fast-check";
import { expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { formatImport } from "../../src/cli/imported-text.ts";
import { readManifests } from "../../src/cli/manifest-reader.ts";
import type { Imported } from "../../src/import/imported-service.ts";

const validator = createValidator();

function manifest(command: string): object {
  const docker = { configType: "customCommand", customCommand: command };
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankDeployment",
    metadata: { name: "api" },
    spec: { projectId: "shop", serviceId: "api", deployment: { external: { imagePath: "a/b:1" }, docker } },
  };
}

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom(
    "yes",
    "010",
    "12:30:45",
    "~",
    "a: b",
    "- x",
    "---\nkind: Secret",
    "# x",
    "\u2028",
    "\ud800",
    "x\u0085y",
    " ",
  ),
);

test("whatever Northflank tells, every document is read back as it was meant and passes validate", () => {
  const kinds = fc.constantFrom<Imported["kind"][]>("manifest", "draft", "left-out");
  const item = fc.tuple(kinds, hostile, hostile).map(([kind, title, text]) => {
    const reason = text;
    const imported: Imported =
      kind === "left-out"
        ? { kind, reason }
        : kind === "draft"
          ? { kind, manifest: manifest(text), reason, notes: [text] }
          : { kind, manifest: manifest(text), notes: [text] };
    return { title, imported };
  });
  fc.assert(
    fc.property(hostile, fc.array(item, { maxLength: 5 }), (head, items) => {
      const { text, written, leftOut } = formatImport({ head, items }, validator);
      const documents = readManifests(text);
      expect(documents.length).toBe(written);
      expect(written + leftOut.length).toBe(items.length);
      for (const { value, problems } of documents) {
        expect([problems, validator.validateManifest(value)]).toEqual([[], []]);
      }
      expect(`${text}${leftOut.join("")}`).not.toMatch(/[^\P{Cc}\n]|\p{Cs}/u);
    }),
    { numRuns: 300 },
  );
});

test("a manifest that the API server would refuse becomes a comment that says why", () => {
  const broken = { ...manifest("run"), spec: { projectId: "shop", deployment: {} } };
  const items = [{ title: 'service "api"', imported: { kind: "manifest", manifest: broken, notes: [] } as const }];
  const { text, written, leftOut } = formatImport({ head: "head", items }, validator);
  expect([written, readManifests(text)]).toEqual([0, []]);
  expect(leftOut[0]).toMatch(/^service "api": its manifest would be rejected: spec/);
});

test("long comments are folded, and none is longer than a screen is wide", () => {
  const reason = Array(100).fill("because").join(" ");
  const items = [{ title: "x", imported: { kind: "left-out", reason } as const }];
  const { text } = formatImport({ head: reason, items }, validator);
  const lines = text.trimEnd().split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(118);
  expect(lines.every((line) => line === "---" || line.startsWith("#"))).toBe(true);
});
