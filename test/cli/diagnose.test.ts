import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { list as listTar, extract as unpackTar } from "tar";
import { afterAll, describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { collectFrom, runDiagnose } from "../../src/cli/diagnose.ts";
import { redactedObject, redactedPod, redactedSpec, removed } from "../../src/cli/diagnose-redact.ts";
import { tarOf } from "../../src/cli/tar.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeList, KubeObject, ResourceType } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { capturedIo } from "../support/captured-io.ts";

const folder = mkdtempSync(join(tmpdir(), "diagnose-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const canary = "canary-7f3a";

/** An object of each kind with a secret wherever a user may write one. */
function objectsOf(type: ResourceType): readonly KubeObject[] {
  const metadata = {
    name: "api",
    namespace: "shop",
    annotations: {
      "kubectl.kubernetes.io/last-applied-configuration": canary,
      "northflank-operator.io/revision": "r1",
    },
    labels: { team: canary },
  };
  const ours = kinds.find((kind) => kind.type.plural === type.plural);
  if (ours !== undefined) {
    const spec = {
      projectId: "shop",
      serviceId: "api",
      runtimeEnvironment: { PASSWORD: canary, name: canary, id: canary },
      runtimeFiles: { "/etc/key": { data: canary, encoding: canary } },
      deployment: {
        external: { imagePath: "ghcr.io/acme/api:1" },
        docker: { customCommand: canary, configType: "default" },
      },
      settings: { buildArguments: { key: canary }, runtimeEnvironment: { projectId: canary }, backoffLimit: 3 },
      runtimeEnvironmentFrom: [{ name: "URL", secretKeyRef: { name: "db", key: "url" } }],
    };
    const status = { conditions: [{ type: "Ready", message: "Northflank has it." }], applied: { hash: canary } };
    return [
      { apiVersion: "northflank-operator.io/v1alpha1", kind: ours.type.kind, metadata, spec, status } as KubeObject,
    ];
  }
  switch (type.plural) {
    case "pods":
      return [
        {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "northflank-operator-1", namespace: "northflank-operator" },
          spec: {
            containers: [
              {
                name: "operator",
                image: "operator:1",
                args: ["run", "--workers=4", `--unknown=${canary}`, `--api-url=https://u:${canary}@x`, canary],
                env: [
                  { name: "NORTHFLANK_API_TOKEN", value: canary },
                  { name: "HTTPS_PROXY", value: `http://u:${canary}@p` },
                ],
                ports: [
                  { name: "metrics", containerPort: 9_080 },
                  { name: "health", containerPort: 9_081 },
                ],
              },
            ],
          },
          status: {
            phase: "Running",
            containerStatuses: [
              {
                name: "operator",
                restartCount: 2,
                lastState: { terminated: { exitCode: 137, reason: "OOMKilled", message: canary } },
              },
            ],
          },
        } as KubeObject,
      ];
    case "customresourcedefinitions":
      return [
        {
          apiVersion: "v1",
          kind: "X",
          metadata: { name: "northflankjobs.northflank-operator.io" },
          spec: { versions: [{ name: "v1alpha1", served: true, storage: true, schema: canary }] },
        } as KubeObject,
        { apiVersion: "v1", kind: "X", metadata: { name: "others.example.com" } },
      ];
    case "events":
      return [
        {
          apiVersion: "events.k8s.io/v1",
          kind: "Event",
          metadata: { name: "e1" },
          regarding: { apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankJob", name: "api" },
          reason: "InvalidSpec",
          note: "It is invalid.",
        } as KubeObject,
        {
          apiVersion: "events.k8s.io/v1",
          kind: "Event",
          metadata: { name: "e2" },
          regarding: { apiVersion: "v1", kind: "Pod", name: "x" },
          note: canary,
        } as KubeObject,
      ];
    default:
      throw new Error(`${type.plural} must not be read`);
  }
}

interface Faults {
  readonly failing?: readonly string[];
}

function client({ failing = [] }: Faults = {}) {
  const asked: string[] = [];
  const check = (what: string) => {
    asked.push(what);
    if (failing.includes(what)) throw new KubeError({ code: "forbidden", step: `get ${what}`, detail: "not allowed" });
  };
  return {
    asked,
    list: async <T extends KubeObject>(type: ResourceType): Promise<KubeList<T>> => {
      check(type.plural);
      return { metadata: {}, items: objectsOf(type) as readonly T[] };
    },
    get: async <T extends KubeObject>(type: ResourceType): Promise<T> => {
      check(type.plural);
      return {
        apiVersion: "v1",
        kind: "Lease",
        metadata: { name: "northflank-operator" },
        spec: { holderIdentity: "pod_1" },
      } as unknown as T;
    },
    podText: async (_pod: unknown, { port, path }: { readonly port: number; readonly path: string }) => {
      check(`${port}${path}`);
      return `text of ${path}\n`;
    },
  };
}

const time = "2026-06-01T12:00:00Z";

describe("what is collected", () => {
  test("is all of it, without a secret", async () => {
    const { files, errors } = await collectFrom(client(), "northflank-operator", time);
    expect(errors).toEqual([]);
    expect(files.map(({ name }) => name)).toEqual([
      "version.txt",
      "pods.json",
      "pod-0/readyz.txt",
      "pod-0/metrics.txt",
      "pod-0/status.html",
      "lease.json",
      "crds.json",
      "northflankconnections.json",
      "northflankdeployments.json",
      "northflankjobs.json",
      "northflankjobruns.json",
      "events.json",
    ]);
    const text = Object.fromEntries(files.map((file) => [file.name, file.text]));
    expect(files.filter((file) => file.text.includes(canary)).map(({ name }) => name)).toEqual([]);
    expect(text["pods.json"]).toContain("NORTHFLANK_API_TOKEN");
    expect(text["pods.json"]).toContain("--workers=4");
    expect(text["northflankdeployments.json"]).toContain("ghcr.io/acme/api:1");
    expect(text["northflankdeployments.json"]).toContain(`"PASSWORD": "${removed}"`);
    expect(text["northflankdeployments.json"]).toContain("Northflank has it.");
    expect(text["events.json"]).toContain("It is invalid.");
    expect(text["crds.json"]).not.toContain("others.example.com");
  });

  test("is read from the ports of the pod, and never from a Secret", async () => {
    const fake = client();
    await collectFrom(fake, "northflank-operator", time);
    expect(fake.asked).toEqual(expect.arrayContaining(["9081/readyz?verbose", "9080/metrics"]));
    expect(fake.asked).not.toContain("secrets");
  });

  test.each(["pods", "9080/metrics", "leases", "customresourcedefinitions", "northflankjobs", "events"])(
    "leaves out %s alone where that cannot be read, and says so",
    async (failing) => {
      const whole = await collectFrom(client(), "northflank-operator", time);
      const { files, errors } = await collectFrom(client({ failing: [failing] }), "northflank-operator", time);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatch(/not allowed/);
      const ofPods = failing === "pods" ? 4 : 1;
      expect(files.length).toBe(whole.files.length - ofPods);
    },
  );
});

describe("redaction", () => {
  test("removes every text of a free map, whatever its keys", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.constantFrom("name", "id", "key", "projectId", "x"), (key, inner) => {
        const spec = {
          runtimeEnvironment: { [key]: canary, [inner]: canary },
          runtimeFiles: { [key]: { [inner]: canary } },
        };
        expect(JSON.stringify(redactedSpec(spec))).not.toContain(canary);
      }),
    );
  });

  test("keeps numbers, choices and names", () => {
    const spec = {
      projectId: "shop",
      workers: 3,
      suspend: true,
      tokenSecretRef: { name: "nf", key: "token" },
      other: "x",
    };
    expect(redactedSpec(spec)).toEqual({ ...spec, other: removed });
  });

  test("takes whatever is stored", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const object = { metadata: value, spec: value, status: value };
        expect(() => [redactedObject(object), redactedPod(object, new Set())]).not.toThrow();
      }),
    );
  });
});

