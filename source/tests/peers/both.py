# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run cases on the real RPi.GPIO and on RPIO, each in one process tree for each board, and find what differs."""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from . import fakepi, peers
from .cases import Case

RUNNER = Path(__file__).with_name("runner.py")
STORES_C = Path(__file__).with_name("stores.c")
NOTES_STORES = platform.machine() == "x86_64"
RUN_TIME_LIMIT_S = 3600
PART, AT_ONCE = 100, 3
"""Cases that one process runs, and processes at a time: some cases wait, for what is not to happen."""

REAL = "RPi.GPIO"
BY_NAME = "RPi.GPIO by RPIO"
FACADE = "RPIO"
"""The module that the cases run on: the real one; ours in its place; ours as `import RPIO as GPIO`."""


class Outcome(NamedTuple):
    """What became of one line. *raised* has the names of the error's classes, its own first."""

    kind: str
    text: str
    raised: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    stores: tuple[tuple[int, int], ...] | None = None

    def __str__(self) -> str:
        said = f"{self.raised[0]}: {self.text}" if self.raised else f"{self.text or self.kind}"
        warned = "".join(f" [{kind}: {text}]" for kind, text in self.warnings)
        return said + warned


class Difference(NamedTuple):
    """A line with which the two part. *stores* says what they wrote into registers, where that differs."""

    case: Case
    line: str
    theirs: Outcome
    ours: Outcome
    stores: str = ""

    def __str__(self) -> str:
        said = self.stores or f"    theirs: {self.theirs}\n    ours:   {self.ours}"
        return f"{self.case.name}\n  {self.line}\n{said}"


def run(subject: str, cases: Iterable[Case]) -> dict[Case, list[Outcome]]:
    """Return what became of each line of each case."""
    by_revision: dict[str, list[Case]] = {}
    for case in cases:
        by_revision.setdefault(case.revision, []).append(case)
    parts = [
        (revision, some[at : at + PART])
        for revision, some in by_revision.items()
        for at in range(0, len(some), PART)
    ]
    module = str(peers.rpi_gpio()) if subject == REAL else subject
    preload = peers.compiled(STORES_C) if NOTES_STORES else None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(lambda part: _run_on(module, preload, *part), parts)
        return dict(
            pair
            for (_, some), outcomes in zip(parts, told, strict=True)
            for pair in zip(some, outcomes, strict=True)
        )


def _run_on(module: str, preload: Path | None, revision: str, cases: Sequence[Case]) -> list[list[Outcome]]:
    environment = [f"LD_PRELOAD={preload}"] if preload else []
    done = subprocess.run(
        [
            *(*fakepi.command(revision, sysfs=True), "env", *environment, "RPIO_BACKEND=regs"),
            *(sys.executable, str(RUNNER), module),
        ],
        input=json.dumps([case.lines for case in cases]),
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("RPIO_")},
        timeout=RUN_TIME_LIMIT_S,
        check=True,
    )
    return [[outcome(told) for told in case] for case in json.loads(done.stdout)]


def outcome(told: dict[str, object]) -> Outcome:
    raised = tuple(told.get("raises", ()))  # type: ignore[call-overload]
    kind, text = str(told.get("is", "")), str(told["text"] if raised else told["repr"])
    warnings = tuple((kind, text) for kind, text in told["warnings"])  # type: ignore[attr-defined]
    stores = told["stores"]
    noted = None if stores is None else tuple((at, value) for at, value in stores)  # type: ignore[attr-defined]
    return Outcome(kind, text, raised, warnings, noted)


def differences(case: Case, theirs: Sequence[Outcome], ours: Sequence[Outcome]) -> Iterator[Difference]:
    """Yield what differs, as long as the two are in one state: lines behind that differ in consequence."""
    compare_stores = not any("PWM" in line for line in case.lines)  # its thread writes when it likes
    for line, real, mine in zip(case.lines, theirs, ours, strict=False):
        if not _same(real, mine):
            yield Difference(case, line, real, mine)
            if bool(real.raised) != bool(mine.raised):
                return
        elif compare_stores and split_stores(real.stores) != split_stores(mine.stores):
            told = f"    theirs: {told_stores(real.stores)}\n    ours:   {told_stores(mine.stores)}"
            yield Difference(case, line, real, mine, told)
            return


def _same(theirs: Outcome, ours: Outcome) -> bool:
    """Whether a program could not tell: an error may be of a class that is more than theirs."""
    if theirs.raised and theirs.raised[0] not in ours.raised:
        return False
    return theirs.kind == ours.kind and theirs.text == ours.text and theirs.warnings == ours.warnings


# -- stores --------------------------------------------------------------------------------------------

Stores = Iterable[tuple[int, int]]

REGISTERS = (
    *((0x00, "FSEL"), (0x1C, "SET"), (0x28, "CLR"), (0x34, "LEV"), (0x40, "EDS")),
    *((0x94, "PUD"), (0x98, "PUDCLK"), (0xE4, "PULL")),
)
"""Where each group of registers begins. Source: BCM2835 ARM Peripherals, 6.1; BCM2711 ARM Peripherals, 5.2."""


def _register(offset: int) -> tuple[str, int]:
    begin, name = max(row for row in REGISTERS if row[0] <= offset)
    return name, (offset - begin) // 4


def split_stores(stores: Stores | None) -> list[tuple[str, int, int]] | None:
    """Return stores with one line each, those of equal levels in a row sorted.

    RPi.GPIO sets each line of a list by a store of its own, RPIO a run of equal values by one. What a program may
    rely on is the same in both: a line that goes up behind one that goes down does so later.
    """
    if stores is None:
        return None
    split: list[tuple[str, int, int]] = []
    for kind, run_of_it in itertools.groupby(stores, lambda store: _register(store[0])[0]):
        if kind in ("SET", "CLR"):
            masks = [(_register(offset)[1], value) for offset, value in run_of_it]
            split += sorted((kind, n, 1 << bit) for n, mask in masks for bit in range(32) if mask >> bit & 1)
        else:
            split += [(*_register(offset), value) for offset, value in run_of_it]
    return split


def told_stores(stores: Stores | None) -> str:
    """Return "SET0=00020000 FSEL1=00200000" and the like."""
    if stores is None:
        return "(not noted)"
    named = ((*_register(offset), value) for offset, value in stores)
    return " ".join(f"{name}{number}={value:08x}" for name, number, value in named) or "(none)"
