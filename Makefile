# Two commands do all their own set-up on a fresh machine with Python 3.11 or newer:
#   make run     train, record, observe and report the built-in task
#   make test    all tests but the slow ones
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CORE   := .venv-core
RUN    ?= runs/faces
TASK   ?= faces

# The photographs of the task `flowers`, where they lie beside the project.
ifneq ($(wildcard ../shared/data/flowers),)
export ONTOGENY_DATA ?= $(abspath ../shared/data)
endif

PIP_ARGS := --quiet --disable-pip-version-check -c constraints.txt
CORE_TESTS := tests/stats tests/measure tests/plot tests/test_record.py tests/test_run.py \
              tests/test_report.py tests/test_package.py

.PHONY: run test test-slow test-core test-peers lint check bench docs clean

run: $(VENV)/.run
	$(BIN)/ontogeny run $(TASK) --out $(RUN) --resume

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow and not peers" -q

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -q

test-peers: $(VENV)/.peers
	$(BIN)/python -m pytest -m peers -q tests/stats/test_category_peers.py

test-core: $(CORE)/.core
	$(CORE)/bin/python -c "import importlib.util as u; assert u.find_spec('torch') is None"
	$(CORE)/bin/python -m pytest -m "not slow and not peers and not torch" -q $(CORE_TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

check: test lint test-core test-slow test-peers

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	for page in docs/gallery/*.py; do $(BIN)/python $$page || exit 1; done

clean:
	rm -rf $(VENV) $(CORE) build dist .pytest_cache .ruff_cache .hypothesis

$(VENV)/.pip:
	$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(v < (3, 11) and 'Ontogeny needs Python 3.11 or newer, got %d.%d: make PYTHON=python3.12' % v[:2])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --upgrade "pip>=25.1"
	touch $@

$(VENV)/.run: $(VENV)/.pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP_ARGS) --editable ".[all]"
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install $(PIP_ARGS) --group test --group lint
	touch $@

$(VENV)/.peers: $(VENV)/.dev
	$(BIN)/python -m pip install $(PIP_ARGS) --group peers
	touch $@

$(CORE)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install $(PIP_ARGS) --upgrade "pip>=25.1"
	$(CORE)/bin/python -m pip install $(PIP_ARGS) --editable ".[plot]"
	$(CORE)/bin/python -m pip install $(PIP_ARGS) --group test
	touch $@
