# SPDX-License-Identifier: LGPL-3.0-or-later
"""examples/rpigpio: each on a simulated board with the device it is made for, and as a program of its own."""

import importlib.util
import itertools
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import devices
from waiting import LIMIT_S

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "rpigpio"


@pytest.fixture
def example(rpio_board, rpi_gpio, rpio_time, monkeypatch):
    """A call that imports an example by its name, with RPi.GPIO played by RPIO, and gives it a command line."""

    def load(name, *arguments):
        spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        return module

    rpi_gpio.setmode(rpi_gpio.BCM)
    yield load
    assert rpio_board.sim.short_circuits == 0


# -- with their devices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounces", [0, 3])
def test_rotary_counts_clicks_both_ways_and_bounces_do_not_count(example, rpio_board, capsys, bounces):
    encoder = devices.encoder_of(rpio_board, 17, 18)
    end_ms = encoder.turn(3, bounces=bounces, after_ms=10)
    end_ms = encoder.turn(-5, bounces=bounces, after_ms=end_ms + 50)
    rpio_board.after(end_ms + 50, lambda: rpio_board.drive(27, 0))
    rpio_board.ctrl_c(5000)
    example("rotary").main()
    shown = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert shown == [1, 2, 3, 2, 1, 0, -1, -2, 0]  # the last one is the switch


@pytest.mark.parametrize(
    ("kind", "data", "answer"),
    [
        (22, devices.dht_reading(65.2, 35.1), (35.1, 65.2)),
        (22, devices.dht_reading(99.9, -10.1), (-10.1, 99.9)),
        (22, devices.dht_reading(0, 0), (0, 0)),
        (11, bytes([45, 0, 23, 4, 72]), (23.4, 45)),
    ],
)
def test_dht_decodes_what_the_sensor_measures(example, rpio_board, kind, data, answer):
    devices.dht_of(rpio_board, 4, data, kind)
    assert example("dht").read(4, kind) == answer


def test_dht_tries_again_after_a_wrong_checksum(example, rpio_board, capsys):
    sensor = devices.dht_of(rpio_board, 4, bytes([1, 2, 3, 4, 5]))
    good = devices.dht_reading(50, 20)
    rpio_board.after(1000, lambda: setattr(sensor, "data", good))
    example("dht").main()
    assert capsys.readouterr().out == "20.0 degrees Celsius, 50.0 % humidity\n" and sensor.answers == 2


def test_dht_without_a_sensor_says_so(example, rpio_board):
    with pytest.raises(SystemExit, match="no answer from a sensor on GPIO 4"):
        example("dht").main()
    assert 8000 < rpio_board.now_ms < 9000


@pytest.mark.parametrize("degrees", [90, -45, 0])
def test_stepper_turns_the_shaft_by_the_angle(example, rpio_board, degrees):
    module = example("stepper", degrees)
    motor = devices.StepperMotor(rpio_board, module.PINS)
    motor.position = 0
    module.main()
    assert motor.position * 360 / 4096 == degrees
    assert motor.stalls == 0 and motor.coils() == 0  # switched off at the end
    assert set(motor.moves) <= {1, -1}


def test_keypad_tells_the_keys(example, rpio_board, capsys):
    module = example("keypad")
    keypad = devices.Keypad(rpio_board, module.ROWS, module.COLUMNS, module.KEYS)
    rpio_board.ctrl_c(keypad.type("0123456789ABCD*#55") + 100)
    module.main()
    assert "".join(capsys.readouterr().out.split()[-36:]).replace("key", "") == "0123456789ABCD*#55"


def test_keypad_knows_two_keys_at_once_even_in_one_column(example, rpio_board):
    module = example("keypad")
    keypad = devices.Keypad(rpio_board, module.ROWS, module.COLUMNS, module.KEYS)
    module.setup()
    assert module.pressed() == ""
    keypad.press("1")
    keypad.press("7")
    assert module.pressed() == "17"
    keypad.release("1")
    assert module.pressed() == "7"


