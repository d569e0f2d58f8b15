# SPDX-License-Identifier: LGPL-3.0-or-later
"""The original's own ``rpio`` and ``rpio-curses``, unmodified, on ours and a simulated board, beside the original.

Their options --update-man and --update-rpio go to the net, and are left out. Both run on the fake Pi, where they are
root; what they print is compared, and is the original's.
"""

import os
import re
import signal
import subprocess
import sys

import pytest

from terminal import Terminal, needs_tmux
from waiting import wait_until

from . import fakepi, peers
from .original import NAME, REVISION

TIME_LIMIT_S = 30
DRIVEN = """
import runpy, sys, threading

def drive():
    for text in sys.stdin:
        from RPIO import sim
        sim.drive(*map(int, text.split()))

threading.Thread(target=drive, daemon=True).start()
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""A program that runs another one, and drives lines of the simulated board as it is told."""

THEIRS_ALONE = re.compile(r"^.*\| Cleaning up interfaces\.\.\.\n", re.MULTILINE)
TIMES = re.compile(r"\d+-\d+-\d+ \d+:\d+:\d+,\d+")
VERSIONS = re.compile(r"RPIO v\S+( \(gpio-lib v\S+\))?")


@pytest.fixture(scope="module")
def scripts(original_rpio, fetch):
    """The folder of the scripts."""
    return fetch(peers.sdist, peers.ORIGINAL) / "source" / "scripts"


def command(on_ours):
    """Return the beginning of a command: the fake Pi, with theirs or ours for ``import RPIO``."""
    which = [f"RPIO_BACKEND=sim:{NAME}"] if on_ours else [f"PYTHONPATH={peers.original()}"]
    return [
        *fakepi.command(REVISION, sysfs=True, dev_mem=True),
        "env",
        "--default-signal=INT",
        *which,
        sys.executable,
    ]


def environment():
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and name[:5] != "RPIO_"}


