#!/usr/bin/env bash
# Runs a command as root under a Linux that has netem: this machine's own, else Debian's user-mode-linux on the same files.
# Exit code 75, and a line that says why, where none is to be had. What is written below /run stays in that Linux.
set -euo pipefail

none() {
  echo "no Linux with netem here: $1" >&2
  exit 75
}

[ "$(uname)" = Linux ] || none "this machine's own system is $(uname)"
[ "$(id -u)" = 0 ] || none "only root may make a network"
if unshare -n tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then exec "$@"; fi

if ! { command -v linux.uml && command -v modprobe; } >/dev/null 2>&1; then
  command -v apt-get >/dev/null 2>&1 || none "linux.uml or modprobe is missing, and there is no apt-get"
  export DEBIAN_FRONTEND=noninteractive
  timeout 120 apt-get update -qq || none "apt-get update failed"
  timeout 300 apt-get install -y -qq --no-install-recommends user-mode-linux kmod iptables iproute2 >/dev/null ||
    none "Debian's user-mode-linux and kmod can't be installed"
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/modules/lib" "$place/bin"
# that Linux knows the older tables only
for name in iptables iptables-save iptables-restore; do ln -s /usr/sbin/xtables-legacy-multi "$place/bin/$name"; done
ln -s /usr/lib/uml/modules "$place/modules/lib/modules"
printf '#!/bin/sh\nexec /sbin/modprobe -d %q/modules "$@"\n' "$place" >"$place/bin/modprobe"
export -p >"$place/environment"
printf '%q ' "$@" >"$place/command"
cat >"$place/init" <<END
#!/usr/bin/env bash
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /run
echo $place/bin/modprobe >/proc/sys/kernel/modprobe
. $place/environment
PATH=$place/bin:\$PATH
cd $(printf '%q' "$PWD")
ip link set lo up
bash $place/command </dev/null >$place/said 2>&1
echo \$? >$place/code
echo o >/proc/sysrq-trigger
END
chmod +x "$place/init" "$place/bin/modprobe"
ulimit -c 0
# it ends by an abort, once it is switched off
(TMPDIR=$place timeout -k 5 "${NETEM_LIMIT_S:-300}" linux.uml mem=768M root=/dev/root rootfstype=hostfs rootflags=/ rw \
  quiet init="$place/init" con=null con0=null,fd:1 || true) >"$place/log" 2>&1 </dev/null
cat "$place/said" 2>/dev/null || true
[ -s "$place/code" ] || none "user-mode-linux did not come to its end; it last said: $(tail -n 3 "$place/log")"
exit "$(cat "$place/code")"
