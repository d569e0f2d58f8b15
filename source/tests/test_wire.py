# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.wire: the table of operations, and RPIO's own protocol, from bytes to bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from RPIO.errors import ProtocolError
from RPIO.wire import native, operations
from RPIO.wire.kinds import Maybe, Number, Octets, Real, Repeated, Text, Word

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
IDS = st.one_of(st.none(), st.integers(0, native.ID_MAX))


def values_of(kind):
    """Values that a kind can have."""
    if isinstance(kind, Number):
        return st.integers(kind.low, kind.high)
    if isinstance(kind, Real):
        return st.floats(kind.low, kind.high)
    if isinstance(kind, Word):
        return st.sampled_from(list(kind.words))
    if isinstance(kind, Text):
        return TEXTS
    if isinstance(kind, Octets):
        return st.binary(max_size=min(kind.most, 64))
    if isinstance(kind, Maybe):
        return st.one_of(st.none(), values_of(kind.kind))
    assert isinstance(kind, Repeated)
    each = [values_of(one) for one in kind.kinds]
    return st.lists(st.tuples(*each) if len(each) > 1 else each[0], min_size=1, max_size=5)


def all_of(kinds):
    return st.tuples(*[values_of(kind) for kind in kinds])


REQUESTS = st.sampled_from(operations.ROWS).flatmap(
    lambda operation: st.tuples(
        st.just(operation), all_of([argument.kind for argument in operation.arguments]), IDS
    )
)
RESULTS = st.sampled_from([row for row in operations.ROWS if row.result]).flatmap(
    lambda operation: st.tuples(st.just(operation), all_of(operation.result), IDS)
)


def seen(items):
    """What has been read, to be compared."""
    return [
        (type(item).__name__, *[getattr(item, name) for name in sorted(item.__slots__)]) for item in items
    ]


@given(st.lists(REQUESTS, min_size=1, max_size=3), st.data())
@pytest.mark.slow
def test_what_a_client_asks_a_server_reads_in_whatever_pieces(requests, data):
    stream = b"".join(native.Client.request(native.Request(*request)) for request in requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    server, found = native.Server(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += server.feed(stream[begin:end])
    assert [(request.operation, request.values, request.id) for request in found] == requests


@given(RESULTS)
@pytest.mark.slow
def test_what_a_server_answers_a_client_reads(result):
    operation, values, number = result
    (answer,) = native.Client().feed(native.Server.answer(native.Request(operation, (), number), values))
    assert (answer.error, answer.id, answer.values(operation)) == ("", number, values)


@given(st.lists(TEXTS, min_size=1, max_size=3), IDS)
@example(["#"], None)
@example(["#5"], None)
def test_errors_come_back_with_any_text(words, number):
    (answer,) = native.Client().feed(native.Server.error("RateError", words, number))
    assert (answer.error, answer.words, answer.id) == ("RateError", words, number)


def test_edges_and_plain_answers():
    client = native.Client()
    plain, edge = client.feed(
        native.Server.answer(native.Request(operations.OPERATIONS["ping"], ()))
        + native.Server.edge(4, 0, 12, 3, 1)
    )
    assert (plain.words, plain.id) == ([], None)
    assert (edge.line, edge.level, edge.timestamp_ns, edge.seq, edge.lost) == (4, 0, 12, 3, 1)


@pytest.mark.parametrize(
    ("typed", "name", "values", "number"),
    [
        (b"write 17 1\n", "write", ([(17, 1)],), None),
        (b"write 17 high 27 low\r\n", "write", ([(17, 1), (27, 0)],), None),
        (b"  read\t17  27 #5\n", "read", ([17, 27],), 5),
        (b"input 4\n", "input", (4, None), None),
        (b"output 17 1\n", "output", (17, 1), None),
        (b"pulse 17 250\n", "pulse", (17, 250.0, 1), None),
        (b'hello 1 "Anna at the desk" test.py #0\n', "hello", (1, "Anna at the desk", "test.py", 5.0, ""), 0),
    ],
)
def test_what_people_type(typed, name, values, number):
    (request,) = native.Server().feed(typed)
    assert (request.operation.name, request.values, request.id) == (name, values, number)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (b"writ 17 1 #4\n", "there is no operation 'writ'"),
        (b"write\n", "write needs PAIRS; write PAIRS..."),
        (b"write 17\n", "PAIRS of write: lines and levels are 1 to 4096 groups of 2, not 1 words"),
        (b"write 17 2\n", "PAIRS of write: '2' is no level: low, high, 0, 1"),
        (b"write -1 1\n", "PAIRS of write: '-1' is no line, 0 to 4095"),
        (b"read 1e3\n", "LINES of read: '1e3' is no line, 0 to 4095"),
        (b"input 4 sideways\n", "PULL of input: 'sideways' is no pull, or - for as it is: off, up, down, -"),
        (b"unwatch 4 5\n", "unwatch has no '5'; unwatch LINE"),
        (b"pulse 17 nan\n", "MS of pulse: 'nan' is no time in milliseconds"),
        (b"pulse 17 1_0\n", "MS of pulse: '1_0' is no time"),
        ("pulse 17 \u0661\n".encode(), "MS of pulse: '\u0661' is no time"),
        (b"read " + b"9" * 5000 + b"\n", "is no line, 0 to 4095"),
    ],
)
def test_what_is_wrong_later_in_a_session_is_an_error_and_the_session_goes_on(typed, says):
    server = native.Server()
    server.feed(b"ping\n")
    refused, request = server.feed(typed + b"read 4 #7\n")
    assert says in refused.text and len(refused.text) < 300
    assert (refused.id, request.id) == (4 if b"#4" in typed else None, 7)


