# SPDX-License-Identifier: LGPL-3.0-or-later
"""What people at the terminal are told: what was typed wrong, what went wrong, and what to do about it."""

from __future__ import annotations

import sys

from .. import constants, errors, facade
from ..backends import opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    AnyOptions = TypeVar("AnyOptions", "Options", argparse.Namespace)

BACKEND_HELP = "what drives the lines: auto, regs, cdev, sysfs, sim, sim:4B..., sim:shared, remote://HOST, ssh://HOST, rraspy://HOST"

ON_HELP = (
    "the lines of another machine: pi.local, by TLS, once it is paired (rpio pair); pi, user@pi, by ssh; or localhost, "
    "the daemon (rpio serve) of this one"
)

WHY_NOT = (
    "-: not looked at, since the line may have another function, which a look would end; "
    "rpio read N looks all the same"
)
"""Why there is no level. See Lines.may_peek()."""


class UsageError(Exception):
    """What the user typed cannot be read; the text says what was expected. *status* is the exit status."""

    def __init__(self, text: str, status: int = 2, hint: str = "") -> None:
        super().__init__(text)
        self.status, self.hint = status, hint


def add_backend(p: argparse.ArgumentParser) -> None:
    """Add --backend, and --on, which says the same of a machine: options.backend."""
    one = p.add_mutually_exclusive_group()
    one.add_argument("--backend", metavar="NAME", help=BACKEND_HELP)
    one.add_argument("--on", dest="backend", metavar="HOST", type=opening.at_host, help=ON_HELP)


def carry_out(
    p: argparse.ArgumentParser,
    argv: list[str],
    do: Callable[[argparse.Namespace], int | None],
    says_its_name: bool = True,
) -> int:
    """Parse, do, and return the exit status. See finish()."""
    try:
        options = p.parse_args(argv)
    except SystemExit as e:  # after the help, or what is wrong with the words
        raise SystemExit(written(p.prog, int(e.code or 0))) from None
    return finish(p.prog, options, do, says_its_name)


class Options:
    """What all have, where nothing was typed."""

    backend: str | None = None
    verbose = False


def finish(
    name: str, options: AnyOptions, do: Callable[[AnyOptions], int | None], says_its_name: bool = True
) -> int:
    """Do, and return the exit status: 0, 1 after an error that has been told, 2 for what was typed wrong.

    *says_its_name*: errors begin with the verb, and end with where to read on.
    """
    if options.verbose:
        import logging

        logging.basicConfig(format="%(levelname)s | %(asctime)-15s | %(message)s", level=logging.DEBUG)
    status = _do(name if says_its_name else "", options, do)
    is_program = getattr(options, "program", None) is not None  # whose output is its own
    return status if is_program else written(name, status)


def _do(name: str, options: AnyOptions, do: Callable[[AnyOptions], int | None]) -> int:
    prefix = f"{name}: " if name else ""
    try:
        use(options.backend)
        facade.setwarnings(False)
        return do(options) or 0
    except UsageError as e:
        return complain(f"{prefix}{e}", e.hint or (f"see: {name} --help" if name else ""), e.status)
    except BrokenPipeError:
        return 0  # the reader has gone, and has what it wanted
    except (errors.GPIOError, OSError, ValueError) as e:  # ValueError: RPIO_BACKEND=sim:9Z
        if options.verbose:
            raise
        return complain(f"{prefix}{reason(e, is_short=not name)}", getattr(e, "hint", ""), 1)


def reason(error: Exception, is_short: bool = False) -> str:
    """What went wrong, and with which file, without Python's number of the error."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    is_named = is_short or not error.filename or str(error.filename) in error.strerror
    return error.strerror if is_named else f"{error.filename}: {error.strerror}"


def written(name: str, status: int) -> int:
    """Write what has been printed; return the status, 1 where it cannot be, unless the reader of a pipe has gone."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as e:
        sys.stdout = None  # keeps the interpreter from trying it once more
        if status == 0 and not isinstance(e, BrokenPipeError):
            return complain(f"{name}: standard output: {e.strerror}", "", 1)
    return status


def use(backend: str | None) -> None:
    """Choose the backend of --backend."""
    if backend is None:
        return
    try:
        facade.use(backend)
        if opening.split(backend)[0] == "sim":
            opening.look(backend)  # there is such a model
    except (errors.NoBackendError, ValueError) as e:
        raise UsageError(str(e), hint=getattr(e, "hint", "")) from None


def complain(text: str, hint: str, status: int) -> int:
    """Print an error and what to do about it to stderr; return the status."""
    print(text if not hint or hint in text else f"{text}\n{hint}", file=sys.stderr)
    return status


def say_if_released(lines: Sequence[int]) -> None:
    """A line of the character device is the program's only as long as the program runs."""
    if facade.board.backend.holds_alone:
        for line in lines:
            is_output = facade.gpio_function(line) == constants.OUT
            ends = "may switch it to input" if is_output else "need not keep its pull"
            print(f"GPIO {line}: the kernel takes the line back when rpio ends, and {ends}", file=sys.stderr)
