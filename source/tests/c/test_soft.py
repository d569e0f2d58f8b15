# SPDX-License-Identifier: LGPL-3.0-or-later
"""PWM by software on a modelled SoC: what is written is in the model's log.

The model knows no threads. While the engine's thread runs only that touches it; a test looks before and after.
"""

import errno
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import pytest

from c.core import broken, core
from support import EMULATED, FORKS, of_ioctl
from waiting import wait_until

US, MS, S = 1_000, 1_000_000, 1_000_000_000
NEVER = (1 << 64) - 1
OUT = 0
GPSET0, GPSET1, GPCLR0, GPCLR1 = 0x1C, 0x20, 0x28, 0x2C
"""BCM2835 ARM Peripherals, 6.1, register view."""


class Bench:
    """An engine and a modelled BCM2835."""

    def __init__(self, stepped):
        self.lib, self.ffi = core().lib, core().ffi
        self.soc = self.ffi.gc(self.lib.soc_new(b"brcm,bcm2835-gpio"), self.lib.soc_free)
        self.regs = self.ffi.new("struct rpio_regs *")
        assert self.lib.rpio_regs_attach(self.regs, b"brcm,bcm2835-gpio", self.soc) == 0
        for line in range(54):
            assert self.lib.rpio_regs_set_function(self.regs, line, OUT) == 0
        self.lib.soc_log_clear(self.soc)
        out = self.ffi.new("struct rpio_pwm **")
        assert (self.lib.rpio_pwm_new_stepped if stepped else self.lib.rpio_pwm_new)(out) == 0
        self.pwm = out[0]

    def start(self, line, period, high):
        return self.lib.rpio_pwm_start_regs(self.pwm, self.regs, line, period, high)

    def stop(self, line, value=0):
        return self.lib.rpio_pwm_stop(self.pwm, line, value)

    def limit(self, line, after, off=0):
        return self.lib.rpio_pwm_limit_regs(self.pwm, self.regs, line, after, off)

    def limit_left(self, line):
        left = self.ffi.new("uint64_t *")
        error = self.lib.rpio_pwm_limit_left(self.pwm, line, left)
        return left[0] if error == 0 else error

    def query(self, line):
        info = self.ffi.new("struct rpio_pwm_info *")
        error = self.lib.rpio_pwm_query(self.pwm, line, info)
        return info if error == 0 else error

    def has_begun(self, line, periods):
        return wait_until(lambda: self.query(line).periods >= periods)

    def step(self, now):
        due = self.ffi.new("uint64_t *")
        assert self.lib.rpio_pwm_step(self.pwm, now, due) == 0
        return due[0]

    def writes(self):
        """What has been written, as (register, bits)."""
        offset, value, is_write = (self.ffi.new(t) for t in ("uint32_t *", "uint32_t *", "int *"))
        found = []
        for index in range(self.lib.soc_log_count(self.soc)):
            assert self.lib.soc_log_entry(self.soc, index, offset, value, is_write) == 0
            assert is_write[0]
            found.append((offset[0], value[0]))
        return found

    def level(self, line):
        return self.lib.soc_level(self.soc, line)

    def close(self):
        self.lib.rpio_pwm_free(self.pwm)
        self.pwm = self.ffi.NULL
        assert broken(core(), self.soc) == []


@pytest.fixture
def stepped():
    bench = Bench(True)
    yield bench
    bench.close()


@pytest.fixture
def threaded():
    bench = Bench(False)
    yield bench
    bench.close()


