# `make` prints what there is. It makes the virtual environment and hands over to `python -m local`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
SAM := SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam
PINS := requirements.txt layers/messaging/requirements.txt functions/migrate/requirements.txt

.DEFAULT_GOAL := help
.PHONY: help start test faults bench bench-load check openapi deploy

help:     ## print this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 20

start: $(VENV)/ready     ## run the whole service on http://127.0.0.1:8080 (PROVIDERS=twilio,sendgrid AUTH=yes)
	@$(RUN) -m local start $(if $(AUTH),--auth) $(if $(PROVIDERS),--parameter Providers=$(PROVIDERS))

test: $(VENV)/ready     ## check, then run all tests
	@$(RUN) -m local test

faults: $(VENV)/ready     ## kill and cut off whatever delivers, many times, and print a table of what became of it
	@$(RUN) -m local faults

bench: $(VENV)/ready     ## measure what a message costs, in time and money (PUBLISH=yes: and tell README)
	@$(RUN) -m bench $(if $(PUBLISH),&& $(RUN) -m bench publish)

bench-load: $(VENV)/ready     ## load the functions that are served here over HTTP
	@$(RUN) -m bench load

check: $(VENV)/ready     ## lint, types, migrations, template and build
	@$(RUN) -m local check

openapi: $(VENV)/ready     ## write the service's description anew
	@$(RUN) -m local openapi

deploy: $(VENV)/ready     ## build, deploy to AWS and migrate the database (PARAMETERS='DatabaseUrl=... Providers=...')
	$(SAM) build
	$(SAM) deploy $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))
	$(SAM) remote invoke Migrate

$(VENV)/ready: $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.txt names: a minute or two"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
