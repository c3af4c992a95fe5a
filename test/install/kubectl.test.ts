import { describe, expect, test } from "vitest";
import { published } from "../../scripts/published.ts";
import { apiVersion, lastAppliedConfiguration, northflankJobRuns } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { operatorName, startInstallation } from "../support/installation.ts";
import { resourceTypeOf } from "../support/manifests.ts";
import { commandOfPage } from "../support/page-commands.ts";
import { remoteWrites } from "../support/remote-state.ts";
import { expectWholeLife, remove, type Way } from "./life.ts";

const definitions = resourceTypeOf({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" });

// Nobody ends the deletion of a namespace here but the test itself, so kubectl does not wait for it.
const uninstalled = (how: string, replaced: Readonly<Record<string, string>> = {}) =>
  `${commandOfPage("docs/uninstall.md", `kubectl delete ${how}`, replaced)} --wait=false`;

const fromCheckout = commandOfPage("README.md", "kubectl apply --server-side -k");
const released = `${published().repository}/releases/latest/download/install.yaml`;
const fromRelease = commandOfPage("README.md", "kubectl apply --server-side -f", { [released]: "$HOME/install.yaml" });

const ways: Readonly<Record<string, Way>> = {
  "the base, with --server-side and then without": {
    install: [fromCheckout],
    reinstall: ["kubectl apply -k deploy"],
    uninstall: uninstalled("-k deploy"),
  },
  "install.yaml, with --server-side and then without": {
    install: [fromRelease],
    reinstall: ["kubectl apply -f $HOME/install.yaml"],
    uninstall: uninstalled("-f install.yaml", { "install.yaml": "$HOME/install.yaml" }),
  },
  "the overlay for namespaces": {
    install: ["kubectl apply --server-side -k deploy/overlays/namespaced"],
    uninstall: uninstalled("-k deploy", { "-k deploy": "-k deploy/overlays/namespaced" }),
    watched: ["shop"],
  },
  "the overlay for a single replica": {
    install: ["kubectl apply -k deploy/overlays/single-replica"],
    uninstall: uninstalled("-k deploy", { "-k deploy": "-k deploy/overlays/single-replica" }),
  },
};

describe("the operator installed by", () => {
  test.each(Object.entries(ways))(
    "%s is ready, does what it shall, and leaves nothing behind when it is removed",
    (_, way) => expectWholeLife(way),
  );
});

const baseWay: Way = { install: [fromCheckout], uninstall: uninstalled("-k deploy") };

describe("an active run with deletionPolicy Abort, whose operator is gone,", () => {
  const held = (name: string) => ({
    apiVersion,
    kind: "NorthflankJobRun",
    metadata: { name, namespace: "shop" },
    spec: { projectId: "shop", jobId: name, deletionPolicy: "Abort" },
  });
  const listed = commandOfPage("docs/uninstall.md", "kubectl get nfrun");

  test("is aborted and released when the operator is installed again, or released by hand", async () => {
    await using installation = await startInstallation();
    const { cluster, northflank, shell } = installation;
    await shell.run("kubectl create namespace shop");
    for (const command of baseWay.install) await shell.run(command);
    const first = await installation.startOperator();
    await shell.run("kubectl apply --namespace shop -f examples/00-connection.yaml");
    for (const job of ["migrate", "report"]) {
      northflank.hangNextRun("shop", job);
      await cluster.client.apply(northflankJobRuns, held(job), { fieldManager: "kubectl" });
    }
    const running = "kubectl wait --namespace shop --for=condition=Started --timeout=60s";
    await shell.run(`${running} nfrun/migrate nfrun/report`);
    await remove(installation, baseWay, first);
    const writes = remoteWrites(northflank);

    await shell.run("kubectl delete nfrun migrate --namespace shop --wait=false");
    const finalizers = '["northflank-operator.io/run-finalizer"]';
    expect(await shell.run(listed)).toBe(`shop/migrate ${finalizers}\nshop/report ${finalizers}\n`);
    for (const command of baseWay.install) await shell.run(command);
    const second = await installation.startOperator();
    await shell.run("kubectl wait nfrun/migrate --namespace shop --for=delete --timeout=60s");
    const [migrate] = northflank.runs("shop", "migrate");
    expect(migrate?.wasAborted).toBe(true);
    const abort = `DELETE /v1/projects/shop/jobs/migrate/runs/${migrate?.id}`;
    expect(remoteWrites(northflank)).toEqual([...writes, abort]);
    await remove(installation, baseWay, second);

    // By hand, with everything waiting for it: the object and its CRD.
    const crds = commandOfPage("docs/uninstall.md", "kubectl delete crd");
    await shell.run(`${crds} --wait=false`);
    await shell.run("kubectl wait crd northflankjobs.northflank-operator.io --for=delete --timeout=60s");
    expect(await shell.run(listed)).toBe(`shop/report ${finalizers}\n`);
    await shell.run(
      commandOfPage("docs/uninstall.md", "kubectl patch nfrun", { " NAME ": " report ", NAMESPACE: "shop" }),
    );
    await shell.run("kubectl wait crd northflankjobruns.northflank-operator.io --for=delete --timeout=60s");
    expect(northflank.runs("shop", "report")).toMatchObject([{ concluded: false, wasAborted: false }]);
    expect(remoteWrites(northflank)).toEqual([...writes, abort]);
  });
});

test("the folder of the CRDs and the base go in by either apply, one over the other, without a conflict", async () => {
  await using installation = await startInstallation();
  const { cluster, shell } = installation;
  expect((await shell.run("kubectl apply -f crds/")).match(/ created$/gm)).toHaveLength(4);
  // A dry run cannot see the namespace that it would make.
  await shell.run(`kubectl create namespace ${operatorName}`);
  await shell.run("kubectl apply --dry-run=server -k deploy");
  for (const command of [
    "kubectl apply -k deploy",
    "kubectl apply --server-side -k deploy",
    "kubectl apply -k deploy",
  ]) {
    await shell.run(command);
  }
  const { items } = await cluster.client.list<KubeObject>(definitions, {});
  const sizes = items.map(({ metadata }) => Buffer.byteLength(metadata.annotations?.[lastAppliedConfiguration] ?? ""));
  expect(items).toHaveLength(4);
  // All annotations of an object together may have 256 KiB, and the kinds will grow.
  for (const size of sizes) expect(size).toBeLessThan(128 * 1_024);
});
