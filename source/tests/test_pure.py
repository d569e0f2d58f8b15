# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO without its C module, on a machine that lacks what macOS and Windows lack: see pure_world.

The package is copied without the extension, and children import that: it is absent as on such a machine.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import RPIO
from RPIO import _gpio
from support import EMULATED

TESTS = Path(__file__).parent
PACKAGE = Path(RPIO.__file__).parent
WHAT = "this RPIO has no C module"
BEGIN = "import pure_world\n"
pytestmark = pytest.mark.skipif(_gpio.PURE, reason="these have children without it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a package RPIO that has no extension."""
    made = tmp_path_factory.mktemp("pure")
    shutil.copytree(PACKAGE, made / "RPIO", ignore=shutil.ignore_patterns("_gpio.*.so", "__pycache__"))
    return made


@pytest.fixture
def environ(folder):
    """The environment of its programs."""
    return {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{TESTS}",
        "RPIO_BACKEND": "sim:4B",
    }


def run(environ, *words, status=0, limit_s=1000 if EMULATED else 200):
    """Run Python there with these arguments; return what it prints, on stderr too."""
    done = subprocess.run(
        [sys.executable, *words],
        env=environ,
        cwd=TESTS.parents[1],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == status, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def python(environ, text, status=0):
    """Run a program there."""
    return run(environ, "-W", "error", "-c", BEGIN + text, status=status)


def rpio(environ, *words, status=0):
    """Run a verb there."""
    begin = f"{BEGIN}import sys\nsys.argv[0] = 'rpio'\nfrom RPIO.cli import main\nsys.exit(main())"
    return run(environ, "-c", begin, *words, status=status)


@contextmanager
def beside(environ, text):
    """A program there that runs meanwhile; yields it when it has printed a line, and that."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", BEGIN + text],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child, child.stdout.readline().strip()
    finally:
        child.kill()
        child.communicate()


SERVED = """
import RPIO
RPIO.sim.drive(4, 1)
print(RPIO.serve_remote(port=0), flush=True)
RPIO.wait_for_interrupts()
"""


@pytest.fixture
def served(environ):
    """The environment of programs whose lines are those of a served board, which has no C module either."""
    with beside(environ, SERVED) as (_, port):
        yield {**environ, "RPIO_BACKEND": f"remote://127.0.0.1:{port}"}


# -- the suites -----------------------------------------------------------------------------------------------


@pytest.fixture
def every():
    """Some suites, and in `make test-every` all of what is left."""
    if os.environ.get("RPIO_LINES") != "all":
        pytest.skip("a suite of its own: make test-every, or RPIO_LINES=all, runs it")


def suite(environ, *words):
    plugins = ("-p", "pure_world", "-p", "no:cacheprovider", "-p", "no:xdist")
    environ = {**environ, "RPIO_PART": "0/1"}  # this test is in a part, and all of the suite in the test
    said = run(environ, "-m", "pytest", *plugins, "-q", "--no-header", *words)
    return int(said.split(" passed")[0].split()[-1])


@pytest.mark.usefixtures("every")
def test_the_contract_holds_on_the_backends_that_are_left(environ):
    assert suite(environ, str(TESTS / "contract" / "test_contract.py")) > 700


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize(
    ("name", "count"),
    [("test_sim", 50), ("test_interrupts", 60), ("test_session_edges", 20), ("test_waves", 60)],
)
def test_the_suites_of_what_is_left_hold(environ, name, count):
    assert suite(environ, str(TESTS / f"{name}.py")) > count


@pytest.mark.slow
def test_edges_of_the_simulated_board_do_as_with_it(environ):
    assert suite(environ, str(TESTS / "test_interrupts.py"), "-k", "not fork") > 30


@pytest.mark.usefixtures("every")
def test_tcp_callbacks_do_as_with_it(environ):
    needs_epoll = "not nests_in_two_others and not dead_host"
    assert suite(environ, str(TESTS / "test_tcp.py"), "-k", needs_epoll) > 40


@pytest.mark.usefixtures("every")
def test_edges_come_to_asyncio(environ):
    """In a thread's stead, and with a loop that has no add_reader(), as on Windows."""
    lacks = "not no_thread and not another_one and not without_readers"
    assert suite(environ, str(TESTS / "test_aio.py"), "-k", lacks) > 25


# -- programs -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_it_is_is_told(environ):
    assert "simulated Raspberry Pi 4" in python(environ, "import RPIO\nprint(RPIO.describe())")
    said = python(environ, "import RPIO, RPIO._gpio as g\nprint(g.PURE, g.__name__, RPIO.output.__module__)")
    assert said.split() == ["True", "RPIO.pure.gpio", "RPIO.pure.hot"]


def test_importing_it_loads_as_little_as_ever(environ):
    text = "import sys\nbefore = set(sys.modules)\nimport RPIO\nprint(*sorted(set(sys.modules) - before))"
    loaded = set(run(environ, "-c", text).split())
    assert not loaded & {"socket", "threading", "enum", "dataclasses", "typing", "logging", "selectors"}


@pytest.mark.parametrize(
    "module",
    [
        "RPIO.PWM",
        "RPIO.aio",
        "RPIO.sim",
        "RPIO.pytest_plugin",
        "RPIO.cli.pins",
        "RPIO.cli.screens.lines",
        "RPIO.recordings.capture",
        "RPIO.server.connections.front",
        "RPIO.backends.cdev",
        "RPIO.doctor.patient",
        "RPIO.loop.tcp",
        "RPIO.remote.sessions.connection",
    ],
)
@pytest.mark.slow
def test_every_part_can_be_imported(environ, module):
    python(environ, f"import RPIO, {module}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("RPIO.use('regs'); RPIO.setup(17, RPIO.OUT)", "registers"),
        ("RPIO.use('cdev'); RPIO.setup(17, RPIO.OUT)", "gpiochips"),
        ("RPIO.use('sysfs'); RPIO.setup(17, RPIO.OUT)", "sysfs"),
        ("from RPIO._gpio import Dma; Dma('', 0, '', '')", "PWM by DMA"),
        ("from RPIO._gpio import SoftPwm; SoftPwm()", "pulses"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(environ, text, what):
    said = python(environ, "import RPIO\n" + text, status=1)
    (line,) = [line for line in said.splitlines() if line.startswith("RPIO.errors.NoBackendError")]
    assert WHAT in line
    assert what in line
    assert "pip install" in line


def test_auto_is_the_simulation_only_where_there_is_no_line(environ, tmp_path):
    text = """
import RPIO
from RPIO.backends import cdev_chips, opening
print(opening.choose(None) if not cdev_chips.chip_paths() else "sim")
cdev_chips.chip_paths = lambda: ["/dev/gpiochip0"]
try:
    opening.choose(None)
except RPIO.NoBackendError as e:
    print(e)
"""
    first, second = python(environ, text).splitlines()
    assert first == "sim"
    assert WHAT in second


def test_event_detection_and_threaded_callbacks(environ):
    text = """
import threading
import RPIO as GPIO
GPIO.setup(17, GPIO.IN, GPIO.PUD_UP)
heard = threading.Semaphore(0)
GPIO.add_event_detect(17, GPIO.FALLING, lambda channel: heard.release())
for _ in range(20):
    GPIO.sim.drive(17, 0)
    assert heard.acquire(timeout=30)
    GPIO.sim.drive(17, 1)
GPIO.remove_event_detect(17)
GPIO.cleanup()
print("done")
"""
    assert python(environ, text) == "done\n"


def test_wait_for_edge_waits_no_longer_than_it_was_told(environ):
    text = """
import RPIO
RPIO.setup(17, RPIO.IN)
print(RPIO.wait_for_edge(17, RPIO.RISING, timeout=30))
"""
    assert python(environ, text) == "None\n"


def test_ctrl_c_ends_the_wait(environ):
    text = """
import RPIO
RPIO.add_interrupt_callback(17, print)
RPIO.add_tcp_callback(0, print)
try:
    print("ready", flush=True)
    RPIO.wait_for_interrupts()
except KeyboardInterrupt:
    RPIO.cleanup()
    print("over", flush=True)
"""
    with beside(environ, text) as (child, said):
        assert said == "ready"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "over\n"
        assert child.wait(60) == 0


def test_pwm_of_the_simulated_board(environ):
    text = """
import RPIO
from RPIO import PWM
RPIO.setup(18, RPIO.OUT)
pwm = RPIO.PWM(18, 200)
pwm.start(50)
seen = set()
while seen != {0, 1}:
    seen.add(RPIO.input(18))
pwm.stop()
print("done")
"""
    assert python(environ, text) == "done\n"


# -- lines of another process -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_program_drives_a_board_over_the_network(served):
    text = """
import threading
import RPIO
board = RPIO.facade.board
RPIO.setup(17, RPIO.OUT)
RPIO.output(17, 1)
assert RPIO.input(17) == 1
RPIO.setup(4, RPIO.IN)
assert RPIO.input(4) == 1
got = []
def on(gpio, value):
    got.append((gpio, value))
    if len(got) == 4:
        RPIO.stop_waiting_for_interrupts()
RPIO.add_interrupt_callback(27, on, pull_up_down=RPIO.PUD_DOWN)
for pull in (RPIO.PUD_UP, RPIO.PUD_DOWN) * 2:
    board.backend.set_pull(27, pull)
RPIO.wait_for_interrupts()
print(got)
"""
    assert python(served, text) == "[(27, 1), (27, 0), (27, 1), (27, 0)]\n"


@pytest.mark.slow
def test_a_board_that_goes_is_told(environ):
    text = """
import os, sys
import RPIO
def say(word):  # in one piece: two threads do
    os.write(1, f"{word}\\n".encode())
board = RPIO.connect(os.environ["PLACE"], patience_s=0.1, timeout_s=0.5, on_change=say)
board.setup(17, RPIO.OUT)
say("ready")
sys.stdin.readline()
try:
    while True:
        board.output(17, 1)
except RPIO.ConnectionLost:
    say("lost")
"""
    with (
        beside(environ, SERVED) as (server, port),
        beside({**environ, "PLACE": f"127.0.0.1:{port}"}, text) as (child, said),
    ):
        assert said == "ready"
        server.kill()
        server.wait()
        child.stdin.write("\n")
        child.stdin.flush()
        lines = [child.stdout.readline().strip() for _ in range(3)]
        assert lines[0] == "away"
        assert set(lines[1:]) == {"gone", "lost"}


# -- the command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["sim", "remote"])
@pytest.mark.slow
def test_the_verbs_read_and_write(environ, request, where):
    there = environ if where == "sim" else request.getfixturevalue("served")
    rpio(there, "write", "17=1", "--output")
    assert rpio(there, "read", "4").split()[-1] in ("0", "1")
    if where == "remote":
        assert rpio(there, "read", "4", "--json").count("1")
    found = json.loads(rpio(there, "info", "--json"))
    assert found["core"].startswith("Python alone")
    assert found["backend"] == where
    assert "Python alone" in rpio(there, "info")


def test_watch_ends_after_its_time(environ):
    assert rpio(environ, "watch", "17", "--for", "0.2s") == ""


@pytest.mark.slow
def test_the_doctor_names_it(environ):
    found = json.loads(rpio(environ, "doctor", "--json"))
    assert WHAT in json.dumps(found)
    assert "--no-binary RPIO CHECKOUT" in json.dumps(found)


# -- which module it is -----------------------------------------------------------------------------------------


def test_rpio_pure_takes_python_where_the_c_module_is():
    text = "import RPIO, RPIO.facade\nprint(RPIO._gpio.PURE, RPIO.output.__module__)"
    for value, said in (("1", "True RPIO.pure.hot"), ("0", "False RPIO._gpio"), ("", "False RPIO._gpio")):
        assert run({**os.environ, "RPIO_PURE": value}, "-c", text).strip() == said


@pytest.mark.slow
def test_another_pythons_c_module_is_not_replaced_silently(folder, environ, tmp_path):
    shutil.copytree(folder / "RPIO", tmp_path / "RPIO")
    (tmp_path / "RPIO" / "_gpio.cpython-399-x86_64-linux-gnu.so").write_bytes(b"")
    there = {**environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"}
    said = python(there, "import RPIO", status=1)
    assert "ImportError: RPIO's C module in" in said
    assert "_gpio.cpython-399-x86_64-linux-gnu.so" in said
    python({**there, "RPIO_PURE": "1"}, "import RPIO")


@pytest.mark.slow
def test_a_c_module_that_does_not_load_is_not_replaced_silently(folder, environ, tmp_path):
    from importlib.machinery import EXTENSION_SUFFIXES

    shutil.copytree(folder / "RPIO", tmp_path / "RPIO")
    (tmp_path / "RPIO" / f"_gpio{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    there = {**environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"}
    assert "ImportError: " in python(there, "import RPIO", status=1)
    python({**there, "RPIO_PURE": "1"}, "import RPIO")
