# SPDX-License-Identifier: LGPL-3.0-or-later
"""Libraries of I2C and SPI by their names, as programs under ``rpio run`` have them: on chips of a simulated board."""

import errno
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from RPIO import sim, stand_ins
from RPIO.chips.ads1115 import Ads1015, Ads1115
from RPIO.chips.buses import i2c_bus, spi_bus
from RPIO.chips.chip import SpiChip
from RPIO.chips.registers import Registers
from support import raises
from waiting import LIMIT_S

NAMES = [
    *("smbus", "smbus2", "spidev", "Adafruit_GPIO", "Adafruit_GPIO.I2C", "Adafruit_GPIO.SPI"),
    *("Adafruit_GPIO.GPIO", "Adafruit_GPIO.Platform", "Adafruit_ADS1x15", "Adafruit_PureIO.smbus"),
    *("busio", "board", "digitalio", "microcontroller", "micropython"),
]


@pytest.fixture
def load(rpio, monkeypatch):
    """Import one of them, which is gone after the test."""
    before = set(sys.modules)
    roots = {name.partition(".")[0] for name in NAMES}
    kept = {name: sys.modules.pop(name) for name in sorted(before) if name.partition(".")[0] in roots}
    monkeypatch.syspath_prepend(stand_ins.OF_BUSES)
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] in roots]:
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture
def bus(rpio):
    """The header's bus."""
    return i2c_bus(sim.backend(), 1)


@pytest.fixture
def adc(bus):
    """A converter with 1 V, 2 V, 3 V and nothing at its inputs."""
    chip = Ads1115(sim.backend(), volts=(1.0, 2.0, 3.0, 0.0))
    bus.add(0x48, chip)
    return chip


@pytest.fixture
def registers(bus):
    """256 registers of a byte."""
    chip = Registers()
    bus.add(0x20, chip)
    return chip


# -- smbus and smbus2 ----------------------------------------------------------------------------------


def test_every_module_is_ours(load):
    for name in NAMES:
        assert load(name).__file__.startswith(stand_ins.OF_BUSES), name


def test_smbus_has_the_methods_of_py_smbus_and_no_others(load):
    found = {name for name in vars(load("smbus").SMBus) if not name.startswith("_")}
    calls = {
        "write_quick read_byte write_byte read_byte_data write_byte_data read_word_data write_word_data process_call",
        "read_block_data write_block_data block_process_call read_i2c_block_data write_i2c_block_data open close pec",
    }
    assert found == {name for line in calls for name in line.split()}


def test_smbus_reads_and_writes(load, registers):
    bus = load("smbus").SMBus(1)
    bus.write_byte_data(0x20, 1, 300)
    bus.write_word_data(0x20, 2, 0x12345)
    bus.write_i2c_block_data(0x20, 4, [5, -1])
    assert (bus.read_byte_data(0x20, 257), bus.read_word_data(0x20, 2)) == (44, 0x2345)
    assert bus.read_i2c_block_data(0x20, 4, 2) == [5, 255]
    assert len(bus.read_i2c_block_data(0x20, 4)) == 32
    bus.write_byte(0x20, 1)
    assert bus.read_byte(0x20) == 44
    bus.write_quick(0x20)


def test_smbus_says_what_is_wrong_as_py_smbus_does(load, registers):
    bus = load("smbus").SMBus(1)
    with pytest.raises(OSError) as e:
        bus.read_byte(0x21)
    assert e.value.errno == errno.EREMOTEIO
    with pytest.raises(OSError) as e:
        bus.read_byte(128)
    assert e.value.errno == errno.EINVAL
    for values, error in (((1, 2), TypeError), ([0] * 33, OverflowError), (["a"], TypeError)):
        with raises(error, "Third argument must be a list of at least one, but not more than 32 integers"):
            bus.write_i2c_block_data(0x20, 0, values)
    bus.close()
    with pytest.raises(OSError) as e:
        bus.read_byte(0x20)
    assert e.value.errno == errno.EBADF
    with pytest.raises(FileNotFoundError):
        load("smbus").SMBus(9)


def test_smbus2_has_what_smbus2_has(load):
    ours = load("smbus2")
    assert (ours.__version__, ours.__all__) == ("0.6.1", ["I2cFunc", "SMBus", "i2c_msg"])
    with ours.SMBus(1) as bus:
        assert bus.funcs & ours.I2cFunc.I2C
    theirs = Path(inspect.getsourcefile(load("smbus2.smbus2")))
    assert theirs.parent == Path(stand_ins.OF_BUSES, "smbus2")


# -- Adafruit's ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "chip"), [("ADS1115", Ads1115), ("ADS1015", Ads1015)])
def test_the_converters_read_voltages(load, bus, kind, chip):
    bus.add(0x48, chip(sim.backend(), volts=(1.0, 2.0, 3.0, 0.5)))
    adc = getattr(load("Adafruit_ADS1x15"), kind)()
    step = 4.096 / (32768 if kind == "ADS1115" else 2048)
    rate = max(adc._rates)
    assert [adc.read_adc(n, data_rate=rate) * step for n in range(4)] == pytest.approx(
        [1, 2, 3, 0.5], abs=step
    )
    assert adc.read_adc_difference(1, data_rate=rate) * step == pytest.approx(0.5, abs=step)
    assert adc.start_adc(2, data_rate=rate) == adc.get_last_result()
    adc.stop_adc()


