# SPDX-License-Identifier: LGPL-3.0-or-later
# `make` alone lists the targets. Everything lives in .venv and .cache; `make clean` removes both.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
RIG := source/tests/kernel/rig
QEMU := source/tests/qemu/machine.py
ARM := source/tests/arm/roots.py
SIDE_BY_SIDE := source/tests/side_by_side.py
PIP := $(PY) -m pip --disable-pip-version-check --quiet
# What an extra needs, beside the RPIO that is there: of a folder pip would build the package once more for it.
OURS := >=1.dev0
SOURCES := setup.py pyproject.toml README.md $(shell find source/RPIO source/c_gpio -name '*.py' -o -name '*.pyi' -o -name '*.[ch]')
CORE := regs regs_bcm2835 regs_rp1 cdev event numbers fork tally spawn poll_ring poll soft_place soft_wave soft_plan soft dma_mailbox dma_chain dma dma_pace dma_guard sysfs module module_hot module_regs module_cdev module_events module_timer module_lines module_frames module_objects module_routes module_pwm module_dma module_whole module_turn module_apart module_tally module_spawn
C_STRICT := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -O2 -fPIC -Wall -Wextra -Wconversion -Wshadow -Wcast-align=strict -Werror -Wno-missing-field-initializers -fvisibility=hidden

.PHONY: help install dev run test test-tls test-host test-slow test-kernel test-qemu test-arm test-arm-quick test-full test-sanitized test-package test-peers test-every test-moments check lint proto bench docs deb clean

help:                 ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r t d; do printf '  make %-16s %s\n' "$$t" "$$d"; done

# -- the environment ---------------------------------------------------------------------------------

# What a bare machine lacks: headers and venv of the interpreter, a compiler. Installed where we may, named elsewhere.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "RPIO needs Python 3.10 or later; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@missing=; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || missing="$$missing python3-dev"; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "installing$$missing"; apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	    else echo "please install:$$missing   (sudo apt install$$missing)"; exit 1; fi; \
	fi
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install 'setuptools>=65' wheel
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(SOURCES)
	@echo "installing RPIO into $(VENV)"
	@rm -rf build
	@RPIO_REQUIRE_C=1 $(PIP) install --no-build-isolation --force-reinstall --no-deps .
	@$(PIP) install --no-build-isolation 'RPIO[all]$(OURS)'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.installed
	@echo "installing the test, lint and documentation tools into $(VENV)"
	@$(PIP) install --no-build-isolation 'RPIO[test,lint,docs]$(OURS)'
	@touch $@

install: $(VENV)/.installed ## .venv with the package and all extras

dev: install $(VENV)/.dev ## the same with the tools for tests, lint and documents

run: install          ## the example: GPIO 7 and 9, TCP 8080; simulated where there is no board
	@$(PY) examples/demo.py

# -- tests -------------------------------------------------------------------------------------------

# Two processes more than there are processors in the first three: some tests wait, for a terminal say. In the guest there
# is one, and a system call is dear: what a test prints is caught in Python alone, and what takes a compiler is made outside.
# No limit is for the whole: each test has one (pyproject.toml), and a guest that says nothing.
# Two threads at once and forks at each few bytecodes are test-every's; what takes 0.15 s of a processor or 2 s of a clock is test-slow's.
WORKERS = auto
test test-host test-slow: WORKERS = $$(($$(nproc) + 2))
# Each target knows what failed in it: AGAIN=here is that alone, one after the other; AGAIN=there what failed in the guest
# (.ci/again.py).
LAST = $(if $(AGAIN),--last-failed --last-failed-no-failures=none)
PYTEST = $(PY) -m pytest -o cache_dir=.cache/pytest/$@ $(LAST) -n $(if $(AGAIN),0,$(WORKERS))
ON_HOST = $(PYTEST) --dist worksteal --ignore=source/tests/interrupted/test_threads.py --ignore=source/tests/interrupted/test_forks.py --ignore=source/tests/kernel --ignore=source/tests/package --ignore=source/tests/peers --ignore=source/tests/qemu
IN_GUEST = $(RIG) run --dtb rpi3b --out .cache/pytest/$@-there
PYTEST_THERE = -- $(CURDIR)/$(PY) -m pytest -o cache_dir=$(CURDIR)/.cache/pytest/$@-there $(LAST) --capture=sys
GUEST_TESTS = $(IN_GUEST) $(PYTEST_THERE) source/tests/kernel source/tests/contract
QUICK = -m 'not slow'
GUEST_PARTS = PYTHONPATH=source/tests $(PY) -c 'from contract.rigs import modelled_core; from interrupted import moments; from scarce.library import build; modelled_core(); build()'

# A command here and one for the guest, side by side: where there can be no guest, the first alone.
define both
@if reason=$$($(RIG) check); then \
    $(RIG) build && $(GUEST_PARTS) && $(PY) $(SIDE_BY_SIDE) .cache/$@-there.log "$(1)" "$(2)"; \
else s=$$?; if [ $$s = 3 ]; then $(1); s=$$?; fi; echo "kernel tests skipped: $$reason"; exit $$s; fi
endef
BOTH = $(if $(filter here,$(AGAIN)),$(1),$(if $(filter there,$(AGAIN)),$(2),$(both)))

test: dev             ## what is ours, a real kernel included, but for what takes long: both parts side by side
	$(call BOTH,$(ON_HOST) $(QUICK),$(GUEST_TESTS) $(QUICK))

test-host: dev        ## what needs no kernel of our own
	@$(ON_HOST) $(QUICK)

test-slow: dev        ## the tests for which `make test` has no time; both parts side by side
	$(call BOTH,$(ON_HOST) -m slow,$(GUEST_TESTS) -m slow)

