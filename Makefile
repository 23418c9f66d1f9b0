# mcpops.gateway: the commands of this repository. `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

ROOT := $(CURDIR)
VENV ?= $(ROOT)/.venv
SANDBOX_DIR ?= $(ROOT)/.sandbox
SANDBOX_API ?= embedded

# Only this repository's tools and collections, whatever the caller's shell has set.
export VENV PYTHON
export PATH := $(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(ROOT)/.collections
export ANSIBLE_HOME := $(ROOT)/.cache/ansible
export ANSIBLE_REMOTE_TEMP := $(ROOT)/.cache/ansible/remote
export ANSIBLE_LOCALHOST_WARNING := False
export ANSIBLE_INVENTORY_UNPARSED_WARNING := False
export PYTHONDONTWRITEBYTECODE := 1
export LC_ALL := C.UTF-8

.PHONY: help demo demo-down test check bench setup setup-test docs lock build clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@MAKE_GOAL=demo tests/setup/setup.sh run

setup-test:
	@MAKE_GOAL=test tests/setup/setup.sh test

demo: setup ## a working MCP gateway on this machine (SANDBOX_API=embedded|envtest|kubeconfig)
	@tests/setup/demo.sh "$(SANDBOX_DIR)" "$(SANDBOX_API)"

demo-down: ## stop the demo; nothing of it stays
	@if [ -x "$(VENV)/bin/python" ]; then "$(VENV)/bin/python" -m sandbox down --dir "$(SANDBOX_DIR)"; else echo "Nothing is running: the environment was never set up."; fi

check: setup-test ## formatting, lint, types, unit tests: under a minute
	@"$(VENV)/bin/python" tests/setup/checks.py fast

test: setup-test ## every check that must hold
	@"$(VENV)/bin/python" tests/setup/checks.py all

bench: setup-test ## measure, print a table, write tests/bench/results.json (PART=apiserver|engine|product|broker)
	@"$(VENV)/bin/python" -m bench $(PART)

docs: setup-test ## write docs/roles/ from the argument_specs
	@"$(VENV)/bin/python" tests/setup/role_docs.py write

build: setup-test ## the collection's archive in dist/
	@"$(VENV)/bin/ansible-galaxy" collection build --force --output-path dist

lock: setup-test ## resolve tests/setup/*.in again (needs uv: pip install uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade tests/setup/test.in -o tests/setup/test.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c tests/setup/test.lock tests/setup/run.in -o tests/setup/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --all-extras -c tests/setup/run.lock broker/pyproject.toml -o broker/requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade tests/setup/legacy.in -o tests/setup/legacy.lock

clean: demo-down ## remove everything that these commands made
	rm -rf .venv .venv-* .collections .cache .sandbox dist collections .mypy_cache .ruff_cache .pytest_cache
