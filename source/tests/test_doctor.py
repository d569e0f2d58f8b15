# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio doctor``: every finding, on a machine where it is so, and how findings are printed."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelled import GPIO_GROUP, Backend, Model, pi4, pi5
from RPIO import cli, errors
from RPIO.cli import doctor
from RPIO.constants import VERSION
from RPIO.doctor import board, lines, overlays, patient, power
from RPIO.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding, count, gpios
from RPIO.machine import boards
from RPIO.machine.power import THROTTLED

RULE = 'KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"'
CONFIG = "boot/firmware/config.txt"
TREE_GPIO = {"proc/device-tree/__symbols__/gpio": b"/soc/gpio\0"}


def found(model, check=None):
    """The findings of a machine, of one check or all: (check, status, text, advice, command)."""
    rows = [(name, f.status, f.text, f.advice, f.command) for _, name, f in doctor.findings(model)]
    return [row for row in rows if check in (None, row[0])]


def statuses(model):
    return {status for _, status, _, _, _ in found(model)}


# -- machines: what is done to a healthy one, and what the doctor finds -------------------------------------


def old_kernel(folder):
    return pi4(folder, release="5.4.83-v7+", backend=Backend("regs", ("edges", "functions")))


def io_uring_off(folder):
    return pi4(folder, files={"proc/sys/kernel/io_uring_disabled": "2\n"})


def not_in_the_group(folder):
    return pi4(folder, gids={1000}, files={"etc/group": "gpio:x:986:\ni2c:x:994:\n"})


def in_the_group_but_not_in_the_session(folder):
    return pi4(folder, gids={1000})


def no_udev_rule(folder):
    return pi4(folder, devices={"/dev/gpiochip0": (0, 0, 0o600)})


def no_udev_rule_at_all(folder):
    return pi4(folder, devices=dict.fromkeys(("/dev/gpiochip0", "/dev/gpiomem"), (0, 0, 384)))


def passed_in_by_halves(folder):
    model = pi4(folder)
    model.may_open = lambda name: False
    return model


def pigpiod(folder):
    return pi4(folder).process(411, "pigpiod", "/usr/bin/pigpiod -l")


def pigpio_in_a_program(folder):
    return pi4(folder, files={"var/run/pigpio.pid": "412\n"}).process(412, "servo", "./servo")


def rgpiod(folder):
    return pi4(folder).process(413, "rgpiod", "rgpiod")


def under_voltage_now(folder):
    return pi4(folder).program("vcgencmd", "throttled=0x50005\n")


def under_voltage_by_the_sensor(folder):
    return pi4(
        folder,
        files={"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"},
    ).program("vcgencmd")


def under_voltage_in_the_past(folder):
    return pi4(folder).program("vcgencmd", "throttled=0x50000\n")


def too_hot(folder):
    return pi4(folder, files={THROTTLED.lstrip("/"): "e0008\n"}).program("vcgencmd")


def power_unknown(folder):
    return pi4(folder).program("vcgencmd")


def both_packages(folder):
    return (
        pi4(folder)
        .package("RPi.GPIO", "0.7.1", "RPi/GPIO/__init__.py", "RPi/__init__.py")
        .package("rpi-lgpio", "0.6")
    )


def both_packages_of_pip(folder):
    model = both_packages(folder)
    site = folder / "home/pi/.venv/lib/python3.11/site-packages"
    site.parent.mkdir(parents=True)
    (folder / "usr/lib/python3/dist-packages").rename(site)
    model.search_path = [str(site)]
    model.executable = "/home/pi/.venv/bin/python"
    return model


def rpio_by_that_name(folder):
    return pi5(folder).package("RPi.GPIO", "0.7.1+rpio", "RPi/GPIO/__init__.py", "RPi/__init__.py")


def rpio_by_that_name_and_rpi_lgpio(folder):
    model = both_packages_of_pip(folder)
    site = folder / "home/pi/.venv/lib/python3.11/site-packages"
    info = (site / "RPi.GPIO-0.7.1.dist-info").rename(site / "RPi.GPIO-0.7.1+rpio.dist-info")
    (info / "METADATA").write_text("Name: RPi.GPIO\nVersion: 0.7.1+rpio\n")
    (info / "direct_url.json").write_text('{"url": "file:///home/pi/my%20rpio/rpi", "dir_info": {}}')
    return model


def rpi_gpio_on_a_pi_5(folder):
    return pi5(folder).package("RPi.GPIO", "0.7.1", "RPi/GPIO/__init__.py", "RPi/__init__.py")


def rpi_of_nobody(folder):
    return pi4(folder, files={"usr/lib/python3/dist-packages/RPi/__init__.py": ""})


def rpio_of_2013(folder):
    return pi4(folder).package("RPIO", "0.10.0")


def file_that_hides_the_library(folder):
    return pi4(folder, files={"home/pi/RPIO.py": ""})


def without_core(folder):
    model = pi4(folder)
    model.has_core = False
    return model


def laptop_without_core(folder):
    model = Model(folder, backend=Backend())
    model.has_core = False
    return model


def pure_on_purpose(folder):
    model = without_core(folder)
    model.environ = {**model.environ, "RPIO_PURE": "1"}
    return model


def python_path(folder):
    model = pi4(folder, files={"opt/lib/RPi/__init__.py": ""})
    model.environ["PYTHONPATH"] = "/opt/lib"
    return model


def gpiozero_without_a_library(folder):
    return pi4(folder).package("gpiozero", "2.0.1", "gpiozero/__init__.py")


def gpiozero_with_lgpio(folder):
    return gpiozero_without_a_library(folder).package("lgpio", "0.2.2", "lgpio.py")