@pytest.mark.parametrize("cm", [2, 17.5, 100, 400])
@pytest.mark.slow
def test_distance_is_right_to_a_millimetre_or_so(example, rpio_board, cm):
    module = example("distance")
    sensor = devices.ultrasonic_of(rpio_board, module.TRIGGER, module.ECHO, cm)
    module.setup()
    assert module.measure_well() == pytest.approx(cm, abs=0.1)
    assert sensor.pings == 5


@pytest.mark.slow
def test_distance_says_when_there_is_no_sensor_and_goes_on(example, rpio_board, capsys):
    module = example("distance", "--count", 2)
    module.main()
    assert capsys.readouterr().out == "no echo\nno echo\n"


def test_the_shift_register_shows_each_light_at_once(example, rpio_board):
    module = example("shift_register", "--rounds", 1)
    chip = devices.ShiftRegister(rpio_board, module.DATA, module.CLOCK, module.LATCH)
    module.main()
    assert chip.shown == [1, 2, 4, 8, 16, 32, 64, 128, 64, 32, 16, 8, 4, 2, 0]


def test_the_shift_register_keeps_a_pattern_after_the_program(example, rpio_board):
    module = example("shift_register", "10110001")
    chip = devices.ShiftRegister(rpio_board, module.DATA, module.CLOCK, module.LATCH)
    module.main()
    assert chip.outputs == 0b10110001 and chip.shown == [0b10110001]


def test_ctrl_c_switches_the_running_light_off(example, rpio_board):
    module = example("shift_register", "--rounds", 100)
    chip = devices.ShiftRegister(rpio_board, module.DATA, module.CLOCK, module.LATCH)
    rpio_board.ctrl_c(450)
    module.main()
    assert chip.shown == [1, 2, 4, 8, 16, 0]


def test_the_display_shows_text_and_time_and_is_cleared_at_the_end(example, rpio_board):
    module = example("lcd", "It works", "--seconds", 1)
    display = devices.CharacterDisplay(rpio_board, 25, 24, (23, 17, 18, 22))
    shown = []
    rpio_board.after(900, lambda: shown.append(display.rows()))
    module.main()
    assert shown[0][0] == "It works" and len(shown[0][1]) == len("12:34:56")
    assert display.rows() == ["", ""] and display.too_fast == 0


def test_a_long_text_runs_over_the_display(example):
    texts = example("lcd").scroll("Hello from the Raspberry Pi")
    assert [next(texts) for _ in range(3)] == ["Hello from the R", "ello from the Ra", "llo from the Ras"]
    assert [next(texts) for _ in range(28)][-1] == "Hello from the R"


def test_each_press_counts_once_though_contacts_bounce(example, rpio_board, capsys):
    module = example("buttons")
    up, down = devices.button_of(rpio_board, module.UP), devices.button_of(rpio_board, module.DOWN)
    for n in range(4):
        up.press(after_ms=100 + 300 * n)
    down.press(after_ms=2000, ms=80)
    rpio_board.ctrl_c(3000)
    module.main()
    assert capsys.readouterr().out.split()[-5:] == ["1", "2", "3", "4", "3"]


def test_fade_gets_brighter_and_darker_again(example, rpio_board):
    module = example("fade", "--times", 1, "--steps", 20)
    meter = devices.PulseMeter(rpio_board, module.PIN)
    module.main()
    lengths = [round(length, 2) for _, length in meter.pulses]
    top = lengths.index(max(lengths))
    assert lengths[:top] == sorted(lengths[:top]) and lengths[top:] == sorted(lengths[top:], reverse=True)
    wanted = {round(0.05 * duty, 2) for duty in module.levels(20)} - {0, 5}
    assert set(lengths) == {*wanted, max(lengths)} and max(lengths) > 5  # 100 %: longer than a period
    assert {round(start % 5, 2) for start, _ in meter.pulses} == {round(meter.pulses[0][0] % 5, 2)}
    assert rpio_board.level(module.PIN) == 0


