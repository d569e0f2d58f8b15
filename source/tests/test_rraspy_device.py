# SPDX-License-Identifier: LGPL-3.0-or-later
"""Our device of RRaspPY's protocol: hosts of the original's kind use it unchanged, and no bad one stalls it."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import rraspy_parts
from RPIO.wire import rraspy
from RPIO.wire.rraspy import EXECUTE, FAILED, HANDLE, IMPORT, OK, VALUES, Message
from rraspy_exchanges import recorded
from rraspy_parts import PYTHONS, answer, environment, our_device, say
from waiting import LIMIT_S

GPIO = Message(IMPORT, ".GPIO", "GPIO", "RPi")
SMBUS = Message(IMPORT, "smbus", "smbus", None)
ADS = Message(IMPORT, ".ADS1x15", "ADS1x15", "Adafruit_ADS1x15")


@pytest.fixture(scope="module")
def shared():
    """The port of a device that tests share which leave nothing behind."""
    with our_device() as (port, _):
        assert answer(port, GPIO) == Message(OK)
        assert answer(port, SMBUS) == Message(OK)
        yield port


def execute(port, command, handle=None, callback=None, **options):
    return answer(port, Message(EXECUTE, handle, callback, command), **options)


def refused(port, command, handle=None, callback=None):
    """The text of what cannot be done."""
    found = execute(port, command, handle, callback)
    assert found.kind == FAILED, found
    return found.values[0]


# -- with a host of the original's kind ---------------------------------------------------------


@pytest.fixture(params=PYTHONS)
def host(request):
    """A host of the original's kind, at a device of its own."""
    with (
        rraspy_parts.original_host(request.param) as made,
        our_device(host_port=made.port) as (port, _),
    ):
        made.use(port)
        made.port_of_device = port
        yield made


def test_the_stand_ins_of_the_original_work_as_they_were(host):
    do = host.do
    assert do('ImportModule(".GPIO", "GPIO", "RPi")') == "None"
    assert do('Execute("GPIO.getmode()")') == "None"
    assert do('Execute("GPIO.setmode(11)")') == "None"
    assert do('Execute("GPIO.getmode()")') == "11"
    assert do('Execute("GPIO.setup(13, 0, initial=1)")') == "None"
    assert do('Execute("GPIO.input(13)")') == "1"
    assert do('Execute("GPIO.output(13, False)")') == "None"
    assert do('Execute("GPIO.input(13)")') == "0"
    assert do('Execute("GPIO.setup(19, 1, pull_up_down=22)")') == "None"
    assert do('Execute("GPIO.input(19)")') == "1"
    assert do('Execute("GPIO.gpio_function(19)")') == "1"
    assert do('Execute("GPIO.setup(18, 0)")') == "None"
    assert do('Execute("GPIO.PWM(18, 100)")') == "0"
    assert do('Execute("start(50)", 0)') == "None"
    assert do('Execute("ChangeDutyCycle(50.5)", 0)') == "None"
    assert do('Execute("stop()", 0)') == "None"
    assert do("RemoveHandle(0)") == "None"
    assert do('Execute("GPIO.cleanup()")') == "None"
    assert do('Execute("GPIO.getmode()")') == "None"


def test_an_edge_calls_back(host):
    do = host.do
    do('ImportModule(".GPIO", "GPIO", "RPi")')
    do('Execute("GPIO.setmode(11)")')
    do('Execute("GPIO.setup(6, 1)")')
    do('Execute("GPIO.setup(13, 0, initial=0)")')
    event = '("evtDetect6", heard)'
    assert do(f'Execute("GPIO.add_event_detect(6, 33, CB_FUNCT, 1)", None, {event})') == "None"
    assert do('Execute("GPIO.output(13, True)")') == "None"
    assert do("Events(1)") == "[(6,)]"
    assert do('RemoveAllCallback("evtDetect")') == "None"
    assert do('Execute("GPIO.remove_event_detect(6)")') == "None"
    assert do('Execute("GPIO.output(13, False)")') == "None"
    assert do(f'Execute("GPIO.add_event_detect(6, 31, CB_FUNCT, 1)", None, {event})') == "None"
    assert do('Execute("GPIO.output(13, True)")') == "None"
    assert do("Events(1)") == "[(6,)]"