def gpiozero_told(folder):
    model = gpiozero_without_a_library(folder)
    model.environ["GPIOZERO_PIN_FACTORY"] = "pigpio"
    return model


def gpiozero_told_ours(folder):
    model = gpiozero_without_a_library(folder)
    model.environ["GPIOZERO_PIN_FACTORY"] = "rpio"
    return model


def venv_without_the_systems_packages(folder):
    model = pi4(
        folder,
        files={
            "usr/lib/python3/dist-packages/RPi/GPIO/__init__.py": "",
            "usr/lib/python3/dist-packages/lgpio.py": "",
            "home/pi/.venv/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = false\n",
        },
    )
    model.prefix, model.executable = "/home/pi/.venv", "/home/pi/.venv/bin/python"
    model.search_path = [str(folder / "home/pi/.venv/lib/python3.11/site-packages")]
    return model


def externally_managed(folder):
    return pi4(folder, files={"usr/lib/python3.11/EXTERNALLY-MANAGED": ""})


def sudo_beside_a_venv(folder):
    model = pi4(folder, uid=0, files={"home/pi/.venv/bin/python": ""})
    model.environ["SUDO_USER"] = "pi"
    return model


def another_venv_than_the_shells(folder):
    model = pi4(folder)
    model.environ["VIRTUAL_ENV"] = "/home/pi/.venv"
    return model


def another_rpio_on_the_path(folder):
    return pi4(folder, files={"usr/bin/rpio": "#!/home/pi/.local/pipx/rpio/bin/python\n"}).program("rpio")


def no_rpio_on_the_path(folder):
    model = pi4(folder)
    model.environ["PATH"] = "/bin"
    return model


def one_wire_on_gpio_4(folder):
    config = "# my Pi\n[pi5]\ndtoverlay=pwm\n[pi4]\ndtoverlay=w1-gpio\n[all]\n"
    model = pi4(folder, backend=Backend(holders={4: "onewire@4"}), files={CONFIG: config})
    return model.node("/onewire@4", gpios=[7, 4, 0])


def buses_on(folder):
    model = pi4(folder, files=TREE_GPIO | {CONFIG: "dtparam=i2c_arm=on\ndtparam=spi=on\n"})
    model.node("/soc/gpio/i2c1", pins=[2, 3], phandle=21).node(
        "/soc/gpio/spi0_pins", pins=[9, 10, 11], phandle=22
    )
    model.node("/soc/gpio/spi0_cs_pins", pins=[8, 7], phandle=23).node(
        "/soc/gpio/uart0", pins=[32, 33], phandle=24
    )
    model.node("/soc/i2c@7e804000", "i2c1", pinctrl_0=[21]).node(
        "/soc/spi@7e204000", "spi0", pinctrl_0=[22, 23]
    )
    model.node("/soc/serial@7e201000", "serial0", pinctrl_0=[24])  # to the Bluetooth chip: none of the header
    return model.node("/soc/pwm@7e20c000", "pwm", status="disabled")


def rp1_bus(folder):
    model = pi5(folder).add(TREE_GPIO)
    model.node("/soc/gpio/rp1_i2c1_2_3", phandle=30).node("/rp1/i2c@74000", "i2c1", pinctrl_0=[30])
    return model.add({"proc/device-tree/soc/gpio/rp1_i2c1_2_3/pins": b"gpio2\0gpio3\0"})


def tree_hidden_in_a_container(folder):
    cpuinfo = "Revision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    files = {"proc/cpuinfo": cpuinfo, "boot/config.txt": "dtoverlay=w1-gpio,gpiopin=17\nenable_uart=1\n"}
    return Model(folder, files, backend=Backend())


def firmware_complains(folder):
    return pi4(folder, files={"proc/device-tree/chosen/user-warnings": "dterror: not found\n" * 3})


def overlays_of_other_boards(folder):
    return pi4(
        folder,
        files={"proc/device-tree/chosen/overlays/BB-I2C2": "1", "proc/device-tree/chosen/overlays/name": ""},
    )


def line_held_by_a_known_program(folder):
    model = pi4(folder, backend=Backend(holders={17: "RPIO", 27: "RPIO"}))
    line = "pos: 0\ngpio-chip:\tgpiochip{}\ngpio-line:\t{}\n".format
    model.process(812, "python3", "python3 blink.py", ["anon_inode:gpio-line"], [line(0, 17)])
    model.process(814, "fan", "fan", ["anon_inode:gpio-line"], [line(1, 17)])  # of another chip
    return model.process(813, "other", "other", ["anon_inode:gpio-line"] * 2, [line(0, 5), line(0, 27)])


def bus_pin_held_by_a_program(folder):
    model = buses_on(folder)
    model.backend = Backend(holders={2: "RPIO", 8: "spi0 CS0"})
    return model.process(812, "python3", "python3 blink.py", ["anon_inode:gpio-line"])


def line_held_on_an_older_kernel(folder):
    model = pi4(folder, backend=Backend(holders={17: "RPIO"}))
    return model.process(
        812, "python3", "python3 blink.py", ["/dev/null", "/dev/gpiochip0", "anon_inode:gpio-line"]
    )


def lines_of_two_programs(folder):
    model = line_held_on_an_older_kernel(folder)
    return model.process(813, "relay", "./relay", ["anon_inode:gpio-event"])


def line_held_by_a_driver(folder):
    return pi4(folder, backend=Backend(holders={26: "poweroff\x1b"}))


def line_held_by_another_user(folder):
    model = line_held_by_a_driver(folder)
    model.unseen = 3
    return model


