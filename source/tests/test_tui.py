# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tui``: waves, log and columns as functions; the program by Textual's pilot; then the program itself in tmux.

``PYTHONPATH=source/tests python source/tests/test_tui.py`` takes the picture of the documents anew.
"""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from html import unescape
from pathlib import Path

import pytest

import RPIO
from RPIO import cli
from RPIO._gpio import EdgeEvent
from RPIO.cli import screens
from RPIO.cli.screens import journal, lines, trace, tui, tui_app, tui_parts, tui_table
from support import IS_WHOLE
from terminal import Terminal, needs_tmux
from waiting import LIMIT_S, wait_until

PICTURE = Path(__file__).parents[2] / "doc" / "tui.svg"
STEP = trace.COLUMN_NS


# -- waves ------------------------------------------------------------------------------------------------------


def drawn(*seen, now=10, width=6):
    """The wave of levels that were seen, each (column, level)."""
    found = trace.Trace()
    for column, level in seen:
        found.see(int(column * STEP), level)
    return found.text(now * STEP, width)


@pytest.mark.parametrize(
    ("seen", "want"),
    [
        ([], "      "),
        ([(0, 0)], "▁▁▁▁▁▁"),
        ([(0, 1)], "▆▆▆▆▆▆"),
        ([(7, 1)], "  ▆▆▆▆"),
        ([(0, 0), (7, 1)], "▁▁│▆▆▆"),
        ([(0, 0), (7, 1), (9, 0)], "▁▁│▆│▁"),
        ([(0, 0), (7, 1), (7.5, 0)], "▁▁▒▁▁▁"),
        ([(0, 0), (10, 1)], "▁▁▁▁▁│"),
        ([(0, 0), (10.9, 1), (9, 0)], "▁▁▁▁▁▒"),  # late: of the last column
        ([(0, 0), (7, None), (9, 1)], "▁▁  ▆▆"),
        ([(0, 0), (7, trace.PULSES), (9, 0)], "▁▁▒▒▁▁"),
        ([(0, 1), (3, 0), (4, 1)], "▆▆▆▆▆▆"),
        ([(0, 0), (5, 1)], "│▆▆▆▆▆"),
        ([(0, 0), (11, 1)], "▁▁▁▁▁▁"),  # after now
    ],
)
def test_a_wave_is_drawn_column_by_column(seen, want):
    assert drawn(*seen) == want


def test_a_wave_keeps_so_many_columns_and_no_more():
    found = trace.Trace()
    for column in range(5000):
        for part in range(3):
            found.see(column * STEP + part, (column + part) % 2)
    assert len(found._columns) == trace.COLUMNS
    width = trace.COLUMNS + 50
    assert found.text(4999 * STEP, width)[-trace.COLUMNS :] == "▒" * trace.COLUMNS


def test_a_wave_moves_until_its_last_edge_has_left():
    found = trace.Trace()
    assert not found.moves(0, 6)
    found.see(5 * STEP, 1)
    assert [found.moves(n * STEP, 6) for n in (5, 10, 11, 12)] == [True, True, True, False]


# -- the log ----------------------------------------------------------------------------------------------------


def edges(gpio, count, first_ns=0, step_ns=1_000_000):
    return [EdgeEvent((gpio, (n + 1) % 2, first_ns + n * step_ns, n + 1)) for n in range(count)]


@pytest.fixture
def clock(monkeypatch):
    """The time of the day is that of the kernel's clock, in Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield lambda: 0
    monkeypatch.undo()
    time.tzset()


def test_edges_have_their_time_and_what_has_passed(clock):
    found = journal.Journal(clock, clock)
    for event in edges(17, 2, 3_723_000_001_000):
        found.edge(event)
    assert found.take() == [
        ("01:02:03.000001  GPIO 17  ↑ High", "edge"),
        ("01:02:03.001001  GPIO 17  ↓ Low   after 1 ms", "edge"),
    ]
    assert found.take() == []


@pytest.mark.parametrize(
    ("count", "rows", "last"),
    [(4, 4, "after 1 ms"), (5, 5, "GPIO 4   ↑ High"), (1000, 5, "GPIO 4   ↓ Low   and 995 edges before it")],
)
def test_a_fast_line_gets_a_few_rows(clock, count, rows, last):
    found = journal.Journal(clock, clock)
    for event in edges(4, count):
        found.edge(event)
    taken = found.take()
    assert len(taken) == rows
    assert taken[-1][0].endswith(last)


