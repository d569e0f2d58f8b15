# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: the original's outputs and exit codes, as a table of cases; then the program as people run it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from RPIO import cli, facade
from RPIO.cli import classic, command, index, options
from RPIO.constants import OUT
from RPIO.machine.boards import by_name
from support import is_asleep, native
from waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[2]

ALL_4B = "".join(
    f"GPIO {n}: INPUT  ({int(n in (2, 3, 4, 5, 6, 7, 8))})\n" for n in by_name("4B").header_lines
)

CASES = [
    # arguments, status, stdout, stderr
    (["-i", "7"], 0, "GPIO 7: INPUT  (1)\n", ""),
    (["--inspect", "7,9"], 0, "GPIO 7: INPUT  (1)\nGPIO 9: INPUT  (0)\n", ""),
    (["-i", "7,99"], 0, "GPIO 7: INPUT  (1)\n", "GPIO 99: does not exist\n"),
    (["-i", "26-29"], 0, "GPIO 26: INPUT  (0)\nGPIO 27: INPUT  (0)\n", ""),
    (["-I"], 0, ALL_4B, ""),
    (["--inspect-all"], 0, ALL_4B, ""),
    (["-i", "9-7"], 2, "", "the range 9-7 runs backwards; did you mean 7-9?\n"),
    (["-i", "seven"], 2, "", "'seven' is not a GPIO number; see: rpio --help\n"),
    (
        ["-s", "7:1"],
        1,
        "",
        "Cannot output to GPIO 7, because it is setup as INPUT. Use --setoutput 7 first.\n",
    ),
    (["-s", "99:1"], 5, "", "GPIO 99: not a valid gpio-id for this board\n"),
    (["-s", "7"], 2, "", "'7': the value is missing; for example: rpio -s 7:1\n"),
    (["-s", "7:2"], 2, "", "'2' is not a level: use 0 or 1\n"),
    (["--setoutput", "8:1", "-i", "8"], 0, "GPIO 8: OUTPUT (1)\n", ""),
    (["--setoutput", "8", "-i", "8"], 0, "GPIO 8: OUTPUT (0)\n", ""),
    (["--setoutput", "8:1", "-s", "8:0"], 0, "", ""),
    (
        ["--setoutput", "8:1", "-w", "7,8"],
        1,
        "",
        "Cannot watch GPIO 8, because it is setup as OUTPUT. Use --setinput 8 first.\n",
    ),
    (["--setoutput", "50"], 5, "", "GPIO 50: not a valid gpio-id for this board\n"),
    (["--setinput", "9:pullup", "-i", "9"], 0, "GPIO 9: INPUT  (1)\n", ""),
    (["--setinput", "7:pulldown", "-i", "7"], 0, "GPIO 7: INPUT  (0)\n", ""),
    (["--setinput", "7:pulloff"], 0, "", ""),
    (["--setinput", "7:up"], 1, "", "Error: 'up' not (pullup, pulldown, pulloff)\n"),
    (["-w", "99"], 5, "", "GPIO 99: not a valid gpio-id for this board\n"),
    (
        ["-w", "7:sideways"],
        2,
        "",
        "'sideways' is neither an edge (rising, falling, both) nor a pull (pullup, pulldown, pulloff)\n",
    ),
    (["--version"], 0, "RPIO v1.0.0.dev0 (gpio-lib v1.0.0.dev0/0.7.1)\n", ""),
    (["--sysinfo"], 0, "c03114: Model 4B, Revision 1.4, RAM: 4096 MB, Maker: Sony UK\n", ""),
]


@pytest.mark.parametrize(("arguments", "status", "out", "err"), CASES, ids=[" ".join(c[0]) for c in CASES])
def test_outputs_and_exit_codes(rpio, capsys, arguments, status, out, err):
    assert cli.main(arguments) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (out, err)


