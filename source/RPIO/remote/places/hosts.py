# SPDX-License-Identifier: LGPL-3.0-or-later
"""The devices that this user's programs know: of each a folder, which has the device's own authority, the certificate
that it has given, with its key, and the names that it goes by. ``rpio pair`` writes them.

They are ``ca.pem``, ``client.pem``, ``client.key`` and ``host.json`` of ``$XDG_CONFIG_HOME/rpio/hosts/NAME``, NAME
being what was typed; who has a token needs no certificate. What is written is there as a whole, or as it was before.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from time import time

from ... import errors
from ...machine.files import open_file
from ...machine.new_files import new_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ssl import SSLContext


AUTHORITY, CERTIFICATE, KEY, ABOUT = "ca.pem", "client.pem", "client.key", "host.json"
PORT = 8510
FILE_MAX = 1 << 16
NAME_MAX = 253
NAMES_MAX = 100
OF_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_:%")
"""What a name or an address may have."""
OLD, NEW, PAIRING = ".old-", ".new-", ".pair-"
"""How folders begin that are no device's: one that is replaced, one that is written, one of a pairing."""
STALE_S = 3600
"""So old is what a pairing has left that was killed."""
HOME = ("", "local", "lan", "home", "home.arpa", "localdomain", "fritz.box")
"""Networks in which a name is that of a neighbour, whichever of them is written behind it."""


