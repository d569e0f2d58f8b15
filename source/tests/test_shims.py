# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO by name: ``RPIO.install_as_rpi_gpio()`` and ``rpio run``, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

NAMES = """
BCM BOARD BOTH FALLING HARD_PWM HIGH I2C IN LOW OUT PUD_DOWN PUD_OFF PUD_UP PWM RISING RPI_INFO RPI_REVISION SERIAL
SPI UNKNOWN VERSION add_event_callback add_event_detect cleanup event_detected getmode gpio_function input output
remove_event_detect setmode setup setwarnings wait_for_edge
"""


def python(code, *arguments, program=(sys.executable,), status=0, **env):
    """Run a program; return what it printed."""
    done = subprocess.run(
        [*program, *arguments] if code is None else [*program, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "RPIO_BACKEND": "sim:3B", **env},
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


INSTALL = "import RPIO; RPIO.install_as_rpi_gpio(); import RPi.GPIO as GPIO\n"


def rpi(code, **env):
    return python(INSTALL + textwrap.dedent(code), **env)


def test_it_has_the_names_of_rpi_gpio_and_no_others():
    out = rpi("import json; print(json.dumps([GPIO.__all__, [n for n in dir(GPIO) if n[0] != '_']]))")
    exported, found = json.loads(out)
    assert set(exported) == set(NAMES.split())
    assert set(found) - {"annotations", "RPI_REVISION_HEX"} <= set(NAMES.split())
    assert set(found) >= set(NAMES.split()) - {"RPI_INFO", "RPI_REVISION"}


def test_its_constants_version_and_board_are_rpi_gpios():
    out = rpi("print(GPIO.VERSION, GPIO.OUT, GPIO.IN, GPIO.PUD_UP, GPIO.RPI_REVISION, GPIO.RPI_INFO['TYPE'])")
    assert out == "0.7.1 0 1 22 3 Pi 3 Model B\n"


def test_the_mode_must_be_set_and_cleanup_forgets_it():
    out = rpi("""
        print(GPIO.getmode())
        try:
            GPIO.setup(17, GPIO.IN)
        except RuntimeError as e:
            print(e)
        GPIO.setmode(GPIO.BOARD)
        GPIO.setup(11, GPIO.IN)
        print(GPIO.getmode())
        GPIO.cleanup()
        print(GPIO.getmode())
    """)
    assert out == (
        "None\nPlease set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)\n10\nNone\n"
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("GPIO.setup(17, GPIO.OUT, GPIO.PUD_UP)", "pull_up_down parameter is not valid for outputs"),
        ("GPIO.setup(17, GPIO.OUT, 7)", "pull_up_down parameter is not valid for outputs"),
        (
            "GPIO.setup(17, GPIO.IN, 2)",
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN",
        ),
    ],
)
def test_pulls_are_checked_as_rpi_gpio_does(call, text):
    out = rpi(f"""
        GPIO.setmode(GPIO.BCM)
        try:
            {call}
        except ValueError as e:
            print(e)
    """)
    assert out == text + "\n"


def test_functions_have_rpi_gpios_codes():
    out = rpi("""
        GPIO.setmode(GPIO.BCM)
        sim = RPIO.sim.backend()
        for line, function in ((2, RPIO.ALT0), (8, RPIO.ALT0), (14, RPIO.ALT0), (18, RPIO.ALT5), (17, RPIO.ALT4),
                               (13, RPIO.ALT0), (4, RPIO.ALT0), (5, RPIO.ALT2)):
            sim.set_function(line, function)
            print(GPIO.gpio_function(line), end=" ")
        GPIO.setmode(GPIO.BCM)
        print(GPIO.gpio_function(6), GPIO.gpio_function(channel=6))
    """)
    assert out == "42 41 40 43 41 43 -1 -1 1 1\n"


def test_output_and_input_are_the_c_functions():
    assert rpi("print(GPIO.output is RPIO.output, GPIO.input is RPIO.input)") == "True True\n"


