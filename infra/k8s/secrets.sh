#!/usr/bin/env bash
# Puts the files that `make secrets` wrote into the cluster: secrets.sh FOLDER. Each folder below it becomes the Secret pappus-<folder>;
# repeating it brings changes. The files stay the only copy outside of the cluster: keep them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] && [ -d "$1" ] || { echo "Name the folder that \`make secrets\` wrote: secrets.sh secrets" >&2; exit 2; }
kubectl apply -f "$here/base/namespace.yaml"
put() { kubectl -n pappus create secret "$@" --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f -; }
for folder in "$1"/*/; do
  name=$(basename "$folder")
  [ -n "$(ls "$folder")" ] && put generic "pappus-$name" --from-file="$folder"
done
# As CloudNativePG reads it.
[ ! -f "$1/postgres/password" ] || put generic pappus-postgres-superuser --type=kubernetes.io/basic-auth \
  --from-literal=username=postgres --from-file=password="$1/postgres/password"
