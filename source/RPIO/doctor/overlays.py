# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which drivers have lines of the header: by config.txt, and by the device tree that the kernel has been given.

config.txt is what the next start will take, and the device tree what this start has taken. A node that is "okay" has
its pins in the groups that its ``pinctrl-0`` points to; where those are not to be found, the usual ones are assumed.

Sources: Raspberry Pi documentation, "config.txt" (conditional filters); Raspberry Pi's kernel, overlays/README (names
and default pins), pinctrl-bcm2835.c (``brcm,pins``) and pinctrl-rp1.c (``pins``); raspi-config (do_i2c and the like).
"""

from __future__ import annotations

from ..machine import detect
from .finding import NOTE, OK, WARNING, Finding, gpios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

FILES = ("/boot/firmware/config.txt", "/boot/config.txt")
TREE = "/proc/device-tree"
RUNTIME = "/sys/kernel/config/device-tree/overlays"
"""Overlays that were added at run time. Source: Raspberry Pi's kernel, drivers/of/configfs.c."""
SETTINGS = ("dtoverlay", "dtparam", "gpio", "enable_uart")

FILTERS = {
    "pi0": ("Zero", "Zero W", "Zero 2 W"),
    "pi0w": ("Zero W", "Zero 2 W"),
    "pi02": ("Zero 2 W",),
    "pi1": ("A", "B", "A+", "B+", "CM1"),
    "pi2": ("2B",),
    "pi3": ("3B", "3B+", "3A+", "CM3", "CM3+"),
    "pi3+": ("3B+", "3A+"),
    "pi4": ("4B", "400", "CM4", "CM4S"),
    "pi400": ("400",),
    "cm4": ("CM4",),
    "cm4s": ("CM4S",),
    "pi5": ("5B", "500", "CM5", "CM5 Lite"),
    "pi500": ("500",),
    "cm5": ("CM5", "CM5 Lite"),
}
"""Section of config.txt -> the models for which it holds."""

# Overlay -> parameter that says the line, and the line where it is not given.
OVERLAYS: dict[str, tuple[tuple[str, int], ...]] = {
    "w1-gpio": (("gpiopin", 4),),
    "w1-gpio-pullup": (("gpiopin", 4), ("extpullup", 5)),
    "pwm": (("pin", 18),),
    "pwm-2chan": (("pin", 18), ("pin2", 19)),
    "pwm-pio": (("gpio", 4),),
    "pwm-gpio": (("gpio", 4),),
    "gpio-shutdown": (("gpio_pin", 3),),
    "gpio-poweroff": (("gpiopin", 26),),
    "gpio-fan": (("gpiopin", 12),),
    "gpio-ir": (("gpio_pin", 18),),
    "gpio-ir-tx": (("gpio_pin", 18),),
    "gpio-key": (("gpio", 3),),
    "gpio-led": (("gpio", 19),),
    "dht11": (("gpiopin", 4),),
    "pps-gpio": (("gpiopin", 18),),
    "rotary-encoder": (("pin_a", 4), ("pin_b", 17)),
    "i2c-gpio": (("i2c_gpio_sda", 23), ("i2c_gpio_scl", 24)),
}
CRASHES = {"pwm-pio": ("6.12.34", "raspberrypi/linux issue 6971")}
"""Overlay -> the kernel that it crashes, and where that is reported."""
PARAMETERS = {
    "i2c_arm": (2, 3),
    "i2c": (2, 3),
    "i2c1": (2, 3),
    "spi": (7, 8, 9, 10, 11),
    "i2s": (18, 19, 20, 21),
    "enable_uart": (14, 15),
}
"""Setting -> the lines that it takes."""

