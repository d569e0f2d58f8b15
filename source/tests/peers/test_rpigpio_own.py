# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO's own tests, with their questions, on RPIO in its place and a simulated circuit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import peers

RUNNER = Path(__file__).with_name("rpigpio_own.py")
TESTS = 36
LINE = re.compile(r"^\w+ \(__main__\.(\w+\.\w+)\)(?:\n[^.].*)? \.\.\. ", re.MULTILINE)
VERDICT = re.compile(r"^(?:.* \.\.\. )?(ok|FAIL|ERROR|skipped .*)$", re.MULTILINE)


def verdicts(source, over, *names):
    """Run them, all for none, and return name -> "ok" or another word of unittest's, and what was printed."""
    script = source / "test" / "test.py"
    done = subprocess.run(
        [sys.executable, RUNNER, script, "-v", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "RPIO_BACKEND": "sim", "RPIO_OVER": over, "PYTHONUNBUFFERED": "1"},
        timeout=1800,
        check=False,
    )
    found = {}
    begins = list(LINE.finditer(done.stdout))
    ends = [*(match.start() for match in begins[1:]), len(done.stdout)]
    for match, end in zip(begins, ends, strict=True):
        verdict = VERDICT.search(done.stdout[match.end() : end]) or VERDICT.search(
            done.stdout[match.start() : end]
        )
        found[match[1]] = verdict[1] if verdict else "no verdict"
    return found, done.stdout


@peers.runs_again
@pytest.mark.parametrize("over", ["", "remote"], ids=["local", "remote"])
def test_its_tests_pass(fetch, capsys, over):
    source = fetch(peers.sdist, peers.RPI_GPIO)
    found, said = verdicts(source, over)
    slow = {name: verdict for name, verdict in found.items() if verdict != "ok"}
    if slow:  # they measure times to 20 ms, on a machine that may have other things to do
        peers.warn_of_second_run(slow)
        again, said = verdicts(source, over, *slow)
        found |= again
    passed = {name for name, verdict in found.items() if verdict == "ok"}
    with capsys.disabled():
        print(f" RPi.GPIO's own tests: {len(passed)} of {len(found)} pass ", end="")
    assert len(found) == TESTS, said
    assert passed == set(found), said
