# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio-curses``: what it draws, as functions; then the program itself in tmux, keys sent and screens read back."""

import os
import signal
import time

import pytest

from RPIO import cli, constants, facade
from RPIO.cli.screens import curses_app, lines
from RPIO.cli.screens import curses_screen as screen
from terminal import Terminal, needs_tmux
from waiting import wait_until

SIZES = [
    (80, 24),
    (120, 50),
    (72, 10),
    (60, 12),
    (59, 12),
    (30, 8),
    (27, 7),
    (24, 6),
    (23, 6),
    (10, 5),
    (3, 2),
    (1, 1),
]


def state(count=26, **changes):
    """A screen with that many inputs, the first two of them outputs."""
    found = [
        lines.Line(gpio, gpio + 1, level=gpio % 2, pull=constants.PUD_OFF) for gpio in range(2, 2 + count)
    ]
    for line in found[:2]:
        line.function = constants.OUT
    return screen.State("rpio-curses  a board", found, **changes)


def text(rows):
    """Rows without their styles."""
    return ["".join(piece for piece, _ in row) for row in rows]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(
    "changes",
    [{}, {"menu": 0}, {"help": 0}, {"help": 99}, {"selected": 25, "menu": 4}, {"message": "é" * 200}],
    ids=["list", "menu", "help", "help's end", "end", "message"],
)
@pytest.mark.parametrize("utf8", [True, False], ids=["utf8", "ascii"])
def test_the_screen_is_exactly_as_big_as_the_terminal(width, height, changes, utf8):
    rows = text(screen.rows(state(**changes), width, height, utf8))
    assert {len(row) for row in rows} == {width}
    assert len(rows) <= height
    assert utf8 or all(row.isascii() for row in rows)


@pytest.mark.parametrize("selected", range(26))
@pytest.mark.parametrize("height", [6, 7, 12, 31, 40])
def test_the_chosen_line_is_always_in_the_list(selected, height):
    shown = [row for row in text(screen.rows(state(selected=selected), 40, height)) if "│>" in row]
    assert [row.split()[1 if row[2] == " " else 0].strip("│>") for row in shown] == [str(selected + 2)]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "rpio-curses  Raspberry Pi 4 Model B, simulated"),
        (46, "rpio-curses  Raspberry Pi 4 Model B, simulated"),
        (45, "Raspberry Pi 4 Model B, simulated"),
        (33, "Raspberry Pi 4 Model B, simulated"),
        (24, "Raspberry Pi 4 Model ..."),
        (4, "R..."),
        (2, "..."),
    ],
)
def test_a_title_without_room_is_the_board_and_shows_where_it_is_cut(width, shown):
    assert screen.title("rpio-curses  Raspberry Pi 4 Model B, simulated", width) == shown


@pytest.mark.parametrize("menu", range(5))
@pytest.mark.parametrize("width", [24, 80])
def test_the_chosen_entry_is_always_in_the_menu(menu, width):
    found = state(selected=2, menu=menu)
    label = lines.LABELS[lines.actions(found.line, found.features)[menu]]
    assert any(f"> {label}" in row for row in text(screen.rows(found, width, 6)))


def test_the_list_ends_and_the_menu_goes_round():
    found = state()
    screen.move(found, -1)
    assert found.selected == 0
    screen.move(found, 100)
    assert found.selected == 25
    found.menu = 0
    screen.move(found, -1)
    assert found.menu == len(lines.actions(found.line, found.features)) - 1


@pytest.mark.parametrize("width", [24, 40, 80])
def test_all_of_the_help_can_be_read_in_a_small_terminal(width):
    found, seen = state(help=0), ""
    for _ in range(40):
        seen += " ".join(text(screen.rows(found, width, 6)))
        screen.move(found, 1)
    assert {word for line in screen.HELP for word in line.split()} <= {*seen.replace("│", " ").split()}


