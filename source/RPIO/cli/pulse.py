# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pwm`` and ``rpio servo``: pulses on a line until Ctrl+C."""

from __future__ import annotations

import argparse

from .. import facade, model
from . import verb
from .classic import UsageError


def pwm_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio pwm``."""
    p = verb.parser(
        "pwm",
        "PWM on lines, which become outputs, until Ctrl+C; then they are low.",
        "  rpio pwm 18 1000 25            1 kHz, high for a quarter\n  rpio pwm 18 50 7.5 --for 2s",
    )
    p.add_argument("pins", help=verb.PINS_HELP)
    p.add_argument("frequency", type=float, help="in Hz")
    p.add_argument("duty", type=float, help="percent of each period that is high")
    p.add_argument("--for", dest="for_s", metavar="TIME", help="end after this time: 500ms, 5s, 1m")
    return p


def pwm(argv: list[str]) -> int:
    """``rpio pwm``"""
    return verb.carry_out(pwm_parser(), argv, _pwm)


def _pwm(options: argparse.Namespace) -> None:
    from .. import PWM

    for_s = verb.seconds(options.for_s) if options.for_s else None
    if not 0 <= options.duty <= 100:
        raise UsageError(f"the duty is 0 to 100 percent, not {options.duty:g}")
    if options.frequency <= 0:
        raise UsageError(f"the frequency is more than 0 Hz, not {options.frequency:g}")
    driven = []
    for line in verb.lines(options.pins):
        if not facade.board.has_hardware_pwm(line):
            facade.setup(line, model.OUT, initial=0)
        driven.append(PWM(line, options.frequency))
    for one in driven:
        one.start(options.duty)
    means = ", ".join(sorted({one.means for one in driven}))
    verb.note(
        f"{options.frequency:g} Hz, {options.duty:g} % on GPIO {options.pins}, made by {means}; end with Ctrl+C"
    )
    try:
        verb.hold(for_s)
    finally:
        for one in driven:
            one.stop()


def servo_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio servo``."""
    p = verb.parser(
        "servo",
        "Hold servos at a position until Ctrl+C; then the lines are low.",
        "  rpio servo 17 1500\n  rpio servo 17,18 900 --for 1s",
    )
    p.add_argument("pins", help=verb.PINS_HELP)
    p.add_argument(
        "width", type=int, help="of the pulse in microseconds, a multiple of 10: 500 to 2500 is usual"
    )
    p.add_argument("--for", dest="for_s", metavar="TIME", help="end after this time: 500ms, 5s, 1m")
    return p


def servo(argv: list[str]) -> int:
    """``rpio servo``"""
    return verb.carry_out(servo_parser(), argv, _servo)


def _servo(options: argparse.Namespace) -> None:
    from .. import PWM

    for_s = verb.seconds(options.for_s) if options.for_s else None
    if options.width % 10 or not 10 <= options.width < 20_000:
        raise UsageError(f"the width is 10 to 19990 us, a multiple of 10, not {options.width}")
    lines = verb.lines(options.pins)
    made = PWM.Servo()
    for line in lines:
        made.set_servo(line, options.width)
    means = ", ".join(sorted({str(made.means_of(line)) for line in lines}))
    verb.note(f"{options.width} us every 20 ms on GPIO {options.pins}, made by {means}; end with Ctrl+C")
    try:
        verb.hold(for_s)
    finally:
        for line in lines:
            made.stop_servo(line)
        PWM.cleanup()