# Name of the node in __symbols__ or aliases: what it is, the usual lines, the command that ends it.
NODES = {
    "i2c1": ("I2C 1", (2, 3), "sudo raspi-config nonint do_i2c 1 && sudo reboot"),
    "i2c0": ("I2C 0", (0, 1), ""),
    "spi0": ("SPI 0", (7, 8, 9, 10, 11), "sudo raspi-config nonint do_spi 1 && sudo reboot"),
    "spi1": ("SPI 1", (16, 17, 18, 19, 20, 21), ""),
    "serial0": ("the serial port", (14, 15), "sudo raspi-config nonint do_serial_hw 1 && sudo reboot"),
    "pwm": ("PWM", (), ""),
    "i2s": ("I2S (sound)", (18, 19, 20, 21), ""),
}
ALSO = {
    "serial0": ("serial0", "uart0", "serial"),
    "pwm": ("pwm", "rp1_pwm0"),
    "i2s": ("i2s", "i2s_clk_producer"),
}
"""Other names of a node in the tree's symbols."""


class Setting:
    """A line of config.txt that holds for this board."""

    __slots__ = ("file", "section", "text")

    def __init__(self, text: str, section: str, file: str) -> None:
        self.text, self.section, self.file = text, section, file

    def lines(self) -> list[int]:
        """The lines of the header that it takes, as far as that is known; none where it switches something off."""
        kind, _, rest = self.text.partition("=")
        words = [word.strip() for word in rest.split(",")]
        given = {key: value for key, _, value in (word.partition("=") for word in words)}
        if kind == "dtoverlay":
            found = [given.get(name, str(usual)) for name, usual in OVERLAYS.get(words[0], ())]
            return [int(line) for line in found if line.isdecimal()]
        if kind == "enable_uart":
            given = {kind: rest}
        on = [name for name, value in given.items() if value in ("", "on", "1", "true", "yes")]
        return sorted({line for name in on for line in PARAMETERS.get(name, ())})

    def command(self) -> str:
        """Return the command that makes a comment of it, and starts again."""
        escaped = "".join(f"\\{c}" if c in r"\/.*[]^$&" else c for c in self.text)
        quoted = escaped.replace("'", "'\\''")
        return f"sudo sed -i 's/^{quoted}/#&/' {self.file} && sudo reboot"


class Driver:
    """A driver that has lines of the header now."""

    __slots__ = ("command", "lines", "name")

    def __init__(self, name: str, lines: list[int], command: str) -> None:
        self.name, self.lines, self.command = name, lines, command


# -- the findings -------------------------------------------------------------------------------------------


def config(patient: Patient) -> Iterator[Finding]:
    """The overlays and parameters that config.txt asks for."""
    found = settings(patient)
    if found:
        named = ", ".join(s.text + (f" [{s.section}]" if s.section != "all" else "") for s in found)
        yield Finding(OK, f"{found[0].file}: {named}")
    elif any(patient.exists(file) for file in FILES):
        yield Finding(OK, "config.txt has no overlay and no parameter for this board")
    added = [*patient.listed(RUNTIME), *_chosen(patient)]
    if added:
        yield Finding(OK, f"overlays in the device tree: {', '.join(added)}")


def crashing(patient: Patient) -> Iterator[Finding]:
    """Overlays that crash this kernel."""
    for setting in settings(patient):
        name = setting.text.partition("=")[2].partition(",")[0]
        release, where = CRASHES.get(name, ("", ""))
        if release and patient.release.startswith(release):
            yield Finding(
                WARNING,
                f"Linux {release} may crash with {setting.text} ({where})",
                "a newer kernel does not; or do without",
                setting.command(),
            )


def taken(patient: Patient) -> Iterator[Finding]:
    """The lines that drivers have, one finding for each driver, with what ends it."""
    if patient.backend is not None and patient.backend.outside() is not None:
        return
    for driver in drivers(patient):
        yield Finding(
            NOTE,
            f"{gpios(driver.lines)}: {driver.name} has {'it' if len(driver.lines) == 1 else 'them'}",
            "to have it for programs" if len(driver.lines) == 1 else "to have them for programs",
            driver.command,
        )