def folder() -> str:
    """Where they are. Source: XDG Base Directory Specification 0.8, of XDG_CONFIG_HOME."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return f"{base if os.path.isabs(base) else os.path.expanduser('~/.config')}/rpio/hosts"


def spelled(host: str) -> str:
    """A name or an address as it is looked up: without capitals, brackets and a dot at its end. Raises ValueError."""
    found = host.strip("[]").lower().rstrip(".")
    if not found or len(found) > NAME_MAX or found.startswith((".", "-")) or not OF_NAME.issuperset(found):
        raise ValueError(f"{host!r} is no name or address of a machine, such as pi.local or 192.168.1.7")
    return found


def forms(name: str) -> set[str]:
    """What else the same neighbour is called: pi, pi.local, pi.lan. Of an address, and of a name of the wide world,
    there is no other form.
    """
    first, _, rest = name.partition(".")
    if rest not in HOME or ":" in name:
        return {name}
    return {f"{first}.{network}" if network else first for network in HOME}


class Known:
    """One of them, as it is in its folder.

    *problem* says why it is of no use, "" where it is of some; then *hint* says what to type. *names* and *addresses*
    are those that it says that it goes by: it may be looked for there, but who is meant by one of them it does not say.
    *reached* is the address at which it was when it was paired, "" for unknown; *made_s* is when it was written (Unix
    time), *scopes* and *lines* (None for all) are what it allowed then.
    """

    __slots__ = (
        "addresses",
        "folder",
        "hint",
        "lines",
        "made_s",
        "name",
        "names",
        "port",
        "problem",
        "reached",
        "scopes",
    )

    def __init__(self, folder: str) -> None:
        self.folder, self.name = folder, os.path.basename(folder)
        self.names: tuple[str, ...] = ()
        self.addresses: tuple[str, ...] = ()
        self.port, self.made_s, self.problem, self.hint = PORT, 0.0, "", ""
        self.reached = ""
        self.scopes: tuple[str, ...] = ()
        self.lines: tuple[int, ...] | None = None
        try:
            self._read()
        except (OSError, ValueError, KeyError, TypeError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else "that is none of RPIO's"
            self.problem = f"{self.path(ABOUT)}: {text}"
            self.hint = (
                f"rpio pair {self.name} has it written anew; rpio pair --forget {self.name} removes it"
            )

    def _read(self) -> None:
        found = json.loads(_text(self.path(ABOUT)))
        self.names = tuple(map(spelled, found["names"]))
        self.addresses = tuple(map(spelled, found["addresses"]))
        self.reached = spelled(found["reached"]) if found.get("reached") else ""
        self.port, self.made_s = int(found["port"]), float(found["made_s"])
        self.scopes = tuple(map(str, found["scopes"]))
        self.lines = None if found["lines"] is None else tuple(map(int, found["lines"]))
        if not 0 < self.port < 65536:
            raise ValueError("that is no port")

    def path(self, name: str) -> str:
        """One of its files."""
        return f"{self.folder}/{name}"

    @property
    def has_certificate(self) -> bool:
        """Whether it was paired: else it is known, and who connects has to show a token."""
        return os.path.exists(self.path(CERTIFICATE))

    def is_known_as(self, host: str) -> bool:
        """Whether that is a form of the name by which it was paired, or the address where it was then; *host* is
        spelled(). What it calls itself does not count: one of two devices could be taken for the other one.
        """
        return host in forms(self.name) or host == self.reached != ""

    def digest(self) -> str:
        """The SHA-256 of its authority's certificate, in 64 digits: what the device is known by.

        Raises ConfigError, OSError.
        """
        from hashlib import sha256

        return sha256(self._der(AUTHORITY)).hexdigest()

    def certificate_der(self) -> bytes:
        """The client's certificate. Raises ConfigError, OSError."""
        return self._der(CERTIFICATE)

    def _der(self, name: str) -> bytes:
        import ssl

        try:
            return ssl.PEM_cert_to_DER_cert(_text(self.path(name)))
        except ValueError:
            raise self._error(f"{self.path(name)} is no certificate") from None

    def _error(self, text: str) -> errors.ConfigError:
        hint = f"rpio pair {self.name} has it written anew; rpio pair --forget {self.name} removes it"
        return errors.ConfigError(text, hint=hint)

    def check(self) -> None:
        """Raise ConfigError where it is of no use; NotAllowedError where others may read its key."""
        if self.problem:
            raise errors.ConfigError(self.problem, hint=self.hint)
        if not self.has_certificate:
            return
        try:
            with open_file(self.path(KEY), os.O_RDONLY) as file:
                mode = stat.S_IMODE(os.fstat(file.fd).st_mode)
        except OSError as e:
            raise self._error(f"{self.path(KEY)} cannot be read: {e.strerror}") from None
        if mode & 0o077 and hasattr(os, "geteuid"):
            text = f"others may read the key {self.path(KEY)} (mode {mode:04o}), so it is not used"
            hint = f"chmod 600 {self.path(KEY)}; or, where somebody has read it, rpio pair {self.name}"
            raise errors.NotAllowedError(text, hint=hint)

    def context(self) -> SSLContext:
        """TLS for a client, who takes the authority of this device alone, and shows its certificate where it has one.

        Raises:
            ConfigError: the files are no such thing. NotAllowedError: others may read the key. OSError: one cannot be
            read.
        """
        import ssl

        from ..tls import client_context

        self.check()
        own = (self.path(CERTIFICATE), self.path(KEY)) if self.has_certificate else ("", "")
        try:
            return client_context(self.path(AUTHORITY), *own)
        except (ssl.SSLError, ValueError) as e:
            text = f"{self.folder} has no certificates that go together: {getattr(e, 'reason', None) or e}"
            raise self._error(text) from None
        except FileNotFoundError:
            raise self._error(f"{self.folder} lacks {AUTHORITY}") from None

    def __repr__(self) -> str:
        return f"<{self.name}>"


def every() -> list[Known]:
    """All of them, by name. Raises OSError where the folder is there, and cannot be read."""
    base = folder()
    try:
        names = sorted(os.listdir(base))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Known(f"{base}/{name}") for name in names if not name.startswith(".")]


def find(host: str) -> Known | None:
    """The device that is known by what was typed; else the one that was paired last of those whose name has that form,
    or that were paired at that address. None for none.

    Raises:
        ConfigError: there is one, whose files are no such thing. ValueError: that is no name. OSError.
    """
    wanted = spelled(host)
    known = every()
    for each in known:
        if each.name == wanted:
            each.check()
            return each
    others = sorted(filter(lambda each: each.is_known_as(wanted), known), key=lambda each: each.made_s)
    if not others:
        return None
    others[-1].check()
    return others[-1]


