# Every target sets up what it needs from a clean clone: the virtual environment, locked
# dependencies and tools. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OF_DOMAIN := tests/domain tests/stories tests/explaining tests/cli
PROPERTIES := $(wildcard tests/domain/*_properties.py)
OTHERS := $(filter-out $(OF_DOMAIN),$(patsubst %/,%,$(wildcard tests/*/)) $(wildcard tests/test_*.py))
CRD := manifests/crd/scaler.bud.studio_budaiscalers.yaml

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: venv
venv: $(STAMP) ## Create the virtual environment from the lock

.PHONY: check
check: $(STAMP) ## Format, lint, types, layers, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/budaiscaler crd | diff -u $(CRD) - || { echo "run: make generate" >&2; exit 1; }

.PHONY: generate
generate: $(STAMP) ## Write the generated files
	$(BIN)/budaiscaler crd > $(CRD)

.PHONY: test
test: $(STAMP) ## Unit, property and integration tests; those of the domain take each of its branches
	$(BIN)/python -m pytest -n 2 $(OTHERS) $(PROPERTIES)
	$(BIN)/python -m pytest -n 2 $(OF_DOMAIN) $(addprefix --ignore=,$(PROPERTIES)) --cov

.PHONY: demo
demo: $(STAMP) ## Everything on a screen, without a cluster; ARGS="--scenario outage" and the like
	@$(BIN)/budaiscaler demo $(ARGS)

.PHONY: picture
picture: $(STAMP) ## Picture and transcript of the demo, for the README
	$(BIN)/python docs/make_demo_picture.py

.PHONY: e2e-build
e2e-build: $(STAMP) ## Build the control plane of the end-to-end tests, or say what that needs
	$(BIN)/python -m e2e.cluster build

.PHONY: e2e
e2e: e2e-build ## End-to-end tests against a real control plane and a real Prometheus
	$(BIN)/python -m pytest -m "not slow" e2e

.PHONY: e2e-full
e2e-full: e2e-build ## All of them, those that take minutes too
	$(BIN)/python -m pytest e2e

.PHONY: e2e-up
e2e-up: $(STAMP) ## Start a real control plane to play with; prints its KUBECONFIG
	@$(BIN)/python -m e2e.cluster up

.PHONY: e2e-down
e2e-down: $(STAMP) ## Stop it
	@$(BIN)/python -m e2e.cluster down

.PHONY: bench
bench: e2e-build ## Speed, as ratios measured side by side in one run
	$(BIN)/python -m bench

.PHONY: lock
lock: $(STAMP) ## Renew the lock files from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements/dev.txt
	echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraints requirements/dev.txt - -o requirements/build.txt

.PHONY: clean
clean: ## Remove what the targets made here
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
