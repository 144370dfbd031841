# Everything here needs Python (3.10 or newer) and a C++ compiler; each target sets up what it uses.
#   make demo    sample crawl → documents → shards → report → a short training run
#   make test    style, types and all tests that a change must pass
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := out/demo
TESTERS ?= 2  # processes that tests run in

.PHONY: demo test check test-fast test-long bench dedup-training gpu clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/gristmill sample $(DEMO) --dumps 4
	$(BIN)/gristmill run $(DEMO)/corpus.yaml
	$(BIN)/gristmill train $(DEMO)/training.yaml
	$(BIN)/gristmill report $(DEMO)/corpus.yaml

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile -m "not long and not gpu"

test-long: $(READY)
	$(BIN)/python -m pytest -m long

bench: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks

dedup-training: $(READY)  # fifteen minutes on two cores: what deduplication changes for a model
	$(BIN)/python -m benchmarks.dedup_training --chart docs/dedup-training.svg

gpu:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu

clean:
	rm -rf $(VENV) out build dist *.egg-info