def test_the_servo_gets_pulses_of_the_right_length(example, rpio_board, capsys):
    module = example("servo", 0, 90, 180)
    meter = devices.PulseMeter(rpio_board, module.PIN)
    module.main()
    lengths = [round(length, 2) for _, length in meter.pulses]
    assert sorted(set(lengths)) == [0.5, 1.5, 2.5] and lengths == sorted(lengths)
    starts = [start for start, _ in meter.pulses]
    assert {round(b - a, 2) for a, b in itertools.pairwise(starts)} == {20}


def test_a_servo_is_not_sent_where_it_cannot_go(example):
    with pytest.raises(ValueError, match="from 0 to 180 degrees"):
        example("servo").duty_cycle(181)


@pytest.fixture
def relays(example, rpio_board):
    """The program, and a list of moments at which both relays were on."""
    module = example("relays", "up", 3)
    module.both = devices.never_both(rpio_board, module.UP, module.DOWN, module.ON)
    return module


def test_no_relay_clicks_at_the_start(relays, rpio_board):
    relays.Blind()
    assert rpio_board.wave(relays.UP) == rpio_board.wave(relays.DOWN) == "-"


def test_relays_are_never_on_together_and_pause_between(relays, rpio_board):
    blind = relays.Blind()
    blind.move("up")
    rpio_board.advance(1000)
    blind.move("down")
    rpio_board.advance(1000)
    blind.move("up")
    rpio_board.advance(1000)
    blind.stop()
    rpio_board.assert_wave(relays.UP, "__----__", step_ms=500)
    rpio_board.assert_wave(relays.DOWN, "---__---", step_ms=500)
    assert relays.both == []


@pytest.mark.parametrize(("ctrl_c_ms", "on_ms"), [(60000, 3000), (1200, 1200)])
def test_the_blind_stops_in_time_and_at_ctrl_c(relays, rpio_board, ctrl_c_ms, on_ms):
    rpio_board.ctrl_c(ctrl_c_ms)
    relays.main()
    rpio_board.advance(1000)
    assert rpio_board.wave(relays.UP, step_ms=100).count("_") * 100 == on_ms
    assert rpio_board.level(relays.UP) == rpio_board.level(relays.DOWN) == relays.OFF


# -- as programs -----------------------------------------------------------------------------------------------

PROGRAMS = {
    "rotary": ((), "Turn the knob"),
    "dht": (("--tries", "1"), None),
    "stepper": (("5", "--delay", "0.0001"), None),
    "keypad": ((), "Press keys"),
    "distance": ((), "no echo"),
    "shift_register": (("--rounds", "1", "--pause", "0.001"), None),
    "lcd": (("Hello",), "On the display"),
    "buttons": ((), "Press the buttons"),
    "fade": (("--times", "1", "--steps", "3"), None),
    "relays": (("up",), "up for 10 s"),
    "servo": (("0", "180", "--pause", "0.05"), None),
}
"""Example -> its arguments, and what it prints before it waits for Ctrl+C; None where it ends by itself."""


def test_every_example_is_run_here():
    assert set(PROGRAMS) == {path.stem for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.slow
def test_it_runs_as_a_program_and_ends_cleanly(name):
    arguments, waits = PROGRAMS[name]
    command = (sys.executable, "-m", "RPIO.cli", "run", "--backend", "sim", str(FOLDER / f"{name}.py"))
    with subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"},
    ) as program:
        said = ""
        if waits is not None:
            assert select.select([program.stdout], [], [], 20)[0], "it says nothing"
            said = program.stdout.readline()
            program.send_signal(signal.SIGINT)
        rest, complaints = program.communicate(timeout=LIMIT_S)
    assert waits is None or waits in said
    assert "Traceback" not in complaints and program.returncode == (1 if name == "dht" else 0), complaints
    assert complaints.strip() == ("no answer from a sensor on GPIO 4" if name == "dht" else ""), rest
