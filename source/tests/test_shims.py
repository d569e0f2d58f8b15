# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO by name: ``RPIO.install_as_rpi_gpio()`` and ``rpio run``, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from support import PLAIN
from waiting import LIMIT_S

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
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim:3B", **env},
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


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


def test_every_function_of_every_line_has_rpi_gpios_code():
    """RPi.GPIO 0.7.1, source/py_gpio.c, py_gpio_function()."""
    in_words = {
        "ALT0": {"I2C": {0, 1, 2, 3}, "SPI": {7, 8, 9, 10, 11}, "HARD_PWM": {12, 13}, "SERIAL": {14, 15}},
        "ALT4": {"SPI": {16, 17, 18, 19, 20, 21}},
        "ALT5": {"HARD_PWM": {18, 19}},
    }
    out = rpi("""
        GPIO.setmode(GPIO.BCM)
        sim = RPIO.sim.backend()
        names = {getattr(GPIO, name): name for name in ("I2C", "SPI", "HARD_PWM", "SERIAL", "UNKNOWN")}
        for function in ("ALT0", "ALT1", "ALT2", "ALT3", "ALT4", "ALT5"):
            for line in range(28):
                sim.set_function(line, getattr(RPIO, function))
                print(function, line, names[GPIO.gpio_function(line)])
    """)
    found = [line.split() for line in out.splitlines()]
    assert len(found) == 6 * 28
    for function, line, name in found:
        meant = [what for what, lines in in_words.get(function, {}).items() if int(line) in lines]
        assert [name] == (meant or ["UNKNOWN"]), (function, line)


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


def test_a_frozen_program_without_the_stand_in_says_what_to_do(tmp_path):
    code = (
        f"import RPIO, RPIO.stand_ins; RPIO.stand_ins.FOLDER = {str(tmp_path)!r}; RPIO.install_as_rpi_gpio()"
    )
    err = python(code, status=1)
    assert f"ImportError: {tmp_path}/RPi is missing" in err and "--collect-all RPIO" in err


def test_other_packages_below_rpi_stay_importable(tmp_path):
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "bme280.py").write_text("name = 'sensor'\n")
    assert rpi("from RPi import bme280; print(bme280.name)", PYTHONPATH=str(tmp_path)) == "sensor\n"


# -- RPi._GPIO, the real one's C module, whose name editors complete to -------------------------------------

WAYS = {
    "import as": "import RPi._GPIO as C",
    "from": "from RPi import _GPIO as C",
    "importlib": "import importlib; C = importlib.import_module('RPi._GPIO')",
    "by its full name": "import RPi._GPIO; C = RPi._GPIO",
    "first": "C = __import__('RPi._GPIO', fromlist=['setup'])",
    "star": "from RPi._GPIO import *; import sys; C = sys.modules['RPi._GPIO']; C.setmode(BCM)",
}
USE_IT = """
import RPi.GPIO as G
C.setmode(C.BCM); C.setup(17, C.IN, C.PUD_UP)
print(C.input(17), C.__name__, C is G, C.setup is G.setup, C.PWM is G.PWM, G.getmode())
"""
USED = "1 RPi._GPIO False True True 11\n"


@pytest.fixture
def real_one(tmp_path):
    """A folder that has another RPi.GPIO, whose C module refuses to run here."""
    for path in ("RPi/__init__.py", "RPi/GPIO/__init__.py"):
        (tmp_path / "real" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "real" / path).touch()
    (tmp_path / "real" / "RPi" / "_GPIO.py").write_text("raise RuntimeError('the real one')\n")
    return str(tmp_path / "real")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_its_c_module_is_rpio_too_by_every_way_of_importing_it(way, script, real_one):
    code = f"{way}\n{USE_IT}"
    installed = python(f"import RPIO; RPIO.install_as_rpi_gpio()\n{code}", PYTHONPATH=real_one)
    run = python(None, script(code), program=RPIO_RUN, PYTHONPATH=real_one)
    assert (installed, run) == (USED, USED)


def test_its_c_module_has_all_names_but_the_version():
    out = rpi("""
        import json, RPi._GPIO as C
        names = [name for name in dir(C) if name[0] != "_"]
        print(json.dumps([sorted(C.__all__), names]), C.RPI_REVISION, C.RPI_INFO["TYPE"])
    """)
    exported, found = json.loads(out.partition("]]")[0] + "]]")
    assert set(exported) == set(found) == set(NAMES.split()) - {"VERSION"}
    assert out.endswith("]] 3 Pi 3 Model B\n")


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_the_children_of_a_program_have_its_c_module_too(method, script, real_one):
    path = script(f"""
        import multiprocessing, subprocess, sys

        def child():
            import RPi._GPIO as C
            print(C.setup.__module__, flush=True)

        if __name__ == "__main__":
            process = multiprocessing.get_context({method!r}).Process(target=child)
            process.start()
            process.join()
            subprocess.run([sys.executable, "-c", "import RPi._GPIO as C; print(C.setup.__module__)"], check=True)
    """)
    assert python(None, path, program=RPIO_RUN, PYTHONPATH=real_one) == "RPIO.facade\n" * 2


