# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program has written lately, for those who read it now and those who come later."""

from __future__ import annotations

from collections import deque

JOINED_BYTES = 1 << 12
"""What is smaller is added to the piece before it: a program may write a byte at a time."""


PIECE_BYTES = 128
"""What a piece takes besides its bytes: a program may write to both of its streams in turn."""


class Cursor:
    """How far somebody has read: the number of a piece, and a place in it."""

    __slots__ = ("at", "behind", "piece")

    def __init__(self, piece: int, at: int, behind: int) -> None:
        self.piece, self.at = piece, at
        self.behind = behind
        """How many bytes there are still to be read."""


class Ring:
    """The last *most* bytes that were written, in pieces that each are of one kind (STDOUT or STDERR)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: deque[tuple[int, bytearray]] = deque()
        self._first = 0  # the number of the first piece that is there
        self.size = 0
        """How many bytes there are."""
        self.lost = 0
        """How many there were before those."""
        self._cursors: list[Cursor] = []

    def add(self, kind: int, data: bytes) -> None:
        """Add what was written."""
        pieces = self._pieces
        if pieces and pieces[-1][0] == kind and len(pieces[-1][1]) + len(data) <= JOINED_BYTES:
            pieces[-1][1].extend(data)
        else:
            pieces.append((kind, bytearray(data)))
        self.size += len(data)
        for cursor in self._cursors:
            cursor.behind += len(data)
        while self.size + PIECE_BYTES * len(pieces) > self._most + PIECE_BYTES and len(pieces) > 1:
            _, dropped = pieces.popleft()
            self._first += 1
            self.size -= len(dropped)
            self.lost += len(dropped)

    def cursor(self) -> Cursor:
        """Return one at the beginning of what there is."""
        made = Cursor(self._first, 0, self.size)
        self._cursors.append(made)
        return made

    def forget(self, cursor: Cursor) -> None:
        """Nobody reads there any more. Twice is fine."""
        if cursor in self._cursors:
            self._cursors.remove(cursor)

    @property
    def behind(self) -> int:
        """How many bytes the slowest of those who read has still to read, with what their pieces take."""
        end = self._first + len(self._pieces)
        return max((each.behind + PIECE_BYTES * (end - each.piece - 1) for each in self._cursors), default=0)

    def take(self, cursor: Cursor, most: int) -> tuple[int, bytes] | None:
        """Return what comes next, of one kind and at most so much; None where that is nothing. Who is slower than the
        ring is long goes on with what there is.
        """
        if cursor.piece < self._first:
            cursor.piece, cursor.at, cursor.behind = self._first, 0, self.size
        pieces = self._pieces
        while cursor.behind:
            kind, piece = pieces[cursor.piece - self._first]
            data = bytes(piece[cursor.at : cursor.at + most])
            if data:
                cursor.at += len(data)
                cursor.behind -= len(data)
                return kind, data
            cursor.piece, cursor.at = cursor.piece + 1, 0
        return None
