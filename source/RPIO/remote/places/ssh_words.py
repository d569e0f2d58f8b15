# SPDX-License-Identifier: LGPL-3.0-or-later
"""What it means when ssh, or RPIO at its far end, gives up: its own words first, and then what to do about it."""

from __future__ import annotations

from ... import errors

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
NO_SSH = (
    "Connection refused",
    "kex_exchange_identification",
    "banner",
    "Bad packet length",
    "Connection closed by",
)
"""Words of ssh where nobody has answered who speaks it. Source: OpenSSH 8.4 to 9.9, kex.c, packet.c."""
NOISE = ("Warning: Permanently added ", "Shared connection to ")


class Whom:
    """Whom it is about: the word that was asked for, the host, and what the user types to get there."""

    __slots__ = ("command", "has_port", "host", "where")

    def __init__(self, where: str, host: str, command: str, has_port: bool = False) -> None:
        self.where, self.host, self.command, self.has_port = where, host, command, has_port

    def advised(self, hint: str) -> str:
        """The same with how it is done without ssh."""
        named = f"[{self.host}]" if ":" in self.host else self.host
        return f"{hint}; without ssh: `rpio pair` there, and `rpio pair {named}` here"

    def __str__(self) -> str:
        return self.where


def explained(whom: Whom, status: int | None, said: bytes, heard: bytes, what: str) -> errors.GPIOError:
    """The error. *status* is ssh's exit status, None where it runs still; *said* what stood on its standard error,
    *heard* what came in the place of a protocol, *what* how that was noticed.
    """
    lines = [line.rstrip() for line in said.decode("utf-8", "replace").splitlines()]
    words = "\n".join(line for line in lines if line and not line.startswith(NOISE))
    text = f"no board answers at {whom}"
    if status == NOT_THERE:
        if words.strip() == "there is no RPIO here":
            words = ""
        text += f": RPIO is not installed there{_said(words)}"
        hint = f"{whom.command} pip install RPIO   (where pip refuses: {whom.command} pipx install RPIO)"
        return errors.NoBackendError(text, hint=hint)
    if status == OF_SSH:
        hints = [hint for known, hint in ADVICE if known in words]
        copy_id = whom.command.replace("ssh ", "ssh-copy-id ", 1)
        hint = (hints or ["try by hand: {command}"])[0].format(
            host=whom.host, command=whom.command, copy_id=copy_id
        )
        if any(known in words for known in NO_SSH) or (whom.has_port and not hints):
            hint = whom.advised(hint)
        return errors.NoBackendError(f"{text}, for ssh says:\n{words}" if words else text, hint=hint)
    if status == USAGE:
        text += f": the RPIO there is older than this one, and cannot serve by ssh{_said(words)}"
        return errors.NoBackendError(text, hint=f"{whom.command} pip install --upgrade RPIO")
    begin = heard.decode("utf-8", "replace").strip()
    if not what and begin:
        what = f"what answers there is no RPIO, it says {begin[:200]!r}"
    hint = f"try by hand: {whom.command} rpio serve --stdio"
    return errors.NoBackendError(f"{text}: {what or 'it has gone again'}{_said(words)}", hint=hint)


def _said(words: str) -> str:
    return f"; it says:\n{words}" if words else ""


def no_ssh() -> errors.NoBackendError:
    """The error where there is no ssh on this side."""
    return errors.NoBackendError(
        "there is no ssh on this machine, or none on the PATH", hint="sudo apt install openssh-client"
    )
