# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run --on HOST --proxy MODULES``: modules of the other machine, and what is remembered of that."""

from __future__ import annotations

import json
import os

from ..machine import folders
from . import verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

FILE = "proxies.json"
PROGRAMS_MAX = 1000


def install(options: argparse.Namespace, is_afar: bool) -> None:
    """Have the program's imports find them. *is_afar*: the lines are another machine's."""
    given = options.proxy is not None
    if options.remember and not given:
        raise UsageError("--remember goes with --proxy")
    if given and not is_afar:
        raise UsageError("--proxy goes with --on HOST: it is that machine's modules that it means")
    if not is_afar:
        return
    program = _program_of(options)
    patterns = [word for words in options.proxy or () for word in words.replace(",", " ").split()]
    if options.remember:
        _remember(program, patterns)
    elif not given:
        patterns = _remembered().get(program, [])
    if not patterns:
        return
    for pattern in patterns:
        if not pattern.replace(".", "").replace("*", "a").isidentifier():
            raise UsageError(f"{pattern!r} is no name of a module, and no pattern of such: smbus2, luma.*")
    from ..backends.remote import program as program_name
    from ..backends.remote import who
    from ..remote.modules.modules import Modules
    from ..remote.modules.proxied import Proxied
    from ..remote.places.places import Place

    where = options.backend
    Proxied(Modules(Place(where), who(), program_name()), patterns).install()
    remembered = "" if given else " (as remembered: --proxy '' --remember forgets it)"
    verb.note(f"rpio run: {', '.join(patterns)}: of {Place(where)}{remembered}")


def advise(options: argparse.Namespace, error: BaseException) -> None:
    """Say what to do about a module that is missing here, and may be there."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name:
        text = f"if the other machine has {name}: rpio run --on HOST --proxy {name} {options.program}"
        if hasattr(error, "add_note"):
            error.add_note(text)
        else:
            verb.note(f"rpio run: {text}")


def _program_of(options: argparse.Namespace) -> str:
    is_file = not options.module and not options.code and options.program != "-"
    return os.path.realpath(options.program) if is_file else ""


def _path() -> str:
    return os.path.join(folders.state_folder(), FILE)


def _remembered() -> dict[str, list[str]]:
    try:
        with open(_path(), encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise UsageError(f"{_path()}, what --remember has written, cannot be read: {e}", 1) from None
    is_sound = isinstance(found, dict) and all(
        isinstance(patterns, list) and all(isinstance(pattern, str) for pattern in patterns)
        for patterns in found.values()
    )
    if not is_sound:
        raise UsageError(f"{_path()} is not what --remember writes: remove it", 1)
    known: dict[str, list[str]] = found
    return known


def _remember(program: str, patterns: list[str]) -> None:
    if not program:
        raise UsageError("--remember is for a program in a file")
    known = _remembered()
    known.pop(program, None)
    if patterns:
        known[program] = patterns
    while len(known) > PROGRAMS_MAX:
        known.pop(next(iter(known)))
    path = _path()
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(known, file, indent=1)
    os.replace(f"{path}.new", path)
