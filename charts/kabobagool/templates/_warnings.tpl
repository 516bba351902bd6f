{{/* What is allowed and may be regretted; NOTES.txt ends with it. */}}
{{- define "kabobagool.warnings" -}}
{{- if and .Values.redis.enabled (not .Values.redis.persistence.enabled) }}
* The order gate forgets halts and open orders when its Pod goes (redis.persistence.enabled=false).
{{- end }}
{{- if lt (int .Values.operator.replicas) 2 }}
* While the operator's only Pod is replaced nobody repairs or drains a bot (operator.replicas={{ .Values.operator.replicas }}).
{{- end }}
{{- if not .Values.networkPolicies.enabled }}
* Every Pod of the cluster may talk to the order gate and to the bots (networkPolicies.enabled=false).
{{- end }}
{{- if not .Values.uninstall.drain }}
* An uninstall does not wait for bots (uninstall.drain=false): delete the ArbMarkets first, or they keep a finalizer that nobody answers.
{{- end }}
{{- if and .Values.crds.enabled (not .Values.crds.keep) }}
* An uninstall takes the definition of ArbMarkets away, and with it every ArbMarket of the whole cluster (crds.keep=false).
{{- end }}
{{- if and .Values.redis.enabled (not .Values.redis.auth.existingSecret) (not (include "kabobagool.hasCluster" .)) }}
* Rendered without a cluster: the passwords of the order gate follow from the names of release and namespace and can be guessed. Name
  Secrets of yours in redis.auth.existingSecret and redis.auth.secrets.
{{- end }}
{{- if and (not .Values.redis.enabled) .Values.externalRedis.existingSecret }}
* All bots and the operator are one user at your Redis; give each wallet its own in externalRedis.secrets (docs/order-gate.md).
{{- end }}
{{- if and (eq .Values.mode "paper") (eq .Values.paperExchange.books "recorded") }}
* Recorded markets last a quarter of an hour; when all have ended the paper exchange starts again, with a new ledger and the same markets.
{{- end }}
{{- end }}
