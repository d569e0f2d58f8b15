# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection by the user's own ssh, whose standard input and output are the other end of a socket pair.

His keys, his agent and his configuration count, as they do for ``ssh HOST``. Where he has a terminal ssh may ask there;
a connection that is made again asks nothing. Logins are shared (ControlMaster), unless he has configured that himself.
"""

from __future__ import annotations

import os
import re
import signal
from time import monotonic, sleep

from .. import errors, threads
from ..loop.masks import READ
from ..loop.tcp_listener import Socket
from ..processes import hooks
from .ssh_words import explained, no_ssh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = re.compile(
    r"(?:(?P<user>[\w.][\w.+@-]*)@)?(?P<host>\[[0-9A-Fa-f:.%\w]+\]|\w[\w.-]*)(?::(?P<port>\d{1,5}))?/?",
    re.ASCII,
)
GREETING = b"RPIO speaks"
"""What the shell at the far end prints when ssh has logged in, and before it starts RPIO."""
IDLE_S = 20
"""The other side ends when it has heard nothing for so long, in seconds: neither sshd nor the kernel there would notice
for hours that the cable has been pulled. This one says something at least each BEAT_S; three of these may be late, as
after a cable that was out for some seconds.
"""
FAR_END = (
    f"PATH=$PATH:$HOME/.local/bin:/usr/local/bin; echo; echo {GREETING.decode()}; "
    f"command -v rpio >/dev/null 2>&1 && exec rpio serve --stdio --idle-timeout {IDLE_S}; "
    f'python3 -c "import RPIO" 2>/dev/null && exec python3 -m RPIO serve --stdio --idle-timeout {IDLE_S}; '
    'echo "there is no RPIO here" >&2; exit 127'
)
"""Without quotes, backslashes and line ends that one of the shells of this world would take otherwise."""
HEARD_MAX, SAID_MAX = 1 << 16, 1 << 13
"""So much may come before the greeting, and so much is kept of what ssh says on its standard error."""
LOGIN_S = 30.0
"""How long a login may take where nobody can be asked anything, or timeout_s where that is longer."""
LAST_WORDS_S = 3.0
PERSIST_S = 60
PATH_MAX = 108 - 1 - 17
"""Of a socket, without its end and what ssh adds while it makes it. Source: Linux, unix(7); OpenSSH, mux.c."""
NAP_S = 0.02
KEPT_BACK = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""Signals of a terminal that ssh does not get: the program's own cleanup() comes first, and closes the connection."""


class Login:
    """How to get to a machine by ssh. *where* is the whole word, *target* what stands behind its "//"."""

    def __init__(self, where: str, target: str) -> None:
        """Raises ValueError."""
        found = TARGET.fullmatch(target)
        port = int(found["port"] or 22) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(f"{where!r} is no place of a board: by ssh those are ssh://[USER@]HOST[:PORT]")
        self.where, self.host = where.rstrip("/"), found["host"].strip("[]")
        self._words = ["-l", found["user"]] if found["user"] else []
        self._words += ["-p", found["port"]] if found["port"] else []
        self.command = " ".join(["ssh", *self._words, self.host])
        """What the user types to get there."""
        self._has_been_there = False
        self._his: dict[str, str] | None = None

    def connect(self, timeout_s: float) -> Channel:
        """Log in, and have RPIO started there; return what speaks with that.

        Raises:
            NoBackendError: ssh does not get there, or nothing there answers.
            OSError: no descriptor or process is to be had.
        """
        asks = not self._has_been_there and (_has_terminal() or "SSH_ASKPASS" in os.environ)
        words = ["ssh", "-T", *self._options(timeout_s, asks), *self._words, "--", self.host]
        with hooks.making:
            channel = Channel(self, [*words, f"exec sh -c '{FAR_END}'"], asks)
            hooks.look_after(channel)
        try:
            channel.wait_for_greeting(0.0 if asks else max(LOGIN_S, timeout_s))
        except BaseException:
            channel.close()
            raise
        self._has_been_there = True
        return channel

    def _options(self, timeout_s: float, asks: bool) -> list[str]:
        """What ssh is told, where the user has not: his own configuration is asked for."""
        his = self._his
        if his is None:
            his = self._his = _configuration([*self._words, "--", self.host])
        options = ["ClearAllForwardings=yes", "RemoteCommand=none"]
        if not asks:
            options.append("BatchMode=yes")
        if his.get("connecttimeout", "none") == "none":
            options.append(f"ConnectTimeout={max(1, round(timeout_s))}")
        if his.get("serveraliveinterval", "0") == "0":
            options.append("ServerAliveInterval=15")
        folder = _folder_for_sockets()
        if his and his.get("controlpath", "none") == "none" and folder:
            path = f"{folder}/rpio-%C"
            options += ["ControlMaster=auto", f"ControlPath={path}", f"ControlPersist={PERSIST_S}"]
        return [word for option in options for word in ("-o", option)]

    def __str__(self) -> str:
        return self.where


