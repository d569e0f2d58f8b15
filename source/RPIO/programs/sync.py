# SPDX-License-Identifier: LGPL-3.0-or-later
"""A directory of the work directory that is brought up to date: what differs is sent, what was uploaded before and is
not wanted any more goes, what programs have made there stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat

from .. import errors, log
from . import drafts
from .paths import MANIFEST, check_free, file_of, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .drafts import Draft, Swap
    from .paths import Directory, Parts

MANIFEST_BYTES = 1 << 24
CHUNK = 1 << 18
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
READABLE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A file that a program has made may be a link, or a FIFO."""


class Entry:
    """What a file is to be."""

    __slots__ = ("digest", "mode", "path", "size")

    def __init__(self, path: object, said: object) -> None:
        """Raises ProtocolError."""
        values = list(said) if isinstance(said, (list, tuple)) else []
        if not isinstance(path, str) or len(values) != 3:
            raise errors.ProtocolError(f"{str(path)[:60]!r} is a file with size, SHA-256 and mode")
        size, digest, mode = values
        if type(size) is not int or size < 0 or type(mode) is not int or not 0 <= mode <= 0o7777:
            raise errors.ProtocolError(f"size and mode of {path[:60]!r} are whole numbers")
        if not isinstance(digest, str) or not DIGEST.match(digest):
            raise errors.ProtocolError(f"the SHA-256 of {path[:60]!r} is 64 digits of 0 to 9 and a to f")
        self.path, self.size, self.digest = path, size, digest
        self.mode = mode & 0o777 | 0o600


class Sync:
    """One that goes on. *work* is closed with it."""

    def __init__(self, work: Directory) -> None:
        self._work = work
        self._draft: Draft | None = None
        self._place: Parts = ()
        self._entries: Mapping[Parts, Entry] = {}
        self._before: set[Parts] = set()
        """What was uploaded earlier, there or not."""
        self._covers: dict[Parts, Parts] = {}
        """A file that is to come -> what is in the place of its directory."""
        self._left: dict[str, Parts] = {}
        self._come: dict[Parts, int] = {}
        self._file: File | None = None
        self.wanted: list[str] = []
        """The paths of those that are to be sent."""

    def begin(self, place: Parts, entries: Mapping[Parts, Entry], wait_s: float) -> None:
        """Find out what is wanted. Raises NotAllowedError, CommandError, OSError."""
        self._place, self._entries = place, entries
        check_free(self._work, place)
        self._draft = drafts.draft_for(self._work, place[0], wait_s)
        self._before = set(manifest(self._work, place))
        for parts, entry in entries.items():
            if not is_same(self._work, (*place, *parts), entry):
                self._look(parts)
                self._left[entry.path] = parts
        self.wanted = list(self._left)

    def _look(self, parts: Parts) -> None:
        """See what is in the way of a file: what was uploaded before, and nothing else, may be."""
        for count in range(1, len(parts)):
            found = self._work.status((*self._place, *parts[:count]))
            if found is None:
                break
            if not stat.S_ISDIR(found.st_mode):
                self._check_ours([parts[:count]], parts)
                self._covers[parts] = parts[:count]
                break
        found = self._work.status((*self._place, *parts))
        if found is not None and stat.S_ISDIR(found.st_mode):
            self._check_ours(files_below(self._work, (*self._place, *parts), parts), parts)

    def _check_ours(self, found: Iterable[Parts], parts: Parts) -> None:
        for other in found:
            if other not in self._before:
                path = os.path.join(self._work.path, *self._place, *other)
                raise errors.NotAllowedError(
                    f"{path}, which was not uploaded, is in the way of {written(parts)!r}",
                    hint="remove it there, or use another name",
                )

    # -- what is sent ----------------------------------------------------------------------------------

    def begin_file(self, path: str) -> None:
        """See Uploads."""
        self._finish()
        parts = self._left.pop(path, None) if isinstance(path, str) else None
        if parts is None or self._draft is None:
            raise errors.ProtocolError(f"{str(path)[:60]!r} is none of the files that are wanted")
        entry = self._entries[parts]
        number, fd = self._draft.new_file(0o600)
        self._file = File(fd, entry)
        self._come[parts] = number
        os.fchmod(fd, entry.mode)

    def write(self, data: bytes) -> None:
        """See Uploads."""
        if self._file is None:
            raise errors.ProtocolError("content of no file", hint="the file is named first")
        self._file.write(data)

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.finish()

    def commit(self) -> None:
        """See Uploads."""
        self._finish()
        if self._left or self._draft is None:
            raise errors.ProtocolError(f"{len(self._left)} of the files have not been sent")
        is_there = self._work.status(self._place) is not None
        if is_there and not self._come and self._before == set(self._entries):
            self._set_modes()
            return
        self._come[(MANIFEST,)] = self._new_manifest(self._draft)
        if not is_there:
            self._draft.exchange([(self._place, gathered(self._draft, self._come, 0))])
            return
        gone = self._gone()
        self._draft.exchange(self._swaps(self._draft) + [(parts, self._draft.number()) for parts in gone])
        self._set_modes()
        for parts in gone:
            self._prune(parts)

    def _swaps(self, draft: Draft) -> list[Swap]:
        covered: dict[Parts, dict[Parts, int]] = {}
        swaps: list[Swap] = []
        for parts, number in self._come.items():
            cover = self._covers.get(parts)
            if cover is None:
                swaps.append(((*self._place, *parts), number))
            else:
                covered.setdefault(cover, {})[parts] = number
        for cover, files in covered.items():
            swaps.append(((*self._place, *cover), gathered(draft, files, len(cover))))
        return swaps

    def _gone(self) -> list[Parts]:
        """Where files are that were uploaded before, and are not wanted."""
        replaced = {*self._come, *self._covers.values()}
        found = []
        for parts in sorted(self._before - set(self._entries)):
            is_replaced = any(parts[:count] in replaced for count in range(1, len(parts) + 1))
            there = None if is_replaced else self._work.status((*self._place, *parts))
            if there is not None and not stat.S_ISDIR(there.st_mode):
                found.append((*self._place, *parts))
        return found

    def _new_manifest(self, draft: Draft) -> int:
        number, fd = draft.new_file(0o644)
        try:
            said = {"files": [written(parts) for parts in self._entries]}
            drafts.write_all(fd, json.dumps(said).encode())
        finally:
            os.close(fd)
        return number

    def _set_modes(self) -> None:
        for parts, entry in self._entries.items():
            if parts not in self._come:
                set_mode(self._work, (*self._place, *parts), entry.mode)

    def _prune(self, parts: Parts) -> None:
        """Remove the directories of a file that is gone, as far as nothing is in them."""
        for count in range(len(parts) - 1, len(self._place), -1):
            try:
                with self._work.below(parts[: count - 1]) as parent:
                    os.rmdir(parts[count - 1], dir_fd=parent.fd)
            except (OSError, errors.GPIOError):
                return

    def close(self) -> None:
        """Drop what was sent, and let others upload. Twice is fine."""
        if self._file is not None:
            self._file.close()
        if self._draft is not None:
            self._draft.close()
        self._work.close()


