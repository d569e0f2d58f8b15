# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where RPIO differs from RPi.GPIO: on purpose, each with its line in doc/differences.rst.

Of each difference a predicate tells whether it explains what was found. A row that explains nothing any more makes a
test fail, as does a difference that no row explains.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from .both import BY_NAME, FACADE, Difference
from .cases import PI_4B

Explains = Callable[[Difference], bool]


class Listed(NamedTuple):
    """*doc* is in doc/differences.rst to the letter, but for line breaks."""

    name: str
    explains: Explains
    doc: str
    subjects: tuple[str, ...] = (BY_NAME, FACADE)


PYTHON_COMPLAINS = re.compile(
    r"takes? (exactly|at most|from|no|\d+)|missing( \d+)? required|unexpected keyword|invalid keyword"
    r"|multiple values|given by name|interpreted as an integer|must be real number|an integer is required|scalar index"
)
"""What an interpreter says of arguments that do not fit a signature. It changes from version to version."""
MODE_WANTED = "Please set pin numbering mode using"
NO_SUCH_CHANNEL = "The channel sent is invalid on a Raspberry Pi"
PULL_UNKNOWN = "Invalid value for pull_up_down"


def accepted(found: Difference) -> bool:
    """Whether we do what they refuse."""
    return bool(found.theirs.raised) and not found.ours.raised


def refused(found: Difference) -> bool:
    """Whether they do what we refuse."""
    return bool(found.ours.raised) and not found.theirs.raised


def _complains(found: Difference) -> bool:
    return (
        found.theirs.raised[:1] == ("TypeError",) and PYTHON_COMPLAINS.search(found.theirs.text) is not None
    )


def _other_words(found: Difference) -> bool:
    return _complains(found) and "TypeError" in found.ours.raised


def _more_arguments_ignored(found: Difference) -> bool:
    return refused(found) and found.line in ("getmode(1)", "p.stop(1)")


def _keywords(found: Difference) -> bool:
    return accepted(found) and _complains(found) and "=" in found.line


def _none(found: Difference) -> bool:
    return accepted(found) and "None" in found.line and "2**" not in found.line


def _index(found: Difference) -> bool:
    # where no mode is set, what has been accepted fails on that
    without_mode = MODE_WANTED in found.ours.text and found.case.lines[0].startswith("cleanup(")
    return (
        found.theirs.raised[:1] == ("ValueError",)
        and "Index(" in found.line
        and (accepted(found) or without_mode)
    )


def _large_numbers(found: Difference) -> bool:
    return "2**" in found.line and "PWM(17" not in found.line and "p." not in found.line


def _lines_of_pi_4(found: Difference) -> bool:
    channel = re.match(r"setup\((54|57),", found.line)
    return found.case.revision == PI_4B and channel is not None and accepted(found)


def _nothing_set_up_yet(found: Difference) -> bool:
    return refused(found) and found.line.startswith("cleanup(") and bool(found.theirs.warnings)


def _minus_666(found: Difference) -> bool:
    return found.line == "cleanup(-666)"


def _callbacks_once(found: Difference) -> bool:
    several = sum("add_event_" in line for line in found.case.lines) > 1
    return several and found.line in ("until(lambda: len(calls) > 2, 0.1)", "calls")


def _wait_leaves_its_edge(found: Difference) -> bool:
    waited = any(line.startswith("wait_for_edge") for line in found.case.lines)
    return waited and accepted(found) and "Conflicting edge detection already" in found.theirs.text


def _edges_of_an_output(found: Difference) -> bool:
    watching = found.line in ("until(lambda: calls, 0.5)", "calls") and found.ours.text in ("False", "[]")
    setups = [line for line in found.case.lines if line.startswith("setup(")]
    return watching and setups[-1:] == ["setup(17, OUT)"]


def _remove_before_setup(found: Difference) -> bool:
    return accepted(found) and found.line.startswith("remove_") and "/dev/mem" in found.theirs.text


def _pwm_limits(found: Difference) -> bool:
    strange = any(value in found.line for value in ("'nan'", "'inf'", "2**70"))
    return strange and refused(found) and "dutycycle" not in found.ours.text


def _duty_is_no_number(found: Difference) -> bool:
    return refused(found) and "'nan'" in found.line and "dutycycle must have" in found.ours.text


def _pwm_after_cleanup(found: Difference) -> bool:
    cleaned = any(line.startswith("cleanup(") for line in found.case.lines)
    return accepted(found) and cleaned and "already exists" in found.theirs.text


def _pwm_third(found: Difference) -> bool:
    return "already exists" in found.ours.text and found.line == "r = PWM(17, 70)"


def _pwm_class_name(found: Difference) -> bool:
    return "'RPi.GPIO.PWM' object" in found.theirs.text and "'PWM' object" in found.ours.text


def _pwm_not_an_output(found: Difference) -> bool:
    return found.line == "p.start(0)" and found.ours.text.endswith("as an output first")


def _getmode(found: Difference) -> bool:
    return found.line == "getmode()" and found.theirs.text == "None" and found.ours.text == "11"


