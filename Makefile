# dirtyd. Nothing is set up by hand: each target first makes what it needs, once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
CARGO_DENY := 0.20.2
GRPCURL := v1.9.4
PROTOC_GEN_GO := v1.36.12
PROTOC_GEN_GO_GRPC := v1.6.2
GHZ := v0.93.0
CHROMIUM ?= /usr/bin/chromium
SYSTEMD := /lib/systemd/systemd
VALGRIND ?= /usr/bin/valgrind
WRK ?= /usr/bin/wrk
NLOHMANN_JSON := /usr/include/nlohmann/json.hpp

# What was set up; each is an empty file that a new version or a changed list of pins makes anew.
VENV := .venv/ready
BENCH_READY := .venv-bench/ready
GENERATOR := .tools/generator/ready
NPM_TOOLS := .tools/npm/ready
DENY_READY := .tools/cargo-deny-$(CARGO_DENY)
GRPCURL_READY := .tools/grpcurl-$(GRPCURL)
GO_GENERATORS := .tools/protoc-gen-go-$(PROTOC_GEN_GO)-$(PROTOC_GEN_GO_GRPC)
GHZ_READY := .tools/ghz-$(GHZ)
DEBIAN_STUBS := .tools/debian-stubs
NODE_READY := clients/node/node_modules/ready
NODE_STUB_READY := tests/stubs/node/node_modules/ready

DEBUG := $(CURDIR)/target/debug/dirtyd
WITH_DAEMON := DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python tests/conformance/with-daemon

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

## Build and run

.PHONY: build debug demo
build: ## the daemon, for use: target/release/dirtyd
	cargo build --locked --release

debug: # the daemon, for tests
	cargo build --locked

demo: build $(VENV) ## see it work: embeddings, and text streamed token by token
	@examples/demo/run

## Test

# Where each client writes what it saw come of the conformance cases.
export DIRTYD_CONFORMANCE_REPORT := $(CURDIR)/target/conformance

.PHONY: test test-rust test-workers test-python test-go test-node test-java test-examples
test: no-reports test-rust test-workers test-python test-go test-node test-java test-examples test-stubs test-docs conformance-table ## every test of the daemon, the clients and the examples

test-rust: $(VENV) $(GRPCURL_READY)
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python GRPCURL=$(CURDIR)/.tools/bin/grpcurl cargo test --locked --workspace

test-workers: $(VENV) $(NODE_READY) # one protocol, every runtime: a table; and all of them in one daemon
	cd clients/node && npm run build
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --test worker_conformance
	cargo build --locked --example rust-worker
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --test mixed -- --include-ignored

test-python: debug $(VENV)
	cd clients/python && pytest
	cd clients/python && DIRTYD_BIN=$(DEBUG) pytest tests/e2e
	$(WITH_DAEMON) pytest --quiet clients/python/tests/conformance

test-go: debug $(VENV) $(NPM_TOOLS) $(GO_GENERATORS)
	cd clients/go && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python go test -count=1 ./...
	$(WITH_DAEMON) tests/stubs/go/run

test-node: debug $(VENV) $(NODE_READY) $(NODE_STUB_READY) $(CHROMIUM)
	cd clients/node && npm run build
	cd clients/node && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python npm test
	cd clients/node && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python npm run conformance
	$(WITH_DAEMON) tests/stubs/node/run

test-java: debug $(VENV)
	cd clients/java && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python mvn -q -B -ntp test

test-examples: $(VENV)
	cd examples && pytest

test-stubs: debug $(VENV) $(GENERATOR) $(DEBIAN_STUBS) $(NLOHMANN_JSON)
	$(WITH_DAEMON) .tools/generator/bin/python tests/stubs/python/stock.py sync
	$(WITH_DAEMON) .tools/generator/bin/python tests/stubs/python/stock.py asyncio
	$(WITH_DAEMON) tests/stubs/ruby/run
	$(WITH_DAEMON) tests/stubs/cpp/run

.PHONY: conformance-table no-reports
conformance-table: no-reports test-rust test-python test-go test-node test-java test-stubs ## every client and stock stub, every conformance case
	pytest --quiet tests/conformance
	python tests/conformance/table.py $(DIRTYD_CONFORMANCE_REPORT)

no-reports: # those of an earlier run must not count
	rm -rf $(DIRTYD_CONFORMANCE_REPORT)

test-docs: debug $(VENV) $(GRPCURL_READY) $(GHZ_READY) $(GO_GENERATORS) $(DEBIAN_STUBS) # every block of every page
	pytest --quiet tests/docs
	python tests/docs/run_snippets.py $(DEBUG)

.PHONY: test-systemd
test-systemd: debug $(VENV) $(SYSTEMD) ## docs/dirtyd.service under a real systemd, in namespaces of its own; needs root, and is no part of `make test`
	tests/systemd/run $(DEBUG) .venv/bin/python

## Measure

.PHONY: bench bench-micro bench-peers bench-instructions bench-worker load
load: # the daemon and the load generator, as they are measured
	cargo build --locked --release --bin dirtyd --example load

bench: load $(BENCH_READY) ## an echo through a Python worker, next to bare round trips
	DIRTYD_PYTHON=$(CURDIR)/.venv-bench/bin/python cargo bench --locked --bench echo

