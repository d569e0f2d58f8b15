# SPDX-License-Identifier: LGPL-3.0-or-later
"""Parts of ``rpio run --there`` by themselves: keys, output, the bar of an upload, what is typed at a shell."""

import fcntl
import itertools
import os
import pty
import select
import signal
import struct
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import cli
from RPIO.cli import elsewhere, programs, raw, uploading
from RPIO.cli.following import Noticing
from RPIO.cli.raw import DetachKeys, Output, Raw
from RPIO.cli.told import UsageError
from waiting import wait_until

# -- the keys that detach --------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=5), max_size=8))
def test_what_is_typed_goes_there_as_it_is_however_it_is_split(pieces):
    keys, sent = DetachKeys(), b""
    for piece in pieces:
        found, is_detach = keys.feed(piece)
        sent += found
        if is_detach:
            assert b"".join(pieces).startswith(sent + b"\x10\x11")
            return
    assert sent + keys.release() == b"".join(pieces)


@given(st.lists(st.integers(0, 12), max_size=4), st.binary(max_size=6).filter(lambda b: b"\x10" not in b))
def test_the_keys_are_found_however_they_are_split(cuts, before):
    typed, keys = before + b"\x10\x11behind", DetachKeys()
    bounds = sorted({0, *[min(cut, len(typed)) for cut in cuts], len(typed)})
    found = [keys.feed(typed[a:b]) for a, b in itertools.pairwise(bounds)]
    first = [is_detach for _, is_detach in found].index(True)
    assert b"".join(sent for sent, _ in found[: first + 1]) == before


def test_a_single_ctrl_p_is_held_until_it_is_released():
    keys = DetachKeys()
    assert keys.feed(b"a\x10") == (b"a", False) and keys.is_held
    assert keys.release() == b"\x10" and not keys.is_held
    assert keys.feed(b"\x11") == (b"\x11", False)


# -- output ---------------------------------------------------------------------------------------


@pytest.fixture
def piped(monkeypatch):
    """Standard output and error of an Output are pipes; their readers."""
    readers = []
    for name in ("STDOUT", "STDERR"):
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        monkeypatch.setattr(raw, name, writer)
        readers.append(reader)
    yield readers
    for fd in (*readers, raw.STDOUT, raw.STDERR):
        try:
            os.close(fd)
        except OSError:
            pass  # the test has


def test_output_keeps_the_order_and_every_byte(piped):
    output, expected = Output(), b""
    for number in range(3000):
        output.take(raw.STDOUT, b"%d\xff\n" % number * 10)
        expected += b"%d\xff\n" % number * 10
    assert output.is_full
    got = b""
    while not output.is_empty:
        output.write()
        got += os.read(piped[0], 1 << 16)
    assert got == expected and not output.is_full


def test_standard_error_comes_behind_what_was_written_before_it(piped):
    output = Output()
    output.take(raw.STDOUT, b"x" * 10_000)
    output.take(raw.STDERR, b"error")
    assert output.waits_for == raw.STDOUT
    while not output.is_empty:
        output.write()
    assert os.read(piped[1], 100) == b"error" and len(os.read(piped[0], 1 << 16)) == 10_000


def test_where_the_reader_has_gone_only_the_other_one_is_written(piped):
    output = Output()
    output.take(raw.STDOUT, b"x" * 10_000)
    output.take(raw.STDERR, b"error")
    os.close(piped[0])
    output.write()
    assert isinstance(output.errors[raw.STDOUT], BrokenPipeError)
    output.take(raw.STDOUT, b"more")
    output.write()
    assert output.is_empty and os.read(piped[1], 100) == b"error"


def test_a_terminal_that_stands_still_does_not_stop_this_program(monkeypatch):
    ours, its = pty.openpty()
    monkeypatch.setattr(raw, "STDOUT", its)
    output = Output()
    output.begin()
    try:
        output.take(its, b"x" * 200_000)
        for _ in range(100):
            output.write()  # nobody reads
        assert not output.is_empty and os.get_blocking(its)
        got = b""
        while not output.is_empty:
            got += os.read(ours, 1 << 16)
            output.write()
        while len(got) < 200_000:
            got += os.read(ours, 1 << 16)
        assert got == b"x" * 200_000
    finally:
        output.close()
        os.close(ours)
        os.close(its)


# -- the terminal ---------------------------------------------------------------------------------


def test_a_terminal_is_as_it_was_afterwards(monkeypatch):
    ours, its = pty.openpty()
    monkeypatch.setattr(raw, "STDIN", its)
    monkeypatch.setattr(raw, "STDOUT", its)
    try:
        before = termios.tcgetattr(its)
        made = Raw()
        made.end()
        made.begin()
        made.begin()
        assert made.is_on and not termios.tcgetattr(its)[3] & termios.ISIG
        made.end()
        made.end()
        assert termios.tcgetattr(its) == before and not made.is_on
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 33, 101, 0, 0))
        assert raw.size() == (33, 101)
    finally:
        os.close(ours)
        os.close(its)
    assert raw.size() == raw.ROWS_COLUMNS and not raw.are_terminals()
    made._before = before
    made.end()  # it has been closed meanwhile


