# SPDX-License-Identifier: LGPL-3.0-or-later
"""Another process on the device: as which user it runs, and how much it may take."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

from .. import errors
from ..loop.masks import READ
from ..processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USER = "pi"
"""Who runs programs where the configuration names nobody, and there is one of that name."""
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/games"
RDHUP = 0x2000
"""POLLRDHUP: the other side has closed. Source: Linux, include/uapi/asm-generic/poll.h."""
GRACE_S = 5.0
"""How long a process may go on when its connection has ended; it ends by itself before that, unless it is stuck."""
KEPT = ("LANG", "LC_ALL", "TZ", "PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_RUNTIME_DIR")
"""What a process gets of the environment: the rest may have secrets, a token's file among them."""


ARENAS = "2"
"""How many heaps glibc has: one for each thread, of 64 MB of addresses, would leave none for their stacks."""


class Limits:
    """How much a process may take: *memory_mb* of address space, *processes* (and threads) besides those that its user
    has, *files* that are open at once. 0 is no limit.
    """

    __slots__ = ("files", "memory_mb", "processes")

    def __init__(self, memory_mb: int = 512, processes: int = 64, files: int = 64) -> None:
        self.memory_mb, self.processes, self.files = memory_mb, processes, files

    def words(self) -> dict[str, int]:
        """By name, for who is started."""
        return {name: getattr(self, name) for name in self.__slots__}

    def numbers(self, there: int | None = None) -> list[int]:
        """Pairs of a resource and its limit, one after the other. *there* is how many threads the user has, where that
        is known already.

        Source: setrlimit(2); RLIMIT_NPROC counts all threads of a user, so those that are there already are added.
        """
        import resource

        processes = self.processes
        if processes:
            processes += threads_of(os.getuid()) if there is None else there
        found = {
            resource.RLIMIT_AS: self.memory_mb << 20,
            resource.RLIMIT_NPROC: processes,
            resource.RLIMIT_NOFILE: self.files,
        }
        return [number for pair in found.items() if pair[1] for number in pair]

    def apply(self) -> None:
        """Have them hold for this process, and those that it starts. There is no way back."""
        import resource

        numbers = self.numbers()
        for number, value in zip(numbers[::2], numbers[1::2], strict=True):
            _, most = resource.getrlimit(number)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            try:
                resource.setrlimit(number, (least, least))
            except (OSError, ValueError) as e:
                raise errors.NotSupportedError(
                    f"{RESOURCES[number]} of a process cannot be limited: {e}"
                ) from e


RESOURCES = {9: "the memory", 6: "the processes", 7: "the files"}
"""By their numbers. Source: Linux, include/uapi/asm-generic/resource.h."""


