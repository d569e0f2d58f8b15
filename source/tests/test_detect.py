# SPDX-License-Identifier: LGPL-3.0-or-later
"""Detection over directories that stand in for machines."""

import grp
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from RPIO.machine import access, detect

PI3 = (b"raspberrypi,3-model-b", b"brcm,bcm2837")
PI4 = (b"raspberrypi,4-model-b", b"brcm,bcm2711")
PI5 = (b"raspberrypi,5-model-b", b"brcm,bcm2712")

CPUINFO_PI1 = """\
processor\t: 0
model name\t: ARMv6-compatible processor rev 7 (v6l)
CPU revision\t: 7

Hardware\t: BCM2708
Revision\t: 1000002
Serial\t\t: 0000000000000000
"""
CPUINFO_PI4_64_BIT = """\
processor\t: 0
CPU revision\t: 3

Revision\t: c03114
Serial\t\t: 1000000000000000
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""
CPUINFO_PC = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Some Processor
"""
CPUINFO_OTHER_ARM = """\
processor\t: 0
Hardware\t: Freescale i.MX6 Quad/DualLite (Device Tree)
Revision\t: a020d3
"""


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes a machine's files and gives the root."""

    def write(*, cpuinfo=None, revision=None, compatibles=None, model=None, ranges=None):
        tree = "proc/device-tree/"
        files = {
            "proc/cpuinfo": cpuinfo and cpuinfo.encode(),
            tree + "system/linux,revision": revision.to_bytes(4, "big") if revision is not None else None,
            tree + "compatible": compatibles and b"\0".join(compatibles) + b"\0",
            tree + "model": model and model.encode() + b"\0",
            tree + "soc/ranges": ranges and b"".join(word.to_bytes(4, "big") for word in ranges),
        }
        for path, content in files.items():
            if content is not None:
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(content)
        return str(tmp_path)

    return write


# --- detect


def test_the_device_trees_revision_code_is_read_big_endian(machine):
    hardware = detect.detect(machine(revision=0xA020D3, cpuinfo=CPUINFO_PI1))
    assert (hardware.model, hardware.revision_hex, hardware.soc) == ("3B+", "a020d3", "BCM2837")


def test_an_old_board_has_its_code_in_cpuinfo(machine):
    hardware = detect.detect(machine(cpuinfo=CPUINFO_PI1))
    assert hardware.sysinfo == ("0002", "B", "1.0", 256, "?")
    assert hardware.p1_revision == 1
    assert hardware.rpi_info["REVISION"] == "1000002"


def test_a_container_that_hides_the_device_tree_has_a_model_line(machine):
    hardware = detect.detect(machine(cpuinfo=CPUINFO_PI4_64_BIT))
    assert (hardware.model, hardware.soc, hardware.pcb_revision) == ("4B", "BCM2711", "1.4")


def test_the_soc_of_the_device_tree_wins(machine):
    root = machine(revision=0xA01041, compatibles=(b"raspberrypi,2-model-b-rev2", b"brcm,bcm2837"))
    assert detect.detect(root).soc == "BCM2837"


@pytest.mark.parametrize(
    "cpuinfo", [None, "Hardware\t: BCM2835\nRevision\t: 0000\n"], ids=["QEMU", "upstream"]
)
def test_a_kernel_without_revision_code_has_the_device_tree(machine, cpuinfo):
    hardware = detect.detect(machine(compatibles=PI3, model="Raspberry Pi 3 Model B", cpuinfo=cpuinfo))
    assert (hardware.model, hardware.soc, hardware.revision_code) == ("3B", "BCM2837", None)
    assert hardware.chip_label == "pinctrl-bcm2835"


def test_a_revision_code_of_zero_counts_as_none(machine):
    assert detect.detect(machine(revision=0, compatibles=PI4)).model == "4B"


def test_a_compute_module_is_told_from_its_lite_by_the_model(machine):
    root = machine(
        compatibles=(b"raspberrypi,5-compute-module", b"brcm,bcm2712"),
        model="Raspberry Pi Compute Module 5 Lite Rev 1.0",
    )
    hardware = detect.detect(root)
    assert (hardware.model, hardware.p1_revision) == ("CM5 Lite", 0)


def test_an_unknown_board_keeps_the_name_that_the_device_tree_has(machine):
    root = machine(
        revision=0xD047F0,
        compatibles=(b"raspberrypi,6-model-b", b"brcm,bcm2712"),
        model="Raspberry Pi 6 Model B Rev 1.0",
    )
    hardware = detect.detect(root)
    assert (hardware.model, hardware.name, hardware.memory_mb) == ("Unknown", "Raspberry Pi 6 Model B", 8192)


