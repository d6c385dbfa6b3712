#!/usr/bin/env bash
# Installs an overlay or brings it up to date, and waits until every pod is ready: apply.sh OVERLAY [SECONDS]
set -euo pipefail
[ $# -ge 1 ] || { echo "Name the overlay: apply.sh infra/k8s/overlays/local" >&2; exit 2; }
overlay=$1 seconds=${2:-900}
rendered=$(kubectl kustomize "$overlay")
named=$(grep -Eo '(secretName|name): pappus-[a-z0-9-]+$' <<<"$rendered" | sed 's/.*: //' | sort -u | grep -Ev '^pappus-(settings|cluster-ca-cert)')
there=$(kubectl -n pappus get secrets -o name 2>/dev/null | sed 's#.*/##' | sort)
missing=$(comm -23 <(echo "$named") <(echo "$there"))
[ -z "$missing" ] || { echo "These Secrets are missing in namespace pappus: ${missing//$'\n'/, }. Make them with infra/k8s/secrets.sh." >&2; exit 1; }
served=$(kubectl -n pappus get statefulset predictor -o 'jsonpath={.status.readyReplicas}' 2>/dev/null || true)
# A finished job cannot be changed: it is made anew, and pods of the new release wait for what it does.
for job in pappus/prepare node-folders/folders; do
  kubectl -n "${job%/*}" delete job "${job#*/}" --ignore-not-found 2>/dev/null || true
done
kubectl apply -f - <<<"$rendered"
kubectl -n pappus wait --for=condition=complete --timeout="${seconds}s" job/prepare
for workload in $(kubectl -n pappus get deployments -l app.kubernetes.io/part-of=pappus -o name); do
  kubectl -n pappus rollout status --timeout="${seconds}s" "$workload"
done
if [ "${served:-0}" -gt 0 ]; then
  kubectl -n pappus rollout status --timeout="${seconds}s" statefulset/predictor
else
  echo "All run. The predictors are ready once there is a model: put in images."
fi