def test_the_log_is_bounded_and_printable(clock):
    found = journal.Journal(clock, clock)
    for number in range(2000):
        found.say(f"\x1b[31m {number}\nsecond", "error")
    taken = found.take()
    assert len(taken) == journal.ROWS
    assert taken[-2:] == [("00:00:00.000000  ?[31m 1999", "error"), ("00:00:00.000000  second", "error")]


# -- the table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", range(0, 160))
def test_columns_fit(width):
    found = tui_table.columns(width)
    x = 0
    for column in found:
        assert column.x == x
        x += column.width
    assert x <= width
    names = [column.name for column in found]
    assert names == [name for name in tui_table.WIDTHS if name in names]
    if "wave" in names:
        assert x == width


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (4, []),
        (5, ["GPIO"]),
        (7, ["GPIO", "Level"]),
        (22, ["", "GPIO", "Level"]),
        (28, ["", "Pin", "GPIO", "Function", "Level"]),
        (49, ["", "Pin", "GPIO", "Function", "Pull", "Level", "wave"]),
        (90, [*tui_table.WIDTHS]),
    ],
)
@pytest.mark.slow
def test_the_least_dispensable_columns_come_first(width, names):
    assert [column.name for column in tui_table.columns(width)] == names


# -- the program, by its pilot ----------------------------------------------------------------------------------


