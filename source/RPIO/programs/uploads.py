# SPDX-License-Identifier: LGPL-3.0-or-later
"""Uploads to the work directory: a directory that gets exactly these files, or one that is brought up to date. All of
it is done, or nothing is.

Plain blocking calls, for a thread of their own, as the user that programs run as.

A program that runs in a directory while somebody uploads to it stays in it, sees the new files from one moment to the
next, and loses none of those that it makes there: its working directory is not replaced, its entries are. Where no
process has its working directory there, replace() has one directory take the place of the other, in one step.
"""

from __future__ import annotations

import os
import stat

from .. import errors
from . import drafts
from .paths import (
    CACHE,
    Directory,
    check_free,
    check_together,
    directory_of,
    file_of,
    opened,
    parts_of,
    written,
)
from .sync import CHUNK, Entry, Sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .drafts import Draft, Swap
    from .fetching import Fetcher
    from .paths import Parts

FILES_MAX = 4096
FILE_BYTES, ALL_BYTES = 1 << 26, 1 << 28
URL_WORDS = ("url", "bucketName", "fileName")


class Uploads:
    """The uploads of one client to the directories of *work*. *url_hosts* are those that files may be downloaded from:
    a name, or a name and a port, or ``*.`` and a domain.
    """

    def __init__(
        self,
        work: str,
        url_hosts: Sequence[str] = (),
        files_max: int = FILES_MAX,
        file_bytes: int = FILE_BYTES,
        all_bytes: int = ALL_BYTES,
        wait_s: float = drafts.WAIT_S,
    ) -> None:
        self.work = os.path.abspath(work)
        self._url_hosts = tuple(url_hosts)
        self._files_max, self._file_bytes, self._all_bytes = files_max, file_bytes, all_bytes
        self._wait_s = wait_s
        self._sync: Sync | None = None

    @property
    def _fetcher(self) -> Fetcher:
        from .fetching import Fetcher  # which is twice as large as all that is here

        return Fetcher(self._url_hosts, self._file_bytes)

    def clean(self) -> None:
        """Undo what killed processes have begun to upload, and remove what they have left. Before programs run."""
        if os.path.isdir(self.work):
            with opened(self.work) as work:
                drafts.clean(work)

    # -- exactly these files ---------------------------------------------------------------------------

    def replace(self, name: str, files: Mapping[str, object]) -> bool:
        """Have the directory *name* be one with these files and no others: path below it -> ``{"type": "text",
        "content": {"text": ...}}`` or ``{"type": "url", "content": {"url", "bucketName", "fileName"}}``.

        What comes from an URL is downloaded once, and kept in the work directory's ``.flcache``. Where the network
        cannot be reached these files are left out, and it returns False.

        Raises:
            ProtocolError: not of that form. NotAllowedError: a name or a host that may not be; too much.
            CommandError: a download has failed, or another client uploads there. OSError: a disk that is full, say.
        """
        place = directory_of(name)
        wanted = self._entries(files)
        with opened(self.work) as work:
            check_free(work, place)
            draft = drafts.draft_for(work, place[0], self._wait_s)
            try:
                return self._replace(work, draft, place, wanted)
            finally:
                draft.close()

    def _entries(self, files: object) -> dict[Parts, tuple[str, Mapping[str, str]]]:
        if not isinstance(files, dict):
            raise errors.ProtocolError("files is an object: path -> file")
        self._check_count(files)
        found = {file_of(path): _entry(path, file) for path, file in files.items()}
        if len(found) < len(files):
            raise errors.NotAllowedError("two of the files have the same path")
        check_together(dict.fromkeys(found))
        for kind, content in found.values():
            if kind == "url":
                self._fetcher.check(content["url"])
        return found

    def _check_count(self, files: Mapping[str, object]) -> None:
        if len(files) > self._files_max:
            raise errors.NotAllowedError(
                f"{len(files)} files are too many: {self._files_max} at most",
                hint="upload what the program needs",
            )

    def _check_size(self, path: str, size: int, before: int) -> int:
        """Return the size of all with this one."""
        for what, found, most in (
            (path, size, self._file_bytes),
            ("all of it", before + size, self._all_bytes),
        ):
            if found > most:
                raise errors.NotAllowedError(
                    f"{what[:200]} is too large: {most} bytes at most, and not {found}"
                )
        return before + size

    def _replace(
        self,
        work: Directory,
        draft: Draft,
        place: Parts,
        wanted: Mapping[Parts, tuple[str, Mapping[str, str]]],
    ) -> bool:
        before = work.status(place)
        number, made = draft.new_directory()
        with made:
            fetched = self._fill(work, draft, made, wanted)
            if before is not None:
                os.fchmod(made.fd, stat.S_IMODE(before.st_mode))
            is_used = before is not None and drafts.in_use(os.path.join(work.path, *place))
            swaps = [(place, number)] if not is_used else _entry_by_entry(work, draft, place, made)
        draft.exchange(swaps)
        return fetched

    def _fill(
        self,
        work: Directory,
        draft: Draft,
        made: Directory,
        wanted: Mapping[Parts, tuple[str, Mapping[str, str]]],
    ) -> bool:
        """Put the files in; whether those of URLs are among them."""
        total, fetched = 0, True
        for parts, (kind, content) in wanted.items():
            if kind == "text":
                data = content["text"].encode()
                total = self._check_size(written(parts), len(data), total)
                draft.put(_file_with(draft, data), made, parts)
                continue
            found = self._fetched(work, draft, content)
            if found is None:
                fetched = False
                continue
            number, size = found
            total = self._check_size(written(parts), size, total)
            draft.put(number, made, parts)
        return fetched

    def _fetched(self, work: Directory, draft: Draft, content: Mapping[str, str]) -> tuple[int, int] | None:
        """Have a copy of the downloaded file in the draft; return its number and size, None without a network."""
        from .fetching import Unreachable

        bucket = parts_of(content["bucketName"], "bucketName")
        file = parts_of(content["fileName"], "fileName")
        where = (CACHE, *bucket, *file)
        found = work.status(where)
        if found is None or not stat.S_ISREG(found.st_mode):
            number, fd = draft.new_file()
            try:
                self._fetcher.fetch(content["url"], fd)
            except Unreachable:
                return None
            finally:
                os.close(fd)
            draft.put(number, work, where)
        return _copy(work, draft, where)

    # -- bring up to date ------------------------------------------------------------------------------

    def begin_sync(self, name: str, files: Mapping[str, object]) -> list[str]:
        """Begin to bring the directory *name* up to date: path -> (size, SHA-256 in hexadecimal, mode). Return the
        paths whose content is to come: of each begin_file() and write(), then commit(). What was uploaded before and
        is not among these goes, what programs have made there stays.

        Raises as replace(); and NotAllowedError where a file of a program's is in the way.
        """
        self.abandon()
        place = directory_of(name)
        entries = self._sync_entries(files)
        self._sync = sync = Sync(opened(self.work))
        try:
            sync.begin(place, entries, self._wait_s)
        except BaseException:
            self.abandon()
            raise
        return sync.wanted

    def _sync_entries(self, files: object) -> dict[Parts, Entry]:
        if not isinstance(files, dict):
            raise errors.ProtocolError("files is an object: path -> [size, SHA-256, mode]")
        self._check_count(files)
        found: dict[Parts, Entry] = {}
        total = 0
        for path, said in files.items():
            entry = Entry(path, said)
            total = self._check_size(path, entry.size, total)
            parts = file_of(path)
            if parts in found:
                raise errors.NotAllowedError(f"{path[:200]!r} is there twice")
            found[parts] = entry
        check_together(dict.fromkeys(found))
        return found

    def _current(self) -> Sync:
        if self._sync is None:
            raise errors.ProtocolError("no sync has begun", hint="it begins with the names of the files")
        return self._sync

    def begin_file(self, path: str) -> None:
        """The content of this one comes now, and that of the one before is complete.

        Raises:
            ProtocolError: it is none of those that are wanted, or the one before is not what was announced. As after
            every error, nothing has been changed then, and the sync is over.
        """
        self._or_abandon(lambda sync: sync.begin_file(path))

    def write(self, data: bytes) -> None:
        """More of its content. Raises ProtocolError where that is more than was announced; OSError."""
        self._or_abandon(lambda sync: sync.write(data))

    def commit(self) -> None:
        """All has been sent: have it take the place of what is there. Raises as begin_file(); OSError."""
        self._or_abandon(lambda sync: sync.commit())
        self.abandon()

    def _or_abandon(self, call: Callable[[Sync], object]) -> None:
        try:
            call(self._current())
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop a sync that has begun; nothing has been changed. Twice is fine."""
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.close()


def _entry(path: str, file: object) -> tuple[str, Mapping[str, str]]:
    """The type and content of a file that is uploaded. Raises ProtocolError, NotAllowedError."""
    shown = path[:60]
    kind = file.get("type") if isinstance(file, dict) else None
    content = file.get("content") if isinstance(file, dict) else None
    words = {"text": ("text",), "url": URL_WORDS}.get(kind if isinstance(kind, str) else "")
    if words is None or not isinstance(content, dict):
        raise errors.ProtocolError(f"{shown!r} is a file of neither text nor url, with content")
    if not all(isinstance(content.get(word), str) for word in words):
        raise errors.ProtocolError(f"the content of {shown!r} has {', '.join(words)}, which are text")
    if kind == "url":
        parts_of(content["bucketName"], "bucketName")
        parts_of(content["fileName"], "fileName")
    else:
        _check_text(shown, content["text"])
    return str(kind), content


def _check_text(shown: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise errors.ProtocolError(f"the text of {shown!r} is none: {e.reason}") from None


def _entry_by_entry(work: Directory, draft: Draft, place: Parts, made: Directory) -> list[Swap]:
    """What has one directory get the entries of the other, and nothing else."""
    with work.below(place) as there:
        names, new = there.names(), made.names()
    swaps = [((*place, name), draft.take(made, name)) for name in new]
    return swaps + [((*place, name), draft.number()) for name in names if name not in new]


def _file_with(draft: Draft, data: bytes) -> int:
    number, fd = draft.new_file()
    try:
        drafts.write_all(fd, data)
    finally:
        os.close(fd)
    return number


def _copy(work: Directory, draft: Draft, where: Parts) -> tuple[int, int]:
    """Copy a file, which is not linked: what a program writes into its own does not come to others."""
    with work.below(where[:-1]) as parent:
        source = os.open(where[-1], os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=parent.fd)
    try:
        number, fd = draft.new_file()
        try:
            return number, _poured(source, fd)
        finally:
            os.close(fd)
    finally:
        os.close(source)


def _poured(source: int, fd: int) -> int:
    size = 0
    while data := os.read(source, CHUNK):
        drafts.write_all(fd, data)
        size += len(data)
    return size
