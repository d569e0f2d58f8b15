# SPDX-License-Identifier: LGPL-3.0-or-later
"""Ten libraries for devices, unmodified, used from here by way of module()."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules_parts import there
from waiting import wait_until

from . import peers

LIBRARIES = (
    *("smbus2==0.6.1", "RPi.bme280==0.2.4", "Adafruit-ADS1x15==1.0.2", "luma.core==2.5.3", "RPLCD==1.4.0"),
    *("gpiozero==2.0.1", "w1thermsensor==2.3.0", "pyserial==3.5", "numpy==2.2.6", "pillow==11.3.0"),
)
CHIPS = '''
"""Chips that answer where there are none."""

class Bus:
    """An SMBus with a BME280 at 0x76."""
    memory = {}
    def read_byte_data(self, address, register): return self.memory.get(register, 0)
    def read_word_data(self, address, register):
        return self.memory.get(register, 0) | self.memory.get(register + 1, 0) << 8
    def write_byte_data(self, address, register, value): self.memory[register] = value
    def read_i2c_block_data(self, address, register, count):
        return [self.memory.get(register + at, 0) for at in range(count)]

# Compensation words and a measurement of the datasheet's example. Source: BST-BME280-DS002, 4.2.2 and BMP280's 3.12.
WORDS = {0x88: 27504, 0x8A: 26435, 0x8C: 64536, 0x8E: 36477, 0x90: 54851, 0x92: 3024, 0x94: 2855, 0x96: 140,
         0x98: 65529, 0x9A: 15500, 0x9C: 50936, 0x9E: 6000}
for register, word in WORDS.items():
    Bus.memory[register], Bus.memory[register + 1] = word & 255, word >> 8
for at, byte in enumerate((0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x80, 0x00)):
    Bus.memory[0xF7 + at] = byte

class Converter:
    """What Adafruit_GPIO.I2C is for an ADS1115: 1.5 V at each input."""
    def __init__(self): self.configured = []
    def writeList(self, register, data): self.configured.append((register, list(data)))
    def readList(self, register, count):
        raw = round(1.5 / 4.096 * 32767)
        return [raw >> 8, raw & 255]

class I2C:
    """The module Adafruit_GPIO.I2C."""
    def get_i2c_device(self, address, **more): return Converter()
'''


@pytest.fixture(scope="module")
def folder(fetch, tmp_path_factory):
    """Where they are, with the chips."""
    libraries = fetch(peers.with_needs, *LIBRARIES)
    chips = tmp_path_factory.mktemp("chips")
    (chips / "chips.py").write_text(CHIPS)
    return f"{chips}{os.pathsep}{libraries}"


@pytest.fixture(scope="module")
def pi(folder):
    with there(folder=folder) as made:
        yield made


def test_smbus2(pi):
    smbus2 = pi.module("smbus2")
    message = smbus2.i2c_msg.write(0x40, [1, 2, 3])
    assert message.addr == 0x40 and len(message) == 3 and list(message) == [1, 2, 3]
    with pytest.raises(FileNotFoundError) as caught:
        smbus2.SMBus("/dev/i2c-is-not-here")
    assert caught.value.errno == 2


def test_bme280(pi):
    bme280, bus = pi.module("bme280"), pi.module("chips").Bus()
    parameters = bme280.load_calibration_params(bus, 0x76)
    sample = bme280.sample(bus, 0x76, parameters)
    assert 24.5 < sample.temperature < 25.5 and 950 < sample.pressure < 1050
    assert "Â°C" in str(sample) or "°C" in str(sample)


def test_adafruit_ads1x15(pi):
    ads = pi.module("Adafruit_ADS1x15").ADS1115(0x48, i2c=pi.module("chips").I2C())
    assert [round(ads.read_adc(pin, gain=1) * 4.096 / 32767, 2) for pin in range(4)] == [1.5] * 4


def test_luma_core(pi):
    device = pi.module("luma.core.device").dummy(width=64, height=32, mode="1")
    with pi.module("luma.core.render").canvas(device) as draw:
        draw.rectangle((0, 0, 63, 31), outline="white")
        draw.point((5, 5), fill="white")
    picture = device.image
    assert picture.size == (64, 32) and picture.getpixel((5, 5)) and not picture.getpixel((6, 6))


def test_rplcd(pi):
    pi.module("RPi.GPIO").setwarnings(False)
    lcd = pi.module("RPLCD.gpio").CharLCD(
        numbering_mode=pi.module("RPi.GPIO").BCM,
        pin_rs=25,
        pin_e=24,
        pins_data=[23, 17, 18, 22],
        cols=16,
        rows=2,
    )
    lcd.write_string("Hello")
    assert lcd.cursor_pos == (0, 5)
    lcd.close(clear=True)


def test_gpiozero(pi):
    factory = pi.module("gpiozero.pins.mock").MockFactory()
    gpiozero, pressed = pi.module("gpiozero"), []
    with gpiozero.LED(5, pin_factory=factory) as led, gpiozero.Button(6, pin_factory=factory) as button:
        led.on()
        assert led.is_lit is True and led.value == 1
        button.when_pressed = lambda: pressed.append(button.is_pressed)
        pin = factory.pin(6)
        for _ in range(3):
            pin.drive_low()
            pin.drive_high()
        assert wait_until(lambda: len(pressed) == 3)
        with pytest.raises(gpiozero.GPIOPinInUse):
            gpiozero.LED(5, pin_factory=factory)


def test_w1thermsensor(pi, tmp_path):
    sensor = tmp_path / "28-000001"
    sensor.mkdir()
    (sensor / "w1_slave").write_text(
        "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"
    )
    pi.module("os").environ["W1THERMSENSOR_NO_KERNEL_MODULE"] = "1"
    library = pi.module("w1thermsensor")
    cls = library.W1ThermSensor
    pi.module("w1thermsensor.core").W1ThermSensor.BASE_DIRECTORY = pi.module("pathlib").Path(str(tmp_path))
    (found,) = cls.get_available_sensors()
    assert found.id == "000001" and found.get_temperature() == 23.125
    with pytest.raises(library.NoSensorFoundError):
        cls(sensor_id="000002")


def test_pyserial(pi):
    system, terminal = pi.module("os"), pi.module("pty").openpty()
    with pi.module("serial").Serial(system.ttyname(terminal[1]), 9600, timeout=5) as port:
        system.write(terminal[0], b"hello\n")
        assert port.readline() == b"hello\n"
        port.write(b"back")
        assert system.read(terminal[0], 100) == b"back" and port.in_waiting == 0


ARRAYS = """
import sys
import numpy as np
from modules_parts import there
with there(folder=sys.argv[1]) as pi:
    there_np, same = pi.module("numpy"), pi.module("copy").copy
    for array in (
        np.random.default_rng(1).random(1_310_720), np.arange(24, dtype="i2").reshape(2, 3, 4), np.zeros((0, 3)),
        np.array(5.5), np.array([True, False]), np.arange(12.0).reshape(3, 4).T, np.array([1 + 2j]), np.float32([1, 2])
    ):
        back = same(array)
        assert type(back) is np.ndarray or array.shape == (), type(back)
        assert np.array_equal(back, array) and np.asarray(back).dtype == array.dtype, (array.dtype, back)
    assert there_np.sum(np.arange(10)) == 45 and same(np.float64(1.5)) == 1.5 and same(np.int16(7)) == 7
    objects = there_np.array([pi.module("threading").Lock()])
    assert type(objects).__name__ == "Proxy" and len(objects) == 1
print("equal")
"""


def test_numpy(folder):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(Path(__file__).resolve().parents[1])])}
    done = subprocess.run(
        [sys.executable, "-c", ARRAYS, folder],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "equal\n", done.stderr


def test_pillow(pi):
    image = pi.module("PIL.Image").new("RGB", (8, 8), "black")
    image.putpixel((1, 2), (255, 0, 0))
    assert image.getpixel((1, 2)) == (255, 0, 0) and len(image.tobytes()) == 192
    buffer = pi.module("io").BytesIO()
    image.save(buffer, format="PNG")
    assert buffer.getvalue().startswith(b"\x89PNG")
