# SPDX-License-Identifier: LGPL-3.0-or-later
"""A chip that is unplugged: who waits for its edges is told, and when it is back it is used again."""

import errno
import os

import pytest

from kernel.gpiosim import Chip
from kernel.programs import program
from RPIO import errors
from RPIO.arguments import ALL
from RPIO.board.board import Board
from RPIO.constants import IN, OUT, PUD_OFF
from waiting import LIMIT_S, wait_until

SETUP = """
import sys
import RPIO
RPIO.setwarnings(False)
line = int(sys.argv[1])
RPIO.setup(line, RPIO.IN)
def waits(wait):
    try:
        print("ended:", wait())
    except OSError as e:
        print(type(e).__name__, e.errno, e.strerror, e.hint)
    RPIO.cleanup()
"""
WAITS = {
    "wait_for_edge": "waits(lambda: RPIO.wait_for_edge(line, RPIO.BOTH))",
    "with a time limit": "waits(lambda: RPIO.wait_for_edge(line, RPIO.BOTH, timeout=600_000))",
    "the loop": """
RPIO.add_interrupt_callback(line, print)
waits(RPIO.wait_for_interrupts)
""",
    "asyncio": """
import asyncio
from RPIO import aio
waits(lambda: asyncio.run(aio.wait_for_edge(line, RPIO.BOTH)))
""",
    "an iteration": """
import asyncio
from RPIO import aio
async def main():
    async for event in aio.edges(line):
        print(event)
waits(lambda: asyncio.run(main()))
""",
    "in a callback": """
def callback(channel):
    waits(lambda: RPIO.wait_for_edge(line, RPIO.BOTH))
    RPIO.stop_waiting_for_interrupts()
RPIO.setup(7, RPIO.IN)
RPIO.add_event_detect(7, RPIO.RISING, callback)
waits(RPIO.wait_for_interrupts)
""",
}


@pytest.mark.slow
def test_every_wait_ends_at_once():
    """One removal for all: each leaves interrupts of the simulated chip behind."""
    with Chip(num_lines=9, label="hot") as chip:
        env = {"RPIO_BACKEND": f"cdev:{chip.path}"}
        waits = {
            what: program(["-c", SETUP + code, str(line)], **env)
            for line, (what, code) in enumerate(WAITS.items())
        }
        verb = program(["-m", "RPIO", "watch", "6"], **env)
        capture = program(["-m", "RPIO", "capture", "8"], **env)
        for line in (0, 1, 2, 3, 4, 6, 8):
            assert wait_until(lambda line=line: chip.is_watched(line)), line
        assert wait_until(lambda: chip.consumer(7) == "RPIO")
        assert wait_until(lambda: chip.is_watched(5) or chip.drive(7, 0) or chip.drive(7, 1))
        chip.remove()
    for line, (what, process) in enumerate(waits.items()):
        out = process.communicate(timeout=LIMIT_S)[0].decode()
        told = f"LineGoneError 19 GPIO {line}: its chip has been removed cleanup() lets go of its lines"
        assert told in out, (what, out)
        assert process.returncode == 0, (what, out)
    out = verb.communicate(timeout=LIMIT_S)[0].decode()
    assert "GPIO 6: its chip has been removed" in out
    assert verb.returncode == 1
    out = capture.communicate(timeout=LIMIT_S)[0].decode()
    assert "GPIO 8: its chip has gone" in out
    assert "0 edges in " in out


test_every_wait_ends_at_once.spoils_the_kernel = True


def test_cleanup_lets_go_and_the_chip_that_comes_back_is_used():
    board = Board("cdev:hot")
    with Chip(num_lines=4, label="hot") as chip:
        board.setup([1, 2], OUT, PUD_OFF, 1)
        board.setup(3, IN, PUD_OFF, None)
        board.forceoutput(0, 1)
        path = chip.path
        chip.remove()
        for call in (
            lambda: board.setup(1, OUT, PUD_OFF, None),
            lambda: board.setup(1, OUT, PUD_OFF, 0),
            lambda: board.setup(1, IN, PUD_OFF, None),
            lambda: board.setup(0, OUT, PUD_OFF, 0),
            lambda: board.output(2, 0),
            lambda: board.input(3),
        ):
            with pytest.raises(errors.LineGoneError, match=r"GPIO \d: its chip has been removed") as caught:
                call()
            assert caught.value.errno == errno.ENODEV
            assert "cleanup()" in caught.value.hint
    board.cleanup(1)
    board.cleanup(ALL)
    with Chip(num_lines=2, label="between"), Chip(num_lines=4, label="hot") as chip:
        assert chip.path != path or os.path.exists(path)
        board.setup(1, OUT, PUD_OFF, 1)
        assert chip.level(1) == 1
        board.cleanup(ALL)
        assert chip.consumer(1) == ""
    board.close()


@pytest.mark.parametrize("spec", ["cdev:hot", "sysfs:hot"])
def test_cleanup_of_the_last_line_is_enough(spec):
    board = Board(spec)
    for _ in range(3):
        with Chip(num_lines=4, label="hot") as chip:
            board.setup(1, OUT, PUD_OFF, 1)
            assert chip.level(1) == 1
            chip.remove()
        board.cleanup([1])
    board.close()


def test_a_wave_on_it_names_the_line_and_the_chip():
    board = Board("cdev:hot")
    with Chip(num_lines=4, label="hot") as chip:
        board.setup(2, OUT, PUD_OFF, 0)
        wave = board.pulses.player.play([(2, 1, 500), (2, 0, 500)], None, "soft")
        chip.remove()

        def error():
            try:
                return wave.is_playing and None
            except OSError as e:
                return e

        assert wait_until(error)
        assert isinstance(error(), errors.LineGoneError)
        assert (error().strerror, error().filename) == ("GPIO 2: its chip has been removed", chip.path)
    board.cleanup(ALL)
    assert not wave.is_playing
    with Chip(num_lines=4, label="hot") as chip:
        board.setup(2, OUT, PUD_OFF, 0)
        assert board.pulses.player.play([(2, 1, 500), (2, 0, 500)], 1, "soft").wait(LIMIT_S)
        board.cleanup(ALL)
    board.close()
