#!/bin/sh
# Writes src/main/java-gen from the contract. Maven brings the compilers, in the versions that pom.xml pins.
set -eu
cd "$(dirname "$0")"
mvn --quiet --batch-mode --no-transfer-progress --activate-profiles generate generate-sources
