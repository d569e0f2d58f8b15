# SPDX-License-Identifier: LGPL-3.0-or-later
"""From a word such as "auto" or "sim:3B+" to a backend, and to what machine it drives."""

from __future__ import annotations

import os
import sys

from . import backends, boards, detect, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .boards import Hardware

SIMULATED_MODEL = "4B"
"""The board that is simulated where nothing else is asked for."""


def split(spec: str | None) -> tuple[str, str]:
    """Return name and argument of a backend; RPIO_BACKEND, then "auto", where none is given."""
    name, _, argument = (spec or os.environ.get("RPIO_BACKEND") or "auto").partition(":")
    return name, argument


def look(spec: str | None) -> Hardware | None:
    """Return what machine it is, without opening anything; None where only the chip can tell."""
    name, argument = split(spec)
    return boards.by_name(argument or SIMULATED_MODEL) if name == "sim" else detect.detect()


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
            print(
                f"RPIO: no Raspberry Pi and no gpiochip here: using a simulated {hardware.name} "
                "(RPIO_BACKEND=sim says so without this line)",
                file=sys.stderr,
            )
    try:
        backend = backends.open_backend(name, hardware, argument)
    except PermissionError as e:
        raise no_access(e) from None
    except FileNotFoundError as e:
        hint = detect.access_hint(str(e.filename))
        raise errors.NoBackendError(f"{e.strerror}: {e.filename}", hint=hint) from None
    if hardware is None:
        hardware = boards.generic(backend.line_count, getattr(backend, "label", None), "Linux board")
    return backend, hardware


def no_access(error: PermissionError) -> errors.NoAccessError:
    """The same error, with the file's group and the command that helps."""
    path = str(error.filename)
    hint = detect.access_hint(path)
    return errors.NoAccessError(error.errno, f"No access to {path}.  {hint}", path, hint=hint)
