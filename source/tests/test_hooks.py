# SPDX-License-Identifier: LGPL-3.0-or-later
"""What comes out of callbacks reaches the program's hooks, where loggers and crash reporters listen."""

import os
import subprocess
import sys
import textwrap

import pytest

from waiting import LIMIT_S

PROGRAM = """
import asyncio, socket, sys, threading
import RPIO
from RPIO import aio

heard = []
done = threading.Event()

def note(kind, error, where):
    heard.append((where, kind.__name__, str(error)))
    done.set()

sys.excepthook = lambda kind, error, trace: note(kind, error, "sys")
threading.excepthook = lambda args: note(args.exc_type, args.exc_value, args.thread.name)

def fail(*args):
    raise ValueError("from a callback")

{body}
if not done.wait(20):
    print("nothing was heard")
print(heard)
"""
WAYS = {
    "add_event_detect": (
        """
        RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        RPIO.add_event_detect(17, RPIO.FALLING, callback=fail)
        RPIO.sim.drive(17, 0)
        """,
        "sys",
    ),
    "add_event_callback": (
        """
        RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        RPIO.add_event_detect(17, RPIO.FALLING)
        RPIO.add_event_callback(17, fail)
        RPIO.sim.drive(17, 0)
        """,
        "sys",
    ),
    "add_interrupt_callback": (
        """
        RPIO.add_interrupt_callback(17, fail, edge="falling", pull_up_down=RPIO.PUD_UP)
        RPIO.wait_for_interrupts(threaded=True)
        RPIO.sim.drive(17, 0)
        """,
        "sys",
    ),
    "threaded_callback": (
        """
        RPIO.add_interrupt_callback(17, fail, edge="falling", pull_up_down=RPIO.PUD_UP, threaded_callback=True)
        RPIO.wait_for_interrupts(threaded=True)
        RPIO.sim.drive(17, 0)
        """,
        "RPIO GPIO 17",
    ),
    "add_tcp_callback": (
        """
        port = RPIO.add_tcp_callback(0, fail, host="127.0.0.1")
        RPIO.wait_for_interrupts(threaded=True)
        socket.create_connection(("127.0.0.1", port)).send(b"hello")
        """,
        "sys",
    ),
    "add_tcp_callback, threaded": (
        """
        port = RPIO.add_tcp_callback(0, fail, host="127.0.0.1", threaded_callback=True)
        RPIO.wait_for_interrupts(threaded=True)
        socket.create_connection(("127.0.0.1", port)).send(b"hello")
        """,
        "RPIO port 0",
    ),
    "aio.on_edge": (
        """
        async def main():
            task = aio.on_edge(17, fail, "falling", pull_up_down="up")
            await asyncio.sleep(0)
            RPIO.sim.drive(17, 0)
            while not heard:
                await asyncio.sleep(0.01)
            task.cancel()

        asyncio.run(main())
        """,
        "sys",
    ),
}


def run(body):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=textwrap.dedent(body))],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=True,
    )


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_in_a_callback_reaches_the_programs_hook(way):
    body, where = WAYS[way]
    done = run(body)
    assert done.stdout == f"{[(where, 'ValueError', 'from a callback')]}\n"
    assert done.stderr.startswith("RPIO: exception in callback <function fail at 0x")
    assert done.stderr.count("\n") == 1  # the hook has taken the traceback


def test_without_a_hook_the_traceback_is_printed_once():
    done = run(
        "sys.excepthook = sys.__excepthook__\n"
        + textwrap.dedent(WAYS["add_event_detect"][0])
        + "done.wait(0.5); done.set()"
    )
    assert done.stderr.count("Traceback (most recent call last):") == 1
    assert done.stderr.endswith("ValueError: from a callback\n")


@pytest.mark.parametrize("raised", ["RuntimeError('the hook')", "KeyboardInterrupt"])
def test_a_hook_that_raises_does_not_end_the_loops_thread(raised):
    done = run(
        f"""
        def hook(*args):
            raise {raised}
        sys.excepthook = hook
        RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        RPIO.add_event_detect(17, RPIO.FALLING, callback=fail)
        RPIO.sim.press(17, 5)
        RPIO.add_event_callback(17, lambda channel: done.set())
        RPIO.sim.press(17, 5)
        """
    )
    assert done.stdout == "[]\n"
    assert raised.split("(")[0] in done.stderr
    assert "ValueError: from a callback" in done.stderr


WHERE = {
    "a thread": "RPIO.wait_for_interrupts(threaded=True); RPIO.sim.drive(17, 0); done.wait(20)",
    "the main thread": "RPIO.sim.drive(17, 0); RPIO.wait_for_interrupts()",
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("threaded", [False, True])
def test_a_hook_may_end_the_program(where, threaded):
    """One that logs, and then calls sys.exit(), is common; with RPi.GPIO it ends the program."""
    body = f"""
        def hook(*args):
            print("logged", flush=True)
            sys.exit(3)
        sys.excepthook = threading.excepthook = hook
        RPIO.add_interrupt_callback(17, fail, "falling", RPIO.PUD_UP, threaded_callback={threaded})
        {WHERE[where]}
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=textwrap.dedent(body))],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "logged\n")


@pytest.mark.parametrize("broken", ["None", "open(os.devnull)", "Broken()"])
def test_a_program_whose_stderr_is_broken_goes_on(broken):
    """Daemons have none; RPIO has a line to say there where it simulates a board, and for each exception."""
    code = """
        import os, sys

        class Broken:
            def write(self, text):
                raise BrokenPipeError(32, "Broken pipe")
            flush = write

        sys.stderr = {broken}
        from RPIO.backends import opening
        opening.choose, opening.look = lambda hardware: "sim", lambda spec: None  # whatever this machine has
        import RPIO
        RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        seen = []
        RPIO.add_event_detect(17, RPIO.FALLING, callback=lambda channel: seen.append(channel) or 1 / 0)
        RPIO.sim.press(17, 5)
        RPIO.sim.press(17, 5)
        while len(seen) < 2:
            pass
        print(seen)
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code.format(broken=broken))],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "auto", "PYTHONUNBUFFERED": "1"},
        check=False,
    )
    assert done.stdout == "[17, 17]\n", done.stderr
