import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { kustomizeFiles } from "../scripts/generated/kustomize.ts";
import { isImage, type Leaf, leaves, references, referent } from "./support/spec-texts.ts";

// deploy/kustomize-config makes kustomize know our kinds. What it has to name is read from the CRDs here;
// test/packaging/kustomize-config.test.ts runs kustomize itself with it.

const component = resolve(fileURLToPath(import.meta.url), "../../deploy/kustomize-config");
const group = "northflank-operator.io";

interface FieldSpec {
  readonly path: string;
  readonly kind: string;
  readonly group: string;
}

const config: {
  readonly images: readonly FieldSpec[];
  readonly nameReference: readonly {
    readonly kind: string;
    readonly group?: string;
    readonly fieldSpecs: readonly FieldSpec[];
  }[];
  readonly varReference: readonly FieldSpec[];
} = parse(readFileSync(join(component, "northflank.yaml"), "utf8"));

test.each(kustomizeFiles())(
  "deploy/kustomize-config/$name is what the schemas say now (else: npm run generate)",
  ({ name, text }) => {
    expect(readFileSync(join(component, name), "utf8")).toBe(text);
  },
);

/** A map of objects has no place where kustomize could look: contents of files, in base64. */
const texts = leaves.filter((leaf) => referent(leaf) === undefined && !leaf.path.slice(0, -1).includes("*"));

function fieldSpec({ kind, path }: Leaf): FieldSpec {
  return { path: path.filter((part) => part !== "[]" && part !== "*").join("/"), kind, group };
}

describe("the configuration names", () => {
  test("every image", () => {
    const images = leaves.filter(isImage).map(fieldSpec);
    expect(images.length).toBeGreaterThan(1);
    expect(config.images).toEqual(expect.arrayContaining(images));
    expect(config.images).toHaveLength(images.length);
  });

  test("every reference, under what it names", () => {
    const wanted = references.map((leaf) => ({ referent: referent(leaf), ...fieldSpec(leaf) }));
    const named = config.nameReference.flatMap(({ kind, fieldSpecs }) =>
      fieldSpecs.map((field) => ({ referent: kind, ...field })),
    );
    expect(wanted.length).toBeGreaterThan(15);
    expect(sorted(named)).toEqual(sorted(wanted));
  });

  test("every text in which a variable may stand", () => {
    expect(sorted(config.varReference)).toEqual(sorted(texts.map(fieldSpec)));
  });
});

function sorted(values: readonly object[]): readonly string[] {
  return values.map((value) => JSON.stringify(value)).toSorted();
}
