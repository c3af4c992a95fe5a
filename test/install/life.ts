import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, vi } from "vitest";
import { installManifest } from "../../scripts/release/install-manifest.ts";
import { type Lease, leases } from "../../src/kube/types.ts";
import { expectExamplesAt } from "../support/examples.ts";
import {
  admissionOfPod,
  finishDeletion,
  type Installation,
  operatorName,
  startInstallation,
} from "../support/installation.ts";
import { commandOfPage } from "../support/page-commands.ts";
import type { PodProcess } from "../support/pod-process.ts";
import { remoteState, remoteWrites } from "../support/remote-state.ts";

const root = resolve(import.meta.dirname, "../..");

/** One way to install the operator, as the commands of a user, who has the release's `install.yaml` at home. */
export interface Way {
  readonly install: readonly string[];
  /** What is typed the second time. Default: the same. */
  readonly reinstall?: readonly string[];
  /** Removes everything but the CRDs and their objects. */
  readonly uninstall: string;
  /** Deletes all objects of the operator. Default: the files that they came from are deleted. */
  readonly deleteObjects?: string;
  /** What is still there when everything was removed: kind, namespace, name. */
  readonly leaves?: readonly string[];
  /** The only namespaces that are watched, with a Role in each; the examples go to the first. Default: all are. */
  readonly watched?: readonly string[];
}

/**
 * Installs, has the examples come to their ends, removes the operator and keeps the objects, installs again, removes
 * first the objects and then the operator, and removes the CRDs.
 */
export async function expectWholeLife(way: Way): Promise<void> {
  await using installation = await startInstallation();
  const { northflank, shell } = installation;
  const before = new Set(await inventory(installation));
  writeFileSync(join(shell.home, "install.yaml"), installManifest(join(root, "deploy"), "as released"));
  const namespaces = [...(way.watched ?? ["shop"]), "elsewhere"];
  const [namespace = ""] = namespaces;
  for (const name of namespaces) await shell.run(`kubectl create namespace ${name}`);

  for (const command of way.install) await shell.run(command);
  const first = await installation.startOperator();
  await expectAtWork(installation, first);
  await installation.applyExamples(namespace);
  expectExamplesAt(northflank);
  await expectEvents(installation, namespace);
  await expectReach(installation, way);
  expect(await installation.cluster.forbidden()).toEqual([]);

  const objects = await installation.objects();
  const remote = remoteState(northflank);
  const writes = remoteWrites(northflank);
  const unchanged = async () => {
    expect(remoteState(northflank)).toEqual(remote);
    expect(remoteWrites(northflank)).toEqual(writes);
  };

  // The operator first. Its rights go before its process does, as in a cluster.
  await remove(installation, way, first);
  expect(await installation.objects()).toEqual(objects);
  expect(objects.filter((line) => line.includes("finalizer"))).toEqual([]);
  await unchanged();

  for (const command of way.reinstall ?? way.install) await shell.run(command);
  const refused = (await installation.cluster.forbidden()).length;
  const second = await installation.startOperator();
  await expectAtWork(installation, second);
  await installation.reconcileAll(namespace);
  expect(await installation.objects()).toEqual(objects);
  await unchanged();

  // The objects first. In the files their connection and its Secret come before the others.
  if (way.deleteObjects !== undefined) await shell.run(way.deleteObjects);
  await shell.run(`kubectl delete --namespace ${namespace} -f examples/ --ignore-not-found`);
  expect(await installation.objects()).toEqual([]);
  expect((await installation.cluster.forbidden()).slice(refused)).toEqual([]);
  await remove(installation, way, second);
  await shell.run(commandOfPage("docs/uninstall.md", "kubectl delete crd"));
  await unchanged();
  const left = (await inventory(installation)).filter((line) => !before.has(line));
  expect(left.sort()).toEqual([...namespaces.map((name) => `Namespace - ${name}`), ...(way.leaves ?? [])].sort());
}

/** Removes the operator and then ends its process, and the namespace where that is part of it. */
export async function remove(installation: Installation, way: Way, operator: PodProcess): Promise<void> {
  await installation.shell.run(way.uninstall);
  expect(await operator.stop()).toBe(0);
  const { body } = await installation.cluster.request("GET", `/api/v1/namespaces/${operatorName}`);
  const { metadata } = body as { readonly metadata: { readonly deletionTimestamp?: string } };
  if (metadata.deletionTimestamp !== undefined) await finishDeletion(installation, operatorName);
}

/** Its probes succeed, its pod is admitted where the restricted profile is enforced, and it leads. */
export async function expectAtWork({ cluster }: Installation, operator: PodProcess): Promise<void> {
  const probes = await operator.probes();
  expect(probes.map(({ probe, status }) => `${probe} ${status}`)).toEqual(["livenessProbe 200", "readinessProbe 200"]);
  expect(await admissionOfPod(cluster, operator.deployment)).toBe(201);
  const leading = await vi.waitUntil(() => operator.log.find(({ msg }) => msg === "acquired leadership"), {
    timeout: 30_000,
  });
  const [namespace = "", name = ""] = String(leading.lease).split("/");
  const lease = await cluster.client.get<Lease>(leases, { namespace, name });
  expect(lease.spec?.holderIdentity).toBe(leading.identity);
}

async function expectEvents({ shell }: Installation, namespace: string): Promise<void> {
  const events = await shell.run(
    `kubectl get events --namespace ${namespace} --output jsonpath='{range .items[*]}{.reason} {.involvedObject.name}{"\\n"}{end}'`,
  );
  expect(events.split("\n")).toEqual(
    expect.arrayContaining(["RolloutComplete api", "RunSucceeded migrate-1-4-2", "ChangeApplied storefront"]),
  );
}

/** The rights reach as far as the flags say, and no further. */
async function expectReach({ shell }: Installation, way: Way): Promise<void> {
  const asOperator = `--as=system:serviceaccount:${operatorName}:${operatorName}`;
  for (const namespace of [...(way.watched ?? ["shop"]), "elsewhere"]) {
    const isServed = way.watched === undefined || way.watched.includes(namespace);
    for (const right of ["list nfrun", "get secrets"]) {
      // It exits with 1 where the answer is no.
      const may = await shell.run(`kubectl auth can-i ${right} --namespace ${namespace} ${asOperator} || true`);
      expect(`${right} in ${namespace}: ${may.trim()}`).toBe(`${right} in ${namespace}: ${isServed ? "yes" : "no"}`);
    }
  }
}

/** Everything in the cluster that lasts, as kind, namespace and name. */
async function inventory({ shell }: Installation): Promise<readonly string[]> {
  const kinds = (await shell.run("kubectl api-resources --verbs=list --output name")).trim().split("\n");
  const passing = /^(events|leases|componentstatuses|endpoints|endpointslices|ipaddresses)(\.|$)/;
  const columns = "KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
  const lasting = kinds.filter((kind) => !passing.test(kind)).join(",");
  const lines = await shell.run(
    `kubectl get ${lasting} --all-namespaces --no-headers --output custom-columns=${columns}`,
  );
  return lines
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/).join(" ").replace("<none>", "-"));
}
