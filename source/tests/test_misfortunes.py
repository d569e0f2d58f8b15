# SPDX-License-Identifier: LGPL-3.0-or-later
"""What programs meet with at their worst: signals within signals, no descriptors, no threads, no disk, forks.

Each test is a program in a process of its own. It ends with its lines safe, all of them inputs after cleanup(), or with
the status that it asked for; and where something cannot be done, one sentence says what.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support import LIMIT_S, native

TESTS = Path(__file__).parent

PROGRAM = """
import os, resource, signal, sys, threading, warnings
warnings.simplefilter("ignore", RuntimeWarning)     # "No channels have been set up yet", at a second cleanup()
warnings.simplefilter("ignore", DeprecationWarning)     # fork with threads, from Python 3.12
import RPIO
from RPIO.facade import board

def nothing(*args):
    pass

def set_all_up():
    "Something of everything."
    RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
    RPIO.setup([18, 23], RPIO.OUT, initial=1)
    RPIO.add_event_detect(17, RPIO.FALLING, callback=nothing)
    RPIO.add_interrupt_callback(22, nothing, pull_up_down=RPIO.PUD_UP, threaded_callback=True)
    RPIO.add_tcp_callback(0, nothing, host="127.0.0.1")
    pwm = RPIO.PWM(23, 100)
    pwm.start(50)
    return pwm

def check_safe():
    driven = [line for line in range(28) if RPIO.gpio_function(line) != RPIO.IN]
    assert not driven, f"still outputs: {driven}"
    watched = [line for line in range(28) if RPIO.sim.is_watched(line)]
    assert not watched, f"still watched: {watched}"
    assert not board.has_ports, "a port is still open"

def check_works():
    "An edge comes, in the loop of this thread."
    got = []
    def hear(gpio, value):
        got.append((gpio, value))
        RPIO.stop_waiting_for_interrupts()
    RPIO.sim.drive(7, None)
    RPIO.add_interrupt_callback(7, hear, "falling", RPIO.PUD_UP)
    RPIO.sim.drive(7, 0)
    RPIO.wait_for_interrupts()
    RPIO.sim.drive(7, None)
    RPIO.del_interrupt_callback(7)
    RPIO.cleanup()
    assert got == [(7, 0)], got
    check_safe()
"""
"""What the programs below begin with."""


def run(code, status=0, program=PROGRAM, **more):
    """Run a program to its end, which is to have that status; return what it printed, and what on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", program + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(TESTS)},
        check=False,
        **({"stderr": subprocess.PIPE} | more),
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout, done.stderr


# -- signals ------------------------------------------------------------------------------------------------


def test_a_handler_raises_while_another_cleans_up():
    """SIGTERM's handler cleans up; that of the next signal raises, at one moment of that after the other."""
    out, err = run(
        """
        from interrupted.moments import Interrupted, tripwire

        def interrupt(number, frame):
            raise Interrupted

        def clean_up_and_exit(number, frame):
            global heard
            heard = True
            tripwire.signal_at(RPIO.cleanup, moment, signal.SIGUSR2, interrupt.__code__)
            heard = False
            sys.exit(143)

        signal.signal(signal.SIGUSR2, interrupt)
        signal.signal(signal.SIGTERM, clean_up_and_exit)
        moment = points = 0
        heard = True
        while heard:
            moment += 53
            pwm = set_all_up()
            try:
                signal.raise_signal(signal.SIGTERM)
            except BaseException as e:
                assert type(e) is (Interrupted if heard else SystemExit), repr(e)
            RPIO.cleanup()
            check_safe()
            points += heard
        check_works()
        print(points > 10)
        """
    )
    assert (out, err) == ("True\n", "")


def test_ctrl_c_again_while_the_program_cleans_up():
    """The second one comes out of cleanup(), at one moment after the other; cleanup() again finishes."""
    out, err = run(
        """
        from interrupted.moments import tripwire

        moment = points = 0
        heard = True
        while heard:
            moment += 53
            pwm = set_all_up()
            RPIO.add_interrupt_callback(7, lambda *a: signal.raise_signal(signal.SIGINT), "falling", RPIO.PUD_UP)
            try:
                try:
                    RPIO.sim.drive(7, 0)
                    RPIO.wait_for_interrupts()
                finally:
                    heard = True
                    tripwire.signal_at(RPIO.cleanup, moment, signal.SIGINT, nothing.__code__)
                    heard = False
            except KeyboardInterrupt as e:
                assert not heard or type(e.__context__) is KeyboardInterrupt, repr(e.__context__)
            RPIO.cleanup()
            RPIO.sim.drive(7, None)
            check_safe()
            points += heard
        check_works()
        print(points > 10)
        """
    )
    assert (out, err) == ("True\n", "")


def test_sigterm_while_the_program_imports_us():
    """Its handler raises SystemExit, and that is how the program ends, at whatever moment of the import it comes."""
    code = """
        import os, signal, sys

        from interrupted.moments import tripwire

        def terminate(number, frame):
            sys.exit(143)

        def load():
            import RPIO
            RPIO.setup      # the first name loads the rest

        def bytecodes():
            "How many bytecodes the import has."
            count = 0
            def trace(frame, what, argument):
                nonlocal count
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
                count += what == "opcode"
                return trace
            sys.settrace(trace)
            load()
            sys.settrace(None)
            return count

        def swallow(unraisable):
            # CPython's importlib has a callback of a weak reference, out of which nothing comes: it is to be that one.
            name = getattr(unraisable.object, "__qualname__", "")
            assert unraisable.exc_type is SystemExit and name == "_get_module_lock.<locals>.cb", unraisable

        signal.signal(signal.SIGTERM, terminate)
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, str(bytecodes()).encode())
            os._exit(0)
        os.wait()
        total = int(os.read(reader, 20))
        statuses = set()
        for moment in range(1, total, total // 50):
            pid = os.fork()
            if pid == 0:
                sys.unraisablehook = swallow
                tripwire.signal_at(load, moment, signal.SIGTERM, terminate.__code__)
                assert tripwire.heard()
                signal.raise_signal(signal.SIGTERM)     # it was swallowed, and all is there
                sys.exit("it goes on")
            statuses.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(total > 10_000, statuses)
    """
    assert run(code, program="") == ("True {143}\n", "")
