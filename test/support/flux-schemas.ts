// The fields of Flux's kinds that deploy/flux and docs/flux.md use, and no others. Each was accepted by a real
// kube-apiserver with the CRDs of kustomize-controller 1.9, helm-controller 1.6, source-controller 1.9,
// image-automation-controller 1.2 and image-reflector-controller 1.2, which refuses unknown fields under server-side
// apply. Before a field is added here: apply it there.

const text = { type: "string", minLength: 1 } as const;
const truth = { type: "boolean" } as const;
const duration = { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" } as const;
const texts = { type: "object", additionalProperties: { type: "string" } } as const;

function object(properties: Readonly<Record<string, unknown>>, required: readonly string[] = []): object {
  return { type: "object", properties, required, additionalProperties: false };
}

function list(items: object): object {
  return { type: "array", items, minItems: 1 };
}

const named = object({ name: text }, ["name"]);
const reference = (...kinds: readonly string[]) => object({ kind: { enum: kinds }, name: text }, ["kind", "name"]);

const remediation = object({ remediation: object({ retries: { type: "integer" } }) });

const specs: Readonly<Record<string, object>> = {
  "kustomize.toolkit.fluxcd.io/v1 Kustomization": object(
    {
      dependsOn: list(named),
      interval: duration,
      retryInterval: duration,
      timeout: duration,
      sourceRef: reference("GitRepository"),
      path: { type: "string", pattern: "^\\./" },
      prune: truth,
      wait: truth,
      force: truth,
      healthChecks: list(
        object({ apiVersion: text, kind: text, name: text, namespace: text }, ["apiVersion", "kind", "name"]),
      ),
      images: list(object({ name: text, newName: text, newTag: text }, ["name"])),
      patches: list(object({ target: object({ kind: text }), patch: text }, ["patch"])),
      postBuild: object({ substitute: texts, substituteStrategy: { enum: ["WithVariables", "Always"] } }),
    },
    ["interval", "prune", "sourceRef"],
  ),
  "source.toolkit.fluxcd.io/v1 GitRepository": object(
    {
      interval: duration,
      url: { type: "string", pattern: "^(http|https|ssh)://" },
      ref: object({ tag: text, branch: text }),
      ignore: text,
    },
    ["interval", "url"],
  ),
  "source.toolkit.fluxcd.io/v1 OCIRepository": object(
    {
      interval: duration,
      url: { type: "string", pattern: "^oci://.*$" },
      ref: object({ tag: text, semver: text }),
      layerSelector: object({ mediaType: text, operation: { enum: ["extract", "copy"] } }),
    },
    ["interval", "url"],
  ),
  "helm.toolkit.fluxcd.io/v2 HelmRelease": object(
    {
      interval: duration,
      timeout: duration,
      chartRef: reference("OCIRepository"),
      install: remediation,
      upgrade: remediation,
      values: { type: "object" },
    },
    ["interval", "chartRef"],
  ),
  "image.toolkit.fluxcd.io/v1 ImageRepository": object({ image: text, interval: duration }, ["image", "interval"]),
  "image.toolkit.fluxcd.io/v1 ImagePolicy": object(
    { imageRepositoryRef: named, policy: object({ semver: object({ range: text }, ["range"]) }) },
    ["imageRepositoryRef", "policy"],
  ),
  "image.toolkit.fluxcd.io/v1 ImageUpdateAutomation": object(
    {
      interval: duration,
      sourceRef: reference("GitRepository"),
      git: object(
        {
          checkout: object({ ref: object({ branch: text }) }, ["ref"]),
          commit: object({ author: object({ name: text, email: text }, ["email"]) }, ["author"]),
          push: object({ branch: text }),
        },
        ["commit"],
      ),
      update: object({ path: { type: "string", pattern: "^\\./" }, strategy: { enum: ["Setters"] } }, ["strategy"]),
    },
    ["interval", "sourceRef"],
  ),
};

/** One JSON Schema per `APIVERSION KIND`. */
export const fluxSchemas: Readonly<Record<string, object>> = Object.fromEntries(
  Object.entries(specs).map(([key, spec]) => [
    key,
    object(
      {
        apiVersion: text,
        kind: text,
        metadata: object({ name: text, namespace: text, labels: texts, annotations: texts }, ["name", "namespace"]),
        spec,
      },
      ["apiVersion", "kind", "metadata", "spec"],
    ),
  ]),
);
