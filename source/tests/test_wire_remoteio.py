# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's protocols as bytes: what was recorded, whole and in pieces; which of them it is; and what is none."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from RPIO.wire import remoteio
from RPIO.wire.remoteio import BARE, FOUR, IS_OPEN, LINES, NEEDS_MORE, SIX, Line, Record, Server


def record(text):
    return Record(text.encode().split())


CREATE_7 = "b 7 create 0 0.0 0.0"
RECORDED = {
    SIX: [
        (b"b 7 create 0 0.0 0.0 ", [CREATE_7]),
        (b"b 7 create 0 0.0 0.0 b 7 on 1500 0.0 0.0 ", [CREATE_7, "b 7 on 1500 0.0 0.0"]),
        (
            b"b 11 create 0 0.0 0.0 b 11 value 300 0.25 0.0 ",
            ["b 11 create 0 0.0 0.0", "b 11 value 300 0.25 0.0"],
        ),
        (b"b 7 create 0 0.0 0.0 b 7 close 0 0.0 0.0 ", [CREATE_7, "b 7 close 0 0.0 0.0"]),
        (b"b 1 create 0 0 0 ", ["b 1 create 0 0 0"]),
        (b"b 7 on 0 0.0 0.0 ", ["b 7 on 0 0.0 0.0"]),
        (
            b"b 7 create 0 0.0 0.0 b 11 off 0 0.0 0.0 b 7 blink 900 0.1 0.2 ",
            [CREATE_7, "b 11 off 0 0.0 0.0", "b 7 blink 900 0.1 0.2"],
        ),
    ],
    FOUR: [
        (b"b 7 on 600 ", ["b 7 on 600"]),
        (b"b 11 pulse 0 b 11 off 0 ", ["b 11 pulse 0", "b 11 off 0"]),
        (b"b 40 on 10000 b 38 blink 0 b 36 close 0 ", ["b 40 on 10000", "b 38 blink 0", "b 36 close 0"]),
    ],
    BARE: [
        (b"b 7 on 2000", ["b 7 on 2000"]),
        (b"g 4 on 2000", ["g 4 on 2000"]),
        (b"b 7 on 2000b 7 off 0", ["b 7 on 2000", "b 7 off 0"]),
        (b"b 8 blink 0g 4 pulse 0b 8 off 0", ["b 8 blink 0", "g 4 pulse 0", "b 8 off 0"]),
    ],
    LINES: [
        (b"dev_0 LED _create args=(17,)\n", [Line("dev_0", "LED", "_create", "args=(17,)")]),
        (
            b"dev_0 LED get property=('value', 'is_lit', 'pin', 'closed')\n",
            [Line("dev_0", "LED", "get", "property=('value', 'is_lit', 'pin', 'closed')")],
        ),
        (b"dev_4 RGBLED set color=Color('red')\n", [Line("dev_4", "RGBLED", "set", "color=Color('red')")]),
        (
            b"dev_0 LED on \ndev_0 LED blink on_time=0.4;off_time=0;n=1\n",
            [Line("dev_0", "LED", "on"), Line("dev_0", "LED", "blink", "on_time=0.4;off_time=0;n=1")],
        ),
        (
            "dev_0 TonalBuzzer play tone='\u00e9 b 7'\n".encode(),
            [Line("dev_0", "TonalBuzzer", "play", "tone='\u00e9 b 7'")],
        ),
    ],
}
EVERY = [
    pytest.param(
        kind, data, [item if isinstance(item, Line) else record(item) for item in items], id=f"{kind}: {data}"
    )
    for kind, rows in RECORDED.items()
    for data, items in rows
]


def heard(pieces):
    """What a server finds in these, and silence after them."""
    server = Server()
    found = [item for piece in pieces for item in server.feed(piece)]
    return server, found + server.quiet()


@pytest.mark.parametrize(("kind", "data", "items"), EVERY)
def test_what_was_recorded_is_read(kind, data, items):
    server, found = heard([data])
    assert (server.kind, found, server.error) == (kind, items, "")
    assert not server.is_waiting


@pytest.mark.parametrize(("kind", "data", "items"), EVERY)
def test_it_may_be_split_at_every_byte(kind, data, items):
    for at in range(1, len(data)):
        server, found = heard([data[:at], data[at:]])
        assert (server.kind, found) == (kind, items), at
    server, found = heard([data[at : at + 1] for at in range(len(data))])
    assert (server.kind, found) == (kind, items)


