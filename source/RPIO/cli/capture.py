# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio capture`` and ``rpio record``: a logic analyser on edges, with the kernel's times and every loss shown."""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import sys
from contextlib import contextmanager
from time import monotonic_ns

from .. import errors, facade, model
from .. import recording_formats as formats
from ..interrupts import Subscription
from ..recording import Recording
from . import pins
from .classic import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from .._gpio import EdgeEvent

EXAMPLES = """\
examples:
  rpio capture 17,18 --for 5s                       draw five seconds of two lines
  rpio capture 17 --trigger 17:rising --for 20ms    from the first rising edge on
  rpio capture 2-8 -o bus.vcd                       until Ctrl+C, for PulseView or GTKWave
  rpio capture BOARD11 --for 1s -o button.svg       a picture; .csv is a table
  rpio record 17 -o door.vcd                        to VCD only, until Ctrl+C
"""

DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
SUFFIXES = (".vcd", ".svg", ".csv")
TRIGGERS = {"rising": (1,), "falling": (0,), "both": (0, 1)}
PROGRESS_NS = 200_000_000
DRAIN_NS = 500_000_000


class UsageError(ValueError):
    """What was typed cannot be done; the text says what could."""


def duration_ns(text: str) -> int:
    """Read a duration such as 500us, 20ms, 5s or 1m. For argparse."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 500us, 20ms, 5s or 1m")
    return max(1, round(float(match[1]) * DURATIONS[match[2].replace("µ", "u")]))


def parser(verb: str) -> argparse.ArgumentParser:
    """Return the parser of ``rpio capture`` or ``rpio record``."""
    p = argparse.ArgumentParser(
        prog=f"rpio {verb}",
        description={
            "capture": "Capture the edges of lines, and draw them. The lines become inputs; their pulls stay.",
            "record": "Capture the edges of lines to a VCD file, until Ctrl+C. rpio replay plays it back.",
        }[verb],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = p.add_argument
    add("pins", metavar="LINES", help="17, GPIO17, BOARD11, J8:11, a list (4,17) or a range (2-8)")
    add(
        "--for",
        dest="span_ns",
        metavar="TIME",
        type=duration_ns,
        help="how long: 500us, 20ms, 5s, 1m; else until Ctrl+C",
    )
    add("--trigger", metavar="LINE:EDGE", help="begin at this edge: 17:rising, 17:falling or 17:both")
    add("--edges", metavar="N", type=int, help="end after so many edges")
    add("-o", "--output", metavar="FILE", required=verb == "record", help="write .vcd, .svg or .csv")
    add(
        "--timescale",
        choices=list(formats.TIMESCALES),
        default="1us",
        help="of a VCD; 1ns is exact, and huge in sigrok",
    )
    add("--force", action="store_true", help="take lines that are outputs or have another function, too")
    add(
        "--backend",
        metavar="NAME",
        help="auto, regs, cdev, sysfs, sim, sim:4B...: what drives the lines",
    )
    return p


def capture_parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio capture``."""
    return parser("capture")