NO_FEATURES, ALL = frozenset(), frozenset({"pulls", "pwm"})


@pytest.mark.parametrize(
    ("line", "features", "want"),
    [
        (lines.Line(2), ALL, "output up down off back"),
        (lines.Line(2), NO_FEATURES, "output back"),
        (lines.Line(2, function=constants.OUT), ALL, "input high low pwm back"),
        (lines.Line(2, function=constants.OUT), NO_FEATURES, "input high low back"),
        (lines.Line(2, function=constants.OUT, duty=50), ALL, "more less no pwm high low input back"),
        (lines.Line(2, function=constants.ALT0), ALL, "input output back"),
        (lines.Line(2, function=constants.UNKNOWN), ALL, "input output back"),
    ],
)
def test_the_menu_fits_the_function(line, features, want):
    assert " ".join(lines.actions(line, features)) == want
    assert {*lines.actions(line, features)} <= {*lines.LABELS}


def test_a_level_that_cannot_be_read_is_a_dash():
    assert lines.level_of(lines.Line(2, level=None))[0] == "-"
    assert [lines.level_of(lines.Line(2, level=level))[0] for level in (0, 1)] == ["Low", "High"]


@pytest.mark.parametrize(
    ("words", "variable", "used"),
    [
        ([], "regs", []),
        (["--backend", "cdev"], "", ["cdev"]),
        (["dev"], "regs", ["sim"]),
        (["no_rpio"], "sim:3B", []),
        (["dev", "no_thread", "--backend", "sim:5B"], "", ["sim:5B"]),
    ],
)
def test_dev_touches_no_hardware(rpio, capsys, monkeypatch, words, variable, used):
    """It ends for want of a terminal, after it has chosen."""
    chosen = []
    monkeypatch.setenv("RPIO_BACKEND", variable)
    monkeypatch.setattr(facade, "use", chosen.append)
    assert cli.main(["curses", *words]) == 2
    assert chosen == used


def test_looking_takes_no_line_and_changes_none(rpio):
    backend = rpio.facade.board.backend
    before = [(backend.function(n), backend.pull(n), backend.read(n)) for n in range(28)]
    app = curses_app.App()
    app.look()
    assert [(backend.function(n), backend.pull(n), backend.read(n)) for n in range(28)] == before
    assert not rpio.facade.board.book.directions
    assert not len(rpio.facade.board.watched)


def test_an_input_set_here_is_watched_and_others_are_not(rpio):
    app = curses_app.App()
    app.state.selected = 15  # GPIO 17
    app.act(lines.UP)
    assert (app.state.line.gpio, app.state.line.is_live, app.state.line.level) == (17, True, 1)
    assert rpio.facade.board.backend.pull(17) == rpio.PUD_UP
    rpio.sim.drive(17, 0)
    rpio.sim.drive(18, 1)
    rpio.facade.board.dispatcher.step(0.5)
    assert [app.lines.by_gpio[gpio].level for gpio in (17, 18)] == [0, 0]
    app.look()
    assert app.lines.by_gpio[18].level == 1
    app.act(lines.OUTPUT)
    assert not app.state.line.is_live
    app.act(lines.INPUT)
    assert app.state.line.is_live


def test_pwm_begins_changes_and_ends(rpio):
    app = curses_app.App()
    app.state.selected = 15
    app.act(lines.MORE)  # nothing to change
    app.act(lines.OUTPUT)
    app.act(lines.PULSES)
    app.act(lines.MORE)
    assert (app.state.line.duty, app.state.message) == (55, "")
    assert app.lines.last_words("rpio-curses") == ["GPIO 17: the PWM ends with rpio-curses"]
    app.act(lines.HIGH)
    assert (app.state.line.duty, app.state.line.level, app.state.message) == (None, 1, "")
    assert len(app.lines.last_words("rpio-curses")) == 1