def exported_line(folder):
    sysfs = {
        "gpiochip512/base": "512\n",
        "gpiochip512/ngpio": "58\n",
        "gpiochip512/label": "pinctrl-bcm2711\n",
    }
    sysfs |= {"gpio529/direction": "out\n", "gpio529/value": "1\n"}
    return pi4(
        folder,
        backend=Backend(holders={17: "sysfs"}),
        files={f"sys/class/gpio/{name}": text for name, text in sysfs.items()},
    )


def interrupt_rows(*counts):
    rows = ["           CPU0       CPU1"]
    rows += [
        f"{irq}:{count:>12}          7  pinctrl-rp1  {line} Edge      {name}"
        for irq, (line, count, name) in enumerate(counts, 170)
    ]
    return "\n".join(
        [*rows, " 26:   99999999       1  GICv2  30 Level     arch_timer", "IPI0:   123   456   Rescheduling"]
    )


def interrupt_storm(folder):
    """GPIO 17 makes 4,000 in the quarter of a second in which the doctor looks, GPIO 27 one."""
    model = pi5(folder).add({"proc/interrupts": interrupt_rows((17, 1000, "RPIO"), (27, 5, "button"))})

    def wait(seconds):
        model.add({"proc/interrupts": interrupt_rows((17, 5000, "RPIO"), (27, 6, "button"))})
        return seconds

    model.wait = wait
    return model


def pwm_pio(folder):
    model = pi5(folder).add({CONFIG: "dtoverlay=pwm-pio,gpio=17\n"})
    device = folder / "sys/devices/platform/pwm_pio@11"
    (device / "pwm/pwmchip0").mkdir(parents=True)
    (device / "pwm/pwmchip0/device").symlink_to(device)
    (folder / "sys/class/pwm").mkdir(parents=True)
    (folder / "sys/class/pwm/pwmchip0").symlink_to(device / "pwm/pwmchip0")
    return model


def pwm_pio_on_a_kernel_that_crashes(folder):
    model = pwm_pio(folder)
    model.release = "6.12.34+rpt-rpi-2712"
    return model


def gpiozero_twice(folder):
    model = gpiozero_with_lgpio(folder)
    pip = folder / "usr/local/lib/python3.11/dist-packages"
    model.add(
        {f"{pip.relative_to(folder)!s}/gpiozero-1.6.2.dist-info/METADATA": "Name: gpiozero\nVersion: 1.6.2\n"}
    )
    model.search_path.insert(0, str(pip))
    return model


def dma_left_running(folder):
    state = {"boot": "this-boot", "pid": 900, "channels": {"14": {"lines": 1, "handles": []}}}
    return pi4(
        folder,
        files={"proc/sys/kernel/random/boot_id": "this-boot\n", "run/rpio/dma.state": json.dumps(state)},
    )


def dma_at_work(folder):
    return dma_left_running(folder).process(900, "python3", "python3 servo.py")


def old_numbers_on_a_pi_5(folder):
    return pi5(folder, "gpiochip4")


def sixteen_bit_world(folder):
    return pi4(folder, bits=32)


def simulated_in_a_container(folder):
    model = Model(folder, {".dockerenv": ""}, backend=Backend("sim"))
    return model


def laptops_container(folder):
    model = container_with_nothing(folder)
    model.architecture = "x86_64"
    return model


def container_with_nothing(folder):
    model = Model(folder, {".dockerenv": ""})
    model.error = errors.NoBackendError("there is no gpiochip here", hint="gpiochips of this machine: none")
    return model


I2C_OFF = "sudo raspi-config nonint do_i2c 1 && sudo reboot"
COMMENT_OUT = "sudo sed -i 's/^dtoverlay=w1-gpio/#&/' /boot/firmware/config.txt && sudo reboot"

