# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is still to be undone: steps that fail, and those that lacked memory, which the next call does."""

import errno

import pytest

from RPIO.board.undoing import Undoing


def fail(error):
    raise error


def test_a_step_that_fails_keeps_no_other_from_being_done_and_is_not_done_again():
    undoing, done = Undoing(), []
    undoing.steps += [
        lambda: fail(OSError(errno.EIO, "the expander does not answer")),
        lambda: done.append(1),
    ]
    with pytest.raises(OSError, match="expander"):
        undoing.finish()
    undoing.finish()
    assert done == [1]


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "no memory")])
def test_a_step_that_lacks_memory_is_done_by_the_next_call(error):
    undoing, done, lacks = Undoing(), [], [error]
    undoing.steps += [lambda: fail(lacks.pop()) if lacks else done.append(1), lambda: done.append(2)]
    with pytest.raises(type(error)):
        undoing.finish()
    assert done == [2]
    undoing.finish()
    undoing.finish()
    assert done == [2, 1]
