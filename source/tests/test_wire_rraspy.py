# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's protocol as bytes: what was recorded, whole and in pieces; values; and what is none of it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import errors
from RPIO.wire import rraspy
from RPIO.wire.rraspy import COMPLETE, MAY_GO_ON, MESSAGE_MAX, NEEDS_MORE, Message, Reader
from RPIO.wire.rraspy_values import DEPTH_MAX, Values, written
from rraspy_exchanges import ANSWERS, EVENTS, LOSSY, REQUESTS, recorded

ROLES = {
    "device hears": (REQUESTS, rraspy.REQUESTS),
    "host is answered": (ANSWERS, rraspy.ANSWERS),
    "host hears": (EVENTS, rraspy.CALLBACKS),
}
RECORDED = [
    pytest.param(recorded(line), message, kinds, id=f"{role}: {line}")
    for role, (lines, kinds) in ROLES.items()
    for line, message in lines
]


@pytest.mark.parametrize(("data", "message", "kinds"), RECORDED)
def test_what_was_recorded_is_read_and_written_byte_for_byte(data, message, kinds):
    assert rraspy.read(data, kinds) == message
    assert message.to_bytes() == data


@pytest.mark.parametrize(("data", "message", "kinds"), RECORDED)
def test_it_may_be_split_at_every_byte(data, message, kinds):
    for at in range(1, len(data)):
        reader = Reader(kinds)
        assert reader.feed(data[:at]) == NEEDS_MORE
        assert reader.feed(data[at:]) in (COMPLETE, MAY_GO_ON)
        assert reader.message() == message
    reader = Reader(kinds)
    for at in range(len(data)):
        assert reader.state == NEEDS_MORE
        reader.feed(data[at : at + 1])
    assert reader.end() == COMPLETE
    assert reader.message() == message


@pytest.mark.parametrize(("data", "message", "kinds"), RECORDED)
def test_what_ends_in_the_middle_is_an_error(data, message, kinds):
    ends = len(data) - 5 if kinds == rraspy.CALLBACKS else len(data)  # one without arguments is one
    for at in range(ends):
        with pytest.raises(errors.ProtocolError, match="ends in the middle"):
            rraspy.read(data[:at], kinds)


@pytest.mark.parametrize(("data", "message", "kinds"), RECORDED)
def test_a_message_of_another_role_is_an_error_with_its_first_byte(data, message, kinds):
    every = rraspy.REQUESTS | rraspy.ANSWERS | rraspy.CALLBACKS
    with pytest.raises(errors.ProtocolError, match=f"begins with {data[0]:02x}"):
        Reader(every - kinds).feed(data[:1])


def test_answers_to_a_callback():
    assert rraspy.read(b"\x0a", rraspy.HEARD) == Message(rraspy.OK)
    with pytest.raises(errors.ProtocolError, match="begins with 0b"):
        rraspy.read(b"\x0b\x00", rraspy.HEARD)


def test_a_float_of_32_bits_is_read_and_one_that_needs_64_is_written_so():
    line, message = LOSSY
    assert rraspy.read(recorded(line), rraspy.ANSWERS) == message
    exact = Message(rraspy.VALUES, 3.14159265358979).to_bytes()
    assert exact == b"\x0b\x0d" + struct.pack(">d", 3.14159265358979)
    assert Message(rraspy.VALUES, 0.5).to_bytes() == recorded("0b 0c 3f000000")


def test_messages_that_have_as_many_values_as_they_like():
    reader = Reader(rraspy.ANSWERS)
    assert reader.feed(b"\x0b") == NEEDS_MORE
    assert reader.feed(b"\x03\0\0\0\x01") == MAY_GO_ON
    assert reader.message() == Message(rraspy.VALUES, 1)
    assert reader.feed(b"\x09\x01") == MAY_GO_ON
    assert reader.end() == COMPLETE
    assert reader.message() == Message(rraspy.VALUES, 1, True)


