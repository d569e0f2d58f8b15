# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio doctor`` on a real kernel: whose lines are whose."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.programs import program, reader
from waiting import LIMIT_S


def doctor(*arguments):
    """What ``rpio doctor`` finds, in a process of its own: check, status, text, command."""
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "RPIO_BACKEND"},
        timeout=LIMIT_S,
        check=False,
    )
    rows = json.loads(done.stdout)
    return [(row["check"], row["status"], row["text"], row["command"]) for row in rows]


@pytest.fixture
def holder(pi_chip):
    """A program that holds GPIO 17 and waits."""
    process = program(
        """
        import RPIO, time
        RPIO.setup(17, RPIO.OUT, initial=1)
        print("holds it")
        time.sleep(120)
        """,
        RPIO_BACKEND="cdev",
    )
    assert reader(process)("holds it")
    yield process
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_a_line_of_another_process_has_its_holder_and_the_process(holder):
    held = next(row for row in doctor("--backend", "cdev") if row[0] == "held")
    assert held[2].startswith("GPIO 17: held by 'RPIO', ")
    assert f"process {holder.pid} (" in held[2]
    assert held[3] == f"kill {holder.pid}"


def test_the_board_and_its_chip_are_named(pi_chip):
    rows = doctor()
    assert ("model", "ok", "Raspberry Pi 3 Model B, board revision 1.2 (code a02082)", None) in rows
    chip = f"{pi_chip.path}: pinctrl-bcm2835, 54 lines, the one that RPIO uses"
    assert ("chips", "ok", chip, None) in rows
    assert not [row for row in rows if "could not be looked at" in row[2]]


def test_an_exported_line_has_the_command_that_frees_it(pi_chip):
    gpio = Path("/sys/class/gpio")
    base = next(
        int((entry / "base").read_text())
        for entry in gpio.glob("gpiochip*")
        if (entry / "label").read_text().strip() == "pinctrl-bcm2835"
    )
    (gpio / "export").write_text(str(base + 22))
    try:
        row = next(row for row in doctor() if row[0] == "exported")
        assert row[2].startswith("GPIO 22 of pinctrl-bcm2835 is exported through sysfs (in, ")
        subprocess.run(row[3].replace("sudo ", ""), shell=True, check=True, stdout=subprocess.DEVNULL)
        assert not (gpio / f"gpio{base + 22}").exists()
    finally:
        if (gpio / f"gpio{base + 22}").exists():
            (gpio / "unexport").write_text(str(base + 22))
