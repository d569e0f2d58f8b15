# SPDX-License-Identifier: LGPL-3.0-or-later
"""The original RPIO 0.10.0 and ours, side by side: values, errors, warnings, what is printed and logged."""

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from . import both, fakepi, original, original_listed, peers
from .cases import Case
from .original_cases import CASES, GROUPS, REVISION

RUNNER = Path(__file__).with_name("original_api_runner.py")
DOCUMENT = Path(__file__).parents[3] / "doc" / "differences.rst"
ROWS = original_listed.ON_PURPOSE
RUN_TIME_LIMIT_S = 500
ACCIDENTAL = ((re.compile(r"0x[0-9a-f]{6,}"), "0x"), (re.compile(r"from '[^']*'"), "from ''"))
"""Addresses, and where modules lie."""

pytestmark = [pytest.mark.usefixtures("original_rpio"), pytest.mark.timeout(600)]


def run(cases: Iterable[Case], *command: str) -> dict[Case, list[both.Outcome]]:
    """Return what became of each line of each case."""
    cases = list(cases)
    done = subprocess.run(
        command,
        input=json.dumps([case.lines for case in cases]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("RPIO_")},
        timeout=RUN_TIME_LIMIT_S,
        check=True,
    )
    text = done.stdout
    for pattern, short in ACCIDENTAL:
        text = pattern.sub(short, text)
    told = json.loads(text)
    return {case: [both.outcome(line) for line in lines] for case, lines in zip(cases, told, strict=True)}


PYTHON = (sys.executable, "-W", "ignore", str(RUNNER))


def run_theirs(revision: str, cases: Iterable[Case]) -> dict[Case, list[both.Outcome]]:
    return run(cases, *fakepi.command(revision, sysfs=True, dev_mem=True), *PYTHON, str(peers.original()))


def run_ours(revision: str, cases: Iterable[Case]) -> dict[Case, list[both.Outcome]]:
    """On the simulated board of that revision; on the fake Pi's registers, where there is none."""
    if revision == REVISION:
        return run(cases, "env", f"RPIO_BACKEND=sim:{original.NAME}", *PYTHON, "RPIO")
    return run(cases, *fakepi.command(revision), "env", "RPIO_BACKEND=regs", *PYTHON, "RPIO")


Outcomes = tuple[dict[Case, list[both.Outcome]], dict[Case, list[both.Outcome]]]


def outcomes() -> Outcomes:
    """Return theirs and ours; a run that fails is not tried again by each test."""
    found = run_once()
    if isinstance(found, Exception):
        raise found
    return found


@functools.cache
def run_once() -> Outcomes | Exception:
    try:
        return run_all()
    except subprocess.SubprocessError as e:
        return e


def run_all() -> Outcomes:
    by_revision: dict[str, list[Case]] = {}
    for case in CASES:
        by_revision.setdefault(case.revision, []).append(case)
    both_sides: list[dict[Case, list[both.Outcome]]] = []
    with ThreadPoolExecutor(2) as pool:
        for some in [pool.map(each, by_revision, by_revision.values()) for each in (run_theirs, run_ours)]:
            both_sides.append({case: lines for part in some for case, lines in part.items()})
    return both_sides[0], both_sides[1]


@functools.cache
def found(group: Callable[[], Iterable[Case]]) -> list[both.Difference]:
    """What differs in the cases of one group."""
    theirs, ours = outcomes()
    return [
        difference
        for case in dict.fromkeys(group())
        for difference in both.differences(case, seen_twice(case, theirs[case], ours[case]), ours[case])
    ]


@functools.cache
def alone(case: Case) -> list[both.Outcome]:
    """What becomes of a case on the original, which runs nothing else meanwhile."""
    return run_theirs(case.revision, [case])[case]


def seen_twice(case: Case, theirs: list[both.Outcome], ours: list[both.Outcome]) -> list[both.Outcome]:
    """Return theirs; on its own, where something differs that is not listed. On a busy machine the original takes one
    edge of a file for two. Ours is not asked again: it does the same each time.
    """
    unlisted = any(explanation(difference) is None for difference in both.differences(case, theirs, ours))
    return alone(case) if unlisted else theirs


def explanation(difference: both.Difference) -> original_listed.Listed | None:
    return next((row for row in ROWS if row.explains(difference)), None)


def explained(row: original_listed.Listed) -> Iterator[both.Difference]:
    for group in GROUPS:
        for difference in found(group):
            if explanation(difference) is row:
                yield difference


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_nothing_differs_but_what_is_listed(group):
    unlisted = [difference for difference in found(group) if explanation(difference) is None]
    assert not unlisted, "\n" + "\n".join(map(str, unlisted))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_listed_still_differs(row):
    assert any(explained(row)), "nothing of that kind differs any more: take it from the list"


@pytest.mark.parametrize("row", original_listed.ON_PURPOSE, ids=lambda row: row.name)
def test_what_is_listed_is_documented(row):
    text = " ".join(DOCUMENT.read_text().split())
    assert " ".join(row.doc.split()) in text


def test_every_public_function_of_the_original_is_called(original_rpio):
    source = (original_rpio / "RPIO" / "__init__.py").read_text()
    pulses = (original_rpio / "RPIO" / "PWM" / "__init__.py").read_text()
    names = re.findall(r"^def (\w+)", source, re.MULTILINE)
    names += re.findall(r"^(\w+) = _GPIO\.[a-z]", source, re.MULTILINE)
    names += [f"PWM.{name}" for name in re.findall(r"^def (\w+)", pulses, re.MULTILINE)]
    called = {line.partition("(")[0] for case in CASES for line in case.lines}
    assert len(names) > 30
    assert set(names) <= called


def test_ours_ends_no_program():
    _, ours = outcomes()
    assert not [case.name for case, lines in ours.items() if "ended" in lines[-1].raised]
