# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio doctor``: what this machine can do, what stands in the way, and what to type about it."""

from __future__ import annotations

import argparse
import os

from .. import detect, dma, dma_channels, errors, facade
from . import help
from .classic import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Finding = tuple[str, str, str]
    """A mark ("ok", "!!" for what needs doing, "--" for what is only good to know), a sentence, what to do."""

OK, BAD, NOTE = "ok", "!!", "--"
STATUS = {OK: "ok", BAD: "problem", NOTE: "note"}
PERSIST = "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
"""Whether outputs stay driven when their program ends. Source: Raspberry Pi kernel, pinctrl-bcm2835.c."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio doctor``."""
    p = argparse.ArgumentParser(
        prog="rpio doctor",
        description="Say what machine this is, what drives its lines, and what is wrong. Changes no line.",
        formatter_class=help.Formatter,
    )
    p.add_argument("--backend", metavar="NAME", help="look at what this would drive the lines with")
    p.add_argument("--json", action="store_true", help="print JSON, for programs")
    return p


def run(argv: list[str]) -> int:
    """Print the findings; 1 where something needs doing."""
    options = parser().parse_args(argv)
    if options.backend is not None:
        try:
            facade.use(options.backend)
        except (errors.NoBackendError, ValueError) as e:
            return complain(f"rpio doctor: {e}", getattr(e, "hint", ""), 2)
    bad = False
    found = []
    for mark, text, advice in findings():
        if options.json:
            found.append({"status": STATUS[mark], "text": text, "advice": advice or None})
        else:
            print(f"{mark} {text}")
            if advice:
                print(f"   {advice}")
        bad = bad or mark == BAD
    if options.json:
        import json

        print(json.dumps(found))
    return 1 if bad else 0


def findings() -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    try:
        hardware = facade.board.hardware
        yield OK, f"this is a {hardware.name}" if hardware.is_pi else f"no Raspberry Pi: {hardware.name}", ""
        backend = facade.board.backend
    except (errors.GPIOError, OSError, ValueError) as e:  # ValueError: RPIO_BACKEND=sim:9Z
        yield BAD, f"no line can be driven: {e}", getattr(e, "hint", "")
        return
    yield OK, f"lines are driven by {backend.describe()}", ""
    yield from _edges()
    yield from _pulses()
    yield from _when_killed()
    yield from _holders()
    yield from _rpi_packages()


def _edges() -> Iterator[Finding]:
    if "edges" in facade.board.backend.features:
        yield OK, "edges are reported", ""
    else:
        chips = sorted(f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("gpiochip"))
        advice = detect.access_hint(chips[0]) if chips else "edges need a gpiochip of Linux 5.10 or later"
        yield BAD, "no edges: callbacks and wait_for_edge() do not work", advice


def _pulses() -> Iterator[Finding]:
    """Whether PWM, servos and waves can be made by DMA."""
    reason = dma.why_not(facade.board.hardware, facade.board.backend)
    if reason is not None:
        yield NOTE, f"PWM, servos and waves are made by the C timer, not by DMA: {reason}", ""
        return
    missing = [
        path for path in (dma.MEM, dma.VCIO) if not os.access(os.path.join(dma.ROOT, path), os.R_OK | os.W_OK)
    ]
    if missing:
        named = " and ".join(f"/{path}" for path in missing)
        yield NOTE, f"no PWM by DMA, but by the C timer: this user may not open {named}", "sudo takes DMA"
        return
    free, reason = dma_channels.free(dma.ROOT)
    if free:
        yield (
            OK,
            f"PWM by DMA: channels {', '.join(map(str, sorted(free)))} are free, and two can run at a time",
            "",
        )
    else:
        yield NOTE, f"no PWM by DMA, but by the C timer: {reason}", ""


def _when_killed() -> Iterator[Finding]:
    """What becomes of outputs when a program ends without cleanup(), by SIGKILL say."""
    yield (
        NOTE,
        f"outputs of a program that is killed: {when_killed(facade.board.backend.name, _persists())}",
        "",
    )


def _persists() -> bool | None:
    try:
        with open(PERSIST) as file:
            return file.read().strip() in ("Y", "1")
    except OSError:
        return None


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
    }.get(backend, "as that backend says")


def _holders() -> Iterator[Finding]:
    """Lines of the header that programs or drivers hold."""
    backend, hardware = facade.board.backend, facade.board.hardware
    held = []
    for line in hardware.header_lines or range(backend.line_count):
        holder = backend.consumer(line)
        if holder:
            held.append(f"GPIO {line} ({holder})")
    if held:
        yield (
            NOTE,
            f"in use: {', '.join(held)}",
            "a dtparam or dtoverlay line in config.txt switches a driver off",
        )


def _rpi_packages() -> Iterator[Finding]:
    """Who answers to ``import RPi.GPIO`` outside of ``rpio run``."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("RPi.GPIO", "rpi-lgpio", "RPIO-RPi"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if len(found) > 1:
        yield (
            BAD,
            f"several packages bring RPi.GPIO, and overwrite each other: {', '.join(found)}",
            "pip uninstall all but one, then reinstall that one",
        )
    elif found:
        yield NOTE, f"import RPi.GPIO is {found[0]}; rpio run SCRIPT uses RPIO all the same", ""
    else:
        yield NOTE, "RPi.GPIO is not installed; rpio run SCRIPT makes RPIO answer to its name", ""
