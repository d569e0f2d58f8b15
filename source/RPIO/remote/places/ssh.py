# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection by the user's own ssh, whose standard input and output are the other end of a socket pair.

His keys, his agent and his configuration count, as they do for ``ssh HOST``. Where he has a terminal ssh may ask there;
a connection that is made again asks nothing. Logins are shared (ControlMaster), unless he has configured that himself.
"""

from __future__ import annotations

import _socket
import os
import re
import signal
from time import monotonic, sleep

from ... import errors, threads
from ...loop.masks import READ
from ...processes import hooks
from .ssh_words import OF_SSH, Whom, explained, no_ssh

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
STDIO = f"serve --stdio --idle-timeout {IDLE_S}"
FAR_END = (
    f"PATH=$PATH:$HOME/.local/bin:/usr/local/bin; echo; echo {GREETING.decode()}; "
    f"command -v rpio >/dev/null 2>&1 && exec rpio {STDIO}; "
    f'python3 -c "import RPIO" 2>/dev/null && exec python3 -m RPIO {STDIO}; '
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
        self.host = found["host"].strip("[]")
        self._words = ["-l", found["user"]] if found["user"] else []
        self._words += ["-p", found["port"]] if found["port"] else []
        command = " ".join(["ssh", *self._words, self.host])
        self.whom = Whom(where.rstrip("/"), self.host, command, has_port=port != 22)
        self._has_been_there = False
        self._channel: Channel | None = None
        self._his: dict[str, str] | None = None

    def connect(self, timeout_s: float, option: str = "") -> Channel:
        """Log in, and have RPIO started there, with an *option* more for its ``serve --stdio``; return what speaks with
        that.

        Raises:
            NoBackendError: ssh does not get there, or nothing there answers.
            OSError: no descriptor or process is to be had.
        """
        asks = not self._has_been_there and (_has_terminal() or "SSH_ASKPASS" in os.environ)
        words = ["ssh", "-T", *self._options(timeout_s, asks), *self._words, "--", self.host]
        self._channel = channel = Channel(self.whom)  # first, for close()
        try:
            hooks.look_after(channel)
            far_end = FAR_END.replace(STDIO, f"{STDIO} {option}") if option else FAR_END
            with hooks.making:
                channel.open([*words, f"exec sh -c '{far_end}'"], asks)
            channel.wait_for_greeting(0.0 if asks else max(LOGIN_S, timeout_s))
        except BaseException:
            channel.close()
            raise
        self._has_been_there, self._channel = True, None  # it is the caller's
        return channel

    def close(self) -> None:
        """End what logs in still, in whatever thread. Twice is fine."""
        channel = self._channel
        if channel is not None:
            channel.close()
            self._channel = None

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
        return str(self.whom)


class Channel:
    """This end of what ssh has as its standard input and output.

    Closed, it ends ssh. In the child of a fork the descriptors are closed, and ssh is the parent's.
    """

    def __init__(self, whom: Whom) -> None:
        self._whom = whom
        self.socket: _socket.socket | None = None
        self._aside: _socket.socket | None = (
            None  # a pipe's ends are numbers, which nobody closes when interrupted
        )
        self.said = b""
        """The end of what ssh has said on its standard error."""
        self._heard = b""
        self._processes: list[int] = []
        """The one of ssh, until somebody has waited for its end."""
        self._parent = os.getpid()
        self._status: int | None = None

    def open(self, words: list[str], asks: bool) -> None:
        """Start ssh. Where that fails, close() closes what is open already."""
        ours, theirs = _socket.socketpair()
        self.socket = ours  # as it is: between a detach() and the next name it would be nobody's
        self._aside, writer = _socket.socketpair()
        try:
            self._aside.setblocking(False)
            _spawn(self._processes, words, (theirs.fileno(), theirs.fileno(), writer.fileno()), asks)
        finally:
            writer.close()
            theirs.close()

    def fileno(self) -> int:
        """The descriptor of the socket; negative when it is closed."""
        return self.socket.fileno() if self.socket is not None else -1

    @property
    def aside(self) -> int:
        """Where hear_aside() reads; negative when that is closed."""
        return self._aside.fileno() if self._aside is not None else -1

    # -- logging in ------------------------------------------------------------------------------

    def wait_for_greeting(self, limit_s: float) -> None:
        """Wait until the far end says that ssh has logged in; for ever where there is no limit, as someone types."""
        until_s = monotonic() + limit_s if limit_s else 0.0
        end = b"\n" + GREETING + b"\n"
        while not self._heard.endswith(end):
            if until_s and monotonic() > until_s:
                whom, hint = self._whom, f"try by hand: {self._whom.command}"
                raise errors.NoBackendError(
                    f"no board answers at {whom}: {LOGIN_S:g} s were not enough for ssh to log in",
                    hint=whom.advised(hint) if whom.has_port else hint,
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
                    data = self.socket.recv(4096) if self.socket is not None else b""
                except OSError:  # reset, or closed by another thread
                    data = b""
                self._heard += data
                return bool(data)
            if self.hear_aside() is None and self._aside is not None:
                self._aside.close()
        return True

    # -- what ssh says ---------------------------------------------------------------------------

    def hear_aside(self) -> bytes | None:
        """Read what ssh, or RPIO at the far end, has said on standard error; None when that has ended."""
        aside = self._aside
        try:
            data = aside.recv(4096) if aside is not None else b""
        except BlockingIOError:
            return b""
        except OSError:
            return None  # it is closed
        self.said = (self.said + data)[-SAID_MAX:]
        return data or None

    def failure(self, what: str = "") -> errors.GPIOError:
        """The error that says why there is nobody to talk to: ssh's words, and then ours."""
        until_s = monotonic() + (LAST_WORDS_S if self.has_ended else 0.0)
        while self._is_running() and monotonic() < until_s:
            if not self.hear_aside():
                sleep(NAP_S / 4)  # it is about to end, and nothing else tells
        while self.hear_aside():
            pass
        heard = self._heard.partition(b"\n" + GREETING + b"\n")
        return explained(self._whom, self._status, self.said, heard[2] or heard[0], what)

    @property
    def has_ended(self) -> bool:
        """Whether ssh has, or is about to."""
        poll = threads.original("select", "poll")()
        poll.register(self.fileno(), RDHUP)
        return bool(poll.poll(0))

    # -- the end ---------------------------------------------------------------------------------

    def _is_running(self) -> bool:
        """Whether the process is; its end is asked for once."""
        processes = self._processes[:1]  # another thread may have waited for it
        if not processes or self._parent != os.getpid():
            return False
        try:
            pid, status = os.waitpid(processes[0], os.WNOHANG)
        except ChildProcessError:  # that, or SIGCHLD is ignored here
            pid, status = processes[0], OF_SSH << 8
        if pid:
            if self._status is None:
                self._status = os.waitstatus_to_exitcode(status)
            self._processes.clear()
        return not pid

    def close(self) -> None:
        """End ssh. Twice is fine."""
        if self.socket is not None:
            self.socket.close()
        if self._aside is not None:
            self._aside.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._end(number)

    def _end(self, number: int) -> None:
        until_s = monotonic() + LAST_WORDS_S
        if self._is_running():
            for process in self._processes[:1]:
                _tell(process, number)
        while self._is_running() and monotonic() < until_s:
            sleep(0.001)  # waitpid() has no time limit

    def after_fork(self) -> None:
        """In the child of a fork: it is the parent's."""
        self._processes.clear()
        self.close()

    def shut_down(self) -> None:
        """At the end of the program: whoever has it says goodbye first. What is left ends with the descriptors."""