def test_the_example_of_the_seeds_readme_line_by_line(host):
    do = host.do
    assert do('ImportModule("smbus")') == "None"
    assert do('Execute("smbus.SMBus(1)")') == "0"
    assert do('Execute("write_byte(0x27, 8)", 0)') == "None"
    assert do('Execute("read_byte(0x27)", 0)') == "8"
    assert "Remote I/O error" in do('Execute("read_byte(0x34)", 0)')
    assert do("RemoveHandle(0)") == "None"


def test_errors_reach_such_a_host_at_once(host):
    began_s = time.monotonic()
    text = host.do('Execute("1/0")')
    assert text.startswith('RuntimeError: Execute "None->1/0 (Callback=None": ')
    assert "no handle 7" in host.do('Execute("read_byte(1)", 7)')
    assert "begins with 55" in host.do('Raw(b"\\x55")')
    assert "CB_FUNCT" in host.do('Execute("GPIO.cleanup()", None, ("x", heard))')
    assert time.monotonic() - began_s < 20


# -- bytes --------------------------------------------------------------------------------------


def test_what_was_recorded_is_answered_as_it_was():
    with our_device() as (port, _):
        for asked, want in [
            ('c0 0a 0005 ".GPIO" 0a 0004 "GPIO" 0a 0003 "RPi"', "0a"),
            ('b0 00 00 0a 0010 "GPIO.setmode(11)"', "0a"),
            ('b0 00 00 0a 000e "GPIO.getmode()"', "0b 03 0000000b"),
            ('b0 00 00 0a 001c "GPIO.setup(13, 0, initial=1)"', "0a"),
            ('b0 00 00 0a 0010 "GPIO.setup(6, 1)"', "0a"),
            ('b0 00 00 0a 0011 "GPIO.setup(18, 0)"', "0a"),
            ('b0 00 00 0a 0016 "GPIO.output(13, False)"', "0a"),
            ('b0 00 00 0a 0011 "GPIO.PWM(18, 100)"', "0d 06 0000"),
            ('b0 06 0000 00 0a 000b "start(50.5)"', "0a"),
            ('b0 06 0000 00 0a 0015 "ChangeDutyCycle(50.5)"', "0a"),
            ('b0 00 0a 000a "evtDetect6" 0a 002a "GPIO.add_event_detect(6, 33, CB_FUNCT, 50)"', "0a"),
            ('c0 0a 0005 "smbus" 0a 0005 "smbus" 00', "0a"),
            ('b0 00 00 0a 000e "smbus.SMBus(1)"', "0d 06 0001"),
            ('b0 06 0001 00 0a 0011 "write_byte(39, 8)"', "0a"),
            ("90 06 0001", "0a"),
            ('a0 0a 000b "evtDetect99"', "0a"),
            ('e0 0a 0009 "evtDetect"', "0a"),
        ]:
            data = recorded(asked)
            assert say(port, data) == recorded(want), asked
        whole = recorded('b0 00 00 0a 000e "GPIO.getmode()"')
        for at in range(1, len(whole)):
            assert say(port, whole[:at], whole[at:]) == recorded("0b 03 0000000b"), at


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00", "begins with 00"),
        (b"GET / HTTP/1.1\r\n\r\n", "begins with 47"),
        (b"\xd0\x0a\0\x01x\0", "begins with d0"),
        (b"\xb0\x0b\0\x01x", "tag 0b"),
        (b"\xb0" + b"\x66\0\x01" * 1000, "lists in each other"),
    ],
)
def test_what_is_no_request_is_answered_at_once(shared, data, why):
    found = rraspy.read(say(shared, data), rraspy.ANSWERS)
    assert found.kind == FAILED
    assert why in found.values[0]


def test_a_request_that_ends_in_the_middle(shared):
    data = say(shared, b"\xb0\x00", closes=True)
    assert "ends in the middle" in rraspy.read(data, rraspy.ANSWERS).values[0]


def test_one_that_is_too_long_is_answered(shared):
    data = b"\xb0\x66\xff\xff" + (b"\x0a\xff\xff" + b"x" * 65535) * 20
    try:
        found = say(shared, data)
    except ConnectionError:
        return  # it was closed in the middle
    assert rraspy.read(found, rraspy.ANSWERS).kind == FAILED


