# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who has set what: one record for a session, a line and a second, with how often and the level at the end of it.

What is set a thousand times a second costs one record a second. The last RECORDS_MAX are kept here, and written to a
file as well where one is configured: a disk that is full loses what is written there, and is told of once.
"""

from __future__ import annotations

import json
import os
from collections import deque
from time import time

from ... import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RECORDS_MAX = 100_000
FILE_MAX_BYTES = 10 * 1000 * 1000
"""At that size a file of records becomes the one with .1 behind its name, and another one is begun."""


class Record:
    """One record; *level* is None for what has none, a change of direction say."""

    __slots__ = ("level", "line", "second", "times", "what", "who")

    def __init__(self, second: int, who: str, line: int, what: str, level: int | None) -> None:
        self.second, self.who, self.line, self.what, self.level, self.times = (
            second,
            who,
            line,
            what,
            level,
            1,
        )

    def written(self) -> str:
        """The line of the file."""
        return json.dumps(
            {name: getattr(self, name) for name in ("second", "who", "line", "what", "level", "times")}
        )


class Audit:
    """The records. *file* is where they are written as well; *on_first* is called with the first record of a second."""

    def __init__(
        self,
        file: str = "",
        on_first: Callable[[], object] | None = None,
        now_s: Callable[[], float] = time,
        file_max_bytes: int = FILE_MAX_BYTES,
    ) -> None:
        self._file, self._on_first, self._now_s, self._file_max_bytes = file, on_first, now_s, file_max_bytes
        self._ring: deque[Record] = deque(maxlen=RECORDS_MAX)
        self._second = -1
        self._begun = 0
        """The number of the first record of that second."""
        self._open: dict[tuple[str, int, str], Record] = {}
        self.count = 0
        """How many records there have been; the number of the next one."""
        self._written = 0
        """The number of the next one that is to be written."""
        self._fails = False

    def note(self, who: str, line: int, what: str, level: int | None) -> Record:
        """Somebody has set something. What is returned counts further times, until the second is over."""
        second = int(self._now_s())
        if second != self._second:
            self._second, self._begun = second, self.count
            self._open.clear()
            if self._file and self._on_first is not None:
                self._on_first()
        key = (who, line, what)
        record = self._open.get(key)
        if record is not None:
            record.times += 1
            record.level = level
            return record
        self._open[key] = record = Record(second, who, line, what, level)
        self._ring.append(record)
        self.count += 1
        return record

    def noting(self, write: Callable[[], object], who: str, line: int, level: int) -> Callable[[], object]:
        """What writes a level, and notes it: in a hurry within a second."""
        now_s, note = self._now_s, self.note
        record: Record | None = None

        def write_and_note() -> None:
            """Both."""
            nonlocal record
            write()
            if record is not None and int(now_s()) == record.second == self._second:
                record.times += 1
                record.level = level
            else:
                record = note(who, line, "write", level)

        return write_and_note

    def since(self, number: int, most: int) -> list[tuple[int, Record]]:
        """Records from that number on, with their numbers, of those that are known still."""
        first = self.count - len(self._ring)
        start = max(number, first)
        return [(at, self._ring[at - first]) for at in range(start, min(self.count, start + most))]

    def flush(self) -> bool:
        """Write the records of seconds that are over; whether some are left, of this one."""
        if not self._file:
            return False
        # Not by their times: a clock may be set back.
        is_over = int(self._now_s()) != self._second
        end = self.count if is_over else self._begun
        found = self.since(self._written, end - self._written)
        if found:
            self._write([record for _, record in found])
        self._written = max(self._written, end)
        return self._written < self.count

    def close(self) -> None:
        """Write all that is left."""
        found = self.since(self._written, RECORDS_MAX)
        if self._file and found:
            self._write([record for _, record in found])
            self._written = self.count

    def _write(self, records: Iterable[Record]) -> None:
        data = "".join(f"{record.written()}\n" for record in records).encode()
        try:
            if os.path.exists(self._file) and os.path.getsize(self._file) + len(data) > self._file_max_bytes:
                os.replace(self._file, f"{self._file}.1")
            _append(self._file, data)
            self._fails = False
        except OSError as e:
            if not self._fails:
                log.warning(
                    "the audit is not written: %s: %s; the last %d records are kept in memory",
                    self._file,
                    e.strerror,
                    RECORDS_MAX,
                )
            self._fails = True


def _append(path: str, data: bytes) -> None:
    """Append all of it, or nothing."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(fd).st_size
        if os.write(fd, data) != len(data):
            from errno import ENOSPC

            os.ftruncate(fd, size)
            raise OSError(ENOSPC, os.strerror(ENOSPC))
    finally:
        os.close(fd)
