# Every target sets up what it needs. Start with `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
PIP_FLAGS := --disable-pip-version-check --quiet --quiet --no-deps --require-hashes
STEP ?=
EVENT ?=

.PHONY: help python-version setup demo test test-faults test-properties bench check lint types fresh-docs docs format invoke evaluate lab clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: $(VENV)/.stamp $(SAM_VENV)/.stamp ## install everything, locked and hashed, into .venv

python-version:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11 to 3.13 is needed, and $(PYTHON) is another: make ... PYTHON=python3.13"; exit 1; }

$(VENV)/.stamp: requirements/dev.txt pyproject.toml | python-version
	@echo "Installing the locked tools into $(VENV) (about a minute, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(SAM_VENV)/.stamp: requirements/sam.txt | python-version
	@echo "Installing aws-sam-cli into $(SAM_VENV) (half a minute, once) ..."
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements/sam.txt
	@touch $@

$(BIN)/sam: $(VENV)/.stamp $(SAM_VENV)/.stamp
	@ln -sf ../../$(SAM_VENV)/bin/sam $@

demo: $(BIN)/sam ## break real functions in the lab and watch them being repaired
	@$(BIN)/autorepair demo

lab: $(BIN)/sam ## keep a lab running until you stop it
	@$(BIN)/autorepair lab up

# Three workers on two cores: the end-to-end tests mostly wait.
WORKERS := --numprocesses 3 --dist loadfile
FAULT_TESTS := tests/e2e/test_denied.py tests/e2e/test_killed_in_the_middle.py

test: $(BIN)/sam ## all tests but test-faults, and the coverage of the inner rooms
	@$(BIN)/python -m pytest $(WORKERS) $(addprefix --ignore ,$(FAULT_TESTS)) \
		--cov-branch --cov-fail-under 90 $(foreach room,domain causes repairs steps,--cov autorepair.$(room))

test-faults: $(BIN)/sam ## every call of every step denied, every write killed (minutes more)
	@$(BIN)/python -m pytest $(WORKERS) $(FAULT_TESTS)

PROPERTY_TESTS := $(addprefix tests/property/test_,$(addsuffix _properties.py,repairs decision environment release))

test-properties: $(VENV)/.stamp ## the properties of plans and decisions, on 10,000 examples each (minutes)
	@$(BIN)/python -m pytest --numprocesses 2 --hypothesis-profile thorough $(PROPERTY_TESTS)

bench: $(VENV)/.stamp ## simulate sizes and verdicts, and write docs/measurements.md anew (minutes)
	@$(BIN)/python -m benchmarks docs/measurements.md

invoke: $(BIN)/sam ## run one step with its sample event: make invoke STEP=ParseAlarmEvent
	@$(BIN)/autorepair invoke "$(STEP)" $(if $(EVENT),--event "$(EVENT)")

CASES ?= tests/cases

evaluate: $(VENV)/.stamp ## run the diagnosis on recorded cases: make evaluate CASES=dir
	@$(BIN)/autorepair evaluate "$(CASES)" --out build/evaluation.jsonl

check: lint types fresh-docs ## format, lint, strict types, generated docs

lint: $(VENV)/.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.stamp
	@$(BIN)/mypy

fresh-docs: $(VENV)/.stamp
	@$(BIN)/autorepair docs --check

docs: $(VENV)/.stamp ## write the generated pages anew
	@$(BIN)/autorepair docs

format: $(VENV)/.stamp ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove what was installed and built
	rm -rf $(VENV) $(SAM_VENV) .aws-sam build .pytest_cache .mypy_cache .ruff_cache .hypothesis
