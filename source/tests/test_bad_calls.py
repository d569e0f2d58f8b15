# SPDX-License-Identifier: LGPL-3.0-or-later
"""Wrong arguments: every parameter of every public function, each with things that it is not for.

What is not accepted is an error of RPIO's or Python's. Its text has the value, or the name of the parameter, unless it
is RPi.GPIO's or the original RPIO's to the letter.
"""

import asyncio
import inspect
import os
import re
from tempfile import gettempdir

import pytest

import RPIO
from RPIO import PWM, aio, facade, program, sim
from RPIO.remoteio import RemoteServer
from RPIO.server.connections.front import Front
from RPIO.server.remoteio.guests import GuestPort, Way
from support import simulated


async def _coroutine():
    """Wait for nothing."""


def a_coroutine():
    coroutine = _coroutine()
    coroutine.close()
    return coroutine


VALUES = {
    "None": lambda: None,
    "-1": lambda: -1,
    "99": lambda: 99,
    "'x'": lambda: "x",
    "1.5": lambda: 1.5,
    "[]": lambda: [],
    "object()": object,
    "True": lambda: True,
    "2**64": lambda: 2**64,
    "coroutine": a_coroutine,
}


def callback(*_):
    """Take anything."""


def pwm():
    RPIO.setup(18, RPIO.OUT)
    return RPIO.PWM(18, 50)


def of_pwm(name):
    def call(*args):
        return getattr(pwm(), name)(*args)

    return call


def of_channels(name):
    def call(*args):
        PWM.setup()
        PWM.init_channel(0)
        PWM.add_channel_pulse(0, 17, 0, 1)
        return getattr(PWM, name)(*args)

    return call


def of_servo(name):
    def call(*args):
        servo = PWM.Servo()
        servo.set_servo(17, 1500)
        return getattr(servo, name)(*args)

    return call


def closed(make):
    def call(*args):
        make(*args).close()

    return call


def of_key(name):
    def call(value):
        with program.KeyboardButton("a") as button:
            setattr(button, name, value)

    return call


def of_remoteio(name, *before):
    """A method of a RemoteServer's, or of the pin that it has where something is asked *before*."""

    def call(*args):
        board = facade.board
        door = GuestPort("127.0.0.1", 0, Way(board))
        board.waiting.ports.open(Front(board, [door]), "")
        with RemoteServer("127.0.0.1", door.port) as server:
            asked = server
            for method, *given in before:
                asked = getattr(asked, method)(*given)
            return getattr(asked, name)(*args)

    return call


def waited(function):
    async def run(*args):
        events = function(*args)
        try:
            if inspect.isasyncgen(events):
                await asyncio.wait_for(anext(events), 0)
            elif inspect.iscoroutine(events):
                await asyncio.wait_for(events, 0)
            else:
                events.cancel()
        except asyncio.TimeoutError:
            pass  # nothing was wrong
        finally:
            if inspect.isasyncgen(events):
                await events.aclose()

    return lambda *args: asyncio.run(run(*args))


def by_name(function, *names):
    """Keyword-only arguments, by their places."""
    count = len(names)
    return lambda *args: function(*args[:-count], **dict(zip(names, args[-count:], strict=True)))


def serve(port, host, path):
    """Leave nothing in the folder."""
    return RPIO.serve_remote(port, host, f"{gettempdir()}/{path}-{os.getpid()}" if path == "x" else path)


NOWHERE = "remote+unix:///nobody/is/here"


def connect(where, *arguments):
    """Where nobody is, and all else is right."""
    try:
        RPIO.connect(where, *arguments)
    except RPIO.NoBackendError:
        if where != NOWHERE:
            raise


