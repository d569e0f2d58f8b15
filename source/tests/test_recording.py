# SPDX-License-Identifier: LGPL-3.0-or-later
"""Recordings: kept, cut, written, drawn and read back."""

import csv
import io
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.backends.sim_time import ManualClock
from RPIO.recordings import formats, replay, vcd
from RPIO.recordings.recording import UNKNOWN, Recording


def recording_of(lines, initial, edges, end_ns, start_ns=0):
    """A recording of (time since the start, index, level)."""
    made = Recording(lines, initial, start_ns)
    for time_ns, index, level in edges:
        made.add(start_ns + time_ns, index, level)
    made.end_ns = start_ns + end_ns
    return made


@st.composite
def recordings(draw):
    """Any recording whose lines change with each edge, its losses between two edges of a line."""
    lines = draw(st.lists(st.integers(0, 200), min_size=1, max_size=120, unique=True))
    initial = draw(st.lists(st.integers(0, 1), min_size=len(lines), max_size=len(lines)))
    steps = draw(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, len(lines) - 1)), max_size=60))
    made = Recording(lines, initial, draw(st.integers(0, 10**12)))
    now, levels = made.start_ns, list(initial)
    for step, index in steps:
        now += step
        levels[index] = 1 - levels[index]
        made.add(now, index, levels[index])
    made.end_ns = now + draw(st.integers(0, 10**9))
    return made


def written(made, timescale="1ns"):
    file = io.StringIO()
    vcd.write_vcd(made, file, timescale)
    return file.getvalue()


def read(text, lines=None):
    return vcd.read_vcd(text.splitlines(), lines)


@given(recordings())
def test_a_vcd_of_nanoseconds_reads_back_as_it_was(made):
    back = read(written(made))
    assert (back.lines, back.initial, list(back)) == (made.lines, made.initial, list(made))
    last_ns = max((time_ns for time_ns, *_ in made), default=0)
    assert back.span_ns == max(made.span_ns, last_ns + 1)  # an edge is never at the very end


@given(recordings())
def test_a_vcd_of_microseconds_keeps_every_edge(made):
    back = read(written(made, "1us"))
    assert [edge[1:] for edge in back] == [edge[1:] for edge in made]
    assert all(0 <= then[0] - now[0] < 1000 for now, then in zip(back, made, strict=True))


@given(recordings())
def test_another_reader_of_vcd_agrees(made):
    reader = pytest.importorskip("vcd.reader")
    names, changes, now = {}, [], None
    for token in reader.tokenize(io.BytesIO(written(made).encode())):
        if token.kind is reader.TokenKind.VAR:
            names[token.var.id_code] = int(token.var.reference[4:])
        elif token.kind is reader.TokenKind.CHANGE_TIME:
            now = token.time_change
        elif token.kind is reader.TokenKind.CHANGE_SCALAR:
            changes.append((now, names[token.scalar_change.id_code], int(token.scalar_change.value)))
    assert list(names.values()) == made.lines
    assert changes[len(names) :] == list(made)


@given(recordings())
def test_a_table_has_every_edge(made):
    file = io.StringIO()
    formats.write_csv(made, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [int(row["level"]) for row in rows[: len(made.lines)]] == made.initial
    found = [
        (round(float(row["time_s"]) * 1e9), int(row["line"]), int(row["level"]))
        for row in rows[len(made.lines) :]
    ]
    assert [edge[1:] for edge in found] == [edge[1:] for edge in made]


@given(recordings(), st.integers(40, 300))
@pytest.mark.slow
def test_a_drawing_is_as_wide_as_was_asked_for_and_a_picture_is_xml(made, width):
    rows = list(formats.draw(made, width, False))
    assert {len(row) for row in rows} == {width}
    file = io.StringIO()
    formats.write_svg(made, file)
    ElementTree.fromstring(file.getvalue())


def lossy():
    made = recording_of([17, 4], [0, 1], [(3_000, 0, 1), (5_000, 1, 0), (9_000, 0, 1)], 16_000, 10**9)
    made.lose(0, 4, 10**9 + 3_000, 10**9 + 9_000)
    return made


@pytest.mark.parametrize(
    ("made", "unicode", "want"),
    [
        (
            recording_of([17], [0], [(3, 0, 1), (7, 0, 0)], 10),
            False,
            ["GPIO17 ___|---|__", "       0    10 ns"],
        ),
        (
            recording_of([17], [0], [(3, 0, 1), (7, 0, 0)], 10),
            True,
            ["GPIO17 ▁▁▁│▔▔▔│▁▁", "       0    10 ns"],
        ),
        (recording_of([2], [1], [(3, 0, 0), (3, 0, 1)], 10), False, ["GPIO2 ---#------", "      0    10 ns"]),
        (recording_of([2], [UNKNOWN], [], 0), False, ["GPIO2 ??????????", "      0      0 s"]),
        (
            lossy(),
            False,
            [
                "GPIO17 _!!!!!----",
                "GPIO4  ---|______",
                "       0    16 us",
                "! 4 edges of GPIO17 lost after 3 us",
            ],
        ),
    ],
)
def test_drawings(made, unicode, want):
    assert list(formats.draw(made, 17 if made.lines != [2] else 16, unicode)) == want


def test_a_loss_is_in_every_format():
    made = lossy()
    back = read(written(made, "1us"))
    assert [(loss.line, loss.missing, loss.after_ns, loss.before_ns) for loss in back.losses] == [
        (17, 4, 3_000, 9_000)
    ]
    assert list(back) == list(made)
    for write, text in (
        (formats.write_csv, "# 4 edges of GPIO17 lost after 3 us"),
        (formats.write_svg, 'class="lost"'),
    ):
        file = io.StringIO()
        write(made, file)
        assert text in file.getvalue()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the file ends before"),
        ("hello", "line 1 of the VCD: 'hello' is no declaration"),
        ("$timescale 3 us $end", "line 1 of the VCD: '3us' is no timescale"),
        ("\n$timescale 1 us", "line 2 of the VCD: \\$timescale has no \\$end"),
        ("$var wire 1 ! $end", "line 1 of the VCD: a \\$var has"),
        ("$var wire 1 ! clk $end\n$enddefinitions $end", "no variable of the VCD is a line.*clk"),
        ("$var wire 1 ! GPIO1 $end\n$enddefinitions $end\n#5\n#4", "line 4 .*backwards"),
        ("$var wire 1 ! GPIO1 $end\n$enddefinitions $end\n#5x", "line 3 .*no time"),
        ("$var wire 1 ! GPIO1 $end\n$enddefinitions $end\n#5\n1?", "line 4 .*not declared"),
        ("$var wire 1 ! GPIO1 $end\n$enddefinitions $end\n#5\n7!", "line 4 .*no change"),
        ("#5", "line 1"),
    ],
)
def test_what_is_no_vcd_is_refused_with_its_line(text, error):
    with pytest.raises(ValueError, match=error):
        read(text)


