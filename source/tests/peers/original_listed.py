# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where RPIO differs from the original RPIO: on purpose, each with its line in doc/differences.rst.

As in listed.py: of each difference a predicate tells whether it explains what was found, and a row that explains
nothing any more makes a test fail. The pulses themselves are original_pulses.py's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from .both import Difference, Outcome

Explains = Callable[[Difference], bool]


class Listed(NamedTuple):
    """*doc* is in doc/differences.rst to the letter, but for line breaks."""

    name: str
    explains: Explains
    doc: str


LEVELS = (
    "setup",
    "output",
    "input",
    "forceinput",
    "forceoutput",
    "set_pullupdn",
    "gpio_function",
    "channel_to_gpio",
)
"""Functions that are RPi.GPIO's as well, or like them; the errors of their arguments are RPi.GPIO's."""
BAD_CHANNEL = "The channel sent is invalid on a Raspberry Pi"
IN_USE = "This channel is already in use, continuing anyway."


def raised(outcome: Outcome, name: str) -> bool:
    return name in outcome.raised


def accepted(found: Difference) -> bool:
    """Whether we do what they refuse."""
    return bool(found.theirs.raised) and not found.ours.raised


def refused(found: Difference) -> bool:
    """Whether they do what we refuse."""
    return bool(found.ours.raised) and not found.theirs.raised


def calls(found: Difference, *names: str) -> bool:
    return found.line.partition("(")[0] in names


def arguments(found: Difference) -> list[str]:
    """Return the arguments of a call; commas within them do not occur."""
    return [word.strip() for word in found.line.partition("(")[2].removesuffix(")").split(",")]


def plain(text: str) -> str:
    """Return an error's text of the original's PWM without what stands around it."""
    return text.removeprefix("Error: ").rstrip("\n")


# -- errors --------------------------------------------------------------------------------------------


def _both_type_errors(found: Difference) -> bool:
    return raised(found.theirs, "TypeError") and raised(found.ours, "TypeError")


def _rpi_gpio_types(found: Difference) -> bool:
    return (
        raised(found.theirs, "TypeError")
        and (raised(found.ours, "ValueError") or "Number of channels" in found.ours.text)
        and calls(found, *LEVELS, "setmode", "setwarnings")
    )


def _more_accepted(found: Difference) -> bool:
    """Lists and what has __index__, keywords, defaults, arguments that the original has not."""
    return accepted(found) and raised(found.theirs, "TypeError")


def _large(found: Difference) -> bool:
    return "2**" in found.line and found.theirs.raised[:1] in (("OverflowError",), ("MemoryError",))


def _channel_texts(found: Difference) -> bool:
    both_refuse = raised(found.theirs, "InvalidChannelException") and raised(
        found.ours, "InvalidChannelException"
    )
    return both_refuse and found.ours.text == BAD_CHANNEL


def _other_lines(found: Difference) -> bool:
    return raised(found.theirs, "InvalidChannelException") and "not a valid pin" not in found.theirs.text


def _input_of_no_channel(found: Difference) -> bool:
    return calls(found, "input") and raised(found.theirs, "SystemError") and bool(found.ours.raised)


def _not_set_up(found: Difference) -> bool:
    return found.theirs.text == "GPIO channel has not been set up" and raised(
        found.ours, "WrongDirectionException"
    )


def _mode_is_forgotten(found: Difference) -> bool:
    return raised(found.theirs, "ModeNotSetException") and found.case.lines[0].startswith("setmode(")


def _no_client(found: Difference) -> bool:
    return calls(found, "close_tcp_client") and raised(found.ours, "KeyError")


def _no_callback(found: Difference) -> bool:
    return (
        calls(found, "del_interrupt_callback")
        and raised(found.theirs, "KeyError")
        and raised(found.ours, "KeyError")
    )


def _edge_of_a_tuple(found: Difference) -> bool:
    return "format string" in found.theirs.text and raised(found.ours, "InvalidEdgeException")