def test_without_installing_there_is_no_rpi():
    assert "No module named 'RPi'" in python("import RPIO, RPi", status=1)


# -- rpio run ------------------------------------------------------------------------------------------------


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
        (["--backend", "smi", "x"], "there is no backend 'smi'"),
        ([], "which program? rpio run FILE [ARGUMENT ...]\n"),
    ],
)
def test_run_says_what_is_wrong(arguments, text):
    assert text in python(None, *arguments, program=RPIO_RUN, status=2)


def test_run_names_the_backends(script):
    err = python(None, "--backend", "smi", script(""), program=RPIO_RUN, status=2)
    assert "there is no backend 'smi'" in err and "choose one of auto" in err


def test_run_names_the_models_before_the_program_starts(script):
    err = python(None, "--backend", "sim:9Z", script("print('started')"), program=RPIO_RUN, status=2)
    assert err.startswith("rpio run: There is no Raspberry Pi '9Z'") and "The choices are: A, " in err


# -- rpio run is Python's own start ---------------------------------------------------------------------------

MAIN = """
import pathlib, sys
me = sys.modules["__main__"]
print(__name__, __file__, sys.argv, sys.path[0], me.__dict__ is globals(), __spec__ and __spec__.name, __package__)
print(type(__loader__).__name__, __cached__ is None, type(__builtins__).__name__, __doc__)
"""
PYTHON = (sys.executable, "-W", "error")


def alike(folder, *words):
    """Run both in a folder; return (stdout, stderr, status), which are the same, of python."""
    env = {**os.environ, "RPIO_BACKEND": "sim:3B"}
    theirs, ours = (
        subprocess.run(
            [*program, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env=env,
            cwd=folder,
            check=False,
        )
        for program in (PYTHON, RPIO_RUN)
    )
    assert (ours.stdout, ours.stderr, ours.returncode) == (theirs.stdout, theirs.stderr, theirs.returncode)
    return theirs.stdout, theirs.stderr, theirs.returncode


@pytest.fixture
def programs(tmp_path):
    """A folder with programs that say what they are."""
    (tmp_path / "deep" / "package").mkdir(parents=True)
    for path in ("plain.py", "deep/plain.py", "deep/__main__.py", "deep/package/__main__.py"):
        (tmp_path / path).write_text(MAIN)
    (tmp_path / "link.py").symlink_to("deep/plain.py")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["plain.py"],
        ["plain.py", "--", "-h"],
        ["--", "plain.py", "-m", "x"],
        ["deep/plain.py", "--backend", "x"],
        ["link.py"],
        ["-m", "plain", "--", "--help"],
        ["-m", "deep.package"],
    ],
    ids=" ".join,
)
def test_a_program_finds_itself_as_python_starts_it(programs, words):
    if words[0] == "--":
        words = words[1:]
    out, _, status = alike(programs, *words)
    assert status == 0 and out.startswith("__main__ ")


def alike_from_stdin(folder, text, *words):
    """As alike(), of a program on standard input."""
    env = {**os.environ, "RPIO_BACKEND": "sim:3B"}
    theirs, ours = (
        subprocess.run(
            [*program, "-", *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=30,
            env=env,
            cwd=folder,
            check=False,
        )
        for program in (PYTHON, RPIO_RUN)
    )
    assert (ours.stdout, ours.stderr, ours.returncode) == (theirs.stdout, theirs.stderr, theirs.returncode)
    return theirs.stdout


IN_ONE_WORD = """
import sys
import beside
me = sys.modules["__main__"]
print(__name__, sys.argv, repr(sys.path[0]), me.__dict__ is globals(), __spec__, __package__, __loader__, __doc__)
print(globals().get("__file__"), globals().get("__cached__", 1), beside.name, type(__builtins__).__name__)
"""
ENDS = [
    "def f():\n    1 / 0\nf()",
    "def f(:",
    "raise SystemExit(4)",
    "import sys; sys.exit('the end')",
    "def f(x: int): pass\nprint(f.__annotations__)",
    "class A: pass\nimport pickle; print(type(pickle.loads(pickle.dumps(A()))) is A)",
]


@pytest.mark.parametrize("text", [IN_ONE_WORD, *ENDS])
def test_code_as_an_argument_and_on_standard_input_runs_as_with_python(tmp_path, text):
    (tmp_path / "beside.py").write_text("name = 'beside'\n")
    alike(tmp_path, "-c", text, "-v", "--backend", "17", "--", "-")
    alike_from_stdin(tmp_path, text, "-v", "--backend", "17", "--", "-")


def test_code_as_an_argument_gets_rpio_by_the_name_of_rpi_gpio():
    code = "import RPi.GPIO as GPIO; GPIO.setmode(GPIO.BCM); print(GPIO.RPI_INFO['TYPE'])"
    assert python(None, "--backend", "sim:Zero", "-c", code, program=RPIO_RUN) == "Zero\n"
    assert "not allowed with argument" in python(None, "-m", "-c", code, program=RPIO_RUN, status=2)


@pytest.mark.parametrize(
    "words", [("-m", "pytest"), ("-c", "import pytest; raise SystemExit(pytest.main())")]
)
@pytest.mark.slow
def test_pytest_runs_with_warnings_as_errors(tmp_path, words, monkeypatch):
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nfilterwarnings = error\naddopts = -q {' '.join(PLAIN)}\n"
    )
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n    import RPi.GPIO as GPIO\n    assert GPIO.getmode() is None\n"
    )
    monkeypatch.chdir(tmp_path)
    assert "1 passed" in python(None, *words, program=RPIO_RUN)


