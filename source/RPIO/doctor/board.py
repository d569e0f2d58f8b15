# SPDX-License-Identifier: LGPL-3.0-or-later
"""The board, its kernel and its chips, and what drives lines here: edges, PWM, outputs of a program that is killed."""

from __future__ import annotations

from .. import errors
from ..machine import access, detect, dma_channels, pwm_lines
from ..pulses import dma_engine
from .finding import NOTE, OK, PROBLEM, WARNING, Finding, gpios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

PERSIST = "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
"""Whether outputs stay driven when their program ends. Source: Raspberry Pi kernel, pinctrl-bcm2835.c."""
GPIOCHIP_V2 = (5, 10)
IO_URING_EDGES = (6, 1)
NEW_KERNEL = "sudo apt update && sudo apt full-upgrade && sudo reboot"
RP1_LABEL = "pinctrl-rp1"
ARM = ("arm", "aarch64")


# -- the board ----------------------------------------------------------------------------------------------


def model(patient: Patient) -> Iterator[Finding]:
    """Which machine this is, whatever drives the lines."""
    hardware = detect.detect(patient.root)
    if hardware is None:
        name = patient.text("/proc/device-tree/model") or f"a Linux machine ({patient.architecture})"
        yield Finding(NOTE, f"no Raspberry Pi: {name}")
        return
    memory = f"{hardware.memory_mb} MB, " if hardware.memory_mb else ""
    pcb = f", board revision {hardware.pcb_revision}" if hardware.pcb_revision != "?" else ""
    code = f" (code {hardware.revision_hex})" if hardware.revision_code else ""
    yield Finding(OK, f"{hardware.name}{pcb}{code}")
    yield Finding(OK, f"{hardware.soc}, {memory}made by {hardware.maker}")


def tree(patient: Patient) -> Iterator[Finding]:
    """What the firmware or the boot loader has told the kernel, and what it complained about."""
    names = patient.compatibles()
    if names:
        yield Finding(OK, f"compatible: {', '.join(names)}")
    elif detect.detect(patient.root):
        yield Finding(
            NOTE, "the device tree is hidden here, as containers do: what drivers have is not known"
        )
    complaints = list(dict.fromkeys(patient.text("/proc/device-tree/chosen/user-warnings").splitlines()))
    if complaints:
        yield Finding(
            WARNING,
            f"the firmware complains: {'; '.join(complaints[:3])}",
            "mostly an overlay in config.txt whose name or parameter is wrong",
            "cat /proc/device-tree/chosen/user-warnings",
        )


# -- the kernel ---------------------------------------------------------------------------------------------


def version(release: str) -> tuple[int, int]:
    """Return (6, 1) for "6.1.21-v8+"; (0, 0) for what has no numbers."""
    first, _, rest = release.partition(".")
    second = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return (int(first), int(second)) if first.isdecimal() and second else (0, 0)


def kernel(patient: Patient) -> Iterator[Finding]:
    """Whether it is new enough, and what it lacks."""
    text = f"Linux {patient.release} ({patient.architecture})"
    found = version(patient.release)
    if found < GPIOCHIP_V2:
        yield Finding(
            WARNING,
            f"{text} has no gpiochip interface of version 2, which is Linux 5.10's: edges go through /sys/class/gpio, "
            "without filter_us",
            "a newer kernel",
            NEW_KERNEL,
        )
        return
    yield Finding(OK, text)
    if found < IO_URING_EDGES:
        yield Finding(NOTE, "edges take one system call more than on Linux 6.1, which has io_uring for it")
    elif patient.text("/proc/sys/kernel/io_uring_disabled") in ("1", "2"):
        yield Finding(
            NOTE,
            "io_uring is disabled for users here: an edge takes one system call more",
            "",
            "sudo sysctl kernel.io_uring_disabled=0",
        )


