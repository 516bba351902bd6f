{{/* What the schema cannot say: values that contradict each other. Each text names the value and the fix. */}}

{{- define "kabobagool.validate" -}}
{{- include "kabobagool.validateMode" . }}
{{- include "kabobagool.validateDiscovery" . }}
{{- include "kabobagool.validateGate" . }}
{{- include "kabobagool.validateOwnRedis" . }}
{{- include "kabobagool.validateOperator" . }}
{{- end }}

{{- define "kabobagool.validateMode" -}}
{{- $mode := .Values.mode -}}
{{- $credentials := .Values.credentials -}}
{{- $paper := .Values.paperExchange.enabled -}}
{{- if eq $mode "live" }}
{{- if not $credentials.existingSecret }}
{{- fail "mode=live: real orders need a key; put PRIVATE_KEY into a Secret and name it in credentials.existingSecret, or set mode to paper or dry-run" }}
{{- end }}
{{- if not $credentials.walletAddress }}
{{- fail "mode=live: credentials.walletAddress is empty; give the public address that holds the money, by it the bots of one wallet share one order gate" }}
{{- end }}
{{- else if or $credentials.existingSecret $credentials.walletAddress $credentials.otherWalletAddresses }}
{{- fail (printf "mode=%s with credentials: nothing is signed with your key in this mode; take credentials out, or set mode=live" $mode) }}
{{- end }}
{{- if and (kindIs "bool" $paper) $paper (ne $mode "paper") }}
{{- fail (printf "mode=%s with paperExchange.enabled=true: the bots would not know which of the two to trade with; leave paperExchange.enabled empty, or set mode=paper" $mode) }}
{{- end }}
{{- if and (kindIs "bool" $paper) (not $paper) (eq $mode "paper") }}
{{- fail "mode=paper with paperExchange.enabled=false: there would be nothing to trade with; leave paperExchange.enabled empty, or set mode=dry-run" }}
{{- end }}
{{- end }}

{{- define "kabobagool.validateDiscovery" -}}
{{- $mode := .Values.mode -}}
{{- $found := include "kabobagool.discoveryMode" . -}}
{{- if and (eq $found "Live") (ne $mode "live") }}
{{- fail (printf "discovery.mode=Live with mode=%s: markets that are found would send real orders; leave discovery.mode empty, or set mode=live" $mode) }}
{{- end }}
{{- if and (eq $found "Paper") (ne $mode "paper") }}
{{- fail (printf "discovery.mode=Paper with mode=%s: there is no paper exchange; leave discovery.mode empty, or set mode=paper" $mode) }}
{{- end }}
{{- end }}

{{/* Exactly one server, and a way to it for everybody. */}}
{{- define "kabobagool.validateGate" -}}
{{- $external := .Values.externalRedis -}}
{{- $given := or $external.existingSecret (compact (values $external.secrets)) -}}
{{- if and .Values.redis.enabled $given }}
{{- fail "redis.enabled=true with externalRedis: two servers are two order gates, and each grants the whole rate; set redis.enabled=false to use your own, or take externalRedis out" }}
{{- end }}
{{- if not (or .Values.redis.enabled $given) }}
{{- fail "redis.enabled=false without externalRedis: bots need one order gate; name a Secret with REDIS_URL in externalRedis.existingSecret, or set redis.enabled=true" }}
{{- end }}
{{- if and $given (not $external.existingSecret) }}
{{- range include "kabobagool.gateClients" . | fromJsonArray }}
{{- if not (get $external.secrets .) }}
{{- fail (printf "externalRedis.secrets.%s is empty: name a Secret with REDIS_URL, or one for all in externalRedis.existingSecret" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kabobagool.validateOwnRedis" -}}
{{- $auth := .Values.redis.auth -}}
{{- if and .Values.redis.enabled $auth.existingSecret }}
{{- range include "kabobagool.gateClients" . | fromJsonArray }}
{{- if not (get $auth.secrets .) }}
{{- fail (printf "redis.auth.secrets.%s is empty: redis.auth.existingSecret replaces the passwords that are made, so name the Secret with REDIS_URL too" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (compact (values $auth.secrets)) (not $auth.existingSecret) }}
{{- fail "redis.auth.secrets without redis.auth.existingSecret: the server would not know these passwords; name the Secret with its users.acl, or take redis.auth.secrets out" }}
{{- end }}
{{- if and .Values.redis.enabled (eq .Values.mode "live") (not $auth.existingSecret) (not (include "kabobagool.hasCluster" .)) }}
{{- fail "mode=live rendered without a cluster: passwords of Redis that are made offline can be guessed; name Secrets of yours in redis.auth.existingSecret and redis.auth.secrets, or render with --dry-run=server" }}
{{- end }}
{{- end }}

{{- define "kabobagool.validateOperator" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (gt (int .Values.operator.replicas) 1) (ge (int $budget.maxUnavailable) (int .Values.operator.replicas)) }}
{{- fail (printf "podDisruptionBudget.maxUnavailable=%v: operator.replicas=%v may all be missing then; lower it, or set podDisruptionBudget.enabled=false" $budget.maxUnavailable .Values.operator.replicas) }}
{{- end }}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled }}
{{- fail "monitoring.serviceMonitor.enabled with monitoring.podMonitor.enabled: every figure would be read twice; choose one" }}
{{- end }}
{{- end }}
