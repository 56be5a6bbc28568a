#!/bin/sh
# Writes src/proto from the contract. The generator is tools/generate; Cargo.lock pins what it is built of.
set -eu
cd "$(dirname "$0")"
rm -f src/proto/*.*.rs
cargo run --quiet --locked --package dirtyd-generate
