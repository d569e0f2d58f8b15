# SPDX-License-Identifier: LGPL-3.0-or-later
"""Drivers from the package index, unmodified, on what ``rpio run`` has in the place of the libraries that they need."""

import os
import subprocess
import sys
import textwrap

import pytest

from remote_parts import daemon
from test_smbus_serve import ANY, place

from . import peers

OLD = ("Adafruit-ADS1x15==1.0.2",)
CIRCUITPYTHON = (
    "adafruit-circuitpython-busdevice==5.2.17",
    "adafruit-circuitpython-typing==1.13.0",
    "typing-extensions==4.16.0",
    "adafruit-circuitpython-ads1x15==3.0.5",
    "adafruit-circuitpython-mcp230xx==2.6.2",
    "adafruit-circuitpython-mcp3xxx==1.5.2",
)
"""Without what they need, which is Blinka."""
CIRCUIT = """
[[chip]]
name = "adc"
type = "ads1115"
volts = [1.0, 2.0, 3.0, 0.5]

[[chip]]
name = "expander"
type = "mcp23017"

[[chip]]
name = "spi_adc"
type = "mcp3008"
volts = [0.825, 1.65, 0, 0, 0, 0, 0, 3.3]
"""


HERE = """
import board, busio
WHERE = {}
I2C = busio.I2C
RPIO.sim.circuit("circuit.toml")
"""
BY_GRPC = """
import board, busio
from RPIO.i2c import SMBus
WHERE = {"i2c_interface": lambda number: SMBus(PLACE)}

class I2C(busio.I2C):
    def __init__(self, scl, sda):
        super().__init__(scl, sda)
        self._bus.close()
        self._bus = SMBus(PLACE)
"""
"""The bus is that of a daemon with the circuit; here is a board with nothing on it."""


@pytest.fixture(params=["here", "by gRPC"])
def beginning(request, tmp_path):
    """The beginning of a program: WHERE, what a device of Adafruit_GPIO is told of its bus; I2C, busio's class."""
    (tmp_path / "circuit.toml").write_text(CIRCUIT)
    if request.param == "here":
        yield HERE
        return
    prelude = f"import RPIO; RPIO.sim.circuit({str(tmp_path / 'circuit.toml')!r})"
    with daemon(tmp_path, *ANY, prelude=prelude) as served:
        yield f"PLACE = {place(served)!r}{BY_GRPC}"


@pytest.fixture
def run(fetch, tmp_path):
    """A call that runs a program with packages and that circuit under ``rpio run``; what it printed."""
    (tmp_path / "circuit.toml").write_text(CIRCUIT)

    def run(packages, code, beginning=HERE):
        path = [str(fetch(peers.installed, package)) for package in packages]
        program = tmp_path / "program.py"
        program.write_text(f"import RPIO\n{beginning}\n{textwrap.dedent(code)}")
        done = subprocess.run(
            [sys.executable, "-m", "RPIO", "run", "--sim", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_the_real_ads1x15_library_on_our_adafruit_gpio(run, beginning):
    out = run(
        OLD,
        """
        import Adafruit_ADS1x15
        assert "shims" not in Adafruit_ADS1x15.__file__
        adc = Adafruit_ADS1x15.ADS1115(**WHERE)
        print([round(adc.read_adc(n, data_rate=860) * 4.096 / 32768, 3) for n in range(4)])
        print(adc.read_adc_difference(0, data_rate=860), adc.start_adc(1, data_rate=860) == adc.get_last_result())
        """,
        beginning,
    )
    assert out == "[1.0, 2.0, 3.0, 0.5]\n-8000 True\n"


def test_circuitpythons_converter_without_blinka(run, beginning):
    out = run(
        CIRCUITPYTHON,
        """
        from adafruit_ads1x15 import ADS1115, AnalogIn, ads1x15
        with I2C(board.SCL, board.SDA) as i2c:
            adc = ADS1115(i2c, data_rate=860)
            print([round(AnalogIn(adc, pin).voltage, 2) for pin in (0, 1, 2, 3)])
        """,
        beginning,
    )
    assert out == "[1.0, 2.0, 3.0, 0.5]\n"


def test_circuitpythons_expander_without_blinka(run, beginning):
    out = run(
        CIRCUITPYTHON,
        """
        import digitalio
        from adafruit_mcp230xx.mcp23017 import MCP23017
        expander = MCP23017(I2C(board.SCL, board.SDA))
        pin = expander.get_pin(3)
        pin.switch_to_output(value=True)
        other = expander.get_pin(8)
        other.direction, other.pull = digitalio.Direction.INPUT, digitalio.Pull.UP
        print(pin.value, other.value, expander.gpioa, expander.iodirb)
        """,
        beginning,
    )
    assert out == "True True 8 255\n"


def test_circuitpythons_spi_converter_without_blinka(run):
    out = run(
        CIRCUITPYTHON,
        """
        import board, busio, digitalio
        from adafruit_mcp3xxx.analog_in import AnalogIn
        from adafruit_mcp3xxx.mcp3008 import MCP3008
        spi = busio.SPI(board.SCK, board.MOSI, board.MISO)
        adc = MCP3008(spi, digitalio.DigitalInOut(board.CE0))
        print([round(AnalogIn(adc, pin).voltage, 2) for pin in (0, 1, 7)])
        """,
    )
    assert out == "[0.83, 1.65, 3.3]\n"