def width(patient: Patient) -> Iterator[Finding]:
    """A 32-bit Python on a 64-bit kernel, which is how 32-bit Raspberry Pi OS comes."""
    if patient.bits == 32 and patient.architecture in ("aarch64", "x86_64"):
        yield Finding(NOTE, "a 32-bit Python on a 64-bit kernel: packages have to be 32-bit ones (armhf)")


def chips(patient: Patient) -> Iterator[Finding]:
    """Every gpiochip, and the one that RPIO uses."""
    names = [name for name in patient.listed("/dev") if name.startswith("gpiochip")]
    used = patient.backend.describe() if patient.backend is not None else ""
    label = patient.hardware.chip_label if patient.hardware is not None else None
    labels: dict[str, str] = {}
    for name in names:
        target = patient.link(f"/dev/{name}")
        if target:
            yield Finding(NOTE, f"/dev/{name} is another name of {target}")
            continue
        found = patient.chip(f"/dev/{name}")
        if found is None:
            yield Finding(NOTE, f"/dev/{name}: it does not open (see permissions)")
            continue
        labels[found[0]] = name
        mine = f"/dev/{name} " in used or (found[0] == label and bool(used))
        yield Finding(
            OK, f"/dev/{name}: {found[0]}, {found[1]} lines{', the one that RPIO uses' if mine else ''}"
        )
    yield from _numbering(labels.get(RP1_LABEL), names)
    if not names:
        yield from _no_chips(patient)


def _numbering(header: str | None, names: list[str]) -> Iterator[Finding]:
    """The header of a Pi 5 was gpiochip4, and is gpiochip0 since Linux 6.6.45; programs have either number in them."""
    if header == "gpiochip0" and "gpiochip4" not in names:
        yield Finding(
            NOTE,
            "the header is gpiochip0, as since Linux 6.6.45: programs that open gpiochip4 do not find it; RPIO goes by "
            "the label",
            "",
            "sudo ln -s gpiochip0 /dev/gpiochip4",
        )
    elif header not in (None, "gpiochip0"):
        yield Finding(
            NOTE,
            f"the header is {header}, and will be gpiochip0 from Linux 6.6.45 on: programs with a number in them break "
            "then; RPIO goes by the label",
        )


def _no_chips(patient: Patient) -> Iterator[Finding]:
    in_container = patient.exists("/.dockerenv") or patient.exists("/run/.containerenv")
    is_pi = detect.detect(patient.root) is not None
    # A laptop's container shows all that there is, and who has asked for the simulated board wants no other.
    is_simulated = patient.backend is not None and patient.backend.outside() is not None
    may_have = in_container and (is_pi or (patient.architecture.startswith(ARM) and not is_simulated))
    here = "this container does not show it" if may_have else "this kernel has none"
    yield Finding(
        WARNING if is_pi else NOTE,
        f"there is no /dev/gpiochip*: {here}",
        "start the container with its devices" if may_have else "",
        "docker run --device /dev/gpiochip0 --device /dev/gpiomem ..." if may_have else "",
    )


# -- what drives lines --------------------------------------------------------------------------------------


def backend(patient: Patient) -> Iterator[Finding]:
    """What drives lines, or why nothing does."""
    if patient.backend is not None:
        yield Finding(OK, f"lines are driven by {patient.backend.describe()}")
        return
    error = patient.error
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    hint = getattr(error, "hint", "")
    if isinstance(error, errors.NoAccessError):
        hint = "what helps stands under Permissions"
    yield Finding(PROBLEM, f"no line can be driven: {text}", hint if hint not in text else "")


def edges(patient: Patient) -> Iterator[Finding]:
    """Whether edges are reported."""
    if patient.backend is None:
        return
    if "edges" in patient.backend.features:
        yield Finding(OK, "edges are reported")
        return
    files = [f"/dev/{name}" for name in patient.listed("/dev") if name.startswith("gpiochip")]
    advice = access.access_hint(files[0]) if files else "edges need a gpiochip of Linux 5.10 or later"
    yield Finding(PROBLEM, "no edges: callbacks and wait_for_edge() do not work", advice)


