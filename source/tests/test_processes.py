# SPDX-License-Identifier: LGPL-3.0-or-later
"""Whole programs in processes of their own: the documentation's, Ctrl+C, exit, fork, import, logging."""

import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from ports import free_port
from RPIO import Board, errors
from RPIO.constants import OUT
from RPIO.processes import hooks
from RPIO.remote.places.places import Place
from waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[2]


def environment(**more):
    return {**os.environ, "RPIO_BACKEND": "sim:4B", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"} | more


def run(code, **env):
    """Run a program to its end; returns what it printed. Anything on stderr is an error."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(**env),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextlib.contextmanager
def running(*command, **env):
    """A program that runs; its output grows in ``program.lines``."""
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(**env), bufsize=0
    )
    os.set_blocking(program.stdout.fileno(), False)
    program.text = ""

    def says(pattern):
        def look():
            program.text += (program.stdout.read() or b"").decode()
            return re.search(pattern, program.text) is not None

        return wait_until(look)

    program.says = says
    try:
        yield program
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.settimeout(5)
        s.sendall(text)
        return s.recv(1000)


@pytest.fixture
def demo(tmp_path):
    """The example program with free ports in place of 8080 and 8081."""
    echo, world = free_port(), free_port()
    for name in ("demo.py", "interrupts.py"):
        text = (ROOT / "examples" / name).read_text()
        (tmp_path / name).write_text(text.replace("8080", str(echo)).replace("8081", str(world)))
    return tmp_path / "demo.py", echo, world


def test_the_example_program_echoes_and_reports_edges(demo):
    path, echo, world = demo
    with running(sys.executable, str(path)) as program:
        assert program.says("telnet localhost")
        assert wait_until(lambda: port_is_open(echo))
        assert ask(echo, b"hello\r\n") == b"echo: hello\n"
        assert program.says(r"socket \d+: 'hello'")
        for level in (1, 0, 1):
            assert ask(world, b"7 %d\r\n" % level) == b"GPIO 7 is %d\n" % level
            assert program.says(f"gpio 7: {level}")
        assert ask(world, b"9 0\r\n9 off") == b"GPIO 9 is 0\nGPIO 9 is 1\n"
        assert program.says("gpio 9: 0\ngpio 9: 1")
        assert b"no line 900" in ask(world, b"900 1")
        assert b"for example: 7 1" in ask(world, b"what?")


def port_is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_ctrl_c_ends_the_example_and_leaves_its_ports_free(demo):
    path, echo, world = demo
    # Ctrl+C may fall into the moment between accept(2) and the callback; the socket is closed all the same, by its
    # finalizer, which warns.
    warn = "error,ignore::ResourceWarning"
    with running(sys.executable, str(path), PYTHONWARNINGS=warn) as program:
        assert wait_until(lambda: port_is_open(echo))
        with socket.create_connection(("127.0.0.1", echo), 5):
            program.send_signal(signal.SIGINT)
            assert program.wait(5) == 0
        assert program.says("bye")
        assert "Traceback" not in program.text
    assert not port_is_open(echo)
    assert not port_is_open(world)


def test_a_program_that_does_not_catch_ctrl_c_ends_as_python_programs_do():
    code = "import RPIO; RPIO.add_interrupt_callback(7, print); print('ready'); RPIO.wait_for_interrupts()"
    with running(sys.executable, "-c", code) as program:
        assert program.says("ready")
        program.send_signal(signal.SIGINT)
        assert program.wait(5) == -signal.SIGINT
        assert program.says("KeyboardInterrupt")


def test_after_ctrl_c_nothing_of_the_program_is_left_in_it():
    """Threads, sockets and lines go with cleanup(), also when the loop was interrupted."""
    out = run(
        """
        import os, signal, threading, RPIO
        before = set(os.listdir("/proc/self/fd"))
        RPIO.add_interrupt_callback(7, lambda *a: os.kill(os.getpid(), signal.SIGINT), threaded_callback=True)
        RPIO.add_tcp_callback(0, print, host="127.0.0.1")
        RPIO.sim.drive(7, 0)
        try:
            RPIO.wait_for_interrupts()
        except KeyboardInterrupt:
            RPIO.cleanup()
        from RPIO.facade import board
        assert not board.watched and not board.waiting.has_ports and not board.book.directions
        board.close()
        assert set(os.listdir("/proc/self/fd")) == before, (os.listdir("/proc/self/fd"), before)
        print([t.name for t in threading.enumerate() if t.name != "MainThread"])
        """
    )
    assert out == "[]\n"


def test_a_threaded_loop_ends_with_the_program():
    out = run(
        """
        import RPIO
        RPIO.add_interrupt_callback(7, lambda *a: print("edge", a), threaded_callback=True)
        RPIO.add_tcp_callback(0, print, threaded_callback=True, host="127.0.0.1")
        RPIO.wait_for_interrupts(threaded=True)
        RPIO.sim.drive(7, 0)
        import time; time.sleep(0.1)
        print("end of program")
        """
    )
    assert out == "edge (7, 0)\nend of program\n"


def test_stop_from_a_callback_and_then_again():
    out = run(
        """
        import RPIO
        def once(gpio_id, value):
            print(gpio_id, value)
            RPIO.stop_waiting_for_interrupts()
        RPIO.add_interrupt_callback(7, once)
        for level in (0, 1):
            RPIO.sim.drive(7, level)
            RPIO.wait_for_interrupts()
        """
    )
    assert out == "7 0\n7 1\n"


# -- sys.exit() in a callback -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "RPIO.add_event_detect(7, RPIO.FALLING, lambda channel: sys.exit(3))\nRPIO.sim.drive(7, 0)\ntime.sleep(20)",
        "RPIO.add_interrupt_callback(7, lambda *a: sys.exit(3), pull_up_down=None, threaded_callback=True)\n"
        "RPIO.sim.drive(7, 0)\nRPIO.wait_for_interrupts()",
        "RPIO.add_interrupt_callback(7, lambda *a: sys.exit(3), pull_up_down=None)\n"
        "RPIO.wait_for_interrupts(threaded=True)\nRPIO.sim.drive(7, 0)\ntime.sleep(20)",
        "RPIO.add_interrupt_callback(7, lambda *a: sys.exit(3), pull_up_down=None)\n"
        "RPIO.sim.drive(7, 0)\nRPIO.wait_for_interrupts()",
    ],
    ids=["detection", "threaded callback", "threaded loop", "main thread"],
)
def test_sys_exit_in_a_callback_ends_the_program_with_its_status(program):
    head = (
        "import atexit, sys, time, RPIO\natexit.register(print, 'bye')\nRPIO.setup(7, RPIO.IN, RPIO.PUD_UP)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(RPIO_BACKEND="sim"),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "bye\n", "")


@pytest.mark.parametrize(("code", "status", "err"), [("", 0, ""), ("'why'", 1, "why\n"), ("256 + 7", 7, "")])
def test_the_status_is_what_python_makes_of_it(code, status, err):
    program = (
        f"import sys, time, RPIO\nRPIO.setup(7, RPIO.IN)\n"
        f"RPIO.add_event_detect(7, RPIO.BOTH, lambda channel: sys.exit({code}))\nRPIO.sim.drive(7, 0)\n"
        "RPIO.sim.drive(7, 1)\ntime.sleep(20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(RPIO_BACKEND="sim"),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", err)


# -- fork ---------------------------------------------------------------------------------------------------


def test_the_child_of_a_fork_keeps_levels_and_drops_the_rest():
    out = run(
        """
        import os, RPIO
        RPIO.setup(17, RPIO.OUT, initial=1)
        RPIO.add_interrupt_callback(7, lambda *a: print("parent", a, flush=True))
        RPIO.add_tcp_callback(0, print, host="127.0.0.1")
        from RPIO.facade import board
        pid = os.fork()
        if pid == 0:
            assert not board.watched and not board.waiting.has_ports and board.waiting.made is None
            sockets = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                       if os.path.exists(f"/proc/self/fd/{fd}")]
            assert not [s for s in sockets if s.startswith("socket") or "eventpoll" in s], sockets
            assert RPIO.input(17) == 1
            RPIO.output(17, 0)
            RPIO.setwarnings(False)
            RPIO.cleanup()                      # nothing here was set up by the child
            assert RPIO.gpio_function(17) == RPIO.OUT
            RPIO.add_interrupt_callback(7, lambda *a: (print("child", a, flush=True),
                                                       RPIO.stop_waiting_for_interrupts()))
            RPIO.sim.drive(7, 0)                # the child has a simulated world of its own
            RPIO.wait_for_interrupts()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert RPIO.input(17) == 1
        RPIO.add_interrupt_callback(7, lambda *a: RPIO.stop_waiting_for_interrupts())
        RPIO.sim.drive(7, 0)
        RPIO.wait_for_interrupts()
        print("lost", RPIO.events_lost())
        """
    )
    assert out == "child (7, 0)\nparent (7, 0)\nlost 0\n"


def test_a_fork_while_another_thread_has_the_boards_lock():
    """The child's first call would wait for a thread that it has not."""
    out = run(
        """
        import os, signal, threading, warnings
        import RPIO
        from RPIO.facade import board
        warnings.simplefilter("ignore", DeprecationWarning)   # fork with threads, from Python 3.12
        RPIO.setup(17, RPIO.OUT)
        has_it, is_done = threading.Event(), threading.Event()

        def hold():
            with board.lock:
                has_it.set()
                is_done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        has_it.wait()
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)                    # kills it where it waits
            RPIO.setup(18, RPIO.OUT, initial=1)
            assert RPIO.input(18) == 1
            os._exit(0)
        print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        is_done.set()
        thread.join()
        """
    )
    assert out == "child 0\n"


