# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which sysfs chip is meant, over a tree of files; what a kernel does with it is in kernel/test_sysfs.py."""

import errno
import os

import pytest

from RPIO import _gpio, errors
from RPIO.backends import cdev, opening, sysfs_chips
from RPIO.backends.sysfs import SysfsBackend
from RPIO.machine import files
from RPIO.machine.boards import by_name
from support import replace_in_core

PI4 = by_name("4B")


@pytest.fixture
def tree(tmp_path):
    """/sys/class/gpio of a Pi 4 with an expander, as a recent kernel numbers them."""
    for base, label, count in (
        (512, "pinctrl-bcm2711", 58),
        (1000, "expander", 8),
        (570, "raspberrypi-exp-gpio", 8),
    ):
        folder = tmp_path / f"gpiochip{base}"
        folder.mkdir()
        for name, text in (("label", label), ("base", base), ("ngpio", count)):
            (folder / name).write_text(f"{text}\n")
    for name in ("export", "unexport"):
        (tmp_path / name).touch()
    (tmp_path / "gpio530").mkdir()
    (tmp_path / "gpiochipX").mkdir()
    return tmp_path


def find(tree, argument, label):
    return os.path.basename(sysfs_chips.find_chip(argument, label, str(tree)))


def test_chips_are_in_the_order_of_their_bases(tree):
    assert list(sysfs_chips.chips(str(tree)).values()) == [
        "pinctrl-bcm2711",
        "raspberrypi-exp-gpio",
        "expander",
    ]
    assert sysfs_chips.chips(str(tree / "none")) == {}


def test_a_kernel_with_the_new_layout_alone_is_said(tmp_path):
    (tmp_path / "chip0").mkdir()
    (tmp_path / "chip0" / "label").write_text("pinctrl-rp1\n")
    assert not sysfs_chips.usable(str(tmp_path))
    with pytest.raises(errors.NoBackendError, match="chips of the new layout alone") as e:
        sysfs_chips.find_chip("", "pinctrl-rp1", str(tmp_path))
    assert "RPIO_BACKEND=cdev" in e.value.hint


def test_beside_the_old_layout_the_new_one_does_not_matter(tree):
    (tree / "chip0").mkdir()
    assert find(tree, "", "pinctrl-bcm2711") == "gpiochip512"


def test_a_pi_is_found_by_its_label(tree):
    assert find(tree, "", "pinctrl-bcm2711") == "gpiochip512"


def test_a_chip_is_chosen_by_name_or_label(tree):
    assert find(tree, "gpiochip570", "pinctrl-bcm2711") == "gpiochip570"
    assert find(tree, "expander", "pinctrl-bcm2711") == "gpiochip1000"


def test_another_board_gets_the_chip_with_the_lowest_base(tree):
    assert find(tree, "", None) == "gpiochip512"


def test_a_chip_that_is_not_there_lists_those_that_are(tree):
    with pytest.raises(errors.NoBackendError, match="there is no chip 'pinctrl-rp1' in ") as e:
        find(tree, "", "pinctrl-rp1")
    assert "gpiochip512 (pinctrl-bcm2711), gpiochip570 (raspberrypi-exp-gpio)" in e.value.hint
    with pytest.raises(errors.NoBackendError, match="there is no chip in ") as e:
        find(tree / "none", "", None)
    assert e.value.hint.endswith(": none")


def test_a_read_only_look_is_not_usable(tree, monkeypatch):
    assert sysfs_chips.usable(str(tree))

    class ReadOnly:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "statvfs", lambda path: ReadOnly)
    assert not sysfs_chips.usable(str(tree))


def test_without_chips_or_without_export_it_is_not_usable(tree):
    assert not sysfs_chips.usable(str(tree / "none"))
    (tree / "export").unlink()
    assert not sysfs_chips.usable(str(tree))