STRANGERS = [
    b"GET / HTTP/1.1\r\nHost: localhost:8510\r\n\r\nwrite 17 1\n",
    b"POST /write HTTP/1.1\r\nContent-Length: 11\r\n\r\nwrite 17 1\n",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"writ 17 1\nwrite 17 1\n",
    b"#5\nwrite 17 1\n"[3:4] + b"EHLO x\nwrite 17 1\n",
    b"\xff\xfe",
    b'"write" 17 1\n',
]


@pytest.mark.parametrize("stream", STRANGERS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stranger_is_told_once_and_nothing_of_his_is_read(stream, size):
    server, pieces = native.Server(), [stream[at : at + size] for at in range(0, len(stream), size)]
    with pytest.raises(ProtocolError) as caught:
        for piece in pieces:
            assert server.feed(piece) == []
    assert caught.value.requests == []


def test_a_stranger_is_known_by_his_first_bytes():
    for begun in (b"G", b"\x16", b"writex", b"write17"):
        with pytest.raises(ProtocolError):
            native.Server().feed(begun)
    for begun in (b"w", b"wri", b"write ", b" \r\n p", b""):
        assert native.Server().feed(begun) == []


def test_lines_are_bounded():
    with pytest.raises(ProtocolError, match="more than 1024 bytes"):
        native.Server().feed(b"read " + b"1 " * 1000)
    server = native.Server()
    server.feed(b"ping\n")
    assert server.feed(b"read " + b"1 " * 1000 + b"\n")
    with pytest.raises(ProtocolError, match="more than 4194304 bytes"):
        for _ in range(100):
            server.feed(b"1 " * 50_000)


@given(st.binary(max_size=200))
@example(b'ping\nwrite "\\ud800" 1\n')
@example(b'ping\nhello 1 "a\\u0000" #99999999999999999999\n')
@example(b"ping\n\xe2\x80\xa8\n")
def test_any_bytes_are_requests_or_a_protocol_error_whole_or_byte_by_byte(data):
    def fed(pieces):
        server, found = native.Server(), []
        for piece in pieces:
            try:
                found += server.feed(piece)
            except ProtocolError as e:
                return seen([*found, *e.requests]), True
        return seen(found), False

    for stream in (data, b"ping\n" + data):
        assert fed([stream]) == fed([stream[at : at + 1] for at in range(len(stream))])


@given(st.binary(max_size=200))
def test_any_bytes_are_answers_or_a_protocol_error(data):
    client = native.Client()
    try:
        client.feed(data + b"\n")
    except ProtocolError:
        pass


def test_a_write_and_its_answer_are_short():
    request = native.Request(operations.OPERATIONS["write"], ([(17, 1)],), 123456)
    assert len(native.Client.request(request)) + len(native.Server.answer(request)) < 40


def test_every_operation_says_what_it_does():
    assert all(
        row.text.endswith(".") and row.scope in ("any", "read", "gpio", "i2c", "run")
        for row in operations.ROWS
    )
    assert len(operations.OPERATIONS) == len(operations.ROWS)
