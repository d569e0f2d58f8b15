# SPDX-License-Identifier: LGPL-3.0-or-later
"""How `make test` runs its two parts, and how the kernel rig notices a guest that has come to a stand."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from waiting import LIMIT_S, wait_until

HERE = Path(__file__).parent
PROGRAM = HERE / "side_by_side.py"


def module_of(path):
    loader = SourceFileLoader(path.stem, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(path.stem, loader))
    loader.exec_module(module)
    return module


def start(log, *commands, processors=None):
    command = [sys.executable, str(PROGRAM), str(log), *commands]
    if processors:
        allow = f"import os, sys; os.sched_setaffinity(0, {processors}); os.execv(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", allow, *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "folder" / "log"


needs_two_processors = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="with one processor nothing runs side by side"
)


@needs_two_processors
def test_both_run_at_once_and_each_is_shown_whole(log, tmp_path):
    """Each waits for the other in the middle of what it says."""
    commands = []
    for name, other in ("one", "two"), ("two", "one"):
        os.mkfifo(tmp_path / f"{name}.fifo")
        meets = f"echo > {tmp_path}/{other}.fifo & read _ < {tmp_path}/{name}.fifo; wait"
        commands.append(f"echo {name} begins; {meets}; echo {name} ends >&2")
    out, _ = start(log, *commands).communicate(timeout=LIMIT_S)
    assert out == "one begins\none ends\ntwo begins\ntwo ends\n"
    assert log.read_text() == "two begins\ntwo ends\n"


@needs_two_processors
def test_the_second_is_shown_as_it_comes_when_the_first_has_ended(log, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    process = start(log, "echo one", f"echo two; read _ < {tmp_path}/fifo; echo three")
    assert [process.stdout.readline() for _ in range(2)] == ["one\n", "two\n"]
    (tmp_path / "fifo").write_text("\n")
    assert process.communicate(timeout=LIMIT_S)[0] == "three\n"


def test_with_one_processor_they_run_one_after_the_other(log):
    processor = min(os.sched_getaffinity(0))
    process = start(log, "echo one; exit 3", "echo two", processors={processor})
    assert process.communicate(timeout=LIMIT_S)[0] == "one\ntwo\n"
    assert process.returncode == 3
    assert not log.exists()


@pytest.mark.parametrize(
    ("first", "other", "status"),
    [("true", "true", 0), ("exit 4", "true", 4), ("true", "exit 5", 5), ("exit 4", "exit 5", 4)],
)
@pytest.mark.parametrize("alone", [False, True])
def test_the_status_is_that_of_the_first_that_failed(log, first, other, status, alone):
    process = start(log, first, other, processors={min(os.sched_getaffinity(0))} if alone else None)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == status


def test_a_command_that_a_signal_ends_has_failed(log):
    process = start(log, "kill -9 $$", "true")
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + signal.SIGKILL


@needs_two_processors
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_it_ends_both_with_their_children(log, tmp_path, number):
    for name in "one", "two":
        os.mkfifo(tmp_path / name)
    # A child holds the fifo open for as long as it lives, whatever its shell does.
    commands = [f"sh -c 'exec > {tmp_path}/{name}; echo; exec sleep 600'; echo on" for name in ("one", "two")]
    process = start(log, *commands)
    with open(tmp_path / "one") as one, open(tmp_path / "two") as two:
        assert (one.readline(), two.readline()) == ("\n", "\n")
        process.send_signal(number)
        assert (one.read(), two.read()) == ("", "")  # the end of the file: no child is left
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == -number


# -- the rig --------------------------------------------------------------------------------------------------


@pytest.fixture
def rig():
    return module_of(HERE / "kernel" / "rig")


@pytest.fixture
def guest():
    """What passes output on, of a guest that the test plays: its three pipes to write to."""
    pipes = [os.pipe() for _ in range(3)]
    yield [reader for reader, _ in pipes], [os.fdopen(writer, "wb", 0) for _, writer in pipes]
    for reader, _ in pipes:
        os.close(reader)


def test_a_guest_that_says_nothing_is_noticed_and_its_kernels_last_words_are_kept(rig, guest):
    readers, writers = guest
    kept = rig.Tail()
    writers[2].write(b"Kernel panic")
    with pytest.raises(rig.GuestIsSilent):
        rig.pass_on(*readers, kept, 0.05)
    assert str(kept) == "Kernel panic"
    for writer in writers:
        writer.close()


@pytest.mark.parametrize("where", [0, 1, 2], ids=["stdout", "stderr", "kernel"])
@pytest.mark.slow
def test_a_guest_that_says_something_now_and_then_may_take_as_long_as_it_likes(rig, guest, where, capfd):
    """Each time within what is allowed, ten times as long in all."""
    readers, writers = guest
    said = []
    passing = threading.Thread(target=lambda: said.append(rig.pass_on(*readers, rig.Tail(), 2)))
    passing.start()
    for _ in range(10):
        writers[where].write(b".")
        assert not wait_until(lambda: not passing.is_alive(), 0.25)
    for writer in writers:
        writer.close()
    passing.join(LIMIT_S)
    assert said == [None]
    assert capfd.readouterr()[:] == (("." * 10, ""), ("", "." * 10), ("", ""))[where]


def test_the_rig_has_no_limit_for_the_whole(rig):
    options = rig.parse(["run", "--", "true"])
    assert options.timeout is None
    assert options.silence > 300  # what pyproject.toml gives to one test


def test_the_guest_gets_one_of_the_processors_that_are_allowed(rig):
    assert rig.one_processor() in os.sched_getaffinity(0)


def test_the_guest_gets_the_processor_that_is_idle(rig, monkeypatch):
    allowed = sorted(os.sched_getaffinity(0))
    looks = [dict.fromkeys(allowed, 100), {cpu: 100 + 10 * (cpu == allowed[-1]) for cpu in allowed}]
    monkeypatch.setattr(rig, "idle_ticks", lambda: looks.pop(0))
    assert rig.one_processor() == allowed[-1]
    assert looks == []


def test_without_figures_it_gets_one_all_the_same(rig, monkeypatch):
    monkeypatch.setattr(rig, "idle_ticks", dict)
    assert rig.one_processor() in os.sched_getaffinity(0)


def test_the_figures_of_this_machine_are_read(rig):
    assert rig.idle_ticks().keys() >= os.sched_getaffinity(0)
