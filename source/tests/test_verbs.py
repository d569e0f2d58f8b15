# SPDX-License-Identifier: LGPL-3.0-or-later
"""The verbs of ``rpio``: outputs and exit codes as a table, then those that last, as people run them."""

import json
import os
import re
import subprocess
import sys
from argparse import ArgumentTypeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import cli
from RPIO.cli import command, completion, index, pins, verb
from RPIO.machine import boards
from support import raises
from waiting import LIMIT_S, wait_until

BOARD = boards.by_name("4B")
MODEL = "Raspberry Pi 4 Model B"

ENDS = "the simulated board ends with this command, and what was set on it\n"

CASES = [
    # arguments, status, stdout, stderr
    ("read 17", 0, "0\n", ""),
    ("read 7", 0, "1\n", ""),
    ("read 7,17", 0, "GPIO 7: 1\nGPIO 17: 0\n", ""),
    ("read 7-9", 0, "GPIO 7: 1\nGPIO 8: 1\nGPIO 9: 0\n", ""),
    ("read GPIO7,J8:11,BOARD12 --json", 0, '{"7": 1, "17": 0, "18": 0}\n', ""),
    ("read 99", 2, "", f"rpio read: there is no GPIO 99 on this {MODEL}: it has 2 to 27\n"),
    ("read 9-7", 2, "", "rpio read: the range 9-7 runs backwards; did you mean 7-9?\n"),
    ("read J8:2", 2, "", "rpio read: pin 2"),
    ("read J8:41", 2, "", "rpio read: "),
    ("read BOARD27", 2, "", "rpio read: pin 27"),
    ("read seven", 2, "", "rpio read: 'seven' is not a line: "),
    ("read 17 --backend sim:3B+", 0, "0\n", ""),
    ("read 17 --backend sim:5", 0, "0\n", ""),
    ("--backend sim:3B+ read 17", 0, "0\n", ""),
    ("-v --backend=sim:3B+ read 17", 0, "0\n", ""),
    ("read 7 17", 0, "GPIO 7: 1\nGPIO 17: 0\n", ""),
    ("read 7, 17,18", 0, "GPIO 7: 1\nGPIO 17: 0\nGPIO 18: 0\n", ""),
    ("read pin11", 0, "0\n", ""),
    ("read SDA1 scl1", 0, "GPIO 2: 1\nGPIO 3: 1\n", ""),
    ("read PWM0", 2, "", "rpio read: 'PWM0' is GPIO 12 and GPIO 18: name one\n"),
    ("read ID_SD", 2, "", "rpio read: 'ID_SD' is not a line: "),
    ("read -- -1", 2, "", "rpio read: '-1' is not a line: "),
    ("read -- -1-4", 2, "", "rpio read: '-1-4' is not a line: "),
    ("mode 17", 0, "GPIO 17: INPUT\n", ""),
    ("mode 17,18 --json", 0, '{"17": "INPUT", "18": "INPUT"}\n', ""),
    ("mode 17 out --level 1", 0, "", ENDS),
    ("mode 17 18 out", 0, "", ENDS),
    ("mode 17, 18", 0, "GPIO 17: INPUT\nGPIO 18: INPUT\n", ""),
    ("mode 17 in", 0, "", ENDS),
    ("mode 17 in --level 1", 2, "", "rpio mode: --level is for outputs: rpio mode PINS out --level 0\n"),
    ("pull 17 up", 0, "", ENDS),
    ("pull 17 18, 22 up", 0, "", ENDS),
    ("write 17", 2, "", "rpio write: '17': the level is missing; for example: 17=1\n"),
    ("write 17=2", 2, "", "rpio write: '2' is not a level: use 0 or 1\n"),
    ("write 17=1", 1, "", "rpio write: GPIO 17 is an INPUT, not an output; nothing was written\n"),
    ("write 17=1 --output", 0, "", ENDS),
    ("write 17=1 18,22=low --output --for 1ms", 0, "", ""),
    ("pwm 18 1000 101", 2, "", "rpio pwm: the duty is 0 to 100 percent, not 101\n"),
    ("pwm 18 0 10", 2, "", "rpio pwm: the frequency is more than 0 Hz, not 0\n"),
    ("pwm 18 1000 25 --for 10ms", 0, "", "1000 Hz, 25 % on GPIO 18, made by soft; end with Ctrl+C\n"),
    ("servo 17 1501", 2, "", "rpio servo: the width is 10 to 19990 us, a multiple of 10, not 1501\n"),
    ("watch 17 --for 1ms", 0, "", ""),
    ("count 17 --for 1ms", 0, "GPIO 17           0         0.0/s\n", ""),
    (
        "count 4,17 --for 1ms --pull up",
        0,
        f"GPIO 4  {0:10}         0.0/s\nGPIO 17  {0:10}         0.0/s\n",
        "",
    ),
    ("count 17 18 --encoder --for 1ms", 0, f"GPIO 17 and 18  {0:10}         0.0/s\n", ""),
    (
        "count 17 --encoder",
        2,
        "",
        "rpio count: --encoder is about two lines, A and B: rpio count 17 18 --encoder\n",
    ),
    (
        "count 17 18 --encoder --edge both",
        2,
        "",
        "rpio count: an encoder's steps are all its edges: leave --edge out\n",
    ),
]


