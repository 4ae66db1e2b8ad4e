# Verbs for a clone. Everything runs in .venv, made on first use and made again when the dependencies change.
#   make demo                     a whole campaign, with its report
#   make PYTHON=python3.12 test   with another interpreter

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
WORKERS ?= 2
BENCHMARKS ?= tfbind8 ehrlich

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check docs bench clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core  ## run a small campaign and write runs/demo/report.html
	$(BIN)/seiko run molecules --preset demo --out runs/demo
	$(BIN)/seiko report runs/demo --out runs/demo/report.html

test: $(VENV)/.dev  ## run the quick tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

# Exit code 5 is pytest's "no test was collected".
test-slow: $(VENV)/.dev  ## run the slow tests
	$(BIN)/python -m pytest -n $(WORKERS) -m slow --timeout 1800 || [ $$? -eq 5 ]

check: $(VENV)/.dev  ## lint, format, types, import rules, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: $(VENV)/.dev  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.core  ## measure again; results go to benchmarks/results
	for name in $(BENCHMARKS); do $(BIN)/seiko bench $$name --out benchmarks/results || exit 1; done

clean:  ## remove the environment, caches and build outputs; runs/ holds labels and is kept
	rm -rf $(VENV) build dist site .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("seiko needs Python 3.11 or newer, got " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing seiko into $(VENV) (some minutes the first time)"
	$(PIP) -e '.[molecules]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing seiko and its development tools into $(VENV) (some minutes the first time)"
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.core $@
