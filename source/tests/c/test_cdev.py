# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the character device code refuses before the kernel is asked; the rest runs on a real kernel (kernel/)."""

import errno
import os

import pytest

from c.core import core
from support import of_ioctl


def config(**fields):
    start = {"direction": 1, "value": 0, "pull": -1, "edges": 0, "debounce_us": 0}
    return core().ffi.new("struct rpio_line_config *", start | fields)


@pytest.mark.parametrize("fields", [{"pull": 3}, {"pull": -2}, {"edges": 4}, {"edges": -1}])
@pytest.mark.slow
def test_a_configuration_that_means_nothing_is_refused(fields):
    lib = core().lib
    assert lib.rpio_cdev_request(-1, 0, config(**fields), b"RPIO", 16) == -errno.EINVAL
    assert lib.rpio_cdev_configure(-1, config(**fields)) == -errno.EINVAL


def test_errors_of_the_kernel_come_back_as_numbers(tmp_path):
    lib = core().lib
    plain = tmp_path / "file"
    plain.write_text("")
    assert lib.rpio_cdev_open(str(plain).encode()) == -of_ioctl(errno.ENOTTY)
    assert lib.rpio_cdev_open(str(tmp_path / "none").encode()) == -errno.ENOENT
    assert lib.rpio_cdev_read(-1) == -of_ioctl(errno.EBADF)
    assert lib.rpio_cdev_write(-1, 1) == -of_ioctl(errno.EBADF)
    assert lib.rpio_cdev_request(-1, 0, config(), b"RPIO", 16) == -of_ioctl(errno.EBADF)


def test_a_long_consumer_name_is_cut_not_overrun():
    assert core().lib.rpio_cdev_request(-1, 0, config(), b"x" * 1000, 16) == -of_ioctl(errno.EBADF)


def test_a_refused_open_leaves_no_descriptor(tmp_path):
    (tmp_path / "file").write_text("")
    before = os.listdir("/proc/self/fd")
    assert core().lib.rpio_cdev_open(str(tmp_path / "file").encode()) < 0
    assert os.listdir("/proc/self/fd") == before


def test_a_file_is_watched_until_it_goes(tmp_path):
    lib = core().lib
    path = tmp_path / "gpiochip9"
    path.write_text("")
    fd = lib.rpio_cdev_file_watch(str(path).encode())
    assert fd >= 0
    with pytest.raises(BlockingIOError):
        os.read(fd, 4096)
    path.unlink()
    assert os.read(fd, 4096)
    os.close(fd)
    assert lib.rpio_cdev_file_watch(str(path).encode()) == -errno.ENOENT