def drivers(patient: Patient) -> list[Driver]:
    """The drivers that have lines of the header: of the device tree, else, where that is hidden, of config.txt."""
    asked = settings(patient)
    if not patient.listed(TREE):
        return [Driver(s.text, s.lines(), s.command()) for s in asked if s.lines()]
    found = [driver for driver in (*_buses(patient), *_one_wire(patient)) if driver.lines]
    for driver in found:
        cause = next((s for s in asked if set(s.lines()) & set(driver.lines)), None)
        if cause is not None:
            driver.name += f" ({cause.text})"
            driver.command = driver.command or cause.command()
        driver.command = (
            driver.command or f"sudo nano {FILES[0]}  # the line with dtoverlay or dtparam; then reboot"
        )
    return found


# -- config.txt ---------------------------------------------------------------------------------------------


def settings(patient: Patient) -> list[Setting]:
    """The lines of config.txt about devices that hold for this board. Sections with other conditions are left out."""
    hardware = detect.detect(patient.root)
    model = hardware.model if hardware is not None else ""
    found = []
    for file in FILES:
        section, holds = "all", True
        for row in patient.text(file).splitlines():
            text = row.strip()
            if text.startswith("[") and text.endswith("]"):
                section = text[1:-1].strip()
                holds = section == "all" or model in FILTERS.get(section, ())
            elif holds and "=" in text and text.partition("=")[0] in SETTINGS and text.partition("=")[2]:
                found.append(Setting(text, section, file))
        if found:
            break  # Raspberry Pi OS leaves a note in the other place
    return found


# -- the device tree ----------------------------------------------------------------------------------------


def _chosen(patient: Patient) -> list[str]:
    """Overlays that other boards' loaders note in the tree (BeagleBone, Jetson)."""
    return [name for name in patient.listed(f"{TREE}/chosen/overlays") if name != "name"]


def _node(patient: Patient, name: str) -> str:
    """The folder of a node that has this name in the tree's tables; "" for none."""
    for table in ("aliases", "__symbols__"):
        for other in ALSO.get(name, (name,)):
            path = patient.text(f"{TREE}/{table}/{other}")
            if path.startswith("/") and patient.exists(TREE + path):
                return TREE + path
    return ""


def _is_on(patient: Patient, node: str) -> bool:
    return patient.text(f"{node}/status") in ("", "okay", "ok")


def _buses(patient: Patient) -> Iterator[Driver]:
    hardware = detect.detect(patient.root)
    header = hardware.header_lines if hardware is not None else ()
    groups = _pin_groups(patient)
    for name, (said, usual, command) in NODES.items():
        node = _node(patient, name)
        if node and _is_on(patient, node):
            wanted = _cells(patient.data(f"{node}/pinctrl-0"))
            known = [line for phandle in wanted for line in groups.get(phandle, ())]
            lines = known if any(phandle in groups for phandle in wanted) else usual
            yield Driver(said, sorted({line for line in lines if line in header}), command)


def _one_wire(patient: Patient) -> Iterator[Driver]:
    """1-Wire: a node at the top, whose ``gpios`` are phandle, line, flags."""
    for name in patient.listed(TREE):
        if name.startswith("onewire") and _is_on(patient, f"{TREE}/{name}"):
            cells = _cells(patient.data(f"{TREE}/{name}/gpios"))
            yield Driver("1-Wire", cells[1:2], "")


def _pin_groups(patient: Patient) -> dict[int, list[int]]:
    """Phandle -> lines, of the groups below the node of the header's chip."""
    chip = ""
    for place in ("__symbols__/gpio", "aliases/gpio", "aliases/gpio0"):
        chip = chip or patient.text(f"{TREE}/{place}")
    found = {}
    for name in patient.listed(TREE + chip) if chip else []:
        group = f"{TREE}{chip}/{name}"
        phandle = _cells(patient.data(f"{group}/phandle"))
        pins = _cells(patient.data(f"{group}/brcm,pins"))
        named = patient.text(f"{group}/pins").split("\0")
        pins = pins or [int(pin[4:]) for pin in named if pin.startswith("gpio") and pin[4:].isdecimal()]
        if phandle and pins:
            found[phandle[0]] = pins
    return found


def _cells(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data) - 3, 4)]
