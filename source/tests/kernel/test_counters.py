# SPDX-License-Identifier: LGPL-3.0-or-later
"""Counters and encoders on a real chip: the kernel's events, of one descriptor for each line."""

import pytest

from kernel.gpiosim import Chip
from RPIO import errors
from RPIO.board.board import Board
from RPIO.constants import IN, OUT, PUD_DOWN, PUD_OFF
from waiting import wait_until

FORWARDS = ((0, 1), (1, 1), (0, 0), (1, 0))


def pulses(chip, line, count):
    for _ in range(count):
        chip.drive(line, 1)
        chip.drive(line, 0)


@pytest.fixture
def chip():
    with Chip(num_lines=6, label="counted") as made:
        yield made


def test_edges_of_a_chip_are_counted(chip):
    board = Board("cdev:counted")
    counter, falling = board.counter(1, "both"), board.counter(1, "falling")
    pulses(chip, 1, 200)
    assert wait_until(lambda: counter.count == 400)
    assert wait_until(lambda: falling.count == 200)
    assert counter.lost == 0
    assert counter.rate_hz > 0
    assert 0 < counter.period_ns < counter.last_ns
    assert counter.reset() == 400
    board.close()


def test_edges_in_sysfs_are_counted_where_they_leave_the_kernel_time_to_tell(chip):
    board = Board("sysfs:counted")
    counter = board.counter(1, "both")
    for count in range(1, 21):
        chip.drive(1, count % 2)
        assert wait_until(lambda count=count: counter.count == count)
    board.close()


def test_a_callback_comes_and_goes_beside_it(chip):
    board, heard = Board("cdev:counted"), []
    counter = board.counter(1, "both", pull_up_down=PUD_DOWN)
    for _ in range(2):
        pulses(chip, 1, 10)
        board.add_interrupt_callback(1, lambda line, level: heard.append(level), pull_up_down=None)
        pulses(chip, 1, 10)
        assert wait_until(lambda: len(heard) >= 20)
        board.del_interrupt_callback(1)
        del heard[:]
    assert wait_until(lambda: counter.count == 80)
    assert (counter.lost, board.events_lost(1)) == (0, 0)
    board.close()


def test_as_an_output_it_rests_and_goes_on_with_the_same_descriptor(chip):
    board = Board("cdev:counted")
    counter = board.counter(1, "both")
    pulses(chip, 1, 5)
    assert wait_until(lambda: counter.count == 10)
    board.setup(1, OUT, PUD_OFF, 0)
    board.output(1, 1)
    board.output(1, 0)
    board.setup(1, IN, PUD_DOWN)
    pulses(chip, 1, 5)
    assert wait_until(lambda: counter.count == 20)
    assert counter.lost == 0
    board.close()


def test_an_encoder_whose_lines_have_a_descriptor_each(chip):
    board = Board("cdev:counted")
    encoder = board.encoder(2, 3)
    for cycles, way in ((100, FORWARDS), (150, [(1, 1), (0, 1), (1, 0), (0, 0)])):
        for line, level in list(way) * cycles:
            chip.drive(2 + line, level)
    assert wait_until(lambda: encoder.steps == -200)
    assert (encoder.direction, encoder.skipped, encoder.lost) == (-1, 0, 0)
    board.close()


def test_edges_that_the_kernel_dropped_are_told(chip):
    """Nobody reads: there are callbacks that do not end, and 16 events of each line for the kernel to keep, or more."""
    board, counted = Board("cdev:counted"), []

    def busy(line, level):
        pulses(chip, 1, 1500)
        counted.append(counter.count)

    counter = board.counter(1, "both")
    board.add_interrupt_callback(4, busy, edge="rising")
    chip.drive(4, 1)
    assert wait_until(lambda: counted)
    assert wait_until(lambda: counter.count + counter.lost == 3000)
    assert counter.lost == board.events_lost(1) > 0
    board.close()


def test_reading_a_counter_of_a_chip_that_has_gone_says_so():
    board = Board("cdev:leaves")
    with Chip(num_lines=4, label="leaves") as chip:
        counter = board.counter(1)
        pulses(chip, 1, 3)
        assert wait_until(lambda: counter.count == 3)
        chip.remove()

    def error():
        try:
            return counter.count and None
        except OSError as e:
            return e

    assert wait_until(error)
    assert isinstance(error(), errors.LineGoneError)
    counter.close()
    assert counter.count == 3
    board.close()


test_reading_a_counter_of_a_chip_that_has_gone_says_so.spoils_the_kernel = True
