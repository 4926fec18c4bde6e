# `make figures` and `make test` are all that is needed; each sets the project up first. `make help` lists the rest.
PYTHON ?= python3# makes the virtual environment
CORES  ?= all#     how many the pipeline may use
SCALE  ?= smoke#   smoke, laptop or paper
CUDA   ?=#         1: set up for an NVIDIA GPU
MIRROR ?=#         a folder with the data sets' files, tried before any download

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup manual status crate release figures demo report docs test lint types validate check dry-run locks clean report-snakemake site site-picture test-browser audit test-slurm test-crate plan
# Without a line in `make help`.
.PHONY: any-setup any-ready checkers manual-tools audit-tools crate-tools

FLAVOUR   := $(if $(filter 1,$(CUDA)),cuda,cpu)
LOCK      := envs/requirements-$(FLAVOUR).lock
INSTALLED := .venv/installed-$(FLAVOUR)
READY     := .venv/ready-$(FLAVOUR)
CHECKERS  := .venv/ready-checks
MANUAL    := .venv/docs/ready
AUDITOR   := .venv/ready-audit
VALIDATOR := .venv/ready-crate
INSTALL   := .venv/bin/python -m pip install --disable-pip-version-check --no-user --progress-bar off --no-deps --no-compile \
	--use-pep517 --require-hashes
ACTIVATE  := export PATH="$(CURDIR)/.venv/bin:$$PATH";
SNAKEMAKE := $(ACTIVATE) snakemake --profile workflow/profiles/local --cores $(CORES) --config scale=$(SCALE)
# A word for the shell, blanks, quotes and a tilde included, where abspath would make several paths of one.
quoted = '$(subst ','\'',$(1))'
ifneq ($(MIRROR),)
export EMERGENT_MIRROR := $(shell $(call quoted,$(PYTHON)) -c 'import os, sys; print(os.path.abspath(os.path.expanduser(sys.argv[1])))' $(call quoted,$(MIRROR)))
endif
# What the caller's shell says for other programs: it would mix foreign packages into the environment.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_DRY_RUN \
	PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY PIP_ONLY_BINARY PIP_REQUIRE_VIRTUALENV PIP_EDITABLE VIRTUAL_ENV
# Snakemake and Matplotlib keep caches in the home folder and ask for the user's name: whoever lacks either, as in some
# containers, gets one here.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.home
unexport XDG_CACHE_HOME XDG_CONFIG_HOME MPLCONFIGDIR
$(shell mkdir -p .home)
endif
ifeq ($(LOGNAME)$(USER)$(shell id -un 2>/dev/null),)
export LOGNAME := nobody
endif
# Packages are installed without bytecode and compiled as they are imported. Where the caller's environment forbids
# keeping it, every job compiles JAX anew, which takes longer than most jobs of the smoke scale.
unexport PYTHONDONTWRITEBYTECODE

# An environment holds absolute paths: moved or copied with its folder it would run the code of the original.
ifneq ("$(shell cat .venv/place 2>/dev/null)","$(CURDIR)")
.PHONY: $(INSTALLED)
endif

help: ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile
	@echo "Variables, e.g. make figures SCALE=laptop CORES=8:"
	@sed -nE 's/^([A-Z]+) +\?= *([a-z0-9]*)# *(.*)/\1 \2 \3/p' Makefile | awk '{name = $$1; $$1 = ""; printf "  %-10s%s\n", name, $$0}'

# One set-up at a time in a folder: a second make waits, looks again, and finds it done.
ALONE := $(if $(shell command -v flock),flock .setup.lock)
setup: ## make .venv with the exact packages of the lock
	@$(ALONE) $(MAKE) --no-print-directory -s $(READY)
# What only asks takes the environment that there is, for a GPU or not: a question must not throw it away.
any-setup: ; @$(ALONE) $(MAKE) --no-print-directory -s any-ready CUDA=$(if $(wildcard .venv/installed-cuda),1)
any-ready: $(READY)
checkers manual-tools audit-tools crate-tools: setup
checkers: ; @$(ALONE) $(MAKE) --no-print-directory -s $(CHECKERS)
manual-tools: ; @$(ALONE) $(MAKE) --no-print-directory -s $(MANUAL)
audit-tools: ; @$(ALONE) $(MAKE) --no-print-directory -s $(AUDITOR)
crate-tools: ; @$(ALONE) $(MAKE) --no-print-directory -s $(VALIDATOR)