def run(on_ours, script, *words):
    """Return the exit status, and what is printed, without times and versions."""
    done = subprocess.run(
        [*command(on_ours), str(script), *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=TIME_LIMIT_S,
        check=False,
    )
    said = VERSIONS.sub("RPIO v", TIMES.sub("", THEIRS_ALONE.sub("", done.stdout + done.stderr)))
    return done.returncode, said


ANSWERS = {
    "--help": (0, "Usage: rpio [options]"),
    "": (0, "Usage: rpio [options]"),
    "--version": (0, "RPIO v\n"),
    "--sysinfo": (0, "000e: Model B, Revision 2.0, RAM: 512 MB, Maker: Sony\n"),
    "-v --sysinfo": (0, "INFO | "),
    "-i 17": (0, "GPIO 17: INPUT  (0)\n"),
    "-v -i 17": (0, "INFO | "),
    "--inspect 7,8,99": (0, "GPIO 7: INPUT  (1)\nGPIO 8: INPUT  (1)\nGPIO 99: does not exist\n"),
    "-i 1-9": (0, "GPIO 2: INPUT  (1)\nGPIO 3: INPUT  (1)\nGPIO 4: INPUT  (1)\nGPIO 7: INPUT  (1)\n"),
    "-I": (0, "GPIO 2: INPUT  (1)\n"),
    "--inspect-all": (0, "GPIO 2: INPUT  (1)\n"),
    "-i x": (1, "Traceback"),
    "-s 17:1": (0, "Cannot output to GPIO 17, because it is setup as INPUT. Use --setoutput 17 first.\n"),
    "--set 17": (1, "Traceback"),
    "-s 99:1": (5, "GPIO 99: not a valid gpio-id for this board\n"),
    "--setoutput 22": (0, ""),
    "--setoutput 22:0 -i 22": (0, "GPIO 22: OUTPUT (0)\n"),
    "--setoutput 22 --set 22:1": (0, ""),
    "--setoutput 99": (5, "GPIO 99: not a valid gpio-id for this board\n"),
    "--setinput 22": (0, ""),
    "-v --setinput 22:pullup": (0, "DEBUG |  | GPIO 22 setup as INPUT with PULLUP resistor\n"),
    "-v --setinput 22:pulldown": (0, "DEBUG |  | GPIO 22 setup as INPUT with PULLDOWN resistor\n"),
    "--setinput 22:pulloff": (0, ""),
    "--setinput 22:wrong": (1, "Traceback"),
    "--setinput 99": (5, "GPIO 99: not a valid gpio-id for this board\n"),
    "--wait_for_interrupts 99": (5, "GPIO 99: not a valid gpio-id for this board\n"),
    "--nothing": (2, "Usage: rpio [options]\n\nrpio: error: no such option: --nothing\n"),
}


@pytest.mark.parametrize("words", ANSWERS)
def test_rpio_prints_the_same(scripts, words):
    theirs, ours = (run(on_ours, scripts / "rpio", *words.split()) for on_ours in (False, True))
    assert ours == theirs
    status, beginning = ANSWERS[words]
    assert ours[0] == status
    assert ours[1].startswith(beginning)


@pytest.mark.parametrize(
    ("words", "waits_for", "levels", "said"),
    [
        ("-w 17", "17", "17 1\n17 0\n", ["17 interrupt: value = 1", "17 interrupt: value = 0"]),
        ("-w 17:rising:pulldown", "17", "17 1\n17 0\n17 1\n", ["17 interrupt: value = 1"] * 2),
        (
            "-w 17:pullup:falling,18",
            "17,18",
            "17 0\n18 1\n",
            ["17 interrupt: value = 0", "18 interrupt: value = 1"],
        ),
        ("-w 15-18", "15-18", "15 1\n18 1\n", ["15 interrupt: value = 1", "18 interrupt: value = 1"]),
    ],
)
def test_rpio_waits_for_interrupts_until_ctrl_c(scripts, words, waits_for, levels, said):
    program = subprocess.Popen(
        [*command(True), "-c", DRIVEN, str(scripts / "rpio"), *words.split()],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with program:
        try:
            assert program.stderr.readline() == "Waiting for interrupts (exit with Ctrl+C) ...\n"
            program.stdin.write(levels)
            program.stdin.flush()
            assert [program.stderr.readline() for _ in said] == [f"GPIO {line}\n" for line in said]
            program.send_signal(signal.SIGINT)
            assert program.stderr.read() == ""
            assert program.wait(TIME_LIMIT_S) == 0
        finally:
            program.kill()


# -- rpio-curses ---------------------------------------------------------------------------------------


OWN = {"PYTHONPATH": "", "RPIO_BACKEND": ""}
"""Not what a terminal has otherwise: command() says both."""


class Screens:
    """The two programs, to which the same keys are sent."""

    def __init__(self, scripts, folder):
        self.both = []
        for on_ours in (False, True):
            place = folder / ("ours" if on_ours else "theirs")
            place.mkdir()
            terminal = Terminal(place, "")
            self.both.append(terminal)
            terminal.begin([*command(on_ours), str(scripts / "rpio-curses")], 110, 32, "GPIO 31", **OWN)

    def shows(self, *texts):
        """Wait until both show that, and the same but for the version in the first row."""
        for terminal in self.both:
            terminal.wait(*texts)
        assert wait_until(lambda: self._rows(0) == self._rows(1), 8), "\n".join(t.screen() for t in self.both)
        return self._rows(1)

    def _rows(self, which):
        return VERSIONS.sub("RPIO v", self.both[which].screen())

    def keys(self, *names):
        for terminal in self.both:
            terminal.keys(*names)

    def close(self):
        for terminal in self.both:
            terminal.__exit__()


@pytest.fixture
def screens(scripts, tmp_path):
    made = Screens(scripts, tmp_path)
    yield made
    made.close()


@needs_tmux
def test_rpio_curses_shows_the_same(screens):
    assert screens.shows(">  GPIO 2:  INPUT    High").count("INPUT") == 21
    screens.keys("Down", "Down", "Down", "Up", "Down")
    screens.shows(">  GPIO 7:  INPUT    High")
    screens.keys("Enter")
    screens.shows(
        "- Function: INPUT", "- State:    High", ">  Set to OUTPUT", "Set resistor to pull-up", "back"
    )
    screens.keys("Up", "Enter")  # back
    screens.keys(*["Down"] * 8, "Enter")
    screens.shows("GPIO 18", "- Function: INPUT", "- State:    Low")
    screens.keys("Enter")
    screens.shows("- Function: OUTPUT", ">  Set to INPUT", "Set output to High", "Set output to Low")
    screens.keys("Down", "Down", "Down", "Enter")
    screens.shows(">  GPIO 18: OUTPUT   Low")
    screens.keys("h")
    screens.shows(
        "rpio-curses is an interactive RPIO management tool.", "[000e] Model B, Revision 2.0, RAM: 512 MB"
    )
    screens.keys("q")
    for terminal in screens.both:
        terminal.end(0)


@needs_tmux
def test_rpio_curses_drives_lines(scripts, tmp_path):
    with Terminal(tmp_path, "") as terminal:
        terminal.begin([*command(True), str(scripts / "rpio-curses")], 110, 32, "GPIO 31", **OWN)
        terminal.keys(*["Down"] * 10, "Enter")
        terminal.wait("GPIO 17", "- Function: INPUT", ">  Set to OUTPUT")
        terminal.keys("Enter")
        terminal.wait("- Function: OUTPUT", "- State:    Low")
        terminal.keys("Down", "Enter")
        terminal.wait("- Function: OUTPUT", "- State:    High")
        terminal.keys("Down", "Enter")
        terminal.wait("- Function: OUTPUT", "- State:    Low")
        terminal.keys("Up", "Up", "Enter")
        terminal.wait("- Function: INPUT", "Set resistor to pull-up")
        terminal.keys("Down", "Enter")
        terminal.wait("- Function: INPUT", "- State:    High")
        terminal.keys("q")
        terminal.end(0)


@needs_tmux
def test_rpio_curses_without_rpio(scripts, tmp_path):
    with Terminal(tmp_path, "") as terminal:
        terminal.begin([*command(True), str(scripts / "rpio-curses"), "dev"], 110, 32, "GPIO 21", **OWN)
        terminal.wait("RPIO vdev", ">  GPIO 2:  OUTPUT   Low")
        terminal.keys("q")
        terminal.end(0)