def test_a_hardware_line_alone_makes_it_a_pi_of_unknown_kind(machine):
    hardware = detect.detect(machine(cpuinfo="Hardware\t: BCM2835\nRevision\t: 0000\n"))
    assert (hardware.is_pi, hardware.model, hardware.soc) == (True, "Unknown", "Unknown")


def test_an_industrial_board_with_a_pis_revision_code_is_that_pi(machine):
    root = machine(revision=0xA020A0, compatibles=(b"kunbus,revpi-core", b"brcm,bcm2837"))
    assert detect.detect(root).model == "CM3"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpuinfo": CPUINFO_PC},
        {"cpuinfo": CPUINFO_OTHER_ARM},
        {"compatibles": (b"radxa,rock-5b", b"rockchip,rk3588"), "model": "Radxa ROCK 5B"},
        {"compatibles": (b"roku,n1000", b"brcm,bcm2835"), "cpuinfo": "Hardware : BCM2835\nRevision : 0000\n"},
    ],
    ids=["nothing", "PC", "other ARM", "other device tree", "other BCM2835"],
)
def test_a_machine_that_is_no_raspberry_pi_is_none(machine, files):
    root = machine(**files)
    assert detect.detect(root) is None
    assert detect.peripheral_base(root) is None


@pytest.mark.parametrize("text", ["", "zzz", "-2", "0x", "123456789", "ffff ffff"])
def test_an_odd_revision_in_cpuinfo_is_as_good_as_none(machine, text):
    root = machine(cpuinfo=f"Hardware\t: BCM2835\nRevision\t: {text}\n", compatibles=PI3)
    assert detect.detect(root).model == "3B"


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00\xa0\x20", b"\x00\xa0\x20\xd3\x00"])
def test_an_odd_revision_in_the_device_tree_is_as_good_as_none(machine, tmp_path, content):
    root = machine(revision=1, compatibles=PI4)
    (tmp_path / "proc/device-tree/system/linux,revision").write_bytes(content)
    assert detect.detect(root).model == "4B"


def test_directories_in_the_place_of_files_are_as_good_as_none(tmp_path):
    for path in (detect.REVISION, detect.COMPATIBLE, detect.MODEL, detect.RANGES, detect.CPUINFO):
        (tmp_path / path).mkdir(parents=True)
    assert detect.detect(str(tmp_path)) is None
    assert detect.peripheral_base(str(tmp_path)) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=5, max_size=5))
