# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPLCD on RPIO: its own tests, and its test suite for people, with a simulated display to look at."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import peers

RPLCD = "RPLCD==1.4.0"
MOCK = "pytest-mock==3.14.0"
TESTS = 32
HERE = Path(__file__).parent
SHOWN = {
    "Display should be blank": ("", ""),
    '"Hello world!" should be on the LCD': ("Hello world!", ""),
    "Lines 1 and 2 should now be labelled": ("Hello world!   1", "               2"),
    "The string should have a left offset of 5": ("     12345", ""),
    'The string "cursor" should now be on the second row': ("12345", "cursor"),
    "Everything should be shifted to the right by 5": ("     12345", "     cursor"),
    'Display should now show "Eggs, Ham and Spam"': ("Eggs, Ham", "and Spam"),
    "Text should now be shifted to the right by 4": ("    Eggs, Ham", "    and Spam"),
    'The word "Spam" should now be inverted': ("Eggs, Ham", "and mapS"),
    "in a zig zag line": ("1 3 5", " 2 4 6"),
    "Text should nicely wrap": ("This will wrap a", "round both lines"),
    "without any encoding issues": ("Paris: 21\xdfC", "Z\xf5rich: 18\xdfC"),  # codes of the controller's font
    "a sad and a happy face": ("\x00\x01", ""),
    'the second line should show "2nd line"': ("1234567890123456", "2nd line"),
}
"""Part of what the suite asks -> the two rows when it does."""


OVER = pytest.mark.parametrize("over", ["", "remote"], ids=["local", "remote"])


@pytest.fixture(scope="module")
def source(fetch):
    return fetch(peers.sdist, RPLCD)


def run(*command, path, cwd, over):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "RPIO_BACKEND": "sim:3B+",
            "RPIO_OVER": over,
            "PYTHONIOENCODING": "utf-8",
        },
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@OVER
def test_its_own_tests_pass(source, fetch, capsys, over):
    path = (fetch(peers.installed, MOCK), HERE, source)
    options = ("-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "rplcd_plugin", f"--rootdir={source}")
    said = run("-m", "pytest", *options, "tests", path=path, cwd=source, over=over)
    passed = re.search(r"(\d+) passed", said)
    with capsys.disabled():
        print(f" RPLCD's own tests: {said.splitlines()[-1]} ", end="")
    assert passed and int(passed[1]) == TESTS
    assert "skipped" not in said


@OVER
def test_its_suite_for_people_shows_what_it_says(source, over):
    said = run(HERE / "rplcd_display.py", source, path=(), cwd=HERE, over=over)
    found = [tuple(line.split("|")) for line in said.splitlines() if line.count("|") == 2]
    for asked, rows in SHOWN.items():
        shown = next(tuple(line[1:]) for line in found if asked in line[0])
        assert shown == tuple(row.ljust(16) for row in rows), asked
