# `make help` lists what can be made. Needs Python 3.11 to 3.13, git and make.

UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
READY := .venv/.ready
PORT := 8000

.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow test-slurm test-browser bench check lint format lock tensorboard \
	docs docs-serve completion clean

help:            ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY)  ## make .venv from requirements.lock, every file checked by its hash

train: $(READY)  ## train the first experiment, XOR; ARGS="experiment=sine seed=1" are words for train.py (its --help)
	$(BIN)/python train.py experiment=xor $(ARGS)

test: $(READY)   ## run the tests (under 10 minutes on two cores)
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

test-slow: $(READY)  ## run the tests that train every experiment to its end
	$(BIN)/pytest -n 2 -m slow

test-slurm: $(READY)  ## run the tests under a real SLURM of one node (root; apt-get install slurm-wlm munge)
	$(BIN)/pytest -m slurm -rs

test-browser: $(READY)  ## run the tests that look at pages in a real browser (apt-get install chromium chromium-driver)
	$(BIN)/pytest -m browser -rs

bench: $(READY)  ## measure speed, beside what is aimed at: under 10 minutes on two quiet cores
	for each in step_cost command_cost cifar_cost population; do \
		$(BIN)/python scripts/benchmarks/$$each.py --repetitions 3 || exit 1; done

check: $(READY)  ## look for mistakes in every experiment, with each option over it, without training
	$(BIN)/leyden check

lint: $(READY)   ## check format, style, types and import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put format and style right
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(READY)   ## build the documentation into build/docs/index.html; a dead link is an error
	$(BIN)/python scripts/reference.py
	$(BIN)/zensical build --clean --strict
	$(BIN)/python scripts/dead_links.py build/docs

docs-serve: docs ## show it, with its search: http://localhost:8000 (PORT=8001: there)
	$(BIN)/python -m http.server --directory build/docs --bind 127.0.0.1 $(PORT)

lock: $(UV)      ## write requirements.lock anew from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(UV) pip compile --quiet --universal --generate-hashes --all-extras $(UPGRADE) \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

tensorboard: $(READY)  ## show the curves of all runs in a browser
	$(BIN)/tensorboard --logdir logs

completion: $(READY)  ## complete words at TAB: put the script where your shell (SHELL) looks for it
	$(BIN)/leyden completion "$${SHELL##*/}" install=true

clean:           ## remove the environment and all caches; never runs or data
	rm -rf .venv .uv .cache build dist docs/reference .mypy_cache .pytest_cache .ruff_cache .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml | $(UV)
	test -d .venv || $(UV) venv --quiet --python ">=3.11,<3.14" .venv
	$(UV) pip sync --quiet --python .venv --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python .venv --no-deps --editable .
	touch $@

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv
