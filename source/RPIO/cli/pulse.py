# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pwm`` and ``rpio servo``: pulses on a line until Ctrl+C."""

from __future__ import annotations

import argparse

from .. import constants, facade
from . import verb
from .told import UsageError


def pwm_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio pwm``."""
    p = verb.parser(
        "pwm",
        "PWM on lines, which become outputs, until Ctrl+C; then they are low.",
        "  rpio pwm 18 1000 25            1 kHz, high for a quarter\n  rpio pwm 18 50 7.5 --for 2s",
    )
    verb.add_pins(p)
    p.add_argument("frequency", type=float, help="in Hz")
    p.add_argument("duty", type=float, help="percent of each period that is high")
    verb.add_for(p)
    return p


def pwm(options: argparse.Namespace) -> None:
    """``rpio pwm``"""
    from .. import PWM

    if not 0 <= options.duty <= 100:
        raise UsageError(f"the duty is 0 to 100 percent, not {options.duty:g}")
    if options.frequency <= 0:
        raise UsageError(f"the frequency is more than 0 Hz, not {options.frequency:g}")
    driven = []
    for line in verb.lines(options.pins):
        if not facade.board.pulses.hardware.has(line):
            facade.setup(line, constants.OUT, initial=0)
        driven.append(PWM(line, options.frequency))
    for one in driven:
        one.start(options.duty)
    means = ", ".join(sorted({one.means for one in driven}))
    _say_how(f"{options.frequency:.10g} Hz, {options.duty:g} %", options.pins, means)
    try:
        verb.hold(options.for_ns)
    finally:
        for one in driven:
            one.stop()


def _say_how(what: str, pins: list[str], means: str) -> None:
    verb.note(f"{what} on GPIO {verb.joined(pins)}, made by {means}; end with Ctrl+C")
    if facade.board.backend.name == "sim":
        verb.note("the simulated board is this command's own: no other one sees it")


def servo_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio servo``."""
    p = verb.parser(
        "servo",
        "Hold servos at a position until Ctrl+C; then the lines are low.",
        "  rpio servo 17 1500\n  rpio servo 17,18 900 --for 1s",
    )
    verb.add_pins(p)
    p.add_argument(
        "width", type=int, help="of the pulse in microseconds, a multiple of 10: 500 to 2500 is usual"
    )
    verb.add_for(p)
    return p


def servo(options: argparse.Namespace) -> None:
    """``rpio servo``"""
    from .. import PWM

    if options.width % 10 or not 10 <= options.width < 20_000:
        raise UsageError(f"the width is 10 to 19990 us, a multiple of 10, not {options.width}")
    lines = verb.lines(options.pins)
    made = PWM.Servo()
    for line in lines:
        made.set_servo(line, options.width)
    means = ", ".join(sorted({str(made.means_of(line)) for line in lines}))
    _say_how(f"{options.width} us every 20 ms", options.pins, means)
    try:
        verb.hold(options.for_ns)
    finally:
        for line in lines:
            made.stop_servo(line)
        PWM.cleanup()
