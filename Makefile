# make demo   installs, draws a sample archive, builds a dataset from it, prints its stats
# make test   installs what tests need as well, and runs the suite
# make check  ruff and mypy
# make bench  measures speed on drawn photos, or on yours: make bench PHOTOS=folder
# make docs   writes docs/cli.md from the commands

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check bench docs clean

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/fertools make-sample demo/archive
	$(BIN)/fertools build-dataset demo/archive demo/dataset
	$(BIN)/fertools stats demo/dataset

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest

check: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-for-tests
	$(BIN)/python -m tests.benchmarks.bench_build $(if $(PHOTOS),--photos "$(PHOTOS)")

docs: $(VENV)/installed
	$(BIN)/python docs/write_cli.py

clean:
	rm -rf demo $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(PIP) --editable '.[test]'
	touch $@
