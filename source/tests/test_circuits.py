# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files of circuits: what they build, where a program finds it, and that each mistake has its file, line and column."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import RPIO
from chip_parts import manual_board
from RPIO.chips.buses import i2c_bus, spi_bus
from RPIO.chips.circuit import TABLES, load, parse
from RPIO.chips.kinds import CHIPS, PARTS
from RPIO.cli.screens import sim_rows
from RPIO.wire.smbus import BYTE_DATA, I2C_BLOCK_DATA, SmbusCall
from shared_parts import RUN, User
from support import PLAIN
from terminal import Terminal, needs_tmux
from waiting import LIMIT_S

pytest_plugins = ["pytester"]

DOOR = """\
[board]
model = "4B"

[[chip]]
name = "adc"
type = "ads1115"
volts = [1.2, 0, 3.3, 0]
alert = 5

[[chip]]
type = "mcp23017"
pins = { 0 = 6, 15 = 12 }
int_a = 13

[[button]]
name = "bell"
line = 17
bounces = 2

[[led]]
line = 18

[[led]]
line = 19
active = "low"

[[wire]]
between = [23, 24]
"""


@pytest.fixture
def board():
    return manual_board()


def test_a_circuit_has_its_parts_by_name(board):
    built = parse(DOOR).build(board)
    assert list(built) == ["adc", "mcp23017", "bell", "led", "led2"] and len(built) == 5
    assert i2c_bus(board, 1).chips == {0x48: built["adc"], 0x20: built["mcp23017"]}
    built["adc"].volts[0] = 1.5
    board.set_output(23, 1)
    assert board.read(24) == 1
    assert built.board is board and "led2" in built
    assert (built.at(17), built.at(6), built.at(18), built.at(20)) == (
        "button 'bell'",
        "pins of mcp23017",
        "led",
        "",
    )


def test_a_part_that_is_not_there_is_told_with_those_that_are(board):
    with pytest.raises(KeyError, match=r"no 'bel' in the circuit, which has adc, .*did you mean 'bell'"):
        parse(DOOR).build(board)["bel"]


EVERYTHING = "\n".join(
    [
        "[[chip]]\ntype = 'ads1115'\naddress = 0x4b\nvolts = [0, 1, 2.5, -0.3]\nalert = 2",
        "[[chip]]\ntype = 'ads1015'\nbus = 0",
        "[[chip]]\ntype = 'pcf8574'\npins = { 7 = 3 }\ninterrupt = 4",
        "[[chip]]\ntype = 'mcp23017'\naddress = 0x27\npins = { 0 = 5 }\nint_a = 6\nint_b = 7",
        "[[chip]]\ntype = 'bme280'\ntemperature_c = -5\npressure_hpa = 800\nhumidity_percent = 90",
        "[[chip]]\ntype = 'ssd1306'\nheight = 32",
        "[[chip]]\ntype = 'si4703'\nrssi = 10",
        "[[chip]]\ntype = 'eeprom'\nsize = 256\ntext = 'RPIO'\nwrite_ms = 0",
        "[[chip]]\ntype = 'registers'\naddress = 0x21\nwidth = 16\ncount = 4\nvalues = { 0x01 = 0x1234, 3 = 7 }\n"
        "order = 'little'\nincrements = false",
        "[[chip]]\ntype = 'mcp3008'\ndevice = 1\nvolts = [0, 1, 2, 3, 0, 0, 0, 0]\nreference = 5",
        "[[button]]\nline = 8\nto = '3.3V'\nbounce_ms = 1\nresistor = false",
        "[[switch]]\nline = 9\nclosed = true\nresistor = true",
        "[[led]]\nline = 10",
        "[[servo]]\nline = 11\nleast_us = 500\nmost_us = 2500\ndegrees = 270",
        "[[encoder]]\na = 12\nb = 13\nresistors = false",
        "[[ultrasonic]]\ntrigger = 14\necho = 15\ndistance_cm = 50",
        "[[dht]]\nline = 16\nkind = 11\ntemperature_c = 30\nhumidity_percent = 20",
        "[[wire]]\nbetween = [20, 21]",
    ]
)


