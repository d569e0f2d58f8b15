# SPDX-License-Identifier: LGPL-3.0-or-later
"""The real RPi.GPIO 0.7.1 and RPIO, side by side: values, errors, warnings, and stores into registers."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from . import both, listed
from .cases import CASES, GROUPS, Case

SUBJECTS = (both.BY_NAME, both.FACADE)
DOCUMENT = Path(__file__).parents[3] / "doc" / "differences.rst"

pytestmark = [pytest.mark.usefixtures("rpi_gpio"), pytest.mark.timeout(both.RUN_TIME_LIMIT_S)]


@functools.cache
def outcomes(subject: str) -> dict[Case, list[both.Outcome]]:
    return both.run(subject, CASES)


@functools.cache
def found(subject: str, group: Callable[[], Iterable[Case]]) -> list[both.Difference]:
    """What differs in the cases of one group."""
    real, mine = outcomes(both.REAL), outcomes(subject)
    return [difference for case in group() for difference in both.differences(case, real[case], mine[case])]


def explanation(difference: both.Difference, subject: str) -> listed.Listed | None:
    return next(
        (row for row in listed.ON_PURPOSE if subject in row.subjects and row.explains(difference)), None
    )


def explained(row: listed.Listed, subject: str) -> Iterator[both.Difference]:
    for group in GROUPS:
        for difference in found(subject, group):
            if explanation(difference, subject) is row:
                yield difference


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_nothing_differs_but_what_is_listed(subject, group):
    unlisted = [
        difference for difference in found(subject, group) if explanation(difference, subject) is None
    ]
    assert not unlisted, "\n" + "\n".join(map(str, unlisted))


@pytest.mark.parametrize(
    ("subject", "row"),
    [(subject, row) for row in listed.ON_PURPOSE for subject in row.subjects],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_is_listed_still_differs(subject, row):
    assert any(explained(row, subject)), "nothing of that kind differs any more: take it from the list"


@pytest.mark.parametrize("row", listed.ON_PURPOSE, ids=lambda row: row.name)
def test_what_is_listed_is_documented(row):
    text = " ".join(DOCUMENT.read_text().split())
    assert " ".join(row.doc.split()) in text


def test_no_program_dies_but_where_the_real_one_does():
    for subject in SUBJECTS:
        real = outcomes(both.REAL)
        died = [case for case, lines in outcomes(subject).items() if "ended" in lines[-1].raised]
        assert not [case.name for case in died if "ended" not in real[case][-1].raised]


@pytest.mark.skipif(not both.NOTES_STORES, reason="stores are noted by x86-64's trap flag")
def test_equal_levels_of_a_list_are_one_store():
    case = Case(("setmode(BCM)", "setup([4, 17, 33], OUT)", "output([4, 17, 4], [1, 1, 0])"))
    for subject, stores in ((both.REAL, 3), (both.BY_NAME, 2), (both.FACADE, 2)):
        assert len(both.run(subject, [case])[case][-1].stores) == stores
