# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines through /sys/class/gpio on a real kernel, and what that kernel does that the backend relies on."""

import contextlib
import errno
import os
import select
import stat
import threading
from pathlib import Path

import pytest

from kernel.gpiosim import Chip
from kernel.programs import program, reader
from RPIO import _gpio, constants, errors
from RPIO.arguments import ALL
from RPIO.backends import cdev, cdev_chips, sysfs, sysfs_chips
from RPIO.backends.joined import JoinedBackend
from RPIO.board.board import Board
from RPIO.constants import BOTH, FALLING, IN, OUT, PUD_OFF, PUD_UP, RISING
from support import pump, replace_in_core
from waiting import LIMIT_S, wait_until

ROOT = Path(sysfs_chips.ROOT)


def folder_of(chip):
    return sysfs_chips.find_chip(chip.label, None)


def base_of(chip):
    return int(Path(folder_of(chip), "base").read_text())


def files_of(chip, line):
    return ROOT / f"gpio{base_of(chip) + line}"


def export(chip, line, what="export"):
    (ROOT / what).write_text(str(base_of(chip) + line))


@pytest.fixture
def board(chip):
    board = Board(f"sysfs:{chip.label}")
    yield board
    board.close()


@pytest.fixture
def backend(chip):
    backend = sysfs.SysfsBackend(folder_of(chip))
    yield backend
    backend.close()


@pytest.fixture
def no_devices():
    """A machine without /dev/gpiochip*, such as a container's, or an old kernel's."""
    hidden = {path: os.stat(path) for path in cdev_chips.chip_paths()}
    for path in hidden:
        os.unlink(path)
    yield
    for path, was in hidden.items():
        with contextlib.suppress(FileExistsError):
            os.mknod(path, stat.S_IFCHR | 0o600, was.st_rdev)


def watch(board, line, callback, edge="both", pull=PUD_OFF):
    board.add_interrupt_callback(line, callback, edge, pull, False, None, 0)


def thread_names():
    return [Path("/proc/self/task", task, "comm").read_text() for task in os.listdir("/proc/self/task")]


# -- which chip -----------------------------------------------------------------------------------------------


def test_a_chip_is_found_by_label_or_name_whatever_its_base(chip):
    assert base_of(chip) not in (0, 512)
    for spec in (chip.label, Path(folder_of(chip)).name):
        board = Board(f"sysfs:{spec}")
        board.setup(3, OUT, PUD_OFF, 1)
        assert chip.level(3) == 1
        assert files_of(chip, 3).is_dir()
        board.cleanup(3)
        board.close()
    with pytest.raises(errors.NoBackendError, match="there is no chip 'other-label'") as e:
        _ = Board("sysfs:other-label").backend
    assert chip.label in e.value.hint


def test_the_pi_is_found_by_its_label(pi_chip):
    board = Board("sysfs")
    assert board.hardware.name == "Raspberry Pi 3 Model B"
    assert board.backend.label == "pinctrl-bcm2835"
    assert "pinctrl-bcm2835, 54 lines" in board.backend.describe()
    board.close()


def test_the_device_file_of_the_same_chip_is_found(chip):
    assert sysfs_chips.find_device(folder_of(chip)) == chip.path
    with Chip(num_lines=chip.num_lines, label=chip.label + "x") as other:
        assert sysfs_chips.find_device(folder_of(other)) == other.path


def test_auto_is_sysfs_where_the_device_files_are_hidden(pi_chip, no_devices):
    board = Board("auto")
    assert isinstance(board.backend, sysfs.SysfsBackend)
    assert "consumers" not in board.backend.features
    got = []
    watch(board, 7, lambda *a: got.append(a))
    pi_chip.drive(7, 1)
    assert pump(board, lambda: got == [(7, 1)])
    board.close()


def test_registers_take_their_edges_from_sysfs_where_there_is_no_gpiochip(
    pi_chip, no_devices, tmp_path, monkeypatch
):
    from RPIO.backends import regs

    block = tmp_path / "gpiomem"
    block.write_bytes(bytes(4096))
    monkeypatch.setattr(regs, "candidates", lambda hardware: [(str(block), 0)])
    board = Board("auto")
    assert isinstance(board.backend, JoinedBackend)
    assert "edges: /sys/class/gpio/gpiochip" in board.backend.describe()
    got = []
    watch(board, 7, lambda *a: got.append(a))
    pi_chip.drive(7, 1)
    assert pump(board, lambda: got == [(7, 1)])
    board.close()


