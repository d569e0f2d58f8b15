# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run``: run a program that says ``import RPi.GPIO``, unchanged, on RPIO."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from .. import errors, facade, originals, stand_ins
from ..backends import opening
from . import pins, proxies, simulated, there, told, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXAMPLES = """\
  rpio run blink.py                       on this machine's own lines
  rpio run --backend sim:3B+ blink.py 10  on a simulated Pi 3B+, with an argument for the program
  rpio run -m pytest tests                a module, as python -m does
  rpio run -c 'import RPi.GPIO as GPIO; print(GPIO.RPI_INFO)'
  ssh pi cat blink.py | rpio run -        a program that comes on standard input
  rpio run --press 27 button.py           on the simulated board, with a finger on the button at GPIO 27
  rpio run smbus_server.py -i 127.0.0.1:50051
                                          smbus-proxy's tool: the I2C buses, for its clients
  rpio run --on pi blink.py               the program here, the lines of the machine pi (by ssh); -v says how long
                                          its calls took
  rpio run --on pi --proxy smbus2,luma oled.py
                                          the modules smbus2 and luma are those of pi as well
  rpio run --there pi blink.py 10         the program there too, which is brought first; Ctrl+C ends it as here
  rpio run --there pi robot/              a folder, whose main.py runs; the next time only what has changed is brought
  rpio run --there pi --detach --lines 17,18 robot/
                                          it stays when this ends, and no other program there has the lines meanwhile
"""
OF_KERNEL = ("regs", "cdev", "sysfs")
"""Backends beside whose lines are this machine's buses."""
DEVICES = ("device.py", "server.py")
"""RRaspPY's programs, which are ours where there is no such file."""
SMBUS_SERVER = "smbus_server.py"
"""smbus-proxy's tool, which is ours where there is no such file."""


def run_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio run``."""
    p = verb.parser(
        "run",
        "Run a Python program that was written for RPi.GPIO, unchanged: where it, or a Python process that it "
        "starts, says `import RPi.GPIO`, it gets RPIO, with RPi.GPIO's rules. It finds itself as `python PROGRAM` "
        "starts it; its tracebacks and its exit status are its own, but 130 for Ctrl+C.",
        EXAMPLES,
        kind=verb.WrapperParser,
    )
    kind = p.add_mutually_exclusive_group()
    kind.add_argument(
        "-m", "--module", action="store_true", help="the program is the name of a module, not a file"
    )
    kind.add_argument("-c", "--code", action="store_true", help="the program is Python itself, in one word")
    p.add_argument("--sim", action="store_true", help="run on a simulated board, as --backend sim")
    p.add_argument(
        "--press",
        metavar="PIN",
        help="run on the simulated board, where a finger presses the button at this line (or these, in turn) once a "
        "second, from when the program has made it an input",
    )
    p.add_argument(
        "--proxy",
        metavar="MODULES",
        action="append",
        help="with --on: what the program imports of these (names or patterns, smbus2,luma.*) is the other machine's",
    )
    p.add_argument(
        "--remember",
        action="store_true",
        help="with --proxy: the same for this program from now on, when --on is given without --proxy; with an empty "
        "one, --proxy '', no more",
    )
    there.add_options(p)
    p.add_argument(
        "program",
        nargs="?",
        help="the file to run, - for standard input; the words after it are its arguments",
    )
    return p


def run(options: argparse.Namespace) -> int:
    """Run the program in this process; its own exit status, and its own exceptions, are those of ``rpio run``."""
    if there.is_wanted(options):
        return there.run(options)
    if options.program is None:
        raise UsageError("which program? rpio run FILE [ARGUMENT ...]")
    is_file = not options.module and not options.code and options.program != "-"
    if is_file and (_is_our_device(options.program) or _is_our_smbus_server(options.program)):
        options.module, options.program, is_file = True, os.path.basename(options.program)[:-3], False
    if is_file and not os.path.exists(options.program):
        raise UsageError(f"there is no file {options.program!r}")
    finger: AbstractContextManager[object] = nullcontext()
    if options.sim:
        if options.backend is not None:
            raise UsageError("--sim is a backend of its own: --backend sim:MODEL, or --on HOST")
        options.backend = "sim"
        told.use(options.backend)
    if options.press is not None:
        simulated.choose(options.backend, "a finger presses the buttons of")
        finger = simulated.finger(pins.parse(options.press, facade.board.hardware))
        name = facade.board.hardware.name
        verb.note(
            f"rpio run: a finger presses {options.press} once a second, on a simulated {name}; Ctrl+C ends it"
        )
    elif options.backend is not None:
        os.environ["RPIO_BACKEND"] = options.backend
        if opening.is_afar(opening.word_of(options.backend)):
            finger = _connected(options.verbose)
    is_afar = options.backend is not None and opening.is_afar(opening.word_of(options.backend))
    proxies.install(options, is_afar)
    prepare()
    if is_file and not (options.press or options.backend or os.environ.get("RPIO_BACKEND")):
        _use_old_host(os.path.dirname(os.path.realpath(options.program)))
    with finger:
        return _start(options, is_afar)


def prepare() -> None:
    """Make ready for a program, which is to find RPi.GPIO."""
    facade.setwarnings(True)
    stand_in()
    if "GPIOZERO_PIN_FACTORY" not in os.environ:
        os.environ["GPIOZERO_PIN_FACTORY"] = pin_factory(sys.path)
    _leave_to_pytest()


def pin_factory(folders: Sequence[str]) -> str:
    """The factory that gpiozero is to take of what is installed in these: RPIO's own, where both are there for it; else
    that for RPi.GPIO, which is RPIO as well. By the names of files: importlib.metadata takes longer than all the rest.
    """
    versions: list[str] = []
    has_ours = False
    for folder in folders:
        for name in _listed(folder or "."):
            project, _, rest = name.lower().partition("-")
            if not rest.endswith((".dist-info", ".egg-info")):
                continue
            if project == "gpiozero":
                versions.append(rest)  # the first is the one that is imported
            elif project == "rpio":
                has_ours = has_ours or _has_factory(os.path.join(folder, name, "entry_points.txt"))
    is_two = bool(versions) and not versions[0].startswith(("0.", "1."))  # 1 has a factory "rpio" of its own
    return "rpio" if has_ours and is_two else "rpigpio"


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # there is none, or it is an archive


def _has_factory(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return "[gpiozero_pin_factories]" in file.read()
    except OSError:
        return False


def _is_our_device(path: str) -> bool:
    """Whether RPIO's own device is meant: RRaspPY's, in Python 2, is one that Python 3 cannot run."""
    if os.path.basename(path) not in DEVICES:
        return False
    if not os.path.exists(path):
        return path in DEVICES
    if not stand_ins.is_old(path):
        return False
    verb.note(f"rpio run: {path} is RRaspPY's, in Python 2: RPIO's own device runs in its place")
    return True


def _is_our_smbus_server(path: str) -> bool:
    """Whether RPIO's own server of smbus-proxy's protocol is meant."""
    return os.path.basename(path) == SMBUS_SERVER and not os.path.exists(path)


def _use_old_host(folder: str) -> None:
    """Have the lines be the device's that a ``host.py`` of RRaspPY's names, in Python 2, where there is one beside the
    program and no backend is asked for: its programs import RPi.GPIO alone, and mean that device.
    """
    if not stand_ins.is_old(os.path.join(folder, "host.py")):
        return
    from importlib import import_module

    before = sys.path[:]
    sys.path.insert(0, folder)
    try:
        import_module("host")
    finally:
        sys.path[:] = before


@contextmanager
def _connected(tells_times: bool) -> Iterator[None]:
    """Connect now: who is not there is no affair of the program's. Afterwards say how long its calls took."""
    from ..backends.remote import RemoteBackend

    backend = facade.board.backend
    if not tells_times or not isinstance(backend, RemoteBackend):
        yield
        return
    timings = backend.time()
    try:
        yield
    finally:
        for line in timings.table():
            verb.note(line)


