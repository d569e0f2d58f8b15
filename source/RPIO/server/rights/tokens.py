# SPDX-License-Identifier: LGPL-3.0-or-later
"""The file of tokens: a line of JSON for each, which has its digest and what it is for.

Only its owner may read it. It is written anew as a whole: who reads it finds the one or the other.
"""

from __future__ import annotations

import os
import secrets

from ... import errors
from ...machine.files import open_file
from ...machine.new_files import new_file, remove_file
from ...remote.places.tokens import check_private
from .access import Token, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..._gpio import File

SIZE_MAX, TOKENS_MAX = 1 << 20, 1000


class TokenFile:
    """The file at a path; it need not be there."""

    def __init__(self, path: str, verb: str = "rpio token list", anew: str = "make the token anew") -> None:
        self.path, self._verb, self._anew = path, verb, anew

    def read(self) -> list[Token]:
        """The tokens.

        Raises:
            NotAllowedError: others than its owner may read or write it. OSError: it cannot be read.
            ConfigError: it is no file of tokens; the text has its line.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        with open(fd, encoding="utf-8", errors="replace") as file:
            check_private(fd, self.path)
            text = file.read(SIZE_MAX)
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found.append(Token.read(line))
            except (ValueError, TypeError) as e:
                hint = f"`{self._verb}` reads it; remove the line, and {self._anew}"
                raise errors.ConfigError(f"{self.path}:{number}: {e}", hint=hint) from None
        return found

    def _alone(self) -> File:
        """Change it one after the other, until what is returned is closed: what another one writes meanwhile would
        bring back what was revoked.
        """
        from fcntl import LOCK_EX, flock

        lock = open_file(self._folder(), os.O_RDONLY | os.O_DIRECTORY)
        flock(lock.fd, LOCK_EX)
        return lock

    def _folder(self) -> str:
        folder = os.path.dirname(self.path) or "."
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return folder

    def _write(self, tokens: Iterable[Token]) -> None:
        self._folder()
        write_private(self.path, "".join(f"{token.written()}\n" for token in tokens))

    def add(
        self,
        scopes: Iterable[str],
        lines: Iterable[int] | None,
        name: str,
        now_s: float,
        until_s: float | None,
    ) -> tuple[Token, str]:
        """Make a token; return it, and the text that is shown for it, which is written nowhere."""
        text = f"rpio_{secrets.token_urlsafe(32)}"
        return self.add_digest(digest_of(text), scopes, lines, name, now_s, until_s), text

    def add_digest(
        self,
        digest: str,
        scopes: Iterable[str],
        lines: Iterable[int] | None,
        name: str,
        now_s: float,
        until_s: float | None,
        is_alone: bool = False,
    ) -> Token:
        """Add what is shown by whatever has that digest: a token's text, or a client's certificate. With *is_alone* it
        has a name that no other one has: "laptop-2".
        """
        lock = self._alone()
        try:
            tokens = [token for token in self.read() if token.until_s is None or token.until_s > now_s]
            if len(tokens) >= TOKENS_MAX:
                raise ValueError(f"{self.path} has {TOKENS_MAX} rows; revoke some: {self._verb}")
            known = {token.id for token in tokens}
            id = next(id for id in iter(lambda: secrets.token_hex(3), "") if id not in known)
            token = Token(
                id,
                digest,
                tuple(scopes),
                None if lines is None else tuple(sorted(lines)),
                _other_than(name, {token.name for token in tokens}) if is_alone else name,
                now_s,
                until_s,
            )
            self._write([*tokens, token])
            return token
        finally:
            lock.close()

    def revoke(self, ids: Iterable[str]) -> list[str]:
        """Take tokens out, by their ids or names; return those that are not there."""
        lock = self._alone()
        try:
            wanted, tokens = list(ids), self.read()
            missing = [id for id in wanted if not any(id in (token.id, token.name) for token in tokens)]
            if not missing:
                self._write(
                    [token for token in tokens if token.id not in wanted and token.name not in wanted]
                )
            return missing
        finally:
            lock.close()


def clients_of(folder: str) -> TokenFile:
    """The list of those who are paired with a device, of whose certificates that is the folder."""
    return TokenFile(f"{folder}/clients", "rpio pair --list", "pair anew")


def _other_than(name: str, names: set[str]) -> str:
    """That name, or with a number behind it."""
    if name not in names:
        return name
    return next(f"{name}-{number}" for number in range(2, TOKENS_MAX + 3) if f"{name}-{number}" not in names)


def write_private(path: str, text: str) -> None:
    """Write a file anew, as a whole, that nobody else can read, and that belongs to who has the folder."""
    # Whose folder it is may lay a link there, for root to follow: a name that nobody knows, and no file but ours.
    draft = f"{path}.{secrets.token_hex(8)}"
    try:
        with new_file(draft, 0o600) as file:
            fd = file.fileno()
            os.fchmod(fd, 0o600)
            file.write(text)
            file.flush()
            os.fsync(fd)
            keep_owner(fd, os.path.dirname(path) or ".")
        os.replace(draft, path)
    except BaseException:
        remove_file(draft)
        raise


def keep_owner(fd: int, folder: str) -> None:
    """Have a file that root has made belong to who has the folder: the daemon's user, who is to read it."""
    if os.geteuid() == 0:
        owner = os.stat(folder)
        os.fchown(fd, owner.st_uid, owner.st_gid)
