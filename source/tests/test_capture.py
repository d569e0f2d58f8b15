# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio capture``, ``record`` and ``replay`` on the simulated board, and as programs of their own."""

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from RPIO import cli, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.cli import pins
from RPIO.machine.boards import by_name
from RPIO.recordings import capture, formats, vcd
from RPIO.recordings.recording import Recording
from support import native
from waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[2]


def read(path):
    with open(path) as file:
        return vcd.read_vcd(file)


def driving(*levels, line=17, pause_s=0.0, then=None):
    """A thread that drives a line as soon as it is watched, and then calls."""

    def drive():
        backend = facade.board.backend
        wait_until(lambda: backend.is_watched(line))
        for level in levels:
            backend.drive(line, level)
            threading.Event().wait(pause_s)
        if then is not None:
            then()

    thread = threading.Thread(target=drive)
    thread.start()
    return thread


def test_edges_are_drawn_and_written(rpio, tmp_path, capsys):
    thread = driving(1, 0, 1, pause_s=0.02)
    path = tmp_path / "out.vcd"
    assert cli.main(["capture", "17,4", "--for", "150ms", "-o", str(path)]) == 0
    thread.join()
    found = read(path)
    assert found.lines == [17, 4] and found.initial == [0, 1]
    assert [level for _, _, level in found] == [1, 0, 1]
    assert found.span_ns == 150_000_000
    out = capsys.readouterr()
    assert out.err == ""
    first, second, axis, summary = out.out.splitlines()
    assert first.startswith("GPIO17 ") and second.startswith("GPIO4  ") and axis.endswith("150 ms")
    assert summary == f"3 edges in 150 ms, written to {path}"
    assert len(first) <= 80


@pytest.mark.parametrize(("suffix", "begins"), [("csv", "time_s,line,level"), ("svg", "<svg")])
def test_other_formats(rpio, tmp_path, capsys, suffix, begins):
    path = tmp_path / f"out.{suffix}"
    assert cli.main(["capture", "BOARD11", "--for", "1ms", "-o", str(path)]) == 0
    assert path.read_text().startswith(begins)
    assert os.listdir(tmp_path) == [path.name]


def test_it_begins_at_the_trigger_and_ends_after_so_many_edges(rpio, tmp_path):
    thread = driving(1, 0, 1, 0, 1, pause_s=0.005)
    path = tmp_path / "out.vcd"
    arguments = ["17", "--trigger", "17:falling", "--edges", "3", "--timescale", "1ns", "-o", str(path)]
    assert cli.main(["record", *arguments]) == 0
    thread.join()
    found = read(path)
    assert found.initial == [1] and [level for _, _, level in found] == [0, 1, 0]
    assert found.times_ns[0] == 0


def test_lost_edges_are_shown():
    tap = capture.Tap(Recording([17]), 0, None)
    for seq, time_ns in ((1, 10), (5, 20), (6, 30)):
        tap.accepts((17, seq & 1, time_ns, seq))
    assert tap.recording.lost() == {17: 3}
    tap.recording.finish(0, 100)
    rows = "\n".join(formats.draw(tap.recording, 80, True))
    assert "3 edges of GPIO17 lost after 10 ns" in rows


def test_a_single_lost_edge_is_counted():
    tap = capture.Tap(Recording([17]), 0, None)
    for seq, time_ns in ((1, 10), (3, 20), (4, 30)):
        tap.accepts((17, seq & 1, time_ns, seq))
    assert tap.recording.lost() == {17: 1}


def test_edges_that_come_at_once_are_kept_or_counted(rpio):
    thread = driving(*[1, 0] * 5000, then=lambda: os.kill(os.getpid(), signal.SIGINT))
    found = capture.Capture(facade.board, [17]).run()
    thread.join()
    assert len(found) + sum(found.lost().values()) == 10_000


def test_pulls_stay_and_lines_are_let_go(rpio):
    backend = facade.board.backend
    pull = backend.pull(4)
    capture.Capture(facade.board, [4], 10**6).run()
    assert backend.pull(4) == pull
    assert facade.board.lines.direction(4) is None
    assert all(line.watch is None for line in backend._lines)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["99"], 2, "there is no GPIO 99"),
        (["8-2"], 2, "did you mean 2-8?"),
        (["BOARD1"], 2, "pin 1 of the header is 3V3"),
        (["17", "-o", "out.txt"], 2, "has to end in .vcd, .svg, .csv"),
        (["17", "-o", "/no/such/out.vcd"], 2, "there is no folder /no/such"),
        (["17", "--trigger", "18:rising"], 2, "GPIO 18 is not among"),
        (["17", "--trigger", "17:up"], 2, "PIN:rising"),
        (["17", "--backend", "nonsense"], 2, "nonsense"),
    ],
)
def test_a_wrong_command_line_is_said_in_one_line(rpio, capsys, arguments, status, text):
    assert cli.main(["capture", *arguments, "--for", "1ms"]) == status
    err = capsys.readouterr().err
    assert text in err and "Traceback" not in err and len(err.splitlines()) <= 2