# machine, check, status, words of the text, words of the advice, the command
CASES = [
    (pi4, "model", OK, "Raspberry Pi 4 Model B, board revision 1.4 (code c03114)", "", ""),
    (pi4, "model", OK, "BCM2711, 4096 MB, made by Sony UK", "", ""),
    (pi4, "tree", OK, "compatible: raspberrypi,4-model-b, brcm,bcm2711", "", ""),
    (pi4, "kernel", OK, "Linux 6.6.51+rpt-rpi-v8 (aarch64)", "", ""),
    (pi4, "chips", OK, "/dev/gpiochip0: pinctrl-bcm2711, 58 lines, the one that RPIO uses", "", ""),
    (pi4, "edges", OK, "edges are reported", "", ""),
    (pi4, "gpiochip", OK, "/dev/gpiochip0 (root:gpio, 0660): this user may open it", "", ""),
    (pi4, "mem", NOTE, "/dev/mem (root:kmem, 0640): PWM by DMA needs it, and root", "", "sudo /usr/bin/python3 SCRIPT"),
    (pi4, "held", OK, "no line of the header is held", "", ""),
    (pi4, "supply", OK, "no under-voltage and no throttling since the start", "", ""),
    (pi4, "RPi.GPIO", NOTE, "RPi.GPIO is not installed", "", ""),
    (pi5, "model", OK, "Raspberry Pi 5 Model B", "", ""),
    (pi5, "chips", OK, "pinctrl-rp1, 54 lines, the one that RPIO uses", "", ""),
    (pi5, "chips", NOTE, "programs that open gpiochip4 do not find it", "", "sudo ln -s gpiochip0 /dev/gpiochip4"),
    (pi5, "i2c", NOTE, "no /dev/i2c-*: I2C is off", "to switch it on", "sudo raspi-config nonint do_i2c 0"),
    (old_numbers_on_a_pi_5, "chips", NOTE, "gpiochip4, and will be gpiochip0 from Linux 6.6.45 on", "", ""),
    (old_kernel, "kernel", WARNING, "has no gpiochip interface of version 2", "newer", board.NEW_KERNEL),
    (io_uring_off, "kernel", NOTE, "io_uring is disabled", "", "sudo sysctl kernel.io_uring_disabled=0"),
    (sixteen_bit_world, "python width", NOTE, "a 32-bit Python on a 64-bit kernel", "", ""),
    (not_in_the_group, "gpiochip", PROBLEM, "may not open it", "log in again", "sudo usermod -aG gpio pi"),
    (not_in_the_group, "gpiomem", PROBLEM, "may not open it", "log in again", "sudo usermod -aG gpio pi"),
    (not_in_the_group, "i2c", WARNING, "may not open it", "log in again", "sudo usermod -aG i2c pi"),
    (in_the_group_but_not_in_the_session, "gpiochip", PROBLEM, "", "pi is in the group gpio, but", "newgrp gpio"),
    (no_udev_rule, "gpiochip", PROBLEM, "(root:root, 0600)", "a rule for udev gives it to the group gpio",
     f"sudo groupadd -f gpio && printf '%s\\n' '{RULE}' | sudo tee /etc/udev/rules.d/60-gpio.rules && sudo udevadm "
     "control --reload && sudo udevadm trigger"),
    *((no_udev_rule_at_all, check, PROBLEM, "(root:root, 0600)", "a rule for udev gives it to the group gpio",
       "sudo groupadd -f gpio && printf '%s\\n' "
       f"'{RULE}' '{RULE.replace('gpiochip', 'gpiomem')}' | sudo tee /etc/udev/rules.d/60-gpio.rules && sudo udevadm "
       "control --reload && sudo udevadm trigger") for check in ("gpiochip", "gpiomem")),
    (passed_in_by_halves, "gpiochip", PROBLEM, "", "a container needs it", "docker run --device /dev/gpiochip0 ..."),
    (pigpiod, "daemons", WARNING, "pigpiod runs (process 411)", "", "sudo systemctl stop pigpiod"),
    (pigpio_in_a_program, "daemons", WARNING, "process 412 (./servo) uses pigpio", "", "sudo kill 412"),
    (rgpiod, "daemons", WARNING, "rgpiod runs", "", "sudo systemctl stop rgpiod"),
    (under_voltage_now, "supply", PROBLEM, "the voltage is too low, the processor is throttled, now", "supply",
     "vcgencmd get_throttled"),
    (under_voltage_by_the_sensor, "supply", PROBLEM, "the voltage is too low, now", "supply", "vcgencmd get_throttled"),
    (under_voltage_in_the_past, "supply", WARNING, "since the start: the voltage is too low", "cable",
     "vcgencmd get_throttled"),
    (too_hot, "supply", WARNING, "the soft temperature limit is in force, now", "fan", "vcgencmd get_throttled"),
    (too_hot, "supply", WARNING, "since the start: the clock is capped, the processor is throttled", "", power.COMMAND),
    (power_unknown, "supply", NOTE, "is not known", "", ""),
    (both_packages, "RPi.GPIO", PROBLEM, "overwrite each other: RPi.GPIO 0.7.1, rpi-lgpio 0.6", "keep one",
     "sudo apt remove python3-rpi.gpio && sudo apt install --reinstall python3-rpi-lgpio"),
    (both_packages_of_pip, "RPi.GPIO", PROBLEM, "overwrite each other", "keep one",
     "/home/pi/.venv/bin/python -m pip uninstall -y RPi.GPIO && "
     "/home/pi/.venv/bin/python -m pip install --force-reinstall --no-deps rpi-lgpio"),
    (rpio_by_that_name, "RPi.GPIO", OK, "is RPIO in every program here, as RPi.GPIO 0.7.1+rpio; pip install "
     "--force-reinstall RPi.GPIO would put the real one in its place", "", ""),
    (rpio_by_that_name_and_rpi_lgpio, "RPi.GPIO", PROBLEM, "RPi.GPIO 0.7.1+rpio, rpi-lgpio 0.6", "RPi.GPIO say",
     "/home/pi/.venv/bin/python -m pip uninstall -y rpi-lgpio && "
     "/home/pi/.venv/bin/python -m pip install --force-reinstall --no-deps '/home/pi/my rpio/rpi'"),
    (rpi_gpio_on_a_pi_5, "RPi.GPIO", WARNING, "cannot drive the lines of a Raspberry Pi 5", "", "rpio run SCRIPT"),
    (rpi_of_nobody, "RPi.GPIO", WARNING, "belongs to no installed package", "", None),
    (rpio_of_2013, "old RPIO", PROBLEM, "RPIO 0.10.0 of 2013", "remove both",
     "/usr/bin/python3 -m pip uninstall -y RPIO"),
    (file_that_hides_the_library, "shadows", WARNING, "/home/pi/RPIO.py hides", "rename it",
     "mv /home/pi/RPIO.py /home/pi/my_rpio.py"),
    (without_core, "C module", PROBLEM, "this RPIO has no C module", "with a compiler",
     "/usr/bin/python3 -m pip install --force-reinstall --no-binary RPIO CHECKOUT"),
    (laptop_without_core, "C module", NOTE, "those of other machines work", "on Linux", None),
    (pure_on_purpose, "C module", WARNING, "RPIO_PURE asks for that", "", "unset RPIO_PURE"),
    (pi4, "C module", OK, "RPIO has its C module", "", ""),
    (python_path, "shadows", NOTE, "PYTHONPATH is set", "", "unset PYTHONPATH"),
    (python_path, "shadows", WARNING, "/opt/lib/RPi hides", "rename it", "mv /opt/lib/RPi /opt/lib/my_rpi"),
    (gpiozero_without_a_library, "gpiozero", WARNING, "finds none of lgpio", "to have RPIO's",
     "export GPIOZERO_PIN_FACTORY=rpio"),
    (gpiozero_with_lgpio, "gpiozero", OK, "2.0.1 will use lgpio, the first that is installed, or RPIO", "", ""),
    (gpiozero_told, "gpiozero", OK, "is told to use pigpio (", "", ""),
    (gpiozero_told_ours, "gpiozero", OK, "is told to use rpio, which is RPIO's (", "", ""),
    (venv_without_the_systems_packages, "environment", NOTE, "does not see the system's RPi.GPIO, lgpio", "",
     "sed -i 's/^\\(include-system-site-packages = \\)false/\\1true/' /home/pi/.venv/pyvenv.cfg"),
    (externally_managed, "environment", NOTE, "EXTERNALLY-MANAGED", "",
     "python3 -m venv --system-site-packages ~/.venv && . ~/.venv/bin/activate"),
    (sudo_beside_a_venv, "other python", WARNING, "sudo runs /usr/bin/python3", "",
     "sudo .venv/bin/python -m RPIO doctor"),
    (another_venv_than_the_shells, "other python", WARNING, "the virtual environment /home/pi/.venv", "",
     "/home/pi/.venv/bin/python -m RPIO doctor"),
    (another_rpio_on_the_path, "command", WARNING, "is another Python's", "", "/usr/bin/python3 -m RPIO"),
    (no_rpio_on_the_path, "command", NOTE, "the shell finds no rpio", "", "/usr/bin/rpio"),
    (one_wire_on_gpio_4, "config.txt", OK, "/boot/firmware/config.txt: dtoverlay=w1-gpio [pi4]", "", ""),
    (one_wire_on_gpio_4, "drivers", NOTE, "GPIO 4: 1-Wire (dtoverlay=w1-gpio) has it", "for programs", COMMENT_OUT),
    (one_wire_on_gpio_4, "held", NOTE, "GPIO 4: held by 'onewire@4', a driver", "see the findings", ""),
    (buses_on, "drivers", NOTE, "GPIO 2-3: I2C 1 (dtparam=i2c_arm=on) has them", "for programs", I2C_OFF),
    (buses_on, "drivers", NOTE, "GPIO 7-11: SPI 0", "", "sudo raspi-config nonint do_spi 1 && sudo reboot"),
    (rp1_bus, "drivers", NOTE, "GPIO 2-3: I2C 1 has them", "", I2C_OFF),
    (tree_hidden_in_a_container, "tree", NOTE, "the device tree is hidden", "", ""),
    (tree_hidden_in_a_container, "drivers", NOTE, "GPIO 17: dtoverlay=w1-gpio,gpiopin=17 has it", "", None),
    (tree_hidden_in_a_container, "drivers", NOTE, "GPIO 14-15: enable_uart=1", "",
     "sudo sed -i 's/^enable_uart=1/#&/' /boot/config.txt && sudo reboot"),
    (firmware_complains, "tree", WARNING, "the firmware complains: dterror: not found", "overlay", None),
    (overlays_of_other_boards, "config.txt", OK, "overlays in the device tree: BB-I2C2", "", ""),
    (line_held_by_a_known_program, "held", NOTE, "GPIO 17: held by 'RPIO', process 812 (python3 blink.py)",
     "to end it", "kill 812"),
    (line_held_by_a_known_program, "held", NOTE, "GPIO 27: held by 'RPIO', process 813 (other)", "", "kill 813"),
    (bus_pin_held_by_a_program, "held", NOTE, "GPIO 2: held by 'RPIO', probably process 812", "", "kill 812"),
    (line_held_on_an_older_kernel, "held", NOTE, "GPIO 17: held by 'RPIO', probably process 812", "", "kill 812"),
    (line_held_on_an_older_kernel, "programs", NOTE, "1 program with a gpiochip open: process 812", "", ""),
    (lines_of_two_programs, "held", NOTE, "one of process 812 (python3 blink.py), process 813 (./relay)", "", ""),
    (line_held_by_a_driver, "held", NOTE, "GPIO 26: held by 'poweroff?', a driver", "config.txt", ""),
    (line_held_by_another_user, "held", NOTE, "or a program of another user", "to see which",
     "sudo /usr/bin/python3 -m RPIO doctor"),
    (exported_line, "exported", NOTE, "GPIO 17 of pinctrl-bcm2711 is exported through sysfs (out, 1)", "",
     "echo 529 | sudo tee /sys/class/gpio/unexport"),
    (interrupt_storm, "interrupts", WARNING,
     "GPIO 17 of pinctrl-rp1 makes 16,000 interrupts a second (RPIO)", "give the line a pull", ""),
    (pwm_pio, "config.txt", OK, "dtoverlay=pwm-pio,gpio=17", "", ""),
    (pwm_pio, "hardware pwm", OK, "GPIO 17 has PWM of the kernel's by pwm-pio", "", ""),
    (pwm_pio_on_a_kernel_that_crashes, "crashing overlays", WARNING,
     "Linux 6.12.34 may crash with dtoverlay=pwm-pio,gpio=17", "a newer kernel",
     "sudo sed -i 's/^dtoverlay=pwm-pio,gpio=17/#&/' /boot/firmware/config.txt && sudo reboot"),
    (gpiozero_twice, "two gpiozero", WARNING, "several gpiozero, and the first is used: 1.6.2 in ", "the last alone",
     "/usr/bin/python3 -m pip uninstall -y gpiozero"),
    (dma_left_running, "left running", WARNING, "DMA channel 14 of process 900, which has ended", "", "sudo reboot"),
    (dma_at_work, "left running", NOTE, "process 900 (python3 servo.py) makes pulses by DMA", "", "sudo kill 900"),
    (container_with_nothing, "model", NOTE, "no Raspberry Pi: a Linux machine (aarch64)", "", ""),
    (container_with_nothing, "chips", NOTE, "this container does not show it", "",
     "docker run --device /dev/gpiochip0 --device /dev/gpiomem ..."),
    (simulated_in_a_container, "chips", NOTE, "there is no /dev/gpiochip*: this kernel has none", "", ""),
    (laptops_container, "chips", NOTE, "there is no /dev/gpiochip*: this kernel has none", "", ""),
    (laptops_container, "backend", PROBLEM, "no line can be driven: there is no gpiochip here", "none", ""),
    (container_with_nothing, "backend", PROBLEM, "no line can be driven: there is no gpiochip here", "none", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "check", "status", "text", "advice", "command"),
    CASES,
    ids=[f"{case[0].__name__}-{case[1]}-{index}" for index, case in enumerate(CASES)],
)
def test_a_machine_has_its_finding(tmp_path, machine, check, status, text, advice, command):
    rows = found(machine(tmp_path), check)
    assert any(
        row[1] == status and text in row[2] and advice in row[3] and command in (None, row[4]) for row in rows
    ), rows