bench-micro: ## what every call passes, part by part: scheduler, frames, authority, forwarding (ARGS=frames for one)
	cargo bench --locked --features internals --bench micro -- $(ARGS)

bench-peers: load $(BENCH_READY) $(WRK) ## side by side with other systems: writes docs/benchmarks.md (ARGS=--quick to try it, ARGS='--only echo --rounds 3' while you tune)
	.venv-bench/bin/python benches/peers $(ARGS)

# The binary of `make demo` and the load generator of `make test-rust`: after them nothing is built.
bench-instructions: build $(VENV) $(VALGRIND) ## instructions of one Execute, within 5 % of the committed figure (ARGS=--update to commit another)
	cargo build --locked --example load
	.venv/bin/python benches/instructions/instructions.py $(ARGS)

bench-worker: $(VENV) ## instructions and CPU time of one call in the Python worker; needs valgrind
	.venv/bin/python benches/instructions/worker.py
	.venv/bin/python benches/instructions/worker.py --time

## Check

.PHONY: lint lint-rust lint-python lint-go lint-node lint-java lint-proto lint-shell fmt proto
lint: lint-rust lint-python lint-go lint-node lint-java lint-proto lint-shell ## formats, warnings, licences, and that generated code is fresh

lint-rust: $(DENY_READY)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	for features in '' client worker; do \
	    cargo clippy --locked --package dirtyd-client --no-default-features --features "$$features" -- -D warnings; \
	done
	cargo deny --log-level error check bans licenses sources

lint-python: $(VENV)
	ruff check
	ruff format --check

lint-go:
	gofmt -d clients/go tests/stubs/go | diff /dev/null -
	cd clients/go && go vet ./...

lint-node: $(NPM_TOOLS)
	biome check --error-on-warnings

lint-java:
	cd clients/java && mvn -q -B -ntp spotless:check

lint-proto: $(NPM_TOOLS) $(GENERATOR)
	buf lint proto
	buf format --diff --exit-code proto
	tools/fresh

lint-shell: $(VENV)
	git grep -lE '^#!.*\b(ba)?sh$$' | xargs shellcheck

fmt: $(VENV) $(NPM_TOOLS) ## format everything
	cargo fmt --all
	ruff check --fix
	ruff format
	gofmt -w clients/go tests/stubs/go
	biome check --write
	cd clients/java && mvn -q -B -ntp spotless:apply
	buf format --write proto

proto: $(GENERATOR) $(NPM_TOOLS) $(GO_GENERATORS) $(NODE_READY) ## generate the clients' code from proto/
	@for generate in clients/*/generate.sh; do echo $$generate; PYTHON=$(CURDIR)/.tools/generator/bin/python $$generate; done

.PHONY: clean
clean: ## back to a fresh checkout
	cargo clean
	rm -rf .venv .venv-bench .tools clients/node/node_modules clients/node/dist tests/stubs/node/node_modules

## Set-up

.PHONY: venv
venv: $(VENV) ## .venv: the Python package, and what the examples and tests need

$(VENV): clients/python/pyproject.toml tools/requirements.txt examples/embeddings/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --editable 'clients/python[test]' --requirement tools/requirements.txt
	.venv/bin/pip install --quiet --no-deps --requirement examples/embeddings/requirements.txt
	touch $@

$(BENCH_READY): benches/peers/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement $<
	touch $@

$(GENERATOR): tools/generator.txt
	$(PYTHON) -m venv .tools/generator
	.tools/generator/bin/pip install --quiet --requirement $<
	touch $@

$(NPM_TOOLS): tools/package.json tools/package-lock.json tools/.npmrc
	mkdir -p $(@D) .tools/bin
	cp $^ $(@D)
	npm ci --prefix $(@D) --no-audit --no-fund --ignore-scripts
	ln -sf $(CURDIR)/$(@D)/node_modules/@bufbuild/*/bin/buf $(CURDIR)/$(@D)/node_modules/@biomejs/*/biome .tools/bin/
	touch $@

# Without advisories there is no git in it, and it runs for a second: speed of its build is what counts.
$(DENY_READY):
	CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	cargo install cargo-deny@$(CARGO_DENY) --quiet --locked --no-default-features --root .tools
	touch $@

$(GO_GENERATORS):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO)
	GOBIN=$(CURDIR)/.tools/bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC)
	touch $@

$(GRPCURL_READY):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL)
	touch $@

%/node_modules/ready: %/package.json %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --ignore-scripts
	touch $@

$(CHROMIUM): # one that is elsewhere can be named: make CHROMIUM=...
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends chromium

$(SYSTEMD):
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends systemd

$(VALGRIND): # one that is elsewhere can be named: make VALGRIND=...
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends valgrind libc6-dbg

$(WRK): # one that is elsewhere can be named: make WRK=...
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends wrk

$(NLOHMANN_JSON):
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends nlohmann-json3-dev

$(GHZ_READY):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install github.com/bojand/ghz/cmd/ghz@$(GHZ)
	touch $@

$(DEBIAN_STUBS): # what docs/clients.md needs for C++ and Ruby
	mkdir -p $(@D)
	apt-get update --quiet
	apt-get install --quiet --yes --no-install-recommends \
		libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc ruby-grpc ruby-grpc-tools
	touch $@
