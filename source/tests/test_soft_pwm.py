# SPDX-License-Identifier: LGPL-3.0-or-later
"""SoftPwm and PwmPlan, the two types of the C core that PWM is made of, on a register block that is a file."""

import errno
import os
import struct
import sys

import pytest

from contract import rigs
from RPIO import _gpio
from RPIO.pulses import means, slots
from support import native
from waiting import wait_until

GPSET0, GPCLR0 = 0x1C, 0x28
US, MS = 1_000, 1_000_000


class Block:
    """Registers that are a file."""

    def __init__(self, path):
        path.write_bytes(bytes(0x1000))
        self.path = path
        self.registers = _gpio.Registers("brcm,bcm2835-gpio", str(path))

    def take(self, offset):
        """The word that was written, which is 0 afterwards."""
        with self.path.open("r+b") as f:
            f.seek(offset)
            word = struct.unpack("<I", f.read(4))[0]
            f.seek(offset)
            f.write(bytes(4))
        return word


@pytest.fixture
def block(tmp_path):
    return Block(tmp_path / "block")


@pytest.fixture
def pwm():
    pwm = _gpio.SoftPwm()
    yield pwm
    pwm.close()


@pytest.fixture
def stepped():
    pwm = _gpio.SoftPwm(stepped=True)
    yield pwm
    pwm.close()


def test_a_stepped_line_is_written_when_it_is_due(block, stepped):
    stepped.start_regs(block.registers, 17, MS, 400 * US)
    assert (block.take(GPSET0), block.take(GPCLR0)) == (1 << 17, 0)
    assert stepped.step(0) == 400 * US
    assert stepped.step(400 * US) == MS
    assert (block.take(GPSET0), block.take(GPCLR0)) == (0, 1 << 17)
    assert stepped.query(17) == (MS, 400 * US, 1, 0)
    stepped.start_regs(block.registers, 17, MS, MS)
    assert stepped.step(MS) is None
    assert stepped.stop(17) is True
    assert stepped.stop(17) is False
    assert (block.take(GPSET0), block.take(GPCLR0)) == (1 << 17, 1 << 17)
    assert stepped.query(17) is None


def test_the_thread_writes_without_being_asked(block, pwm):
    pwm.start_regs(block.registers, 17, MS, 400 * US)
    assert wait_until(lambda: pwm.query(17)[2] >= 5)
    pwm.stop(17, 1)
    assert (block.take(GPSET0), block.take(GPCLR0)) == (1 << 17, 1 << 17)
    assert (block.take(GPSET0), block.take(GPCLR0)) == (0, 0)


def test_registers_live_as_long_as_they_are_written(block, pwm):
    pwm.start_regs(block.registers, 17, MS, 400 * US)
    pwm.start_regs(block.registers, 18, MS, 400 * US)
    block.registers = None
    assert wait_until(lambda: pwm.query(17)[2] >= 5)
    pwm.close()


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_closing_ends_every_line_and_writes_nothing(block, stepped, how):
    stepped.start_regs(block.registers, 17, MS, 400 * US)
    count = sys.getrefcount(block.registers)
    getattr(stepped, how)()
    now = sys.getrefcount(block.registers)
    assert now == count - 1
    assert stepped.query(17) is None
    assert stepped.step(MS) is None
    assert block.take(GPCLR0) == 0
    getattr(stepped, how)()


def test_a_closed_one_starts_nothing(block, pwm):
    pwm.close()
    with pytest.raises(OSError) as caught:
        pwm.start_regs(block.registers, 17, MS, 1)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (lambda pwm, block: pwm.start_regs(block.registers, 17, MS, MS + 1), errno.EINVAL),
        (lambda pwm, block: pwm.start_regs(block.registers, 54, MS, 1), errno.EINVAL),
        pytest.param(
            lambda pwm, block: pwm.start_fd(-1, 17, MS, 1),
            errno.EBADF,
            marks=native("it knows no ioctl of gpiochips, and says so before it looks for the descriptor"),
        ),
        (lambda pwm, block: pwm.step(0), errno.EINVAL),
    ],
)
def test_what_fails_says_why(block, pwm, call, number):
    pwm.start_regs(block.registers, 4, MS, 0)
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        call(pwm, block)
    assert caught.value.errno == number


@pytest.mark.parametrize("arguments", [(), (1, 17, MS, 1), ("x", 17, MS, 1)])
def test_only_registers_are_registers(pwm, arguments):
    with pytest.raises(TypeError):
        pwm.start_regs(*arguments)


def test_a_plan_says_what_changes_when():
    plan = _gpio.PwmPlan()
    assert plan.next() is None
    plan.set(17, MS, 400 * US, 5)
    assert plan.advance(5) == [(17, 1)]
    assert plan.next() == 5 + 400 * US
    assert plan.advance(5 + 400 * US) == [(17, 0)]
    assert plan.end(17) is True
    assert plan.end(17) is False
    assert plan.advance(MS) == []
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        plan.set(17, MS, MS + 1, 5)


def test_channels_break_before_they_make():
    """A line whose pulse ends where another one's begins is low before that one is high: halves of a bridge may."""
    rig = rigs.open_rig("regs-bcm2835")
    channel = slots.Slots(0, 2000, 10)
    channel.pulses = {18: {0: 100}, 17: {100: 100}}
    for line in (17, 18):
        rig.backend.set_output(line, 0)
    rig.soc.soc_never_both(rig.pointer, 17, 18)
    edges = channel.edges(lambda line: True)
    means.play(rig.backend, edges, 2_000_000, 3)
    rises = [0, 0]
    for _ in range(700):
        before = rig.level(17), rig.level(18)
        rig.pass_us(10)
        rises = [n + (rig.level(line) > was) for n, line, was in zip(rises, (17, 18), before, strict=True)]
    assert rises == [3, 2]  # 18 was high when it began
    rig.close()  # no hazards
