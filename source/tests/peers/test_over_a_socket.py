# SPDX-License-Identifier: LGPL-3.0-or-later
"""The same programs and the same tests, with the lines in another process: what they say is what they say here.

By the environment, at a program that serves; and by ``rpio run --on``, at the daemon's socket and over ssh.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remote_parts import serving
from waiting import LIMIT_S

from . import far_ends

HERE = Path(__file__).parents[1]
PROGRAMS = HERE.parents[1] / "examples" / "rpigpio"
ENDS_BY_ITSELF = {
    "fade.py": ("--times", "1", "--steps", "2"),
    "servo.py": ("0", "180", "--pause", "0.01"),
    "relays.py": ("up", "0.02"),
    "stepper.py": ("10",),
    "shift_register.py": ("--rounds", "1", "--pause", "0.001"),
    "lcd.py": ("--seconds", "1", "one"),
    "distance.py": ("--count", "1"),
    "dht.py": ("--tries", "1"),
}
STATUS = {"dht.py": 1}
"""Of those that end with another one than 0: there is no sensor."""


def said(path, arguments, backend):
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", "run", path, *arguments],
        env={**os.environ, "RPIO_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ENDS_BY_ITSELF)
def test_an_example_says_the_same(name):
    path, arguments = PROGRAMS / name, ENDS_BY_ITSELF[name]
    here = said(path, arguments, "sim:4B")
    with serving() as server:
        there = said(path, arguments, f"remote://127.0.0.1:{server.port}")
    assert there == here
    assert here[0] == STATUS.get(name, 0), here[2]


@pytest.fixture(scope="module", params=far_ends.HOSTS)
def host(request, tmp_path_factory):
    """A machine that is served by a daemon, and one that is logged in to."""
    with far_ends.host(request.param, tmp_path_factory.mktemp("far")) as made:
        yield made


@pytest.mark.parametrize("name", ENDS_BY_ITSELF)
def test_an_example_says_the_same_by_run_on(host, name):
    path, arguments = PROGRAMS / name, ENDS_BY_ITSELF[name]
    here = said(path, arguments, "sim:4B")
    there = host.run(path, *arguments, capture_output=True)
    assert (there.returncode, there.stdout, there.stderr) == here
    assert here[0] == STATUS.get(name, 0), here[2]


def test_the_tests_of_the_functions_pass():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", HERE / "test_facade.py", "-q", "-n", "0", "-p", "no:cacheprovider"],
        env={**os.environ, "RPIO_OVER": "remote"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_rpio_reads_and_writes_there():
    """By the environment, over a port and over a unix socket."""
    with serving() as server:
        where = f"remote://127.0.0.1:{server.port}"
        for verb in (("write", "--output", "17=1"), ("read", "17"), ("info",)):
            done = subprocess.run(
                [sys.executable, "-m", "RPIO", *verb],
                env={**os.environ, "RPIO_BACKEND": where},
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{server.port}" in done.stdout