def test_a_fork_while_the_loop_runs_in_a_thread():
    out = run(
        """
        import os, warnings, RPIO, time
        warnings.simplefilter("ignore", DeprecationWarning)   # fork with threads, from Python 3.12
        got = []
        RPIO.add_interrupt_callback(7, lambda *a: got.append(a))
        RPIO.wait_for_interrupts(threaded=True)
        pid = os.fork()
        if pid == 0:
            RPIO.wait_for_interrupts(threaded=True)
            RPIO.stop_waiting_for_interrupts()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        RPIO.sim.drive(7, 0)
        end = time.monotonic() + 60
        while not got and time.monotonic() < end: time.sleep(0.01)
        print(got)
        """
    )
    assert out == "[(7, 0)]\n"


def test_a_callback_that_forks_is_the_last_of_its_edge_in_the_child():
    out = run(
        """
        import os, RPIO
        def fork(gpio_id, value):
            pid = os.fork()
            if pid == 0:
                return
            os.waitpid(pid, 0)
        parent = os.getpid()
        def second(gpio_id, value):
            print("second", "parent" if os.getpid() == parent else "child", flush=True)
            RPIO.stop_waiting_for_interrupts()
        RPIO.add_interrupt_callback(7, fork)
        RPIO.add_interrupt_callback(7, second)
        RPIO.sim.drive(7, 0)
        from RPIO.facade import board
        board.dispatcher.step(1)
        os._exit(0)
        """
    )
    assert out == "second parent\n"


