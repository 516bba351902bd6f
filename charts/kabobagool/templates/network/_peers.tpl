{{/* The few ways there are, as rules of NetworkPolicies. */}}

{{- define "kabobagool.toDns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with .Values.networkPolicies.dns.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* {cidrs, except, ports}. An exception must lie inside of its network, so each family gets its own. */}}
{{- define "kabobagool.toAddresses" -}}
{{- $except := .except -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- range $cidr := .cidrs }}
    - ipBlock:
        cidr: {{ $cidr | quote }}
        {{- $inside := list }}
        {{- if or (eq $cidr "0.0.0.0/0") (eq $cidr "::/0") }}
        {{- range $except }}
        {{- if eq (contains ":" .) (contains ":" $cidr) }}{{ $inside = append $inside . }}{{ end }}
        {{- end }}
        {{- end }}
        {{- with $inside }}
        except: {{ toJson . }}
        {{- end }}
    {{- end }}
{{- end }}

{{- define "kabobagool.toGate" -}}
{{- if .Values.redis.enabled -}}
- ports: [{port: 6379, protocol: TCP}]
  to:
    - podSelector:
        matchLabels:
          {{- include "kabobagool.selectorLabels" (dict "root" . "component" "redis") | nindent 10 }}
{{- else -}}
- ports:
    {{- range .Values.networkPolicies.externalRedis.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicies.externalRedis.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "kabobagool.toVenue" -}}
{{- if include "kabobagool.isPaper" . -}}
- ports: [{port: 8899, protocol: TCP}]
  to:
    - podSelector:
        matchLabels:
          {{- include "kabobagool.selectorLabels" (dict "root" . "component" "paper") | nindent 10 }}
{{- else -}}
{{- include "kabobagool.toAddresses" .Values.networkPolicies.venue }}
{{- end }}
{{- end }}

{{/* The operator, and the Job that is one before an uninstall. */}}
{{- define "kabobagool.operatorSelector" -}}
matchLabels:
  app.kubernetes.io/name: {{ include "kabobagool.name" . }}
  app.kubernetes.io/instance: {{ .Release.Name }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [operator, uninstall]}
{{- end }}

{{- define "kabobagool.testSelector" -}}
matchLabels:
  {{- include "kabobagool.selectorLabels" (dict "root" . "component" "test") | nindent 2 }}
{{- end }}
