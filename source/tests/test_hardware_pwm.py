# SPDX-License-Identifier: LGPL-3.0-or-later
"""Hardware PWM over a modelled kernel: the chips are folders, what is in their files is the model's."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import constants, errors
from RPIO.machine import boards, pwm_lines
from RPIO.pulses import pwmchip
from support import raises

PI3, PI4, PI5, CM3 = (boards.by_name(name) for name in ("3B", "4B", "5B", "CM3"))
RP1 = "axi/1000120000.pcie/1f00098000.pwm"


class Kernel:
    """What drivers/pwm/sysfs.c and core.c do with the files below /sys/class/pwm. Has the methods of Files.

    *limits*: the shortest and the longest period that the driver takes. *late*: so many times files of a channel that
    has just been exported may not be written. *states*: period, duty cycle and enable after each change.
    """

    def __init__(self, root):
        self.root = root
        self.channels = {}  # path -> settings
        self.holders = {}  # path -> "sysfs", or a driver
        self.limits = (100, 10**12)
        self.late = 0
        self.refused = set()  # files that may not be written at all
        self.states = []

    def add_chip(self, name, device, count):
        parent = self.root / "sys/devices/platform" / device
        folder = parent / "pwm" / name
        folder.mkdir(parents=True)
        (folder / "device").symlink_to(parent)
        link = self.root / "sys/class/pwm" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder)
        for number in range(count):
            self.channels[f"{link}/pwm{number}"] = {
                "period": 0,
                "duty_cycle": 0,
                "polarity": "normal",
                "enable": 0,
            }
        return str(link)

    def read(self, path):
        return str(self._find(path)[0][os.path.basename(path)])

    def write(self, path, text, until_s=0.0):
        folder, name = os.path.split(path)
        if path in self.refused:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        if name in ("export", "unexport"):
            getattr(self, "_" + name)(f"{folder}/pwm{int(text)}", path)
            return
        settings = self._find(path)[0]
        changed = {**settings, name: text if name == "polarity" else int(text)}
        if not changed["period"] or changed["duty_cycle"] > changed["period"]:
            raise OSError(errno.EINVAL, "Invalid argument", path)
        if not self.limits[0] <= changed["period"] <= self.limits[1]:
            raise OSError(errno.EINVAL, "Invalid argument", path)
        if settings["enable"] and changed["polarity"] != settings["polarity"]:
            raise OSError(errno.EBUSY, "Device or resource busy", path)
        settings.update(changed)
        self.states.append((settings["period"], settings["duty_cycle"], settings["enable"]))

    def check_writable(self, path, until_s=0.0):
        if path in self.refused or (self.late and not until_s):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        if not path.endswith("export"):
            self._find(path)

    def _find(self, path):
        folder = os.path.dirname(path)
        if self.holders.get(folder) != "sysfs":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return self.channels[folder], folder

    def _export(self, channel, path):
        if channel not in self.channels:
            raise OSError(errno.ENODEV, "No such device", path)
        if channel in self.holders:
            raise OSError(errno.EBUSY, "Device or resource busy", path)
        self.holders[channel] = "sysfs"

    def _unexport(self, channel, path):
        if self.holders.get(channel) != "sysfs":
            raise OSError(errno.ENODEV, "No such device", path)
        del self.holders[channel]


@pytest.fixture
def kernel(tmp_path):
    return Kernel(tmp_path)


@pytest.fixture
def pi4(kernel):
    """The modelled kernel of a Pi 4 with the overlay, its chip not the first one."""
    kernel.add_chip("pwmchip0", "soc/fe20c800.pwm", 2)
    kernel.chip = kernel.add_chip("pwmchip3", "soc/fe20c000.pwm", 2)
    return kernel


def find(kernel, line, hardware=PI4, held=()):
    return pwmchip.find(line, hardware, str(kernel.root), held, kernel)


@pytest.fixture
def channel(pi4):
    found = find(pi4, 18)
    found.export()
    return found


def settings_of(kernel, channel):
    return kernel.channels[channel.path]


# --- the model is the kernel's


def fails(number, do, *arguments):
    with pytest.raises(OSError) as caught:
        do(*arguments)
    assert caught.value.errno == number


def test_the_model_exports_once_and_unexports_once(pi4):
    fails(errno.ENODEV, pi4.write, f"{pi4.chip}/unexport", "0")
    fails(errno.ENOENT, pi4.read, f"{pi4.chip}/pwm0/period")
    pi4.write(f"{pi4.chip}/export", "0")
    fails(errno.EBUSY, pi4.write, f"{pi4.chip}/export", "0")
    fails(errno.ENODEV, pi4.write, f"{pi4.chip}/export", "2")
    assert pi4.read(f"{pi4.chip}/pwm0/period") == "0"
    pi4.write(f"{pi4.chip}/unexport", "0")
    fails(errno.ENOENT, pi4.write, f"{pi4.chip}/pwm0/period", "1000")


def test_the_model_takes_nothing_before_there_is_a_period(pi4):
    pi4.write(f"{pi4.chip}/export", "0")
    for name, text in (("duty_cycle", "0"), ("enable", "0"), ("enable", "1"), ("polarity", "normal")):
        fails(errno.EINVAL, pi4.write, f"{pi4.chip}/pwm0/{name}", text)
    pi4.write(f"{pi4.chip}/pwm0/period", "1000")
    pi4.write(f"{pi4.chip}/pwm0/enable", "1")


def test_the_model_takes_no_duty_cycle_above_the_period(pi4):
    pi4.write(f"{pi4.chip}/export", "0")
    pi4.write(f"{pi4.chip}/pwm0/period", "1000")
    fails(errno.EINVAL, pi4.write, f"{pi4.chip}/pwm0/duty_cycle", "1001")
    pi4.write(f"{pi4.chip}/pwm0/duty_cycle", "1000")
    fails(errno.EINVAL, pi4.write, f"{pi4.chip}/pwm0/period", "999")


def test_the_model_changes_polarity_only_while_off(pi4):
    pi4.write(f"{pi4.chip}/export", "0")
    pi4.write(f"{pi4.chip}/pwm0/period", "1000")
    pi4.write(f"{pi4.chip}/pwm0/enable", "1")
    fails(errno.EBUSY, pi4.write, f"{pi4.chip}/pwm0/polarity", "inversed")
    pi4.write(f"{pi4.chip}/pwm0/enable", "0")
    pi4.write(f"{pi4.chip}/pwm0/polarity", "inversed")


# --- which line, which channel


@pytest.mark.parametrize(
    ("hardware", "device", "channels"),
    [
        (PI3, "soc/3f20c000.pwm", {12: 0, 13: 1, 18: 0, 19: 1}),
        (boards.by_name("Zero"), "soc/2020c000.pwm", {12: 0, 13: 1, 18: 0, 19: 1}),
        (boards.by_name("B"), "soc/2020c000.pwm", {18: 0}),
        (PI4, "soc/fe20c000.pwm", {12: 0, 13: 1, 18: 0, 19: 1}),
        (boards.by_name("CM4"), "soc/fe20c000.pwm", {12: 0, 13: 1, 18: 0, 19: 1, 45: 1}),
        (CM3, "soc/3f20c000.pwm", {12: 0, 13: 1, 18: 0, 19: 1, 40: 0, 41: 1, 45: 1}),
        (PI5, RP1, {12: 0, 13: 1, 14: 2, 15: 3, 18: 2, 19: 3}),
    ],
    ids=lambda value: getattr(value, "model", None),
)
def test_a_line_is_found_by_the_device_of_its_chip(kernel, hardware, device, channels):
    kernel.add_chip("pwmchip0", "axi/1000120000.pcie/1f0009c000.pwm", 4)
    chip = kernel.add_chip("pwmchip2", device, 4)
    assert set(pwm_lines.lines(hardware)) == set(channels)
    for line, number in channels.items():
        found = find(kernel, line, hardware)
        assert (found.path, found.number, found.line) == (f"{chip}/pwm{number}", number, line)
        assert not found.is_open


@pytest.mark.parametrize(
    ("device", "gpios", "line", "overlay"),
    [
        ("pwm_pio@11", None, 17, "pwm-pio"),
        ("pwm-pio@1b", None, 27, "pwm-pio"),
        ("pwm_gpio@4", None, 4, "pwm-gpio"),
        ("pwm_gpio@0", (7, 22, 0), 22, "pwm-gpio"),  # the tree knows better than the name
        ("pwm-gpio", (7, 5, 0), 5, "pwm-gpio"),
    ],
)
@pytest.mark.parametrize("hardware", [PI4, PI5])
def test_a_line_with_a_chip_of_its_own_has_hardware_pwm_whichever_it_is(
    kernel, device, gpios, line, overlay, hardware
):
    kernel.add_chip("pwmchip0", "soc/fe20c000.pwm", 2)
    chip = kernel.add_chip("pwmchip1", device, 1)
    if gpios is not None:
        node = kernel.root / "sys/devices/platform" / device / "of_node"
        node.mkdir()
        (node / "gpios").write_bytes(b"".join(cell.to_bytes(4, "big") for cell in gpios))
    assert pwm_lines.own_chips(str(kernel.root)) == {line: (chip, overlay)}
    channel = find(kernel, line, hardware)
    channel.export()
    channel.set(1000, 250)
    channel.enable()
    assert channel.path == f"{chip}/pwm0"
    assert settings_of(kernel, channel)["duty_cycle"] == 250
    with raises(errors.PWMExistsError, f"GPIO {line}: this program uses its hardware PWM already"):
        find(kernel, line, hardware, [channel])


@pytest.mark.parametrize("device", ["pwm-gpio", "pwm_pio@zz", "soc/fe20c000.pwm", "pwm-fan@4"])
def test_a_chip_whose_line_is_not_known_is_no_lines_own(kernel, device):
    kernel.add_chip("pwmchip0", device, 1)
    assert pwm_lines.own_chips(str(kernel.root)) == {}


def test_a_machine_without_pwm_has_no_chip(tmp_path):
    assert pwm_lines.own_chips(str(tmp_path)) == {}


OWN = "put dtoverlay=pwm-{},gpio={} into config.txt and reboot, which gives it PWM of the kernel's"


@pytest.mark.parametrize(
    ("line", "hardware", "named"),
    [
        (17, PI4, f"lines that have: 12, 13, 18, 19; {OWN.format('gpio', 17)}"),
        (40, PI3, f"lines that have: 12, 13, 18, 19; {OWN.format('gpio', 40)}"),
        (14, PI4, f"lines that have: 12, 13, 18, 19; {OWN.format('gpio', 14)}"),
        (17, PI5, f"lines that have: 12, 13, 14, 15, 18, 19; {OWN.format('pio', 17)}"),
        (28, PI5, f"lines that have: 12, 13, 14, 15, 18, 19; {OWN.format('gpio', 28)}"),
        (12, boards.by_name("B"), f"lines that have: 18; {OWN.format('gpio', 12)}"),
        (18, boards.generic(54, "gpio-sim", "Linux board"), ""),
    ],
)
def test_a_line_without_hardware_pwm_names_those_that_have_it(pi4, line, hardware, named):
    with raises(errors.NotSupportedError, f"GPIO {line} has no hardware PWM on {hardware.name}") as caught:
        find(pi4, line, hardware)
    assert caught.value.hint == named


@pytest.mark.parametrize(
    ("line", "hardware", "text"),
    [
        (18, PI4, "dtoverlay=pwm,pin=18,func=2"),
        (12, PI3, "dtoverlay=pwm,pin=12,func=4"),
        (13, PI5, "dtoverlay=pwm,pin=13,func=4"),
        (19, PI5, "dtoverlay=pwm,pin=19,func=2"),
    ],
)
@pytest.mark.parametrize("others", [[], ["soc/fe20c800.pwm", "pwm-gpio"]], ids=["none", "others"])
def test_a_missing_chip_gets_the_line_for_config_txt(kernel, line, hardware, text, others):
    for number, device in enumerate(others):
        kernel.add_chip(f"pwmchip{number}", device, 2)
    with raises(errors.NotSupportedError, f"GPIO {line}: the kernel shows no hardware PWM") as caught:
        find(kernel, line, hardware)
    assert caught.value.hint == f"put {text} into config.txt and reboot"


def test_a_line_that_no_overlay_knows_gets_its_twin(kernel):
    with pytest.raises(errors.NotSupportedError) as caught:
        find(kernel, 14, PI5)
    assert caught.value.hint == (
        "put dtoverlay=pwm,pin=18,func=2 into config.txt, reboot and use GPIO 18, which has the same channel; "
        "no overlay knows GPIO 14: after each boot, 'sudo pinctrl set 14 a0' connects it as well"
    )
    assert "GPIO 19, which has the same channel" in pwm_lines.advice(15, PI5)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ((12, 13), "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4"),
        ((19, 12), "dtoverlay=pwm-2chan,pin=12,func=4,pin2=19,func2=2"),
        ((18,), "dtoverlay=pwm,pin=18,func=2"),
    ],
)
def test_the_overlay_of_one_line_or_two(wanted, text):
    assert pwm_lines.overlay(wanted, PI4) == pwm_lines.overlay(wanted, PI5) == text


@pytest.mark.parametrize(
    ("wanted", "named"),
    [((), "no line"), ((14,), "GPIO 14"), ((17,), "GPIO 17"), ((12, 13, 18), "GPIO 12, GPIO 13, GPIO 18")],
)
def test_what_no_overlay_can_do(wanted, named):
    with raises(errors.NotSupportedError, f"There is no overlay that connects {named} to hardware PWM"):
        pwm_lines.overlay(wanted, PI5)


@pytest.mark.parametrize(
    ("line", "hardware", "function"),
    [
        (12, PI4, constants.ALT0),
        (18, PI4, constants.ALT5),
        (12, PI5, constants.ALT0),
        (14, PI5, constants.ALT0),
        (18, PI5, constants.ALT3),
        (17, PI4, None),
        (14, PI4, None),
    ],
)
def test_a_line_is_muxed_when_it_has_that_one_function(line, hardware, function):
    for code in constants.FUNCTION_NAMES:
        assert pwm_lines.is_muxed(code, line, hardware) == (code == function)


def test_files_that_may_not_be_written_are_no_access_with_a_hint(pi4):
    pi4.refused.add(f"{pi4.chip}/export")
    with pytest.raises(errors.NoAccessError) as caught:
        find(pi4, 18)
    assert str(caught.value.filename) == f"{pi4.chip}/export"
    assert caught.value.hint


def test_two_lines_of_one_channel_do_not_go_together(pi4, channel):
    with raises(
        errors.PWMExistsError,
        "GPIO 12 and GPIO 18 are one channel (0) of the hardware PWM, which GPIO 18 uses",
    ) as caught:
        find(pi4, 12, held=[channel])
    assert caught.value.hint == "lines with another channel: 13, 19"
    with raises(errors.PWMExistsError, "GPIO 18: this program uses its hardware PWM already"):
        find(pi4, 18, held=[channel])
    assert find(pi4, 13, held=[channel]).number == 1
    channel.close()
    assert find(pi4, 12, held=[channel]).number == 0


# --- taking a channel and giving it back


def test_a_channel_is_exported_and_given_back(pi4):
    channel = find(pi4, 18)
    for _ in range(2):
        channel.export()
        assert channel.is_open
        assert pi4.holders == {channel.path: "sysfs"}
    channel.set(20_000_000, 1_500_000)
    channel.enable()
    channel.enable()
    for _ in range(2):
        channel.close()
        assert not channel.is_open
        assert pi4.holders == {}
    assert settings_of(pi4, channel)["enable"] == 0


def test_udev_may_be_late(pi4):
    channel = find(pi4, 18)
    pi4.late = 1
    channel.export()  # the model has no patience with who does not say how long to wait
    assert channel.is_open


@pytest.mark.parametrize("name", pwmchip.SETTINGS)
def test_files_that_stay_shut_are_no_access_and_the_channel_is_given_back(pi4, name):
    channel = find(pi4, 18)
    pi4.refused.add(f"{channel.path}/{name}")
    with pytest.raises(errors.NoAccessError, match=name):
        channel.export()
    assert not channel.is_open
    assert pi4.holders == {}


def test_a_channel_that_is_on_for_another_program_is_refused(pi4, channel):
    channel.set(1000, 500)
    channel.enable()
    other = find(pi4, 12)
    with raises(
        errors.LineBusyError,
        f"[Errno {errno.EBUSY}] GPIO 12: channel 0 of {pi4.chip} is in use by another program, "
        f"which has exported it and switched it on: '{other.path}'",
    ) as caught:
        other.export()
    assert f"echo 0 | sudo tee {other.path}/enable" in caught.value.hint
    other.close()
    assert pi4.holders == {channel.path: "sysfs"}
    assert settings_of(pi4, channel)["enable"] == 1


def test_a_channel_that_a_driver_has_is_refused(pi4):
    channel = find(pi4, 18)
    pi4.holders[channel.path] = "pwm-fan"
    with pytest.raises(errors.LineBusyError, match="in use by a driver of the kernel"):
        channel.export()
    assert pi4.holders == {channel.path: "pwm-fan"}


def test_a_channel_that_was_exported_and_off_is_used_and_stays_exported(pi4):
    channel = find(pi4, 18)
    pi4.write(f"{pi4.chip}/export", "0")
    channel.export()
    channel.set(1000, 500)
    channel.enable()
    channel.close()
    assert pi4.holders == {channel.path: "sysfs"}
    assert settings_of(pi4, channel)["enable"] == 0


def test_pulses_that_nobody_holds_end_with_the_export(pi4):
    channel = find(pi4, 18)
    settings_of(pi4, channel).update(period=1000, duty_cycle=500, enable=1, polarity="inversed")
    channel.export()
    assert settings_of(pi4, channel)["enable"] == 0
    channel.set(1000, 200)
    channel.enable()
    assert settings_of(pi4, channel) == {"period": 1000, "duty_cycle": 200, "polarity": "normal", "enable": 1}


def test_an_inversed_channel_without_a_period_becomes_normal(pi4):
    channel = find(pi4, 18)
    settings_of(pi4, channel)["polarity"] = "inversed"
    channel.export()
    channel.set(1000, 200)
    channel.enable()
    assert settings_of(pi4, channel)["polarity"] == "normal"


@pytest.mark.parametrize("what", ["set", "enable", "disable"])
def test_a_channel_that_somebody_else_unexports_has_gone(pi4, channel, what):
    channel.set(1000, 200)
    pi4.write(f"{pi4.chip}/unexport", "0")
    with pytest.raises(errors.LineGoneError, match="GPIO 18: its hardware PWM has gone"):
        getattr(channel, what)(*((1000, 300) if what == "set" else ()))
    channel.close()
    assert not channel.is_open


def test_a_closed_channel_does_nothing(pi4, channel):
    channel.close()
    channel.disable()
    for call in (lambda: channel.set(1000, 1), channel.enable):
        with raises(ValueError, "GPIO 18: its hardware PWM is not exported: export() first"):
            call()
    assert pi4.states == []
    channel.export()
    channel.set(1000, 1)


# --- the pulses


def test_a_fresh_channel_has_no_period_to_be_enabled_with(pi4, channel):
    with raises(ValueError, "GPIO 18: set() says which pulses, then enable()"):
        channel.enable()
    channel.disable()
    channel.set(20_000_000, 1_500_000)
    assert pi4.states == [(20_000_000, 0, 0), (20_000_000, 1_500_000, 0)]


def test_what_is_the_same_already_is_not_written(pi4, channel):
    channel.set(1000, 500)
    del pi4.states[:]
    channel.set(1000, 500)
    assert pi4.states == []
    channel.set(1000, 600)
    assert pi4.states == [(1000, 600, 0)]


@pytest.mark.parametrize(("period", "high"), [(0, 0), (-1, -1), (1000, 1001), (1000, -1)])
def test_pulses_that_cannot_be_change_nothing(pi4, channel, period, high):
    channel.set(1000, 500)
    del pi4.states[:]
    with raises(ValueError, f"GPIO 18: {high} ns high in a period of {period} ns cannot be"):
        channel.set(period, high)
    assert pi4.states == []


@pytest.mark.parametrize(("period", "high"), [(99, 40), (10**12 + 1, 900)])
def test_a_period_that_the_hardware_refuses_is_a_value_error_and_changes_nothing(pi4, channel, period, high):
    channel.set(1000, 500)
    with raises(ValueError, f"GPIO 18: the hardware cannot have {high} ns high in a period of {period} ns"):
        channel.set(period, high)
    assert (settings_of(pi4, channel)["period"], settings_of(pi4, channel)["duty_cycle"]) == (1000, 500)


@given(
    waves=st.lists(
        st.integers(100, 10**6).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p))), min_size=1
    ),
    is_on=st.booleans(),
)
@pytest.mark.slow
def test_any_sequence_of_waves_is_taken_and_between_two_there_is_no_third_width(
    tmp_path_factory, waves, is_on
):
    kernel = Kernel(tmp_path_factory.mktemp("machine"))
    kernel.add_chip("pwmchip0", "soc/fe20c000.pwm", 2)
    channel = find(kernel, 18)
    channel.export()
    before, was_on = (0, 0), False
    for period, high in waves:
        del kernel.states[:]
        channel.set(period, high)  # the model raises what the kernel would
        for seen_period, seen_high, enable in kernel.states:
            assert seen_high <= seen_period
            assert enable == was_on
            assert seen_period in (before[0], period)
            assert seen_high in (before[1], high)
        if is_on:
            channel.enable()
        now = settings_of(kernel, channel)
        assert (now["period"], now["duty_cycle"], now["enable"]) == (period, high, is_on)
        before, was_on = (period, high), is_on


# --- the files themselves


def test_the_real_files_are_read_and_written(tmp_path):
    """Without the model: files that take anything, as a look at which are touched, and how."""
    chip = tmp_path / "sys/class/pwm/pwmchip0"
    (chip / "pwm0").mkdir(parents=True)
    (tmp_path / "soc/fe20c000.pwm").mkdir(parents=True)
    (chip / "device").symlink_to(tmp_path / "soc/fe20c000.pwm")
    for name in ("export", "unexport"):
        (chip / name).touch()
    for name, text in (("period", "0"), ("duty_cycle", "0"), ("polarity", "inversed"), ("enable", "0")):
        (chip / "pwm0" / name).write_text(f"{text}\n")
    channel = pwmchip.find(18, PI4, str(tmp_path))
    channel.export()
    channel.set(2000, 1000)
    channel.close()
    texts = {name: (chip / "pwm0" / name).read_text() for name in ("period", "duty_cycle")}
    assert texts == {"period": "2000", "duty_cycle": "1000"}
    assert ((chip / "export").read_text(), (chip / "unexport").read_text()) == ("0", "0")
