# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines that another process or machine has: whether it answers, how fast, who else is there, what is forbidden."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from ..backends.remote import RemoteBackend
from .finding import NOTE, OK, PROBLEM, WARNING, Finding, count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

PINGS = 20
SLOW_MS = 50.0
"""From there on a program that sets a line and reads it back feels it."""


def _there(patient: Patient) -> RemoteBackend | None:
    """What can be asked more than a Backend; None for a device of RRaspPY's, and where nobody answers."""
    return patient.backend if isinstance(patient.backend, RemoteBackend) else None


def board(patient: Patient) -> Iterator[Finding]:
    """What answers there."""
    if patient.error is not None:
        hint = getattr(patient.error, "hint", "")
        yield Finding(PROBLEM, f"no board is to be had there: {patient.error}", hint)
        return
    there = patient.backend
    assert there is not None
    yield Finding(OK, f"a board answers: {there.describe()}")
    yield Finding(
        NOTE, f"{there.line_count} lines; it has {', '.join(sorted(there.features)) or 'levels alone'}"
    )


def speed(patient: Patient) -> Iterator[Finding]:
    """How long a request takes."""
    if patient.error is not None or patient.backend is None:
        return
    there, backend = _there(patient), patient.backend
    ask = partial(there.ask, "ping") if there is not None else partial(backend.function, 0)
    took_ms = []
    for _ in range(PINGS):
        began_s = perf_counter()
        ask()
        took_ms.append((perf_counter() - began_s) * 1e3)
    middle_ms = sorted(took_ms)[PINGS // 2]
    text = f"a request and its answer take {middle_ms:.2f} ms (the middle one of {PINGS}; {max(took_ms):.2f} at most)"
    if middle_ms < SLOW_MS:
        yield Finding(OK, text)
    else:
        yield Finding(WARNING, text, "several writes together take one way: with RPIO.batch()")


def sessions(patient: Patient) -> Iterator[Finding]:
    """Who else is there."""
    there = _there(patient)
    if patient.error is None and there is not None:
        (found,) = there.ask("sessions")
        yield Finding(NOTE, f"{count(len(found) - 1, 'other session')}; rpio who tells more")


def held(patient: Patient) -> Iterator[Finding]:
    """Who has which line."""
    there = _there(patient)
    if patient.error is not None or there is None:
        return
    (found,) = there.ask("holders")
    for line, name, _ in found:
        yield Finding(NOTE, f"GPIO {line}: held by {name!r}")
    if not found:
        yield Finding(OK, "no line is in use")


def rules(patient: Patient) -> Iterator[Finding]:
    """What is forbidden there."""
    there = _there(patient)
    if patient.error is None and there is not None:
        (found,) = there.ask("rules")
        for rule in found:
            yield Finding(NOTE, f"rule: {rule}")


def rest(patient: Patient) -> Iterator[Finding]:
    """What only that machine itself can say."""
    yield Finding(
        NOTE,
        "kernel, device files, overlays and packages there",
        "that machine says it itself",
        "ssh HOST rpio doctor",
    )
