# Sets the project up in a virtual environment of its own and runs its parts; `make help` lists them.

PYTHON ?= python3
WORKERS ?= auto

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
STARTED := $(shell date +%s)

# The packages that build ours, in their isolated environment, are pinned too: older pip reads the first name, newer
# pip the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv test doctest docs lint types demo wheel bench fuzz clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1:/p' Makefile | while IFS=: read -r name what; do printf '  make %-8s %s\n' "$$name" "$$what"; done

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a minute or two."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,plot]'
	@touch $@

venv: $(READY)  ## the virtual environment, which all others make on their own

test: $(READY)  ## all tests, the laws and the documentation's examples included
	$(BIN)/python -m pytest -n $(WORKERS)

doctest: $(READY)  ## the examples in docstrings
	$(BIN)/python -m pytest --doctest-modules streamlearn algorithms connectors

docs: $(READY)  ## the examples in README.md and docs/
	$(BIN)/python -m pytest -v tests/test_docs.py

lint: $(READY)  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Mypy knows nothing of the mapping from folders to import names, so a folder of links shows it the three as one package.
types: $(READY)  ## mypy, strict, over the packages
	@rm -rf $(VENV)/types && mkdir -p $(VENV)/types/streamlearn
	@cd $(VENV)/types/streamlearn && ln -s ../../../streamlearn/* ../../../algorithms ../../../connectors .
	MYPYPATH=$(VENV)/types $(BIN)/mypy -p streamlearn

demo: $(READY)  ## three learners on a real stream, as a table and as demo.png; then a live job, killed and resumed
	$(BIN)/streamlearn evaluate --stream electricity --learner hoeffding_tree_classifier --learner naive_bayes \
	  --learner no_change_classifier --plot demo.png
	$(BIN)/streamlearn demo
	@echo "The demo took $$(( $$(date +%s) - $(STARTED) )) s, set-up included."

bench: $(VENV)/peers  ## our speed and accuracy beside the peers'; MOA among them needs Java
	$(BIN)/python benchmarks/prequential.py
	$(BIN)/python benchmarks/per_record.py

$(VENV)/peers: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,plot,peers]'
	@touch $@

fuzz: $(READY)  ## 10,000 damaged model files: each must be refused, or harmless
	$(BIN)/python benchmarks/fuzz_models.py --files 10000

wheel: $(READY)  ## sdist and wheel, in dist/
	@rm -rf build dist
	$(BIN)/python -m build

clean:  ## remove everything that was made here, compiled kernels included
	rm -rf $(VENV) build dist demo.png *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find streamlearn algorithms connectors tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
