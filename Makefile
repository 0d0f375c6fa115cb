# The short names of everyday work; CMakePresets.json has the rest. Every target installs what it needs from Debian
# first (deploy/install-deps.sh: a no-op when nothing is missing, one line when we may not).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

# make run CGROUP=/sys/fs/cgroup/system.slice ARGS='--log.level=debug'
CGROUP ?=
ARGS ?=
# make fuzz SECONDS=600: how long each fuzzer runs.
SECONDS ?= 60
# make test SUITES='release kernels': tests/run.py --help names them.
SUITES ?=
# make lint FILES='base/log.cc': default, what differs from main; ALL=1 for every file.
FILES ?=
ALL ?=

export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

DEPS := deploy/install-deps.sh

.PHONY: build run demo test test-kernels fuzz bench fmt lint deps clean

build: ## build/wiregauge, optimised, with debug information
	@$(DEPS) runtime build
	@[[ -f build/release/build.ninja ]] || cmake --preset release
	@ninja -C build/release wiregauge
	@ln -sfn release/wiregauge build/wiregauge

run: build ## wiregauge on this host, or on the sockets of one cgroup
	@exec build/wiregauge $(if $(CGROUP),'--exporter.cgroup=$(CGROUP)') $(ARGS)

demo: build ## a small system to look at: nginx, redis and clients in namespaces of their own; Ctrl-C removes it
	@$(DEPS) demo
	@exec python3 deploy/demo/demo.py

test: ## everything, counted in the last line
	@$(DEPS) runtime build test
	@exec python3 tests/run.py $(SUITES)

test-kernels: ## the exactness tests inside qemu, on each kernel of tests/kernels/kernels.list
	@$(DEPS) runtime build test
	@exec python3 tests/run.py kernels

fuzz: ## each libFuzzer target for SECONDS, new inputs kept in build/fuzz/corpus
	@$(DEPS) build test
	@exec python3 tests/run.py fuzz --fuzz-seconds=$(SECONDS)

bench: build ## the measurements of bench/README.md; not a test
	@$(DEPS) build bench
	@exec bench/run $(ARGS)

fmt: ## clang-format on every source file
	@$(DEPS) test
	@git ls-files -co --exclude-standard '*.cc' '*.h' '*.c' | xargs -r clang-format-14 -i

lint: ## formatting, clang-tidy and shellcheck, on what differs from main (FILES=..., ALL=1)
	@$(DEPS) build test
	@exec python3 tests/tools/lint.py $(if $(ALL),--all) $(FILES)

deps: ## everything that any target needs
	@$(DEPS) runtime build test demo bench

clean: ## build/ only; data/ is yours
	@rm -rf build
