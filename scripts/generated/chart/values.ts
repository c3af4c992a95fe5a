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
const dnsName = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?";
const secretKey = { ...string, pattern: "^[-._a-zA-Z0-9]{1,253}$" };
const prometheusDuration = stringLike("([0-9]+(ms|s|m|h))+");

const monitor = (kind: string) =>
  group(`A ${kind} of the Prometheus operator. Needs its CRDs.`, {
    enabled: value(`Create the ${kind}.`, false, boolean),
    labels: value("Labels of it, such as those that your Prometheus selects.", {}, stringMap, {
      release: "prometheus",
    }),
    annotations: value("Annotations of it.", {}, stringMap),
    interval: value("How often to scrape. Empty: as Prometheus is set up.", "", prometheusDuration, "30s"),
    scrapeTimeout: value("Time limit of a scrape. Empty: as Prometheus is set up.", "", prometheusDuration, "10s"),
    honorLabels: value("Keep labels of the metrics that Prometheus has too.", false, boolean),
    relabelings: value("Changes of the target's labels.", [], anyObjects),
    metricRelabelings: value("Changes of the metrics' labels.", [], anyObjects),
  });

const probe = (
  about: string,
  fallback: Readonly<Record<"periodSeconds" | "timeoutSeconds" | "failureThreshold", number>>,
) =>
  group(about, {
    periodSeconds: value("Time between two probes.", fallback.periodSeconds, integer(1)),
    timeoutSeconds: value("Time limit of a probe.", fallback.timeoutSeconds, integer(1)),
    failureThreshold: value("Failures in a row that count.", fallback.failureThreshold, integer(1)),
  });

