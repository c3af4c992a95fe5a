/*
 * What is done with each command of README and docs: it is run on the sandbox, in the order of its page
 * (test/packaging/docs-commands.test.ts), or it has a reason here why it is not.
 */

/** How the commands of one page are run. */
export interface PageStory {
  /**
   * What a reader of the page has already. `NORTHFLANK_URL`, `METRICS_URL` and `HEALTH_URL` are addresses of the sandbox;
   * `yaml-1.yaml` is the first YAML block of the page, and so on. Default: nothing.
   */
  readonly given?: string;
  /** Words that a reader replaces, with what is put in their place. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** What a reader does by hand before a command; `#2` behind it is its second occurrence. */
  readonly before?: Readonly<Record<string, string>>;
  /** Exit codes other than 0, by command. */
  readonly exits?: Readonly<Record<string, number>>;
  /** True: each command is run once, however often the page has it. Default: false. */
  readonly isOnce?: boolean;
  /** Texts that the commands print. */
  readonly shows?: readonly string[];
}

/** Why a command is not run with its page. */
export type Reason = { readonly why: string } | { readonly ranBy: string };

const connection = `
kubectl create secret generic nf-token --from-literal=token=sandbox-token
kubectl apply -f examples/00-connection.yaml`;
const deployment = `${connection}
kubectl apply -f examples/10-deployment.yaml
kubectl wait --for=condition=Ready --timeout=60s nfdeploy/api`;
const inNamespaceShop = `
kubectl create namespace shop
kubectl create secret generic nf-token -n shop --from-literal=token=sandbox-token
kubectl apply -n shop -f examples/00-connection.yaml -f examples/10-deployment.yaml`;
const manifests = `
export NORTHFLANK_API_TOKEN=sandbox-token
mkdir manifests && cp examples/10-deployment.yaml manifests`;
const overlay = (name: string) => `
mkdir -p overlays/${name} && cp examples/10-deployment.yaml overlays/${name}/api.yaml
printf 'resources: [api.yaml]\\n' > overlays/${name}/kustomization.yaml`;
const withoutSecret = { "kubectl create secret generic nf-token": "kubectl delete secret nf-token" };
const token = { YOUR_TOKEN: "sandbox-token" };

