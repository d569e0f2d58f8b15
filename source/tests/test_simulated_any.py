# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every simulated chip, whatever comes over its bus: it answers bytes, or not at all, and the bus goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip_parts import manual_board
from RPIO.backends.buses import SpiSettings
from RPIO.chips.buses import i2c_bus, spi_bus
from RPIO.chips.circuit import parse
from RPIO.chips.kinds import CHIPS
from RPIO.wire.smbus import M_RD, M_RECV_LEN, Message
from support import EMULATED

I2C = sorted(set(CHIPS) - {"mcp3008"})
BYTES = st.one_of(st.binary(max_size=40), st.lists(st.integers(0, 255), max_size=4).map(bytes))


def messages(address):
    reads = st.builds(lambda length: Message(address, M_RD, length=length), st.integers(0, 40))
    blocks = st.builds(lambda length: Message(address, M_RD | M_RECV_LEN, length=length), st.integers(1, 2))
    writes = st.builds(lambda data: Message(address, 0, data), BYTES)
    return st.lists(st.one_of(reads, blocks, writes), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", I2C)
@settings(max_examples=10 if EMULATED else 60, deadline=None)
@given(st.data())
@pytest.mark.slow
def test_a_chip_takes_whatever_comes(kind, data):
    board = manual_board()
    circuit = parse(f"[[chip]]\ntype = '{kind}'\nname = 'it'\n")
    address = circuit.entries[0].values["address"]
    chip = circuit.build(board)["it"]
    bus = i2c_bus(board, 1)
    for _ in range(4):
        sent = data.draw(messages(address))
        try:
            answers = bus.transfer(sent)
        except OSError:
            continue
        reads = [message for message in sent if message.flags & M_RD]
        assert len(answers) == len(reads)
        for message, answer in zip(reads, answers, strict=True):
            more = answer[0] if message.flags & M_RECV_LEN else 0
            assert len(answer) == message.length + more
        board.clock.advance(data.draw(st.integers(0, 300)) * 1_000_000)
    if kind == "ssd1306":
        assert [len(row) for row in chip.rows()] == [128] * 64


@settings(max_examples=10 if EMULATED else 60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=4))
def test_an_mcp3008_takes_whatever_comes(sent):
    board = manual_board()
    parse("[[chip]]\ntype = 'mcp3008'\nvolts = [3, 1, 0, 0, 0, 0, 0, 3]\n").build(board)
    spi = spi_bus(board, 0, 0)
    assert [len(spi.transfer(data, SpiSettings())) for data in sent] == [len(data) for data in sent]
    answer = spi.transfer(bytes([1, 0x90, 0]), SpiSettings())
    assert (answer[1] & 3) << 8 | answer[2] == int(1024 / 3.3)
