# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the rig gives, and how its kernel behaves where a GPIO library depends on it.

Nothing of the project is used here: the structs of linux/gpio.h are written by hand, so that a failure means
the rig or the kernel, and the library's tests may rest on what holds here. In real time only: with --time-travel
an edge waits for the next tick, and those of one tick become one.
"""

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.gpiosim import CONFIGFS, Chip, SimulatedChip, find

# linux/gpio.h, second version of the interface
GET_LINEINFO = 0xC100B405
WATCH_LINEINFO = 0xC100B406
GET_LINE = 0xC250B407
SET_CONFIG = 0xC110B40D
GET_VALUES = 0xC010B40E
SET_VALUES = 0xC010B40F

USED = 1 << 0
ACTIVE_LOW = 1 << 1
INPUT = 1 << 2
OUTPUT = 1 << 3
RISING = 1 << 4
FALLING = 1 << 5
BOTH = RISING | FALLING
OPEN_DRAIN = 1 << 6
PULL_UP = 1 << 8
PULL_DOWN = 1 << 9
REALTIME = 1 << 11

ATTRIBUTE_FLAGS, ATTRIBUTE_VALUES, ATTRIBUTE_DEBOUNCE = 1, 2, 3
EVERY_LINE = (1 << 64) - 1
ROSE, FELL = 1, 2
REQUESTED, RELEASED, RECONFIGURED = 1, 2, 3

ATTRIBUTE = struct.Struct("=II8sQ")  # id, padding, value, mask of lines
REQUEST = struct.Struct(
    "=256s32s272sII20si"
)  # offsets, consumer, config, lines, buffer size, padding, descriptor
INFO = struct.Struct("=32s32sIIQ160s16s")  # name, consumer, offset, attributes, flags, attributes, padding
EVENT = struct.Struct("=QIIII24s")  # stamp, edge, line, count in the request, count of the line, padding
CHANGE = struct.Struct("=256sQI20s")  # info, stamp, what, padding


def config(
    flags: int,
    values: dict[int, int] | None = None,
    debounce_us: int = 0,
    flags_of: dict[int, int] | None = None,
) -> bytes:
    """Return a struct gpio_v2_line_config; values and flags_of by index in the request."""
    attributes = [
        ATTRIBUTE.pack(ATTRIBUTE_FLAGS, 0, struct.pack("=Q", own), 1 << index)
        for index, own in (flags_of or {}).items()
    ]
    if values:
        bits = sum(bool(value) << index for index, value in values.items())
        mask = sum(1 << index for index in values)
        attributes.append(ATTRIBUTE.pack(ATTRIBUTE_VALUES, 0, struct.pack("=Q", bits), mask))
    if debounce_us:
        attributes.append(ATTRIBUTE.pack(ATTRIBUTE_DEBOUNCE, 0, struct.pack("=I4x", debounce_us), EVERY_LINE))
    return struct.pack("=QI20x240s", flags, len(attributes), b"".join(attributes))


class Lines:
    """Requested lines: the descriptor that GPIO_V2_GET_LINE_IOCTL gives."""

    def __init__(
        self, path: str, offsets: list[int], setting: bytes, consumer: bytes = b"test", events: int = 0
    ) -> None:
        wanted = struct.pack(f"={len(offsets)}I", *offsets)
        request = bytearray(REQUEST.pack(wanted, consumer, setting, len(offsets), events, b"", 0))
        with opened(path) as chip:
            fcntl.ioctl(chip, GET_LINE, request)
        self.descriptor = REQUEST.unpack(request)[6]
        os.set_blocking(self.descriptor, False)

    def get(self, index: int = 0) -> int:
        answer = fcntl.ioctl(self.descriptor, GET_VALUES, struct.pack("=QQ", 0, 1 << index))
        return struct.unpack("=QQ", answer)[0] >> index & 1

    def set(self, value: int, index: int = 0) -> None:
        fcntl.ioctl(self.descriptor, SET_VALUES, struct.pack("=QQ", value << index, 1 << index))

    def configure(self, setting: bytes) -> None:
        fcntl.ioctl(self.descriptor, SET_CONFIG, setting)

    def events(self, count: int = 1) -> list[tuple[int, int, int, int, int]]:
        """Return events until a quiet second: stamp, edge, line, count of the request, count of the line."""
        found: list[tuple[int, int, int, int, int]] = []
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        while len(found) < count and poll.poll(1000):
            data = os.read(self.descriptor, EVENT.size * (count - len(found)))
            found += [event[:5] for event in EVENT.iter_unpack(data)]
        return found

    def nothing_waits(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return not os.read(self.descriptor, EVENT.size)
        return True


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def requested(
    chip: SimulatedChip,
    lines: int | list[int],
    flags: int,
    *,
    consumer: bytes = b"test",
    events: int = 0,
    **more,
) -> Iterator[Lines]:
    offsets = [lines] if isinstance(lines, int) else lines
    request = Lines(chip.path, offsets, config(flags, **more), consumer, events)
    try:
        yield request
    finally:
        os.close(request.descriptor)


def info(chip: SimulatedChip, line: int) -> tuple[str, str, int]:
    """Return name, consumer and flags."""
    with opened(chip.path) as descriptor:
        answer = fcntl.ioctl(descriptor, GET_LINEINFO, INFO.pack(b"", b"", line, 0, 0, b"", b""))
    name, consumer, _, _, flags, _, _ = INFO.unpack(answer)
    return name.rstrip(b"\0").decode(), consumer.rstrip(b"\0").decode(), flags


@pytest.fixture
def expander() -> Iterator[SimulatedChip]:
    """A PCA9536 on the simulated bus: a chip that sleeps and has no interrupts. Nothing is wired to it."""
    bus = Path("/sys/bus/i2c/devices/i2c-0")
    (bus / "new_device").write_text("pca9536 0x20")
    try:
        yield SimulatedChip(f"/dev/{next((bus / '0-0020').glob('gpiochip*')).name}")
    finally:
        (bus / "delete_device").write_text("0x20")


@contextlib.contextmanager
def refused(number: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[number]


# --- The guest ----------------------------------------------------------------------------------------------


def test_the_command_is_root_on_a_kernel_of_the_rig() -> None:
    assert os.geteuid() == 0
    assert os.uname().release.endswith("-rpio-rig")


def test_the_loopback_is_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"


def test_a_device_answers_on_the_simulated_i2c_bus() -> None:
    i2c_slave, address = 0x0703, 0x48  # linux/i2c-dev.h
    descriptor = os.open("/dev/i2c-0", os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, i2c_slave, address)
    finally:
        os.close(descriptor)


# --- gpiosim.py ---------------------------------------------------------------------------------------------


def test_a_chip_has_the_label_the_lines_and_the_names_asked_for() -> None:
    with Chip(num_lines=5, label="bench", line_names={2: "button"}) as chip:
        assert (chip.label, chip.num_lines) == ("bench", 5)
        assert info(chip, 2)[0] == "button"
        assert find("bench").path == chip.path


def test_chips_without_a_label_differ() -> None:
    with Chip() as one, Chip() as other:
        assert one.label != other.label
        assert one.path != other.path


def test_a_label_that_two_chips_share_is_not_found() -> None:
    with Chip(label="twin"), Chip(label="twin"), pytest.raises(LookupError):
        find("twin")


def test_a_removed_chip_leaves_nothing() -> None:
    chip = Chip()
    chip.drive(0, 1)
    chip.remove()
    chip.remove()
    assert not Path(chip.path).exists()
    assert not list(CONFIGFS.iterdir())


def test_a_chip_that_cannot_be_made_leaves_nothing() -> None:
    with refused(errno.ENXIO):
        Chip(num_lines=5000)
    assert not list(CONFIGFS.iterdir())


def test_a_driven_input_reads_the_level(chip: Chip) -> None:
    with requested(chip, 3, INPUT) as line:
        for value in (1, 0, 1):
            chip.drive(3, value)
            assert (line.get(), chip.level(3)) == (value, value)
    assert chip.pull(3) == "pull-up"


def test_an_output_shows_outside(chip: Chip) -> None:
    with requested(chip, 4, OUTPUT, values={0: 1}) as line:
        assert chip.level(4) == 1
        line.set(0)
        assert chip.level(4) == 0


def test_driving_an_output_changes_nothing_until_it_is_released(chip: Chip) -> None:
    with requested(chip, 4, OUTPUT) as line:
        chip.drive(4, 1)
        assert (line.get(), chip.level(4)) == (0, 0)
    assert chip.level(4) == 1


def test_a_hog_is_seen_with_its_name_and_cannot_be_requested() -> None:
    with Chip(hogs={1: ("fan", "output-high")}) as chip:
        name, consumer, flags = info(chip, 1)
        assert (name, consumer) == ("", "fan")
        assert flags == USED | OUTPUT
        assert chip.level(1) == 1
        with refused(errno.EBUSY), requested(chip, 1, INPUT):
            pass


# --- The kernel: requests -----------------------------------------------------------------------------------


def test_a_line_is_one_holders(chip: Chip) -> None:
    with requested(chip, 2, INPUT), refused(errno.EBUSY), requested(chip, 2, INPUT):
        pass


def test_a_refused_request_keeps_none_of_its_lines(chip: Chip) -> None:
    with requested(chip, 2, INPUT):
        with refused(errno.EBUSY), requested(chip, [0, 1, 2], OUTPUT):
            pass
        assert not info(chip, 0)[2] & USED


def test_a_refused_request_has_set_the_lines_before_the_busy_one(chip: Chip) -> None:
    chip.drive(0, 1)
    with requested(chip, 2, INPUT), refused(errno.EBUSY), requested(chip, [0, 2], OUTPUT):
        pass
    assert info(chip, 0)[2] & OUTPUT


def test_a_line_twice_in_a_request_is_busy(chip: Chip) -> None:
    with refused(errno.EBUSY), requested(chip, [3, 3], INPUT):
        pass


def test_a_consumer_name_is_cut_at_31_bytes(chip: Chip) -> None:
    with requested(chip, 2, INPUT, consumer=b"x" * 32):
        assert info(chip, 2)[1] == "x" * 31


def test_without_a_consumer_name_the_kernel_says_a_question_mark(chip: Chip) -> None:
    with requested(chip, 2, INPUT, consumer=b""):
        assert info(chip, 2)[1:] == ("?", USED | INPUT)


@pytest.mark.parametrize(
    ("flags", "more"),
    [
        pytest.param(INPUT | OUTPUT, {}, id="both-directions"),
        pytest.param(RISING, {}, id="edges-without-direction"),
        pytest.param(OUTPUT | RISING, {}, id="edges-of-an-output"),
        pytest.param(OUTPUT, {"debounce_us": 1000}, id="debounce-of-an-output"),
        pytest.param(INPUT | OPEN_DRAIN, {}, id="drive-of-an-input"),
        pytest.param(PULL_UP, {}, id="bias-without-direction"),
        pytest.param(INPUT | PULL_UP | PULL_DOWN, {}, id="two-biases"),
        pytest.param(INPUT | 1 << 40, {}, id="unknown-flag"),
    ],
)
def test_what_contradicts_itself_is_EINVAL(chip: Chip, flags: int, more: dict) -> None:
    with refused(errno.EINVAL), requested(chip, 2, flags, **more):
        pass


def test_a_line_that_the_chip_does_not_have_is_EINVAL(chip: Chip) -> None:
    with refused(errno.EINVAL), requested(chip, 16, INPUT):
        pass


def test_setting_an_input_is_EPERM(chip: Chip) -> None:
    with requested(chip, 2, INPUT) as line, refused(errno.EPERM):
        line.set(1)


def test_setting_an_output_and_an_input_sets_neither(chip: Chip) -> None:
    with requested(chip, [2, 3], OUTPUT) as lines:
        lines.configure(config(OUTPUT, flags_of={1: INPUT}))
        with refused(errno.EPERM):
            fcntl.ioctl(lines.descriptor, SET_VALUES, struct.pack("=QQ", 0b11, 0b11))
        assert chip.level(2) == 0


def test_setting_or_getting_no_line_is_EINVAL(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT) as line:
        for command in (SET_VALUES, GET_VALUES):
            with refused(errno.EINVAL):
                fcntl.ioctl(line.descriptor, command, struct.pack("=QQ", 1, 0))


def test_a_request_without_direction_leaves_an_output_as_it_is(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}):
        pass
    with requested(chip, 2, 0):
        assert info(chip, 2)[2] == USED | OUTPUT


def test_a_request_survives_its_chip_descriptor_and_ends_with_its_own(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}) as line:  # Lines closes the chip
        assert line.get() == 1
        assert info(chip, 2)[2] & USED
    assert not info(chip, 2)[2] & USED


def test_a_released_output_floats_to_its_pull_but_is_still_called_an_output(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}):
        pass
    assert chip.level(2) == 0
    assert info(chip, 2)[2] == OUTPUT


def test_a_bias_is_seen_in_the_simulated_pull(chip: Chip) -> None:
    with requested(chip, 2, INPUT | PULL_UP) as line:
        assert (line.get(), chip.pull(2)) == (1, "pull-up")


def test_active_low_turns_values_and_edges_around(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH | ACTIVE_LOW) as line:
        assert line.get() == 1
        chip.drive(2, 1)
        assert line.get() == 0
        assert [event[1] for event in line.events()] == [FELL]


def test_watching_a_line_tells_of_requests_reconfigurations_and_releases(chip: Chip) -> None:
    with opened(chip.path) as watcher:
        fcntl.ioctl(watcher, WATCH_LINEINFO, INFO.pack(b"", b"", 2, 0, 0, b"", b""))
        with requested(chip, 2, INPUT) as line:
            line.configure(config(OUTPUT))
        data = os.read(watcher, CHANGE.size * 3)
    changes = [change[2] for change in CHANGE.iter_unpack(data)]
    assert changes == [REQUESTED, RECONFIGURED, RELEASED]


# --- The kernel: edges --------------------------------------------------------------------------------------


def test_edges_arrive_with_line_number_and_count(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        chip.drive(2, 0)
        events = line.events(2)
    assert [event[1:] for event in events] == [(ROSE, 2, 1, 1), (FELL, 2, 2, 2)]
    assert events[0][0] < events[1][0]


def test_an_edge_is_readable_when_the_drive_returns(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        assert len(os.read(line.descriptor, EVENT.size)) == EVENT.size


def test_driving_to_the_same_level_is_no_edge(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 0)
        assert line.nothing_waits()


@pytest.mark.parametrize(("edge", "expected"), [(RISING, [ROSE, ROSE]), (FALLING, [FELL, FELL])])
def test_one_direction_alone(chip: Chip, edge: int, expected: list[int]) -> None:
    with requested(chip, 2, INPUT | edge) as line:
        for value in (1, 0, 1, 0):
            chip.drive(2, value)
        assert [event[1] for event in line.events(2)] == expected
        assert line.nothing_waits()


def test_lines_of_a_request_share_one_order_and_count_for_themselves(chip: Chip) -> None:
    with requested(chip, [5, 2], INPUT | RISING) as lines:
        for line in (2, 5, 2):
            chip.drive(line, 1)
            chip.drive(line, 0)
        assert [event[2:] for event in lines.events(3)] == [(2, 1, 1), (5, 2, 1), (2, 3, 2)]


@pytest.mark.parametrize(
    ("clock", "flag"),
    [(time.CLOCK_MONOTONIC, 0), (time.CLOCK_REALTIME, REALTIME)],
    ids=["monotonic", "realtime"],
)
def test_stamps_are_of_the_clock_asked_for(chip: Chip, clock: int, flag: int) -> None:
    with requested(chip, 2, INPUT | RISING | flag) as line:
        before = time.clock_gettime_ns(clock)
        chip.drive(2, 1)
        assert before <= line.events()[0][0] <= time.clock_gettime_ns(clock)


def test_a_debounced_line_tells_of_the_last_level_once(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH, debounce_us=5000) as line:
        for value in (1, 0, 1, 0, 1):
            chip.drive(2, value)
        assert line.get() == 0  # the debounced level, not the pin's
        assert [event[1:] for event in line.events()] == [(ROSE, 2, 1, 1)]
        assert line.get() == 1
        assert line.nothing_waits()


def test_reading_nothing_is_EAGAIN_with_and_without_edges(chip: Chip) -> None:
    for flags in (INPUT | BOTH, INPUT, OUTPUT):
        with requested(chip, 2, flags) as line, refused(errno.EAGAIN):
            os.read(line.descriptor, EVENT.size)


def test_reading_less_than_an_event_is_EINVAL(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        with refused(errno.EINVAL):
            os.read(line.descriptor, EVENT.size - 1)


@pytest.mark.parametrize(("asked", "kept"), [(0, 16), (20, 32), (100, 128), (100_000, 1024)])
def test_the_buffer_holds_a_power_of_two_up_to_1024_and_drops_the_oldest(
    chip: Chip, asked: int, kept: int
) -> None:
    with requested(chip, 2, INPUT | BOTH, events=asked) as line:
        for number in range(1, 1501):
            chip.drive(2, number & 1)
        numbers = [event[4] for event in line.events(kept)]
        assert numbers == list(range(1501 - kept, 1501))  # a gap before the first tells how many are lost
        assert line.nothing_waits()


def test_the_default_buffer_is_16_for_each_line_whichever_they_come_from(chip: Chip) -> None:
    with requested(chip, [2, 3], INPUT | BOTH) as lines:
        for number in range(1, 101):
            chip.drive(2, number & 1)
        assert [event[4] for event in lines.events(32)] == list(range(69, 101))


def test_edges_and_debounce_of_a_chip_without_interrupts_are_ENXIO(expander: SimulatedChip) -> None:
    with refused(errno.ENXIO), requested(expander, 2, INPUT | BOTH):
        pass
    with refused(errno.ENXIO), requested(expander, 2, INPUT, debounce_us=1000):
        pass
    assert not info(expander, 2)[2] & USED


def test_a_chip_without_interrupts_still_reads_and_sets(expander: SimulatedChip) -> None:
    with requested(expander, [1, 2], OUTPUT, flags_of={0: INPUT}) as lines:
        lines.set(1, index=1)
        assert lines.get(0) == 0


def test_edges_added_where_there_are_no_interrupts_are_ENXIO_but_shown(expander: SimulatedChip) -> None:
    """A configuration that the hardware refuses is half done: the line's flags tell of edges that never come."""
    with requested(expander, 2, INPUT) as line:
        with refused(errno.ENXIO):
            line.configure(config(INPUT | BOTH))
        assert info(expander, 2)[2] == USED | INPUT | BOTH
        line.configure(config(INPUT))
        assert info(expander, 2)[2] == USED | INPUT


