# SPDX-License-Identifier: LGPL-3.0-or-later
"""SMBus calls as messages: what is on the wire, against a model of the specification, and what comes back."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.wire import smbus
from RPIO.wire.smbus import M_RD, M_RECV_LEN, SmbusCall
from RPIO.wire.smbus_messages import answer_of, messages_of, pec

QUICK, BYTE, BYTE_DATA, WORD_DATA, PROCESS_CALL, BLOCK_DATA = range(6)
BLOCK_PROC_CALL, I2C_BLOCK_DATA = 7, 8


def check_byte(data):
    """By long division, over whole numbers: the remainder of data * x^8 by x^8 + x^2 + x + 1."""
    number = int.from_bytes(data, "big") << 8
    for bit in range(8 * len(data) + 7, 7, -1):
        if number >> bit & 1:
            number ^= 0x107 << bit - 8
    return number


def pictured(call, answer):
    """The bytes on the wire with addresses, as SMBus 3.2, 6.5.1 to 6.5.8 draws them; *answer*: the chip's data."""
    to, of = call.address << 1, call.address << 1 | 1
    command, data, count = bytes([call.command]), call.data, bytes([len(call.data)])
    sent = {
        (QUICK, 0): b"",
        (QUICK, 1): None,
        (BYTE, 0): command,
        (BYTE, 1): None,
        (BYTE_DATA, 0): command + data,
        (BYTE_DATA, 1): command,
        (WORD_DATA, 0): command + data,
        (WORD_DATA, 1): command,
        (PROCESS_CALL, 1): command + data,
        (BLOCK_DATA, 0): command + count + data,
        (BLOCK_DATA, 1): command,
        (BLOCK_PROC_CALL, 1): command + count + data,
        (I2C_BLOCK_DATA, 0): command + data,
        (I2C_BLOCK_DATA, 1): command,
    }[call.size, int(call.is_read)]
    wire = b"" if sent is None else bytes([to]) + sent
    if call.is_read:
        has_count = call.size in (BLOCK_DATA, BLOCK_PROC_CALL)
        wire += bytes([of]) + (bytes([len(answer)]) if has_count else b"") + answer
    if call.has_pec and call.size not in (QUICK, I2C_BLOCK_DATA):
        wire += bytes([check_byte(wire)])
    return wire


def on_the_wire(messages, chip):
    """What goes over the wire, and what each read gets of a chip that says those bytes."""
    wire, answers, chip = b"", [], list(chip)
    for message in messages:
        is_read = bool(message.flags & M_RD)
        wire += bytes([message.address << 1 | is_read])
        if is_read:
            length = message.length + (chip[0] if message.flags & M_RECV_LEN else 0)
            answers.append(bytes(chip[:length]))
            wire += answers[-1]
            del chip[:length]
        else:
            wire += message.data
    assert not chip
    return wire, answers


@st.composite
def calls(draw):
    """A call, and what the chip has to say."""
    size = draw(
        st.sampled_from(
            [QUICK, BYTE, BYTE_DATA, WORD_DATA, PROCESS_CALL, BLOCK_DATA, BLOCK_PROC_CALL, I2C_BLOCK_DATA]
        )
    )
    is_read = True if size in (PROCESS_CALL, BLOCK_PROC_CALL) else draw(st.booleans())
    lengths = {BYTE_DATA: (1, 1), WORD_DATA: (2, 2), PROCESS_CALL: (2, 2)}
    writes = size in (PROCESS_CALL, BLOCK_PROC_CALL) or (not is_read and size not in (QUICK, BYTE))
    least, most = lengths.get(size, (0, 32)) if writes else (0, 0)
    data = draw(st.binary(min_size=least, max_size=most))
    answers = {QUICK: (0, 0), BYTE: (1, 1), **lengths}.get(size, (1, 32)) if is_read else (0, 0)
    answer = draw(st.binary(min_size=answers[0], max_size=answers[1]))
    length = len(answer) if size == I2C_BLOCK_DATA else 0
    call = SmbusCall(
        draw(st.integers(0, 127)), is_read, size, draw(st.integers(0, 255)), data, length, draw(st.booleans())
    )
    return call, answer


def said_by_the_chip(call, answer):
    """The chip's bytes: the picture behind its last address."""
    wire = pictured(call, answer)
    has_pec = call.has_pec and call.size not in (QUICK, I2C_BLOCK_DATA)
    count = len(answer) + has_pec + (call.size in (BLOCK_DATA, BLOCK_PROC_CALL))
    return wire[len(wire) - count :] if call.is_read else b""


