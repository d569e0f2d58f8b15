# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pairing that is offered: the file by which ``rpio pair``, which shows the code, and the daemon, which hears those
who try it, know of each other. It has no code, but what follows from it; and nothing any more when it is over.

Its time is that of the machine since it was started (CLOCK_BOOTTIME), which nobody sets back.
"""

from __future__ import annotations

import json
import os
import secrets
import time

from ... import errors
from ...machine.files import open_file, text_of
from ...remote.places.tokens import check_private
from ...wire.pairing import ATTEMPTS_MAX, VALID_S
from ...wire.terms import SCOPES
from ..rights.tokens import write_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..._gpio import File

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Which start of the machine this is. Source: random(4)."""
FILE_MAX = 1 << 16
GRACE_S = 10.0
"""So long after its time may one end who has begun in it."""


def boot_id() -> str:
    """Which start of the machine this is; "" where the kernel does not say."""
    try:
        return text_of(BOOT_ID)
    except OSError:
        return ""


def now_s() -> float:
    """The time since the machine was started, also while it slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Offer:
    """One. *w* is what SPAKE2 takes for the code, 0 when that is used up. *for_s* is how long the client may come, None
    for ever. *attempts* have begun, of which *failures* are over. When one has succeeded, *paired* is its name, and
    *id* that of its row; *problem* is why that came to nothing all the same.
    """

    __slots__ = (
        "attempts",
        "boot",
        "failures",
        "for_s",
        "id",
        "key",
        "lines",
        "name",
        "paired",
        "peer",
        "problem",
        "scopes",
        "until_s",
        "w",
    )

    def __init__(
        self,
        w: int,
        scopes: Iterable[str],
        lines: Iterable[int] | None,
        name: str,
        for_s: float | None,
        valid_s: float = VALID_S,
    ) -> None:
        self.w, self.key, self.boot, self.until_s = w, secrets.token_hex(8), boot_id(), now_s() + valid_s
        self.scopes, self.lines = tuple(scopes), None if lines is None else tuple(lines)
        self.name, self.for_s = name, for_s
        self.attempts = self.failures = 0
        self.paired = self.id = self.problem = self.peer = ""

    @property
    def left_s(self) -> float:
        """How long it is valid still."""
        return max(0.0, self.until_s - now_s()) if self.boot == boot_id() else 0.0

    @property
    def is_open(self) -> bool:
        """Whether somebody may try it."""
        return self.w != 0 and self.attempts < ATTEMPTS_MAX and 0 < self.left_s <= VALID_S

    @property
    def is_claimable(self) -> bool:
        """Whether one who has begun in time may end now."""
        return self.w != 0 and self.boot == boot_id() and now_s() < self.until_s + GRACE_S

    @property
    def is_tried(self) -> bool:
        """Whether somebody does just now."""
        return self.attempts > self.failures and not self.paired and not self.problem

    def written(self) -> str:
        """As the file has it."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}) + "\n"

    @classmethod
    def read(cls, text: str) -> Offer:
        """Raises ValueError."""
        found = json.loads(text)
        if not isinstance(found, dict) or sorted(found) != sorted(cls.__slots__):
            raise ValueError("it is no pairing")
        made = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(made, name, found[name])
        texts = (made.key, made.boot, made.name, made.paired, made.id, made.problem, made.peer)
        is_sound = (
            all(isinstance(text, str) for text in texts)
            and all(type(number) is int for number in (made.w, made.attempts, made.failures))
            and isinstance(made.until_s, (int, float))
            and isinstance(made.for_s, (int, float, type(None)))
            and isinstance(made.scopes, list)
            and set(made.scopes) <= set(SCOPES)
            and isinstance(made.lines, (list, type(None)))
            and all(type(line) is int for line in made.lines or ())
        )
        if not is_sound:
            raise ValueError("it is no pairing")
        return made


