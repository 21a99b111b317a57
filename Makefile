# The front door. `make help` lists what there is; README.md says what each is for.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ART32_RELEASE ?= trixie
PYTHON ?= python3
ENV ?= demo
VENV := $(CURDIR)/.venv
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=ART32_IMAGES)

export ART32_RELEASE
export PATH := $(VENV)/bin:$(PATH)
export MOLECULE_GLOB := molecule/*/molecule.yml
export CONTAINERS_CONF := $(CURDIR)/molecule/resources/containers.conf

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: dependencies
dependencies: ## install the Debian packages this project needs
	@scripts/dependencies

.PHONY: venv
venv: dependencies ## make the virtual environment from the pinned requirements
	@scripts/virtualenv "$(VENV)" "$(PYTHON)"

.PHONY: images
images: dependencies ## build the images of the test hosts
	@$(SUDO) molecule/resources/image/build $(ART32_RELEASE)

.PHONY: demo
demo: venv images ## a whole site on test hosts of its own, provisioned and audited
	@scripts/demo

.PHONY: test
test: venv ## lint, types, unit tests and every molecule scenario
	@$(SUDO) molecule/resources/image/build trixie bookworm
	@python tests/run.py

.PHONY: test-full
test-full: venv ## one long matrix whole: make test-full PART=bookworm
	@$(SUDO) molecule/resources/image/build trixie bookworm
	@python tests/run.py --part "$(PART)"

.PHONY: lint
lint: venv ## ansible-lint, yamllint, ruff and mypy
	@python tests/run.py --only lint

.PHONY: unit
unit: venv ## unit tests of the plugins, the controls and the templates
	@python -m pytest -q tests/unit

.PHONY: env
env: venv ## a new environment, asked for or from a file: make env ENV=production [ANSWERS=answers.yml]
	@ansible-playbook -i localhost, playbooks/bootstrap.yml -e "env=$(ENV)" $(if $(ANSWERS),-e "@$(ANSWERS)")

.PHONY: scan
scan: venv ## an audit with independent scanners: make scan ENV=demo
	@scripts/observatory
	@ansible-playbook -i "inventories/$(ENV)" playbooks/audit.yml -e audit_kinds=scan

.PHONY: audit
audit: venv ## prove an environment: make audit ENV=demo
	@ansible-playbook -i "inventories/$(ENV)" playbooks/audit.yml

.PHONY: bench
bench: demo ## measure runs without changes, audits, pages, a password, backups, and a new environment
	@python -m bench.no_change
	@python -m bench.audit
	@python -m bench.app
	@python -m bench.hashing
	@python -m bench.backup
	@python -m bench.new_environment

.PHONY: vulnerabilities
vulnerabilities: venv ## which pinned packages have known vulnerabilities today; needs the network
	@python -m bench.vulnerabilities

.PHONY: requirements
requirements: ## pin the requirements anew (needs uv)
	@scripts/pin

.PHONY: clean
clean: ## remove this checkout's hosts, networks, images and caches, and nothing else
	@scripts/clean
