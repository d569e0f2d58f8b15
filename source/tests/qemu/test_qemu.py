# SPDX-License-Identifier: LGPL-3.0-or-later
"""The C core on QEMU's Raspberry Pi 3B: what guest.c reports, and what QEMU saw it write.

Neither QEMU nor the kernel is ours, so a wrong idea of the registers that the core shares with the model of
source/tests/c is found out here. `make test-qemu` installs what this needs.
"""

import pytest

from qemu import machine

CHECKS = ("chip", "mapping", "functions", "levels", "requests", "pulls", "dma-chain", "wave")

LINE, NEIGHBOUR, HIGH_LINE = 17, 18, 40  # guest.c's
GPSET0, GPCLR0, GPPUD, GPPUDCLK0, GPPUDCLK1 = 0x1C, 0x28, 0x94, 0x98, 0x9C

UP, DOWN, OFF = 2, 1, 0  # BCM2835 ARM Peripherals, 6.1: GPPUD
PULLS = [
    write
    for pull in (UP, DOWN, OFF)
    for clock, line in ((GPPUDCLK0, LINE), (GPPUDCLK1, HIGH_LINE - 32))
    for write in ((GPPUD, pull), (clock, 1 << line), (GPPUD, 0), (clock, 0))
]
CHAIN = [(GPSET0, 1 << LINE), (GPCLR0, 1 << LINE), (GPSET0, 1 << NEIGHBOUR)]

FIRST, SECOND = 22, 23  # guest_wave.c's
WAVE = 2 * [(GPSET0, 1 << FIRST), (GPCLR0, 1 << FIRST), (GPSET0, 1 << SECOND), (GPCLR0, 1 << SECOND)]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    try:
        machine.check_ready()
    except machine.MachineError as error:
        pytest.skip(str(error))
    try:
        return machine.run(tmp_path_factory.mktemp("qemu"))
    except machine.MachineError as error:
        pytest.fail(f"{error.output}\n{error}", pytrace=False)


def contains(sequence, part):
    return any(sequence[at : at + len(part)] == part for at in range(len(sequence)))


def test_the_guest_got_to_its_end(report):
    assert report.ended, report.messages
    assert tuple(report.checks) == CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_in_the_guest(report, name):
    assert report.checks.get(name, "it did not run") == "ok"


def test_pulls_are_written_as_the_datasheet_says(report):
    assert contains(report.gpio_writes, PULLS), [write for write in report.gpio_writes if write[0] >= GPPUD]


def test_the_dma_engine_wrote_what_its_chain_says(report):
    assert contains(report.gpio_writes, CHAIN), report.gpio_writes[-8:]


def test_the_dma_engine_played_the_wave(report):
    writes = [
        (register, mask) for register, mask in report.gpio_writes if register in (GPSET0, GPCLR0) and mask
    ]
    assert contains(writes, WAVE), writes[-16:]
