# SPDX-License-Identifier: LGPL-3.0-or-later
"""Drivers of chips from the package index, unmodified, on simulated chips: of this program, and by gRPC."""

import importlib
import io
import sys
import types

import pytest

import RPIO
import RPIO.i2c.grpc
import RPIO.remote.grpc  # all of it here: what a test has loaded is gone after it
from grpc_parts import OfBoard, closing
from RPIO.chips.circuit import parse
from RPIO.i2c import SMBus
from RPIO.shims.buses import digitalio, micropython
from RPIO.shims.buses.Adafruit_GPIO import I2C as adafruit_gpio
from RPIO.shims.buses.Adafruit_PureIO import smbus as pureio
from RPIO.shims.circuit_buses import I2C
from RPIO.wire.grpc import rpio_v1_pb2  # noqa: F401

from . import peers

LUMA = ("luma.oled==3.14.0", "luma.core==2.5.3", "smbus2==0.6.1", "pillow==11.3.0")
CIRCUITPYTHON = (
    *("adafruit-circuitpython-ads1x15==3.0.5", "adafruit-circuitpython-mcp230xx==2.6.2"),
    *("adafruit-circuitpython-busdevice==5.2.17", "typing_extensions==4.15.0"),
)
ADAFRUIT = "Adafruit-ADS1x15==1.0.2"


@pytest.fixture
def load(fetch, monkeypatch):
    """A call that imports a module of packages; they are gone after the test."""
    before = set(sys.modules)

    def load(name, get, *requirements):
        monkeypatch.syspath_prepend(fetch(get, *requirements))
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def board():
    made = RPIO.Board("sim:4B")
    yield made
    made.close()


@pytest.fixture(params=["here", "by gRPC"])
def opened(request, board):
    """Opens bus 1 of the board."""
    if request.param == "here":
        yield lambda: SMBus(1, board=board)
        return
    with closing(OfBoard(board)) as served:
        yield lambda: SMBus(served.place)


@pytest.fixture
def bus(opened):
    with opened() as made:
        yield made


def built(board, text):
    return parse(text).build(board.backend)


# -- what they want of whoever has the bus -----------------------------------------------------------


class AdafruitI2c:
    """The module Adafruit_GPIO.I2C, ours, of a bus of the test's."""

    def __init__(self, bus):
        self._bus = pureio.SMBus()
        self._bus._bus, self._bus._is_open = bus, True

    def get_i2c_device(self, address, **more):
        return adafruit_gpio.get_i2c_device(address, 1, lambda number: self._bus, **more)


class BusioI2c(I2C):
    """busio.I2C, ours, of a bus of the test's."""

    def __init__(self, bus):
        super(I2C, self).__init__()
        self._bus = bus


@pytest.fixture
def circuitpython(load, monkeypatch):
    """load() for drivers of CircuitPython, with what of its own modules those need."""
    typing = types.ModuleType("circuitpython_typing")
    typing.ReadableBuffer, typing.WriteableBuffer = bytes, bytearray
    busio = types.ModuleType("busio")
    busio.I2C, busio.SPI = BusioI2c, object
    modules = {"micropython": micropython, "digitalio": digitalio, "busio": busio}
    for name, module in (modules | {"circuitpython_typing": typing}).items():
        monkeypatch.setitem(sys.modules, name, module)
    return lambda name: load(name, peers.installed, *CIRCUITPYTHON)


# -- ADS1115 -----------------------------------------------------------------------------------------

ADC = "[[chip]]\nname = 'adc'\ntype = 'ads1115'\nvolts = [0.5, 1.5, 2.5, 3.3]\n"


def test_adafruit_ads1x15(load, board, bus):
    built(board, ADC)
    ads = load("Adafruit_ADS1x15", peers.installed, ADAFRUIT).ADS1115(0x48, i2c=AdafruitI2c(bus))
    volts = [ads.read_adc(pin, gain=1) * 4.096 / 32767 for pin in range(4)]
    assert volts == pytest.approx([0.5, 1.5, 2.5, 3.3], abs=0.001)
    assert ads.read_adc_difference(0, gain=2) * 2.048 / 32767 == pytest.approx(-1, abs=0.001)


def test_adafruit_ads1x15_continuously_and_as_ads1015(load, board, bus):
    parts = built(board, ADC + "[[chip]]\ntype = 'ads1015'\naddress = 0x49\nvolts = [0, 0, 1, 0]\n")
    module = load("Adafruit_ADS1x15", peers.installed, ADAFRUIT)
    ads = module.ADS1115(0x48, i2c=AdafruitI2c(bus))
    ads.start_adc(1, gain=1, data_rate=860)
    assert ads.get_last_result() * 4.096 / 32767 == pytest.approx(1.5, abs=0.001)
    ads.stop_adc()
    assert parts["adc"].volts[1] == 1.5
    small = module.ADS1015(0x49, i2c=AdafruitI2c(bus))
    assert small.read_adc(2, gain=1) * 4.096 / 2047 == pytest.approx(1, abs=0.003)