def _cleanup_with_clients(found: Difference) -> bool:
    return accepted(found) and found.theirs.text == "dictionary changed size during iteration"


def _callback_is_checked(found: Difference) -> bool:
    is_no_callback = found.theirs.text == "No callback" and raised(found.ours, "AttributeError")
    return (refused(found) or is_no_callback) and raised(found.ours, "InvalidCallbackException")


def _functions_named(found: Difference) -> bool:
    names = ("'ALT1'", "'ALT2'", "'ALT3'", "'ALT4'", "'ALT5'")
    return "GPIO_FUNCTIONS[" in found.line and found.ours.text in names


def _private_modules(found: Difference) -> bool:
    return found.line.startswith("from RPIO._RPIO import") and refused(found)


def _debounce_is_checked(found: Difference) -> bool:
    return refused(found) and "debounce_timeout_ms must be" in found.ours.text


def _port_is_checked(found: Difference) -> bool:
    return calls(found, "add_tcp_callback") and "port must be" in found.ours.text


def _pulls_are_checked(found: Difference) -> bool:
    is_ours = refused(found) and raised(found.ours, "InvalidPullException")
    return is_ours and (calls(found, "set_pullupdn") or "OUT" in found.line)


def _initial_of_an_input(found: Difference) -> bool:
    return refused(found) and found.ours.text == "initial parameter is not valid for inputs"


# -- values, warnings, what is printed -----------------------------------------------------------------


def _bool_or_int(*names: str) -> Explains:
    def explains(found: Difference) -> bool:
        values = {"True": "1", "False": "0"}
        theirs, ours = (values.get(outcome.text, outcome.text) for outcome in (found.theirs, found.ours))
        return calls(found, *names) and theirs == ours and not found.theirs.raised and not found.ours.raised

    return explains


def _port_is_returned(found: Difference) -> bool:
    return calls(found, "add_tcp_callback") and found.theirs.text == "None" and found.ours.kind == "int"


def _warns_of_use(found: Difference) -> bool:
    theirs, ours = ([text for _, text in outcome.warnings] for outcome in (found.theirs, found.ours))
    of_pwm = calls(found, "PWM.add_channel_pulse") and not theirs
    return (
        bool(ours)
        and all(text.startswith(IN_USE) for text in (*theirs, *ours))
        and (len(theirs) == len(ours) or of_pwm)
    )


def _physical_pull(found: Difference) -> bool:
    return any("physical pull up resistor" in text for _, text in found.ours.warnings)


def _sysfs_warning(found: Difference) -> bool:
    return any("Kernel interface for GPIO" in text for _, text in found.theirs.warnings)


def _prints(found: Difference) -> bool:
    kinds = {kind for kind, _ in (*found.theirs.warnings, *found.ours.warnings)}
    same = found.theirs.raised == found.ours.raised == () or calls(found, "PWM.print_channel")
    return bool(kinds) and kinds <= {"printed", "logged"} and same and found.line.startswith("PWM.")


def _versions(found: Difference) -> bool:
    return "VERSION" in found.line or found.line == "version()"


def _pull_constants(found: Difference) -> bool:
    return found.line.startswith("PUD_OFF,")


def _models(found: Difference) -> bool:
    return "MODEL_DATA" in found.line


def _unknown_board(found: Difference) -> bool:
    return found.line == "sysinfo()" and raised(found.theirs, "KeyError")


def _revision_of_the_header(found: Difference) -> bool:
    return found.line == "RPI_REVISION" and (found.theirs.text, found.ours.text) == ("2", "3")


def _exceptions_module(found: Difference) -> bool:
    return found.line.startswith("GPIO.Exceptions.") and accepted(found)


def _interrupts_by_pin(found: Difference) -> bool:
    return accepted(found) and calls(found, "add_interrupt_callback") and "setmode(BOARD)" in found.case.lines


def _edges_of_its_own(found: Difference) -> bool:
    return "not compatible with existing edge detection" in found.theirs.text


# -- RPIO.PWM ------------------------------------------------------------------------------------------

