# Everything a newcomer runs. Needs Python 3.11 or newer, make and git; the rest goes into .venv,
# node_modules and var below this folder. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PORT ?= 8000
MODEL ?= smollm2-135m
NAME ?= tasks
ROUND ?= smollm2-round
ARGS ?=
TORCH_INDEX ?=
DATA ?= ../shared/data

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
CHROMIUM ?= $(shell for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do \
	command -v $$name && break; done)

BIN := .venv/bin
# Takes half as long to install things as the one that Python 3.11 brings.
PIP_VERSION := 26.3
MANAGE := $(BIN)/python manage.py
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST := $(BIN)/python -m pytest
# Each of the two has a site of its own.
BROWSER_TESTS := $(PYTEST) tests/journeys -n 2 -q --output var/test/browser --screenshot only-on-failure
export OASST_TEST_DATA ?= $(DATA)
export CHROMIUM
# Packages are compiled when they are first used, and that is kept, whatever the shell says: else
# every program would compile all of torch again, which takes longer than most of them run.
export PYTHONDONTWRITEBYTECODE :=

# Set-up: each stamp is younger than what it was made from, so a second run costs nothing.

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is needed (Debian: apt install python3-venv)"; exit 1; }
	@$(PIP) pip==$(PIP_VERSION) || echo "Going on with the pip that Python brings."
	@touch $@

.venv/.installed: requirements.txt .venv/.made
	@echo "Installing Python packages …"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing packages for tests and checks …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Without an NVIDIA driver the CPU build of torch saves gigabytes, where the index has one on offer.
.venv/.installed-ml: requirements-ml.txt .venv/.installed
	@echo "Installing packages for models …"
	@torch="$$(grep '^torch==' requirements-ml.txt)"; \
	if [ -n "$(TORCH_INDEX)" ]; then $(PIP) --extra-index-url $(TORCH_INDEX) "$$torch"; \
	elif command -v nvidia-smi >/dev/null; then $(PIP) "$$torch"; \
	else $(PIP) "$$torch+cpu" 2>/dev/null || $(PIP) "$$torch"; fi
	@$(PIP) -r requirements-ml.txt
	@touch $@

node_modules/.installed: package.json package-lock.json .venv/.made
	@command -v npm >/dev/null || [ -x $(BIN)/npm ] || { echo "Installing node into .venv …"; $(PIP) -r requirements-node.txt; }
	@echo "Installing front-end files …"
	@PATH="$$PATH:$$PWD/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: help demo setup setup-dev ml model round test test-unit test-browser test-fast test-full looks bench
.PHONY: messages lint-messages
.PHONY: lint lint-without-models lint-python lint-types lint-imports lint-templates lint-migrations lint-deployment format clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/.installed node_modules/.installed  ## Install what the site needs

setup-dev: .venv/.installed-dev node_modules/.installed  ## Install what tests and checks need

ml: .venv/.installed-ml  ## Install what training and inference need (TORCH_INDEX= for another build of torch)

demo: export SITE_URL ?= http://localhost:$(PORT)
demo: setup $(if $(MODEL),ml)  ## Set up, fill and run the site until Ctrl-C (PORT=8000 MODEL=smollm2-135m, or MODEL= for none)
	@[ -z "$(MODEL)" ] || $(MANAGE) fetch_model $(MODEL)
	@$(MANAGE) migrate --verbosity 0
	@echo "Filling the site with a demonstration …"
	@LOG_LEVEL=WARNING $(MANAGE) seed_demo
	@LOG_LEVEL=WARNING $(MANAGE) seed_leaderboard
	@LOG_LEVEL=WARNING $(MANAGE) seed_snapshot
	@[ -z "$(MODEL)" ] || $(MANAGE) promote_model $(MODEL) --name $(MODEL)
	@LOG_LEVEL=$${LOG_LEVEL:-WARNING} exec $(MANAGE) supervise --port $(PORT) $(if $(MODEL),--model $(MODEL)) --sign-in alice@example.org mona@example.org root@example.org

# DATA has a default for the tests; here only one that somebody gave counts.
round: setup model  ## Run a round of training (ROUND=smollm2-round, DATA=file or folder; else the site's own data)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) run_round $(ROUND) $(if $(filter file,$(origin DATA)),,data=$(DATA)) --now $(ARGS)

