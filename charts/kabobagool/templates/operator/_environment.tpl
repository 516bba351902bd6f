{{/* The operator's settings (docs/operator.md), from the values: for its Deployment, and for the Job that drains before an uninstall. */}}

{{- define "kabobagool.operatorEnvironment" -}}
{{- $paper := eq .Values.mode "paper" -}}
{{- $live := eq .Values.mode "live" -}}
- {name: KABOBAGOOL_IDENTITY, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: KABOBAGOOL_POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: KABOBAGOOL_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
{{ include "kabobagool.operatorGate" . }}
{{- if $paper }}
{{- $host := include "kabobagool.paperHost" . }}
- {name: KABOBAGOOL_PAPER_WALLET, value: {{ include "kabobagool.playWallet" . | quote }}}
- {name: KABOBAGOOL_PAPER_WALLET_SECRET, value: {{ include "kabobagool.playWalletSecret" . }}}
- {name: KABOBAGOOL_GAMMA_URL, value: "http://{{ $host }}/gamma"}
- {name: KABOBAGOOL_CLOB_URL, value: "http://{{ $host }}"}
- {name: KABOBAGOOL_WS_URL, value: "ws://{{ $host }}/ws/market"}
{{- end }}
{{- if $live }}
- {name: KABOBAGOOL_LIVE_WALLET, value: {{ .Values.credentials.walletAddress | quote }}}
- {name: KABOBAGOOL_DISCOVERY_CREDENTIALS_SECRET, value: {{ .Values.credentials.existingSecret }}}
{{- end }}
{{ include "kabobagool.botDefaults" . }}
{{ include "kabobagool.operatorPace" . }}
{{- end }}

{{- define "kabobagool.operatorGate" -}}
{{- $secret := include "kabobagool.gateSecret" (dict "root" . "client" "operator") -}}
- {name: KABOBAGOOL_REDIS_URL, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: REDIS_URL}}}
- {name: KABOBAGOOL_BOT_REDIS_SECRET, value: {{ include "kabobagool.gateSecret" (dict "root" . "client" "dryRun") }}}
{{- if eq .Values.mode "paper" }}
- {name: KABOBAGOOL_PAPER_REDIS_SECRET, value: {{ include "kabobagool.gateSecret" (dict "root" . "client" "paper") }}}
{{- else if eq .Values.mode "live" }}
- {name: KABOBAGOOL_LIVE_REDIS_SECRET, value: {{ include "kabobagool.gateSecret" (dict "root" . "client" "live") }}}
{{- end }}
{{- end }}

{{/* Maps and lists are JSON. */}}
{{- define "kabobagool.botDefaults" -}}
{{- $bot := .Values.bot -}}
- {name: KABOBAGOOL_BOT_IMAGE, value: {{ include "kabobagool.image" (dict "root" . "image" $bot.image) | quote }}}
- {name: KABOBAGOOL_BOT_IMAGE_PULL_POLICY, value: {{ .Values.image.pullPolicy }}}
- {name: KABOBAGOOL_BOT_IMAGE_PULL_SECRETS, value: {{ toJson .Values.image.pullSecrets | quote }}}
- {name: KABOBAGOOL_BOT_RESOURCES, value: {{ toJson $bot.resources | quote }}}
- {name: KABOBAGOOL_BOT_ENVIRONMENT, value: {{ toJson $bot.environment | quote }}}
- {name: KABOBAGOOL_BOT_NODE_SELECTOR, value: {{ toJson $bot.nodeSelector | quote }}}
- {name: KABOBAGOOL_BOT_TOLERATIONS, value: {{ toJson $bot.tolerations | quote }}}
- {name: KABOBAGOOL_BOT_AFFINITY, value: {{ toJson $bot.affinity | quote }}}
{{- with $bot.priorityClassName }}
- {name: KABOBAGOOL_BOT_PRIORITY_CLASS, value: {{ . }}}
{{- end }}
{{- if .Values.profiles }}
- {name: KABOBAGOOL_PROFILES_DIR, value: /etc/kabobagool/profiles}
{{- end }}
{{- end }}

{{- define "kabobagool.operatorPace" -}}
{{- $operator := .Values.operator -}}
{{- $discovery := .Values.discovery -}}
- {name: KABOBAGOOL_DISCOVERY, value: {{ $discovery.enabled | quote }}}
- {name: KABOBAGOOL_DISCOVERY_MODE, value: {{ include "kabobagool.discoveryMode" . }}}
- {name: KABOBAGOOL_DISCOVERY_PROFILE, value: {{ include "kabobagool.discoveryProfile" . | quote }}}
- {name: KABOBAGOOL_MAX_MARKETS, value: {{ $discovery.maxMarkets | quote }}}
- {name: KABOBAGOOL_DISCOVERY_INTERVAL_S, value: {{ $discovery.intervalSeconds | quote }}}
- {name: KABOBAGOOL_RETIRE_AFTER_S, value: {{ $discovery.retireAfterSeconds | quote }}}
- {name: KABOBAGOOL_VENUE_LOOKUPS_PER_SECOND, value: {{ $discovery.venueLookupsPerSecond | quote }}}
- {name: KABOBAGOOL_CREATIONS_PER_SECOND, value: {{ $operator.creationsPerSecond | quote }}}
- {name: KABOBAGOOL_MAX_PENDING, value: {{ $operator.maxPending | quote }}}
- {name: KABOBAGOOL_ROLLOUT_MAX_UNAVAILABLE, value: {{ $operator.rollout.maxUnavailable | quote }}}
- {name: KABOBAGOOL_ROLLOUT_CANARIES, value: {{ $operator.rollout.canaries | quote }}}
- {name: KABOBAGOOL_ROLLOUT_CANARY_S, value: {{ $operator.rollout.canarySeconds | quote }}}
- {name: KABOBAGOOL_WORKERS, value: {{ $operator.workers | quote }}}
- {name: KABOBAGOOL_RESYNC_S, value: {{ $operator.resyncSeconds | quote }}}
- {name: KABOBAGOOL_STATUS_INTERVAL_S, value: {{ $operator.statusIntervalSeconds | quote }}}
- {name: KABOBAGOOL_WRITES_PER_SECOND, value: {{ $operator.writesPerSecond | quote }}}
- {name: KABOBAGOOL_HEALTH_PORT, value: "8080"}
- {name: KABOBAGOOL_FLEET_PORT, value: {{ ternary "8000" "0" .Values.fleetPage.enabled | quote }}}
{{- with .Values.fleetPage.tokenSecret }}
- {name: KABOBAGOOL_FLEET_TOKEN, valueFrom: {secretKeyRef: {name: {{ . }}, key: FLEET_TOKEN}}}
{{- end }}
{{- with $operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