def threads():
    """The engine's threads in this process."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().strip() == "rpio-pwm":
                found.append(task)
        except OSError:
            continue  # it has ended since
    return found


# -- what is written, in steps --------------------------------------------------------------------------


def test_the_first_edge_is_written_at_once(stepped):
    assert stepped.start(17, MS, 400 * US) == 0
    assert stepped.writes() == [(GPSET0, 1 << 17)]
    assert stepped.step(0) == 400 * US
    assert stepped.step(400 * US) == MS
    assert stepped.writes()[1:] == [(GPCLR0, 1 << 17)]


def test_edges_of_one_register_and_time_are_one_write(stepped):
    lines = (4, 40, 5, 41, 6)
    for line in lines:
        assert stepped.start(line, MS, 400 * US) == 0
    stepped.step(400 * US)
    assert stepped.writes()[len(lines) :] == [(GPCLR0, 0b111 << 4), (GPCLR1, 0b11 << 8)]
    stepped.step(MS)
    assert stepped.writes()[len(lines) + 2 :] == [(GPSET0, 0b111 << 4), (GPSET1, 0b11 << 8)]


def test_falling_edges_are_written_first(stepped):
    stepped.start(4, 2 * MS, MS)
    stepped.start(5, MS, 400 * US)
    stepped.step(400 * US)
    stepped.lib.soc_log_clear(stepped.soc)
    stepped.step(MS)
    assert stepped.writes() == [(GPCLR0, 1 << 4), (GPSET0, 1 << 5)]


@pytest.mark.parametrize("value", [0, 1, 7])
@pytest.mark.parametrize("at", [0, 400 * US])
def test_stop_leaves_the_line_at_the_level_and_writes_no_more(stepped, value, at):
    stepped.start(17, MS, 400 * US)
    stepped.step(at)
    assert stepped.stop(17, value) == 0
    assert stepped.level(17) == (value > 0)
    written = stepped.writes()
    assert stepped.step(10 * MS) == NEVER
    assert stepped.writes() == written
    assert stepped.stop(17) == -errno.ENOENT
    assert stepped.query(17) == -errno.ENOENT


def test_starting_a_line_that_runs_changes_it(stepped):
    assert stepped.start(17, MS, 400 * US) == 0
    assert stepped.start(17, 2 * MS, 500 * US) == 0
    info = stepped.query(17)
    assert (info.period_ns, info.high_ns, info.periods, info.error) == (2 * MS, 500 * US, 1, 0)


def test_change_is_for_a_line_that_runs(stepped):
    assert stepped.lib.rpio_pwm_change(stepped.pwm, 17, MS, MS // 2) == -errno.ENOENT
    stepped.start(17, MS, MS // 4)
    assert stepped.lib.rpio_pwm_change(stepped.pwm, 17, MS, MS // 2) == 0
    assert stepped.query(17).high_ns == MS // 2
    assert stepped.lib.rpio_pwm_change(stepped.pwm, 17, MS, 2 * MS) == -errno.EINVAL
    assert stepped.query(17).high_ns == MS // 2
    stepped.stop(17)
    before = stepped.writes()
    assert stepped.lib.rpio_pwm_change(stepped.pwm, 17, MS, MS // 2) == -errno.ENOENT
    assert stepped.writes() == before and stepped.query(17) == -errno.ENOENT


def test_wrong_arguments_start_nothing(stepped):
    assert stepped.start(54, MS, 400 * US) == -errno.EINVAL
    assert stepped.start(17, 999, 1) == -errno.EINVAL
    assert stepped.start(17, MS, MS + 1) == -errno.EINVAL
    assert stepped.query(17) == -errno.ENOENT
    assert stepped.writes() == []
    stepped.start(17, MS, 400 * US)
    assert stepped.start(17, MS, MS + 1) == -errno.EINVAL
    assert stepped.query(17).high_ns == 400 * US


def test_a_descriptor_that_fails_starts_nothing(stepped):
    reader, writer = os.pipe()
    assert stepped.lib.rpio_pwm_start_fd(stepped.pwm, reader, 17, MS, 1) == -of_ioctl(errno.ENOTTY)
    assert stepped.query(17) == -errno.ENOENT
    assert stepped.step(MS) == NEVER
    os.close(reader)
    os.close(writer)


def test_time_does_not_go_back(stepped):
    stepped.step(5 * MS)
    stepped.start(17, MS, 400 * US)
    assert stepped.step(0) == 5 * MS + 400 * US


# -- the longest time that a line is on -----------------------------------------------------------------


def test_a_limit_is_one_write_at_its_time(stepped):
    assert stepped.limit(17, 5 * MS) == 0
    assert stepped.step(5 * MS - 1) == 5 * MS
    assert stepped.limit_left(17) == 1
    assert stepped.writes() == []
    assert stepped.step(5 * MS) == NEVER
    assert stepped.writes() == [(GPCLR0, 1 << 17)]
    assert stepped.limit_left(17) == 0
    stepped.step(10 * MS)
    assert len(stepped.writes()) == 1


def test_at_its_time_the_line_gets_no_edge_of_its_own(stepped):
    assert stepped.start(17, 2 * MS, 1 * MS) == 0
    assert stepped.limit(17, 4 * MS) == 0  # when a period begins
    for now in range(0, 9 * MS, MS):
        stepped.step(now)
    assert [register for register, _ in stepped.writes()] == [GPSET0, GPCLR0, GPSET0, GPCLR0, GPCLR0]
    assert stepped.query(17) == -errno.ENOENT


def test_a_wave_goes_on_with_its_other_lines(stepped):
    ffi = stepped.ffi
    lines = ffi.new("struct rpio_wave_line[]", [(stepped.regs, -1, 17), (stepped.regs, -1, 27)])
    edges = ffi.new("struct rpio_wave_edge[]", [(0, 17, 1), (0, 27, 1), (MS, 17, 0), (MS, 27, 0)])
    assert stepped.lib.rpio_pwm_play(stepped.pwm, lines, 2, edges, 4, 2 * MS, 0, -1) > 0
    assert stepped.limit(17, 3 * MS) == 0
    for now in range(0, 9 * MS, MS):
        stepped.step(now)
    ons = [bits for register, bits in stepped.writes() if register == GPSET0]
    assert [bool(bits & 1 << 17) for bits in ons] == [True, True, False, False, False]
    assert all(bits & 1 << 27 for bits in ons)


@pytest.mark.parametrize("off", [0, 1])
def test_off_is_what_was_said(stepped, off):
    assert stepped.limit(33, MS, off) == 0
    stepped.step(MS)
    assert stepped.writes() == [(GPSET1 if off else GPCLR1, 1 << 1)]


def test_a_limit_anew_begins_anew_and_unlimit_ends_it(stepped):
    assert stepped.limit(17, 5 * MS) == 0
    stepped.step(4 * MS)
    assert stepped.limit(17, 5 * MS) == 0
    assert stepped.step(5 * MS) == 9 * MS
    assert stepped.lib.rpio_pwm_unlimit(stepped.pwm, 17) == 0
    assert stepped.lib.rpio_pwm_unlimit(stepped.pwm, 17) == stepped.limit_left(17) == -errno.ENOENT
    assert stepped.step(20 * MS) == NEVER
    assert stepped.writes() == []


def test_so_many_limits_and_no_more(stepped):
    def limit_fd(line):
        return stepped.lib.rpio_pwm_limit_fd(stepped.pwm, -1, line, MS, 0)

    count = stepped.lib.RPIO_PWM_LINES
    assert [limit_fd(line) for line in range(count)] == [0] * count
    assert limit_fd(count) == -errno.ENOSPC
    assert limit_fd(0) == 0  # anew
    assert stepped.step(MS) == NEVER
    # What the descriptor has said; an emulator of user programs does not know the request.
    assert stepped.limit_left(0) in (-errno.EBADF, -errno.ENOSYS)
    assert stepped.limit(54, MS) == -errno.EINVAL  # no line of the registers


def test_a_stop_before_the_limit_leaves_the_limit(stepped):
    assert stepped.start(17, 2 * MS, 1 * MS) == 0
    assert stepped.limit(17, 5 * MS) == 0
    assert stepped.stop(17, 1) == 0
    stepped.step(5 * MS)
    assert stepped.level(17) == 0
    assert stepped.stop(17, 1) == -errno.ENOENT  # which writes nothing
    assert stepped.level(17) == 0


def test_the_thread_carries_a_limit_out_and_ends(threaded):
    threaded.lib.rpio_regs_write(threaded.regs, 17, 1)
    assert threaded.limit(17, 20 * MS) == 0
    assert wait_until(lambda: threaded.limit_left(17) == 0)
    assert wait_until(lambda: not threads())
    assert threaded.level(17) == 0
    assert threaded.limit(17, 60 * S) == 0
    assert threaded.limit(27, 20 * MS) == 0  # an earlier one wakes it
    assert wait_until(lambda: threaded.limit_left(27) == 0)
    assert threaded.lib.rpio_pwm_unlimit(threaded.pwm, 17) == 0
    assert wait_until(lambda: not threads())


# -- the thread -----------------------------------------------------------------------------------------


def test_the_thread_writes_the_wave(threaded):
    assert threaded.start(17, MS, 400 * US) == 0
    assert threaded.has_begun(17, 20)
    assert threaded.stop(17) == 0
    # On a busy machine it comes too late for a pulse now and then, and then says again what is so already.
    changes = [write for write, _ in groupby(threaded.writes())]
    assert changes == [(GPSET0, 1 << 17), (GPCLR0, 1 << 17)] * (len(changes) // 2)
    assert len(changes) >= 10
    assert threaded.level(17) == 0


def test_a_fast_line_does_not_wait_for_a_slow_one(threaded):
    """The thread sleeps for an hour when the second line starts, and again when it changes."""
    hour = 3600 * S
    assert threaded.start(17, hour, hour // 2) == 0
    assert threaded.start(18, MS, 400 * US) == 0
    assert threaded.has_begun(18, 3)
    assert threaded.start(18, MS, 0) == 0
    assert threaded.has_begun(18, 3)
    assert threaded.start(18, 2 * MS, MS) == 0
    assert threaded.has_begun(18, 6)
    assert threaded.query(17).periods == 1


def test_the_thread_lives_while_a_line_runs(threaded):
    assert threads() == []
    for _ in range(3):
        threaded.start(17, MS, 0)
        threaded.start(18, MS, 400 * US)
        assert wait_until(lambda: len(threads()) == 1)
        threaded.stop(17)
        assert len(threads()) == 1
        threaded.stop(18)
        assert wait_until(lambda: threads() == [])


def test_free_ends_the_thread_and_writes_nothing():
    bench = Bench(False)
    bench.start(17, 3600 * S, 1800 * S)
    bench.close()
    assert wait_until(lambda: threads() == [])  # /proc shows one that has been joined a moment longer
    assert bench.writes() == [(GPSET0, 1 << 17)]


def test_the_thread_takes_no_signals(threaded):
    threaded.start(17, MS, 400 * US)
    assert wait_until(lambda: len(threads()) == 1)
    status = dict(line.split(":", 1) for line in (threads()[0] / "status").read_text().splitlines())
    blocked = int(status["SigBlk"], 16)
    for number in (1, 2, 10, 12, 14, 15, 17, *(() if EMULATED else (34,)), 64):
        assert blocked >> (number - 1) & 1


def test_a_thread_that_is_always_behind_does_not_keep_others_out(threaded):
    for line in range(8):
        assert threaded.start(line, 1000 + line, 500) == 0
    for line in range(8):
        for _ in range(50):
            assert threaded.start(line, 1100, 300) == 0
    for line in range(8):
        assert threaded.stop(line) == 0


def test_many_threads_may_call(threaded):
    def work(line):
        for n in range(100):
            assert threaded.start(line, MS + line, n * US) == 0
            assert threaded.start(line, MS + line, 0) == 0
            assert threaded.query(line).error == 0
            assert threaded.stop(line) == 0

    workers = [threading.Thread(target=work, args=(line,)) for line in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {threaded.level(line) for line in range(4)} == {0}
    assert wait_until(lambda: threads() == [])


def timer_slept_on():
    """Which of its timers the engine waits for: the descriptor that it reads. None: it does not wait now."""
    words = [(task / "syscall").read_text().split() for task in threads()]
    fds = {
        int(entry.name): os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()
    }
    timers = sorted(fd for fd, file in fds.items() if "timerfd" in file)
    if len(words) != 1 or len(words[0]) < 2 or len(timers) != 2:
        return None
    fd = int(words[0][1], 16)
    return timers.index(fd) if fd in timers else None


@pytest.mark.parametrize("timer", [0, 1])
def test_a_change_wakes_the_thread_on_whichever_timer_it_sleeps(threaded, timer):
    """A first edge is slept for on timer 0, and the next one, an hour later, on timer 1, which has been set ahead."""
    try:
        Path("/proc/self/syscall").read_text()
    except OSError:
        pytest.skip("this kernel does not tell what a thread waits for (/proc/PID/syscall)")
    for high in [1800 * S] if timer == 0 else [MS, 10 * MS, 100 * MS, S, 10 * S]:
        assert threaded.start(17, 3600 * S, high) == 0
        assert wait_until(lambda: threaded.level(17) == timer ^ 1 and timer_slept_on() is not None)
        if timer_slept_on() == timer:
            break  # else the machine was too slow to sleep before that first edge
        assert threaded.stop(17) == 0
    assert timer_slept_on() == timer
    assert threaded.start(18, MS, 400 * US) == 0
    assert threaded.has_begun(18, 3)


def test_step_is_refused_where_a_thread_runs(threaded):
    due = threaded.ffi.new("uint64_t *")
    assert threaded.lib.rpio_pwm_step(threaded.pwm, 0, due) == -errno.EINVAL


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("then", ["abandon", "free"])
def test_the_child_of_a_fork_has_an_engine_that_does_nothing(threaded, then):
    threaded.start(17, MS, 400 * US)
    assert threaded.has_begun(17, 2)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if then == "abandon":
                threaded.lib.rpio_pwm_abandon(threaded.pwm)
                assert threaded.query(17) == -errno.ENOENT
                assert threaded.start(18, MS, 400 * US) == 0
                assert threaded.has_begun(18, 3)
            threaded.close()
            assert wait_until(lambda: threads() == [])
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    begun = threaded.query(17).periods
    assert threaded.has_begun(17, begun + 2)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.slow
def test_a_fork_at_any_moment_leaves_the_child_an_engine_that_is_whole(threaded):
    """Forked by one thread, while another changes PWM, a third one waves, and the engine's own is at work."""
    over, statuses, changes = threading.Event(), [], [0, 0]

    def change():
        while not over.is_set():
            for line in range(8):
                assert threaded.start(line, 20 * US + line, (changes[0] % 20) * US) == 0
            changes[0] += 1

    def play():
        ffi, lib = threaded.ffi, threaded.lib
        lines = ffi.new("struct rpio_wave_line[1]", [{"regs": threaded.regs, "fd": -1, "line": 17}])
        edges = ffi.new("struct rpio_wave_edge[2]", [(0, 17, 1), (5 * US, 17, 0)])
        wave = -1
        while not over.is_set():
            wave = lib.rpio_pwm_play(threaded.pwm, lines, 1, edges, 2, 10 * US, 0, wave)
            assert wave >= 0
            changes[1] += 1

    def fork():
        while not all(changes):
            pass
        try:
            for _ in range(FORKS):
                child = os.fork()
                if child == 0:
                    signal.alarm(20)  # kills it where it waits for what nobody gives it
                    threaded.lib.rpio_pwm_abandon(threaded.pwm)
                    is_empty = threaded.query(0) == -errno.ENOENT and threaded.stop(17) == -errno.ENOENT
                    is_usable = threaded.start(18, 3600 * S, 1800 * S) == 0 and threaded.stop(18) == 0
                    threaded.lib.rpio_pwm_close(threaded.pwm)
                    os._exit(0 if is_empty and is_usable else 1)
                statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        finally:
            over.set()

    with ThreadPoolExecutor(3) as workers:
        for work in [workers.submit(action) for action in (change, play, fork)]:
            work.result()
    assert statuses == [0] * FORKS
    begun = threaded.query(0).periods
    assert threaded.start(0, MS, 400 * US) == 0
    assert threaded.has_begun(0, begun + 2)