def test_the_converters_refuse_what_the_library_refuses(load, adc):
    converter = load("Adafruit_ADS1x15").ADS1115(busnum=1)
    with raises(AssertionError, "Channel must be a value within 0-3!"):
        converter.read_adc(4)
    with raises(ValueError, "Gain must be one of: 2/3, 1, 2, 4, 8, 16"):
        converter.read_adc(0, gain=3)
    with raises(ValueError, "Data rate must be one of: 8, 16, 32, 64, 128, 250, 475, 860"):
        converter.read_adc(0, data_rate=9)
    with raises(AssertionError, "Num readings must be 1, 2, or 4!"):
        converter.start_adc_comparator(0, 1, 0, num_readings=3)


def test_the_comparator_drives_its_line(load, bus, rpio):
    chip = Ads1115(sim.backend(), volts=(3.0, 0, 0, 0), alert=17)
    bus.add(0x48, chip)
    rpio.setup(17, rpio.IN, rpio.PUD_UP)
    converter = load("Adafruit_ADS1x15").ADS1115()
    converter.start_adc_comparator(0, 16000, 1000, data_rate=860)
    assert rpio.input(17) == 0


def test_adafruit_gpio_has_a_device_with_registers(load, registers):
    device = load("Adafruit_GPIO.I2C").get_i2c_device(0x20)
    device.write8(0, 0x181)
    device.write16(2, 0x8001)
    device.writeList(4, [1, 2, 3])
    device.writeRaw8(0)
    assert (device.readRaw8(), device.readU8(0), device.readS8(0)) == (0x81, 0x81, -127)
    assert (device.readU16LE(2), device.readU16BE(2)) == (0x8001, 0x0180)
    assert (device.readS16LE(2), device.readS16BE(2)) == (-32767, 0x0180)
    assert device.readList(4, 3) == bytearray([1, 2, 3])


def test_adafruit_gpio_knows_the_board(load, rpio):
    platform, i2c = load("Adafruit_GPIO.Platform"), load("Adafruit_GPIO.I2C")
    assert (platform.platform_detect(), platform.pi_revision(), platform.pi_version()) == (1, 2, 3)
    assert i2c.get_default_bus() == 1
    assert i2c.reverseByteOrder(0x1234) == 0x3412
    i2c.require_repeated_start()


def test_pure_io_has_messages_of_any_length(load, registers):
    smbus = load("Adafruit_PureIO.smbus")
    with raises(AssertionError, "Bus must be opened before operations are made against it!"):
        smbus.SMBus().read_byte(0x20)
    with smbus.SMBus(1) as bus:
        bus.write_i2c_block_data(0x20, 0, bytes(range(100)))
        assert bus.read_i2c_block_data(0x20, 0, 100) == bytearray(range(100))
        bus.write_bytes(0x20, bytearray([7]))
        assert (bus.read_bytes(0x20, 2), bus.read_word_data(0x20, 7)) == (b"\7\10", 0x0807)


# -- spidev and CircuitPython's ------------------------------------------------------------------------


class Counter(SpiChip):
    """Answers with how many bytes have come since it was selected."""

    def __init__(self):
        self.selections, self.count = 0, 0

    def select(self):
        self.selections, self.count = self.selections + 1, 0

    def transfer(self, byte):
        self.count += 1
        return self.count


def test_spidev_is_on_the_simulated_bus(load):
    spi_bus(sim.backend(), 0, 1).add(chip := Counter())
    with load("spidev").SpiDev(0, 1) as device:
        device.max_speed_hz = 1_000_000
        assert device.xfer2([0, 0, 0]) == [1, 2, 3]
        assert device.readbytes(2) == [1, 2]
    assert chip.selections == 2
    with pytest.raises(FileNotFoundError):
        load("spidev").SpiDev(3, 0)
    device = load("Adafruit_GPIO.SPI").SpiDev(0, 1)
    assert device.transfer([0, 0]) == bytearray([1, 2])


def test_busio_reads_and_writes_registers(load, registers):
    board = load("board")
    with load("busio").I2C(board.SCL, board.SDA) as i2c:
        assert i2c.try_lock() and not i2c.try_lock()
        assert i2c.scan() == [0x20]
        i2c.writeto(0x20, bytes([9, 0, 1, 2, 3]), start=1)
        got = bytearray(4)
        i2c.writeto_then_readfrom(0x20, bytes([9, 1]), got, out_start=1, in_start=1)
        assert got == bytearray([0, 2, 3, 0])
        i2c.writeto(0x20, b"\0")
        i2c.readfrom_into(0x20, got, end=2)
        assert got == bytearray([1, 2, 3, 0])
        i2c.writeto(0x20, b"")
        with pytest.raises(OSError):
            i2c.writeto(0x21, b"")
        i2c.unlock()
        with raises(ValueError, "Not locked"):
            i2c.unlock()
    with pytest.raises(ValueError, match="No Hardware I2C"):
        load("busio").I2C(board.D17, board.D18)
    assert board.I2C() is board.I2C()


