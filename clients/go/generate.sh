#!/bin/sh
# Writes internal/gen from the contract. Needs buf, protoc-gen-go and protoc-gen-go-grpc on the PATH; `make proto` has
# the pinned ones in .tools/bin.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/../../.tools/bin:$PATH"
rm -rf internal/gen
buf generate ../../proto --template buf.gen.yaml --path ../../proto/dirty/v1/arbiter.proto --path ../../proto/dirty/v1/value.proto
