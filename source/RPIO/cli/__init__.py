# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: look at lines and change them from the shell, run programs written for RPi.GPIO.

A verb is a row in ``VERBS`` and a function; a first word that begins with "-" is one of the original's options.
"""

from __future__ import annotations

import sys

VERBS = {
    # verb: module, function, parser, what it does
    "read": ("levels", "read", "read_parser", "print levels"),
    "write": ("levels", "write", "write_parser", "set outputs"),
    "mode": ("levels", "mode", "mode_parser", "show what lines are, or make them inputs or outputs"),
    "pull": ("levels", "pull", "pull_parser", "set pull resistors"),
    "watch": ("watch", "run", "parser", "print edges as they come"),
    "pwm": ("pulse", "pwm", "pwm_parser", "PWM on lines until Ctrl+C"),
    "servo": ("pulse", "servo", "servo_parser", "hold servos at a position"),
    "capture": (
        "capture",
        "run",
        "capture_parser",
        "a logic analyser: edges as VCD, CSV, SVG and on the terminal",
    ),
    "record": ("capture", "record", "record_parser", "capture into a VCD file until Ctrl+C"),
    "replay": ("replay", "run", "parser", "play a VCD file on the simulated board"),
    "pinout": ("pinout", "run", "parser", "draw the header with functions, levels and who holds lines"),
    "curses": ("curses_app", "run", "parser", "the terminal screen, which is rpio-curses too"),
    "info": ("info", "run", "parser", "show the board, and what drives its lines"),
    "doctor": ("doctor", "run", "parser", "what this machine can do, and what stands in the way"),
    "run": ("run", "run", "parser", "run a program written for RPi.GPIO, unchanged"),
    "completion": ("completion", "run", "parser", "print the completion of bash, zsh or fish"),
}
"""In the order of the help. The programs of ``run`` and ``replay`` see for themselves that a pipe has closed."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] in (["run"], ["replay"]):
            return _verb(words)
        return _ending_with_the_pipe(words)
    except KeyboardInterrupt:
        return 130


def curses() -> int:
    """``rpio-curses``"""
    return main(["curses", *sys.argv[1:]])


def _verb(words: list[str]) -> int:
    from importlib import import_module

    module, function = VERBS[words[0]][:2]
    status: int = getattr(import_module(f"{__name__}.{module}"), function)(words[1:])
    return status


def _ending_with_the_pipe(words: list[str]) -> int:
    try:
        status = _verb_or_options(words)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # the reader of a pipe has gone: end quietly, and keep the interpreter from flushing into it
        sys.stdout = None
        return 0


def _verb_or_options(words: list[str]) -> int:
    if words and words[0] in VERBS:
        return _verb(words)
    from . import classic

    if not words or words[0].startswith("-"):
        return classic.run(words)
    return classic.complain(
        f"rpio: there is no verb {words[0]!r}, only {', '.join(VERBS)}", _nearest(words[0]), 2
    )


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, VERBS, 1)
    return f"did you mean: rpio {found[0]}" if found else "see: rpio --help"
