# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO's own tests, with their questions, on RPIO in its place and a simulated circuit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import far_ends, peers

RUNNER = Path(__file__).with_name("rpigpio_own.py")
TESTS = 36
LINE = re.compile(r"^\w+ \(__main__\.(\w+\.\w+)\)(?:\n[^.].*)? \.\.\. ", re.MULTILINE)
VERDICT = re.compile(r"^(?:.* \.\.\. )?(ok|FAIL|ERROR|skipped .*)$", re.MULTILINE)


TIME_LIMIT_S = 1800
TOGETHER = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


def here(over):
    """A call that runs a program of Python with the words behind it, on a board of its own."""

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            text=True,
            env={**os.environ, "RPIO_BACKEND": "sim", "RPIO_OVER": over, "PYTHONUNBUFFERED": "1"},
            timeout=TIME_LIMIT_S,
            check=False,
            **TOGETHER,
        )

    return run


def verdicts(source, run, *names):
    """Run them, all for none, and return name -> "ok" or another word of unittest's, and what was printed."""
    done = run(RUNNER, source / "test" / "test.py", "-v", *names)
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
    check(fetch(peers.sdist, peers.RPI_GPIO), here(over), capsys)


@peers.runs_again
@pytest.mark.parametrize("kind", far_ends.HOSTS)
def test_its_tests_pass_by_run_on(fetch, capsys, tmp_path, kind):
    source = fetch(peers.sdist, peers.RPI_GPIO)
    with far_ends.host(kind, tmp_path, "3B+") as host:
        check(source, lambda *words: host.run(*words, timeout_s=TIME_LIMIT_S, **TOGETHER), capsys)


def check(source, run, capsys):
    """All of them pass."""
    found, said = verdicts(source, run)
    slow = {name: verdict for name, verdict in found.items() if verdict != "ok"}
    if slow:  # they measure times to 20 ms, on a machine that may have other things to do
        peers.warn_of_second_run(slow)
        again, said = verdicts(source, run, *slow)
        found |= again
    passed = {name for name, verdict in found.items() if verdict == "ok"}
    with capsys.disabled():
        print(f" RPi.GPIO's own tests: {len(passed)} of {len(found)} pass ", end="")
    assert len(found) == TESTS, said
    assert passed == set(found), said