def pulses(patient: Patient) -> Iterator[Finding]:
    """Whether PWM, servos and waves can be made by DMA."""
    if patient.backend is None or patient.hardware is None:
        return
    reason = dma_engine.why_not(patient.hardware, patient.backend)
    if reason is not None:
        yield Finding(NOTE, f"PWM, servos and waves are made by the C timer, not by DMA: {reason}")
        return
    missing = [path for path in (f"/{dma_engine.MEM}", f"/{dma_engine.VCIO}") if not patient.may_open(path)]
    if missing:
        text = f"no PWM by DMA, but by the C timer: this user may not open {' and '.join(missing)}"
        yield Finding(NOTE, text, "sudo takes DMA")
        return
    free, reason = dma_channels.free(patient.root)
    if free:
        named = ", ".join(map(str, sorted(free)))
        yield Finding(OK, f"PWM by DMA: channels {named} are free, and two can run at a time")
    else:
        yield Finding(NOTE, f"no PWM by DMA, but by the C timer: {reason}")


def left_running(patient: Patient) -> Iterator[Finding]:
    """DMA channels that a program has started; its guardian stops them, unless somebody killed that as well."""
    import json

    try:
        state = json.loads(patient.data(f"{dma_engine.FOLDER}/{dma_engine.STATE}"))
        pid, channels = int(state["pid"]), ", ".join(state["channels"])
    except (ValueError, KeyError, TypeError):
        return
    if not channels or state.get("boot") != patient.text(dma_engine.BOOT_ID):
        return
    owner = next((process for process in patient.processes() if process.pid == pid), None)
    if owner is not None:
        text = f"{owner} makes pulses by DMA: channel {channels}; one program at a time can"
        yield Finding(NOTE, text, "to end it", f"sudo kill {pid}")
    else:
        yield Finding(
            WARNING,
            f"DMA channel {channels} of process {pid}, which has ended, may still run",
            "the next program that takes DMA stops it, and so does a reboot",
            "sudo reboot",
        )


def pwm(patient: Patient) -> Iterator[Finding]:
    """The lines that the hardware's PWM can drive, where an overlay has given it to the kernel."""
    if patient.hardware is not None and pwm_lines.is_bound(patient.hardware, patient.root):
        lines = gpios(list(pwm_lines.lines(patient.hardware)))
        yield Finding(OK, f"hardware PWM is the kernel's; the lines that it can drive: {lines}")
    for line, (_, overlay) in sorted(pwm_lines.own_chips(patient.root).items()):
        yield Finding(OK, f"GPIO {line} has PWM of the kernel's by {overlay}")


def killed(patient: Patient) -> Iterator[Finding]:
    """What becomes of outputs when a program ends without cleanup(), by SIGKILL say."""
    if patient.backend is not None:
        fate = when_killed(patient.backend.name, persists(patient))
        yield Finding(NOTE, f"outputs of a program that is killed: {fate}")


def persists(patient: Patient) -> bool | None:
    """The kernel's parameter persist_gpio_outputs; None where it has none."""
    text = patient.text(PERSIST)
    return text in ("Y", "1") if text else None


def when_killed(backend: str, persists: bool | None) -> str:
    """The sentence for a backend; *persists* is the kernel's parameter, None where it has none."""
    if backend == "cdev":
        if persists:
            return "the kernel leaves them as they are (persist_gpio_outputs=Y)"
        if persists is False:
            return "the kernel makes them inputs (persist_gpio_outputs=N)"
        return "the kernel takes them back, and its driver decides: many leave the level, some make an input of it"
    return {
        "regs": "stay as they are, driven; the next start can take them over",
        "sysfs": "stay as they are, driven and exported; the next start can take them over",
        "sim": "end with the program that simulates them",
        "remote": "stay as they are with who serves them, or go into the safe states that are declared there",
    }.get(backend, "as that backend says")