def store(
    name: str,
    authority: str,
    certificate: str,
    key: str,
    now_s: float,
    *,
    names: Iterable[str] = (),
    addresses: Iterable[str] = (),
    reached: str = "",
    port: int = PORT,
    scopes: Iterable[str] = (),
    lines: Iterable[int] | None = None,
) -> Known:
    """Write one, in the place of another one of that name. The certificates and the key are in PEM; the latter two are
    "" for who has a token. Returns it.

    Raises:
        ValueError: that is no name. OSError: it cannot be written.
    """
    name, base = spelled(name), folder()
    about = {
        "names": _spelled(names),
        "addresses": _spelled(addresses),
        "reached": next(iter(_spelled([reached])), ""),
        "port": port,
        "made_s": now_s,
        "scopes": list(scopes),
        "lines": None if lines is None else list(lines),
    }
    texts = {AUTHORITY: authority, CERTIFICATE: certificate, KEY: key, ABOUT: f"{json.dumps(about)}\n"}
    leave = _alone(base)
    try:
        draft = f"{base}/{NEW}{secrets.token_hex(8)}"
        os.mkdir(draft, 0o700)
        try:
            for file, text in texts.items():
                _write(f"{draft}/{file}", text)
            _put_aside(base, name)
            os.rename(draft, f"{base}/{name}")
        finally:
            _remove(draft)
        _remove(f"{base}/{OLD}{name}")
    finally:
        leave()
    return Known(f"{base}/{name}")


def forget(host: str) -> Known | None:
    """Remove one by the name of its folder, whatever is in it; return what it was, None where there is none.

    Raises ValueError, OSError.
    """
    name, base = spelled(host), folder()
    if not os.path.isdir(f"{base}/{name}"):
        return None
    leave = _alone(base)
    try:
        found = Known(f"{base}/{name}")
        _put_aside(base, name)
        _remove(f"{base}/{OLD}{name}")
        return found
    finally:
        leave()


def _spelled(names: Iterable[str]) -> list[str]:
    """Those of a list that are names, as they are looked up: what a device says of itself may be anything, and not that
    it is this machine.
    """
    found: dict[str, None] = {}
    for name in list(names)[:NAMES_MAX]:
        try:
            found[spelled(name)] = None
        except ValueError:
            pass
    return [
        name for name in found if not name.startswith(("localhost", "127.", "::ffff:127.")) and name != "::1"
    ]


def _alone(base: str) -> Callable[[], object]:
    """Have the folder until what is returned is called, with what one who was killed has left put right."""
    os.makedirs(base, mode=0o700, exist_ok=True)
    if not hasattr(os, "O_DIRECTORY"):
        return int  # Windows, which has no such locks
    from fcntl import LOCK_EX, flock

    lock = open_file(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(lock.fd, LOCK_EX)
        for name in os.listdir(base):
            _put_right(base, name)
    except BaseException:
        lock.close()
        raise
    return lock.close


def _put_right(base: str, name: str) -> None:
    if name.startswith(OLD) and not os.path.exists(f"{base}/{name.removeprefix(OLD)}"):
        os.rename(f"{base}/{name}", f"{base}/{name.removeprefix(OLD)}")
    elif name.startswith((OLD, NEW)) or _is_stale(base, name):
        _remove(f"{base}/{name}")


def _is_stale(base: str, name: str) -> bool:
    """Whether that is what a pairing has left that was killed."""
    return name.startswith(PAIRING) and time() - os.stat(f"{base}/{name}").st_mtime > STALE_S


def _put_aside(base: str, name: str) -> None:
    """Take the one of that name out of the way, if there is one."""
    try:
        os.rename(f"{base}/{name}", f"{base}/{OLD}{name}")
    except FileNotFoundError:
        return


def _remove(path: str) -> None:
    from shutil import rmtree

    rmtree(path, ignore_errors=True)


def _text(path: str) -> str:
    with open_file(path, os.O_RDONLY) as file:
        return os.read(file.fd, FILE_MAX).decode("utf-8", "replace")


def _write(path: str, text: str) -> None:
    """Write a file that only its owner can read; none for no text."""
    if not text:
        return
    with new_file(path, 0o600) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