def test_signals_are_noticed_and_do_what_they_did_afterwards():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)}
    noticing = Noticing()
    noticing.begin()
    try:
        assert noticing.take() == []
        for number in before:
            os.kill(os.getpid(), number)
        seen = []
        assert wait_until(lambda: seen.extend(noticing.take()) or len(seen) == 3)
        assert sorted(seen) == sorted(before)
    finally:
        noticing.end()
        noticing.end()
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(-1) == -1


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    noticing = Noticing()
    try:
        noticing.begin()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGHUP)
        assert noticing.take() == []
    finally:
        noticing.end()
        signal.signal(signal.SIGHUP, before)


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("17", [17]),
        ("18,17", [17, 18]),
        ("17 18", [17, 18]),
        ("GPIO17, bcm18,", [17, 18]),
        ("2-5,4", [2, 3, 4, 5]),
    ],
)
def test_lines_that_a_program_has_to_itself(text, lines):
    assert elsewhere.lines_of(text) == lines


@pytest.mark.parametrize("text", ["", "x", "17,,x", "-1", "5-2", "1024", "0-64", "17;18", "٣"])
def test_no_lines(text):
    with pytest.raises(UsageError):
        elsewhere.lines_of(text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("run --detach x.py", "--detach goes with --there HOST"),
        ("run --as robot x.py", "--as goes with --there HOST"),
        ("run --no-pty x.py", "--pty goes with --there HOST"),
        ("run", "which program? rpio run FILE [ARGUMENT ...]"),
        ("run --there localhost", "which program? rpio run --there HOST FILE|FOLDER [ARGUMENT ...]"),
        ("run --there localhost no-such.py", "there is no file 'no-such.py'"),
        ("run --there localhost --as a/b .", "'a/b' is no name of a directory"),
        ("run --there localhost --as .. .", "'..' is no name of a directory"),
        ("run --there localhost --main m.py -c 1", "--as and --main are for files"),
        ("run --there localhost --shell x.py", "--shell is a program itself"),
        ("run --there localhost --sim x.py", "--sim is about a program that runs here"),
        ("run --there localhost --on pi x.py", "--backend and --on is about a program that runs here"),
        ("run --there localhost -m x", "-m is about a program that runs here"),
        ("run --there localhost --lines x -c 1", "'x' is no line"),
        ("run --there rraspy://pi -c 1", "'rraspy://pi' is no place of a board"),
    ],
)
def test_words_that_do_not_go_together(rpio, capsys, arguments, text):
    assert cli.main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"rpio run: {text}")


def test_the_words_behind_the_program_are_its_own():
    options = cli.command.parser_of("run").parse_args(
        ["--there", "pi", "-d", "x.py", "--detach", "-q", "--", "y"]
    )
    assert (options.there, options.detach, options.program) == ("pi", True, "x.py")
    assert options.arguments == ["--detach", "-q", "--", "y"] and not options.quiet


@pytest.mark.parametrize("text", ["INT", "SIGINT", "int", "sigint"])
def test_names_of_signals(text):
    assert cli.command.parser_of("kill").parse_args(["3", "-s", text]).signal == "INT"


# -- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "total", "text"),
    [
        (0, 0, "[########################] 100% of 0 bytes: robot to pi"),
        (1, 4, "[######..................]  25% of 4 bytes: robot to pi"),
        (1_500_000, 3_000_000, "[############............]  50% of 3.0 MB: robot to pi"),
    ],
)
def test_the_bar_of_an_upload(sent, total, text):
    assert uploading.drawn("robot to pi", sent, total, 80) == text
    assert uploading.drawn("robot to pi", sent, total, 20) == text[:19]


def test_a_bar_is_gone_when_the_upload_is_over(monkeypatch):
    ours, its = pty.openpty()
    os.set_blocking(ours, False)
    monkeypatch.setattr(raw, "STDERR", its)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(uploading, "monotonic", lambda: 100.0)
    with os.fdopen(its, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with uploading.Bar("robot to pi", True) as bar:
            bar.show(0, 2)
            with pytest.raises(BlockingIOError):
                os.read(ours, 100)  # it may be over in no time
            bar._due_s = 0.0
            bar.show(1, 2)
            bar.show(2, 2)  # which is too early
        with uploading.Bar("robot to pi", False) as bar:
            bar._due_s = 0.0
            bar.show(1, 2)
    shown = b""
    while select.select([ours], [], [], 1)[0]:  # the kernel brings it in pieces, when it likes
        try:
            shown += os.read(ours, 1000)
        except OSError:  # all is read, and nobody has the other end
            break
    os.close(ours)
    assert shown == b"\r[############............]  50% of 2 bytes: robot to pi\x1b[K\r\x1b[K"


def test_there_is_no_bar_where_nobody_sees_it(capsys):
    with uploading.Bar("robot to pi", True) as bar:
        bar._due_s = 0.0
        bar.show(1, 2)
    assert capsys.readouterr().err == ""


ROW = {
    "number": 3,
    "name": "blink.py",
    "state": "runs",
    "pid": 812,
    "seconds": 12.0,
    "ended_s": None,
    "exitCode": None,
    "why": "",
    "lines": [17, 18],
    "detached": True,
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "runs, for 12 s"),
        ({"state": "ends"}, "ends, for 12 s"),
        ({"state": "waits", "why": "program 2 (a.py) has GPIO 17"}, "waits: program 2 (a.py) has GPIO 17"),
        ({"state": "over", "ended_s": 300.0, "exitCode": 0}, "ended with 0, 5 m ago"),
        ({"state": "over", "ended_s": 1.0, "exitCode": -15}, "ended by SIGTERM, 1 s ago"),
        ({"state": "over", "ended_s": 1.0, "why": "no room"}, "was not started, 1 s ago: no room"),
    ],
)
def test_what_a_program_does_for_people(changes, text):
    assert programs.state_of({**ROW, **changes}) == text