@pytest.mark.parametrize("model", ["A", "B"])
def test_sysinfo_of_old_boards_is_the_originals(rpio, capsys, model):
    rpio.use(f"sim:{model}")
    cli.main(["--sysinfo"])
    code = rpio.RPI_REVISION_HEX
    name, revision, memory_mb, maker = rpio.MODEL_DATA[code.lstrip("0")]
    assert capsys.readouterr().out == (
        f"{code}: Model {name}, Revision {revision}, RAM: {memory_mb} MB, Maker: {maker}\n"
    )


def test_without_options_it_helps(rpio, capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    for option in (
        "-i",
        "-I",
        "-w",
        "-s",
        "--setinput",
        "--setoutput",
        "--sysinfo",
        "--version",
        "-v",
        "examples:",
    ):
        assert option in out


def test_an_unknown_option_is_status_2(rpio, capsys):
    with pytest.raises(SystemExit) as e:
        cli.main(["--update-rpio"])
    assert e.value.code == 2
    assert "unrecognized arguments: --update-rpio" in capsys.readouterr().err


def test_an_unknown_verb_is_told_the_verbs(rpio, capsys):
    assert cli.main(["xyzzy", "-i", "7"]) == 2
    assert capsys.readouterr().err == (
        f"rpio: there is no verb 'xyzzy', only {', '.join(index.VERBS)}\nsee: rpio --help\n"
    )


def test_the_usage_has_the_verbs(rpio, capsys):
    assert cli.main([]) == 0
    usage = capsys.readouterr().out.partition("\n\n")[0]
    assert usage == "usage: rpio [OPTION ...]\n       rpio VERB ..."


def test_the_help_has_every_verb(rpio, capsys):
    cli.main([])
    out = capsys.readouterr().out
    for verb, row in index.VERBS.items():
        assert f"  rpio {verb:<13}{row[1]}\n" in out


def test_a_busy_line_says_who_and_what_to_do(rpio, capsys, monkeypatch):
    def busy(*a):
        raise rpio.LineBusyError(
            16, "GPIO 17 is in use by 'spi0 CS0'", "/dev/gpiochip0", hint="end that program"
        )

    monkeypatch.setattr(rpio.facade.board.backend, "set_output", busy)
    assert cli.main(["--setoutput", "17"]) == 1
    assert capsys.readouterr().err == "GPIO 17 is in use by 'spi0 CS0'\nend that program\n"


# -- where nothing opens ------------------------------------------------------------------------------------


@pytest.fixture
def shut(rpio, monkeypatch):
    """A board that is known, whose chip this user may not open."""
    error = rpio.NoAccessError(
        13, "No access to /dev/gpiochip0 (root:gpio, 0660)", "/dev/gpiochip0", hint="usermod"
    )

    def refused(spec):
        raise error

    monkeypatch.setattr("RPIO.backends.opening.open_board", refused)
    return error


def test_without_rights_the_pinout_is_the_header_and_says_what_is_missing(shut, capsys):
    assert cli.main(["pinout", "--model", "4B"]) == 0
    header = capsys.readouterr().out
    assert cli.main(["pinout"]) == 0
    said = capsys.readouterr()
    assert said.out == header
    assert said.err == f"without functions and levels: {shut.strerror}; see: rpio doctor\n"
    assert cli.main(["pinout", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["live"] is False


def test_without_rights_info_shows_all_that_is_known_and_why_nothing_is_driven(shut, capsys):
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["backend"], found["features"]) == (None, [])
    assert found["driven_by"] == f"nothing: {shut.strerror}; see: rpio doctor"
    assert found["kernel"] == os.uname().release
    assert cli.main(["info"]) == 0


def test_without_rights_a_verb_names_the_file_once_and_one_advice(shut, capsys):
    assert cli.main(["read", "17"]) == 1
    assert capsys.readouterr().err == f"rpio read: {shut.strerror}\nusermod\n"


# -- what people try first ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["help"], ["--help"]),
        (["help", "read"], ["read", "--help"]),
        (["version"], ["--version"]),
        (["-V"], ["--version"]),
        (["--backend", "sim", "read", "--help"], ["read", "--help"]),
    ],
)
def test_help_and_version_by_any_name(rpio, capsys, typed, meant):
    outs = []
    for words in typed, meant:
        try:
            status = cli.main(words)
        except SystemExit as e:
            status = e.code
        assert not status
        outs.append(capsys.readouterr())
    assert outs[0] == outs[1]
    assert outs[0].out


