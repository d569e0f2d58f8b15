# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device files: whose they are, whether this user may open them, and what to type where not."""

from __future__ import annotations

import stat

from ..machine import access, detect
from .finding import NOTE, OK, PROBLEM, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .patient import Patient

# Folder, beginning of the name, what a closed one means, what a missing one means on a Raspberry Pi and what makes it.
# Source of the commands: raspi-config, whose do_i2c and do_spi take 0 for on.
# fmt: off
KINDS = {
    "gpiochip": ("/dev", "gpiochip", PROBLEM, "", ""),
    "gpiomem":  ("/dev", "gpiomem",  PROBLEM, "lines go through the gpiochip, which is slower", ""),
    "mem":      ("/dev", "mem",      NOTE,    "", ""),
    "vcio":     ("/dev", "vcio",     NOTE,    "", ""),
    "i2c":      ("/dev", "i2c-",     WARNING, "I2C is off", "sudo raspi-config nonint do_i2c 0"),
    "spi":      ("/dev", "spidev",   WARNING, "SPI is off", "sudo raspi-config nonint do_spi 0"),
}
# fmt: on
PWM = "/sys/class/pwm"
ROOT_ONLY = {"mem": "PWM by DMA", "vcio": "PWM by DMA"}
"""What is root's by design, and what it is for."""


def checks() -> dict[str, Callable[[Patient], Iterator[Finding]]]:
    """Return a check for each kind of file, by its name in the table."""

    def _check(kind: str) -> Callable[[Patient], Iterator[Finding]]:
        return lambda patient: files(patient, kind)

    return {kind: _check(kind) for kind in KINDS}


def files(patient: Patient, kind: str) -> Iterator[Finding]:
    """The device files of a kind: those of the same owner and mode together."""
    folder, beginning, closed, missing, command = KINDS[kind]
    is_pi = detect.detect(patient.root) is not None
    if kind in ROOT_ONLY and not is_pi:
        return
    alike: dict[tuple[int, int, int, bool], list[str]] = {}
    for name in patient.listed(folder):
        path = f"{folder}/{name}"
        whole = name == beginning or (beginning != "mem" and name.startswith(beginning))
        if whole and not patient.link(path):
            owner = patient.owner(path)
            if owner is not None:
                alike.setdefault((*owner, patient.may_open(path)), []).append(path)
    for (uid, gid, mode, opens), paths in alike.items():
        yield _finding(patient, kind, paths, (uid, gid, mode), OK if opens else closed)
    if not alike and missing and is_pi:
        yield Finding(
            NOTE, f"no {folder}/{beginning}*: {missing}", "to switch it on" if command else "", command
        )


def pwm(patient: Patient) -> Iterator[Finding]:
    """/sys/class/pwm: the file through which a channel is had."""
    for name in patient.listed(PWM):
        path = f"{PWM}/{name}/export"
        owner = patient.owner(path)
        if owner is None:
            continue
        uid, gid, mode = owner
        bit = stat.S_IWUSR if uid == patient.uid else stat.S_IWGRP if gid in patient.gids else stat.S_IWOTH
        opens = patient.uid == 0 or bool(mode & bit)
        yield _finding(patient, "pwm", [path], owner, OK if opens else NOTE)


def _finding(
    patient: Patient, kind: str, paths: list[str], owner: tuple[int, int, int], status: str
) -> Finding:
    uid, gid, mode = owner
    named = ", ".join([paths[0], *(path.rpartition("/")[2] for path in paths[1:])])
    names = {number: name for name, (number, _) in patient.groups().items()}
    group = names.get(gid, "root" if gid == 0 else str(gid))
    text = f"{named} ({'root' if uid == 0 else uid}:{group}, {mode:04o})"
    it = "it" if len(paths) == 1 else "them"
    if status == OK:
        return Finding(OK, f"{text}: this user may open {it}")
    if kind in ROOT_ONLY and patient.uid != 0:
        return Finding(
            NOTE, f"{text}: {ROOT_ONLY[kind]} needs it, and root", "", f"sudo {patient.executable} SCRIPT"
        )
    return Finding(
        status, f"{text}: this user may not open {it}", *_cure(patient, paths[0], group, gid, mode)
    )


def _rules(patient: Patient, group: str, one: str) -> list[str]:
    """The rules for udev that all files of a group need which nobody may open: one command for them all."""
    found = {one: None}
    for kind, (folder, beginning, *_) in KINDS.items():
        for name in patient.listed(folder) if kind not in ROOT_ONLY else []:
            path = f"{folder}/{name}"
            if name.startswith(beginning) and not patient.link(path) and not patient.may_open(path):
                rule, _, wanted = access.udev_rule(path)
                if wanted == group:
                    found[rule] = None
    return sorted(found)


def _cure(patient: Patient, path: str, group: str, gid: int, mode: int) -> tuple[str, str]:
    """What to do, and the command."""
    user = patient.user
    may = stat.S_IWGRP if path.startswith("/sys/") else stat.S_IRGRP | stat.S_IWGRP
    if patient.uid == 0 or (mode & may == may and gid in patient.gids):
        return (
            "its mode allows it, and something else does not: a container needs it passed in",
            f"docker run --device {path} ...",
        )
    if mode & may == may and gid != 0:
        if user in patient.groups().get(group, (0, []))[1]:
            return (
                f"{user} is in the group {group}, but this session began before that: log in again, or",
                f"newgrp {group}",
            )
        return (
            "join the group, then log in again (a session keeps its groups)",
            f"sudo usermod -aG {group} {user}",
        )
    if path.startswith("/sys/"):
        return "run the program with sudo", ""
    _, file, wanted = access.udev_rule(path)
    rules = " ".join(f"'{rule}'" for rule in _rules(patient, wanted, access.udev_rule(path)[0]))
    join = "" if user in patient.groups().get(wanted, (0, []))[1] else f" && sudo usermod -aG {wanted} {user}"
    return (
        f"no group may: a rule for udev gives it to the group {wanted}; then log in again",
        f"sudo groupadd -f {wanted} && printf '%s\\n' {rules} | sudo tee {file} && sudo udevadm control --reload && "
        f"sudo udevadm trigger{join}",
    )