def test_a_gpiochip_of_version_1_alone_is_passed_over(chip, monkeypatch):
    def too_old(*arguments):
        raise OSError(errno.EINVAL, "as a kernel before 5.10 answers")

    replace_in_core(monkeypatch, "line_info", too_old)
    assert not cdev_chips.usable()
    with pytest.raises(errors.NoBackendError, match=r"before 5\.10") as e:
        cdev.CdevBackend(chip.path)
    assert "sysfs" in e.value.hint
    backend = sysfs.SysfsBackend(folder_of(chip))  # version 1 still tells about lines
    assert "consumers" in backend.features
    export(chip, 2)
    assert backend.consumer(2) == "sysfs"
    export(chip, 2, "unexport")
    assert backend.consumer(2) == ""
    backend.close()


# -- exporting ------------------------------------------------------------------------------------------------


def test_what_was_exported_here_is_unexported_by_cleanup(board, chip):
    board.setup(3, OUT, PUD_OFF, 1)
    board.setup(4, IN, PUD_OFF, None)
    assert files_of(chip, 3).is_dir()
    assert files_of(chip, 4).is_dir()
    board.cleanup(ALL)
    assert not files_of(chip, 3).exists()
    assert not files_of(chip, 4).exists()


def test_a_line_that_another_program_exported_is_used_and_stays_exported(chip, board):
    export(chip, 3)
    board.setup(3, OUT, PUD_OFF, 1)
    assert chip.level(3) == 1
    board.cleanup(ALL)
    assert files_of(chip, 3).is_dir()
    board.close()
    assert files_of(chip, 3).is_dir()
    export(chip, 3, "unexport")


def test_a_line_that_is_upside_down_is_refused_and_left_so(chip, backend):
    export(chip, 3)
    (files_of(chip, 3) / "active_low").write_text("1")
    for action in (lambda: backend.read(3), lambda: backend.set_output(3, 1)):
        with pytest.raises(errors.LineBusyError, match="active_low"):
            action()
    assert (files_of(chip, 3) / "active_low").read_text() == "1\n"
    export(chip, 3, "unexport")


def test_a_busy_line_names_its_holder():
    with Chip(num_lines=4, hogs={2: ("hogger", "input")}) as chip:
        board = Board(f"sysfs:{chip.label}")
        with pytest.raises(errors.LineBusyError, match="GPIO 2 is in use by 'hogger'"):
            board.setup(2, IN, PUD_OFF, None)
        board.close()


def test_a_line_that_another_program_unexports_is_said_and_can_be_set_up_again(board, chip):
    board.setup(3, OUT, PUD_OFF, 1)
    export(chip, 3, "unexport")
    with pytest.raises(errors.LineGoneError, match="GPIO 3: another program has unexported it"):
        board.output(3, 0)
    board.setup(3, OUT, PUD_OFF, 1)
    assert chip.level(3) == 1


def test_reading_a_free_line_leaves_it_free(backend, chip):
    chip.drive(3, 1)
    assert backend.read(3) == 1
    assert not files_of(chip, 3).exists()


def test_at_exit_outputs_go_on_driving_and_inputs_are_given_back(chip):
    process = program(
        f"""
        import RPIO
        RPIO.use("sysfs:{chip.label}")
        RPIO.setup(4, RPIO.OUT, initial=1)
        RPIO.add_interrupt_callback(5, print)
        RPIO.wait_for_interrupts(threaded=True)
        """
    )
    assert process.communicate(timeout=LIMIT_S) == (b"", None)
    assert chip.level(4) == 1
    assert files_of(chip, 4).is_dir()
    assert not files_of(chip, 5).exists()


def test_the_kernel_drops_the_level_of_an_output_that_is_unexported(chip):
    """gpio-sim does; the Raspberry Pi's driver makes it an input. It is why close() leaves outputs exported."""
    export(chip, 4)
    (files_of(chip, 4) / "direction").write_text("high")
    assert chip.level(4) == 1
    export(chip, 4, "unexport")
    assert chip.level(4) == 0


def test_a_killed_program_leaves_its_output_and_the_next_start_takes_it_over(chip):
    process = program(
        f"""
        import RPIO, signal
        RPIO.use("sysfs:{chip.label}"); RPIO.setup(4, RPIO.OUT, initial=1)
        RPIO.add_interrupt_callback(5, print); print("up"); signal.pause()
        """
    )
    assert reader(process)("up")
    process.kill()
    process.wait()
    assert chip.level(4) == 1
    board = Board(f"sysfs:{chip.label}")
    board.setup(4, OUT, PUD_OFF, None)
    assert chip.level(4) == 1
    board.output(4, 0)
    assert chip.level(4) == 0
    got = []
    watch(board, 5, lambda *a: got.append(a))
    chip.drive(5, 1)
    assert pump(board, lambda: got == [(5, 1)])
    board.close()


