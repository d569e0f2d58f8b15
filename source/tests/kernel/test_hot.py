# SPDX-License-Identifier: LGPL-3.0-or-later
"""output() and input() on the character device: one ioctl each, and never to a line that is not ours any more."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.programs import program
from waiting import LIMIT_S

LINE = 18


def run(code, **env):
    """Run a program on the Raspberry Pi's chip; return what it printed."""
    process = program(code, **env)
    out = process.communicate(timeout=LIMIT_S)[0].decode()
    assert process.returncode == 0, out
    return out


SET, GET = "GPIO_V2_LINE_SET_VALUES_IOCTL", "GPIO_V2_LINE_GET_VALUES_IOCTL"

CALLS = """
import os, RPIO
RPIO.use("cdev")
RPIO.setup([17, 18], RPIO.OUT)
RPIO.setup(4, RPIO.IN)
for call, *arguments in (
    (RPIO.output, 18, 1), (RPIO.output, 18, False), (RPIO.output, [17, 18], 1),
    (RPIO.output, (17, 18), (0, 1)), (RPIO.input, 4), (RPIO.input, 18),
):
    os.getppid()
    call(*arguments)
os.getppid()
"""


def test_a_write_and_a_read_are_one_system_call_each(pi_chip, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("needs strace: sudo apt install strace")
    trace = tmp_path / "trace"
    subprocess.run(["strace", "-o", trace, sys.executable, "-c", CALLS], check=True, timeout=LIMIT_S)
    calls = re.findall(r"^(\w+)\((?:\d+, (GPIO_\w+))?", trace.read_text(), re.MULTILINE)
    between = " ".join(request or call for call, request in calls).split("getppid")[1:-1]
    assert [each.split() for each in between] == [[SET], [SET], [SET] * 2, [SET] * 2, [GET], [GET]]


EDGES = """
import os, RPIO
from kernel import gpiosim
RPIO.use("cdev")
RPIO.setup(4, RPIO.IN)
wire = gpiosim.find("pinctrl-bcm2835")
left = [1, 0, 1, 0, 1]

def move():
    os.getppid()
    wire.drive(4, left.pop())

def callback(gpio_id, value):
    os.getpgrp()
    if left:
        move()
    else:
        RPIO.stop_waiting_for_interrupts()

wire.drive(4, 0)
RPIO.add_interrupt_callback(4, callback)
move()
RPIO.wait_for_interrupts()
"""


def test_an_edge_is_one_system_call_from_the_wait_to_its_callback(pi_chip, tmp_path):
    """The first two cost two: epoll's wait and the read."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace: sudo apt install strace")
    trace = tmp_path / "trace"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(["strace", "-o", trace, sys.executable, "-c", EDGES], check=True, timeout=LIMIT_S, env=env)
    calls = re.findall(r"^(\w+)\(", trace.read_text(), re.MULTILINE)
    calls = [call for call in calls if call != "gettid"]  # asked once by each thread
    moved = [each.split("getpgrp")[0].split() for each in " ".join(calls).split("getppid")[1:]]
    assert [each[-2:] for each in moved[:1]] == [["epoll_wait", "read"]]
    assert [each[-2:] for each in moved[3:]] == [["pwrite64", "io_uring_enter"]] * 2


def test_levels_arrive_in_the_order_of_the_list(pi_chip):
    out = run(
        """
        import RPIO
        RPIO.use("cdev")
        RPIO.setup([17, 18], RPIO.OUT)
        for levels in ([0, 0], [1, 0], [0, 1], [1, 1]):
            RPIO.output([17, 18], levels)
            print(RPIO.input(17), RPIO.input(18), end=" ")
        """
    )
    assert out == "0 0 1 0 0 1 1 1 "


def test_after_cleanup_and_close_nothing_is_written(pi_chip):
    out = run(
        """
        import os, RPIO
        RPIO.use("cdev")
        RPIO.setup(18, RPIO.OUT, initial=1)
        fd = RPIO.facade.board.backend.line_fd(18)
        RPIO.cleanup()
        trap = os.open("/dev/null", os.O_RDWR)   # takes the descriptor's number
        assert trap == fd, (trap, fd)
        for call in (lambda: RPIO.output(18, 1), lambda: RPIO.input(18)):
            try:
                call()
            except RPIO.WrongDirectionException as e:
                print(e)
        """
    )
    assert out == (
        "The GPIO channel has not been set up as an OUTPUT\nYou must setup() the GPIO channel first\n"
    )


def test_a_descriptor_that_is_closed_takes_its_grant_along(pi_chip):
    """Its number goes to the next line, which a grant that is left would write to. On other files the ioctl fails, and
    nothing shows.
    """
    out = run(
        """
        import RPIO
        RPIO.use("cdev")
        RPIO.setup(17, RPIO.OUT, initial=0)
        backend = RPIO.facade.board.backend
        fd = backend.line_fd(17)
        backend.release(17)
        backend.set_output(18, 0)
        assert backend.line_fd(18) == fd
        RPIO.output(17, 1)
        print(backend.read(17), backend.read(18), RPIO.input(17))
        """
    )
    assert out == "1 0 1\n"


def test_an_output_that_was_an_input_meanwhile_drives_what_was_last_written(pi_chip):
    out = run(
        """
        import RPIO
        RPIO.use("cdev")
        RPIO.setup(18, RPIO.OUT, initial=0)
        RPIO.output(18, 1)
        RPIO.setup(18, RPIO.IN, pull_up_down=RPIO.PUD_DOWN)
        print(RPIO.input(18), end=" ")
        RPIO.setup(18, RPIO.OUT)
        print(RPIO.input(18))
        """
    )
    assert out == "0 1\n"


def test_a_watched_line_is_read_and_its_new_descriptor_too(pi_chip):
    out = run(
        """
        import RPIO
        RPIO.use("cdev")
        RPIO.setup(4, RPIO.IN)
        for _ in range(3):
            RPIO.add_event_detect(4, RPIO.BOTH)
            print(RPIO.input(4), end=" ")
            RPIO.remove_event_detect(4)
            print(RPIO.input(4), end=" ")
        """
    )
    assert out == "0 0 0 0 0 0 "


def test_the_child_of_a_fork_has_no_grant(pi_chip):
    out = run(
        """
        import os, RPIO
        RPIO.use("cdev")
        RPIO.setup(18, RPIO.OUT, initial=1)
        if os.fork() == 0:
            try:
                RPIO.output(18, 0)
            except RPIO.WrongDirectionException:
                os._exit(7)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.wait()[1]), RPIO.input(18))
        """
    )
    assert out == "7 1\n"


WAITS = """
import os, threading, RPIO
from kernel import gpiosim
RPIO.use("cdev")
RPIO.setup(4, RPIO.IN)
wire = gpiosim.find("pinctrl-bcm2835")
level, wanted = 0, threading.Semaphore(0)