def test_help_of_what_is_no_verb_names_the_nearest(rpio, capsys):
    assert cli.main(["help", "raed"]) == 2
    assert capsys.readouterr().err.endswith("did you mean: rpio read\n")


@pytest.mark.parametrize(
    "words", [["--backend"], ["--backend", "read"], ["-v"], ["--backend=sim", "-i", "7"]]
)
def test_options_without_a_verb_behind_them_stay_the_originals(rpio, words):
    assert command._verb_first(words) == words


# -- levels that are not there ------------------------------------------------------------------------------


def holds(monkeypatch, rpio, holder):
    def read(line):
        raise rpio.errors.NotSupportedError("not held")

    backend = rpio.facade.board.backend
    backend.set_output(17, 0)
    monkeypatch.setattr(backend, "read", read)
    monkeypatch.setattr(backend, "consumer", lambda line: holder)


def test_the_level_of_an_output_that_nobody_holds_is_not_anybodys(rpio, capsys, monkeypatch):
    holds(monkeypatch, rpio, "")
    assert cli.main(["read", "17"]) == 1
    said = capsys.readouterr()
    assert said.out == "GPIO 17: -\n"
    assert said.err == (
        "rpio read: GPIO 17 is an output that nobody holds, and the kernel tells the level of one to its holder alone: "
        "rpio mode 17 out takes it over without a change of level\n"
    )


def test_a_level_that_the_chip_does_not_tell_has_the_chips_reason(rpio, capsys, monkeypatch):
    holds(monkeypatch, rpio, "")
    rpio.facade.board.backend.set_input(17, None)
    assert cli.main(["read", "17"]) == 1
    assert capsys.readouterr().err == "rpio read: not held\n"


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["mode", "17", "out"], "may switch it to input"),
        (["mode", "17", "in"], "need not keep its pull"),
        (["pull", "17", "up"], "need not keep its pull"),
    ],
)
def test_what_ends_with_the_command_is_said_of_what_the_line_is(rpio, capsys, monkeypatch, words, ends):
    monkeypatch.setattr(rpio.facade.board.backend, "holds_alone", True)
    assert cli.main(words) == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"GPIO 17: the kernel takes the line back when rpio ends, and {ends}"
    )


def test_the_level_of_a_line_of_somebody_else_names_that_one(rpio, capsys, monkeypatch):
    holds(monkeypatch, rpio, "fan")
    assert cli.main(["read", "17"]) == 1
    assert capsys.readouterr().err == (
        "rpio read: GPIO 17: only who holds it can read it, and that is 'fan'\nsee: rpio doctor\n"
    )


@pytest.mark.parametrize("words", [["-I"], ["pinout"]])
def test_levels_that_are_not_looked_at_have_their_reason(rpio, capsys, monkeypatch, words):
    assert cli.main(words) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(rpio.facade.board.lines, "may_peek", lambda line: line != 4)
    assert cli.main(words) == 0
    assert capsys.readouterr().err == (
        "-: not looked at, since the line may have another function, which a look would end; rpio read N looks all the "
        "same\n"
    )


AT_ONCE = [
    *(["-i", word] for word in ("17", "4,17", "2-8", "8-2", "99", "x", "", "17,99")),
    *(["-s", word] for word in ("17:1", "18:1", "18", "18:2", "99:1", ":", "")),
    *(["--setinput", word] for word in ("17", "17:pullup", "17:x", "99", "")),
    *(["--setoutput", word] for word in ("17", "17:1", "17:2", "99", "")),
]


@pytest.mark.parametrize("words", AT_ONCE, ids=" ".join)
def test_what_is_done_at_once_is_what_argparse_would_have_done(words, capsys):
    def said(carry_out):
        facade.new_board()
        facade.use("sim:4B")
        facade.setup(18, OUT, initial=0)
        status = carry_out(words)
        return (
            status,
            capsys.readouterr(),
            facade.gpio_function(17),
            facade.forceinput(17),
            facade.forceinput(18),
        )

    assert set(index_of_actions(command.AT_ONCE.values())) <= set(options.ACTIONS)
    assert said(cli.main) == said(classic.run)
    facade.new_board()