def test_every_kind_can_be_built_and_every_key_be_given(board):
    circuit = parse(EVERYTHING)
    assert {entry.word for entry in circuit.entries} == {*CHIPS, *PARTS}
    given = {}
    for block in EVERYTHING.split("[["):
        word = (re.search(r"type = '(\w+)'", block) or re.match(r"(\w+)", block) or [""])[0]
        word = re.sub(r"type = |'", "", word)
        given.setdefault(word, set()).update(re.findall(r"^(\w+) =", block, re.MULTILINE))
    left = {word: set(kind.keys) - given[word] for word, kind in {**CHIPS, **PARTS}.items()}
    seen_elsewhere = {"volts", "alert", "to", "bounce_ms"}  # with another kind
    assert set().union(*left.values()) == {"name", "bus", "address", "bounces", "active"} | seen_elsewhere
    built = circuit.build(board)
    call = SmbusCall(0x50, True, I2C_BLOCK_DATA, 0, length=4)
    assert i2c_bus(board, 1).smbus(call) == b"RPIO"
    assert i2c_bus(board, 1).smbus(SmbusCall(0x21, True, I2C_BLOCK_DATA, 1, length=2)) == b"\x34\x12"
    assert 0x48 in i2c_bus(board, 0).chips and spi_bus(board, 0, 1).chip is built["mcp3008"]
    assert built["switch"].is_closed and board.read(9) == 0 and built["dht"].temperature_c == 30