test-kernel: dev      ## the tests that need a real gpiochip, in User Mode Linux
	@if $(RIG) check; then \
	    $(RIG) build && $(GUEST_PARTS) && $(GUEST_TESTS); \
	else s=$$?; [ $$s = 3 ] && echo "kernel tests skipped, as said above" || exit $$s; fi

test-qemu: dev        ## the C core and a DMA engine on QEMU's Raspberry Pi 3B, under Debian's kernel
	@if $(PY) $(QEMU) check; then \
	    $(PY) $(QEMU) build && $(PYTEST) -n 0 source/tests/qemu; \
	else s=$$?; [ $$s = 3 ] && echo "tests on QEMU skipped, as said above" || exit $$s; fi

test-arm: dev         ## the host suite on ARM with 32 and 64 bits: roots of Debian's packages, under QEMU's user mode
	@$(PY) $(ARM) test $(ROOTS) || { s=$$?; [ $$s = 3 ] && echo "tests on ARM skipped, as said above" || exit $$s; }

test-arm-quick: dev   ## a part of it, on ARM with 32 bits
	@$(PY) $(ARM) quick || { s=$$?; [ $$s = 3 ] && echo "tests on ARM skipped, as said above" || exit $$s; }

test-sanitized: dev   ## the C core under the address and undefined-behaviour sanitizers
	@RPIO_SANITIZE=1 ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    $(PYTEST) --dist worksteal source/tests/c

test-package: dev     ## wheel and sdist build, install and import elsewhere, on every Python at hand
	@$(PYTEST) --dist loadfile --timeout 3600 source/tests/package

test-peers: dev       ## beside the real RPi.GPIO, and other people's suites on ours: fetched and kept in ~/.cache/rpio
	@$(PYTEST) --dist loadfile --timeout 3600 source/tests/peers

OVER_TLS = remote_processes remote_strangers remote_proxy session_counts bad_ends daemon tasks_served hold following runs_served
test-tls: dev          ## what is served to others, all of it once more by TLS with a client's certificate
	@RPIO_OVER_TLS=1 $(PYTEST) --dist loadfile --timeout 600 $(OVER_TLS:%=source/tests/test_%.py) source/tests/peers/test_over_a_socket.py

# Of how many parts which one: "1/4" takes a quarter (source/tests/parts.py).
EVERY_PART = 0/1
EVERY_STEPS = RPIO_PART=$(EVERY_PART) RPIO_LINES=all RPIO_INTERRUPTED_STEP=1 RPIO_THREADS_STEP=29 RPIO_FORKS_STEP=101 RPIO_PULSE_SETS=10000 RPIO_KILLS=40 RPIO_PROGRAMS=30 RPIO_LAST_LINES=1000
EVERY_ON_HOST = $(EVERY_STEPS) $(PYTEST) --dist worksteal --timeout 3600 source/tests/interrupted source/tests/scarce source/tests/contract source/tests/test_remote_processes.py source/tests/test_daemon.py source/tests/test_keeper.py source/tests/test_pure.py source/tests/test_shared_sim.py source/tests/test_pwm_interrupted.py source/tests/test_tui.py source/tests/c/test_dma_rings.py::test_random_pulse_sets_are_exact_to_the_slot
# What hangs there says where: its time is over before the rig's patience is.
EVERY_IN_GUEST = $(IN_GUEST) --silence 1200 --env RPIO_PART=$(EVERY_PART) --env RPIO_INTERRUPTED_STEP=1 --env RPIO_LINES=all $(PYTEST_THERE) --timeout 900 source/tests/kernel/test_interrupted.py source/tests/kernel/test_scarce.py source/tests/contract

test-every: dev       ## at every point: what is interrupted, and what lacks something, which `make test` tries here and there
	$(call BOTH,$(EVERY_ON_HOST),$(EVERY_IN_GUEST))

test-moments: dev     ## every function at every bytecode: interrupted, beside another thread, beside a fork
	@RPIO_INTERRUPTED_STEP=1 RPIO_THREADS_STEP=1 RPIO_FORKS_STEP=1 RPIO_UPLOADS=all $(PYTEST) --dist worksteal --timeout 7200 source/tests/interrupted source/tests/test_uploads.py

test-full: test-slow test-peers test-tls test-package test-every test-arm-quick deb ## all that `make test` leaves out

check: lint test-sanitized docs ## format, lint, types, C warnings, sanitizers, documents

lint: dev
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@for f in $(CORE); do for d in -DNORMAL -DRPIO_MODELLED_SOC; do gcc $(C_STRICT) $$d $$($(PY) -c 'import sysconfig; print("-I" + sysconfig.get_path("include"))') -fsyntax-only source/c_gpio/$$f.c || exit 1; done; done
	@echo "C core: no warnings"

proto: dev            ## the code of gRPC's messages, by an old protoc, which is fetched and kept in ~/.cache/rpio
	@$(PY) source/tests/protos.py

bench: dev            ## RPIO beside RPi.GPIO, gpiod, rpi-lgpio and gpiozero: one table with ratios
	@$(PY) bench/run.py $(PARTS)

# -- documents and packages --------------------------------------------------------------------------

docs: dev             ## the documentation, with its examples run
	@$(PY) -m sphinx -q -W --keep-going -b doctest doc .cache/doc/doctest
	@$(PY) -m sphinx -q -W --keep-going -b man -t manpage doc .cache/doc/man
	@$(PY) -m sphinx -q -W --keep-going -b html doc .cache/doc/html
	@echo "documentation: .cache/doc/html/index.html, manual pages: .cache/doc/man"

deb:                  ## the Debian package, in .cache/deb
	@debian/build

clean:                ## remove everything that make made
	rm -rf $(VENV) .cache build dist .pytest_cache .mypy_cache .ruff_cache source/RPIO.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
