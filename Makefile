# make demo   installs, draws a sample archive, builds a dataset from it, prints its stats
# make quick  the fast tests, on all cores, in less than a minute: for each save
# make check  ruff and mypy
# make test   installs what tests need as well, and runs the whole suite with coverage
# make test-browser  installs what the tests of HTML pages need (Chromium, axe-core), and runs them
# make test-readers  installs PyTorch, Hugging Face datasets and others, and reads a dataset with each
# make bench  measures speed on drawn photos, or on yours: make bench PHOTOS=folder
# make docs   writes docs/cli.md, docs/reference.md and fertools/keywords.py from the code, and the
#             documentation as a site into build/site; a dead link is an error
# make matrix runs the suite with the lowest and the newest versions that pyproject.toml allows:
#             make matrix PYTHONS="python3.11 python3.12" TESTS="-m 'not slow'"
# make release-check   builds sdist and wheel, installs the wheel into an empty environment of each of
#             PYTHONS, and runs the commands of the quick starts there

PYTHON ?= python3
PYTHONS ?= $(PYTHON)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo quick check test test-browser test-readers matrix release-check bench docs clean

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/fertools make-sample demo/archive
	$(BIN)/fertools build-dataset demo/archive demo/dataset
	$(BIN)/fertools stats demo/dataset

# Without the tests of faults and whatever meets the real network, TensorFlow or many processes.
quick: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest --quiet --numprocesses auto -m "not slow" --ignore tests/faults

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest --cov --cov-report term

test-browser: $(VENV)/installed-for-tests
	tests/browser/install.sh
	$(BIN)/python -m pytest tests/browser

test-readers: $(VENV)/installed-for-tests
	tests/readers/install.sh
	build/readers/bin/python -m pytest tests/readers

check: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

matrix:
	failed=; for python in $(PYTHONS); do for versions in lowest newest; do \
		tests/matrix.sh $$python $$versions $(TESTS) || failed="$$failed $$python-$$versions"; \
	done; done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

release-check:
	for python in $(PYTHONS); do tests/release.sh $$python || exit 1; done

bench: $(VENV)/installed-for-tests
	$(BIN)/python -m tests.benchmarks.bench_build $(if $(PHOTOS),--photos "$(PHOTOS)")
	$(BIN)/python -m tests.benchmarks.bench_start
	$(BIN)/python -m tests.benchmarks.bench_assembly

docs: $(VENV)/installed-for-docs
	$(BIN)/python docs/write_cli.py
	$(BIN)/python docs/write_keywords.py
	$(BIN)/python docs/write_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean:
	rm -rf demo build/matrix build/release build/browser build/readers build/site $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-for-docs: $(VENV)/installed constraints-test.txt
	$(PIP) --constraint constraints-test.txt --editable '.[docs]'
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed constraints-test.txt
	$(PIP) --constraint constraints-test.txt --editable '.[test]'
	touch $@
