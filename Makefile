# The programs are those of the environment that README.md creates. To use another one: make test PYTHON=python
PYTHON ?= .venv/bin/python

.PHONY: help test test-all lint bench docs regenerate

help:
	@echo "test        run the quick tests: a few minutes on two cores"
	@echo "test-all    run every test, cross products of rules, dtypes and drivers among them"
	@echo "lint        check style, types, spelling and generated files"
	@echo "bench       print the table of benchmarks"
	@echo "docs        run the examples of README.md and of all docstrings"
	@echo "regenerate  write the stub files and the generated parts of README.md"

test:
	$(PYTHON) -m pytest -n auto

test-all:
	$(PYTHON) -m pytest -n auto --all

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy --strict --follow-imports=silent tests/typing/usage.py
	$(PYTHON) -m codespell_lib
	$(PYTHON) scripts/regenerate.py --check

bench:
	$(PYTHON) -m benchmarks.report

docs:
	$(PYTHON) -m pytest -q -n auto numbaopt tests/test_readme.py tests/test_examples.py

regenerate:
	$(PYTHON) scripts/regenerate.py
