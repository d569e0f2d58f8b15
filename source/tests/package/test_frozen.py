# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that PyInstaller has frozen: they bring all of RPIO that they need, or say what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import RPIO
from peers import peers

PYINSTALLER = "pyinstaller==6.22.3"
SITE = Path(RPIO.__file__).parents[1]
PROGRAM = """
import time
import RPIO
RPIO.install_as_rpi_gpio()
import RPi.GPIO as GPIO
import RPi._GPIO

GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.IN, GPIO.PUD_UP)
GPIO.setup(18, GPIO.OUT)
led = GPIO.PWM(18, 100)
led.start(50)
pressed = []
GPIO.add_event_detect(17, GPIO.FALLING, pressed.append)
RPIO.add_interrupt_callback(17, lambda *event: pressed.append(event), "falling", None, threaded_callback=True)
port = RPIO.add_tcp_callback(0, print, host="127.0.0.1")
RPIO.sim.drive(17, 0)
end = time.monotonic() + 20
while len(pressed) < 2 and time.monotonic() < end:
    time.sleep(0.001)
RPIO.PWM.Servo(means="soft").set_servo(22, 1500)
print(GPIO.VERSION, RPi._GPIO.BCM, sorted(pressed, key=str), RPIO.RPI_INFO["TYPE"], led.means, port > 0)
GPIO.cleanup()
"""
SAYS = "0.7.1 11 [(17, 0), 17] Pi 3 Model B soft True\n"


@pytest.fixture(scope="module")
def tools():
    """A folder with PyInstaller."""
    try:
        return peers.with_needs(PYINSTALLER)
    except peers.NotToBeHad as e:
        pytest.skip(f"PyInstaller cannot be had: {e}")


def freeze(folder, tools, *paths):
    """Freeze the program with what is on these paths; return where it is."""
    program = folder / "blink.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", program],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, tools]))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "dist" / "blink" / "blink"


def run(program):
    return subprocess.run(
        [program],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        env={"RPIO_BACKEND": "sim:3B", "PATH": os.environ["PATH"]},
        check=False,
    )


def installed(folder, *names):
    """A folder with RPIO alone, as it is installed here: PyInstaller finds hooks by what is beside it."""
    for name in names:
        shutil.copytree(name, folder / "site" / name.name)
    return folder / "site"


def test_a_frozen_program_has_rpi_gpio_edges_pwm_tcp_and_the_simulated_board(tools, tmp_path):
    site = installed(tmp_path, SITE / "RPIO", next(SITE.glob("[Rr][Pp][Ii][Oo]-*.dist-info")))
    done = run(freeze(tmp_path, tools, site))
    assert (done.stdout, done.stderr) == (SAYS, "")


def test_a_program_that_was_frozen_without_the_hook_says_what_to_do(tools, tmp_path):
    site = installed(tmp_path, SITE / "RPIO")
    done = run(freeze(tmp_path, tools, site))
    assert "ImportError" in done.stderr and "--collect-all RPIO" in done.stderr
