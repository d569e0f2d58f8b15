# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's own names in Python 3, under ``rpio run``: host, serialize, common, device.py, and what stands in there."""

import os
import subprocess
import sys
import textwrap

import pytest

import rraspy_parts
from ports import free_port
from RPIO import errors
from RPIO.machine import network
from RPIO.programs import rraspy_words
from RPIO.wire import rraspy
from RPIO.wire.rraspy import Message
from rraspy_parts import DEVICES, our_device, process, say, some_device
from waiting import LIMIT_S

RPIO_RUN = (sys.executable, "-W", "error", "-m", "RPIO.cli", "run")


def rpio_run(folder, text, *words, status=0, **env):
    """Run a program under ``rpio run``; return what it printed."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [*RPIO_RUN, *words, str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim:4B", **env},
        cwd=folder,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(params=DEVICES)
def where(request):
    with some_device(request.param) as place:
        yield place


@pytest.fixture(scope="module")
def ours():
    """A device of ours that tests share."""
    with some_device("ours") as place:
        yield place


def tuples(where):
    """The lines of a program that say where the device is."""
    device, host = [part.rpartition(":") for part in where.removeprefix("//").split("/")]
    lines = ["import host"]
    for name, place in (("DEVICE", device), ("HOST", host)):
        lines.append(f"host.{name}_TUPLE = ({place[0]!r}, {place[2]})\n")
    return "\n".join(lines)


@pytest.mark.slow
def test_the_readmes_example_line_by_line(where, tmp_path):
    example = """
        bus = host.Execute("smbus.SMBus(1)")
        print(bus, host.Execute("read_byte(0x33)", bus))
        host.Execute("write_byte(0x33, 65)", bus)
        print(host.Execute("read_byte(0x33)", bus))
        host.RemoveHandle(bus)
        print(host.Execute("smbus.SMBus(1)"))
    """
    text = f'{tuples(where)}host.ImportModule("smbus")\n{textwrap.dedent(example)}'
    assert rpio_run(tmp_path, text) == "0 0\n65\n0\n"
    begins = f'import host\nhost.ImportModule("smbus")\n{textwrap.dedent(example)}'
    assert rpio_run(tmp_path, begins, "--backend", f"rraspy:{where}") == "1 0\n65\n1\n"


def test_a_callback_by_host(where, tmp_path):
    text = tuples(where) + textwrap.dedent("""
        import threading
        came = threading.Semaphore(0)
        def event(channel):
            print(channel, host.Execute(f"GPIO.input({channel})"))
            came.release()
        host.ImportModule(".GPIO", "GPIO", "RPi")
        host.Execute("GPIO.setmode(11)")
        host.Execute("GPIO.setup(6, 1)")
        host.Execute("GPIO.setup(13, 0, initial=0)")
        host.Execute("GPIO.add_event_detect(6, 33, CB_FUNCT, 50)", callback=("evtDetect6", event))
        print(host.LocalGetCallback("evtDetect6") is event)
        host.Execute("GPIO.output(13, True)")
        print(came.acquire(timeout=5))
        host.RemoveAllCallback("evtDetect")
        for call in (lambda: host.LocalGetCallback("evtDetect6"), lambda: host.Execute("GPIO.input(99, 1, 2, 3)")):
            try:
                call()
            except (ValueError, RuntimeError) as e:
                print(type(e).__name__)
        host.LocalAddNewCallback("x1", print)
        host.LocalAddNewCallback("x2", print)
        host.LocalRemoveCallback("x1")
        host.LocalRemoveAllCallback("x")
        host.RemoveCallback("unknown")
    """)
    assert rpio_run(tmp_path, text) == "True\n6 1\nTrue\nValueError\nCommandError\n"


def test_rpi_gpio_is_the_devices_once_host_is_imported(where, tmp_path):
    text = (
        "import RPi.GPIO as GPIO\n"
        + tuples(where)
        + textwrap.dedent("""
        import threading
        came = threading.Semaphore(0)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup([13, 26], GPIO.OUT, initial=GPIO.LOW)
        GPIO.setup(6, GPIO.IN)
        GPIO.setup(19, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        print(GPIO.input(13), GPIO.input(19), GPIO.gpio_function(13), GPIO.gpio_function(19))
        GPIO.add_event_detect(6, GPIO.RISING, callback=lambda channel: (print("edge", channel), came.release()))
        GPIO.output(13, True)
        print(came.acquire(timeout=5), GPIO.input(13), GPIO.event_detected(6))
        GPIO.remove_event_detect(6)
        GPIO.add_event_detect(6, GPIO.BOTH)
        GPIO.add_event_callback(6, lambda channel: came.release())
        GPIO.output((13, 26), (0, 1))
        print(came.acquire(timeout=5), GPIO.input(26))
        pwm = GPIO.PWM(26, 50)
        pwm.start(10)
        pwm.ChangeDutyCycle(50.5)
        pwm.ChangeFrequency(100)
        pwm.stop()
        print(host.Execute("GPIO.gpio_function(13)"))
        GPIO.cleanup([13, 26])
        GPIO.cleanup()
        print(GPIO.getmode())
    """)
    )
    assert rpio_run(tmp_path, text) == "0 1 0 1\nedge 6\nTrue 1 True\nTrue 1\n0\nNone\n"


def test_wait_for_edge_of_a_device(ours, tmp_path):
    text = """
        import threading
        import RPi.GPIO as GPIO
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(13, GPIO.OUT, initial=GPIO.LOW)
        GPIO.setup(6, GPIO.IN)
        threading.Timer(0.2, lambda: GPIO.output(13, 1)).start()
        print(GPIO.wait_for_edge(6, GPIO.RISING, timeout=5000), GPIO.wait_for_edge(6, GPIO.RISING, timeout=100))
    """
    assert rpio_run(tmp_path, text, "--backend", f"rraspy:{ours}") == "6 None\n"


def test_smbus_is_complete(ours, tmp_path):
    text = """
        import smbus
        bus = smbus.SMBus(1)
        bus.write_quick(0x20)
        bus.write_byte(0x27, 8)
        print(bus.read_byte(0x27))
        bus.write_byte_data(0x20, 1, 0xAB)
        print(bus.read_byte_data(0x20, 1))
        bus.write_word_data(0x20, 2, 0x1234)
        print(bus.read_word_data(0x20, 2), bus.process_call(0x20, 4, 1))
        bus.write_block_data(0x20, 6, [1, 2, 3])
        print(bus.read_block_data(0x20, 6), bus.block_process_call(0x20, 16, [4, 5]))
        bus.write_i2c_block_data(0x20, 32, [7, 8, 9])
        print(bus.read_i2c_block_data(0x20, 32, 3), len(bus.read_i2c_block_data(0x20, 32)))
        print(bus.pec)
        bus.pec = True
        print(bus.pec)
        try:
            bus.read_byte(0x55)
        except OSError as e:
            print(e.errno, e.strerror)
        bus.close()
        bus.close()
        try:
            bus.read_byte(0x27)
        except OSError as e:
            print(e.errno)
        bus.open(1)
        print(bus.read_byte(0x27))
        try:
            smbus.SMBus(7)
        except OSError as e:
            print(e.errno)
        for wrong in ("1", None):
            try:
                bus.write_byte(0x27, wrong)
            except (TypeError, ValueError) as e:
                print(type(e).__name__)
    """
    assert rpio_run(tmp_path, text, "--backend", f"rraspy:{ours}") == (
        "8\n171\n4660 65534\n[1, 2, 3] [5, 4]\n[7, 8, 9] 32\n0\n1\n121 Remote I/O error\n9\n0\n2\n"
        "TypeError\nTypeError\n"
    )


def test_the_converters_are_complete(ours, tmp_path):
    text = """
        import Adafruit_ADS1x15
        from Adafruit_ADS1x15.ADS1x15 import ADS1x15_DEFAULT_ADDRESS
        adc = Adafruit_ADS1x15.ADS1115()
        print([adc.read_adc(channel, gain=1) for channel in range(4)], adc.read_adc(0, gain=2/3, data_rate=860))
        print(adc.read_adc_difference(0), adc.start_adc(1), adc.get_last_result())
        adc.stop_adc()
        print(adc.start_adc_difference(3), adc.start_adc_comparator(1, 20000, 5000))
        print(adc.start_adc_difference_comparator(0, 1, 0, num_readings=2))
        small = Adafruit_ADS1x15.ADS1015(address=0x49, busnum=1)
        print(small.read_adc(1), ADS1x15_DEFAULT_ADDRESS)
        for call in (
            lambda: adc.read_adc(4),
            lambda: adc.read_adc(0, gain=3),
            lambda: small.read_adc(0, data_rate=8),
            lambda: adc.start_adc_comparator(1, 2, 3, num_readings=3),
            lambda: Adafruit_ADS1x15.ADS1115(0x10),
        ):
            try:
                call()
            except (AssertionError, ValueError, OSError) as e:
                print(type(e).__name__, e)
    """
    assert rpio_run(tmp_path, text, "--backend", f"rraspy:{ours}").splitlines() == [
        "[4000, 8000, 12000, 16000] 2667",
        "-4000 8000 8000",
        "-4000 8000",
        "-4000",
        "500 72",
        "AssertionError Channel must be a value within 0-3!",
        "ValueError Gain must be one of: 2/3, 1, 2, 4, 8, 16",
        "ValueError Data rate must be one of: 128, 250, 490, 920, 1600, 2400, 3300",
        "AssertionError Num readings must be 1, 2, or 4!",
        "OSError [Errno 121] Remote I/O error",
    ]


@pytest.mark.slow
def test_handles_are_freed_when_objects_and_programs_end(tmp_path):
    with our_device(host_port=free_port()) as (port, _):
        text = """
            import host, smbus
            for _ in range(20):
                smbus.SMBus(1)
            bus, other = smbus.SMBus(1), smbus.SMBus(1)
            print(host.Execute("smbus.SMBus(1)"))
        """
        assert rpio_run(tmp_path, text, "--backend", f"rraspy://127.0.0.1:{port}") == "2\n"
        rraspy_parts.answer(port, Message(rraspy.IMPORT, "smbus", "smbus", None))
        made = rraspy_parts.answer(port, Message(rraspy.EXECUTE, None, None, "smbus.SMBus(1)"))
        assert made == Message(rraspy.HANDLE, 0)


# -- names, and who else has them ---------------------------------------------------------------


def test_serialize_and_common(tmp_path):
    text = """
        import common, serialize
        message = serialize.Encode(common.CMD_EXECUTE)
        message.addHandle(0)
        message.addType(None, "ChangeDutyCycle(50.5)")
        data = message.getData()
        print(data.hex())
        found = serialize.Decode(data)
        print(found.kind == common.CMD_EXECUTE, found.args)
        print(serialize.Decode(b"").kind, common.CB_KEYWORD, common.SOCKET_TIMEOUT_S, common.SOCKET_SIZE_MAX)
        print(common.Debug.NONE, common.Debug.DUMP)
        message = serialize.Encode(common.CMD_CALLBACK)
        message.addCallback("x")
        for call in (
            lambda: message.getData(2), lambda: message.addHandle(65536), lambda: message.addType({1}),
            lambda: serialize.Decode(data[:-1]), lambda: serialize.Encode(256),
        ):
            try:
                call()
            except (ValueError, TypeError) as e:
                print(type(e).__name__)
    """
    assert rpio_run(tmp_path, text).splitlines() == [
        "b006000000" + "0a0015" + b"ChangeDutyCycle(50.5)".hex(),
        "True (0, None, 'ChangeDutyCycle(50.5)')",
        "0 CB_FUNCT 30 4096",
        "1 6",
        "ValueError",
        "ValueError",
        "TypeError",
        "ProtocolError",
        "ValueError",
    ]


@pytest.mark.parametrize(
    "name", ["host", "serialize", "common", "device", "server", "smbus", "Adafruit_ADS1x15"]
)
def test_a_programs_own_module_of_that_name_is_its_own(name, ours, tmp_path):
    (tmp_path / f"{name}.py").write_text("mine = True\n")
    text = f"import {name}; print({name}.mine)"
    assert rpio_run(tmp_path, text, "--backend", f"rraspy:{ours}") == "True\n"


@pytest.mark.parametrize("name", ["host", "common", "device", "smbus"])
def test_an_installed_one_stays_where_no_device_is_asked_for(name, tmp_path):
    at = tmp_path / "installed"
    at.mkdir()
    (at / f"{name}.py").write_text("mine = True\n")
    assert rpio_run(tmp_path, f"import {name}; print({name}.mine)", PYTHONPATH=str(at)) == "True\n"


def test_an_installed_smbus_gives_way_to_that_of_the_device(ours, tmp_path):
    at = tmp_path / "installed"
    at.mkdir()
    (at / "smbus.py").write_text("raise RuntimeError('not this one')\n")
    text = tuples(ours) + "import smbus; print(smbus.SMBus(1).read_byte(0x27))"
    assert rpio_run(tmp_path, text, PYTHONPATH=str(at)) == "0\n"


def test_the_buses_are_the_devices_also_where_lines_were_in_use_before(ours, tmp_path):
    text = "import RPi.GPIO as GPIO; GPIO.setmode(GPIO.BCM); GPIO.setup(5, GPIO.IN)\n" + tuples(ours)
    text += "import smbus, Adafruit_ADS1x15 as ads, RPIO; print(RPIO.describe().split()[0])\n"
    text += "print(smbus.SMBus(1).read_byte(0x27), ads.ADS1115().read_adc(0))"
    assert rpio_run(tmp_path, text) == "simulated\n0 4000\n"


@pytest.mark.slow
def test_smbus_is_one_module_whatever_carries_it(ours, tmp_path):
    text = "import smbus, Adafruit_ADS1x15; print(smbus.__file__, Adafruit_ADS1x15.__file__)"
    there = rpio_run(tmp_path, text, "--backend", f"rraspy:{ours}")
    assert there == rpio_run(tmp_path, text) == rpio_run(tmp_path, tuples(ours) + text)


def test_without_a_device_smbus_is_the_boards(tmp_path):
    text = "import smbus; print(smbus.__file__)"
    assert os.path.join("shims", "buses", "smbus.py") in rpio_run(tmp_path, text)


def test_they_are_not_there_without_rpio_run():
    text = "import importlib.util, RPIO; RPIO.install_as_rpi_gpio(); print(importlib.util.find_spec('host'))"
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
        env=os.environ,
    )
    assert done.stdout == "None\n"


def test_no_device_is_told_at_once(tmp_path):
    text = f"import host\nhost.DEVICE_TUPLE = ('127.0.0.1', {free_port()})\nhost.ImportModule('smbus')"
    assert "ConnectionLost" in rpio_run(tmp_path, text, status=1)


# -- device.py ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["device.py", "server.py"])
def test_device_py_is_a_device_with_ports_on_the_command_line(name, tmp_path):
    (tmp_path / "smbus.py").write_text((rraspy_parts.MODULES / "smbus.py").read_text())
    command = (*RPIO_RUN, "--sim", name, "127.0.0.1", "127.0.0.1", free_port(), 0)
    with process(*command, cwd=tmp_path, env=rraspy_parts.environment()) as made:
        port = int(made.stdout.readline().rpartition(":")[2])
        assert say(port, Message(rraspy.IMPORT, "smbus", "smbus", None).to_bytes()) == b"\x0a"
        found = rraspy_parts.answer(port, Message(rraspy.EXECUTE, None, None, "smbus.SMBus(1)"))
        assert found == Message(rraspy.HANDLE, 0)
        assert say(port, Message(rraspy.IMPORT, ".GPIO", "GPIO", "RPi").to_bytes()) == b"\x0a"
        assert (
            rraspy_parts.answer(port, Message(rraspy.EXECUTE, None, None, "GPIO.setmode(11)")).kind
            == rraspy.OK
        )


def test_device_py_without_words_says_how_it_is_called(tmp_path):
    done = subprocess.run(
        [*RPIO_RUN, "device.py"], capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert (
        "usage: device.py" in done.stderr
        and "HOST_ADDRESS [DEVICE_ADDRESS] [HOST_PORT] [DEVICE_PORT]" in " ".join(done.stderr.split())
    )


def test_ctrl_c_ends_it(tmp_path):
    command = (*RPIO_RUN, "--sim", "device.py", "127.0.0.1", "127.0.0.1", "7070", 0)
    with process(*command, cwd=tmp_path, stderr=subprocess.PIPE) as made:
        made.stdout.readline()
        made.send_signal(2)
        assert made.wait(LIMIT_S) == 130
        assert "Traceback" not in made.stderr.read()


def test_a_program_called_device_py_is_that_program(tmp_path):
    (tmp_path / "device.py").write_text("print('mine')\n")
    done = subprocess.run(
        [*RPIO_RUN, "device.py"], capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=True
    )
    assert done.stdout == "mine\n"


def test_the_address_with_insecure_is_that_of_eth0_or_wlan0(monkeypatch):
    assert (network.address_of("lo"), network.address_of("nosuch")) == ("127.0.0.1", None)
    assert rraspy_words.address(None, False) == "127.0.0.1"
    assert rraspy_words.address("10.0.0.7", True) == "10.0.0.7"
    has = {"wlan0": "10.0.0.9"}
    monkeypatch.setattr(network, "address_of", has.get)
    assert rraspy_words.address(None, True) == "10.0.0.9"
    has["eth0"] = "10.0.0.8"
    assert rraspy_words.address(None, True) == "10.0.0.8"
    has.clear()
    with pytest.raises(errors.GPIOError, match="neither eth0 nor wlan0 has an address"):
        rraspy_words.address(None, True)


def test_what_is_said_at_each_start():
    assert rraspy_words.told("127.0.0.1", ["127.0.0.1"], False, False) == []
    assert "cannot reach" in rraspy_words.told("127.0.0.1", ["10.0.0.7"], False, False)[0]
    assert "--insecure" in rraspy_words.told("10.0.0.8", ["10.0.0.7"], True, False)[0]
    assert "any Python" in rraspy_words.told("127.0.0.1", ["127.0.0.1"], False, True)[0]


# -- a folder of RRaspPY's as it is -------------------------------------------------------------

OLD_HOST = """
import socket
local = False
HOST_TUPLE = [{host!r}, {host_port}] # here
DEVICE_TUPLE = ({device!r}, {device_port})
print "this is Python 2"
"""
OLD_SMBUS = """
import host
host.ImportModule("smbus")
class SMBus:
    def __init__(self, busType):
        self._handle = host.Execute("smbus.SMBus(%d)" % busType)
    def read_byte(self, address):
        return host.Execute("read_byte(%d)" % address, self._handle)
"""


def test_a_folder_of_rrasppys_works_as_it_is(where, tmp_path):
    """Its host.py is Python 2, and has the addresses; a stand-in that Python 3 can run is used."""
    (device, _, device_port), (host, _, host_port) = [
        part.rpartition(":") for part in where.removeprefix("//").split("/")
    ]
    parts = {"host": host, "host_port": host_port, "device": device, "device_port": device_port}
    (tmp_path / "host.py").write_text(OLD_HOST.format(**parts))
    (tmp_path / "smbus.py").write_text(OLD_SMBUS)
    (tmp_path / "common.py").write_text("SOCKET_TIMEOUT_S = 30\nprint 'Python 2'\n")
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "__init__.py").write_text("")
    (tmp_path / "RPi" / "GPIO.py").write_text("import host\nprint 'Python 2'\n")
    text = """
        import common, smbus, RPi.GPIO as GPIO
        print(smbus.SMBus(1).read_byte(0x27), common.CB_KEYWORD)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(19, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        print(GPIO.input(19))
        import host
        print(host.Execute("GPIO.gpio_function(19)"), host.DEVICE_TUPLE[1])
    """
    assert rpio_run(tmp_path, text) == f"0 CB_FUNCT\n1\n1 {device_port}\n"


def test_a_program_beside_such_a_host_py_that_imports_rpi_gpio_alone_has_the_devices_lines(ours, tmp_path):
    (device, _, device_port), (host, _, host_port) = [
        part.rpartition(":") for part in ours.removeprefix("//").split("/")
    ]
    parts = {"host": host, "host_port": host_port, "device": device, "device_port": device_port}
    (tmp_path / "host.py").write_text(OLD_HOST.format(**parts))
    text = "import RPIO, RPi.GPIO as GPIO; GPIO.setmode(GPIO.BCM); GPIO.setup(26, 0); print(RPIO.describe())"
    assert f"of the device at {device}:{device_port}" in rpio_run(tmp_path, text, RPIO_BACKEND="")
    assert "simulated" in rpio_run(tmp_path, text, "--sim", RPIO_BACKEND="")


def test_a_device_py_of_rrasppys_is_ours(tmp_path):
    (tmp_path / "device.py").write_text("from serialize import Encode\nprint 'Python 2'\n")
    (tmp_path / "serialize.py").write_text("print 'Python 2'\n")
    command = (*RPIO_RUN, "--sim", "device.py", "127.0.0.1", "127.0.0.1", free_port(), 0)
    with process(*command, cwd=tmp_path, env=rraspy_parts.environment(), stderr=subprocess.PIPE) as made:
        assert made.stdout.readline().startswith("Server started on 127.0.0.1:")
        assert "RPIO's own device runs in its place" in made.stderr.readline()


def test_an_error_of_syntax_in_a_program_of_that_name_is_shown(tmp_path):
    (tmp_path / "device.py").write_text("print 'mine'\n")
    done = subprocess.run(
        [*RPIO_RUN, "device.py"], capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False
    )
    assert done.returncode == 1 and "SyntaxError" in done.stderr