@pytest.mark.parametrize(("kind", "data", "items"), EVERY)
def test_all_but_the_last_without_an_end_need_no_silence(kind, data, items):
    server = Server()
    found = server.feed(data)
    late = {BARE: 1, FOUR: len(items) == 1}.get(kind, 0)
    assert found == items[: len(items) - late]
    assert server.is_waiting == bool(late)


def test_a_client_of_four_words_waits_once():
    server, _ = heard([b"b 7 on 600 "])
    assert server.feed(b"b 7 off 0 ") == [record("b 7 off 0")]
    assert not server.is_waiting
    assert server.quiet() == []


def test_one_whose_records_have_no_end_waits_each_time():
    server, _ = heard([b"b 7 on 600"])
    for _ in range(3):
        assert server.feed(b"b 7 off 0") == []
        assert server.is_waiting
        assert server.quiet() == [record("b 7 off 0")]


def test_a_record_of_six_that_is_no_create_may_come_in_pieces_in_time():
    server = Server()
    assert server.feed(b"b 7 on 1500 ") == []
    assert server.is_waiting
    assert server.feed(b"0.0 0.0 ") == [record("b 7 on 1500 0.0 0.0")]
    assert server.kind == SIX


def test_silence_in_the_middle_of_a_record_is_nothing():
    for data in (b"b", b"b 7", b"b 7 on ", b"b 7 create 0 ", b"dev_0 LED", b"b 7 on b"):
        server = Server()
        server.feed(data)
        assert not server.is_waiting
        assert server.quiet() == []
        assert not server.error


@pytest.mark.parametrize("end", ["\n", "\r\n", "  "])
def test_line_ends_are_blanks_to_words(end):
    lines = [CREATE_7, "b 7 on 5 0 0"]
    server, found = heard([end.encode(), "".join(line + end for line in lines).encode()])
    assert (server.kind, found) == (SIX, [record(line) for line in lines])


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /b HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b'hello 1 "" "" 0\n',
    b"x 7 create 0 0.0 0.0 ",
    b"7 b create 0 0.0 0.0 ",
    b"b \xff create",
    b"b 7 on \x00",
    b"b " + b"7" * 65,
    b"a" * 65,
    b"b 7 on 600 xyz ",
    b"g 7 create 0 0.0 0.0 ",
    b"b 7 create 0 0.0 b 7 on 0 0.0 0.0 ",
    b"b 7 create 0 0.0 0.0 7 on 0 0.0 0.0 b ",
    b"b 7 create 0 0.0 0.0 \xff",
    b"b 7 create 0 0.0 " + b"1" * 65,
    b"b 7 on 600 b 7 off b 7 off 0 ",
    b"b 7 on 600 b 7 0 off ",
    b"dev_0 LED \n",
    b"dev_0 LED on\n17\n",
    b"dev_0 LED on x='\xff'\n",
    b"dev_0 LED on " + b"x" * (remoteio.LINE_MAX + 1),
    b"dev_0 LED import-os \n",
]


@pytest.mark.parametrize("data", GARBAGE)
def test_what_is_none_of_it_is_an_error_and_ends_it(data):
    server, _ = heard([data])
    assert server.error
    assert server.feed(b"b 7 create 0 0.0 0.0 ") == server.quiet() == []
    server, _ = heard([data[at : at + 1] for at in range(len(data))])
    assert server.error


def test_what_came_before_garbage_counts():
    server, found = heard([b"b 7 create 0 0.0 0.0 b 7 on 0 0.0 0.0 x 7 on 0 0.0 0.0 "])
    assert found == [record(CREATE_7), record("b 7 on 0 0.0 0.0")]
    assert "'x 7 on 0 0.0 0.0'" in server.error


def test_a_browser_is_known_by_its_first_words():
    server = Server()
    server.feed(b"GET /")
    assert "begins with b or g, not 'GET'" in server.error
    assert server.has_replies