@pytest.mark.parametrize("value", [1, None])
def test_a_killed_programs_edges_do_not_keep_a_line_from_being_an_output(chip, backend, value):
    export(chip, 5)
    (files_of(chip, 5) / "edge").write_text("both")
    backend.set_output(5, value)
    assert (files_of(chip, 5) / "edge").read_text() == "none\n"
    assert chip.level(5) == (value or 0)
    export(chip, 5, "unexport")


# -- permissions ----------------------------------------------------------------------------------------------


def test_missing_permission_names_the_file_and_the_cure(chip):
    process = program(
        f"""
        import grp, os, RPIO, RPIO.backends.sysfs   # nobody may not read this interpreter's files, nor ours
        RPIO.version()
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        RPIO.use("sysfs:{chip.label}")
        try:
            RPIO.setup(4, RPIO.IN)
        except RPIO.NoAccessError as e:
            print(e, e.hint)
        """
    )
    out = process.communicate(timeout=LIMIT_S)[0].decode()
    assert "No access to /sys/class/gpio/export" in out
    assert "run with sudo" in out


@pytest.fixture
def everybody_may_export():
    for name in ("export", "unexport"):
        (ROOT / name).chmod(0o222)
    yield
    for name in ("export", "unexport"):
        (ROOT / name).chmod(0o200)


@pytest.mark.parametrize("udev", ["late", "never"])
def test_the_files_of_a_new_line_may_get_their_permissions_late(chip, everybody_may_export, udev):
    process = program(
        f"""
        import os, RPIO, RPIO.backends.sysfs
        RPIO.version()
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        RPIO.backends.sysfs.UDEV_S = {30 if udev == "late" else 0.05}
        RPIO.use("sysfs:{chip.label}")
        try:
            RPIO.setup(4, RPIO.OUT, initial=1)
        except PermissionError as e:
            print(e)
        else:
            print("set up")
        """
    )
    if udev == "late":
        assert wait_until(files_of(chip, 4).is_dir)
        for name in ("value", "direction", "edge"):
            (files_of(chip, 4) / name).chmod(0o666)
    out = process.communicate(timeout=LIMIT_S)[0].decode()
    if udev == "late":
        assert "set up" in out
        assert chip.level(4) == 1
    else:
        assert "Permission denied" in out
        assert f"{files_of(chip, 4)}/value" in out
        assert not files_of(chip, 4).exists()


# -- pulls ----------------------------------------------------------------------------------------------------


def test_a_pull_is_refused_with_what_to_do_and_the_default_works(board, chip):
    with pytest.raises(errors.NotSupportedError, match=r"PUD_UP needs registers .* kernel from 5\.10"):
        board.setup(4, IN, PUD_UP, None)
    assert not files_of(chip, 4).exists()
    board.setup(4, IN, PUD_OFF, None)
    assert board.input(4) == 0


# -- edges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "want"), [("rising", [1, 1]), ("falling", [0, 0]), ("both", [1, 0, 1, 0])])
def test_edges_arrive(board, chip, edge, want):
    got = []
    watch(board, 5, lambda line, value: got.append(value), edge)
    for level in (1, 0, 1, 0):
        expected = len(got) + (edge == "both" or level == (edge == "rising"))
        chip.drive(5, level)
        assert pump(board, lambda expected=expected: len(got) == expected)
    assert got == want


def test_a_thousand_paced_edges_arrive_in_order_with_none_lost(board, chip):
    got = []
    watch(board, 5, lambda line, value: got.append(value))
    for number in range(1, 1001):
        chip.drive(5, number & 1)
        assert pump(board, lambda number=number: len(got) >= number)
    assert got == [number & 1 for number in range(1, 1001)]


@pytest.mark.parametrize("edge", [RISING, FALLING])
def test_a_pulse_that_is_over_before_anybody_looks_is_seen_by_its_edge(backend, chip, edge):
    backend.set_input(5, None)
    start, other = (0, 1) if edge == RISING else (1, 0)
    chip.drive(5, start)
    fd = backend.watch(5, edge)
    chip.drive(5, other)
    chip.drive(5, start)
    assert select.select([fd], [], [], 5)[0]
    assert [event.value for event in _gpio.events_read(fd)] == [other]


def test_pulses_too_fast_for_both_never_report_the_same_level_twice(backend, chip):
    backend.set_input(5, None)
    fd = backend.watch(5, BOTH)
    for _ in range(500):
        chip.drive(5, 1)
        chip.drive(5, 0)
    chip.drive(5, 1)
    values = []
    while not values or values[-1] != 1 or select.select([fd], [], [], 0.05)[0]:
        assert select.select([fd], [], [], 5)[0]
        values += [event.value for event in _gpio.events_read(fd)]
    assert values == [number & 1 for number in range(1, len(values) + 1)]