STEPS = [(17, 1, 10), (17, 0, 10)]
CALLS = {
    "setup": (RPIO.setup, {"channel": 17, "direction": RPIO.IN, "pull_up_down": RPIO.PUD_UP, "initial": -1}),
    "setup, out": (
        RPIO.setup,
        {"channel": 17, "direction": RPIO.OUT, "pull_up_down": RPIO.PUD_OFF, "initial": 1},
    ),
    "output": (RPIO.output, {"channel": 22, "value": 1}),
    "input": (RPIO.input, {"channel": 22}),
    "forceoutput": (RPIO.forceoutput, {"gpio_id": 22, "value": 1}),
    "forceinput": (RPIO.forceinput, {"gpio_id": 22}),
    "set_pullupdn": (RPIO.set_pullupdn, {"gpio_id": 23, "pud": RPIO.PUD_UP}),
    "gpio_function": (RPIO.gpio_function, {"gpio_id": 22}),
    "channel_to_gpio": (RPIO.channel_to_gpio, {"channel": 22}),
    "cleanup": (RPIO.cleanup, {"channel": 22}),
    "setmode": (RPIO.setmode, {"mode": RPIO.BCM}),
    "setwarnings": (RPIO.setwarnings, {"enabled": True}),
    "add_interrupt_callback": (
        RPIO.add_interrupt_callback,
        {
            "gpio_id": 17,
            "callback": callback,
            "edge": "both",
            "pull_up_down": RPIO.PUD_UP,
            "threaded_callback": False,
            "debounce_timeout_ms": 5,
            "filter_us": 0,
        },
    ),
    "del_interrupt_callback": (RPIO.del_interrupt_callback, {"gpio_id": 24}),
    "add_event_detect": (
        RPIO.add_event_detect,
        {"channel": 23, "edge": RPIO.BOTH, "callback": callback, "bouncetime": 5},
    ),
    "add_event_callback": (RPIO.add_event_callback, {"channel": 25, "callback": callback}),
    "remove_event_detect": (RPIO.remove_event_detect, {"channel": 25}),
    "event_detected": (RPIO.event_detected, {"channel": 25}),
    "wait_for_edge": (RPIO.wait_for_edge, {"channel": 23, "edge": RPIO.BOTH, "bouncetime": 5, "timeout": 1}),
    "events_lost": (RPIO.events_lost, {"gpio_id": 24}),
    "counter": (
        RPIO.counter,
        {
            "channel": 17,
            "edge": "both",
            "pull_up_down": RPIO.PUD_UP,
            "filter_us": 0,
            "debounce_timeout_ms": 5,
            "window_s": 1,
        },
    ),
    "encoder": (
        RPIO.encoder,
        {"a": 17, "b": 18, "pull_up_down": RPIO.PUD_UP, "filter_us": 0, "window_s": 1},
    ),
    "add_tcp_callback": (
        RPIO.add_tcp_callback,
        {"port": 0, "callback": callback, "threaded_callback": False, "host": "127.0.0.1"},
    ),
    "tcp_clients": (RPIO.tcp_clients, {"port": None}),
    "close_tcp_client": (RPIO.close_tcp_client, {"fileno": 5}),
    "protect": (lambda channel, safe: RPIO.protect(channel, safe=safe), {"channel": 17, "safe": "low"}),
    **{
        f"protect, {rule}": (lambda value, rule=rule: RPIO.protect(17, **{rule: value}), {rule: good})
        for rule, good in {
            "name": "heater",
            "active": "low",
            "longest_on_s": 30,
            "changes_per_s": 10,
            "read_only": True,
            "no_rule": 0,
        }.items()
    },
    "interlock": (RPIO.interlock, {"channels": [17, 27], "name": "up and down"}),
    "interlock, one of several": (lambda channel: RPIO.interlock([17, channel]), {"channel": 27}),
    "serve_remote": (serve, {"port": 0, "host": "127.0.0.1", "path": None}),
    "connect": (
        connect,
        {
            "where": NOWHERE,
            "linger_s": 5,
            "timeout_s": 10,
            "patience_s": 60,
            "on_change": None,
        },
    ),
    "use": (lambda backend: RPIO.cleanup() or RPIO.use(backend), {"backend": "sim"}),
    "wave": (
        lambda *args: RPIO.setup(17, RPIO.OUT) or RPIO.wave(*args),
        {"steps": STEPS, "repeat": 1, "means": "soft"},
    ),
    "PWM": (
        by_name(lambda *args, **more: RPIO.setup(18, RPIO.OUT) or RPIO.PWM(*args, **more), "means"),
        {"channel": 18, "frequency": 50, "means": None},
    ),
    "PWM.start": (of_pwm("start"), {"dutycycle": 50}),
    "PWM.ChangeDutyCycle": (of_pwm("ChangeDutyCycle"), {"dutycycle": 50}),
    "PWM.ChangeFrequency": (of_pwm("ChangeFrequency"), {"frequency": 50}),
    "PWM.setup": (PWM.setup, {"pulse_incr_us": 10, "delay_hw": 0}),
    "PWM.init_channel": (of_channels("init_channel"), {"channel": 1, "subcycle_time_us": 20_000}),
    "PWM.add_channel_pulse": (
        of_channels("add_channel_pulse"),
        {"dma_channel": 0, "gpio": 17, "start": 0, "width": 1},
    ),
    "PWM.clear_channel": (of_channels("clear_channel"), {"channel": 0}),
    "PWM.clear_channel_gpio": (of_channels("clear_channel_gpio"), {"channel": 0, "gpio": 17}),
    "PWM.print_channel": (of_channels("print_channel"), {"channel": 0}),
    "PWM.set_loglevel": (PWM.set_loglevel, {"level": 1}),
    "PWM.is_channel_initialized": (PWM.is_channel_initialized, {"channel": 0}),
    "PWM.get_channel_subcycle_time_us": (of_channels("get_channel_subcycle_time_us"), {"channel": 0}),
    "Servo": (
        by_name(PWM.Servo, "means"),
        {"dma_channel": 0, "subcycle_time_us": 20_000, "pulse_incr_us": 10, "means": None},
    ),
    "Servo.set_servo": (of_servo("set_servo"), {"gpio": 17, "pulse_width_us": 1500}),
    "Servo.stop_servo": (of_servo("stop_servo"), {"gpio": 17}),
    "program.send_image": (program.send_image, {"frame": b"\xff\xd8\xff", "format": None}),
    "program.KeyboardButton": (closed(program.KeyboardButton), {"key": "a"}),
    "program.KeyboardButton.when_pressed": (of_key("when_pressed"), {"when_pressed": callback}),
    "program.KeyboardButton.when_released": (of_key("when_released"), {"when_released": callback}),
    "remoteio.RemoteServer": (RemoteServer, {"server_ip": "127.0.0.1", "server_port": 1}),
    "remoteio.pin": (of_remoteio("pin"), {"pin_number": 7, "numbering": "b"}),
    "remoteio.on": (of_remoteio("on", ("pin", 7)), {"time_ms": 1, "arg1": 0, "arg2": 0}),
    "remoteio.off": (of_remoteio("off", ("pin", 7)), {"time_ms": 1, "arg1": 0, "arg2": 0}),
    "remoteio.blink": (of_remoteio("blink", ("pin", 7)), {"time_ms": 1, "arg1": 1, "arg2": 1}),
    "remoteio.pulse": (of_remoteio("pulse", ("pin", 7)), {"time_ms": 1, "arg1": 0, "arg2": 0}),
    "remoteio.value": (of_remoteio("value", ("pin", 7)), {"time_ms": 1, "arg1": 1}),
    "remoteio.toggle": (of_remoteio("toggle", ("pin", 7)), {"time_ms": 1}),
    "sim.drive": (sim.drive, {"line": 17, "value": 1, "bounces": 0, "bounce_us": 1}),
    "sim.press": (sim.press, {"line": 17, "ms": 1, "value": 0, "bounces": 0}),
    "sim.wire": (sim.wire, {"a": 5, "b": 6}),
    "sim.unwire": (sim.unwire, {"line": 5}),
    "sim.level": (sim.level, {"line": 5}),
    "sim.is_watched": (sim.is_watched, {"line": 5}),
    "sim.circuit": (sim.circuit, {"path": "no-such-circuit.toml"}),
    "aio.edges": (
        waited(by_name(aio.edges, "bouncetime", "filter_us", "pull_up_down")),
        {"channel": 23, "edge": RPIO.BOTH, "bouncetime": 5, "filter_us": 0, "pull_up_down": None},
    ),
    "aio.wait_for_edge": (
        waited(by_name(aio.wait_for_edge, "bouncetime", "timeout", "pull_up_down")),
        {"channel": 23, "edge": RPIO.BOTH, "bouncetime": 5, "timeout": 0.001, "pull_up_down": None},
    ),
    "aio.on_edge": (
        waited(by_name(aio.on_edge, "bouncetime", "filter_us", "pull_up_down")),
        {
            "channel": 23,
            "callback": callback,
            "edge": RPIO.BOTH,
            "bouncetime": 5,
            "filter_us": 0,
            "pull_up_down": None,
        },
    ),
}
WITHOUT_ARGUMENTS = {
    "cleanup_interrupts",
    "describe",
    "getmode",
    "install_as_rpi_gpio",
    "stop_waiting_for_interrupts",
    "sysinfo",
    "version",
    "wait_for_interrupts",  # which takes anything for its flag, and blocks
}
HISTORIC = re.compile(
    r"Channel must be an integer( or list/tuple of integers)?"
    r"|Value must be an integer/boolean or a list/tuple of integers/booleans|Value must be an integer or boolean"
    r"|Number of channels != number of values|You must setup\(\) the GPIO channel (first|as an input first)"
    r"|The GPIO channel has not been set up as an OUTPUT|The channel sent is invalid on a Raspberry Pi"
    r"|An invalid direction was passed to setup\(\)|An invalid mode was passed to setmode\(\)"
    r"|A different mode has already been set!|Parameter must be callable|No callback"
    r"|Add event detection using add_event_detect first before adding a callback"
    r"|Conflicting edge detection already enabled for this GPIO channel"
    r"|A PWM object already exists for this GPIO channel"
    r"|Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN"
    r"|The edge must be set to RISING, FALLING or BOTH|Bouncetime must be greater than 0|Timeout must be greater than 0"
    r"|(initial|pull_up_down) parameter is not valid for (inputs|outputs)"
    r"|dutycycle must have a value from 0.0 to 100.0|frequency must be greater than 0.0"
    r"|must be real number, not .*"
)
"""What RPi.GPIO and the original RPIO say."""
FOR_EVER = {
    ("wait_for_edge", "timeout", "None"),
    ("wait_for_edge", "timeout", "-1"),
    ("aio.wait_for_edge", "timeout", "None"),
}
"""What is right, and would wait."""


