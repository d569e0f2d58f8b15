# SPDX-License-Identifier: LGPL-3.0-or-later
"""The one table of `make bench`: what, beside whom, theirs, ours, the ratio, and the bar that it has to keep."""

import sys
from typing import NamedTuple


class Row(NamedTuple):
    """A figure of both; less is better. *bar* is what ours / theirs may be at most; None for no bar."""

    what: str
    peer: str
    theirs: float | None
    ours: float | None
    unit: str
    bar: float | None = None

    def of(self, theirs, ours):
        """The same row with its figures."""
        return self._replace(theirs=theirs, ours=ours)

    @property
    def ratio(self):
        return self.ours / self.theirs if self.ours is not None and self.theirs else None

    @property
    def kept(self):
        return self.bar is None or (self.ratio is not None and self.ratio <= self.bar)


def blank(what, peer, unit, bar=None):
    """A row without figures: a part says with these what it prints, before it measures anything."""
    return Row(what, peer, None, None, unit, bar)


def filled(blanks, figures):
    """The rows of a part: its blanks with their figures, (theirs, ours) of each, in their order."""
    return [row.of(*pair) for row, pair in zip(blanks, figures, strict=True)]


def show(number):
    return "-" if number is None else f"{number:.3g}" if number < 100 else f"{number:.0f}"


def line(row):
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    bar = "" if row.bar is None else f"{row.bar:.2f} {'kept' if row.kept else 'NOT KEPT'}"
    figures = f"{show(row.theirs):>8} {show(row.ours):>8} {row.unit:<4} {ratio:>6}"
    return f"{row.what:<49} {row.peer:<16} {figures}  {bar}"


HEAD = f"{'':<49} {'beside':<16} {'theirs':>8} {'RPIO':>8} {'':<4} {'ratio':>6}  bar"


def report(rows):
    """Print the table; end with status 1 where a bar is not kept."""
    print(HEAD)
    for row in rows:
        print(line(row))
    if not all(row.kept for row in rows):
        sys.exit(1)
