# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is being uploaded, beside what it is to replace, until all of it is there: then it takes the place of that, by
renaming, or nothing does.

A draft is a directory below ``.rpio-drafts``, one for each directory of the work directory; who has it locked (flock)
uploads there, and the others wait. Its entries are numbered: what is to be put somewhere, and later what was there.

Several places cannot be changed in one step. So a *plan* is written down first: which entry changes places with what,
and which file that is, by its inode. What goes wrong in the middle is undone at once; what a process that was killed in
the middle has left is undone by the next one, before anything else: see recover().
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time

from .. import errors, log
from .paths import DIRECTORY, DRAFTS, Directory, parents_of, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .paths import Parts

    Swap = tuple[Parts, int]
    """A path below the work directory, and the number of the entry that it changes places with."""

PLAN = "plan"
WAIT_S, STEP_S = 5.0, 0.02
"""How long one waits for another who uploads to the same directory, and how often he looks."""
NOREPLACE, EXCHANGE = 1, 2
"""Flags of renameat2(). Source: Linux, include/uapi/linux/fs.h."""
UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
"""What a kernel, or a file system, says that has not those flags."""


class Draft:
    """A draft that this process has locked, for uploads to *first*, a directory of the work directory."""

    def __init__(self, work: Directory, name: str, fd: int) -> None:
        self._work, self._fd = work, fd
        self._path = os.path.join(work.path, DRAFTS, name)
        self._count = 0

    def begin(self) -> None:
        """Undo what another one has begun, and remove what he has left. Raises OSError."""
        self.recover()
        self._empty()
        self._count = max((int(name) for name in os.listdir(self._fd) if name.isdecimal()), default=0)

    # -- entries -------------------------------------------------------------------------------------

    def number(self) -> int:
        """Return the number of an entry that is not there yet."""
        self._count += 1
        return self._count

    def new_file(self, mode: int = 0o666) -> tuple[int, int]:
        """Make an empty file; return its number and descriptor, which is the caller's to close."""
        number = self.number()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return number, os.open(str(number), flags, mode, dir_fd=self._fd)

    def new_directory(self, mode: int = 0o777) -> tuple[int, Directory]:
        """Make an empty directory; return its number, and it, which is the caller's to close."""
        number = self.number()
        os.mkdir(str(number), mode, dir_fd=self._fd)
        return number, Directory(os.open(str(number), DIRECTORY, dir_fd=self._fd), f"{self._path}/{number}")

    def put(self, number: int, where: Directory, parts: Parts) -> None:
        """Move an entry to a path of a directory, where nothing is, or which nobody else sees."""
        with where.below(parts[:-1], True) as parent:
            os.rename(str(number), parts[-1], src_dir_fd=self._fd, dst_dir_fd=parent.fd)

    def take(self, where: Directory, name: str) -> int:
        """The other way round; return its number."""
        number = self.number()
        os.rename(name, str(number), src_dir_fd=where.fd, dst_dir_fd=self._fd)
        return number

    # -- the exchange --------------------------------------------------------------------------------

    def exchange(self, swaps: Sequence[Swap]) -> None:
        """Have all of these change places, or none: where an entry is missing, what is at the path goes, and the other
        way round. Directories on the way are made.
        """
        made = {
            parent: None for parts, _ in swaps for parent in parents_of(parts) if not self._work.inode(parent)
        }
        plan = {
            "made": [list(parts) for parts in made],
            "swaps": [[list(parts), number, self._work.inode(parts)] for parts, number in swaps],
        }
        self._write_plan(plan)
        try:
            for parts in made:
                self._make(parts)
            for parts, number in swaps:
                self._swap(parts, number)
            os.unlink(PLAN, dir_fd=self._fd)  # from now on it is done
        except BaseException:
            self.recover()
            raise
        try:
            os.fsync(
                self._fd
            )  # before what was there goes: a power cut must not bring back the plan without that
        except OSError as e:
            log.warning("%s: %s", self._path, e)

    def _write_plan(self, plan: object) -> None:
        fd = os.open(f"{PLAN}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self._fd)
        try:
            write_all(fd, json.dumps(plan).encode())
            settle(fd)  # with the files that it is about: also a power cut leaves all or nothing
        finally:
            os.close(fd)
        os.rename(f"{PLAN}.new", PLAN, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def _make(self, parts: Parts) -> None:
        with self._work.below(parts[:-1]) as parent:
            os.mkdir(parts[-1], dir_fd=parent.fd)

    def _swap(self, parts: Parts, number: int) -> None:
        with self._work.below(parts[:-1]) as parent:
            here, there = self._has(str(number)), exists(parent.fd, parts[-1])
            if here and there:
                self._exchange(parent.fd, parts[-1], number)
            elif here:
                rename(self._fd, str(number), parent.fd, parts[-1], NOREPLACE)
            elif there:
                rename(parent.fd, parts[-1], self._fd, str(number), NOREPLACE)

    def _exchange(self, parent: int, name: str, number: int) -> None:
        if not rename(parent, name, self._fd, str(number), EXCHANGE):
            aside = f"{number}.aside"
            rename(parent, name, self._fd, aside, 0)
            rename(self._fd, str(number), parent, name, 0)
            rename(self._fd, aside, self._fd, str(number), 0)

    def _has(self, name: str) -> bool:
        return exists(self._fd, name)

    def recover(self) -> None:
        """Undo what was done of a plan. Twice is fine."""
        try:
            fd = os.open(PLAN, os.O_RDONLY, dir_fd=self._fd)
        except FileNotFoundError:
            return
        swaps, made = _read_plan(fd)
        for parts, number, inode in reversed(swaps):
            try:
                self._bring_back(parts, number, inode)
            except (FileNotFoundError, errors.NotAllowedError) as e:
                log.warning("%s is not what it was: its directory is gone: %s", written(parts), e)
        for parts in reversed(made):
            self._unmake(parts)
        os.unlink(PLAN, dir_fd=self._fd)

    def _bring_back(self, parts: Parts, number: int, inode: int) -> None:
        """Have the path be what it was: the file of that inode, or nothing."""
        if self._work.inode(parts) == inode:
            return
        here, aside = self._inode(str(number)), f"{number}.aside"
        if here == inode:  # what was there; or nothing, when what was here is there now
            self._swap(parts, number)
        elif inode and self._inode(aside) == inode:
            with self._work.below(parts[:-1]) as parent:
                if exists(parent.fd, parts[-1]):
                    rename(parent.fd, parts[-1], self._fd, str(number), 0)
                rename(self._fd, aside, parent.fd, parts[-1], 0)

    def _inode(self, name: str) -> int:
        return Directory(self._fd, "").inode((name,))

    def _unmake(self, parts: Parts) -> None:
        try:
            with self._work.below(parts[:-1]) as parent:
                os.rmdir(parts[-1], dir_fd=parent.fd)
        except (OSError, errors.GPIOError) as e:
            log.debug("- %s stays: %s", written(parts), e)  # it was not made, or a program has used it

    # -- the end -------------------------------------------------------------------------------------

    def _empty(self) -> None:
        for name in os.listdir(self._fd):
            self._remove(os.path.join(self._path, name))

    def _remove(self, path: str) -> None:
        try:
            remove(path)
        except (OSError, RecursionError) as e:
            log.warning("%s cannot be removed: %s", path, e)

    def close(self) -> None:
        """Remove it with all that is in it, and unlock it. Twice is fine."""
        if self._fd < 0:
            return
        try:
            if not self._has(PLAN):
                self._empty()
                os.rmdir(self._path)
        except OSError as e:
            log.debug("- %s", e)  # something in it cannot be removed: it is tried again next time
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _read_plan(fd: int) -> tuple[list[tuple[Parts, int, int]], list[Parts]]:
    """What changes places, and which directories are made."""
    try:
        with open(fd, encoding="utf-8") as file:
            plan = json.load(file)
        swaps = [(tuple(parts), int(number), int(inode)) for parts, number, inode in plan["swaps"]]
        return swaps, [tuple(parts) for parts in plan["made"]]
    except (
        ValueError,
        TypeError,
        KeyError,
    ) as e:  # it was whole when it got its name: a program has been here
        log.warning("what an upload has begun cannot be undone: its plan is damaged: %s", e)
        return [], []


def draft_for(work: Directory, first: str, wait_s: float = WAIT_S) -> Draft:
    """Lock the draft for uploads to *first*, a directory of the work directory; to be closed.

    Raises:
        CommandError: another one uploads there, for as long as this. OSError.
    """
    name = hashlib.sha256(os.fsencode(first)).hexdigest()[:24]
    with work.below((DRAFTS,), True) as drafts:
        fd = lock(drafts, name, wait_s)
    if fd < 0:
        raise errors.CommandError(
            f"another client uploads to {first!r} at the moment", hint="try again when that one is done"
        )
    draft = Draft(work, name, fd)
    try:
        draft.begin()
    except BaseException:
        draft.close()
        raise
    return draft


def lock(drafts: Directory, name: str, wait_s: float) -> int:
    """Return the descriptor of a draft, which nobody else has; -1 where another one has it for so long."""
    end = time.monotonic() + wait_s
    while True:
        fd = _lock(drafts, name)
        if fd >= 0 or time.monotonic() >= end:
            return fd
        time.sleep(STEP_S)  # flock(2) knows no time limit, and this is the client's own thread


def _lock(drafts: Directory, name: str) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=drafts.fd)
    except FileExistsError:
        pass
    try:
        fd = os.open(name, DIRECTORY, dir_fd=drafts.fd)
    except FileNotFoundError:
        return -1  # he who had it has just removed it
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_ino == drafts.inode((name,)):
            return fd
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return -1


def clean(work: Directory) -> None:
    """Undo what killed processes have begun, and remove what they have left. What others work at is left alone."""
    if work.status((DRAFTS,)) is not None:
        with work.below((DRAFTS,)) as drafts:
            for name in drafts.names():
                _clean(work, drafts, name)


def _clean(work: Directory, drafts: Directory, name: str) -> None:
    fd = _lock(drafts, name)
    if fd < 0:
        return
    draft = Draft(work, name, fd)
    try:
        draft.recover()
    finally:
        draft.close()


# -- the system's ----------------------------------------------------------------------------------------


def rename(from_fd: int, name: str, to_fd: int, to: str, flags: int) -> bool:
    """Rename, with flags of renameat2(); without NOREPLACE where that is not known; False where EXCHANGE is not."""
    if flags:
        call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if call is not None:
            if call(from_fd, os.fsencode(name), to_fd, os.fsencode(to), flags) == 0:
                return True
            number = ctypes.get_errno()
            if number not in UNKNOWN:
                raise OSError(number, os.strerror(number), name, None, to)
        if flags == EXCHANGE:
            return False
    os.rename(name, to, src_dir_fd=from_fd, dst_dir_fd=to_fd)
    return True


def settle(fd: int) -> None:
    """Have all of the file system of *fd* be written to the disk, where the system can do so."""
    call = getattr(ctypes.CDLL(None), "syncfs", None)
    if call is not None:
        call(fd)


def exists(fd: int, name: str) -> bool:
    """Whether there is such an entry, a link that leads nowhere too."""
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of it."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def remove(path: str) -> None:
    """Remove a file, or a directory with all that is in it, also where a program has forbidden itself to. Links in it
    are not followed.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        _unlock(path)
        shutil.rmtree(path)


def _unlock(path: str) -> None:
    """Let us change all directories from there on."""
    os.chmod(path, 0o700)
    with os.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _unlock(entry.path)


def in_use(path: str) -> bool:
    """Whether a process of this user has its working directory there, or below. Source: proc(5), /proc/PID/cwd."""
    real = os.path.realpath(path)
    try:
        pids: Iterable[str] = os.listdir("/proc")
    except OSError:
        return False
    return any(_is_at(pid, real) for pid in pids if pid.isdecimal())


def _is_at(pid: str, real: str) -> bool:
    try:
        cwd = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False  # it has ended, or is another user's
    return cwd == real or cwd.startswith(real + "/")
