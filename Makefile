# `make` lists the targets. They create the virtual environment and call `python -m local`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SAM := SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam
START := $(VENV)/start-ready
TEST := $(VENV)/test-ready
MAILS := $(VENV)/mails-ready
PINNED := local layers/messaging functions/migrate bench/harness
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-emit-package pip
FAST := not slow and not fuzz and not faults and not browser
SHELL := bash

.DEFAULT_GOAL := help
.PHONY: help start unit lint format check test faults bench bench-load openapi pins deploy

help:     ## print this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 20

start: $(START)     ## run the service on http://127.0.0.1:8080 (PROVIDERS=twilio,sendgrid AUTH=yes ARGS="--port 9000")
	@$(RUN) -m local start $(if $(AUTH),--auth) $(if $(PROVIDERS),--parameter Providers=$(PROVIDERS)) $(ARGS)

unit: $(TEST)     ## run the fast tests, in under a minute (K=twilio: only those with that in their name)
	@$(RUN) -m pytest -q -n auto --dist worksteal -m '$(FAST)' tests/layer tests/functions $(if $(K),-k '$(K)')

lint: $(TEST)     ## check style, types, spelling and pins
	@$(RUN) -m local lint

format: $(TEST)     ## format the code, and fix what ruff can fix
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

check: $(TEST)     ## lint, and check migrations, template and build
	@$(RUN) -m local check

test: $(TEST) $(MAILS)     ## check, then run all tests and measure their coverage
	@$(RUN) -m local test

faults: $(TEST)     ## kill and disconnect what delivers, many times, and print a table of the results
	@$(RUN) -m local faults

bench: $(TEST)     ## measure what a message costs in time and money (PUBLISH=yes: write the figures to the documents)
	@$(RUN) -m bench $(if $(PUBLISH),&& $(RUN) -m bench publish)

bench-load: $(TEST)     ## send load over HTTP to the functions as they run here
	@$(RUN) -m bench load

openapi: $(TEST)     ## write the OpenAPI document
	@$(RUN) -m local openapi

pins: $(TEST)     ## pin again after a change of a requirements.in (UPGRADE=yes: to the newest versions)
	@$(RUN) -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt
	@for folder in $(PINNED); do \
	  $(COMPILE) -c requirements.txt $$folder/requirements.in -o $$folder/requirements.txt || exit 1; \
	done
	@# In hash mode, pip does not accept the pin of boto3[crt] as a pin of boto3. local/requirements.txt pins it without the extra.
	@printf '%s\n' '-r local/requirements.txt' | cat - requirements.txt > requirements.tmp && mv requirements.tmp requirements.txt

deploy: $(TEST)     ## build, deploy to AWS and migrate the database (PARAMETERS='DatabaseUrl=... Providers=...')
	$(SAM) build
	$(SAM) deploy $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))
	$(SAM) remote invoke Migrate

# pip prints several lines for each package; these are only the names, as the packages arrive.
define install
	@echo "Installing $(1)"
	@set -o pipefail; $(RUN) -m pip install --disable-pip-version-check --progress-bar off -r $(1) \
	| awk '/^Collecting / { split($$2, name, /[^A-Za-z0-9_.-]/); printf "  %s%s", name[1], ++names % 8 ? "" : "\n"; fflush() } \
	/^Installing collected/ { printf "\n  Unpacking %d packages\n", NF - 3; fflush() }'
endef

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Creating the virtual environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(START): local/requirements.txt | $(RUN)
	$(call install,local/requirements.txt)
	@touch $@

$(TEST): requirements.txt | $(RUN)
	$(call install,requirements.txt)
	@touch $(START) $@

$(MAILS): bench/readers/archives.py $(TEST)
	@$(RUN) -m bench.readers.archives
	@touch $@
