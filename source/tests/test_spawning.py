# SPDX-License-Identifier: LGPL-3.0-or-later
"""spawn(): what a program has when it begins, and what is said where it cannot; by the C core and by Python alone."""

import errno
import os
import resource
import signal
import stat
import sys

import pytest

from RPIO import _gpio
from RPIO.programs import spawning
from RPIO.programs.process import Limits
from RPIO.pure import spawning as pure

WAYS = [pytest.param(_gpio.spawn, id="core"), pytest.param(pure.spawn, id="pure")]


@pytest.fixture(params=WAYS)
def spawn(request, monkeypatch):
    monkeypatch.setattr(spawning._gpio, "spawn", request.param)
    return spawning.spawn


def read(fd):
    out = b""
    os.set_blocking(fd, True)
    while True:
        try:
            data = os.read(fd, 4096)
        except OSError as e:
            assert e.errno == errno.EIO
            return out
        if not data:
            return out
        out += data


def close(started):
    for fd in {started.stdin, started.stdout, started.stderr} - {-1}:
        os.close(fd)


def run(spawn, text, size=None, kept=(), limits=(), environment=None, folder="/"):
    """Run Python; return its status and output."""
    started = spawn(
        [sys.executable, "-c", text], environment or {"A": "b=c"}, folder, size, list(kept), list(limits)
    )
    out = read(started.stdout)
    _, status = os.waitpid(started.pid, 0)
    err = b"" if started.stderr < 0 else read(started.stderr)
    close(started)
    return os.waitstatus_to_exitcode(status), out, err


def test_it_has_its_words_environment_and_folder(spawn, tmp_path):
    text = "import os; print(os.environ['A'], os.getcwd())"
    assert run(spawn, text, folder=str(tmp_path)) == (0, f"b=c {tmp_path}\n".encode(), b"")


def test_it_leads_a_session_and_a_group(spawn):
    out = run(spawn, "import os; print(os.getpid() == os.getpgrp() == os.getsid(0))")[1]
    assert out == b"True\n"


def test_no_signal_is_ignored_or_blocked(spawn):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        text = "print([l.split()[1] for l in open('/proc/self/status') if l[:7] in ('SigBlk:', 'SigIgn:')])"
        out = run(spawn, f"import signal\n{text}")[1]
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    blocked, ignored = (int(word, 16) for word in eval(out))
    assert blocked == 0
    others = ignored & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)  # which Python itself ignores
    assert not others & ((1 << 31) - 1)  # those behind 31 are the C library's, which lets nobody set them


def test_this_process_has_its_signals_as_before(spawn):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    run(spawn, "pass")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_it_is_a_subreaper_and_dies_with_who_has_started_it(spawn):
    text = """\
import ctypes
found = [ctypes.c_int(), ctypes.c_int()]
for n, option in enumerate((37, 2)): ctypes.CDLL(None).prctl(option, ctypes.byref(found[n]), 0, 0, 0)
print(*[each.value for each in found])"""
    assert run(spawn, text)[1] == b"1 %d\n" % signal.SIGKILL


def test_it_has_the_descriptors_that_are_kept_and_no_others(spawn):
    kept, other = os.pipe()
    os.set_inheritable(other, True)
    try:
        text = "import os; print([n for n in range(1000) if os.path.exists(f'/proc/self/fd/{n}')])"
        assert run(spawn, text, kept=[kept])[1] == b"[0, 1, 2, %d]\n" % kept
    finally:
        os.close(kept)
        os.close(other)


def test_its_terminal_is_that_of_its_session_and_has_the_size(spawn):
    text = """\
import os
print(os.isatty(0), os.get_terminal_size(), open('/dev/tty').isatty(), os.tcgetpgrp(0) == os.getpgrp())"""
    assert run(spawn, text, size=(7, 33))[1] == b"True os.terminal_size(columns=33, lines=7) True True\r\n"


def test_limits_hold_and_cannot_be_raised(spawn):
    numbers = Limits(memory_mb=300, processes=40, files=30).numbers(there=10)
    text = """\
import resource as r
for what in (r.RLIMIT_AS, r.RLIMIT_NPROC, r.RLIMIT_NOFILE): print(*r.getrlimit(what))"""
    assert run(spawn, text, limits=numbers)[1].split() == [b"314572800"] * 2 + [b"50"] * 2 + [b"30"] * 2


def test_a_limit_above_the_hard_one_is_that(spawn):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    out = run(spawn, "import resource as r; print(*r.getrlimit(7))", limits=[7, 1 << 50])[1]
    assert out == b"%d %d\n" % (most, most)


@pytest.mark.parametrize(
    ("words", "folder", "number", "name"),
    [
        (["/no/such/file"], "/", errno.ENOENT, "/no/such/file"),
        (["/etc/passwd"], "/", errno.EACCES, "/etc/passwd"),
        ([sys.executable], "/no/such/folder", errno.ENOENT, "/no/such/folder"),
    ],
)
def test_what_cannot_begin_is_an_error_that_names_it_and_leaves_nothing(words, folder, number, name):
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=name) as caught:
        spawning.spawn(words, {}, folder, None, [], [])
    assert caught.value.errno == number
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, 0)


@pytest.mark.parametrize(
    ("kept", "limits"),
    [([2], []), ([7, 5], []), ([1 << 20], []), (list(range(3, 40)), []), ([], [7, 10] * 9)],
)
def test_bad_numbers_are_errors(kept, limits):
    with pytest.raises((ValueError, OSError)):
        _gpio.spawn(sys.executable.encode(), [b"python"], [], b"/", (0, 1, 2), False, kept, limits)


def test_a_word_with_a_nul_is_an_error():
    with pytest.raises(ValueError, match="null"):
        _gpio.spawn(sys.executable.encode(), [b"a\0b"], [], b"/", (0, 1, 2), False, [], [])


# -- a scope of systemd's ---------------------------------------------------------------------------


def test_where_systemd_runs_a_scope_has_the_limits(tmp_path, monkeypatch):
    there = tmp_path / "systemd-run"
    there.write_text("#!/bin/sh\nexit 0\n")
    there.chmod(there.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(spawning, "IN_SYSTEMD", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert spawning.scope_words(Limits(512, 64, 64), 150) == [
        str(there),
        *("--scope", "--quiet", "--collect"),
        *("-p", "MemoryMax=512M", "-p", "TasksMax=64", "-p", "CPUQuota=150%", "--"),
    ]
    assert spawning.scope_words(Limits(0, 0, 0), 0) == [str(there), "--scope", "--quiet", "--collect", "--"]


def test_without_systemd_or_a_bus_of_the_user_there_is_none(tmp_path, monkeypatch):
    assert spawning.scope_words(Limits(), 0) == [] or os.path.isdir(spawning.IN_SYSTEMD)
    monkeypatch.setattr(spawning, "IN_SYSTEMD", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert spawning.scope_words(Limits(), 0) == []