# --- The kernel: GPIO_V2_LINE_SET_CONFIG --------------------------------------------------------------------


def test_edges_can_be_added_later(chip: Chip) -> None:
    with requested(chip, 2, INPUT) as line:
        chip.drive(2, 1)
        line.configure(config(INPUT | BOTH))
        chip.drive(2, 0)
        assert [event[1:] for event in line.events()] == [(FELL, 2, 1, 1)]


def test_edges_can_be_changed_and_the_count_goes_on(chip: Chip) -> None:
    with requested(chip, 2, INPUT | RISING) as line:
        chip.drive(2, 1)
        line.configure(config(INPUT | FALLING))
        chip.drive(2, 0)
        chip.drive(2, 1)
        line.configure(config(INPUT | BOTH))
        chip.drive(2, 0)
        assert [event[1:] for event in line.events(3)] == [(ROSE, 2, 1, 1), (FELL, 2, 2, 2), (FELL, 2, 3, 3)]
        assert line.nothing_waits()


def test_the_count_goes_on_after_a_time_without_edges_and_as_an_output(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        line.configure(config(INPUT))
        chip.drive(2, 0)
        line.configure(config(OUTPUT))
        line.configure(config(INPUT | BOTH))
        chip.drive(2, 1)
        assert [event[4] for event in line.events(2)] == [1, 2]


def test_a_new_request_counts_from_one(chip: Chip) -> None:
    for value in (1, 0):
        with requested(chip, 2, INPUT | BOTH) as line:
            chip.drive(2, value)
            assert line.events()[0][4] == 1


def test_events_wait_on_when_edges_are_turned_off(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        line.configure(config(OUTPUT))
        assert [event[1] for event in line.events()] == [ROSE]


@pytest.mark.parametrize(("asked", "kept"), [(0, 16), (64, 64), (100_000, 1024)])
def test_the_buffer_size_of_the_request_holds_when_edges_are_added_later(
    chip: Chip, asked: int, kept: int
) -> None:
    with requested(chip, 2, INPUT, events=asked) as line:
        line.configure(config(INPUT | BOTH))
        for number in range(1, 1501):
            chip.drive(2, number & 1)
        assert [event[4] for event in line.events(kept)] == list(range(1501 - kept, 1501))


def test_debounce_can_be_added_and_taken_away(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        line.configure(config(INPUT | BOTH, debounce_us=5000))
        chip.drive(2, 1)
        assert line.nothing_waits()
        assert [event[1] for event in line.events()] == [ROSE]
        line.configure(config(INPUT | BOTH))
        chip.drive(2, 0)
        assert [event[1:] for event in line.events()] == [(FELL, 2, 2, 2)]


def test_an_output_reconfigured_without_a_value_goes_low(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}) as line:
        line.configure(config(OUTPUT))
        assert chip.level(2) == 0


def test_an_output_keeps_its_level_where_the_value_comes_along(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}) as line:
        line.configure(config(OUTPUT, values={0: 1}))
        assert chip.level(2) == 1


def test_lines_given_no_direction_stay_as_they_are(chip: Chip) -> None:
    with requested(chip, 2, OUTPUT, values={0: 1}) as line:
        line.configure(config(0))
        assert (chip.level(2), info(chip, 2)[2]) == (1, USED | OUTPUT)


def test_a_refused_configuration_changes_nothing(chip: Chip) -> None:
    with requested(chip, 2, INPUT | BOTH) as line:
        with refused(errno.EINVAL):
            line.configure(config(OUTPUT | BOTH))
        assert info(chip, 2)[2] == USED | INPUT | BOTH


# --- The kernel: a chip that goes away ----------------------------------------------------------------------


def test_a_request_of_a_removed_chip_is_ENODEV_and_polls_as_an_error() -> None:
    chip = Chip()
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.remove()
        with refused(errno.ENODEV):
            line.get()
        with refused(errno.ENODEV):
            os.read(line.descriptor, EVENT.size)
        poll = select.poll()
        poll.register(line.descriptor, select.POLLIN)
        assert poll.poll(0) == [(line.descriptor, select.POLLHUP | select.POLLERR)]


def test_events_of_a_removed_chip_are_lost() -> None:
    chip = Chip()
    with requested(chip, 2, INPUT | BOTH) as line:
        chip.drive(2, 1)
        chip.remove()
        with refused(errno.ENODEV):
            os.read(line.descriptor, EVENT.size)


# --- The kernel: sysfs --------------------------------------------------------------------------------------


@contextlib.contextmanager
def exported(chip: SimulatedChip, line: int) -> Iterator[Path]:
    """Export the line through /sys/class/gpio, as old programs do."""
    gpio = Path("/sys/class/gpio")
    base = next(
        int((entry / "base").read_text())
        for entry in gpio.glob("gpiochip*")
        if (entry / "device").resolve() == chip.folder.parent
        and (entry / "label").read_text().strip() == chip.label
    )
    (gpio / "export").write_text(str(base + line))
    try:
        yield gpio / f"gpio{base + line}"
    finally:
        (gpio / "unexport").write_text(str(base + line))


def test_a_line_exported_through_sysfs_is_busy_and_its_consumer_is_sysfs(chip: Chip) -> None:
    with exported(chip, 2) as folder:
        (folder / "direction").write_text("high")
        assert chip.level(2) == 1
        assert info(chip, 2)[1] == "sysfs"
        with refused(errno.EBUSY), requested(chip, 2, INPUT):
            pass


def test_a_requested_line_cannot_be_exported(chip: Chip) -> None:
    with requested(chip, 2, INPUT), refused(errno.EBUSY), exported(chip, 2):
        pass


# --- The device tree of a Raspberry Pi 3B -------------------------------------------------------------------


def test_the_device_tree_is_a_pi_3b(pi_chip: SimulatedChip) -> None:
    tree = Path("/proc/device-tree")
    assert (tree / "compatible").read_bytes() == b"raspberrypi,3-model-b\0brcm,bcm2837\0"
    assert (tree / "model").read_bytes() == b"Raspberry Pi 3 Model B Rev 1.2\0"
    assert (tree / "system/linux,revision").read_bytes() == bytes.fromhex("00a02082")


def test_the_pi_chip_has_54_lines_with_names(pi_chip: SimulatedChip) -> None:
    assert (pi_chip.label, pi_chip.num_lines) == ("pinctrl-bcm2835", 54)
    assert [info(pi_chip, line)[0] for line in (0, 2, 6, 7)] == ["ID_SDA", "SDA1", "GPIO6", ""]


def test_the_pi_chip_drives_and_reads(pi_chip: SimulatedChip) -> None:
    with requested(pi_chip, 17, INPUT | BOTH) as line:
        pi_chip.drive(17, 1)
        assert [event[1:] for event in line.events()] == [(ROSE, 17, 1, 1)]


def test_the_pi_chip_starts_with_every_pull_down(pi_chip: SimulatedChip) -> None:
    assert {pi_chip.pull(line) for line in range(54)} == {"pull-down"}


def test_the_act_led_holds_line_47(pi_chip: SimulatedChip) -> None:
    assert info(pi_chip, 47)[1:] == ("ACT", USED | OUTPUT)
    Path("/sys/class/leds/ACT/brightness").write_text("1")
    assert pi_chip.level(47) == 1


def test_there_is_an_spi_device(pi_chip: SimulatedChip) -> None:
    assert Path("/dev/spidev0.0").is_char_device()
