# dirtyd. Nothing is set up by hand: each target first makes what it needs, once (make/setup.mk).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
DEBUG := $(CURDIR)/target/debug/dirtyd
WITH_DAEMON := DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python tests/conformance/with-daemon

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

include make/setup.mk

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Build and run

.PHONY: build debug demo
build: ## the daemon, for use: target/release/dirtyd
	cargo build --locked --release

debug: # the daemon, for tests
	cargo build --locked

demo: build $(VENV) ## see it work: embeddings, and text streamed token by token
	@examples/demo/run

## While you work

# Without network, Node, Java and Go, once .venv and target/ are there.
.PHONY: check
check: $(VENV) ## before each commit: formats, warnings, unit tests, types, in under a minute on a warm tree
	cargo fmt --all --check
	ruff check
	ruff format --check
	cd clients/python && mypy
	tools/version
	cargo clippy --locked --offline --workspace --all-targets --all-features -- -D warnings
	cargo test --quiet --locked --offline --workspace --lib

## Test

# Where each client writes the outcomes of the conformance cases.
export DIRTYD_CONFORMANCE_REPORT := $(CURDIR)/target/conformance

.PHONY: test test-rust test-workers test-python test-web test-observe test-go test-node test-page test-java test-examples
test: announce-test no-reports test-rust test-sim test-workers test-python test-web test-observe test-go test-node test-page test-java test-examples test-stubs test-judges test-docs conformance-table ## every test of the daemon, the clients and the examples

test-rust: $(VENV) $(GRPCURL_READY)
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python GRPCURL=$(CURDIR)/.tools/bin/grpcurl cargo test --locked --workspace
	$(FUZZ)

FUZZ := cargo test --locked --features internals --test fuzz
.PHONY: fuzz
fuzz: ## bytes from outside, kept and new ones, against what reads them, all targets at once (SECONDS=600 for ten minutes)
	DIRTYD_FUZZ_SECONDS=$(or $(SECONDS),60) $(FUZZ) -- --nocapture --test-threads=16

SIMULATION := cargo run --quiet --locked --release --features internals --bin simulation
.PHONY: sim sim-faults test-sim
sim: ## stories against the pure machines (SEEDS=10000000 for that many, DURATION=600 for ten minutes, STORY=4711 to tell one)
	SEEDS=$(SEEDS) FIRST=$(FIRST) STORY=$(STORY) DURATION=$(DURATION) $(SIMULATION)

sim-faults: ## puts known faults back, in a copy, and shows that the stories find them
	tests/simulation/faults/run

test-sim: # a minute of stories
	DURATION=60 $(SIMULATION)

test-workers: $(VENV) $(NODE_READY) # every worker runtime against the worker protocol, and all of them in one daemon
	cd clients/node && npm run build
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --test worker_conformance
	cargo build --locked --example rust-worker
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --test mixed -- --include-ignored

test-python: debug $(VENV)
	cd clients/python && pytest
	cd clients/python && DIRTYD_BIN=$(DEBUG) pytest tests/e2e
	$(WITH_DAEMON) pytest --quiet clients/python/tests/conformance

test-web: debug $(WEB_READY) ## the Python client in gunicorn, uvicorn, granian, Django, Flask, Celery and others (FULL=1 for the longer form)
	cd tests/web && DIRTYD_BIN=$(DEBUG) FULL=$(FULL) $(CURDIR)/.venv-web/bin/pytest

test-observe: debug $(VENV) $(PROMETHEUS) ## a real Prometheus scrapes the daemon and fires alerts
	DIRTYD_BIN=$(DEBUG) pytest --quiet tests/observe

test-go: debug $(VENV) $(NPM_TOOLS) $(GO_GENERATORS)
	cd clients/go && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python go test -count=1 ./...
	$(WITH_DAEMON) tests/stubs/go/run

test-node: debug $(VENV) $(NPM_TOOLS) $(NODE_READY) $(NODE_STUB_READY) $(CHROMIUM) $(NGINX)
	cd clients/node && npm run build
	cd clients/node && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python npm test
	cd clients/node && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python npm run conformance
	$(WITH_DAEMON) tests/stubs/node/run

PAGE := DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python CHROMIUM=$(CHROMIUM)
test-page: debug $(VENV) $(PAGE_READY) $(CHROMIUM) # the live page in a browser; target/page has what it looked like
	cd tests/page && $(PAGE) npm test

.PHONY: screenshots
screenshots: debug $(VENV) $(PAGE_READY) $(CHROMIUM) ## docs/page-light.png and docs/page-dark.png, of a daemon under some load
	cd tests/page && $(PAGE) node screenshots.js $(CURDIR)/docs

test-java: debug $(VENV)
	cd clients/java && DIRTYD_BIN=$(DEBUG) DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python mvn -q -B -ntp test
	$(WITH_DAEMON) tests/stubs/kotlin/run

test-examples: $(VENV)
	cd examples && pytest

test-stubs: debug $(VENV) $(GENERATOR) $(DEBIAN_STUBS) $(NLOHMANN_JSON)
	$(WITH_DAEMON) .tools/generator/bin/python tests/stubs/python/stock.py sync
	$(WITH_DAEMON) .tools/generator/bin/python tests/stubs/python/stock.py asyncio
	$(WITH_DAEMON) .tools/generator/bin/python tests/stubs/python/plain.py
	$(WITH_DAEMON) tests/stubs/ruby/run
	$(WITH_DAEMON) tests/stubs/cpp/run

.PHONY: test-judges
test-judges: $(VENV) $(JUDGES) ## programs of others judge the edge: h2spec, grpc-health-probe, connectconformance
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --features internals --test judges

