#!/bin/sh
# Writes src/gen from the contract. ts-proto is pinned by package-lock.json; buf
# is the one on the PATH (`make proto` brings it) or, without one, npm's.
set -eu
cd "$(dirname "$0")"
[ -x node_modules/.bin/protoc-gen-ts_proto ] || npm ci --ignore-scripts
command -v buf >/dev/null || buf() { npm exec --yes --package=@bufbuild/buf@1.75.0 -- buf "$@"; }
rm -rf src/gen
cd ../..
for path in proto/dirty/v1/arbiter.proto proto/dirty/v1/value.proto proto/dirty/v1/stack.proto proto/dirty/worker clients/python/proto/dirtyd; do
    buf generate "${path%%/dirty*}" --template clients/node/buf.gen.yaml --path "$path"
done
