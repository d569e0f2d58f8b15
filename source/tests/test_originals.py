# SPDX-License-Identifier: LGPL-3.0-or-later
"""The original RPIO's private names, a common slip, and loops as its programs start and end them."""

import importlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import RPIO
from RPIO import PWM
from support import drain
from waiting import wait_until


def test_the_functions_names_are_where_the_originals_rpio_looks(rpio_board):
    names = RPIO._RPIO.GPIO_FUNCTIONS
    assert (names[RPIO.OUT], names[RPIO.IN], names[RPIO.ALT0]) == ("OUTPUT", "INPUT", "ALT0")
    for number in range(6):
        assert names[getattr(RPIO, f"ALT{number}")] == f"ALT{number}"
    for line in range(58):
        assert names[RPIO.gpio_function(line)]


def test_the_c_modules_are_there(rpio_board):
    from RPIO import _GPIO
    from RPIO.PWM import _PWM

    _GPIO.setup(17, _GPIO.OUT)
    _GPIO.output(17, _GPIO.HIGH)
    assert _GPIO.input(17) == 1
    _PWM.setup(_PWM.PULSE_WIDTH_INCREMENT_GRANULARITY_US_DEFAULT, _PWM.DELAY_VIA_PWM)
    assert PWM.is_setup() and _PWM.is_setup()


def test_all_clients_can_be_sent_to_as_programs_do(rpio_board):
    port = RPIO._rpio.add_tcp_callback(0, lambda client, message: None, host="127.0.0.1") or 0
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        assert wait_until(lambda: drain(RPIO.facade.board) or RPIO._rpio._tcp_client_sockets)
        for fileno, (client, callback) in RPIO._rpio._tcp_client_sockets.items():
            assert fileno == client.fileno() and callback(client, "x") is None
            client.send("now\n")
        assert connection.recv(100) == b"now\n"


def test_the_loop_can_be_ended_by_its_flag(rpio):
    def end(gpio_id, value):
        assert RPIO._rpio._is_waiting_for_interrupts
        RPIO._rpio._is_waiting_for_interrupts = False

    RPIO.add_interrupt_callback(17, end, pull_up_down=RPIO.PUD_UP)
    RPIO.sim.drive(17, 0)
    RPIO.wait_for_interrupts()
    assert not RPIO._rpio._is_waiting_for_interrupts
    RPIO._rpio._is_waiting_for_interrupts = True  # as in the original, where nothing starts by that


def test_a_button_may_stop_the_loop(rpio):
    RPIO.add_interrupt_callback(
        25, RPIO.stop_waiting_for_interrupts, edge="rising", pull_up_down=RPIO.PUD_DOWN
    )
    RPIO.add_tcp_callback(0, RPIO.stop_waiting_for_interrupts, host="127.0.0.1")
    RPIO.sim.drive(25, 1)
    RPIO.wait_for_interrupts()


def test_no_private_name_is_a_file():
    """_GPIO.py beside _gpio.so would be one name on some disks."""
    names = [path.name.split(".")[0].lower() for path in Path(RPIO.__file__).parent.iterdir()]
    assert not {"_rpio", "_pwm"} & set(names)
    assert names.count("_gpio") <= 3  # the module, its stub, and what is found where the module is not


@pytest.mark.parametrize(
    "code",
    [
        "import RPIO.GPIO as GPIO",
        "from RPIO import GPIO",
        "import RPIO; import RPIO.GPIO; GPIO = RPIO.GPIO",
        "import importlib; GPIO = importlib.import_module('RPIO.GPIO')",
        "import RPIO; RPIO.setup(18, RPIO.IN); import RPIO.GPIO as GPIO",
    ],
)
def test_a_common_slip_is_understood(code):
    use = "; GPIO.setup(17, GPIO.OUT); import RPIO; assert GPIO is RPIO and GPIO.GPIO is RPIO"
    environment = {**os.environ, "RPIO_BACKEND": "sim"}
    subprocess.run([sys.executable, "-W", "error", "-c", code + use], check=True, timeout=30, env=environment)


def test_the_slip_in_a_program_that_is_running():
    assert importlib.import_module("RPIO.GPIO") is RPIO


# --- loops


def test_a_second_threaded_wait_changes_nothing_and_cleanup_leaves_the_thread():
    code = """
import threading, RPIO
def threads(): return sum(thread.name == "RPIO loop" for thread in threading.enumerate())
for n in range(3):
    seen = threading.Event()
    RPIO.add_interrupt_callback(17, lambda *edge: seen.set(), edge="falling", pull_up_down=RPIO.PUD_UP)
    RPIO.wait_for_interrupts(threaded=True)
    RPIO.wait_for_interrupts(threaded=True)
    RPIO.sim.drive(17, 0)
    print(seen.wait(10), threads())
    RPIO.sim.drive(17, None)
    RPIO.cleanup()
try:
    RPIO.wait_for_interrupts()
except RuntimeError as e:
    print(e)
RPIO.stop_waiting_for_interrupts()
"""
    environment = {**os.environ, "RPIO_BACKEND": "sim"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert (done.stdout, done.stderr) == ("True 1\n" * 3 + "wait_for_interrupts() is running already\n", "")


def test_a_wait_without_anything_to_wait_for_says_so(rpio, caplog):
    ended = threading.Event()

    def stop_when_it_is_said():
        wait_until(lambda: caplog.messages)
        while not ended.wait(0.01):  # a stop before the loop runs is not for it
            RPIO.stop_waiting_for_interrupts()

    stopper = threading.Thread(target=stop_when_it_is_said)
    stopper.start()
    RPIO.wait_for_interrupts()
    ended.set()
    stopper.join()
    text = "wait_for_interrupts() has nothing to wait for: no callback has been added, and no TCP port"
    assert caplog.messages == [text]
    caplog.clear()
    RPIO.add_interrupt_callback(17, RPIO.stop_waiting_for_interrupts, pull_up_down="up")
    RPIO.sim.drive(17, 0)
    RPIO.wait_for_interrupts()
    assert caplog.messages == []