def test_a_menu_of_a_function_of_the_past_closes(rpio):
    app = curses_app.App()
    app.state.menu = 0
    app.look()
    assert app.state.menu == 0
    rpio.facade.board.backend.set_function(2, rpio.ALT0)
    app.look()
    assert (app.state.menu, app.state.message) == (None, "GPIO 2 has become ALT0 from elsewhere")


def test_a_line_that_others_hold_is_left_to_them(rpio, monkeypatch):
    def busy(line):
        raise rpio.LineBusyError(f"GPIO {line} is in use by spi")

    backend = rpio.facade.board.backend
    monkeypatch.setattr(backend, "read", busy)
    monkeypatch.setattr(backend, "consumer", lambda line: "spi0 CS0")
    app = curses_app.App()
    assert (app.state.line.level, app.state.line.holder) == (None, "spi0 CS0")
    assert ("Held by", "spi0 CS0") in list(lines.facts_of(app.state.line, app.state.refresh))


def test_the_last_words_say_what_becomes_of_outputs(rpio, monkeypatch):
    app = curses_app.App()
    assert app.lines.last_words("rpio-curses") == []
    app.act(lines.OUTPUT)
    for name, want in (
        ("regs", "stay as they are, driven"),
        ("cdev", "are the program's only while it runs"),
    ):
        monkeypatch.setattr(rpio.facade.board.backend, "name", name)
        assert f"GPIO 2, set to output: such lines {want}" in app.lines.last_words("rpio-curses")[0]


def test_a_refusal_is_a_message(rpio, monkeypatch):
    def refuse(*_):
        raise rpio.LineBusyError("GPIO 2 is in use by spi")

    app = curses_app.App()
    monkeypatch.setattr(rpio.facade.board.backend, "set_output", refuse)
    app.act(lines.OUTPUT)
    assert app.state.message == "GPIO 2 is in use by spi"


def test_without_a_terminal_it_says_so(rpio, capsys, monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    assert cli.main(["curses"]) == 2
    assert (
        capsys.readouterr().err == "rpio-curses: it needs a terminal\nwithout one: rpio -I shows all lines\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["sideways"], "there is no mode 'sideways', only dev, no_rpio, no_thread"),
        (["dev", "--backend", "regs"], "dev is a simulated board, and --backend regs is none"),
    ],
)
def test_modes_that_cannot_be(rpio, capsys, words, text):
    assert cli.main(["curses", *words]) == 2
    assert capsys.readouterr().err == f"rpio-curses: {text}\nsee: rpio-curses --help\n"


# -- the program itself -----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path):
    with Terminal(tmp_path, "curses") as found:
        yield found


@needs_tmux
def test_keys_and_menus(terminal):
    terminal.start()
    terminal.keys("Down", "Down", "Enter")
    terminal.wait("GPIO 4 INPUT", "> Set to OUTPUT")
    terminal.keys("Enter")
    terminal.wait(">   4    7  OUTPUT    Low")
    terminal.keys("Right", "Down", "Enter")
    terminal.wait(">   4    7  OUTPUT    High")
    terminal.keys("Enter", "Down", "Down", "Down", "Enter", "+", "+", "-")
    terminal.wait(">   4    7  OUTPUT    55 %", "100 Hz, 55 % high")
    terminal.keys("Enter")
    terminal.wait("> Duty + 5 %")
    terminal.keys("Escape")
    assert wait_until(lambda: "> Duty" not in terminal.screen())
    terminal.keys("h")
    terminal.wait("this help", "any other key")
    terminal.keys("x", "Home", "Enter", "Down", "Down", "Enter")
    terminal.wait(">   2    3  INPUT     High", "live, by edges")  # the resistor on the board wins
    terminal.keys("End")
    terminal.wait(">  27", "8-26 of 26")
    terminal.keys("q")
    assert "GPIO 4: the PWM ends" in terminal.end(0)


