# The one list of jobs: people and CI call the same targets. A bare `make` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXAMPLE := NODESPEC_HOME=tests/keys NODESPEC_PASSPHRASE_FILE=tests/keys/passphrase.txt

.DEFAULT_GOAL := help

help: ## list the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

registry-up: $(READY) ## install, validate this registry, sign and verify a checkpoint, answer two queries
	@$(EXAMPLE) $(BIN)/python tools/registry_up.py

sign-example: $(READY) ## sign what was edited in the example registry, with its published keys
	@$(EXAMPLE) $(BIN)/python tools/sign_example.py

registry-test: $(READY) .cache/sarif ## install and run every test
	$(BIN)/python -m pytest -n auto

nodespec-validate: $(READY) ## judge every spec of this registry
	@$(BIN)/nodespec validate

lint: $(READY) ## ruff, mypy strict, zizmor, and whether the generated documents are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(BIN)/python tools/pages.py --check

bench: $(READY) ## measure against other tools, side by side (minutes; BENCH=full asks 100,000 nodes; BENCH_STRICT=1 fails on a missed bar)
	$(BIN)/python -m benchmarks.run

docs: $(READY) ## write docs/rules.md, and the table of modules, from the code
	$(BIN)/python tools/pages.py

lock: $(READY) ## resolve the locked dependencies again, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --custom-compile-command "make lock" pyproject.toml -o locks/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --custom-compile-command "make lock" pyproject.toml --group dev -o locks/dev.txt

clean: ## remove what these jobs made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

$(READY): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nodespec needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up $(VENV) (once; a minute or so) ..."
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "python3 -m venv does not work here. On Debian: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r locks/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.cache/sarif: tests/fetch_vectors.py $(READY)
	@$(BIN)/python tests/fetch_vectors.py

.PHONY: help registry-up sign-example registry-test nodespec-validate lint bench docs lock clean
