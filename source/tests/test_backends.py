# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which backend a machine gets, which chip and which register file; what is said where there is none."""

import errno
import os
import types

import pytest

from RPIO import constants, errors
from RPIO.backends import cdev_chips, descriptors, opening, regs, sysfs_chips
from RPIO.backends.joined import JoinedBackend
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.machine import boards, socs
from RPIO.machine.boards import by_name
from support import replace_in_core

PI4, PI5, CM4 = by_name("4B"), by_name("5B"), by_name("CM4")


@pytest.mark.parametrize(
    ("hardware", "registers", "devices", "in_sysfs", "choice"),
    [
        (PI4, True, True, True, "regs"),
        (PI4, True, False, True, "regs"),
        (PI4, True, False, False, "regs"),
        (PI4, False, True, True, "cdev"),
        (PI4, False, False, True, "sysfs"),
        (PI4, False, False, False, "regs"),  # never the simulation: its error is what people need
        (PI5, True, True, False, "regs"),
        (None, False, True, True, "cdev"),
        (None, False, False, True, "sysfs"),
        (None, False, False, False, "sim"),
    ],
)
def test_auto_chooses_by_what_there_is(monkeypatch, hardware, registers, devices, in_sysfs, choice):
    monkeypatch.setattr(regs, "usable", lambda hardware: registers)
    monkeypatch.setattr(cdev_chips, "usable", lambda: devices)
    monkeypatch.setattr(sysfs_chips, "usable", lambda: in_sysfs)
    assert opening.choose(hardware) == choice


@pytest.mark.parametrize(
    ("answer", "usable"), [(None, True), (errno.EINVAL, False), (errno.ENOTTY, False), (errno.ENODEV, True)]
)
def test_a_gpiochip_counts_where_it_speaks_version_2(chips, monkeypatch, answer, usable):
    chips |= {"/dev/gpiochip0": errno.EACCES, "/dev/gpiochip1": "soc"}

    def line_info(fd, line):
        if answer:
            raise OSError(answer, os.strerror(answer))

    replace_in_core(monkeypatch, "line_info", line_info)
    assert cdev_chips.usable() == usable


def test_gpiochips_that_may_not_be_opened_count_because_their_error_says_what_to_do(chips):
    assert not cdev_chips.usable()
    chips |= {"/dev/gpiochip0": errno.EACCES}
    assert cdev_chips.usable()


@pytest.mark.parametrize(
    ("model_name", "want"),
    [
        ("B", [("/dev/gpiomem", 0), ("/dev/mem", 0x20200000)]),
        ("3B+", [("/dev/gpiomem", 0), ("/dev/mem", 0x3F200000)]),
        ("4B", [("/dev/gpiomem", 0), ("/dev/mem", 0xFE200000)]),
        ("5B", [("/dev/gpiomem0", 0)]),
    ],
)
def test_registers_are_looked_for_in_these_files(model_name, want):
    found = regs.candidates(by_name(model_name))
    assert [entry for entry in found if entry in want] == want


def test_a_register_file_that_may_not_be_opened_is_named_with_the_cure(monkeypatch, tmp_path):
    path = tmp_path / "gpiomem"
    monkeypatch.setattr(regs, "candidates", lambda hardware: [("/dev/none", 0), (str(path), 0)])

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), arguments[1])

    monkeypatch.setattr(regs, "Registers", refuse)
    monkeypatch.setattr("RPIO.machine.detect.detect", lambda: PI4)
    board = Board("regs")
    with pytest.raises(errors.NoAccessError, match="/dev/none") as e:
        board.setup(17, constants.IN, constants.PUD_OFF, None)
    assert isinstance(e.value, PermissionError)
    assert isinstance(e.value, RuntimeError)
    assert e.value.hint


def test_registers_of_what_is_no_pi_are_refused_with_the_alternatives():
    with pytest.raises(errors.NoBackendError, match="no Raspberry Pi") as e:
        opening.open_backend("regs", None)
    assert "cdev" in e.value.hint
    assert "sim" in e.value.hint


