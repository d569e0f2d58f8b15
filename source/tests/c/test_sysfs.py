# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pump's life: what it opens, what it refuses, how it ends. Its edges need a kernel: see kernel/test_sysfs.py."""

import errno
import os
import select

import pytest

from c.core import SANITIZE, SOURCE, core
from c.soc_build import HERE, build, declarations
from RPIO import _gpio

RISING, FALLING, BOTH = 1, 2, 3


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def threads():
    return set(os.listdir("/proc/self/task"))


@pytest.fixture
def pump():
    lib, ffi = core().lib, core().ffi
    opened, running = descriptors(), threads()
    out = ffi.new("struct rpio_pump **")
    assert lib.rpio_pump_new(out) == 0
    assert len(threads() - running) == 1
    yield out[0]
    lib.rpio_pump_free(out[0])
    assert descriptors() == opened
    assert not threads() - running


@pytest.fixture
def edge(tmp_path):
    fd = os.open(tmp_path / "edge", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.fixture
def value():
    """A file that epoll takes with EPOLLPRI and that pread reads, and where nothing happens."""
    fd = os.open("/proc/self/mountinfo", os.O_RDONLY)
    os.pread(fd, 1, 0)
    yield fd
    os.close(fd)


def test_no_pump_is_freed_without_harm():
    core().lib.rpio_pump_free(core().ffi.NULL)


def test_a_watch_arms_the_kernel_and_delivers_into_a_pipe_of_its_own(pump, value, edge):
    lib = core().lib
    first = lib.rpio_pump_watch(pump, 4, value, edge, BOTH)
    assert first > 0
    assert not os.get_blocking(first)
    assert not os.get_inheritable(first)
    assert os.pread(edge, 99, 0) == b"both"
    assert lib.rpio_pump_seq(pump, 4) == 0
    assert not select.select([first], [], [], 0)[0]


def test_a_second_watch_changes_the_edges_and_keeps_the_pipe(pump, value, edge):
    lib = core().lib
    first = lib.rpio_pump_watch(pump, 4, value, edge, RISING)
    os.ftruncate(edge, 0)
    os.lseek(edge, 0, os.SEEK_SET)
    assert lib.rpio_pump_watch(pump, 4, value, edge, BOTH) == first
    assert os.pread(edge, 99, 0) == b"both"
    os.ftruncate(edge, 0)
    assert lib.rpio_pump_watch(pump, 4, value, edge, BOTH) == first
    assert os.pread(edge, 99, 0) == b""  # the same again is not told to the kernel


def test_unwatch_closes_the_pipe_and_counts_what_is_left(pump, value, edge):
    lib = core().lib
    reopened = os.open(f"/proc/self/fd/{value}", os.O_RDONLY)
    readers = [lib.rpio_pump_watch(pump, line, fd, edge, BOTH) for line, fd in ((4, value), (5, reopened))]
    assert lib.rpio_pump_unwatch(pump, 4) == 1
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(readers[0])
    assert lib.rpio_pump_unwatch(pump, 4) == 1
    assert lib.rpio_pump_seq(pump, 4) == -errno.ENOENT
    assert lib.rpio_pump_unwatch(pump, 5) == 0
    os.close(reopened)


@pytest.mark.parametrize("edges", [-1, 0, 4])
def test_what_is_no_edge_is_refused(pump, value, edge, edges):
    assert core().lib.rpio_pump_watch(pump, 4, value, edge, edges) == -errno.EINVAL


def test_a_watch_that_fails_leaves_nothing_behind(pump, value, edge):
    lib = core().lib
    before = descriptors()
    assert lib.rpio_pump_watch(pump, 4, edge, edge, BOTH) == -errno.EPERM  # no file that epoll takes
    readable = os.open("/dev/null", os.O_RDONLY)
    assert lib.rpio_pump_watch(pump, 4, value, readable, BOTH) == -errno.EBADF  # the kernel says no
    os.close(readable)
    assert descriptors() == before
    assert lib.rpio_pump_unwatch(pump, 4) == 0


def test_the_child_of_a_fork_gives_back_its_copies_and_the_parent_goes_on(pump, value, edge):
    lib = core().lib
    reader = lib.rpio_pump_watch(pump, 4, value, edge, BOTH)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            try:
                os.fstat(reader)
            except OSError:
                status = 0
            lib.rpio_pump_free(pump)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    os.fstat(reader)
    assert lib.rpio_pump_unwatch(pump, 4) == 0


@pytest.mark.slow
def test_an_edge_that_waits_while_its_edges_change_belongs_to_the_old_terms(value, edge):
    """The thread has been woken, and waits for the mutex: the news are known to poll(2), and to nobody else."""
    sources = [
        SOURCE / "gpio.h",
        *(SOURCE / f"{part}.c" for part in ("sysfs", "fork", "event")),
        HERE / "news.c",
    ]
    statements = declarations(SOURCE / "gpio.h").split(";")
    pump_calls = "".join(f"{statement};" for statement in statements if "rpio_pump_" in statement)
    module = build(
        "pump_with_news",
        sources,
        "struct rpio_pump;" + pump_calls + declarations(HERE / "news.h"),
        sanitize=SANITIZE,
        defines=["_GNU_SOURCE", "poll=poll_of_the_test"],
    )
    lib, ffi = module.lib, module.ffi
    out = ffi.new("struct rpio_pump **")
    assert lib.rpio_pump_new(out) == 0
    reader = lib.rpio_pump_watch(out[0], 4, value, edge, RISING)
    lib.news_wait_on(value + 1000)
    assert lib.rpio_pump_watch(out[0], 4, value, edge, BOTH) == reader
    assert not select.select([reader], [], [], 0)[0]  # there was no news
    lib.news_wait_on(value)
    assert lib.rpio_pump_watch(out[0], 4, value, edge, BOTH) == reader
    assert not select.select([reader], [], [], 0)[0]  # nothing has changed
    assert lib.rpio_pump_watch(out[0], 4, value, edge, FALLING) == reader
    _gpio.events_read(reader)
    before = lib.rpio_pump_seq(out[0], 4)
    assert lib.rpio_pump_watch(out[0], 4, value, edge, RISING) == reader
    assert lib.rpio_pump_seq(out[0], 4) == before + 1
    events = _gpio.events_read(reader)
    assert [(event.line, event.value, event.seq) for event in events] == [(4, 0, before + 1)]
    lib.rpio_pump_free(out[0])
