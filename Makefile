# Every target sets itself up; Python 3.11, pip and make are enough to begin with. Checks want Node and npm, too.

PYTHON := $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
BIN := .venv/bin
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venv-sam/bin/sam
EXPORT := $(BIN)/uv export --quiet --frozen --no-dev --no-emit-project

# $(call check,what,command) says in one line whether the command succeeds, and what it said if not.
check = @out=$$({ $(2); } 2>&1) && echo "ok      $(1)" || { printf '%s\n%s\n' "FAILED  $(1)" "$$out"; exit 1; }

# $(call report,what,command) says in that line what the command said, too.
report = @out=$$({ $(2); } 2>&1) && echo "ok      $(1): $$out" || { printf '%s\n%s\n' "FAILED  $(1)" "$$out"; exit 1; }

.PHONY: setup demo test check build state-machines verify-aws lock clean
.DEFAULT_GOAL := setup

setup: .venv/.synced
	@:

.venv/.synced: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed on the PATH")'
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); }
	@$(BIN)/uv sync --quiet --frozen --inexact
	@touch $@

.venv-sam/.synced: .venv/.synced
	@UV_PROJECT_ENVIRONMENT=.venv-sam $(BIN)/uv sync --quiet --frozen --only-group sam --python $(BIN)/python
	@touch $@

.venv-authoring/.synced: .venv/.synced
	@UV_PROJECT_ENVIRONMENT=.venv-authoring $(BIN)/uv sync --quiet --frozen --only-group authoring --python $(BIN)/python
	@touch $@

.venv-checkov/.synced: .venv/.synced checks/pyproject.toml checks/uv.lock
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-checkov $(BIN)/uv sync --quiet --frozen --project checks --python $(BIN)/python
	@touch $@

demo: setup
	@$(BIN)/fraud demo

# A file to a process; first what is quick, then what starts whole stacks.
test: setup
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --ignore=tests/end_to_end --ignore=tests/mutants
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile tests/end_to_end tests/mutants

# --- The artefact: what `sam build` makes of functions/ and dependencies/ -------------------------------------------------

SHIPPED := template.yaml samconfig.toml $(shell find functions dependencies model -type f -not -name '*.pyc')

build: .aws-sam/.built
	@:

.aws-sam/.built: .venv-sam/.synced $(SHIPPED)
	@out=$$($(SAM) build 2>&1) || { printf '%s\n' "FAILED  sam build" "$$out"; exit 1; }
	@touch $@

# --- State machines: authored in Python, deployed as they are committed --------------------------------------------------

AUTHOR := .venv-authoring/bin/python -m state_machines

state-machines: .venv-authoring/.synced
	@$(AUTHOR)

# --- Checks ---------------------------------------------------------------------------------------------------------------

MACHINES := $(sort $(wildcard state_machines/*.asl.json))
CHECKS := lint format types imports lock-file requirements sam-validate cfn-lint checkov artefact state-machines \
  asl cfn-lint-asl template plants first-calls

.PHONY: $(CHECKS:%=check-%)

# Two at a time, and all of them although one fails.
check: .venv/.synced .venv-sam/.synced .venv-authoring/.synced .venv-checkov/.synced .aws-sam/.built
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(CHECKS:%=check-%)

check-lint: setup
	$(call check,ruff check,$(BIN)/ruff check --quiet .)

check-format: setup
	$(call check,ruff format,$(BIN)/ruff format --quiet --diff .)

check-types: setup
	$(call check,mypy --strict,$(BIN)/mypy)

check-imports: setup
	$(call check,import-linter,$(BIN)/lint-imports --no-cache)

check-lock-file: setup
	$(call check,uv.lock agrees with pyproject.toml,$(BIN)/uv lock --check && $(BIN)/uv lock --check --project checks)

check-requirements: setup
	$(call check,dependencies/requirements.txt agrees with uv.lock,$(EXPORT) | diff dependencies/requirements.txt -)

check-sam-validate: .venv-sam/.synced
	$(call check,sam validate --lint,$(SAM) validate --lint)

check-cfn-lint: setup
	$(call check,cfn-lint on the translated template,$(BIN)/python -m checks.translation build/translated.json && \
	  $(BIN)/cfn-lint build/translated.json)

check-checkov: .venv-checkov/.synced
	$(call check,checkov on the translated template,$(BIN)/python -m checks.checkov .venv-checkov/bin/checkov)

check-artefact: .aws-sam/.built
	$(call report,handlers import from the artefact alone,$(BIN)/python -m checks.artefact .aws-sam/build)

check-first-calls: .aws-sam/.built
	$(call report,built functions answer their first call,$(BIN)/python -m checks.first_calls .aws-sam/build)

check-template: setup
	$(call check,tests of the template and of its permissions,$(BIN)/python -m pytest --quiet tests/template tests/permissions)

check-plants: setup
	$(call report,planted faults turn their check red,$(BIN)/python -m checks.plants)

check-state-machines: .venv-authoring/.synced
	$(call check,state machines and their pictures are as authored (else: make state-machines),$(AUTHOR) --check)

check-asl: build/asl-validator/.installed
	$(call check,asl-validator,node build/asl-validator/node_modules/.bin/asl-validator $(MACHINES:%=--json-path %))

check-cfn-lint-asl: setup
	$(call check,cfn-lint on the state machines,$(BIN)/python -m checks.state_machines build/state-machines.json \
	  $(MACHINES) && $(BIN)/cfn-lint build/state-machines.json)

build/asl-validator/.installed: checks/package.json checks/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --silent --prefix $(@D)
	@touch $@

# --- What an account has still to confirm; see docs/verify-aws.md --------------------------------------------------------

# Creates nothing by itself; to spend: make verify-aws ARGS='--yes-spend --account ID --region REGION'
verify-aws: setup
	@$(BIN)/python -m verification $(ARGS)

# --- Upkeep ---------------------------------------------------------------------------------------------------------------

lock: setup
	@$(BIN)/uv lock --quiet && $(EXPORT) > dependencies/requirements.txt
	@$(BIN)/uv lock --quiet --project checks
	@npm install --silent --prefix checks --package-lock-only --omit-lockfile-registry-resolved

clean:
	@rm -rf build .aws-sam .venv .venv-authoring .venv-checkov .venv-sam .hypothesis .import_linter_cache .mypy_cache \
	  .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