@pytest.mark.parametrize(
    "machine", [pi4, pi5, buses_on, one_wire_on_gpio_4, old_numbers_on_a_pi_5, pwm_pio, gpiozero_with_lgpio]
)
def test_a_machine_without_faults_has_no_warning(tmp_path, machine):
    assert statuses(machine(tmp_path)) <= {OK, NOTE}


@pytest.mark.parametrize("machine", list(dict.fromkeys(case[0] for case in CASES)))
def test_no_check_fails_and_none_opens_a_problem_of_its_own(tmp_path, machine):
    rows = found(machine(tmp_path))
    assert not [row for row in rows if "could not be looked at" in row[2]]
    wanted = {case[1] for case in CASES if case[0] is machine and case[2] == PROBLEM}
    if "gpiochip" in wanted:
        wanted.add("gpiomem")  # of the same group
    assert {row[0] for row in rows if row[1] == PROBLEM} <= wanted


def test_every_check_has_a_case():
    silent = {
        "killed",
        "pulses",
        "vcio",
        "spi",
        "pwm",
        "interpreter",
    }  # tested elsewhere, or trivial
    names = {name for checks in doctor.GROUPS.values() for name in checks}
    assert names - {case[1] for case in CASES} == silent


def test_a_bluetooth_port_and_a_disabled_bus_take_no_line(tmp_path):
    assert len(found(buses_on(tmp_path), "drivers")) == 2


