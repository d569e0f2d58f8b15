# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run --there HOST``: its options. What it does is in ``elsewhere``, which most runs need not load."""

from __future__ import annotations

from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

OPTIONS = ("as_name", "main", "pty", "detach", "venv", "lines", "refuse", "quiet", "shell")
"""Those that go with --there alone."""
LINES_HELP = "the program has these lines to itself among the programs there: 17,18 (BCM)"


def add_options(p: argparse.ArgumentParser) -> None:
    """Add what goes with --there."""
    p.add_argument(
        "--there",
        metavar="HOST",
        help="bring the program, a file or a folder, to another machine and run it there: pi.local, by TLS, once it is "
        "paired with the scope run (rpio pair --scope run there); pi, user@pi, by ssh; or localhost, the daemon of "
        "this one",
    )
    more = p.add_argument_group("with --there")
    more.add_argument(
        "--as",
        dest="as_name",
        metavar="NAME",
        help="the directory there; without it, that of the program's name",
    )
    more.add_argument(
        "--main", metavar="FILE", help="which file of the folder runs; without it main.py or __main__.py"
    )
    pty = more.add_mutually_exclusive_group()
    pty.add_argument(
        "--pty",
        action="store_true",
        default=None,
        help="on a terminal there, as without this where there is one here",
    )
    pty.add_argument("--no-pty", dest="pty", action="store_false", help="on no terminal there")
    more.add_argument(
        "-d",
        "--detach",
        action="store_true",
        help="start it, print its number, and leave it there; see rpio attach",
    )
    more.add_argument("--venv", metavar="PATH", help="by the Python of this virtual environment there")
    more.add_argument("--lines", metavar="LINES", help=LINES_HELP)
    more.add_argument(
        "--refuse",
        action="store_true",
        help="do not wait for lines that another program has: say so, and end",
    )
    more.add_argument("-q", "--quiet", action="store_true", help="no progress bar, and nothing of the upload")
    more.add_argument("--shell", action="store_true", help="no program, but the shell of the user there")


def is_wanted(options: argparse.Namespace) -> bool:
    """Whether the program is to run there. Raises UsageError for what does not go together."""
    given = [
        name
        for name in OPTIONS
        if getattr(options, name) not in ((None,) if name == "pty" else (None, False))
    ]
    if options.there is None:
        if given:
            word = "--as" if given[0] == "as_name" else f"--{given[0]}"
            raise UsageError(f"{word} goes with --there HOST")
        return False
    for word, is_given in (
        ("--backend and --on", options.backend is not None),
        ("--sim", options.sim),
        ("--press", options.press is not None),
        ("--proxy", options.proxy is not None),
        ("--remember", options.remember),
        ("-m", options.module),
    ):
        if is_given:
            raise UsageError(
                f"{word} is about a program that runs here, and --there about one that runs there"
            )
    return True


def run(options: argparse.Namespace) -> int:
    """Run it there; return its exit status."""
    from . import elsewhere

    return elsewhere.run(options)
