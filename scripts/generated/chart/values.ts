import { published } from "../../published.ts";
import { valuesOfFlags } from "./flag-values.ts";
import {
  boolean,
  type Chapter,
  group,
  integer,
  integerOrPercent,
  kubernetesObject,
  listOf,
  namedObjects,
  nullable,
  oneOf,
  quantities,
  type Schema,
  string,
  stringLike,
  stringMap,
  value,
} from "./value.ts";

const anyObjects: Schema = listOf(kubernetesObject);
const dnsLabel = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dnsName: Schema = { ...stringLike(`${dnsLabel}(\\.${dnsLabel})*`), maxLength: 253 };
/** Labels, whose values Kubernetes limits; keys are its own business. */
const labels: Schema = {
  type: "object",
  additionalProperties: stringLike("[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"),
};
const int32 = (minimum: number): Schema => integer(minimum, 2_147_483_647);
const dataKeyPattern = "^[-._a-zA-Z0-9]{1,253}$";
const dataKey: Schema = { ...string, pattern: dataKeyPattern };
/** Of propertyNames Helm says the path wrongly. */
const stringsOfData: Schema = {
  type: "object",
  patternProperties: { [dataKeyPattern]: string },
  additionalProperties: false,
};
const prometheusDuration = stringLike("([0-9]+(ms|s|m|h))+");

const monitor = (kind: string) =>
  group(`${kind} for the Prometheus operator, whose CRDs must be installed.`, {
    enabled: value(`Create the ${kind}.`, false, boolean),
    labels: value("Additional labels, such as those that your Prometheus selects.", {}, labels, {
      release: "prometheus",
    }),
    annotations: value("Additional annotations.", {}, stringMap),
    interval: value("Scrape interval. Empty: the global interval of Prometheus.", "", prometheusDuration, "30s"),
    scrapeTimeout: value("Scrape timeout. Empty: the global timeout of Prometheus.", "", prometheusDuration, "10s"),
    honorLabels: value("Keep labels of the metrics that conflict with labels of the target.", false, boolean),
    relabelings: value("Relabeling of targets.", [], anyObjects),
    metricRelabelings: value("Relabeling of metrics.", [], anyObjects),
  });

const probe = (
  about: string,
  fallback: Readonly<Record<"periodSeconds" | "timeoutSeconds" | "failureThreshold", number>>,
) =>
  group(about, {
    periodSeconds: value("Interval between probes.", fallback.periodSeconds, int32(1)),
    timeoutSeconds: value("Timeout of a probe.", fallback.timeoutSeconds, int32(1)),
    failureThreshold: value(
      "Consecutive failures before the probe counts as failed.",
      fallback.failureThreshold,
      int32(1),
    ),
  });

