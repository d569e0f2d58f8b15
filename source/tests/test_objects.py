# SPDX-License-Identifier: LGPL-3.0-or-later
"""Values of wire/objects: the C core's and Python's make the same bytes of them, and nothing that comes can do harm."""

import enum
import gc
import os
import random
import struct
import sys
import threading
import time
import tracemalloc

import hypothesis
import pytest
from hypothesis import strategies as st

from RPIO import _gpio
from RPIO.calls.exchange import Broken, Exchange, Stream
from RPIO.errors import ProtocolError
from RPIO.programs.held import Held
from RPIO.pure import frames as pure_frames
from RPIO.pure import values as pure_values
from RPIO.remote.modules.proxies import Asker, Objects
from RPIO.wire import arrays
from RPIO.wire.objects import (
    DROPPED,
    FRAME_MAX,
    HEAD,
    KNOWN,
    PRINTED,
    TRAITS,
    Array,
    ErrorClass,
    NoSuchObject,
    Offered,
    Own,
    Side,
    frame,
    values_of,
)
from waiting import wait_until

KINDS = sum(1 << kind for kind in KNOWN)
IMPLEMENTATIONS = [pytest.param(_gpio, id="C"), pytest.param(pure_values, id="Python")]
READERS = [pytest.param(_gpio, id="C"), pytest.param(pure_frames, id="Python")]

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters()),
    st.binary(max_size=100),
    st.binary(max_size=100).map(bytearray),
    st.frozensets(st.integers()),
    st.just(...),
    st.slices(10),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), inner, max_size=5),
    ),
)


def joined(parts):
    return b"".join(parts)


@hypothesis.given(st.lists(values, max_size=4))
@pytest.mark.slow
def test_both_make_the_same_bytes_and_read_them_back(many):
    side = Side()
    packed = [joined(module.pack(5, 6, 7, many, side.written)) for module in (_gpio, pure_values)]
    assert packed[0] == packed[1]
    assert struct.unpack(">IBII", packed[0][:HEAD]) == (len(packed[0]) - HEAD, 5, 6, 7)
    for module in (_gpio, pure_values):
        back = module.unpack(packed[0][HEAD:], side.special)
        assert back == many and kinds_of(back) == kinds_of(many)


def kinds_of(value):
    """The types in it, where an order says which is which."""
    if isinstance(value, dict):
        return [dict, *map(kinds_of, value.values())]
    return [type(value), *(map(kinds_of, value) if isinstance(value, (list, tuple)) else ())]


class Odd:
    """What a Side makes something of."""