def test_a_callback_without_arguments_is_complete_when_the_device_has_closed():
    reader = Reader(rraspy.CALLBACKS)
    assert reader.feed(recorded('d0 0a 0001 "x"')) == NEEDS_MORE
    assert reader.end() == COMPLETE
    assert reader.message() == Message(rraspy.CALLBACK, "x")


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, "00"),
        (True, "09 01"),
        (False, "09 00"),
        (7, "03 00000007"),
        (-(2**31), "03 80000000"),
        (2**31, "04 0000000080000000"),
        (5000000000, "04 000000012a05f200"),
        (2**64 - 1, "08 ffffffffffffffff"),
        ("é", "0a 0002 c3a9"),
        (b"\xff\x00", "0a 0002 ff00"),
        ((1, None), "65 0002 03 00000001 00"),
        ([], "66 0000"),
        ({"a": [1]}, '67 0001 0a 0001 "a" 66 0001 03 00000001'),
    ],
)
def test_values_as_they_are_written(value, data):
    assert written(value) == recorded(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("01 ff", -1),
        ("02 ffff", -1),
        ("05 ff", 255),
        ("06 ffff", 65535),
        ("07 ffffffff", 2**32 - 1),
        ("08 ffffffffffffffff", 2**64 - 1),
        ("0a 0002 ff00", "\udcff\0"),
    ],
)
def test_every_tag_that_the_original_accepts_is_read(data, value):
    values = Values(100)
    values.feed(recorded(data))
    assert values.done == [value]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(SCALARS, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(ANYTHING, min_size=1, max_size=3), st.data())
@pytest.mark.slow
def test_values_survive_the_way_in_pieces(values, data):
    message = Message(rraspy.VALUES, *values)
    left, reader = message.to_bytes(), Reader(rraspy.ANSWERS)
    while left:
        count = data.draw(st.integers(1, len(left)))
        reader.feed(left[:count])
        left = left[count:]
    assert reader.message() == message


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_an_error_whole_and_byte_by_byte(data):
    def outcome(pieces, kinds):
        reader = Reader(kinds)
        try:
            for piece in pieces:
                reader.feed(piece)
            reader.end()
            return repr(reader.message())  # nan equals nothing
        except errors.ProtocolError:
            return None

    for kinds in (rraspy.REQUESTS, rraspy.ANSWERS, rraspy.CALLBACKS, rraspy.HEARD):
        for first in sorted(kinds):
            whole = bytes([first]) + data
            assert outcome([whole], kinds) == outcome([whole[i : i + 1] for i in range(len(whole))], kinds)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\0", "begins with 00"),
        (b"GET / HTTP/1.1\r\n", "begins with 47"),
        (b"\xb0\x64\0\x01", "tag 64"),
        (b"\xb0\x68\0\x01", "tag 68"),
        (b"\xb0\x0b\0\x01x", "tag 0b"),
        (recorded('b0 03 ffffffff 00 0a 0001 "x"'), "from 0 to 65535"),
        (recorded('b0 0a 0001 "x"'), "from 0 to 65535"),
        (recorded("b0 09 01"), "from 0 to 65535"),
        (recorded("90 00"), "from 0 to 65535"),
        (recorded("b0 00 00 00"), "text is expected"),
        (recorded("b0 00 00 66 0000"), "text is expected"),
        (recorded("a0 03 00000001"), "text is expected"),
        (recorded("90 06 0001 00"), "more than one message"),
        (recorded("90 06 0001 90"), "tag 90"),
        (recorded('a0 0a 0001 "x" 0a'), "more than one message"),
        (b"\x90\x66" + b"\0\x01\x66" * 50, "lists in each other"),
    ],
)
def test_what_a_device_does_not_take(data, why):
    with pytest.raises(errors.ProtocolError, match=why):
        rraspy.read(data, rraspy.REQUESTS)