class File:
    """A file that is being sent."""

    def __init__(self, fd: int, entry: Entry) -> None:
        self._fd, self._entry = fd, entry
        self._hash, self._size = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """More of it."""
        self._size += len(data)
        if self._size > self._entry.size:
            raise errors.ProtocolError(
                f"{self._entry.path[:60]!r} has more than the {self._entry.size} bytes that were announced"
            )
        self._hash.update(data)
        drafts.write_all(self._fd, data)

    def finish(self) -> None:
        """Check that it is what was announced."""
        self.close()
        if self._size != self._entry.size or self._hash.hexdigest() != self._entry.digest:
            raise errors.ProtocolError(
                f"{self._entry.path[:60]!r} is not what was announced: it has changed meanwhile, perhaps",
                hint="once more",
            )

    def close(self) -> None:
        """Close it. Twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def gathered(draft: Draft, files: Mapping[Parts, int], depth: int) -> int:
    """Move entries of the draft into a new directory of it, below their first *depth* parts; return its number."""
    number, made = draft.new_directory()
    with made:
        for parts, entry in files.items():
            draft.put(entry, made, parts[depth:])
    return number


# -- what is there ---------------------------------------------------------------------------------------


def opened_file(work: Directory, where: Parts) -> int:
    """Open a file that is no link and nothing else. Raises FileNotFoundError for what is none; OSError."""
    found = work.status(where)
    if found is None or not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError
    with work.below(where[:-1]) as parent:
        return os.open(where[-1], READABLE, dir_fd=parent.fd)


def is_same(work: Directory, where: Parts, entry: Entry) -> bool:
    """Whether that file is there already."""
    try:
        fd = opened_file(work, where)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        if os.fstat(fd).st_size != entry.size:
            return False
        digest = hashlib.sha256()
        while data := os.read(fd, CHUNK):
            digest.update(data)
        return digest.hexdigest() == entry.digest
    finally:
        os.close(fd)


def set_mode(work: Directory, where: Parts, mode: int) -> None:
    """Give a file its mode, where that may be done."""
    try:
        fd = opened_file(work, where)
    except (OSError, errors.GPIOError):
        return
    try:
        if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
            os.fchmod(fd, mode)
    except OSError as e:
        log.debug("- %s", e)  # it is another user's
    finally:
        os.close(fd)


def manifest(work: Directory, place: Parts) -> list[Parts]:
    """What was uploaded there; nothing where that is not known. What it says may be a program's."""
    try:
        fd = opened_file(work, (*place, MANIFEST))
        with open(fd, "rb") as file:
            said = json.loads(file.read(MANIFEST_BYTES))
        return [file_of(path) for path in said["files"]]
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError, errors.NotAllowedError):
        return []  # and what is there is taken for a program's


def files_below(work: Directory, where: Parts, name: Parts) -> list[Parts]:
    """The files of a directory, and of those in it; *name* is what they begin with."""
    found: list[Parts] = []
    with work.below(where) as there:
        names = there.names()
    for entry in names:
        status = work.status((*where, entry))
        if status is not None and stat.S_ISDIR(status.st_mode):
            found += files_below(work, (*where, entry), (*name, entry))
        else:
            found.append((*name, entry))
    return found
