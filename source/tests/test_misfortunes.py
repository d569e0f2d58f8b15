# SPDX-License-Identifier: LGPL-3.0-or-later
"""What programs meet with at their worst: signals within signals, no descriptors, no threads, no disk, forks.

Each test is a program in a process of its own. It ends with its lines safe, all of them inputs after cleanup(), or with
the status that it asked for; and where something cannot be done, one sentence says what.
"""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support import native
from waiting import LIMIT_S

TESTS = Path(__file__).parent

PROGRAM = """
import os, resource, signal, sys, threading, warnings
warnings.simplefilter("ignore", RuntimeWarning)     # "No channels have been set up yet", at a second cleanup()
warnings.simplefilter("ignore", DeprecationWarning)     # fork with threads, from Python 3.12
import RPIO
from RPIO.facade import board

def nothing(*args):
    pass

def set_all_up(detect=True):
    "Something of everything; without detection no loop runs in the background."
    RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
    RPIO.setup([18, 23], RPIO.OUT, initial=1)
    if detect:
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
    assert not board.waiting.has_ports, "a port is still open"

def check_works():
    "An edge comes."
    got, came = [], threading.Semaphore(0)
    def hear(gpio, value):
        got.append((gpio, value))
        came.release()
    RPIO.sim.drive(7, None)
    RPIO.add_interrupt_callback(7, hear, "falling", RPIO.PUD_UP)
    RPIO.wait_for_interrupts(threaded=True)
    RPIO.sim.drive(7, 0)
    assert came.acquire(timeout=60), "no edge"
    RPIO.sim.drive(7, None)
    RPIO.stop_waiting_for_interrupts()
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
        env={**os.environ, "RPIO_BACKEND": "sim", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(TESTS)},
        check=False,
        **({"stderr": subprocess.PIPE, "timeout": LIMIT_S} | more),
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout, done.stderr


# -- signals ------------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        for moment in range(1, total, total // (8 if os.environ.get("RPIO_EMULATED") else 50)):
            pid = os.fork()
            if pid == 0:
                sys.unraisablehook = swallow
                tripwire.signal_at(load, moment, signal.SIGTERM, terminate.__code__)
                assert tripwire.heard()
                signal.raise_signal(signal.SIGTERM)     # it was swallowed, and all is there
                sys.exit("it goes on")
            statuses.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(total > 1_000, statuses)
    """
    assert run(code, program="") == ("True {143}\n", "")


# -- nothing left -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_without_descriptors_calls_work_or_say_so_and_then_work_again():
    """For each number of descriptors that may still be opened: from none to as many as it takes."""
    out, err = run(
        """
        import errno, tempfile

        def setup():
            RPIO.setup(18, RPIO.OUT, initial=1)

        def detect():
            RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
            RPIO.add_event_detect(17, RPIO.FALLING, nothing)

        def wait():
            RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
            assert RPIO.wait_for_edge(17, RPIO.FALLING, timeout=1) is None

        def interrupt():
            RPIO.add_interrupt_callback(17, nothing, pull_up_down=RPIO.PUD_UP, threaded_callback=True)

        def tcp():
            RPIO.add_tcp_callback(0, nothing, host="127.0.0.1")

        def serve():
            RPIO.serve_remote(0)

        def serve_path():
            RPIO.serve_remote(path=path)
            assert os.path.exists(path)

        def pwm():
            RPIO.setup(23, RPIO.OUT)
            things.append(RPIO.PWM(23, 100))
            things[-1].start(50)

        def loop():
            RPIO.wait_for_interrupts(threaded=True)
            RPIO.stop_waiting_for_interrupts()

        def limit(soft):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        def end():
            things.clear()
            RPIO.cleanup()
            check_safe()
            assert not os.path.exists(path)

        def why(error):
            "The error of the system behind one of ours, whose hint says what that is."
            if isinstance(error, RPIO.EdgeDetectionError):
                assert "Too many open files" in error.hint, error.hint
                return errno.EMFILE
            return getattr(error, "errno", None)

        before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        things = []
        path = f"{tempfile.gettempdir()}/rpio-scarce-{os.getpid()}"
        set_all_up()        # imports all that it takes
        serve()
        end()
        for call in (setup, detect, wait, interrupt, tcp, serve, serve_path, pwm, loop):
            first = None    # the least room with which it works
            for room in range(10):
                board.close()
                limit(max(map(int, os.listdir("/proc/self/fd"))) + room)    # of which one was the listing's
                try:
                    call()
                    first = room if first is None else first
                except Exception as e:
                    assert first is None and why(e) == errno.EMFILE, (call, room, repr(e))
                    limit(before)
                    call()
                limit(before)
                end()
            assert first is not None, call
        check_works()
        print("done")
        """
    )
    assert (out, err) == ("done\n", "")