def test_opening_says_at_once_that_lines_may_not_be_exported(tree, monkeypatch):
    def refuse(path, flags, mode=0o777, **keywords):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    replace_in_core(monkeypatch, "File", refuse)
    with pytest.raises(PermissionError) as e:
        SysfsBackend(str(tree / "gpiochip512"))
    assert e.value.filename == str(tree / "export")


def test_opening_reads_the_chip_and_exports_nothing(tree):
    backend = SysfsBackend(str(tree / "gpiochip512"))
    assert backend.describe() == f"{tree}/gpiochip512 (pinctrl-bcm2711, 58 lines)"
    assert "consumers" not in backend.features  # no device file is known to be this chip's
    assert (tree / "export").read_text() == ""
    backend.close()
    backend.close()


class SlowUdev:
    """Stands in for File and time: a file that may be opened after so many tries, and a clock that sleeping moves."""

    def __init__(self, late):
        self.late, self.tries, self.now = late, 0, 100.0

    def File(self, path, flags, stays):
        self.tries += 1
        if self.tries <= self.late:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return 7

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("late", "until_s", "tries"), [(0, 101.0, 1), (3, 101.0, 4), (1000, 100.1, 11), (1000, 0.0, 1)]
)
def test_files_that_may_not_be_opened_yet_are_tried_again_for_a_time(monkeypatch, late, until_s, tries):
    udev = SlowUdev(late)
    monkeypatch.setattr(files, "File", udev.File)
    monkeypatch.setattr(files, "time", udev)
    if late < tries:
        assert files.open_file("value", os.O_RDONLY, until_s) == 7
    else:
        with pytest.raises(PermissionError):
            files.open_file("value", os.O_RDONLY, until_s)
    assert abs(udev.tries - tries) <= 1


@pytest.mark.parametrize("why", ["none", "too old"])
def test_registers_look_for_edges_in_sysfs_where_the_gpiochip_has_none(monkeypatch, why):
    opened = object()

    def no_cdev(hardware, argument):
        raise errors.NoBackendError(why)

    monkeypatch.setattr(opening, "_open_cdev", no_cdev)
    monkeypatch.setattr(opening, "_open_sysfs", lambda hardware, argument: opened)
    assert opening._open_edges(PI4) is opened


@pytest.mark.parametrize(
    "error", [errors.NoBackendError("no chip in sysfs"), OSError(errno.EROFS, "read-only")]
)
def test_where_neither_is_there_the_gpiochips_error_is_told(monkeypatch, error):
    def fail(with_error):
        def opener(hardware, argument):
            raise with_error

        return opener

    monkeypatch.setattr(opening, "_open_cdev", fail(errors.NoBackendError("there is no gpiochip here")))
    monkeypatch.setattr(opening, "_open_sysfs", fail(error))
    with pytest.raises(errors.NoBackendError, match="there is no gpiochip here"):
        opening._open_edges(PI4)


def test_a_gpiochip_that_may_not_be_opened_is_not_replaced_by_sysfs(monkeypatch):
    def refuse(hardware, argument):
        raise PermissionError(errno.EACCES, "Permission denied", "/dev/gpiochip0")

    monkeypatch.setattr(opening, "_open_cdev", refuse)
    monkeypatch.setattr(opening, "_open_sysfs", lambda hardware, argument: pytest.fail("never asked"))
    with pytest.raises(PermissionError):
        opening._open_edges(PI4)


def test_a_gpiochip_of_version_1_is_no_cdev_backend(monkeypatch):
    opened = []

    def chip_open(path):
        opened.append(_gpio.File(os.devnull, os.O_RDONLY))
        return opened[-1]

    def too_old(fd, line):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    replace_in_core(monkeypatch, "chip_open", chip_open)
    replace_in_core(monkeypatch, "line_info", too_old)
    with pytest.raises(errors.NoBackendError, match=r"/dev/gpiochip0 is of a kernel before 5\.10") as e:
        cdev.CdevBackend("/dev/gpiochip0")
    assert "RPIO_BACKEND=sysfs" in e.value.hint
    assert opened[0].fd == -1