@pytest.fixture
def board(monkeypatch, rpio):
    """RPIO on a simulated board, as the environment of a terminal is."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    return rpio


class Pilot:
    """The program while it is being driven."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot
        self.press, self.click, self.pause = pilot.press, pilot.click, pilot.pause

    async def until(self, done, what=""):
        """Wait until done(); what is on the screen is told where that does not come true."""
        end = time.monotonic() + LIMIT_S
        while not done():
            assert time.monotonic() < end, f"{what}\n{self.screen()}"
            await self.pilot.pause(0.01)

    async def shows(self, *texts):
        """Wait until all of it is on the screen."""

        def is_there():
            screen = self.screen()
            return all(text in screen for text in texts)

        await self.until(is_there, texts)

    def screen(self):
        """What is on it. A picture of it would say the same, and takes five times as long."""
        return "\n".join(self.rows())

    def rows(self):
        """The same by rows."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    def row(self, gpio):
        """The row of a line in the table, from its pin on."""
        table = self.app.table
        index = [line.gpio for line in table.lines].index(gpio)
        return "".join(text for text, _ in table._cells(index)).strip(" >")

    async def choose(self, gpio):
        """Go to a line, as a click on it does: by keys there is a picture for each line on the way."""
        table = self.app.table
        table.choose([line.gpio for line in table.lines].index(gpio))
        await self.pause()
        assert table.line.gpio == gpio

    async def click_row(self, gpio, column):
        """Click a line in one of its columns."""
        table = self.app.table
        index = [line.gpio for line in table.lines].index(gpio)
        at = next(c for c in table.columns if c.name == column)
        x = table.region.x + table.gutter.left + at.x + 1
        y = table.region.y + table.gutter.top + 1 + index - table.scroll_offset.y
        assert await self.pilot.click(offset=(x, y))

    async def click_entry(self, label):
        """Click an entry of the menu."""
        entry = next(e for e in self.app.side.entries if lines.LABELS[e.menu_action] == label)
        assert await self.pilot.click(offset=entry.region.offset)

    def log(self):
        """The rows of the log without their times."""
        return [text.partition("  ")[2] for text, _ in self.app.rows.rows]

    async def resize(self, width, height):
        """Have a terminal of another size."""
        await self.pilot.resize_terminal(width, height)
        await self.until(lambda: self.app.table.size.width <= width and self.app._room == (width, height))


def drive(test, size=(100, 30), **arguments):
    """Run the program, and test(pilot) in it; its status."""

    async def run():
        app = tui_app.App(**arguments)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await test(Pilot(app, pilot))
        return app.return_code

    return asyncio.run(run())


def text_of(svg):
    """The rows of text of a screenshot."""
    rows = {}
    for x, y, text in re.findall(
        r'<text [^>]*?x="([\d.]+)" y="([\d.]+)" textLength[^>]*>([^<]*)</text>', svg
    ):
        row = rows.setdefault(float(y), [])
        column = round(float(x) / 12.2)
        row += " " * (column - len(row))
        row[column:] = unescape(text).replace("\xa0", " ")
    return ["".join(row).rstrip() for _, row in sorted(rows.items())]


@pytest.mark.slow
def test_lines_are_in_the_order_of_the_header(board):
    async def test(p):
        assert [line.gpio for line in p.app.table.lines][:6] == [2, 3, 4, 14, 15, 17]
        await p.shows("rpio tui  simulated Raspberry Pi 4 Model B (58 lines)", "Pin GPIO Function Pull Level")
        assert p.row(2).startswith("3    2 INPUT    up   ● High")
        assert p.row(14).startswith("8   14 INPUT    down ○ Low")

    drive(test)


@pytest.mark.slow
def test_keys_move(board):
    async def test(p):
        table = p.app.table
        for keys, want in [
            (["down", "down"], 2),
            (["up"], 1),
            (["up", "up", "up"], 0),
            (["end"], 25),
            (["down"], 25),
            (["home"], 0),
            (["pagedown"], table.size.height - 1),
            (["pageup"], 0),
        ]:
            await p.press(*keys)
            assert table.selected == want, keys
        await p.press("end")
        await p.shows(">  40   21 INPUT", " GPIO 21 ")

    drive(test)


@pytest.mark.slow
def test_the_menu_by_keys(board):
    async def test(p):
        await p.choose(4)
        await p.press("enter")
        await p.shows("Back")
        assert p.app.side.chosen.menu_action == lines.OUTPUT
        await p.press("enter")
        await p.until(lambda: p.row(4).startswith("7    4 OUTPUT        ○ Low"))
        assert not p.app.side.is_open
        await p.press("right", "down", "enter")
        await p.until(lambda: "● High" in p.row(4))
        assert board.forceinput(4) == 1
        await p.press("enter", "up")  # it goes round
        assert p.app.side.chosen.menu_action == lines.BACK
        await p.press("enter")
        await p.until(lambda: not p.app.side.is_open)
        for key in ("left", "escape"):
            await p.press("enter")
            await p.until(lambda: p.app.side.is_open)
            await p.press(key)
            await p.until(lambda: not p.app.side.is_open)
        assert p.log() == ["GPIO 4: Set to OUTPUT", "GPIO 4: Set to High"]

    drive(test)


@pytest.mark.slow
def test_pwm_by_keys(board):
    async def test(p):
        await p.choose(18)
        await p.press("enter", "enter")
        await p.until(lambda: not p.app.side.is_open)
        await p.press("enter", "down", "down", "down", "enter")
        await p.until(lambda: "◐ 50 %" in p.row(18) and "▒" in p.row(18))
        await p.shows("PWM      100 Hz, 50 % high", "Duty")
        await p.press("plus", "=", "minus")
        await p.until(lambda: "◐ 55 %" in p.row(18))
        await p.press("enter", "enter", "enter")  # the duty leaves the menu open
        await p.until(lambda: "◐ 65 %" in p.row(18))
        assert p.app.side.is_open
        await p.press("left", "space")
        await p.until(lambda: p.log()[-1] == "GPIO 18 has a PWM: stop that first")
        assert p.app.lines.last_words("rpio tui") == ["GPIO 18: the PWM ends with rpio tui"]
        await p.press("enter", "down", "down", "enter")
        await p.until(lambda: p.row(18).startswith("12   18 OUTPUT        ○ Low"))
        count = len(p.log())
        await p.press("plus")
        assert len(p.log()) == count

    drive(test)


@pytest.mark.slow
def test_space_toggles_outputs_only(board):
    async def test(p):
        await p.choose(17)
        await p.press("space")
        await p.until(lambda: p.log() == ["GPIO 17 is INPUT: only outputs can be toggled"])
        p.app.act(lines.OUTPUT)
        for level in (1, 0):
            await p.press("space")
            await p.until(lambda level=level: board.forceinput(17) == level)
        assert p.log()[-2:] == ["GPIO 17: High", "GPIO 17: Low"]

    drive(test)


@pytest.mark.slow
def test_a_line_that_is_driven_has_a_wave_and_rows_in_the_log(board):
    async def test(p):
        await p.choose(17)
        await p.press("enter", "down", "enter")
        await p.until(lambda: p.app.table.line.is_live)
        await p.shows("live, by edges")
        board.sim.drive(17, 0)
        await p.until(lambda: re.search(r"○ Low.*│|○ Low.*▒", p.row(17)))
        await p.until(lambda: any(text.startswith("GPIO 17  ↓ Low") for text in p.log()))
        board.sim.drive(17, 1)
        await p.until(lambda: "● High" in p.row(17) and p.row(17)[-1] in "▆│▒")
        await p.until(lambda: re.fullmatch(r"GPIO 17  ↑ High  after .*s", p.log()[-1]))
        await p.until(lambda: p.row(17)[-1] == "▆")  # time goes on

    drive(test)


@pytest.mark.slow
def test_a_line_that_is_not_watched_shows_within_a_second(board):
    async def test(p):
        board.sim.drive(9, 1)
        await p.until(lambda: "● High" in p.row(9) and "│" in p.row(9))
        assert not p.log()
        board.sim.drive(9, 0)
        await p.press("r")
        await p.until(lambda: "○ Low" in p.row(9))

    drive(test)


@pytest.mark.slow
def test_the_waves_stand_still_when_nothing_moves(board):
    async def test(p):
        p.app.table.traces = {gpio: trace.Trace() for gpio in p.app.table.traces}
        for found in p.app.table.traces.values():
            found.see(1, 0)
        await p.until(lambda: not p.app._waves._active.is_set())
        await p.choose(17)
        await p.press("space")
        p.app.act(lines.OUTPUT)
        p.app.act(lines.HIGH)
        await p.until(p.app._waves._active.is_set)

    drive(test)


@pytest.mark.slow
def test_an_oscillating_line_redraws_no_more_than_so_often(board, monkeypatch):
    async def test(p):
        await p.choose(17)
        p.app.act(lines.UP)
        draws, is_over = [], threading.Event()
        draw = p.app.draw
        monkeypatch.setattr(p.app, "draw", lambda: (draws.append(time.monotonic()), draw()))

        def oscillate():
            while not is_over.is_set():
                board.sim.drive(17, 0)
                board.sim.drive(17, 1)

        thread = threading.Thread(target=oscillate)
        thread.start()
        try:
            await p.until(lambda: len(draws) > 15)
        finally:
            is_over.set()
            thread.join()
        assert (draws[15] - draws[0]) / 15 > 0.9 * lines.REST_S * 15 / 17  # two looks may come in between
        await p.until(lambda: "▒" in p.row(17))
        assert len(p.app.rows.rows) <= journal.ROWS
        assert any("edges before it" in text for text in p.log())

    drive(test)


@pytest.mark.slow
def test_the_mouse_chooses_opens_and_toggles(board):
    async def test(p):
        await p.click_row(17, "Function")
        await p.until(lambda: p.app.table.line.gpio == 17)
        await p.click_entry("Set to OUTPUT")
        await p.until(lambda: "OUTPUT" in p.row(17))
        assert not p.app.side.is_open
        for level in (1, 0):
            await p.click_row(17, "Level")
            await p.until(lambda level=level: board.forceinput(17) == level)
        await p.click_row(27, "Level")  # no output: it is chosen
        await p.until(lambda: p.app.table.line.gpio == 27)
        assert board.gpio_function(27) == board.IN
        await p.click_row(27, "Level")
        await p.until(lambda: p.app.side.is_open)
        await p.click_entry("Back")
        await p.until(lambda: not p.app.side.is_open)
        table = p.app.table
        await p.pilot.click(offset=(table.region.x + 5, table.region.y + 1))  # the heading
        assert table.line.gpio == 27
        await p.pilot.click("FooterKey")
        await p.until(lambda: p.app.side.is_open)

    drive(test)


@pytest.mark.slow
def test_the_wheel_scrolls_and_clicks_count_from_there(board):
    async def test(p):
        table = p.app.table
        table.scroll_to(y=5, animate=False, immediate=True)
        await p.until(lambda: table.scroll_offset.y == 5)
        await p.click_row(27, "GPIO")
        await p.until(lambda: table.line.gpio == 27)
        await p.shows(">  13   27")

    drive(test, size=(80, 20))


@pytest.mark.slow
def test_the_log_is_hidden_and_shown(board):
    async def test(p):
        assert p.app.rows.display
        p.app.act(lines.OUTPUT)
        await p.shows("GPIO 2: Set to OUTPUT")
        await p.press("l")
        await p.until(lambda: "Set to OUTPUT" not in p.screen())
        p.app.act(lines.HIGH)
        await p.press("l")
        await p.shows("GPIO 2: Set to OUTPUT", "GPIO 2: Set to High")

    drive(test)


@pytest.mark.slow
def test_the_log_follows_unless_it_was_scrolled(board):
    async def test(p):
        rows = p.app.rows
        for number in range(30):
            p.app.journal.say(f"row {number}.")
            p.app.draw()
        await p.shows("row 29.")
        rows.scroll_to(y=3, animate=False, immediate=True)
        await p.shows("row 3.")
        p.app.journal.say("row 30.")
        p.app.draw()
        await p.pause()
        assert rows.scroll_offset.y == 3
        rows.scroll_end(animate=False)
        await p.shows("row 30.")
        p.app.journal.say("row 31.")
        p.app.draw()
        await p.shows("row 31.")

    drive(test)


def test_what_rpio_logs_is_in_the_log_from_any_thread(board):
    async def test(p):
        assert logging.getLogger().handlers == [p.app._messages]
        thread = threading.Thread(target=logging.getLogger("RPIO").warning, args=("the chip has %s", "gone"))
        thread.start()
        thread.join()
        await p.until(lambda: p.log() == ["the chip has gone"])

    before = logging.getLogger().handlers[:]
    drive(test)
    assert logging.getLogger().handlers == before


@pytest.mark.slow
def test_the_help_says_what_the_mouse_does(board):
    async def test(p):
        await p.press("h")
        await p.shows("this help", "of an output toggles it", "any key: back")
        await p.press("x")
        await p.until(lambda: "this help" not in p.screen())
        await p.press("h")
        await p.shows("this help")
        await p.click(offset=(2, 2))
        await p.until(lambda: "this help" not in p.screen())

    drive(test)


@pytest.mark.slow
def test_all_of_the_help_can_be_read_in_a_small_terminal(board):
    async def test(p):
        seen = ""
        await p.press("h")
        await p.shows("Up, Down")
        for _ in range(40):
            seen += p.screen()
            await p.press("down")
            await p.pause()
        wanted = {word for row in tui_parts.HELP for word in row.split()}
        assert wanted <= {*re.sub("[│▁-█]", " ", seen).split()}

    drive(test, size=(30, 9))


@pytest.mark.slow
def test_a_refusal_is_a_row_and_a_notification(board, monkeypatch):
    def refuse(*_):
        raise board.LineBusyError("GPIO 2 is in use by [spi]")

    async def test(p):
        monkeypatch.setattr(board.facade.board.backend, "set_output", refuse)
        await p.press("enter", "enter")
        await p.until(lambda: p.log() == ["GPIO 2 is in use by [spi]"])
        assert p.app.rows.rows[0][1] == "error"
        await p.until(lambda: p.screen().count("in use by [spi]") == 2)

    drive(test)


@pytest.mark.slow
def test_a_menu_of_a_function_of_the_past_closes(board):
    async def test(p):
        await p.press("enter")
        await p.until(lambda: p.app.side.is_open)
        board.facade.board.backend.set_function(2, board.ALT0)
        await p.until(lambda: p.log() == ["GPIO 2 has become ALT0 from elsewhere"])
        assert not p.app.side.is_open
        assert p.row(2).startswith("3    2 ALT0")

    drive(test)


def test_who_holds_a_line_is_shown(board, monkeypatch):
    def busy(line):
        raise board.LineBusyError(f"GPIO {line} is in use")

    backend = board.facade.board.backend
    monkeypatch.setattr(backend, "read", busy)
    monkeypatch.setattr(backend, "consumer", lambda line: "spi0\x1b CS0")

    async def test(p):
        await p.shows("Held by  spi0? CS0")
        assert "-  " in p.row(2) and p.row(2).endswith("spi0? CS0")

    drive(test, size=(130, 30))


@pytest.mark.slow
def test_without_pulls_and_pwm_they_are_not_offered(board, monkeypatch):
    monkeypatch.setattr(board.facade.board.backend, "features", frozenset())

    async def test(p):
        assert [entry.menu_action for entry in p.app.side.entries] == [
            lines.OUTPUT,
            lines.PRESS,
            lines.DRIVE_HIGH,
            lines.DRIVE_LOW,
            lines.LET_GO,
        ]

    drive(test)


@pytest.mark.slow
def test_looking_takes_no_line_and_changes_none(board):
    backend = board.facade.board.backend
    before = [(backend.function(n), backend.pull(n), backend.read(n)) for n in range(28)]

    async def test(p):
        await p.press("r", "down", "enter", "left", "h", "x", "l")

    drive(test)
    assert [(backend.function(n), backend.pull(n), backend.read(n)) for n in range(28)] == before
    assert not board.facade.board.book.directions
    assert not len(board.facade.board.watched)


def test_the_loop_is_given_back(board):
    dispatcher = board.facade.board.dispatcher

    async def test(p):
        assert not dispatcher.nest()

    drive(test)
    assert dispatcher.nest()
    dispatcher.unnest()


SIZES = [(200, 60), (80, 24), (71, 14), (24, 8), (1, 1)]
MORE_SIZES = [(100, 30), (72, 15), (40, 10), (23, 7), (10, 5), (3, 2)]


@pytest.mark.parametrize("size", [*SIZES, *(MORE_SIZES if IS_WHOLE else [])])
@pytest.mark.slow
def test_every_size_is_usable(board, size):
    async def test(p):
        await p.choose(17)
        await p.press("enter")
        await p.until(lambda: p.app.side.is_open)
        assert p.app.side.chosen.menu_action == lines.OUTPUT
        await p.press("enter")
        await p.until(lambda: board.gpio_function(17) == board.OUT)
        assert p.app.table.display
        rows = p.rows()
        assert max(map(len, rows), default=0) <= size[0]
        await p.press("h")
        await p.pause()
        await p.press("x")

    drive(test, size)


def test_10x5_shows_lines_and_their_levels(board):
    async def test(p):
        await p.choose(4)
        await p.until(lambda: p.rows()[:4] == ["  GPIO L", "     2 ●", "     3 ●", ">    4 ●"])

    drive(test, (10, 5))


@pytest.mark.slow
def test_resizing(board):
    async def test(p):
        await p.choose(21)
        for width, height, is_beside, has_log, has_frame in [
            (60, 20, False, True, True),
            (10, 5, False, False, False),
            (90, 12, True, False, True),
            (2, 1, False, False, False),
            (100, 30, True, True, True),
        ]:
            await p.resize(width, height)
            app = p.app
            assert (app.side.display, app.rows.display) == (is_beside, has_log)
            assert app.has_class("framed") == has_frame
        await p.shows(">  40   21 INPUT")
        await p.resize(60, 12)
        await p.press("enter")
        await p.until(lambda: p.app.side.display and not p.app.table.display)
        await p.shows("Set to OUTPUT", "Back")
        await p.resize(90, 20)
        await p.until(lambda: p.app.side.display and p.app.table.display)
        await p.resize(60, 12)
        await p.press("l", "l")
        await p.until(lambda: "the log needs 15 rows" in p.screen())

    drive(test)


@pytest.mark.parametrize(("value", "has_colours"), [(None, True), ("", True), ("1", False)])
@pytest.mark.slow
def test_no_color(board, monkeypatch, value, has_colours):
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)

    async def test(p):
        await p.choose(4)
        p.app.act(lines.OUTPUT)
        await p.shows(">   7    4 OUTPUT")
        styles = [
            segment.style
            for strip in p.app.screen._compositor.render_strips()
            for segment in strip.apply_filter(p.app._filters[-1], p.app.screen.background_colors[1])
            if segment.style is not None
        ]
        coloured = [s for s in styles if s.color is not None and not s.color.is_default]
        assert p.app.has_class("plain") != has_colours
        if not has_colours:
            assert not coloured
            assert any(s.reverse for s in styles) and any(s.underline for s in styles)

    drive(test)


@pytest.mark.parametrize(("key", "status"), [("q", 0), ("ctrl+c", 130), ("h", 130)])
@pytest.mark.slow
def test_keys_that_end_it(board, key, status):
    async def test(p):
        await p.press(key)
        if key == "h":
            await p.shows("this help")
            await p.press("ctrl+c")

    assert drive(test) == status


# -- the verb ---------------------------------------------------------------------------------------------------


def test_without_a_terminal_it_says_so(board, capsys, monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda fd: fd != 1)
    assert cli.main(["tui"]) == 2
    assert capsys.readouterr().err == "rpio tui: it needs a terminal\nwithout one: rpio -I shows all lines\n"


@pytest.mark.parametrize("names", [{"LC_ALL": "C"}, {"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": ""}])
def test_without_utf8_it_says_so(board, capsys, monkeypatch, names):
    """The second is what Python makes of the C locale for itself."""
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "locale.nl_langinfo", lambda item: "UTF-8" if "LC_CTYPE" in names else "ANSI_X3.4-1968"
    )
    assert cli.main(["tui"]) == 1
    assert capsys.readouterr().err == (
        "rpio tui: it draws with UTF-8, which the locale does not have\n"
        "LC_ALL=C.UTF-8 rpio tui, if the terminal has it; rpio-curses does with ASCII\n"
    )


def forget_the_screen(monkeypatch):
    """Have its modules be imported anew."""
    for module in [m for m in sys.modules if m.startswith("RPIO.cli.screens.tui_")]:
        monkeypatch.delitem(sys.modules, module)
        monkeypatch.delattr(screens, module.rpartition(".")[2])


@pytest.mark.parametrize("name", ["textual", "rich"])
def test_without_textual_it_says_what_to_type(board, capsys, monkeypatch, name):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    forget_the_screen(monkeypatch)
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    assert cli.main(["tui"]) == 1
    assert capsys.readouterr().err == (
        f"rpio tui: it needs Textual, the extra [tui]: /usr/bin/python3 -m pip install '{tui.WANTED}'\n"
        "rpio-curses does without\n"
    )


def test_a_textual_that_is_too_old_is_named(board, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    forget_the_screen(monkeypatch)
    monkeypatch.setitem(sys.modules, "textual.theme", types.ModuleType("textual.theme"))
    assert cli.main(["tui"]) == 1
    assert "needs Textual (cannot import name 'Theme'" in capsys.readouterr().err


def test_the_extra_is_what_the_message_says():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'tui = ["{tui.WANTED}"]' in text


@pytest.mark.parametrize("words", ["['-i', '17']", "['tui', '--help']", "['curses', '--help']"])
def test_only_the_screen_imports_textual(words):
    code = (
        "import contextlib, sys\nfrom RPIO.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({words})\n"
        "assert not {'textual', 'rich', 'asyncio'} & {*sys.modules}, sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


# -- the program itself -----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path):
    with Terminal(tmp_path, "tui") as found:
        yield found


@needs_tmux
@pytest.mark.slow
def test_a_session_in_a_terminal(terminal):
    terminal.start(has_fifo=True, width=100, height=30, ready="Enter Actions")
    terminal.keys("Down", "Down", "Enter")
    terminal.wait("Set to OUTPUT", "Back")
    terminal.keys("Enter")
    terminal.wait(">   7    4 OUTPUT        ○ Low", "GPIO 4: Set to OUTPUT")
    terminal.keys("Space")
    terminal.wait(">   7    4 OUTPUT        ● High", "GPIO 4: High")
    terminal.keys("Home", "Enter", "Down", "Enter")
    terminal.wait(">   3    2 INPUT    up   ● High", "live, by edges")
    with open(terminal.folder / "fifo", "w") as fifo:
        print("2 0", file=fifo, flush=True)
        terminal.wait(">   3    2 INPUT    up   ○ Low", "GPIO 2   ↓ Low")
    terminal.keys("h")
    terminal.wait("this help")
    terminal.keys("Down", "x", "x", "x")  # as fast as a slow network lets go of them
    assert wait_until(lambda: "this help" not in terminal.screen())
    terminal.keys("l")
    assert wait_until(lambda: "─ Log ─" not in terminal.screen())
    terminal.keys("l")
    terminal.tmux("resize-window", "-x", "10", "-y", "5")
    terminal.wait("GPIO L", ">    2 ○")
    terminal.tmux("resize-window", "-x", "90", "-y", "24")
    terminal.wait("rpio tui  simulated", "─ GPIO 2 ─", "─ Log ─")
    terminal.keys("q")
    assert "GPIO 4, set to output: such lines end with the program" in terminal.end(0)


@needs_tmux
def test_the_mouse_in_a_terminal(terminal):
    terminal.start(ready="Enter Actions")
    terminal.keys("Down", "Down", "Enter", "Enter")
    row = next(
        y
        for y, text in enumerate(terminal.wait("4 OUTPUT        ○ Low").split("\n"), 1)
        if "4 OUTPUT" in text
    )
    column = terminal.screen().split("\n")[row - 1].index("○") + 1
    for letter in "Mm":
        terminal.tmux("send-keys", "-l", f"\x1b[<0;{column};{row}{letter}")
    terminal.wait("4 OUTPUT        ● High", "GPIO 4: High")
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
@pytest.mark.parametrize(
    "keys", [["C-c"], *([["Enter", "C-c"], ["h", "C-c"]] if IS_WHOLE else [])], ids=" ".join
)
def test_ctrl_c_leaves_the_terminal_as_it_was(terminal, keys):
    terminal.start(ready="Enter Actions")
    terminal.keys(*keys)
    terminal.end(130)


@needs_tmux
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *([signal.SIGINT, signal.SIGHUP] if IS_WHOLE else [])], ids=lambda n: n.name
)
def test_signals_leave_the_terminal_as_it_was(terminal, number):
    terminal.start(ready="Enter Actions")
    os.kill(terminal.pid(), number)
    terminal.end(128 + number)


def has_ended(pid):
    """Whether a process runs no more; that of a parent that has gone may be waited for by nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@needs_tmux
