# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a Board can do can be asked from afar, or there is a reason; and what can be asked is done in one place."""

import inspect

import pytest

from RPIO.board.board import Board
from RPIO.server.sessions.native import HANDLERS
from RPIO.wire.operations import OPERATIONS

CARRIED = {
    "setup": "input output",
    "output": "write mask",
    "input": "read",
    "forceoutput": "write",
    "forceinput": "read peek",
    "set_pullupdn": "set_pull pull",
    "gpio_function": "function",
    "cleanup": "input release consumer set_function",
    "add_interrupt_callback": "watch",
    "del_interrupt_callback": "unwatch",
    "add_event_detect": "watch",
    "remove_event_detect": "unwatch",
    "wait_for_edge": "watch unwatch",
    "events_lost": "losses",
    "counter": "counter count recount uncount",
    "encoder": "encoder count recount uncount",
    "wave": "play wave stop_wave",
    "describe": "hello",
    "sysinfo": "hello",
    "protect": "limit unlimit limit_left",
    "close": "bye",
}
"""Method of Board -> the operations by which that of a remote one is done."""
ARGUMENTS = {
    "setup": "channel direction pull_up_down initial",
    "output": "channel value",
    "input": "channel",
    "forceoutput": "gpio_id value",
    "forceinput": "gpio_id",
    "set_pullupdn": "gpio_id pud",
    "gpio_function": "gpio_id",
    "cleanup": "channel",
    "add_interrupt_callback": "gpio_id callback edge pull_up_down threaded_callback debounce_timeout_ms filter_us",
    "del_interrupt_callback": "gpio_id",
    "add_event_detect": "channel edge callback bouncetime",
    "remove_event_detect": "channel",
    "wait_for_edge": "channel edge bouncetime timeout",
    "events_lost": "gpio_id",
    "counter": "channel edge pull_up_down filter_us debounce_timeout_ms window_s",
    "encoder": "a b pull_up_down filter_us window_s",
    "wave": "steps repeat means",
    "describe": "",
    "sysinfo": "",
    "protect": "channel rules",
    "close": "",
}
"""Method -> the arguments that those operations, or this side, can carry: one more needs a place there."""
HERE = {
    "setmode": "numbering is the program's: lines travel by their BCM numbers",
    "getmode": "as setmode()",
    "channel_to_gpio": "as setmode()",
    "setwarnings": "it is about what this program says",
    "batch": "when requests are sent is this side's matter",
    "use": "it chooses the backend, of which remote is one",
    "interlock": "rules that a program declares are asked before its requests leave; the server has its own",
    "add_event_callback": "who is called is this side's matter",
    "event_detected": "as add_event_callback()",
    "add_tcp_callback": "the loop and its ports are the program's",
    "tcp_clients": "as add_tcp_callback()",
    "close_tcp_client": "as add_tcp_callback()",
    "wait_for_interrupts": "as add_tcp_callback()",
    "stop_waiting_for_interrupts": "as add_tcp_callback()",
    "cleanup_interrupts": "it unsubscribes what is heard here: unwatch, by way of the others",
    "be_strict": "manners are the program's",
    "shut_down": "the end of this process; close() is the other side's part of it",
    "after_fork": "the session is the parent's",
}
"""Method of Board -> why it stays on this side."""
OF_OTHER_SIDE = {
    "ping": "whether anybody is there",
    "fate": "what became of a request when the connection was lost",
    "info": "what hello tells of the board, for who types",
    "servo": "PWM, for who types",
    "pulse": "a wave, for who types",
    "blink": "a wave, for who types",
    "pwm": "RPIO.PWM, servos and channels, which are no methods of Board",
    "change_pwm": "as pwm",
    "end_pwm": "as pwm",
    "token": "the right to do the others",
    "tokens": "what `rpio token revoke` says when it has written the file",
    "runs": "programs that run there: rpio run --there",
    "tunnel": "a connection to what else is served there: rpio tunnel",
    "tunnel_back": "as tunnel",
    "lend": "what `rpio serve --stdio` does with the pipes of ssh, so that the daemon serves them itself",
    "sessions": "who is there besides: rpio who",
    "holders": "as sessions",
    "rules": "as sessions",
    "fronts": "as sessions",
    "audit": "what others have done: rpio audit",
    "hold": "levels that outlive programs: rpio hold",
    "unhold": "as hold",
    "holds": "as hold",
    "drive": "the world outside of a simulated board, which is no method of Board: RPIO.sim",
    "driven": "as drive",
    "press": "as drive",
    "wire": "as drive",
    "unwire": "as drive",
    "watched": "as drive",
    "short_circuits": "as drive",
    "i2c_buses": "the buses beside the lines: RPIO.i2c and `rpio i2c`",
    "i2c_functions": "as i2c_buses",
    "smbus": "as i2c_buses",
    "i2c": "as i2c_buses",
    "i2c_hold": "as i2c_buses: SMBus.held()",
    "i2c_release": "as i2c_hold",
    "spi": "as i2c_buses: RPIO.spi",
    "task": "timed tasks, which are no program's own: `rpio tasks`, RPIO.remoteio",
    "tasks": "as task",
    "cancel": "as task",
    "modules": "a process that has modules for others: module() and task() of a RemoteBoard",
}
"""Operation that no method of Board is done by -> what it is for."""
OF_SESSIONS = {"hello", "bye"}
"""Done by a talk itself: they begin and end what the others are done in."""


def methods():
    return {
        name for name, member in inspect.getmembers(Board, inspect.isfunction) if not name.startswith("_")
    }


def test_every_method_of_a_board_is_carried_or_has_a_reason_not_to_be():
    assert not set(CARRIED) & set(HERE)
    assert methods() == set(CARRIED) | set(HERE)


@pytest.mark.parametrize("name", CARRIED)
def test_a_method_has_the_arguments_that_its_operations_can_carry(name):
    _, *arguments = inspect.signature(getattr(Board, name)).parameters
    assert arguments == ARGUMENTS[name].split()


def test_every_operation_is_what_a_method_is_done_by_or_has_a_reason_to_be():
    carrying = {name for names in CARRIED.values() for name in names.split()}
    assert not carrying & set(OF_OTHER_SIDE)
    assert carrying | set(OF_OTHER_SIDE) == set(OPERATIONS)


def test_every_operation_is_done_in_one_place():
    assert set(HANDLERS) | OF_SESSIONS == set(OPERATIONS)
    assert not set(HANDLERS) & OF_SESSIONS


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_takes_the_arguments_of_its_operation(name):
    parameters = list(inspect.signature(HANDLERS[name]).parameters.values())[2:]
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        assert len(parameters) == len(OPERATIONS[name].arguments)