/** Every value of the chart: the source of values.yaml, of its schema, and of the tables of its README. */
export function chapters(): readonly Chapter[] {
  return [
    {
      title: "Flags",
      values: {
        flags: group(
          "The flags of `northflank-operator run`, by their names in camelCase. Null or empty: the flag's own default, which a later version may change.",
          valuesOfFlags(),
        ),
      },
    },
    {
      title: "Tokens",
      values: {
        defaultToken: group(
          "A token that serves objects whose namespace has no NorthflankConnection of its own. Set flags.defaultTokenNamespaces too.",
          {
            existingSecret: group("The Secret that holds the token, in the release's namespace.", {
              name: value(
                "Name of the Secret. It is mounted as a file, and a new token is read from it without a restart.",
                "",
                stringLike(dnsName),
                "northflank-token",
              ),
              key: value("Key in the Secret.", "token", secretKey),
            }),
          },
        ),
      },
    },
    {
      title: "Image",
      values: {
        image: group("", {
          repository: value("Image without tag and digest.", published().image, { ...string, minLength: 1 }),
          tag: value(
            "Tag. Empty: the chart's appVersion.",
            "",
            stringLike("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            published().version,
          ),
          digest: value(
            "Digest. It decides what is pulled; a tag beside it is for people.",
            "",
            stringLike("sha256:[0-9a-f]{64}"),
          ),
          pullPolicy: value("When the kubelet pulls.", "IfNotPresent", oneOf("Always", "IfNotPresent", "Never")),
          pullSecrets: value("Secrets with credentials of the registry.", [], namedObjects, [{ name: "registry" }]),
        }),
      },
    },
    {
      title: "Names and labels",
      values: {
        nameOverride: value(
          "In the place of `northflank-operator` in names and labels.",
          "",
          stringLike("[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
        ),
        fullnameOverride: value(
          "Name of the objects, whatever the release is called.",
          "",
          stringLike("[a-z]([-a-z0-9]{0,52}[a-z0-9])?"),
        ),
        commonLabels: value("Labels of every object but the CRDs, and of the pods.", {}, stringMap),
        commonAnnotations: value("Annotations of every object but the CRDs, and of the pods.", {}, stringMap),
        podLabels: value("Labels of the pods.", {}, stringMap),
        podAnnotations: value("Annotations of the pods.", {}, stringMap),
      },
    },
    {
      title: "CRDs",
      values: {
        crds: group("", {
          install: value(
            "Install and upgrade the CustomResourceDefinitions with the release. Set it to false for every release of a cluster but the first.",
            true,
            boolean,
          ),
          keep: value(
            "Keep them when the release is uninstalled. Without them Kubernetes deletes every object of these kinds.",
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
          name: value("Its name. Empty: the name of the release's objects.", "", stringLike(dnsName)),
          annotations: value("Annotations of it.", {}, stringMap),
          automount: value("Mount its token into every pod that uses it.", false, boolean),
        }),
        automountServiceAccountToken: value(
          "Mount the token into the operator's pods. Set it to false where a volume brings the token.",
          true,
          boolean,
        ),
      },
    },
    {
      title: "Pods",
      values: {
        replicas: value("One replica leads, the others wait with their caches filled.", 2, integer(0)),
        strategy: value(
          "Strategy of the Deployment. Empty: RollingUpdate without a gap, or Recreate where flags.leaderElect is false.",
          {},
          kubernetesObject,
          { type: "Recreate" },
        ),
        revisionHistoryLimit: value(
          "Old ReplicaSets to keep. Null: as Kubernetes does.",
          null,
          nullable(integer(0)),
          3,
        ),
        terminationGracePeriodSeconds: value(
          "Time from SIGTERM to SIGKILL. Null: flags.shutdownGrace and 15 seconds more.",
          null,
          nullable(integer(1)),
          60,
        ),
        resources: group("", {
          requests: value("What the scheduler sets aside.", { cpu: "20m", memory: "128Mi" }, quantities),
          limits: value(
            "What the kernel allows. The size of V8's heap follows limits.memory.",
            { cpu: "1", memory: "256Mi" },
            quantities,
          ),
        }),
        nodeOptions: value(
          "NODE_OPTIONS. Null: a heap of 75 % of resources.limits.memory (of V8's choice without a limit), a small young generation and one helper thread.",
          null,
          nullable(string),
          "--max-old-space-size=384",
        ),
        nodeSelector: value("Labels of the nodes to run on.", {}, stringMap, { "kubernetes.io/os": "linux" }),
        tolerations: value("Taints to tolerate.", [], anyObjects, [{ key: "dedicated", operator: "Exists" }]),
        affinity: value("Affinity and anti-affinity.", {}, kubernetesObject),
        topologySpreadConstraints: value(
          "How to spread the replicas. A constraint without a labelSelector selects the operator's own pods.",
          [{ topologyKey: "kubernetes.io/hostname", maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway" }],
          anyObjects,
        ),
        priorityClassName: value("Priority class.", "", stringLike(dnsName), "system-cluster-critical"),
        podSecurityContext: value(
          "Security context of the pod. The defaults meet the restricted Pod Security Standard. On OpenShift set runAsUser and runAsGroup to null.",
          { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: "RuntimeDefault" } },
          kubernetesObject,
        ),
        securityContext: value(
          "Security context of the container.",
          { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
          kubernetesObject,
        ),
        livenessProbe: probe(
          "Timing of the liveness probe. Only a process that hangs for over a minute is killed: a restart does not help against a slow API server.",
          { periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 4 },
        ),
        readinessProbe: probe("Timing of the readiness probe.", {
          periodSeconds: 5,
          timeoutSeconds: 3,
          failureThreshold: 3,
        }),
        extraArgs: value(
          "Arguments that no value sets. Every flag has a value under flags.",
          [],
          listOf({ ...string, minLength: 1 }),
        ),
        extraEnv: value("Environment variables.", [], namedObjects, [
          { name: "NODE_EXTRA_CA_CERTS", value: "/etc/ca/ca.crt" },
        ]),
        extraEnvFrom: value("Secrets and ConfigMaps whose keys become environment variables.", [], anyObjects),
        extraVolumes: value("Volumes of the pod.", [], namedObjects, [{ name: "ca", configMap: { name: "ca" } }]),
        extraVolumeMounts: value("Mounts of the container.", [], namedObjects, [{ name: "ca", mountPath: "/etc/ca" }]),
      },
    },
    {
      title: "Proxy",
      values: {
        proxy: group("The way to Northflank. Requests to Kubernetes do not use it.", {
          httpsProxy: value(
            "Address of the proxy, without a user and a password.",
            "",
            stringLike("https?://\\S+"),
            "http://proxy.example:3128",
          ),
          existingSecret: group("A Secret that holds the address, for one with a password.", {
            name: value("Name of the Secret, in the release's namespace.", "", stringLike(dnsName)),
            key: value("Key in the Secret.", "httpsProxy", secretKey),
          }),
          noProxy: value("Hosts that are reached without the proxy.", [], listOf({ ...string, minLength: 1 })),
        }),
      },
    },
    {
      title: "Network policy",
      values: {
        networkPolicy: group(
          "In: metrics and probes. Out: name resolution, and TLS to the Kubernetes API and to Northflank.",
          {
            enabled: value("Create the NetworkPolicy.", true, boolean),
            metricsFrom: value("Peers that may scrape. Empty: all.", [], anyObjects, [
              { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
            ]),
            egressPorts: value(
              "TCP ports that the operator may connect to, beside those of flags.apiUrl and proxy.httpsProxy.",
              [443, 6443],
              listOf(integer(1, 65_535)),
            ),
            egressTo: value("Peers that it may connect to at these ports. Empty: all.", [], anyObjects, [
              { ipBlock: { cidr: "0.0.0.0/0" } },
            ]),
            extraIngress: value("Further rules for what comes in.", [], anyObjects),
            extraEgress: value("Further rules for what goes out.", [], anyObjects),
          },
        ),
      },
    },
    {
      title: "Disruptions",
      values: {
        podDisruptionBudget: group("", {
          enabled: value("Create the PodDisruptionBudget.", true, boolean),
          maxUnavailable: value("Pods that may be away.", 1, integerOrPercent(1)),
          minAvailable: value("Pods that must stay. Set maxUnavailable to null then.", null, integerOrPercent(0)),
          unhealthyPodEvictionPolicy: value(
            "What counts for pods that are not ready. Empty: as Kubernetes does.",
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
          service: group("A headless Service at the port of flags.metricsBindAddress.", {
            enabled: value("Create the Service.", true, boolean),
            labels: value("Labels of it.", {}, stringMap),
            annotations: value("Annotations of it.", {}, stringMap),
          }),
          serviceMonitor: monitor("ServiceMonitor"),
          podMonitor: monitor("PodMonitor"),
          prometheusRule: group("Alerts, as a PrometheusRule of the Prometheus operator. Needs its CRDs.", {
            enabled: value("Create the PrometheusRule.", false, boolean),
            labels: value("Labels of it.", {}, stringMap),
            annotations: value("Annotations of it.", {}, stringMap),
            additionalRules: value("Rules of yours, as a group of their own.", [], anyObjects, [
              { alert: "OperatorDown", expr: 'absent(up{job="northflank-operator"})' },
            ]),
          }),
          dashboards: group("Dashboards for Grafana, as a ConfigMap that its sidecar finds.", {
            enabled: value("Create the ConfigMap.", false, boolean),
            labels: value("Labels of it: what the sidecar looks for.", { grafana_dashboard: "1" }, stringMap),
            annotations: value("Annotations of it.", {}, stringMap, { grafana_folder: "Northflank" }),
            additionalDashboards: value("Dashboards of yours: JSON by the name of its file.", {}, stringMap),
          }),
        }),
      },
    },
    {
      title: "Webhook",
      values: {
        webhook: group("The receiver of notifications: only where flags.webhookBindAddress is not 0.", {
          service: group("", {
            enabled: value("Create the Service.", true, boolean),
            type: value("Type of the Service.", "ClusterIP", oneOf("ClusterIP", "NodePort", "LoadBalancer")),
            port: value("Port of the Service.", 80, integer(1, 65_535)),
            labels: value("Labels of it.", {}, stringMap),
            annotations: value("Annotations of it.", {}, stringMap),
          }),
        }),
      },
    },
  ];
}
