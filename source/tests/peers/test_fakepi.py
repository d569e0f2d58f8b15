# SPDX-License-Identifier: LGPL-3.0-or-later
"""The fake Pi itself: what a command finds there, and that nothing of it is left."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import fakepi

pytestmark = pytest.mark.usefixtures("fake_pi")

DESCRIBE = "import RPIO; print(RPIO.RPI_INFO['REVISION'], RPIO.RPI_INFO['TYPE'], RPIO.describe(), sep='; ')"


def on_a_pi(*command, revision="a020d3", **options):
    return subprocess.run(
        [*fakepi.command(revision, **options), *command], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("revision", "model", "chip"),
    [
        ("a020d3", "Pi 3 Model B+", "bcm2835"),
        ("0002", "Model B", "bcm2835"),
        ("900093", "Zero", "bcm2835"),
        ("a020a0", "Compute Module 3", "bcm2835"),
        ("c03111", "Pi 4 Model B", "bcm2711"),
    ],
)
def test_rpio_finds_the_board_and_its_registers(revision, model, chip):
    done = on_a_pi("env", "RPIO_BACKEND=auto", sys.executable, "-c", DESCRIBE, revision=revision)
    said = done.stdout.split("; ")
    assert (said[0], said[1]) == (revision, model), done.stderr
    assert f"registers of brcm,{chip}-gpio through /dev/gpiomem" in said[2]


@pytest.mark.parametrize(("revision", "word"), [("a020d3", 0x6770696F), ("0002", 0x6770696F), ("c03111", 0)])
def test_word_60_tells_the_chips_apart(revision, word):
    page = fakepi.blank_page(revision)
    assert int.from_bytes(page[240:244], "little") == word
    assert len(page) == 4096


def test_the_registers_can_be_seen_from_outside(tmp_path):
    page = tmp_path / "page"
    page.write_bytes(fakepi.blank_page("a020d3"))
    script = "import RPIO; RPIO.setup(17, RPIO.OUT, initial=1)"
    done = on_a_pi("env", "RPIO_BACKEND=regs", sys.executable, "-c", script, memory=page)
    assert done.returncode == 0, done.stderr
    written = page.read_bytes()
    assert written[0x04:0x08] == (1 << 21).to_bytes(4, "little")
    assert written[0x1C:0x20] == (1 << 17).to_bytes(4, "little")


def test_edges_can_be_made_where_sysfs_is_wanted():
    assert on_a_pi("test", "-p", "/sys/class/gpio/gpio17/value", sysfs=True).returncode == 0
    assert on_a_pi("test", "-e", "/sys/class/gpio/gpio17/value").returncode == int(
        not Path("/sys/class/gpio/gpio17/value").exists()
    )


def test_nothing_is_seen_outside_and_nothing_is_left():
    before = Path("/proc/mounts").read_text(), Path("/proc/cpuinfo").read_text().count("Revision")
    inside = on_a_pi("sh", "-c", "cat /proc/mounts; ls /tmp", sysfs=True).stdout
    assert "/dev/gpiomem" in inside
    assert "fakepi-" not in inside.split("/dev/gpiomem")[-1]
    assert (Path("/proc/mounts").read_text(), Path("/proc/cpuinfo").read_text().count("Revision")) == before


def test_the_status_is_the_commands():
    assert on_a_pi("sh", "-c", "exit 3").returncode == 3
    assert on_a_pi("there-is-no-such-command").returncode == 127


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a capability to lose")
def test_it_says_what_to_do_where_namespaces_are_refused():
    def lose_cap_sys_admin():
        ctypes.CDLL(None).prctl(24, 21, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_ADMIN

    command = [*fakepi.command(), "true"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=lose_cap_sys_admin, check=False)
    assert done.returncode == fakepi.NOT_PERMITTED
    assert done.stderr.startswith(
        "fakepi: no mount namespace here (Operation not permitted: unshare(CLONE_NEWNS)): a"
    )
    assert done.stderr.count("\n") == 1


def test_there_are_no_other_chips():
    assert on_a_pi("sh", "-c", "ls /dev").stdout.split().count("gpiomem") == 1
    assert "gpiochip" not in on_a_pi("ls", "/dev").stdout


def test_dev_mem_is_a_file_for_root_that_nobody_sees_outside():
    before = os.stat("/dev/mem").st_rdev if Path("/dev/mem").exists() else None
    words = on_a_pi(
        "sh", "-c", "id -u; stat -c '%F %s' /dev/mem; ls /dev; grep Hardware /proc/cpuinfo", dev_mem=True
    )
    said = words.stdout.splitlines()
    assert said[:2] == ["0", f"regular file {fakepi.DEV_MEM_BYTES}"]
    assert "gpiomem" not in said
    assert said[-1].endswith("BCM2708")
    assert (os.stat("/dev/mem").st_rdev if Path("/dev/mem").exists() else None) == before