# Tests

test: setup-dev ml model  ## Run the whole suite: unit tests, then the browser
	@status=0; \
	$(MAKE) --no-print-directory test-unit || status=1; \
	$(MAKE) --no-print-directory test-browser || status=1; \
	OASST_VAR_DIR=var/test $(MANAGE) services stop --if-unused >/dev/null; \
	exit $$status

test-unit: setup-dev ml
	@$(PYTEST) tests --ignore=tests/journeys -n 2 -q -m "not full and not gpu" $(ARGS)

test-browser: setup-dev
	@if [ ! -d tests/journeys ]; then true; \
	elif [ -n "$(CHROMIUM)" ]; then $(BROWSER_TESTS) -m "not full" $(ARGS); \
	else echo "Not run: the browser tests (tests/journeys), for want of Chromium on PATH or in CHROMIUM."; fi

test-fast: setup-dev ml  ## Run the tests that need neither browser nor model nor patience
	@$(PYTEST) tests --ignore=tests/journeys --ignore=tests/chat_app/inference -n 2 -q -m "not full and not slow and not real_data and not gpu and not real_model" $(ARGS)

test-full: setup-dev ml model  ## Run every variant of every test; takes long
	@status=0; \
	$(PYTEST) tests --ignore=tests/journeys -n 2 -q -m "not gpu" $(ARGS) || status=1; \
	$(BROWSER_TESTS) $(ARGS) || status=1; \
	exit $$status

looks: setup-dev  ## Compare ten key pages with their pictures in var/looks (ARGS=accept to take new ones)
	@LOOKS=$(ARGS) $(PYTEST) tests/journeys/test_appearance.py -q

# The small real model; tests that need it say so where it cannot be fetched.
model: ml
	@$(MANAGE) fetch_model smollm2-135m || echo "Not run: the tests of the real model."

bench: setup-dev ml  ## Run a benchmark (NAME=tasks, ARGS="--messages 10000")
	@$(BIN)/python -m tests.benchmarks $(NAME) --json $(ARGS)

# Checks; .ci/run runs them beside other things
TIMED = TIMEFORMAT="%4R s  $@"; time

lint: lint-without-models lint-types  ## Run all checks

# What needs no package of `make ml`.
lint-without-models: lint-python lint-imports lint-templates lint-messages lint-migrations lint-deployment

lint-python: setup-dev
	@$(TIMED) { $(BIN)/ruff check . && $(BIN)/ruff format --check .; }

lint-types: setup-dev
	@$(TIMED) $(BIN)/mypy

lint-imports: setup-dev
	@$(TIMED) $(BIN)/lint-imports

lint-templates: setup-dev
	@$(TIMED) $(BIN)/djlint templates --lint --quiet

# Catalogues of translations hold what the sources do; those of languages on offer are complete.
lint-messages: setup-dev
	@$(TIMED) $(MANAGE) messages --check

lint-migrations: setup-dev
	@$(TIMED) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

lint-deployment: export DEBUG = false
lint-deployment: export SECRET_KEY = only-for-this-check-k3YvR7w9QzT2mXc5BnL8pJ4hG6fD1sAa
lint-deployment: export ALLOWED_HOSTS = assistant.example
lint-deployment: export SITE_URL = https://assistant.example
lint-deployment: export DATABASE_URL = postgresql://db.example/oasst
lint-deployment: export REDIS_URL = redis://cache.example:6379/0
lint-deployment: export EMAIL_URL = smtp://mail.example:25
lint-deployment: setup-dev
	@$(TIMED) $(MANAGE) check --deploy --fail-level WARNING

messages: setup  ## Bring the catalogues of translations up to the sources (ARGS="pt-br" for a new language)
	@$(MANAGE) messages $(ARGS)

format: setup-dev  ## Format the Python code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## Remove all that make has made, the demo's data included
	@[ ! -x $(BIN)/python ] || $(MANAGE) services stop >/dev/null
	@[ ! -x $(BIN)/python ] || OASST_VAR_DIR=var/test $(MANAGE) services stop >/dev/null
	@rm -rf .venv node_modules staticfiles var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
