# `make run` starts everything, `make test` proves it. Each needs Python 3.11+ with venv, and nothing else.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(PYTHON) platform/devkit/install.py
UNCONNECTED := set -a && . tests/unconnected.env &&
export PYTHONPATH := $(CURDIR)/platform

.PHONY: run tour down status test check docs lock bench chaos clean installed installed-dev python
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1 \t/p' Makefile

run: installed ## the whole platform with its servers in .dev/; Ctrl-C stops it
	@$(BIN)/python -m devkit up --with-parent

tour: installed ## a job, a model, the graph, a tool, an agent: through the running platform
	@$(BIN)/python -m devkit tour

down: installed ## stop what `make run` started elsewhere
	@$(BIN)/python -m devkit down

status: installed ## which processes are up
	@$(BIN)/python -m devkit status

test: check ## the checks, then every test on real servers
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

check: installed-dev ## format, lint, types, import contracts, architecture, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture
	$(UNCONNECTED) $(BIN)/python manage.py makemigrations --check --dry-run
	$(UNCONNECTED) $(BIN)/mypy

docs: installed-dev ## regenerate docs/reference from the code
	$(UNCONNECTED) $(BIN)/python manage.py write_reference

bench: installed-dev ## every benchmark, with its peers
	$(BIN)/python benchmarks/all.py

chaos: installed-dev ## the long fault-injection run
	$(BIN)/python -m pytest tests/chaos --chaos-long

lock: ## pin what requirements/*.txt allow today
	$(PYTHON) -m venv .dev/uv && .dev/uv/bin/pip install --quiet uv
	cd requirements && for name in base dev embedded; do ../.dev/uv/bin/uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes $$name.txt -o $$name.lock || exit 1; done

clean: ## remove the virtual environment, all data and all caches
	@! test -e .dev/lock || $(BIN)/python -m devkit down
	rm -rf .venv .dev .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

installed: python
	@$(INSTALL) base embedded

installed-dev: python
	@$(INSTALL) base embedded dev

python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: Python 3.11 or newer is needed."; exit 1; }
