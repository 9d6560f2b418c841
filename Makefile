PYTHON ?= python3
BIN := .venv/bin
HOME_FOLDER = $(or $(TANDEM_HOME),.tandem)

.PHONY: up demo test check style types layers reference replay load bench lock setup clean-home

up: .venv/.ready  ## everything on this machine
	$(BIN)/tandem up

demo: .venv/.ready  ## the same, and a project played from kickoff to its end; ONCE=1 stops after it
	$(BIN)/tandem demo $(if $(ONCE),--once)

test: .venv/.ready  ## a file is run by one process, so that its servers are started once; the longest go first
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --ignore tests/load

check: style types layers reference  ## style, types, layers, and whether the reference pages are current

style: .venv/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.ready
	$(BIN)/mypy

layers: .venv/.ready
	$(BIN)/lint-imports

reference: .venv/.ready
	$(if $(wildcard dev/reference.py),$(BIN)/python -m dev.reference --check)

replay: .venv/.ready  ## recorded histories against today's workflows
	$(BIN)/python -m pytest -q tests/replay

load: .venv/.ready  ## two hundred people for two minutes, with real receivers, and workers that are killed
	$(BIN)/python -m tests.load

bench: .venv/.ready
	$(BIN)/python -m benchmarks

lock:  ## needs uv
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --all-extras --group dev \
	  --python-version 3.11 pyproject.toml -o requirements.lock --custom-compile-command "make lock"

setup: .venv/.ready

clean-home:  ## forget every project of this machine; only what the launcher made is removed
	cd $(HOME_FOLDER) && rm -rf postgres temporal logs run launcher.lock running.json

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Tandem needs Python 3.11, 3.12 or 3.13; say which one with: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