def test_the_pumps_thread_lives_as_long_as_a_line_is_watched(backend):
    assert "RPIO sysfs\n" not in thread_names()
    for line in (4, 5):
        backend.set_input(line, None)
        backend.watch(line, BOTH)
    assert thread_names().count("RPIO sysfs\n") == 1
    backend.unwatch(4)
    assert thread_names().count("RPIO sysfs\n") == 1
    backend.unwatch(5)
    assert "RPIO sysfs\n" not in thread_names()


def test_the_pump_sleeps_while_nothing_happens(backend, chip):
    """As many context switches after a while without edges as before: it was not woken."""
    backend.set_input(5, None)
    fd = backend.watch(5, BOTH)

    task = next(t for t in Path("/proc/self/task").iterdir() if (t / "comm").read_text() == "RPIO sysfs\n")

    def status(word):
        return [line.split()[1] for line in (task / "status").read_text().splitlines() if word in line]

    chip.drive(5, 1)
    assert select.select([fd], [], [], 5)[0]
    assert wait_until(lambda: status("State:") == ["S"])
    before = status("ctxt_switches")
    assert select.select([], [], [], 0.2) == ([], [], [])
    assert status("ctxt_switches") == before
    assert len(before) == 2


def test_signals_are_not_for_the_pumps_thread(backend):
    backend.set_input(5, None)
    backend.watch(5, BOTH)
    (blocked,) = (
        line.split()[1]
        for task in Path("/proc/self/task").iterdir()
        if (task / "comm").read_text() == "RPIO sysfs\n"
        for line in (task / "status").read_text().splitlines()
        if line.startswith("SigBlk")
    )
    assert int(blocked, 16) & 1 << (15 - 1)


def test_a_line_that_is_lost_does_not_take_the_others_with_it(backend, chip):
    for line in (4, 5):
        backend.set_input(line, None)
    lost, kept = (backend.watch(line, BOTH) for line in (4, 5))
    export(chip, 4, "unexport")
    chip.drive(5, 1)
    assert select.select([kept], [], [], 5)[0]
    backend.unwatch(4)
    chip.drive(5, 0)
    assert wait_until(lambda: backend._pump.seq(5) == 2)
    assert [event.value for event in _gpio.events_read(kept)] == [1, 0]
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(lost)


def test_a_chip_that_goes_away_is_said(caplog):
    with Chip(num_lines=4) as chip:
        board = Board(f"sysfs:{chip.label}")
        watch(board, 1, print)
        board.setup(2, OUT, PUD_OFF, 0)
        remover = threading.Timer(0.1, chip.remove)  # while the loop is asleep in the kernel
        remover.start()
        assert pump(board, lambda: "its chip has gone" in caplog.text)
        remover.join()
    with pytest.raises(errors.LineGoneError, match="GPIO 2: its chip has been removed"):
        board.output(2, 1)
    board.close()


test_a_chip_that_goes_away_is_said.spoils_the_kernel = True


def test_the_kernel_does_not_wake_a_sleeper_when_its_line_is_unexported(chip):
    """Why a line that another program unexports is noticed when it is used, not before."""
    export(chip, 4)
    value = os.open(files_of(chip, 4) / "value", os.O_RDONLY)
    (files_of(chip, 4) / "edge").write_text("both")
    os.pread(value, 1, 0)
    found = []
    poll = select.epoll()
    poll.register(value, select.EPOLLPRI | select.EPOLLERR)
    sleeper = threading.Thread(target=lambda: found.append(poll.poll(0.3)))
    sleeper.start()
    assert select.select([], [], [], 0.05) == ([], [], [])
    export(chip, 4, "unexport")
    sleeper.join()
    assert found == [[]]
    poll.close()
    with pytest.raises(OSError, match="No such device"):
        os.pread(value, 1, 0)
    os.close(value)


def test_functions_of_free_lines_are_known_by_the_device_file_alone(chip):
    knows, does_not = (sysfs.SysfsBackend(folder_of(chip), device) for device in (chip.path, None))
    assert knows.function(4) == IN
    assert does_not.function(4) == constants.UNKNOWN
    does_not.set_output(4, 1)
    assert knows.function(4) == does_not.function(4) == OUT
    knows.close()
    does_not.close()


def test_lines_of_another_chip_with_the_same_numbers_stay_exported():
    with Chip(num_lines=4, label="first") as first:
        backend = sysfs.SysfsBackend(folder_of(first), None)  # whose open file would keep the numbers
        backend.set_output(1, 1)
        base = base_of(first)
        first.remove()
    with Chip(num_lines=4, label="second") as second:
        if base_of(second) != base:
            pytest.skip("this kernel gives the numbers to no other chip")
        export(second, 1)
        backend.release(1)
        assert files_of(second, 1).exists()
        export(second, 1, "unexport")
    backend.close()