def test_every_function_is_in_the_table():
    functions = {name for name in RPIO.__all__ if inspect.isroutine(getattr(RPIO, name))}
    assert functions - set(CALLS) == WITHOUT_ARGUMENTS
    for module, prefix in ((PWM, "PWM."), (PWM.Servo, "Servo."), (sim, "sim."), (aio, "aio.")):
        public = {
            name for name, value in vars(module).items() if not name.startswith("_") and callable(value)
        }
        ours = {
            name for name in public if getattr(getattr(module, name), "__module__", "").startswith("RPIO")
        }
        named = {name.removeprefix(prefix) for name in CALLS if name.startswith(prefix)}
        without = {
            "Servo",
            "PWM",
            "stop",
            "is_setup",
            "get_pulse_incr_us",
            "cleanup",
            "backend",
            "short_circuits",
        }
        assert ours - named - without <= {
            "means_of",
            "Nesting",
            "Subscription",
            "EdgeEvent",
            "Dispatcher",
            "WatchedLine",
        }


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_argument_is_named(name, value, capsys):
    function, given = CALLS[name]
    for parameter in given:
        if (name, parameter, value) in FOR_EVER:
            continue
        bad = VALUES[value]()
        arguments = [bad if other == parameter else good for other, good in given.items()]
        with simulated():
            RPIO.setup([22], RPIO.OUT)
            RPIO.setup([23, 25], RPIO.IN)
            RPIO.add_event_detect(25, RPIO.BOTH)
            RPIO.add_interrupt_callback(24, callback)
            try:
                function(*arguments)
            except (RPIO.GPIOError, ValueError, TypeError, AttributeError, RuntimeError, OSError) as e:
                check(e, parameter, bad, f"{name}({parameter}={value})")


def check(error, parameter, bad, call):
    text, hint = str(error), getattr(error, "hint", "")
    known = (repr(bad), str(bad), str(int(bad)) if isinstance(bad, bool) else repr(bad), parameter)
    is_named = any(word in f"{text} {hint}" for word in known)
    assert is_named or HISTORIC.fullmatch(text), f"{call}: {error!r}, hint {hint!r}"
