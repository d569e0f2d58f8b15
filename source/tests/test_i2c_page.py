# SPDX-License-Identifier: LGPL-3.0-or-later
"""The sessions of doc/i2c, as people type them: on the board of its circuit, which a thread of this process serves.

Its programs in Python run with those of the other pages.
"""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from RPIO.backends.sim import SimBackend
from RPIO.board.board import Board
from RPIO.chips.circuit import load
from RPIO.machine.boards import by_name
from RPIO.server.serving import serve
from waiting import LIMIT_S

PAGE = (Path(__file__).resolve().parents[2] / "doc" / "i2c.rst").read_text(encoding="utf-8")
SESSIONS = re.findall(r"^\.\. code-block:: console\n\n((?:    .*\n|\n)+)", PAGE, re.MULTILINE)


def captioned(name):
    """A file that the page shows."""
    return textwrap.dedent(re.search(rf"    :caption: {re.escape(name)}\n\n((?:    .*\n|\n)+)", PAGE)[1])


def steps(session):
    """The commands of a session, and what each prints."""
    lines = [line.removeprefix("    ") for line in session.rstrip("\n").split("\n")]
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return [(command, "".join(f"{line}\n" for line in shown)) for command, shown in found]


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of the page."""
    for name in ("adc.toml", "adafruit.py"):
        (tmp_path / name).write_text(captioned(name))
    return tmp_path


@pytest.fixture
def place(folder):
    """Where the board of the circuit is served."""
    simulated = SimBackend(by_name("4B"))
    load(str(folder / "adc.toml")).build(simulated)
    board = Board()
    board.use(simulated, simulated.hardware)
    port = serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)
    yield f"remote://localhost:{port}"
    board.close()


def typed(command, folder, **env):
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", *command.split()[1:]],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **env},
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_rpio_i2c_prints_what_the_page_shows(folder, place):
    (session,) = [session for session in SESSIONS if "rpio i2c" in session]
    for command, shown in steps(session):
        out = typed(command, folder, RPIO_BACKEND=place)
        times = re.compile(r"^ +\d+\.\d{6}", re.MULTILINE)
        assert times.sub("T", out) == times.sub("T", shown), command


def test_the_program_with_adafruits_library_runs(folder):
    (session,) = [session for session in SESSIONS if "rpio run" in session]
    ((command, shown),) = steps(session)
    assert typed(command, folder) == shown


def test_every_session_is_one_of_these():
    others = [session for session in SESSIONS if "rpio i2c" not in session and "rpio run" not in session]
    assert [steps(session)[0][0] for session in others] == ['pip install "RPIO[i2c]"']
