#!/usr/bin/env bash
# Runs a command inside a one-node Kubernetes of its own, in namespaces that end with the command: the command sees
# pods and Services at their addresses, KUBECONFIG names the cluster, kubectl and ctr are on the PATH. The cluster's
# program is built from source by the Go module proxy (some 13 minutes of CPU, once: it is kept by version).
# Exit code 75, and a line that says why, where none is to be had. `with_kubernetes.sh --cached` says by its exit code
# whether the built program is there.
set -euo pipefail

version=v1.34.4
here=$(cd "$(dirname "$0")" && pwd)
kept=${ANOMOD_KUBERNETES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytest-anomod/kubernetes}/$version
parts="etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"
programs="containerd runc iptables conntrack ipset ip ebtables ethtool socat openssl nsenter setpriv"

none() {
  echo "no Kubernetes here: $1" >&2
  exit 75
}

if [ "${1:-}" = --cached ]; then
  [ -x "$kept/kubernetes" ] && exit 0
  none "$kept/kubernetes is not built yet"
fi

build() {
  command -v go >/dev/null || none "there is no Go to build it with"
  local work flags package
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp -r "$here"/kubernetes-build/* "$work"
  flags="-s -w"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=34"
    flags="$flags -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
  done
  (
    cd "$work"
    export GOFLAGS="-mod=mod -buildvcs=false" CGO_ENABLED=0
    nice -n 10 go build -trimpath -ldflags "$flags" -o kubernetes .
    go build -trimpath -ldflags "-s -w" -o pause.program ./pause
    python3 image.py pause.tar localhost/pause:1 pause.program
  ) || none "Kubernetes $version could not be built"
  mkdir -p "$kept"
  local name
  for name in pause.tar kubernetes; do # others may be building it too
    mv "$work/$name" "$kept/$name.$$"
    mv "$kept/$name.$$" "$kept/$name"
  done
  for name in $parts; do ln -sf kubernetes "$kept/$name"; done
  rm -rf "$work"
  trap - EXIT
}

missing() {
  local program
  for program in $programs; do command -v "$program" >/dev/null 2>&1 || echo "$program"; done
  [ -x /usr/lib/cni/bridge ] || echo /usr/lib/cni/bridge
}

[ "$(uname)" = Linux ] || none "it can be had on Linux only"
[ "$(id -u)" = 0 ] || none "only root can start one"
[ -d /sys/fs/cgroup/cpuset ] || none "control groups are not of version 1 here; use a kind or minikube of yours"
if [ -n "$(missing)" ]; then
  command -v apt-get >/dev/null 2>&1 || none "these are missing, and there is no apt-get: $(missing | tr '\n' ' ')"
  export DEBIAN_FRONTEND=noninteractive
  timeout 120 apt-get update -qq || none "apt-get update failed"
  timeout 300 apt-get install -y -qq --no-install-recommends containerd runc containernetworking-plugins iptables \
    conntrack ipset iproute2 ebtables ethtool socat openssl util-linux >/dev/null || none "Debian's packages can't be installed"
  [ -z "$(missing)" ] || none "these are missing still: $(missing | tr '\n' ' ')"
fi
[ -x "$kept/kubernetes" ] && [ -e "$kept/pause.tar" ] || build

place=$(mktemp -d)
group=anomod-k8s-$$
made=()
for directory in /var/lib/cni /var/lib/kubelet; do
  [ -d "$directory" ] || made+=("$directory")
  mkdir -p "$directory"
done
holder=""
down() {
  [ -z "$holder" ] || kill -9 "$holder" 2>/dev/null || true # its child, and all that is in the namespaces, goes with it
  [ -z "$holder" ] || wait "$holder" 2>/dev/null || true
  for _ in $(seq 100); do # until the kernel has ended the last process of the groups
    find /sys/fs/cgroup/*/"$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    compgen -G "/sys/fs/cgroup/*/$group" >/dev/null || break
    sleep 0.2
  done
  rm -rf "$place" || true # what it leaves is no failure of the command
  for directory in ${made[@]+"${made[@]}"}; do rmdir "$directory" 2>/dev/null || true; done
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export PATH="$kept:$PATH:/usr/sbin:/sbin"
mkdir "$place/pki"
bash "$here/kubernetes-build/certificates.sh" "$place/pki"
# pdeathsig: when this script is killed, which runs no trap, the node ends as well; its directory stays then
setsid setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
  bash "$here/kubernetes-build/node.sh" "$place" "$group" >"$place/node.log" 2>&1 </dev/null &
holder=$!
inside() {
  KUBECONFIG="$place/pki/kubeconfig" CONTAINERD_ADDRESS="$place/containerd.sock" CONTAINERD_NAMESPACE=k8s.io \
    nsenter --target "$(pgrep -P "$holder" | head -n 1)" --net --mount --pid --wd="$PWD" -- "$@"
}
await() { # seconds, then what is said when it does not come
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$holder" 2>/dev/null || none "the node ended; it last said: $(tail -n 3 "$place/node.log")"
    ((SECONDS < until)) || none "$what; it last said: $(tail -qn 2 "$place"/log/*.log | tail -n 6)"
    sleep 0.2 # an answer is awaited
  done
}
ready() { inside kubectl get node node -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }
await 180 "its parts did not start" test -e "$place/started"
inside ctr images import "$kept/pause.tar" >/dev/null || none "the image of the pods' first process was not taken"
await 120 "its node did not become ready" ready
await 60 "its namespace is not complete" inside kubectl get serviceaccount default
inside "$@"