test("the archive is one that tar unpacks, whatever is in its files", async () => {
  const files = [
    { name: "a.txt", text: "" },
    { name: "pod-0/b.txt", text: "ä€𝕏\u0000\n".repeat(200) },
    { name: "c.txt", text: "x".repeat(512) },
  ];
  writeFileSync(join(folder, "a.tar"), tarOf(files, Date.parse(time)));
  await unpackTar({ file: join(folder, "a.tar"), cwd: folder, strict: true });
  for (const { name, text } of files) expect(readFileSync(join(folder, name), "utf8")).toBe(text);
  const listed: string[] = [];
  await listTar({
    file: join(folder, "a.tar"),
    strict: true,
    onReadEntry: ({ path, mtime }) => listed.push(`${path} ${mtime?.toISOString()}`),
  });
  expect(listed).toEqual(files.map(({ name }) => `${name} 2026-06-01T12:00:00.000Z`));
  expect(() => tarOf([{ name: "x".repeat(101), text: "" }], 0)).toThrow(TypeError);
});

describe("the command", () => {
  async function run(...args: readonly string[]) {
    const { io, printed } = capturedIo();
    const code = await runDiagnose(args, { io, env: {}, clock: systemClock, random: () => 0 });
    return { code, ...printed() };
  }

  test("prints its help", async () => {
    const { code, out } = await run("--help");
    expect([code, out.startsWith("usage: northflank-operator diagnose")]).toEqual([0, true]);
  });

  test("refuses flags that it does not know", async () => {
    expect(await run("--nonsense")).toMatchObject({ code: 2, out: "" });
  });

  test("says in one line that there is no cluster", async () => {
    const { code, err } = await run("--kubeconfig", join(folder, "missing"));
    expect(code).toBe(1);
    expect(err).toMatch(/^northflank-operator diagnose: .+\n$/);
  });
});
