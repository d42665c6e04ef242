# The few verbs of this project; CI runs the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINNED := --quiet --require-hashes --only-binary :all:

# UPGRADE=1 moves every pin; without it only what pyproject.toml changed moves.
UPGRADE ?=

# WRITE=1 puts what `make bench` measured into docs/benchmarks; the machine should be quiet.
WRITE ?=

# How long, how and what `make torture` breaks.
MINUTES ?= 10
SEED ?= 1
JOBS ?= 1
ONLY ?=

# What must be covered by tests in every branch, but for the odd line.
COVERED := artlock/model/*,artlock/formats/*,artlock/cache/*,artlock/fs/*

.DELETE_ON_ERROR:
.PHONY: help venv tools mlflow test trackers covered check fix demo bench bench-full nginx torture wheel constraints clean

help: ## Say what the verbs do
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{ printf "make %-12s %s\n", $$1, $$2 }'

venv: $(VENV)/editable ## Make .venv: everything pinned, and artlock as it lies here

# --no-deps: constraints.txt is complete, but for what [tool.uv] leaves out on purpose.
$(VENV)/pinned: constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install $(PINNED) --no-deps --requirement constraints.txt
	@touch $@

$(VENV)/editable: $(VENV)/pinned pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

tools: build/tools/made ## Install what exports and imports are tested with

# bagit has no wheel from 1.9 on, and asks for pkg_resources, which setuptools has until 80.
# jsonpath-rw never had one: it is built, with the setuptools that is pinned.
build/tools/made: tests/tools.txt
	$(PYTHON) -m venv --clear build/tools
	sed -n '/^setuptools==/,/^    # via/p' tests/tools.txt > build/tools/first.txt
	build/tools/bin/python -m pip --disable-pip-version-check install $(PINNED) --no-deps \
	  --requirement build/tools/first.txt
	build/tools/bin/python -m pip --disable-pip-version-check install $(PINNED) --no-deps \
	  --no-binary jsonpath-rw --no-build-isolation --requirement tests/tools.txt
	@touch $@

mlflow: build/mlflow/made ## Install the MLflow server that tests talk to

build/mlflow/made: tests/mlflow.txt
	$(PYTHON) -m venv --clear build/mlflow
	build/mlflow/bin/python -m pip --disable-pip-version-check install $(PINNED) --no-deps \
	  --requirement tests/mlflow.txt
	@touch $@

test: venv tools mlflow ## Run the tests with branch coverage
	$(BIN)/python -m pytest --numprocesses 2 -m 'not trackers' --cov --cov-report=
	@$(MAKE) --no-print-directory covered

trackers: venv tools mlflow ## Try what trackers and their clients can do wrong
	$(BIN)/python -m pytest --numprocesses 2 -m trackers

covered: ## Say whether the last run of the tests covered enough
	$(BIN)/coverage report --include='$(COVERED)' --fail-under=95

check: venv ## Lint, types, layers, and artlock on this repository
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/artlock check
	$(BIN)/artlock fmt --check

fix: venv ## Mend what ruff and artlock can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(BIN)/artlock fmt

demo: venv ## Show artlock at work against servers on this machine
	$(BIN)/python -m demo

# make torture MINUTES=60 SEED=7 JOBS=2; ONLY= chooses a scenario.
torture: venv ## Break things at random for MINUTES, and count what came of it
	$(BIN)/python -m torture --minutes $(MINUTES) --seed $(SEED) --jobs $(JOBS) --only '$(ONLY)'

# Peers get environments of their own in build/peers. nginx is not in any package of Python's.
bench: venv nginx ## Measure artlock beside its peers: about a quarter of an hour
	$(BIN)/python -m benchmarks $(if $(WRITE),--write)

bench-full: venv nginx ## The same with more and larger data: hours
	$(BIN)/python -m benchmarks --form full $(if $(WRITE),--write)

nginx:
	@command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends nginx-light; \
	} || echo "nginx is not there and was not installed: its line is left out" >&2

# The fresh environment gets what the wheel itself asks for, in the pinned versions.
wheel: venv ## Build the wheel and try it in an environment of its own
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist
	! $(BIN)/python -m zipfile --list dist/*.whl | awk 'NR > 1 { print $$1 }' | grep -vE '^artlock(-[0-9][^/]*\.dist-info)?/'
	$(BIN)/python -m zipfile --list dist/*.whl | grep -q '^artlock/py\.typed '
	$(PYTHON) -m venv build/venv
	sed -nE 's/^([a-z0-9][^ ]*==[^\\]*).*/\1/p' constraints.txt > build/pins.txt
	build/venv/bin/python -m pip --disable-pip-version-check install --quiet --only-binary :all: --constraint build/pins.txt dist/*.whl
	build/venv/bin/python -m pip check
	cd build && venv/bin/artlock --version && venv/bin/python -m artlock --version

constraints: venv ## Pin anew after a change of pyproject.toml; UPGRADE=1 moves every pin
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 --group dev --group demo --group bench --group torture $(if $(UPGRADE),--upgrade) \
	  --custom-compile-command 'make constraints' --output-file constraints.txt pyproject.toml
	for peer in awscli comet dvc wandb; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	    --python-version 3.11 $(if $(UPGRADE),--upgrade) --custom-compile-command 'make constraints' \
	    --output-file benchmarks/peers/$$peer.txt benchmarks/peers/$$peer.in || exit; \
	done
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 $(if $(UPGRADE),--upgrade) --custom-compile-command 'make constraints' \
	  --output-file tests/tools.txt tests/tools.in
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 $(if $(UPGRADE),--upgrade) --custom-compile-command 'make constraints' \
	  --excludes tests/mlflow-without.in --output-file tests/mlflow.txt tests/mlflow.in
	! grep -nE '://|^/|[ =]/' constraints.txt benchmarks/peers/*.txt tests/tools.txt tests/mlflow.txt

clean: ## Remove what the verbs made
	rm -rf $(VENV) build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find artlock tests testbed torture demo benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