def test_any_bytes_in_the_files_are_survived(tmp_path, contents):
    for path, content in zip(
        (detect.REVISION, detect.COMPATIBLE, detect.MODEL, detect.RANGES, detect.CPUINFO),
        contents,
        strict=True,
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    detect.detect(str(tmp_path))
    detect.peripheral_base(str(tmp_path))


def test_this_machine_is_survived():
    hardware = detect.detect()
    assert hardware is None or hardware.is_pi


# --- peripheral_base


@pytest.mark.parametrize(
    ("ranges", "base"),
    [
        ((0x7E000000, 0x20000000, 0x02000000), 0x20000000),
        ((0x7E000000, 0x3F000000, 0x01000000, 0x40000000, 0x40000000, 0x1000), 0x3F000000),
        ((0x7E000000, 0, 0xFE000000, 0x01800000, 0x7C000000, 0, 0xFC000000, 0x02000000), 0xFE000000),
        ((0x7E000000, 4, 0x7E000000, 0x01800000), 0x47E000000),
    ],
    ids=["BCM2835", "BCM2837", "BCM2711", "BCM2711, high peripherals"],
)
def test_the_peripheral_base_is_read_from_ranges(machine, ranges, base):
    assert detect.peripheral_base(machine(ranges=ranges)) == base


@pytest.mark.parametrize(
    "ranges", [None, (0x7E000000,), (0x7E000000, 0, 0), (0x7C000000, 0x10, 0x7C000000, 0x04000000)]
)
@pytest.mark.parametrize(("compatibles", "base"), [(PI3, 0x3F000000), (PI4, 0xFE000000), (PI5, None)])
def test_without_sensible_ranges_the_table_has_the_peripheral_base(machine, ranges, compatibles, base):
    assert detect.peripheral_base(machine(ranges=ranges, compatibles=compatibles)) == base


# --- access_hint


@pytest.fixture
def user(monkeypatch):
    """Be an ordinary user, in no group that matters; return a function that names the files' group."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 987654)
    monkeypatch.setattr(os, "getgroups", lambda: [])

    def group(name):
        def getgrgid(gid):
            if name is None:
                raise KeyError(gid)
            return grp.struct_group((name, "x", gid, []))

        monkeypatch.setattr(grp, "getgrgid", getgrgid)

    group("gpio")
    return group


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "gpiochip0"
    path.touch()
    path.chmod(0o660)
    return str(path)


def test_the_hint_names_file_group_and_command(user, device):
    assert access.access_hint(device) == (
        f"{device} belongs to group gpio: type 'sudo usermod -aG gpio $USER', then log in again"
    )


def test_the_hint_for_another_group_names_that_group(user, device):
    user("dialout")
    assert "sudo usermod -aG dialout $USER" in access.access_hint(device)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/dev/gpiochip99", "no GPIO chip"),
        ("/dev/gpiomem99", "no gpiomem driver"),
        ("/dev/i2c-99", "dtparam=i2c_arm=on"),
        ("/dev/spidev99.0", "dtparam=spi=on"),
        ("/dev/no-such-device", "driver for it is not loaded"),
        ("/dev/null/below-a-file", "driver for it is not loaded"),
        ("/dev/odd\0name", "driver for it is not loaded"),
    ],
)
def test_the_hint_for_a_file_that_is_not_there(path, says):
    hint = access.access_hint(path)
    assert hint.startswith(f"{path} does not exist: ")
    assert says in hint


def test_the_hint_for_a_directory_that_may_not_be_searched(monkeypatch):
    def stat(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", stat)
    hint = access.access_hint("/dev/x/gpiochip0")
    assert hint == "/dev/x/gpiochip0 cannot be looked at (Permission denied): run with sudo"


@pytest.mark.parametrize(
    ("group", "mode", "owner"),
    [
        ("root", 0o600, "group root (mode 600)"),
        ("root", 0o660, "group root (mode 660)"),
        ("gpio", 0o600, "group gpio (mode 600)"),
        ("gpio", 0o640, "group gpio (mode 640)"),
        (None, 0o660, "group 4242 (which has no name) (mode 660)"),
    ],
)
def test_where_no_group_helps_the_hint_is_sudo_or_the_command_of_the_doctor(user, group, mode, owner):
    hint = access._advice("/dev/gpiochip0", group, 4242, mode, False)
    assert hint == (
        f"/dev/gpiochip0 belongs to {owner}: run with sudo, or give it to the group gpio: 'rpio doctor' prints the "
        "command"
    )


def test_a_group_without_a_name_is_shown_by_its_number(user, device):
    user(None)
    assert f"group {os.stat(device).st_gid} (which has no name)" in access.access_hint(device)


@pytest.mark.parametrize(
    ("path", "kernel", "group"),
    [
        ("/dev/gpiochip0", "gpiochip*", "gpio"),
        ("/dev/i2c-1", "i2c-*", "i2c"),
        ("/dev/spidev0.1", "spidev*", "spi"),
        ("/dev/gpiomem0", "gpiomem*", "gpio"),
    ],
)
def test_the_udev_rule_fits_the_device(path, kernel, group):
    rule = f'KERNEL=="{kernel}", GROUP="{group}", MODE="0660"'
    assert access.udev_rule(path) == (rule, f"/etc/udev/rules.d/60-{group}.rules", group)


def test_whose_a_file_is(tmp_path):
    (tmp_path / "file").write_text("")
    os.chmod(tmp_path / "file", 0o640)
    assert access.ownership(str(tmp_path / "file")).endswith(", 0640)")
    assert access.ownership(str(tmp_path / "nothing")) == ""


def test_sysfs_has_no_udev_rule(user):
    hint = access._advice("/sys/class/gpio/export", "root", 0, 0o200, False)
    assert hint.endswith("run with sudo")


def test_dev_mem_is_for_root_alone(user):
    hint = access._advice("/dev/mem", "kmem", 15, 0o640, False)
    assert hint == "/dev/mem belongs to group kmem and is for root alone: run with sudo"


def test_who_is_in_the_group_already_is_in_a_container(user, monkeypatch, device):
    monkeypatch.setattr(os, "getgroups", lambda: [os.stat(device).st_gid])
    assert f"docker run --device {device}" in access.access_hint(device)
    os.chmod(device, 0o600)
    assert "run with sudo" in access.access_hint(device)


def test_root_is_in_a_container(user, monkeypatch, device):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert f"docker run --device {device}" in access.access_hint(device)


@given(st.text())
@settings(max_examples=50)
def test_the_hint_never_raises(path):
    assert path in access.access_hint(path)
