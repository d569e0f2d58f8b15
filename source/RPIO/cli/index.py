# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which verbs there are."""

from __future__ import annotations

VERBS = {
    # verb: the module that has <verb>_parser() and <verb>(options), what it does
    "read": ("levels", "print levels"),
    "write": ("levels", "set outputs"),
    "mode": ("levels", "show what lines are, or make them inputs or outputs"),
    "pull": ("levels", "set pull resistors"),
    "watch": ("watch", "print edges as they come"),
    "count": ("count", "count edges, or the steps of an encoder"),
    "pwm": ("pulse", "PWM on lines until Ctrl+C"),
    "servo": ("pulse", "hold servos at a position"),
    "capture": ("capture", "a logic analyser: edges as VCD, CSV, SVG and on the terminal"),
    "record": ("capture", "capture into a VCD file until Ctrl+C"),
    "replay": ("replay", "play a VCD file on the simulated board"),
    "i2c": ("i2c", "what is on an I2C bus: detect, get, set, dump, transfer, watch"),
    "pinout": ("pinout", "draw the header with functions, levels and who holds lines"),
    "curses": ("screens.curses_app", "the terminal screen, which is rpio-curses too"),
    "tui": ("screens.tui", "the same on Textual, with a mouse, waves and a log"),
    "sim": ("shared", "a simulated board that your programs share, with keys to press"),
    "info": ("info", "show the board, and what drives its lines"),
    "doctor": ("doctor", "what this machine can do, and what stands in the way"),
    "run": ("run", "run a program written for RPi.GPIO, unchanged"),
    "ps": ("programs", "the programs that run on a device"),
    "attach": ("programs", "be with a program that runs on a device"),
    "logs": ("programs", "what a program on a device has written"),
    "kill": ("programs", "end a program on a device"),
    "serve": ("serve", "have the lines of this machine, for programs here and on other machines"),
    "who": ("remote", "who is there, and who has which line"),
    "audit": ("remote", "who has set what"),
    "hold": ("hold", "hold levels that outlive programs"),
    "release": ("hold", "hold lines no longer"),
    "tasks": ("tasks", "timed tasks that a daemon does: shown, added, taken back"),
    "token": ("token", "make, list and revoke what allows others something"),
    "tunnel": ("tunnel", "what a device serves by another protocol, at a port of this machine"),
    "pair": ("pair", "make a device and another machine know each other"),
    "hosts": ("hosts", "the devices of the network: which are paired, and who has their lines"),
    "completion": ("completion", "print the completion of bash, zsh or fish"),
}
"""In the order of the help."""


def shown() -> str:
    """The verbs as the help shows them."""
    rows = [f"  rpio {verb:<13}{row[1]}" for verb, row in VERBS.items()]
    return "\n".join(["verbs, each with a --help of its own:", *rows])
