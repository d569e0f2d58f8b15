# SPDX-License-Identifier: LGPL-3.0-or-later
"""The programs that RPi.GPIO and RPIO both run, a line of Python after the other.

A case starts on blank registers (every line an input) in a process of its own. What its lines may use beside the
module's names: preset(line, code) and level(line, value), what somebody else did to the registers; prime(line),
edge(line, level), edge_soon(line, level), edges at a watched line; until(condition); Index(17), an integer that
is no int, Array(), which is none in spite of its __index__, Float(), a number that is no float; `calls`, an empty list.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PI_3B_PLUS, REV_1_B, REV_2_B, ZERO, COMPUTE_MODULE_3, PI_4B = (
    *("a020d3", "0002", "000e"),
    *("900093", "a020a0", "c03111"),
)
"""Revision codes: BCM2837 and 2835 (one block of registers), headers of three kinds and none, and BCM2711."""
REVISIONS = (PI_3B_PLUS, REV_1_B, REV_2_B, ZERO, COMPUTE_MODULE_3, PI_4B)


class Case(NamedTuple):
    """A program, and the board that it runs on."""

    lines: tuple[str, ...]
    revision: str = PI_3B_PLUS

    @property
    def name(self) -> str:
        """The program in one line."""
        return f"{self.revision}: {'; '.join(self.lines)}"


def each(
    before: Iterable[str], line: str, values: Iterable[str], after: Iterable[str] = ()
) -> Iterator[Case]:
    """Make one case of each value in the place of {} in *line*."""
    for value in values:
        yield Case((*before, line.format(value), *after))


def on(revisions: Iterable[str], *lines: str) -> Iterator[Case]:
    """Make one case for each board."""
    for revision in revisions:
        yield Case(lines, revision)


# -- states to start from ------------------------------------------------------------------------------

BCM = ("setmode(BCM)",)
BOARD = ("setmode(BOARD)",)
IN = (*BCM, "setup(17, IN)")
OUT = (*BCM, "setup(17, OUT)")
BOTH = (*BCM, "setup(17, IN)", "setup(27, OUT)")
TWO_OUT = (*BCM, "setup([17, 27], OUT)")
WATCHED = (*IN, "add_event_detect(17, RISING)")
CLEANED = (*OUT, "cleanup()")
QUIET = (*BCM, "setwarnings(False)")
PWM = (*OUT, "p = PWM(17, 50)")

# -- values to pass ------------------------------------------------------------------------------------

NO_CHANNELS = (
    "17.0",
    "'17'",
    "b'17'",
    "None",
    "{17}",
    "range(17, 18)",
    "iter([17])",
    "{17: 1}",
    "Index(17)",
    "Array()",
    "[Array()]",
    "GPIO",
)
ODD_CHANNELS = (
    "True",
    "False",
    "-1",
    "-666",
    "54",
    "58",
    "99",
    "2**31",
    "2**32 + 17",
    "2**40",
    "2**70",
    "-2**40",
)
CHANNEL_LISTS = (
    *("[]", "()", "[17]", "(17,)", "[17, 27]", "(17, 17)", "[True]", "[[17]]", "[17, (27,)]", "[None]"),
    *("['17']", "[17, '27']", "[17.0]", "[17, 54]", "[54, 17]", "[Index(17)]", "[2**40]", "[17, -1]"),
)
NO_INTEGERS = ("1.0", "'1'", "b'1'", "None", "[1]", "(1,)", "{1}", "Index(1)", "Array()", "GPIO")
ODD_INTEGERS = ("True", "False", "-1", "2", "7", "99", "2**31", "2**40", "2**70", "-2**70")
NO_PINS = (
    "0",
    "1",
    "2",
    "4",
    "6",
    "9",
    "17",
    "20",
    "25",
    "27",
    "28",
    "30",
    "39",
    "41",
    "-1",
    "True",
    "2**40",
)
NO_CALLABLES = ("None", "1", "'calls'", "[]", "GPIO")


def numbering() -> Iterator[Case]:
    """setmode, getmode, and what a channel is under them."""
    yield Case(("getmode()",))
    yield Case(("getmode(1)",))
    yield Case(("setmode()",))
    yield Case(("setmode(BCM, BOARD)",))
    yield Case(("setmode(mode=BCM)", "getmode()"))
    yield from each((), "setmode({})", (*NO_INTEGERS, *ODD_INTEGERS, "0", "10", "11", "12"), ("getmode()",))
    yield from each(
        BCM, "setmode({})", ("BCM", "BOARD", "0", "'BCM'", "None", "True", "11.0"), ("getmode()",)
    )
    yield from each(BOARD, "setmode({})", ("BOARD", "BCM", "-1"), ("getmode()",))
    yield Case((*BCM, "cleanup()", "getmode()"))
    yield Case((*BOARD, "cleanup()", "getmode()", "setup(11, OUT)"))
    yield Case((*OUT, "cleanup()", "getmode()", "setmode(BOARD)", "getmode()"))
    yield Case((*OUT, "cleanup(17)", "getmode()", "setmode(BOARD)"))
    yield Case((*OUT, "cleanup(None)"))
    for line in (
        *("setup(17, OUT)", "setup(17, IN)", "setup([17], OUT)", "output(17, 1)", "input(17)", "cleanup(17)"),
        *(
            "gpio_function(17)",
            "add_event_detect(17, RISING)",
            "remove_event_detect(17)",
            "event_detected(17)",
        ),
        *("add_event_callback(17, calls.append)", "wait_for_edge(17, RISING)", "PWM(17, 50)", "cleanup()"),
        *("setup([], OUT)", "output([], [])", "cleanup([])", "setup(99, OUT)", "input(99)"),
    ):
        yield Case((line,))
        yield Case((*CLEANED, line))
    yield from each(BOARD, "setup({}, OUT)", (*NO_PINS, "11", "40", "3"), ("gpio_function(17)",))
    yield from each(BOARD, "gpio_function({})", ("11", "26", "40", "27", "28"))
    yield from each((*BOARD, "setup(11, OUT)"), "output({}, 1)", ("11", "12", "17", "27", "[11, 6]"))
    yield Case((*BOARD, "setup(11, IN)", "level(17, 1)", "input(11)", "input(13)"))


def boards() -> Iterator[Case]:
    """What differs between boards."""
    yield from on(REVISIONS, "GPIO.RPI_INFO", "GPIO.RPI_REVISION")
    for pin in ("3", "5", "13", "26", "27", "29", "33", "40", "41"):
        yield from on(REVISIONS, "setmode(BOARD)", f"setup({pin}, OUT)")
    for line in ("0", "1", "2", "3", "28", "45", "53", "54", "57", "58"):
        yield from on((REV_1_B, COMPUTE_MODULE_3, PI_4B), "setmode(BCM)", f"setup({line}, IN, PUD_UP)")
    yield from on(REVISIONS, "setmode(BOARD)", *(f"setup({pin}, OUT)" for pin in range(42)), "cleanup()")
    yield from on(REVISIONS, *QUIET, *(f"setup({line}, IN)" for line in range(60)), "cleanup()")
    yield from on(REVISIONS, *QUIET, "setup([0, 1, 2, 3], IN, PUD_DOWN)", "cleanup()")
    yield from on((COMPUTE_MODULE_3,), "setmode(BOARD)", "getmode()", "setmode(BCM)", "setmode(BOARD)")
    for pull in ("PUD_OFF", "PUD_DOWN", "PUD_UP"):
        yield from on(
            (PI_4B,), *BCM, f"setup(17, IN, {pull})", "setup(17, OUT)", f"setup([4, 53, 22], IN, {pull})"
        )
    yield from on((PI_4B, ZERO), *BCM, "setup(17, IN, PUD_UP)", "setup(17, OUT, initial=1)", "cleanup(17)")


def setting_up() -> Iterator[Case]:
    """setup()."""
    yield from each((), "setup({})", ("", "17", "17, OUT, PUD_OFF, 1, 0", "channel=17", "17, OUT, value=1"))
    yield from each(
        BCM, "setup({})", ("", "17", "17, OUT, PUD_OFF, 1, 0", "direction=OUT", "17, OUT, value=1")
    )
    yield Case((*BCM, "setup(channel=17, direction=OUT, pull_up_down=PUD_OFF, initial=HIGH)"))
    yield Case((*BCM, "setup(17, direction=IN, pull_up_down=PUD_UP)"))
    yield Case((*BCM, "setup(17, OUT, channel=17)"))
    yield Case((*BCM, "setup(17, OUT, PUD_OFF, LOW)"))
    everything = (*NO_CHANNELS, *ODD_CHANNELS, *CHANNEL_LISTS, "0", "17", "53")
    yield from each(BCM, "setup({}, OUT)", everything, ("gpio_function(17)", "gpio_function(0)"))
    yield from each(BCM, "setup({}, IN, PUD_UP)", ("0", "1", "2", "3", "4", "45", "[2, 3, 4]", "53"))
    yield from each((), "setup({}, OUT)", ("'17'", "[17]", "None", "2**70"))
    yield from each(BCM, "setup(17, {})", (*NO_INTEGERS, *ODD_INTEGERS))
    yield from each(
        BCM, "setup(17, IN, {})", (*NO_INTEGERS, *ODD_INTEGERS, "PUD_OFF", "PUD_DOWN", "PUD_UP", "0", "1")
    )
    yield from each(
        BCM, "setup(17, OUT, {})", ("PUD_OFF", "PUD_DOWN", "PUD_UP", "0", "1", "2", "99", "None", "'1'")
    )
    yield from each(BCM, "setup(17, OUT, initial={})", (*NO_INTEGERS, *ODD_INTEGERS, "0", "1", "LOW", "HIGH"))
    yield from each(BCM, "setup(17, IN, initial={})", ("0", "1", "2", "-1", "None", "True", "'1'", "-2"))
    yield from each(BCM, "setup([17, 27], OUT, initial={})", ("0", "1", "-1", "[0, 1]", "(1,)", "True"))
    yield Case((*BCM, "setup(17, 2, 99, 7)"))  # which of three errors is the first?
    yield Case((*BCM, "setup(17, OUT, 99, 7)"))
    yield Case((*BCM, "setup(17, IN, 99, 7)"))
    yield Case((*BCM, "setup('17', 2, 99, 7)"))
    yield Case((*BCM, "setup(99, 2)"))
    yield Case((*BCM, "setup([17, 'x'], 2)"))
    yield Case(("setup(17, 2)",))
    yield Case(("setup(99, OUT, PUD_UP)",))
    for first, then in (("OUT", "IN"), ("IN", "OUT"), ("OUT", "OUT"), ("IN", "IN")):
        yield Case((*BCM, f"setup(17, {first})", f"setup(17, {then})", "gpio_function(17)"))
    yield Case((*BCM, "setup(17, OUT, initial=1)", "setup(17, OUT)", "setup(17, OUT, initial=0)"))
    yield Case((*BCM, "setup([17, 54, 27], OUT)", "gpio_function(17)", "gpio_function(27)", "output(17, 1)"))
    yield Case((*BCM, "setup((17, 'x'), IN)", "input(17)"))


def using_others_lines() -> Iterator[Case]:
    """The three warnings."""
    for code in (1, 4, 5, 6, 7, 3, 2):
        for direction in ("IN", "OUT"):
            yield Case((f"preset(17, {code})", *BCM, f"setup(17, {direction})", f"setup(17, {direction})"))
    yield Case(("preset(17, 1)", *QUIET, "setup(17, OUT)"))
    yield Case(("preset(17, 1)", *OUT, "preset(17, 4)", "setup(17, OUT)"))
    yield Case(("preset(17, 1)", *OUT, "cleanup()", *BCM, "setup(17, OUT)"))
    yield Case((*OUT, "cleanup()", "preset(17, 1)", *BCM, "setup(17, OUT)"))
    yield Case(("preset(17, 4)", "preset(27, 1)", *BCM, "setup([17, 27, 22], OUT)"))
    yield Case(("preset(2, 4)", *BCM, "setup(2, IN, PUD_UP)"))
    yield Case(("preset(17, 1)", *BCM, "input(17)"))
    yield Case(("preset(17, 1)", *BCM, "output(17, 1)"))
    yield Case(("preset(17, 1)", *BCM, "cleanup(17)", "cleanup()"))
    yield Case((*IN, "preset(17, 1)", "setup(17, IN)"))
    yield Case((*QUIET, "setup([2, 3], IN, PUD_UP)", "setwarnings(True)", "setup([2, 3], IN, PUD_UP)"))
    for pull in ("PUD_OFF", "PUD_DOWN", "PUD_UP"):
        yield from each(BCM, "setup({}, IN, " + pull + ")", ("2", "3", "[2, 3]"))
    yield from each((), "setwarnings({})", (*NO_INTEGERS, *ODD_INTEGERS, "", "True, False"), ("cleanup()",))
    yield Case(("setwarnings(False)", "cleanup()", "setwarnings(2)", "cleanup()"))
    yield Case(("setwarnings(state=False)",))


def writing() -> Iterator[Case]:
    """output()."""
    yield from each(OUT, "output({})", ("", "17", "17, 1, 1", "channel=17, value=1", "17, value=1"))
    yield from each(OUT, "output({}, 1)", (*NO_CHANNELS, *ODD_CHANNELS, *CHANNEL_LISTS, "17", "27"))
    yield from each(OUT, "output(17, {})", (*NO_INTEGERS, *ODD_INTEGERS, "0", "1", "HIGH", "[]", "[1, 0]"))
    yield from each(TWO_OUT, "output([17, 27], {})", (*NO_INTEGERS, *ODD_INTEGERS, "0", "1", "[]", "()"))
    yield from each(
        TWO_OUT,
        "output([17, 27], {})",
        (
            "[0, 1]",
            "(1, 0)",
            "[1, 1]",
            "[1, 0, 1]",
            "[1, '0']",
            "[1, None]",
            "['x', 1]",
            "[1, 0.0]",
            "[True, False]",
        ),
    )
    yield from each(
        TWO_OUT, "output((27, 17), {})", ("[0, 1]", "(1, 0)", "(1, Index(0))", "([1], 0)", "[2**40, 1]")
    )
    yield from each(
        TWO_OUT,
        "output({})",
        (
            *("[17, 27, 17], [1, 1, 0]", "[17, 17, 17], [1, 0, 1]", "[17, 17], 1", "[27, 17], 0"),
            *("[17, 22], 1", "[22, 17], 1", "[17, 54], [1, 1]", "[17, 'x'], [1, 1]", "[17, 'x'], [1, 'y']"),
            *("[], []", "(), ()", "[], 1", "[], [1]", "[17], []", "17, (1,)", "'17', '1'", "99, 'x'"),
        ),
    )
    yield Case((*BCM, "setup([4, 17, 22, 27, 33], OUT)", "output([4, 17, 22, 27, 33], [1, 1, 0, 0, 1])"))
    yield Case((*BCM, "setup([33, 4], OUT)", "output([33, 4], 1)", "output([33, 4, 33], [0, 0, 1])"))
    yield Case(
        (*BCM, "setup([4, 33, 17], OUT)", "output([4, 33, 17], 1)", "output([4, 33, 17, 33], [0, 1, 0, 0])")
    )
    yield from each(BOTH, "output({}, 1)", ("17", "[27, 17]", "[17, 27]", "22"))
    yield Case((*CLEANED, *BCM, "output(17, 1)"))
    yield Case((*OUT, "setup(17, IN)", "output(17, 1)"))
    yield Case((*OUT, "preset(17, 4)", "output(17, 1)", "gpio_function(17)"))
    yield Case(
        (*OUT, "output(17, 1)", "output(17, True)", "output(17, 0)", "output(17, False)", "output(17, 5)")
    )
    yield Case((*BCM, "output(17, 1)"))
    yield Case((*BCM, "output(99, 1)"))


def reading() -> Iterator[Case]:
    """input() and gpio_function()."""
    yield from each(IN, "input({})", ("", "17, 1", "channel=17", "17", "27", *NO_CHANNELS, *ODD_CHANNELS))
    yield from each(IN, "input({})", CHANNEL_LISTS)
    yield from each((*IN, "level(17, 1)"), "input({})", ("17", "27"))
    yield Case((*OUT, "level(17, 1)", "input(17)", "level(17, 0)", "input(17)"))
    yield Case((*BCM, "setup([31, 32, 53], IN)", "level(32, 1)", "input(31)", "input(32)", "input(53)"))
    yield Case((*BCM, "level(31, 1)", "setup(31, IN)", "input(31)"))
    yield Case((*CLEANED, *BCM, "input(17)"))
    yield Case((*IN, "preset(17, 4)", "level(17, 1)", "input(17)"))
    yield from each(
        BCM, "gpio_function({})", ("", "17, 1", "channel=17", "53", *NO_CHANNELS, *ODD_CHANNELS, "[17]")
    )
    for code in (0, 1, 2, 3, 4, 5, 6, 7):
        lines = (0, 2, 7, 9, 12, 13, 14, 16, 17, 18, 19, 21, 28, 32, 40, 45)
        preset = [f"preset({line}, {code})" for line in lines]
        yield Case((*preset, *BCM, f"[gpio_function(line) for line in {lines}]"))


def cleaning_up() -> Iterator[Case]:
    """cleanup()."""
    yield Case(("cleanup()",))
    yield Case(("cleanup()", "cleanup()"))
    yield from each((), "cleanup({})", (*NO_CHANNELS, "[]", "()", "17", "[17]", "['x']", "99", "17, 27"))
    yield from each(BCM, "cleanup({})", ("", "17", "[17]", "99", "[99]", "['x']", "'x'", "None", "[]"))
    yield from each(
        (*TWO_OUT, "setup(22, IN, PUD_UP)"),
        "cleanup({})",
        (
            *(
                "",
                "17",
                "22",
                "4",
                "[17, 27]",
                "(22,)",
                "[]",
                "()",
                "[17, 4]",
                "[4, 5]",
                "[17, 17]",
                "channel=17",
            ),
            *("channel=[17]", "17, 27", "[17, 'x']", "[17, 99]", "[99, 17]", "[[17]]", "pin=17"),
            *NO_CHANNELS,
            *ODD_CHANNELS,
        ),
        ("getmode()", "[function_code(line) for line in (17, 27, 22)]"),
    )
    yield Case((*BCM, "setup([27, 4, 17], OUT)", "setup(2, IN)", "cleanup()"))
    yield Case((*BCM, "setup([27, 4, 17], OUT)", "cleanup([27, 4, 17])"))
    yield Case((*OUT, "cleanup()", "cleanup()"))
    yield Case((*OUT, "cleanup(17)", "cleanup(17)", "cleanup()"))
    yield Case((*OUT, "preset(17, 4)", "cleanup()", "function_code(17)"))
    yield Case((*OUT, "preset(27, 1)", "cleanup()", "function_code(27)"))
    yield Case((*QUIET, "cleanup()", "cleanup(17)", "cleanup([17])"))
    yield from each((*BOARD, "setup(11, OUT)"), "cleanup({})", ("11", "17", "6", "[11]", ""), ("getmode()",))


def storing() -> Iterator[Case]:
    """What is written into registers, in which order, with neighbours that are to stay as they are."""
    for revision in (PI_3B_PLUS, PI_4B):
        for line in (4, 17, 31, 32, 53):
            neighbours = (f"preset({line - 1}, 4)", f"preset({line // 10 * 10}, 7)", *QUIET)
            ways = [f"IN, {pull}" for pull in ("PUD_OFF", "PUD_DOWN", "PUD_UP")]
            ways += ["OUT", "OUT, initial=0", "OUT, initial=1"]
            for way in ways:
                yield from on((revision,), *neighbours, f"setup({line}, {way})", f"cleanup({line})")
            other = "[2, 18, 33, 47]"
            yield from on(
                (revision,), *neighbours, f"setup({other}, IN, PUD_UP)", f"setup({line}, OUT)", "cleanup()"
            )
        for before, after in itertools.product(("IN", "IN, PUD_UP", "OUT", "OUT, initial=1"), repeat=2):
            yield from on((revision,), *BCM, f"setup(17, {before})", f"setup(17, {after})")
        yield from on(
            (revision,), *OUT, "output(17, 1)", "setup(17, IN, PUD_DOWN)", "setup(17, OUT)", "output(17, 0)"
        )
        yield from on((revision,), *QUIET, "preset(17, 1)", "setup(17, OUT)", "output(17, 1)")
        yield from on(
            (revision,), *IN, "add_event_detect(17, RISING)", "remove_event_detect(17)", "cleanup(17)"
        )
        yield from on(
            (revision,), *IN, "wait_for_edge(17, RISING, timeout=5)", "input(17)", "gpio_function(17)"
        )


def watching() -> Iterator[Case]:
    """add_event_detect(), add_event_callback(), remove_event_detect(), event_detected()."""
    add = "add_event_detect({})"
    yield from each(
        IN, add, ("", "17", "RISING", "17, RISING, calls.append, 5, 6", "gpio=17", "17, RISING, foo=1")
    )
    yield from each(IN, add, ("gpio=17, edge=RISING, callback=calls.append, bouncetime=5", "17, edge=BOTH"))
    yield from each(
        IN, add, ("channel=17, edge=RISING", "17, RISING, callback=None", "17, RISING, bouncetime=None")
    )
    yield from each(IN, "add_event_detect({}, RISING)", (*NO_CHANNELS, *ODD_CHANNELS, "[17]", "(17,)", "27"))
    edges = (
        *NO_INTEGERS,
        *ODD_INTEGERS,
        "RISING",
        "FALLING",
        "BOTH",
        "0",
        "30",
        "34",
        "'rising'",
        "LOW",
        "HIGH",
    )
    yield from each(IN, "add_event_detect(17, {})", edges)
    yield from each(IN, "add_event_detect(17, RISING, {})", NO_CALLABLES)
    times = (*NO_INTEGERS, "0", "-1", "-666", "1", "200", "True", "2**31", "2**40", "1.5")
    yield from each(IN, "add_event_detect(17, RISING, bouncetime={})", times)
    yield from each(IN, "add_event_detect(17, RISING, calls.append, {})", ("0", "5", "-5", "'5'"))
    yield from each(OUT, add, ("17, RISING", "17, 99", "17, RISING, 7"))
    yield from each(BCM, add, ("17, RISING", "17, RISING, 7", "99, RISING, 7", "99, 99"))
    yield from each((), add, ("17, RISING", "17, 99", "17, RISING, 7"))
    yield from each(
        WATCHED, add, ("17, RISING", "17, FALLING", "17, BOTH", "17, RISING, calls.append", "17, 99")
    )
    yield from each(WATCHED, add, ("17, RISING, bouncetime=5", "17, RISING, bouncetime=0"))
    call = "add_event_callback({})"
    yield from each(
        WATCHED, call, ("", "17", "17, calls.append", "gpio=17, callback=calls.append", "17, len, 5, 6")
    )
    yield from each(WATCHED, call, ("channel=17, callback=len", "27, len", "17, callback=None", "'17', len"))
    yield from each(WATCHED, "add_event_callback(17, {})", NO_CALLABLES)
    yield from each(IN, call, ("17, len", "17, 7", "99, len", "27, len"))
    yield from each(OUT, call, ("17, len", "27, len", "54, len", "2**40, len"))
    for name in ("remove_event_detect", "event_detected"):
        arguments = ("", "17, 1", "channel=17", "17", "27", "99", *NO_CHANNELS, "2**40", "-1", "True", "[17]")
        yield from each(WATCHED, name + "({})", arguments)
        yield from each(BCM, name + "({})", ("17", "99", "'x'"))
        yield Case((*OUT, f"{name}(17)"))
    yield Case(
        (*WATCHED, "remove_event_detect(17)", "remove_event_detect(17)", "add_event_detect(17, FALLING)")
    )
    yield Case((*WATCHED, "remove_event_detect(17)", "add_event_callback(17, len)"))
    yield Case((*WATCHED, "cleanup(17)", "add_event_detect(17, RISING)"))
    yield Case((*WATCHED, "cleanup(17)", "setup(17, IN)", "add_event_detect(17, FALLING)"))
    yield Case((*WATCHED, "cleanup()", *IN, "add_event_detect(17, FALLING)"))
    yield Case((*WATCHED, "cleanup(27)", "add_event_detect(17, RISING)"))
    yield Case((*WATCHED, "setup(17, IN, PUD_UP)", "add_event_detect(17, RISING)"))
    yield Case(
        (*WATCHED, "setup(17, OUT)", "event_detected(17)", "add_event_detect(17, RISING)", "cleanup()")
    )
    yield Case((*WATCHED, "setup(17, OUT)", "setup(17, IN)", "add_event_detect(17, RISING)"))
    yield Case(
        (*BOARD, "setup(11, IN)", "add_event_detect(11, RISING)", "event_detected(11)", "event_detected(12)")
    )


def edges() -> Iterator[Case]:
    """What an edge does."""
    add = "add_event_detect(17, RISING{})"
    detected = ("until(lambda: event_detected(17))", "event_detected(17)")
    called = ("until(lambda: calls)", "calls")
    yield Case((*WATCHED, "prime(17)", "event_detected(17)", "edge(17, 1)", *detected))
    yield Case((*IN, add.format(", calls.append"), "prime(17)", "edge(17, 1)", *called, "event_detected(17)"))
    yield Case((*WATCHED, "add_event_callback(17, calls.append)", "prime(17)", "edge(17, 1)", *called))
    yield Case(
        (
            *WATCHED,
            "prime(17)",
            "edge(17, 1)",
            "until(lambda: False, 0.1)",
            "remove_event_detect(17)",
            detected[1],
        )
    )
    yield Case((*IN, "add_event_detect(17, FALLING)", "prime(17)", "edge(17, 0)", *detected))
    yield Case(
        (*IN, "add_event_detect(17, BOTH)", "prime(17)", "edge(17, 1)", *detected, "edge(17, 0)", *detected)
    )
    yield Case(
        (
            *BOARD,
            "setup(11, IN)",
            "add_event_detect(11, RISING, calls.append)",
            "prime(17)",
            "edge(17, 1)",
            *called,
        )
    )
    yield Case(
        (
            *IN,
            "add_event_detect(17, RISING, lambda channel: calls.append('first'))",
            "add_event_callback(17, lambda channel: calls.append('second'))",
            "prime(17)",
            "edge(17, 1)",
            "until(lambda: len(calls) > 1)",
            "until(lambda: len(calls) > 2, 0.1)",
            "calls",
        )
    )
    yield Case(
        (
            *IN,
            "add_event_detect(17, RISING, calls.append, 1000)",
            "prime(17)",
            *("edge(17, 1)", "edge(17, 1)", "edge(17, 1)"),
            *called,
            "until(lambda: len(calls) > 1, 0.1)",
        )
    )
    yield Case(
        (
            *IN,
            "import sys",
            "sys.stderr = None",
            "add_event_detect(17, RISING, lambda channel: 1 / 0)",
            "add_event_callback(17, calls.append)",
            *("prime(17)", "edge(17, 1)", *called),
        )
    )
    watch = (*IN, add.format(", calls.append"), "prime(17)")
    again = ("calls.clear()", "edge(17, 1)", "until(lambda: calls, 0.5)", "calls")
    yield Case((*watch, "setup(17, IN, PUD_UP)", *again))
    yield Case((*watch, "setup(17, OUT)", "setup(17, IN)", *again))
    yield Case((*watch, "setup(17, OUT)", *again))
    yield Case((*watch, "remove_event_detect(17)", *again))
    yield Case((*watch, "remove_event_detect(17)", add.format(", calls.append"), "prime(17)", *again))
    yield Case((*watch, "cleanup(17)", *again))
    yield Case((*watch, "cleanup(17)", "setup(17, IN)", add.format(", calls.append"), "prime(17)", *again))
    yield Case((*watch, "cleanup()", *IN, add.format(", calls.append"), "prime(17)", *again))
    yield Case((*watch, *again, *again, *again))
    for callback in (
        "calls.append(event_detected(channel))",
        "calls.append(input(channel))",
        "calls.append(type(channel))",
    ):
        yield Case((*IN, add.format(f", lambda channel: {callback}"), "prime(17)", "edge(17, 1)", *called))
    yield Case(
        (
            *IN,
            add.format(", lambda channel: sys.exit(3)"),
            "import sys",
            "prime(17)",
            "edge(17, 1) or until(lambda: calls)",  # whose thread it is that ends the program shows in the moment only
        )
    )
    yield Case(
        (
            *IN,
            add.format(", lambda: calls.append(1)"),
            "sys.stderr = None",
            "prime(17)",
            "edge(17, 1)",
            *called,
        )
    )
    yield Case(
        (
            *IN,
            add.format(", bouncetime=1000"),
            "prime(17)",
            "edge(17, 1)",
            *detected,
            "edge(17, 1)",
            *detected,
        )
    )
    yield Case((*IN, add.format(", bouncetime=1"), "prime(17)", *[*detected, "edge(17, 1)"] * 3, *detected))
    yield Case(
        (
            *IN,
            add.format(", calls.append") + "; setup(27, IN)",
            "add_event_detect(27, BOTH, calls.append)",
            "prime(17)",
            "prime(27)",
            "edge(27, 1)",
            "until(lambda: calls)",
            "edge(17, 1)",
            "until(lambda: len(calls) > 1)",
            "calls",
            "event_detected(27)",
            "event_detected(17)",
        )
    )
    for revision, pin, line in ((REV_1_B, 13, 21), (REV_2_B, 13, 27), (PI_4B, 40, 21)):
        program = ("setmode(BOARD)", f"setup({pin}, IN)", f"add_event_detect({pin}, RISING, calls.append)")
        yield from on((revision,), *program, f"prime({line})", f"edge({line}, 1)", *called)
    wait = "wait_for_edge({})"
    yield from each(
        IN,
        wait,
        (
            "",
            "17",
            "17, RISING, 5, 5, 5",
            "channel=17",
            "17, RISING, foo=5",
            "gpio=17, edge=RISING, timeout=5",
        ),
    )
    yield from each(IN, wait, ("channel=17, edge=RISING, bouncetime=5, timeout=5", "17, RISING, 5, 5"))
    yield from each(IN, "wait_for_edge({}, RISING, timeout=5)", (*NO_CHANNELS, *ODD_CHANNELS, "27", "[17]"))
    yield from each(
        IN, "wait_for_edge(17, {}, timeout=5)", (*NO_INTEGERS, "0", "30", "34", "'rising'", "FALLING", "BOTH")
    )
    times = (*NO_INTEGERS, "0", "-2", "-666", "True", "2**40", "1.5", "5")
    yield from each((*IN, "edge_soon(17, 1)"), "wait_for_edge(17, RISING, timeout={})", times)
    yield from each(IN, "wait_for_edge(17, RISING, timeout=5, bouncetime={})", (*times, "-1"))
    yield from each(OUT, wait, ("17, RISING", "17, 99", "27, RISING"))
    yield from each(WATCHED, wait, ("17, RISING, timeout=5", "17, RISING, bouncetime=5, timeout=5"))
    yield Case((*WATCHED, "wait_for_edge(17, FALLING, timeout=5)", "add_event_detect(17, RISING)"))
    yield Case((*IN, add.format(", bouncetime=5"), "wait_for_edge(17, RISING, bouncetime=6, timeout=5)"))
    yield Case((*IN, add.format(", bouncetime=5"), "wait_for_edge(17, RISING, timeout=5)"))
    yield Case((*IN, add.format(", bouncetime=5"), "wait_for_edge(17, RISING, bouncetime=5, timeout=5)"))
    yield Case((*IN, add.format(", calls.append"), "wait_for_edge(17, RISING, timeout=5)"))
    yield Case((*IN, add.format(", calls.append"), "wait_for_edge(17, FALLING, timeout=5)"))
    yield Case((*IN, "wait_for_edge(17, RISING, timeout=5)", "add_event_detect(17, FALLING)"))
    yield Case(
        (*IN, "wait_for_edge(17, RISING, timeout=5)", "add_event_detect(17, RISING)", "event_detected(17)")
    )
    yield Case((*IN, "edge_soon(17, 1)", "wait_for_edge(17, RISING)"))
    yield Case((*IN, "edge_soon(17, 0)", "wait_for_edge(17, FALLING, timeout=3000)"))
    yield Case((*BOARD, "setup(11, IN)", "edge_soon(17, 1)", "wait_for_edge(11, BOTH)"))


def pulse_widths() -> Iterator[Case]:
    """PWM, as far as it is arguments: its pulses are not compared here."""
    yield from each(OUT, "PWM({})", ("", "17", "17, 50, 5", "17, frequency=50", "channel=17, frequency=50"))
    yield from each(OUT, "PWM({}, 50)", ("17", "27", *NO_CHANNELS, *ODD_CHANNELS, "[17]"))
    frequencies = (*NO_INTEGERS, "50", "0.5", "0", "0.0", "-1", "True", "False", "1e6", "2**70", "Float()")
    yield from each(OUT, "PWM(17, {})", (*frequencies, "float('nan')", "float('inf')"))
    yield from each(IN, "PWM({})", ("17, 50", "17, 0", "99, 0"))
    yield from each(BCM, "PWM({})", ("17, 50", "17, 0", "99, 50"))
    yield Case((*BOARD, "setup(11, OUT)", "p = PWM(11, 50)", "p.start(0)", "p.stop()"))
    for method in ("start", "ChangeDutyCycle"):
        duties = (
            *NO_INTEGERS,
            "0",
            "50",
            "100",
            "100.0",
            "0.0",
            "100.01",
            "-0.01",
            "100 * (0.1 + 0.2) / 0.3",
            "100.00000381",
            "100.0000039",
            "-1e-46",
            "-1e-44",
            "float('nan')",
            "float('inf')",
            "-1",
            "101",
            "True",
            "Float()",
        )
        yield from each(PWM, f"p.{method}" + "({})", (*duties, "", "50, 50", "dutycycle=50", "2**70"))
    yield from each(PWM, "p.ChangeFrequency({})", (*frequencies, "", "50, 50", "frequency=50"))
    yield from each(PWM, "p.stop({})", ("", "1", "now=True"))
    yield Case((*PWM, "p.stop()", "p.stop()", "p.start(0)", "p.stop()"))
    yield Case(
        (*PWM, "p.start(0)", "p.start(10)", "p.ChangeDutyCycle(20)", "p.ChangeFrequency(100)", "p.stop()")
    )
    yield Case((*PWM, "p.start(-1)", "p.ChangeDutyCycle(5)", "p.start(0)"))
    yield Case((*PWM, "PWM(17, 60)"))
    yield Case((*PWM, "q = PWM(17, 60)", "r = PWM(17, 70)"))
    yield Case((*PWM, "PWM(17, 0)"))
    yield Case((*PWM, "p.stop()", "q = PWM(17, 60)"))
    yield Case((*PWM, "del p", "q = PWM(17, 60)"))
    yield Case((*PWM, "p.start(50)", "del p", "q = PWM(17, 60)"))
    yield Case((*PWM, "cleanup()", *OUT, "q = PWM(17, 60)"))
    yield Case((*PWM, "p.start(0)", "cleanup(17)", "setup(17, OUT)", "q = PWM(17, 60)"))
    yield Case((*PWM, "cleanup()", "p.start(0)"))
    yield Case((*PWM, "setup(17, IN)", "p.start(0)"))
    yield Case((*PWM, "p.colour = 1"))
    yield Case((*PWM, "p.start = 1"))
    yield Case((*PWM, "p.gpio"))
    yield Case((*PWM, "type(p).__name__", "type(p).__module__", "isinstance(p, PWM)"))
    yield Case((*OUT, "class Mine(PWM): pass", "m = Mine(17, 50)", "m.start(0)", "m.colour = 1", "m.stop()"))
    yield Case(
        (
            *OUT,
            "class Mine(PWM): pass",
            "m = Mine(17, 50)",
            "m.means = 1",
            "m._duty = 2",
            "m.start(0)",
            "m.means",
        )
    )
    new = "def new(cls, *a): return PWM.__new__(cls, *a)"
    yield Case(
        (
            *OUT,
            new,
            "Mine = type('Mine', (PWM,), {'__new__': new})",
            "m = Mine(17, 50)",
            "m.start(0)",
            "m.stop()",
        )
    )
    yield Case((*OUT, "PWM.__new__(PWM, 1, 2, x=3) is not None"))
    yield Case((*OUT, "p = PWM.__new__(PWM)", "type(p).__name__"))


def the_module() -> Iterator[Case]:
    """Its names."""
    names = "BCM BOARD BOTH FALLING HARD_PWM HIGH I2C IN LOW OUT PUD_DOWN PUD_OFF PUD_UP RISING SERIAL SPI UNKNOWN"
    yield from each((), "{}", (*names.split(), "VERSION"))
    public = "sorted(name for name in dir(GPIO) if name[0] != '_' and name.isupper())"
    yield Case((public,))
    functions = "sorted(name for name in dir(GPIO) if name[0] != '_' and not name.isupper())"
    yield Case((functions,))
    yield Case(("GPIO.__name__",))
    yield Case(("GPIO.nothing",))
    yield Case(("from RPi.GPIO import setup, PWM",))
    yield Case(("import RPi", "RPi.GPIO is GPIO"))
    yield Case(("RPI_INFO = GPIO.RPI_INFO", "type(RPI_INFO)", "list(RPI_INFO)", "RPI_INFO is GPIO.RPI_INFO"))
    star = "names = {}; exec('from RPi.GPIO import *', names); del names['__builtins__']"
    yield Case((star, "sorted(names)"))
    for name in ("setup", "output", "input", "cleanup", "add_event_detect", "wait_for_edge", "PWM"):
        yield Case((f"{name}.__name__", f"callable({name})", f"bool({name}.__doc__)"))


GROUPS = (
    *(numbering, boards, setting_up, using_others_lines, writing, reading, cleaning_up),
    *(storing, watching, edges, pulse_widths, the_module),
)
CASES = tuple(dict.fromkeys(case for group in GROUPS for case in group()))