def _start(options: argparse.Namespace, is_afar: bool) -> int:
    from . import program

    if is_afar:
        program.Said.of_error = partial(proxies.advise, options)
    try:
        if options.code:
            return program.run_code(options.program, "-c", options.arguments)
        if options.program == "-" and not options.module:
            return program.run_code(sys.stdin.buffer.read(), "-", options.arguments)
        start = program.run_module if options.module else program.run_file
        return start(options.program, options.arguments)
    except program.NoSuchModule as e:
        raise errors.GPIOError(str(e)) from None


def _leave_to_pytest() -> None:
    """Have a pytest that this program runs not warn that RPIO, whose plugin it finds, has been imported already.

    It wants to rewrite the assertions of a plugin's package, and leaves one alone that says this word.
    """
    package = sys.modules["RPIO"]
    package.__doc__ = f"{package.__doc__ or ''}\n(To pytest, under rpio run: PYTEST_DONT_REWRITE.)\n"


def stand_in() -> None:
    """RPi.GPIO is RPIO here, and in the Python processes that the program starts.

    multiprocessing hands on sys.path, where install_as_rpi_gpio() has put the folder; others read PYTHONPATH.
    """
    originals.install_as_rpi_gpio()
    stand_ins.offer_rraspy(lambda: facade.board.machine.word == "rraspy")
    are_elsewhere = _are_buses_elsewhere()
    stand_ins.offer_buses(are_elsewhere)
    paths = [stand_ins.FOLDER, *filter(None, [os.environ.get("PYTHONPATH")])]
    if are_elsewhere:
        paths.append(stand_ins.OF_BUSES)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def _are_buses_elsewhere() -> bool:
    """Whether the buses beside the lines are not this machine's: simulated, or another one's. Opens nothing."""
    machine = facade.board.machine
    try:
        word = opening.word_of(machine.spec)
        if word == "auto":
            word = opening.choose(opening.look(machine.spec))
    except (errors.GPIOError, ValueError, OSError):
        return False  # the first line says what is wrong
    return word not in OF_KERNEL