@native("who may not start a thread is told so by an abort")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who has no thread left")
def test_without_threads_edges_are_counted_as_lost_and_calls_say_so():
    """Of a threaded callback; the loop lives, and with threads again all goes on."""
    out, err = run(
        """
        import logging

        def limit(soft):
            resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))

        def detect():
            RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
            RPIO.add_event_detect(17, RPIO.FALLING, nothing)

        def wait():
            RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
            assert RPIO.wait_for_edge(17, RPIO.FALLING, timeout=1) is None

        def loop():
            RPIO.wait_for_interrupts(threaded=True)
            RPIO.stop_waiting_for_interrupts()

        def pwm():
            RPIO.setup(23, RPIO.OUT)
            things.append(RPIO.PWM(23, 100))
            things[-1].start(50)

        def edge(level):
            RPIO.sim.drive(22, level)
            RPIO.sim.drive(27, level)
            RPIO.wait_for_interrupts()

        things = [set_all_up()]     # imports all that it takes, which another user may not be allowed to read
        RPIO.sim.drive(17, 0)
        RPIO.sim.drive(22, 0)
        check_works()
        things.clear()
        board.close()               # with its threads
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        before, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        for call in (detect, wait, loop, pwm):
            limit(0)
            try:
                call()
                print(call.__name__, "needs no thread")
            except RuntimeError as e:
                assert str(e) == "can't start new thread", (call, repr(e))
            limit(before)
            things.clear()
            call()
            things.clear()
            RPIO.cleanup()
            check_safe()
            board.close()

        got, came = [], threading.Semaphore(0)
        RPIO.add_interrupt_callback(
            22, lambda *edge: (got.append(edge), came.release()), pull_up_down=RPIO.PUD_UP, threaded_callback=True
        )
        RPIO.add_interrupt_callback(27, lambda *edge: RPIO.stop_waiting_for_interrupts(), pull_up_down=RPIO.PUD_UP)
        limit(0)
        edge(0)
        print("lost", RPIO.events_lost(22), RPIO.events_lost(27), got)
        limit(before)
        edge(1)
        assert came.acquire(timeout=60)
        print("lost", RPIO.events_lost(22), RPIO.events_lost(27), got)
        RPIO.cleanup()
        check_safe()
        """
    )
    assert out == "lost 1 0 []\nlost 1 0 [(22, 1)]\n"
    assert err == (
        "GPIO 22: 1 edges lost, its thread did not start: can't start new thread (RPIO.events_lost() counts on)\n"
    )


FULL_DISK = """
import logging

full = os.open("/dev/full", os.O_WRONLY)
os.dup2(full, {descriptor})
came = threading.Semaphore(0)

def fail(*args):
    came.release()
    raise ValueError("from a callback")
"""
"""Whatever the program writes from now on there is "No space left on device"."""


