# SPDX-License-Identifier: LGPL-3.0-or-later
"""wire/runs: frames come back as they were, however they are cut; what is no message is refused, and nothing else."""

import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.errors import ProtocolError
from RPIO.programs.clients import DONE
from RPIO.wire import runs
from RPIO.wire.runs import ASKED, TOLD, Data, Message, Reader

SESSION = [
    Message("hello"),
    Message(
        "start",
        "a",
        {"runner": "python3", "code": "print('\u20ac')", "args": ["x"], "lines": [17], "pty": True},
    ),
    Data(runs.STDIN, "a", b"\0\xff" * 300),
    Data(runs.STDIN, "\u20ac", b""),
    Message("resize", "a", {"rows": 30, "cols": 100}),
    Message("sync", "", {"name": "p", "files": {"a.py": [3, "00", 420]}}),
    Data(runs.CONTENT, "", b"abc"),
    Message("commit"),
]


def as_tuple(found):
    if isinstance(found, Data):
        return found.kind, found.process, found.value
    return found.type, found.process, found.data


WHOLE = b"".join(each.written() for each in SESSION)


def fed(pieces, rows=ASKED):
    reader = Reader(rows)
    return [as_tuple(found) for piece in pieces for found in reader.feed(piece)]


def test_a_session_comes_back_byte_by_byte():
    assert fed(WHOLE[n : n + 1] for n in range(len(WHOLE))) == [as_tuple(each) for each in SESSION]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_a_session_comes_back_however_it_is_cut(cuts):
    places = [0, *sorted(cuts), len(WHOLE)]
    assert fed(WHOLE[a:b] for a, b in pairwise(places)) == [as_tuple(each) for each in SESSION]


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_protocol_error(data):
    reader = Reader()
    try:
        found = reader.feed(data)
    except ProtocolError:
        return
    assert sum(len(each.written()) for each in found if isinstance(each, Data)) <= len(data)
    assert found or reader.is_in_frame or not data


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(ASKED)), json_values, json_values)
@pytest.mark.slow
def test_any_json_is_a_message_of_its_row_or_refused(type, process, data):
    body = json.dumps({"type": type, "process": process, "data": data}).encode()
    try:
        found = runs.read(body, ASKED)
    except ProtocolError:
        return
    row = ASKED[type]
    assert set(row.must) <= set(found.data) <= {*row.must, *row.may}
    assert found.process or not row.of_program


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"[]", "an object with a type"),
        (b'"start"', "an object with a type"),
        (b'{"type": ["start"]}', "an object with a type"),
        (b'{"type": "launch"}', "no message 'launch'"),
        (b'{"type": "stop"}', "process is an id"),
        (b'{"type": "stop", "process": 3}', "process is an id"),
        (b'{"type": "stop", "process": "%s"}' % (b"x" * 65), "process is an id"),
        (b'{"type": "start", "process": "a", "data": []}', "data is an object"),
        (b'{"type": "start", "process": "a", "data": {}}', "runner is missing"),
        (b'{"type": "start", "process": "a", "data": {"runner": "perl"}}', "runner cannot be 'perl'"),
        (b'{"type": "resize", "process": "a", "data": {"rows": true, "cols": 3}}', "rows cannot be True"),
        (b'{"type": "resize", "process": "a", "data": {"rows": 0, "cols": 3}}', "rows cannot be 0"),
        (
            b'{"type": "start", "process": "a", "data": {"runner": "shell", "code": "a\\u0000"}}',
            "code cannot be",
        ),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_message_says_why(body, words):
    with pytest.raises(ProtocolError, match=words):
        runs.read(body, ASKED)


@pytest.mark.parametrize(
    "frame", [struct.pack(">IB", 3, 0), struct.pack(">IB", runs.BODY_MAX + 1, 1), b"GET / HTTP"]
)
def test_what_is_no_frame_ends_it(frame):
    with pytest.raises(ProtocolError):
        Reader().feed(frame)


def test_what_may_be_asked_is_what_is_done():
    assert list(DONE) == list(ASKED)


def test_every_message_says_what_it_is():
    assert all(row.text.endswith(".") for row in (*ASKED.values(), *TOLD.values()))