@pytest.mark.parametrize(("arguments", "status", "out", "err"), CASES, ids=[case[0] for case in CASES])
def test_outputs_and_exit_codes(rpio, capsys, arguments, status, out, err):
    assert cli.main(arguments.split()) == status
    said = capsys.readouterr()
    assert said.out == out
    assert said.err.startswith(err)
    assert bool(said.err) == bool(err)


def test_a_usage_error_names_the_help(rpio, capsys):
    cli.main(["read", "99"])
    assert capsys.readouterr().err.endswith("\nsee: rpio read --help\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["read"], "rpio read: the following arguments are required: PINS\nsee: rpio read --help\n"),
        (["read", "17", "--jsn"], "rpio read: unrecognized arguments: --jsn\ndid you mean: --json\n"),
        (["read", "17", "--frobnicate"], "--frobnicate\nsee: rpio read --help\n"),
        (
            ["watch", "17", "--for", "soon"],
            "--for: 'soon' is not a time; for example 500us, 20ms, 5s, 1m\nsee: ",
        ),
        (["watch", "17", "--count", "0"], "-n/--count: '0' is not a count of 1 or more\nsee: "),
        (["pull", "17", "sideways"], "invalid choice: 'sideways'"),
    ],
)
def test_words_that_cannot_be_read(rpio, capsys, arguments, text):
    with pytest.raises(SystemExit) as e:
        cli.main(arguments)
    assert e.value.code == 2
    err = capsys.readouterr().err
    assert text in err and err.startswith(f"usage: rpio {arguments[0]} ")


def test_what_is_set_shows(rpio, capsys):
    assert cli.main(["write", "17=1", "--output"]) == 0
    assert cli.main(["write", "17=0"]) == cli.main(["mode", "17"]) == cli.main(["read", "17"]) == 0
    assert capsys.readouterr().out == "GPIO 17: OUTPUT\n0\n"


def test_a_refused_write_writes_nothing(rpio, capsys):
    cli.main(["mode", "17", "out", "--level", "0"])
    assert cli.main(["write", "17=1", "18=1"]) == 1
    assert rpio.forceinput(17) == 0


def test_an_output_gets_no_pull_and_is_not_watched(rpio, capsys):
    cli.main(["mode", "17", "out"])
    assert cli.main(["pull", "17", "up"]) == cli.main(["watch", "17"]) == 1
    assert capsys.readouterr().err == (
        f"{ENDS}rpio pull: GPIO 17 is an OUTPUT, not an input; no pull was set\nrpio mode 17 in makes it one\n"
        "rpio watch: GPIO 17 is an OUTPUT, not an input; watching would make it one\nrpio mode 17 in makes it one\n"
    )


def test_watching_leaves_the_pull_alone(rpio, capsys):
    rpio.setup(17, rpio.IN, rpio.PUD_UP)
    assert cli.main(["watch", "17", "--for", "1ms"]) == 0
    assert rpio.forceinput(17) == 1


