#!/usr/bin/env bash
# Makes a CA and the certificates of the parts of a one-node cluster in the directory named.
set -euo pipefail
cd "$1"

quiet() { "$@" 2>/dev/null; }

certificate() { # name subject addresses
  quiet openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  {
    echo "keyUsage=digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=serverAuth,clientAuth"
    [ -z "${3:-}" ] || echo "subjectAltName=$3"
  } >"$1.ext"
  quiet openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.crt"
}

quiet openssl genrsa -out sa.key 2048
quiet openssl rsa -in sa.key -pubout -out sa.pub
quiet openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=anomod
names=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
certificate apiserver /CN=kube-apiserver "IP:127.0.0.1,IP:10.250.0.2,IP:10.96.0.1,$names"
certificate kubelet /O=system:nodes/CN=system:node:node "IP:127.0.0.1,IP:10.250.0.2,DNS:node"
certificate admin /O=system:masters/CN=admin

inline() { base64 -w0 "$1"; }
cat >kubeconfig <<K
apiVersion: v1
kind: Config
clusters: [{name: anomod, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(inline ca.crt)}}]
users: [{name: admin, user: {client-certificate-data: $(inline admin.crt), client-key-data: $(inline admin.key)}}]
contexts: [{name: anomod, context: {cluster: anomod, user: admin}}]
current-context: anomod
K