/** Every value of the chart: the source of values.yaml, of its schema, and of the tables of its README. */
export function chapters(): readonly Chapter[] {
  return [
    {
      title: "Flags",
      values: {
        flags: group(
          "Flags of `northflank-operator run`, by their names in camelCase. A value that is null or empty is not passed: the default of the version applies.",
          valuesOfFlags(),
        ),
      },
    },
    {
      title: "Tokens",
      values: {
        defaultToken: group(
          "Operator-wide API token, for namespaces without a NorthflankConnection. flags.defaultTokenNamespaces lists the namespaces that may use it.",
          {
            existingSecret: group("Existing Secret in the namespace of the release.", {
              name: value(
                "Name of the Secret. It is mounted as a file; a rotated token is used without a restart.",
                "",
                dnsName,
                "northflank-token",
              ),
              key: value("Key of the token in the Secret.", "token", dataKey),
            }),
          },
        ),
      },
    },
    {
      title: "Image",
      values: {
        image: group("", {
          repository: value("Image repository.", published().image, { ...string, minLength: 1 }),
          tag: value(
            "Image tag. Empty: the appVersion of the chart.",
            "",
            stringLike("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            published().version,
          ),
          digest: value(
            "Image digest. With a tag and a digest, the digest decides which image is pulled.",
            "",
            stringLike("sha256:[0-9a-f]{64}"),
          ),
          pullPolicy: value("Image pull policy.", "IfNotPresent", oneOf("Always", "IfNotPresent", "Never")),
          pullSecrets: value("Image pull secrets.", [], namedObjects, [{ name: "registry" }]),
        }),
      },
    },
    {
      title: "Names and labels",
      values: {
        nameOverride: value(
          "Replaces `northflank-operator` in the names of objects and in app.kubernetes.io/name.",
          "",
          stringLike("[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
        ),
        fullnameOverride: value(
          "Name of the objects. It replaces the name that is derived from the release.",
          "",
          stringLike("[a-z]([-a-z0-9]{0,52}[a-z0-9])?"),
        ),
        commonLabels: value("Labels of all objects and pods, except the CRDs.", {}, labels),
        commonAnnotations: value("Annotations of all objects and pods, except the CRDs.", {}, stringMap),
        podLabels: value("Labels of the pods.", {}, labels),
        podAnnotations: value("Annotations of the pods.", {}, stringMap),
      },
    },
    {
      title: "CRDs",
      values: {
        crds: group("", {
          install: value(
            "Install and upgrade the CustomResourceDefinitions with this release. Only one release of a cluster can own them.",
            true,
            boolean,
          ),
          keep: value(
            "Keep the CustomResourceDefinitions when the release is uninstalled. Deleting them deletes all objects of these kinds.",
            true,
            boolean,
          ),
          annotations: value("Annotations of the CustomResourceDefinitions.", {}, stringMap),
        }),
      },
    },
    {
      title: "Permissions",
      values: {
        rbac: group("", {
          create: value(
            "Create roles and bindings: a ClusterRole, or with flags.watchNamespaces a Role in each of these namespaces, which must exist.",
            true,
            boolean,
          ),
        }),
        serviceAccount: group("", {
          create: value("Create the service account.", true, boolean),
          name: value("Name of the service account. Empty: the name of the Deployment.", "", dnsName),
          annotations: value("Annotations of the service account.", {}, stringMap),
          automount: value("Mount the token into every pod that uses the service account.", false, boolean),
        }),
        automountServiceAccountToken: value(
          "Mount the service account token into the operator's pods. Set it to false if extraVolumes mounts one.",
          true,
          boolean,
        ),
      },
    },
    {
      title: "Pods",
      values: {
        replicas: value(
          "Number of replicas. One is active, the others are on standby with filled caches.",
          2,
          int32(0),
        ),
        strategy: value(
          "Update strategy of the Deployment. Empty: RollingUpdate with maxSurge 1 and maxUnavailable 0, or Recreate if flags.leaderElect is false.",
          {},
          kubernetesObject,
          { type: "Recreate" },
        ),
        revisionHistoryLimit: value(
          "Number of old ReplicaSets to keep. Null: the default of Kubernetes.",
          null,
          nullable(int32(0)),
          3,
        ),
        terminationGracePeriodSeconds: value(
          "Seconds between SIGTERM and SIGKILL; must be longer than flags.shutdownGrace. Null: flags.shutdownGrace plus 15 seconds.",
          null,
          nullable(integer(1)),
          60,
        ),
        resources: group("", {
          requests: value("Resource requests.", { cpu: "20m", memory: "128Mi" }, quantities),
          limits: value(
            "Resource limits. The heap size of Node.js is derived from limits.memory.",
            { cpu: "1", memory: "256Mi" },
            quantities,
          ),
        }),
        nodeOptions: value(
          "NODE_OPTIONS. Null: a heap of 75 % of resources.limits.memory (without a limit, the default of Node.js), a young generation of 2 MB and one V8 worker thread.",
          null,
          nullable(string),
          "--max-old-space-size=384",
        ),
        nodeSelector: value("Node selector.", {}, labels, { "kubernetes.io/os": "linux" }),
        tolerations: value("Tolerations.", [], anyObjects, [{ key: "dedicated", operator: "Exists" }]),
        affinity: value("Affinity.", {}, kubernetesObject),
        topologySpreadConstraints: value(
          "Topology spread constraints. A labelSelector that selects the pods of this release is added where there is none.",
          [{ topologyKey: "kubernetes.io/hostname", maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway" }],
          anyObjects,
        ),
        priorityClassName: value("Priority class of the pods.", "", dnsName, "system-cluster-critical"),
        podSecurityContext: value(
          "Security context of the pods. The defaults meet the restricted Pod Security Standard. On OpenShift, set runAsUser and runAsGroup to null.",
          { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: "RuntimeDefault" } },
          kubernetesObject,
        ),
        securityContext: value(
          "Security context of the container.",
          { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
          kubernetesObject,
        ),
        livenessProbe: probe("Liveness probe. By default a process that hangs for more than a minute is restarted.", {
          periodSeconds: 20,
          timeoutSeconds: 5,
          failureThreshold: 4,
        }),
        readinessProbe: probe("Readiness probe.", {
          periodSeconds: 5,
          timeoutSeconds: 3,
          failureThreshold: 3,
        }),
        extraArgs: value(
          "Additional arguments. Every flag of this version has a value under flags.",
          [],
          listOf({ ...string, minLength: 1 }),
        ),
        extraEnv: value("Additional environment variables.", [], namedObjects, [
          { name: "NODE_EXTRA_CA_CERTS", value: "/etc/ca/ca.crt" },
        ]),
        extraEnvFrom: value("Additional sources of environment variables.", [], anyObjects),
        extraVolumes: value("Additional volumes.", [], namedObjects, [{ name: "ca", configMap: { name: "ca" } }]),
        extraVolumeMounts: value("Additional volume mounts.", [], namedObjects, [{ name: "ca", mountPath: "/etc/ca" }]),
      },
    },
    {
      title: "Proxy",
      values: {
        proxy: group("Proxy for requests to Northflank. Requests to Kubernetes do not use it.", {
          httpsProxy: value(
            "URL of the proxy (HTTPS_PROXY), without credentials.",
            "",
            // Without a pattern: Helm quotes a value that does not match, and this one may hold a password.
            string,
            "http://proxy.example:3128",
          ),
          existingSecret: group("Existing Secret with the URL of the proxy, for a URL with credentials.", {
            name: value("Name of the Secret in the namespace of the release.", "", dnsName),
            key: value("Key of the URL in the Secret.", "httpsProxy", dataKey),
          }),
          noProxy: value(
            "Hosts that are reached without the proxy (NO_PROXY).",
            [],
            listOf({ ...string, minLength: 1 }),
          ),
        }),
      },
    },
    {
      title: "Network policy",
      values: {
        networkPolicy: group(
          "Allows ingress to the metrics and health ports, and egress to DNS, to the Kubernetes API and to Northflank.",
          {
            enabled: value("Create the NetworkPolicy.", true, boolean),
            metricsFrom: value("Peers that may scrape metrics. Empty: all.", [], anyObjects, [
              { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
            ]),
            egressPorts: value(
              "TCP ports for egress. The ports of flags.apiUrl and proxy.httpsProxy are added.",
              [443, 6443],
              listOf(integer(1, 65_535)),
            ),
            egressTo: value("Peers for egress to these ports. Empty: all.", [], anyObjects, [
              { ipBlock: { cidr: "0.0.0.0/0" } },
            ]),
            extraIngress: value("Additional ingress rules.", [], anyObjects),
            extraEgress: value("Additional egress rules.", [], anyObjects),
          },
        ),
      },
    },
    {
      title: "Disruptions",
      values: {
        podDisruptionBudget: group("", {
          enabled: value("Create the PodDisruptionBudget.", true, boolean),
          maxUnavailable: value("Maximum number or percentage of unavailable pods.", 1, integerOrPercent(1)),
          minAvailable: value(
            "Minimum number or percentage of available pods. Set maxUnavailable to null to use it.",
            null,
            integerOrPercent(0),
          ),
          unhealthyPodEvictionPolicy: value(
            "When pods that are not ready may be evicted. Empty: the default of Kubernetes.",
            "",
            oneOf("", "IfHealthyBudget", "AlwaysAllow"),
          ),
        }),
      },
    },
    {
      title: "Metrics",
      values: {
        metrics: group("", {
          service: group("Headless Service for the port of flags.metricsBindAddress.", {
            enabled: value("Create the Service.", true, boolean),
            labels: value("Additional labels.", {}, labels),
            annotations: value("Additional annotations.", {}, stringMap),
          }),
          serviceMonitor: monitor("ServiceMonitor"),
          podMonitor: monitor("PodMonitor"),
          prometheusRule: group("PrometheusRule for the Prometheus operator, whose CRDs must be installed.", {
            enabled: value("Create the PrometheusRule, with the alerts of docs/monitoring.md.", false, boolean),
            labels: value("Additional labels.", {}, labels),
            annotations: value("Additional annotations.", {}, stringMap),
            additionalRules: value("More rules, rendered as one group.", [], anyObjects, [
              { alert: "OperatorDown", expr: 'absent(up{job="northflank-operator"})' },
            ]),
          }),
          dashboards: group("ConfigMap with dashboards for the Grafana sidecar.", {
            enabled: value("Create the ConfigMap, with the dashboard of docs/monitoring.md.", false, boolean),
            labels: value("Labels that the sidecar selects.", { grafana_dashboard: "1" }, labels),
            annotations: value("Additional annotations.", {}, stringMap, { grafana_folder: "Northflank" }),
            additionalDashboards: value("More dashboards: JSON by file name.", {}, stringsOfData),
          }),
        }),
      },
    },
    {
      title: "Webhook",
      values: {
        webhook: group("Webhook receiver. It needs flags.webhookBindAddress.", {
          service: group("", {
            enabled: value("Create the Service, if flags.webhookBindAddress is set.", true, boolean),
            type: value("Type of the Service.", "ClusterIP", oneOf("ClusterIP", "NodePort", "LoadBalancer")),
            port: value("Port of the Service.", 80, integer(1, 65_535)),
            labels: value("Additional labels.", {}, labels),
            annotations: value("Additional annotations.", {}, stringMap),
          }),
        }),
      },
    },
  ];
}
