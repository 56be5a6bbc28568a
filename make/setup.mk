# What the targets of the Makefile need, and how it comes here. Each is a file: a new version, or a changed list of pins,
# makes it anew. All of it lies in this directory, except for the Debian packages below.

CARGO_DENY := 0.20.2
GRPCURL := v1.9.4
PROTOC_GEN_GO := v1.36.12
PROTOC_GEN_GO_GRPC := v1.6.2
PROTOC_GEN_CONNECT_GO := v1.21.1
GHZ := v0.93.0
H2SPEC := v2.2.1+incompatible
GRPC_HEALTH_PROBE := v0.4.63
CONNECTCONFORMANCE := v1.0.7

VENV := .venv/ready
BENCH_READY := .venv-bench/ready
WEB_READY := .venv-web/ready
GENERATOR := .tools/generator/ready
NPM_TOOLS := .tools/npm/ready
DENY_READY := .tools/cargo-deny-$(CARGO_DENY)
GRPCURL_READY := .tools/grpcurl-$(GRPCURL)
GO_GENERATORS := .tools/protoc-gen-go-$(PROTOC_GEN_GO)-$(PROTOC_GEN_GO_GRPC)-$(PROTOC_GEN_CONNECT_GO)
GHZ_READY := .tools/ghz-$(GHZ)
JUDGES := .tools/judges-$(H2SPEC)-$(GRPC_HEALTH_PROBE)-$(CONNECTCONFORMANCE)
NODE_READY := clients/node/node_modules/ready
NODE_STUB_READY := tests/stubs/node/node_modules/ready
PAGE_READY := tests/page/node_modules/ready

## Debian packages: all that is installed with apt, and so outside of this directory

# A program that is elsewhere can be named, for example `make test CHROMIUM=/opt/chromium/chrome`.
CHROMIUM ?= /usr/bin/chromium
NGINX ?= /usr/sbin/nginx
PROMETHEUS ?= /usr/bin/prometheus
SYSTEMD := /lib/systemd/systemd
VALGRIND ?= /usr/bin/valgrind
WRK ?= /usr/bin/wrk
NLOHMANN_JSON := /usr/include/nlohmann/json.hpp
GRPC_CPP := /usr/include/grpcpp/grpcpp.h
GRPC_CPP_PLUGIN := /usr/bin/grpc_cpp_plugin
GRPC_RUBY := /usr/bin/grpc_tools_ruby_protoc
DEBIAN_STUBS := $(GRPC_CPP) $(GRPC_CPP_PLUGIN) $(GRPC_RUBY)

# Who needs it | a file that shows that it is there | packages | why. tools/apt reads the table.
define DEBIAN_PACKAGES
test               | $(CHROMIUM)        | chromium                       | a page in a browser calls through the Node client, and the daemon's own page
test               | $(NGINX)           | nginx                          | a page in a browser calls through it, and docs/clients.md does
test               | $(PROMETHEUS)      | prometheus                     | scrapes the daemon, and checks the alerts of docs/observability
test               | $(NLOHMANN_JSON)   | nlohmann-json3-dev             | the C++ stub reads the conformance cases
test               | $(GRPC_CPP)        | libgrpc++-dev libprotobuf-dev  | the C++ stub, and the C++ of docs/clients.md
test               | $(GRPC_CPP_PLUGIN) | protobuf-compiler-grpc         | generates the code of both
test               | $(GRPC_RUBY)       | ruby-grpc ruby-grpc-tools      | the Ruby stub, and the Ruby of docs/clients.md
test-systemd       | $(SYSTEMD)         | systemd                        | runs docs/dirtyd.service
bench-instructions | $(VALGRIND)        | valgrind libc6-dbg             | counts the instructions of a call
bench-peers        | $(WRK)             | wrk                            | loads the systems that speak HTTP
endef
export DEBIAN_PACKAGES

.PHONY: announce-test
announce-test: # says what `make test` is going to install, before anything else
	@tools/apt missing test

$(CHROMIUM) $(NGINX) $(PROMETHEUS) $(SYSTEMD) $(VALGRIND) $(WRK) $(NLOHMANN_JSON) $(DEBIAN_STUBS):
	@tools/apt install $@

## Python

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

$(WEB_READY): clients/python/pyproject.toml tests/web/requirements.txt
	$(PYTHON) -m venv .venv-web
	.venv-web/bin/pip install --quiet --editable clients/python --requirement tests/web/requirements.txt
	touch $@

$(GENERATOR): tools/generator.txt
	$(PYTHON) -m venv .tools/generator
	.tools/generator/bin/pip install --quiet --requirement $<
	touch $@

## Node

$(NPM_TOOLS): tools/package.json tools/package-lock.json tools/.npmrc
	mkdir -p $(@D) .tools/bin
	cp $^ $(@D)
	npm ci --prefix $(@D) --no-audit --no-fund --ignore-scripts
	ln -sf $(CURDIR)/$(@D)/node_modules/@bufbuild/*/bin/buf $(CURDIR)/$(@D)/node_modules/@biomejs/*/biome .tools/bin/
	touch $@

%/node_modules/ready: %/package.json %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --ignore-scripts
	touch $@

## Rust and Go programs

# cargo-deny runs for a second and is built without git (nothing checks advisories), so a fast build is what counts.
$(DENY_READY):
	CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	cargo install cargo-deny@$(CARGO_DENY) --quiet --locked --no-default-features --root .tools
	touch $@

$(GO_GENERATORS):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO)
	GOBIN=$(CURDIR)/.tools/bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC)
	GOBIN=$(CURDIR)/.tools/bin go install connectrpc.com/connect/cmd/protoc-gen-connect-go@$(PROTOC_GEN_CONNECT_GO)
	touch $@

$(GRPCURL_READY):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL)
	touch $@

$(GHZ_READY):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install github.com/bojand/ghz/cmd/ghz@$(GHZ)
	touch $@

# The newest h2spec that is a Go module.
$(JUDGES):
	mkdir -p .tools/bin
	GOBIN=$(CURDIR)/.tools/bin go install github.com/summerwind/h2spec/cmd/h2spec@$(H2SPEC)
	GOBIN=$(CURDIR)/.tools/bin go install github.com/grpc-ecosystem/grpc-health-probe@$(GRPC_HEALTH_PROBE)
	GOBIN=$(CURDIR)/.tools/bin go install connectrpc.com/conformance/cmd/connectconformance@$(CONNECTCONFORMANCE)
	touch $@