def test_lists_in_each_other_end_somewhere():
    deep = b"\x0b" + b"\x66\0\x01" * DEPTH_MAX
    assert Reader(rraspy.ANSWERS).feed(deep + b"\0") == MAY_GO_ON
    with pytest.raises(errors.ProtocolError, match="lists in each other"):
        Reader(rraspy.ANSWERS).feed(deep + b"\x66")
        Reader(rraspy.ANSWERS).feed(deep + b"\x66\0\x01")
    itself = []
    itself.append(itself)
    with pytest.raises(ValueError, match="lists in each other"):
        written(itself)


def test_a_dict_with_a_list_as_a_key_is_an_error():
    with pytest.raises(errors.ProtocolError, match="key of a dict"):
        rraspy.read(recorded("0b 67 0001 66 0000 00"), rraspy.ANSWERS)
    with pytest.raises(errors.ProtocolError, match="key of a dict"):
        rraspy.read(recorded("0b 67 0001 65 0001 66 0000 00"), rraspy.ANSWERS)


def test_a_message_that_does_not_end_is_an_error():
    reader, piece = Reader(rraspy.ANSWERS), b"\x0a\xff\xff" + b"x" * 65535
    reader.feed(b"\x0b")
    for _ in range(MESSAGE_MAX // len(piece)):
        reader.feed(piece)
    with pytest.raises(errors.ProtocolError, match=f"more than {MESSAGE_MAX} bytes"):
        reader.feed(piece)


def test_many_values_in_small_pieces_take_time_in_proportion():
    """Each byte is looked at once: 300,000 of them, one at a time, would take hours otherwise."""
    reader = Reader(rraspy.ANSWERS)
    reader.feed(b"\x0b\x66\xff\xff")
    for _ in range(65535):
        reader.feed(b"\x09")
        reader.feed(b"\x01")
    assert reader.message() == Message(rraspy.VALUES, [True] * 65535)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("x" * 65536, "65535"),
        ([None] * 65536, "65535"),
        ({n: n for n in range(65536)}, "65535"),
    ],
)
def test_what_the_protocol_has_no_room_for(value, error):
    with pytest.raises(ValueError, match=error):
        written(value)


def test_what_is_no_value():
    with pytest.raises(TypeError, match="a set cannot be sent"):
        written({1})
    with pytest.raises(TypeError, match="a set cannot be sent"):
        written([{"a": {1}}])


def test_a_text_of_65535_bytes_survives():
    message = Message(rraspy.VALUES, "x" * 65535)
    assert rraspy.read(message.to_bytes(), rraspy.ANSWERS) == message


def test_what_the_original_cannot_take_is_refused_with_its_words():
    with pytest.raises(ValueError, match="Too many parameters: size 5004 exceeds"):
        Message(rraspy.VALUES, "x" * 5000).to_bytes(rraspy.ORIGINAL_MAX)


@pytest.mark.parametrize(
    "message",
    [
        Message(rraspy.REMOVE_HANDLE, 65536),
        Message(rraspy.REMOVE_HANDLE, None),
        Message(rraspy.REMOVE_HANDLE, True),
        Message(rraspy.EXECUTE, None, None, None),
        Message(rraspy.EXECUTE, None, None, 7),
        Message(rraspy.EXECUTE, None, None),
        Message(rraspy.OK, 1),
        Message(rraspy.CALLBACK),
    ],
    ids=repr,
)
def test_what_is_no_message(message):
    with pytest.raises(ValueError, match=r"expected|with \d values"):
        message.to_bytes()


def test_texts_of_errors_are_the_originals():
    text = rraspy.execute_failed(None, "1/0", None, "integer division or modulo by zero")
    assert Message(rraspy.FAILED, text).to_bytes() == recorded(ANSWERS[-1][0])
    assert rraspy.import_failed(None, "x", "y", "No module") == 'Import "None::x as y": No module'