class Channel(Socket):
    """This end of what ssh has as its standard input and output.

    Closed, it ends ssh. In the child of a fork the descriptors are closed, and ssh is the parent's.
    """

    def __init__(self, login: Login, words: list[str], asks: bool) -> None:
        import _socket

        self.login = login
        self.aside = -1
        """Where what ssh says on its standard error can be read; negative when that is closed."""
        self.said = b""
        """The end of that."""
        self._heard = b""
        self._pid, self._parent = 0, os.getpid()
        self._status: int | None = None
        ours, theirs = _socket.socketpair()
        super().__init__(fileno=ours.detach())
        try:
            self.aside, writer = os.pipe()
            try:
                os.set_blocking(self.aside, False)
                self._pid = _spawn(words, (theirs.fileno(), theirs.fileno(), writer), asks)
            finally:
                os.close(writer)
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    # -- logging in ------------------------------------------------------------------------------

    def wait_for_greeting(self, limit_s: float) -> None:
        """Wait until the far end says that ssh has logged in; for ever where there is no limit, as someone types."""
        until_s = monotonic() + limit_s if limit_s else 0.0
        end = b"\n" + GREETING + b"\n"
        while not self._heard.endswith(end):
            if until_s and monotonic() > until_s:
                raise errors.NoBackendError(
                    f"no board answers at {self.login}: {LOGIN_S:g} s were not enough for ssh to log in",
                    hint=f"try by hand: {self.login.command}",
                )
            if not self._hear_more() or end in self._heard[:-1] or len(self._heard) > HEARD_MAX:
                raise self.failure()
            if self._heard and not until_s:  # it has logged in, and nobody types any more
                until_s = monotonic() + LOGIN_S

    def _hear_more(self) -> bool:
        """Wait a little for more; False at the end."""
        poll = threads.original("select", "poll")()
        poll.register(self.fileno(), READ)
        if self.aside >= 0:
            poll.register(self.aside, READ)
        for fd, _ in poll.poll(1000):
            if fd != self.aside:
                try:
                    data = self.recv(4096)
                except ConnectionResetError:
                    data = b""
                self._heard += data
                return bool(data)
            if not self.hear_aside() and self.aside >= 0:
                os.close(self.aside)
                self.aside = -1
        return True

    # -- what ssh says ---------------------------------------------------------------------------

    def hear_aside(self) -> bytes | None:
        """Read what ssh, or RPIO at the far end, has said on standard error; None when that has ended."""
        if self.aside < 0:
            return None
        try:
            data = os.read(self.aside, 4096)
        except BlockingIOError:
            return b""
        except OSError:
            return None  # it is closed, by another thread
        self.said = (self.said + data)[-SAID_MAX:]
        return data or None

    def failure(self, what: str = "") -> errors.GPIOError:
        """The error that says why there is nobody to talk to: ssh's words, and then ours."""
        until_s = monotonic() + (LAST_WORDS_S if self.has_ended else 0.0)
        while self._is_running() and monotonic() < until_s:
            if not self.hear_aside():
                sleep(NAP_S / 4)
        while self.hear_aside():
            pass
        heard = self._heard.partition(b"\n" + GREETING + b"\n")
        return explained(self.login, self._status, self.said, heard[2] or heard[0], what)

    @property
    def has_ended(self) -> bool:
        """Whether ssh has, or is about to."""
        poll = threads.original("select", "poll")()
        poll.register(self.fileno(), RDHUP)
        return bool(poll.poll(0))

    # -- the end ---------------------------------------------------------------------------------

    def _is_running(self) -> bool:
        """Whether the process is; its end is asked for once."""
        if not self._pid or self._parent != os.getpid():
            return False
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # SIGCHLD is ignored here, or somebody has waited for all
            pid, status = self._pid, 255 << 8
        if pid:
            self._pid, self._status = 0, os.waitstatus_to_exitcode(status)
        return not pid

    def close(self) -> None:
        """End ssh. Twice is fine."""
        super().close()
        if self.aside >= 0:
            aside, self.aside = self.aside, -1
            os.close(aside)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._end(number)

    def _end(self, number: int) -> None:
        if not self._is_running():
            return
        os.kill(self._pid, number)
        os.kill(self._pid, signal.SIGCONT)  # Ctrl+Z has stopped it as well
        until_s = monotonic() + LAST_WORDS_S
        while self._is_running() and monotonic() < until_s:
            sleep(0.001)

    def after_fork(self) -> None:
        """In the child of a fork: it is the parent's."""
        self._pid = 0
        self.close()

    def shut_down(self) -> None:
        """At the end of the program: whoever has it says goodbye first. What is left ends with the descriptors."""


