# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio as it was published, unmodified, at ``rpio serve --remoteio``: what its programs do to lines."""

import itertools
import os
import subprocess
import sys
import textwrap

import pytest

from remote_parts import daemon
from remoteio_parts import ANY, RECORDER, port_of, wave
from waiting import LIMIT_S, wait_until

from . import peers

NEEDS = ("gpiozero==2.0.1.post3", "colorzero==2.0")
"""Which its client imports, since its server does."""
WAIT_MS = 300


def client(folder, package, port, code):
    """Run a program with that package, which knows it by the name of its module alone."""
    head = "import remoteio, sys, time; assert 'RPIO' not in remoteio.__file__.split('/')[-3:]\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code), str(port)],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def served(tmp_path):
    with daemon(tmp_path, *ANY, prelude=RECORDER) as made:
        yield made


def waves(served, line, count):
    """The levels of so many changes of a line, and the milliseconds from each to the next."""
    assert wait_until(lambda: len(wave(served, line)) >= count), served.look()
    found = wave(served, line)
    return [level for level, _ in found], [b - a for (_, a), (_, b) in itertools.pairwise(found)]


# Its server answers nothing, so that its programs can only wait: for the end of the first task, and before the next.
OF_2_1 = """
    server = remoteio.RemoteServer("127.0.0.1", int(sys.argv[1]))
    pin, other = server.pin(7, "b"), server.pin(17, "g")
    pin.on(time_ms=300)
    other.blink()
    other.pulse(time_ms=100)
    other.off()
    time.sleep(0.6)
    pin.on(time_ms=60000)
    time.sleep(0.3)
    pin.off()
    pin.on()
    pin.close()
    try:
        server.pin(4, "g")
    except ValueError:
        server.close()
"""


def test_the_newest_on_the_index(fetch, tmp_path, served):
    package = fetch(peers.installed, "remoteio==2.1", *NEEDS)
    client(tmp_path, package, port_of(served), OF_2_1)
    levels, took_ms = waves(served, 4, 6)
    assert levels == [1, 0] * 3
    assert took_ms[0] == pytest.approx(WAIT_MS, abs=50)
    assert took_ms[2] < 30_000  # and not for a minute: the newest wins
    assert wait_until(lambda: "remoteio client" not in served.rpio("who").stdout)


OF_1_0_12 = """
    server = remoteio.RemoteServer("127.0.0.1", int(sys.argv[1]))
    pin = server.pin(7, "b")
    pin.on(time_ms=300).off()           # together in one segment, often: its own server reads neither then
    server.pin(4, "g").on(time_ms=300)
    server.close()
"""


def test_the_first_generation(fetch, tmp_path, served):
    package = fetch(peers.installed, "remoteio==1.0.12", *NEEDS)
    client(tmp_path, package, port_of(served), OF_1_0_12)
    levels, took_ms = waves(served, 4, 4)
    assert levels == [1, 0, 1, 0]
    assert [took_ms[0], took_ms[2]] == pytest.approx([WAIT_MS, WAIT_MS], abs=50)