@needs_tmux
@pytest.mark.slow
def test_edges_show_at_once_and_other_lines_within_a_second(terminal):
    terminal.start(has_fifo=True)
    terminal.keys("Enter", "Down", "Enter")
    terminal.wait("live, by edges")
    with open(terminal.folder / "fifo", "w") as fifo:
        took_s = []
        for level, name in (0, "Low"), (1, "High"), (0, "Low"):
            print(f"2 {level}", file=fifo, flush=True)
            began = time.monotonic()
            terminal.wait(f">   2    3  INPUT     {name}")
            took_s.append(time.monotonic() - began)
        assert min(took_s) < 0.8  # a busy machine may miss that, but not three times
        print("9 1", file=fifo, flush=True)
        terminal.wait("    9   21  INPUT     High")


@needs_tmux
def test_no_thread_looks_at_a_key_only(terminal):
    terminal.start("no_thread", has_fifo=True)
    with open(terminal.folder / "fifo", "w") as fifo:
        print("9 1", file=fifo, flush=True)
    time.sleep(1.3)  # longer than lines stay unread otherwise
    assert "    9   21  INPUT     Low" in terminal.screen()
    terminal.keys("Down")
    terminal.wait("    9   21  INPUT     High")


@needs_tmux
def test_small_terminals_and_resizing(terminal):
    terminal.start(width=10, height=5, ready="too small")
    assert terminal.screen().split("\n")[:5] == ["too small:", "10x5", "needs", "24x6", "q: quit"]
    terminal.tmux("resize-window", "-x", "40", "-y", "8")
    terminal.wait(">   2    3  INPUT     High", "1-3 of 26")
    terminal.keys("NPage", "NPage")
    terminal.wait(">   8 ")
    terminal.tmux("resize-window", "-x", "100", "-y", "32")
    terminal.wait("─ GPIO 8 ─", "   27   13  INPUT")
    terminal.tmux("resize-window", "-x", "2", "-y", "1")
    time.sleep(0.3)  # there is no text to wait for in a window of 2 by 1
    terminal.tmux("resize-window", "-x", "60", "-y", "20")
    terminal.wait("─ GPIO 8 ─")
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
def test_ctrl_c_leaves_the_terminal_as_it_was(terminal):
    terminal.start()
    terminal.keys("Enter", "C-c")
    terminal.end(130)


@needs_tmux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_signals_leave_the_terminal_as_it_was(terminal, number):
    terminal.start()
    os.kill(terminal.pid(), number)
    terminal.end(128 + number)


@needs_tmux
@pytest.mark.parametrize("names", [{"LC_ALL": "C"}, {"LC_ALL": "", "LANG": "C"}], ids=["LC_ALL", "LANG"])
def test_the_c_locale_has_ascii_borders(terminal, names):
    found = terminal.start(**names).screen()
    assert found.isascii()
    assert "+- GPIOs ---" in found
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
@pytest.mark.parametrize(
    ("names", "has_colours"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "vt100"}, False)],
    ids=["colours", "NO_COLOR", "vt100"],
)
def test_colours(terminal, names, has_colours):
    terminal.start(**names)
    terminal.wait("High")
    assert ("\x1b[32m" in terminal.screen("-e") or "[1m\x1b[32m" in terminal.screen("-e")) == has_colours
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
def test_an_unknown_terminal_is_a_message(terminal):
    assert "TERM=nonsense" in terminal.start(TERM="nonsense", ready="curses cannot use").end(1)


@needs_tmux
def test_a_model_that_is_none_is_a_message(terminal):
    assert "9Z" in terminal.start("--backend", "sim:9Z", ready="9Z").end(2)


@needs_tmux
@pytest.mark.slow
def test_it_takes_under_one_percent_of_a_core_when_nothing_moves(terminal):
    terminal.start()
    terminal.keys("Enter", "Down", "Enter")
    terminal.wait("live, by edges")
    percent = terminal.percent_of_a_core(3)
    print(f"idle: {percent:.2f} % of a core")
    assert percent < 1