class OfferFile:
    """The one of a folder, which is that of the authority."""

    def __init__(self, folder: str) -> None:
        self.folder, self.path = folder, f"{folder}/pairing"

    def read(self) -> Offer | None:
        """What is offered, or was; None for nothing.

        Raises:
            NotAllowedError: others may read it. ConfigError: it is no such thing. OSError.
        """
        try:
            with open_file(self.path, os.O_RDONLY) as file:
                check_private(file.fd, self.path)
                text = os.read(file.fd, FILE_MAX).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        try:
            return Offer.read(text)
        except (ValueError, TypeError):
            hint = f"rm {self.path}; rpio pair writes it anew"
            raise errors.ConfigError(f"{self.path} is no pairing of RPIO's", hint=hint) from None

    def write(self, offer: Offer) -> None:
        """Offer it, instead of any other; what one who was killed has left of another one is removed."""
        lock = self._alone()
        try:
            for name in filter(lambda name: name.startswith("pairing."), os.listdir(self.folder)):
                os.unlink(f"{self.folder}/{name}")
            write_private(self.path, offer.written())
        finally:
            lock.close()

    def remove(self, key: str) -> None:
        """Offer it no more. Twice is fine, and where it is another one by now."""
        lock = self._alone()
        try:
            found = self.read()
            if found is not None and found.key == key:
                os.unlink(self.path)
        finally:
            lock.close()

    def begin(self, peer: str) -> Offer | None:
        """Somebody tries it: he has begun before he is told anything. None where there is nothing to try."""
        return self._change(lambda offer: offer.is_open, lambda offer: _begin(offer, peer))

    def fail(self, key: str) -> None:
        """He has failed. Twice is not fine."""
        self._change(lambda offer: offer.key == key, _fail)

    def claim(self, key: str) -> Offer | None:
        """He has shown that he knows the code, which is used up by that. None where it is not offered any more."""
        return self._change(lambda offer: offer.key == key and offer.is_claimable, _claim)

    def end(self, key: str, paired: str = "", id: str = "", problem: str = "") -> None:
        """What became of it."""
        self._change(lambda offer: offer.key == key, lambda offer: _end(offer, paired, id, problem))

    def _change(self, is_it: Callable[[Offer], bool], change: Callable[[Offer], None]) -> Offer | None:
        if not os.path.exists(self.path):
            return None
        lock = self._alone()
        try:
            found = self.read()
            if found is None or not is_it(found):
                return None
            change(found)
            write_private(self.path, found.written())
            return found
        finally:
            lock.close()

    def _alone(self) -> File:
        """Change it one after the other, until what is returned is closed."""
        from fcntl import LOCK_EX, flock

        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        lock = open_file(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            flock(lock.fd, LOCK_EX)
        except BaseException:
            lock.close()
            raise
        return lock


def _begin(offer: Offer, peer: str) -> None:
    offer.attempts += 1
    offer.peer = peer


def _fail(offer: Offer) -> None:
    offer.failures += 1


def _claim(offer: Offer) -> None:
    offer.w = 0


def _end(offer: Offer, paired: str, id: str, problem: str) -> None:
    offer.paired, offer.id, offer.problem = paired, id, problem


class Reached:
    """What tells ``rpio pair`` that somebody is open to other machines, who hears of its offers: a file that is locked
    as long as he is, and has his port.
    """

    def __init__(self, folder: str) -> None:
        self.folder, self.path = folder, f"{folder}/open"
        self._lock: File | None = None

    def open(self, port: int) -> None:
        """I am, at that port. Twice is fine. Raises OSError."""
        from fcntl import LOCK_SH, flock

        if self._lock is not None:
            return
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        write_private(self.path, f"{port}\n")
        lock = open_file(self.path, os.O_RDONLY)
        flock(lock.fd, LOCK_SH)
        self._lock = lock

    def close(self) -> None:
        """I am no more. Twice is fine."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def port(self) -> int | None:
        """The port of who is; None where nobody is. Raises OSError where that cannot be seen."""
        from fcntl import LOCK_EX, LOCK_NB, flock

        try:
            file = open_file(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            flock(file.fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            text = os.read(file.fd, 20).decode("ascii", "replace").strip()
            return int(text) if text.isdecimal() else None
        finally:
            file.close()
        return None