def test_busio_has_the_device_whose_select_is_low(load):
    first, second = Counter(), Counter()
    spi_bus(sim.backend(), 0, 0).add(first)
    spi_bus(sim.backend(), 0, 1).add(second)
    board, digitalio = load("board"), load("digitalio")
    with board.SPI() as spi, digitalio.DigitalInOut(board.CE1) as select:
        with raises(RuntimeError, "First call try_lock()"):
            spi.configure()
        select.switch_to_output(True)
        assert spi.try_lock()
        spi.configure(baudrate=1_000_000)
        select.value = False
        spi.write(b"\0\0")
        got = bytearray(2)
        spi.readinto(got)
        assert got == bytearray([3, 4])
        select.value = True
        spi.unlock()
        assert (second.selections, spi.frequency) == (1, 1_000_000)
        out = bytearray(1)
        spi.write_readinto(b"\0", out)
        assert (first.selections, out) == (1, bytearray([1]))
        with pytest.raises(ValueError):
            spi.write_readinto(b"\0\0", out)


def test_digitalio_is_on_the_lines(load, rpio):
    board, digitalio = load("board"), load("digitalio")
    with digitalio.DigitalInOut(board.D17) as pin:
        assert (pin.direction, pin.value, pin.pull) == (digitalio.Direction.INPUT, False, None)
        pin.pull = digitalio.Pull.UP
        assert pin.value is True
        for name, value in (("value", True), ("drive_mode", digitalio.DriveMode.OPEN_DRAIN)):
            with raises(AttributeError, "Not an output"):
                setattr(pin, name, value)
        pin.direction = digitalio.Direction.OUTPUT
        assert (pin.value, rpio.gpio_function(17)) == (False, rpio.OUT)
        pin.value = True
        assert (pin.value, rpio.forceinput(17)) == (True, 1)
        with raises(AttributeError, "Not an input"):
            pin.pull = None
        pin.drive_mode = digitalio.DriveMode.OPEN_DRAIN
        assert rpio.gpio_function(17) == rpio.IN
        pin.value = False
        assert (rpio.gpio_function(17), pin.value) == (rpio.OUT, False)
    assert rpio.gpio_function(17) == rpio.IN
    with pytest.raises(ValueError, match="deinitialized"):
        _ = pin.value


# -- which module a name is ----------------------------------------------------------------------------


def run(tmp_path, code, *options, **env):
    """What a program under ``rpio run`` prints."""
    path = tmp_path / "program" / "blink.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "RPIO", "run", *options, path],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


WHERE = "import smbus2, subprocess, sys; print(smbus2.__file__)\n"
CHILD = """\
child = [sys.executable, "-c", "import smbus2; print(smbus2.__file__)"]
print(subprocess.run(child, text=True, stdout=subprocess.PIPE).stdout)
"""


def test_on_a_simulated_board_they_come_before_what_is_installed_in_children_too(tmp_path):
    ours = os.path.join("shims", "buses", "smbus2", "__init__.py")
    out = run(tmp_path, WHERE + CHILD, "--sim")
    assert [line.endswith(ours) for line in out if line] == [True, True]


def test_on_this_machines_buses_what_is_installed_is_left(tmp_path):
    installed = importlib.util.find_spec("smbus2").origin
    assert run(tmp_path, WHERE, "--backend", "cdev") == [installed]
    out = run(tmp_path, "import smbus; print(smbus.__file__)", "--backend", "cdev")
    assert out == [os.path.join(stand_ins.OF_BUSES, "smbus.py")]


def test_what_a_program_has_beside_it_or_on_its_path_is_its_own(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "board.py").write_text("name = 'beside'\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "smbus.py").write_text("name = 'on the path'\n")
    code = "import board, smbus; print(board.name); print(smbus.name)"
    assert run(tmp_path, code, "--sim", PYTHONPATH=str(tmp_path / "more")) == ["beside", "on the path"]


def test_a_path_is_this_machines_bus_and_what_is_installed_opens_it(tmp_path):
    code = """
    import smbus2
    try:
        smbus2.SMBus("/dev/i2c-77")
    except FileNotFoundError as e:
        print(e.errno)
    """
    assert run(tmp_path, code, "--sim") == ["2"]
    assert run(tmp_path, code.replace("'/dev/i2c-77'", "77"), "--backend", "cdev") == ["2"]


def test_without_smbus2_it_is_said_what_to_install(tmp_path):
    code = """
    import sys
    sys.path[:] = [path for path in sys.path if not path.endswith("site-packages")]
    import smbus2
    from RPIO import stand_ins
    print(smbus2.__file__.startswith(stand_ins.OF_BUSES))
    try:
        smbus2.SMBus(77)
    except NotImplementedError as e:
        print(e.hint)
    """
    assert run(tmp_path, code, "--backend", "cdev") == ["True", 'pip install "RPIO[i2c]"']