BY_CHANNEL = (
    *("PWM.init_channel", "PWM.add_channel_pulse", "PWM.clear_channel", "PWM.clear_channel_gpio"),
    *("PWM.print_channel", "PWM.is_channel_initialized", "PWM.get_channel_subcycle_time_us"),
)


def _beside_the_table(found: Difference) -> bool:
    """Its channels outside 0 to 14, and 1 to 14 that were not begun: whatever stands in memory there."""
    number = arguments(found)[0]
    return calls(found, *BY_CHANNEL) and number in ("-1", "15", "17", "99", "Index(17)") and not _large(found)


def _bad_gpio(found: Difference) -> bool:
    is_negative = "-1" in arguments(found) and "GPIO -1" in found.ours.text
    return is_negative and (raised(found.theirs, "ended") or raised(found.theirs, "ValueError"))


def _gpio_beyond_31(found: Difference) -> bool:
    return refused(found) and "there is no GPIO" in found.ours.text


def _on_no_pin(found: Difference) -> bool:
    return any("is on no pin of" in text for _, text in found.ours.warnings) and not found.theirs.raised


def _error_colon(found: Difference) -> bool:
    is_same = plain(found.theirs.text) == found.ours.text and raised(found.ours, "RuntimeError")
    return raised(found.theirs, "RuntimeError") and is_same


TEXTS = (
    (
        r"channel (\d+) has not been initialized with",
        r"channel \1 has not been initialized with `init_channel",
    ),
    (r"cannot clear gpio (-?\d+); not yet been set up", r"gpio \1 has not been used on channel \d+ yet"),
    (
        r"channel 0 has not been initialized with",
        r"you need to call `setup\(..\)` before|gpio 17 has not been used",
    ),
    (
        r"cannot add pulse to channel \d+: width_start\+width exceed max_width",
        r"cannot add pulse to channel 0:",
    ),
)


def _pwm_texts(found: Difference) -> bool:
    if not (raised(found.theirs, "RuntimeError") and raised(found.ours, "RuntimeError")):
        return False
    for theirs, ours in TEXTS:
        match = re.search(theirs, found.theirs.text)
        if match and re.match(
            match.expand(ours.replace(r"\d", r"\\d").replace(r"\(", r"\\(")), found.ours.text
        ):
            return True
    return False


def _last_slot(found: Difference) -> bool:
    return accepted(found) and "width_start+width exceed max_width" in found.theirs.text


def _negative_width(found: Difference) -> bool:
    return refused(found) and calls(found, "PWM.add_channel_pulse") and int(arguments(found)[3]) < 0


def _uneven(found: Difference) -> bool:
    return refused(found) and "is no multiple of the increment" in found.ours.text


def _setup_is_checked(found: Difference) -> bool:
    return refused(found) and calls(found, "PWM.setup") and raised(found.ours, "PulseError")


def _servo_is_checked(found: Difference) -> bool:
    return refused(found) and "PWM.Servo(" in found.line


def _default_minus_1(found: Difference) -> bool:
    return refused(found) and calls(found, "PWM.init_channel") and arguments(found)[1:] == ["-1"]


def _increment_before_setup(found: Difference) -> bool:
    return found.theirs.text == "65535" and raised(found.ours, "PulseError")


def _second_setup_counts(found: Difference) -> bool:
    again = sum(line.startswith("PWM.setup(") for line in found.case.lines) > 1
    return again and found.line == "PWM.get_pulse_incr_us()" and not found.ours.raised


def _print_before_init(found: Difference) -> bool:
    return refused(found) and calls(found, "PWM.print_channel")


def _cleanup_begins_again(found: Difference) -> bool:
    is_later = "PWM.cleanup()" in found.case.lines and found.line in ("PWM.is_setup()", "PWM.setup(100)")
    return is_later and (accepted(found) or (found.theirs.text, found.ours.text) == ("1", "False"))