def test_with_a_full_disk_behind_stderr_the_program_goes_on():
    """Warnings, the log and the exceptions of callbacks have nowhere to go."""
    out, err = run(
        FULL_DISK.format(descriptor=2)
        + textwrap.dedent(
            """
            logging.basicConfig(level=logging.DEBUG)
            warnings.simplefilter("always")
            RPIO.install_as_rpi_gpio()
            RPIO.cleanup()                              # warns
            RPIO.setmode(RPIO.BCM)
            RPIO.wait_for_interrupts(threaded=True)
            RPIO.stop_waiting_for_interrupts()
            RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
            RPIO.add_event_detect(17, RPIO.FALLING, fail)
            RPIO.add_interrupt_callback(22, fail, "falling", RPIO.PUD_UP, threaded_callback=True)
            for line in (17, 22, 17, 22):
                RPIO.sim.drive(line, None)
                RPIO.sim.drive(line, 0)
                assert came.acquire(timeout=60), line
            RPIO.setup(18, RPIO.OUT)
            RPIO.sim.drive(18, 1)                       # a short circuit, which is logged
            RPIO.sim.drive(18, None)
            RPIO.cleanup()
            RPIO.setmode(RPIO.BCM)
            check_safe()
            print("goes on")
            """
        )
    )
    assert (out, err) == ("goes on\n", "")


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(
    ("descriptor", "code", "status"),
    [(2, "'why'", 1), (2, "3", 3), (1, "3", 120)],
    ids=["stderr, a sentence", "stderr, a number", "stdout"],
)
def test_with_a_full_disk_sys_exit_in_a_callback_ends_the_program(descriptor, code, status, threaded):
    """With its status; with 120, as Python's own end, where something that was printed is lost."""
    run(
        FULL_DISK.format(descriptor=descriptor)
        + textwrap.dedent(
            f"""
            sys.stdout = open(1, "w")       # which keeps what is printed until the end
            print("something")
            RPIO.add_interrupt_callback(
                17, lambda *edge: sys.exit({code}), "falling", RPIO.PUD_UP, threaded_callback={threaded}
            )
            RPIO.wait_for_interrupts(threaded=True)
            RPIO.sim.drive(17, 0)
            assert came.acquire(timeout=60), "it goes on"
            """
        ),
        status,
    )


# -- callbacks that take the ground away ----------------------------------------------------------------------