def test_those_of_four_words_are_told_nothing():
    assert not heard([b"b 7 on 600 "])[0].has_replies
    assert not heard([b"b 7 on 600"])[0].has_replies


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("b 7 on soon 0.0 0.0", "'soon' is no number"),
        ("b 7 on 1_0 0 0", "'1_0' is no number"),
        ("b 7 on 1 0x1 0", "'0x1'"),
    ],
)
def test_what_is_no_number_is_said_of_the_record(text, wrong):
    (found,) = heard([b"b 9 create 0 0 0 " + text.encode() + b" "])[1][1:]
    assert wrong in found.wrong


def test_numbers_that_are_none_are_for_the_queue_to_judge():
    (_, *found) = heard([b"b 9 create 0 0 0 b 7 on nan 0 0 b 7 on -inf 0 0 b 7 on 1e999 0 0 b 7 on -5 0 0 "])[
        1
    ]
    assert [str(item.time_ms) for item in found] == ["nan", "-inf", "inf", "-5.0"]
    assert not [item for item in found if item.wrong]


def test_a_pin_may_be_any_word_and_has_a_number_or_none():
    found = heard([b"b seven create 0 0 0 b 99999 create 0 0 0 b -1 create 0 0 0 b 40 create 0 0 0 "])[1]
    assert [item.number for item in found] == [-1, -1, -1, 40]
    assert found[0].pin == "seven"


@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"b 7 on 0 ", b"b 7 create 0 0 0 ", b"dev_0 LED on \n"])
    )
)
def test_nothing_breaks_it_and_it_keeps_little(pieces):
    server = Server()
    for piece in pieces:
        server.feed(piece)
        assert len(server._held) <= remoteio.LINE_MAX
    server.quiet()


def test_a_long_beginning_is_bounded():
    for data in (b"b 7 create 0 0 0 ", b"b 7 on 600 b 7 on 600 "):
        server, _ = heard([data])
        for _ in range(100):
            server.feed(b" " * 1000 + b"1" * 10)
        assert len(server._held) < 1100 or server.error


COMMANDS = st.tuples(
    st.sampled_from(["7", "11", "40", "seven"]),
    st.sampled_from(["create", "on", "blink", "close", "dance", "b", "g"]),
    st.sampled_from(["0", "1500", "2.5", "-1", "nan", "1e999"]),
)


@given(st.sampled_from([SIX, FOUR]), st.lists(COMMANDS, min_size=1, max_size=6), st.data())
def test_however_it_is_split_it_is_the_same(kind, commands, data):
    texts = [" ".join(("b", *words, *["0.5", "1"] * (kind == SIX))) for words in commands]
    texts.insert(0, CREATE_7 if kind == SIX else "b 7 off 0")
    sent = "".join(f"{text} " for text in texts).encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=8)))
    whole, pieces = Server(), Server()
    if kind == FOUR:  # which is clear when the second begins, and not in silence
        assume(texts[1].split()[2] != "create")
    found = whole.feed(sent)
    assert found == [record(text) for text in texts]
    parts = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    assert [item for part in parts for item in pieces.feed(part)] == found
    assert (whole.kind, pieces.kind, pieces.error) == (kind, kind, "")


# -- replies ------------------------------------------------------------------------------------

REPLIES = [
    ("create", b"!", b"!"),
    ("create", b"? 7 Led creation failure", remoteio.creation_failed("7")),
    ("on", b"! command on execution-queue", remoteio.QUEUED),
    ("on", b"? command ignored: on", remoteio.ignored("on")),
]


@pytest.mark.parametrize(("command", "recorded", "written"), REPLIES)
def test_replies_are_those_that_were_recorded_and_end_where_they_do(command, recorded, written):
    assert written == recorded
    for at in range(1, len(recorded)):
        assert remoteio.reply_length(recorded[:at], 7, command) == NEEDS_MORE
    assert remoteio.reply_length(recorded + b"! more", 7, command) == len(recorded)


def test_a_text_of_its_own_ends_with_silence():
    assert remoteio.refused("the queue is full") == b"? the queue is full"
    for data in (b"? the queue is full", b"? command on", b"!!", b"HTTP/1.1"):
        assert remoteio.reply_length(data, 7, "on") == IS_OPEN


def test_requests_are_those_that_were_recorded():
    assert remoteio.request(7, "create") == b"b 7 create 0 0.0 0.0 "
    assert remoteio.request(7, "on", 1500) == b"b 7 on 1500 0.0 0.0 "
    assert remoteio.request(11, "value", 300, 0.25) == b"b 11 value 300 0.25 0.0 "
