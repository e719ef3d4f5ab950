# Everything a developer or CI does. Needs make and Python 3.11 or later, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check
EXTRAS := dev,jax,ray,tensorflow,text,torch,tune
# Files in their order: reordered, the two files with the longest tests come last, alone.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?=

# Stamp files remember what is installed, so that nothing is installed twice.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
PINS := pyproject.toml constraints.txt

export TF_CPP_MIN_LOG_LEVEL := 3

.DEFAULT_GOAL := help
.PHONY: help install demo test unit lint bench docs traps clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DEV_STAMP) ## create .venv with kilter, the three backends and the tools

demo: $(RUN_STAMP) ## compare remedies on a small table and write runs/demo (JAX only)
	KERAS_BACKEND=jax $(BIN)/kilter demo

test: $(DEV_STAMP) ## run all tests on JAX, then those marked `backend` on TensorFlow and PyTorch
	KERAS_BACKEND=jax $(PYTEST) $(PYTEST_ARGS)
	KERAS_BACKEND=tensorflow $(PYTEST) -m backend $(PYTEST_ARGS)
	KERAS_BACKEND=torch $(PYTEST) -m backend $(PYTEST_ARGS)

unit: $(DEV_STAMP) ## run the quick tests on JAX; the second time without compiling
	KERAS_BACKEND=jax $(PYTEST) -m "not slow" $(PYTEST_ARGS)

lint: $(DEV_STAMP) ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(DEV_STAMP) ## run every script in benchmarks and write docs/benchmarks
	@set -e; for script in $(filter-out benchmarks/_%,$(sort $(wildcard benchmarks/*.py))); do \
		echo "== $$script"; page=docs/benchmarks/$$(basename $$script .py).md; \
		KERAS_BACKEND=jax $(BIN)/python $$script > $$page.new && mv $$page.new $$page; \
	done

docs: $(DEV_STAMP) ## write docs/reference.md again
	$(BIN)/python docs/build.py

traps: $(DEV_STAMP) ## run the tests of tests/traps on each backend and write docs/traps.md
	$(BIN)/python docs/traps.py

clean: ## remove caches and build output (.venv and runs stay)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks docs examples -name __pycache__ -type d -exec rm -rf {} +

# A half-made environment would look finished to the next call, so a failure removes it.
$(VENV)/pyvenv.cfg:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "kilter needs Python 3.11 or later and found no \`$(PYTHON)\`: install it, or name one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "kilter needs Python 3.11 or later and \`$(PYTHON)\` is older: name another with make PYTHON=..."; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN_STAMP): $(VENV)/pyvenv.cfg $(PINS)
	@echo "installing kilter with JAX (a few minutes the first time)"
	@$(PIP) install -c constraints.txt -e '.[jax]'
	@touch $@

$(DEV_STAMP): $(VENV)/pyvenv.cfg $(PINS)
	@echo "installing kilter with JAX, TensorFlow, PyTorch and the tools (a few minutes the first time)"
	@$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $(RUN_STAMP) $@