def world():
    global level
    while wanted.acquire():
        while not wire.is_watched(4):
            os.sched_yield()
        level = 1 - level
        wire.drive(4, level)

wire.drive(4, 0)
threading.Thread(target=world, daemon=True).start()
for _ in range(12):
    wanted.release()
    os.getppid()
    RPIO.wait_for_edge(4, RPIO.BOTH)
for _ in range(12):
    os.getppid()
    RPIO.wait_for_edge(4, RPIO.BOTH, timeout=1)
os.getppid()
"""
OF_ANY_THREAD = ("futex", "clock_gettime", "sched_yield")


@pytest.mark.slow
def test_a_wait_after_the_first_is_two_system_calls_and_its_wake_up(pi_chip, tmp_path):
    """Edges on and edges off, in the thread that waits. Where the loop is not back in its own wait when the edge has
    come, a third reads what may be left.
    """
    if shutil.which("strace") is None:
        pytest.skip("needs strace: sudo apt install strace")
    trace = tmp_path / "trace"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(
        ["strace", "-f", "-o", trace, sys.executable, "-c", WAITS], check=True, timeout=LIMIT_S, env=env
    )
    calls = re.findall(r"^(\d+) +(\w+)\((?:\d+, (GPIO_\w+))?", trace.read_text(), re.MULTILINE)
    main = calls[0][0]
    mine = [
        request or call for thread, call, request in calls if thread == main and call not in OF_ANY_THREAD
    ]
    waits = [each.split() for each in " ".join(mine).split("getppid")[2:-1]]
    switch = "GPIO_V2_LINE_SET_CONFIG_IOCTL"
    assert len(waits) == 23
    assert all(each in ([switch] * 2, [switch] * 2 + ["read"]) for each in waits), waits
    assert sum(len(each) == 2 for each in waits) > len(waits) // 2


def test_a_number_that_is_used_again_is_heard(pi_chip):
    """The loop keeps a line's descriptor between two watches; here it is closed without a word to the loop."""
    out = run(
        """
        import threading, RPIO
        from kernel import gpiosim
        RPIO.use("cdev")
        wire = gpiosim.find("pinctrl-bcm2835")
        RPIO.setup([4, 17], RPIO.IN)
        backend = RPIO.facade.board.backend
        backend.release(17)
        RPIO.wait_for_edge(4, RPIO.BOTH, timeout=1)
        fd = backend.line_fd(4)
        backend.release(4)
        backend.set_input(17, None)
        assert backend.line_fd(17) == fd
        heard = threading.Event()
        RPIO.add_event_detect(17, RPIO.BOTH, lambda channel: heard.set())
        wire.drive(17, 1)
        print(heard.wait(30))
        """,
        PYTHONPATH=str(Path(__file__).parents[1]),
    )
    assert out == "True\n"
