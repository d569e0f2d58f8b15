# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is done while something is lacking: all rows of interrupted/calls.py, and what no signal handler interrupts."""

from __future__ import annotations

import errno
import socket

import RPIO
from interrupted.calls import (
    CALLS,
    PORT,
    Call,
    button,
    client,
    detection,
    goes,
    interrupt,
    loop_in_thread,
    tcp,
)
from RPIO import facade
from RPIO.backends import cdev_chips, opening, sysfs_chips
from RPIO.constants import PUD_UP
from RPIO.machine import detect
from support import pump
from waiting import wait_until


def heard(things):
    """Callbacks that say what they hear, one of them in a thread of its own."""
    things["heard"] = []
    for name, threaded in (("here", False), ("there", True)):
        RPIO.add_interrupt_callback(
            17,
            lambda gpio, value, name=name: things["heard"].append(name),
            edge="falling",
            pull_up_down=PUD_UP,
            threaded_callback=threaded,
        )


def edge(things):
    """An edge comes, and both callbacks hear it, or the loss is counted."""
    things["heard"].clear()
    lost = RPIO.events_lost(17)
    things["drive"](17, None)
    things["drive"](17, 0)
    board = facade.board

    def is_known():
        return "here" in things["heard"] and ("there" in things["heard"] or RPIO.events_lost(17) > lost)

    if board.is_waiting:
        assert wait_until(is_known), things["heard"]
    else:
        assert wait_until(lambda: not board.dispatcher.is_busy)  # a background loop of before
        assert pump(board, is_known), things["heard"]
    things["drive"](17, None)


def echo(things):
    RPIO.add_tcp_callback(
        PORT, lambda who, message: who.send(f"{message}!"), host="127.0.0.1", threaded_callback=True
    )
    things["guest"] = socket.socket()
    things["guest"].settimeout(things["patience_s"])


def served(things):
    """Somebody connects, says something and is answered; who is turned away comes again."""
    for _ in range(3):
        with things.pop("guest", None) or socket.socket() as guest:
            guest.settimeout(things["patience_s"])
            try:
                guest.connect(("127.0.0.1", PORT))
                guest.sendall(b"hello")
                if guest.recv(10) == b"hello!":
                    return
            except ConnectionError:
                continue
            except TimeoutError:
                break
    raise OSError(errno.ETIMEDOUT, "nobody has answered")


def looked(things):
    """What machine this is, is never guessed because there was no descriptor to look with."""
    assert detect.detect(things["machine"]) is not None
    assert opening.choose(None) == "cdev"
    assert cdev_chips.find_chip("", "pinctrl-bcm2711") == things["chip"] == cdev_chips.find_chip("", None)
    assert sysfs_chips.chips(things["machine"])
    assert sysfs_chips.usable(things["machine"])


MORE = {
    "what machine": Call(looked),
    "add_tcp_callback": Call(tcp),
    "edge": Call(edge, (heard,)),
    "edge(loop)": Call(edge, (heard, loop_in_thread)),
    "TCP client": Call(served, (echo, loop_in_thread)),
    "open": Call(lambda t: t["open"]().close()),
    "close": Call(lambda t: facade.board.close(), (tcp, client, button, detection, interrupt), (goes,)),
}
ROWS = {**CALLS, **MORE}
