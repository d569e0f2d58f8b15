# SPDX-License-Identifier: LGPL-3.0-or-later
"""What every backend promises, one test per name in the docstrings of RPIO.backends.Backend.

Written from those sentences, not from the backends. A test that needs an optional feature asks, of a backend that
lacks it, for the right refusal. test_protocol.py compares the names here with the names there.
"""

from __future__ import annotations

import errno
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract import rigs
from contract.rigs import ALTERNATES, Rig
from RPIO import _gpio, constants, errors
from RPIO.backends import Backend
from RPIO.backends.opening import REGISTRY
from RPIO.backends.protocol import FEATURES
from RPIO.constants import BOTH, EVENT_BUFFER_SIZE, FALLING, IN, OUT, PUD_DOWN, PUD_OFF, PUD_UP, RISING
from waiting import wait_until
from watching import is_open, is_readable

PULLS = (PUD_OFF, PUD_DOWN, PUD_UP)
MS = 1_000_000
ALL = os.environ.get("RPIO_LINES") == "all"
"""As `make test-every` has it."""
FEW = 4 if ALL else 1
"""As many lines get a test that is not about places in registers."""
EACH = 7 if rigs.IN_GUEST and not ALL else 1
"""A test that is gets each so many of the lines: registers have seams, a kernel's chip has none."""
SEAMLESS = {"sim": 4, "regs-alone": 3}
"""The same where a test tries a few: a simulation has none, and other rigs have those of the registers."""

pull_of_each_kind = pytest.mark.parametrize("pull", PULLS, ids=["off", "down", "up"])
both_levels = pytest.mark.parametrize("value", [0, 1])
edge_of_each_kind = pytest.mark.parametrize(
    "edge", [RISING, FALLING, BOTH], ids=["rising", "falling", "both"]
)


def lines_of(name: str, each: int, few: int | None) -> tuple[int, ...]:
    """The lines of a rig that a test gets. A rig over a socket has another one's, which has all of them tried."""
    if _gpio.PURE:
        each, few = 4, few and 1  # the C module's own tests have all of them
    elif not ALL and name in SEAMLESS:
        each = SEAMLESS[name]
    elif name.startswith("ssh") or (name.startswith("remote") and (rigs.IN_GUEST or not ALL)):
        each, few = 8, few and 1
    return rigs.LINES[name][::each] if few is None else rigs.LINES[name][-few:]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every rig; with each of the rig's lines where it takes `line`, with some for `a_line`."""
    if "line" in metafunc.fixturenames:
        cases = [(name, line) for name in rigs.NAMES for line in lines_of(name, EACH, None)]
        metafunc.parametrize(("rig", "line"), cases, indirect=["rig"])
    elif "a_line" in metafunc.fixturenames:
        cases = [(name, line) for name in rigs.NAMES for line in lines_of(name, EACH, FEW)]
        metafunc.parametrize(("rig", "a_line"), cases, indirect=["rig"])
    elif "rig" in metafunc.fixturenames:
        metafunc.parametrize("rig", rigs.NAMES, indirect=True)
    if "lines" in metafunc.fixturenames:
        raise AssertionError("a test takes its lines from the rig")


@pytest.fixture(scope="module", autouse=True)
def _shared_chip() -> Iterator[None]:
    """What the cases share goes when they are over: other tests look at all chips of the machine."""
    yield
    rigs.remove_shared_chip()


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig = rigs.open_rig(request.param)
    rig.lines = rigs.LINES[request.param]
    try:
        yield rig
    finally:
        rig.close()


# -- helpers --------------------------------------------------------------------------------------------


def refused(rig: Rig, feature: str, action: Callable[[], object]) -> bool:
    """Whether the backend lacks the feature; then the action must be refused, and say something."""
    if feature in rig.backend.features:
        return False
    with pytest.raises(errors.NotSupportedError) as caught:
        action()
    assert str(caught.value).strip()
    return True


def pulled(rig: Rig, line: int, pull: int | None, backend: Backend | None = None) -> None:
    """Make the line an input that rests where this pull holds it: where there are no pulls, the outside does."""
    backend = backend or rig.backend
    if pull is None or "pulls" in backend.features:
        backend.set_input(line, pull)
        return
    backend.set_input(line, PUD_OFF)
    if pull != PUD_OFF:
        rig.drive(line, int(pull == PUD_UP))


def pull_refused(rig: Rig, line: int, pull: int) -> bool:
    """Whether the backend has no pulls and this is one; then it must be refused."""
    return pull != PUD_OFF and refused(rig, "pulls", lambda: rig.backend.set_pull(line, pull))


def watched(rig: Rig, line: int, edge: int, filter_us: int = 0, level: int = 0) -> int | None:
    """Make the line an input that the outside holds at the level, and watch it; None where edges are refused."""
    rig.backend.set_input(line, PUD_OFF)
    rig.drive(line, level)
    feature = "filter" if filter_us else "edges"
    if refused(rig, feature, lambda: rig.backend.watch(line, edge, filter_us)):
        return None
    return rig.backend.watch(line, edge, filter_us)


def toggle(rig: Rig, line: int, *values: int) -> None:
    for value in values:
        rig.drive(line, value)


def events(rig: Rig, fd: int, count: int) -> list[_gpio.EdgeEvent]:
    """Return the events that come: *count* of them, and whatever else is there a moment later."""
    found: list[_gpio.EdgeEvent] = []
    while len(found) < count and is_readable(fd, 2.0):
        found += _gpio.events_read(fd)
    while is_readable(fd, rig.quiet_ms / 1000):
        found += _gpio.events_read(fd)
    return found


def is_silent(rig: Rig, fd: int) -> bool:
    """Whether the descriptor delivers nothing: it is closed, or nothing waits and nothing comes."""
    return not is_readable(fd, rig.quiet_ms / 1000)


def values(found: list[_gpio.EdgeEvent]) -> list[int]:
    return [event.value for event in found]


def numbers(found: list[_gpio.EdgeEvent]) -> list[int]:
    return [event.seq for event in found]


def expect_pull(rig: Rig, line: int, pull: int) -> None:
    """The pull of an input that nobody drives is this one, for the backend, from outside, and by its level."""
    told, seen = rig.backend.pull(line), rig.pull(line)
    assert told in (pull, None)
    assert seen in (pull, None)
    if pull != PUD_OFF:
        assert rig.level(line) == (pull == PUD_UP)
        assert rig.backend.read(line) == (pull == PUD_UP)


def expect_input(rig: Rig, line: int, function: int = IN) -> None:
    """The line is an input, and gives way to the outside."""
    assert rig.backend.function(line) == function
    assert rig.driving(line) in (False, None)
    for value in (1, 0, 1):
        rig.drive(line, value)
        assert rig.level(line) == value
        assert rig.backend.read(line) == value
    rig.drive(line, None)


def expect_output(rig: Rig, line: int, value: int) -> None:
    """The line drives this level."""
    assert rig.backend.function(line) == OUT
    assert rig.driving(line) in (True, None)
    assert rig.level(line) == value