MISTAKES = [
    ("[[chip]]\ntype = 'ads1116'", "2:1", "there is no chip 'ads1116'; did you mean 'ads1115'?"),
    ("[[chip]]\nname = 'x'", "1:1", "a chip has a type"),
    ("[[chip]]\ntype = 5", "2:1", "there is no chip 5"),
    ("[[buton]]\nline = 1", "1:1", "a circuit has no 'buton'; did you mean 'button'?"),
    ("[[ads1115]]", "1:1", "a circuit has no 'ads1115'"),
    ("[button]\nline = 17", "1:1", "it is a list of tables: [[button]]"),
    ("button = 17", "1:1", "it is a list of tables: [[button]]"),
    ("[[board]]\nmodel = '4B'", "1:1", "it is a table: [board]"),
    ("[board]\nmodel = '9Z'", "2:1", "9Z"),
    ("[board]\nmodel = 4", "2:1", "it is text"),
    ("[board]\nmodle = '4B'", "2:1", "no 'modle'; did you mean 'model'?"),
    ("[[button]]\nline = 17\nbounce = 3", "3:1", "button has no 'bounce'; did you mean 'bounces'?"),
    ("[[button]]\nbounces = 3", "1:1", "button needs 'line'"),
    ("[[button]]\nline = '17'", "2:1", "line of button: a line is its BCM number, not '17'"),
    ("[[button]]\nline = true", "2:1", "a line is its BCM number, not True"),
    ("[[button]]\nline = 58", "2:1", "4B has GPIO 0 to 57, no 58"),
    ("[board]\nmodel = '3B+'\n[[wire]]\nbetween = [5, 55]", "4:1", "3B+ has GPIO 0 to 53, no 55"),
    ("[[wire]]\nbetween = [5, 5]", "2:1", "not from GPIO 5 to itself"),
    ("[[wire]]\nbetween = 5", "2:1", "a wire is between two lines"),
    ("[[wire]]\nfrom = 5", "2:1", "wire has no 'from'"),
    ("[[button]]\nline = 17\nto = 'groud'", "3:1", "not 'groud'; did you mean 'ground'?"),
    ("[[button]]\nline = 17\nresistor = 1", "3:1", "it is true or false, not 1"),
    ("[[button]]\nline = 17\nname = ''", "3:1", "a name is text of 1 to 64"),
    ("[[chip]]\ntype = 'ads1115'\nvolts = [1, 2]", "3:1", "it is a list of 4 numbers"),
    (
        "[[chip]]\ntype = 'ads1115'\nvolts = [0, 0,\n   6, 0]",
        "4:4",
        "it is a number from -0.3 to 5.8 V, not 6",
    ),
    ("[[chip]]\ntype = 'ads1115'\nvolts = [0, nan, 0, 0]", "3:13", "not nan"),
    ("[[chip]]\ntype = 'ads1115'\naddress = 0x50", "3:1", "from 0x48 to 0x4b, not 80"),
    ("[[chip]]\ntype = 'ads1115'\nbus = 7", "3:1", "it is one of 0, 1, not 7"),
    ("[[chip]]\ntype = 'mcp23017'\npins = { 16 = 4 }", "3:10", "pins are 0 to 15, not '16'"),
    ("[[chip]]\ntype = 'mcp23017'\npins = { 1 = 'x' }", "3:10", "a line is its BCM number"),
    ("[[chip]]\ntype = 'mcp23017'\npins = { 1 = 4, 2 = 4 }", "3:1", "two pins are at one line"),
    ("[[chip]]\ntype = 'mcp23017'\npins = [4]", "3:1", "which pin is wired to which line"),
    ("[[chip]]\ntype = 'registers'\nvalues = { x = 4 }", "3:12", "registers are 0 to 255, not 'x'"),
    ("[[chip]]\ntype = 'registers'\nvalues = { 1 = -4 }", "3:12", "a whole number from 0 to 0xffff"),
    ("[[chip]]\ntype = 'eeprom'\nsize = 300", "3:1", "it is one of 128, 256"),
    (
        "[[chip]]\ntype = 'ads1115'\n[[chip]]\ntype = 'ads1015'\nname = 'two'",
        "3:1",
        "0x48 of I2C bus 1 is taken, by ads1115 'ads1115' at {file}:1:1",
    ),
    (
        "[[chip]]\ntype = 'mcp3008'\n[[chip]]\ntype = 'mcp3008'\ndevice = 0",
        "5:1",
        "SPI 0.0 is taken, by mcp3008 'mcp3008' at {file}:1:1",
    ),
    (
        "[[button]]\nline = 17\nname = 'a'\n[[switch]]\nline = 17",
        "5:1",
        "GPIO 17 is taken, by button 'a' at {file}:1:1",
    ),
    ("[[encoder]]\na = 17\nb = 17", "3:1", "GPIO 17 is taken, by its 'a'"),
    (
        "[[led]]\nline = 1\nname = 'a'\n[[led]]\nline = 2\nname = 'a'",
        "6:1",
        "the name 'a' is taken, by that at {file}:1:1",
    ),
    (
        "[[ultrasonic]]\ntrigger = 1\necho = 2\n[[chip]]\ntype = 'mcp23017'\nint_a = 3\n[[wire]]\nbetween = [2, 3]",
        "8:1",
        "a short circuit: 'echo' of 'ultrasonic' (GPIO 2) and 'int_a' of 'mcp23017' (GPIO 3) drive one wire",
    ),
    (
        "[[ultrasonic]]\ntrigger = 1\necho = 2\n[[button]]\nline = 3\n"
        "[[wire]]\nbetween = [2, 4]\n[[wire]]\nbetween = [4, 3]",
        "9:1",
        "a short circuit: 'echo' of 'ultrasonic' (GPIO 2) and 'line' of 'button' (GPIO 3) drive one wire",
    ),
    ("[[button]\nline = 1", "1:9", "expected"),
]


@pytest.mark.parametrize(("text", "where", "what"), MISTAKES, ids=[what[:40] for _, _, what in MISTAKES])
def test_a_mistake_has_its_file_line_and_column(tmp_path, text, where, what):
    file = tmp_path / "door.toml"
    file.write_text(text)
    with pytest.raises(RPIO.ConfigError) as caught:
        load(str(file))
    said = str(caught.value)
    assert said.startswith(f"{file}:{where}: ")
    assert what.format(file=file).lower() in said.lower()