@given(calls())
def test_a_call_is_on_the_wire_what_the_specification_draws(drawn):
    call, answer = drawn
    messages = messages_of(call)
    wire, answers = on_the_wire(messages, said_by_the_chip(call, answer))
    assert wire == pictured(call, answer)
    assert answer_of(call, messages, answers) == answer


@given(
    calls().filter(lambda drawn: drawn[0].is_read and drawn[0].size not in (QUICK, I2C_BLOCK_DATA)), st.data()
)
def test_a_wrong_bit_is_noticed(drawn, data):
    call, answer = drawn
    call.has_pec = True
    messages = messages_of(call)
    _, answers = on_the_wire(messages, said_by_the_chip(call, answer))
    at = data.draw(st.integers(0, len(answers[-1]) * 8 - 1))
    wrong = bytearray(answers[-1])
    wrong[at // 8] ^= 1 << at % 8
    with pytest.raises(OSError) as caught:
        answer_of(call, messages, [bytes(wrong)])
    assert caught.value.errno == errno.EBADMSG


@given(st.binary(max_size=40), st.binary(max_size=5))
def test_the_check_byte_is_the_remainder(data, more):
    assert pec(data) == check_byte(data)
    assert pec(more, pec(data)) == check_byte(data + more)


def test_the_check_byte_of_the_catalogue():
    assert pec(b"123456789") == 0xF4  # CRC-8/SMBUS: the catalogue of parametrised CRC algorithms


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (SmbusCall(1, False, BLOCK_DATA, 0, bytes(33)), errno.EINVAL),
        (SmbusCall(1, True, BLOCK_PROC_CALL, 0, bytes(33)), errno.EINVAL),
        (SmbusCall(1, False, I2C_BLOCK_DATA, 0, bytes(33)), errno.EINVAL),
        (SmbusCall(1, True, I2C_BLOCK_DATA, 0, length=0), errno.EINVAL),
        (SmbusCall(1, True, I2C_BLOCK_DATA, 0, length=33), errno.EINVAL),
        (SmbusCall(1, False, WORD_DATA, 0, b"1"), errno.EINVAL),
        (SmbusCall(1, True, PROCESS_CALL, 0, b"123"), errno.EINVAL),
        (SmbusCall(1, True, 6, 0), errno.EOPNOTSUPP),
        (SmbusCall(1, True, 9, 0), errno.EOPNOTSUPP),
    ],
)
def test_what_is_no_call_is_refused_before_the_wire(call, number):
    with pytest.raises(OSError) as caught:
        messages_of(call)
    assert caught.value.errno == number


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x21" + bytes(33), b"\x02a", b"\x02abc"])
def test_a_block_whose_count_is_none_is_a_protocol_error(answer):
    call = SmbusCall(1, True, BLOCK_DATA, 0)
    with pytest.raises(OSError) as caught:
        answer_of(call, messages_of(call), [answer])
    assert caught.value.errno == errno.EPROTO


def test_a_pec_that_never_came_is_no_message():
    call = SmbusCall(1, True, BYTE, has_pec=True)
    with pytest.raises(OSError) as caught:
        answer_of(call, messages_of(call), [b""])
    assert caught.value.errno == errno.EBADMSG


def test_what_can_be_made_of_plain_i2c_is_what_linux_says():
    """Source: include/uapi/linux/i2c.h, I2C_FUNC_SMBUS_EMUL and I2C_FUNC_SMBUS_EMUL_ALL."""
    parts = (
        "QUICK READ_BYTE WRITE_BYTE READ_BYTE_DATA WRITE_BYTE_DATA READ_WORD_DATA WRITE_WORD_DATA PROC_CALL "
        "WRITE_BLOCK_DATA READ_I2C_BLOCK WRITE_I2C_BLOCK PEC"
    )
    emul = sum(getattr(smbus, f"FUNC_SMBUS_{part}") for part in parts.split())
    assert emul == smbus.FUNC_SMBUS_EMUL
    more = smbus.FUNC_SMBUS_READ_BLOCK_DATA | smbus.FUNC_SMBUS_BLOCK_PROC_CALL
    assert emul | more == smbus.FUNC_SMBUS_EMUL_ALL