def some(rig: Rig, count: int) -> tuple[int, ...]:
    """Return that many of the rig's lines, from all over the chip."""
    return rig.lines[:: max(1, len(rig.lines) // count)][:count]


def state(rig: Rig, backend: Backend | None = None) -> list[tuple[object, ...]]:
    """All that can be seen of all lines without touching them."""
    backend = backend or rig.backend
    return [
        (line, backend.function(line), backend.pull(line), rig.level(line), rig.driving(line))
        for line in range(backend.line_count)
    ]


def outside_state(rig: Rig) -> list[tuple[object, ...]]:
    """All that can be seen of all lines without the backend."""
    return [(line, rig.level(line), rig.driving(line)) for line in range(rig.backend.line_count)]


def descriptors() -> set[int]:
    """The descriptors that this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue  # the one that listed them
        found.add(int(name))
    return found


def thread_names() -> list[str]:
    """The names of this process's threads."""
    tasks = Path("/proc/self/task").iterdir()
    return [(task / "comm").read_text().strip() for task in tasks]


def in_child(checks: Callable[[], object]) -> None:
    """Fork, and run the checks in the child; what fails there fails here."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no forks")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            checks()
            status = 0
        except BaseException:
            os.write(writer, traceback.format_exc().encode()[-60_000:])
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as text:
        said = text.read()
    _, result = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(result) == 0, f"in the child: {said}"


CALLS: dict[str, Callable[[Backend, int], object]] = {
    "function": lambda backend, line: backend.function(line),
    "set_function": lambda backend, line: backend.set_function(line, constants.ALT0),
    "set_input": lambda backend, line: backend.set_input(line, PUD_OFF),
    "set_input_as_it_is": lambda backend, line: backend.set_input(line, None),
    "set_output": lambda backend, line: backend.set_output(line, 1),
    "set_output_as_it_is": lambda backend, line: backend.set_output(line, None),
    "read": lambda backend, line: backend.read(line),
    "write": lambda backend, line: backend.write(line, 1),
    "set_pull": lambda backend, line: backend.set_pull(line, PUD_UP),
    "pull": lambda backend, line: backend.pull(line),
    "watch": lambda backend, line: backend.watch(line, BOTH),
    "unwatch": lambda backend, line: backend.unwatch(line),
    "line_fd": lambda backend, line: backend.line_fd(line),
    "release": lambda backend, line: backend.release(line),
    "consumer": lambda backend, line: backend.consumer(line),
    "pwm": lambda backend, line: backend.pwm(line, MS, MS // 4),
    "change_pwm": lambda backend, line: backend.change_pwm(line, MS, MS // 4),
    "end_pwm": lambda backend, line: backend.end_pwm(line),
}
NEEDS = {
    "set_function": "functions",
    "watch": "edges",
    "pwm": "pwm",
    "change_pwm": "pwm",
    "set_pull": "pulls",
}
every_call = pytest.mark.parametrize("call", CALLS)


def wrong_or_missing(backend: Backend, call: str, wrong: type[Exception]) -> tuple[type[Exception], ...]:
    """What a call with a wrong argument may raise: where its feature is missing too, either is right."""
    missing = call in NEEDS and NEEDS[call] not in backend.features
    return (wrong, errors.NotSupportedError) if missing else (wrong,)


# -- the backend as a whole -----------------------------------------------------------------------------


def test_name_is_registered(rig: Rig) -> None:
    assert rig.backend.name in REGISTRY


def test_holds_alone(rig: Rig) -> None:
    assert rig.backend.holds_alone is rig.holds_alone


def test_watches_outputs(rig: Rig) -> None:
    assert rig.backend.watches_outputs is False  # but where rpio sim has it so, of which test_shared_sim is


def test_counts_are_exact(rig: Rig, a_line: int) -> None:
    rig.backend.set_input(a_line, PUD_OFF)
    rig.drive(a_line, 0)
    counts = rig.backend.counts()
    if counts is None:
        assert rig.backend.name != "remote"
        return
    if "edges" not in rig.backend.features:
        with pytest.raises(errors.NotSupportedError):
            counts.begin([a_line], 3, 0, 0, 1_000_000_000)
        return
    found = counts.begin([a_line], 3, 0, 0, 1_000_000_000)
    toggle(rig, a_line, 1, 0, 1)
    assert wait_until(lambda: found.read()[0] == 3)
    assert found.set(0) == 3
    found.end()
    toggle(rig, a_line, 0, 1)
    assert found.read()[:2] == (0, 0)


def test_outside_drives(rig: Rig, a_line: int) -> None:
    outside = rig.backend.outside()
    assert (outside is not None) is rig.is_simulated
    if outside is None:
        return
    pulled(rig, a_line, PUD_OFF)
    assert outside.driven(a_line) is None
    for value in (1, 0):
        outside.drive(a_line, value)
        assert (outside.driven(a_line), rig.backend.read(a_line)) == (value, value)
    outside.drive(a_line, None)
    assert outside.driven(a_line) is None


def test_left_is_known(rig: Rig, a_line: int) -> None:
    assert not rig.backend.is_left(a_line)
    rig.backend.set_output(a_line, 1)
    assert not rig.backend.is_left(a_line)
    rig.backend.release(a_line)
    assert rig.backend.is_left(a_line) is rig.tells_who_left


def test_close_at_exit(rig: Rig) -> None:
    assert rig.backend.close_at_exit is rig.lingers


def test_revision_code_is_anothers(rig: Rig) -> None:
    assert (rig.backend.revision_code is not None) is rig.has_work


def test_label_is_the_chips(rig: Rig) -> None:
    assert rig.backend.label == rig.label


def test_block_has_the_lines(rig: Rig, a_line: int) -> None:
    block = rig.backend.block
    assert (block is not None) is rig.has_registers
    if block is None:
        return
    rig.backend.set_output(a_line, 0)
    for value in (1, 0):
        block.write(a_line, value)
        assert rig.level(a_line) == rig.backend.read(a_line) == block.read(a_line) == value
    rig.backend.set_input(a_line, PUD_OFF)
    rig.drive(a_line, 1)
    assert block.read(a_line) == 1


def test_clock_goes_on(rig: Rig) -> None:
    clock = rig.backend.clock
    assert (clock is not None) is rig.has_clock
    if clock is None:
        return
    calls: list[int] = []
    start_ns = clock.now_ns()
    clock.call_at(start_ns + MS, lambda: calls.append(clock.now_ns()))
    rig.pass_us(500)
    assert (clock.now_ns(), calls) == (start_ns + MS // 2, [])
    clock.sleep_until(start_ns + 2 * MS)
    assert (clock.now_ns(), calls) == (start_ns + 2 * MS, [start_ns + MS])
    clock.sleep_until(start_ns)
    assert clock.now_ns() == start_ns + 2 * MS


@every_call
def test_line_count_bounds(rig: Rig, call: str) -> None:
    backend = rig.backend
    assert type(backend.line_count) is int
    assert backend.line_count > 0
    for line in (0, backend.line_count - 1):
        backend.set_input(line, PUD_OFF)
        if call == "pwm":
            backend.set_output(line, 0)
        if call not in NEEDS or NEEDS[call] in backend.features:
            CALLS[call](backend, line)
    with pytest.raises(wrong_or_missing(backend, call, errors.InvalidChannelException)):
        CALLS[call](backend, backend.line_count)


def test_features_are_known(rig: Rig) -> None:
    assert isinstance(rig.backend.features, frozenset)
    assert rig.backend.features <= FEATURES
    assert {"edges", "functions", "filter", "consumers", "pulls", "pwm"} == FEATURES


@every_call
def test_line_out_of_range(rig: Rig, call: str) -> None:
    before = outside_state(rig)
    for beyond in (0, 1, 32, 1 << 31, 1 << 32, 1 << 70):
        with pytest.raises(wrong_or_missing(rig.backend, call, errors.InvalidChannelException)):
            CALLS[call](rig.backend, rig.backend.line_count + beyond)
    assert outside_state(rig) == before


@every_call
def test_line_negative(rig: Rig, call: str) -> None:
    before = outside_state(rig)
    for line in (-1, -2, -rig.backend.line_count, -(1 << 32), -(1 << 70)):
        with pytest.raises(wrong_or_missing(rig.backend, call, errors.InvalidChannelException)):
            CALLS[call](rig.backend, line)
    assert outside_state(rig) == before


@pytest.mark.parametrize("feature", ["edges", "filter", "functions", "pulls", "pwm"])
def test_missing_feature_is_refused(rig: Rig, a_line: int, feature: str) -> None:
    """ "consumers" has nothing to refuse: consumer() answers "" without it."""
    actions: dict[str, Callable[[], object]] = {
        "edges": lambda: rig.backend.watch(a_line, BOTH),
        "filter": lambda: rig.backend.watch(a_line, BOTH, 1000),
        "functions": lambda: rig.backend.set_function(a_line, constants.ALT0),
        "pulls": lambda: rig.backend.set_pull(a_line, PUD_UP),
        "pwm": lambda: rig.backend.pwm(a_line, MS, MS // 4),
    }
    pulled(rig, a_line, PUD_UP)
    if feature == "pwm" and feature in rig.backend.features:
        rig.backend.set_output(a_line, 0)
    if not refused(rig, feature, actions[feature]):
        actions[feature]()
        return
    assert rig.backend.function(a_line) == IN
    expect_pull(rig, a_line, PUD_UP)


def test_fork_drops_lines(rig: Rig) -> None:
    first, second, third = some(rig, 3)
    for line in (first, third):
        rig.drive(line, 0)  # so that what the rig opens for it is open
    before = descriptors()
    pulled(rig, first, PUD_UP)
    rig.backend.set_output(second, 1)
    held = descriptors() - before
    assert len(held) == (2 if rig.backend.holds_lines and rig.lines_are_files else 0)
    fd = watched(rig, third, BOTH)
    held = descriptors() - before
    assert fd is None or fd in held or _gpio.PURE

    def child() -> None:
        rig.backend.after_fork()
        assert not [number for number in held if is_open(number)]

    in_child(child)
    assert all(map(is_open, held))
    if fd is not None:
        toggle(rig, third, 1, 0)
        assert values(events(rig, fd, 2)) == [1, 0]


def test_open_changes_nothing(rig: Rig) -> None:
    high, low, up = some(rig, 3)
    rig.backend.set_output(high, 1)
    rig.backend.set_output(low, 0)
    pulled(rig, up, PUD_UP)
    before, writes = state(rig), rig.writes()
    other = rig.reopen()
    assert state(rig) == before
    if rig.shared:
        assert [row[:2] for row in state(rig, other)] == [row[:2] for row in before]
    assert {other.consumer(line) for line in set(range(other.line_count)) - {high, low, up}} == {""}
    other.close()
    assert state(rig) == before
    assert rig.writes() == writes


def test_describe_is_one_line(rig: Rig) -> None:
    text = rig.backend.describe()
    assert isinstance(text, str)
    assert text.strip() == text
    assert text
    assert text.isprintable()


# -- functions ------------------------------------------------------------------------------------------


def test_function_of_input(rig: Rig, line: int) -> None:
    untouched = rig.backend.function(line)
    rig.backend.set_input(line, PUD_OFF)
    assert rig.backend.function(line) == IN
    rig.backend.set_output(line, 1)
    rig.backend.set_input(line, None)
    assert rig.backend.function(line) == IN
    if rig.tells_function:
        assert untouched in ((constants.NO_FUNCTION,) if rig.unset_function else (IN, OUT, *ALTERNATES))


def test_function_untold(rig: Rig, a_line: int) -> None:
    assert (rig.backend.function(a_line) == constants.UNKNOWN) == (not rig.tells_function)
    rig.backend.set_output(a_line, 1)
    assert rig.backend.function(a_line) == OUT
    rig.backend.set_input(a_line, None)
    assert rig.backend.function(a_line) == IN
    rig.backend.release(a_line)
    assert (rig.backend.function(a_line) == constants.UNKNOWN) == (not rig.tells_function)
    assert rig.backend.consumer(a_line) == ""


def test_function_of_output(rig: Rig, line: int) -> None:
    rig.backend.set_output(line, 0)
    assert rig.backend.function(line) == OUT
    rig.backend.write(line, 1)
    assert rig.backend.function(line) == OUT
    others = [other for other in rig.lines if other != line]
    assert OUT not in [rig.backend.function(other) for other in others]


@pytest.mark.parametrize("function", ALTERNATES, ids=[constants.FUNCTION_NAMES[f] for f in ALTERNATES])
def test_function_of_alternate(rig: Rig, a_line: int, function: int) -> None:
    backend = rig.backend
    backend.set_input(a_line, PUD_OFF)
    before = state(rig)
    if refused(rig, "functions", lambda: backend.set_function(a_line, function)):
        assert state(rig) == before
        return
    if function not in rig.alternates:
        with pytest.raises(ValueError, match=r"\S"):
            backend.set_function(a_line, function)
        assert state(rig) == before
        return
    backend.set_function(a_line, function)
    assert backend.function(a_line) == function
    assert [row for row in state(rig) if row[0] != a_line] == [row for row in before if row[0] != a_line]
    backend.set_input(a_line, PUD_OFF)
    expect_input(rig, a_line)


@pytest.mark.parametrize("function", [-1, 11, constants.NO_FUNCTION, 32, 99, 1 << 20])
def test_function_unknown(rig: Rig, function: int) -> None:
    """Those that some chip has but this one lacks are in test_function_of_alternate."""
    line = rig.lines[0]
    rig.backend.set_output(line, 1)
    if not refused(rig, "functions", lambda: rig.backend.set_function(line, function)):
        with pytest.raises(ValueError, match=r"\S"):
            rig.backend.set_function(line, function)
    expect_output(rig, line, 1)


@both_levels
def test_function_keeps_latch(rig: Rig, a_line: int, value: int) -> None:
    rig.backend.set_output(a_line, value)
    for function in sorted(rig.alternates) or [constants.ALT0]:
        if not refused(
            rig, "functions", lambda function=function: rig.backend.set_function(a_line, function)
        ):
            rig.backend.set_function(a_line, function)
    rig.backend.set_output(a_line, None)
    expect_output(rig, a_line, value)


@pull_of_each_kind
def test_function_keeps_pull(rig: Rig, a_line: int, pull: int) -> None:
    pulled(rig, a_line, pull)
    for function in sorted(rig.alternates) or [constants.ALT0]:
        if not refused(
            rig, "functions", lambda function=function: rig.backend.set_function(a_line, function)
        ):
            rig.backend.set_function(a_line, function)
        expect_pull(rig, a_line, pull)


# -- inputs ---------------------------------------------------------------------------------------------


@pull_of_each_kind
def test_input_with_pull(rig: Rig, line: int, pull: int) -> None:
    pulled(rig, line, pull)
    assert rig.backend.function(line) == IN
    expect_pull(rig, line, pull)
    expect_input(rig, line)


@pull_of_each_kind
def test_input_keeps_pull(rig: Rig, a_line: int, pull: int) -> None:
    pulled(rig, a_line, pull)
    rig.backend.set_input(a_line, None)
    expect_pull(rig, a_line, pull)
    if pull_refused(rig, a_line, pull):
        return
    rig.backend.set_pull(a_line, pull)
    rig.backend.set_input(a_line, None)
    expect_pull(rig, a_line, pull)


@pull_of_each_kind
def test_input_twice(rig: Rig, a_line: int, pull: int) -> None:
    pulled(rig, a_line, pull)
    once, opened = state(rig), descriptors()
    pulled(rig, a_line, pull)
    assert state(rig) == once
    assert descriptors() == opened
    expect_pull(rig, a_line, pull)
    expect_input(rig, a_line)


@pytest.mark.parametrize("pull", [None, *PULLS], ids=["as-it-is", "off", "down", "up"])
def test_input_after_output(rig: Rig, a_line: int, pull: int | None) -> None:
    for value in (1, 0):
        rig.backend.set_output(a_line, value)
        pulled(rig, a_line, pull)
        expect_pull(rig, a_line, PUD_OFF if pull is None else pull)
        expect_input(rig, a_line)


@pytest.mark.parametrize("pull", [None, *PULLS], ids=["as-it-is", "off", "down", "up"])
def test_input_while_watched(rig: Rig, a_line: int, pull: int | None) -> None:
    fd = watched(rig, a_line, BOTH)
    pulled(rig, a_line, pull)
    if fd is None:
        return
    rig.drive(a_line, 0)  # where a pull is as strong as the outside, it has just won
    seen = len(events(rig, fd, 0))
    toggle(rig, a_line, 1, 0)
    found = events(rig, fd, 2)
    assert values(found) == [1, 0]
    assert numbers(found) == [seen + 1, seen + 2]


# -- outputs --------------------------------------------------------------------------------------------


@both_levels
def test_output_drives(rig: Rig, line: int, value: int) -> None:
    rig.backend.set_output(line, value)
    expect_output(rig, line, value)
    rig.backend.set_output(line, 1 - value)
    expect_output(rig, line, 1 - value)


STARTS: dict[str, Callable[[Rig, int, int], object]] = {
    "untouched": lambda rig, line, value: None,
    "input": lambda rig, line, value: pulled(rig, line, PUD_UP if value else PUD_DOWN),
    "other-input": lambda rig, line, value: pulled(rig, line, PUD_DOWN if value else PUD_UP),
    "held-input": lambda rig, line, value: (rig.backend.set_input(line, PUD_OFF), rig.drive(line, value)),
    "output": lambda rig, line, value: rig.backend.set_output(line, value),
    "other-output": lambda rig, line, value: rig.backend.set_output(line, 1 - value),
    "once-other-output": lambda rig, line, value: (
        rig.backend.set_output(line, 1 - value),
        pulled(rig, line, PUD_UP if value else PUD_DOWN),
    ),
    "other-written": lambda rig, line, value: (
        pulled(rig, line, PUD_UP if value else PUD_DOWN),
        rig.backend.write(line, 1 - value),
    ),
    "alternate": lambda rig, line, value: (
        rig.backend.set_output(line, 1 - value),
        "functions" in rig.backend.features and rig.backend.set_function(line, constants.ALT0),
    ),
}


@both_levels
@pytest.mark.parametrize("start", STARTS)
def test_output_without_glitch(rig: Rig, a_line: int, start: str, value: int) -> None:
    """On the modelled chips between any two accesses, on the simulated board with a wire to a watched line.

    A gpio-sim chip shows its levels before and after only; there the kernel sets direction and level in one call.
    """
    STARTS[start](rig, a_line, value)
    was_output = rig.backend.function(a_line) == OUT
    shows = rig.shows_during(a_line, lambda: rig.backend.set_output(a_line, value))
    levels = [level for level, _ in shows]
    first = levels.index(value)  # a ValueError: it never got there
    assert set(levels[first:]) == {value}
    driven = [level for level, driving in shows if driving]
    if not was_output:
        assert set(driven) <= {value}
    expect_output(rig, a_line, value)


def _written(rig: Rig, line: int, value: int) -> None:
    pulled(rig, line, PUD_DOWN if value else PUD_UP)
    rig.backend.write(line, value)


def _was_output(rig: Rig, line: int, value: int) -> None:
    rig.backend.set_output(line, value)
    pulled(rig, line, PUD_DOWN if value else PUD_UP)


def _written_untouched(rig: Rig, line: int, value: int) -> None:
    rig.drive(line, 1 - value)
    rig.backend.write(line, value)
    rig.drive(line, None)


def _read_since(rig: Rig, line: int, value: int) -> None:
    _written_untouched(rig, line, value)
    if not rig.unset_function:  # else there is nothing to read
        rig.backend.read(line)


def _watched_since(rig: Rig, line: int, value: int) -> None:
    _was_output(rig, line, value)
    for _ in range(3):
        if not refused(rig, "edges", lambda: rig.backend.watch(line, BOTH)):
            rig.backend.watch(line, BOTH)
            rig.backend.unwatch(line)


def _released_since(rig: Rig, line: int, value: int) -> None:
    _was_output(rig, line, value)
    rig.backend.release(line)


def _released_since_it_was_written(rig: Rig, line: int, value: int) -> None:
    _written_untouched(rig, line, value)
    rig.backend.release(line)


IN_BETWEEN = {
    "written": _written,
    "output-before": _was_output,
    "written-untouched": _written_untouched,
    "read": _read_since,
    "watched": _watched_since,
    "released": _released_since,
    "written-and-released": _released_since_it_was_written,
}
"""What may have been done with an input since the level was written, which an output drives again."""


@both_levels
@pytest.mark.parametrize("start", [*IN_BETWEEN, "output", "rewritten", "left-by-another"])
def test_output_keeps_latch(rig: Rig, a_line: int, start: str, value: int) -> None:
    backend = rig.backend
    if start in IN_BETWEEN:
        IN_BETWEEN[start](rig, a_line, value)
    elif start == "output":
        backend.set_output(a_line, value)
    elif start == "rewritten":
        backend.set_output(a_line, 1 - value)
        backend.write(a_line, value)
    elif rig.shared:
        other = rig.reopen()
        other.set_output(a_line, value)
        if rig.falls_back:
            rig.drive(a_line, value)
        other.close()
        assert rig.level(a_line) == value
    else:
        backend.set_output(a_line, value)
    shows = rig.shows_during(a_line, lambda: backend.set_output(a_line, None))
    expect_output(rig, a_line, value)
    if start not in IN_BETWEEN:
        assert {level for level, _ in shows} == {value}
    assert {level for level, driving in shows if driving} <= {value}


@pull_of_each_kind
def test_output_turns_pull_off(rig: Rig, a_line: int, pull: int) -> None:
    for value in (0, 1):
        pulled(rig, a_line, pull)
        rig.backend.set_output(a_line, value)
        assert rig.backend.pull(a_line) in (PUD_OFF, None)
        rig.backend.set_input(a_line, None)
        expect_pull(rig, a_line, PUD_OFF)


def test_output_ends_watch(rig: Rig, a_line: int) -> None:
    fd = watched(rig, a_line, BOTH)
    toggle(rig, a_line, 1, 0)  # they wait
    rig.drive(a_line, None)
    rig.backend.set_output(a_line, 0)
    rig.backend.write(a_line, 1)
    rig.backend.set_input(a_line, PUD_OFF)
    toggle(rig, a_line, 0, 1, 0)
    if fd is None:
        return
    assert is_silent(rig, fd)
    again = rig.backend.watch(a_line, BOTH)
    toggle(rig, a_line, 1)
    assert numbers(events(rig, again, 1)) == [1]


# -- levels ---------------------------------------------------------------------------------------------


@both_levels
def test_read_levels(rig: Rig, line: int, value: int) -> None:
    rig.backend.set_input(line, PUD_OFF)
    for other in rig.lines:
        if other != line:
            rig.backend.set_input(other, PUD_OFF)
            rig.drive(other, 1 - value)
    rig.drive(line, value)
    assert rig.backend.read(line) == value
    rig.drive(line, 1 - value)
    assert rig.backend.read(line) == 1 - value


@both_levels
def test_read_is_int(rig: Rig, value: int) -> None:
    for line in rig.lines:
        rig.backend.set_input(line, PUD_OFF)
        rig.drive(line, value)
        assert type(rig.backend.read(line)) is int
        rig.drive(line, None)
        rig.backend.set_output(line, value)
        assert type(rig.backend.read(line)) is int


@both_levels
@pytest.mark.parametrize("whose", ["own", "anothers"])
def test_read_output(rig: Rig, a_line: int, value: int, whose: str) -> None:
    if whose == "own" or not rig.shared:
        rig.backend.set_output(a_line, value)
    else:
        other = rig.reopen()
        other.set_output(a_line, value)
        other.close()
        value = rig.level(a_line)
    assert rig.backend.function(a_line) == OUT
    if whose == "anothers" and rig.backend.holds_lines and not rig.stays_taken:
        with pytest.raises(errors.NotSupportedError, match="does not hold"):
            rig.backend.read(a_line)
    else:
        assert rig.backend.read(a_line) == value
    assert rig.level(a_line) == value
    rig.backend.set_output(a_line, 1 - value)
    assert rig.backend.read(a_line) == rig.level(a_line) == 1 - value


@both_levels
def test_read_untouched(rig: Rig, line: int, value: int) -> None:
    rig.drive(line, value)
    if rig.unset_function:
        with pytest.raises(errors.NotSupportedError, match="input buffer"):
            rig.backend.read(line)
        rig.backend.set_input(line, None)
    assert rig.backend.read(line) == value
    rig.drive(line, 1 - value)
    assert rig.backend.read(line) == 1 - value
    if not rig.unset_function:  # else it has been set up here
        assert rig.backend.consumer(line) == ""


@pytest.mark.parametrize("kind", ["untouched", "input", "output", "watched"])
def test_read_changes_nothing(rig: Rig, a_line: int, kind: str) -> None:
    fd = None
    if kind == "input":
        pulled(rig, a_line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(a_line, 1)
    elif kind == "watched":
        fd = watched(rig, a_line, BOTH)
        rig.drive(a_line, 1)
    before, writes, opened = state(rig), rig.writes(), descriptors()
    holder = rig.backend.consumer(a_line)
    try:
        levels = {rig.backend.read(a_line) for _ in range(3)}
    except errors.NotSupportedError:
        assert kind == "untouched"  # whether it may is for test_read_untouched
        levels = {rig.level(a_line)}
    assert levels == {rig.level(a_line)}
    assert state(rig) == before
    assert rig.writes() == writes
    assert descriptors() == opened
    assert rig.backend.consumer(a_line) == holder
    if fd is not None:
        assert values(events(rig, fd, 1)) == [1]


def test_write_levels(rig: Rig, line: int) -> None:
    rig.backend.set_output(line, 0)
    for value in (1, 1, 0, 0, 1, 0):
        rig.backend.write(line, value)
        expect_output(rig, line, value)
        assert rig.backend.read(line) == value


@pytest.mark.parametrize("value", [-1, 2, 256, 1 << 31, 1 << 32, 1 << 70, True, False, 0])
def test_write_truthy(rig: Rig, value: int) -> None:
    for line in some(rig, 3):
        rig.backend.set_output(line, 0 if value else 1)
        rig.backend.write(line, value)
        expect_output(rig, line, 1 if value else 0)
        assert rig.backend.read(line) == (1 if value else 0)


@both_levels
def test_write_on_input(rig: Rig, a_line: int, value: int) -> None:
    pull = PUD_DOWN if value else PUD_UP
    pulled(rig, a_line, pull)
    before = outside_state(rig)
    rig.backend.write(a_line, value)
    assert outside_state(rig) == before
    assert rig.backend.function(a_line) == IN
    assert rig.backend.read(a_line) == 1 - value
    expect_pull(rig, a_line, pull)
    rig.backend.set_output(a_line, None)
    expect_output(rig, a_line, value)


@both_levels
def test_write_is_alone(rig: Rig, line: int, value: int) -> None:
    for other in rig.lines:
        rig.backend.set_output(other, 1 - value)
    rig.backend.set_output(line, 1 - value)
    before = state(rig)
    rig.backend.write(line, value)
    changed = [new[0] for old, new in zip(before, state(rig), strict=True) if old != new]
    assert changed == [line]


# -- pulls ----------------------------------------------------------------------------------------------


@pull_of_each_kind
@pytest.mark.parametrize("by", ["set_input", "set_pull"])
def test_pull_shows(rig: Rig, line: int, by: str, pull: int) -> None:
    if by == "set_input":
        pulled(rig, line, pull)
    else:
        rig.backend.set_input(line, PUD_OFF)
        if pull_refused(rig, line, pull):
            return
        rig.backend.set_pull(line, pull)
    expect_pull(rig, line, pull)


@pull_of_each_kind
@pytest.mark.parametrize("then", PULLS, ids=["to-off", "to-down", "to-up"])
def test_pull_changes(rig: Rig, a_line: int, pull: int, then: int) -> None:
    pulled(rig, a_line, pull)
    if pull_refused(rig, a_line, pull) or pull_refused(rig, a_line, then):
        return
    rig.backend.set_pull(a_line, then)
    expect_pull(rig, a_line, then)
    rig.backend.set_pull(a_line, pull)
    expect_pull(rig, a_line, pull)


@pull_of_each_kind
def test_pull_is_alone(rig: Rig, line: int, pull: int) -> None:
    """On an output and on a line that nobody has set up, too: the function stays."""
    backend = rig.backend
    for other in rig.lines:
        pulled(rig, other, PUD_UP)
    untouched, output = rig.lines[0] + 1, rig.lines[0] + 2
    backend.set_output(output, 1)
    before = state(rig)
    if pull_refused(rig, line, pull):
        assert state(rig) == before
        return
    if "pulls" not in backend.features:
        rig.drive(line, 0)  # else it rests where it was
    backend.set_pull(line, pull)
    assert backend.function(line) == IN
    backend.set_pull(untouched, pull)
    backend.set_pull(output, pull)
    touched = (line, untouched, output)
    assert [row for row in state(rig) if row[0] not in touched] == [
        row for row in before if row[0] not in touched
    ]
    assert backend.function(untouched) == before[untouched][1]
    expect_output(rig, output, 1)
    for other in rig.lines:
        expect_pull(rig, other, pull if other == line else PUD_UP)


@pytest.mark.parametrize("pull", [-1, 0, 1, 2, 19, 23, 1 << 40])
@pytest.mark.parametrize("by", ["set_input", "set_pull"])
def test_pull_unknown(rig: Rig, by: str, pull: int) -> None:
    line = rig.lines[0]
    pulled(rig, line, PUD_UP)
    before = state(rig)
    with pytest.raises(errors.InvalidPullException):
        getattr(rig.backend, by)(line, pull)
    assert state(rig) == before
    expect_pull(rig, line, PUD_UP)
    rig.backend.set_output(line, 1)
    with pytest.raises(errors.InvalidPullException):
        getattr(rig.backend, by)(line, pull)
    expect_output(rig, line, 1)


@pytest.mark.parametrize("by", ["set_input", "set_pull"])
@pytest.mark.parametrize("pull", [PUD_DOWN, PUD_UP], ids=["down", "up"])
def test_pull_is_refused(rig: Rig, a_line: int, by: str, pull: int) -> None:
    rig.backend.set_output(a_line, 1)
    rig.backend.set_input(a_line, PUD_OFF)
    rig.drive(a_line, 1)
    before, opened = state(rig), descriptors()
    if refused(rig, "pulls", lambda: getattr(rig.backend, by)(a_line, pull)):
        assert state(rig) == before
        rig.backend.set_pull(a_line, PUD_OFF)
        rig.backend.set_input(a_line, PUD_OFF)
        assert state(rig) == before
        assert descriptors() == opened
        rig.backend.set_output(a_line, 0)
        with pytest.raises(errors.NotSupportedError):
            rig.backend.set_input(a_line, pull)
        expect_output(rig, a_line, 0)


@pull_of_each_kind
def test_pull_read_back(rig: Rig, a_line: int, pull: int) -> None:
    assert rig.backend.pull(a_line) in (None, rig.pull(a_line)) or rig.pull(a_line) is None
    pulled(rig, a_line, pull)
    assert rig.backend.pull(a_line) == (pull if rig.tells_pull else None)
    rig.backend.set_output(a_line, 1)
    rig.backend.set_input(a_line, PUD_OFF)
    if pull_refused(rig, a_line, pull):
        return
    rig.backend.set_pull(a_line, pull)
    assert rig.backend.pull(a_line) == (pull if rig.tells_pull else None)
    if rig.tells_pull and rig.shared and not rig.backend.holds_lines:
        other = rig.reopen()
        assert other.pull(a_line) == pull
        other.close()


# -- edges ----------------------------------------------------------------------------------------------


@edge_of_each_kind
def test_watch_edges(rig: Rig, line: int, edge: int) -> None:
    fd = watched(rig, line, edge)
    if fd is None:
        return
    toggle(rig, line, 1, 1, 0, 0, 1, 0)
    wanted = {RISING: [1, 1], FALLING: [0, 0], BOTH: [1, 0, 1, 0]}[edge]
    assert values(events(rig, fd, len(wanted))) == wanted


@both_levels
def test_watch_descriptor(rig: Rig, a_line: int, value: int) -> None:
    """Source of the record: linux/gpio.h, struct gpio_v2_line_event."""
    fd = watched(rig, a_line, BOTH, level=1 - value)
    if fd is None:
        return
    assert type(fd) is int
    if _gpio.PURE:
        pytest.skip("it is a number of RPIO.pure's, see test_pure_parts")
    assert not os.get_blocking(fd)
    assert not os.get_inheritable(fd)
    assert _gpio.events_read(fd) == []
    with pytest.raises(BlockingIOError):
        os.read(fd, 48)
    rig.drive(a_line, value)
    assert is_readable(fd, 2.0)
    record = os.read(fd, 4800)
    assert len(record) == 48
    assert int.from_bytes(record[8:12], "little") == (1 if value else 2)
    assert int.from_bytes(record[12:16], "little") == a_line
    assert int.from_bytes(record[20:24], "little") == 1
    assert _gpio.events_read(fd) == []


@both_levels
@edge_of_each_kind
def test_watch_starts_silent(rig: Rig, a_line: int, edge: int, value: int) -> None:
    fd = watched(rig, a_line, edge, level=1 - value)
    if fd is None:
        return
    rig.backend.unwatch(a_line)
    rig.drive(a_line, value)
    fd = rig.backend.watch(a_line, edge)
    assert is_silent(rig, fd)
    rig.drive(a_line, value)
    assert is_silent(rig, fd)


@both_levels
def test_watch_record(rig: Rig, line: int, value: int) -> None:
    fd = watched(rig, line, BOTH, level=1 - value)
    if fd is None:
        return
    before = rig.now_ns()
    rig.drive(line, value)
    (event,) = events(rig, fd, 1)
    assert (event.line, event.value, event.seq) == (line, value, 1)
    assert before <= event.timestamp_ns <= rig.now_ns()


def test_watch_time(rig: Rig, a_line: int) -> None:
    fd = watched(rig, a_line, BOTH)
    if fd is None:
        return
    level = 0
    for _ in range(5):
        before = rig.now_ns()
        rig.pass_us(1000)
        stamps = []
        for _ in range(2):
            level = 1 - level
            rig.drive(a_line, level)
        rig.pass_us(2000)
        stamps = [event.timestamp_ns for event in events(rig, fd, 2)]
        assert stamps == sorted(stamps)
        assert stamps[0] >= before + 1_000_000
        assert stamps[-1] <= rig.now_ns()


@edge_of_each_kind
def test_watch_numbers(rig: Rig, edge: int) -> None:
    """Of a line: what another line reports, and edges that are not asked for, do not count."""
    first, second = some(rig, 2)
    fd, other = watched(rig, first, edge), watched(rig, second, BOTH)
    if fd is None or other is None:
        return
    for _ in range(4):
        toggle(rig, first, 1, 0)
        toggle(rig, second, 1)
        toggle(rig, first, 1, 0)
        toggle(rig, second, 0)
    count = 16 if edge == BOTH else 8
    assert numbers(events(rig, fd, count)) == list(range(1, count + 1))
    assert numbers(events(rig, other, 8)) == list(range(1, 9))
    toggle(rig, first, 1, 0)
    assert numbers(events(rig, fd, 1))[0] == count + 1


@pytest.mark.parametrize("excess", [0, 1, 100])
def test_watch_overflow(rig: Rig, excess: int) -> None:
    line = rig.lines[-1]
    fd = watched(rig, line, BOTH)
    if fd is None:
        return
    total = EVENT_BUFFER_SIZE + excess
    for number in range(1, total + 1):
        rig.drive(line, number & 1)
        if number % (EVENT_BUFFER_SIZE // 2) == 0:
            # Who serves them is read meanwhile, and late on a busy machine: the buffer that overflows is this side's.
            rig.let_arrive(line, number)
    rig.let_arrive(line, total)  # the last one, before the first is read
    found = events(rig, fd, EVENT_BUFFER_SIZE)
    assert numbers(found) == list(range(1 + excess, total + 1))
    assert values(found) == [number & 1 for number in range(1 + excess, total + 1)]
    rig.drive(line, 1 - (total & 1))
    assert numbers(events(rig, fd, 1)) == [total + 1]


@edge_of_each_kind
@pytest.mark.parametrize("then", [RISING, FALLING, BOTH], ids=["to-rising", "to-falling", "to-both"])
def test_watch_again(rig: Rig, a_line: int, edge: int, then: int) -> None:
    fd = watched(rig, a_line, edge)
    if fd is None:
        return
    opened = descriptors()
    assert rig.backend.watch(a_line, then) == fd
    assert descriptors() == opened
    toggle(rig, a_line, 1, 0, 1, 0)
    wanted = {RISING: [1, 1], FALLING: [0, 0], BOTH: [1, 0, 1, 0]}[then]
    assert values(events(rig, fd, len(wanted))) == wanted


@edge_of_each_kind
@pytest.mark.parametrize("then", [RISING, FALLING, BOTH], ids=["to-rising", "to-falling", "to-both"])
def test_watch_again_keeps_events(rig: Rig, a_line: int, edge: int, then: int) -> None:
    fd = watched(rig, a_line, edge)
    if fd is None:
        return
    reported = {RISING: [1], FALLING: [0], BOTH: [1, 0]}
    toggle(rig, a_line, 1, 0)
    time.sleep(rig.quiet_ms / 1000)  # they wait
    rig.backend.watch(a_line, then)
    toggle(rig, a_line, 1, 0)
    wanted = reported[edge] + reported[then]
    found = events(rig, fd, len(wanted))
    assert values(found) == wanted
    assert numbers(found) == list(range(1, len(wanted) + 1))


FILTER_US = 20_000


@pytest.mark.parametrize(
    "kind", ["stable", "glitch", "bounces", "slow", "back", "switched-on", "switched-off"]
)
@edge_of_each_kind
def test_watch_filter(rig: Rig, edge: int, kind: str) -> None:
    line = rig.lines[0]
    if kind == "switched-on":
        fd = watched(rig, line, edge)
        if fd is None:
            return
        if refused(rig, "filter", lambda: rig.backend.watch(line, edge, FILTER_US)):
            toggle(rig, line, 1, 0)  # the watch without a filter goes on
            assert numbers(events(rig, fd, 1))[0] == 1
            return
        assert rig.backend.watch(line, edge, FILTER_US) == fd
    else:
        fd = watched(rig, line, edge, FILTER_US)
    if fd is None:
        return
    if kind == "switched-off":
        assert rig.backend.watch(line, edge) == fd
    long_us = 2 * FILTER_US
    start = rig.now_ns()
    wanted: list[int] = [1, 0]
    if kind == "glitch":
        toggle(rig, line, 1, 0)
        rig.pass_us(long_us)
        wanted = []
    elif kind == "switched-off":
        toggle(rig, line, 1, 0)
    elif kind == "bounces":
        toggle(rig, line, 1, 0, 1, 0, 1)
        rig.pass_us(long_us)
        toggle(rig, line, 0, 1, 0)
        rig.pass_us(long_us)
    elif kind == "slow":
        for value in (1, 0, 1):
            rig.pass_us(FILTER_US // 4)
            start = rig.now_ns()
            rig.drive(line, value)
        rig.pass_us(long_us)
        wanted = [1]
    elif kind == "back":
        rig.drive(line, 1)
        rig.pass_us(long_us)
        toggle(rig, line, 0, 1)
        rig.pass_us(long_us)
        wanted = [1]
    else:
        rig.drive(line, 1)
        rig.pass_us(long_us)
        rig.drive(line, 0)
        rig.pass_us(long_us)
    wanted = [value for value in wanted if edge == BOTH or value == (edge == RISING)]
    found = events(rig, fd, len(wanted))
    assert values(found) == wanted
    assert numbers(found) == list(range(1, len(wanted) + 1))
    if kind != "switched-off":
        assert all(event.timestamp_ns >= start + (FILTER_US - 2000) * 1000 for event in found)


def test_watch_is_alone(rig: Rig, line: int) -> None:
    fd = watched(rig, line, BOTH)
    if fd is None:
        return
    others = [other for other in rig.lines if other != line]
    for other in others:
        rig.backend.set_input(other, PUD_OFF)
        toggle(rig, other, 0, 1, 0)
    rig.backend.set_output(others[0], 1)
    assert is_silent(rig, fd)
    second = watched(rig, others[-1], BOTH)
    assert second is not None
    assert second != fd
    toggle(rig, others[-1], 1)
    toggle(rig, line, 1, 0)
    assert [(event.line, event.value) for event in events(rig, fd, 2)] == [(line, 1), (line, 0)]
    assert [(event.line, event.value) for event in events(rig, second, 1)] == [(others[-1], 1)]


@pytest.mark.parametrize("kind", ["output", "taken-back", "alternate"])
def test_watch_output_is_refused(rig: Rig, a_line: int, kind: str) -> None:
    backend = rig.backend
    backend.set_output(a_line, 1)
    if kind == "taken-back":
        backend.set_input(a_line, PUD_OFF)
        backend.set_output(a_line, None)
    elif kind == "alternate" and "functions" in backend.features:
        backend.set_function(a_line, constants.ALT0)
    before = state(rig)
    with pytest.raises(wrong_or_missing(backend, "watch", errors.WrongDirectionException)):
        backend.watch(a_line, BOTH)
    assert state(rig) == before


@pytest.mark.parametrize("edge", [-1, 0, 1, 2, 3, 30, 34, 1 << 40])
def test_watch_unknown_edge(rig: Rig, edge: int) -> None:
    line = rig.lines[0]
    pulled(rig, line, PUD_UP)
    wrong = wrong_or_missing(rig.backend, "watch", errors.InvalidEdgeException)
    with pytest.raises(wrong):
        rig.backend.watch(line, edge)
    fd = watched(rig, line, RISING)
    if fd is not None:
        with pytest.raises(wrong):
            rig.backend.watch(line, edge)
        toggle(rig, line, 1, 0)
        assert values(events(rig, fd, 1)) == [1]
    assert rig.backend.function(line) == IN


@both_levels
def test_unwatch_keeps_input(rig: Rig, a_line: int, value: int) -> None:
    fd = watched(rig, a_line, BOTH, level=value)
    rig.backend.unwatch(a_line)
    assert rig.backend.function(a_line) == IN
    assert rig.level(a_line) == value
    expect_input(rig, a_line)
    if fd is not None:
        assert is_silent(rig, fd)


@pull_of_each_kind
def test_unwatch_keeps_pull(rig: Rig, a_line: int, pull: int) -> None:
    pulled(rig, a_line, pull)
    if not refused(rig, "edges", lambda: rig.backend.watch(a_line, BOTH)):
        rig.backend.watch(a_line, BOTH)
        expect_pull_told(rig, a_line, pull)
    rig.backend.unwatch(a_line)
    expect_pull(rig, a_line, pull)
    rig.backend.set_input(a_line, None)
    expect_pull(rig, a_line, pull)


def expect_pull_told(rig: Rig, line: int, pull: int) -> None:
    """As expect_pull, without moving the line: it is watched."""
    assert rig.backend.pull(line) in (pull, None)
    if pull != PUD_OFF:
        assert rig.level(line) == (pull == PUD_UP)


@edge_of_each_kind
def test_unwatch_drops(rig: Rig, a_line: int, edge: int) -> None:
    fd = watched(rig, a_line, edge)
    rig.backend.unwatch(a_line)
    if fd is None:
        return
    fd = rig.backend.watch(a_line, edge)
    toggle(rig, a_line, 1, 0, 1, 0)
    time.sleep(rig.quiet_ms / 1000)  # they wait
    rig.backend.unwatch(a_line)
    dropped = is_silent(rig, fd)
    fd = rig.backend.watch(a_line, edge)
    assert is_silent(rig, fd)
    toggle(rig, a_line, 1, 0)
    count = 2 if edge == BOTH else 1
    assert numbers(events(rig, fd, count)) == list(range(1, count + 1))
    assert dropped


@pytest.mark.parametrize("left", [0, 1, 200])
def test_unwatch_is_read(rig: Rig, a_line: int, left: int) -> None:
    """What is left is read when it is wanted least, in the middle of the next watch."""
    fd = watched(rig, a_line, BOTH)
    if fd is None:
        rig.backend.unwatch(a_line, True)
        return
    for number in range(left):
        rig.drive(a_line, 1 - number % 2)
    time.sleep(rig.quiet_ms / 1000)  # they wait
    rig.backend.unwatch(a_line, True)
    rig.drive(a_line, 1)
    rig.drive(a_line, 0)
    fd = rig.backend.watch(a_line, BOTH)
    toggle(rig, a_line, 1, 0)
    found = events(rig, fd, 2)
    assert (values(found), numbers(found)) == ([1, 0], [1, 2])
    toggle(rig, a_line, 1)
    assert numbers(events(rig, fd, 1)) == [3]


def test_unwatch_holds(rig: Rig, a_line: int) -> None:
    """Nobody can take it, and as it is the same descriptor nobody could have taken it in between."""
    if not rig.backend.holds_lines:
        return
    rig.backend.set_input(a_line, PUD_OFF)
    if refused(rig, "edges", lambda: rig.backend.watch(a_line, BOTH)):
        return
    line_fd = getattr(rig.backend, "line_fd", lambda line: None)
    fd = line_fd(a_line)
    for _ in range(3):
        rig.backend.watch(a_line, BOTH)
        rig.backend.unwatch(a_line)
        with pytest.raises(OSError, match=os.strerror(errno.EBUSY)), rig.busy(a_line, "thief"):
            pass
        assert line_fd(a_line) == fd


@pytest.mark.parametrize("kind", ["untouched", "input", "output", "unwatched"])
def test_unwatch_unwatched(rig: Rig, a_line: int, kind: str) -> None:
    if kind == "input":
        pulled(rig, a_line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(a_line, 1)
    elif kind == "unwatched":
        watched(rig, a_line, BOTH)
        rig.backend.unwatch(a_line)
    before, writes, opened = state(rig), rig.writes(), descriptors()
    rig.backend.unwatch(a_line)
    assert state(rig) == before
    assert rig.writes() == writes
    assert descriptors() == opened


# -- whose line it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["input", "output", "watched"])
def test_release_frees(rig: Rig, a_line: int, kind: str) -> None:
    fd = None
    rig.drive(a_line, 0)  # so that what the rig opens for it is open
    rig.drive(a_line, None)
    opened = descriptors()
    if kind == "input":
        pulled(rig, a_line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(a_line, 1)
    else:
        fd = watched(rig, a_line, BOTH)
    rig.backend.release(a_line)
    assert rig.backend.consumer(a_line) == ""
    rig.drive(a_line, None)
    if fd is not None:
        assert is_silent(rig, fd)
    if not (rig.has_work and rig.lines_are_files):
        assert descriptors() == opened
    if rig.shared:
        other = rig.reopen()
        other.set_output(a_line, 1)
        assert rig.level(a_line) == 1
        other.close()


@pull_of_each_kind
def test_release_keeps_input(rig: Rig, a_line: int, pull: int) -> None:
    pulled(rig, a_line, pull)
    rig.backend.release(a_line)
    expect_input(rig, a_line, IN if rig.tells_function else constants.UNKNOWN)


@pytest.mark.parametrize("kind", ["input", "output", "watched"])
def test_release_and_again(rig: Rig, a_line: int, kind: str) -> None:
    for _ in range(2):
        if kind == "input":
            pulled(rig, a_line, PUD_UP)
            expect_pull(rig, a_line, PUD_UP)
            expect_input(rig, a_line)
        elif kind == "output":
            rig.backend.set_output(a_line, 1)
            expect_output(rig, a_line, 1)
            rig.backend.write(a_line, 0)
            expect_output(rig, a_line, 0)
        elif (fd := watched(rig, a_line, BOTH)) is not None:
            toggle(rig, a_line, 1, 0)
            assert numbers(events(rig, fd, 2)) == [1, 2]
        rig.backend.release(a_line)


@both_levels
def test_release_yields(rig: Rig, a_line: int, value: int) -> None:
    """An output that another program has left is taken over at its level, whatever was written here before."""
    if not rig.shared:
        return
    pulled(rig, a_line, PUD_OFF)
    rig.backend.write(a_line, value)
    rig.backend.release(a_line)
    other = rig.reopen()
    other.set_output(a_line, 1 - value)
    if rig.falls_back:
        rig.drive(a_line, 1 - value)
    other.close()
    rig.backend.set_output(a_line, None)
    expect_output(rig, a_line, 1 - value)


def test_line_fd_is_the_line(rig: Rig, a_line: int) -> None:
    backend = rig.backend
    assert backend.line_fd(a_line) is None
    backend.set_output(a_line, 0)
    fd = backend.line_fd(a_line)
    assert (fd is not None) is rig.has_descriptors
    if fd is None:
        return
    for value in (1, 0):
        _gpio.line_write(fd, value)
        assert rig.level(a_line) == backend.read(a_line) == _gpio.line_read(fd) == value
    backend.set_input(a_line, PUD_OFF)
    rig.drive(a_line, 1)
    fd = backend.line_fd(a_line)
    assert fd is not None
    assert _gpio.line_read(fd) == 1
    backend.release(a_line)
    assert backend.line_fd(a_line) is None
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


@pytest.mark.parametrize("kind", ["input", "output", "watched"])
def test_held_lines(rig: Rig, a_line: int, kind: str) -> None:
    backend = rig.backend
    assert backend.held() == []
    if kind == "output":
        backend.set_output(a_line, 0)
    else:
        backend.set_input(a_line, None)
    if kind == "watched" and "edges" in backend.features:
        backend.watch(a_line, BOTH)
    assert set(backend.held()) <= {a_line}
    if backend.holds_lines:
        assert backend.held() == [a_line]
    backend.release(a_line)
    assert backend.held() == []


@pytest.mark.parametrize("kind", ["untouched", "released"])
def test_release_untaken(rig: Rig, a_line: int, kind: str) -> None:
    if kind == "released":
        pulled(rig, a_line, PUD_UP)
        rig.backend.release(a_line)
    before, writes, opened = state(rig), rig.writes(), descriptors()
    rig.backend.release(a_line)
    assert state(rig) == before
    assert rig.writes() == writes
    assert descriptors() == opened


def test_consumer_of_free_line(rig: Rig, line: int) -> None:
    assert rig.backend.consumer(line) == ""
    for other in rig.lines:
        if other != line:
            pulled(rig, other, PUD_UP)
    assert rig.backend.consumer(line) == ""


@pytest.mark.parametrize("kind", ["input", "output", "watched"])
def test_consumer_is_named(rig: Rig, a_line: int, kind: str) -> None:
    if kind == "input":
        pulled(rig, a_line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(a_line, 1)
    else:
        watched(rig, a_line, BOTH)
    answers = {"RPIO"} if "consumers" in rig.backend.features else {"RPIO", ""}
    assert rig.backend.consumer(a_line) in answers


BUSY_CALLS = (
    "set_input",
    "set_input_as_it_is",
    "set_output",
    "set_output_as_it_is",
    "read",
    "set_pull",
    "watch",
)


@pytest.mark.parametrize("call", BUSY_CALLS)
@pytest.mark.parametrize("name", ["somebody", "n" * 31], ids=["short", "longest"])
def test_line_is_busy(rig: Rig, a_line: int, call: str, name: str) -> None:
    """Where no kernel gives lines to anybody, nobody can hold one.

    Registers reach a line whoever holds it; a backend that holds no lines refuses only what takes the line in the
    kernel, and that is to watch it.
    """
    holder = rig.busy(a_line, name)
    if holder is None:
        assert "consumers" not in rig.backend.features
        assert rig.backend.consumer(a_line) == ""
        return
    told = name if rig.tells_holder else ""
    with holder:
        assert rig.backend.consumer(a_line) == told
        if call in NEEDS and NEEDS[call] not in rig.backend.features:
            before = state(rig)
            assert refused(rig, NEEDS[call], lambda: CALLS[call](rig.backend, a_line))
            assert state(rig) == before
        elif rig.reads_are_shared and call in ("read", "watch"):
            CALLS[call](rig.backend, a_line)
            rig.backend.unwatch(a_line)
        elif rig.backend.holds_lines or call == "watch":
            before, opened = state(rig), descriptors()
            with pytest.raises(errors.LineBusyError) as caught:
                CALLS[call](rig.backend, a_line)
            assert told in str(caught.value)
            assert caught.value.errno == errno.EBUSY
            assert state(rig) == before
            assert descriptors() == opened
        else:
            CALLS[call](rig.backend, a_line)
        assert rig.backend.consumer(a_line) == told
    assert rig.backend.consumer(a_line) == ""
    pulled(rig, a_line, PUD_UP)
    expect_pull(rig, a_line, PUD_UP)


# -- PWM ------------------------------------------------------------------------------------------------

LONG = 1000 * MS * 1000
"""A period that outlives every test."""

Script = tuple[tuple[int, int, int], ...]
"""Calls of pwm() on one line: (after so many microseconds, period_ns, high_ns)."""

SCRIPTS: dict[str, Script] = {
    "steady-wave": ((0, 20 * MS, 5 * MS),),
    "odd": ((0, 17 * MS + 1, 13 * MS + 7),),
    "change-in-pulse": ((0, 20 * MS, 10 * MS), (45_000, 30 * MS, 20 * MS)),
    "change-after-pulse": ((0, 20 * MS, 10 * MS), (55_000, 10 * MS, 8 * MS)),
    "through-0": ((0, 20 * MS, 10 * MS), (30_000, 20 * MS, 0), (40_000, 20 * MS, 15 * MS)),
    "through-100": ((0, 20 * MS, 10 * MS), (30_000, 20 * MS, 20 * MS), (40_000, 20 * MS, 15 * MS)),
    "slow-to-fast": ((0, 60 * MS, 20 * MS), (1_000, 4 * MS, 1 * MS)),
}
AFTERWARDS_US = 100_000


def play(rig: Rig, line: int, script: Script, change: str = "pwm") -> None:
    """Begin with pwm(), and go on with that or another function."""
    for number, (pause_us, period_ns, high_ns) in enumerate(script):
        rig.pass_us(pause_us)
        getattr(rig.backend, change if number else "pwm")(line, period_ns, high_ns)
    rig.pass_us(AFTERWARDS_US)


def planned(script: Script) -> rigs.Wave:
    """The wave that the C planner has for the script."""
    plan, now, wave = _gpio.PwmPlan(), 0, [(0, 0)]

    def run_until(end: int) -> None:
        nonlocal now
        while True:
            for _, level in plan.advance(now):
                if wave[-1][0] == now:
                    wave.pop()
                wave.append((now, level))
            due = plan.next()
            if now == end:
                return
            now = end if due is None else min(due, end)

    for pause_us, period_ns, high_ns in script:
        run_until(now + pause_us * 1000)
        plan.set(17, period_ns, high_ns, now)
    run_until(now + AFTERWARDS_US * 1000)
    return wave


def high_share(wave: rigs.Wave, end: int) -> float:
    ends = [at for at, _ in wave[1:]] + [end]
    return sum(until - at for (at, level), until in zip(wave, ends, strict=True) if level) / end


def expect_wave(rig: Rig, wave: rigs.Wave, expected: rigs.Wave, end: int) -> None:
    """The wave is the expected one; where time is the machine's own, as nearly as it has been looked at."""
    if rig.exact:
        assert wave == expected
        return
    pulses = [[level for _, level in one].count(1) for one in (wave, expected)]
    assert 1 <= pulses[0] <= pulses[1] + 1
    tolerance = 0.2 + rig.blind_ns / end
    assert abs(high_share(wave, end) - high_share(expected, end)) < tolerance


def expect_steady(rig: Rig, line: int, value: int) -> None:
    """The line has that level, now and while time passes."""
    for _ in range(7):
        assert rig.level(line) == value
        rig.pass_us(1300)
    assert rig.level(line) == value


def pwm_runs(rig: Rig, line: int, period_ns: int, high_ns: int) -> bool:
    """Make the line an output with PWM, which the outside would have low; whether the backend can."""
    if rig.falls_back:
        rig.drive(line, 0)
    rig.backend.set_output(line, 0)
    if refused(rig, "pwm", lambda: rig.backend.pwm(line, period_ns, high_ns)):
        return False
    rig.backend.pwm(line, period_ns, high_ns)
    return True


@pytest.mark.parametrize("change", ["pwm", "change_pwm"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_pwm_wave(rig: Rig, a_line: int, script: str, change: str) -> None:
    """The wave of every backend is that of the C planner."""
    rig.backend.set_output(a_line, 0)
    if refused(rig, "pwm", lambda: rig.backend.pwm(a_line, MS, MS // 4)):
        return
    calls = SCRIPTS[script]
    wave = rig.wave_during(a_line, lambda: play(rig, a_line, calls, change))
    end = sum(pause_us for pause_us, _, _ in calls) * 1000 + AFTERWARDS_US * 1000
    expect_wave(rig, wave, planned(calls), end)
    rig.backend.end_pwm(a_line)
    assert rig.level(a_line) == 0


def test_pwm_begins(rig: Rig, line: int) -> None:
    if pwm_runs(rig, line, LONG, LONG // 2):
        expect_steady(rig, line, 1)
        assert rig.backend.function(line) == OUT
        assert {rig.level(other) for other in rig.lines if other != line and rig.driving(other)} <= {0}


def test_pwm_shares(rig: Rig) -> None:
    first, second = some(rig, 2)
    if not pwm_runs(rig, first, 20 * MS, 5 * MS):
        return
    rig.backend.set_output(second, 0)
    rig.pass_us(7_000)
    wave = rig.wave_during(second, lambda: play(rig, second, ((0, 20 * MS, 6 * MS),)))
    expected = [(0, 0)] + [
        edge for n in range(5) for edge in ((13 * MS + n * 20 * MS, 1), (19 * MS + n * 20 * MS, 0))
    ]
    expect_wave(rig, wave, [edge for edge in expected if edge[0] <= 100 * MS], 100 * MS)


@pytest.mark.parametrize("high_us", [0, 1_000, 19_000, 20_000])
def test_pwm_changes(rig: Rig, a_line: int, high_us: int) -> None:
    if not pwm_runs(rig, a_line, 20 * MS, 10 * MS):
        return
    script = ((3_000, 20 * MS, 15 * MS), (1_000, 20 * MS, high_us * 1000))
    wave = rig.wave_during(a_line, lambda: play(rig, a_line, script))
    if rig.exact:
        assert wave[:2] == [(0, 1), (10 * MS, 0)]
        expected = [(0, 1), (10 * MS, 0)] + [
            (20 * MS * n + at, level)
            for n in range(1, 6)
            for at, level in ((0, 1), (high_us * 1000, 0))
            if high_us not in (0, 20_000)
        ]
        if high_us == 20_000:
            expected.append((20 * MS, 1))
        assert wave == [edge for edge in expected if edge[0] <= 104 * MS]
    if high_us in (0, 20_000):
        expect_steady(rig, a_line, high_us // 20_000)


@both_levels
def test_pwm_steady(rig: Rig, a_line: int, value: int) -> None:
    if pwm_runs(rig, a_line, 20 * MS, 20 * MS * value):
        expect_steady(rig, a_line, value)
        rig.backend.pwm(a_line, LONG, LONG // 2)
        expect_steady(rig, a_line, 1)


def test_pwm_write(rig: Rig, a_line: int) -> None:
    if not pwm_runs(rig, a_line, LONG, LONG // 2):
        return
    for value in (0, 1, 0):
        rig.backend.write(a_line, value)
        expect_steady(rig, a_line, value)
    rig.backend.end_pwm(a_line)
    rig.backend.pwm(a_line, 10 * MS, 5 * MS)
    rig.backend.write(a_line, 0)
    wave = rig.wave_during(a_line, lambda: rig.pass_us(100_000))
    assert [level for _, level in wave].count(1) >= (9 if rig.exact else 1)


@pytest.mark.parametrize("kind", ["input", "alternate"])
def test_pwm_needs_output(rig: Rig, a_line: int, kind: str) -> None:
    pulled(rig, a_line, PUD_UP)
    if kind == "alternate" and "functions" in rig.backend.features:
        rig.backend.set_function(a_line, constants.ALT0)
    before, writes = state(rig), rig.writes()
    if refused(rig, "pwm", lambda: rig.backend.pwm(a_line, MS, MS // 4)):
        return
    with pytest.raises(errors.WrongDirectionException):
        rig.backend.pwm(a_line, MS, MS // 4)
    assert state(rig) == before
    assert rig.writes() == writes


WRONG_WAVES = (
    (constants.PWM_PERIODS_NS[0] - 1, 0),
    (constants.PWM_PERIODS_NS[1] + 1, 0),
    (0, 0),
    (-MS, 0),
    ((1 << 64) + MS, MS),
    (MS, -1),
    (MS, MS + 1),
    (MS, 1 << 64),
)


def test_pwm_bounds(rig: Rig) -> None:
    line = rig.lines[0]
    rig.backend.set_output(line, 1)
    if refused(rig, "pwm", lambda: rig.backend.pwm(line, MS, MS // 4)):
        return
    for period_ns, high_ns in WRONG_WAVES:
        with pytest.raises(ValueError, match=r"\S"):
            rig.backend.pwm(line, period_ns, high_ns)
        with pytest.raises(ValueError, match=r"\S"):
            rig.backend.change_pwm(line, period_ns, high_ns)
    expect_output(rig, line, 1)
    for period_ns in constants.PWM_PERIODS_NS:
        rig.backend.pwm(line, period_ns, period_ns)
        rig.backend.pwm(line, period_ns, 0)


@pytest.mark.parametrize("high_ns", [0, 5 * MS, LONG // 2, LONG])
def test_pwm_end(rig: Rig, a_line: int, high_ns: int) -> None:
    period_ns = 10 * MS if high_ns == 5 * MS else LONG
    for pause_us in (0, 3_000, 8_000):
        if not pwm_runs(rig, a_line, period_ns, high_ns):
            return
        rig.pass_us(pause_us)
        rig.backend.end_pwm(a_line)
        expect_steady(rig, a_line, 0)
        expect_output(rig, a_line, 0)
    rig.backend.set_output(a_line, None)
    expect_output(rig, a_line, 0)
    rig.backend.write(a_line, 1)
    expect_steady(rig, a_line, 1)


@pytest.mark.parametrize("kind", ["input", "output", "ended", "in a wave"])
def test_pwm_change_without(rig: Rig, a_line: int, kind: str) -> None:
    if refused(rig, "pwm", lambda: rig.backend.change_pwm(a_line, MS, MS // 4)):
        return
    pulled(rig, a_line, PUD_UP)
    if kind != "input":
        rig.backend.set_output(a_line, 1)
    if kind == "ended":
        rig.backend.pwm(a_line, MS, MS // 4)
        rig.backend.end_pwm(a_line)
        rig.backend.write(a_line, 1)
    if kind == "in a wave":
        rig.backend.play([(0, a_line, 1)], LONG, 0)
    before, writes = state(rig), rig.writes()
    rig.backend.change_pwm(a_line, MS, MS // 4)
    rig.pass_us(3_000)
    assert state(rig) == before
    assert rig.writes() == writes


@pytest.mark.parametrize("kind", ["untouched", "input", "output", "ended"])
def test_pwm_end_without(rig: Rig, a_line: int, kind: str) -> None:
    if kind == "input":
        pulled(rig, a_line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(a_line, 1)
    elif kind == "ended" and pwm_runs(rig, a_line, MS, MS // 4):
        rig.backend.end_pwm(a_line)
        rig.backend.write(a_line, 1)
    before, writes = state(rig), rig.writes()
    rig.backend.end_pwm(a_line)
    assert state(rig) == before
    assert rig.writes() == writes


@pytest.mark.parametrize("how", ["set_input", "set_function", "release", "close"])
def test_pwm_ends_otherwise(rig: Rig, a_line: int, how: str) -> None:
    """A gpio-sim chip gives a line that nobody holds the outside's level, which is low here."""
    if not pwm_runs(rig, a_line, 10 * MS, 9 * MS):
        return
    backend = rig.backend
    if how == "set_input":
        backend.set_input(a_line, PUD_DOWN)
    elif how == "set_function" and "functions" in backend.features:
        backend.set_function(a_line, constants.ALT0)
    elif how == "close":
        backend.close()
    else:
        backend.release(a_line)
    before, writes = rig.level(a_line), rig.writes()
    assert before == 0 or how == "set_function"  # whose line may float
    expect_steady(rig, a_line, before)
    assert rig.writes() == writes
    if how == "close":
        return
    backend.set_output(a_line, None)
    expect_steady(rig, a_line, 0)


@pytest.mark.parametrize("value", [0, 1, None])
@pytest.mark.parametrize("high_ns", [0, LONG // 2])
def test_pwm_ends_with_output(rig: Rig, a_line: int, value: int | None, high_ns: int) -> None:
    if not pwm_runs(rig, a_line, LONG, high_ns):
        return
    shows = rig.shows_during(a_line, lambda: rig.backend.set_output(a_line, value))
    before = int(high_ns > 0)
    assert [level for level, _ in shows] == sorted(
        (level for level, _ in shows), reverse=before > (value or 0)
    )
    expect_steady(rig, a_line, value or 0)
    expect_output(rig, a_line, value or 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_pwm_after_fork(rig: Rig, a_line: int) -> None:
    """Where the child has hardware of its own, the line stands still there; a kernel's goes on, by the parent."""
    if not pwm_runs(rig, a_line, 10 * MS, 5 * MS):
        return

    def child() -> None:
        rig.backend.after_fork()
        assert "rpio-pwm" not in thread_names()
        if rig.exact:
            expect_steady(rig, a_line, rig.level(a_line))
        other = next(line for line in rig.lines if line != a_line)  # that one may be the parent's
        rig.backend.set_output(other, 0)
        rig.backend.pwm(other, LONG, LONG // 2)
        if rig.seen_by_children:
            expect_steady(rig, other, 1)
        else:
            assert rig.backend.read(other) == 1
        rig.backend.close()

    in_child(child)
    wave = rig.wave_during(a_line, lambda: rig.pass_us(100_000))
    assert [level for _, level in wave].count(1) >= (9 if rig.exact else 1)


# -- waves ------------------------------------------------------------------------------------------------


def lines_of_wave(rig: Rig, count: int) -> list[int]:
    """So many outputs, low; none where the backend refuses waves."""
    lines = some(rig, count)
    for line in lines:
        rig.backend.set_output(line, 0)
    probe = [(0, lines[0], 0)]
    if refused(rig, "pwm", lambda: rig.backend.play(probe, MS, 1)):
        assert refused(rig, "pwm", lambda: rig.backend.wave(1))
        assert refused(rig, "pwm", lambda: rig.backend.stop_wave(1))
        return []
    return lines


def turn(line: int, *moments_ms: int) -> list[tuple[int, int, int]]:
    """Edges of one line, up first, in turns."""
    return [(at * MS, line, (n + 1) % 2) for n, at in enumerate(moments_ms)]


def test_wave_plays(rig: Rig) -> None:
    lines = lines_of_wave(rig, 2)
    if not lines:
        return
    first, second = lines
    edges = sorted([*turn(first, 0, 20, 30, 60), *turn(second, 10, 20)])
    wave = rig.wave_during(first, lambda: (rig.backend.play(edges, 100 * MS, 1), rig.pass_us(AFTERWARDS_US)))
    expect_wave(rig, wave, [(0, 1), (20 * MS, 0), (30 * MS, 1), (60 * MS, 0)], 100 * MS)
    assert [rig.level(line) for line in lines] == [0, 0]


def test_wave_turns(rig: Rig) -> None:
    lines = lines_of_wave(rig, 1)
    if not lines:
        return
    assert rig.backend.wave(999) is None
    number = rig.backend.play(turn(lines[0], 0, 10), 30 * MS, 3)
    assert rig.backend.wave(number) == (True, 0)
    wave = rig.wave_during(lines[0], lambda: rig.pass_us(200_000))
    assert [level for _, level in wave].count(1) == 3 or not rig.exact
    assert rig.backend.wave(number) == (False, 3)
    assert rig.level(lines[0]) == 0


def test_wave_for_ever(rig: Rig) -> None:
    lines = lines_of_wave(rig, 1)
    if lines:
        number = rig.backend.play(turn(lines[0], 0, 10), 20 * MS, 0)
        wave = rig.wave_during(lines[0], lambda: rig.pass_us(200_000))
        assert [level for _, level in wave].count(1) >= (10 if rig.exact else 2)
        playing = rig.backend.wave(number)
        assert playing is not None
        assert playing[0] is True
        assert playing[1] >= (9 if rig.exact else 2)


def test_wave_replaces(rig: Rig) -> None:
    lines = lines_of_wave(rig, 1)
    if not lines:
        return
    (line,) = lines
    number = rig.backend.play(turn(line, 0, 10), 50 * MS, 0)

    def replace() -> None:
        rig.pass_us(5_000)
        assert rig.backend.play(turn(line, 0, 40), 50 * MS, 0, number) == number
        rig.pass_us(94_000)

    wave = rig.wave_during(line, replace)
    expect_wave(rig, wave, [(0, 1), (10 * MS, 0), (50 * MS, 1), (90 * MS, 0)], 99 * MS)


def test_wave_stops(rig: Rig) -> None:
    lines = lines_of_wave(rig, 2)
    if not lines:
        return
    number = rig.backend.play([(0, lines[0], 1), (0, lines[1], 0), (LONG // 2, lines[0], 0)], LONG, 0)
    rig.backend.stop_wave(number)
    assert rig.backend.wave(number) is None
    rig.backend.stop_wave(number)
    expect_steady(rig, lines[0], 1)
    again = rig.backend.play([(0, lines[0], 0)], LONG, 1)
    assert again != number
    expect_steady(rig, lines[0], 0)


def test_wave_ends_pwm(rig: Rig) -> None:
    lines = lines_of_wave(rig, 1)
    if lines:
        rig.backend.pwm(lines[0], 2 * MS, MS)
        rig.backend.play([(0, lines[0], 1)], LONG, 0)
        expect_steady(rig, lines[0], 1)


@pytest.mark.parametrize("how", ["end_pwm", "set_input", "set_output", "release", "pwm"])
def test_wave_loses_lines(rig: Rig, how: str) -> None:
    lines = lines_of_wave(rig, 2)
    if not lines:
        return
    first, second = lines
    edges = [(0, first, 1), (0, second, 1), (10 * MS, first, 0), (10 * MS, second, 0)]
    number = rig.backend.play(edges, 20 * MS, 0)
    arguments = {"set_input": (PUD_DOWN,), "set_output": (0,), "pwm": (LONG, 0)}.get(how, ())
    getattr(rig.backend, how)(first, *arguments)
    assert rig.backend.wave(number) is not None
    wave = rig.wave_during(second, lambda: rig.pass_us(100_000))
    assert [level for _, level in wave].count(1) >= (5 if rig.exact else 1)
    if how != "release":  # whose line may float
        expect_steady(rig, first, 0)
    rig.backend.end_pwm(second)
    assert rig.backend.wave(number) is None


def test_wave_needs_outputs(rig: Rig) -> None:
    lines = lines_of_wave(rig, 2)
    if not lines:
        return
    rig.backend.set_input(lines[1], None)
    with pytest.raises(errors.WrongDirectionException):
        rig.backend.play([(0, lines[0], 1), (0, lines[1], 1)], MS, 1)
    with pytest.raises(errors.InvalidChannelException):
        rig.backend.play([(0, rig.backend.line_count, 1)], MS, 1)
    assert rig.level(lines[0]) == 0


def test_wave_bounds(rig: Rig) -> None:
    lines = lines_of_wave(rig, 1)
    if not lines:
        return
    (line,) = lines
    number = rig.backend.play([(0, line, 0)], MS, 1)
    rig.backend.stop_wave(number)
    for edges, period_ns, instead_of in (
        ([], MS, None),
        ([(1, line, 1), (0, line, 0)], MS, None),
        ([(MS, line, 1)], MS, None),
        ([(-1, line, 1)], MS, None),
        ([(0, line, 1)], 1, None),
        ([(0, line, 1)], MS, number),
        ([(0, line, 1)] * (constants.WAVE_EDGES_MAX + 1), MS, None),
    ):
        with pytest.raises(ValueError, match=r"ns|edges|wave"):
            rig.backend.play(edges, period_ns, 1, instead_of)
    assert rig.level(line) == 0


# -- when the chip goes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nothing", "input", "output", "watched", "asked-before"])
def test_gone_is_noticed(rig: Rig, kind: str) -> None:
    line = rig.lines[0]
    if kind == "input":
        pulled(rig, line, PUD_UP)
    elif kind == "output":
        rig.backend.set_output(line, 1)
    elif kind == "watched":
        watched(rig, line, BOTH)
    elif kind == "asked-before":
        assert rig.backend.is_gone() is False
    fd = rig.backend.gone_fd()
    assert rig.backend.gone_fd() == fd
    assert fd is None or is_silent(rig, fd)
    if not rig.remove():
        assert fd is None
        assert rig.backend.is_gone() is False
        return
    if rig.has_work:  # somebody looks at the descriptor all the time
        assert wait_until(rig.backend.is_gone)
        assert wait_until(lambda: is_silent(rig, fd))
        rig.backend.release(line)
        return
    if not rig.tells_removal:
        assert fd is None
        assert rig.backend.is_gone() is True
        rig.backend.release(line)
        return
    assert fd is not None
    assert is_readable(fd, 2.0)
    assert rig.backend.is_gone() is True
    assert not is_readable(fd, 0.0)
    assert rig.backend.is_gone() is True
    rig.backend.release(line)


GONE_CALLS: dict[str, Callable[[Backend, int], object]] = {
    "set_input": lambda backend, line: backend.set_input(line, PUD_OFF),
    "set_input as it is": lambda backend, line: backend.set_input(line, None),
    "set_output": lambda backend, line: backend.set_output(line, 1),
    "set_output as it is": lambda backend, line: backend.set_output(line, None),
    "read": lambda backend, line: backend.read(line),
}


def expect_gone(rig: Rig, line: int, call: Callable[[], object]) -> None:
    with pytest.raises(errors.LineGoneError, match=rig.gone_says.format(line=line)) as caught:
        call()
    assert caught.value.errno == rig.gone_errno
    assert caught.value.hint


def test_gone_is_told(rig: Rig) -> None:
    """One removal for all calls: Linux 6.1 loses the numbers of a chip that goes while lines of it are held, and has
    512. Registers stay where they are when the chip goes that only reports edges.
    """
    untouched, up, high, waving = some(rig, 4)
    backend, wave = rig.backend, None
    backend.set_input(up, PUD_OFF)
    backend.set_output(high, 1)
    backend.set_output(waving, 0)
    if "pwm" in backend.features:
        wave = backend.play([(0, waving, 1), (MS // 2, waving, 0)], MS, 0)
    if not rig.remove():
        return
    if "edges" in backend.features:
        expect_gone(rig, up, lambda: backend.watch(up, BOTH))
        assert wait_until(backend.is_gone)
        told = backend.gone_error(up)
        assert isinstance(told, errors.LineGoneError) and re.search(rig.gone_says.format(line=up), str(told))
        assert f"GPIO {up}: " in str(told) and (told.errno, bool(told.hint)) == (rig.gone_errno, True)
    if not backend.holds_lines:
        return
    for call in GONE_CALLS.values():
        for line in (untouched, up, high):
            expect_gone(rig, line, lambda call=call, line=line: call(backend, line))
    expect_gone(rig, high, lambda: backend.write(high, 0))
    if wave is not None:
        expect_gone(rig, waving, lambda: wait_for_wave(rig, wave))
        backend.stop_wave(wave)
    for line in (untouched, up, high, waving) * 2:
        backend.release(line)
    assert backend.is_gone()


def wait_for_wave(rig: Rig, wave: int) -> None:
    """Look at the wave until that is an error."""
    deadline_ns = rig.now_ns() + 10_000 * MS
    while rig.now_ns() < deadline_ns:
        rig.backend.wave(wave)


@pytest.mark.parametrize("asked", ["fd", "no-fd"])
def test_gone_is_false(rig: Rig, asked: str) -> None:
    """A false alarm is a chip that comes or goes and is not this one."""
    fd = rig.backend.gone_fd() if asked == "fd" else None
    assert rig.backend.is_gone() is False
    before = state(rig)
    with rig.another_chip():
        assert rig.backend.is_gone() is False
        assert fd is None or is_silent(rig, fd)
    assert rig.backend.is_gone() is False
    assert fd is None or is_silent(rig, fd)
    other = rig.reopen()
    other.set_output(rig.lines[0], 1)
    other.close()
    assert rig.backend.is_gone() is False
    assert [row for row in state(rig) if row[0] != rig.lines[0]] == before[: rig.lines[0]] + before[
        rig.lines[0] + 1 :
    ]


# -- many calls together ----------------------------------------------------------------------------------


def test_batch_is_done(rig: Rig) -> None:
    lines = some(rig, 3)
    with rig.backend.batch():
        for line in lines:
            rig.backend.set_output(line, 0)
        for _ in range(400):
            for line in lines:
                rig.backend.write(line, 1)
                rig.backend.write(line, 0)
        rig.backend.write(lines[0], 1)
        assert rig.backend.read(lines[0]) == rig.level(lines[0]) == 1
        rig.backend.write(lines[1], 1)
    assert [rig.level(line) for line in lines] == [1, 1, 0]


def test_batch_tells(rig: Rig, a_line: int) -> None:
    other = next(line for line in rig.lines if line != a_line)
    rig.backend.set_input(other, PUD_OFF)
    with pytest.raises((errors.WrongDirectionException, errors.NotSupportedError)), rig.backend.batch():
        rig.backend.set_output(a_line, 1)
        rig.backend.pwm(other, MS, MS // 4)  # which is no output
        rig.backend.write(a_line, 0)
    with rig.backend.batch():
        rig.backend.write(a_line, 1)
    assert rig.level(a_line) == 1
    holder = rig.busy(other, "somebody")
    if holder is None or not rig.backend.holds_lines:
        return
    rig.backend.release(other)
    with holder, pytest.raises(errors.LineBusyError), rig.backend.batch():
        rig.backend.set_output(other, 1)
    expect_output(rig, a_line, 1)


# -- the end, and forks ---------------------------------------------------------------------------------


def set_up_four(rig: Rig, backend: Backend) -> tuple[int, ...]:
    """Two outputs, an input, and one that is watched where it can be; outputs keep their levels when given up."""
    high, low, up, edges = some(rig, 4)
    for line, value in ((high, 1), (low, 0)):
        backend.set_output(line, value)
        if rig.falls_back:
            rig.drive(line, value)
    pulled(rig, up, PUD_UP, backend)
    backend.set_input(edges, PUD_OFF)
    rig.drive(edges, 1)
    if "edges" in backend.features:
        backend.watch(edges, BOTH)
    return high, low, up, edges


def test_close_closes(rig: Rig) -> None:
    for line in some(rig, 4):
        rig.drive(line, 0)
        rig.drive(line, None)
    before = descriptors()
    other = rig.reopen()
    if rig.shared:
        set_up_four(rig, other)
    else:
        pulled(rig, rig.lines[0], PUD_UP, other)
        other.set_output(rig.lines[1], 1)
        other.watch(rig.lines[0], BOTH)
    other.gone_fd()
    other.close()
    if not (rig.has_work and rig.lines_are_files):  # else the server has them as they are, in this process
        assert descriptors() == before


def test_close_keeps_levels(rig: Rig) -> None:
    """A gpio-sim chip gives an output that nobody holds the outside's level: there the outside has the same."""
    high, low, up, edges = set_up_four(rig, rig.backend)
    before = outside_state(rig)
    functions = {line: rig.backend.function(line) for line in rig.lines}
    writes = rig.writes()
    rig.backend.close()
    assert outside_state(rig) == before
    assert [rig.level(line) for line in (high, low, up, edges)] == [1, 0, 1, 1]
    assert rig.writes() == writes
    if rig.shared:
        other = rig.reopen()
        found = {line: other.function(line) for line in rig.lines}
        assert {line: found[line] for line in (high, low)} == {high: OUT, low: OUT}
        assert found == functions or not rig.tells_function
        other.close()


def test_close_twice(rig: Rig) -> None:
    set_up_four(rig, rig.backend)
    rig.backend.close()
    before, opened = outside_state(rig), descriptors()
    rig.backend.close()
    assert outside_state(rig) == before
    assert descriptors() == opened


@pytest.mark.parametrize("then", ["exit", "close"])
def test_fork_keeps_levels(rig: Rig, then: str) -> None:
    high, low, up, edges = set_up_four(rig, rig.backend)
    before, writes = state(rig), rig.writes()

    def child() -> None:
        outside = outside_state(rig)
        rig.backend.after_fork()
        assert outside_state(rig) == outside
        assert rig.writes() == writes
        if then == "close":
            rig.backend.close()
            assert outside_state(rig) == outside

    in_child(child)
    assert state(rig) == before
    assert [rig.level(line) for line in (high, low, up, edges)] == [1, 0, 1, 1]
    rig.backend.write(high, 0)
    assert rig.level(high) == 0


def test_fork_works_on(rig: Rig) -> None:
    """Of a backend that holds lines, the child uses others than the parent does."""
    mine, theirs = rig.lines[:4], rig.lines[4:] if rig.seen_by_children else ()
    for line in mine:
        rig.backend.set_output(line, 1)

    def child() -> None:
        backend = rig.backend
        backend.after_fork()
        assert backend.line_count == len(state(rig))
        assert backend.describe()
        if not backend.holds_lines:
            assert [backend.read(line) for line in mine] == [1] * len(mine)
            backend.write(mine[0], 0)
            expect_output(rig, mine[0], 0)
        for line in theirs:
            backend.set_output(line, 1)
            expect_output(rig, line, 1)
            backend.write(line, 0)
            expect_output(rig, line, 0)
            pulled(rig, line, PUD_UP)
            expect_pull(rig, line, PUD_UP)
            expect_input(rig, line)
            fd = watched(rig, line, BOTH)
            if fd is not None:
                toggle(rig, line, 1, 0)
                assert numbers(events(rig, fd, 2)) == [1, 2]
                backend.unwatch(line)
        backend.close()

    in_child(child)
    for line in mine:
        rig.backend.write(line, 1)
        expect_output(rig, line, 1)
    for line in theirs:
        pulled(rig, line, PUD_DOWN)
        expect_input(rig, line)


# -- the longest time that a line is on ----------------------------------------------------------------


def limited(rig: Rig, line: int, after_ns: int, level: int = 0) -> bool:
    """Make the line an output that is on, with a limit; whether the backend can."""
    if rig.falls_back:
        rig.drive(line, 0)
    rig.backend.set_output(line, 1 - level)
    if refused(rig, "pwm", lambda: rig.backend.limit(line, after_ns, level)):
        return False
    rig.backend.limit(line, after_ns, level)
    return True


@pytest.mark.parametrize("level", [0, 1])
def test_limit_ends(rig: Rig, a_line: int, level: int) -> None:
    if not limited(rig, a_line, 50 * MS, level):
        return
    rig.pass_us(1_000)
    rig.backend.write(a_line, level)
    rig.backend.write(a_line, 1 - level)
    assert 0 < (rig.backend.limit_left(a_line) or 0) <= 50 * MS
    expect_output(rig, a_line, 1 - level)
    rig.pass_us(100_000)
    expect_output(rig, a_line, level)
    assert rig.backend.limit_left(a_line) == 0
    rig.backend.write(a_line, 1 - level)  # it is over once
    rig.pass_us(100_000)
    expect_output(rig, a_line, 1 - level)


def test_limit_ends_pulses(rig: Rig, a_line: int) -> None:
    if not limited(rig, a_line, 50 * MS):
        return
    rig.backend.pwm(a_line, 10 * MS, 9 * MS)
    rig.pass_us(100_000)
    expect_steady(rig, a_line, 0)
    if not limited(rig, a_line, 50 * MS):
        return
    wave = rig.backend.play([(0, a_line, 1), (9 * MS, a_line, 0)], 10 * MS, 0)
    rig.pass_us(100_000)
    expect_steady(rig, a_line, 0)
    rig.backend.stop_wave(wave)


def test_limit_again(rig: Rig, a_line: int) -> None:
    if not limited(rig, a_line, 50 * MS):
        return
    rig.backend.limit(a_line, LONG, 0)
    rig.pass_us(100_000)
    expect_output(rig, a_line, 1)
    assert (rig.backend.limit_left(a_line) or 0) > LONG // 2
    rig.backend.limit(a_line, 1 * MS, 0)
    rig.pass_us(50_000)
    expect_output(rig, a_line, 0)


def test_limit_stays(rig: Rig, a_line: int) -> None:
    backend = rig.backend
    if not limited(rig, a_line, LONG):
        return
    backend.write(a_line, 0)
    backend.set_output(a_line, 1)
    backend.set_output(a_line, None)
    backend.pwm(a_line, 10 * MS, 5 * MS)
    backend.end_pwm(a_line)
    assert backend.limit_left(a_line)
    for end in (lambda: backend.set_input(a_line, None), lambda: backend.release(a_line)):
        backend.set_output(a_line, 1)
        backend.limit(a_line, LONG, 0)
        end()
        assert backend.limit_left(a_line) is None
    if "functions" in backend.features:
        backend.set_output(a_line, 1)
        backend.limit(a_line, LONG, 0)
        backend.set_function(a_line, constants.ALT0)
        assert backend.limit_left(a_line) is None
        backend.set_input(a_line, None)


def test_limit_taken_back(rig: Rig, a_line: int) -> None:
    backend = rig.backend
    backend.unlimit(a_line)  # there is none
    if not limited(rig, a_line, 50 * MS):
        return
    backend.unlimit(a_line)
    assert backend.limit_left(a_line) is None
    rig.pass_us(100_000)
    expect_output(rig, a_line, 1)
    backend.limit(a_line, 10 * MS, 0)
    rig.pass_us(50_000)
    expect_output(rig, a_line, 0)
    backend.unlimit(a_line)  # it is over
    backend.unlimit(a_line)
    assert backend.limit_left(a_line) is None
    expect_output(rig, a_line, 0)


def test_limit_ends_and_is_what_was_written_last(rig: Rig, a_line: int) -> None:
    if not limited(rig, a_line, 10 * MS):
        return
    rig.pass_us(50_000)
    rig.backend.set_input(a_line, None)
    rig.backend.set_output(a_line, None)
    expect_output(rig, a_line, 0)


def test_limit_bounds(rig: Rig, a_line: int) -> None:
    rig.backend.set_output(a_line, 1)
    if refused(rig, "pwm", lambda: rig.backend.limit(a_line, MS, 0)):
        return
    shortest, longest = constants.PWM_PERIODS_NS
    for after_ns in (shortest - 1, longest + 1, -1):
        with pytest.raises(ValueError, match=r"\S"):
            rig.backend.limit(a_line, after_ns, 0)
    rig.backend.set_input(a_line, None)
    with pytest.raises(errors.WrongDirectionException):
        rig.backend.limit(a_line, MS, 0)
    assert rig.backend.limit_left(a_line) is None
