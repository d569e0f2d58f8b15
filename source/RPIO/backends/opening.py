# SPDX-License-Identifier: LGPL-3.0-or-later
"""From a word such as "auto" or "sim:3B+" to a backend, and to what machine it drives."""

from __future__ import annotations

import os

from .. import backends, errors, log
from .. import constants as model
from ..machine import boards, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware

SIMULATED_MODEL = "4B"
"""The board that is simulated where nothing else is asked for."""


def split(spec: str | None) -> tuple[str, str]:
    """Return name and argument of a backend; RPIO_BACKEND, then "auto", where none is given."""
    name, _, argument = (spec or os.environ.get("RPIO_BACKEND") or "auto").partition(":")
    return name, argument


def look(spec: str | None) -> Hardware | None:
    """Return what machine it is, without opening anything; None where only the chip can tell."""
    name, argument = split(spec)
    if name == "sim":
        return boards.by_name(argument or SIMULATED_MODEL)
    # A chip that is named may be another than the header's, an expander say: its label will tell.
    return None if name in ("cdev", "sysfs") and argument else detect.detect()


def expect(spec: str | None) -> Hardware:
    """Return what machine it is, or will be once a line is touched, without opening anything. Raises nothing."""
    try:
        known = look(spec) or detect.detect()
        name = split(spec)[0]
        if known is None:
            known = _by_backend(backends.choose(None) if name == "auto" else name)
    except (errors.GPIOError, ValueError, OSError):
        known = None  # the first line says what is wrong
    return known or boards.generic(0, None, "Linux board")


def _by_backend(name: str) -> Hardware | None:
    """What a backend without an argument tells of a machine that tells nothing of itself."""
    if name == "sim":
        return boards.by_name(SIMULATED_MODEL)
    from . import cdev

    labels = cdev.chips()[0] if name == "cdev" else {}
    return next((boards.by_chip_label(label) for label in model.PI_CHIP_LABELS if label in labels), None)


def unknown(backend: backends.Backend) -> Hardware:
    """Return what can be said of a backend's machine: its lines, and a Raspberry Pi where its chip is a Pi's."""
    label = getattr(backend, "label", None)
    pi = detect.detect() if label is not None else None
    if pi is None:
        # A container hides the device tree, and an upstream kernel has no revision code: the label is left.
        pi = boards.by_chip_label(label)
    if pi is not None and pi.chip_label == label:
        return pi
    return boards.generic(backend.line_count, label, "Linux board")


def open_board(spec: str | None) -> tuple[backends.Backend, Hardware]:
    """Open the backend; say on stderr when it is simulated without having been asked for.

    Raises:
        NoBackendError: no such backend, or no such file or chip. NoAccessError: it may not be opened.
        OSError: what else the kernel says.
    """
    name, argument = split(spec)
    hardware = look(spec)
    if name == "auto":
        name = backends.choose(hardware)
        if name == "sim":
            hardware = boards.by_name(SIMULATED_MODEL)
            log.say(
                f"RPIO: no Raspberry Pi and no gpiochip here: using a simulated {hardware.name} "
                "(RPIO_BACKEND=sim says so without this line)"
            )
    try:
        backend = backends.open_backend(name, hardware, argument)
    except (PermissionError, FileNotFoundError) as e:
        from ..machine import access

        if isinstance(e, PermissionError):
            raise access.no_access(e) from None
        hint = access.access_hint(str(e.filename))
        raise errors.NoBackendError(f"{e.strerror}: {e.filename}", hint=hint) from None
    return backend, hardware or unknown(backend)
