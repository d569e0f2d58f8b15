# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: look at lines and change them from the shell, run programs written for RPi.GPIO."""

from __future__ import annotations

import sys

VERBS = ("run", "doctor")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] == ["run"]:
            from . import run

            return run.run(words[1:])
        return _ending_with_the_pipe(words)
    except KeyboardInterrupt:
        return 130


def _ending_with_the_pipe(words: list[str]) -> int:
    """Everything but ``run``, whose program is to see for itself that its reader has gone."""
    from . import classic

    try:
        if words[:1] == ["doctor"]:
            from . import doctor

            return doctor.run(words[1:])
        if words and not words[0].startswith("-"):
            known = " and ".join(f"rpio {verb}" for verb in VERBS)
            return classic.complain(
                f"rpio: there is no verb {words[0]!r}, only {known}", "see: rpio --help", 2
            )
        return classic.run(words)
    except BrokenPipeError:
        # the reader of a pipe has gone: end quietly, and keep the interpreter from flushing into it
        sys.stdout = None
        return 0
