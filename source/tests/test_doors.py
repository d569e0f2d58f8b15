# SPDX-License-Identifier: LGPL-3.0-or-later
"""Unix sockets that are listened at: what is left at a path, and two who come at once."""

import contextlib
import os
import socket
import stat
import threading

import pytest

from RPIO.server.connections import doors
from waiting import LIMIT_S


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "rpio.sock")


def leave_stale(path):
    """What a killed server leaves."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen()


def open_door(path, opened, failed):
    door = doors.Path(path)
    try:
        door.open()
    except OSError as e:
        failed.append(e)
    else:
        opened.append(door)


def close(opened):
    for door in opened:
        door.free()
        door.listener.close()


@pytest.mark.parametrize("step", ["is_stale", "_remove"])
def test_of_two_who_find_a_stale_socket_one_listens_there(path, monkeypatch, step):
    leave_stale(path)
    opened, failed, seconds = [], [], []
    original = getattr(doors, step)

    def with_another_one(path):
        found = original(path)
        if not seconds:  # in the middle of the first
            second = threading.Thread(target=open_door, args=(path, opened, failed))
            seconds.append(second)
            second.start()
            second.join(0.3)  # it waits, or else it is done by then
        return found

    # The other one is another process, which no lock of this one keeps out.
    monkeypatch.setattr(doors.hooks, "making", contextlib.nullcontext())
    monkeypatch.setattr(doors, step, with_another_one)
    open_door(path, opened, failed)
    seconds[0].join(LIMIT_S)
    assert len(opened) == 1 and isinstance(failed[0], OSError)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    close(opened)


def test_who_holds_the_lock_of_the_folder_keeps_nobody_out(path, monkeypatch):
    monkeypatch.setattr(doors, "LOCK_PAUSE_S", 0.0001)
    lock = doors._lock(os.path.dirname(path))
    opened = []
    open_door(path, opened, [])
    lock.close()
    assert len(opened) == 1
    close(opened)


def test_one_that_fails_leaves_nothing_at_its_path(path, monkeypatch):
    def forbidden(path, mode):
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "chmod", forbidden)
    with pytest.raises(PermissionError):
        doors.Path(path).open()
    assert not os.path.lexists(path)


def test_one_who_is_stopped_with_a_full_queue_is_there(path):
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(path)
        stopped.listen(0)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            found = []
            thread = threading.Thread(target=lambda: found.append(doors.is_stale(path)), daemon=True)
            thread.start()
            thread.join(LIMIT_S)
            assert found == [False]
            with pytest.raises(OSError) as caught:
                doors.Path(path).open()
            assert caught.value.filename == path and stat.S_ISSOCK(os.stat(path).st_mode)


def test_a_file_is_never_replaced(path):
    with open(path, "w", encoding="utf-8"):
        pass
    with pytest.raises(OSError):
        doors.Path(path).open()
    assert os.path.isfile(path)
