# SPDX-License-Identifier: LGPL-3.0-or-later
"""The figures of doc/performance.rst: each is one that a part of bench/ prints. Nothing is measured here."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "doc" / "performance.rst").read_text(encoding="utf-8")
TABLE = re.compile(r"^\.\. list-table::.*\n(?:    .*\n|\n)+", re.MULTILINE)
FIGURE = re.compile(r"\d[\d,.]*(?: (?:ns|us|ms|s|MB|Hz|%)(?!\w)|(?= of RPi\.GPIO's| of gpiod's))")


def printed():
    """(What, beside whom) -> unit and bar, of all parts."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "run.py"), "--list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    rows = [row for part in json.loads(done.stdout).values() for row in part]
    found = {(what, peer or "-"): (unit, bar) for what, peer, unit, bar in rows}
    assert len(found) == len(rows), "two rows have one name"
    return found


def tables():
    """The rows of the page's tables, without their heads: what, beside whom, theirs, RPIO, ratio."""
    rows = []
    for table in TABLE.findall(PAGE):
        for text in table.split("\n    * - ")[2:]:
            rows.append(
                [cell.replace("``", "").replace("\\-", "-").strip() for cell in text.split("\n      - ")]
            )
    return rows


ROWS = tables()


def figures(text):
    """The numbers of a text that somebody has measured: with a unit, or a ratio. What was asked for is in words."""
    return FIGURE.findall(" ".join(text.split()))


def value(cell):
    """A figure and its unit: ("14 us") -> (14.0, "us")."""
    number, _, unit = cell.partition(" ")
    return float(number.replace(",", "")), unit


@pytest.fixture(scope="module")
def bench():
    return printed()


def test_the_page_has_rows():
    assert len(ROWS) > 20
    assert {len(row) for row in ROWS} == {5}
    assert len({(what, peer) for what, peer, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} / {row[1]}")
def test_a_row_is_one_that_the_bench_prints(bench, row):
    what, peer, theirs, ours, ratio = row
    unit, bar = bench[what, peer]
    assert value(ours)[1] == unit
    if theirs == "-":
        assert ratio == "-"
        return
    (a, unit_a), (b, unit_b) = value(theirs), value(ours)
    assert unit_a == unit_b
    # what is shown has been rounded, to two digits at least
    assert b / a == pytest.approx(float(ratio), rel=0.12, abs=0.012)
    assert bar is None or float(ratio) <= bar


def test_rows_of_the_bench_that_have_a_bar_are_all_on_the_page(bench):
    """None is left out because it is not flattering."""
    shown = {(what, peer) for what, peer, *_ in ROWS}
    assert {key for key, (_, bar) in bench.items() if bar is not None} <= shown


def test_gpiod_at_its_best_is_beside_every_place_of_the_loop():
    """read_edge_events() alone is one system call; a row with two calls needs the other."""
    shown = {(what, peer) for what, peer, *_ in ROWS}
    places = {what for what, peer in shown if what.startswith("gpiochip: edge to callback")}
    assert len({what.rpartition(": ")[0] for what in places}) == 6
    assert all((what, "gpiod, read") in shown for what in places)


def test_every_row_of_an_edge_has_its_tail_in_the_bench(bench):
    """A median alone says little."""
    medians = [(what.removesuffix(": p50"), peer) for what, peer in bench if what.endswith(": p50")]
    assert medians
    assert all((f"{what}: {tail}", peer) in bench for what, peer in medians for tail in ("p99", "worst"))


def test_the_floors_can_be_measured():
    """What they call is ours, and moves: once each, and no time is looked at."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import floors\n"
        "def once(statement, names, number=0): exec(statement, names); return 1\n"
        "floors.best_ns = once\n"
        "assert [row._replace(ours=None) for row in floors.rows()] == floors.ROWS\n"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT / "bench")], check=True, timeout=LIMIT_S)


def test_a_figure_in_the_text_is_one_of_a_table():
    cells = {cell for row in ROWS for cell in row}
    names = " ".join(f"{what} {peer}" for what, peer, *_ in ROWS)
    strangers = [
        figure for figure in figures(TABLE.sub("", PAGE)) if figure not in cells | set(figures(names))
    ]
    assert strangers == []


def test_figures_are_found_in_a_text():
    text = "It takes 7.1 us,\n0.96 of gpiod's time and 17 %; Linux 6.1, 8 lines, 100 percent."
    assert figures(text) == ["7.1 us", "0.96", "17 %"]