.PHONY: conformance-table no-reports
conformance-table: no-reports test-rust test-python test-go test-node test-java test-stubs ## every conformance case with every client and stock stub
	pytest --quiet tests/conformance
	python tests/conformance/table.py $(DIRTYD_CONFORMANCE_REPORT)

no-reports: # the reports of an earlier run must not count
	rm -rf $(DIRTYD_CONFORMANCE_REPORT)

test-docs: debug $(VENV) $(GRPCURL_READY) $(GHZ_READY) $(GO_GENERATORS) $(DEBIAN_STUBS) $(NGINX) # every block of every page
	pytest --quiet tests/docs
	python tests/docs/run_snippets.py $(DEBUG)

.PHONY: test-hostile
test-hostile: $(VENV) ## an attacker beside a good client, attack by attack; writes the table of docs/security.md; needs root and an idle machine (ONLY=upgrade,planted for these rows)
	DIRTYD_TEST_PYTHON=$(CURDIR)/.venv/bin/python cargo test --locked --release --test hostile -- --full $(if $(ONLY),--only $(ONLY)) --write docs/security.md

.PHONY: test-systemd
test-systemd: debug $(VENV) $(SYSTEMD) ## docs/dirtyd.service under a real systemd, in its own namespaces; needs root, and `make test` leaves it out
	tests/systemd/run $(DEBUG) .venv/bin/python

## Measure

.PHONY: bench bench-observe bench-micro bench-peers bench-instructions bench-worker load
load: # the daemon and the load generator, built as they are measured
	cargo build --locked --release --bin dirtyd --example load

bench: load $(BENCH_READY) ## an echo through a Python worker, beside bare round trips
	DIRTYD_PYTHON=$(CURDIR)/.venv-bench/bin/python cargo bench --locked --bench echo

bench-observe: load $(VENV) ## what metrics, traces, access log and the page cost an echo, beside none of them
	.venv/bin/python benches/observe $(ARGS)

bench-micro: ## each part that a call passes: scheduler, frames, authority, forwarding (ARGS=frames for one)
	cargo bench --locked --features internals --bench micro -- $(ARGS)

bench-peers: load $(BENCH_READY) $(WRK) ## beside other systems; writes docs/benchmarks.md (ARGS=--quick to try it, ARGS='--only echo --rounds 3' to tune, ARGS='--only Python --merge' to renew a part of the page)
	.venv-bench/bin/python benches/peers $(ARGS)

# Uses the binary of `make demo` and the load generator of `make test-rust`, so that after them nothing is built.
bench-instructions: build $(VENV) $(VALGRIND) ## instructions of one Execute, within 2 % of the committed figure (ARGS=--update to commit another), and of a byte by each protocol
	cargo build --locked --example load
	.venv/bin/python benches/instructions/instructions.py $(ARGS)
	.venv/bin/python benches/instructions/bodies.py

bench-worker: $(VENV) $(VALGRIND) ## instructions and CPU time of one call in the Python worker
	.venv/bin/python benches/instructions/worker.py
	.venv/bin/python benches/instructions/worker.py --time

## Check

.PHONY: lint lint-version lint-rust lint-python lint-go lint-node lint-java lint-proto lint-shell fmt proto
lint: lint-version lint-rust lint-python lint-go lint-node lint-java lint-proto lint-shell ## formats, warnings, types, licences, one version, fresh generated code

lint-version:
	tools/version

lint-rust: $(DENY_READY)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	for features in '' client worker json; do \
	    cargo clippy --locked --package dirtyd-client --no-default-features --features "$$features" -- -D warnings; \
	done
	RUSTDOCFLAGS='-D warnings' \
	cargo doc --locked --workspace --no-deps --all-features --document-private-items --quiet
	cargo deny --log-level error check bans licenses sources

lint-python: $(VENV)
	ruff check
	ruff format --check
	cd clients/python && mypy

lint-go:
	gofmt -d clients/go tests/stubs/go | diff /dev/null -
	cd clients/go && go vet ./...

lint-node: $(NPM_TOOLS)
	biome check --error-on-warnings

lint-java:
	cd clients/java && mvn -q -B -ntp spotless:check
	cd tests/stubs/kotlin && mvn -q -B -ntp spotless:check

lint-proto: $(NPM_TOOLS) $(GENERATOR)
	buf lint proto
	buf format --diff --exit-code proto
	tools/fresh

lint-shell: $(VENV)
	git grep -lE '^#!.*\b(ba)?sh$$' | xargs shellcheck

.PHONY: config-docs
config-docs: ## write the tables of docs/configuration.md and docs/dirtyd.schema.json from the declarations of the keys
	BLESS=1 cargo test --locked --lib config::tests::pages

fmt: $(VENV) $(NPM_TOOLS) ## format everything
	cargo fmt --all
	ruff check --fix
	ruff format
	gofmt -w clients/go tests/stubs/go
	biome check --write
	cd clients/java && mvn -q -B -ntp spotless:apply
	cd tests/stubs/kotlin && mvn -q -B -ntp spotless:apply
	buf format --write proto

proto: $(GENERATOR) $(NPM_TOOLS) $(GO_GENERATORS) $(NODE_READY) ## generate the clients' code from proto/
	@for generate in clients/*/generate.sh; do echo $$generate; PYTHON=$(CURDIR)/.tools/generator/bin/python $$generate; done

.PHONY: clean
clean: ## removes all that was built and set up; Debian packages stay
	cargo clean
	rm -rf .venv .venv-bench .venv-web .tools clients/node/node_modules clients/node/dist tests/stubs/node/node_modules tests/page/node_modules
