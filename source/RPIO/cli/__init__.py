# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: look at lines and change them from the shell."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from . import classic

    try:
        return classic.run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of a pipe has gone: end quietly, and keep the interpreter from flushing into it
        sys.stdout = None
        return 0
