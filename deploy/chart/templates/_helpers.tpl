{{/* Value of app.kubernetes.io/name. */}}
{{- define "northflank-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
Name of the objects in the release's namespace. At most 54 characters, so that the name of a Service, which has an ending of
eight more, fits into 63. A release may have dots in its name, a Service may not.
*/}}
{{- define "northflank-operator.fullname" -}}
{{- $name := include "northflank-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 54 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | replace "." "-") $name | trunc 54 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
Name of objects outside the release's namespace: it differs between any two releases of a cluster. A colon cannot be part of a
namespace or of a release, so no two pairs of them make the same name.
*/}}
{{- define "northflank-operator.clusterWideName" -}}
{{- $fullname := include "northflank-operator.fullname" . -}}
{{- if eq $fullname .Release.Namespace -}}
{{- $fullname -}}
{{- else -}}
{{- printf "%s:%s" $fullname .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "northflank-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "northflank-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of an object: {root, labels}. The chart's own win over commonLabels and over the object's. */}}
{{- define "northflank-operator.labels" -}}
{{- $root := .root -}}
{{- $own := include "northflank-operator.selectorLabels" $root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $own (.labels | default dict) ($root.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{/* `metadata` of an object, but for the key itself: {root, name, namespace, labels, annotations}. */}}
{{- define "northflank-operator.metadata" -}}
name: {{ .name | quote }}
{{- with .namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- include "northflank-operator.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations of a CustomResourceDefinition; empty when there is none. */}}
{{- define "northflank-operator.crdAnnotations" -}}
{{- $keep := ternary (dict "helm.sh/resource-policy" "keep") dict .Values.crds.keep -}}
{{- with merge $keep (.Values.crds.annotations | default dict) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{- define "northflank-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "northflank-operator.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* A digest alone is enough; the tag of this version is then left out, because it would not be checked. */}}
{{- define "northflank-operator.image" -}}
{{- with .Values.image -}}
{{- .repository -}}
{{- if .tag -}}
{{- printf ":%s" (toString .tag) -}}
{{- else if not .digest -}}
{{- printf ":%s" $.Chart.AppVersion -}}
{{- end -}}
{{- with .digest -}}
{{- printf "@%s" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How the value of a flag is written: lists with commas, numbers without an exponent. Empty: the value is not set. */}}
{{- define "northflank-operator.text" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if kindIs "float64" . -}}
{{- int64 . -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Where the Secret of defaultToken is mounted: as a folder, which follows the Secret; a single file would not. */}}
{{- define "northflank-operator.tokenFolder" -}}
/var/run/secrets/northflank-operator.io
{{- end -}}

{{/* The flag that a value of `flags` sets, as text: {root, value}. Empty: it is not passed. */}}
{{- define "northflank-operator.given" -}}
{{- $given := include "northflank-operator.text" (get .root.Values.flags .value) -}}
{{- if and (eq .value "defaultTokenFile") .root.Values.defaultToken.existingSecret.name -}}
{{- $given = printf "%s/token" (include "northflank-operator.tokenFolder" .) -}}
{{- end -}}
{{- $given -}}
{{- end -}}

{{/* Every flag of `run` by the name of its value, as text: what is given, else the flag's own default. */}}
{{- define "northflank-operator.settings" -}}
{{- $settings := dict -}}
{{- range include "northflank-operator.flags" . | fromYamlArray -}}
{{- $given := include "northflank-operator.given" (dict "root" $ "value" .value) -}}
{{- $_ := set $settings .value ($given | default (.default | default "")) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* Arguments of the container: what is set and nothing else, so that an upgrade brings the new version's defaults. */}}
{{- define "northflank-operator.args" -}}
{{- $args := list "run" -}}
{{- range $flag := include "northflank-operator.flags" . | fromYamlArray -}}
{{- with include "northflank-operator.given" (dict "root" $ "value" .value) -}}
{{- $args = append $args (printf "--%s=%s" $flag.flag .) -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat $args (.Values.extraArgs | default list)) -}}
{{- end -}}

{{/* The port of a bind address; empty when it is switched off. */}}
{{- define "northflank-operator.port" -}}
{{- if ne . "0" -}}
{{- regexFind "[0-9]+$" . | atoi -}}
{{- end -}}
{{- end -}}

{{/*
The port of an http or https URL, with its default. Empty when the text is no such URL: urlParse would end with an error that
quotes the text, which may hold a password.
*/}}
{{- define "northflank-operator.urlPort" -}}
{{- $host := "[^\\x00-\\x20\\x7f/?#@:\\[\\]\\\\%<>^|]+|\\[[0-9A-Fa-f:.]+\\]" -}}
{{- if regexMatch (printf "^https?://(%s)(:0*[0-9]{0,5})?(/[^?#@\\s]*)?$" $host) . -}}
{{- $given := regexFind "^https?://[^/]+" . | regexFind ":[0-9]+$" | trimPrefix ":" -}}
{{- $port := $given | default (hasPrefix "https:" . | ternary "443" "80") | atoi -}}
{{- if and (ge $port 1) (le $port 65535) -}}
{{- $port -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration, with their fraction: the program does not round either. */}}
{{- define "northflank-operator.milliseconds" -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ms|s|m|h)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $factor := get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit -}}
{{- $total = addf $total (mulf (trimSuffix $unit . | float64) $factor) -}}
{{- end -}}
{{- $total -}}
{{- end -}}

{{/* The kubelet waits fifteen seconds longer than the program: for the answer in flight, and the end of the process. */}}
{{- define "northflank-operator.terminationGracePeriodSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- $grace := (include "northflank-operator.settings" . | fromYaml).shutdownGrace -}}
{{- add 15 (divf (include "northflank-operator.milliseconds" $grace | float64) 1000 | ceil | int64) -}}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* Three quarters of a quantity of memory in whole MiB; empty when it is no quantity. */}}
{{- define "northflank-operator.heapMiB" -}}
{{- $text := include "northflank-operator.text" . -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?([KMGTP]i|[kMGTP])?$" $text -}}
{{- $unit := regexFind "[a-zA-Z]+$" $text -}}
{{- $factors := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- divf (mulf (trimSuffix $unit $text | float64) (get $factors $unit) 0.75) 1048576 | floor | int64 -}}
{{- end -}}
{{- end -}}

{{/*
The heap: 75 % of the memory limit, so that V8 collects before the kernel kills. Its young part: 2 MB instead of 16, which saves
memory where many objects are kept. One helper thread of V8 instead of four: there is one CPU's worth of work.
*/}}
{{- define "northflank-operator.nodeOptions" -}}
{{- if kindIs "invalid" .Values.nodeOptions -}}
{{- $options := list "--max-semi-space-size=2" "--v8-pool-size=1" -}}
{{- with include "northflank-operator.heapMiB" (dig "limits" "memory" "" (.Values.resources | default dict)) -}}
{{- $options = prepend $options (printf "--max-old-space-size=%s" .) -}}
{{- end -}}
{{- join " " $options -}}
{{- else -}}
{{- .Values.nodeOptions -}}
{{- end -}}
{{- end -}}

{{/* Environment of the container, as a list. */}}
{{- define "northflank-operator.env" -}}
{{- $env := list -}}
{{- with include "northflank-operator.nodeOptions" . -}}
{{- $env = append $env (dict "name" "NODE_OPTIONS" "value" .) -}}
{{- end -}}
{{- with .Values.proxy -}}
{{- if .existingSecret.name -}}
{{- $env = append $env (dict "name" "HTTPS_PROXY" "valueFrom" (dict "secretKeyRef" (dict "name" .existingSecret.name "key" .existingSecret.key))) -}}
{{- else if .httpsProxy -}}
{{- $env = append $env (dict "name" "HTTPS_PROXY" "value" .httpsProxy) -}}
{{- end -}}
{{- with .noProxy -}}
{{- $env = append $env (dict "name" "NO_PROXY" "value" (join "," .)) -}}
{{- end -}}
{{- end -}}
{{- $own := list -}}
{{- range .Values.extraEnv -}}
{{- $own = append $own .name -}}
{{- end -}}
{{- if and (include "northflank-operator.port" (include "northflank-operator.settings" . | fromYaml).webhookBindAddress) (not (has "POD_IP" $own)) -}}
{{- $env = append $env (dict "name" "POD_IP" "valueFrom" (dict "fieldRef" (dict "fieldPath" "status.podIP"))) -}}
{{- end -}}
{{- concat $env (.Values.extraEnv | default list) | default list | toYaml -}}
{{- end -}}

{{/* Ports that the operator connects to, as JSON: those of networkPolicy.egressPorts, of the API and of the proxy. */}}
{{- define "northflank-operator.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egressPorts -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- range list .Values.flags.apiUrl .Values.proxy.httpsProxy -}}
{{- with include "northflank-operator.urlPort" (. | default "") -}}
{{- if not (has (atoi .) $ports) -}}
{{- $ports = append $ports (atoi .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* What the operator may do in the namespaces it watches. */}}
{{- define "northflank-operator.rules" -}}
- apiGroups: [northflank-operator.io]
  resources: [northflankconnections, northflankdeployments, northflankjobs, northflankjobruns]
  verbs: [get, list, watch]
# Status is written by merge patch; the record of a run start is a PUT with the resourceVersion just read.
- apiGroups: [northflank-operator.io]
  resources: [northflankconnections/status, northflankdeployments/status, northflankjobs/status]
  verbs: [patch]
- apiGroups: [northflank-operator.io]
  resources: [northflankjobruns/status]
  verbs: [patch, update]
# The annotation that keeps a start, the finalizer of deletionPolicy Abort, and ttlSecondsAfterFinished.
- apiGroups: [northflank-operator.io]
  resources: [northflankjobruns]
  verbs: [patch, delete]
# The finalizer of a connection with spec.notifications.register.
- apiGroups: [northflank-operator.io]
  resources: [northflankconnections]
  verbs: [patch]
# Tokens and values that objects refer to, by name. Without list and watch, the operator cannot enumerate them.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The service account as the subject of a binding. */}}
{{- define "northflank-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "northflank-operator.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}

{{/* `spec` of a ServiceMonitor's or PodMonitor's only endpoint: the values of the monitor. */}}
{{- define "northflank-operator.endpoint" -}}
port: metrics
path: /metrics
honorLabels: {{ .honorLabels }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
