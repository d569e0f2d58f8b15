# SPDX-License-Identifier: LGPL-3.0-or-later
"""``import RPIO``: the functions of the documentation, and its programs as they stand."""

import os
import subprocess
import sys

import pytest

import behind
import RPIO
from RPIO import errors
from waiting import LIMIT_S


def test_the_input_and_output_program_of_the_documentation(rpio):
    """As it stands, but for its last call: pin 17 of the header is 3V3, and the original raised too."""
    RPIO = rpio
    # set up input channel without pull-up
    RPIO.setup(7, RPIO.IN)

    # set up input channel with pull-up control. Can be
    # PUD_UP, PUD_DOWN or PUD_OFF (default)
    RPIO.setup(7, RPIO.IN, pull_up_down=RPIO.PUD_UP)

    # read input from gpio 7
    input_value = RPIO.input(7)
    assert input_value == 1

    # set up GPIO output channel
    RPIO.setup(8, RPIO.OUT)

    # set gpio 8 to high
    RPIO.output(8, True)
    assert RPIO.sim.level(8) == 1

    # set up output channel with an initial state
    RPIO.setup(8, RPIO.OUT, initial=RPIO.LOW)
    assert RPIO.sim.level(8) == 0

    # change to BOARD numbering schema
    RPIO.setmode(RPIO.BOARD)

    # set software pullup on channel 17
    with pytest.raises(RPIO.InvalidChannelException):
        RPIO.set_pullupdn(17, RPIO.PUD_UP)  # new in RPIO
    RPIO.set_pullupdn(11, RPIO.PUD_UP)
    assert RPIO.sim.level(17) == 1

    # get the function of channel 8
    assert RPIO.gpio_function(8) == RPIO.IN
    assert RPIO.channel_to_gpio(8) == 14

    # reset every channel that has been set up by this program,
    # and unexport interrupt gpio interfaces
    RPIO.cleanup()
    assert RPIO.sim.backend().function(8) == RPIO.IN


def test_the_threaded_and_debounced_forms_of_the_documentation(rpio):
    RPIO = rpio
    do_something = socket_callback = print
    RPIO.add_interrupt_callback(7, do_something, threaded_callback=True)
    RPIO.add_tcp_callback(0, socket_callback, threaded_callback=True)
    RPIO.add_interrupt_callback(7, do_something, debounce_timeout_ms=100)
    RPIO.wait_for_interrupts(threaded=True)
    assert RPIO.facade.board.dispatcher.running
    RPIO.stop_waiting_for_interrupts()
    RPIO.cleanup_interrupts()


def test_import_as_gpio(rpio):
    GPIO = rpio
    GPIO.setmode(GPIO.BCM)
    GPIO.setwarnings(False)
    GPIO.setup([17, 18], GPIO.OUT, initial=GPIO.HIGH)
    GPIO.output([17, 18], (0, 1))
    assert [GPIO.input(17), GPIO.input(18)] == [0, 1]
    assert GPIO.getmode() == GPIO.BCM
    GPIO.cleanup()


def test_sysinfo_version_and_revision(rpio):
    assert rpio.sysinfo() == ("c03114", "4B", "1.4", 4096, "Sony UK")
    assert rpio.version() == (rpio.VERSION, rpio.VERSION_GPIO)
    assert rpio.RPI_REVISION == 3
    assert int(rpio.RPI_REVISION_HEX, 16) & 0xFF0 == 0x110
    assert rpio.RPI_INFO["TYPE"] == "Pi 4 Model B"


@pytest.mark.parametrize(("model", "revision"), [("B", 2), ("A", 2), ("2B", 3), ("CM3", 0), ("500", 3)])
def test_the_simulated_board_can_be_any_model(rpio, model, revision):
    rpio.use(f"sim:{model}")
    assert rpio.sysinfo()[1] == model
    assert revision == rpio.RPI_REVISION
    rpio.setup(17, rpio.OUT, initial=1)
    assert rpio.input(17) == 1


def test_use_after_setup_is_an_error(rpio):
    rpio.setup(17, rpio.IN)
    with pytest.raises(RuntimeError, match="the board is in use"):
        rpio.use("sim:3B")


def test_reading_information_does_not_fix_the_choice(rpio):
    assert rpio.RPI_REVISION == 3
    rpio.use("sim:B")
    assert rpio.RPI_REVISION == 2


def test_describe_says_what_is_in_use(rpio):
    says, _, where = rpio.describe().partition(" at ")
    assert says == "simulated Raspberry Pi 4 Model B (58 lines)"
    assert bool(where) is behind.IS_REMOTE


def test_a_wrong_backend_is_refused_at_once(rpio):
    with pytest.raises(errors.NoBackendError, match="there is no backend 'simm'") as e:
        rpio.use("simm")
    assert "sim" in e.value.hint


def test_add_tcp_callback_returns_the_port(rpio):
    assert 1024 < rpio.add_tcp_callback(0, print, host="127.0.0.1") < 65536


def test_force_functions(rpio):
    rpio.sim.drive(22, 1)
    assert rpio.forceinput(22) == 1
    rpio.setup(23, rpio.OUT)
    rpio.forceoutput(23, 1)
    assert rpio.sim.level(23) == 1


def test_errors_show_their_advice(rpio):
    with pytest.raises(errors.WrongDirectionException) as e:
        rpio.input(17)
    assert e.value.hint in "".join(getattr(e.value, "__notes__", [e.value.hint]))
    assert "forceinput(17)" in e.value.hint