# -- what may be asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "GPIO.__class__",
        "GPIO.__class__()",
        "GPIO.__dict__['x']",
        "GPIO.setup.__globals__",
        "GPIO._RPIO",
        "GPIO._RPIO.use('sim')",
        "GPIO.getmode().__class__()",
        "().__class__",
        "__import__('os').system('true')",
        "open('/etc/passwd')",
        "os.getcwd()",
        "eval('1')",
        "1 + 1",
        "1/0",
        "[x for x in (1,)]",
        "lambda: 1",
        "GPIO.output(13, __import__('os'))",
        "GPIO.output(*[13, 1])",
        "GPIO.output(**{'channel': 13})",
        "GPIO.output(13, (lambda: 1)())",
        "GPIO.output(13, value=GPIO)",
        "GPIO.output(13, b'x')",
        "GPIO.output(13, f'{1}')",
        "GPIO.output(13, ...)",
        "GPIO.output(13, 1j)",
        "GPIO.output(13, [[[[[[1]]]]]])",
        "GPIO.add_event_detect(6, 33, CB_FUNCT)",
        "GPIO.__setattr__('setup', 1)",
        "GPIO.have_lazy_names()",
        "smbus.os",
        "GPIO.setup(13, 0); GPIO.cleanup()",
        "GPIO.setup(13, 0",
        "",
        "(" * 5000,
        "-" * 5000 + "1",
        "GPIO.output(13, " + "9" * 5000 + ")",
        "x" * 9000,
        "\0",
    ],
)
def test_what_is_no_call_of_the_table_is_refused(shared, command):
    text = refused(shared, command)
    assert text.startswith(f'Execute "None->{command}'[:60])
    assert execute(shared, "GPIO.getmode()").kind in (OK, VALUES)


@pytest.mark.parametrize(
    "command",
    [
        "__init__(1)",
        "__class__",
        "_registers",
        "_at(1)",
        "read_byte.__self__",
        "pec.real",
        "__setattr__('_byte', 1)",
    ],
)
def test_nor_of_an_object(shared, command):
    found = execute(shared, "smbus.SMBus(1)")
    assert found.kind == HANDLE
    (handle,) = found.values
    assert "is not what this device may be asked" in refused(shared, command, handle)
    assert answer(shared, Message(rraspy.REMOVE_HANDLE, handle)) == Message(OK)


@pytest.mark.parametrize(
    "message",
    [
        Message(IMPORT, "os", "os", None),
        Message(IMPORT, ".path", "path", "os"),
        Message(IMPORT, "subprocess", "GPIO2", None),
        Message(IMPORT, "RPIO", "RPIO", None),
        Message(IMPORT, ".GPIO", "GPIO4", "RPi.GPIO"),
        Message(IMPORT, "", "", None),
        Message(IMPORT, "....GPIO", "GPIO3", "RPi"),
        Message(IMPORT, "smbus", "_x", None),
        Message(IMPORT, "smbus", "a.b", None),
    ],
    ids=repr,
)
def test_a_module_that_is_not_of_the_table_is_refused(shared, message):
    found = answer(shared, message)
    assert found.kind == FAILED
    assert found.values[0].startswith('Import "')


def test_numbers_texts_lists_and_constants_are_arguments(shared):
    (bus,) = execute(shared, "smbus.SMBus(bus=1)").values
    assert execute(shared, "write_i2c_block_data(0x20, 0, [1, 2, +3])", bus) == Message(OK)
    assert execute(shared, "read_i2c_block_data(32, 0, 3)", bus) == Message(VALUES, [1, 2, 3])
    assert execute(shared, "pec", bus) == Message(VALUES, 0)
    assert execute(shared, "__setattr__('pec', 1)", bus) == Message(OK)
    assert execute(shared, "pec", bus) == Message(VALUES, 1)
    assert execute(shared, "GPIO.BCM") == Message(VALUES, 11)
    assert execute(shared, "GPIO.setmode(GPIO.BCM)") == Message(OK)
    answer(shared, Message(rraspy.REMOVE_HANDLE, bus))


def test_an_adc(shared):
    assert answer(shared, ADS) == Message(OK)
    (chip,) = execute(shared, "ADS1x15.ADS1115(72)").values
    assert execute(shared, "read_adc(1, 1)", chip) == Message(VALUES, 8000)
    assert "Gain must be" in refused(shared, "read_adc(1, 3)", chip)
    answer(shared, Message(rraspy.REMOVE_HANDLE, chip))


# -- handles ------------------------------------------------------------------------------------


