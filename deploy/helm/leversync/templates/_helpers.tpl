{{- define "leversync.name" -}}
{{- if contains "leversync" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-leversync" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "leversync.selector" -}}
app.kubernetes.io/name: leversync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "leversync.labels" -}}
{{ include "leversync.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "leversync.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What the restricted pod security standard asks of a pod, and of a container. */}}
{{- define "leversync.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "leversync.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "leversync.env" -}}
- {name: LEVERSYNC_ADDR, value: ":8080"}
- {name: LEVERSYNC_METRICS_ADDR, value: ":9090"}
{{- with .Values.publicURL }}
- {name: LEVERSYNC_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .Values.config }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- $secret := required "existingSecret is not set: make a Secret with DATABASE_URL, REDIS_URL and LEVERSYNC_ENCRYPTION_KEY, and give its name" .Values.existingSecret }}
{{- range $name := list "DATABASE_URL" "REDIS_URL" "LEVERSYNC_ENCRYPTION_KEY" }}
- {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $name }}}}}
{{- end }}
{{- range $name := list "LEVER_CLIENT_ID" "LEVER_CLIENT_SECRET" "LEVERSYNC_OPERATOR_PASSWORD" }}
- {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $name }}, optional: true}}}
{{- end }}
{{- end }}

{{/* A pod is reached from beyond itself: an api refuses to start there without a public URL. */}}
{{- define "leversync.reach" -}}
{{- $allowed := lower (default "" (default dict .Values.config).LEVERSYNC_ALLOW_HTTP) }}
{{- if not (or .Values.publicURL (has $allowed (list "true" "t" "1"))) }}
{{- fail "publicURL is not set: give the https URL by which others reach the API, or config.LEVERSYNC_ALLOW_HTTP=true for a trial" }}
{{- end }}
{{- end }}

{{- define "leversync.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
