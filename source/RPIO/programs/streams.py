# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a running program shows and hears beside its standard streams: pictures, and keys.

Nothing is queued here but a few keys for a program that does not take them at once.
"""

from __future__ import annotations

import errno
import os
import socket

from .. import errors, log, threads
from .._gpio import Timer
from ..loop.masks import READ, WRITE
from ..processes import hooks
from .sockets import KEY_MAX, NOBODY, PAYLOAD_MAX, Messages, bind, is_ours, path_of, remove, remove_stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop.dispatcher import Dispatcher

    After = Callable[[float, Callable[[], object]], object]
    Socket = socket.socket
else:
    Socket = threads.original("socket", "socket")

READ_BYTES = 1 << 18
CONNECTIONS_MAX = 16
"""At one socket. A program has one, and one for each process that it has forked."""
DRAINED_MAX = 1 << 24
"""Bytes that are read at the end."""
UNSENT_MAX = 1 << 14
"""Bytes of keys that wait for a program that does not read."""
RETRY_S, RETRIES = 0.05, 20
"""A program says that it listens for a key a moment before it does so."""


class Connection:
    """A program at one of our sockets."""

    def __init__(self, channel: Channel, made: socket.socket) -> None:
        self._channel, self._socket = channel, made
        self._messages = Messages(channel.name, channel.most)

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return self._socket.fileno()

    def ready(self, events: int) -> None:
        """Read once, and hand on what is whole."""
        self.read()

    def read(self) -> int:
        """The same; return how many bytes there were."""
        if self.fileno() < 0:
            return 0
        try:
            data = self._socket.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""  # it has gone
        before = self._messages.lost
        found = self._messages.feed(data) if data else self._messages.close()
        if self._messages.lost > before:
            self._channel.warn("a message of more than %s bytes is left out", self._channel.most)
        if not data:
            self._channel.drop(self)
        for message in found:
            self._channel.hand_on(message)
        return len(data)

    def close(self) -> None:
        """Close it. Twice is fine."""
        self._socket.close()


class Channel:
    """A socket of ours, and who is at it."""

    def __init__(
        self,
        folder: str,
        pgid: int,
        name: str,
        loop: Dispatcher,
        most: int,
        hand_on: Callable[[bytes], object],
        after: After,
    ) -> None:
        self.name, self.most = name, most
        self._after = after
        self._hand_on, self._log = hand_on, log.Sparing()
        self.path = path_of(folder, pgid, name)
        self._loop = loop
        self._socket: socket.socket | None = None
        self._inode = 0
        self._connections: dict[int, Connection] = {}
        self._mask = READ

    def open(self) -> None:
        """Listen there. Raises OSError, NotSupportedError."""
        with hooks.making:
            self._socket = made = Socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        os.fchmod(made.fileno(), 0o600)  # of the file that bind() makes, from its first moment on
        remove_stale(self.path)
        self._appear(made)
        self._loop.add(made.fileno(), self._accept, self._mask)

    def _appear(self, made: socket.socket) -> None:
        """Listen at the path, which is there from then on, and not before: a program waits for it."""
        begun = os.path.join(
            os.path.dirname(self.path), f".{os.path.basename(self.path).removesuffix('.sock')}"
        )
        remove_stale(begun)
        bind(made, begun)
        try:
            made.listen(CONNECTIONS_MAX)
            os.link(begun, self.path)
            self._inode = os.lstat(begun).st_ino
        except OSError as e:
            e.filename = self.path
            raise
        finally:
            os.unlink(begun)

    def _accept(self, events: int) -> None:
        self._let_in()

    def _let_in(self) -> bool:
        """Let in one who waits; whether there was one."""
        if self._socket is None:
            return False
        try:
            with hooks.making:
                made, _ = self._socket.accept()
            self._take(made)
        except BlockingIOError:
            return False
        except OSError as e:
            if errors.is_lack(e):
                self.warn("nobody is let in: %s", e.strerror)
                self._listen_to(0)
                self._after(RETRY_S, self._hear_again)
            return False
        return True

    def _take(self, made: socket.socket) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            made.close()
            return
        made.setblocking(False)
        connection = Connection(self, made)
        self._connections[made.fileno()] = connection
        try:
            self._loop.add(made.fileno(), connection.ready, self._mask)
        except OSError:
            self.drop(connection)
            raise

    def _listen_to(self, mask: int) -> None:
        if self._socket is not None and self._loop.has(self._socket.fileno()):
            self._loop.modify(self._socket.fileno(), mask)

    def _hear_again(self) -> None:
        self._listen_to(self._mask)

    def drain(self) -> None:
        """Hand on what has been sent, DRAINED_MAX bytes of it at most: a process may be left that goes on."""
        for _ in range(CONNECTIONS_MAX):
            if not self._let_in():
                break
        left = DRAINED_MAX
        for connection in list(self._connections.values()):
            while left > 0 and (size := connection.read()):
                left -= size

    def hand_on(self, message: bytes) -> None:
        """Tell of a message, but not after close()."""
        if self._socket is not None:
            self._hand_on(message)

    def warn(self, text: str, *args: object) -> None:
        """Log it; a program can bring it about as often as it likes."""
        self._log.warning(text, f"%s: {text}", self.path, *args)

    def drop(self, connection: Connection) -> None:
        """Close a connection. Twice is fine."""
        fd = connection.fileno()
        if self._connections.pop(fd, None) is not None:
            self._loop.remove(fd)
            self._listen_to(self._mask)
        connection.close()

    def watch(self, mask: int) -> None:
        """Have the loop wait for that at all of them."""
        self._mask = mask
        for fd in [*self._connections, *([] if self._socket is None else [self._socket.fileno()])]:
            if self._loop.has(fd):
                self._loop.modify(fd, mask)

    def close(self) -> None:
        """Close it, and remove the file, where it is ours still. Twice is fine."""
        for connection in list(self._connections.values()):
            self.drop(connection)
        made, self._socket = self._socket, None
        if made is not None:
            self._loop.remove(made.fileno())
            made.close()
        remove(self.path, self._inode)


class Keys:
    """The program's own socket, which is told of keys."""

    def __init__(self, path: str, loop: Dispatcher) -> None:
        self.path = path
        self._loop = loop
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._unsent = bytearray()
        self._tries = 0
        self.is_expected = False
        """The program has said that it listens."""

    def send(self, text: bytes) -> bool:
        """Tell the program, now or soon; whether somebody listens."""
        if len(self._unsent) + len(text) > UNSENT_MAX:
            return False
        before = len(self._unsent)
        self._unsent += text
        if self._timer is not None:
            return True  # it is tried again soon
        if self._flush():
            return True
        if self.is_expected:
            self._tries = RETRIES
            self._try_later()
            return True
        del self._unsent[before:]
        return False

    def _flush(self) -> bool:
        """Send what waits, as far as it is taken now; whether somebody is there. One connection may have ended."""
        return self._send_once() or self._send_once()

    def _send_once(self) -> bool:
        try:
            if self._socket is None:
                self._connect()
            assert self._socket is not None
            del self._unsent[: self._socket.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            pass  # it does not read
        except OSError as e:
            return self._has_failed(e)
        try:
            self._watch()
        except OSError as e:  # it cannot be waited for
            return self._has_failed(e)
        return True

    def _has_failed(self, error: OSError) -> bool:
        self._hang_up()
        if error.errno not in NOBODY:
            log.info("%s: %s", self.path, error.strerror)
        return False

    def _connect(self) -> None:
        with hooks.making:
            self._socket = made = Socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if not is_ours(self.path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        try:
            made.connect(self.path)
        except BlockingIOError:  # so many wait there that it cannot: as if it did not listen yet
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)) from None

    def _watch(self) -> None:
        """Have the loop say when more is taken, where something waits, and when it is closed."""
        made = self._socket
        if made is None:
            return
        mask = WRITE if self._unsent else 0
        if self._loop.has(made.fileno()):
            self._loop.modify(made.fileno(), mask)
        else:
            self._loop.add(made.fileno(), self._ready, mask)

    def _ready(self, events: int) -> None:
        if events & ~WRITE:
            self._hang_up()  # the program has ended, or listens anew: what it was not told it is not told now
            self._unsent.clear()
        elif not self._flush():
            self._unsent.clear()

    def _try_later(self) -> None:
        if self._timer is None:
            try:
                with hooks.making:
                    self._timer = Timer()
                self._loop.add(self._timer.fileno(), self._try_again)
            except OSError as e:
                log.info("%s: %s", self.path, e.strerror)
                self._end_timer()
                self._unsent.clear()
                return
        self._timer.start(RETRY_S)

    def _try_again(self, events: int) -> None:
        self._tries -= 1
        if self._timer is None:
            return
        self._timer.over()
        if not self._flush() and self._tries > 0:
            self._try_later()
            return
        if self._tries <= 0 and self._socket is None:
            self._unsent.clear()
        self._end_timer()

    def _end_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            self._loop.remove(timer.fileno())
            timer.close()

    def _hang_up(self) -> None:
        made, self._socket = self._socket, None
        if made is not None:
            if self._loop.has(made.fileno()):
                self._loop.remove(made.fileno())
            made.close()

    def close(self) -> None:
        """End it, and remove the file, which a program that was killed has left. Twice is fine."""
        self._end_timer()
        self._hang_up()
        self._unsent.clear()
        try:
            remove_stale(self.path)
        except OSError as e:
            log.debug("- %s", e)


