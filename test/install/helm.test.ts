import { describe, expect, test } from "vitest";
import { published } from "../../scripts/published.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { expectExamplesAt } from "../support/examples.ts";
import { type Installation, operatorName, startInstallation } from "../support/installation.ts";
import { resourceTypeOf } from "../support/manifests.ts";
import { commandOfPage } from "../support/page-commands.ts";
import type { PodProcess } from "../support/pod-process.ts";
import { remoteState, remoteWrites } from "../support/remote-state.ts";
import { expectAtWork, expectWholeLife, type Way } from "./life.ts";

const release = `${operatorName} deploy/chart --namespace ${operatorName}`;
const install = commandOfPage("README.md", "helm install", { [published().chart]: "deploy/chart" });
const chartPage = "deploy/chart/README.md";
/** What a command of that page has for a reader of the registry. */
const fromCheckout = { [`${published().chart} --version ${published().version}`]: "deploy/chart" };
const uninstall = commandOfPage("docs/uninstall.md", "helm uninstall");
// Helm makes the namespace and leaves it.
const leaves = [`Namespace - ${operatorName}`];

// By kind, the runs first. The examples with Secrets and ConfigMaps are left.
const deleteObjects = commandOfPage("docs/uninstall.md", "kubectl delete nfrun");

const ways: Readonly<Record<string, Way>> = {
  "its own values": { install: [install], uninstall, leaves, deleteObjects },
  "namespaces to watch": {
    install: [`${install} --values test/packaging/values/namespaced.yaml`],
    uninstall,
    leaves,
    watched: ["team-a", "team-b"],
  },
};

describe("the operator installed by the chart with", () => {
  test.each(Object.entries(ways))(
    "%s is ready, does what it shall, and leaves nothing behind when it is removed",
    (_, way) => expectWholeLife(way),
  );
});

test("an upgrade to other values and back leaves what is rendered, and touches no object and nothing at Northflank", async () => {
  await using installation = await startInstallation();
  const { cluster, northflank, shell } = installation;
  await prepareForFullValues(installation);
  await shell.run(install);
  const first = await installation.startOperator();
  await shell.run("kubectl create namespace shop");
  await installation.applyExamples("shop");
  expectExamplesAt(northflank);
  const asInstalled = await expectRendered(installation);
  const objects = await installation.objects();
  const remote = remoteState(northflank);
  const writes = remoteWrites(northflank);
  const worksAndChangesNothing = async (operator: PodProcess, refusedBefore: number) => {
    await expectAtWork(installation, operator);
    await installation.reconcileAll("shop");
    expect(await installation.objects()).toEqual(objects);
    expect(remoteState(northflank)).toEqual(remote);
    expect(remoteWrites(northflank)).toEqual(writes);
    expect((await cluster.forbidden()).slice(refusedBefore)).toEqual([]);
  };
  // The account of the operator before is gone when the names change, and until it ends it is refused.
  const ended = async (operator: PodProcess): Promise<number> => {
    await operator.stop();
    return (await cluster.forbidden()).length;
  };

  // What a process of this machine cannot do: reach an API of that name, be understood when its log is not JSON, or read
  // files of a mounted Secret. And the examples have none of the labels.
  const { host } = new URL(northflank.url);
  const settings = [
    `apiUrl=${northflank.url}`,
    `allowedApiHosts={${host}}`,
    "logFormat=json",
    "watchLabelSelector=null",
    ...["webhookTlsCertFile=null", "webhookTlsKeyFile=null"],
  ];
  const set = settings.map((setting) => `--set "flags.${setting}"`).join(" ");
  await shell.run(`helm upgrade ${release} --values test/packaging/values/full.yaml ${set}`);
  await expectRendered(installation);
  const refusedToFirst = await ended(first);
  const full = await installation.startOperator("northflank-production");
  await worksAndChangesNothing(full, refusedToFirst);
  // The operator-wide token has come from its Secret into the pod.
  await shell.run("kubectl apply --namespace team-a -f examples/30-observe.yaml");
  await shell.run("kubectl wait --namespace team-a --for=condition=Ready --timeout=60s nfdeploy/web");
  await shell.run("kubectl delete --namespace team-a -f examples/30-observe.yaml");

  await shell.run(`helm upgrade ${release} --reset-values`);
  expect(await expectRendered(installation)).toEqual(asInstalled);
  const refusedToFull = await ended(full);
  await worksAndChangesNothing(await installation.startOperator(), refusedToFull);
});

