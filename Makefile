# Everything a person types here. `make` alone prints this help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo play test lint format coverage bench prove pins clean

help: ## Print this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | awk -F'\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(READY) ## Watch it work: a rebalance in Airflow, trades in chat on two exchanges, play money
	@$(BIN)/python -m tradehook_sandbox demo

play: $(READY) ## Keep sandbox, Airflow and bot running, to try things yourself (Ctrl-C ends it)
	@$(BIN)/python -m tradehook_sandbox play

test: $(READY) ## Run all tests, four at a time
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

lint: $(READY) ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(READY) ## Run all tests and report what they never reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

bench: $(READY) ## Measure, beside a named peer in the same run
	@$(BIN)/python benchmarks/line.py
	@$(BIN)/python benchmarks/client.py
	@$(BIN)/python benchmarks/journal.py
	@$(BIN)/python benchmarks/stream.py
	@$(BIN)/python benchmarks/bot.py

prove: $(READY) ## Run the long proofs: races and faults by the hundred
	@$(BIN)/python -m pytest -m prove -s

pins: ## Resolve requirements.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-header -q pyproject.toml -o requirements.lock

clean: ## Remove everything that was made here
	rm -rf $(VENV) .play dist .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "tradehook needs Python 3.11 to 3.13; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@echo "Installing into $(VENV); the first time takes about a minute…"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { echo "Install python3-venv first: apt install python3-venv"; exit 1; }
	@# The lock is whole, so pip has nothing to resolve: with extras in it, that goes wrong in hash mode.
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check >/dev/null || { $(BIN)/python -m pip check; exit 1; }
	@touch $@
