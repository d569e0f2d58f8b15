# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs for the original RPIO and ours, a line of Python after the other: every function, every kind of argument.

What a line may use beside the module's names is said in original_api_runner.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cases import Case

REVISION = "000e"
OLD_REVISIONS = (*("0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"), "000d", "000e", "000f")

STRANGE = (
    *(
        "None",
        "-1",
        "0",
        "1",
        "2",
        "3",
        "7",
        "17",
        "99",
        "2**31",
        "2**64",
        "'x'",
        "'17'",
        "b'x'",
        "1.5",
        "1500.0",
    ),
    *("[]", "()", "[17]", "object()", "True", "False", "{}", "Index(17)", "Float()", "print", "GPIO"),
)
"""What is given in the place of each argument."""

# Function -> what goes before, the arguments of a good call, what can be seen afterwards.
CALLS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "setup": ((), ("17", "OUT"), ("gpio_function(17)",)),
    "setup ": ((), ("17", "IN", "PUD_UP"), ("gpio_function(17)",)),
    "setup  ": ((), ("17", "OUT", "PUD_OFF", "1"), ("gpio_function(17)", "output(17, 0)")),
    "output": (("setup(17, OUT)",), ("17", "1"), ()),
    "input": (("setup(17, IN)",), ("17",), ()),
    "setmode": ((), ("BCM",), ("channel_to_gpio(17)",)),
    "forceoutput": (("setup(17, OUT)",), ("17", "1"), ()),
    "forceinput": ((), ("17",), ()),
    "set_pullupdn": (("setup(17, IN)",), ("17", "PUD_UP"), ()),
    "gpio_function": ((), ("17",), ()),
    "channel_to_gpio": ((), ("17",), ()),
    "setwarnings": ((), ("False",), ("preset(17, 1)", "setup(17, OUT)")),
    "add_tcp_callback": ((), ("0", "print", "False"), ("cleanup_interrupts()",)),
    "add_interrupt_callback": (
        ("setwarnings(False)",),
        ("17", "print", "'rising'", "PUD_UP", "False", "100"),
        ("gpio_function(17)", "del_interrupt_callback(17)"),
    ),
    "del_interrupt_callback": (("setwarnings(False)", "add_interrupt_callback(17, print)"), ("17",), ()),
    "close_tcp_client": ((), ("99",), ()),
    "stop_waiting_for_interrupts": ((), (), ()),
    "cleanup_interrupts": ((), (), ()),
    "cleanup": (("setup(17, OUT)",), (), ("gpio_function(17)", "output(17, 1)")),
    "sysinfo": ((), (), ()),
    "version": ((), (), ()),
}
PWM_CALLS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "PWM.setup": ((), ("10", "0"), ("PWM.is_setup()", "PWM.get_pulse_incr_us()")),
    "PWM.init_channel": (("PWM.setup(100)",), ("0", "3200"), ("PWM.is_channel_initialized(0)",)),
    "PWM.add_channel_pulse": (
        ("PWM.setup(100)", "PWM.init_channel(0, 3200)"),
        ("0", "17", "3", "5"),
        ("gpio_function(17)", "PWM.clear_channel_gpio(0, 17)"),
    ),
    "PWM.clear_channel": (
        ("PWM.setup(100)", "PWM.init_channel(0, 3200)", "PWM.add_channel_pulse(0, 17, 3, 5)"),
        ("0",),
        (),
    ),
    "PWM.clear_channel_gpio": (
        ("PWM.setup(100)", "PWM.init_channel(0, 3200)", "PWM.add_channel_pulse(0, 17, 3, 5)"),
        ("0", "17"),
        (),
    ),
    "PWM.print_channel": (("PWM.setup(100)", "PWM.init_channel(0, 3200)"), ("0",), ()),
    "PWM.set_loglevel": ((), ("1",), ("PWM.setup(100)",)),
    "PWM.is_setup": ((), (), ()),
    "PWM.is_channel_initialized": (("PWM.setup(100)", "PWM.init_channel(0, 3200)"), ("0",), ()),
    "PWM.get_pulse_incr_us": (("PWM.setup(100)",), (), ()),
    "PWM.get_channel_subcycle_time_us": (("PWM.setup(100)", "PWM.init_channel(0, 3200)"), ("0",), ()),
    "PWM.cleanup": (("PWM.setup(100)",), (), ()),
    "PWM.Servo": ((), ("0", "3200", "100"), ("PWM.is_setup()", "PWM.is_channel_initialized(0)")),
    "s.set_servo": (("s = PWM.Servo(0, 3200, 100)",), ("17", "1500"), ("gpio_function(17)",)),
    "s.stop_servo": (("s = PWM.Servo(0, 3200, 100)", "s.set_servo(17, 1500)"), ("17",), ()),
}
QUIET = ("PWM.set_loglevel(1)",)


