import { expect, test } from "vitest";
import { published } from "../../scripts/published.ts";
import { installationRemedies, remedies } from "../../src/operator/installation-remedies.ts";

test("CRDs are applied from the files of the release, without a program that the image does not offer", () => {
  const { version, files } = published();
  const { kind, schemas } = installationRemedies({ version, files });
  expect(kind).toBe(
    `Apply the CRDs of version ${version} ("npx northflank-operator@${version} crds" prints them): ` +
      `kubectl apply --server-side -f https://github.com/northflank-operator/northflank-operator/releases/download/v${version}/crds.yaml`,
  );
  expect(schemas).toBe(kind);
});

test("CRDs of sources that are run without a build are applied from the checkout", () => {
  expect(remedies.kind).toBe("Apply the CRDs of version 0.0.0-dev: kubectl apply --server-side -f crds");
});
