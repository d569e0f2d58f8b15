# SPDX-License-Identifier: LGPL-3.0-or-later
"""What it means when ssh, or RPIO at its far end, gives up: its own words first, and then what to do about it."""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Login(Protocol):
        """Whom it is about."""

        host: str
        command: str


OF_SSH = 255
"""Exit status of ssh itself, where it has not come to the end. Source: ssh(1)."""
NOT_THERE, USAGE = 127, 2
ADVICE = (
    ("Could not resolve hostname", "is the name right, and is the machine switched on? try: ping {host}"),
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "where that machine has been set up anew, forget its old key with the command above (ssh-keygen -R ...), "
        "then log in once by hand: {command}",
    ),
    ("Host key verification failed", "log in once by hand, and look at the key that it shows: {command}"),
    (
        "Connection refused",
        "is ssh switched on there? on the machine itself: sudo systemctl enable --now ssh",
    ),
    ("Permission denied", "log in once by hand: {command}; a key gets there with: {copy_id}"),
    ("Too many authentication failures", "log in once by hand: {command}"),
    ("timed out", "is it switched on, and in this network? try: ping {host}"),
    ("No route to host", "is it switched on, and in this network? try: ping {host}"),
    ("unreachable", "is it switched on, and in this network? try: ping {host}"),
)
"""Words of ssh -> what to do. Source: OpenSSH 8.4 to 9.9, readconf.c, sshconnect.c, sshconnect2.c; strerror(3)."""
NOISE = ("Warning: Permanently added ", "Shared connection to ")


def explained(login: Login, status: int | None, said: bytes, heard: bytes, what: str) -> errors.GPIOError:
    """The error. *status* is ssh's exit status, None where it runs still; *said* what stood on its standard error,
    *heard* what came in the place of a protocol, *what* how that was noticed.
    """
    lines = [line.rstrip() for line in said.decode("utf-8", "replace").splitlines()]
    words = "\n".join(line for line in lines if line and not line.startswith(NOISE))
    text = f"no board answers at {login}"
    if status == NOT_THERE:
        if words.strip() == "there is no RPIO here":
            words = ""
        text += f": RPIO is not installed there{_said(words)}"
        hint = f"{login.command} pip install RPIO   (where pip refuses: {login.command} pipx install RPIO)"
        return errors.NoBackendError(text, hint=hint)
    if status == OF_SSH:
        hints = [hint for known, hint in ADVICE if known in words]
        copy_id = login.command.replace("ssh ", "ssh-copy-id ", 1)
        hint = (hints or ["try by hand: {command}"])[0].format(
            host=login.host, command=login.command, copy_id=copy_id
        )
        return errors.NoBackendError(f"{text}, for ssh says:\n{words}" if words else text, hint=hint)
    if status == USAGE:
        text += f": the RPIO there is older than this one, and cannot serve by ssh{_said(words)}"
        return errors.NoBackendError(text, hint=f"{login.command} pip install --upgrade RPIO")
    begin = heard.decode("utf-8", "replace").strip()
    if not what and begin:
        what = f"what answers there is no RPIO, it says {begin[:200]!r}"
    hint = f"try by hand: {login.command} rpio serve --stdio"
    return errors.NoBackendError(f"{text}: {what or 'it has gone again'}{_said(words)}", hint=hint)


def _said(words: str) -> str:
    return f"; it says:\n{words}" if words else ""


def no_ssh() -> errors.NoBackendError:
    """The error where there is no ssh on this side."""
    return errors.NoBackendError(
        "there is no ssh on this machine, or none on the PATH", hint="sudo apt install openssh-client"
    )
