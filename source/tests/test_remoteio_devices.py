# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's devices at ``rpio serve --remoteio``, for remoteio's clients that send lines: as was recorded of those,
and whatever else the table has.
"""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time

import pytest

from remote_parts import daemon
from remoteio_parts import ANY, port_of
from RPIO.server.remoteio.objects import DEVICES_MAX
from RPIO.wire.remoteio_objects import CLASSES
from waiting import LIMIT_S, wait_until

pytest.importorskip("gpiozero", reason="needs gpiozero, which `make dev` installs")

MAKES = {
    "LED": "args=(17,)",
    "PWMLED": "args=(17,)",
    "RGBLED": "args=(17,27,22)",
    "Buzzer": "args=(17,)",
    "TonalBuzzer": "args=(17,)",
    "LEDBoard": "args=(17,27,22);pwm=True",
    "LEDBarGraph": "args=(17,27,22)",
    "Button": "args=(17,)",
    "MotionSensor": "args=(17,);sample_rate=1000",
    "LineSensor": "args=(17,);sample_rate=1000",
    "LightSensor": "args=(17,)",
    "DistanceSensor": "args=(17,27);partial=True",
    "RotaryEncoder": "args=(17,27)",
    "Servo": "args=(17,)",
    "AngularServo": "args=(17,)",
    "Motor": "args=(17,27)",
    "PhaseEnableMotor": "args=(17,27)",
}
TAKES = {"play": "tone=Tone('A4')", "pulse": "n=1", "blink": "on_time=0.01;n=1", "beep": "on_time=0.01;n=1"}
FAILS_THERE = {"LEDBarGraph": {"is_active"}}
"""gpiozero's own property is a TypeError."""