def test_info_as_text_and_json(rpio, capsys):
    assert cli.main(["info"]) == cli.main(["info", "--json"]) == 0
    text, _, found = capsys.readouterr().out.rpartition("\n{")
    info = json.loads("{" + found)
    assert (info["board"], info["soc"], info["header_pins"], info["backend"]) == (
        f"simulated {MODEL}",
        "BCM2711",
        40,
        "sim",
    )
    assert f"board         simulated {MODEL}\n" in text


def test_the_doctor_in_json(rpio, capsys):
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    driven = next(one for one in found if one["check"] == "backend")
    assert driven == {
        "group": "Kernel and chips",
        "check": "backend",
        "status": "ok",
        "text": f"lines are driven by simulated {MODEL} (58 lines)",
        "advice": None,
        "command": None,
    }


def test_a_verb_that_is_nearly_one(rpio, capsys):
    assert cli.main(["wirte", "17=1"]) == 2
    assert capsys.readouterr().err.endswith("\ndid you mean: rpio write\n")


@pytest.mark.parametrize("name", index.VERBS)
def test_every_verb_has_a_help(rpio, capsys, name):
    with pytest.raises(SystemExit) as e:
        cli.main([name, "--help"])
    assert e.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: rpio{'-' if name == 'curses' else ' '}{name}")


# --- reading what was typed


@given(st.lists(st.sampled_from(BOARD.header_lines), min_size=1, unique=True), st.data())
@pytest.mark.slow
def test_any_naming_means_the_same_line(lines, data):
    pin_of = {line: pin for pin, line in BOARD.header.items()}
    shapes = ["{0}", "GPIO{0}", "gpio{0}", "BCM{0}", "BOARD{1}", "J8:{1}", " {0}"]
    text = ",".join(data.draw(st.sampled_from(shapes)).format(line, pin_of[line]) for line in lines)
    assert pins.parse(text, BOARD) == lines


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        assert set(pins.parse(text, BOARD)) <= set(BOARD.header_lines)
    except pins.PinError as e:
        assert str(e)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5", 5 * 10**9),
        ("5s", 5 * 10**9),
        ("1.5s", 1_500_000_000),
        ("20ms", 20_000_000),
        ("500us", 500_000),
        ("500 µs", 500_000),
        ("2m", 120 * 10**9),
        ("1h", 3600 * 10**9),
    ],
)
def test_times(text, ns):
    assert verb.duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "s", "-1s", "0", "0.1ns", "nan", "inf", "1e99", "5 s s", "9999999h"])
def test_no_times(text):
    with raises(ArgumentTypeError, f"{text!r} is not a time; for example 500us, 20ms, 5s, 1m"):
        verb.duration_ns(text)


# --- as people run them

ENV = {**os.environ, "RPIO_BACKEND": "sim:4B"}
DRIVEN = """
import sys, threading, time
from RPIO import cli, facade, sim
def drive():
    while not sim.is_watched(17):
        time.sleep(0.001)
    for level in {levels}:
        sim.drive(17, level)
        time.sleep(0.01)
facade.board.backend
threading.Thread(target=drive, daemon=True).start()
sys.exit(cli.main(sys.argv[1:]))
"""
INTERRUPTED = """
import os, signal, sys, threading, time
from RPIO import cli
main = threading.get_ident()
WAITS = ("hold", "step", "wait_for_interrupts", "sleep_until", "doze")
def interrupt():
    frame = None
    while frame is None:  # as long as the main thread is not where a verb waits
        time.sleep(0.01)
        frame = sys._current_frames()[main]
        while frame is not None and frame.f_code.co_name not in WAITS:
            frame = frame.f_back
    os.kill(os.getpid(), signal.SIGINT)
def interrupt_again():
    while True:  # a signal that comes in the instant before a system call does not end that: one presses it again
        interrupt()
        time.sleep(5)
threading.Thread(target=interrupt_again, daemon=True).start()
sys.exit(cli.main(sys.argv[1:]))
"""


def start(*arguments, levels=(1, 0, 1)):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVEN.format(levels=levels), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )


