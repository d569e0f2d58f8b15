# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two machines and a cable: a laptop without the C module, and a device with a daemon, a simulated board and an sshd.

Each has namespaces of its own for its network and its mounts; the cable is a veth pair, and can be pulled.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import RPIO
import ssh_parts
from remote_parts import Program, daemon
from RPIO.remote.places.ssh import IDLE_S
from waiting import LIMIT_S, wait_until

LAPTOP, DEVICE = "10.77.0.1", "10.77.0.2"
OUT_S = 3
LINGER_S = 5
MAKE = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/sshd && ip link set lo up"


def why_not():
    """Why there can be no two machines here; empty where there can."""
    if reason := ssh_parts.why_not():
        return reason
    for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")):
        if shutil.which(tool, path=":".join(ssh_parts.SYSTEM)) is None:
            return f"needs {tool}: sudo apt install {package}"
    if os.geteuid() != 0:
        return "needs namespaces for networks: run the tests as root"
    veth = f"{MAKE} && ip link add eth0 type veth peer name eth1"
    done = subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", veth], capture_output=True, text=True, check=False
    )
    return f"needs namespaces and veth: {done.stderr.strip()}" if done.returncode else ""


pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(300)]


class Machine:
    """Namespaces, and the process that keeps them. *make* is what is done in there first, in sh."""

    def __init__(self, make=MAKE):
        command = ["unshare", "-n", "-m", "sh", "-c", f"{make} && echo ready && exec sleep 3600"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.enter = ["nsenter", "-t", str(self.pid), "-n", "-m", "--"]
        assert self._process.stdout.readline() == "ready\n"

    def do(self, command):
        """Run a command in there."""
        subprocess.run([*self.enter, *command.split()], check=True, timeout=LIMIT_S)

    def close(self):
        """It is gone, and so is its end of the cable."""
        self._process.kill()
        self._process.wait(LIMIT_S)
        self._process.stdout.close()


class Desk:
    """The two, joined. *served* is the daemon on the device."""

    def __init__(self, parts, folder):
        package, copy = Path(RPIO.__file__).parent, folder / "RPIO"
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("_gpio*.so"))
        self._folder = folder
        self.laptop = Machine(f"{MAKE} && mount --bind {copy} {package}")
        parts.callback(self.laptop.close)
        device = Machine()
        parts.callback(device.close)
        self.laptop.do(f"ip link add eth0 type veth peer name eth0 netns {device.pid}")
        for machine, address in ((self.laptop, LAPTOP), (device, DEVICE)):
            machine.do(f"ip address add {address}/24 dev eth0")
            machine.do("ip link set eth0 up")
        self._far = ssh_parts.Far(address=DEVICE, enter=device.enter)
        parts.callback(self._far.close)
        config = '[line.17]\nsafe = "low"\n'
        where = self._far.folder / "device"
        self.served = parts.enter_context(daemon(where, "--no-tcp", config=config, before=device.enter))
        self.there = parts.enter_context(self.served.connect())
        """A person at the device."""

    def pull(self, is_out=True):
        """Pull the cable, or put it back."""
        self.laptop.do(f"ip link set eth0 {'down' if is_out else 'up'}")

    @contextlib.contextmanager
    def run(self, code):
        """``rpio run --on pi`` with that program, on the laptop."""
        script = self._folder / "program.py"
        script.write_text(code)
        words = ["-m", "RPIO", "run", "--on", "pi", str(script)]
        made = Program("", self.laptop.enter, words, **self._far.environment)
        try:
            yield made
        finally:
            made.close()

    def has_line(self, line):
        """Whether somebody has it."""
        return self.there.ask(f"consumer {line}") not in ('ok ""', 'ok "" left')


@pytest.fixture
def desk(tmp_path):
    with contextlib.ExitStack() as parts:
        yield Desk(parts, tmp_path)


BLINK = """
import time
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=GPIO.LOW)
for _ in range(5):
    GPIO.output(17, GPIO.HIGH)
    time.sleep(0.01)
    GPIO.output(17, GPIO.LOW)
    time.sleep(0.01)
GPIO.cleanup()
import RPIO._gpio
print("done", RPIO._gpio.PURE)
"""


def test_a_program_on_the_laptop_blinks_on_the_device(desk):
    there = desk.there
    assert [there.ask(text) for text in ("wire 17 27", "input 27", "watch 27 rising")] == ["ok", "ok", "ok 0"]
    with desk.run(BLINK) as program:
        program.says("^done True$")  # it has no C module
        assert program.process.wait(LIMIT_S) == 0
    assert not desk.has_line(17)
    assert there.ask("watch 27 rising") == "ok 5"  # so many have come


BUTTON = """
import signal
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
GPIO.setup(4, GPIO.IN, pull_up_down=GPIO.PUD_UP)
GPIO.add_event_detect(4, GPIO.FALLING, callback=lambda channel: print("pressed", channel))
print("ready")
try:
    signal.pause()
except KeyboardInterrupt:
    print("interrupted")
finally:
    GPIO.cleanup()
"""


def test_edges_come_to_the_laptop_and_ctrl_c_cleans_up_on_the_device(desk):
    with desk.run(BUTTON) as program:
        program.says("^ready$")
        assert desk.there.levels(17) == [1]
        for count in range(1, 4):
            assert desk.there.ask("drive 4 0") == "ok"
            assert desk.there.ask("drive 4 -") == "ok"
            program.says(rf"(^pressed 4\n.*){{{count}}}")
        program.kill(signal.SIGINT)
        program.says("^interrupted$")
        assert "lost" not in program.look()
        assert not desk.has_line(17)
        assert not desk.has_line(4)


TOGGLES = """
import time
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT)
GPIO.setup(4, GPIO.IN, pull_up_down=GPIO.PUD_UP)
GPIO.add_event_detect(4, GPIO.BOTH, callback=lambda channel: print("edge", GPIO.input(4)))
count = 0
while True:
    GPIO.output(17, count % 2)
    assert GPIO.input(17) == count % 2
    count += 1
    print("count", count)
    time.sleep(0.05)
"""


def test_a_cable_that_is_out_for_seconds_costs_nothing(desk):
    """What the program asks meanwhile waits, and edges of that time follow."""
    with desk.run(TOGGLES) as program:
        program.says("^count 5$")
        who = desk.there.ask("consumer 17")
        desk.pull()
        desk.there.ask("drive 4 0")
        assert not wait_until(lambda: not desk.has_line(17), timeout_s=OUT_S)
        at = program.look().count("count")
        desk.pull(False)
        program.says(rf"^count {at + 20}$")
        program.says("^edge 0$")
        assert desk.there.ask("consumer 17") == who
        assert "Traceback" not in program.look()
        assert "lost" not in program.look()


IDLE = """
import time
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
print("on")
time.sleep(1000)
"""


@pytest.mark.parametrize("code", [IDLE, TOGGLES], ids=["it sleeps", "it writes"])
def test_a_cable_that_is_pulled_for_good_leaves_the_lines_safe(desk, code):
    with desk.run(code) as program:
        program.says("^(on|count 6)$")  # it is high, or has been
        desk.pull()
        since = time.monotonic()
        assert wait_until(lambda: not desk.has_line(17))
        assert time.monotonic() - since < 2 * IDLE_S + LINGER_S + 10
        assert desk.there.levels(17) == [0]
        assert desk.there.ask("consumer 17") == 'ok "" left'
        if code is TOGGLES:
            program.says("ConnectionLost: .*pi")
            assert program.process.wait(LIMIT_S) == 1
