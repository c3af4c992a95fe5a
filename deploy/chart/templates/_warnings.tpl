{{/* Settings that work and may still not be what was meant, as sentences for NOTES.txt. */}}
{{- define "northflank-operator.warnings" -}}
{{- $warnings := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- if eq (int .Values.replicas) 0 -}}
{{- $warnings = append $warnings "replicas is 0: nothing is reconciled." -}}
{{- end -}}
{{- if eq $settings.leaderElect "false" -}}
{{- $warnings = append $warnings "flags.leaderElect is false: a second operator for the same objects is not detected and starts every run again." -}}
{{- end -}}
{{- if .Values.crds.install -}}
{{- if not .Values.crds.keep -}}
{{- $warnings = append $warnings "crds.keep is false: helm uninstall deletes the CRDs, and Kubernetes then deletes every object of these kinds in all namespaces." -}}
{{- end -}}
{{- else -}}
{{- $warnings = append $warnings (printf "crds.install is false: the CRDs of version %s must be installed in another way before the operator is Ready." .Chart.AppVersion) -}}
{{- end -}}
{{- if not .Values.rbac.create -}}
{{- $warnings = append $warnings (printf "rbac.create is false: the service account %s needs its permissions from somewhere else." (include "northflank-operator.serviceAccountName" .)) -}}
{{- end -}}
{{- if has "*" .Values.flags.defaultTokenNamespaces -}}
{{- $warnings = append $warnings "flags.defaultTokenNamespaces is *: whoever may create objects in any namespace uses the operator-wide token." -}}
{{- end -}}
{{- if and $settings.defaultTokenFile (not .Values.flags.defaultTokenNamespaces) -}}
{{- $warnings = append $warnings "flags.defaultTokenFile is set and flags.defaultTokenNamespaces is empty: the token serves no namespace." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.proxy.existingSecret.name -}}
{{- $warnings = append $warnings "proxy.existingSecret.name is set: networkPolicy.egressPorts must hold the port of the proxy, which the chart cannot read." -}}
{{- end -}}
{{- if eq $settings.healthBindAddress "0" -}}
{{- $warnings = append $warnings "flags.healthBindAddress is 0: without probes, Kubernetes does not notice an operator that hangs." -}}
{{- end -}}
{{- toYaml $warnings -}}
{{- end -}}