def test_watch_prints_edges_and_ends_after_the_count():
    out, err = start("watch", "17", "--count", "3").communicate(timeout=LIMIT_S)
    assert err == ""
    assert [re.sub(r"^ +\d\.\d{6}", "T", line) for line in out.splitlines()] == [
        "T  GPIO 17  1",
        "T  GPIO 17  0",
        "T  GPIO 17  1",
    ]
    assert out.startswith("     0.000000  GPIO 17  1\n")


def test_count_shows_how_many_there_are():
    out, err = start("count", "17", "--edge", "both", "--for", "1s", levels=[1, 0] * 20).communicate(
        timeout=LIMIT_S
    )
    assert (err, len(out.splitlines())) == ("", 1)
    assert re.fullmatch(r"GPIO 17 +40 +[\d.]+/s\n", out)


def test_count_says_as_json_where_an_encoder_stands():
    out, _ = start("count", "17", "18", "--encoder", "--for", "1s", "--json", levels=[1, 0, 1]).communicate(
        timeout=LIMIT_S
    )
    found = json.loads(out)
    assert (found["gpio"], found["steps"], found["direction"], found["lost"]) == ("17 and 18", 1, 1, 0)
    assert found["last_ns"] > found["period_ns"] > 0


def test_watch_prints_falling_edges_as_json():
    out, _ = start("watch", "17", "--edge", "falling", "-n", "1", "--json").communicate(timeout=LIMIT_S)
    found = json.loads(out)
    assert (found["gpio"], found["level"], found["seq"]) == (17, 0, 1)


def test_watch_ends_quietly_when_its_reader_has_gone():
    with start("watch", "17", levels=[1, 0] * 50) as process:
        assert process.stdout.readline().endswith("GPIO 17  1\n")
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


ENDED = {
    # command: the status after Ctrl+C, what it has printed
    "watch 17": (0, r""),
    "count 17": (0, r"GPIO 17 +0 +0\.0/s\n"),
    "-w 17": (0, r"Waiting for interrupts \(exit with Ctrl\+C\) \.\.\.\n"),
    "pwm 18 100 50": (0, r""),
    "servo 17 1500": (0, r""),
    "write 17=1 -o --hold": (0, r""),
    "capture 17": (0, r"GPIO17 (?s:.*)\n0 edges in [\d.]+ [mu]?s\n"),
    "capture 17 --trigger 17:rising": (1, r""),
    "record 17 -o FOLDER/out.vcd": (0, r"0 edges in [\d.]+ [mu]?s, written to .*out\.vcd\n"),
    "replay FOLDER/long.vcd": (130, r""),
    "run FOLDER/dozing.py": (130, r""),
}


@pytest.mark.parametrize("command", ENDED)
def test_ctrl_c_ends_it_quietly(tmp_path, command):
    (tmp_path / "long.vcd").write_text(VCD.replace("#2000", "#99000000"))
    (tmp_path / "dozing.py").write_text("import time\ndef doze():\n    time.sleep(60)\ndoze()\n")
    status, out = ENDED[command]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command.replace("FOLDER", str(tmp_path)).split()],
        capture_output=True,
        text=True,
        env=ENV,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert re.fullmatch(out, done.stdout)
    assert "Traceback" not in done.stderr


# --- outputs that fail, terminals that can little

SHOWN = [
    # commands that print something
    "read 17",
    "mode 17",
    "watch 17 --for 20ms",
    "count 17 --for 20ms --every 5ms",
    "count 17 18 --for 20ms --encoder --json",
    "capture 17 --for 20ms",
    "capture 17 --for 20ms --json",
    "record 17 --for 20ms -o FOLDER/out.vcd",
    "replay --fast FOLDER/in.vcd",
    "pinout",
    "pinout --model 5B --json",
    "info",
    "i2c list",
    "i2c detect",
    "doctor",
    "completion zsh",
    "-i 17",
    "-I",
    "--sysinfo",
    "--version",
    "--help",
    "capture --help",
]
SILENT = ["write 17=1 -o", "pull 17 up", "pwm 18 100 50 --for 20ms", "servo 17 1500 --for 20ms"]
VCD = "$timescale 1 us $end $var wire 1 ! GPIO17 $end $enddefinitions $end #0 0! #1000 1! #2000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "in.vcd").write_text(VCD)
    return folder