def test_a_section_of_another_model_does_not_hold(tmp_path):
    assert [setting.text for setting in overlays.settings(one_wire_on_gpio_4(tmp_path))] == [
        "dtoverlay=w1-gpio"
    ]


def test_pwm_files_that_root_alone_may_write_are_noted(tmp_path):
    model = pi4(tmp_path, devices={"/sys/class/pwm/pwmchip0/export": (0, 0, 0o200)})
    assert found(model, "pwm")[0][1:4] == (
        NOTE,
        "/sys/class/pwm/pwmchip0/export (root:root, 0200): this user may not open it",
        "run the program with sudo",
    )


def test_several_chips_of_one_owner_are_one_finding(tmp_path):
    model = pi4(tmp_path, devices={"/dev/gpiochip1": (0, GPIO_GROUP, 0o660)})
    assert [row[2] for row in found(model, "gpiochip")] == [
        "/dev/gpiochip0, gpiochip1 (root:gpio, 0660): this user may open them"
    ]


def test_a_name_of_a_chip_that_is_a_link_is_no_chip_more(tmp_path):
    model = pi5(tmp_path)
    os.symlink("gpiochip0", model.path("/dev/gpiochip4"))
    assert [row[2] for row in found(model, "chips")][1:] == ["/dev/gpiochip4 is another name of gpiochip0"]


def test_a_line_that_interrupts_now_and_then_is_no_storm(tmp_path):
    assert len(found(interrupt_storm(tmp_path), "interrupts")) == 1


def test_without_interrupts_of_lines_nobody_waits(tmp_path):
    model = pi5(tmp_path).add({"proc/interrupts": interrupt_rows()})
    model.wait = None  # a call would fail
    assert found(model, "interrupts") == []


def test_processes_are_looked_through_for_a_bounded_time(tmp_path, monkeypatch):
    model = pigpiod(tmp_path)
    monkeypatch.setattr(patient, "LOOK_S", -1)
    assert model.processes() == []


def test_a_program_that_hangs_is_given_up(tmp_path):
    assert patient.Patient(str(tmp_path)).output_of([sys.executable, "-c", "input()"], 5) == ""
    assert patient.Patient().output_of([sys.executable, "-c", "import time; time.sleep(60)"], 0.2) == ""
    assert patient.Patient().output_of(["/nowhere"]) == ""


def test_this_machine_whatever_it_is_is_looked_at_without_an_error():
    assert not [row for row in found(patient.Patient()) if "could not be looked at" in row[2]]