# -- an import loads little, the first name the rest --------------------------------------------------------


def program(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=True,
    )
    return done.stdout


def test_an_import_loads_the_constants_and_the_c_module_alone():
    code = "import sys; before = set(sys.modules); import RPIO; print(RPIO.OUT, sorted(set(sys.modules) - before))"
    assert program(code) == "0 ['RPIO', 'RPIO._gpio', 'RPIO.constants']\n"


@pytest.mark.parametrize(
    ("code", "out"),
    [
        ("import RPIO; RPIO.setup(17, RPIO.OUT, initial=1); print(RPIO.input(17))", "1\n"),
        (
            "import RPIO\ntry: RPIO.output(17, 1)\nexcept RuntimeError as e: print(type(e).__name__)",
            "WrongDirectionException\n",
        ),
        ("from RPIO import *; setup(17, OUT, initial=1); print(input(17), RPI_REVISION)", "1 3\n"),
        ("import RPIO.sim; RPIO.setup(17, RPIO.IN); RPIO.sim.drive(17, 1); print(RPIO.input(17))", "1\n"),
        ("from RPIO import sim; import RPIO; RPIO.setup(4, 1); sim.drive(4, 1); print(RPIO.input(4))", "1\n"),
        ("import RPIO.PWM; RPIO.setup(18, 0); print(RPIO.PWM(18, 50).__class__.__name__)", "PWM\n"),
        ("from RPIO import PWM; import RPIO; RPIO.setup(18, 0); PWM(18, 50); print('ok')", "ok\n"),
        ("from RPIO import Exceptions as E; print(E.ModeNotSetException.__name__)", "ModeNotSetException\n"),
        ("import RPIO; print(set(RPIO.__all__) <= set(dir(RPIO)))", "True\n"),
        ("import RPIO; print(RPIO.RPI_REVISION, RPIO.RPI_INFO['TYPE'])", "3 Pi 4 Model B\n"),
        ("import RPIO; print(hasattr(RPIO, 'setpu'), hasattr(RPIO, 'errors'))", "False False\n"),
    ],
)
def test_any_first_use_works(code, out):
    assert program(code) == out


def test_wrong_calls_are_named_as_they_were_made(rpio):
    for call, name in ((rpio.input, "input()"), (rpio.output, "output()")):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value).startswith(name)


def test_gpio_function_takes_the_keywords_of_both_histories(rpio):
    assert {rpio.gpio_function(**{name: 17}) for name in ("gpio_id", "gpio", "channel")} == {rpio.IN}


# --- looking at the module


LOOKS = {
    "help": "import io, pydoc; pydoc.Helper(output=io.StringIO()).help(RPIO)",
    "pydoc": "import pydoc; assert 'add_interrupt_callback' in pydoc.render_doc(RPIO)",
    "getmembers": "import inspect; assert dict(inspect.getmembers(RPIO))['RPI_INFO']",
    "hasattr": "assert hasattr(RPIO, 'RPI_REVISION') and hasattr(RPIO, 'setup') and not hasattr(RPIO, 'x')",
    "dir": "assert dir(RPIO) == sorted(RPIO.__all__); [getattr(RPIO, name) for name in dir(RPIO)]",
    "star": "exec('from RPIO import *'); assert RPI_INFO is not None",
    "sim": "assert dir(RPIO.sim) == sorted(RPIO.sim.__all__)",
    "hints": "from typing import get_type_hints; [get_type_hints(f) for f in vars(RPIO).values() if callable(f)]",
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "backend", ["auto", "regs", "cdev", "cdev:gpiochip99", "sysfs", "sim", "sim:99", "nonsense"]
)
def test_a_look_at_the_module_opens_nothing_and_never_fails(backend, look):
    """Who may not open the board, or has none, is the one who asks for help."""
    code = f"""
import sys
import RPIO

def trail(event, args):
    if event == "open" and str(args[0]).startswith(("/dev/gpio", "/dev/mem", "/sys/class/gpio")):
        print("opened", args[0])

sys.addaudithook(trail)
{LOOKS[look]}
assert RPIO.facade.board.machine.opened is None
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "RPIO_BACKEND": backend},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_revision_that_is_expected_is_the_one_that_is_found(rpio, monkeypatch):
    for model in ("B", "2B", "3B+", "4B", "5B", "CM4"):
        monkeypatch.setenv("RPIO_BACKEND", f"sim:{model}")
        rpio.facade.new_board()
        expected = rpio.RPI_REVISION, rpio.RPI_REVISION_HEX, rpio.RPI_INFO
        rpio.setup(17, rpio.IN)
        assert expected == (rpio.RPI_REVISION, rpio.RPI_REVISION_HEX, rpio.RPI_INFO)


def test_type_hints_are_there_when_the_program_runs():
    import typing

    from RPIO import aio

    hints = typing.get_type_hints(RPIO.add_tcp_callback)
    assert hints["callback"].__args__[0] is RPIO.TcpClient
    assert typing.get_type_hints(RPIO.gpio_function) == {"gpio_id": int, "return": int}
    assert typing.get_type_hints(RPIO.wave)["return"].__name__ == "Wave"
    for module in (RPIO, RPIO.sim, aio):
        for name in vars(module):
            function = getattr(module, name)
            is_ours = getattr(function, "__module__", "").startswith("RPIO") and not name.startswith("_")
            if is_ours and callable(function):
                typing.get_type_hints(function)
    for name in ("__init__", "set_servo", "stop_servo"):
        assert typing.get_type_hints(getattr(RPIO.PWM.Servo, name))