BUILDING = [
    (
        "[[chip]]\ntype = 'registers'\ncount = 4\nvalues = { 4 = 1 }",
        "4:1",
        "4 registers of 8 bits have no 1 in register 4",
    ),
    ("[[chip]]\ntype = 'registers'\nvalues = { 4 = 256 }", "3:1", "have no 256"),
    (
        "[[chip]]\ntype = 'eeprom'\nsize = 128\ntext = '" + 129 * "x" + "'",
        "4:1",
        "129 bytes are more than the memory has",
    ),
    ("[[servo]]\nline = 1\nleast_us = 2500", "1:1", "pulses are 300 to 3000 us"),
]


@pytest.mark.parametrize(("text", "where", "what"), BUILDING, ids=[what[:20] for _, _, what in BUILDING])
def test_what_shows_when_it_is_built_has_its_place_too(board, text, where, what):
    with pytest.raises(RPIO.ConfigError) as caught:
        parse(text).build(board)
    assert str(caught.value).startswith(f"circuit:{where}: ") and what in str(caught.value)


def test_a_circuit_is_not_built_twice_on_a_board_or_on_another_model(board):
    circuit = parse(DOOR)
    circuit.build(board)
    with pytest.raises(RPIO.ConfigError, match=r"circuit:4:1: 0x48 of simulated I2C bus 1 is taken"):
        circuit.build(board)
    with pytest.raises(
        RPIO.ConfigError, match=r"circuit:2:1: the circuit is for a 4B, and the board is a 3B\+"
    ):
        circuit.build(manual_board("3B+"))
    with pytest.raises(RPIO.ConfigError, match=r"2:1: .*has GPIO 0 to 53, no 57"):
        parse("[[led]]\nline = 57").build(manual_board("3B+"))


def test_a_file_that_is_not_there_is_said_to_be_a_circuits(tmp_path):
    with pytest.raises(RPIO.ConfigError, match="No such file") as caught:
        load(str(tmp_path / "none.toml"))
    assert "circuit" in caught.value.hint


def test_some_things_may_share_a_line(board):
    built = parse("[[button]]\nline = 17\n[[led]]\nline = 17\nactive = 'low'\n[[servo]]\nline = 17").build(
        board
    )
    board.set_input(17, RPIO.PUD_UP)
    built["button"].push()
    assert built["led"].is_lit and built.at(17) == "button, led, servo"


def test_open_drains_may_share_a_wire(board):
    built = parse(
        "[[chip]]\ntype = 'pcf8574'\ninterrupt = 5\n[[button]]\nline = 6\n[[wire]]\nbetween = [5, 6]"
    ).build(board)
    board.set_input(5, RPIO.PUD_UP)
    built["button"].push()
    assert board.read(5) == 0 and board.short_circuits == 0


def test_the_tables_of_a_circuit_are_these():
    assert ("board", "chip", "wire", *PARTS) == TABLES


# -- in a program ------------------------------------------------------------------------------------


def test_a_program_loads_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RPIO_BACKEND", "sim")
    (tmp_path / "door.toml").write_text(DOOR.replace("4B", "3B+"))
    RPIO.facade.new_board()
    try:
        parts = RPIO.sim.circuit(tmp_path / "door.toml")
        assert RPIO.facade.board.hardware.model == "3B+"
        RPIO.setup(17, RPIO.IN, RPIO.PUD_UP)
        parts["bell"].push()
        assert RPIO.input(17) == 0
        bus = i2c_bus(RPIO.sim.backend(), 1)
        assert bus.smbus(SmbusCall(0x20, True, BYTE_DATA, 0)) == b"\xff"
    finally:
        RPIO.facade.new_board()


def test_a_board_that_was_chosen_stays(tmp_path, monkeypatch):
    (tmp_path / "door.toml").write_text(DOOR.replace("4B", "3B+"))
    monkeypatch.setenv("RPIO_BACKEND", "sim:4B")
    RPIO.facade.new_board()
    try:
        with pytest.raises(RPIO.ConfigError, match=r"for a 3B\+, and the board is a 4B"):
            RPIO.sim.circuit(str(tmp_path / "door.toml"))
    finally:
        RPIO.facade.new_board()


# -- rpio sim ----------------------------------------------------------------------------------------


