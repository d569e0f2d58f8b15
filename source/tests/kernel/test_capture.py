# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio capture`` and ``rpio record`` of a real chip."""

import contextlib
import os
import subprocess
import sys

import pytest

from RPIO.recordings import vcd
from support import is_asleep
from waiting import LIMIT_S, wait_until

BURST = 20


@contextlib.contextmanager
def started(*arguments):
    env = {name: value for name, value in os.environ.items() if name != "RPIO_BACKEND"}
    command = [sys.executable, "-m", "RPIO", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read(path):
    with open(path) as file:
        return vcd.read_vcd(file)


@pytest.mark.parametrize("verb", ["capture", "record"])
def test_a_burst_comes_back_with_the_right_count_and_order(pi_chip, tmp_path, verb):
    """Two lines in turn, as fast as the chip takes them."""
    path = tmp_path / "out.vcd"
    with started(verb, "17,4", "--edges", str(BURST), "--timescale", "1ns", "-o", str(path)) as process:
        assert wait_until(lambda: pi_chip.is_watched(17) and pi_chip.is_watched(4))
        assert wait_until(
            lambda: is_asleep(process.pid), 20
        )  # the kernel says "watched" before it has the interrupt
        played = []
        for number in range(BURST):
            line, level = ((17, 4)[number % 2], 1 - number // 2 % 2)
            pi_chip.drive(line, level)
            played.append((line, level))
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (0, "")
    found = read(path)
    assert [(line, level) for _, line, level in found] == played
    assert (found.initial, found.lost()) == ([0, 0], {})
    assert out.splitlines()[-1].startswith(f"{BURST} edges in ")
    assert not pi_chip.is_watched(17)