RDHUP = 0x2000
"""POLLRDHUP: the other side has closed. Source: Linux, include/uapi/asm-generic/poll.h."""


def _spawn(processes: list[int], words: list[str], files: tuple[int, int, int], asks: bool) -> None:
    """Start a program with these standard files, and append its process. One that is to ask has the terminal."""
    if not hasattr(os, "posix_spawnp"):
        raise errors.NotSupportedError(
            "ssh:// needs a system with posix_spawn()", hint=f"ssh -L 8510:127.0.0.1:8510 {words[-2]}"
        )
    from _io import FileIO
    from fcntl import F_DUPFD_CLOEXEC, fcntl
    from functools import partial
    from itertools import repeat, starmap

    high: list[FileIO] = []
    try:
        # High: a program may have closed its own standard files. In one go, as below; and as objects, which are closed
        # with this call where somebody is interrupted who is about to do so.
        high.extend(map(FileIO, map(fcntl, files, repeat(F_DUPFD_CLOEXEC), repeat(3))))
        start = partial(
            os.posix_spawnp,
            file_actions=[(os.POSIX_SPAWN_DUP2, one.fileno(), number) for number, one in enumerate(high)],
            setsid=not asks,
            setsigmask=KEPT_BACK if asks else (),
            setsigdef=(signal.SIGPIPE, signal.SIGTERM),
        )
        # In one go: a signal handler that raises in the middle would leave a process that nobody knows.
        processes.extend(starmap(start, [(words[0], words, os.environ)]))
    except FileNotFoundError:
        raise no_ssh() from None
    finally:
        for one in high:
            one.close()


def _configuration(target: Sequence[str]) -> dict[str, str]:
    """What the user's ssh has configured for that host; nothing where it does not tell (before OpenSSH 6.8)."""
    processes: list[int] = []
    reader, writer = _socket.socketpair()
    try:
        with hooks.making, open(os.devnull, "rb") as nothing:
            files = nothing.fileno(), writer.fileno(), nothing.fileno()
            _spawn(processes, ["ssh", "-G", *target], files, False)
            writer.close()  # before anybody forks, or there would be no end to read
        text = b"".join(iter(lambda: reader.recv(4096), b"")).decode("utf-8", "replace")
    finally:
        writer.close()
        reader.close()
        for process in processes:
            _reap(process)
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def _tell(process: int, number: int) -> None:
    try:
        os.kill(process, number)
        os.kill(process, signal.SIGCONT)  # Ctrl+Z may have stopped it
    except ProcessLookupError:
        return  # another thread has waited for it


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # SIGCHLD is ignored here


def _has_terminal() -> bool:
    """Whether ssh can ask a person something: this program is in the foreground of a terminal."""
    from _io import FileIO

    try:
        with FileIO("/dev/tty", opener=lambda path, flags: os.open(path, flags | os.O_NOCTTY)) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


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
