#!/bin/sh
# Writes src/dirtyd/_proto from the contract. The compiler is pinned: the code of
# protobuf 5.26 does not check the version of the runtime, so that one package
# works with every protobuf from 5.26 on. PYTHON needs grpcio-tools==1.65.5.
set -eu
cd "$(dirname "$0")"
out=src/dirtyd/_proto
rm -rf "$out"
mkdir -p "$out"
"${PYTHON:-python3}" -m grpc_tools.protoc -I ../../proto -I proto --python_out="$out" --pyi_out="$out" \
    dirty/v1/value.proto dirty/v1/arbiter.proto dirty/v1/stack.proto dirty/worker/v1/worker.proto dirtyd/status.proto
find "$out" -name '*_pb2.py*' -exec sed -i.bak -E 's/^from (dirtyd?)(\.[a-z0-9.]+)? import /from dirtyd._proto.\1\2 import /' {} +
find "$out" -name '*.bak' -delete
find "$out" -type d -exec touch {}/__init__.py \;