@pytest.mark.parametrize(
    ("release", "version"), [("6.1.21-v8+", (6, 1)), ("5.10", (5, 10)), ("6.12rc1", (6, 12)), ("odd", (0, 0))]
)
def test_the_kernels_version(release, version):
    assert board.version(release) == version


def test_lines_and_numbers_in_words():
    assert gpios([4]) == "GPIO 4" and gpios([9, 7, 8, 17]) == "GPIO 7-9, 17"
    assert (count(1, "line"), count(2, "line")) == ("1 line", "2 lines")


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("dtoverlay=w1-gpio", [4]),
        ("dtoverlay=pwm-2chan,pin=12,func=4,pin2=13", [12, 13]),
        ("dtoverlay=pwm-pio,gpio=17", [17]),
        ("dtoverlay=pwm-gpio", [4]),
        ("dtoverlay=vc4-kms-v3d", []),
        ("dtparam=i2c_arm=on", [2, 3]),
        ("dtparam=spi=off", []),
        ("dtparam=i2c_arm=on,i2s=on", [2, 3, 18, 19, 20, 21]),
        ("dtoverlay=", []),
        ("enable_uart=0", []),
    ],
)
def test_the_lines_of_a_setting(text, taken):
    assert overlays.Setting(text, "all", "config.txt").lines() == taken


def test_the_command_that_ends_a_setting_does(tmp_path):
    config = tmp_path / "config.txt"
    config.write_text("dtoverlay=pwm,pin=18\ndtoverlay=it's/a*[b]\n")
    for row in config.read_text().splitlines():
        typed = overlays.Setting(row, "all", str(config)).command().partition(" && ")[0].removeprefix("sudo ")
        subprocess.run(typed, shell=True, check=True)
    assert config.read_text() == "#dtoverlay=pwm,pin=18\n#dtoverlay=it's/a*[b]\n"


# -- what drives the lines ----------------------------------------------------------------------------------


def test_no_edges_is_a_problem_with_advice(rpio, monkeypatch):
    monkeypatch.setattr(rpio.sim.backend(), "features", frozenset())
    assert cli.main(["doctor"]) == 1


def test_it_changes_no_line(rpio):
    before = [rpio.sim.backend()._lines[n].level for n in range(58)]
    cli.main(["doctor"])
    assert [rpio.sim.backend()._lines[n].level for n in range(58)] == before
    assert not rpio.facade.board.book.owned and not rpio.facade.board.book.taken


def test_lines_that_others_hold_are_listed(rpio, capsys, monkeypatch):
    monkeypatch.setattr(rpio.sim.backend(), "consumer", lambda line: "spi0 CS0" if line == 8 else "")
    cli.main(["doctor"])
    assert "GPIO 8: held by 'spi0 CS0'" in capsys.readouterr().out


def test_a_machine_where_nothing_opens_says_why(rpio, capsys, monkeypatch):
    def refused(spec):
        text = "No access to /dev/gpiomem (root:root, 0600)"
        raise errors.NoAccessError(errno.EACCES, text, "/dev/gpiomem", hint="usermod")

    monkeypatch.setattr("RPIO.backends.opening.open_board", refused)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    rows = [row.strip() for row in out.splitlines()]
    assert [row[2:].strip() for row in rows if "no line can be driven" in row] == [
        "no line can be driven: No access to /dev/gpiomem (root:root, 0600)"
    ]
    assert "what helps stands under Permissions" in rows
    assert "Errno" not in out and "usermod" not in out


def test_a_check_that_fails_ends_no_other(tmp_path):
    model = pi4(tmp_path)
    model.backend.consumer = lambda line: (_ for _ in ()).throw(errors.LineGoneError(errno.ENODEV, "gone"))
    rows = found(model)
    assert [row[0] for row in rows if "could not be looked at" in row[2]] == ["held"]
    assert rows[-1][0] == "supply"


@pytest.mark.parametrize(
    ("backend", "persists", "words"),
    [
        ("regs", None, "stay as they are"),
        ("sysfs", None, "exported"),
        ("cdev", True, "leaves them as they are"),
        ("cdev", False, "makes them inputs"),
        ("cdev", None, "its driver decides"),
        ("sim", None, "end with the program"),
        ("remote", None, "with who serves them"),
    ],
)
def test_what_becomes_of_outputs_after_a_kill(backend, persists, words):
    assert words in board.when_killed(backend, persists)


@pytest.mark.parametrize(("text", "persists"), [("Y\n", True), ("N\n", False), (None, None)])
def test_the_kernels_parameter_for_outputs(tmp_path, text, persists):
    files = {board.PERSIST.lstrip("/"): text} if text else {}
    assert board.persists(Model(tmp_path, files)) is persists


def test_two_packages_that_bring_rpi_gpio_are_a_problem(rpio, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "patient", lambda: both_packages(tmp_path))
    assert cli.main(["doctor"]) == 1
    assert "several packages bring RPi.GPIO" in capsys.readouterr().out


FILES = [
    *(
        f"proc/device-tree/{name}"
        for name in ("compatible", "model", "system/linux,revision", "onewire/gpios")
    ),
    *(f"proc/device-tree/{name}" for name in ("__symbols__/gpio", "aliases/i2c1", "soc/i2c/pinctrl-0")),
    *("proc/cpuinfo", "proc/7/comm", "proc/7/cmdline", "proc/7/fdinfo/3", "etc/group", "etc/passwd", CONFIG),
    *("sys/class/gpio/gpiochip0/base", "sys/class/gpio/gpio4/value", "run/rpio/dma.state", "run/pigpio.pid"),
    *("sys/class/hwmon/hwmon0/name", THROTTLED.lstrip("/"), "usr/bin/rpio", board.PERSIST.lstrip("/")),
]
ODD = [
    b"",
    b"\0",
    b"[all]\n=\ndtoverlay=,\n[",
    b"a:b:c:d\n:::",
    b"{}",
    b'{"pid": []}',
    b"\xff\xfe",
    b"/soc/i2c\0",
]
CONTENTS = st.one_of(st.binary(max_size=40), st.sampled_from(ODD))


