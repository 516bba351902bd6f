# The two commands of the README, and what developers run. Everything installs what it needs into .venv; nothing else is touched.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Most tests wait for real processes and clocks, so two fit on two cores; more would make each of them late. All of them must find the
# tests in the same order, whatever that hangs on.
WORKERS ?= 2
CASES ?= 1000000
AUDIT := build/audit
AUDIT_STAMP := $(AUDIT)/.installed
# The first Python that is new enough and can make virtual environments (some that are on PATH cannot even start).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: demo test bench fuzz lint format clean help install images sbom audit test-cluster simulate mutations soak

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(STAMP) ## a fleet of markets traded on recorded books, with its page, in about a minute
	@$(BIN)/kabobagool demo

test: $(STAMP) ## all tests, files of them side by side; WORKERS=0 for one after the other
	@$(BIN)/python -m tests.cluster tests
	@PYTHONHASHSEED=0 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-cluster: $(STAMP) ## the whole thing on a real node, with faults; wants root and Debian, or USE_EXISTING_CLUSTER=1
	@$(BIN)/python -m tests.node prepare
	@$(BIN)/python -m pytest tests/node

simulate: $(STAMP) ## bots through SEEDS=1000 histories of faults, kills and halts, judged by the exchange's books; build/simulation.json
	@$(BIN)/kabobagool simulate --seeds $(or $(SEEDS),1000)

soak: $(STAMP) ## the fleet for MINUTES (60) at real speed through every fault, watched for leaks and stalls; build/soak.json
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),60)

mutations: $(STAMP) ## deliberate bugs in the bot, and which promise of the simulation notices each
	@$(BIN)/python -m tests.simulation.mutations

bench: $(STAMP) ## measure everything beside its reference, write build/bench.json
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## rubbish for every parser, CASES of each (a million by default), write build/fuzz.json; TARGETS="frame tape" for some
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.fuzz --cases $(CASES) $(TARGETS)

lint: $(STAMP) ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy bot operator
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

images: ## the container images, with docker, podman or buildah; IMAGES="bot paper" for some, OPTIONS=--help for more
	@$(PYTHON) -m scripts.build_images $(IMAGES) $(OPTIONS)

sbom: $(AUDIT_STAMP) ## what the images hold, as CycloneDX in build/sbom
	@$(AUDIT)/bin/python -m scripts.sbom $(IMAGES)

audit: $(AUDIT_STAMP) sbom ## known weaknesses of what the images hold, and licences that we must not hand on
	@$(AUDIT)/bin/python -m scripts.audit $(IMAGES)

install: $(STAMP) ## only make the virtual environment

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "kabobagool needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing into $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check -e '.[bot,paper,cli,dev]'
	@touch $(STAMP)

$(AUDIT_STAMP): scripts/audit-requirements.txt
	@echo "installing the auditors into $(AUDIT) (once) ..."
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --no-deps -r scripts/audit-requirements.txt
	@touch $(AUDIT_STAMP)

clean: ## remove everything that was made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