def call(name: str, arguments: Iterable[str]) -> str:
    return f"{name.strip()}({', '.join(arguments)})"


def functions(
    calls: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]], *first: str
) -> Iterator[Case]:
    """Make cases of good calls, of strange values in each place, and of too few and too many."""
    for name, (before, good, after) in calls.items():
        variants = [good, (*good, "1"), *([good[:-1]] if good else [])]
        variants += [
            (*good[:place], value, *good[place + 1 :]) for place in range(len(good)) for value in STRANGE
        ]
        for arguments in variants:
            yield Case((*first, *before, call(name, arguments), *after), REVISION)


def levels() -> Iterator[Case]:
    """Functions of lines, levels and numbering."""
    yield from functions(CALLS)


def pulses() -> Iterator[Case]:
    """RPIO.PWM; how it prints its calls is a case of its own."""
    yield from functions(PWM_CALLS, *QUIET)


def short(*lines: str) -> Case:
    return Case(lines, REVISION)


def sequences() -> Iterator[Case]:
    """What programs do, and what they do wrong."""
    yield short(
        "HIGH, LOW, OUT, IN, BOARD, BCM",
        "VERSION",
        "version()",
        "RPI_REVISION",
        "RPI_REVISION_HEX",
        "sysinfo()",
    )
    yield short("PUD_OFF, PUD_UP, PUD_DOWN", "ALT0")
    yield short("GPIO_LIST_R1", "GPIO_LIST_R2", "PIN_LIST", "HEADER_P5", "sorted(MODEL_DATA.items())")
    for code in range(8):
        yield short(f"preset(17, {code})", "gpio_function(17)", "setup(17, IN)", "gpio_function(17)")
        yield short(f"preset(17, {code})", "setwarnings(0)", "setup(17, OUT)", "gpio_function(17)")
        yield short(f"preset(17, {code})", "GPIO._RPIO.GPIO_FUNCTIONS[gpio_function(17)]")
    for level in (0, 1):
        yield short(f"level(17, {level})", "forceinput(17)", "setup(17, IN)", "input(17)")
    for channel in range(-1, 42):
        yield short("setmode(BOARD)", f"channel_to_gpio({channel})", f"setup({channel}, OUT)")
        yield short(f"channel_to_gpio({channel})", f"forceinput({channel})", f"setup({channel}, OUT)")
    yield short("input(17)", "output(17, 1)", "setup(17, IN)", "output(17, 1)", "setup(17, OUT)", "input(17)")
    yield short("setup(17, OUT, initial=1)", "cleanup()", "cleanup()", "output(17, 1)")
    yield short(
        "cleanup()", "cleanup_interrupts()", "stop_waiting_for_interrupts()", "stop_waiting_for_interrupts()"
    )
    yield short("setup(17, OUT, pull_up_down=PUD_UP)", "setup(17, IN, pull_up_down=PUD_DOWN, initial=1)")
    yield short("setup(channel=17, direction=OUT)", "set_pullupdn(channel=17, pull_up_down=PUD_OFF)")
    yield short("setmode(99)", "channel_to_gpio(17)", "setmode(BCM)", "channel_to_gpio(17)")
    yield short(
        "setwarnings(False)", "add_interrupt_callback(17, print)", "add_interrupt_callback(17, print)"
    )
    yield short(
        "setwarnings(False)",
        "add_interrupt_callback(17, print, 'rising')",
        "add_interrupt_callback(17, print)",
    )
    yield short(
        "add_interrupt_callback(17, print)", "del_interrupt_callback(17)", "del_interrupt_callback(17)"
    )
    yield short("setwarnings(False)", "add_interrupt_callback(17, print, edge='none')", "cleanup()")
    yield short(
        "setwarnings(False)", "preset(17, 4)", "add_interrupt_callback(17, print)", "gpio_function(17)"
    )
    yield short("wait_for_interrupts(threaded=True)", "wait_for_interrupts(threaded=True)", "cleanup()")
    yield short(
        "add_tcp_callback(0, None)", "add_tcp_callback(0, '')", "add_tcp_callback(port=0, callback=print)"
    )
    yield short(
        "GPIO.Exceptions.InvalidPullException.__name__", "from RPIO.Exceptions import WrongDirectionException"
    )
    for name in ("_rpio", "_RPIO", "_GPIO"):
        yield short(f"bool(GPIO.{name})")
    yield short(
        "GPIO._rpio._tcp_client_sockets", "from RPIO._RPIO import GPIO_FUNCTIONS", "from RPIO import _GPIO"
    )


