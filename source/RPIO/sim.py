# SPDX-License-Identifier: LGPL-3.0-or-later
"""The outside world of the simulated board: press its buttons, join its lines, look at its levels.

::

    import RPIO
    RPIO.use("sim:4B")
    RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
    RPIO.sim.drive(17, 0)       # the button is pressed: the line is pulled to ground
    RPIO.sim.drive(17, None)    # and let go: the pull-up shows
    RPIO.sim.wire(18, 23)       # what GPIO 18 drives, GPIO 23 reads
    parts = RPIO.sim.circuit("door.toml")   # chips, buttons, LEDs: parts["adc"].volts[0] = 1.5

Lines are BCM numbers here, whatever the numbering mode. Every function raises NoBackendError where the board
in use is not simulated. It may be another program's: the shared board of ``rpio sim``, say.
"""

from __future__ import annotations

import os

from . import arguments, errors, facade, lazy_names
from .machine import boards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .backends import sim as simulated
    from .backends.protocol import Outside
    from .chips import circuit as circuits
else:
    simulated = lazy_names.Later("RPIO.backends.sim")
    circuits = lazy_names.Later("RPIO.chips.circuit")

__all__ = [
    "MODELS",
    "backend",
    "circuit",
    "drive",
    "is_watched",
    "level",
    "press",
    "short_circuits",
    "unwire",
    "wire",
]

MODELS = tuple(boards.MODELS)
"""The boards that can be simulated: what may stand behind the colon of ``RPIO.use("sim:3B+")``."""


def __dir__() -> list[str]:
    return sorted(__all__)


def backend() -> simulated.SimBackend:
    """Return the simulated board of this program itself.

    Raises:
        NoBackendError: the board in use is a real one, or another program has it.
    """
    from .backends.sim import SimBackend

    _outside()
    found = facade.board.backend
    if not isinstance(found, SimBackend):
        raise errors.NoBackendError(
            f"the simulated board is another program's: {found.describe()}",
            hint='drive(), press(), wire() and the others work there too; RPIO.use("sim:4B") is one of your own',
        )
    return found


def _outside() -> Outside:
    """What plays the world outside, here or in another program."""
    found = facade.board.backend.outside()
    if found is None:
        raise errors.NoBackendError(
            f"this is no simulated board but {facade.board.backend.describe()}",
            hint='RPIO_BACKEND=sim, or RPIO.use("sim") before the first line is set up',
        )
    return found


BOUNCES_MAX = 10_000
PRESS_MAX_MS = 86_400_000


def _number(name: str, value: float, least: float, most: float) -> float:
    """Return a number of that parameter. TypeError, ValueError."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} is from {least} to {most}, not {value!r}")
    return value


def drive(line: int, value: int | None, bounces: int = 0, bounce_us: float = 500) -> None:
    """Drive a line from outside to 0 or 1, or let go of it with None.

    With *bounces*, 10,000 at most, the contact opens and closes so many times more, *bounce_us* microseconds apart,
    before it rests; the call takes that long.
    """
    board = _outside()
    line = arguments.integer("line", line)
    bounces = int(_number("bounces", bounces, 0, BOUNCES_MAX))
    _number("bounce_us", bounce_us, 1, 1_000_000)
    before = board.driven(line)
    opposite = (
        before if before is not None and before != value else None if value is None else 1 - bool(value)
    )
    next_ns = board.clock.now_ns()
    for _ in range(bounces):
        for level in (value, opposite):
            board.drive(line, level)
            next_ns += int(bounce_us * 1000)
            board.clock.sleep_until(next_ns)
    board.drive(line, value)


def press(line: int, ms: float = 50, value: int = 0, bounces: int = 0) -> None:
    """Drive a line to *value* for *ms* milliseconds, a day at most, then let go of it: a button to ground."""
    board = _outside()
    _number("ms", ms, 0, PRESS_MAX_MS)
    width_ns = int(ms * 1_000_000)
    end_ns = board.clock.now_ns() + width_ns
    if (
        facade.board.backend.clock is None and not bounces
    ):  # another program's board, whose button this is not to keep
        board.press(arguments.integer("line", line), width_ns, value)
    else:
        drive(line, value, bounces)
    board.clock.sleep_until(end_ns)
    drive(line, None)


def wire(a: int, b: int) -> None:
    """Join two lines with a wire."""
    _outside().wire(arguments.integer("a", a), arguments.integer("b", b))


def unwire(line: int) -> None:
    """Take every wire off a line."""
    _outside().unwire(arguments.integer("line", line))


def is_watched(line: int) -> bool:
    """Return whether a program listens to the line's edges: what is driven from then on, it hears."""
    return _outside().is_watched(arguments.integer("line", line))


def level(line: int) -> int:
    """Return what a voltmeter on the line would show, 0 or 1."""
    _outside()
    return facade.board.backend.read(arguments.integer("line", line))


def short_circuits() -> int:
    """Return how many times drivers on one wire have disagreed."""
    return _outside().short_circuits


def circuit(path: str | os.PathLike[str]) -> circuits.Built:
    """Put the circuit of a TOML file on the simulated board of this program; return its parts, by their names.

    Where no board is open yet and none has been chosen, it is a simulated one of the circuit's model. What can stand in
    the file: doc/circuits.

    Raises:
        ConfigError: the file cannot be read, says what cannot be, or is for another model. (A ValueError.)
        NoBackendError: the board in use is a real one, or another program has it.
    """
    from .chips.circuit import MODEL, load

    loaded, machine = load(path), facade.board.machine
    asked = machine.spec or os.environ.get("RPIO_BACKEND", "")
    if machine.opened is None and asked in ("", "auto", "sim"):
        facade.use(f"sim:{loaded.model or MODEL}")
    return loaded.build(backend())
