# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run sequences of calls on the original RPIO on the fake Pi: from stdin as JSON, what became of each to stdout.

A sequence is a list of calls, ["init_channel", 0, 3000] and the like, of RPIO.PWM; "Servo" makes the servo that
"set_servo" and "stop_servo" are of. It runs in a fork of its own, since PWM.setup() takes all signals and can be
called once. engine.c is preloaded, so that a DMA engine walks what the calls leave in memory. Each call is told as
{"raises": classes, "text": ..., "levels": {channel: lines that are high in each slot}, "lines": those that are now,
"broken": the rule of the SoC that was broken last}.
Run by original.py, within fakepi.py, and by nobody else.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import struct
import sys
from collections.abc import Sequence
from typing import Any

PAGES = 1 << 20
PRESENT_OF_4_KIB = 0x10C << 55
"""Of an entry of pagemap before Linux 4.2: present, and 12 for the page's size."""
FRAMES = 1 << 17
"""512 MiB of memory, as that board has."""
PAGEMAP = "/dev/pagemap"
MS_BIND = 4096
TURNS = 5
"""Subcycles in which each slot has been seen, with up to two channels, which share the pace."""
CHANNELS = 15


def make_pagemap() -> None:
    """Write what /proc/self/pagemap is to be. It is sought by the low 32 bits of an address."""
    if not stat.S_ISREG(os.stat("/dev/mem").st_mode):
        raise SystemExit("this is not the fake Pi: its /dev/mem is a file")
    frames = [PRESENT_OF_4_KIB | frame for frame in range(FRAMES)]
    with open(PAGEMAP, "wb") as file:
        for _ in range(PAGES // FRAMES):
            file.write(struct.pack(f"<{FRAMES}Q", *frames))


def take_pagemap() -> None:
    """Have that be ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = f"/proc/{os.getpid()}/pagemap".encode()
    if libc.mount(PAGEMAP.encode(), target, None, ctypes.c_ulong(MS_BIND), None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


class Engine:
    """The preloaded one."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(None)
        self._lib.engine_violation.restype = ctypes.c_char_p
        status = self._lib.engine_open()
        if status:
            raise OSError(-status, os.strerror(-status))

    def levels(self, channel: int, slots: int, slot_us: int) -> list[int] | None:
        """The lines that are high in each slot; None: the channel does not run."""
        found = (ctypes.c_uint32 * slots)()
        seen = self._lib.engine_levels(channel, slots, slot_us, TURNS, found)
        return list(found) if seen == slots else None

    def lines(self) -> int:
        return int(self._lib.engine_lines()) & 0xFFFFFFFF

    def broken(self) -> str:
        return str(self._lib.engine_violation().decode())


class Program:
    """One sequence."""

    def __init__(self, pwm: Any) -> None:
        self._pwm, self._servo, self._engine = pwm, None, Engine()
        self._slots: dict[int, int] = {}

    def run(self, name: str, *arguments: Any) -> dict[str, object]:
        told: dict[str, object] = {}
        try:
            self._call(name, *arguments)
        except Exception as e:
            told = {"raises": [kind.__name__ for kind in type(e).__mro__], "text": str(e)}
        told |= {"levels": self._levels(), "lines": self._engine.lines()}
        return told | {"broken": self._engine.broken()}

    def _call(self, name: str, *arguments: Any) -> None:
        if name == "Servo":
            self._servo = self._pwm.Servo(*arguments)
        elif name in ("set_servo", "stop_servo"):
            getattr(self._servo, name)(*arguments)
        else:
            getattr(self._pwm, name)(*arguments)

    def _levels(self) -> dict[int, list[int] | None]:
        pwm, found = self._pwm, {}
        for channel in range(CHANNELS):
            if pwm.is_channel_initialized(channel):
                slot_us = pwm.get_pulse_incr_us()
                slots = self._slots.setdefault(channel, pwm.get_channel_subcycle_time_us(channel) // slot_us)
                found[channel] = self._engine.levels(channel, slots, slot_us)
        return found


def in_a_child(calls: Sequence[Sequence[Any]], pwm: Any) -> list[dict[str, object]]:
    """Run a sequence; a child that dies has told less."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        take_pagemap()
        program = Program(pwm)
        with open(writer, "w") as out:
            for call in calls:
                print(json.dumps(program.run(*call)), file=out, flush=True)
        os._exit(0)
    os.close(writer)
    with open(reader) as answers:
        told = [json.loads(answer) for answer in answers]
    os.waitpid(pid, 0)
    return told


def main() -> None:
    """Run what stdin says."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the original prints what it does
    make_pagemap()
    sys.path.insert(0, sys.argv[1])
    from RPIO import PWM

    PWM.set_loglevel(PWM.LOG_LEVEL_ERRORS)
    for line in sys.stdin:
        print(json.dumps(in_a_child(json.loads(line), PWM)), file=answers, flush=True)


if __name__ == "__main__":
    main()