def test_it_ends_with_its_terminal(terminal):
    terminal.start(ready="Enter Actions")
    pid = terminal.pid()
    terminal.tmux("kill-server")
    assert wait_until(lambda: has_ended(pid))


@needs_tmux
@pytest.mark.parametrize(("names", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_in_a_terminal(terminal, names, has_colours):
    terminal.start(ready="Enter Actions", **names)
    found = re.findall(r"\x1b\[[\d;]*m", terminal.screen("-e"))
    assert any(re.search(r"[\[;][34]8[;m]|[\[;][349][0-7][;m]", one) for one in found) == has_colours
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
def test_tracebacks_of_v_stay_off_the_screen(terminal):
    terminal.start("-v", ready="Enter Actions")
    terminal.keys("Enter", "Down", "Enter")
    found = terminal.wait("live, by edges", "GPIO 2: Pull-up")
    assert found.startswith(" rpio tui  simulated")
    terminal.keys("q")
    terminal.end(0)


@needs_tmux
def test_a_model_that_is_none_is_a_message(terminal):
    assert "9Z" in terminal.start("--backend", "sim:9Z", ready="9Z").end(2)


@needs_tmux
@pytest.mark.slow
def test_it_takes_next_to_nothing_when_nothing_moves(terminal):
    terminal.start(ready="Enter Actions")
    terminal.keys("Enter", "Down", "Enter")
    terminal.wait("live, by edges")
    assert wait_until(lambda: terminal.percent_of_a_core(1) < 2)  # the waves have come to a stand
    percent = terminal.percent_of_a_core(3)
    print(f"idle: {percent:.2f} % of a core")
    assert percent < 2


# -- the picture of the documents -------------------------------------------------------------------------------


class Clock:
    """Time that the picture moves."""

    def __init__(self):
        self.ns = (10 * 3600 + 15 * 60 + 5) * 10**9

    def __call__(self):
        return self.ns

    def go(self, seconds):
        """Let some pass."""
        self.ns += int(seconds * 1e9)


def picture():
    """Drive the program to where there is something to see; its screenshot."""
    clock = Clock()

    async def test(p):
        app = p.app
        table = app.table

        def act(gpio, *actions):
            table.choose([line.gpio for line in table.lines].index(gpio))
            for action in actions:
                clock.go(0.25)
                app.act(action)

        def edge(gpio, level, after_s):
            clock.go(after_s)
            app.lines._edge(EdgeEvent((gpio, level, clock.ns, 1)))

        act(18, lines.OUTPUT, lines.PULSES)
        act(4, lines.OUTPUT, lines.HIGH)
        act(27, lines.DOWN)
        act(17, lines.UP)
        for _ in range(3):
            edge(17, 0, 0.62)
            for level in (1, 0, 1, 0):
                edge(27, level, 0.0009)
            clock.go(0.3)
            act(4, lines.LOW)
            edge(17, 1, 0.41)
            act(4, lines.HIGH)
        act(17)
        app.rows.rows.clear()
        app.journal.say("GPIO 4: Set to Low", "done")
        edge(17, 0, 0.62)
        edge(17, 1, 0.41)
        app.draw()
        await p.shows("after 410 ms", "Set up   here", "q Quit")
        shown.append(app.export_screenshot(title="rpio tui"))

    shown = []
    drive(test, size=(100, 28), journal=journal.Journal(clock, clock), now_ns=clock)
    return clean(shown[0])


def clean(svg):
    """Without what a picture in a page may not load, and without the number that names its parts."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", "terminal", svg).replace("Fira Code, monospace", "monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


@pytest.mark.slow
def test_the_picture_of_the_documents_is_of_this_program(board, clock):
    assert text_of(picture()) == text_of(PICTURE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    os.environ.update(TZ="UTC", RPIO_BACKEND="sim:4B")
    time.tzset()
    RPIO.facade.new_board()
    PICTURE.write_text(picture(), encoding="utf-8")