# -- import -------------------------------------------------------------------------------------------------


def test_import_opens_nothing_starts_nothing_and_is_light():
    out = run(
        """
        import os, sys, threading
        fds, threads = os.listdir("/proc/self/fd"), threading.active_count()
        del sys.modules["threading"]
        before = set(sys.modules)
        import RPIO
        _ = RPIO.facade  # the first use loads the rest, which is light too
        new = set(sys.modules) - before
        heavy = {"enum", "re", "dataclasses", "typing", "threading", "socket", "logging", "collections", "asyncio"}
        print(sorted(new & heavy))
        light = {"__future__", "_operator", "atexit"}  # what an interpreter has loaded before depends on its version
        print(sorted(m for m in new - light if m.split(".")[0] != "RPIO"))
        assert os.listdir("/proc/self/fd") == fds
        assert RPIO.facade.board.machine.opened is None and RPIO.facade.board.machine.opened_hardware is None
        """,
        RPIO_BACKEND="cdev:/dev/no-such-chip",
    )
    assert out == "[]\n[]\n"


def test_import_makes_no_system_call_on_devices():
    if shutil.which("strace") is None:
        pytest.skip("needs strace: sudo apt install strace")
    calls = "trace=openat,open,socket,epoll_create1,clone,clone3"
    trace = subprocess.run(
        ["strace", "-f", "-e", calls, sys.executable, "-c", "import RPIO"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(),
        check=True,
    )
    assert "RPIO/__init__" in trace.stderr or "RPIO/__pycache__/__init__" in trace.stderr
    assert not re.search(
        r'"/dev/(gpio|mem)|"/sys/|"/proc/(cpuinfo|device-tree)|socket\(|epoll|clone', trace.stderr
    )


# -- logging, help ------------------------------------------------------------------------------------------


def test_debug_logging_shows_what_the_loop_does():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import logging
                log_format = '%(levelname)s | %(asctime)-15s | %(message)s'
                logging.basicConfig(format=log_format, level=logging.DEBUG)
                import RPIO
                RPIO.add_interrupt_callback(7, lambda *a: RPIO.stop_waiting_for_interrupts(), debounce_timeout_ms=100)
                RPIO.add_tcp_callback(0, print, host="127.0.0.1")
                RPIO.sim.drive(7, 0)
                RPIO.wait_for_interrupts()
                RPIO.cleanup()
                """
            ),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(),
        check=True,
    )
    for line in (
        "Adding callback for GPIO 7",
        "Socket server started at port",
        "removing interrupts on gpio 7",
        "Cleaning up",
    ):
        assert re.search(r"^DEBUG \| [-0-9:, ]+ \| .*" + line, done.stderr, re.MULTILINE), line


def test_help_is_worth_reading():
    out = run("import RPIO; help(RPIO)")
    for word in ("add_interrupt_callback(", "wait_for_interrupts(", "threaded_callback", "PUD_UP", "Raises:"):
        assert word in out, word
    import pydoc

    text = pydoc.render_doc("RPIO", renderer=pydoc.plaintext)
    assert "GPIO for every Raspberry Pi" in text


def test_star_import_gives_the_documented_names():
    out = run("from RPIO import *; print(setup, BCM, RPI_REVISION, MODEL_DATA['e'])")
    assert "3 ('B', '2.0', 512, 'Sony')" in out


# -- what programs do at their end --------------------------------------------------------------------------


def ends(code, want, status=0, **env):
    """Run a program on the simulated board: it ends, with that output and nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(RPIO_BACKEND="sim", **env),
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (want, "", status)


@pytest.mark.parametrize("when", ["before", "after"])
def test_cleanup_registered_with_atexit_works_before_and_after_setup(when):
    register = "atexit.register(end)"
    ends(
        f"""
        import atexit
        import RPIO as GPIO
        def end():
            GPIO.output(18, 0)
            GPIO.cleanup()
            print(GPIO.gpio_function(18) == GPIO.IN, GPIO.sim.level(18))
        {register if when == "before" else ""}
        GPIO.setup(18, GPIO.OUT, initial=1)
        {register if when == "after" else ""}
        """,
        "True 0\n",
    )


def test_an_object_switches_its_output_off_when_the_interpreter_lets_go_of_it():
    ends(
        """
        import RPIO as GPIO
        class Motor:
            def __init__(self):
                GPIO.setup(18, GPIO.OUT, initial=1)
            def __del__(self, output=GPIO.output, input=GPIO.input):
                output(18, 0)
                print("off", input(18))
        motor = Motor()
        """,
        "off 0\n",
    )


@pytest.mark.slow
def test_daemon_threads_that_wait_or_blink_end_silently():
    ends(
        """
        import threading, time
        import RPIO as GPIO
        GPIO.setup(17, GPIO.IN)
        GPIO.setup(18, GPIO.OUT)
        def blink():
            while True:
                GPIO.output(18, not GPIO.input(18))
        threading.Thread(target=GPIO.wait_for_edge, args=(17, GPIO.RISING), daemon=True).start()
        threading.Thread(target=blink, daemon=True).start()
        time.sleep(0.2)
        print("end")
        """,
        "end\n",
    )


def test_a_callback_that_sleeps_does_not_keep_the_program():
    ends(
        """
        import time
        import RPIO as GPIO
        GPIO.setup(17, GPIO.IN)
        GPIO.add_event_detect(17, GPIO.RISING, lambda channel: time.sleep(3600))
        GPIO.sim.drive(17, 1)
        time.sleep(0.1)
        print("end")
        """,
        "end\n",
    )


def test_pwm_ends_low_with_the_program():
    ends(
        """
        import atexit
        import RPIO as GPIO
        # Older than the board's own, which comes with the first name that is asked for: it runs after it.
        atexit.register(lambda: print(GPIO.sim.level(18)))
        GPIO.setup(18, GPIO.OUT)
        lamp = GPIO.PWM(18, 100)
        lamp.start(100)
        """,
        "0\n",
    )


# -- SIGKILL ------------------------------------------------------------------------------------------------

ON_A_FILE = """
import os, signal, sys, warnings, RPIO
from RPIO import _gpio
from RPIO.backends.regs import RegsBackend
from RPIO.machine.boards import by_name
backend = RegsBackend(_gpio.Registers("brcm,bcm2835-gpio", sys.argv[1]), "bcm2835", sys.argv[1])
RPIO.facade.board.use(backend, by_name("3B+"))
"""


def test_registers_stay_as_they_were_after_a_kill_and_the_next_start_works(tmp_path):
    """FSEL says so: memory has no LEV that follows SET."""
    registers = tmp_path / "registers"
    registers.write_bytes(bytes(0x1000))

    def start(code, status):
        done = subprocess.run(
            [sys.executable, "-c", ON_A_FILE + code, registers],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    start(
        "RPIO.setup(17, RPIO.OUT, initial=1)\nRPIO.PWM(17, 100).start(50)\nos.kill(os.getpid(), signal.SIGKILL)",
        -9,
    )
    out = start(
        """
print(RPIO.gpio_function(17) == RPIO.OUT)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    RPIO.setup(17, RPIO.OUT)
print(str(caught[0].message).split(",")[0])
RPIO.output(17, 0)
RPIO.cleanup()
print(RPIO.gpio_function(17) == RPIO.IN)
""",
        0,
    )
    assert out == "True\nThis channel is already in use\nTrue\n"


FORKING = """
    import os, threading, time, RPIO
    from RPIO.processes import hooks
    RPIO.setup(17, RPIO.OUT)
    makes, may_end = threading.Event(), threading.Event()

    def make():
        with hooks.making:
            makes.set()
            may_end.wait()

    maker = threading.Thread(target=make, daemon=True)
    maker.start()
    makes.wait()

    def fork():
        pid = os.fork()
        if pid == 0:
            with hooks.making:
                RPIO.add_tcp_callback(0, print)
            RPIO.cleanup()
            os._exit(0)
        print("forked", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_a_fork_waits_for_who_is_making_a_descriptor():
    assert (
        run(
            FORKING
            + """
    forker = threading.Thread(target=fork)
    forker.start()
    forker.join(0.2)
    assert forker.is_alive()
    may_end.set()
    forker.join()
    fork()
    """,
            PYTHONWARNINGS="ignore",
        )
        == "forked 0\n" * 2
    )


def test_a_fork_waits_not_for_ever_and_leaves_the_lock_to_who_has_it():
    assert (
        run(
            FORKING
            + """
    fork()
    assert not hooks.making.acquire(blocking=False)
    may_end.set()
    maker.join()
    with hooks.making:
        fork()
    threading.Thread(target=fork).start()
    """,
            PYTHONWARNINGS="ignore",
        )
        == "forked 0\n" * 3
    )


# -- what waits for another process, or for another thread of this one ------------------------------------------


def test_a_board_that_this_process_serves_is_there_by_its_word_as_by_connect(tmp_path):
    code = f"""
        import RPIO
        path = {str(tmp_path / "pins")!r}
        ports = RPIO.serve_remote(port=0), RPIO.serve_remote(path=path)
        RPIO.wait_for_interrupts(threaded=True)
        for word in (f"remote://localhost:{{ports[0]}}", f"remote+unix://{{path}}"):
            with RPIO.Board(word) as there:
                there.setup(17, RPIO.OUT, initial=1)
                print(there.input(17), there.gpio_function(17) == RPIO.OUT)
        RPIO.stop_waiting_for_interrupts()
    """
    assert run(code) == "1 True\n" * 2


def test_who_waits_for_a_connection_holds_up_nobody_who_makes_descriptors(monkeypatch):
    asked, may_end = threading.Event(), threading.Event()

    def look_up(*args, **more):
        asked.set()
        may_end.wait(LIMIT_S)
        raise OSError(errno.EHOSTUNREACH, "no such host")

    def connect():
        with pytest.raises(errors.NoBackendError, match="no such host"):
            Board("remote+insecure://somewhere.invalid").setup(17, OUT)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    thread = threading.Thread(target=connect)
    thread.start()
    try:
        assert asked.wait(LIMIT_S)
        assert hooks.making.acquire(blocking=False)
        hooks.making.release()
    finally:
        may_end.set()
        thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork while there are threads
def test_a_connection_that_is_being_made_is_not_the_childs_of_a_fork():
    """Who serves sees its end when the parent closes it, and needs not wait for the child."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Place(f"127.0.0.1:{listener.getsockname()[1]}").connect(LIMIT_S)
        served, _ = listener.accept()
        served.settimeout(LIMIT_S)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if made.fileno() < 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        made.sendall(b"still there")
        assert served.recv(20) == b"still there"
        made.close()
        served.close()
