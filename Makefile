# Needs Python 3.11 or newer and make. Everything else is installed into .venv, by hash.
PYTHON ?= python3
# Of the tests; one more than a small machine has processors, because some wait for a deadline.
WORKERS ?= 3
# Of what `make package` makes, as the parameters Architecture and Runtime of infra/template.yaml.
ARCHITECTURE ?= arm64
RUNTIME ?= 3.13

BIN := .venv/bin
READY := .venv/.ready
CODE := $(wildcard jitcloud functions tests)
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-config --no-header --no-annotate --no-emit-index-url --no-emit-find-links
MACHINE := $(if $(filter x86_64,$(ARCHITECTURE)),x86_64,aarch64)

# Tests start some hundred processes, and what was compiled once need not be again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-long lint bench bench-quick simulate mutants mutation-score guarantees package lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(READY) ## access asked for, given, used and taken back, on this machine alone
	@$(BIN)/jitcloud demo
	@$(BIN)/jitcloud demo --fleet infra/template.yaml

test: $(READY) ## all tests but the long ones
	@$(BIN)/python -m pytest -n $(WORKERS)

test-long: $(READY) ## the long tests alone
	@$(BIN)/python -m pytest -n $(WORKERS) -m long

lint: $(READY) ## form, rules, types, and which module may import which
	@$(BIN)/ruff format --quiet --check $(CODE)
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/mypy --no-error-summary $(CODE)
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }

bench: $(READY) ## how fast, how late and how dear: docs/benchmarks
	@$(BIN)/python -m tests.bench --report docs/benchmarks

bench-quick: $(READY) ## some of that in less than two minutes: build/benchmarks
	@$(BIN)/python -m tests.bench --quick --report build/benchmarks

simulate: $(READY) ## whole lifetimes under faults: N=how many SEED=the first; SEED alone tells its story
	@$(BIN)/python -m tests.simulation $(if $(N),$(N) $(or $(SEED),1),$(if $(SEED),--seed $(SEED))) \
		$(if $(CORES),--cores $(CORES)) $(if $(MINUTES),--minutes $(MINUTES)) $(WITHOUT)

mutants: $(READY) ## put in each bug that is kept here, and see that tests find it
	@$(BIN)/python -m tests.mutations

mutation-score: $(READY) ## how many small changes of the core the tests find
	@$(BIN)/python -m tests.mutations.score --each 60 --minutes 12

guarantees: $(READY) ## write anew what docs/guarantees.md has from the tests
	@$(BIN)/python -m tests.docs.guarantees --write

# Libraries are installed by hash, for Lambda and not for this machine.
package: $(READY) ## what is deployed on Lambda, in build/: CONFIG=folder of jitcloud.toml
	@$(BIN)/python -m jitcloud.packaging $(CONFIG)
	@$(PIP) install --require-hashes --no-deps --no-compile --only-binary :all: \
		--platform manylinux2014_$(MACHINE) --platform manylinux_2_28_$(MACHINE) \
		--implementation cp --python-version $(RUNTIME) \
		--target build/code -r functions/requirements.txt
	@python$(RUNTIME) -m compileall -q --invalidation-mode unchecked-hash build/code 2>/dev/null || \
		echo 'python$(RUNTIME) is not here to compile the code: functions will start more slowly.'

lock: $(READY) ## write all lists of requirements anew; LOCK=--upgrade takes newer versions
	@$(PIP) install uv
	@$(COMPILE) $(LOCK) --extra api --extra aws --extra cli --extra emulators --group dev \
		--output-file requirements-dev.txt pyproject.toml >/dev/null
	@$(COMPILE) $(LOCK) --extra api --extra aws --constraint requirements-dev.txt \
		--output-file functions/requirements.txt pyproject.toml >/dev/null
	@$(COMPILE) $(LOCK) --extra api --extra aws --extra cli --constraint requirements-dev.txt \
		--output-file infra/container/requirements.txt pyproject.toml >/dev/null
	@$(COMPILE) $(LOCK) --group build --constraint requirements-dev.txt \
		--output-file infra/container/requirements-build.txt >/dev/null

clean: ## take away .venv and all that the tools left behind
	@rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache build dist htmlcov
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'jitcloud needs Python 3.11 or newer; say where it is: make PYTHON=/path/to/python3' >&2; \
		exit 1; }
	@echo 'setting up .venv ...'
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes --no-deps -r requirements-dev.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@