def record_parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio record``."""
    return parser("record")


def run(argv: list[str]) -> int:
    """``rpio capture``: 0, 1 where something failed, 2 for a wrong command line."""
    return _run("capture", argv)


def record(argv: list[str]) -> int:
    """``rpio record``: the same to a VCD, without the drawing."""
    return _run("record", argv)


def _run(verb: str, argv: list[str]) -> int:
    options = parser(verb).parse_args(argv)
    name = f"rpio {verb}"
    try:
        check_output(options.output, (".vcd",) if verb == "record" else SUFFIXES)
        if options.edges is not None and options.edges < 1:
            raise UsageError(f"--edges {options.edges}: it takes at least one")
        if options.backend is not None:
            facade.use(options.backend)
        hardware = facade.board.hardware
        lines = pins.parse(options.pins, hardware)
        trigger = read_trigger(options.trigger, lines)
    except ValueError as e:  # UsageError, PinError; RPIO_BACKEND=sim:9Z
        return complain(f"{name}: {e}", getattr(e, "hint", ""), 2)
    except (errors.GPIOError, OSError, RuntimeError) as e:
        return complain(f"{name}: {e}", getattr(e, "hint", ""), 2 if options.backend else 1)
    try:
        found = capture(lines, options.span_ns, trigger, options.edges, options.force, progress())
        if found is None:
            return complain(
                f"{name}: it ended before the trigger {options.trigger}: nothing was recorded", "", 1
            )
        if options.output is not None:
            write(found, options.output, options.timescale)
        show(found, options.output, verb == "capture")
    except UsageError as e:
        return complain(f"{name}: {e}", "", 1)
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone: end quietly, and keep the interpreter from flushing into it
    except (errors.GPIOError, OSError, ValueError) as e:
        text = e.strerror or str(e) if type(e) is OSError else str(e)
        return complain(f"{name}: {text}", getattr(e, "hint", ""), 1)
    return 0


def read_trigger(text: str | None, lines: list[int]) -> tuple[int, tuple[int, ...]] | None:
    """Read --trigger: the line, and the levels after the edges that count."""
    if text is None:
        return None
    word, _, edge = text.rpartition(":")
    if not word or edge not in TRIGGERS:
        raise UsageError(f"--trigger {text}: write LINE:rising, LINE:falling or LINE:both")
    line = pins.parse_one(word, facade.board.hardware)
    if line not in lines:
        raise UsageError(f"--trigger {text}: GPIO {line} is not among the lines that are captured")
    return line, TRIGGERS[edge]


def check_output(path: str | None, suffixes: tuple[str, ...]) -> None:
    """Say now what would be wrong with the file after the capture. Device files need no suffix: they get VCD."""
    if path is None:
        return
    special = os.path.exists(path) and not os.path.isfile(path)
    if os.path.isdir(path) or (not special and not path.lower().endswith(suffixes)):
        raise UsageError(f"-o {path}: the name of the file has to end in {', '.join(suffixes)}")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"-o {path}: there is no folder {folder}")
    if not os.access(path if special else folder, os.W_OK):
        raise UsageError(f"-o {path}: this user may not write there")


# -- capturing ----------------------------------------------------------------------------------------------


class Tap(Subscription):
    """A subscription that puts every edge into a recording; deliver() is spared: one call less an edge."""

    __slots__ = ("_add", "hold", "index", "recording", "seen_ns", "seq")

    def __init__(self, recording: Recording, index: int, hold: Callable[[EdgeEvent], bool] | None) -> None:
        super().__init__(3, None, 0)
        self.recording, self.index, self.hold = recording, index, hold
        self._add = recording.add
        self.seq = 0
        self.seen_ns = monotonic_ns()

    def accepts(self, event: EdgeEvent) -> bool:
        """Keep the event; False, as there is nothing more to do."""
        _, level, time_ns, seq = event
        held = self.hold is not None and self.hold(event)
        if seq != self.seq + 1 and not held:
            self.recording.lose(self.index, seq - self.seq - 1, self.seen_ns, time_ns)
        self.seq, self.seen_ns = seq, time_ns
        if not held:
            self._add(time_ns, self.index, level)
        return False


class Trigger:
    """Holds edges back until one is the trigger; remembers the levels before it."""

    def __init__(self, recording: Recording, line: int, levels: tuple[int, ...]) -> None:
        self.recording, self.line, self.levels = recording, line, levels
        self.at_ns: int | None = None
        self.taps: list[Tap] = []

    def __call__(self, event: EdgeEvent) -> bool:
        """Whether this edge is before the trigger."""
        if event.line == self.line and event.value in self.levels:
            self.at_ns = event.timestamp_ns
            for tap in self.taps:
                tap.hold = None
            return False
        self.recording.initial[self.recording.lines.index(event.line)] = event.value
        return True


def capture(
    lines: list[int],
    span_ns: int | None,
    trigger: tuple[int, tuple[int, ...]] | None,
    most: int | None = None,
    force: bool = False,
    tell: Callable[[str], object] | None = None,
) -> Recording | None:
    """Capture until the time is over, or Ctrl+C, or there are *most* edges; None where the trigger never came."""
    board = facade.board
    facade.setwarnings(False)
    recording = Recording(lines)
    hold = Trigger(recording, *trigger) if trigger is not None else None
    taps = [Tap(recording, index, hold) for index in range(len(lines))]
    if hold is not None:
        hold.taps = taps
    try:
        for line in lines:
            take(line, force)
        recording.initial = [board.backend.read(line) for line in lines]
        dispatcher = board.dispatcher
        dispatcher.claim()
        try:
            with interrupting(dispatcher.stop) as interrupted:
                start_ns = dispatcher.now_ns()
                for line, tap in zip(lines, taps, strict=True):
                    board.subscribe(board.channel_of(line), tap, 0)
                while not interrupted:
                    began_ns = hold.at_ns if hold is not None else start_ns
                    now_ns = dispatcher.now_ns()
                    wait_ns = None
                    if began_ns is not None and span_ns is not None:
                        wait_ns = began_ns + span_ns - now_ns
                        if wait_ns <= 0:
                            break
                    if most is not None and len(recording) >= most:
                        break
                    if tell is not None:
                        tell(progress_text(len(recording), began_ns, now_ns))
                        wait_ns = PROGRESS_NS if wait_ns is None else min(wait_ns, PROGRESS_NS)
                    dispatcher.step(None if wait_ns is None else wait_ns / 1e9)
                end_ns = dispatcher.now_ns()
                while dispatcher.step(0) and dispatcher.now_ns() < end_ns + DRAIN_NS:
                    pass  # what came before the end; a line that goes on does not keep us
        finally:
            dispatcher.release()
        if hold is not None:
            if hold.at_ns is None:
                return None
            start_ns = hold.at_ns
    finally:
        if tell is not None:
            tell("")
        board.close()  # lets go of the lines, and sets none
    if span_ns is not None:
        end_ns = min(end_ns, start_ns + span_ns)
    if most is not None and len(recording) >= most:
        end_ns = min(end_ns, sorted(recording.times_ns)[most - 1])
    recording.finish(start_ns, end_ns)
    return recording


def take(line: int, force: bool) -> None:
    """Make an input of the line, whose pull stays as it is."""
    board = facade.board
    channel = board.channel_of(line)
    function = board.function(channel)
    if function not in (model.IN, model.UNKNOWN) and not force:
        name = model.FUNCTION_NAMES.get(function, str(function))
        raise UsageError(f"GPIO {line} is {name}, and capturing makes an input of it; --force does so")
    board.add_interrupt(channel, _nothing, "none", None, False, None, 0)
    board.del_interrupt(channel)


def _nothing(line: int, value: int) -> None:
    """A callback of no edge."""


@contextmanager
def interrupting(stop: Callable[[], object]) -> Iterator[list[int]]:
    """Have Ctrl+C and SIGTERM end the wait, and no statement in the middle; yields the signals that came."""
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        """The handler."""
        came.append(number)
        stop()

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:
        pass  # not the main thread, which alone gets signals
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- telling ------------------------------------------------------------------------------------------------


def progress() -> Callable[[str], object] | None:
    """What rewrites the progress line; None where stderr is no terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def progress_text(edges: int, began_ns: int | None, now_ns: int) -> str:
    """What the progress line says."""
    if began_ns is None:
        return "waiting for the trigger; Ctrl+C ends"
    return f"{edges:,} edges in {(now_ns - began_ns) / 1e9:.1f} s; Ctrl+C ends"


