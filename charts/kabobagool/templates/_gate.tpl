{{/* The order gate: who may go there as whom, and with which Secret. Passwords are made here and nowhere else. */}}

{{/* Who needs a way to the gate, as `redis.auth.secrets` and `externalRedis.secrets` call them: a JSON list. */}}
{{- define "kabobagool.gateClients" -}}
{{- $clients := list "operator" "dryRun" -}}
{{- if ne .Values.mode "dry-run" }}{{ $clients = append $clients .Values.mode }}{{ end }}
{{- $clients | toJson }}
{{- end }}

{{/* Name of the Secret with REDIS_URL of a client: {root, client}. */}}
{{- define "kabobagool.gateSecret" -}}
{{- $external := .root.Values.externalRedis -}}
{{- $own := .root.Values.redis -}}
{{- if not $own.enabled }}
{{- default $external.existingSecret (get $external.secrets .client) }}
{{- else if $own.auth.existingSecret }}
{{- get $own.auth.secrets .client }}
{{- else }}
{{- include "kabobagool.fullname" .root }}-gate-{{ kebabcase .client }}
{{- end }}
{{- end }}

{{/* Addresses whose keys at the gate a client reaches, space between them: {root, client}. */}}
{{- define "kabobagool.gateWallets" -}}
{{- $credentials := .root.Values.credentials -}}
{{- if eq .client "dryRun" }}dry-run
{{- else if eq .client "paper" }}{{ include "kabobagool.playWallet" .root }}
{{- else if eq .client "live" }}
{{- $wallets := list }}
{{- range concat (list $credentials.walletAddress) $credentials.otherWalletAddresses }}{{ $wallets = append $wallets (lower .) }}{{ end }}
{{- $wallets | uniq | join " " }}
{{- end }}
{{- end }}

{{/* Whether somebody answers `lookup`: a cluster answers with a list, however empty. */}}
{{- define "kabobagool.hasCluster" -}}
{{- if lookup "apps/v1" "StatefulSet" .Release.Namespace "" }}true{{ end }}
{{- end }}

{{/* A client's password: the one that is in use; a random one at the first installation; and one that follows from the release's name
     where there is no cluster to look into, so that every rendering is the same: {root, client}. */}}
{{- define "kabobagool.gatePassword" -}}
{{- $name := include "kabobagool.gateSecret" . -}}
{{- $old := lookup "v1" "Secret" .root.Release.Namespace $name -}}
{{- if and $old (get (default dict $old.data) "PASSWORD") }}
{{- get $old.data "PASSWORD" | b64dec }}
{{- else if include "kabobagool.hasCluster" .root }}
{{- randAlphaNum 40 }}
{{- else }}
{{- printf "%s/%s/%s" .root.Release.Namespace $name .root.Release.Name | sha256sum | trunc 40 }}
{{- end }}
{{- end }}

{{/* All passwords, made once for a rendering: `include` forgets, so they are kept in the values. */}}
{{- define "kabobagool.makePasswords" -}}
{{- if not (hasKey .Values "madePasswords") }}
{{- $made := dict }}
{{- range $client := include "kabobagool.gateClients" . | fromJsonArray }}
{{- $_ := set $made $client (include "kabobagool.gatePassword" (dict "root" $ "client" $client)) }}
{{- end }}
{{- $_ := set .Values "madePasswords" $made }}
{{- end }}
{{- end }}

{{/* What a bot needs at the gate, and nothing else (docs/order-gate.md). */}}
{{- define "kabobagool.botRights" -}}
-@all +ping +evalsha +script|load +time +info +exists +hget +hset +hmget +hgetall +hdel +hexists +hincrby +hsetnx +get +set +mget +zadd +zrem +zrange +zrangebyscore +pexpire
{{- end }}
