# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --rraspy``: a device of RRaspPY's protocol, in a process of its own, whose lines are the daemon's.

Here is only the socket that it listens at, its start, and its end. What a host asks for comes to the daemon as what a
client of its own protocol asks, and in no other way.
"""

from __future__ import annotations

from .. import errors, threads
from ..machine import network
from ..programs import process, rraspy_words, starter
from .settings import beyond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

    from .settings.policy import Policy
    from .settings.settings import Settings

    Say = Callable[[str], object]

SERVED = "RPIO.programs.rraspy.served"
END_S = 3.0
"""How long its process may take to end by itself."""


def check(settings: Settings) -> None:
    """Look at what is set, before anything is opened.

    Raises:
        ConfigError: no host is named. NotAllowedError: see beyond.kind_of().
    """
    if not settings.values["rraspy", "on"]:
        return
    if not settings.of("rraspy", "host"):
        hint = "--rraspy-host ADDRESS, or host = in [rraspy]: who is served and called back"
        raise errors.ConfigError("RRaspPY's protocol is served to one host, and none is named", hint=hint)
    beyond.kind_of(settings, "rraspy")


def start_process(words: Sequence[str], listener: socket, backend: str, policy: Policy) -> process.Process:
    """Start a device's process at a socket that listens, within the limits of what runs for others; as their user
    where it runs any Python.
    """
    fd = listener.fileno()
    told = {"words": [*words, "--socket", str(fd)], "limits": policy.limits.words()}
    who = process.user(policy.user) if "--open-run" in words else process.this_user()
    return starter.start(SERVED, told, who, [fd], {"RPIO_BACKEND": backend})


class Front:
    """The device of the settings. *say* is told what people should know, and may be called from another thread."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say = settings, say
        self._process: process.Process | None = None
        self._listener: socket | None = None
        self._is_ending = False
        self.state = "not served"
        self.place: tuple[str, int] | None = None
        """Where it listens; None for nowhere."""

    def _of(self, key: str) -> str:
        return self._settings.of("rraspy", key)

    @property
    def is_open_run(self) -> bool:
        """Whether any Python is run."""
        return bool(self._settings.values["rraspy", "open_run"])

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["rraspy", "on"]:
            return []
        what = (
            "any Python (open-run)" if self.is_open_run else "calls of RPi.GPIO, smbus and Adafruit_ADS1x15"
        )
        told = beyond.told(self._settings, "rraspy")
        return [f"rraspy: {self.state}, for the host {self._of('host')}: {what}{f'; {told}' if told else ''}"]

    def open(self, backend: str) -> None:
        """Listen, and start the process, whose lines are by that backend. What is wrong is said, and nothing served."""
        if not self._settings.values["rraspy", "on"]:
            return
        address, port = beyond.address_of(self._settings, "rraspy"), int(self._of("port"))
        is_insecure = bool(self._settings.values["rraspy", "insecure"])
        try:
            hosts = network.addresses_of(self._of("host"))
            self._listener = listener = rraspy_words.listen(address, port)
            port = listener.getsockname()[1]
            flags = [*["--open-run"] * self.is_open_run, *["--insecure"] * is_insecure]
            words = [self._of("host"), address, self._of("host_port"), str(port), *flags]
            self._process = started = start_process(words, listener, backend, self._settings.policy())
            self._close_listener()  # it is the process's now, and goes with it
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"rraspy is {self.state}")
            self.close()
            return
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.state, self.place = f"at {where}, process {started.pid}", (address, port)
        self._say(f"rraspy is served at {where} to the host {self._of('host')}, by process {started.pid}")
        for line in rraspy_words.told(address, hosts, is_insecure, self.is_open_run):
            self._say(f"rraspy: {line}")
        threads.start(lambda: self._wait(started), "RPIO rraspy process")

    def _wait(self, started: process.Process) -> None:
        status = started.wait()
        if self._is_ending:
            return
        how = f"signal {-status}" if status < 0 else f"status {status}"
        self.state, self.place = f"not served: its process has ended with {how}", None
        self._say(f"rraspy is {self.state}; start rpio serve anew")

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """End the process, and listen no more. Twice is fine."""
        self._is_ending = True
        self._close_listener()
        started, self._process = self._process, None
        if started is not None:
            started.end(END_S)