@pytest.fixture
def chips(monkeypatch):
    """gpiochips that are not there: path -> label, or the errno of opening it."""
    table = {}
    opened = []

    def open_chip(path):
        if isinstance(table[path], int):
            raise OSError(table[path], os.strerror(table[path]), path)
        file = cdev_chips.File(os.devnull, os.O_RDONLY)
        opened.append((file.fd, path, file))
        return file

    def path_of(fd):
        return next(path for number, path, _ in reversed(opened) if number == fd)

    monkeypatch.setattr(cdev_chips, "chip_paths", lambda: list(table))
    replace_in_core(monkeypatch, "chip_open", open_chip)
    replace_in_core(monkeypatch, "chip_info", lambda fd: ("gpiochipX", table[path_of(fd)], 54))
    yield table
    assert all(file.fd == -1 for _, _, file in opened)  # looking at a chip leaves nothing open


def test_a_pi_is_found_by_label_whatever_its_number(chips):
    chips |= {"/dev/gpiochip0": "gpio-brcmstb@107d508500", "/dev/gpiochip4": "pinctrl-rp1"}
    assert cdev_chips.find_chip("", "pinctrl-rp1") == "/dev/gpiochip4"


def test_of_two_chips_with_the_same_label_the_first_is_taken(chips):
    chips |= {"/dev/gpiochip0": "same", "/dev/gpiochip1": "same"}
    assert cdev_chips.find_chip("same", None) == "/dev/gpiochip0"


def test_another_board_gets_its_first_chip(chips):
    chips |= {"/dev/gpiochip0": "soc", "/dev/gpiochip1": "expander"}
    assert cdev_chips.find_chip("", None) == "/dev/gpiochip0"
    assert cdev_chips.find_chip("gpiochip1", None) == "/dev/gpiochip1"


@pytest.mark.parametrize("label", constants.PI_CHIP_LABELS)
def test_a_pi_that_tells_nothing_of_itself_is_known_by_its_chip(chips, monkeypatch, label):
    """A container hides the device tree, and /proc/cpuinfo of an upstream kernel has no revision."""
    monkeypatch.setattr("RPIO.machine.detect.detect", lambda root="/": None)
    chips |= {"/dev/gpiochip0": "expander", "/dev/gpiochip1": label}
    assert cdev_chips.find_chip("", None) == "/dev/gpiochip1"
    hardware = opening.unknown(types.SimpleNamespace(label=label, line_count=54, revision_code=None))
    assert hardware.is_pi
    assert (hardware.chip_label, len(hardware.header)) == (label, 40)
    assert hardware.header[11] == 17
    assert opening.expect("cdev").chip_label == label


def test_of_what_shares_a_label_no_address_is_known():
    assert boards.by_chip_label("pinctrl-bcm2835").peripheral_base is None
    assert boards.by_chip_label("pinctrl-bcm2711").peripheral_base == 0xFE000000
    assert boards.by_chip_label("300b000.pinctrl") is None


def test_the_labels_are_those_of_the_table():
    assert set(constants.PI_CHIP_LABELS) == {soc.chip_label for soc in socs.SOCS.values()}


@pytest.mark.parametrize(
    ("label", "driver"),
    [
        ("pinctrl-rp1", "switch its driver off (a dtparam or dtoverlay line in config.txt)"),
        ("300b000.pinctrl", "have its driver leave the line"),
    ],
)
def test_a_busy_line_says_what_helps_on_this_machine(label, driver):
    error = descriptors.busy(6, "gpiomon", "/dev/gpiochip0", label)
    assert error.strerror == "GPIO 6 is in use by 'gpiomon'"
    assert error.hint == f"rpio doctor names the process that has it: end that, or {driver}"