class Both(Side):
    """Says what it was asked."""

    def lower(self, value):
        return value.stands if isinstance(value, Odd) else super().lower(value)

    def adopt(self, offered):
        return ("offered", offered.number, offered.traits, offered.type_name, offered.kind)

    def own(self, number):
        return {3: "mine"}[number]

    def array(self, array):
        return (array.kind, array.format, array.shape, bytes(array.data))

    def error_class(self, found):
        return (found.module, found.name, found.bases)


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("stands", "read"),
    [
        (Offered(7, 1 << 63, "größe", "object"), ("offered", 7, 1 << 63, "größe", "object")),
        (Own(3), "mine"),
        (
            Array("ndarray", "d", (2, 1), struct.pack("2d", 1, 2)),
            ("ndarray", "d", (2, 1), struct.pack("2d", 1, 2)),
        ),
        (ErrorClass("a.b", "C", ("OSError",)), ("a.b", "C", ("OSError",))),
        (5, 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_for_something(module, stands, read):
    side, odd = Both(), Odd()
    odd.stands = stands
    body = joined(module.pack(1, 0, 0, ([odd, 1],), side.written))[HEAD:]
    assert module.unpack(body, side.special) == [[read, 1]]


def test_traits_fit_into_their_number():
    assert len(TRAITS) == len(set(TRAITS)) <= 64


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
def test_bounds_of_what_is_sent(module):
    side, loop, deep = Side(), [], []
    loop.append(loop)
    for _ in range(64):
        deep = (deep,)
    for value in (loop, deep, {"a": loop}):
        with pytest.raises(ValueError, match="deep, or contains itself"):
            module.pack(0, 0, 0, (value,), side.written)
    assert module.pack(0, 0, 0, (deep[0],), side.written)
    large = bytes(FRAME_MAX - 5)
    assert sum(map(len, module.pack(0, 0, 0, (large,), side.written))) == FRAME_MAX + HEAD
    for value in ((large + b"x",), (large, None), ([large[:-20], b"x" * 40],)):
        with pytest.raises(ValueError, match="do not cross in one piece"):
            module.pack(0, 0, 0, value, side.written)
    with pytest.raises(TypeError, match="object cannot cross"):
        module.pack(0, 0, 0, (object(),), side.written)


def test_large_bytes_are_not_copied():
    data = os.urandom(1_000_000)
    assert any(part is data for part in _gpio.pack(0, 0, 0, (1, data, 2), Side().written))


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
@hypothesis.given(st.binary(max_size=60))
def test_no_bytes_do_harm(module, data):
    try:
        found = module.unpack(data, Both().special)
    except (ValueError, TypeError, LookupError):
        return
    assert isinstance(found, list)


@hypothesis.given(st.lists(values, max_size=3), st.data())
@pytest.mark.slow
def test_both_refuse_the_same_changed_bytes(many, data):
    body = bytearray(joined(frame(1, 1, 1, many, Side()))[HEAD:])
    for _ in range(data.draw(st.integers(1, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    results = []
    for module in (_gpio, pure_values):
        try:
            results.append(repr(module.unpack(bytes(body), Both().special)))
        except (ValueError, TypeError, LookupError):
            results.append("refused")
    assert results[0] == results[1]


HOSTILE = {
    "cut": b"i\0\0",
    "a count of everything": b"l\xff\xff\xff\xff",
    "a size of everything": b"s\xff\xff\xff\xff",
    "too deep": b"l\0\0\0\1" * 100 + b"N",
    "no text": b"s\0\0\0\1\xff",
    "a key that is a list": b"m\0\0\0\2l\0\0\0\0N",
    "half a pair": b"m\0\0\0\1N",
    "a set of lists": b"S\0\0\0\1l\0\0\0\0",
    "a slice of two": b":\0\0\0\2NN",
    "no tag": b"\0",
    "an array of nothing": b"a\0\0\0\0",
    "an array too short": b"a\0\0\0\4s\0\0\0\5arrays\0\0\0\1it\0\0\0\1i\0\0\0\0\0\0\0\1b\0\0\0\0",
    "an array of another kind": b"a\0\0\0\4s\0\0\0\1xs\0\0\0\1it\0\0\0\1i\0\0\0\0\0\0\0\1b\0\0\0\4\0\0\0\0",
    "a class of nothing": b"E\0\0\0\1N",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_value_is_refused_so(data):
    with pytest.raises(ProtocolError):
        values_of(data, Both())


def test_an_object_that_is_none_is_another_error():
    with pytest.raises(NoSuchObject, match="there is no object 9"):
        values_of(b"o\0\0\0\x09", Both())


def test_objects_come_to_nobody_who_expects_none():
    for data in (b"h\0\0\0\1" + bytes(8) + b"\0\0\0\0" * 2,):
        with pytest.raises(ProtocolError):
            values_of(data, Side())


# -- frames -------------------------------------------------------------------------------------


def many_frames():
    rng = random.Random(5)
    made = []
    for number in range(40):
        size = rng.choice([0, 1, 20, 3000, 70_000, 200_000])
        made.append((rng.choice(sorted(KNOWN)), number % 3, number, rng.randbytes(size)))
    return made


def bytes_of(kind, conversation, turn, body):
    return struct.pack(">IBII", len(body), kind, conversation, turn) + body


@pytest.fixture
def pair():
    import socket

    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


@pytest.mark.parametrize("module", READERS)
@pytest.mark.parametrize("piece", [1, 7, 13, 1000, 65_536, 1 << 20])
def test_frames_in_pieces_of_any_size(module, piece, pair):
    ours, theirs = pair
    frames = many_frames() if piece > 100 else [f for f in many_frames() if len(f[3]) < 100]
    data = b"".join(bytes_of(*f) for f in frames)
    reader, mails, strange = module.FrameReader(FRAME_MAX, KINDS, DROPPED), {0: [], 1: []}, []
    for at in range(0, len(data), piece):
        rest = data[at : at + piece]
        while rest:
            rest = rest[theirs.send(rest[:100_000]) :]
            while reader.read(ours.fileno(), mails, strange, 0) > 0:
                pass
    expected = {0: [], 1: [], "strange": []}
    for found in frames:
        known = found[0] < DROPPED and found[1] in (0, 1)
        expected[found[1] if known else "strange"].append(found)
    assert mails == {0: expected[0], 1: expected[1]} and strange == expected["strange"]
    theirs.close()
    assert reader.read(ours.fileno(), mails, strange, 0) == 0


@pytest.mark.parametrize("module", READERS)
@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 13, b"\0\0\0\0\0" + bytes(8), b"\4\0\0\1\1" + bytes(8)]
)
def test_what_is_no_frame_is_told_so(module, data, pair):
    ours, theirs = pair
    theirs.sendall(data)
    assert module.FrameReader(FRAME_MAX, KINDS, DROPPED).read(ours.fileno(), {}, [], 0) == -71  # EPROTO


@pytest.mark.parametrize("module", READERS)
def test_what_the_kernel_does_not_take_is_kept_and_sent_first(module, pair):
    ours, theirs = pair
    ours.setblocking(False)
    writer = module.FrameWriter()
    data = os.urandom(3_000_000)
    left = writer.write(ours.fileno(), [data[:1_000_000], memoryview(data)[1_000_000:2_000_000]])
    assert left > 0
    assert writer.write(ours.fileno(), [data[2_000_000:]]) > left
    got = b""
    while len(got) < len(data):
        got += theirs.recv(1 << 20)
        left = writer.write(ours.fileno(), [])
    assert got == data and left == 0
    theirs.close()
    assert writer.write(ours.fileno(), [b"x"]) == -32  # EPIPE


@pytest.mark.parametrize("module", IMPLEMENTATIONS)
def test_counts_in_counts_take_no_memory(module):
    body = b"".join(b"t" + (1_000_000).to_bytes(4, "big") for _ in range(60)) + bytes(1_100_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"parts|value"):
            module.unpack(body, Side().special)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_reader_may_be_asked_in_the_middle_of_itself(pair):
    ours, theirs = pair
    sent = [b"".join(frame(DROPPED, 0, number, (), Side())) for number in range(600)]
    reader, got, inner = _gpio.FrameReader(FRAME_MAX, KINDS, DROPPED), [], []

    def collected(phase, info):
        if len(got) > 10 and not inner:
            inner.append(phase)
            ours.sendall(rest)
            reader.read(theirs.fileno(), {}, got, 0)

    data = b"".join(sent)
    ours.sendall(data[:5005])
    rest = data[5005:]
    before = gc.get_threshold()
    kept = []
    gc.collect()
    gc.callbacks.append(collected)
    gc.set_threshold(50)
    try:
        reader.read(theirs.fileno(), {}, got, 0)
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)
    if not inner:
        ours.sendall(rest)
    while len(got) < 600 and reader.read(theirs.fileno(), {}, got, 0) > 0:
        kept.append(1)
    assert [found[2] for found in got] == list(range(600))


def test_numbers_of_a_machine_of_other_bits_are_read():
    size = struct.calcsize("l")
    other = 12 - size
    data = (5).to_bytes(other, sys.byteorder) + (-1).to_bytes(other, sys.byteorder, signed=True)
    for kind in ("array", "memoryview"):
        found = arrays.made(Array.read((kind, "l", (2,), data)))
        assert list(found) == [5, -1]
    with pytest.raises(ProtocolError):
        Array.read(("array", "l", (2,), data + b"x"))


def test_a_number_that_stands_for_something_is_not_given_again():
    held = Held(lambda name: True, lambda *words: None)
    first, second = object(), object()
    number = held.offer(first).number
    held._next = number
    assert held.offer(second).number != number and held.own(number) is first
    there = Objects(Asker())
    number = there._offer(print).number
    there._next = number
    assert there._offer(len).number != number and there.own(number) is print


def test_text_with_a_name_crosses_as_the_text_it_is():
    class Word(str, enum.Enum):
        ONE = "one"

    assert arrays.data_of(Word.ONE) == "one" and type(arrays.data_of(Word.ONE)) is str


def test_what_belongs_to_nobody_is_done_once_and_in_order(pair):
    ours, theirs = pair
    theirs.setblocking(False)
    got = []
    exchange = Exchange(Stream(theirs.fileno(), theirs.fileno()), lambda found: got.append(found[2]))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    watchman = threading.Thread(target=exchange.watch)
    try:
        watchman.start()
        for number in range(20_000):
            ours.sendall(b"".join(frame(PRINTED, 0, number, (), Side())))
            exchange.do_first(PRINTED)
        assert wait_until(lambda: len(got) == 20_000, 20.0)
    finally:
        sys.setswitchinterval(before)
        exchange.end("this test")
        ours.close()
        watchman.join()
    assert got == list(range(20_000))


def test_nothing_is_written_to_a_descriptor_that_has_become_anothers(pair, tmp_path):
    _, theirs = pair
    theirs.setblocking(False)
    fd, broken = theirs.fileno(), []
    exchange = Exchange(Stream(fd, fd), lambda found: None)

    def send():
        try:
            exchange.send([b"frame"])
        except Broken as e:
            broken.append(e)

    sender = threading.Thread(target=send)
    with exchange._sending:
        sender.start()
        at_work = ("send", "_write")
        assert wait_until(lambda: sys._current_frames()[sender.ident].f_code.co_name in at_work)
        time.sleep(0.05)  # it waits for its turn now
        exchange.end("this test")
        theirs.close()
        another = os.open(tmp_path / "another", os.O_WRONLY | os.O_CREAT)
        if another != fd:
            os.dup2(another, fd)
    sender.join()
    for number in {another, fd}:
        os.close(number)
    assert broken and (tmp_path / "another").read_bytes() == b""