def index_of_actions(names):
    return [(name, action) for name, action in options.ACTIONS if action.__name__ in names]


def test_a_short_run_loads_no_argparse():
    code = "import sys; from RPIO import cli; cli.main(['-i', '17']); print('argparse' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENV, timeout=LIMIT_S, check=False
    )
    assert done.stdout.endswith(")\nFalse\n"), done.stderr


# -- as people run it ---------------------------------------------------------------------------------------

ENV = {**os.environ, "RPIO_BACKEND": "sim:4B"}
RPIO_COMMAND = [sys.executable, "-m", "RPIO.cli"]


def test_the_installed_command_is_the_same():
    command = os.path.join(os.path.dirname(sys.executable), "rpio")
    done = subprocess.run(
        [command, "-i", "17"], capture_output=True, text=True, env=ENV, timeout=LIMIT_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "GPIO 17: INPUT  (0)\n", "")


def test_the_package_is_the_command_too():
    command = [sys.executable, "-m", "RPIO", "-i", "17"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "GPIO 17: INPUT  (0)\n", "")


@pytest.mark.parametrize("arguments", [["-i", "17"], ["doctor"]])
def test_a_model_that_is_none_is_told_the_models(arguments):
    done = subprocess.run(
        [*RPIO_COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=ENV | {"RPIO_BACKEND": "sim:9Z"},
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "There is no Raspberry Pi '9Z'" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_ends_it_quietly():
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' '.join(RPIO_COMMAND)} -I | head -1"],
        capture_output=True,
        text=True,
        env=ENV,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("GPIO 2: INPUT  (1)\n", "")


def test_watching_ends_quietly_with_ctrl_c():
    process = subprocess.Popen(
        [*RPIO_COMMAND, "-w", "7:rising,9:falling:pullup"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENV,
    )
    assert process.stdout.readline() == b"Waiting for interrupts (exit with Ctrl+C) ...\n"
    assert wait_until(lambda: is_asleep(process.pid))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_watching_prints_edges(rpio, capsys):

    rpio.sim.drive(7, 0)
    rpio.add_interrupt_callback(8, lambda *a: rpio.stop_waiting_for_interrupts())
    import threading

    def world():
        wait_until(lambda: rpio.facade.board.waiting.made and rpio.facade.board.waiting.made.running)
        rpio.sim.drive(7, 1)
        rpio.sim.drive(8, 0)

    thread = threading.Thread(target=world)
    thread.start()
    options.watch("7:rising")
    thread.join()
    assert "GPIO 7 interrupt: value = 1\n" in capsys.readouterr().out


def test_verbose_logs_and_shows_tracebacks():
    done = subprocess.run(
        [*RPIO_COMMAND, "-v", "-i", "7"],
        capture_output=True,
        text=True,
        env=ENV | {"RPIO_BACKEND": "cdev:nope"},
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    quiet = subprocess.run(
        [*RPIO_COMMAND, "-i", "7"],
        capture_output=True,
        text=True,
        env=ENV | {"RPIO_BACKEND": "cdev:nope"},
        timeout=LIMIT_S,
        check=False,
    )
    assert quiet.returncode == 1
    assert "Traceback" not in quiet.stderr
    assert "there is no gpiochip 'nope' here" in quiet.stderr


@native("the time of a process is that of its translation")
@pytest.mark.slow
def test_a_short_run_takes_little_longer_than_python_itself():
    """Ten tries: other programs on a test machine have the processor, for longer than a try takes."""
    for _ in range(10):
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench" / "startup.py")],
            capture_output=True,
            check=True,
            timeout=LIMIT_S,
        )
        found = json.loads(done.stdout)
        if found["rpio -i 17"] <= 2.3 * found["nothing"]:
            break
    assert found["rpio -i 17"] <= 2.3 * found["nothing"]
