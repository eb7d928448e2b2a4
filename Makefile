# Everything sets itself up: `make demo` and `make test` are all that a fresh Debian 12 with make needs.
.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench soak clean packages-core packages-dev
.DELETE_ON_ERROR:
.NOTPARALLEL:
SHELL := /bin/sh
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

BIN := .venv/bin
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup $(if $(CI),--durations=15 --color=no)

help: ## these lines
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: packages-core .venv/core.stamp ## the whole chain on sample applicants, in the folder demo-site
	$(BIN)/hpki demo demo-site --replace

test: packages-dev .venv/dev.stamp ## every tier of tests, set-up included
	$(PYTEST)

check: .venv/dev.stamp ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: .venv/dev.stamp ## let ruff repair what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: packages-dev .venv/dev.stamp ## every benchmark, one after the other
	@failed=; for benchmark in benchmarks/*.py; do \
		echo "== $$benchmark"; $(BIN)/python "$$benchmark" || failed="$$failed $$benchmark"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

soak: packages-dev .venv/dev.stamp ## the long series in full: kills, mutations, card faults
	$(PYTEST) -m soak

clean: ## remove what was made, but not .venv
	rm -rf demo-site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

packages-core:
	@tools/system-packages openssl

packages-dev:
	@tools/system-packages openssl gnutls-bin curl nginx default-jdk-headless postgresql fontconfig fonts-noto-cjk \
		libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 libreoffice-calc-nogui \
		gcc python3-dev libpcsclite-dev pcscd vsmartcard-vpcd opensc opensc-pkcs11 yubico-piv-tool

# A Python from 3.11 on that can make virtual environments; Debian's own is installed when there is none.
.venv/bin/python:
	@find_python() { \
		for python in python3.11 python3 /usr/bin/python3; do \
			"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return; \
		done; return 1; \
	}; \
	find_python || { tools/system-packages python3-venv && find_python; } || \
		{ echo "No Python 3.11 or newer with venv was found." >&2; exit 1; }; \
	"$$python" -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/core.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e .
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch .venv/core.stamp $@
