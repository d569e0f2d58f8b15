# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio capture`` and ``rpio record``: a logic analyser on edges, with the kernel's times and every loss shown."""

from __future__ import annotations

import argparse
import os
import sys

from .. import errors, facade
from ..recordings import formats, vcd
from ..recordings.capture import EDGES, Capture
from . import pins, verb
from .keeping import File, Growing, check_path
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from ..recordings.recording import Recording

SUFFIXES = (".vcd", ".svg", ".csv")
BAR_COLUMNS = 24


def capture_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio capture``."""
    p = _parser(
        "capture",
        "Capture the edges of lines, and draw them. The lines become inputs; their pulls stay. Those of the shared "
        "simulated board (rpio sim) are heard as they are, outputs too.",
        "  rpio capture 17,18 --for 5s                       draw five seconds of two lines\n"
        "  rpio capture 17 --trigger 17:rising --for 20ms    from the first rising edge on\n"
        "  rpio capture 2-8 -o bus.vcd                       until Ctrl+C, for PulseView or GTKWave\n"
        "  rpio capture BOARD11 --for 1s -o button.svg       a picture; .csv is a table",
    )
    p.add_argument("-o", "--output", metavar="FILE", help="write .vcd, .svg or .csv, too")
    p.add_argument("--json", action="store_true", help="print edges and losses as JSON instead of drawing")
    return p


def record_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio record``."""
    p = _parser(
        "record",
        "Capture the edges of lines into a VCD file until Ctrl+C. What has been captured is in FILE.part, a second "
        "late, until the end gives it its name. rpio replay plays it back.",
        "  rpio record 17 -o door.vcd\n  rpio record 2-8 -o day.vcd --for 24h",
    )
    p.add_argument("-o", "--output", metavar="FILE", required=True, help="the VCD to write")
    return p


def _parser(name: str, description: str, examples: str) -> argparse.ArgumentParser:
    p = verb.parser(name, description, examples)
    verb.add_pins(p)
    verb.add_for(p)
    p.add_argument(
        "--trigger",
        metavar="PIN:EDGE",
        help="begin at this edge: 17:rising, 17:falling, 17:both; --for counts from it",
    )
    p.add_argument(
        "--timeout",
        dest="timeout_ns",
        metavar="TIME",
        type=verb.duration_ns,
        help="wait so long for the trigger; for ever without it",
    )
    p.add_argument("-n", "--edges", metavar="N", type=verb.positive, help="end after so many edges")
    p.add_argument(
        "--timescale", choices=[*vcd.TIMESCALES], default="1us", help="of a VCD; 1ns is exact, huge in sigrok"
    )
    p.add_argument(
        "--force", action="store_true", help="take lines that are outputs or have another function"
    )
    return p


def capture(options: argparse.Namespace) -> None:
    """``rpio capture``"""
    if options.output is not None:
        check_path(options.output, SUFFIXES)
    made = _made(options)
    found = _told(made.run(options.force, _progress(options)), options)
    if options.output is not None:
        with File(options.output) as file:
            _write(found, file, options)
    if options.json:
        verb.print_json(_as_dict(found))
        return
    import shutil

    for row in formats.draw(found, shutil.get_terminal_size().columns, verb.is_utf8(sys.stdout)):
        print(row)
    _sum_up(len(found), found.span_ns, made.lost, options.output)


def record(options: argparse.Namespace) -> None:
    """``rpio record``"""
    check_path(options.output, (".vcd",))
    made = _made(options)
    with Growing(options.output, options.timescale) as file:
        file.end(_told(made.run(options.force, _progress(options), file.write), options))
    _sum_up(made.edges, file.span_ns, made.lost, options.output)


def _made(options: argparse.Namespace) -> Capture:
    lines = verb.lines(options.pins)
    trigger = None if options.trigger is None else _trigger(options.trigger, lines)
    if options.timeout_ns is not None and trigger is None:
        raise UsageError("--timeout is how long to wait for the --trigger, and there is none")
    if trigger is not None and not _is_terminal(sys.stderr):
        how_long = "for ever" if options.timeout_ns is None else formats.time_text(options.timeout_ns)
        verb.note(f"waiting {how_long} for the trigger {options.trigger}")
    return Capture(facade.board, lines, options.for_ns, trigger, options.edges, options.timeout_ns)


def _trigger(text: str, lines: list[int]) -> tuple[int, tuple[int, ...]]:
    word, _, edge = text.rpartition(":")
    if not word or edge not in EDGES:
        raise UsageError(f"--trigger {text}: write PIN:rising, PIN:falling or PIN:both")
    line = pins.parse_one(word, facade.board.hardware)
    if line not in lines:
        raise UsageError(f"--trigger {text}: GPIO {line} is not among the lines that are captured")
    return line, EDGES[edge]


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _told(found: Recording | None, options: argparse.Namespace) -> Recording:
    if _is_terminal(sys.stderr):
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if found is None:
        raise errors.GPIOError(f"it ended before the trigger {options.trigger}: nothing was recorded")
    return found


def _write(found: Recording, file: File, options: argparse.Namespace) -> None:
    """In the format of the name; device files, which have none, get a VCD."""
    suffix = os.path.splitext(options.output)[1].lower()
    if suffix == ".svg":
        formats.write_svg(found, file.text)
    elif suffix == ".csv":
        formats.write_csv(found, file.text)
    else:
        vcd.write_vcd(found, file.text, options.timescale)


# -- telling ------------------------------------------------------------------------------------------------


def _progress(options: argparse.Namespace) -> Callable[[int | None, int], object] | None:
    """What rewrites the progress line; None where stderr is no terminal."""
    if not _is_terminal(sys.stderr):
        return None

    def tell(passed_ns: int | None, edges: int) -> None:
        """Write it anew."""
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        text = progress_text(passed_ns, edges, options.for_ns, options.edges)
        print(f"\r\x1b[K{text[: columns - 1]}", end="", file=sys.stderr, flush=True)

    return tell


def progress_text(passed_ns: int | None, edges: int, span_ns: int | None, most: int | None) -> str:
    """What the progress line says: a bar where the end is known."""
    if passed_ns is None:
        return "waiting for the trigger; Ctrl+C ends"
    done = max(passed_ns / span_ns if span_ns else 0.0, edges / most if most else 0.0)
    filled = min(BAR_COLUMNS, int(done * BAR_COLUMNS))
    bar = f"[{'#' * filled}{'.' * (BAR_COLUMNS - filled)}] " if span_ns or most else ""
    span = f" of {span_ns / 1e9:g}" if span_ns else ""
    return f"{bar}{passed_ns / 1e9:.1f}{span} s, {edges:,} edges; Ctrl+C ends"


def _sum_up(edges: int, span_ns: int, lost: int, path: str | None) -> None:
    print(
        f"{edges} edges in {formats.time_text(span_ns)}"
        + (f", {lost} lost" if lost else "")
        + (f", written to {path}" if path else ""),
        flush=True,
    )


def _as_dict(found: Recording) -> dict[str, object]:
    """Times are nanoseconds since the beginning."""
    start_ns = found.start_ns
    return {
        "span_ns": found.span_ns,
        "initial": {str(line): level for line, level in zip(found.lines, found.initial, strict=True)},
        "edges": [{"time_ns": t, "gpio": line, "level": level} for t, line, level in found],
        "lost": [
            {
                "gpio": loss.line,
                "edges": loss.missing,
                "after_ns": loss.after_ns - start_ns,
                "before_ns": loss.before_ns - start_ns,
            }
            for loss in found.losses
        ],
    }