def talks() -> Iterator[Case]:
    """TCP callbacks."""
    said = ("hello\\r\\n", "  two words \\n", "no newline", "x\\ny\\n", "\\t\\x00\\n", "gr\\xc3\\xbcn")
    yield short("t = talk()", *(f"t.say(b'{text}')" for text in said), "t.heard")
    for text in ("\\r\\n", " ", "\\n\\n"):
        yield short("t = talk()", "t.say(b'one')", f"t.say(b'{text}')", "t.heard", "t.say(b'two', 1)")
    yield short("t = talk()", "t.lengths(b'a' * 1501, 2)")
    yield short("t = talk()", "t.lengths(b'a' * 1023 + b' ' + b'b' * 9, 2)")
    yield short(
        "t = talk()",
        "t.say(b'one', 0)",
        "t.say(b'two', 1)",
        "t.say(b'one', 0)",
        "t.hang_up(0)",
        "t.say(b'two', 1)",
    )
    yield short(
        "t = talk(closes=True)", "t.say(b'one')", "t._clients[0].recv(99)", "t.say(b'two', 1)", "t.heard"
    )
    yield short("t = talk(threaded=True)", "t.say(b'one')", "t.say(b'two')", "t.heard", "cleanup()")
    yield short(
        "t = talk()",
        "t.say(b'one')",
        "u = talk()",
        "u.say(b'two')",
        "t.say(b'three')",
        "cleanup_interrupts()",
    )


