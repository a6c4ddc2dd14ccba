{{- define "segmentation.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "segmentation.fullname" -}}
{{- $name := include "segmentation.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "segmentation.selector" -}}
app.kubernetes.io/name: {{ include "segmentation.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "segmentation.labels" -}}
{{ include "segmentation.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: server
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "segmentation.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "segmentation.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "segmentation.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- /* Requests equal limits, so the pod's QoS class is Guaranteed, and it can have exclusive CPUs. */}}
{{- define "segmentation.resources" -}}
cpu: {{ .Values.cpus | quote }}
memory: {{ .Values.memory | quote }}
{{- if .Values.gpu.count }}
{{ .Values.gpu.resource }}: {{ .Values.gpu.count | quote }}
{{- end }}
{{- end }}

{{- /* Seconds from a setting, rounded up. Arguments: settings, name, default. */}}
{{- define "segmentation.seconds" -}}
{{ index . 0 | dig (index . 1) (index . 2) | float64 | ceil | int }}
{{- end }}