def threads_of(uid: int) -> int:
    """How many threads a user has. Source: proc(5), Threads and Uid of /proc/PID/status."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            count += _threads_of(name, uid)
    return count


def _threads_of(name: str, uid: int) -> int:
    try:
        if os.stat(f"/proc/{name}").st_uid != uid:
            return 0
        with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("Threads:")), 0)
    except OSError:
        return 0  # it has ended meanwhile


class User:
    """Who a process is: by name, with the groups that he has."""

    __slots__ = ("gid", "groups", "home", "name", "uid")

    def __init__(self, name: str, uid: int, gid: int, groups: Sequence[int], home: str) -> None:
        self.name, self.uid, self.gid, self.groups, self.home = name, uid, gid, list(groups), home

    @property
    def is_us(self) -> bool:
        """Whether this process is his."""
        return self.uid == os.geteuid()


def user(name: str = "") -> User:
    """Return who runs programs: *name*; else ``pi``, where there is one; else who this is, unless that is root.

    Raises:
        ConfigError: there is nobody of that name; or nobody is named, and it would be root.
    """
    row = _row(name or USER)
    if row is None and name:
        raise errors.ConfigError(f"there is no user {name!r} on this machine", hint='user = "NAME" in [run]')
    if row is None and os.geteuid() == 0:
        raise errors.ConfigError(
            "programs of others do not run as root unless that is named",
            hint='user = "NAME" in [run] of the configuration says as whom; "root" is a name as well',
        )
    if row is None:
        return this_user()
    groups = os.getgrouplist(row.pw_name, row.pw_gid)
    return User(row.pw_name, row.pw_uid, row.pw_gid, groups, row.pw_dir)


def _row(name: str):  # type: ignore[no-untyped-def] # a struct_passwd, which exists where pwd does
    import pwd

    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _row_of(uid: int):  # type: ignore[no-untyped-def]
    import pwd

    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def environment(who: User, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of that user."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if not who.is_us:
        kept.pop("XDG_RUNTIME_DIR", None)  # which is another's
    return {
        "PATH": PATH,
        "MALLOC_ARENA_MAX": ARENAS,
        **kept,
        "HOME": who.home,
        "USER": who.name,
        "LOGNAME": who.name,
        **more,
    }


def this_user() -> User:
    """Return who this process is, by whatever name."""
    row = _row_of(os.geteuid())
    if row is None:
        return User(str(os.geteuid()), os.geteuid(), os.getegid(), os.getgroups(), "/")
    return User(row.pw_name, row.pw_uid, row.pw_gid, os.getgroups(), row.pw_dir)


class Process:
    """A process that has been started. ``fileno()`` is readable when it has ended."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self.status: int | None = None
        """How it has ended: as subprocess says it, negative for a signal."""

    def fileno(self) -> int:
        """What is readable at its end; -1 when it is closed."""
        return self._fd

    def wait(self) -> int:
        """Wait until it has ended, and return how. Twice is fine."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it, and all that it has started. Twice is fine."""
        raise NotImplementedError

    def end(self, grace_s: float) -> None:
        """Ask it to end, give it so long for that, and end it then. Twice is fine."""
        fd = self.fileno()
        if fd >= 0:
            self.ask_to_end()
            poll = select.poll()
            poll.register(fd, READ)
            poll.poll(grace_s * 1000)
            self.close()

    def ask_to_end(self) -> None:
        """Ask it to."""
        self.kill()

    def close(self) -> None:
        """Kill it, and give up the descriptor. Twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self.kill()
            self.wait()
            os.close(fd)


class Child(Process):
    """One of our own."""

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._started = started
        try:
            with hooks.making:
                super().__init__(started.pid, os.pidfd_open(started.pid))
        except BaseException:
            self.kill()
            started.wait()
            raise

    def wait(self) -> int:
        """As any Process."""
        self.status = self._started.wait()
        return self.status

    def ask_to_end(self) -> None:
        """As any Process."""
        self._started.terminate()

    def kill(self) -> None:
        """As any Process."""
        try:
            os.killpg(self._started.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # it has ended


def start(
    function: str, told: Mapping[str, object], who: User, descriptors: Sequence[int], more: Mapping[str, str]
) -> Process:
    """Start a process that calls ``function`` ("RPIO.programs.modules.main") with *told* as JSON, as that user, in a
    session of its own. It has these descriptors besides standard error; it reads nothing, and prints there.
    *more* is what it gets besides the environment of its user.

    Raises:
        NotAllowedError: this process cannot become that user.
        OSError: no process is to be had.
    """
    module, _, name = function.rpartition(".")
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = f"import sys; sys.path.append({folder!r}); from {module} import {name}; {name}(sys.argv[1])"
    if not who.is_us and os.geteuid() != 0:
        raise errors.NotAllowedError(
            f"this process cannot start programs as the user {who.name!r}: only root's can",
            hint=f"sudo systemctl enable --now rpio-programs@{who.name} has that user's own do so; or "
            f'user = "{this_user().name}" in [run] of the configuration says that they may run as this one',
        )
    home = who.home if os.path.isdir(who.home) and os.access(who.home, os.X_OK) else "/"
    if not who.is_us and not may_run(who, sys.executable):
        text = f"the user {who.name!r}, as whom programs run here, may not run {sys.executable}"
        raise errors.NotAllowedError(text, hint="install Python and RPIO where everybody may read them")
    with hooks.making:
        started = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps({**told, "parent": os.getpid()})],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=descriptors,
            cwd=home,
            env=environment(who, more),
            start_new_session=True,
            user=None if who.is_us else who.uid,
            group=None if who.is_us else who.gid,
            extra_groups=None if who.is_us else who.groups,
        )
    return Child(started)


def may_run(who: User, path: str) -> bool:
    """Whether a user may run a program, as far as modes tell."""
    parts = os.path.realpath(path).split("/")
    return all(_may_enter(who, "/".join(parts[:count]) or "/") for count in range(1, len(parts) + 1))


def _may_enter(who: User, path: str) -> bool:
    found = os.stat(path)
    shift = 6 if found.st_uid == who.uid else 3 if found.st_gid in (who.gid, *who.groups) else 0
    return who.uid == 0 or bool(found.st_mode >> shift & 1)


def wait(started: Process, connection: int) -> int:
    """Wait until a process has ended, and return how. Where the other side of its connection has closed it has GRACE_S
    for that.
    """
    poll = select.poll()
    poll.register(started.fileno(), READ)
    poll.register(connection, RDHUP)
    if all(fd != started.fileno() for fd, _ in poll.poll()):
        poll.unregister(connection)
        if not poll.poll(GRACE_S * 1000):
            started.kill()
    return started.wait()


def end_with_parent(parent: int) -> None:
    """Have this process be killed when the one ends that has started it. Source: prctl(2), PR_SET_PDEATHSIG."""
    import ctypes

    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(0)  # it has ended already


def ending(status: int) -> str:
    """How a process has ended, in words, by what its parent is told."""
    if status < 0:
        try:
            return f"it was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"it was ended by signal {-status}"
    return f"it has ended with status {status}" if status else "it has ended"