def test_a_chip_that_is_not_there_lists_those_that_are(chips):
    chips |= {"/dev/gpiochip0": "soc"}
    with pytest.raises(errors.NoBackendError, match="there is no gpiochip 'pinctrl-rp1' here") as e:
        cdev_chips.find_chip("", "pinctrl-rp1")
    assert e.value.hint == "gpiochips of this machine: /dev/gpiochip0 (soc)"


def test_a_chip_that_may_not_be_opened_is_a_permission_error(chips):
    chips |= {"/dev/gpiochip0": errno.EACCES}
    with pytest.raises(PermissionError, match="/dev/gpiochip0"):
        cdev_chips.find_chip("", "pinctrl-bcm2711")


def test_numbers_not_names_order_chips_and_links_are_no_chips(tmp_path):
    for name in ("gpiochip10", "gpiochip2", "gpiochip0", "gpiomem", "gpiochipX"):
        (tmp_path / name).touch()
    (tmp_path / "gpiochip4").symlink_to("gpiochip0")
    assert [os.path.basename(p) for p in cdev_chips.chip_paths(str(tmp_path))] == [
        "gpiochip0",
        "gpiochip2",
        "gpiochip10",
    ]
    assert cdev_chips.chip_paths(str(tmp_path / "none")) == []


def test_registers_without_edges_say_why_and_what_to_do(sim):
    board = Board()
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/dev/gpiochip0")
    board.use(JoinedBackend(sim, None, refused), sim.hardware)
    assert "no edges: [Errno 13] Permission denied: '/dev/gpiochip0'" in board.backend.describe()
    with pytest.raises(errors.NoAccessError, match="/dev/gpiochip0") as e:
        board.add_interrupt_callback(17, print, "both", constants.PUD_OFF, False, None, 0)
    assert e.value.hint
    board.close()
    board = Board()
    board.use(JoinedBackend(sim, None, errors.NoBackendError("there is no gpiochip here")), sim.hardware)
    with pytest.raises(errors.NotSupportedError, match="cannot report edges: there is no gpiochip here"):
        board.add_interrupt_callback(17, print, "both", constants.PUD_OFF, False, None, 0)
    board.setup(18, constants.OUT, constants.PUD_OFF, 1)
    assert sim.read(18) == 1
    board.close()


def test_levels_and_edges_can_come_from_two_backends(sim):
    other = SimBackend(sim.hardware, ManualClock())
    board = Board()
    board.use(JoinedBackend(sim, other), sim.hardware)
    got = []
    board.add_interrupt_callback(17, lambda *a: got.append(a), "both", constants.PUD_UP, False, None, 0)
    assert sim.pull(17) == constants.PUD_UP
    other.drive(17, 1)
    other.drive(17, 0)
    board.dispatcher.step(0)
    assert got == [(17, 1), (17, 0)]
    board.close()


def test_the_simulation_is_announced_once_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("RPIO_BACKEND", "auto")
    monkeypatch.setattr("RPIO.machine.detect.detect", lambda: None)
    monkeypatch.setattr(cdev_chips, "chip_paths", lambda: [])
    monkeypatch.setattr(sysfs_chips, "usable", lambda: False)
    board = Board()
    board.setup(17, constants.IN, constants.PUD_OFF, None)
    board.setup(18, constants.IN, constants.PUD_OFF, None)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "using a simulated Raspberry Pi 4 Model B" in err
    board.close()


def test_on_a_pi_there_is_never_a_simulation(monkeypatch, tmp_path):
    monkeypatch.setattr("RPIO.machine.detect.detect", lambda: PI5)
    monkeypatch.setattr(cdev_chips, "chip_paths", lambda: [])
    monkeypatch.setattr(sysfs_chips, "usable", lambda: False)
    monkeypatch.setattr(regs, "candidates", lambda hardware: [(str(tmp_path / "gpiomem0"), 0)])
    board = Board("auto")
    with pytest.raises(errors.NoBackendError, match=r"No such file or directory: .*gpiomem0") as e:
        board.setup(17, constants.IN, constants.PUD_OFF, None)
    assert e.value.hint
    board.close()
