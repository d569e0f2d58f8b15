# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pinout``: every model's header against the board table and golden files, then live data and the command line.

The golden files are one text and one SVG for each header that differs; ``PYTHONPATH=source python
source/tests/test_pinout.py`` writes them anew, and ``git diff`` shows what that changed.
"""

import io
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from RPIO import cli, errors
from RPIO.cli import pinout as verb
from RPIO.machine import boards, headers, pinout

GOLDEN = Path(__file__).parent / "golden" / "pinout"
SVG = "{http://www.w3.org/2000/svg}"
MODELS = {**{name: boards.by_name(name) for name in boards.MODELS}, "B rev 1": boards.decode(0x0002)}


def golden_name(hardware):
    """The file for a model: that of the first model with such a header."""
    if hardware.model == "B" and not hardware.p5:
        return "26-pins-rev1"
    if hardware.p5:
        return "26-pins-rev2"
    kind = "40-pins" if hardware.p1_revision else "compute-module"
    return kind + ("-rp1" if hardware.soc == "BCM2712" else "")


def drawn(hardware):
    """The text and the SVG, with MODEL for the board's name."""
    headers = pinout.rows(hardware)
    for header in headers:
        header.title = header.title.replace(hardware.name, "MODEL")
    return {"txt": pinout.text(headers), "svg": pinout.svg(headers)}


def write_golden():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for hardware in MODELS.values():
        for suffix, content in drawn(hardware).items():
            (GOLDEN / f"{golden_name(hardware)}.{suffix}").write_text(content, encoding="utf-8")


# -- every model --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_header_is_as_in_its_golden_file(name):
    for suffix, content in drawn(MODELS[name]).items():
        golden = GOLDEN / f"{golden_name(MODELS[name])}.{suffix}"
        assert content == golden.read_text(encoding="utf-8"), golden.name


def test_no_golden_file_is_left_over():
    want = {f"{golden_name(hardware)}.{suffix}" for hardware in MODELS.values() for suffix in ("txt", "svg")}
    assert {path.name for path in GOLDEN.iterdir()} == want


@pytest.mark.parametrize("name", MODELS)
def test_every_pin_is_there_once_and_is_the_board_tables(name):
    hardware = MODELS[name]
    headers_drawn = pinout.rows(hardware)
    tables = [hardware.header, *([headers.P5] if hardware.p5 else [])]
    assert len(headers_drawn) == len(tables)
    for header, table in zip(headers_drawn, tables, strict=True):
        assert [row.pin for row in header.rows] == list(range(1, len(table) + 1))
        assert {row.pin: row.label if row.line is None else row.line for row in header.rows} == table
    lines = [row.line for header in headers_drawn for row in header.rows if row.line is not None]
    assert len(lines) == len(set(lines))
    assert set(hardware.header_lines) <= set(lines)


@pytest.mark.parametrize("name", MODELS)
def test_the_svg_has_each_pin_once(name):
    headers = pinout.rows(MODELS[name])
    root = ElementTree.fromstring(pinout.svg(headers))
    titles = [title.text.split(", ")[:2] for title in root.iter(SVG + "title")]
    assert titles == [[f"pin {row.pin}", row.label] for header in headers for row in header.rows]
    assert len([r for r in root.iter(SVG + "rect") if r.get("class") == "pin"]) == len(headers)


@pytest.mark.parametrize("name", MODELS)
def test_the_text_has_each_label_and_fits(name):
    headers = pinout.rows(MODELS[name], lambda line: ("OUT", 1, "a-long-consumer-name"))
    for width in (80, 60, 40, 20):
        shown = pinout.text(headers, width)
        assert max(map(len, shown.splitlines())) <= width
        for header in headers:
            for row in header.rows:
                assert row.label in shown


def test_names_differ_by_header():
    names = {name: {row.line: row.names for row in pinout.rows(h)[0].rows} for name, h in MODELS.items()}
    assert names["B rev 1"][0] == ("SDA0",)
    assert names["4B"][0] == ("ID_SD", "SDA0")
    assert names["4B"][18][0] == "PWM0"
    assert names["5B"][18][0] == "PWM2"


def test_a_board_without_header_has_no_rows():
    assert pinout.rows(boards.generic(32, "x", "Linux board")) == []


def test_what_others_write_is_escaped():
    headers = pinout.rows(MODELS["4B"], lambda line: ("OUT", 0, "<&\x1b]\"'>"))
    assert ElementTree.fromstring(pinout.svg(headers)) is not None
    assert "\x1b" not in pinout.text(headers)
    assert "<&?]" in pinout.text(headers)


