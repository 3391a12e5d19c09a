# Berth's everyday commands. `make help` lists them.
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help demo test bench lint fmt deny schema picture controlplane need-git need-cargo need-ssh need-go

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

need-git:
	@command -v git >/dev/null || { echo "make: git is missing; install it with your system's packages (Debian: apt-get install git)" >&2; exit 1; }

need-cargo: need-git
	@command -v $(CARGO) >/dev/null || { echo "make: cargo is missing; install Rust as https://rustup.rs says, then run this again" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make: a C compiler is missing; install one (Debian: apt-get install gcc libc6-dev)" >&2; exit 1; }

need-ssh:
	@command -v ssh >/dev/null || { echo "make: ssh is missing; install it (Debian: apt-get install openssh-client)" >&2; exit 1; }
	@PATH="$$PATH:/usr/sbin" command -v sshd >/dev/null || { echo "make: sshd is missing, which the tests start on the loopback; install it (Debian: apt-get install openssh-server)" >&2; exit 1; }

need-go:
	@command -v go >/dev/null || { echo "make: Go is missing, and the tests run on a real Kubernetes control plane that it builds; install 1.26 or newer from https://go.dev/dl (from 1.21 on, Go fetches the version that it needs)" >&2; exit 1; }

demo: need-cargo ## The main job on the embedded sandbox: commits become pods become status commits
	$(CARGO) run --locked --quiet -p berth -- demo $(ARGS)

test: need-cargo need-ssh need-go ## Format, lints and every test, on the sandbox and on a real control plane
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --quiet -- -D warnings
	@CARGO=$(CARGO) tests/deny
	tests/controlplane/build
	@BERTH_CONTROLPLANE=required CARGO=$(CARGO) tests/run

# Empty if only the sandbox is asked for.
BENCH_REAL = $(if $(findstring --on sandbox,$(ARGS)),,yes)

bench: need-cargo $(if $(BENCH_REAL),need-go) ## Benchmarks against the goals, also on a real control plane (ARGS="--on sandbox": not)
	$(if $(BENCH_REAL),tests/controlplane/build)
	$(CARGO) build --locked --profile bench --quiet -p berth -p berth-tests --bin berth --bin bench
	$(if $(BENCH_REAL),BERTH_CONTROLPLANE=required )$${CARGO_TARGET_DIR:-target}/release/bench $(ARGS)

lint: need-cargo deny ## Clippy, format, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny: need-cargo ## Licences, sources and banned dependencies
	@command -v cargo-deny >/dev/null || { echo "make: cargo-deny is missing; install it with: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny check bans licenses sources

fmt: need-cargo ## Format the code
	$(CARGO) fmt --all

schema: need-cargo ## Write the generated files again: schemas, reference pages
	BERTH_BLESS=1 $(CARGO) test --locked --quiet -p berth-core -p berth-cluster -p berth -- committed

picture: need-cargo ## Draw docs/demo.svg from a run of the demo
	docs/draw-demo

controlplane: need-go ## Build the real control plane for the tests into target/controlplane/bin, once
	@tests/controlplane/build

.PHONY: controlplane-node node-test need-node

need-node:
	@tests/controlplane/node/need

# Also the parts of one real node.
controlplane-node:
	@tests/controlplane/build node

node-test: need-cargo need-node controlplane-node ## Berth on one real node, with real containers (needs root, packages, Go)
	BERTH_NODE=required $(CARGO) test --locked -p berth-tests --test node
