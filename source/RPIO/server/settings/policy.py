# SPDX-License-Identifier: LGPL-3.0-or-later
"""What may run here for others: whose programs, which modules, where, and within which limits."""

from __future__ import annotations

from ...programs import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Places:
    """Where programs are and how they end: see the settings of [run], whose names these are."""

    def __init__(
        self,
        work: str = "~/further",
        temp: str = "",
        venv: str = "",
        grace_s: float = 5.0,
        cpu_percent: int = 0,
        url_hosts: Sequence[str] = (),
    ) -> None:
        self.work, self.temp, self.venv = work, temp, venv
        self.grace_s, self.cpu_percent, self.url_hosts = grace_s, cpu_percent, tuple(url_hosts)

    def told(self, home: str) -> dict[str, object]:
        """What a keeper is told, whose user's home that is."""
        paths = {
            name: home + path[1:] if path.startswith("~") else path
            for name, path in (("work", self.work), ("temp", self.temp), ("venv", self.venv))
        }
        return {
            **paths,
            "grace_s": self.grace_s,
            "cpu_percent": self.cpu_percent,
            "url_hosts": list(self.url_hosts),
        }


class Policy:
    """What may run here: *modules* that may be imported ("*" is any), *has_code* whether functions may come as source,
    as whom (see process.user), and within which limits.
    """

    def __init__(
        self,
        is_on: bool,
        user: str = "",
        modules: Sequence[str] = (),
        has_code: bool = False,
        limits: process.Limits | None = None,
        places: Places | None = None,
    ) -> None:
        self.is_on, self.user = is_on, user
        self.modules, self.has_code = tuple(modules), has_code
        self.limits = limits or process.Limits()
        self.places = places or Places()

    def told(self, descriptor: tuple[int, int], idle_s: float | None) -> dict[str, object]:
        """What a process of modules is told."""
        return {
            "reader": descriptor[0],
            "writer": descriptor[1],
            "modules": list(self.modules),
            "code": self.has_code,
            "idle_s": idle_s,
            "limits": self.limits.words(),
            "stand_ins": ["RPi"],
        }

    def of_keeper(self, home: str) -> dict[str, object]:
        """What a keeper is told, whose user's home that is: see programs/keeper."""
        return {**self.places.told(home), "limits": self.limits.words()}
