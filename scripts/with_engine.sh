#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that answers, else one of its own that ends with the command.
# Exit code 75, and a line that says why, where none is to be had: not on Linux, not root, no packages, no daemon.
set -euo pipefail

none() {
  echo "no Docker engine here: $1" >&2
  exit 75
}

# a daemon that answers is taken as it is
if ! timeout 20 docker info >/dev/null 2>&1; then
  [ "$(uname)" = Linux ] || none "none answers, and one can be started on Linux only"
  [ "$(id -u)" = 0 ] || none "none answers, and only root can start one"
  if ! { command -v dockerd && command -v iptables && command -v mmdebstrap; } >/dev/null 2>&1; then
    command -v apt-get >/dev/null 2>&1 || none "dockerd, iptables or mmdebstrap is missing, and there is no apt-get"
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 apt-get update -qq || none "apt-get update failed"
    timeout 300 apt-get install -y -qq --no-install-recommends docker.io iptables iproute2 mmdebstrap >/dev/null ||
      none "Debian's docker.io, iptables and mmdebstrap can't be installed"
  fi

  place=$(mktemp -d)
  had_bridge=$(test -e /sys/class/net/docker0 && echo yes || echo no)
  end_engine() {
    # networks that a command which was ended left: their bridges would outlive the engine
    local networks
    networks=$(timeout 10 docker network ls --quiet --filter driver=bridge --filter type=custom 2>/dev/null || true)
    if kill "$engine" 2>/dev/null; then wait "$engine" || true; fi
    if [ "$had_bridge" = no ] && [ -e /sys/class/net/docker0 ]; then ip link delete docker0 || true; fi
    for network in $networks; do
      if [ -e "/sys/class/net/br-$network" ]; then ip link delete "br-$network" || true; fi
    done
    # an engine that ended may leave namespaces and layers mounted
    awk -v below="$place/" 'index($2, below) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r mount; do
      umount -l "$mount" || true
    done
    rm -rf "$place" || true # what it leaves is no failure of the command
  }
  # nothing of the containers goes out, so this machine's rules and forwarding stay as they are
  dockerd --data-root "$place/data" --exec-root "$place/exec" --pidfile "$place/pid" --host "unix://$place/docker.sock" \
    --iptables=false --ip-forward=false --ip-masq=false >"$place/log" 2>&1 &
  engine=$!
  trap end_engine EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  export DOCKER_HOST="unix://$place/docker.sock"
  for _ in $(seq 60); do
    timeout 5 docker info >/dev/null 2>&1 && break
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.5 # an answer of the daemon is awaited
  done
  timeout 5 docker info >/dev/null 2>&1 || none "dockerd does not answer; it last said: $(tail -n 3 "$place/log")"
fi

"$@"
