# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio replay``: play a VCD into the simulated board, for a program that runs there too."""

from __future__ import annotations

import argparse
import os

from .. import errors, facade
from ..recordings import replay as replaying
from ..recordings import vcd
from ..recordings.recording import Recording, name_of
from . import pins, simulated, verb
from .told import UsageError

EXAMPLES = """\
  rpio replay door.vcd alarm.py          run alarm.py, and give it what was recorded
  rpio replay --fast door.vcd            without a program: only see whether it can be played
  rpio replay --map D0=17 pulseview.vcd  D0 of another program's VCD is GPIO 17

Where rpio sim serves a shared board, that is played into, and any program on it sees it. Else the board lives as long
as this command, and a program that is to see the recording is named after it.
The recording begins when the program has set up one of its lines as an input.
"""


def replay_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio replay``."""
    p = verb.parser(
        "replay",
        "Play a VCD, such as one of rpio record, into the simulated board, in real time.",
        EXAMPLES,
        kind=verb.WrapperParser,
    )
    p.add_argument("--fast", action="store_true", help="as fast as possible")
    p.add_argument(
        "--map",
        metavar="NAME=PIN",
        action="append",
        default=[],
        help="which line a variable of the VCD is; may be given several times",
    )
    p.add_argument("file", metavar="FILE.vcd", help="what to play")
    p.add_argument(
        "program",
        nargs="?",
        help="a Python program to run meanwhile, as rpio run does, with the words after it",
    )
    return p


def replay(options: argparse.Namespace) -> int:
    """``rpio replay``: the status is the program's own where there is one."""
    simulated.choose(options.backend, "a recording is played into", may_be_shared=True)
    lines = read_map(options.map)
    if options.program is not None and not os.path.exists(options.program):
        raise UsageError(f"there is no file {options.program!r}")
    with open(options.file, encoding="utf-8", errors="replace") as file:
        try:
            recording = vcd.read_vcd(file, lines)
            check(recording)
        except ValueError as e:
            hint = "say which line a name is: --map NAME=PIN" if "no variable" in str(e) else ""
            raise errors.GPIOError(f"{options.file}: {e}", hint=hint) from None
    if options.program is not None:
        facade.setwarnings(True)
        return _with_program(recording, options.fast, options.program, options.arguments)
    play(recording, options.fast)
    lost = sum(recording.lost().values())
    text = f"{len(recording)} edges of {', '.join(map(name_of, recording.lines))} played"
    print(text + (f", {lost} lost when they were recorded" if lost else ""))
    return 0


def read_map(words: list[str]) -> dict[str, int]:
    """Read --map: name of a variable -> line."""
    found = {}
    for word in words:
        name, equals, line = word.rpartition("=")
        if not equals or not name:
            raise UsageError(f"--map {word}: write NAME=PIN, as in D0=17")
        found[name] = pins.parse_one(line, facade.board.hardware)
    return found


def check(recording: Recording) -> None:
    """Raise ValueError where the board does not have a line of the recording."""
    count = facade.board.backend.line_count
    for line in recording.lines:
        if line >= count:
            raise ValueError(f"there is no GPIO {line} on this board: it has {count} lines")


def play(recording: Recording, fast: bool) -> None:
    """Play it into the simulated board."""
    outside = facade.board.backend.outside()
    assert outside is not None  # it has been chosen
    replaying.play(recording, outside.drive, outside.clock, fast)


def _with_program(recording: Recording, fast: bool, path: str, arguments: list[str]) -> int:
    """Run the program here, and play from a thread as soon as it has set up one of the lines."""
    from . import program
    from .run import stand_in

    stand_in()
    outside = simulated.Outside(recording.lines, lambda over: play(recording, fast))
    try:
        with outside:
            return program.run_file(path, arguments)
    finally:
        if not outside.has_begun:
            named = " or ".join(map(name_of, recording.lines))
            verb.note(
                f"rpio replay: nothing was played: the program did not make {named} an input, or ended at once"
            )