def pulse_sequences() -> Iterator[Case]:
    """The same of RPIO.PWM."""
    started = (*QUIET, "PWM.setup(100)", "PWM.init_channel(0, 3200)")
    names = (
        "DELAY_VIA_PWM",
        "DELAY_VIA_PCM",
        "LOG_LEVEL_DEBUG",
        "LOG_LEVEL_ERRORS",
        "SUBCYCLE_TIME_US_DEFAULT",
    )
    names += ("PULSE_WIDTH_INCREMENT_GRANULARITY_US_DEFAULT", "VERSION", "_PWM.VERSION")
    yield short(*(f"PWM.{name}" for name in names))
    yield short("PWM.setup()", "PWM.init_channel(0)", "PWM.add_channel_pulse(0, 17, 0, 50)", "PWM.cleanup()")
    yield short("PWM.set_loglevel(0)", "PWM.setup()", "PWM.print_channel(0)")
    for level in (1, 2, 99, -1):
        yield short(
            f"PWM.set_loglevel({level})", "PWM.setup()", "PWM.init_channel(0)", "PWM.print_channel(0)"
        )
    yield short(*QUIET, "PWM.is_setup()", "PWM.get_pulse_incr_us()", "PWM.is_channel_initialized(0)")
    yield short(
        *QUIET, "PWM.get_channel_subcycle_time_us(0)", "PWM.clear_channel(0)", "PWM.clear_channel_gpio(0, 17)"
    )
    yield short(
        *QUIET,
        "PWM.init_channel(0)",
        "PWM.add_channel_pulse(0, 17, 0, 50)",
        "PWM.print_channel(0)",
        "PWM.cleanup()",
    )
    yield short(*QUIET, "PWM.setup(5)", "PWM.setup(10)", "PWM.get_pulse_incr_us()")
    yield short(
        *started,
        "PWM.init_channel(0, 3200)",
        "PWM.init_channel(0, 6400)",
        "PWM.get_channel_subcycle_time_us(0)",
    )
    yield short(*started, "PWM.init_channel(15)", "PWM.init_channel(14)", "PWM.print_channel(15)")
    for subcycle in (2999, 3000, 3050, 1000000, 1000100, 110000):
        yield short(*QUIET, "PWM.setup()", f"PWM.init_channel(0, {subcycle})")
    for start, width in (
        (0, 0),
        (0, 31),
        (0, 32),
        (0, 33),
        (31, 0),
        (31, 1),
        (32, 0),
        (33, 0),
        (5, -2),
        (-1, 5),
        (-5, 9),
    ):
        yield short(*started, f"PWM.add_channel_pulse(0, 17, {start}, {width})")
    yield short(*started, *(f"PWM.add_channel_pulse(0, 17, 3, {width})" for width in (5, 5, 9, 3, 0)))
    yield short(*started, "PWM.add_channel_pulse(0, 17, 3, 9)", "PWM.add_channel_pulse(0, 17, 5, 9)")
    yield short(
        *started,
        "PWM.init_channel(1, 3200)",
        "PWM.init_channel(2, 3200)",
        "PWM.add_channel_pulse(2, 17, 3, 9)",
    )
    yield short(
        *(*started, "PWM.init_channel(1, 3200)", "PWM.add_channel_pulse(0, 17, 3, 9)"),
        *("PWM.add_channel_pulse(1, 17, 20, 9)", "PWM.clear_channel_gpio(1, 17)"),
    )
    yield short(
        *started, "PWM.clear_channel_gpio(0, 17)", "PWM.clear_channel(1)", "PWM.clear_channel_gpio(1, 17)"
    )
    yield short(
        *started,
        "PWM.cleanup()",
        "PWM.cleanup()",
        "PWM.is_setup()",
        "PWM.setup(100)",
        "PWM.init_channel(0, 3200)",
    )
    yield short(*started, "preset(18, 4)", "PWM.add_channel_pulse(0, 18, 3, 9)", "gpio_function(18)")
    yield short(
        *started, "setup(17, IN)", "PWM.add_channel_pulse(0, 17, 3, 9)", "gpio_function(17)", "output(17, 1)"
    )
    for gpio in (-1, 0, 5, 28, 31, 32, 40, 53, 54, 99):
        yield short(*started, f"PWM.add_channel_pulse(0, {gpio}, 3, 9)")
    servo = (*QUIET, "s = PWM.Servo(0, 3200, 100)")
    yield short(
        *servo,
        *(f"s.set_servo(17, {width})" for width in ("1500", "1500.0", "0", "0.0", "3100", "3200", "50")),
    )
    yield short(
        *servo,
        "s.stop_servo(17)",
        "PWM.is_channel_initialized(0)",
        "s.set_servo(17, 1500)",
        "s.stop_servo(18)",
    )
    yield short(*servo, "PWM.init_channel(0, 6400)", "s.set_servo(17, 1500)")
    yield short(*servo, "PWM.init_channel(0, 3200)", "s.set_servo(17, 1500)", "PWM.Servo(0, 3200, 100)")
    yield short(*servo, "PWM.Servo(0, 3200, 10)", "PWM.Servo(1, 6400, 100)", "PWM.setup(100)")
    yield short(
        *QUIET, "s = PWM.Servo()", "s.set_servo(17, 1200)", "s.set_servo(17, 2000)", "s.stop_servo(17)"
    )
    yield short(*QUIET, "s = PWM.Servo(0, 2000, 100)", "s.set_servo(17, 1500)")
    yield short(
        *QUIET, "PWM.Servo(dma_channel=3, subcycle_time_us=10000, pulse_incr_us=5).set_servo(17, 505)"
    )
    yield short(
        *QUIET,
        "s = PWM.Servo()",
        "s.set_servo(17, 1511.1)",
        "s.set_servo(17, '1500')",
        "s.set_servo('17', 1500)",
    )