test("goes from kubectl to Helm and back with all objects", async () => {
  await using installation = await startInstallation();
  const { shell } = installation;
  await shell.run("kubectl apply --server-side -k deploy");
  await shell.run("kubectl create namespace shop");
  await shell.run("kubectl apply --namespace shop -f examples/");
  const objects = await installation.objects();
  // Without the namespace, which nobody would end the deletion of here.
  const keep = commandOfPage("docs/uninstall.md", "kubectl delete -k deploy").replace(
    "schema-version",
    "schema-version,!pod-security.kubernetes.io/enforce",
  );
  await shell.run(keep);
  await expect(shell.run(install)).rejects.toThrow("invalid ownership metadata");
  await shell.run(`${install} --take-ownership`);
  expect(await installation.objects()).toEqual(objects);

  // The next version changes a CRD, of which the tool before still owns fields.
  await shell.run("cp -r deploy/chart $HOME/chart");
  await shell.run("sed -i 's/description: \\([A-Z]\\)/description: Helm. \\1/' $HOME/chart/templates/crds/*.yaml");
  const page = "docs/uninstall.md";
  const upgrade = commandOfPage(page, "helm upgrade", { [published().chart]: "$HOME/chart" });
  const unforced = (command: string) => shell.run(command.replace("--force-conflicts", ""));
  await expect(unforced(upgrade)).rejects.toThrow('conflict with "kubectl"');
  await shell.run(upgrade);
  expect(await shell.run("kubectl get crd northflankjobs.northflank-operator.io --output yaml")).toContain("Helm. ");
  await shell.run("sed -i 's/Helm. /Helm again. /' $HOME/chart/templates/crds/*.yaml");
  await unforced(upgrade);
  expect(await installation.objects()).toEqual(objects);

  await shell.run(uninstall);
  const apply = commandOfPage(page, "kubectl apply --server-side --force-conflicts");
  await expect(unforced(apply)).rejects.toThrow('conflict with "helm"');
  await shell.run(apply);
  expect(await shell.run("kubectl get crd northflankjobs.northflank-operator.io --output yaml")).not.toContain(
    "Helm again. ",
  );
  await unforced(apply);
  expect(await installation.objects()).toEqual(objects);
});

test("a second release for all objects is warned of the first, and one whose installer may list nothing is installed", async () => {
  await using installation = await startInstallation();
  const { shell } = installation;
  const warning = `An operator in namespace ${operatorName} has permissions in all namespaces`;
  expect(await shell.run(install)).not.toContain("Warnings:");
  expect(await shell.run(`helm upgrade ${release}`)).not.toContain("Warnings:");
  await shell.run("kubectl create namespace staging");
  const second = "deploy/chart --namespace staging --set crds.install=false";
  expect(await shell.run(`helm install staging ${second}`)).toContain(warning);
  const apart = `helm upgrade staging ${second} --set flags.watchLabelSelector=stage=staging`;
  expect(await shell.run(apart)).not.toContain(warning);
  await shell.run("helm uninstall staging --namespace staging");

  // Neither CRDs nor any list across namespaces: what Helm itself needs to install this release. Nobody aggregates roles here.
  for (const part of ["view", "edit", "admin"]) {
    const role = `--clusterrole=system:aggregate-to-${part}`;
    await shell.run(`kubectl create rolebinding ${part} --namespace staging ${role} --user=installer`);
  }
  const verbs = "get,create,patch,update,delete";
  for (const [name, may] of [
    ["binder", `--verb=${verbs} --resource=clusterrolebindings`],
    ["definer", `--verb=${verbs},bind,escalate --resource=clusterroles,roles`],
  ]) {
    await shell.run(`kubectl create clusterrole ${name} ${may}`);
    await shell.run(`kubectl create clusterrolebinding ${name} --clusterrole=${name} --user=installer`);
  }
  await expect(shell.run("kubectl get clusterrolebindings --as installer")).rejects.toThrow("cannot list resource");
  expect(await shell.run(`helm install staging ${second} --kube-as-user installer`)).toContain(warning);
  await shell.run(uninstall);
  expect(await shell.run(`helm upgrade staging ${second} --kube-as-user installer`)).not.toContain(warning);
});