@pytest.fixture
def user():
    made = User()
    (made.folder / "door.toml").write_text(
        "[board]\nmodel = '3B+'\n[[switch]]\nname = 'door'\nline = 17\nclosed = true\nresistor = true\n"
        "[[chip]]\ntype = 'ads1115'\nvolts = [2.048, 0, 0, 0]\n"
    )
    (made.folder / "program.py").write_text(
        textwrap.dedent("""
            import sys
            import RPi.GPIO as GPIO
            import RPIO

            GPIO.setmode(GPIO.BCM)
            GPIO.setup(17, GPIO.IN)
            print(sys.argv[1:], GPIO.input(17), RPIO.describe())
            sys.exit(3)
        """)
    )
    yield made
    made.close()


def test_rpio_sim_runs_a_program_on_a_circuit(user):
    done = user.do(
        "sim", str(user.folder / "door.toml"), str(user.folder / "program.py"), "a", "--quiet", backend=None
    )
    assert done == (3, "['a', '--quiet'] 0 simulated Raspberry Pi 3 Model B+ (54 lines)\n", "")
    done = user.do("sim", "zero2w", str(user.folder / "program.py"), backend=None)
    assert done == (3, "[] 0 simulated Raspberry Pi Zero 2 W (54 lines)\n", "")


@pytest.mark.slow
def test_rpio_sim_shares_a_board_with_a_circuit(user):
    board = user.sim(str(user.folder / "door.toml"))
    board.says(r"door.toml: door, ads1115")
    assert user.tell("read", "17") == "0\n"
    assert user.do("info", backend="sim:shared")[1].startswith(
        "board         simulated Raspberry Pi 3 Model B+"
    )


@pytest.mark.slow
def test_rpio_sim_tells_what_cannot_be(user):
    (user.folder / "bad.toml").write_text("[[button]]\nlin = 17\n")
    for words, status, text in (
        ([str(user.folder / "bad.toml")], 1, "bad.toml:2:1: button has no 'lin'; did you mean 'line'?"),
        ([str(user.folder / "none.toml")], 1, "none.toml: No such file or directory"),
        (["4B", "nothing.py"], 2, "there is no file 'nothing.py'"),
        (
            ["-q", "4B", str(user.folder / "program.py")],
            2,
            "--quiet and --for are for the board that is shared",
        ),
        ([str(user.folder / "program.py")], 2, "is a file: rpio run --sim"),
    ):
        found = user.do("sim", *words, backend=None)
        assert (found[0], found[1]) == (status, "") and text in found[2], found


def test_the_screen_says_what_is_at_a_line():
    lines = [sim_rows.Shown(17, 11, part="button 'door'"), sim_rows.Shown(18, 12)]
    rows = sim_rows.rows(sim_rows.State("title", lines), 80, 24)
    text = "\n".join("".join(piece for piece, _ in row) for row in rows)
    assert "GPIO 17, pin 11: INPUT, pull -, low; at it button 'door'" in text


@needs_tmux
def test_the_terminal_shows_the_circuit(user, tmp_path):
    with Terminal(tmp_path, "sim") as terminal:
        environment = {
            "XDG_RUNTIME_DIR": str(user.folder),
            "PYTEST_CURRENT_TEST": "",
            "PYTEST_VERSION": "",
            "RPIO_BACKEND": "sim",
        }
        code = f"import sys; from RPIO.cli import main; sys.exit(main(['sim', {str(user.folder / 'door.toml')!r}]))"
        terminal.begin([sys.executable, "-c", code], ready="Space: press", **environment)
        terminal.wait("3 Model B+ (54 lines), door.toml")
        terminal.keys("1", "7")
        terminal.wait("GPIO 17, pin 11: INPUT, pull down, low; from outside low; at it switch 'door'")


# -- pytest ------------------------------------------------------------------------------------------