@given(st.text(alphabet="$#01xzb! \nvarwireGPIO1end", max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        read("$var wire 1 ! GPIO1 $end $enddefinitions $end\n" + text)
    except ValueError as e:
        assert "VCD" in str(e)


def test_vcds_of_others():
    text = """$date today $end $timescale 100ps $end $scope module m $end
    $var wire 1 !! D0 $end $var reg 8 " bus [7:0] $end $var wire 1 # GPIO4 $end
    $upscope $end $enddefinitions $end #50 $dumpvars x!! b00000000 " z# $end
    #60 1!! #70 b101 " #80 Z!! b1 # #90"""
    back = read(text, {"D0": 17})
    assert (back.lines, back.initial, back.span_ns) == ([17, 4], [UNKNOWN, UNKNOWN], 4)
    assert list(back) == [(1, 17, 1), (3, 17, UNKNOWN), (3, 4, 1)]


def test_finish_sorts_cuts_and_corrects():
    made = Recording([17, 4], [1, 0])
    for edge in ((50, 0, 1), (10, 1, 1), (30, 1, 0), (90, 0, 0)):
        made.add(*edge)
    made.finish(20, 60)
    assert (made.initial, list(made), made.span_ns) == ([0, 1], [(10, 4, 0), (30, 17, 1)], 40)


@given(recordings(), st.lists(st.integers(-(10**9), 10**12), max_size=5), st.integers(0, 2))
@pytest.mark.slow
def test_what_is_written_in_parts_is_what_is_written_at_once(made, cuts, shuffled):
    """Cut anywhere, edges of two lines in each other's places: the parts make the same recording."""
    whole = read(written(made))
    for at in range(shuffled, len(made) - 1, 3):
        for edges in (made.times_ns, made.indices, made.levels):
            edges[at], edges[at + 1] = edges[at + 1], edges[at]
    if any(made.indices[i] == made.indices[i + 1] for i in range(shuffled, len(made) - 1, 3)):
        return  # those of one line come in order
    file = io.StringIO()
    start_ns, end_ns, writer = made.start_ns, made.end_ns, None
    for cut_ns in sorted(cuts):
        part = made.take_before(start_ns + max(0, cut_ns))
        writer = writer or vcd.Writer(file, part, "1ns")
        writer.write(part)
        writer.reach(part.end_ns)
    made.finish(made.start_ns, max(end_ns, made.start_ns))
    writer = writer or vcd.Writer(file, made, "1ns")
    writer.write(made)
    writer.end(made.end_ns)
    back = read(file.getvalue())
    assert back.initial == whole.initial
    for line in made.lines:  # edges of the same time may be in any order
        assert [e for e in back if e[1] == line] == [e for e in whole if e[1] == line]


def test_a_loss_is_in_the_part_of_the_edge_after_it():
    made = Recording([17], [0])
    made.add(10, 0, 1)
    made.add(50, 0, 1)
    made.lose(0, 3, 10, 50)
    assert made.take_before(30).losses == []
    made.finish(made.start_ns, 100)
    assert made.lost() == {17: 3}
    assert (made.initial, list(made)) == ([1], [(20, 17, 1)])


def test_a_million_edges_take_little_memory():
    made = Recording([17])
    for number in range(100_000):
        made.add(number, 0, number & 1)
    assert sum(sys.getsizeof(edges) for edges in (made.times_ns, made.indices, made.levels)) < 1_300_000


@pytest.mark.parametrize("span_ns", [1, 9, 10, 999, 10**6, 5 * 10**9, 7 * 10**13])
def test_there_are_few_round_ticks(span_ns):
    found = list(formats.ticks(span_ns))
    assert found[0][0] == 0 and 2 <= len(found) <= 11


@given(recordings())
def test_what_is_played_fast_is_every_edge_in_order(made):
    driven = []
    replay.play(made, lambda line, level: driven.append((line, level)), ManualClock(5), fast=True)
    assert driven == [
        *zip(made.lines, made.initial, strict=True),
        *((line, level) for _, line, level in made),
        *((line, None) for line in made.lines),
    ]


@given(recordings())
@pytest.mark.slow
def test_what_is_played_is_at_its_times(made):
    clock, times = ManualClock(5), []
    replay.play(made, lambda line, level: times.append(clock.now_ns() - 5), clock)
    begin, end = [0] * len(made.lines), [made.span_ns] * len(made.lines)
    assert times == [*begin, *(time_ns for time_ns, *_ in made), *end]