# The environment is made anew whenever its lock changes. Its stamp comes last: a set-up cut short is done again.
$(INSTALLED): $(LOCK) envs/check_python.py
	@command -v $(call quoted,$(PYTHON)) >/dev/null || { echo "error: $(PYTHON) not found. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(call quoted,$(PYTHON)) envs/check_python.py
	@echo "Setting up .venv from $(LOCK) (once; about 2 minutes) ..."
	@rm -f .venv/installed-* .venv/ready-* .venv/place
	@$(call quoted,$(PYTHON)) -m venv --clear .venv
	@$(INSTALL) -r $(LOCK) \
		| awk '/Downloading .*[0-9][0-9](\.[0-9]+)? MB/ {print "  " $$2; fflush()} /^Installing/ {print "  unpacking"; fflush()}'
	@touch $@

$(READY): $(INSTALLED) pyproject.toml
	@.venv/bin/python -m pip install --disable-pip-version-check --no-user -q --no-deps --no-build-isolation -e .
	@printf '%s\n' $(call quoted,$(CURDIR)) > .venv/place
	@touch $@

# What only checks need: a fifth of the size of all, a third of the files.
$(CHECKERS): $(READY) envs/requirements-checks.lock
	@$(INSTALL) -q -r envs/requirements-checks.lock
	@touch $@

# The documentation site needs none of the project's packages, which it only reads.
$(MANUAL): $(READY) envs/requirements-docs.lock
	@.venv/bin/python -m venv --clear .venv/docs
	@$(subst .venv/bin/,.venv/docs/bin/,$(INSTALL)) -q -r envs/requirements-docs.lock
	@touch $@

# In an environment of its own: it must not change the one that it looks at.
$(AUDITOR): $(READY) envs/requirements-audit.lock
	@.venv/bin/python -m venv --clear .venv/audit
	@$(subst .venv/bin/,.venv/audit/bin/,$(INSTALL)) -q -r envs/requirements-audit.lock
	@touch $@

# In an environment of its own too: it wants other versions of what the project has.
$(VALIDATOR): $(READY) envs/requirements-crate.lock
	@.venv/bin/python -m venv --clear .venv/crate
	@$(subst .venv/bin/,.venv/crate/bin/,$(INSTALL)) -q -r envs/requirements-crate.lock
	@touch $@

figures: setup ## draw every figure and table (SCALE=smoke: from embedded data, without downloads)
	@$(SNAKEMAKE)
	@echo "Figures and tables (beside each: its other formats and the CSV behind it):"
	@find figures/$(SCALE) -name '*.pdf' -o -name '*.md' | sort | sed 's/^/  /'

# One experiment, trained and drawn while one waits; Snakemake's own messages stay in its log.
DEMO := figures/$(SCALE)/gerken_kessel/toy_cosine
demo: setup ## train, draw and animate a small ensemble, in half a minute
	@export EMERGENT_PROGRESS=1; $(SNAKEMAKE) experiments="['toy_cosine']" --quiet all -- $(DEMO).pdf $(DEMO).gif
	@echo "Figure:    $(DEMO).pdf (also .png, .svg; the numbers in .csv, the caption in .txt)"
	@echo "Animation: $(DEMO).gif"

report: figures ## put all that 'make figures' made on one HTML page
	@$(SNAKEMAKE) --quiet all -- figures/$(SCALE)/report.html
	@echo "Report: figures/$(SCALE)/report.html"

report-snakemake: figures ## build Snakemake's own report: its graph of rules and the time of every job
	@$(SNAKEMAKE) --report results/$(SCALE)/report.html
	@echo "Report: results/$(SCALE)/report.html"

crate: figures ## pack the run as a Workflow Run RO-Crate, with a CODECHECK manifest
	@$(ACTIVATE) python -m emergent.cli.crate --scale $(SCALE) --output results/$(SCALE)/emergent-$(SCALE).crate.zip

release: crate ## archive the sources of the last commit, beside the run's crate, for a repository such as Zenodo
	@git archive --format=tar.gz --prefix=emergent/ --output results/$(SCALE)/emergent-source.tar.gz HEAD
	@cd results/$(SCALE) && sha256sum emergent-source.tar.gz emergent-$(SCALE).crate.zip | tee emergent-$(SCALE).sha256

manual: manual-tools ## build the documentation as a site: results/manual/index.html
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --quiet
	@echo "Documentation: results/manual/index.html"

site: setup ## put the committed runs on one HTML page, which can be published as it is
	@$(ACTIVATE) python -m emergent.cli.report --committed --output site/index.html

site-picture: site ## take the picture of that page which the README shows (needs Chromium)
	@$(ACTIVATE) python tests/browser/screenshot.py site/index.html docs/figures/report.png

docs: setup ## write the pages in docs that state results, from the data committed there
	@$(ACTIVATE) python -m emergent.cli.docs

test: setup ## run the tests, except those marked slow
	@$(ACTIVATE) pytest -q -n auto --maxprocesses 8 --dist worksteal -m "not slow"

test-browser: setup ## look at the page in a real browser (needs Chromium)
	@$(ACTIVATE) pytest -q -m slow tests/browser

test-crate: crate-tools ## validate the archive of a small run by the profile of Workflow Run RO-Crates
	@$(ACTIVATE) pytest -q -p no:cacheprovider --durations=5 tests/workflow/check_crate.py

# On a real scheduler: two nodes on this machine. Installs Slurm if it is missing; some minutes, most of them waiting.
test-slurm: setup ## run small experiments on a Slurm cluster made for it here (Debian or Ubuntu, as root)
	@$(ACTIVATE) pytest -q -p no:cacheprovider --durations=5 tests/cluster/check_slurm.py

lint: checkers ## check style: ruff, snakefmt, snakemake --lint
	@$(ACTIVATE) ruff check .
	@$(ACTIVATE) ruff format --check .
	@$(ACTIVATE) snakefmt --check Snakefile workflow
	@$(ACTIVATE) .ci/lint-workflow

types: checkers ## check types
	@$(ACTIVATE) PYRIGHT_PYTHON_IGNORE_WARNINGS=1 pyright

validate: any-setup ## check the configuration of every experiment at every scale
	@$(ACTIVATE) python -m emergent.cli.validate

audit: audit-tools ## look all locked packages up in the database of vulnerabilities, if it can be reached
	@.venv/bin/python envs/audit.py --tool .venv/audit/bin/pip-audit

check: ## do all that continuous integration does
	@.ci/run

status: any-setup ## say which experiments, figures and claims are missing or stale, and why: by value, by code or by input
	@$(ACTIVATE) python -m emergent.cli.status --scale $(SCALE)

dry-run: any-setup ## show what 'make figures' would run
	@$(SNAKEMAKE) --dry-run

plan: any-setup ## say what a run will take: jobs, time, memory, disk (e.g. SCALE=paper CUDA=1)
	@$(ACTIVATE) python -m emergent.cli.plan --set scale=$(SCALE) $(if $(filter 1,$(CUDA)),accelerator=true) \
		$(if $(filter all,$(CORES)),,--cores $(CORES))

# Needs uv (https://docs.astral.sh/uv). Remove a lock first to take the newest versions; else it changes only as needed.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make locks" uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-annotate --default-index https://pypi.org/simple
PROJECT := pyproject.toml envs/requirements.in --excludes envs/excludes.txt --extra dev
CPU     := envs/requirements-cpu.lock
locks: ## resolve the dependencies in pyproject.toml anew (maintainers)
	$(COMPILE) $(PROJECT) --output-file $(CPU)
	$(COMPILE) $(PROJECT) --extra cuda --constraints $(CPU) --output-file envs/requirements-cuda.lock
	$(COMPILE) envs/checks.in --constraints $(CPU) --output-file envs/requirements-checks.lock
	$(COMPILE) envs/docs.in --output-file envs/requirements-docs.lock
	$(COMPILE) envs/audit.in --output-file envs/requirements-audit.lock
	$(COMPILE) envs/crate.in --output-file envs/requirements-crate.lock

clean: ## remove what was computed (keeps downloads and .venv)
	rm -rf figures/smoke figures/laptop figures/paper results/smoke results/laptop results/paper results/compiled results/slurm results/cluster .snakemake