export const stories: Readonly<Record<string, PageStory>> = {
  "README.md": {
    given: `${connection}${overlay("prod")}
kubectl create secret generic db --from-literal=url=postgres://example
kubectl apply -f yaml-1.yaml
mkdir -p chart/templates ../fleet && cp examples/10-deployment.yaml chart/templates
printf 'apiVersion: v2\\nname: shop\\nversion: 1.0.0\\n' > chart/Chart.yaml`,
    replaced: { ...token, ADDRESS: "$NORTHFLANK_URL" },
    before: {
      ...withoutSecret,
      "npx northflank-operator plan shop.yaml#2":
        "sed -i 's|imagePath: .*/web:.*|imagePath: ghcr.io/acme/web:9.9.9|' shop.yaml",
    },
    exits: { "npx northflank-operator plan shop.yaml#2": 3 },
    shows: ["ghcr.io/acme/web:9.9.9", "jobrun.northflank-operator.io/migrate-3f2c condition met"],
  },
  "docs/quick-start.md": {
    replaced: { ...token, ADDRESS: "$NORTHFLANK_URL", "$PWD/.cache/sandbox/kubeconfig-16443": "$KUBECONFIG" },
    before: {
      ...withoutSecret,
      "kubectl apply -f shop.yaml#2":
        "sed -i '/managementPolicy: Observe/d; s|ghcr.io/acme/api:1.6.0-broken|ghcr.io/acme/api:1.7.0|' shop.yaml",
    },
    shows: [
      "because it had been changed elsewhere (it was ghcr.io/acme/api:hotfix)",
      "Northflank has ghcr.io/acme/api:1.6.0-broken, but its rollout failed.",
      "RunSucceeded",
    ],
  },
  "docs/disaster.md": {
    given: `${connection}${manifests}`,
    exits: { "npx northflank-operator plan manifests/ --ignore-runs": 3 },
  },
  "docs/flux.md": { given: `${inNamespaceShop}\nmkdir ../fleet` },
  "docs/github-actions.md": { given: deployment },
  "docs/how-to/adopt-services.md": {
    replaced: token,
    before: { "kubectl get nfdeploy,nfjob": "kubectl wait --for=condition=Ready --timeout=60s nfdeploy,nfjob --all" },
    shows: ["Observed"],
  },
  "docs/how-to/debug-a-stalled-object.md": {
    given: `${connection}
sed 's|:1.4.2|:1.4.2-broken|' examples/10-deployment.yaml | kubectl apply -f -
kubectl wait --for=condition=Stalled --timeout=60s nfdeploy/api`,
    shows: ["NorthflankDeployment default/api RolloutFailed", "but its rollout failed", "ChangeApplied"],
  },
  "docs/how-to/gate-a-deploy.md": {
    given: `${connection}\ncp yaml-1.yaml release.yaml`,
    shows: ["api condition met"],
  },
  "docs/how-to/preview-a-pull-request.md": {
    given: `${manifests}${overlay("prod")}`,
    exits: {
      "npx northflank-operator plan manifests/ --output github --ignore-runs": 3,
      "kubectl kustomize overlays/prod | npx northflank-operator plan -": 3,
    },
    shows: ["::notice "],
  },
  "docs/how-to/rotate-a-token.md": {
    given: `${deployment}\ncurl --silent $NORTHFLANK_URL/sandbox/addToken -d '["next"]'`,
    replaced: { NEW_TOKEN: "next" },
  },
  "docs/how-to/several-teams.md": {
    given: deployment,
    replaced: { "http://127.0.0.1:8080": "$METRICS_URL" },
    shows: ["NorthflankDeployment"],
  },
  "docs/import-and-plan.md": {
    given: `export NORTHFLANK_API_TOKEN=sandbox-token${overlay("prod")}`,
    exits: { "kustomize build overlays/prod | northflank-operator plan -": 3 },
    before: { "northflank-operator plan shop.yaml": "northflank-operator import --project shop > shop.yaml" },
  },
  "docs/kinds/connection.md": {
    given: `${connection}\nkubectl wait --for=condition=Ready --timeout=60s nfconn/default`,
    shows: ["Northflank accepted the token."],
  },
  "docs/kinds/job-run.md": {
    given: `${connection}\nkubectl apply -f yaml-1.yaml`,
  },
  "docs/kustomize.md": { given: overlay("staging") },
  "docs/quota.md": { given: deployment, replaced: { "http://127.0.0.1:8080": "$METRICS_URL" }, shows: ["CLASS"] },
  "docs/runbook.md": {
    given: `${deployment}
cat > FILE <<'END'
apiVersion: northflank-operator.io/v1alpha1
kind: NorthflankConnection
metadata: {name: api}
spec: {tokenSecretRef: {name: nf-token}}
---
apiVersion: northflank-operator.io/v1alpha1
kind: NorthflankJob
metadata: {name: api}
spec: {projectId: shop, jobId: report, settings: {description: Monthly report}}
---
apiVersion: northflank-operator.io/v1alpha1
kind: NorthflankJobRun
metadata: {name: api}
spec: {projectId: shop, jobId: migrate}
END
kubectl apply -f FILE
kubectl wait --for=condition=Finished --timeout=60s nfrun/api`,
    isOnce: true,
    replaced: { NAMESPACE: "default", NAME: "api", CONNECTION: "api", SECRET: "nf-token", RUN_ID: "none" },
    exits: { "kubectl get nfrun -A -o custom-columns=NS:": 1 },
    shows: ["northflankdeployment.northflank-operator.io/api annotated", "3 manifests checked"],
  },
  "docs/troubleshooting.md": {
    given: inNamespaceShop,
    replaced: { "'http://localhost:8081/readyz?verbose'": '"$HEALTH_URL/readyz?verbose"' },
    shows: ["[+]", "CustomResourceDefinition"],
  },
  "docs/uninstall.md": { given: deployment, shows: ["deleted"] },
  "docs/upgrade.md": { given: deployment },
  "docs/webhooks.md": { given: `${inNamespaceShop}\nkubectl apply -f yaml-1.yaml` },
};

const noPods: Reason = { why: "the sandbox has no pods" };
const noArgoCd: Reason = { why: "there is no Argo CD; test/argocd runs what the files hold by Argo CD's own rules" };
const noRegistry: Reason = {
  why: "there is no registry; test/install/helm.test.ts installs the chart of the checkout",
};
const remote: Reason = { why: "pushes to a repository of the reader" };
const kubectlTest: Reason = { ranBy: "test/install/kubectl.test.ts" };
const helmTest: Reason = { ranBy: "test/install/helm.test.ts" };
const npmInCi: Reason = { ranBy: ".ci/run" };
const releases: Reason = {
  why: "needs a checkout of its own; test/scripts/release and test/packaging/release.test.ts",
};

