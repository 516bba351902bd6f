{{/*
The server's users: whoever does not know a password may only ask whether it lives. Nobody can be `default`, who may do everything: in its
name Redis 7 reads its own append-only file, and what that user may not do it leaves out.
*/}}
{{- define "kabobagool.redisUsers" -}}
{{- include "kabobagool.makePasswords" . -}}
user default off resetpass allkeys allchannels allcommands
user probe on nopass resetchannels -@all +ping
{{- range $client := include "kabobagool.gateClients" . | fromJsonArray }}
{{- $keys := list }}
{{- if eq $client "operator" }}
{{- $keys = list "~kabobagool:*" }}
{{- else }}
{{- range include "kabobagool.gateWallets" (dict "root" $ "client" $client) | splitList " " }}
{{- $keys = append $keys (printf "~kabobagool:{%s}:*" .) }}
{{- end }}
{{- end }}
user {{ kebabcase $client }} on #{{ get $.Values.madePasswords $client | sha256sum }} resetchannels {{ join " " $keys }} {{ include "kabobagool.botRights" $ }}
{{- end }}
{{- end }}

{{/* Changes when the users or their passwords do. */}}
{{- define "kabobagool.gateChecksum" -}}
{{- if and .Values.redis.enabled (not .Values.redis.auth.existingSecret) -}}
{{- include "kabobagool.redisUsers" . | sha256sum }}
{{- else -}}
{{- dict "own" .Values.redis.auth "external" .Values.externalRedis | toJson | sha256sum }}
{{- end }}
{{- end }}

{{- define "kabobagool.redisConfiguration" -}}
dir /data
bind * -::*
port 6379
protected-mode no
aclfile /etc/redis/users.acl
appendonly yes
appendfsync everysec
save ""
maxmemory {{ .Values.redis.maxMemory }}
maxmemory-policy noeviction
{{- end }}