test("goes from kubectl to Helm in place, as the page of the chart says", async () => {
  await using installation = await startInstallation();
  const { shell } = installation;
  await shell.run("kubectl apply --server-side -k deploy");
  await shell.run("kubectl create namespace shop");
  await shell.run("kubectl apply --namespace shop -f examples/");
  const objects = await installation.objects();
  await shell.run(commandOfPage(chartPage, "kubectl delete deployment"));
  await shell.run(commandOfPage(chartPage, "helm install --take-ownership", fromCheckout));
  expect(await installation.objects()).toEqual(objects);
  await expectRendered(installation);
});

test("a release for a namespace that does not exist fails, and the same upgrade repairs it once it does", async () => {
  await using installation = await startInstallation();
  const { shell } = installation;
  await shell.run("kubectl create namespace team-a");
  await shell.run(`echo 'flags: {watchNamespaces: [team-a, team-b]}' > $HOME/values.yaml`);
  await expect(shell.run(`${install} --values $HOME/values.yaml`)).rejects.toThrow('namespaces "team-b" not found');
  await shell.run(commandOfPage(chartPage, "kubectl create namespace team-b"));
  const values = { ...fromCheckout, "values.yaml": "$HOME/values.yaml" };
  await shell.run(commandOfPage(chartPage, "helm upgrade --values", values));
  await expectRendered(installation);

  await shell.run("kubectl create namespace team-c");
  const second = commandOfPage(chartPage, "helm install staging", fromCheckout);
  await expect(shell.run(second.replace("--set crds.install=false", ""))).rejects.toThrow("invalid ownership metadata");
  await shell.run(second);
});

/** What the values for everything name and do not make. The CRDs of the Prometheus operator take anything here. */
async function prepareForFullValues({ cluster, shell, northflank }: Installation): Promise<void> {
  for (const name of [operatorName, "leases", "team-a"]) await shell.run(`kubectl create namespace ${name}`);
  const inside = `--namespace ${operatorName}`;
  await shell.run(`kubectl create secret generic northflank-token ${inside} --from-literal=api-token=sandbox-token`);
  // What is on loopback is reached without a proxy.
  await shell.run(`kubectl create secret generic proxy ${inside} --from-literal=address=${northflank.url}`);
  await shell.run(`kubectl create configmap ca ${inside} --from-file=ca.crt=${cluster.caFile}`);
  for (const [kind, plural] of [
    ["ServiceMonitor", "servicemonitors"],
    ["PodMonitor", "podmonitors"],
    ["PrometheusRule", "prometheusrules"],
  ] as const) {
    const group = "monitoring.coreos.com";
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { kind, plural },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    };
    await cluster.client.apply(resourceTypeOf(crd), crd, {});
    await shell.run(`kubectl wait crd/${crd.metadata.name} --for=condition=Established --timeout=60s`);
  }
}

/**
 * The cluster has what the release renders, field by field, and nothing else of this release. Returns all of it as it is
 * stored, but for what changes with each write.
 */
async function expectRendered({ shell }: Installation): Promise<readonly object[]> {
  const manifest = `helm get manifest ${operatorName} --namespace ${operatorName}`;
  // It exits with 1 and prints where something differs.
  await shell.run(`${manifest} | kubectl diff --server-side --force-conflicts -f -`);
  const kinds = (await shell.run("kubectl api-resources --verbs=list --output name")).trim().split("\n").join(",");
  const { items } = await shell.json<{ readonly items: readonly KubeObject[] }>(
    `kubectl get ${kinds} --all-namespaces --selector app.kubernetes.io/managed-by=Helm --output json`,
  );
  const named = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? "-"} ${metadata.name}`;
  const rendered = await shell.json<{ readonly items: readonly KubeObject[] }>(
    `${manifest} | kubectl get -f - --output json`,
  );
  expect(items.map(named).sort()).toEqual(rendered.items.map(named).sort());
  return items
    .map((object) => {
      const { uid, resourceVersion, generation, creationTimestamp, managedFields, ...metadata } = object.metadata;
      return { ...object, metadata };
    })
    .sort((a, b) => named(a).localeCompare(named(b)));
}
