# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve``: the daemon, which has the lines of this machine, and everybody else has them by way of it.

It is an asyncio program, since protocols of other people's libraries are served beside ours; but asyncio runs within
RPIO's own loop, so that what goes on at lines, and who asks for it, have nothing to wait for. Without a session it
sleeps.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from errno import EADDRINUSE
from time import time

from .. import errors, log
from .._gpio import PURE
from ..board.undoing import do_all
from ..loop.nesting import Nesting
from ..machine import folders
from ..wire.announced import ID_DIGITS
from ..wire.fronts import is_here
from .connections.doors import Door, Path, Port
from .connections.front import Front
from .further.front import Front as FurtherFront
from .grpc.front import Front as GrpcFront
from .outside.announcing import Announcement, model_of
from .outside.authority import Authority
from .outside.guarded import doors_at, lobby_of
from .programs.processes import Programs
from .programs.runs import Runs
from .remoteio.front import Front as RemoteioFront
from .rights.access import Access
from .rights.audit import Audit
from .rights.tokens import TokenFile, clients_of
from .rraspy import Front as RraspyFront
from .sessions.hold import Holds
from .sessions.safe_states import go_safe
from .settings import settings as settings_module
from .tunnels.tunnels import Tunnels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..board.board import Board
    from ..loop.dispatcher import Dispatcher
    from .settings.settings import Settings

AUDIT_S = 1.5
"""So long after the first record of a second it is written."""


