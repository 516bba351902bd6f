{{/* What the three modes of an installation mean, said once. Templates ask here and compare no modes themselves. */}}

{{- define "kabobagool.isPaper" -}}
{{- if eq .Values.mode "paper" }}true{{ end }}
{{- end }}

{{/* As spec.mode of an ArbMarket says it. A key lets nobody trade what was merely found: that has to be said. */}}
{{- define "kabobagool.discoveryMode" -}}
{{- default (get (dict "paper" "Paper" "dry-run" "DryRun" "live" "DryRun") .Values.mode) .Values.discovery.mode }}
{{- end }}

{{- define "kabobagool.discoveryProfile" -}}
{{- default (ternary "paper" "conservative" (eq .Values.mode "paper")) .Values.discovery.profile }}
{{- end }}

{{/* The first account of every test chain: its key is known to the whole world, it owns nothing, and the paper exchange gives it play
     money. Nothing of a secret, so two renderings are the same. */}}
{{- define "kabobagool.playWallet" -}}
0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266
{{- end }}

{{- define "kabobagool.playWalletKey" -}}
0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
{{- end }}

{{- define "kabobagool.playWalletSecret" -}}
{{ include "kabobagool.fullname" . }}-play-wallet
{{- end }}

{{- define "kabobagool.paperHost" -}}
{{ include "kabobagool.fullname" . }}-paper:8899
{{- end }}

