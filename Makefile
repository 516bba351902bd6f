# The two commands of the README, and what developers run. Everything installs what it needs into .venv; nothing else is touched.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first Python that is new enough and can make virtual environments (some that are on PATH cannot even start).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: demo test bench lint format clean help install

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(STAMP) ## a fleet of markets traded on recorded books, with its page, in about a minute
	@$(BIN)/kabobagool demo

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest

bench: $(STAMP) ## measure everything beside its reference, write build/bench.json
	@$(BIN)/python -m tests.bench

lint: $(STAMP) ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy bot operator
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMP) ## only make the virtual environment

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "kabobagool needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing into $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check -e '.[bot,paper,cli,dev]'
	@touch $(STAMP)

clean: ## remove everything that was made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
