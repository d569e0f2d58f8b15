# SPDX-License-Identifier: LGPL-3.0-or-later
"""Drivers from the package index that say ``import RPi.GPIO``, unmodified, on RPIO: each with a model of its device."""

import gc
import importlib
import logging
import sys
import threading
import warnings

import pytest

import devices
import RPIO.pytest_plugin

from . import peers

rpi_gpio = (
    RPIO.pytest_plugin.rpi_gpio
)  # RPIO by that name, not the real one as in the other tests of this folder
COILS = [6, 13, 19, 26]


@pytest.fixture
def driver(rpio_board, rpi_gpio, rpio_time, fetch, monkeypatch):
    """A call that imports a module from the source distribution of a package; both are gone after the test."""
    before = set(sys.modules)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def load(requirement, name, folder="."):
        monkeypatch.syspath_prepend(fetch(peers.sdist, requirement) / folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's: escapes that Python does not know, and the like
            return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        del sys.modules[name]
    root.setLevel(level)
    root.handlers[:] = handlers
    gc.collect()  # some have a __del__ that cleans up: on this board, not on the next one
    assert rpio_board.sim.short_circuits == 0


def test_dht11_reads_temperature_and_humidity(driver, rpio_board, rpi_gpio):
    devices.dht_of(rpio_board, 4, bytes([45, 0, 23, 4, 72]), kind=11)
    rpi_gpio.setmode(rpi_gpio.BCM)
    result = driver("dht11==0.1.0", "dht11").DHT11(pin=4).read()
    assert result.is_valid() and (result.temperature, result.humidity) == (23.4, 45.0)


def test_dht11_notices_a_wrong_checksum(driver, rpio_board, rpi_gpio):
    devices.dht_of(rpio_board, 4, bytes([45, 0, 23, 4, 73]), kind=11)
    rpi_gpio.setmode(rpi_gpio.BCM)
    dht11 = driver("dht11==0.1.0", "dht11")
    assert dht11.DHT11(pin=4).read().error_code == dht11.DHT11Result.ERR_CRC


def test_pad4pi_tells_the_keys_by_callbacks(driver, rpio_board):
    names = [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"], ["*", "0", "#"]]
    rows, columns = [4, 14, 15, 17], [18, 27, 22]
    factory = driver("pad4pi==1.1.5", "pad4pi.rpi_gpio").KeypadFactory()
    keypad = factory.create_keypad(names, rows, columns)
    typed = []
    keypad.registerKeyPressHandler(typed.append)
    pad = devices.Keypad(rpio_board, rows, columns, names)
    rpio_board.advance(pad.type("1234567890*#", ms=100, pause_ms=300) + 100)
    assert "".join(typed) == "1234567890*#"
    keypad.cleanup()


@pytest.mark.parametrize(("raw", "value"), [(0x012345, 0x012345), (0xFFFF00, -256)])
def test_hx711_reads_a_load_cell(driver, rpio_board, raw, value):
    cell = devices.LoadCell(rpio_board, 5, 6, raw)
    scale = driver("hx711==1.1.2.3", "hx711").HX711(dout_pin=5, pd_sck_pin=6, gain=64, channel="A")
    scale.reset()
    assert scale.get_raw_data(times=3) == [value] * 3
    rpio_board.advance(100)
    assert cell.gains[-1] == 64 and cell.power_downs == 1


@pytest.fixture
def motor(rpio_board):
    return devices.StepperMotor(rpio_board, COILS)


@pytest.mark.parametrize(
    ("steptype", "way", "position"), [("half", False, 511), ("full", False, 511), ("half", True, -512)]
)
def test_rpimotorlib_turns_a_stepper(driver, motor, monkeypatch, steptype, way, position):
    monkeypatch.setenv("RPIMOTORLIB_GPIO_BACKEND", "rpigpio")
    library = driver("rpimotorlib==4.0.0", "RpiMotorLib.RpiMotorLib")
    library.BYJMotor().motor_run(COILS, wait=0.001, steps=64, ccwise=way, steptype=steptype)
    assert motor.position == position and motor.stalls == 0 and motor.coils() == 0


def test_rpimotorlib_counts_steps_for_a_driver_chip(driver, rpio_board, monkeypatch):
    monkeypatch.setenv("RPIMOTORLIB_GPIO_BACKEND", "rpigpio")
    library = driver("rpimotorlib==4.0.0", "RpiMotorLib.RpiMotorLib")
    steps = devices.PulseMeter(rpio_board, 21)
    chip = library.A4988Nema(direction_pin=20, step_pin=21, mode_pins=(14, 15, 18), motor_type="DRV8825")
    chosen = []
    rpio_board.after(100, lambda: chosen.extend(rpio_board.level(line) for line in (20, 14, 15, 18)))
    chip.motor_go(clockwise=True, steptype="1/32", steps=50, stepdelay=0.002)
    assert [round(length) for _, length in steps.pulses] == [2] * 50
    assert chosen == [1, 1, 0, 1]


def test_uln2003pi_steps_there_and_back(driver, motor):
    stepper = driver("uln2003pi==1.0.4", "ULN2003Pi.ULN2003").ULN2003(COILS, latency=0.002)
    stepper.step(100)
    assert motor.position == 99  # the first one pulls the rotor to where it is
    stepper.step(-40)
    assert motor.position == 59 and motor.stalls == 0


def test_tm1637_shows_numbers_and_words(driver, rpio_board):
    module = driver("raspberrypi-tm1637==1.3.8", "tm1637")
    shown = devices.SevenSegments(rpio_board, clk=5, dio=6)
    display = module.TM1637(clk=5, dio=6, brightness=3)
    display.numbers(12, 59, colon=True)
    assert shown.digits[:4] == [0x06, 0x5B | 0x80, 0x6D, 0x6F] and shown.brightness == 3
    display.show("COOL")
    assert shown.digits[:4] == [0x39, 0x3F, 0x3F, 0x38]
    display.scroll("Hi", delay=100)
    assert shown.digits[:4] == [0, 0, 0, 0]


@pytest.mark.parametrize("cm", [5, 80, 250])
def test_bluetin_echo_measures_distances(driver, rpio_board, cm):
    devices.ultrasonic_of(rpio_board, 23, 24, cm)
    echo = driver("bluetin-echo==0.2.0", "Bluetin_Echo").Echo(23, 24)
    rpio_board.advance(100)
    assert echo.read("cm", 3) == pytest.approx(cm, abs=0.1)
    rpio_board.advance(100)
    assert echo.read("mm") == pytest.approx(cm * 10, abs=1)


def test_bluetin_echo_knows_out_of_range(driver, rpio_board):
    devices.ultrasonic_of(rpio_board, 23, 24, None)
    echo = driver("bluetin-echo==0.2.0", "Bluetin_Echo").Echo(23, 24)
    rpio_board.advance(100)
    assert echo.read("cm") == 0 and echo.error_code == 1


def test_pi74hc595_sets_outputs(driver, rpio_board, rpi_gpio):
    rpi_gpio.setmode(rpi_gpio.BOARD)
    chip = devices.ShiftRegister(rpio_board, data=17, clock=22, latch=27)
    register = driver("pi74hc595==1.2.3", "pi74HC595.pi74HC595").pi74HC595(DS=11, ST=13, SH=15)
    register.set_by_list([1, 0, True, 1, 0, 0, False, 1])
    assert chip.outputs == 0b10110001
    register.set_by_int(0b1010)
    assert chip.outputs == 0b00011010
    register.clear()
    assert chip.outputs == 0


def test_pizazz_sets_the_outputs_of_two_chips(driver, rpio_board):
    chips = devices.ShiftRegister(rpio_board, data=17, clock=27, latch=18, chips=2)
    register = driver("pizazz==1.3.5", "pizazz.pizazz", "src").HC595(ics=2)
    register.set_pattern([[1, 0, 0, 0, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0, 0, 0]])
    assert chips.outputs == 0b00000110_10000001
    register.set_output(0b1000, mask=0b1001)
    assert chips.outputs == 0b00000110_10001000


def test_charlcd_writes_on_a_display(driver, rpio_board, rpi_gpio):
    display = devices.CharacterDisplay(rpio_board, 25, 24, (22, 23, 27, 17))
    rpi_gpio.setmode(rpi_gpio.BCM)
    gpio = driver("charlcd==0.7.1", "charlcd.drivers.gpio")
    lcd = importlib.import_module("charlcd.direct").CharLCD(16, 2, gpio.Gpio())
    lcd.init()
    lcd.write("Hello")
    lcd.write("world!", 3, 1)
    assert display.rows() == ["Hello", "   world!"] and display.too_fast == 0
    lcd.shutdown()


def test_pyky040_follows_an_encoder_in_a_thread(driver, rpio_board):
    knob = devices.encoder_of(rpio_board, 17, 18)
    encoder = driver("pyky040==0.1.4", "pyky040.pyky040").Encoder(CLK=17, DT=18, SW=27)
    seen, presses = [], []
    encoder.setup(
        scale_min=0,
        scale_max=20,
        step=1,
        chg_callback=seen.append,
        inc_callback=seen.append,
        dec_callback=seen.append,
        sw_callback=lambda: presses.append(rpio_board.now_ms),
    )
    threading.Thread(target=encoder.watch).start()
    rpio_board.advance(knob.turn(4, quarter_ms=5) + 20)
    assert encoder.counter == 8  # both edges of CLK count
    rpio_board.advance(knob.turn(-3, quarter_ms=5) + 20)
    assert encoder.counter == 2 and sorted(set(seen)) == [1, 2, 3, 4, 5, 6, 7, 8]
    rpio_board.press(27, ms=100)
    assert len(presses) == 1


@pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")
def test_rpi_gpio_rotary_follows_an_encoder_in_a_thread(driver, rpio_board):
    knob = devices.encoder_of(rpio_board, 17, 18)
    rotary = driver("rpi-gpio-rotary==0.1.0", "RPi_GPIO_Rotary.rotary").Rotary(17, 18, 27, tick=2)
    turned = []
    rotary.register(increment=lambda: turned.append(1), decrement=lambda: turned.append(-1))
    rotary.start()
    rpio_board.advance(knob.turn(3, quarter_ms=10, after_ms=10) + 20)
    rpio_board.advance(knob.turn(-2, quarter_ms=10) + 20)
    rotary.stop()
    rpio_board.advance(10)
    assert turned == [1, 1, 1, -1, -1]


def test_gpiocrust_wraps_pins_and_pwm(driver, rpio_board):
    crust = driver("gpiocrust==1.0.0", "gpiocrust")
    assert crust.OutputPin.__module__ == "gpiocrust.raspberry_pi"  # not its mock
    with crust.Header():
        light = crust.OutputPin(11)
        dimmer = crust.PWMOutputPin(12, frequency=100)
        button = crust.InputPin(13, value=1, bouncetime=20)
        seen = []
        button.change(seen.append)
        light.value = 1
        dimmer.value = 0.25
        rpio_board.press(27, ms=50, bounces=3)
        assert (rpio_board.level(17), light.value, button.value, seen) == (1, 1, 1, [0, 1])
        assert "-___-___-___-___" in rpio_board.wave(18, step_ms=2.5)
        del light, dimmer, button
