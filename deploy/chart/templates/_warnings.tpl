{{/* Settings that work and may still not be what was meant, as sentences for NOTES.txt. */}}
{{- define "northflank-operator.warnings" -}}
{{- $warnings := list -}}
{{- $settings := include "northflank-operator.settings" . | fromYaml -}}
{{- $everything := not (or .Values.flags.watchNamespaces .Values.flags.watchLabelSelector) -}}
{{- if eq (int .Values.replicas) 0 -}}
{{- $warnings = append $warnings "replicas is 0: nothing is reconciled." -}}
{{- end -}}
{{- if eq $settings.leaderElect "false" -}}
{{- $warnings = append $warnings "flags.leaderElect is false: a second operator for the same objects is not detected, and both start every run." -}}
{{- end -}}
{{- if .Values.crds.install -}}
{{- if not .Values.crds.keep -}}
{{- $warnings = append $warnings "crds.keep is false: helm uninstall deletes the CRDs and with them all objects of these kinds in all namespaces." -}}
{{- end -}}
{{- else -}}
{{- $shared := ternary " If another operator made them, set flags.watchNamespaces or flags.watchLabelSelector in both releases, or both act on every object." "" $everything -}}
{{- $warnings = append $warnings (printf "crds.install is false: without the CRDs of version %s the operator does not become Ready.%s To apply them (\"npx northflank-operator@%s crds\" prints them): kubectl apply --server-side -f %s/releases/download/v%s/crds.yaml" .Chart.AppVersion $shared .Chart.AppVersion .Chart.Home .Chart.AppVersion) -}}
{{- end -}}
{{- if not .Values.rbac.create -}}
{{- $warnings = append $warnings (printf "rbac.create is false: grant the permissions of the operator to the service account %s." (include "northflank-operator.serviceAccountName" .)) -}}
{{- end -}}
{{- with and .Values.rbac.create $everything (include "northflank-operator.otherNamespace" .) -}}
{{- $warnings = append $warnings (printf "An operator in namespace %s has permissions in all namespaces, too: both act on every object, and both start every run. Set flags.watchNamespaces or flags.watchLabelSelector in both so that no object belongs to both, or remove one of them." .) -}}
{{- end -}}
{{- if has "*" .Values.flags.defaultTokenNamespaces -}}
{{- $warnings = append $warnings "flags.defaultTokenNamespaces is *: every user who may create objects in any namespace can use the operator-wide token." -}}
{{- end -}}
{{- if and $settings.defaultTokenFile (not .Values.flags.defaultTokenNamespaces) -}}
{{- $warnings = append $warnings "flags.defaultTokenFile is set and flags.defaultTokenNamespaces is empty: no namespace may use the token." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.proxy.existingSecret.name -}}
{{- $warnings = append $warnings "proxy.existingSecret.name is set: add the port of the proxy to networkPolicy.egressPorts; the chart cannot read it." -}}
{{- end -}}
{{- if eq $settings.healthBindAddress "0" -}}
{{- $warnings = append $warnings "flags.healthBindAddress is 0: there are no probes, and Kubernetes does not restart an operator that hangs." -}}
{{- end -}}
{{- toYaml $warnings -}}
{{- end -}}

{{/*
Namespace of another cluster-wide operator that has the default names, of deploy/ or of this chart; empty when there is none
or no cluster. A refused lookup ends the installation, so this one asks for no more than Helm does: `get`, by name, of the
kind of an object of this release. Whoever includes it has to be about to create a ClusterRoleBinding.
*/}}
{{- define "northflank-operator.otherNamespace" -}}
{{- $binding := lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" .Chart.Name -}}
{{- $labels := dig "metadata" "labels" dict $binding -}}
{{- if eq (get $labels "app.kubernetes.io/name" | toString) .Chart.Name -}}
{{- range $binding.subjects -}}
{{- if ne .namespace $.Release.Namespace -}}
{{- .namespace -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