def _subcycle_of_none(found: Difference) -> bool:
    return calls(found, "PWM.get_channel_subcycle_time_us") and found.theirs.text == "0" and refused(found)


def _line_of_two_channels(found: Difference) -> bool:
    return refused(found) and raised(found.ours, "PWMExistsError")


def _output_of_pulses(found: Difference) -> bool:
    return (
        accepted(found)
        and found.line == "output(17, 1)"
        and any("_pulse(" in line for line in found.case.lines)
    )


def _text_of_a_pull(found: Difference) -> bool:
    is_of_pull = "is not a valid pull_up_down" in found.theirs.text
    return is_of_pull and (bool(found.ours.raised) or "None" in found.line)


def _servo_messages(found: Difference) -> bool:
    has_own_error = (
        "pulse_incr_us" in found.theirs.text or "not enough arguments for format" in found.theirs.text
    )
    return has_own_error and raised(found.ours, "AttributeError")


ON_PURPOSE = (
    Listed("python's words", _both_type_errors, "what Python says of arguments of a wrong number or type"),
    Listed(
        "types",
        _rpi_gpio_types,
        "an argument of ``setup()``, ``output()`` and the like that is no integer is a TypeError",
    ),
    Listed(
        "more accepted",
        _more_accepted,
        "lists of channels, ``None`` for a default, arguments that it has not, are TypeErrors",
    ),
    Listed("large numbers", _large, "numbers over 32 bits are OverflowErrors"),
    Listed(
        "channel texts",
        _channel_texts,
        "the text of ``InvalidChannelException`` ends with a reason in brackets",
    ),
    Listed("other lines", _other_lines, "GPIOs that the header of three boards has; a camera LED"),
    Listed("input of no channel", _input_of_no_channel, "``input()`` of a bad channel is a SystemError"),
    Listed("not set up", _not_set_up, "errors derive from ``Exception`` alone"),
    Listed("mode", _mode_is_forgotten, "a bad argument of ``setmode()`` is kept, and later calls fail"),
    Listed("no client", _no_client, "removing a callback or client that is not there: KeyError, IOError"),
    Listed("no callback", _no_callback, "removing a callback or client that is not there: KeyError, IOError"),
    Listed(
        "callback",
        _callback_is_checked,
        "a callback that cannot be called is found out when it is to be called",
    ),
    Listed(
        "debounce",
        _debounce_is_checked,
        "a ``debounce_timeout_ms`` that is negative, or nothing, is accepted",
    ),
    Listed(
        "cleanup with clients",
        _cleanup_with_clients,
        "``cleanup()`` while a TCP client is connected is a RuntimeError on Python 3",
    ),
    Listed("port", _port_is_checked, "a bad port is whatever the socket says"),
    Listed("edge of a tuple", _edge_of_a_tuple, "an edge that is a tuple is a TypeError"),
    Listed(
        "pulls",
        _pulls_are_checked,
        '``set_pullupdn()``, and ``setup()`` of an output, take anything unknown for "off"',
    ),
    Listed("initial of an input", _initial_of_an_input, "``initial=`` of an input has no effect"),
    Listed(
        "input's bool", _bool_or_int("input", "forceinput"), "``input()`` and ``forceinput()`` return a bool"
    ),
    Listed(
        "PWM's bool",
        _bool_or_int("PWM.is_setup", "PWM.is_channel_initialized"),
        "``PWM.is_setup()`` and ``PWM.is_channel_initialized()`` return 0 or 1",
    ),
    Listed("port returned", _port_is_returned, "``add_tcp_callback()`` returns nothing"),
    Listed(
        "warns of use",
        _warns_of_use,
        "the warning that a channel is in use names ``RPIO.setwarnings``; pulses never warn",
    ),
    Listed("physical pull", _physical_pull, "no warning of the resistors that GPIO 2 and 3 have"),
    Listed(
        "sysfs's warning",
        _sysfs_warning,
        "edges through /sys/class/gpio; a warning when it is exported already",
    ),
    Listed("versions", _versions, "``VERSION``, ``VERSION_GPIO`` and ``PWM.VERSION`` are its own"),
    Listed("pull constants", _pull_constants, "``PUD_OFF``, ``PUD_DOWN``, ``PUD_UP`` are 0, 1, 2"),
    Listed("models", _models, "``MODEL_DATA`` of 0.10.0 ends before the B+"),
    Listed("unknown board", _unknown_board, "``sysinfo()`` is a KeyError on unknown boards"),
    Listed(
        "revision",
        _revision_of_the_header,
        "``RPI_REVISION`` 1, 2 or 3, and 2 for boards that it does not know",
    ),
    Listed("Exceptions", _exceptions_module, "``RPIO.Exceptions`` is there when it has been imported"),
    Listed(
        "functions named", _functions_named, '``RPIO._RPIO.GPIO_FUNCTIONS`` lacks ALT1 to ALT5, or says "-"'
    ),
    Listed(
        "private modules",
        _private_modules,
        "``RPIO._RPIO``, ``RPIO._GPIO`` and ``RPIO.PWM._PWM`` are modules",
    ),
    Listed("interrupts by pin", _interrupts_by_pin, "follows the mode, and then takes the GPIO for a pin"),
    Listed("edges", _edges_of_its_own, "all callbacks of a GPIO have one edge"),
    Listed(
        "beside the table",
        _beside_the_table,
        "a channel that is none of 0 to 14 is looked up in memory all the same",
    ),
    Listed("bad gpio", _bad_gpio, "a negative GPIO writes somewhere"),
    Listed("gpio beyond 31", _gpio_beyond_31, "a GPIO beyond 31 is accepted, and pulses another one"),
    Listed("on no pin", _on_no_pin, "pulses of a GPIO that is on no pin never warn"),
    Listed(
        "error colon", _error_colon, 'errors of ``RPIO.PWM`` begin with "Error: " and end with a line break'
    ),
    Listed("PWM's texts", _pwm_texts, "some of their texts name the wrong number, or the wrong reason"),
    Listed("last slot", _last_slot, "a pulse may not reach the end of the subcycle"),
    Listed("negative width", _negative_width, "and a negative width, are accepted"),
    Listed("uneven", _uneven, "a subcycle that is no multiple of the increment"),
    Listed("setup's numbers", _setup_is_checked, "``PWM.setup()`` takes any numbers"),
    Listed(
        "Servo's arguments",
        _servo_is_checked,
        "wrong arguments of ``Servo()`` are errors of its first pulse, or of none",
    ),
    Listed("-1", _default_minus_1, "a subcycle of -1 is the default"),
    Listed("65535", _increment_before_setup, "``PWM.get_pulse_incr_us()`` before ``setup()`` is 65535"),
    Listed(
        "no subcycle",
        _subcycle_of_none,
        "``PWM.get_channel_subcycle_time_us()`` of a channel that was not begun is 0",
    ),
    Listed(
        "second setup",
        _second_setup_counts,
        "a second ``PWM.setup()`` fails, and its increment counts all the same",
    ),
    Listed(
        "print before init",
        _print_before_init,
        "``print_channel()`` of a channel that was not begun prints zeros",
    ),
    Listed(
        "prints",
        _prints,
        "``RPIO.PWM`` prints what it does, until ``set_loglevel(1)``; ``print_channel()`` too is silent then",
    ),
    Listed(
        "cleanup",
        _cleanup_begins_again,
        "after ``PWM.cleanup()`` calls succeed and nothing is played any more",
    ),
    Listed("two channels", _line_of_two_channels, "a GPIO may have pulses in two channels"),
    Listed(
        "output of pulses",
        _output_of_pulses,
        "``output()`` of a GPIO that pulses have made an output is refused",
    ),
    Listed(
        "servo's messages", _servo_messages, "``Servo`` fails with another error while it words its error"
    ),
    Listed(
        "text of a pull",
        _text_of_a_pull,
        "the error of a bad pull in ``add_interrupt_callback()`` shows the edge",
    ),
)