def test_an_output_is_not_taken_without_being_told(rpio, capsys):
    facade.board.backend.set_output(17, 1)
    assert cli.main(["capture", "17", "--for", "1ms"]) == 1
    assert "GPIO 17 is OUTPUT" in capsys.readouterr().err
    facade.board.backend.set_output(17, 1)
    assert cli.main(["capture", "17", "--for", "1ms", "--force"]) == 0


def test_a_full_disk(rpio, capsys):
    assert cli.main(["capture", "17", "--for", "1ms", "-o", "/dev/full"]) == 1
    assert "the disk is full: /dev/full was not written" in capsys.readouterr().err


def test_a_disk_that_fills_up_leaves_nothing_and_what_was_there(rpio, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "out.csv"
    path.write_text("before")
    monkeypatch.setattr(formats, "write_csv", fail)
    assert cli.main(["capture", "17", "--for", "1ms", "-o", str(path)]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["out.csv"] and path.read_text() == "before"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("17", [17]),
        ("4,17", [4, 17]),
        ("17,4,17", [17, 4]),
        ("2-8", [2, 3, 4, 5, 6, 7, 8]),
        ("GPIO17", [17]),
        ("gpio2-gpio4", [2, 3, 4]),
        ("BOARD11", [17]),
        ("J8:11,J8:12", [17, 18]),
        ("4, 6-7", [4, 6, 7]),
    ],
)
def test_pins(text, want):
    assert pins.parse(text, by_name("4B")) == want


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is not a line"),
        ("seventeen", "is not a line: write 17"),
        ("1-", "no GPIO 1|is not a line"),
        ("28", "it has 2 to 27"),
        ("BOARD6", "GND"),
        ("BOARD27", "ID EEPROM"),
        ("J8:41", "pins 1 to 40"),
    ],
)
def test_what_is_no_pin(text, error):
    with pytest.raises(pins.PinError, match=error):
        pins.parse(text, by_name("4B"))


def test_a_compute_module_has_all_its_lines_and_no_pins():
    assert pins.parse("45", by_name("CM4")) == [45]
    with pytest.raises(pins.PinError, match="no header"):
        pins.parse("BOARD11", by_name("CM4"))


# -- replay -------------------------------------------------------------------------------------------------


def recorded(tmp_path, *edges, end_ns):
    made = Recording([17], [1])
    for time_ns, level in edges:
        made.add(time_ns, 0, level)
    made.end_ns = end_ns
    path = tmp_path / "in.vcd"
    with open(path, "w") as file:
        vcd.write_vcd(made, file, "1ns")
    return path


@pytest.mark.parametrize("fast", [False, True])
def test_replay_drives_the_lines(rpio, tmp_path, capsys, fast):
    path = recorded(tmp_path, (10_000_000, 0), (30_000_000, 1), end_ns=40_000_000)
    seen = []
    facade.board.backend.observer = lambda line, level, now_ns: seen.append((line, level, now_ns))
    assert cli.main(["replay", str(path), *(["--fast"] if fast else [])]) == 0
    assert [edge[:2] for edge in seen] == [(17, 1), (17, 0), (17, 1), (17, 0)][: len(seen)]
    assert len(seen) >= 3
    if not fast:
        assert seen[2][2] - seen[1][2] == pytest.approx(20_000_000, abs=15_000_000)
    assert capsys.readouterr().out == "2 edges of GPIO17 played\n"


@pytest.mark.parametrize(
    ("text", "arguments", "status", "error"),
    [
        (None, [], 1, "No such file"),
        ("hello", [], 1, "line 1 of the VCD"),
        ("$var wire 1 ! clk $end $enddefinitions $end", [], 1, "--map NAME=PIN"),
        ("$var wire 1 ! GPIO99 $end $enddefinitions $end", [], 1, "there is no GPIO 99"),
        ("", ["--map", "clk"], 2, "NAME=PIN"),
        ("", ["--backend", "cdev"], 2, "simulated board"),
    ],
)
def test_what_cannot_be_replayed(rpio, tmp_path, capsys, text, arguments, status, error):
    path = tmp_path / "in.vcd"
    if text is not None:
        path.write_text(text)
    assert cli.main(["replay", *arguments, str(path)]) == status
    assert error in capsys.readouterr().err