@settings(deadline=None, max_examples=60)
@given(contents=st.lists(CONTENTS, min_size=len(FILES), max_size=len(FILES)))
@pytest.mark.slow
def test_no_content_of_any_file_ends_it(contents):
    with tempfile.TemporaryDirectory() as folder:
        model = pi4(folder, files=dict(zip(FILES, contents, strict=True)))
        os.makedirs(model.path("proc/7/fd"))
        os.symlink("anon_inode:gpio-line", model.path("proc/7/fd/3"))
        assert found(model, "backend")


def documented(folder):
    """The machine of the manual: 1-Wire on GPIO 4, a session older than the group i2c, pigpiod, a weak supply."""
    model = one_wire_on_gpio_4(folder).process(411, "pigpiod", "/usr/bin/pigpiod -l")
    model.gids = {1000, GPIO_GROUP, 995}
    model.backend = Backend(holders={4: "onewire@4", 17: "RPIO"})
    lines_of_it = "gpio-chip:\tgpiochip0\ngpio-line:\t17\n"
    model.process(812, "python3", "python3 blink.py", ["anon_inode:gpio-line"], [lines_of_it])
    return model.program("vcgencmd", "throttled=0x50005\n")


# -- how it is printed --------------------------------------------------------------------------------------


@pytest.fixture
def printed(rpio, capsys, monkeypatch, tmp_path):
    """Return what ``rpio doctor`` prints of a machine, and its exit status."""

    def show(machine, *arguments):
        monkeypatch.setattr(doctor, "patient", lambda: machine(tmp_path))
        status = cli.main(["doctor", *arguments])
        return capsys.readouterr().out, status

    return show


def test_findings_stand_below_headings_with_what_to_type(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out, status = printed(not_in_the_group)
    assert status == 1
    assert out.startswith(
        "Board\n  ✓  Raspberry Pi 4 Model B, board revision 1.4 (code c03114)\n"
        "  ✓  BCM2711, 4096 MB, made by Sony UK\n"
    )
    assert (
        "\n\nPermissions\n"
        "  ✗  /dev/gpiochip0 (root:gpio, 0660): this user may not open it\n"
        "       join the group, then log in again (a session keeps its groups):\n"
        "       sudo usermod -aG gpio pi\n"
    ) in out
    assert out.endswith("\n\n✗ 2 problems, ▲ 2 warnings\n")


def test_a_healthy_machine_ends_with_a_good_word(printed):
    out, status = printed(pi4)
    assert (out.splitlines()[-1], status) == ("nothing stands in the way", 0)


def test_the_manual_shows_what_is_printed(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    out, _ = printed(documented)
    manual = (Path(__file__).parents[2] / "doc" / "rpio.rst").read_text(encoding="utf-8")
    assert textwrap.indent("$ rpio doctor\n" + out.replace(VERSION, "1.0.0"), " " * 4) in manual


def test_text_is_folded_and_commands_are_not(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    out, _ = printed(no_udev_rule)
    rows = out.splitlines()
    assert all(len(row) <= 50 for row in rows if "sudo" not in row and "KERNEL" not in row and "/" not in row)
    assert [row for row in rows if row.startswith("       sudo groupadd") and row.endswith("udevadm trigger")]


def test_without_utf_8_the_marks_are_ascii(printed, monkeypatch):
    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    out, _ = printed(not_in_the_group)
    assert out.isascii()
    assert (
        "  ok Raspberry Pi 4" in out
        and "  !! /dev/gpiochip0" in out
        and "  -- " in out
        and "!! 2 problems" in out
    )


@pytest.mark.parametrize(("no_colour", "has"), [("", True), ("1", False)])
def test_colour_is_for_terminals_without_no_color(printed, monkeypatch, no_colour, has):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    assert ("\033[" in printed(pi4)[0]) is has


def test_json_has_the_same_with_stable_keys(printed):
    out, status = printed(not_in_the_group, "--json")
    rows = json.loads(out)
    assert status == 1
    assert {tuple(row) for row in rows} == {("group", "check", "status", "text", "advice", "command")}
    assert {row["group"] for row in rows} <= set(doctor.GROUPS)
    chip = next(row for row in rows if row["check"] == "gpiochip")
    assert (chip["status"], chip["command"]) == ("problem", "sudo usermod -aG gpio pi")
    assert rows[0]["advice"] is None


def test_a_finding_shows_itself():
    assert repr(Finding(OK, "fine")) == "<Finding ok: fine>"


def test_who_has_lines_of_another_programs_board_is_no_driver(tmp_path):
    model = pi4(tmp_path, backend=Backend("remote", holders={17: "anna@desk, lamp.py"}))
    (finding,) = found(model, "held")
    assert "GPIO 17: held by 'anna@desk, lamp.py', as who serves the board says" in finding


def test_a_simulated_board_is_what_drives_lines_and_no_driver_has_any(rpio, tmp_path):
    model = buses_on(tmp_path)
    model.backend, model.hardware = Backend("sim"), boards.by_name("4B")
    assert found(model, "drivers") == [] and not list(lines.held(model))
