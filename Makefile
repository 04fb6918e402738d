# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A thin top of noxfile.py: makes what it needs below .build/ and starts the sessions.

BUILD := .build
TOOLS := $(BUILD)/tools
PYTHON := $(TOOLS)/bin/python
SUPPORT := PYTHONPATH=tests $(PYTHON) -m support
NOX = $(if $(INDEX),UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$(INDEX)}") PATH="$$PWD/$(TOOLS)/bin:$$PATH" $(TOOLS)/bin/nox --no-error-on-external-run
JOBS ?= 2

# Where it is set, every Python compiles anew all that it imports: Ansible, Plone, and what each module needs.
unexport PYTHONDONTWRITEBYTECODE

# uv asks neither the system for the certificates to trust, nor pip's settings for the package index; pip does both.
ifneq ($(wildcard /etc/ssl/certs/*),)
export UV_SYSTEM_CERTS ?= true
endif
INDEX = $(or $(PIP_INDEX_URL),$(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null))

.DEFAULT_GOAL := help
.PHONY: help demo bench test test-more test-matrix test-ends test-faults faults totals plone platform lint sanity units integration molecule docs importer repository jobs acceptance pictures build changelog release clean

help:
	@echo "make demo         upgrade a real Plone, an Odoo dump and an Odoo database, step by step"
	@echo "make test         what a change must pass, on the newest ansible-core that this machine's Pythons run; minutes"
	@echo "make test-more    every other job with real servers, molecule, and Galaxy's importer; takes a quarter of an hour"
	@echo "make test-matrix  sanity of plugins/ and integration tests on every ansible-core from 2.16 to the newest"
	@echo "make test-ends    the same on the oldest and the newest, and what each core itself judges between; what CI runs"
	@echo "make test-faults  every fault of servers and networks at every call; takes minutes"
	@echo "make bench        every benchmark, beside curl, sftp and playbooks by hand; takes an hour or more"
	@echo "make plone        a real Plone with a pending upgrade, to practise on, until Ctrl-C"
	@echo "make platform     the rehearsal platform for Odoo upgrades, until Ctrl-C"
	@echo "make docs         the documentation site, in .build/docs/index.html"
	@echo "make pictures     the pictures of the README, made anew by the tests that compare them"
	@echo "make build        the tarball for Galaxy"
	@echo "make changelog    put the fragments into the changelog; DATE=2026-11-22 dates it"
	@echo "make release      a release in .build/dist/release, judged and installed; SIGNING_KEY=... signs it"
	@echo "make clean        remove .build"
	@echo "One check alone:  make lint | sanity | units | docs | repository | jobs | acceptance | molecule | importer | integration"
	@echo "One test alone:   make units T=tests/unit/plugins/module_utils/test_window.py::test_...   also acceptance, faults,"
	@echo "                  repository; make integration T=<target>; make lint T=<tool>"
	@echo "VERBOSE=1 shows every command, JOBS=1 runs one check at a time."

test: $(TOOLS)/done pythons
	@rm -f $(BUILD)/results/test.json
	@$(NOX) --parallel $(JOBS) --report $(BUILD)/results/test.json; status=$$?; \
	$(SUPPORT).checks.tally $(BUILD)/results $(BUILD)/results/test.json && exit $$status

test-more: $(TOOLS)/done pythons
	@rm -f $(BUILD)/results/more.json
	@$(NOX) --parallel $(JOBS) --report $(BUILD)/results/more.json --session acceptance molecule importer; status=$$?; \
	$(SUPPORT).checks.tally $(BUILD)/results $(BUILD)/results/more.json && exit $$status

# Every row of the matrix, or what CI takes of it: the oldest and the newest with everything, the others with sanity.
test-matrix test-ends: test-%: $(TOOLS)/done pythons
	@rm -f $(BUILD)/results/$*.json
	@$(NOX) --tags $* --report $(BUILD)/results/$*.json; status=$$?; \
	$(SUPPORT).checks.tally $(BUILD)/results $(BUILD)/results/$*.json && exit $$status

test-faults: $(TOOLS)/done pythons
	@rm -f $(BUILD)/results/faults-report.json
	@$(NOX) --session faults --report $(BUILD)/results/faults-report.json; status=$$?; \
	$(SUPPORT).checks.tally $(BUILD)/results $(BUILD)/results/faults-report.json && exit $$status

# What the last test, test-more, test-ends and test-faults found together.
totals: $(TOOLS)/done
	@$(SUPPORT).checks.tally $(BUILD)/results $(BUILD)/results/test.json $(BUILD)/results/more.json \
	    $(BUILD)/results/ends.json $(BUILD)/results/faults-report.json

# T names what to run of it: a test, a target, a tool, an option of the runner.
lint sanity units integration repository acceptance faults: $(TOOLS)/done pythons
	@$(NOX) --session $@ $(if $(T),-- $(T))

jobs molecule docs importer pictures build changelog release: $(TOOLS)/done pythons
	@$(NOX) --session $@

demo: $(TOOLS)/done pythons
	@$(NOX) --session demo

# RUN names one benchmark, with options of its own.
bench: $(TOOLS)/done pythons
	@$(NOX) --session bench $(if $(RUN),-- $(RUN))

plone platform: $(TOOLS)/done pythons
	@$(NOX) --session $@

clean:
	rm -rf $(BUILD)

.PHONY: pythons
pythons: $(TOOLS)/done
	@mkdir -p $(BUILD)/results
	@$(SUPPORT).checks.interpreters $(BUILD)/pythons

# Any Python from 3.11 on that runs and can make a virtual environment.
$(TOOLS)/done:
	@for python in python3 python3.14 python3.13 python3.12 python3.11 $$HOME/.pyenv/versions/3.1[1-9]*/bin/python3; do \
	    if $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        rm -rf $(TOOLS) && $$python -m venv $(TOOLS) && \
	        $(PYTHON) -m pip install --quiet --quiet 'nox>=2026.10' 'uv>=0.13' && touch $@ && exit 0; \
	        exit 1; \
	    fi; \
	done; \
	echo "No Python from 3.11 on with venv and ensurepip was found (Debian: apt-get install python3-venv)." >&2; exit 1
