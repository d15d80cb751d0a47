# Every target sets up what it needs first. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null) \
               $(wildcard src/suanwang/texts/*.json)
PAGE := src/suanwang/api/static/index.html

# An interrupted recipe leaves no stamp that claims it finished.
.DELETE_ON_ERROR:
.PHONY: help setup system web demo demo-fast demo-sites serve test test-sites conformance lint format bench soak docs lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: system $(VENV)/.installed web $(VENV)/.warm ## everything that the other targets need

system: ## Debian packages: installed as root, else the one line to run is printed
	@PYTHON="$(PYTHON)" sh tools/system_packages.sh

$(VENV)/.installed: requirements.lock pyproject.toml tools/bootstrap.lock
	@sh tools/install.sh "$(PYTHON)" $(VENV)
	@touch $@

KERNELS := $(wildcard src/suanwang/plan/*.py src/suanwang/plan/kernel/*.py src/suanwang/net/*.py \
             src/suanwang/net/*/*.py src/suanwang/verify/*.py src/suanwang/runtime/warm.py)

$(VENV)/.warm: $(VENV)/.installed $(KERNELS)
	@$(BIN)/python -m compileall -q src/suanwang
	@$(BIN)/python -m suanwang.runtime.warm
	@touch $@

web: $(PAGE) ## the page, built into src/suanwang/api/static

$(PAGE): $(VENV)/.installed $(WEB_SOURCES)
	@sh tools/page.sh build $(BIN)

demo: setup ## a mixed day on one machine: plans, real runs, a site lost, the bill; ARGS=--fast for a minute
	$(BIN)/suanwang demo $(ARGS)

demo-fast: ## the same in about a minute, and then it ends
	@$(MAKE) demo ARGS=--fast

demo-sites: setup ## real sites join one grid: Slurm, Ray, quantum, Kubernetes; one workflow, kills, the bill; ARGS=--help
	@$(BIN)/python -m tools.demo_sites $(ARGS)

serve: setup ## the brain with its API and page on this machine
	$(BIN)/suanwang serve $(ARGS)

test: setup ## all tests but the long ones
	@# Labs of real routers measure real time: they have processes of their own, with no other test's servers in them.
	$(BIN)/pytest -q -n $(JOBS) --dist worksteal -m "not soak and not sites" $(if $(ARGS),$(ARGS),--ignore=tests/lab)
	$(if $(ARGS),,$(BIN)/pytest -q -n $(JOBS) --dist worksteal -m "not soak and not sites" tests/lab)

test-sites: setup ## real backends that take long to build or start: Kubernetes (root; built once, outside the checkout)
	@sh -c 'test "$$(id -u)" = 0' || echo "test-sites: not root: what needs a cluster of its own is skipped by name"
	$(BIN)/pytest -q -n 0 -m sites $(if $(ARGS),$(ARGS),tests/sites tests/tools)

conformance: setup ## every adapter against every case, on real backends, as a table; ARGS="--build --write" for all and the page
	@$(BIN)/python -m tools.conformance $(ARGS)

lint: $(VENV)/.installed ## ruff, mypy --strict, tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@sh tools/page.sh check $(BIN)

format: $(VENV)/.installed ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed ## tasks/s end to end and the time of a plan
	$(BIN)/python -m bench.road $(ARGS)

soak: setup ## the long runs of the twin: hours
	$(BIN)/pytest -q -n $(JOBS) --dist worksteal -m soak $(ARGS)

docs: $(VENV)/.installed ## reference pages from the code, then the site into site/
	$(BIN)/python tools/gen_docs.py
	$(BIN)/mkdocs build --strict

lock: $(VENV)/.installed ## resolve the dependencies again
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 --all-extras --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 tools/bootstrap.in -o tools/bootstrap.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 tools/node.in -o tools/node.lock

clean: ## everything that was made here, the virtual environment too
	rm -rf $(VENV) site build dist web/node_modules src/suanwang/api/static .pytest_cache .mypy_cache .ruff_cache .hypothesis