def interrupts() -> Iterator[Case]:
    """Edges, one after the other has been dealt with: what comes at once, the original sees as one."""
    note = "lambda gpio, value: calls.append((gpio, value))"
    loop = "wait_for_interrupts(threaded=True)"

    def edges(*levels: int, line: int = 17, heard: Iterable[int] = ()) -> list[str]:
        """Make edges, after each of which so many calls are to have been."""
        lines = [f"edge({line}, {level})" for level in levels]
        waits = [f"until(lambda: len(calls) == {count})" for count in heard or range(1, len(levels) + 1)]
        return [text for pair in zip(lines, waits, strict=True) for text in pair]

    def case(*lines: str) -> Case:
        return short("setwarnings(False)", *lines)

    nothing_more = ("until(lambda: len(calls) > {}, 0.15)", "calls")
    for arguments in ("", ", 'both'", ", 'both', PUD_DOWN, False, None", ", pull_up_down=PUD_OFF"):
        yield case(f"add_interrupt_callback(17, {note}{arguments})", loop, *edges(1, 0, 1, 0), "calls")
    for edge, counts in (("rising", (1, 1, 2, 2, 3)), ("falling", (0, 1, 1, 2, 2))):
        add = f"add_interrupt_callback(17, {note}, edge='{edge}')"
        yield case(add, loop, *edges(1, 0, 1, 0, 1, heard=counts), "calls")
    yield case(f"add_interrupt_callback(17, {note}, threaded_callback=True)", loop, *edges(1, 0), "calls")
    debounced = f"add_interrupt_callback(17, {note}, debounce_timeout_ms=9000)"
    yield case(debounced, loop, *edges(1, 0, 1, heard=(1, 1, 1)), nothing_more[0].format(1), "calls")
    quick = f"add_interrupt_callback(17, {note}, 'rising', debounce_timeout_ms=1)"
    yield case(
        quick,
        loop,
        *edges(1, 0, heard=(1, 1)),
        "until(lambda: 0, 0.05)",
        "edge(17, 1)",
        "until(lambda: len(calls) == 2)",
        "calls",
    )
    yield case(*[f"add_interrupt_callback(17, {note})"] * 2, loop, *edges(1, 0, heard=(2, 4)), "calls")
    two = (f"add_interrupt_callback(17, {note})", f"add_interrupt_callback(18, {note}, 'rising')")
    yield case(*two, loop, *edges(1), *edges(1, line=18, heard=(2,)), *edges(0, heard=(3,)), "calls")
    yield case(*two, loop, "del_interrupt_callback(17)", "edge(17, 1)", *edges(1, line=18), "calls")
    yield case(
        two[0],
        loop,
        *edges(1),
        "del_interrupt_callback(17)",
        "edge(17, 0)",
        nothing_more[0].format(1),
        "calls",
    )
    yield case(
        two[0], loop, *edges(1), "cleanup_interrupts()", "edge(17, 0)", nothing_more[0].format(1), "calls"
    )
    yield case(
        "setmode(BOARD)",
        f"add_interrupt_callback(11, {note})",
        loop,
        *edges(1),
        "calls",
        "del_interrupt_callback(11)",
    )
    yield case("edge(17, 1)", two[0], loop, nothing_more[0].format(0), "calls")  # what is there is no edge
    yield case(two[0], "edge(17, 1)", loop, "until(lambda: len(calls) == 1)", "calls")  # before anybody waits
    add_another = f"lambda gpio, value: (add_interrupt_callback(18, {note}), calls.append(value))"
    yield case(
        f"add_interrupt_callback(17, {add_another})", loop, *edges(1), *edges(1, line=18, heard=(2,)), "calls"
    )
    stop = "lambda gpio, value: (calls.append(value), stop_waiting_for_interrupts())"
    yield case(
        f"add_interrupt_callback(17, {stop})",
        loop,
        *edges(1),
        "until(lambda: 0, 1.2)",
        "edge(17, 0)",
        nothing_more[0].format(1),
        "calls",
    )


def boards() -> Iterator[Case]:
    """What is known of a board, and what a channel is on it."""
    pins, gpios = range(1, 27), range(32)
    for revision in OLD_REVISIONS:
        known = ("RPI_REVISION", "RPI_REVISION_HEX", "sysinfo()")
        yield Case((*known, *(f"channel_to_gpio({gpio})" for gpio in gpios)), revision)
        yield Case(("setmode(BOARD)", *(f"channel_to_gpio({pin})" for pin in pins)), revision)
    yield Case(("RPI_REVISION_HEX", "sysinfo()"), "1000000e")  # overvolted
    yield Case(("RPI_REVISION", "RPI_REVISION_HEX", "sysinfo()"), "0010")
    yield Case(("RPI_REVISION", "RPI_REVISION_HEX", "sysinfo()"), "a020d3")


GROUPS = (levels, sequences, interrupts, talks, boards, pulses, pulse_sequences)
CASES = tuple(dict.fromkeys(case for group in GROUPS for case in group()))