class Daemon:
    """One board, served. *say* is told what people should know."""

    def __init__(self, board: Board, settings: Settings, say: Callable[[str], object]) -> None:
        self._board, self._settings, self._say = board, settings, say
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.tokens = TokenFile(settings.of("access", "tokens"))
        self.authority = Authority.of(settings)
        clients = clients_of(settings.tls_folder)
        self.access = Access(settings.open_scopes, self.tokens.read, time, clients.read)
        self.audit = Audit(
            settings.of("audit", "file"), self._audit_later, file_max_bytes=settings.audit_max_bytes
        )
        self._is_audit_due = False
        self._announced: list[Announcement] = []
        self.holds = Holds(board.leases, settings.holds_path)
        self.programs = Programs(board.dispatcher, settings.policy(), self._environment)
        self.front = Front(board, [], self.access, self.audit, self.holds, self.programs)
        self.rraspy = RraspyFront(settings, self._say_from_anywhere)
        self.grpc = GrpcFront(settings, self.front.sessions, say)
        self.remoteio = RemoteioFront(settings, say)
        self.runs = Runs(
            board.dispatcher,
            self.programs.policy,
            self._environment,
            self.access,
            self.front.sessions.revoke,
        )
        self.further = FurtherFront(settings, self.front.sessions, self.runs.connect, say)
        fronts = {
            "rraspy": self.rraspy,
            "smbus": self.grpc,
            "remoteio": self.remoteio,
            "further": self.further,
        }
        places = {name: lambda front=front: front.place for name, front in fronts.items()}
        self.programs.tunnels = Tunnels(self.front, settings, places)
        self.front.sessions.fronts = lambda: [
            *self._ways_in_words(),
            *self.rraspy.in_words(),
            *self.grpc.in_words(),
            *self.remoteio.in_words(),
            *self.further.in_words(),
        ]

    # -- one after the other ---------------------------------------------------------------------

    async def serve(self) -> int:
        """Serve until a signal ends it; return the exit status."""
        board = self._board
        _ = board.backend  # what is wrong with it is told now
        self._check_tokens()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._over.set)
        has_terminal = os.isatty(0)  # whose end it is that the signal tells of
        self._loop.add_signal_handler(signal.SIGHUP, self._over.set if has_terminal else self._look_at_tokens)
        leave = enter(board.dispatcher, self._loop)
        try:
            board.waiting.ports.open(self.front, "")
            # First: another daemon that runs has the lines. Nobody is heard before all is as it should be.
            if not self._open_doors():
                return 1
            self.holds.set_again()
            go_safe(board)
            self.rraspy.open(f"remote+unix://{self._settings.of('serve', 'socket')}")
            await self.grpc.open()
            places = ", ".join(map(str, self.front.doors))
            self.remoteio.open(board, self.front)
            await self.further.open()
            self._say(f"serving {board.describe()} at {places}")
            self._announce()
            notify("READY=1")
            await self._until_over()
        finally:
            try:
                notify("STOPPING=1")
                await self.further.close()
            finally:
                do_all(
                    *[announced.end for announced in self._announced],
                    self.programs.end_all,
                    self.rraspy.close,
                    self.grpc.close,
                    self.front.close,
                    self.runs.close,
                    self.audit.close,
                    leave,
                )
        return 0

    async def _until_over(self) -> None:
        """Wait; and tell systemd twice as often as it wants that the loop runs, where it wants that."""
        wanted_us = os.environ.get("WATCHDOG_USEC", "")
        every_s = int(wanted_us) / 2e6 if wanted_us.isdigit() and int(wanted_us) else None
        while not self._over.is_set():
            try:
                await asyncio.wait_for(self._over.wait(), every_s)
            except (TimeoutError, asyncio.TimeoutError):  # which are two classes before Python 3.11
                notify("WATCHDOG=1")

    def _say_from_anywhere(self, text: str) -> None:
        """The same, from another thread too, and also when the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(self._say, text)
        except RuntimeError:
            self._say(text)

    def _open_doors(self) -> bool:
        """Listen wherever it can be done; whether it is anywhere, and no other daemon runs."""
        is_alone = self._open_door("the socket", self._path)
        port, address = self._settings.port, self._settings.address
        if port is None or not is_alone:
            return is_alone and bool(self.front.doors)
        if is_here(address):
            self._open_door("the port", lambda: Port(address, port))
            return bool(self.front.doors)
        return self._open_to_others(address, port)

    def _open_to_others(self, address: str, port: int) -> bool:
        """Listen where other machines reach it. Where that cannot be done safely, it is not done at all."""
        is_insecure = bool(self._settings.values["serve", "insecure"])
        lobby = lobby_of(self.front, self.authority, is_insecure)
        try:
            lobby.open()
        except (OSError, errors.GPIOError) as e:
            self._say(f"nothing is open to other machines: {_text(e)}{_hint(e)}")
            if not is_insecure:
                return False
        for door in doors_at(address, port, lobby):
            self._open_door("the port", lambda door=door: door)  # type: ignore[misc]
        if is_insecure:
            self._say("--insecure: whoever reaches this port has the lines of this machine, without TLS")
        return bool(self.front.doors)

    def _announce(self) -> None:
        """Have others find it, where they may come."""
        folder, state = self._settings.of("serve", "announce"), self._settings.of("serve", "state")
        ports = {door.port for door in self.front.doors if isinstance(door, Port) and door.lobby is not None}
        if not folder or not ports:
            return
        try:
            id = self.authority.digest()[:ID_DIGITS]
        except (OSError, ValueError):
            id = ""  # with --insecure there need be none
        model = model_of(self._board.hardware.name, self._board.backend.name)
        for port in sorted(ports):
            announced = Announcement(folder, f"{state}/announced", port, model, id)
            self._announced.append(announced)
            announced.begin(self._say)

    def _ways_in_words(self) -> list[str]:
        """What is said of the port to those who ask."""
        found = [door for door in self.front.doors if door.lobby is not None]
        how = (
            "without TLS and access (--insecure)" if self._settings.values["serve", "insecure"] else "by TLS"
        )
        return [f"open to other machines, {how}: at {door}" for door in found]

    def _open_door(self, name: str, make: Callable[[], Door]) -> bool:
        """Listen there; what is wrong with that is told. False where another daemon does."""
        try:
            self.front.open_also(make())
        except (OSError, errors.GPIOError) as e:
            if isinstance(e, OSError) and e.errno == EADDRINUSE and e.filename:
                self._say(f"a daemon runs already: it listens at {e.filename} (rpio serve --status)")
                return False
            self._say(f"{name} is not served: {_text(e)}{_hint(e)}")
        return True

    def _environment(self) -> dict[str, str]:
        """What a program of others has for RPIO here: these lines, by way of this daemon."""
        return {"RPIO_BACKEND": self.front.doors[0].place}

    def _path(self) -> Door:
        settings = self._settings
        path = settings.of("serve", "socket")
        folder = os.path.dirname(path)
        if folder == folders.runtime_path():
            folders.runtime_folder(is_made=True)
        else:
            os.makedirs(folder, 0o755, exist_ok=True)
        return Path(path, settings.mode, settings_module.group_of(settings.of("serve", "group")))

    # -- meanwhile -------------------------------------------------------------------------------

    def _check_tokens(self) -> None:
        """Say now what is wrong with the file of tokens."""
        try:
            self.access.valid()
        except (OSError, errors.GPIOError) as e:
            self._say(f"no token is of any use: {e} ({getattr(e, 'hint', '')})")

    def _look_at_tokens(self) -> None:
        """SIGHUP."""
        try:
            ended = self.front.sessions.check_tokens()
        except (OSError, errors.GPIOError) as e:
            self._say(f"the tokens are as they were: {e}")
        else:
            self._say(f"looked at {self.tokens.path} again; that has ended {ended} session(s)")

    def _audit_later(self) -> None:
        """One call is enough, however many seconds begin meanwhile."""
        if not self._is_audit_due:
            self._is_audit_due = True
            self._loop.call_soon_threadsafe(self._loop.call_later, AUDIT_S, self._write_audit)

    def _write_audit(self) -> None:
        self._is_audit_due = False
        if self.audit.flush():
            self._audit_later()


def _text(error: Exception) -> str:
    """What people are told of it, without Python's number."""
    text = getattr(error, "strerror", None) or str(error)
    path = getattr(error, "filename", None)
    return f"{text}: {path}" if path else text


def _hint(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f" ({hint})" if hint else ""


def notify(text: str) -> None:
    """Tell systemd, where it has started this. Source: sd_notify(3)."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as made:
        try:
            made.connect("\0" + path[1:] if path[0] == "@" else path)
            made.sendall(text.encode())
        except OSError as e:
            log.warning("systemd is not told %s: %s", text, e)


def enter(dispatcher: Dispatcher, loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
    """Have the two loops run as one; return what ends that."""
    if PURE:  # whose loop knows no descriptors but its own
        return Nesting(dispatcher, loop).end
    loop.enter(dispatcher)  # type: ignore[attr-defined] # it is a GuestLoop, by run()
    return loop.leave  # type: ignore[attr-defined,no-any-return]


async def _serve(board: Board, settings: Settings, say: Callable[[str], object]) -> int:
    return await Daemon(board, settings, say).serve()


def run(board: Board, settings: Settings, say: Callable[[str], object]) -> int:
    """Serve a board until a signal ends it; return the exit status."""
    if PURE:
        return asyncio.run(_serve(board, settings, say))
    from ..loop.hosting import GuestLoop

    loop = GuestLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_serve(board, settings, say))
    finally:
        asyncio.set_event_loop(None)
        do_all(lambda: loop.run_until_complete(loop.shutdown_asyncgens()), loop.close)
