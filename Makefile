# Each target does all of its own set-up, from a fresh clone, with Python 3.11 or later.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	{ command -v "$$python"; break; }; done)
TESTS ?= tests

.PHONY: demo test test-slow bench lint chromium clean

demo: $(VENV)/.installed
	@exec $(BIN)/python manage.py quickstart

test: chromium $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not slow" $(TESTS)

test-slow: chromium $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow --timeout 900 $(TESTS)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

# The settings make keys where they look for them, so lint looks into a home that goes away.
lint: $(VENV)/.installed-dev
	@export PLACKETT_HOME="$$(mktemp -d)"; trap 'rm -rf "$$PLACKETT_HOME"' EXIT; set -x; \
	$(BIN)/ruff check .; \
	$(BIN)/ruff format --check .; \
	$(BIN)/mypy .; \
	$(BIN)/djlint --quiet --check templates; \
	$(BIN)/djlint --quiet --lint templates; \
	$(BIN)/python manage.py makemigrations --check --dry-run

# The browser tests drive the chromium of the system.
chromium:
	@if command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; \
	else \
		echo "The browser tests need chromium. Run this once: sudo apt-get install -y chromium" >&2; exit 1; \
	fi

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Plackett needs Python 3.11 or later, with venv (Debian: apt-get install python3 python3-venv)." >&2; exit 1; \
	fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the packages into $(VENV): up to 2.8 GB to download and 5.1 GB on disk, most of it torch with CUDA."
	@echo "It takes a minute or more, once; the last step, after 'Installing collected packages', is long and silent."
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the packages of the tests: 0.4 GB more, in less than a minute."
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