# -- the command line ---------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def shown(capsys, *arguments):
    assert cli.main(["pinout", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_live_data_of_the_board_in_use(rpio, capsys, monkeypatch):
    rpio.setmode(rpio.BCM)
    rpio.setup(17, rpio.OUT, initial=1)
    monkeypatch.setattr(rpio.facade.board.backend, "consumer", lambda line: "spi0 CS0" if line == 8 else "")
    out = shown(capsys)
    assert "GPIO17 OUT 1 11 " in out
    assert "GPIO8  CE0" in out and "spi0 CS0" in out
    found = json.loads(shown(capsys, "--json", "--model", "4B"))
    by_line = {row["line"]: row for row in found["headers"]["J8"] if row["line"] is not None}
    assert found["live"] is True
    assert (by_line[17]["function"], by_line[17]["level"]) == ("OUT", 1)
    assert by_line[8]["consumer"] == "spi0 CS0"


def test_no_line_is_changed(rpio, capsys):
    before = [(rpio.gpio_function(n), rpio.forceinput(n)) for n in range(28)]
    shown(capsys)
    assert [(rpio.gpio_function(n), rpio.forceinput(n)) for n in range(28)] == before


def test_another_model_has_no_live_data(rpio, capsys):
    found = json.loads(shown(capsys, "--json", "--model", "5b"))
    assert (found["model"], found["live"]) == ("5B", False)
    assert all(row["level"] is None for row in found["headers"]["J8"])


def test_a_line_that_is_held_or_cannot_be_read_has_no_level(rpio, capsys, monkeypatch):
    def busy(*a):
        raise errors.LineBusyError(16, "held")

    monkeypatch.setattr(rpio.facade.board.backend, "read", busy)
    found = json.loads(shown(capsys, "--json"))
    assert {row["level"] for row in found["headers"]["J8"]} == {None}


def test_a_line_that_a_driver_may_have_is_not_taken_to_be_read(rpio, capsys, monkeypatch):
    read = []
    backend = rpio.facade.board.backend
    monkeypatch.setattr(backend, "features", backend.features - {"functions"}, raising=False)
    monkeypatch.setattr(backend, "read", lambda line: read.append(line) or 0)
    found = json.loads(shown(capsys, "--json"))
    functions = {row["line"]: row["function"] for row in found["headers"]["J8"]}
    assert sorted(read) == [16, 17, *range(22, 28)]
    assert (functions[2], functions[17]) == ("", "IN")


@pytest.mark.parametrize(
    ("word", "pins"),
    [
        ("17", [11]),
        ("gpio17", [11]),
        ("pin 17", [17]),
        ("spi", [19, 21, 23, 24, 26]),
        ("GND", [6, 9, 14, 20, 25, 30, 34, 39]),
        ("sda1", [3]),
    ],
)
def test_find(rpio, capsys, word, pins):
    found = json.loads(shown(capsys, "--json", "--find", word))
    assert [row["pin"] for row in found["headers"]["J8"]] == pins
    assert len(shown(capsys, "--find", word).splitlines()) == len(pins) + 1


def test_a_backend(rpio, capsys):
    out = shown(capsys, "--backend", "sim:B")
    assert "header P1" in out and "header P5" in out


def test_a_picture(rpio, capsys, tmp_path):
    path = tmp_path / "header.svg"
    assert shown(capsys, "-o", str(path)) == ""
    root = ElementTree.parse(path).getroot()
    assert any(circle.get("class") == "hi" for circle in root.iter(SVG + "circle"))


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_only_on_a_terminal_that_wants_them(rpio, monkeypatch, no_color):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert cli.main(["pinout"]) == 0
    assert ("\033[" in sys.stdout.getvalue()) is not bool(no_color)


def test_no_colours_in_a_pipe(rpio, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033" not in shown(capsys)


def test_ascii_where_the_encoding_has_no_more(rpio, monkeypatch):
    monkeypatch.setattr(rpio.facade.board.backend, "consumer", lambda line: "größer-als-der-Platz-hier")
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(["pinout"]) == 0
    stdout.flush()
    out = stdout.buffer.getvalue()
    assert b" 1 # o 2 " in out
    assert b"gr??er" in out


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_narrow_terminals(rpio, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert max(map(len, shown(capsys).splitlines())) <= columns


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--model", "9Z"], 2, "The choices are: A, B"),
        (["--backend", "bogus"], 2, "choose one of auto"),
        (["--backend", "sim:9Z"], 2, "The choices are: A, B"),
        (["-o", "header.png"], 2, "the name of the file has to end in .svg"),
        (["-o", "header.svg", "--json"], 2, "leave --json and --find out"),
        (["--find", " "], 2, "--find needs a word"),
        (["--find", "nothing"], 1, "rpio pinout shows all"),
        (["-o", "/nowhere/header.svg"], 2, "there is no folder /nowhere"),
    ],
)
def test_errors_say_what_to_do(rpio, capsys, arguments, status, text):
    assert cli.main(["pinout", *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("rpio pinout: ")
    assert captured.err.count("\n") == 2
    assert text in captured.err


def test_a_machine_without_header_says_so(rpio, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(verb, "_board", lambda *a: (boards.generic(8, "x", "Linux board"), True))
    assert "no header is known" in shown(capsys)
    assert json.loads(shown(capsys, "--json"))["headers"] == {}
    assert cli.main(["pinout", "-o", str(tmp_path / "x.svg")]) == 1


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit) as e:
        cli.main(["pinout", "--help"])
    assert e.value.code == 0
    assert "rpio pinout --model 5B" in capsys.readouterr().out


if __name__ == "__main__":
    write_golden()
