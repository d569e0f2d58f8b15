# SPDX-License-Identifier: LGPL-3.0-or-later
"""Fixtures for all tests: a simulated board of its own for each, and no board of the machine by accident."""

import gc
import logging
import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell that starts a command in the background has it ignore Ctrl+C, and so would the programs of the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("RPIO_BACKEND", "sim")

import behind
import parts
import RPIO
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.machine.boards import by_name
from support import EMULATED
from tcp_peers import connect, serve  # noqa: F401  # fixtures

# What is compiled is kept, out of sight, and shared with the kernel of our own: each process of a run would compile all
# tests again where somebody's environment has Python keep nothing, which is a quarter of the run.
sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[2] / ".cache" / "compiled")

# No example is wrong for taking its time. Where each takes twenty times as long, fewer have to do.
hypothesis.settings.register_profile("rpio", deadline=None, max_examples=20 if EMULATED else 100)
hypothesis.settings.load_profile("rpio")

for name in ("COLUMNS", "LINES", "FORCE_COLOR", "PY_COLORS", "NO_COLOR"):  # what programs print is compared
    os.environ.pop(name, None)


def pytest_collection_modifyitems(config, items):
    """Leave out what another part of the table has (parts.py)."""
    kept = [item for item in items if parts.is_in(item.nodeid, parts.PART)]
    config.hook.pytest_deselected(items=[item for item in items if not parts.is_in(item.nodeid, parts.PART)])
    items[:] = kept


def pytest_collection_finish():
    """Have the garbage collector look at no test that is there: to go through half a million objects takes longer than
    most tests, and some have all garbage collected.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_of_other_tests():
    """Tests run in any order. Some choose what the logger lets through; Hypothesis leaves a callback with the garbage
    collector, within which Python swallows what a signal's handler raises.
    """
    gc.callbacks.clear()
    logger = logging.getLogger("RPIO")
    before = logger.level
    yield
    logger.setLevel(before)  # which makes the loggers forget what they remember of it, too


@pytest.fixture
def sim():
    """A simulated Raspberry Pi 4B whose clock the test moves."""
    backend = SimBackend(by_name("4B"), ManualClock())
    yield backend
    backend.close()


@pytest.fixture
def board(sim):
    """A Board on that."""
    board = Board()
    board.use(sim, sim.hardware)
    yield board
    board.close()


@pytest.fixture
def rpio(monkeypatch):
    """The module RPIO on a fresh simulated 4B with real time; everything is closed afterwards."""
    monkeypatch.setenv("RPIO_BACKEND", "sim:4B")
    RPIO.facade.new_board()
    if behind.IS_REMOTE:
        behind.use(SimBackend(by_name("4B")))
    yield RPIO
    RPIO.facade.new_board()
    behind.end()