LOOPS = {
    "here": 'RPIO.add_interrupt_callback(17, take_away, "falling", RPIO.PUD_UP)',
    "in a thread": (
        'RPIO.add_interrupt_callback(17, take_away, "falling", RPIO.PUD_UP)\n'
        "RPIO.wait_for_interrupts(threaded=True)"
    ),
    "in the background": (
        "RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)\n"
        "RPIO.add_event_detect(17, RPIO.FALLING, take_away)"
    ),
    "threaded": 'RPIO.add_interrupt_callback(17, take_away, "falling", RPIO.PUD_UP, threaded_callback=True)',
}
"""Where a callback runs -> how it is added."""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("call", ["RPIO.cleanup()", "board.close()"])
def test_a_callback_ends_all(call, loop):
    """It returns, the loop too, and the program can begin anew."""
    waits = loop in ("here", "threaded")
    out, err = run(
        f"""
        def take_away(*edge):
            {call}
            RPIO.stop_waiting_for_interrupts()
            done.release()

        done = threading.Semaphore(0)
        pwm = set_all_up(detect=False)
        {textwrap.indent(LOOPS[loop], " " * 8).strip()}
        dispatcher, sim = board.dispatcher, RPIO.sim.backend()
        RPIO.sim.drive(17, 0)
        if {waits}:
            RPIO.wait_for_interrupts()
        assert done.acquire(timeout=60)
        RPIO.stop_waiting_for_interrupts()
        if "cleanup" in {call!r}:
            check_safe()
        assert not board.waiting.has_ports
        assert not any(sim.is_watched(line) for line in range(28))
        pwm = None
        RPIO.cleanup()
        check_works()
        print("done")
        """
    )
    assert (out, err) == ("done\n", "")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_callback_forks(loop):
    """The child ends at once; the parent hears its next edge, and has lost none."""
    waits = loop in ("here", "threaded")
    out, err = run(
        f"""
        parent = os.getpid()
        ends = []

        def take_away(*edge):
            pid = os.fork()
            if pid == 0:
                os._exit(5)
            ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            RPIO.stop_waiting_for_interrupts()
            done.release()

        done = threading.Semaphore(0)
        RPIO.add_tcp_callback(0, nothing, host="127.0.0.1")
        {textwrap.indent(LOOPS[loop], " " * 8).strip()}
        for _ in range(3):
            RPIO.sim.drive(17, None)
            RPIO.sim.drive(17, 0)
            if {waits}:
                RPIO.wait_for_interrupts()
            assert done.acquire(timeout=60), ends
            if {loop == "in a thread"}:
                RPIO.wait_for_interrupts(threaded=True)
        assert os.getpid() == parent
        RPIO.stop_waiting_for_interrupts()
        print(ends, RPIO.events_lost())
        RPIO.cleanup()
        check_safe()
        check_works()
        """
    )
    assert (out, err) == ("[5, 5, 5] 0\n", "")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_callback_forks_and_returns_in_the_child_too(loop):
    """The loop of the child ends, without a word; where a thread of ours has forked, that is the end of the child."""
    waits = loop in ("here", "threaded")
    out, err = run(
        f"""
        ends = []

        def take_away(*edge):
            pid = os.fork()
            if pid == 0:
                return
            ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            RPIO.stop_waiting_for_interrupts()
            done.release()

        parent = os.getpid()
        done = threading.Semaphore(0)
        {textwrap.indent(LOOPS[loop], " " * 8).strip()}
        RPIO.sim.drive(17, 0)
        if {waits}:
            RPIO.wait_for_interrupts()
        if os.getpid() != parent:
            os._exit(0)
        assert done.acquire(timeout=60), ends
        RPIO.stop_waiting_for_interrupts()
        RPIO.cleanup()
        check_works()
        print(ends)
        """
    )
    assert (out, err) == ("[0]\n", "")


# -- Ctrl+C at random -------------------------------------------------------------------------------------------

CTRL_C = int(os.environ.get("RPIO_CTRL_C", "40"))
"""How many programs are interrupted. ``RPIO_CTRL_C=1000`` takes a minute; RPIO_CTRL_C_SEED changes when."""

EXAMPLES = {
    "demo.py": ((), (7, 9)),
    "rpigpio/buttons.py": ((), (20, 21)),
    "rpigpio/rotary.py": ((), (17, 18, 27)),
    "rpigpio/fade.py": (("--times", "1", "--steps", "2"), ()),
    "rpigpio/servo.py": (("0", "180", "--pause", "0.01"), ()),
    "rpigpio/relays.py": (("up", "0.02"), ()),
}
"""A program of examples/ -> its arguments, and the lines that the world outside drives meanwhile."""

