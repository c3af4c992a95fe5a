import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";
import { testGroup, widgetDefinition } from "./kubernetes-api.cases.ts";

// kubectl itself, as users have it, on the sandbox and on the real server.
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
if (!hasKubectl) process.stderr.write("kubectl is not on PATH: test/contract/kubectl.test.ts is skipped\n");

const crds = join(import.meta.dirname, "../../crds");
let cluster: Cluster;
let directory: string;
let namespace: string;

beforeAll(async () => {
  if (!hasKubectl) return;
  cluster = await clusterUnderTest();
  directory = mkdtempSync(join(tmpdir(), "kubectl-test-"));
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${widgetDefinition.metadata.name}`;
  await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
    body: widgetDefinition,
    contentType: "application/apply-patch+yaml",
  });
  const served = `/openapi/v3/apis/${testGroup}/v1alpha1`;
  await vi.waitUntil(async () => (await cluster.request("GET", served)).status === 200, { timeout: 60_000 });
  namespace = await cluster.freshNamespace();
});

afterAll(async () => {
  if (!hasKubectl) return;
  rmSync(directory, { recursive: true, force: true });
  await cluster?.stop();
});

describe.skipIf(!hasKubectl)("kubectl", async () => {
  test("applies, repeats, changes and reads", async () => {
    const file = manifest("a", "  projectId: shop\n");
    expect(await kubectl("apply", "-f", file)).toMatchObject({
      code: 0,
      out: "widget.contract.example.io/a created\n",
    });
    expect((await kubectl("apply", "-f", file)).code).toBe(0);
    expect((await kubectl("apply", "-f", manifest("a", "  projectId: shop\n  size: 7\n"))).out).toContain("configured");
    expect((await kubectl("get", "wgt", "a", "-o", "jsonpath={.spec.size}")).out).toBe("7");
    expect((await kubectl("get", "widgets", "-o", "name")).out).toBe("widget.contract.example.io/a\n");
  });

  test("prints the columns of the definition, more of them with -o wide", async () => {
    await kubectl("apply", "-f", manifest("columns", "  projectId: shop\n"));
    expect((await kubectl("get", "wgt", "columns")).out.split("\n")[0]?.trim().split(/\s+/)).toEqual([
      "NAME",
      "READY",
      "SIZE",
    ]);
    expect((await kubectl("get", "wgt", "-o", "wide")).out).toContain("SUSPENDED");
  });

  test("refuses a misspelt field, client-side and server-side", async () => {
    const file = manifest("bad", "  projectId: shop\n  sieze: 3\n");
    expect((await kubectl("apply", "-f", file)).err).toContain('strict decoding error: unknown field "spec.sieze"');
    expect((await kubectl("apply", "--server-side", "-f", file)).err).toContain(
      ".spec.sieze: field not declared in schema",
    );
    expect((await kubectl("get", "wgt", "bad")).err).toContain('widgets.contract.example.io "bad" not found');
  });

  test("prints the rule that a change breaks", async () => {
    await kubectl("apply", "-f", manifest("fixed", "  projectId: shop\n"));
    const { code, err } = await kubectl("apply", "-f", manifest("fixed", "  projectId: other\n"));
    expect(code).toBe(1);
    expect(err).toContain("spec.projectId: Invalid value: projectId is immutable");
  });

  test("prints who owns a field when server-side apply conflicts, and takes it with force", async () => {
    await kubectl(
      "apply",
      "--server-side",
      "--field-manager=one",
      "-f",
      manifest("owned", "  projectId: shop\n  size: 1\n"),
    );
    const file = manifest("owned", "  projectId: shop\n  size: 2\n");
    const { err } = await kubectl("apply", "--server-side", "--field-manager=two", "-f", file);
    expect(err).toContain('conflict with "one": .spec.size');
    expect((await kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", file)).code).toBe(
      0,
    );
  });

  test("goes from client-side to server-side apply", async () => {
    await kubectl("apply", "-f", manifest("both", "  projectId: shop\n  size: 2\n"));
    const moved = await kubectl("apply", "--server-side", "-f", manifest("both", "  projectId: shop\n  size: 4\n"));
    expect(moved).toMatchObject({ code: 0 });
    expect((await kubectl("get", "wgt", "both", "-o", "jsonpath={.spec.size}")).out).toBe("4");
  });

  test("moves what client-side apply wrote to server-side apply, label by label, to the last", async () => {
    const labelled = (labels: string) => manifest("moved", "  projectId: shop\n", labels);
    await kubectl("apply", "-f", labelled("{a: b, c: d}"));
    for (const labels of ["{a: b}", "{}", undefined]) {
      const file = labels === undefined ? manifest("moved", "  projectId: shop\n") : labelled(labels);
      const moved = await kubectl("apply", "--server-side", "-f", file);
      expect(moved).toMatchObject({ code: 0, err: "", out: expect.stringContaining("serverside-applied") });
    }
    expect((await kubectl("get", "wgt", "moved", "-o", "jsonpath={.metadata.labels}")).out).toBe("");
    const owners = await kubectl("get", "wgt", "moved", "-o", "jsonpath={.metadata.managedFields[*].manager}");
    expect(owners.out).toBe("kubectl-last-applied kubectl");
    const back = await kubectl("apply", "-f", labelled("{e: f}"));
    expect(back).toMatchObject({ code: 0 });
    expect((await kubectl("get", "wgt", "moved", "-o", "jsonpath={.metadata.labels}")).out).toBe('{"e":"f"}');
  });

  test("applies the folder of our CRDs, as files and as a kustomization", async () => {
    for (const how of [
      ["-f", crds],
      ["-k", crds],
      ["--server-side", "--force-conflicts", "-f", crds],
    ]) {
      const { code, out, err } = await kubectl("apply", ...how);
      expect({ code, error: err.split("\n").filter((line) => line !== "" && !line.startsWith("Warning: ")) }).toEqual({
        code: 0,
        error: [],
      });
      expect(out.match(/^customresourcedefinition\.apiextensions\.k8s\.io\//gm)).toHaveLength(4);
    }
  });

  test("edits", async () => {
    await kubectl("apply", "-f", manifest("edited", "  projectId: shop\n  size: 2\n"));
    const env = { KUBE_EDITOR: "sed -i s/size:.2/size:\\ 9/" };
    expect(await run(["edit", "wgt", "edited"], env)).toMatchObject({ code: 0 });
    expect((await kubectl("get", "wgt", "edited", "-o", "jsonpath={.spec.size}")).out).toBe("9");
  });

  test("patches, labels and annotates", async () => {
    await kubectl("apply", "-f", manifest("patched", "  projectId: shop\n"));
    expect((await kubectl("patch", "wgt", "patched", "--type=merge", "-p", '{"spec":{"size":5}}')).code).toBe(0);
    const operations = '[{"op":"replace","path":"/spec/size","value":6}]';
    expect((await kubectl("patch", "wgt", "patched", "--type=json", "-p", operations)).code).toBe(0);
    expect((await kubectl("label", "wgt", "patched", "tier=web")).code).toBe(0);
    expect((await kubectl("annotate", "wgt", "patched", "note=x")).code).toBe(0);
    expect((await kubectl("get", "wgt", "-l", "tier=web", "-o", "jsonpath={.items[*].spec.size}")).out).toBe("6");
    expect((await kubectl("get", "wgt", "--field-selector=spec.projectId=nope", "-o", "name")).out).toBe("");
  });

  test("waits for a value, a condition and the end", async () => {
    await kubectl("apply", "-f", manifest("awaited", "  projectId: shop\n"));
    const value = "--for=jsonpath={.status.observedGeneration}=-1";
    expect((await kubectl("wait", value, "wgt/awaited", "--timeout=10s")).code).toBe(0);
    const status = '{"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True"}]}}';
    expect((await kubectl("patch", "wgt", "awaited", "--subresource=status", "--type=merge", "-p", status)).code).toBe(
      0,
    );
    expect((await kubectl("wait", "--for=condition=Ready", "wgt/awaited", "--timeout=10s")).code).toBe(0);
    expect((await kubectl("delete", "wgt", "awaited", "--wait=false")).code).toBe(0);
    expect((await kubectl("wait", "--for=delete", "wgt/awaited", "--timeout=10s")).code).toBe(0);
  });

  test("describes with events", async () => {
    await kubectl("apply", "-f", manifest("told", "  projectId: shop\n"));
    const uid = (await kubectl("get", "wgt", "told", "-o", "jsonpath={.metadata.uid}")).out;
    await cluster.request("POST", `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, {
      body: {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "told.1", namespace },
        eventTime: "2026-01-01T00:00:00.000000Z",
        reportingController: `${testGroup}/operator`,
        reportingInstance: "pod",
        action: "Apply",
        reason: "ChangeApplied",
        type: "Normal",
        note: "set the size",
        regarding: { apiVersion: `${testGroup}/v1alpha1`, kind: "Widget", name: "told", namespace, uid },
      },
    });
    const { out } = await kubectl("describe", "wgt", "told");
    expect(out).toMatch(/Project Id:\s+shop/);
    expect(out).toMatch(/Normal\s+ChangeApplied\s.*set the size/);
    expect((await kubectl("events", "--for", "wgt/told")).out).toContain("set the size");
  });

  test("explains, also recursively", async () => {
    expect((await kubectl("explain", "wgt.spec")).out).toContain("What is wanted.");
    const all = (await kubectl("explain", "wgt", "--recursive")).out;
    expect(all).toMatch(/projectId\s+<string> -required-/);
    expect(all).toMatch(/env\s+<map\[string\]string>/);
    expect(all).toContain("enum: Fast, Slow");
    expect((await kubectl("explain", "lease.spec.holderIdentity")).code).toBe(0);
  });

  test("makes and changes built-in objects", async () => {
    expect((await kubectl("create", "secret", "generic", "s", "--from-literal=token=abc")).code).toBe(0);
    expect((await kubectl("get", "secret", "s", "-o", "jsonpath={.data.token}")).out).toBe("YWJj");
    expect((await kubectl("create", "configmap", "c", "--from-literal=k=one")).code).toBe(0);
    const changed = file("c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: two}\n");
    expect((await kubectl("apply", "-f", changed)).code).toBe(0);
    expect((await kubectl("replace", "-f", changed)).code).toBe(0);
    expect((await kubectl("get", "configmap", "c", "-o", "jsonpath={.data.k}")).out).toBe("two");
    expect((await kubectl("delete", "configmap", "c")).out).toContain('configmap "c" deleted');
  });

  test("does a dry run on the server without leaving anything", async () => {
    const dry = await kubectl("apply", "--dry-run=server", "-f", manifest("dry", "  projectId: shop\n"));
    expect(dry).toMatchObject({ code: 0, out: "widget.contract.example.io/dry created (server dry run)\n" });
    expect((await kubectl("get", "wgt", "dry")).code).toBe(1);
  });

  test("lists what there is", async () => {
    const { out } = await kubectl("api-resources", `--api-group=${testGroup}`);
    expect(out).toMatch(/widgets\s+wgt\s+contract\.example\.io\/v1alpha1\s+true\s+Widget/);
    expect((await kubectl("get", "no-such-thing")).err).toContain("the server doesn't have a resource type");
  });
});

function kubectl(...parameters: string[]) {
  return run(parameters, {});
}

/** Never synchronously: the sandbox answers from this very process. */
function run(parameters: readonly string[], env: Readonly<Record<string, string>>) {
  const scope = ["--kubeconfig", cluster.kubeconfigPath, "--cache-dir", join(directory, "cache"), "-n", namespace];
  const options = { encoding: "utf8", timeout: 20_000, env: { ...process.env, ...env } } as const;
  return new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
    const child = execFile("kubectl", [...scope, ...parameters], options, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });
}

function manifest(name: string, spec: string, labels?: string): string {
  const metadata = `metadata:\n  name: ${name}\n${labels === undefined ? "" : `  labels: ${labels}\n`}`;
  return file(`${name}.yaml`, `apiVersion: ${testGroup}/v1alpha1\nkind: Widget\n${metadata}spec:\n${spec}`);
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
