#!/usr/bin/env bash
# Fetches the resource definitions that overlays/prod needs, for checks against an API server without the operators:
#   crds.sh FOLDER && kubectl apply --server-side -f FOLDER
# A cluster with the operators has them already: never apply these there. It needs go, mvn and a Java of 21 or newer (JAVA, else
# JAVA_HOME, else java). A file that is there is not fetched again.
set -euo pipefail
STRIMZI=1.2.0 KEDA=2.21.0 CLOUDNATIVEPG=1.30.0 GATEWAY=1.6.3 PROMETHEUS=0.85.0
[ $# = 1 ] || { echo "Say where to put them: crds.sh FOLDER" >&2; exit 2; }
mkdir -p "$1" && cd "$1" && here=$PWD
JAVA=${JAVA:-${JAVA_HOME:+$JAVA_HOME/bin/}java}

need() { command -v "$1" >/dev/null || { echo "$1 is missing: install it, then run this again." >&2; exit 1; }; }

module() { # module version folder file...: copies files of a Go module
  local module=$1 version=$2 folder=$3 source; shift 3
  [ -n "$(for file; do [ -s "$file" ] || echo "$file"; done)" ] || return 0
  need go
  source=$(cd / && GOFLAGS=-mod=mod go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  [ -n "$source" ] || { echo "$module@v$version could not be fetched: see the message above." >&2; exit 1; }
  for file; do install -m 644 "$source/$folder/$file" "$file"; done
}

module github.com/kedacore/keda/v2 $KEDA config/crd/bases keda.sh_scaledobjects.yaml keda.sh_triggerauthentications.yaml
module github.com/cloudnative-pg/cloudnative-pg $CLOUDNATIVEPG config/crd/bases \
  postgresql.cnpg.io_clusters.yaml postgresql.cnpg.io_databases.yaml postgresql.cnpg.io_databaseroles.yaml
module sigs.k8s.io/gateway-api $GATEWAY config/crd/standard \
  gateway.networking.k8s.io_gateways.yaml gateway.networking.k8s.io_httproutes.yaml
module github.com/prometheus-operator/prometheus-operator $PROMETHEUS example/prometheus-operator-crd \
  monitoring.coreos.com_podmonitors.yaml monitoring.coreos.com_prometheusrules.yaml

# Strimzi publishes its classes, and the program that makes the definitions from them: as its own release does it.
STRIMZI_FILES=(kafka=kafka.Kafka nodepool=nodepool.KafkaNodePool topic=topic.KafkaTopic user=user.KafkaUser)
made=$here/kafka.strimzi.io_user.yaml
if [ ! -s "$made" ]; then
  need mvn && need "$JAVA"
  jars=$(mktemp -d) && trap 'rm -rf "$jars"' EXIT
  for jar in api crd-annotations crd-generator; do
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=io.strimzi:$jar:$STRIMZI \
      -DoutputDirectory="$jars" || { echo "io.strimzi:$jar:$STRIMZI could not be fetched." >&2; exit 1; }
  done
  classes=()
  for pair in "${STRIMZI_FILES[@]}"; do
    classes+=("io.strimzi.api.kafka.model.${pair#*=}=$here/kafka.strimzi.io_${pair%%=*}.yaml")
  done
  "$JAVA" -cp "$jars/*" io.strimzi.crdgenerator.CrdGenerator --target-kube 1.16+ --crd-api-version v1 --api-versions v1 \
    --storage-version v1 --yaml "${classes[@]}" || {
    rm -f "$here"/kafka.strimzi.io_*; echo "Strimzi's definitions could not be made: is $JAVA a Java of 21 or newer?" >&2; exit 1; }
fi
echo "The definitions are in $here."
