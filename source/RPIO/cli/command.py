# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio`` from the words that were typed to its exit status."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from types import ModuleType

RUN_PROGRAMS = (["run"], ["replay"])


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status. Without *argv* it is sys.argv, and the process ends with it."""
    words = sys.argv[1:] if argv is None else argv
    if argv is None and words and words[0].startswith("-"):
        if words[0] in AT_ONCE:
            gc.disable()  # it finds nothing while all of this is loaded, and takes a tenth of that
        _load_here()
    try:
        status = _verb_or_options(words)
    except KeyboardInterrupt:
        status = 130
    if argv is None and not any([word] in RUN_PROGRAMS for word in _verb_first(words)[:1]):
        gc.freeze()  # spares the interpreter's last look at every object, a tenth of a short run
    return status


def _load_here() -> None:
    """Spares the original's options, which are short runs, the threads in which the library loads its parts.

    These are a tenth of a short run, and there for programs that go on after Ctrl+C.
    """
    from .. import threads

    threads.loads_apart = False
    from ..facade import board  # noqa: F401 - by its own name: RPIO loads it apart


def curses() -> int:
    """``rpio-curses``"""
    return main(["curses", *sys.argv[1:]])


def parser_of(verb: str) -> ArgumentParser:
    """Return the parser of a verb."""
    found: ArgumentParser = getattr(_module(verb), f"{verb}_parser")()
    return found


def _verb(words: list[str]) -> int:
    from .told import carry_out

    name, *argv = words
    status: int = carry_out(parser_of(name), argv, getattr(_module(name), name))
    return status


def _module(verb: str) -> ModuleType:
    from importlib import import_module

    from .index import VERBS

    return import_module(f"{__package__}.{VERBS[verb][0]}")


WORDS = ("help", "version")
COMMON_OPTIONS = {"--backend": 1, "--on": 1, "-v": 0, "--verbose": 0}
"""What all verbs have, and the original's options as well -> how many words it takes."""


def _verb_first(words: list[str]) -> list[str]:
    """Put options that stand before the verb behind it."""
    at = 0
    while at < len(words):
        name, equals, _ = words[at].partition("=")
        if name not in COMMON_OPTIONS:
            break
        at += 1 + (0 if equals else COMMON_OPTIONS[name])
    if at == 0:
        return words
    from .index import VERBS

    if words[at : at + 1] and (words[at] in VERBS or words[at] in WORDS):
        return [words[at], *words[:at], *words[at + 1 :]]
    return words


def _spelt_out(words: list[str]) -> list[str]:
    """What people try first: "help", "help VERB" and "version"."""
    if words[:1] == ["version"]:
        return ["--version"]
    if words[:1] == ["help"]:
        from .index import VERBS

        named = [word for word in words[1:] if word in VERBS] or words[1:]
        return [*named[:1], "--help"]
    return words


def _verb_or_options(words: list[str]) -> int:
    if len(words) == 2 and words[0] in AT_ONCE and words[1] and not words[1].startswith("-"):
        return _at_once(*words)
    from .index import VERBS

    words = _spelt_out(_verb_first(words))
    if words and words[0] in VERBS:
        return _verb(words)
    if not words or words[0].startswith("-"):
        from . import classic

        return classic.run(words)
    from .told import complain

    return complain(f"rpio: there is no verb {words[0]!r}, only {', '.join(VERBS)}", _nearest(words[0]), 2)


AT_ONCE = {"-i": "inspect", "-s": "write", "--setinput": "set_input", "--setoutput": "set_output"}
"""The original's options that scripts call all day, each with one word behind it -> what it does, in options."""


def _at_once(option: str, word: str) -> int:
    """Do what classic would, without argparse, which takes with all that it loads as long as Python itself."""
    from . import options
    from .told import Options, finish

    return finish("rpio", Options(), lambda _: getattr(options, AT_ONCE[option])(word), says_its_name=False)


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    from .index import VERBS

    found = get_close_matches(word, VERBS, 1)
    return f"did you mean: rpio {found[0]}" if found else "see: rpio --help"