class Client:
    """A connection that sends lines, and waits for each reply."""

    def __init__(self, served):
        self.socket = socket.create_connection(("127.0.0.1", port_of(served)), LIMIT_S)
        self.socket.settimeout(LIMIT_S)

    def ask(self, text):
        self.socket.sendall(f"{text}\n".encode())
        return self.socket.recv(4096).decode()

    def values(self, ident, kind, *names):
        reply = self.ask(f"{ident} {kind} get property={names!r}")
        assert reply.startswith("!G"), reply
        return eval(reply[2:], {})  # which is what its client does

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One daemon for all: who goes leaves nothing behind."""
    with daemon(tmp_path_factory.mktemp("remoteio"), *ANY) as made:
        yield made


@pytest.fixture
def client(served):
    with contextlib.closing(Client(served)) as made:
        yield made
    assert wait_until(lambda: is_free(served))


def is_free(served):
    """Whether nobody has a line."""
    with served.connect() as line:
        return all(line.ask(f"consumer {number}").startswith('ok ""') for number in range(28))


@pytest.mark.slow
def test_what_was_recorded_is_answered_as_it_was(client):
    assert client.ask("dev_0 LED _create args=(17,)") == "!C"
    assert client.ask("dev_0 LED on ") == "!E"
    asked = "dev_0 LED get property=('value', 'is_lit', 'pin', 'closed')"
    assert client.ask(asked) == """!G{'value' : 1,'is_lit' : True,'pin' : "GPIO17",'closed' : False}"""
    assert client.ask("dev_4 RGBLED _create args=(2,3,4)") == "!C"
    assert client.ask("dev_4 RGBLED set color=Color('red')") == "!S"
    assert client.ask("dev_0 LED blink on_time=0.4;off_time=0;n=1") == "!E"
    begin = time.monotonic()
    reply = client.ask("dev_0 LED blink on_time=3;off_time=1;background=False")
    assert reply == "?? pipe connection timed out dev_0 blink"
    assert 1.9 < time.monotonic() - begin < 3  # when its client gives up
    assert client.ask("dev_0 LED close ") == "!F"
    assert client.ask("dev_0 LED on ") == "?I"


@pytest.mark.slow
def test_a_blink_that_somebody_waits_for_is_ended_by_off(client, served):
    assert client.ask("dev_0 LED _create args=(17,)") == "!C"
    assert client.ask("dev_0 LED blink on_time=30;background=False").startswith("?? pipe")
    assert client.values("dev_0", "LED", "value") == {"value": 1}
    assert client.ask("dev_0 LED off ") == "!E"
    assert client.values("dev_0", "LED", "value") == {"value": 0}


def test_replies_come_in_the_order_of_commands_whatever_they_take(client):
    for number, pin in enumerate((17, 27)):
        assert client.ask(f"dev_{number} Button _create args=({pin},)") == "!C"
    client.socket.sendall(
        b"dev_0 Button wait_for_press timeout=0.3\ndev_1 Button get property=('is_pressed',)\n"
        b"dev_9 LED on \ndev_1 Button close \n"
    )
    got = ""
    while not got.endswith("!F"):
        got += client.socket.recv(4096).decode()
    assert got == "!E!G{'is_pressed' : False}?I!F"


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_made_asked_used_and_closed(client, kind):
    assert client.ask(f"dev_0 {kind} _create {MAKES[kind]}") == "!C"
    assert client.ask(f"dev_0 {kind} _create {MAKES[kind]}") == "?I"
    for name in set(CLASSES[kind].reads) - FAILS_THERE.get(kind, set()):
        assert name in client.values("dev_0", kind, name)
    for name in CLASSES[kind].methods:
        takes = TAKES.get(name, "timeout=0.01" if name.startswith("wait_for_") else "")
        assert client.ask(f"dev_0 {kind} {name} {takes}") == "!E", name
    assert client.ask(f"dev_0 {kind} close ") == "!F"
    assert client.ask(f"dev_0 {kind} _create {MAKES[kind]}") == "!C"


@pytest.mark.parametrize(
    ("kind", "text", "name", "value"),
    [
        ("LED", "value=1", "value", 1),
        ("PWMLED", "value=0.25;frequency=50", "frequency", 50),
        ("RGBLED", "color=Color('blue')", "value", "(0.0, 0.0, 1.0)"),
        ("RGBLED", "color=#00ff00", "value", "(0.0, 1.0, 0.0)"),
        ("TonalBuzzer", "tone=Tone('A4')", "tone", 440.0),
        ("TonalBuzzer", "tone=220.0", "value", -1.0),
        ("LEDBoard", "value=(1, 0, 1)", "value", "LEDBoardValue(device_0=1.0, device_1=0.0, device_2=1.0)"),
        ("LEDBarGraph", "lit_count=2", "lit_count", 2),
        ("Button", "hold_time=0.5;hold_repeat=True", "hold_time", 0.5),
        ("MotionSensor", "threshold=0.25", "threshold", 0.25),
        ("DistanceSensor", "max_distance=2;threshold_distance=1", "max_distance", 2),
        ("RotaryEncoder", "steps=4", "steps", 4),
        ("Servo", "value=0.5", "value", 0.5),
        ("AngularServo", "angle=45", "angle", 45.0),
        ("Motor", "value=-0.5", "value", -0.5),
    ],
)
def test_what_is_set_is_so(client, kind, text, name, value):
    assert client.ask(f"dev_0 {kind} _create {MAKES[kind]}") == "!C"
    assert client.ask(f"dev_0 {kind} set {text}") == "!S"
    assert client.values("dev_0", kind, name) == {
        name: pytest.approx(value) if value != str(value) else value
    }


def test_its_lines_are_the_daemons(client, served):
    client.ask("dev_0 LED _create args=('BOARD11',)")
    client.ask("dev_0 LED on ")
    with served.connect() as line:
        assert line.levels(17) == [1]
        assert "LineBusyError" in line.ask("output 17 0")
    assert re.search(r"GPIO 17: LED on by remoteio client from", served.rpio("audit").stdout)


def test_a_pin_of_another_client_is_a_failure_until_that_one_has_gone(client, served):
    with contextlib.closing(Client(served)) as other:
        assert other.ask("dev_0 LED _create args=(17,)") == "!C"
        reply = client.ask("dev_0 LED _create args=(17,)")
        assert reply.startswith("?? dev_0 Led creation failure: ")
        assert "GPIO17 is already in use" in reply
        assert client.ask("dev_0 LED on ") == "?I"
    assert wait_until(lambda: client.ask("dev_0 LED _create args=(17,)") == "!C")


def test_a_pin_of_a_queue_of_tasks_is_a_failure_too(client, served):
    with socket.create_connection(("127.0.0.1", port_of(served)), LIMIT_S) as other:
        other.sendall(b"b 11 create 0 0.0 0.0 ")
        assert other.recv(1) == b"!"
        assert "Led creation failure: " in client.ask("dev_0 LED _create args=(17,)")


def test_who_goes_in_the_middle_leaves_nothing(client, served):
    for number, kind in enumerate(("LED", "Motor", "LEDBoard")):
        line = MAKES[kind].replace("17", str(5 + number)).replace("27", str(10 + number)).replace("22", "20")
        assert client.ask(f"dev_{number} {kind} _create {line}") == "!C"
    client.socket.sendall(
        b"dev_0 LED blink background=False\ndev_1 Motor forward \ndev_9 RGBLED _create args=(23,24,25)\n"
    )
    client.close()
    assert wait_until(lambda: is_free(served))


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (
            'dev_0 LED _create args=(__import__("os").getpid()%27,)',
            "?? dev_0 Led creation failure: '__import__' is no value",
        ),
        ("dev_0 LED _create args=(99,)", "?? dev_0 Led creation failure: "),
        ("dev_0 LED _create ", "?? dev_0 Led creation failure: "),
        (
            "dev_0 MCP23017 _create args=(1,)",
            "?? dev_0 Led creation failure: there is no class MCP23017; what drives",
        ),
        ("dev_0 Popen _create args=('id',)", "?? dev_0 Led creation failure: there is no class Popen"),
        ("dev_1 LED get property=('__class__',)", "?G"),
        ("dev_1 LED get property=('value', 'steps')", "?G"),
        ("dev_1 LED get ", "?G"),
        ("dev_1 LED get property=()", "?G"),
        ("dev_1 LED set pin_factory=None", "?S"),
        ("dev_1 LED set __class__=1", "?S"),
        ("dev_1 LED set value=2", "?S"),
        ("dev_1 LED set ", "?S"),
        ("dev_1 LED dance ", "?E"),
        ("dev_1 LED __init__ args=(4,)", "?E"),
        ("dev_1 LED blink on_time=x", "?E"),
        ("dev_1 LED blink on_time=-1", "?E"),
        ("dev_1 PWMLED on ", "?I"),
        ("dev_2 LED close ", "?I"),
    ],
)
def test_what_cannot_be_done_is_answered(client, line, reply):
    client.ask("dev_1 LED _create args=(4,)")
    assert client.ask(line).startswith(reply)
    assert client.ask("dev_1 LED on ") == "!E"


def test_what_is_no_line_closes_behind_all_replies(client, served):
    client.ask("dev_0 Button _create args=(17,)")
    client.socket.sendall(b"dev_0 Button wait_for_press timeout=0.2\nGET / HTTP/1.1\n")
    got = b""
    while data := client.socket.recv(4096):
        got += data
    assert got.startswith(b"!E?? a line is IDENT CLASS COMMAND")
    assert wait_until(lambda: is_free(served))


@pytest.mark.slow
def test_how_many_devices_a_client_may_have(client):
    for number in range(DEVICES_MAX):
        client.ask(f"dev_{number} LED _create args=({number % 28},)")
    made = [number for number in range(28) if client.ask(f"dev_{number} LED on ") == "!E"]
    assert made == list(range(28))
    for number in range(100, 100 + DEVICES_MAX):  # those that could not be made count no more
        reply = client.ask(f"dev_{number} LED _create args=(17,)")
        assert "already in use" in reply


@pytest.mark.slow
def test_who_may_not_drive_lines_has_no_device(tmp_path):
    config = f"[access]\nopen = ['read']\ntokens = '{tmp_path}/tokens'\n"
    with (
        daemon(tmp_path, *ANY, config=config) as served,
        contextlib.closing(Client(served)) as client,
    ):
        assert "remoteio needs the scope 'gpio'" in client.ask("dev_0 LED _create args=(17,)")


LOOK = """
import gpiozero, inspect, json, sys
def names(what):
    return [name for name in inspect.signature(what).parameters if name != "self"]
print(json.dumps({
    kind: {
        "create": names(getattr(gpiozero, kind).__init__),
        "methods": {name: names(getattr(getattr(gpiozero, kind), name)) for name in methods},
        "settable": [name for name in writes if getattr(gpiozero, kind).__dict__ or True
                     and inspect.getattr_static(getattr(gpiozero, kind), name).fset],
    }
    for kind, (methods, writes) in json.loads(sys.argv[1]).items()
}))
"""


@pytest.mark.slow
def test_the_table_is_gpiozeros():
    asked = {kind.name: (list(kind.methods), list(kind.writes)) for kind in CLASSES.values()}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)
    for kind in CLASSES.values():
        of = theirs[kind.name]
        missing = {"**"} if kind.name == "LEDBoard" else set()
        assert set(kind.create.kinds) - missing <= set(of["create"]), kind.name
        assert set(of["settable"]) == set(kind.writes), kind.name
        for method in kind.methods.values():
            names = of["methods"][method.name]
            assert list(method.kinds) == [name for name in names if name != "args"], (kind.name, method.name)
