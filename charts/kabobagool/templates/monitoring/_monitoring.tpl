{{/* How targets are read and what they are called: the same by ServiceMonitor and by PodMonitor. */}}

{{/* The metadata of a monitoring object, in which its own values may say more: {root, component, suffix, values}. */}}
{{- define "kabobagool.monitoringMetadata" -}}
name: {{ include "kabobagool.fullname" .root }}-{{ .suffix }}
namespace: {{ default .root.Release.Namespace .namespace }}
labels:
  {{- include "kabobagool.labels" . | nindent 2 }}
  {{- with .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "kabobagool.annotations" (dict "root" .root "annotations" .values.annotations) }}
{{- end }}

{{/* One endpoint: {values, job, relabelings}. Rules and dashboards select by the job's name, which is the same in every installation. */}}
{{- define "kabobagool.endpoint" -}}
port: metrics
path: /metrics
{{- with .values.interval }}
interval: {{ . }}
{{- end }}
{{- with .values.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - {targetLabel: job, replacement: {{ .job }}}
  {{- with .relabelings }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "kabobagool.operatorEndpoint" -}}
{{- include "kabobagool.endpoint" (dict "values" . "job" "kabobagool-operator") }}
{{- end }}

{{/* Which market and how, in the words of the figures themselves: a Pod's label cannot hold `dry_run`, so it says `dry-run`. */}}
{{- define "kabobagool.botEndpoint" -}}
{{- include "kabobagool.endpoint" (dict "values" . "job" "kabobagool-bots" "relabelings" (include "kabobagool.botRelabelings" .)) }}
{{- end }}

{{- define "kabobagool.botRelabelings" -}}
- {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_instance], targetLabel: market}
- {sourceLabels: [__meta_kubernetes_pod_label_kabobagool_io_mode], targetLabel: mode}
- {sourceLabels: [__meta_kubernetes_pod_label_kabobagool_io_mode], regex: dry-run, targetLabel: mode, replacement: dry_run}
{{- end }}