INTERRUPTED = """
import argparse, atexit, faulthandler, random, runpy, select, time

# All that the programs load: each is a fork of this process, and does not import much. (Ctrl+C in an import can leave
# Python's own lock of imports taken, for which the next thread that imports waits in vain.)
things = set_all_up()
RPIO.sim.drive(17, 0)
del things
check_works()
board.close()
here = os.getpid()

@atexit.register
def be_last():
    "Before RPIO's own: what the program has left is given back."
    if os.getpid() != here:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            RPIO.cleanup()
            RPIO.setmode(RPIO.BCM)
            check_safe()
        except BaseException as e:
            print("not safe:", repr(e), file=sys.stderr)

def drive(lines, chance):
    "The world outside."
    while True:
        RPIO.sim.drive(chance.choice(lines), chance.choice((0, 1, None)))
        time.sleep(0.0005)

def play(name, arguments, lines, chance, writer):
    path = os.path.join(FOLDER, name)
    if "/" in name:
        RPIO.install_as_rpi_gpio()
        import RPi.GPIO
    sys.argv = [name, *arguments]
    with open(path) as f:
        code = compile(f.read(), name, "exec")
    faulthandler.enable()
    if lines:
        threading.Thread(target=drive, args=(lines, chance), daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.write(writer, b"x")
    exec(code, dict(__name__="__main__", __file__=path))

for run in range(NUMBER):
    chance = random.Random(f"{SEED} {run}")
    name = list(EXAMPLES)[run % len(EXAMPLES)]
    reader, writer = os.pipe()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        break
    os.close(writer)
    ended = os.pidfd_open(pid)
    os.read(reader, 1)
    time.sleep(chance.choice((0.003, 0.03)) * chance.random())
    # Python drops what a handler raises in a finalizer: then Ctrl+C is pressed again.
    for _ in range(20):
        os.kill(pid, signal.SIGINT)
        if select.select([ended], [], [], 1)[0]:
            break
    else:
        os.kill(pid, signal.SIGABRT)        # which tells where it hangs
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(reader)
    os.close(ended)
    print(f"-- run {run} of {name}: status {status}", file=sys.stderr, flush=True)

if os.getpid() != here:
    play(name, *EXAMPLES[name], chance, writer)
"""

BESIDE_CLEANUP = re.compile(
    r"RPIO: exception in callback .*, ignored:\nTraceback .*\n(?: .*\n)+"
    r"RPIO\.errors\.(?:WrongDirectionException: You must setup\(\) the GPIO channel first\n.*\n"
    r"|ModeNotSetException: Please set pin numbering mode .*\n)"
)
"""A callback that runs while the main thread cleans up finds its line gone, or the mode, as with RPi.GPIO."""

AT_THE_END = re.compile(
    r"Exception ignored in: <module 'threading' .*\nTraceback .*\n(?: .*\n)+KeyboardInterrupt: ?\n"
)
"""Python itself, when the program is over: it waits for threads, drops what comes between, and ends with 0."""

IN_AN_IMPORT = re.compile(
    r"Exception ignored in: <function _get_module_lock\.<locals>\.cb .*\nTraceback .*\n(?: .*\n)+KeyboardInterrupt: ?\n"
)
"""Python itself, in the middle of an import, the program's or that of threading: then Ctrl+C is pressed again. Whose
imports these may be is looked at in interrupted/test_first_uses.py."""


@pytest.mark.slow
def test_ctrl_c_at_random_ends_the_examples_as_they_say(tmp_path):
    """With 0 where the program catches it, with KeyboardInterrupt where it does not; cleanup() makes all lines safe."""
    for path in (TESTS.parents[1] / "examples").glob("**/*.py"):
        copy = tmp_path / path.relative_to(TESTS.parents[1] / "examples")
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text().replace("8080", "0").replace("8081", "0"))  # any port that is free
    seed = os.environ.get("RPIO_CTRL_C_SEED", "1")
    known = f"FOLDER, NUMBER, SEED, EXAMPLES = {str(tmp_path)!r}, {CTRL_C}, {seed!r}, {EXAMPLES!r}\n"
    _, err = run(known + INTERRUPTED, timeout=LIMIT_S + CTRL_C)
    *runs, rest = re.split(r"^(-- run .*)\n", err, flags=re.MULTILINE)
    assert (len(runs), rest) == (2 * CTRL_C, "")
    for all_said, ran in zip(runs[::2], runs[1::2], strict=True):
        said = IN_AN_IMPORT.sub("", AT_THE_END.sub("", BESIDE_CLEANUP.sub("", all_said)))
        status = int(ran.rpartition(" ")[2])
        assert status == -signal.SIGINT or (status == 0 and not said), f"{ran}\n{said}"
        assert not said or said.splitlines()[-1] == "KeyboardInterrupt", f"{ran}\n{said}"
        others = re.findall(r"^(Exception ignored|Exception in|RPIO:|not safe).*", said, flags=re.MULTILINE)
        assert not others, f"{ran}\n{said}"
