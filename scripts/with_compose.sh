#!/usr/bin/env bash
# Runs a command with `docker-compose` on PATH: the compose that is here, else one built from source by the Go module
# proxy (some four minutes of CPU, once: it is kept by version). Exit code 75, and a line that says why, where none is
# to be had: no Go, or no way to the proxy.
set -euo pipefail

version=v2.40.3
here=$(cd "$(dirname "$0")" && pwd)

none() {
  echo "no docker compose here: $1" >&2
  exit 75
}

new_enough() { # 2.24 and later
  local found
  found=$("$@" version --short 2>/dev/null) || return 1
  [[ ${found#v} =~ ^([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > 2 || (BASH_REMATCH[1] == 2 && BASH_REMATCH[2] >= 24)))
}

if ! new_enough docker compose && ! new_enough docker-compose; then
  kept=${ANOMOD_COMPOSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytest-anomod/compose}/$version
  if ! [ -x "$kept/docker-compose" ]; then
    command -v go >/dev/null || none "there is no Go to build it with"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp "$here"/compose-build/* "$work"
    mkdir -p "$kept"
    # its own go.mod has `exclude`, which `go install` refuses; so it is built as a dependency of a module of two files
    (
      cd "$work"
      export GOFLAGS=-mod=mod CGO_ENABLED=0
      go build -trimpath -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$version" \
        -o docker-compose github.com/docker/compose/v2/cmd
    ) || none "docker compose $version could not be built"
    mv "$work/docker-compose" "$kept/docker-compose.$$" # others may be building it too
    mv "$kept/docker-compose.$$" "$kept/docker-compose"
    rm -rf "$work"
    trap - EXIT
  fi
  PATH="$kept:$PATH"
  export PATH
fi

"$@"
