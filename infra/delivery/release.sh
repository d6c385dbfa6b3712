#!/usr/bin/env bash
# Releases one version to a cluster: release.sh OVERLAY TAG
# Applies infra/k8s/overlays/OVERLAY with our images at TAG, waits until everything runs, and asks `pappus smoke` whether it works.
# If anything fails, each workload goes back to the revision it had before, and the exit code is 1.
#
# KUBECONFIG names the cluster; PAPPUS_PREDICTOR_URL, PAPPUS_LABELER_URL and the passwords of `pappus smoke` name the installation.
# Where the defaults do not fit, set NAMESPACE (pappus), WAIT (600s for each workload), IMAGE_PREFIX (`pappus/`, in front of an
# image's name: docker.io/someone/pappus- for what the workflow `images` pushes) and SMOKE (.venv/bin/pappus smoke).
set -euo pipefail
[ $# = 2 ] || { echo "Say what to release: release.sh OVERLAY TAG" >&2; exit 2; }
overlay=$1 tag=$2 namespace=${NAMESPACE:-pappus} wait=${WAIT:-600s} smoke=${SMOKE:-.venv/bin/pappus smoke}
[[ $overlay =~ ^[a-z0-9-]+$ && $tag =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] ||
  { echo "OVERLAY is a folder of infra/k8s/overlays and TAG the tag of an image." >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
[ -d "$root/infra/k8s/overlays/$overlay" ] || { echo "There is no infra/k8s/overlays/$overlay." >&2; exit 2; }
command -v kubectl >/dev/null || { echo "kubectl is missing: install it on this runner." >&2; exit 2; }
k() { kubectl --namespace "$namespace" "$@"; }
ours() { k get deployments,statefulsets --selector app.kubernetes.io/part-of=pappus --output name; }
revision() { k rollout history "$1" | awk '$1 ~ /^[0-9]+$/ { last = $1 } END { print last + 0 }'; }

release=$root/infra/k8s/overlays/.release
trap 'rm -rf "$release"' EXIT
mkdir -p "$release"
{
  printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../%s]\nimages:\n' "$overlay"
  for image in ingestor labeler trainer predictor jobs; do
    printf '  - {name: pappus/%s, newName: "%s%s", newTag: "%s"}\n' "$image" "${IMAGE_PREFIX:-pappus/}" "$image" "$tag"
  done
} > "$release/kustomization.yaml"

workloads=$(ours) || { echo "The cluster does not answer: is KUBECONFIG right?" >&2; exit 1; }
declare -A before
for workload in $workloads; do before[$workload]=$(revision "$workload"); done

undo() {
  echo "The release of $tag failed: $1." >&2
  k get pods --output wide >&2 || true
  for workload in $(ours); do
    if [ -z "${before[$workload]:-}" ]; then
      echo "$workload is new with this release: it stays, there is nothing to go back to." >&2
    elif [ "$(revision "$workload")" != "${before[$workload]}" ]; then
      k rollout undo "$workload" --to-revision "${before[$workload]}" >&2 || true
    fi
  done
  for workload in "${!before[@]}"; do
    k rollout status "$workload" --timeout "$wait" >&2 || { echo "$workload does not run in its old revision either." >&2; }
  done
  exit 1
}

# A Job cannot be changed once it is there; this one may be repeated.
k delete job prepare --ignore-not-found --wait
kubectl apply --kustomize "$release" || undo "the manifests were refused"
k wait job/prepare --for condition=complete --timeout "$wait" || undo "the job \`prepare\` did not finish within $wait"
for workload in $(ours); do
  k rollout status "$workload" --timeout "$wait" || undo "$workload is not ready after $wait"
done
$smoke || undo "\`pappus smoke\` says that it does not work"
echo "$tag runs in $namespace."
