# SPDX-License-Identifier: LGPL-3.0-or-later
"""_gpio.File and _gpio.Line: descriptors that are closed with their objects, so that no interruption loses one."""

import errno
import fcntl
import os

import pytest

from RPIO import _gpio


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "value"
    path.write_text("1")
    return str(path)


def test_a_file_is_open_until_it_is_closed(path):
    file = _gpio.File(path, os.O_RDONLY)
    fd = file.fd
    assert os.read(fd, 2) == b"1"
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    file.close()
    assert file.fd == -1
    assert not is_open(fd)
    file.close()


def test_it_is_closed_with_its_object_and_with_its_block(path):
    file = _gpio.File(path, os.O_WRONLY)
    fd = file.fd
    del file
    assert not is_open(fd)
    with _gpio.File(path, os.O_RDWR) as file:
        fd = file.fd
        assert is_open(fd)
    assert not is_open(fd)


def test_what_does_not_open_is_an_error_with_its_path(tmp_path):
    path = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError) as caught:
        _gpio.File(path, os.O_RDWR)
    assert caught.value.filename == path
    made = _gpio.File(path, os.O_WRONLY | os.O_CREAT)
    made.close()
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("arguments", [(), ("x",), ("x", "y"), (1, 2), ("x\0y", os.O_RDONLY)])
def test_a_wrong_call_opens_nothing(arguments):
    before = os.listdir("/proc/self/fd")
    with pytest.raises((TypeError, ValueError)):
        _gpio.File(*arguments)
    with pytest.raises(TypeError):
        _gpio.File("x", flags=0)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_line_that_nobody_has_requested_has_no_descriptor():
    line = _gpio.Line()
    assert line.fd == -1
    line.close()


def test_a_line_is_requested_once(path):
    with _gpio.File(path, os.O_RDONLY) as file:
        line = _gpio.Line(os.dup(file.fd))
        with pytest.raises(OSError, match="busy") as caught:
            _gpio.line_request(line, file.fd, 0, 0, -1, 0, -1, 0, 0, "RPIO")
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(TypeError, match="a Line expected, not int"):
            _gpio.line_request(line.fd, file.fd, 0, 0, -1, 0, -1, 0, 0, "RPIO")
        line.close()


def test_the_child_of_a_fork_closes_what_does_not_stay(path):
    file, stays, pipe, timer = (
        _gpio.File(path, os.O_RDONLY),
        _gpio.File(path, os.O_RDONLY, True),
        _gpio.Pipe(),
        _gpio.Timer(),
    )
    closed = [file.fd, pipe.reader, pipe.writer, timer.fileno()]
    child = os.fork()
    if child == 0:
        _gpio.close_after_fork()
        left = [file.fd, pipe.reader, pipe.writer, timer.fileno()]
        is_right = left == [-1] * 4 and not any(map(is_open, closed)) and is_open(stays.fd)
        os._exit(0 if is_right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert all(map(is_open, closed))
