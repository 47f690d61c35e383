# `make demo` and `make test` do all their own set-up. Any Python 3.12 or newer will do.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test check pictures measure format lock clean

PY := .venv/bin/python
STAMP := .venv/.installed-requirements

help:
	@echo "make demo    run the main job on the built-in sandbox"
	@echo "make test    run the whole test suite"
	@echo "make check   lint, types, Django's own checks, import directions"
	@echo "make setup   make .venv with everything in it"
	@echo "make pictures  take the pictures of docs/pictures anew"
	@echo "make measure  fill a database and measure every page"
	@echo "make lock    pin the newest allowed versions with their hashes"

setup: $(STAMP)

$(STAMP): requirements-dev.lock
	@sh .ci/make-venv
	@touch $@

demo: setup
	$(PY) manage.py demo

test: setup
	$(PY) -m pytest -n 2 --dist worksteal

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PY) -m mypy
	$(PY) manage.py check
	PUBLIC_URL=https://twinlog.example.com $(PY) manage.py check --deploy --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m pytest -q tests/test_import_directions.py

pictures: setup
	PYTHONPATH=. $(PY) tests/make_pictures.py

measure: setup
	PYTHONPATH=. $(PY) tests/measure_pages.py

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: setup
	.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --output-file requirements.lock
	.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis
