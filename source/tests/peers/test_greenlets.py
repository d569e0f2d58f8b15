# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs whose first line puts gevent's or eventlet's greenlets in the place of threads, web servers among them."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pytest

from ports import free_port

from . import peers

LIBRARIES = {"gevent": "gevent==26.9.0", "eventlet": "eventlet==0.41.3"}
SERVER = ("Flask-SocketIO==5.7.0", "simple-websocket==1.1.0")
CLIENT = ("requests==2.34.2", "websocket-client==1.9.2")
TIME_LIMIT_S = 60

FIRST_LINES = {
    "gevent": "from gevent import monkey; monkey.patch_all(); from gevent import sleep, spawn",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch(); "
    "from eventlet import sleep, spawn",  # it warns of itself, and of fork
}
PROGRAM = """
import os, signal, socket, sys, threading, time
import RPIO

def until(done, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        sleep(0.001)
    assert done()

calls, turns = [], []

def go_on():
    while True:
        turns.append(1)
        sleep(0.001)

spawn(go_on)
RPIO.setup([23, 24], RPIO.IN, RPIO.PUD_UP)
"""


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request):
    return request.param


@pytest.fixture(scope="module")
def run(fetch, library):
    """Run a program to its end under that library; returns what it printed."""
    where = fetch(peers.with_needs, LIBRARIES[library])

    def run(code, status=0, errors=""):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_LINES[library] + PROGRAM + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            env=environment(where),
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert errors in done.stderr if errors else not done.stderr, done.stderr
        return done.stdout.split()

    return run


def environment(*folders):
    return {**os.environ, "RPIO_BACKEND": "sim", "PYTHONPATH": os.pathsep.join(map(str, folders))}


def test_a_callback_is_a_greenlet_that_may_sleep(run):
    code = """
        def pressed(channel):
            before = len(turns)
            until(lambda: len(turns) > before + 2)
            calls.append(channel)

        RPIO.add_event_detect(24, RPIO.FALLING, pressed)
        RPIO.sim.drive(24, 0)
        until(lambda: calls)
        print(calls)
    """
    assert run(code) == ["[24]"]


def test_callbacks_run_one_after_the_other_in_the_order_of_the_edges(run):
    code = """
        def changed(gpio_id, value):
            calls.append((gpio_id, value))
            sleep(0.002 if value else 0)
            calls.append("done")

        RPIO.add_interrupt_callback(23, changed, pull_up_down=RPIO.PUD_UP)
        RPIO.wait_for_interrupts(threaded=True)
        for level in (0, 1, 0, 1):
            RPIO.sim.drive(23, level)
        until(lambda: len(calls) == 8)
        print(calls == [(23, 0), "done", (23, 1), "done"] * 2)
    """
    assert run(code) == ["True"]


def test_a_wait_for_an_edge_ends_in_time_and_lets_the_others_run(run):
    code = """
        print(RPIO.wait_for_edge(24, RPIO.FALLING, timeout=30), len(turns) > 3)
        spawn(lambda: (sleep(0.01), RPIO.sim.drive(24, 0)))
        print(RPIO.wait_for_edge(24, RPIO.FALLING, timeout=20000))
    """
    assert run(code) == ["None", "True", "24"]


def test_a_callback_may_wait_for_an_edge(run):
    code = """
        def pressed(channel):
            calls.append("waits")
            calls.append(RPIO.wait_for_edge(23, RPIO.FALLING, timeout=20000))

        RPIO.add_event_detect(24, RPIO.FALLING, pressed)
        RPIO.sim.drive(24, 0)
        until(lambda: calls)
        RPIO.sim.drive(23, 0)
        until(lambda: len(calls) == 2)
        print(calls[1])
    """
    assert run(code) == ["23"]


def test_the_loop_in_the_main_greenlet_lets_the_others_run_until_it_is_stopped(run):
    code = """
        def stop(*_):
            before = len(turns)
            until(lambda: len(turns) > before + 2)
            RPIO.stop_waiting_for_interrupts()

        RPIO.add_interrupt_callback(24, stop, "falling", RPIO.PUD_UP)
        spawn(lambda: (sleep(0.01), RPIO.sim.drive(24, 0)))
        RPIO.wait_for_interrupts()
        print("stopped")
        signal.signal(signal.SIGTERM, lambda *_: RPIO.stop_waiting_for_interrupts())
        spawn(lambda: (sleep(0.01), os.kill(os.getpid(), signal.SIGTERM)))
        RPIO.wait_for_interrupts()
        print("signalled")
        RPIO.wait_for_interrupts(threaded=True)
    """
    assert run(code) == ["stopped", "signalled"]


def test_ctrl_c_ends_what_the_main_greenlet_waits_for(run, library):
    code = """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        RPIO.add_interrupt_callback(23, print, pull_up_down=RPIO.PUD_UP)
        for wait in (RPIO.wait_for_interrupts, lambda: RPIO.wait_for_edge(24, RPIO.FALLING)):
            spawn(lambda: (sleep(0.02), os.kill(os.getpid(), signal.SIGINT)))
            try:
                wait()
            except KeyboardInterrupt:
                print("interrupted")
        RPIO.wait_for_interrupts(threaded=True)
    """
    # gevent tells of the greenlet that was running when it came
    assert run(code, errors="KeyboardInterrupt" if library == "gevent" else "") == ["interrupted"] * 2


@pytest.mark.parametrize("threaded", ["False", "True"])
def test_a_callback_may_end_the_program(run, threaded):
    code = f"""
        import atexit
        atexit.register(print, "exit")
        RPIO.add_interrupt_callback(24, lambda *_: sys.exit(3), "falling", RPIO.PUD_UP, {threaded})
        spawn(lambda: (sleep(0.01), RPIO.sim.drive(24, 0)))
        RPIO.wait_for_interrupts()
    """
    assert run(code, status=3) == ["exit"]


def test_a_callback_that_raises_is_told_and_the_next_one_runs(run):
    code = """
        RPIO.add_event_detect(24, RPIO.FALLING, lambda channel: 1 / 0)
        RPIO.add_event_callback(24, calls.append)
        RPIO.sim.drive(24, 0)
        until(lambda: calls)
        print(calls)
    """
    assert run(code, errors="ZeroDivisionError: division by zero") == ["[24]"]


def test_tcp_messages_come_with_a_thread_of_their_own_and_without(run):
    code = """
        def answer(client, message):
            before = len(turns)
            until(lambda: len(turns) > before + 2)
            client.send(message.upper())

        ports = [RPIO.add_tcp_callback(0, answer, threaded, "127.0.0.1") for threaded in (False, True)]
        RPIO.wait_for_interrupts(threaded=True)
        for port in ports:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"hello")
                print(client.recv(9).decode())
        RPIO.cleanup_interrupts()
    """
    assert run(code) == ["HELLO", "HELLO"]


def test_a_threaded_callback_keeps_its_order_and_nobody_waits_for_it(run):
    code = """
        def slow(gpio_id, value):
            sleep(0.005)
            calls.append(value)

        RPIO.add_interrupt_callback(23, slow, pull_up_down=RPIO.PUD_UP, threaded_callback=True)
        RPIO.add_interrupt_callback(23, lambda *_: calls.append("quick"), pull_up_down=RPIO.PUD_UP)
        RPIO.wait_for_interrupts(threaded=True)
        for level in (0, 1, 0, 1):
            RPIO.sim.drive(23, level)
        until(lambda: len(calls) == 8)
        print(calls[0], [call for call in calls if call != "quick"] == [0, 1, 0, 1])
    """
    assert run(code) == ["quick", "True"]


def test_edges_are_seen_while_the_greenlets_are_busy(run):
    code = """
        RPIO.add_event_detect(24, RPIO.FALLING)
        RPIO.sim.drive(24, 0)
        end = time.monotonic() + 20
        while not RPIO.event_detected(24) and time.monotonic() < end:
            pass
        print(time.monotonic() < end)
    """
    assert run(code) == ["True"]


def test_a_program_may_wait_for_a_callback_alone_and_cleanup_leaves_nothing_to_wait_for(run, library):
    code = """
        pressed = threading.Event()
        RPIO.add_event_detect(24, RPIO.FALLING, lambda channel: pressed.set())
        RPIO.add_event_detect(23, RPIO.FALLING, lambda channel: sleep(3600))
        RPIO.sim.drive(24, 0)
        print(pressed.wait(20))
        RPIO.cleanup(24)
        RPIO.sim.drive(23, 0)
        before = len(turns)
        until(lambda: len(turns) > before + 2)
        RPIO.cleanup()
        print("clean")
    """
    assert run(code) == ["True", "clean"]


def test_parent_and_child_of_a_fork_have_a_loop_each(run):
    code = """
        RPIO.add_event_detect(24, RPIO.FALLING, calls.append)
        pid = os.fork()
        if pid == 0:
            RPIO.add_event_detect(23, RPIO.FALLING, calls.append)
            RPIO.sim.drive(23, 0)
            until(lambda: calls)
            os._exit(calls == [23])
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        RPIO.sim.drive(24, 0)
        until(lambda: calls)
        print(status, calls)
    """
    assert run(code) == ["1", "[24]"]


def test_without_a_patch_of_threads_nothing_of_it_is_loaded(fetch, library):
    code = f"""
        import sys, warnings
        warnings.simplefilter("ignore")  # one of them warns of itself
        import {library}, RPIO
        RPIO.setup(24, RPIO.IN, RPIO.PUD_UP)
        print(RPIO.wait_for_edge(24, RPIO.FALLING, timeout=1), "RPIO.loop.green" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        env=environment(fetch(peers.with_needs, LIBRARIES[library])),
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None False\n", "")


WITHOUT_THREADS = {
    "gevent": "from gevent import monkey; monkey.patch_all(thread=False)",
    "eventlet": "import warnings; warnings.simplefilter('ignore')\n"
    "import eventlet; eventlet.monkey_patch(thread=False)",
}


def test_a_patch_of_all_but_threads_changes_nothing(fetch, library):
    code = f"""
{WITHOUT_THREADS[library]}
import os, socket, sys, threading
import RPIO

calls, done = [], threading.Event()

def pressed(channel):
    RPIO.sim.drive(23, 0)
    calls.append(RPIO.wait_for_edge(23, RPIO.RISING, timeout=1))  # nothing comes
    calls.append(threading.current_thread() is threading.main_thread())
    done.set()

RPIO.setup([23, 24], RPIO.IN, RPIO.PUD_UP)
RPIO.add_event_detect(24, RPIO.FALLING, pressed)
port = RPIO.add_tcp_callback(0, lambda client, message: client.send(message), host="127.0.0.1")
RPIO.sim.drive(24, 0)
print(done.wait(20), calls, "RPIO.loop.green" in sys.modules)
with socket.create_connection(("127.0.0.1", port)) as client:
    client.sendall(b"hello")
    print(client.recv(9))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        env=environment(fetch(peers.with_needs, LIBRARIES[library])),
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True [None, False] False\nb'hello'\n", "")


# -- a web server --------------------------------------------------------------------------------------

SITE = """
from flask import Flask
from flask_socketio import SocketIO
import RPi.GPIO as GPIO
import RPIO

app = Flask(__name__)
site = SocketIO(app, async_mode=sys.argv[1])
GPIO.setmode(GPIO.BCM)
GPIO.setup(24, GPIO.IN, pull_up_down=GPIO.PUD_UP)
GPIO.add_event_detect(24, GPIO.FALLING, callback=lambda channel: site.emit("pressed", channel))

@site.on("finger")
def finger():
    RPIO.sim.press(24)

site.run(app, host="127.0.0.1", port=int(sys.argv[2]))
"""
VISITOR = """
import queue, sys
import socketio

told = queue.Queue()
visitor = socketio.Client()
visitor.on("pressed", told.put)
visitor.connect(f"http://127.0.0.1:{sys.argv[1]}", transports=[sys.argv[2]], retry=True)
visitor.emit("finger")
print(told.get(timeout=20))
visitor.disconnect()
"""


@contextlib.contextmanager
def serving(command, env):
    """A program in the background that ends with the block."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
    try:
        yield program
    finally:
        program.kill()
        said = program.communicate()[0]
    assert b"Traceback" not in said, said.decode()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_press_reaches_the_visitor_of_a_flask_socketio_site(fetch, library, transport, tmp_path):
    site = tmp_path / "site.py"
    site.write_text(FIRST_LINES[library] + "\nimport sys" + SITE)
    server_env = environment(fetch(peers.with_needs, LIBRARIES[library], *SERVER))
    visitor_env = environment(fetch(peers.with_needs, *SERVER, *CLIENT))
    port = str(free_port())
    with serving([sys.executable, "-m", "RPIO", "run", site, library, port], server_env):
        done = subprocess.run(
            [sys.executable, "-c", VISITOR, port, transport],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            env=visitor_env,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("24\n", "")
