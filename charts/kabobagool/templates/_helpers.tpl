{{/* Names, labels and images: everything that several objects must say alike. */}}

{{- define "kabobagool.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough that every suffix still fits into a name of 63 characters. */}}
{{- define "kabobagool.fullname" -}}
{{- $name := include "kabobagool.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "kabobagool.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-operator" (include "kabobagool.fullname" .)) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What never changes in the life of an object: {root, component}. */}}
{{- define "kabobagool.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kabobagool.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* {root, component}. */}}
{{- define "kabobagool.labels" -}}
{{ include "kabobagool.selectorLabels" . }}
app.kubernetes.io/part-of: kabobagool
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of Pods, without those that would start them again at every new chart: {root, component, labels}. */}}
{{- define "kabobagool.podLabels" -}}
{{ include "kabobagool.selectorLabels" . }}
app.kubernetes.io/part-of: kabobagool
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata of an object in the release's namespace: {root, component, suffix, annotations}. */}}
{{- define "kabobagool.metadata" -}}
name: {{ include "kabobagool.fullname" .root }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "kabobagool.labels" . | nindent 2 }}
{{- include "kabobagool.annotations" . }}
{{- end }}

{{/* {root, annotations}. */}}
{{- define "kabobagool.annotations" -}}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An image of our own: {root, image}. A digest says more than a tag. */}}
{{- define "kabobagool.image" -}}
{{- $registry := default .root.Values.image.registry .root.Values.global.imageRegistry -}}
{{- $tag := default .root.Chart.AppVersion .root.Values.image.tag -}}
{{- include "kabobagool.reference" (dict "registry" $registry "image" (merge (dict "tag" $tag) .image)) }}
{{- end }}

{{/* {registry, image: {repository, tag, digest}}. */}}
{{- define "kabobagool.reference" -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag }}{{ end }}
{{- end }}

{{- define "kabobagool.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What the Pod Security level `restricted` asks of a Pod and of its containers. */}}
{{- define "kabobagool.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "kabobagool.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a Pod may run: the values of a component. */}}
{{- define "kabobagool.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* All bots that the operator of this namespace made (docs/labels.md). */}}
{{- define "kabobagool.botSelector" -}}
app.kubernetes.io/managed-by: kabobagool
app.kubernetes.io/component: bot
{{- end }}
