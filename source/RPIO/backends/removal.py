# SPDX-License-Identifier: LGPL-3.0-or-later
"""Noticing that a chip's device file has gone: the kernel wakes nobody who waits for its edges."""

from __future__ import annotations

import os

from .. import _gpio


class RemovalWatch:
    """A watch on the file at *path*, None for none, which begins when its descriptor is first asked for."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: _gpio.File | None = None

    def fd(self) -> int | None:
        """Return a descriptor that is readable when the file may have gone; None where there is no file."""
        if self._file is None and self._path is not None:
            try:
                self._file = _gpio.file_watch(self._path)
            except FileNotFoundError:
                pass  # it has gone already
        return self._file.fd if self._file is not None else None

    def drain(self) -> None:
        """Make the descriptor unreadable again."""
        if self._file is not None:
            try:
                os.read(self._file.fd, 4096)
            except BlockingIOError:
                pass  # nothing new

    def close(self) -> None:
        """Close the descriptor; fd() begins anew. Twice is fine."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
