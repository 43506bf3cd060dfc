{{/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */}}

{{- define "nodens.labels" -}}
app.kubernetes.io/name: nodens
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "nodens.name" -}}
{{- .Values.name | default (ternary "nodens" "node-local-dns" (eq .Values.mode "front")) -}}
{{- end }}

{{/* The addresses that pods ask; the kubelet puts in what the environment says. */}}
{{- define "nodens.clusterAddresses" -}}
{{- if .Values.clusterDNS.addresses -}}
{{ join "," .Values.clusterDNS.addresses }}
{{- else -}}
$({{ .Values.clusterDNS.service | upper | replace "-" "_" }}_SERVICE_HOST)
{{- end -}}
{{- end }}

{{/* Where health and readiness are asked, as host and ports: see nodens.corefile. */}}
{{- define "nodens.probe" -}}
{{- if eq .mode "kube-proxy" -}}
host: {{ .local }}
port: {{ .port }}
{{- else if has .mode (list "ipvs" "front") -}}
host: 127.0.0.1
port: {{ add 10000 .port }}
{{- else -}}
port: {{ .port }}
{{- end -}}
{{- end }}

{{- define "nodens.at" -}}
{{- if eq .mode "kube-proxy" }} {{ .local }}:{{ .port }}{{ else if has .mode (list "ipvs" "front") }} 127.0.0.1:{{ add 10000 .port }}{{ end -}}
{{- end }}

{{/* What every block has. */}}
{{- define "nodens.common" }}
    errors
    {{- if .Values.logQueries }}
    log
    {{- end }}
    reload
    loop
    bind {{ if eq .Values.mode "cilium" }}0.0.0.0{{ else }}__PILLAR__LOCAL__DNS__{{ end }}
    prometheus :{{ include "nodens.metricsPort" . }}
{{- end }}

{{- define "nodens.cache" }}
    cache {
        success {{ .Values.cache.capacity }} {{ .Values.cache.successTTL }}
        denial {{ .Values.cache.capacity }} {{ .denial }}
        {{- with .Values.cache.prefetch }}
        prefetch {{ . }}
        {{- end }}
        {{- with .Values.cache.serveStale }}
        serve_stale {{ . }}
        {{- end }}
    }
{{- end }}

{{/* In front of another cache: its TTLs, its answers. */}}
{{- define "nodens.corefile.front" -}}
{{- $probe := dict "mode" .Values.mode -}}
.:53 {
    errors
    {{- if .Values.logQueries }}
    log
    {{- end }}
    reload
    cache {
        success {{ .Values.cache.capacity }} 3600 0
        denial {{ .Values.cache.capacity }} 1800 0
        {{- with .Values.cache.prefetch }}
        prefetch {{ . }}
        {{- end }}
        {{- with .Values.cache.serveStale }}
        serve_stale {{ . }}
        {{- end }}
    }
    forward . __PILLAR__LOCAL__DNS__ {
        policy sequential
    }
    {{- with .Values.extraRootPlugins }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    prometheus :{{ include "nodens.metricsPort" . }}
    health{{ include "nodens.at" (merge (dict "port" 8080) $probe) }}{{ with .Values.health.lameduckSeconds }} {
        lameduck {{ . }}s
    }{{ end }}
    ready{{ include "nodens.at" (merge (dict "port" 8181) $probe) }}
}
{{- with .Values.extraServerBlocks }}
{{ . | trim }}
{{- end }}
{{- end }}

{{/* 9253 is NodeLocal DNSCache's own. */}}
{{- define "nodens.metricsPort" -}}
{{- .Values.metricsPort | default (ternary 19253 9253 (eq .Values.mode "front")) -}}
{{- end }}

{{- define "nodens.corefile" -}}
{{- $probe := dict "mode" .Values.mode "local" .Values.localAddress -}}
{{- range $i, $zone := list .Values.clusterDomain "in-addr.arpa" "ip6.arpa" }}
{{ $zone }}:53 {
    {{- include "nodens.common" $ }}
    {{- $denial := ternary $.Values.cache.denialTTL $.Values.cache.successTTL (eq $i 0) }}
    {{- include "nodens.cache" (dict "Values" $.Values "denial" $denial) }}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    {{- if eq $i 0 }}
    health{{ include "nodens.at" (merge (dict "port" 8080) $probe) }}{{ with $.Values.health.lameduckSeconds }} {
        lameduck {{ . }}s
    }{{ end }}
    ready{{ include "nodens.at" (merge (dict "port" 8181) $probe) }}
    {{- end }}
}
{{- end }}
.:53 {
    {{- include "nodens.common" . }}
    {{- include "nodens.cache" (dict "Values" .Values "denial" .Values.cache.successTTL) }}
    forward . {{ join " " .Values.upstream.servers | default "__PILLAR__UPSTREAM__SERVERS__" }} {
        policy {{ .Values.upstream.policy }}
        {{- with .Values.upstream.tlsServername }}
        tls_servername {{ . }}
        {{- end }}
    }
    {{- with .Values.extraRootPlugins }}
    {{- . | trim | nindent 4 }}
    {{- end }}
}
{{- with .Values.extraServerBlocks }}
{{ . | trim }}
{{- end }}
{{- end }}

{{- define "nodens.profile" -}}
{{- if hasPrefix "localhost/" . -}}
type: Localhost
localhostProfile: {{ trimPrefix "localhost/" . }}
{{- else -}}
type: {{ . }}
{{- end -}}
{{- end }}

{{/* The container's arguments, as a YAML list. */}}
{{- define "nodens.args" -}}
{{- if eq .Values.mode "cilium" }}
- -setupinterface=false
{{- else if eq .Values.mode "front" }}
- -mode
- front
- -localip
- {{ .Values.localAddress | quote }}
{{- else if eq .Values.mode "ipvs" }}
- -localip
- {{ include "nodens.clusterAddresses" . | quote }}
- -mode
- steer
- -setupinterface=false
{{- else }}
- -localip
- {{ printf "%s,%s" .Values.localAddress (include "nodens.clusterAddresses" .) | quote }}
{{- end }}
- -conf
- /etc/Corefile
{{- if ne .Values.mode "front" }}
- -upstreamsvc
- {{ .Values.clusterDNS.upstreamService }}
- -kubednscm
- /etc/kube-dns
{{- end }}
- -hook
- {{ .Values.attach.hook }}
{{- with .Values.attach.interfaces }}
- -interfaces
- {{ join "," . | quote }}
{{- end }}
{{- with .Values.attach.exclude }}
- -exclude
- {{ join "," . | quote }}
{{- end }}
- -lease
- {{ .Values.attach.leaseSeconds | quote }}
{{- if and .Values.attach.persist (ne .Values.mode "cilium") }}
- -persist
{{- end }}
- -log-level
- {{ .Values.logLevel }}
- -log-format
- {{ .Values.logFormat }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* Objects of the hook that runs before the release is deleted: gone when it succeeded, made anew when it is run again. */}}
{{- define "nodens.hook" -}}
annotations:
  helm.sh/hook: pre-delete
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "nodens.unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}