TESTS = """
    import pytest
    import RPIO
    from RPIO.chips.buses import i2c_bus

    @pytest.mark.rpio(circuit="door.toml")
    def test_marker(rpio_board):
        assert rpio_board.sim.hardware.model == "3B+"
        seen = []
        RPIO.add_interrupt_callback(17, lambda gpio, level: seen.append(level), pull_up_down=RPIO.PUD_UP)
        rpio_board.parts["bell"].press(20)
        rpio_board.advance(30)
        assert seen == [0, 1]
        assert list(i2c_bus(rpio_board.sim, 1).chips) == [0x48]
        rpio_board.assert_wave(24, "_")

    @pytest.mark.rpio("3B+")
    def test_call(rpio_board):
        assert rpio_board(circuit="door.toml") is rpio_board
        assert list(rpio_board.parts) == ["adc", "bell", "sensor"]
        with pytest.raises(RPIO.GPIOError, match="a circuit already"):
            rpio_board(circuit="door.toml")

    @pytest.mark.rpio(model="3B+", circuit="door.toml")
    def test_both(rpio_board):
        assert len(rpio_board.parts) == 3

    def test_program(rpio_board):
        with pytest.raises(RPIO.ConfigError, match="for a 3B"):
            RPIO.sim.circuit("door.toml")
        assert len(rpio_board.parts) == 0

    @pytest.mark.rpio(circuit="bad.toml")
    def test_bad_file(rpio_board):
        pass

    @pytest.mark.rpio("4B", circuit="door.toml")
    def test_bad_model(rpio_board):
        pass

    @pytest.mark.rpio(circiut="door.toml")
    def test_bad_word(rpio_board):
        pass
"""


@pytest.mark.slow
def test_a_tests_board_has_a_circuit(pytester):
    (pytester.path / "door.toml").write_text(
        "[board]\nmodel = '3B+'\n[[chip]]\nname = 'adc'\ntype = 'ads1115'\n[[button]]\nname = 'bell'\nline = 17\n"
        "[[ultrasonic]]\nname = 'sensor'\ntrigger = 23\necho = 24\n"
    )
    (pytester.path / "bad.toml").write_text("[[chip]]\ntype = 'ads'\n")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess(*PLAIN, "-W", "error")
    result.assert_outcomes(passed=4, errors=3)
    said = "\n".join(result.outlines)
    assert "bad.toml:2:1: there is no chip 'ads'; did you mean 'ads1115'?" in said
    assert "door.toml:2:1: the circuit is for a 3B+, and the board is a 4B" in said
    assert "pytest.mark.rpio has a model and a circuit, no circiut" in said


# -- the page ----------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "doc" / "circuits.rst").read_text(encoding="utf-8")
FILES = re.compile(r"^\.\. code-block:: \w+\n    :caption: (.+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)
CONSOLE = re.compile(r"^\.\. code-block:: console\n\n    \$ (.+)\n((?:    .*\n)+)", re.MULTILINE)


@pytest.mark.slow
def test_the_examples_of_the_page_do_what_it_says(pytester, user):
    for name, text in FILES.findall(PAGE):
        (pytester.path / name).write_text(textwrap.dedent(text).strip() + "\n", encoding="utf-8")
    result = pytester.runpytest_subprocess(*PLAIN, "-W", "error")
    result.assert_outcomes(passed=3)
    commands = CONSOLE.findall(PAGE)
    assert len(commands) == 3
    for command, said in commands:
        words = command.split()
        run = ["-c", f"import sys; sys.argv[:] = {words!r}\n{RUN}"] if words[0] == "rpio" else words[1:]
        done = subprocess.run(
            [sys.executable, *run],
            cwd=pytester.path,
            env=user.environment(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.stdout == textwrap.dedent(said), command


def test_every_kind_and_every_key_is_on_the_page():
    tables = PAGE.partition(".. circuit kinds")[2].partition("What breaks")[0]
    rows = dict(re.findall(r"^``(\w+)`` +(.+\n(?: {16}.+\n)*)", tables, re.MULTILINE))
    assert set(rows) == {*CHIPS, *PARTS}
    for word, kind in {**CHIPS, **PARTS}.items():
        row = (
            rows[word]
            + (rows["button"] if word == "switch" else "")
            + (rows["ads1115"] if word == "ads1015" else "")
        )
        assert all(f"``{key}``" in row for key in set(kind.keys) - {"name", "bus", "address", "device"}), word