def _mode_not_required(found: Difference) -> bool:
    return MODE_WANTED in found.theirs.text and MODE_WANTED not in found.ours.text


def _functions(found: Difference) -> bool:
    return "gpio_function(" in found.line and found.ours.kind in ("int", "list") and not found.theirs.raised


def _pull_of_output(found: Difference) -> bool:
    return "pull_up_down parameter is not valid for outputs" in found.theirs.text


def _old_pulls(found: Difference) -> bool:
    return accepted(found) and PULL_UNKNOWN in found.theirs.text


def _pull_is_no_integer(found: Difference) -> bool:
    return _complains(found) and PULL_UNKNOWN in found.ours.text


def _other_names(found: Difference) -> bool:
    names = ("VERSION", "GPIO.__name__", "type(p).__module__")
    return found.line in names or "RPi" in found.line or "dir(GPIO)" in found.line


def _module_name(found: Difference) -> bool:
    return found.line == "GPIO.nothing"


def _setwarnings_default(found: Difference) -> bool:
    return found.line == "setwarnings()" and accepted(found)


def _words(found: Difference) -> bool:
    return accepted(found) and _complains(found) and "'rising'" in found.line


def _only_ours_warns(found: Difference, text: str) -> bool:
    ours = [said for _, said in found.ours.warnings]
    return any(text in said for said in ours) and not any(text in said for _, said in found.theirs.warnings)


def _parameters(found: Difference) -> bool:
    return _only_ours_warns(found, "is called with (channel)")


def _off_the_header(found: Difference) -> bool:
    return _only_ours_warns(found, "is on no pin of the")


def _nothing_to_clean_up(found: Difference) -> bool:
    warned = any("nothing to clean up" in said for _, said in found.theirs.warnings)
    return "cleanup(" in found.line and warned and not found.ours.raised


ON_PURPOSE = (
    Listed("words", _words, "edges, directions and pulls are constants; a word for one is a TypeError"),
    Listed(
        "parameters", _parameters, "a callback with the wrong number of parameters is found out by its first"
    ),
    Listed("off the header", _off_the_header, "lines that are on no pin of the header are set up", (FACADE,)),
    Listed(
        "nothing to clean up", _nothing_to_clean_up, "``cleanup()`` with nothing to clean up warns", (FACADE,)
    ),
    Listed("more arguments", _more_arguments_ignored, "arguments beyond those it has"),
    Listed("keywords", _keywords, "keywords for ``output``, ``input``, ``setmode``... are TypeErrors"),
    Listed("none", _none, "``initial=None``"),
    Listed("index", _index, "whatever has ``__index__``"),
    Listed("mode not required", _mode_not_required, "``setmode()`` is required", (FACADE,)),
    Listed("large numbers", _large_numbers, "numbers over 32 bits are cut"),
    Listed("pull of an output", _pull_of_output, "a pull for an output is a ValueError", (FACADE,)),
    Listed("old pulls", _old_pulls, "0, 1 and 2 as well", (FACADE,)),
    Listed(
        "pull that is no integer", _pull_is_no_integer, "a pull that is no integer is a TypeError", (FACADE,)
    ),
    Listed("python's words", _other_words, "what Python says of arguments that do not fit"),
    Listed("lines of the Pi 4", _lines_of_pi_4, "the lines of the chip (58 on a Pi 4)"),
    Listed(
        "nothing set up yet",
        _nothing_set_up_yet,
        "``cleanup()`` before the first ``setup()`` looks at no argument",
    ),
    Listed("-666", _minus_666, "``cleanup(-666)`` cleans up everything"),
    Listed("callbacks once", _callbacks_once, "n callbacks on a pin are each called n times"),
    Listed("a wait ends", _wait_leaves_its_edge, "``wait_for_edge()`` leaves its edge behind"),
    Listed("edges of an output", _edges_of_an_output, "edges of a channel that has become an output"),
    Listed(
        "remove before setup", _remove_before_setup, "``remove_event_detect()`` before the first ``setup()``"
    ),
    Listed("limits of PWM", _pwm_limits, "frequencies that are infinite, or no number"),
    Listed("duty is no number", _duty_is_no_number, "a duty cycle that is no number is accepted"),
    Listed("PWM after cleanup()", _pwm_after_cleanup, "after ``cleanup()`` a second ``PWM`` is refused"),
    Listed("a third PWM", _pwm_third, "a second ``PWM`` that fails takes the first one's place"),
    Listed("PWM's class", _pwm_class_name, "``'RPi.GPIO.PWM' object has no attribute``"),
    Listed("PWM of no output", _pwm_not_an_output, "``start()`` on a channel that is no output any more"),
    Listed("getmode", _getmode, "``getmode()`` is None", (FACADE,)),
    Listed("functions", _functions, "``ALT0`` to ``ALT8``", (FACADE,)),
    Listed("names", _other_names, "``import RPIO`` has names of its own", (FACADE,)),
    Listed("module name", _module_name, "``import RPIO`` has names of its own", (FACADE,)),
    Listed("setwarnings()", _setwarnings_default, "``setwarnings()`` switches them on", (FACADE,)),
)