/** Commands that are not run with their page, by their beginning. */
export const notRun: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  "docs/verbs.md": { "": { ranBy: "test/operator/verbs.test.ts" } },
  "docs/automation.md": { "": { ranBy: "test/automation.test.ts" } },
  "README.md": {
    "npm ci && npm run demo": npmInCi,
    "npm ci && npm test": npmInCi,
    "helm install northflank-operator": noRegistry,
    "kubectl apply --server-side -f https://": kubectlTest,
    "kubectl apply --server-side -k deploy": kubectlTest,
    "kubectl --namespace argocd patch": noArgoCd,
    "npm install -g": { why: "installs from the registry; test/cli has the plugin as npm installs it" },
    "npm run sandbox": { why: "the test has one that is started the same way" },
  },
  "docs/argocd.md": {
    "kubectl --namespace argocd patch": noArgoCd,
    "helm upgrade argocd": noArgoCd,
    "kubectl get nfrun migrate-1-4-2": noArgoCd,
    "argocd ": noArgoCd,
  },
  "docs/flux.md": {
    "git -C ../fleet": remote,
    "flux get": {
      why: "there is no Flux; test/flux.test.ts reads the files, test/packaging/flux.test.ts renders them",
    },
  },
  "docs/github-actions.md": { "IMAGE=": { why: "needs yq, in a workflow" } },
  "docs/kustomize.md": {
    "kubectl apply --server-side -k deploy/overlays/single-replica": { ranBy: "test/packaging/overlays.test.ts" },
    "kubectl apply --server-side -k deploy": kubectlTest,
  },
  "docs/quick-start.md": {
    "git clone": { why: "downloads what is being tested" },
    "npm ci": npmInCi,
    "npm run sandbox": { why: "the test has one that is started the same way" },
    "helm install northflank-operator": noRegistry,
  },
  "docs/quota.md": {
    "LEADER=": noPods,
    "kubectl -n northflank-operator port-forward": noPods,
  },
  "docs/runbook.md": {
    "kubectl -n northflank-operator": noPods,
    "kubectl run curl": noPods,
    "curl ": { why: "asks an installation, or the address of a reader" },
    "kubectl auth can-i": { why: "the sandbox has no RBAC; test/contract/rbac.test.ts holds it to what is granted" },
    "kubectl get externalsecret": { why: "there are no other operators" },
    "kubectl get mutatingwebhookconfigurations": { why: "the sandbox has no admission" },
    "kubectl create secret generic SECRET": { why: "reads the token from a terminal" },
    "northflank-operator budget": { why: "needs an account's quota in a status; docs/quota.md runs it" },
  },
  "docs/monitoring.md": {
    "kube-state-metrics": { why: "there is none; the page says that it is untried" },
    "npm run observe": { why: "takes minutes and needs Prometheus" },
  },
  "docs/release.md": {
    "npm run release": releases,
    "git ": remote,
    "npm ci --ignore-scripts": releases,
    "(cd dist/release": releases,
    "npm exec": { why: "downloads another Node" },
  },
  "docs/troubleshooting.md": {
    "northflank-operator diagnose": { ranBy: "test/cli/diagnose.test.ts" },
    "kubectl -n northflank-operator logs": noPods,
    "kubectl -n northflank-operator get lease": noPods,
    "kubectl -n northflank-operator port-forward": noPods,
    "kubectl apply --server-side -f https://": { why: "downloads a release; the next command prints the same" },
  },
  "docs/uninstall.md": {
    "helm uninstall": helmTest,
    "helm upgrade": helmTest,
    "kubectl delete -k deploy": kubectlTest,
    "kubectl delete -f install.yaml": kubectlTest,
    "kubectl apply --server-side --force-conflicts": helmTest,
    "kubectl delete crd": kubectlTest,
    "kubectl patch nfrun NAME": kubectlTest,
  },
  "docs/upgrade.md": {
    "helm upgrade": helmTest,
    "kubectl apply --server-side -k deploy": helmTest,
    "kubectl -n northflank-operator rollout status": noPods,
  },
};

/** Why a command of a page is not run; undefined when it is. */
export function reasonNotToRun(page: string, command: string): Reason | undefined {
  return Object.entries(notRun[page] ?? {}).find(([start]) => command.startsWith(start))?.[1];
}