# -- as programs --------------------------------------------------------------------------------------------

DRIVER = """
import sys, threading
from RPIO import cli, facade, sim
def drive():
    while not sim.is_watched(17):
        threading.Event().wait(0.001)
    for turn in range(100):
        facade.board.backend.drive(17, 1 - turn % 2)
    print("driven", file=sys.stderr, flush=True)
facade.board.backend
threading.Thread(target=drive, daemon=True).start()
raise SystemExit(cli.main(["capture", *sys.argv[1:]]))
"""


def start(code, *arguments, **keywords):
    environment = {**os.environ, "RPIO_BACKEND": "sim:4B", "PYTHONUTF8": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_capture_and_the_file_is_written(tmp_path, number):
    path = tmp_path / "out.vcd"
    with start(DRIVER, "17", "-o", path) as process:
        assert process.stderr.readline() == "driven\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert len(read(path)) == 100
    assert "100 edges in" in out


# What drives a line for as long as it is watched, 2,000 edges a second, and says when a second has passed.
STEADY = """
import resource, sys, threading, time
from RPIO import cli, facade, sim
def drive():
    while not sim.is_watched(17):
        time.sleep(0.001)
    level, begin = 0, time.monotonic()
    while True:
        level = 1 - level
        facade.board.backend.drive(17, level)
        time.sleep(0.0005)
        if begin and time.monotonic() > begin + 2.5:
            print("driven", file=sys.stderr, flush=True)
            begin = 0
facade.board.backend
threading.Thread(target=drive, daemon=True).start()
{limit}
raise SystemExit(cli.main(["record", "17", "-o", *sys.argv[1:]]))
"""
LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"


def is_alternating(recording):
    levels = list(recording.levels)
    return levels == [1 - i % 2 for i in range(len(levels))]


@pytest.mark.slow
def test_what_was_recorded_until_a_crash_is_readable(tmp_path):
    path = tmp_path / "out.vcd"
    with start(STEADY.format(limit=""), path) as process:
        assert process.stderr.readline() == "driven\n"
        process.kill()
    assert os.listdir(tmp_path) == ["out.vcd.part"]
    found = read(tmp_path / "out.vcd.part")
    assert len(found) > 50 and is_alternating(found) and found.lost() == {}


@pytest.mark.slow
def test_a_disk_that_fills_up_while_recording_keeps_what_there_was_room_for(tmp_path):
    path = tmp_path / "out.vcd"
    with start(STEADY.format(limit=LIMIT), path) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (1, "")
    assert re.search(
        rf"rpio record: the file may not become larger: {path} has the first [\d.]+ [mu]?s; make room, or",
        err,
    )
    assert os.listdir(tmp_path) == ["out.vcd"]
    found = read(path)
    assert len(found) > 50 and is_alternating(found) and os.path.getsize(path) <= 20_000


@pytest.mark.slow
def test_a_signal_ends_the_recording_with_every_edge(tmp_path):
    path = tmp_path / "out.vcd"
    with start(STEADY.format(limit=""), path, "--trigger", "17:falling") as process:
        said = [process.stderr.readline() for _ in range(2)]
        assert said == ["waiting for ever for the trigger 17:falling\n", "driven\n"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (0, "")
    found = read(path)
    assert found.initial == [1] and list(found.levels) == [i % 2 for i in range(len(found))]
    assert re.fullmatch(rf"{len(found)} edges in [\d.]+ s, written to {path}\n", out)


# -- bars ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@native("memory and pace are those of its translator")
def test_a_hundred_thousand_edges_come_without_loss():
    """At 50,000 a second, or what a busy test machine leaves of it; bench/capture.py measures the rate.

    Six tries: the simulated kernel's buffer holds 27 ms, and what is lost for want of a processor has to be counted.
    """
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench" / "capture.py"), "100000"],
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
        found = json.loads(done.stdout)
        assert (found["status"], found["captured"] + found["lost"]) == (0, 100_000)
        assert found["memory_mb"] < 200
        if not found["lost"]:
            break
    assert found["lost"] == 0
    assert found["edges_per_s"] > 10_000


# -- sigrok -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("sigrok-cli"), reason="needs sigrok-cli: apt install sigrok-cli")
@pytest.mark.parametrize("timescale", vcd.TIMESCALES)
def test_sigroks_timing_decoder_agrees_with_what_was_played(rpio, tmp_path, timescale):
    """The board's clock stands where each edge has to be, to the nanosecond, so what was played is exact."""
    chance = random.Random(9)
    unit_ns = vcd.TIMESCALES[timescale]
    gaps_ns = [chance.randrange(20, 400) * 1000 + chance.randrange(0, 1000, unit_ns) for _ in range(60)]
    clock = ManualClock(time.monotonic_ns())
    facade.board.use(SimBackend(by_name("4B"), clock), by_name("4B"))

    def play():
        wait_until(lambda: facade.board.backend.is_watched(17))
        clock.sleep_until(time.monotonic_ns())
        for number, gap_ns in enumerate(gaps_ns):
            clock.advance(gap_ns)
            while time.monotonic_ns() < clock.now_ns():
                time.sleep(
                    0.0001
                )  # an edge is not in the future of the capture, which goes by the machine's clock
            facade.board.backend.drive(17, 1 - number % 2)

    thread = threading.Thread(target=play)
    thread.start()
    path = tmp_path / "out.vcd"
    command = ["capture", "17,4", "--edges", "60", "--timescale", timescale, "-o", str(path)]
    assert cli.main(command) == 0
    thread.join()
    done = subprocess.run(
        f"sigrok-cli -I vcd -i {path} -P timing:data=GPIO17 -A timing=time --protocol-decoder-samplenum".split(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    spans = [tuple(map(int, re.match(r"(\d+)-(\d+) ", row).groups())) for row in done.stdout.splitlines()]
    assert [(end - begin) * unit_ns for begin, end in spans] == gaps_ns[1:]


def test_a_reader_that_has_gone_is_no_error(tmp_path):
    with start(DRIVER, "17", "--for", "200ms") as process:
        process.stdout.close()
        assert process.stderr.read() == "driven\n"
        assert process.wait(20) == 0


def test_a_program_gets_the_recording(tmp_path):
    path = recorded(tmp_path, (10_000_000, 0), (20_000_000, 1), (30_000_000, 0), end_ns=40_000_000)
    program = tmp_path / "program.py"
    program.write_text(
        "import RPi.GPIO as GPIO, sys, threading\n"
        "GPIO.setmode(GPIO.BOARD)\n"
        "GPIO.setup(11, GPIO.IN)\n"
        "came = threading.Semaphore(0)\n"
        "GPIO.add_event_detect(11, GPIO.FALLING, lambda channel: came.release())\n"
        "for edge in range(2):\n"
        f"    assert came.acquire(timeout={LIMIT_S})\n"
        "print('two', sys.argv[1:])\n"
    )
    code = "import sys\nfrom RPIO import cli\nraise SystemExit(cli.main(['replay', *sys.argv[1:]]))"
    with start(code, path, program, "-x") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out, err) == (0, "two ['-x']\n", "")


def test_a_program_that_asks_for_no_recorded_line_is_told_that_nothing_was_played(tmp_path):
    path = recorded(tmp_path, (10_000_000, 0), end_ns=40_000_000)
    program = tmp_path / "program.py"
    program.write_text("import RPi.GPIO as GPIO\nGPIO.setmode(GPIO.BCM)\nGPIO.setup(27, GPIO.IN)\n")
    code = "import sys\nfrom RPIO import cli\nraise SystemExit(cli.main(['replay', *sys.argv[1:]]))"
    with start(code, path, program) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, "")
    assert err == (
        "rpio replay: nothing was played: the program did not make GPIO17 an input, or ended at once\n"
    )


def test_a_trigger_that_does_not_come_is_waited_for_as_long_as_asked(rpio, capsys):
    arguments = ["capture", "17", "--trigger", "17:rising", "--for", "1ms"]
    assert cli.main([*arguments, "--timeout", "10ms"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "waiting 10 ms for the trigger 17:rising\n"
        "rpio capture: it ended before the trigger 17:rising: nothing was recorded\n"
    )


def test_a_script_is_told_what_is_waited_for(rpio, capsys):
    thread = driving(1)
    assert cli.main(["capture", "17", "--trigger", "17:rising", "--edges", "1"]) == 0
    thread.join()
    assert capsys.readouterr().err == "waiting for ever for the trigger 17:rising\n"


def test_a_timeout_without_a_trigger_is_an_error(rpio, capsys):
    assert cli.main(["capture", "17", "--timeout", "1s"]) == 2
    assert "--timeout is how long to wait for the --trigger, and there is none" in capsys.readouterr().err