def test_the_lowest_free_handle_comes_first_and_an_unknown_one_is_an_error():
    with our_device() as (port, _):
        answer(port, SMBUS)
        assert [execute(port, "smbus.SMBus(1)").values for _ in range(4)] == [(0,), (1,), (2,), (3,)]
        for handle in (2, 0, 0, 999):
            assert answer(port, Message(rraspy.REMOVE_HANDLE, handle)) == Message(OK)
        assert [execute(port, "smbus.SMBus(1)").values for _ in range(3)] == [(0,), (2,), (4,)]
        assert "there is no handle 9" in refused(port, "read_byte(39)", 9)


# -- free Python --------------------------------------------------------------------------------


def test_open_run_evaluates_and_says_so():
    with our_device("--open-run", stderr=subprocess.PIPE) as (port, made):
        assert "any Python" in made.stderr.readline()
        assert answer(port, Message(IMPORT, "os", "os", None)) == Message(OK)
        assert execute(port, "os.getcwd()") == Message(VALUES, os.getcwd())
        assert execute(port, "1 + 1") == Message(VALUES, 2)
        assert execute(port, "5000000000") == Message(VALUES, 5000000000)
        assert execute(port, "3.14159265358979") == Message(VALUES, 3.14159265358979)
        assert execute(port, "set([1])") == Message(HANDLE, 0)
        assert execute(port, "pop()", 0) == Message(VALUES, 1)
        assert "division by zero" in refused(port, "1/0")
        assert "SystemExit: 3" in refused(port, "__import__('sys').exit(3)")
        assert "64 bits" in refused(port, "1 << 80")
        assert "CB_FUNCT" in refused(port, "1", None, "x")
        assert execute(port, "u'\\xe9' * 2") == Message(VALUES, "éé")


def test_an_answer_that_the_original_cannot_take_is_an_error_unless_the_host_has_closed_its_way():
    with our_device("--open-run") as (port, _):
        assert "Too many parameters: size 5004 exceeds" in refused(port, "'x' * 5000")
        assert execute(port, "'x' * 5000", closes=True) == Message(VALUES, "x" * 5000)
        assert len(refused(port, "x" * 6000)) < 4096


# -- who is served, and how long ----------------------------------------------------------------


def test_another_address_than_the_hosts_is_closed_at_once():
    with our_device(host="127.0.0.9", stderr=subprocess.PIPE) as (port, made):
        try:
            assert say(port, GPIO.to_bytes()) == b""
        except ConnectionError:
            pass
        assert "127.0.0.1 is not the host that is served, which is 127.0.0.9" in made.stderr.readline()
        with socket.socket() as other:
            other.bind(("127.0.0.9", 0))
            other.connect(("127.0.0.1", port))
            other.sendall(GPIO.to_bytes())
            assert other.recv(100) == b"\x0a"


def test_it_ends_with_sigterm_while_commands_wait():
    with our_device() as (port, made):
        answer(port, GPIO)
        execute(port, "GPIO.setmode(11)")
        execute(port, "GPIO.setup(6, 1)")
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.sendall(Message(EXECUTE, None, None, "GPIO.wait_for_edge(6, 33)").to_bytes())
            assert execute(port, "GPIO.input(6)") == Message(VALUES, 0)
            made.send_signal(signal.SIGTERM)
            assert made.wait(LIMIT_S) == 0


def run(*words):
    command = [sys.executable, "-m", "RPIO.programs.rraspy", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, env=environment(), check=False
    )


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ([], 2, "HOST_ADDRESS"),
        (["127.0.0.1", "0.0.0.0"], 1, "--insecure serves it all the same"),
        (["127.0.0.1", "0.0.0.0", "--open-run", "--insecure"], 1, "own address alone"),
        (["127.0.0.1", "127.0.0.1", "x"], 2, "'x' is no port"),
        (["127.0.0.1", "127.0.0.1", "7070", "65536"], 2, "'65536' is no port"),
        (["no.such.host.invalid"], 1, "no.such.host.invalid"),
        (["127.0.0.1", "192.0.2.1", "--insecure"], 1, "192.0.2.1 is no address of this machine"),
    ],
)
def test_words_that_cannot_be(words, status, text):
    found = run(*words)
    assert (found.returncode, text in found.stderr) == (status, True), found.stderr


@pytest.mark.slow
def test_who_has_the_port_is_named():
    with our_device() as (port, made):
        found = run("127.0.0.1", "127.0.0.1", "7070", str(port))
        assert found.returncode == 1
        assert f"port {port} on 127.0.0.1 is in use already: by process {made.pid}, " in found.stderr
