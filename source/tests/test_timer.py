# SPDX-License-Identifier: LGPL-3.0-or-later
"""_gpio.Timer: a descriptor that is readable when a time is over."""

import errno
import math
import os
import select

import pytest

from RPIO import _gpio
from waiting import LIMIT_S


@pytest.fixture
def timer():
    timer = _gpio.Timer()
    yield timer
    timer.close()


def is_readable(timer, timeout_s):
    return bool(select.select([timer.fileno()], [], [], timeout_s)[0])


@pytest.mark.parametrize("seconds", [1e-12, 0.001, 0.02])
def test_it_is_readable_when_the_time_is_over_until_that_is_told(timer, seconds):
    assert not timer.over() and not is_readable(timer, 0)
    timer.start(seconds)
    assert is_readable(timer, LIMIT_S) and is_readable(timer, 0)
    assert timer.over() and not timer.over() and not is_readable(timer, 0)


def test_a_new_start_begins_anew(timer):
    timer.start(1e-9)
    assert is_readable(timer, LIMIT_S)
    timer.start(1000)
    assert not is_readable(timer, 0)
    timer.start(1)
    assert not timer.over()


@pytest.mark.parametrize("seconds", [0, -1, 1e9, math.nan, math.inf])
def test_no_time_is_an_error(timer, seconds):
    with pytest.raises(ValueError, match="more than 0 and less than 1e9 seconds"):
        timer.start(seconds)
    with pytest.raises(TypeError):
        timer.start("1")


def test_it_is_closed_once_and_with_the_object():
    timer = _gpio.Timer()
    fd = timer.fileno()
    assert not os.get_inheritable(fd)
    timer.close()
    timer.close()
    assert timer.fileno() == -1 and not timer.over()
    with pytest.raises(OSError) as e:
        timer.start(1)
    assert e.value.errno == errno.EBADF
    timer = _gpio.Timer()
    fd = timer.fileno()
    del timer
    with pytest.raises(OSError):
        os.fstat(fd)