RDHUP = 0x2000
"""POLLRDHUP: the other side has closed. Source: Linux, include/uapi/asm-generic/poll.h."""


def _spawn(words: list[str], files: tuple[int, int, int], asks: bool) -> int:
    """Start a program with these standard files; return its process. One that is to ask has the terminal."""
    if not hasattr(os, "posix_spawnp"):
        raise errors.NotSupportedError(
            "ssh:// needs a system with posix_spawn()", hint=f"ssh -L 8510:127.0.0.1:8510 {words[-2]}"
        )
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    high: list[int] = []
    try:
        for fd in files:
            high.append(fcntl(fd, F_DUPFD_CLOEXEC, 3))  # a program may have closed its own standard files
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(high)]
        return os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=actions,
            setsid=not asks,
            setsigmask=KEPT_BACK if asks else (),
            setsigdef=(signal.SIGPIPE, signal.SIGTERM),
        )
    except FileNotFoundError:
        raise no_ssh() from None
    finally:
        for fd in high:
            os.close(fd)


def _configuration(target: Sequence[str]) -> dict[str, str]:
    """What the user's ssh has configured for that host; nothing where it does not tell (before OpenSSH 6.8)."""
    reader, pid = -1, 0
    try:
        with (
            hooks.making
        ):  # all of it: the child of a fork in between would keep the writer, and the text not end
            reader, writer = os.pipe()
            try:
                pid = _told_of(target, writer)
            finally:
                os.close(writer)
        with open(reader, encoding="utf-8", errors="replace", closefd=False) as file:
            text = file.read(HEARD_MAX)
    finally:
        if reader >= 0:
            os.close(reader)
        if pid:
            _reap(pid)
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def _told_of(target: Sequence[str], writer: int) -> int:
    """Have ssh write what it has configured; return its process."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        return _spawn(["ssh", "-G", *target], (nothing, writer, nothing), False)
    finally:
        os.close(nothing)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # SIGCHLD is ignored here


def _has_terminal() -> bool:
    """Whether ssh can ask a person something: this program is in the foreground of a terminal."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)


def _folder_for_sockets() -> str:
    """A folder of this user's alone for what shared logins meet at; empty where there is none."""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), os.path.expanduser("~/.ssh")):
        is_plain = re.fullmatch(r"/[\w./-]+", folder, re.ASCII)  # ssh gives "%" and blanks a meaning
        if is_plain and len(folder) + len("/rpio-") + 40 <= PATH_MAX and _is_private(folder):
            return folder
    return ""


def _is_private(folder: str) -> bool:
    try:
        found = os.stat(folder)
    except OSError:
        return False
    return found.st_uid == os.getuid() and not found.st_mode & 0o077
