#!/usr/bin/env bash
# The node of a one-node cluster, below the directory named: process 1 of network, mount and process namespaces of its
# own. When it ends, everything in them ends.
set -uo pipefail
R=$1 P=$1/pki L=$1/log group=$2
export KUBECONFIG=$P/kubeconfig
mkdir -p "$L" "$R"/{etcd,kubelet,containerd,cni-lib,pods-log,cni.d,var-lib-kubelet}
mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/lock
mount --bind "$R/cni-lib" /var/lib/cni
mount --bind "$R/var-lib-kubelet" /var/lib/kubelet
ip link set lo up
ip link add node0 type bridge && ip addr add 10.250.0.2/24 dev node0 && ip link set node0 up
ip route add 10.96.0.0/16 dev node0 src 10.250.0.2
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null

run() {
  local name=$1
  shift
  "$@" >"$L/$name.log" 2>&1 &
}

run etcd etcd --data-dir "$R/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
  --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
run apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=10.96.0.0/16 \
  --secure-port=6443 --bind-address=0.0.0.0 --advertise-address=10.250.0.2 --allow-privileged=true \
  --authorization-mode=Node,RBAC --client-ca-file="$P/ca.crt" --tls-cert-file="$P/apiserver.crt" \
  --tls-private-key-file="$P/apiserver.key" --service-account-key-file="$P/sa.pub" \
  --service-account-signing-key-file="$P/sa.key" --kubelet-client-certificate="$P/admin.crt" \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local --kubelet-client-key="$P/admin.key" \
  --kubelet-preferred-address-types=InternalIP --endpoint-reconciler-type=master-count \
  --enable-priority-and-fairness=false --profiling=false
run controllers kube-controller-manager --kubeconfig="$KUBECONFIG" --service-account-private-key-file="$P/sa.key" \
  --root-ca-file="$P/ca.crt" --leader-elect=false --allocate-node-cidrs=false --cluster-cidr=10.244.0.0/16 \
  --bind-address=127.0.0.1 --profiling=false --authentication-skip-lookup=true
run scheduler kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false --bind-address=127.0.0.1 \
  --profiling=false --authentication-skip-lookup=true

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc can't start a pause otherwise
cat >"$R/containerd.toml" <<C
version = 2
root = "$R/containerd/root"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$R/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$R/cni.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.internal.v1.opt"]
  path = "$R/containerd/opt"
C
cat >"$R/cni.d/10-anomod.conflist" <<C
{"cniVersion": "0.4.0", "name": "anomod", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/16"}]], "dataDir": "$R/cni-lib/ipam"}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
C
run containerd containerd --config "$R/containerd.toml"

for controller in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
  [ ! -d "/sys/fs/cgroup/$controller" ] || mkdir -p "/sys/fs/cgroup/$controller/$group"
done
cat /sys/fs/cgroup/cpuset/cpuset.cpus >"/sys/fs/cgroup/cpuset/$group/cpuset.cpus"
cat /sys/fs/cgroup/cpuset/cpuset.mems >"/sys/fs/cgroup/cpuset/$group/cpuset.mems"
echo "nameserver 10.250.0.2" >"$R/resolv.conf"
cat >"$R/kubelet.yaml" <<C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $P/ca.crt}}
authorization: {mode: AlwaysAllow}
tlsCertFile: $P/kubelet.crt
tlsPrivateKeyFile: $P/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /$group
failCgroupV1: false
failSwapOn: false
maxPods: 250
containerRuntimeEndpoint: unix://$R/containerd.sock
clusterDNS: [10.250.0.2]
clusterDomain: cluster.local
resolvConf: $R/resolv.conf
podLogsDir: $R/pods-log
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
serializeImagePulls: false
syncFrequency: 10s
nodeStatusUpdateFrequency: 4s
address: 10.250.0.2
healthzBindAddress: 127.0.0.1
readOnlyPort: 0
volumePluginDir: $R/kubelet/volume-plugins
C
cat >"$R/proxy.yaml" <<C
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $KUBECONFIG}
mode: iptables
clusterCIDR: 10.244.0.0/16
bindAddress: 10.250.0.2
hostnameOverride: node
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 100ms}
C
# an answer of both is awaited
until [ -S "$R/containerd.sock" ] && kubectl get --raw /livez >/dev/null 2>&1; do sleep 0.3; done
run kubelet kubelet --config="$R/kubelet.yaml" --kubeconfig="$KUBECONFIG" --hostname-override=node \
  --node-ip=10.250.0.2 --root-dir="$R/kubelet" --cert-dir="$R/kubelet/pki"
run proxy kube-proxy --config="$R/proxy.yaml"
touch "$R/started"
while :; do # children that end are reaped
  sleep 3600 &
  wait $!
done
