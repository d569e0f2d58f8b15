# SPDX-License-Identifier: LGPL-3.0-or-later
"""Units of systemd that verbs write: where they are, how words are written there, and what systemctl is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OF_SYSTEM = "/etc/systemd/system"
OF_USER = "~/.config/systemd/user"
TIMEOUT_S = 100.0
"""systemd itself gives a unit 90 seconds to start, and to end."""
PLAIN = re.compile(r"[\w@%+=:,./\[\]-]+", re.ASCII)
NO_SYSTEMD = "no systemd runs here that could: {}"
HINT = "a unit is systemd's; have whatever starts programs on this machine run the command itself"


def is_of_system() -> bool:
    """Whether a unit is the machine's: root's are, others are the user's own."""
    return os.geteuid() == 0


def target() -> str:
    """What wants a unit from boot, or login, on."""
    return "multi-user.target" if is_of_system() else "default.target"


def path_of(name: str) -> str:
    """Where the unit of that name is, or will be."""
    folder = OF_SYSTEM if is_of_system() else os.path.expanduser(OF_USER)
    return f"{folder}/{name}.service"


def program() -> list[str]:
    """The command rpio, as it was called, or as it is found; else this Python with it."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "rpio" and os.access(called, os.X_OK):
        return [called]
    found = shutil.which("rpio")
    return [found] if found else [sys.executable, "-m", "RPIO"]


def written(words: Sequence[str]) -> str:
    """A command line as a unit has it. Source: systemd.service(5), "Command lines"."""
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    return text if PLAIN.fullmatch(text) else f'"{text}"'


def text_of(name: str) -> str:
    """What is written there; "" where there is none."""
    try:
        with open(path_of(name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(name: str, text: str) -> str:
    """Write a unit, whole or not at all; return where it is."""
    path = path_of(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    made = f"{path}.new"
    with open(made, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(made, path)
    return path


def command() -> str:
    """What a person types for systemctl()."""
    return "systemctl" if is_of_system() else "systemctl --user"


def systemctl(*words: str) -> None:
    """Have it done. Raises GPIOError, with what systemctl has said."""
    status, said = asked(*words)
    if status:
        raise errors.GPIOError(f"{command()} {' '.join(words)}: {said or f'status {status}'}")


def asked(*words: str) -> tuple[int, str]:
    """The status of systemctl, and what it has said. Raises GPIOError where there is none."""
    try:
        done = subprocess.run(
            [*command().split(), *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise errors.GPIOError(NO_SYSTEMD.format("there is no systemctl"), hint=HINT) from None
    except subprocess.TimeoutExpired:
        raise errors.GPIOError(f"{command()} {' '.join(words)} has not ended in {TIMEOUT_S:g} s") from None
    return done.returncode, (done.stderr or done.stdout).strip()


def check_systemd() -> None:
    """Raise GPIOError where no systemd is there to be told."""
    status, said = asked("show", "--property=Version")
    if status:
        raise errors.GPIOError(
            NO_SYSTEMD.format(said.splitlines()[0] if said else "it does not answer"), hint=HINT
        )
