# SPDX-License-Identifier: LGPL-3.0-or-later
"""Names that come from elsewhere, of directories and files below the work directory, and the way to them: by descriptor
from one directory to the next, so that no link leads out, whoever puts it there in the meantime.
"""

from __future__ import annotations

import errno
import os
import stat

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Parts = tuple[str, ...]

DRAFTS, CACHE, RUN = ".rpio-drafts", ".flcache", ".run"
"""Directories of the work directory that are not for uploads: what is being built, what was downloaded, where programs
run that have no directory."""
MANIFEST = ".rpio-uploaded.json"
"""The file of a directory that says what was uploaded there."""
DEPTH_MAX = 32
PATH_MAX = 1024
NAME_MAX = 255
"""Bytes of one part of a path. Source: Linux, include/uapi/linux/limits.h."""
DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)


def parts_of(path: object, what: str) -> Parts:
    """Split a path below a directory. *what* names it in errors.

    Raises:
        ProtocolError: it is no text. NotAllowedError: it leads elsewhere, or nowhere, or is too long.
    """
    if not isinstance(path, str):
        raise errors.ProtocolError(f"{what} is text, and not {path!r:.60}")
    shown = f"{path[:60]!r}"
    if path.startswith("/") or "\0" in path:
        raise errors.NotAllowedError(
            f"{what} {shown} is no path below the work directory",
            hint="a name such as project, or project/lib.py",
        )
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise errors.NotAllowedError(
            f"{what} {shown} leads out of its directory", hint="name it without '..'"
        )
    if not parts:
        raise errors.NotAllowedError(f"{what} {shown} is empty", hint="a name such as project")
    _check_length(path, parts, what)
    return parts


def _check_length(path: str, parts: Parts, what: str) -> None:
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        raise errors.NotAllowedError(
            f"{what} {path[:60]!r} has characters that no file's name can have"
        ) from None
    if len(parts) > DEPTH_MAX or len(path) > PATH_MAX or longest > NAME_MAX:
        raise errors.NotAllowedError(
            f"{what} {path[:60]!r}... is too long: {DEPTH_MAX} parts of {NAME_MAX} bytes, {PATH_MAX} characters at most"
        )


def directory_of(name: object) -> Parts:
    """The parts of the name of an upload's directory. Raises as parts_of(), for those of our own as well."""
    parts = parts_of(name, "the name")
    if parts[0] in (RUN, CACHE) or parts[0].startswith(".rpio-"):
        raise errors.NotAllowedError(f"{parts[0]} is RPIO's own", hint="choose another name")
    return parts


def file_of(path: object) -> Parts:
    """The parts of the path of a file in it. Raises as parts_of()."""
    parts = parts_of(path, "the file")
    if parts == (MANIFEST,) or str(path).endswith("/"):
        raise errors.NotAllowedError(
            f"the file {str(path)[:60]!r} cannot be uploaded: that is no name for one"
        )
    return parts


def check_together(paths: dict[Parts, object]) -> None:
    """Raise NotAllowedError where one of these files is the directory of another one."""
    for parts in paths:
        for count in range(1, len(parts)):
            if parts[:count] in paths:
                text = f"{written(parts[:count])!r} cannot be a file and the directory of {written(parts)!r}"
                raise errors.NotAllowedError(text)


def written(parts: Parts) -> str:
    """The path."""
    return "/".join(parts)


# -- the way there -------------------------------------------------------------------------------------


class Directory:
    """A directory that is open. Paths are below it; no link is followed."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd, self.path = fd, path

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. Twice is fine."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def below(self, parts: Parts, is_made: bool = False) -> Directory:
        """Open a directory; with *is_made* make what is missing.

        Raises:
            NotAllowedError: a link, or a file, is in the way. FileNotFoundError, OSError.
        """
        found = Directory(os.dup(self.fd), self.path)
        try:
            for part in parts:
                found._enter(part, is_made)
        except BaseException:
            found.close()
            raise
        return found

    def _enter(self, part: str, is_made: bool) -> None:
        path = os.path.join(self.path, part)
        if is_made:
            try:
                os.mkdir(part, dir_fd=self.fd)
            except FileExistsError:
                pass
        try:
            fd = os.open(part, DIRECTORY, dir_fd=self.fd)
        except OSError as e:
            if e.errno in IN_THE_WAY:
                raise errors.NotAllowedError(
                    f"{path} is no directory, and links are not followed", hint=f"see: ls -ld {path}"
                ) from None
            e.filename = path
            raise
        os.close(self.fd)
        self.fd, self.path = fd, path

    def status(self, parts: Parts) -> os.stat_result | None:
        """What is there, a link itself; None for nothing."""
        try:
            with self.below(parts[:-1]) as parent:
                return os.stat(parts[-1], dir_fd=parent.fd, follow_symlinks=False)
        except (FileNotFoundError, errors.NotAllowedError):
            return None

    def inode(self, parts: Parts) -> int:
        """The number of what is there; 0 for nothing."""
        found = self.status(parts)
        return 0 if found is None else found.st_ino

    def names(self) -> list[str]:
        """What is in it."""
        return sorted(os.listdir(self.fd))


def check_free(work: Directory, place: Parts) -> None:
    """Raise NotAllowedError where something that is no directory is there, or on the way."""
    for count in range(1, len(place) + 1):
        found = work.status(place[:count])
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            path = os.path.join(work.path, *place[:count])
            raise errors.NotAllowedError(
                f"{path} is no directory, and links are not followed", hint=f"see: ls -ld {path}"
            )


def opened(path: str) -> Directory:
    """Open the work directory, which may be a link, and is made where it is missing."""
    os.makedirs(path, exist_ok=True)
    return Directory(os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)), path)


def parents_of(parts: Parts) -> Iterator[Parts]:
    """The directories on the way to a file, the outermost first."""
    return (parts[:count] for count in range(1, len(parts)))
