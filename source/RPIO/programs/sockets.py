# SPDX-License-Identifier: LGPL-3.0-or-later
"""The sockets between a running program and who runs it, as both sides know them.

Two unix sockets of its own say what it shows, ``PGID.video.sock``, and which keys it listens for,
``PGID.keylisten.sock``; a third one, ``PGID.keyevent.sock``, is the program's, and is told of them. A message is its
text, a blank, ``end`` and the name of the socket, a blank: ``ArrowUp endkeylisten ``, ``ArrowUp keydown endkeyevent ``.
Source: the interface of Further-Link's library ``further_link``.
"""

from __future__ import annotations

import errno
import os
import stat

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

FOLDER = "FURTHER_LINK_TEMP_DIR"
"""The variable that says where they are; /tmp without it."""
PAYLOAD_MAX = (1 << 22) - 1024
"""Bytes of a message: what a frame of wire/runs holds besides an id."""
KEY_MAX = 100
"""Characters of the name of a key."""
PATH_MAX = 107
"""Bytes of the path of a unix socket. Source: unix(7), sun_path."""
NOBODY = (errno.ENOENT, errno.ECONNREFUSED, errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
"""What is said of a socket that nobody is at, or not any more."""


class Messages:
    """Bytes in, messages out. What is too long for one is left out."""

    def __init__(self, channel: str, most: int = PAYLOAD_MAX) -> None:
        self._end = f" end{channel} ".encode()
        self._left = bytearray(b" ")
        """What has no end yet, after a blank: of the message before, or of nobody's."""
        self._seen = 0
        self._most = most
        self._has_blanks = channel == "keylisten"
        self.lost = 0
        """How many were too long."""
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now."""
        left, end, found = self._left, self._end, []
        left += data
        begin, at = 0, left.find(end, self._seen)
        while at >= 0:
            found.append(self._message(bytes(left[begin + 1 : at])))
            begin = at + len(end) - 1  # the blank behind it is that before the next one
            at = left.find(end, begin)
        del left[:begin]
        if len(left) > self._most + len(end):
            self._is_skipping = True
            del left[1 : 1 - len(end)]  # its end may have begun
        self._seen = max(0, len(left) - len(end) + 1)
        return [message for message in found if message]

    def close(self) -> list[bytes]:
        """Return the last message, whose end needs no blank where nothing follows."""
        return self.feed(b" ") if self._left.endswith(self._end[:-1]) else []

    def _message(self, text: bytes) -> bytes:
        was_skipping, self._is_skipping = self._is_skipping, False
        if was_skipping or len(text) > self._most:
            self.lost += 1
            return b""
        return text.strip() or (text[:1] if self._has_blanks else b"")  # a blank is a key


def path_of(folder: str, pgid: int, name: str) -> str:
    """Where a socket of that program is."""
    return os.path.join(folder, f"{pgid}.{name}.sock")


def is_ours(path: str) -> bool:
    """Whether there is a socket of this user's, or of the system's: in /tmp anybody may have one."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid in (0, os.geteuid())


def bind(made: socket.socket, path: str) -> None:
    """Give a socket its path. Raises OSError with that path, NotSupportedError where it is too long for one."""
    if len(os.fsencode(path)) > PATH_MAX:
        raise errors.NotSupportedError(
            f"{path} is too long for a socket: {PATH_MAX} bytes at most",
            hint="FURTHER_LINK_TEMP_DIR names another folder",
        )
    try:
        made.bind(path)
    except OSError as e:
        e.filename = path
        raise


def remove_stale(path: str) -> None:
    """Remove a socket of this user's that another program of the same number has left. Raises OSError."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid():
        remove(path, found.st_ino)


def remove(path: str, inode: int) -> None:
    """Remove a file, where it is that one still."""
    try:
        if os.lstat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        pass
