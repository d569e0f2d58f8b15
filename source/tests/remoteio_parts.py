# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of remoteio share: where a daemon serves it, and what has become of lines, with times."""

import re

ANY = ("--remoteio", "127.0.0.1:0")
SEED_MAP = {
    **{0: 27, 1: 28, 2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33},
    **{14: 8, 15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22, 26: 37},
    27: 13,
}
"""GPIO -> pin, as remoteio's own table has it."""
RECORDER = """
import time
from RPIO import facade
_sim, _levels, _begin = facade.board.backend, {}, []
for _name in ("write", "set_function"):
    def _recorded(line, *words, _act=getattr(_sim, _name)):
        _act(line, *words)
        level = _sim.read(line) if _sim.function(line) == 0 else 0
        if _levels.setdefault(line, 0) != level:
            _levels[line] = level
            now = time.monotonic()
            _begin.append(now)
            print("edge", line, level, round(1000 * (now - _begin[0])), flush=True)
    setattr(_sim, _name, _recorded)
"""
"""Has a program say each change of an output's level, and when that was, in milliseconds from the first one on."""


def port_of(served):
    """The port of a daemon."""
    return int(served.says(r"remoteio is served at 127\.0\.0\.1:(\d+)$")[1])


def wave(program, line):
    """[(level, at_ms)] of a line of a program with a RECORDER, so far."""
    found = re.findall(rf"^edge {line} (\d) (\d+)$", program.look(), re.MULTILINE)
    return [(int(level), int(at_ms)) for level, at_ms in found]