def show(recording: Recording, path: str | None, drawing: bool) -> None:
    """Draw it, and say what it is."""
    if drawing:
        import shutil

        for row in formats.draw(recording, shutil.get_terminal_size().columns, can_draw(sys.stdout)):
            print(row)
    lost = sum(recording.lost().values())
    print(
        f"{len(recording)} edges in {formats.time_text(recording.span_ns)}"
        + (f", {lost} lost" if lost else "")
        + (f", written to {path}" if path else ""),
        flush=True,
    )


def can_draw(file: TextIO) -> bool:
    """Whether the encoding of a stream has the characters of the Unicode drawing."""
    try:
        formats.MARKS[True].encode(getattr(file, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write(recording: Recording, path: str, timescale: str = "1us") -> None:
    """Write a file in the format of its name. What was there stays until the new one is complete.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    special = os.path.exists(path) and not os.path.isfile(path)
    to = path if special else path + ".part"
    try:
        with open(to, "w", encoding="utf-8") as file:
            if path.lower().endswith(".svg"):
                formats.write_svg(recording, file)
            elif path.lower().endswith(".csv"):
                formats.write_csv(recording, file)
            else:
                formats.write_vcd(recording, file, timescale)
        if not special:
            os.replace(to, path)
    except BaseException as e:
        if not special and os.path.exists(to):
            os.unlink(to)
        if isinstance(e, OSError) and e.errno == errno.ENOSPC:
            text = f"the disk is full: {path} was not written; make room, or choose another place with -o"
            raise OSError(text) from None
        raise