def test_circuitpython_ads1x15(circuitpython, board, bus):
    parts = built(board, ADC)
    module = circuitpython("adafruit_ads1x15")
    ads = module.ADS1115(BusioI2c(bus), gain=1)
    inputs = [module.AnalogIn(ads, pin) for pin in range(4)]
    assert [one.voltage for one in inputs] == pytest.approx([0.5, 1.5, 2.5, 3.3], abs=0.001)
    assert module.AnalogIn(ads, 0, 1).voltage == pytest.approx(-1, abs=0.001)
    parts["adc"].volts[3] = 0.1
    assert inputs[3].voltage == pytest.approx(0.1, abs=0.001)


# -- MCP23017 ----------------------------------------------------------------------------------------


def test_circuitpython_mcp230xx(circuitpython, board, bus):
    built(board, "[[chip]]\nname = 'pins'\ntype = 'mcp23017'\npins = { 0 = 17, 8 = 18 }\nint_b = 27\n")
    mcp = circuitpython("adafruit_mcp230xx.mcp23017").MCP23017(BusioI2c(bus))
    digitalio = sys.modules["digitalio"]
    output, button = mcp.get_pin(0), mcp.get_pin(8)
    output.switch_to_output(value=True)
    assert board.backend.read(17) == 1
    output.value = False
    assert board.backend.read(17) == 0
    button.direction, button.pull = digitalio.Direction.INPUT, digitalio.Pull.UP
    assert button.value
    mcp.interrupt_enable, mcp.interrupt_configuration = 0x0100, 0
    assert board.backend.read(27) == 1
    board.backend.drive(18, 0)
    assert board.backend.read(27) == 0 and mcp.int_flagb == [8]
    assert not button.value and board.backend.read(27) == 1


# -- BME280 ------------------------------------------------------------------------------------------


def test_rpi_bme280(load, board, bus):
    parts = built(
        board, "[[chip]]\nname = 'air'\ntype = 'bme280'\ntemperature_c = 21.5\npressure_hpa = 987.6\n"
    )
    bme280 = load("bme280", peers.with_needs, "RPi.bme280==0.2.4")
    calibration = bme280.load_calibration_params(bus, 0x76)
    for celsius, percent in ((21.5, 50), (-12, 99), (60, 3)):
        parts["air"].temperature_c, parts["air"].humidity_percent = celsius, percent
        found = bme280.sample(bus, 0x76, calibration)
        measured = (found.temperature, found.pressure, found.humidity)
        assert measured == pytest.approx((celsius, 987.6, percent), abs=0.05)


# -- SSD1306 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [64, 32])
def test_luma_oled_draws_what_is_read_back(load, board, bus, height):
    parts = built(board, f"[[chip]]\nname = 'screen'\ntype = 'ssd1306'\nheight = {height}\n")
    serial = load("luma.core.interface.serial", peers.with_needs, *LUMA).i2c(bus=bus, address=0x3C)
    device = importlib.import_module("luma.oled.device").ssd1306(serial, width=128, height=height)
    image = importlib.import_module("PIL.Image")
    draw = importlib.import_module("PIL.ImageDraw")
    wanted = image.new("1", (128, height))
    pen = draw.Draw(wanted)
    pen.rectangle((0, 0, 127, height - 1), outline=1)
    pen.line((3, 2, 100, height - 7), fill=1)
    pen.text((40, 8), "RPIO", fill=1)
    device.display(wanted)
    screen = parts["screen"]
    assert screen.image().tobytes() == wanted.tobytes()
    assert image.open(io.BytesIO(screen.png())).convert("1").tobytes() == wanted.tobytes()
    assert sum(map(sum, screen.rows())) > 300 and screen.is_on
    device.contrast(77)
    device.hide()
    assert screen.contrast == 77 and not screen.is_on
    device.show()
    device.cleanup()
    assert not any(map(any, screen.rows()))


# -- smbus2's own examples ---------------------------------------------------------------------------


def test_examples_of_smbus2(load, board, opened):
    """Source: the README of smbus2 0.6.1, "Code examples", 1 to 8, with its own class where it is no bus."""
    parts = built(board, "[[chip]]\nname = 'any'\ntype = 'registers'\naddress = 80\nvalues = { 0 = 7 }\n")
    i2c_msg = load("smbus2", peers.installed, "smbus2==0.6.1").i2c_msg
    with opened() as bus:
        assert bus.read_byte_data(80, 0) == 7
        bus.write_byte_data(80, 0, 45)
        assert parts["any"].values[0] == 45
        assert bus.read_i2c_block_data(80, 0, 16) == [45] + [0] * 15
        bus.write_i2c_block_data(80, 0, [1, 2, 3, 4, 5, 6, 7, 8])
        assert parts["any"].values[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 0]
        bus.write_byte(80, 0)
        message = i2c_msg.read(80, 8)
        bus.i2c_rdwr(message)
        assert list(message) == [1, 2, 3, 4, 5, 6, 7, 8]
        bus.i2c_rdwr(i2c_msg.write(80, [65, 66, 67, 68]))
        assert parts["any"].values[65:68] == [66, 67, 68]
        write, read = i2c_msg.write(80, [65]), i2c_msg.read(80, 3)
        bus.i2c_rdwr(write, read)
        assert str(read) == "BCD" and len(read) == 3
    with pytest.raises(OSError) as caught, opened() as bus:
        bus.read_byte(81)
    assert caught.value.errno == 121
