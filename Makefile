# Every word makes what it needs: .venv comes from nothing but python3 and pip.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= auto

.PHONY: demo test lint bench peers soak lock help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY) ## the whole idea on this machine: sandbox, OAuth, syncs in Dagster, data in Postgres
	@$(BIN)/integrations demo

lint: $(READY) ## ruff, mypy strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint ## lint, then every test, in parallel
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not soak"

soak: $(READY) ## the tests whose full counts take long
	$(BIN)/python -m pytest -m soak

bench: $(READY) ## figures of this machine, into benchmarks/results.json (docs/benchmarks.md)
	$(BIN)/python -m benchmarks.run

peers: .venv-peers/.ready ## dlt in an environment of its own, for INTEGRATIONS_BENCH_PEERS=1 make bench

.venv-peers/.ready: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

lock: ## rewrite requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --no-strip-extras -o requirements.lock