class Streams:
    """The pictures and keys of one program, whose process group is *pgid*; *folder* is its user's alone. In the thread
    of *loop*, where on_video(base64 of a JPEG, as it came) and on_keylisten(key) are called; after(seconds, call) has
    something called there later.
    """

    def __init__(
        self,
        folder: str,
        pgid: int,
        loop: Dispatcher,
        on_video: Callable[[bytes], object],
        on_keylisten: Callable[[str], object],
        after: After,
    ) -> None:
        self._on_keylisten = on_keylisten
        self._channels = (
            Channel(folder, pgid, "video", loop, PAYLOAD_MAX, on_video, after),
            Channel(folder, pgid, "keylisten", loop, 4 * KEY_MAX, self._listens, after),
        )
        self._keys = Keys(path_of(folder, pgid, "keyevent"), loop)
        self.is_open = False

    def open(self) -> None:
        """Make the sockets. As soon as the program has its number: it may want them at once.

        Raises:
            NotSupportedError: the folder's path is too long for a socket. OSError: the system's.
        """
        try:
            for channel in self._channels:
                channel.open()
        except BaseException:
            self.close()
            raise
        self.is_open = True

    def _listens(self, text: bytes) -> None:
        key = text.decode("utf-8", "replace")
        if len(key) <= KEY_MAX and "\0" not in key:
            self._keys.is_expected = True
            self._on_keylisten(key)

    def send_key(self, key: str, event: str) -> bool:
        """Tell the program that a key went down ("keydown") or up ("keyup"). Never blocks. Whether it listens for any
        key, and has taken those before this one.
        """
        return self._keys.send(f"{key} {event} endkeyevent ".encode("utf-8", "replace"))

    def pause(self) -> None:
        """Read nothing more, until resume(): a program that goes on showing pictures waits."""
        for channel in self._channels:
            channel.watch(0)

    def resume(self) -> None:
        """Read on."""
        for channel in self._channels:
            channel.watch(READ)

    def close(self) -> None:
        """Hand on what the program has sent before its end, close all, and remove the files, the program's own one too.
        Twice is fine.
        """
        was_open, self.is_open = self.is_open, False
        for channel in self._channels if was_open else ():
            channel.drain()
        for channel in self._channels:
            channel.close()
        self._keys.close()
