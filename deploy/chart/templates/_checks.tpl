{{/*
Refuses values that the schema lets through one by one and that do not work together. All problems are reported together; each
names the values and the remedy. Values that may hold a secret are never quoted.
*/}}
{{- define "northflank-operator.check" -}}
{{- $problems := list -}}
{{- range list "durations" "replicas" "grace" "token" "proxy" "ports" "lease" "api" "flags" "names" "memory" "disruption" "monitoring" -}}
{{- $problems = concat $problems (include (printf "northflank-operator.check.%s" .) $ | fromYamlArray) -}}
{{- end -}}
{{- with $problems -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " .)) -}}
{{- end -}}
{{- end -}}

{{- define "northflank-operator.check.durations" -}}
{{- $problems := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- range include "northflank-operator.flags" . | fromYamlArray -}}
{{- $text := get $settings .value -}}
{{- if and .positive (not (regexMatch "[1-9]" $text)) -}}
{{- $problems = append $problems (printf "flags.%s is %s: a duration above zero is expected, such as %s." .value $text .default) -}}
{{- end -}}
{{- end -}}
{{- $resync := include "northflank-operator.milliseconds" $settings.resyncPeriod | float64 -}}
{{- if and (gt $resync 0.0) (lt $resync 60000.0) -}}
{{- $problems = append $problems (printf "flags.resyncPeriod is %s: 0 or a duration of at least 60s is expected." $settings.resyncPeriod) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.replicas" -}}
{{- $problems := list -}}
{{- if eq (include "northflank-operator.settings" . | fromYaml).leaderElect "false" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $problems = append $problems (printf "replicas is %d and flags.leaderElect is false: every replica would be active and start every run. Set replicas to 1, or flags.leaderElect to true." (int .Values.replicas)) -}}
{{- end -}}
{{- if eq (dig "type" "" (.Values.strategy | default dict)) "RollingUpdate" -}}
{{- $problems = append $problems "strategy.type is RollingUpdate and flags.leaderElect is false: two replicas would be active during an upgrade. Set strategy.type to Recreate, or unset strategy." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.grace" -}}
{{- $problems := list -}}
{{- $grace := (include "northflank-operator.settings" . | fromYaml).shutdownGrace -}}
{{- $seconds := include "northflank-operator.terminationGracePeriodSeconds" . | int64 -}}
{{- if le (mulf $seconds 1000) (include "northflank-operator.milliseconds" $grace | float64) -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %d and flags.shutdownGrace is %s: the kubelet would kill the operator before it has shut down. Increase terminationGracePeriodSeconds, or unset it." $seconds $grace) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.token" -}}
{{- $problems := list -}}
{{- with .Values.defaultToken.existingSecret.name -}}
{{- if $.Values.flags.defaultTokenFile -}}
{{- $problems = append $problems "defaultToken.existingSecret.name and flags.defaultTokenFile are both set: only one token can be used. Set only one of them." -}}
{{- end -}}
{{- if not $.Values.flags.defaultTokenNamespaces -}}
{{- $problems = append $problems "defaultToken.existingSecret.name is set and flags.defaultTokenNamespaces is empty: no namespace may use the token. Set flags.defaultTokenNamespaces to the namespaces, or to [\"*\"] for all." -}}
{{- end -}}
{{- end -}}
{{- with .Values.flags.defaultTokenNamespaces -}}
{{- if and (has "*" .) (gt (len .) 1) -}}
{{- $problems = append $problems "flags.defaultTokenNamespaces contains * and other names: * means all namespaces. Use [\"*\"] or only names." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.proxy" -}}
{{- $problems := list -}}
{{- with .Values.proxy -}}
{{- if and .httpsProxy .existingSecret.name -}}
{{- $problems = append $problems "proxy.httpsProxy and proxy.existingSecret.name are both set: only one proxy can be used. Set only one of them." -}}
{{- end -}}
{{- if contains "@" (.httpsProxy | default "") -}}
{{- $problems = append $problems "proxy.httpsProxy contains credentials, which would be visible in the Deployment. Store the URL in a Secret and set proxy.existingSecret.name." -}}
{{- else if and .httpsProxy (not (and (include "northflank-operator.urlPort" .httpsProxy) (regexMatch "^https?://[^/]+/?$" .httpsProxy))) -}}
{{- $problems = append $problems "proxy.httpsProxy is not valid: a URL of a scheme, a host and a port is expected, such as http://proxy.example:3128." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.ports" -}}
{{- $problems := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- $seen := dict -}}
{{- range list "metricsBindAddress" "healthBindAddress" "webhookBindAddress" -}}
{{- $port := include "northflank-operator.port" (get $settings .) -}}
{{- if eq $port "0" -}}
{{- $problems = append $problems (printf "flags.%s is %s: port 0 is a random port. Set another port, or set the value to 0 to disable the listener." . (get $settings .)) -}}
{{- else if gt ($port | default "0" | atoi) 65535 -}}
{{- $problems = append $problems (printf "flags.%s is %s: a port of at most 65535 is expected." . (get $settings .)) -}}
{{- else if and $port (hasKey $seen $port) -}}
{{- $problems = append $problems (printf "flags.%s and flags.%s use the same port %s. Set different ports." (get $seen $port) . $port) -}}
{{- end -}}
{{- $_ := set $seen $port . -}}
{{- end -}}
{{- if regexMatch "^(localhost|127\\..*|\\[::1\\]):" $settings.healthBindAddress -}}
{{- $problems = append $problems (printf "flags.healthBindAddress is %s: the kubelet cannot reach a loopback address. Remove the host." $settings.healthBindAddress) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.lease" -}}
{{- $problems := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- $lease := include "northflank-operator.milliseconds" $settings.leaderElectLeaseDuration | float64 -}}
{{- $renew := include "northflank-operator.milliseconds" $settings.leaderElectRenewDeadline | float64 -}}
{{- $retry := include "northflank-operator.milliseconds" $settings.leaderElectRetryPeriod | float64 -}}
{{- if ge $renew $lease -}}
{{- $problems = append $problems (printf "flags.leaderElectRenewDeadline is %s and flags.leaderElectLeaseDuration is %s: the renew deadline must be shorter than the lease duration." $settings.leaderElectRenewDeadline $settings.leaderElectLeaseDuration) -}}
{{- end -}}
{{- if ge (mulf $retry 1.2) $renew -}}
{{- $problems = append $problems (printf "flags.leaderElectRetryPeriod is %s and flags.leaderElectRenewDeadline is %s: 1.2 times the retry period must be shorter than the renew deadline." $settings.leaderElectRetryPeriod $settings.leaderElectRenewDeadline) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.api" -}}
{{- $problems := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- $port := include "northflank-operator.urlPort" $settings.apiUrl -}}
{{- $https := hasPrefix "https:" $settings.apiUrl -}}
{{- $default := $https | ternary ":443" ":80" -}}
{{- $authority := regexFind "://[^/?#]+" $settings.apiUrl | trimPrefix "://" | lower -}}
{{- $host := trimSuffix $default (regexReplaceAll ":0*([0-9]*)$" $authority ":${1}") | trimSuffix ":" -}}
{{- $allowed := false -}}
{{- range splitList "," (lower $settings.allowedApiHosts) -}}
{{- if eq $host (trimSuffix $default (regexReplaceAll ":0*([0-9]+)$" (trim .) ":${1}")) -}}
{{- $allowed = true -}}
{{- end -}}
{{- end -}}
{{- if contains "@" $settings.apiUrl -}}
{{- $problems = append $problems "flags.apiUrl contains credentials. Remove them; the token is read from a Secret." -}}
{{- else if not $port -}}
{{- $problems = append $problems "flags.apiUrl is not valid: a URL such as https://api.northflank.com is expected, without a query or a fragment." -}}
{{- else if and (not $https) (not (regexMatch "^(localhost|127\\.[0-9.]+|\\[::1\\])(:|$)" $host)) -}}
{{- $problems = append $problems (printf "flags.apiUrl is %s: tokens are sent only over TLS. Use an https:// URL." $settings.apiUrl) -}}
{{- else if not $allowed -}}
{{- $problems = append $problems (printf "flags.apiUrl is %s and flags.allowedApiHosts is %s: tokens are sent only to listed hosts. Add %s to flags.allowedApiHosts." $settings.apiUrl $settings.allowedApiHosts $host) -}}
{{- end -}}
{{- with $settings.docsUrl -}}
{{- if contains "@" . -}}
{{- $problems = append $problems "flags.docsUrl contains credentials. Remove them." -}}
{{- else if not (and (hasPrefix "https:" .) (include "northflank-operator.urlPort" .)) -}}
{{- $problems = append $problems "flags.docsUrl is not valid: a URL such as https://docs.example.com/runbook is expected, without a query or a fragment." -}}
{{- end -}}
{{- end -}}
{{- with $settings.webhookUrl -}}
{{- if contains "@" . -}}
{{- $problems = append $problems "flags.webhookUrl contains credentials. Remove them." -}}
{{- else if not (and (hasPrefix "https:" .) (include "northflank-operator.urlPort" .)) -}}
{{- $problems = append $problems "flags.webhookUrl is not valid: a URL such as https://hooks.example.com is expected, without a query or a fragment." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/*
Every flag has a value of its own, and the other checks read only these: --leader-elect=false among the arguments would make
every replica active. With another image than that of this version, flags that the chart does not know may be right.
*/}}
{{- define "northflank-operator.check.flags" -}}
{{- $problems := list -}}
{{- $values := dict -}}
{{- range include "northflank-operator.flags" . | fromYamlArray -}}
{{- $_ := set $values (printf "--%s" .flag) .value -}}
{{- $_ := set $values (printf "NORTHFLANK_OPERATOR_%s" (.flag | upper | replace "-" "_")) .value -}}
{{- end -}}
{{- $otherImage := or .Values.image.digest (ne (.Values.image.tag | default .Chart.AppVersion) .Chart.AppVersion) -}}
{{- $before := "" -}}
{{- range .Values.extraArgs -}}
{{- $flag := regexFind "^-[^=]*" . -}}
{{- if hasKey $values $flag -}}
{{- $problems = append $problems (printf "extraArgs contains %s. Set flags.%s instead." $flag (get $values $flag)) -}}
{{- else if and $flag (ne $flag "--") (not $otherImage) -}}
{{- $problems = append $problems (printf "extraArgs contains %s, which is not a flag of this version. Remove it." (regexFind "^--[A-Za-z0-9-]+|^-[A-Za-z]?" $flag)) -}}
{{- else if and (not $flag) (not (regexMatch "^--?[^-=]+$" $before)) -}}
{{- $problems = append $problems "extraArgs contains an argument that is neither a flag nor the value of one. Remove it." -}}
{{- end -}}
{{- $before = . -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $values .name -}}
{{- $problems = append $problems (printf "extraEnv contains %s. Set flags.%s instead." .name (get $values .name)) -}}
{{- else if and (hasPrefix "NORTHFLANK_OPERATOR_" .name) (not $otherImage) -}}
{{- $problems = append $problems (printf "extraEnv contains %s, which is not a variable of this version. Remove it." .name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.names" -}}
{{- $problems := list -}}
{{- if not (include "northflank-operator.serviceAccountName" .) -}}
{{- $problems = append $problems "serviceAccount.create is false and serviceAccount.name is empty. Set serviceAccount.name to the service account of the operator." -}}
{{- end -}}
{{- $variables := dict -}}
{{- range include "northflank-operator.env" . | fromYamlArray -}}
{{- if hasKey $variables .name -}}
{{- $own := dict "NODE_OPTIONS" "nodeOptions" "HTTPS_PROXY" "proxy.httpsProxy" "NO_PROXY" "proxy.noProxy" -}}
{{- $remedy := "Remove one of them." -}}
{{- if hasKey $own .name -}}
{{- $remedy = printf "Set %s instead." (get $own .name) -}}
{{- end -}}
{{- $problems = append $problems (printf "extraEnv contains %s, which is already set. %s" .name $remedy) -}}
{{- end -}}
{{- $_ := set $variables .name true -}}
{{- end -}}
{{- if .Values.defaultToken.existingSecret.name -}}
{{- range .Values.extraVolumes -}}
{{- if eq .name "default-token" -}}
{{- $problems = append $problems "extraVolumes contains a volume default-token, which defaultToken.existingSecret uses. Rename it." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.memory" -}}
{{- $problems := list -}}
{{- $limit := dig "limits" "memory" "" (.Values.resources | default dict) -}}
{{- if and $limit (kindIs "invalid" .Values.nodeOptions) (not (include "northflank-operator.heapMiB" $limit)) -}}
{{- $problems = append $problems (printf "resources.limits.memory is %v, from which no heap size can be derived. Use a quantity such as 256Mi or 1Gi, or set nodeOptions." $limit) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.disruption" -}}
{{- $problems := list -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (not (kindIs "invalid" .minAvailable)) -}}
{{- if not (kindIs "invalid" .maxUnavailable) -}}
{{- $problems = append $problems "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable are both set: they are mutually exclusive. Set one of them to null." -}}
{{- end -}}
{{- /* Kubernetes rounds a percentage up, here and below. */ -}}
{{- $replicas := int $.Values.replicas -}}
{{- $pods := int .minAvailable -}}
{{- if kindIs "string" .minAvailable -}}
{{- $pods = divf (mulf (trimSuffix "%" .minAvailable | atoi) $replicas) 100 | ceil | int -}}
{{- end -}}
{{- if and (gt $replicas 0) (ge $pods $replicas) -}}
{{- $problems = append $problems (printf "podDisruptionBudget.minAvailable is %s and replicas is %d: no pod could be evicted, and node drains would hang. Set podDisruptionBudget.minAvailable below replicas." (include "northflank-operator.text" .minAvailable) $replicas) -}}
{{- end -}}
{{- else if and .enabled (kindIs "invalid" .maxUnavailable) -}}
{{- $problems = append $problems "podDisruptionBudget.enabled is true, and neither podDisruptionBudget.maxUnavailable nor podDisruptionBudget.minAvailable is set. Set one of them." -}}
{{- else if and .enabled (eq (toString .maxUnavailable) "0%") -}}
{{- $problems = append $problems "podDisruptionBudget.maxUnavailable is 0%: no pod could be evicted, and node drains would hang. Set podDisruptionBudget.maxUnavailable to more." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "northflank-operator.check.monitoring" -}}
{{- $problems := list -}}
{{- $off := not (include "northflank-operator.port" (include "northflank-operator.settings" . | fromYaml).metricsBindAddress) -}}
{{- with .Values.metrics -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled -}}
{{- $problems = append $problems "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: Prometheus would scrape everything twice. Set one of them to false." -}}
{{- end -}}
{{- range $name := list "serviceMonitor" "podMonitor" -}}
{{- if and $off (get $.Values.metrics $name).enabled -}}
{{- $problems = append $problems (printf "metrics.%s.enabled is true and flags.metricsBindAddress is 0: metrics are disabled. Unset flags.metricsBindAddress, or set metrics.%s.enabled to false." $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .serviceMonitor.enabled (not .service.enabled) -}}
{{- $problems = append $problems "metrics.serviceMonitor.enabled is true and metrics.service.enabled is false: a ServiceMonitor selects the Service. Set metrics.service.enabled to true, or use metrics.podMonitor." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}