def test_pwm_is_a_class_that_can_be_subclassed_and_takes_no_attributes():
    out = rpi("""
        class Fade(GPIO.PWM):
            pass
        print(GPIO.PWM.__module__, GPIO.PWM.__name__)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(18, GPIO.OUT)
        try:
            GPIO.PWM(18, 100).x = 1
        except AttributeError as e:
            print("AttributeError")
    """)
    assert out == "RPi.GPIO PWM\nAttributeError\n"


def test_installing_twice_is_fine_and_over_another_rpi_is_an_error(tmp_path):
    assert rpi("RPIO.install_as_rpi_gpio(); import RPi.GPIO as again; print(again is GPIO)") == "True\n"
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "__init__.py").touch()
    code = "import RPi, RPIO; RPIO.install_as_rpi_gpio()"
    err = python(code, status=1, PYTHONPATH=str(tmp_path))
    assert "RuntimeError: another RPi has been imported already" in err


def test_other_packages_below_rpi_stay_importable(tmp_path):
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "bme280.py").write_text("name = 'sensor'\n")
    assert rpi("from RPi import bme280; print(bme280.name)", PYTHONPATH=str(tmp_path)) == "sensor\n"


def test_without_installing_there_is_no_rpi():
    assert "No module named 'RPi'" in python("import RPIO, RPi", status=1)


# -- rpio run ------------------------------------------------------------------------------------------------

RPIO_RUN = (sys.executable, "-W", "error", "-m", "RPIO.cli", "run")


@pytest.fixture
def script(tmp_path):
    """Write a program, and a module beside it."""

    def write(text):
        path = tmp_path / "blink.py"
        path.write_text(textwrap.dedent(text))
        (tmp_path / "beside.py").write_text("name = 'beside'\n")
        return str(path)

    return write


def test_run_gives_a_program_its_name_arguments_and_neighbours(script):
    path = script("""
        import sys
        import beside
        import RPi.GPIO as GPIO
        print(__name__, sys.argv[1:], beside.name, GPIO.VERSION, __file__ == sys.argv[0])
    """)
    out = python(None, path, "-v", "--backend", "17", program=RPIO_RUN)
    assert out == "__main__ ['-v', '--backend', '17'] beside 0.7.1 True\n"


def test_run_ends_with_the_programs_status(script):
    assert python(None, script("raise SystemExit(3)"), program=RPIO_RUN, status=3) == ""
    err = python(None, script("1 / 0"), program=RPIO_RUN, status=1)
    assert err.endswith("ZeroDivisionError: division by zero\n")


def test_run_of_a_module_and_with_a_backend(script, tmp_path):
    script("import RPi.GPIO as GPIO; print(GPIO.RPI_INFO['TYPE'])")
    out = python(None, "--backend", "sim:Zero", "-m", "blink", program=RPIO_RUN, PYTHONPATH=str(tmp_path))
    assert out == "Zero\n"


def test_processes_that_the_program_starts_have_it_too(script):
    path = script("""
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "import RPi.GPIO as G; G.setmode(G.BCM); print(G.VERSION)"], check=True)
    """)
    assert python(None, path, program=RPIO_RUN) == "0.7.1\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no-such-file.py"], "there is no file 'no-such-file.py'"),
        (["--backend", "smi", "x"], "there is no file 'x'"),
        ([], "the following arguments are required: program"),
    ],
)
def test_run_says_what_is_wrong(arguments, text):
    assert text in python(None, *arguments, program=RPIO_RUN, status=2)


def test_run_names_the_backends(script):
    err = python(None, "--backend", "smi", script(""), program=RPIO_RUN, status=2)
    assert "there is no backend 'smi'" in err and "choose one of auto" in err


def test_ctrl_c_ends_the_program_with_130(script):
    path = script("""
        import RPi.GPIO as GPIO
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN)
        print("waiting", flush=True)
        GPIO.wait_for_edge(17, GPIO.RISING)
    """)
    child = subprocess.Popen(
        [*RPIO_RUN, path], stdout=subprocess.PIPE, env={**os.environ, "RPIO_BACKEND": "sim"}, text=True
    )
    with child:
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