def test_a_double_dash_before_the_program_is_the_runs_own(programs):
    out = python(None, "--", str(programs / "plain.py"), "--", "-h", program=RPIO_RUN)
    assert "plain.py', '--', '-h']" in out


@pytest.mark.slow
def test_a_folder_an_archive_and_a_compiled_file_can_be_run(programs):
    import py_compile
    import zipfile

    assert "__main__" in alike(programs, "deep")[0]
    with zipfile.ZipFile(programs / "all.zip", "w") as archive:
        archive.writestr("__main__.py", MAIN)
    assert "zipimporter" in alike(programs, "all.zip")[0]
    py_compile.compile(str(programs / "plain.py"), str(programs / "plain.pyc"))
    assert "SourcelessFileLoader" in alike(programs, "plain.pyc")[0]


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    1 / 0\ntry:\n    f()\nexcept ZeroDivisionError as e:\n    raise OSError('x') from e",
        "def f(:",
        "import nothing_of_that_name",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[1], a[2].tb_frame.f_code.co_filename)\n1 / 0",
        "import socket\na, b = socket.socketpair()\nb.close()\na.send(b'x')",
        "raise SystemExit('the end')",
        "import sys, atexit\natexit.register(lambda: print(repr(sys.last_value)))\n1 / 0",
        "x: int = 1\nprint(__annotations__ if __import__('sys').version_info < (3, 14) else 0)",
        "def f(x: int): pass\nprint(f.__annotations__)",
    ],
)
def test_what_ends_a_program_looks_as_with_python(tmp_path, text):
    (tmp_path / "end.py").write_text(text + "\n")
    alike(tmp_path, "end.py")


def test_the_traceback_of_a_module_begins_in_it(tmp_path):
    (tmp_path / "end.py").write_text("1 / 0\n")
    err = python(None, "-m", "end", program=RPIO_RUN, status=1, PYTHONPATH=str(tmp_path))
    lines = err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{tmp_path / "end.py"}", line 1, in <module>'


def test_a_module_that_is_not_there_is_said_in_one_line():
    err = python(None, "-m", "nothing_of_that_name", program=RPIO_RUN, status=1)
    assert err == "rpio run: No module named nothing_of_that_name\n"


@pytest.mark.parametrize("as_module", [False, True])
def test_main_stays_after_the_last_statement(tmp_path, as_module):
    (tmp_path / "late.py").write_text(
        textwrap.dedent("""
            import pickle, threading
            class A: pass
            def late():
                threading.main_thread().join()
                print(type(pickle.loads(pickle.dumps(A()))) is A)
            threading.Thread(target=late).start()
        """)
    )
    assert alike(tmp_path, *(["-m", "late"] if as_module else ["late.py"])) == ("True\n", "", 0)


POOL = """
import multiprocessing, sys
{top}

def version(x):
    import RPi.GPIO as GPIO
    return x, GPIO.VERSION, GPIO.getmode()

if __name__ == "__main__":
    {guarded}
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map_async(version, [1]).get(timeout=60))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize(
    ("program", "top", "guarded"),
    [
        (RPIO_RUN, "import RPi.GPIO", ""),
        (PYTHON, "import RPIO; RPIO.install_as_rpi_gpio(); import RPi.GPIO", ""),
        (PYTHON, "", "import RPIO; RPIO.install_as_rpi_gpio()"),
    ],
    ids=["run", "installed", "installed in main only"],
)
def test_the_processes_of_multiprocessing_have_it_too(script, method, program, top, guarded):
    path = script(POOL.format(top=top, guarded=guarded))
    assert python(None, path, method, program=program) == "[(1, '0.7.1', None)]\n"


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
