# Two commands do everything: `make report` runs the main job, `make test` runs the tests.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUTPUT ?= runs/full_comparison
ARGS ?=
PRODUCTION ?= runs/production
SCALE ?= 1

# Real files for the tests, when there are any beside the checkout.
MAGICNN_TEST_DATA ?= $(realpath ../shared/data)
export MAGICNN_TEST_DATA

REAL := $(wildcard $(MAGICNN_TEST_DATA)/magic_real/*_M[12]_*_Y_*.root)

.PHONY: report quick production test test-slow lint types docs clean

report: $(STAMP)
	$(BIN)/magicnn run analysis/full_comparison.yaml --output $(OUTPUT) $(if $(REAL),$(foreach f,$(REAL),--real $(f))) $(ARGS)

quick: $(STAMP)
	$(BIN)/magicnn run analysis/full_comparison.yaml --quick --output runs/quick $(ARGS)

production: $(STAMP)
	$(BIN)/python analysis/production.py --scale $(SCALE) --output $(PRODUCTION) $(ARGS)

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy --strict magicnn

docs: $(STAMP)
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,irf,cluster]'
	touch $@

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache
