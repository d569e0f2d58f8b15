# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: look at lines and change them from the shell, run programs written for RPi.GPIO."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _verb(name: str) -> Callable[[list[str]], int] | None:
    """The function of a verb; the module is imported only when it is asked for."""
    if name == "run":
        from . import run as verb
    elif name == "doctor":
        from . import doctor as verb  # type: ignore[no-redef]
    else:
        return None
    return verb.run


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from . import classic

    words = sys.argv[1:] if argv is None else argv
    verb = _verb(words[0]) if words else None
    try:
        return verb(words[1:]) if verb else classic.run(words)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of a pipe has gone: end quietly, and keep the interpreter from flushing into it
        sys.stdout = None
        return 0
