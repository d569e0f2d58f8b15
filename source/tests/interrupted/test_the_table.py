# SPDX-License-Identifier: LGPL-3.0-or-later
"""The table of calls has all public functions: each is called by a row, and who writes a new one writes its row."""

import inspect
import sys

import pytest

import RPIO
from interrupted.calls import CALLS
from interrupted.world import World
from RPIO import PWM, aio, facade
from RPIO.board.board import Board
from RPIO.board.parts import Parts
from RPIO.loop import tcp_client
from RPIO.pulses.waves import Wave

IN_PROCESSES_OF_THEIR_OWN = {
    "Parts.after_fork": "is called in the child of a fork",
    "use": "opens the board, once in a process",
    "install_as_rpi_gpio": "changes what import finds",
}
"""See test_first_uses."""


def functions_of(owner, prefix=""):
    """The public functions of a class or module itself, and the getters of properties: code -> name."""
    found = {}
    for name, member in vars(owner).items():
        function = getattr(member, "fget", None) or inspect.unwrap(getattr(member, "__func__", member))
        code = getattr(function, "__code__", None)
        if (
            code is not None
            and not name.startswith("_")
            and getattr(function, "__module__", "").startswith("RPIO")
        ):
            found[code] = prefix + name
    return found


def public_functions():
    """What a program can call: code, or the object itself where C has no code -> name."""
    found = {}
    for name in RPIO.__all__:
        member = getattr(RPIO, name)
        if inspect.isroutine(member):
            found[getattr(member, "__code__", member)] = name
    for owner in (PWM, PWM.Servo, Wave, tcp_client.TcpClient, Board, Parts):
        found |= functions_of(owner, f"{owner.__name__}.")
    return found | functions_of(aio, "aio.")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
def test_every_public_function_is_called_by_a_row():
    called = set()

    def profile(frame, what, argument):
        called.add(frame.f_code if what == "call" else argument if what == "c_call" else None)

    for name in CALLS:
        world = World(CALLS[name])
        world.prepare()
        sys.setprofile(profile)
        try:
            world.call()
        finally:
            sys.setprofile(None)
            world.end()
            world.close()
    missing = {name for what, name in public_functions().items() if what not in called}
    assert missing == set(IN_PROCESSES_OF_THEIR_OWN), "interrupted/calls.py has no row that calls these"
    facade.new_board()
