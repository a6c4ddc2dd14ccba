# Two commands do everything: `make serve` and `make test`. Each sets up what it needs, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Our kernels are in C. Without a compiler, pip installs one; -target keeps it from using this CPU's own instructions.
# -I, because pip hides installed packages from its build processes.
ZIG := $(abspath $(VENV))/bin/python -I -m ziglang cc -target $(shell uname -m)-linux-gnu
HAS_COMPILER := $(or $(shell command -v cc),$(filter environment,$(origin CC)))
INSTALL_EDITABLE := $(if $(HAS_COMPILER),,CC="$(ZIG)" LDSHARED="$(ZIG) -shared") $(INSTALL) --editable

.DEFAULT_GOAL := help
.PHONY: help serve test test-all test-ecosystem test-containers check audit docs soak format picture sbom clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/.serve ## Set up, and start the service with the shipped weights.
	@exec $(BIN)/python -m app

# Two processes, for two cores. Each works through a contiguous part of the tests, so that few fixtures are set up twice.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=worksteal --ignore=tests/ecosystem --ignore=tests/containers

STARTED := $(shell date +%s)
TELL_TIME = code=$$?; echo "make $@: $$(($$(date +%s) - $(STARTED))) s"; exit $$code

test: check ## Set up, check format, style, types and layers, and run all but the slow tests.
	@$(PYTEST) -m "not slow"; $(TELL_TIME)

test-all: check ## The same with the slow tests and coverage, except tests with real peers.
	@$(PYTEST) --cov --cov-report=term:skip-covered; $(TELL_TIME)

test-ecosystem: $(VENV)/.ecosystem $(VENV)/.label-studio $(VENV)/.labelme ## Set up, and test with the real peers: Ray, Kubernetes' tools, tritonclient, pycocotools and others.
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest tests/ecosystem

test-containers: $(VENV)/.test ## Build the images and run them, with the Docker engine that is there or its own (root, Debian).
	@$(BIN)/python -m pytest tests/containers; $(TELL_TIME)

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml app model training benchmarks deploy examples
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

audit: $(VENV)/.test ## Check the pinned versions for known vulnerabilities (asks the package index).
	$(INSTALL) pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

docs: $(VENV)/.test ## Build the documentation into site/; it needs no internet.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

soak: $(VENV)/.soak ## Run the long forms of the reliability proofs (hours, Linux); see docs/reliability.md.
	$(BIN)/python -m benchmarks.reliability.soak

format: $(VENV)/.test ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

picture: $(VENV)/.serve ## Make the README's picture with the running service.
	$(BIN)/python -m examples.picture examples/cat.jpg docs/cat.png

sbom: $(VENV)/.test ## List the image's packages and their licences (CycloneDX, sbom.json).
	@$(BIN)/python -m deploy.sbom sbom.json

clean: ## Remove the virtual environment and caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@echo "Setting up $(VENV); the first time this takes some minutes ..."
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.serve: $(VENV)/.made pyproject.toml constraints.txt app/__init__.py model/kernels/winograd.c
	$(if $(HAS_COMPILER),,$(INSTALL) ziglang)
	$(INSTALL_EDITABLE) .
	@touch $@

$(VENV)/.test: $(VENV)/.serve
	$(INSTALL_EDITABLE) '.[test]'
	@touch $@

$(VENV)/.ecosystem: $(VENV)/.test tests/ecosystem/programs.py tests/ecosystem/requirements-programs.txt
	$(INSTALL_EDITABLE) '.[ecosystem]'
	$(BIN)/python -m tests.ecosystem.programs $(BIN)
	@touch $@

# Their requirements contradict ours, so each has an environment of its own.
$(VENV)/.label-studio $(VENV)/.labelme: $(VENV)/.%: $(VENV)/.made tests/ecosystem/requirements-%.txt
	$(PYTHON) -m venv $(VENV)/$*
	$(VENV)/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/ecosystem/requirements-$*.txt
	@touch $@

$(VENV)/.soak: $(VENV)/.test
	$(INSTALL_EDITABLE) '.[fuzz]'
	@touch $@
