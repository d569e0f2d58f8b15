# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio sim``: a simulated board that all programs of this user share, or one program on a board of its own.

It is served at a unix socket that no other user can reach. A lock beside it says that it is served, for as long as the
process lives, however that ends: two that begin at once are told apart by it, and a socket that was left is replaced.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
from time import monotonic, sleep

from .. import errors, facade
from ..backends.opening import SIMULATED_MODEL
from ..backends.sim import SimBackend
from ..chips.circuit import load
from ..machine import boards
from ..machine.folders import SIM_SOCKET, runtime_folder
from ..processes import hooks
from ..remote.shared import Served, ask
from ..server import serving
from . import verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from ..chips.circuit import Built, Circuit
    from ..machine.boards import Hardware
    from ..server.sessions.sessions import Session

EXAMPLES = """\
  rpio sim                         a Raspberry Pi 4B; its lines and keys in this terminal
  rpio sim zero2w                  another model
  rpio sim door.toml               with what that file says on it: chips, buttons, LEDs
  rpio sim --quiet --for 1h &      without a screen
  rpio sim door.toml door.py 10    a program with that circuit on a board of its own; 10 is the program's argument

in another terminal:
  RPIO_BACKEND=sim python button.py        a program on it; a machine without pins needs no RPIO_BACKEND
  rpio write 17=1 --output --backend sim   stays when the command has ended
  rpio watch 17,18 --backend sim           edges of all lines, whoever has them
  rpio tui --backend sim                   all lines, with menus that press and drive them

RPIO_BACKEND=sim:shared is this board or an error, sim:4B a board of a program's own; pytest finds it by sim:shared
alone. Here keys are fingers: Space presses the chosen line, u and d drive it high and low, l lets go, and h shows
them all. Without a terminal it says who comes and goes.
"""

LOCK = "sim.lock"
CIRCUIT = ".toml"
BEGINS_S = 5.0
"""How long one that has the lock is given until it answers."""
PAUSE_S = 0.02


def sim_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio sim``."""
    p = verb.parser(
        "sim",
        "Serve a simulated board that all programs of this user share, until Ctrl+C; or run a program on its own one.",
        EXAMPLES,
        kind=verb.WrapperParser,
    )
    p.add_argument(
        "model",
        nargs="?",
        default=SIMULATED_MODEL,
        metavar="MODEL",
        help="4B without it; 3B+, zero2w, 5...; or the file of a circuit, door.toml",
    )
    p.add_argument(
        "program",
        nargs="?",
        metavar="PROGRAM",
        help="run this file, as rpio run does, on a board of its own; the words after it are its arguments",
    )
    p.add_argument("-q", "--quiet", action="store_true", help="no screen, and not a word")
    verb.add_for(p)
    return p


def sim(options: argparse.Namespace) -> int:
    """``rpio sim``"""
    if options.backend is not None:
        raise UsageError("rpio sim is a backend itself; its model stands alone: rpio sim 3B+")
    circuit = load(options.model) if options.model.endswith(CIRCUIT) else None
    model = _model(options.model if circuit is None else circuit.model or SIMULATED_MODEL)
    if options.program is not None:
        return _run(options, model.model, circuit)
    folder = runtime_folder(is_made=True)
    path = os.path.join(folder, SIM_SOCKET)
    lock = _lock(os.path.join(folder, LOCK))
    if lock is None:
        raise _is_there(path, model.name)
    try:
        return _serve(options, model.model, path, circuit)
    finally:
        facade.board.close()  # which removes the socket
        os.close(lock)


def _model(name: str) -> Hardware:
    try:
        return boards.by_name(name)
    except ValueError as e:
        hint = f"; {name} is a file: rpio run --sim {name}" if os.path.exists(name) else ""
        raise UsageError(f"{e}{hint}") from None


def _build(model: str, circuit: Circuit | None) -> Built | None:
    """Open a simulated board, with the circuit on it."""
    facade.use(f"sim:{model}")
    backend = facade.board.backend
    assert isinstance(backend, SimBackend)
    return None if circuit is None else circuit.build(backend)


def _run(options: argparse.Namespace, model: str, circuit: Circuit | None) -> int:
    """Run a program on a board of its own."""
    if options.quiet or options.for_ns is not None:
        raise UsageError("--quiet and --for are for the board that is shared; a program ends when it likes")
    if not os.path.exists(options.program):
        raise UsageError(f"there is no file {options.program!r}")
    from . import program, run

    os.environ["RPIO_BACKEND"] = f"sim:{model}"
    _build(model, circuit)
    run.prepare()
    return program.run_file(options.program, options.arguments)


def _lock(path: str) -> int | None:
    """Take the lock, which is open as long as it is held; None where another process has it."""
    with hooks.making:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _is_there(path: str, wanted: str) -> errors.GPIOError:
    """What to say where there is one already. It may be just beginning, or ending."""
    until_s = monotonic() + BEGINS_S
    found = _asked(path)
    while found is None and monotonic() < until_s:
        sleep(PAUSE_S)
        found = _asked(path)
    if found is None:
        return errors.GPIOError(f"there is a shared board already, and it does not answer: {path}")
    name = boards.decode(found.code).name
    text = f"there is a shared board already, a simulated {name}, served by process {found.pid}"
    if name != wanted:
        text += f", and no {wanted}"
    hint = f"use it: RPIO_BACKEND=sim; or end it: q in its terminal, or kill {found.pid}"
    return errors.GPIOError(text, hint=hint)


def _asked(path: str) -> Served | None:
    try:
        return ask(path, BEGINS_S)
    except TimeoutError:
        return None


def _serve(options: argparse.Namespace, model: str, path: str, circuit: Circuit | None) -> int:
    built = _build(model, circuit)
    facade.board.backend.watches_outputs = True
    if not options.quiet and os.isatty(0) and os.isatty(1):
        from .screens.sim_app import show

        return show(path, options.for_ns, built, options.model)
    signal.signal(signal.SIGTERM, _end)
    try:
        serving.serve(facade.board, 0, "127.0.0.1", path, None if options.quiet else _say_news)
        facade.wait_for_interrupts(threaded=True)
        if not options.quiet:
            what = facade.board.backend.describe()
            _say(f"{what}, shared at {path}; RPIO_BACKEND=sim finds it, Ctrl+C ends it")
            if built is not None:
                _say(f"{options.model}: {', '.join(built) or 'nothing'}")
        verb.hold(options.for_ns)
    except KeyboardInterrupt:
        pass  # before it was waited for
    return 0


def _say_news(what: str, session: Session) -> None:
    _say(f"{session.owner} {'has come' if what == 'came' else 'has gone'}")


def _say(text: str) -> None:
    """Print a line, where there is still somebody who reads."""
    try:
        print(text, flush=True)
    except OSError:
        return


def _end(number: int, frame: FrameType | None) -> None:
    """End in order: the socket goes with the board."""
    raise KeyboardInterrupt