def run(command, folder, stdout=subprocess.PIPE, **env):
    words = command.replace("FOLDER", str(folder)).split()
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={name: value for name, value in ENV.items() if name != "PYTHONUNBUFFERED"} | env,
        timeout=LIMIT_S,
        check=False,
    )
    out = (done.stdout or b"").decode(env.get("PYTHONIOENCODING", "utf-8"))
    return done.returncode, out, done.stderr.decode()


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", SHOWN)
def test_a_full_disk_is_told_in_one_line(folder, command, buffered):
    with open("/dev/full", "w") as full:
        status, _, err = run(command, folder, full, PYTHONUNBUFFERED=buffered)
    if command.startswith("watch"):
        assert (status, err) == (0, "")  # there was no edge
        return
    assert status == 1 or ("--help" in command and buffered)  # argparse does not look what became of it
    assert len(err.splitlines()) <= 1
    assert err.endswith("No space left on device\n") or "--help" in command


@pytest.mark.parametrize("command", [*SHOWN, *SILENT])
def test_a_reader_that_has_gone_is_no_error(folder, command):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status, _, err = run(command, folder, writer)
    finally:
        os.close(writer)
    assert status == 0
    assert "Error" not in err and "Exception" not in err


@pytest.mark.parametrize("command", [*SHOWN, *SILENT])
def test_without_any_stdout(folder, command):
    words = command.replace("FOLDER", str(folder))
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m RPIO {words} >&-"],
        stderr=subprocess.PIPE,
        env=ENV,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", [*SHOWN, *SILENT])
def test_a_narrow_terminal_without_utf8(folder, command):
    status, out, err = run(command, folder, COLUMNS="10", LINES="5", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert status == 0
    assert out.isascii() and "Traceback" not in err


@pytest.mark.parametrize(
    "command",
    [
        *(
            "read {}",
            "write {}=1",
            "mode {}",
            "pull {} up",
            "watch {}",
            "count {}",
            "pwm {} 100 50",
            "servo {} 1500",
        ),
        *("capture {}", "record {} -o FOLDER/x.vcd", "replay --map D0={} FOLDER/in.vcd"),
    ],
)
@pytest.mark.parametrize("pin", ["99", "9-7", "BOARD6", "J8:41", "seventeen", ""])
def test_every_verb_says_what_is_no_pin(rpio, capsys, folder, command, pin):
    words = [word.format(pin).replace("FOLDER", str(folder)) for word in command.split()]
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 2
    assert said.err.startswith(f"rpio {words[0]}: ")


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_every_verb_and_option(capsys, shell):
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    for name in index.VERBS:
        assert name in out
        for action in command.parser_of(name)._actions:
            for option in action.option_strings:
                assert option in out or (shell == "fish" and option.lstrip("-") in out)


def test_bash_completes(tmp_path):
    file = tmp_path / "rpio"
    file.write_text(completion.bash())
    code = f"""
        source {file}
        complete_words() {{ COMP_WORDS=(rpio "$@"); COMP_CWORD=$#; _rpio 2>/dev/null; echo "${{COMPREPLY[*]}}"; }}
        complete_words wa; complete_words pull 17 u; complete_words watch 17 --e
        complete_words who --o; complete_words read 17 --on ""; complete_words hold --on p
        complete_words info --backend s; complete_words token new --scope r; complete_words serve --st
    """
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host pi work\n    User me\nHost *.local\n    User you\n")
    done = subprocess.run(
        ["bash", "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stdout.splitlines() == [
        *("watch", "up", "--edge"),
        *("--on", "localhost pi work", "pi"),
        *("sysfs sim", "read run", "--stdio --starter --status"),
    ]
    assert done.stderr == ""


def test_a_watch_whose_time_is_over_before_it_begins_ends(rpio, monkeypatch):
    """The timer comes first, as it may on a busy machine."""
    wait = rpio.facade.wait_for_interrupts

    def begin_late():
        assert not wait_until(lambda: False, 0.05)
        wait()

    monkeypatch.setattr(rpio.facade, "wait_for_interrupts", begin_late)
    assert cli.main(["watch", "17", "--for", "1ms"]) == 0
