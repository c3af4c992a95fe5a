import fc from "fast-check";
import { expect, test } from "vitest";
import { isKubeError } from "../../src/kube/errors.ts";
import { readCluster, readUser, type Stanza, stanzaKeys, type User } from "../../src/kube/kubeconfig-stanzas.ts";

const fuzzRuns = Number(process.env.FUZZ_RUNS ?? 1_000);
const fuzzSeed = Number(process.env.FUZZ_SEED ?? 20_261_129);

// Values carry this word, keys do not: no message may ever hold it.
const canary = "canary";

const text = fc.constantFrom(
  "",
  canary,
  `${canary}/x`,
  `http://${canary}`,
  `socks5://${canary}:x@proxy`,
  "Y2FuYXJ5",
  "Never",
  "oidc",
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  { depthSize: "small" },
  { weight: 4, arbitrary: text },
  fc.constantFrom(null, true, false, 0, 42, [], [canary], {}),
  fc.dictionary(fc.constantFrom("a", "b"), fc.oneof(text, fc.array(text))),
);
/** A few keys of a stanza, most of them with a value of the right kind. */
const keysOf = (kind: keyof typeof stanzaKeys, nested: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc
    .uniqueArray(
      fc
        .constantFrom(...Object.keys(stanzaKeys[kind]))
        .chain((key) =>
          fc
            .oneof({ weight: 6, arbitrary: nested[key] ?? likely[key] ?? text }, { weight: 1, arbitrary: value })
            .map((one) => [key, one] as const),
        ),
      { selector: ([key]) => key, maxLength: 6 },
    )
    .map((entries) => Object.fromEntries(entries));
const likely: Record<string, fc.Arbitrary<unknown>> = {
  "as-groups": fc.array(text, { maxLength: 2 }),
  "as-user-extra": fc.dictionary(fc.constantFrom("a", "b"), fc.array(text, { maxLength: 2 }), { maxKeys: 2 }),
  args: fc.array(text, { maxLength: 2 }),
  env: fc.array(fc.record({ name: fc.constantFrom("A", "B"), value: text }), { maxLength: 2 }),
  provideClusterInfo: fc.boolean(),
  "insecure-skip-tls-verify": fc.boolean(),
  "disable-compression": fc.boolean(),
  "client-certificate-data": fc.constantFrom("Y2FuYXJ5", "", canary),
  "client-key-data": fc.constantFrom("Y2FuYXJ5", "", canary),
};
const exec = keysOf("exec", {
  apiVersion: fc.constantFrom("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1", canary),
  interactiveMode: fc.constantFrom("Never", "IfAvailable", "Always", canary, null),
});
const config = fc.record(
  Object.fromEntries(["idp-issuer-url", "client-id", "id-token", "refresh-token", "extra"].map((key) => [key, text])),
  { requiredKeys: [] },
);
const provider = keysOf("auth-provider", { name: fc.constantFrom("oidc", "gcp", canary), config });
const user = keysOf("user", { exec, "auth-provider": provider });

const stanza = (kind: Stanza["kind"], body: object): Stanza => ({
  kind,
  name: "ada",
  file: "/config",
  body: body as Stanza["body"],
});

/** What was read; `undefined` when it was refused, as it should be. */
function read<T>(reader: () => T): T | undefined {
  try {
    return reader();
  } catch (error) {
    if (!isKubeError(error, "config")) throw error;
    const said = `${error.stack}${String(error.cause)}`.replaceAll(/the auth provider "[^"]*"/g, "");
    expect(said).not.toContain(canary);
    expect(said).toMatch(/^KubeError: \[config\] use \w+ "ada" of \/config: .+\. .+\.$/m);
    return undefined;
  }
}

function saysWhoItIs({ identity, certificate }: User): boolean {
  switch (identity.kind) {
    case "token":
      return identity.token !== undefined || identity.tokenFile !== undefined;
    case "basic":
      return identity.username !== "" || identity.password !== "";
    case "exec":
      return identity.exec.command !== "";
    case "oidc":
      return identity.oidc.idToken !== undefined || identity.oidc.refreshToken !== undefined;
    case "certificate":
      return certificate !== undefined;
  }
}

test("whatever a user holds, it says who it is or is refused, and no value is quoted", () => {
  let taken = 0;
  fc.assert(
    fc.property(user, (body) => {
      const found = read(() => readUser(stanza("user", body)));
      if (found === undefined) return;
      taken++;
      expect(saysWhoItIs(found)).toBe(true);
      const wanted = ["as-uid", "as-groups", "as-user-extra"].some((key) => {
        const given = (body as Record<string, unknown>)[key];
        return typeof given === "object" ? given !== null && Object.keys(given).length > 0 : Boolean(given);
      });
      if (wanted) expect(found.impersonation).toBeDefined();
    }),
    { numRuns: fuzzRuns, seed: fuzzSeed },
  );
  // The values are chosen so that both happen.
  expect(taken).toBeGreaterThan(fuzzRuns / 100);
  expect(taken).toBeLessThan(fuzzRuns);
}, 300_000);

test("whatever a cluster holds, it is verified, says otherwise itself, or is refused", () => {
  fc.assert(
    fc.property(keysOf("cluster"), (body) => {
      const found = read(() => readCluster(stanza("cluster", body)));
      if (found?.skipTlsVerify) expect((body as Record<string, unknown>)["insecure-skip-tls-verify"]).toBe(true);
    }),
    { numRuns: fuzzRuns, seed: fuzzSeed },
  );
}, 300_000);
