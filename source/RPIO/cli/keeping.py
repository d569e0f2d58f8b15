# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files that a verb writes: complete or not there, and never half of one under its name.

They grow as ``FILE.part``; what had the name before stays until then. Devices and pipes are written as they are.
"""

from __future__ import annotations

import errno
import os

from ..recordings import formats, vcd
from .told import UsageError
from .verb import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeVar

    from ..recordings.recording import Recording

    AnyFile = TypeVar("AnyFile", bound="File")

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is full",
    errno.EFBIG: "the file may not become larger",
}
"""Error -> what there is no room for."""


def check_path(path: str, suffixes: tuple[str, ...]) -> None:
    """Say now what would be wrong with the file at the end. Raises UsageError."""
    special = _is_special(path)
    if os.path.isdir(path) or not (special or path.lower().endswith(suffixes)):
        raise UsageError(f"-o {path}: the name of the file has to end in {', '.join(suffixes)}")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"-o {path}: there is no folder {folder}")
    if not os.access(path if special else folder, os.W_OK):
        raise UsageError(f"-o {path}: this user may not write there")


def _is_special(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


class File:
    """A text file that gets its name when the block ends well, and is gone where it does not."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._is_special = _is_special(path)
        self._grows_as = path if self._is_special else path + ".part"

    def __enter__(self: AnyFile) -> AnyFile:
        self.text = open(self._grows_as, "w", encoding="utf-8", newline="\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.text.close()
        except OSError as e:
            error = error or e
        if error is None:
            self._name()
            return
        left = self._give_up(error)
        reason = FULL.get(error.errno or 0) if isinstance(error, OSError) else None
        if reason is not None:
            raise OSError(f"{reason}: {left}; make room, or choose another place with -o") from None
        if kind is None:
            raise error

    def _name(self) -> None:
        if not self._is_special:
            os.replace(self._grows_as, self.path)

    def _give_up(self, error: BaseException) -> str:
        """Leave nothing behind; return what has become of the file."""
        if not self._is_special:
            os.unlink(self._grows_as)
        return f"{self.path} was not written"


class Growing(File):
    """A VCD that grows part by part. Whatever happens to the program, the parts so far are readable, and kept."""

    def __init__(self, path: str, timescale: str) -> None:
        super().__init__(path)
        self.span_ns = 0
        self._timescale = timescale
        self._writer: vcd.Writer | None = None
        self._start_ns = 0
        self._complete_bytes = 0

    def write(self, part: Recording) -> None:
        """Write edges and losses, and have the kernel have them."""
        if self._writer is None:
            self._start_ns = part.start_ns
            self._writer = vcd.Writer(self.text, part, self._timescale)
        self._writer.write(part)
        self._writer.reach(part.end_ns)
        self.text.flush()
        self._complete_bytes = os.fstat(self.text.fileno()).st_size
        self.span_ns = part.end_ns - self._start_ns

    def end(self, last: Recording) -> None:
        """Write the last part."""
        self.write(last)
        assert self._writer is not None
        self._writer.end(last.end_ns)

    def _give_up(self, error: BaseException) -> str:
        """Keep what is complete."""
        if self._is_special or not self._complete_bytes:
            return super()._give_up(error)
        os.truncate(self._grows_as, self._complete_bytes)
        self._name()
        left = f"{self.path} has the first {formats.time_text(self.span_ns)}"
        if not (isinstance(error, OSError) and error.errno in FULL):
            note(left)
        return left
