#!/usr/bin/env bash
# Builds what the Procfile runs, into build/. `build.sh images` also makes the base of the images of compose.local.yaml,
# of Debian packages and without an image registry; it needs a Docker engine, mmdebstrap and root. With AGENTS=1 pricing is
# built with the flags of docs/agents-go.md, which give it traces and lines. Exit code 75 says that this machine lacks
# something.
set -euo pipefail
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
PACKAGES=nodejs,openjdk-17-jre-headless,postgresql-15,python3,redis-server
SUITE=bookworm # has Python 3.11
IMAGE_PYTHON=3.11

missing=()
needs() { command -v "$1" >/dev/null 2>&1 || missing+=("$1 ($2)"); }
needs node "Node.js 18 or newer, runs the gateway"
needs java "Java 17 or newer, runs orders"
needs javac "a JDK 17 or newer, compiles orders"
needs go "Go 1.22 or newer, compiles pricing"
needs "$PYTHON" "Python 3.11 or newer, runs catalog"
if [ -n "${AGENTS:-}" ] && ! "$PYTHON" -c 'import pytest_anomod' 2>/dev/null; then
  missing+=("pytest-anomod (for $PYTHON: with AGENTS pricing is built with its flags)")
fi
if [ "${1:-}" = images ]; then
  needs docker "an engine and its command line"
  needs mmdebstrap "apt-get install mmdebstrap, makes the base image"
fi
if [ ${#missing[@]} -gt 0 ]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 75
fi

newer() { [ -e "$1" ] && [ -z "$(find "${@:2}" -newer "$1")" ]; }
mkdir -p build
newer build/orders/Orders.class orders/Orders.java || javac -d build/orders orders/Orders.java
if [ -n "${AGENTS:-}" ]; then
  inside=$("$PYTHON" -c 'import pytest_anomod.agents as agents; print(*agents.__path__)')/inside/go
  GOFLAGS=$(go run "$inside/overlay.go" "$PWD/build/go-overlay")
  export GOFLAGS
fi
(cd pricing && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../build/pricing .)

libraries() { # version of Python, directory, further options of pip
  newer "$2/.for-$1" catalog/requirements.txt && return
  rm -rf "$2"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$2" -r catalog/requirements.txt "${@:3}"
  touch "$2/.for-$1"
}
libraries "$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" build/catalog
[ "${1:-}" = images ] || exit 0

libraries "$IMAGE_PYTHON" build/image/catalog --only-binary :all: --python-version "$IMAGE_PYTHON"
docker image inspect shop-base >/dev/null 2>&1 && exit 0
root=${XDG_CACHE_HOME:-$HOME/.cache}/pytest-anomod/shop-$(echo "$SUITE $PACKAGES" | sha256sum | cut -c1-12).tar
if [ ! -e "$root" ]; then
  mkdir -p "$(dirname "$root")"
  # openjdk and postgresql can't be configured without the folders of these manual pages
  mmdebstrap --quiet --variant=essential --include="$PACKAGES" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/usr/share/man/man1" "$1/usr/share/man/man7"' "$SUITE" "$root.part.tar" || exit 75
  mv "$root.part.tar" "$root"
fi
docker import "$root" shop-base
