# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program shows to who has it run elsewhere, and which of their keys it hears.

::

    from RPIO.program import KeyboardButton, send_image

    up = KeyboardButton("ArrowUp")
    up.when_pressed = lambda: print("forward")
    up.when_released = lambda: print("stop")

    send_image(picture)                 # of Pillow, an array of OpenCV's, or the bytes of a JPEG

For programs that ``rpio run --there`` or a client of ``rpio serve --further`` has started. In others nobody sees the
pictures and no key is ever pressed: send_image() returns False, and one line on stderr says so.

Needs nothing of the board. Who looks gets the newest picture, where he cannot follow. See ``doc/program``.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

from . import arguments, errors, log, threads
from .processes import hooks
from .programs import sockets, telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

JPEG = b"\xff\xd8\xff"
"""What one begins with. Source: ITU-T T.81, B.1.1.3: SOI, and the marker of what follows."""
CHANNELS = {1: "gray", 3: "blue, green, red", 4: "blue, green, red, alpha"}
FORMATS = ("PIL", "OpenCV")


_ADVICE = "this program was not started by `rpio run --there`, or for a client of `rpio serve --further`"
_video = telling.Sender("video", f"nobody sees the pictures: {_ADVICE}")
_listening = telling.Sender("keylisten", f"no key will be pressed: {_ADVICE}")


# -- pictures ------------------------------------------------------------------------------------------


def send_image(frame: Any, format: str | None = None) -> bool:
    """Show a picture to those who look at this program; whether somebody has it run who could.

    *frame* is an image of Pillow's, an array of OpenCV's (height, width, and blue, green, red of 8 bits each; or gray),
    or the bytes of a JPEG, for which neither is needed. *format* is for programs that name it ("PIL", "OpenCV"): it is
    found out.

    Returns as soon as it has been handed over; from any thread. A picture of more than 3 MB is refused.

    Raises:
        TypeError: that is no picture. ValueError: bytes that are no JPEG, an array of another shape, or too large.
        ImportError: neither Pillow nor OpenCV is there to write the JPEG.
        TimeoutError: who runs the program has not read it within 10 s.
    """
    if format is not None and format not in FORMATS:
        raise ValueError(f"format must be None, 'PIL' or 'OpenCV', not {format!r}")
    from binascii import b2a_base64

    text = b2a_base64(_jpeg(frame), newline=False)
    if len(text) > sockets.PAYLOAD_MAX:
        most = sockets.PAYLOAD_MAX // 4 * 3
        raise ValueError(
            f"a picture of {len(text) // 4 * 3} bytes as JPEG is too large: {most} at most; make it smaller"
        )
    return _video.send(text)


def _jpeg(frame: Any) -> bytes:
    if isinstance(frame, (bytes, bytearray, memoryview)):
        data = bytes(frame)
        if not data.startswith(JPEG):
            raise ValueError("these bytes are no JPEG: they begin otherwise")
        return data
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(frame, pillow.Image):
        return _written(frame)
    if not hasattr(frame, "shape") or not hasattr(frame, "dtype"):
        raise TypeError(
            "frame must be an image of Pillow's, an array of OpenCV's, or the bytes of a JPEG, "
            f"not {type(frame).__name__}"
        )
    return _of_array(frame)


def _written(image: Any) -> bytes:
    """The JPEG of an image of Pillow's."""
    from io import BytesIO

    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")  # which a JPEG can have
    file = BytesIO()
    image.save(file, format="JPEG", optimize=True)
    return file.getvalue()


def _of_array(frame: Any) -> bytes:
    shape = tuple(frame.shape)
    channels = 1 if len(shape) == 2 else shape[2] if len(shape) == 3 else 0
    if channels not in CHANNELS or not all(shape) or str(frame.dtype) != "uint8":
        kinds = "; ".join(f"{number} ({what})" for number, what in CHANNELS.items())
        raise ValueError(
            f"an array of {shape} {frame.dtype} is no picture: height, width and {kinds}, as uint8; "
            "of floats from 0 to 1, (frame * 255).astype('uint8') is one"
        )
    frame = frame.reshape(shape[:2]) if channels == 1 else frame[:, :, :3]
    try:
        from PIL import Image
    except ImportError:
        return _by_opencv(frame)
    return _written(Image.fromarray(frame if channels == 1 else frame[:, :, ::-1]))


def _by_opencv(frame: Any) -> bytes:
    try:
        import cv2
    except ImportError:
        raise ImportError("neither Pillow nor OpenCV is there to write a JPEG: pip install Pillow") from None
    _, data = cv2.imencode(".jpg", frame.copy(), [cv2.IMWRITE_JPEG_QUALITY, 75, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    return bytes(data.tobytes())


# -- keys ----------------------------------------------------------------------------------------------


class Listener:
    """The program's own socket, which is told of keys, and the thread that reads there and calls."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._buttons: dict[str, list[KeyboardButton]] = {}
        self._socket: socket.socket | None = None
        self._own: socket.socket | None = None  # the thread's
        self._peer: socket.socket | None = None
        self._path = ""
        self._owner = 0

    @property
    def is_open(self) -> bool:
        """Whether this process listens."""
        return self._socket is not None

    def add(self, button: KeyboardButton) -> None:
        """Have it be told. Raises OSError, NotSupportedError."""
        with self._lock:
            self._buttons.setdefault(button.key, []).append(button)
        try:
            with self._lock:
                if self._socket is None:
                    self._open()
            _listening.send(button.key.encode())
        except BaseException:
            self.drop(button)
            raise

    def drop(self, button: KeyboardButton) -> None:
        """Tell it no more. Twice is fine."""
        with self._lock:
            buttons = self._buttons.get(button.key, [])
            if button in buttons:
                buttons.remove(button)

    def _open(self) -> None:
        """Listen where who runs the program looks for it; not at all where nobody does."""
        found = _listening.found()
        if not found:
            return
        path = found.removesuffix("keylisten.sock") + "keyevent.sock"
        threads.load("socket")
        import socket

        hooks.look_after(self)
        self._owner = os.getpid()
        try:
            with hooks.making:
                self._socket = made = socket.socket(socket.AF_UNIX)
            os.fchmod(made.fileno(), 0o600)
            _check_free(path)
            sockets.bind(made, path)
            self._path = path
            made.listen(4)
            made.setblocking(False)
            threads.start_of_program(lambda: self._serve(made), "RPIO keys")
        except BaseException:
            self._close()
            raise

    def _serve(self, made: socket.socket) -> None:
        """Read from one who tells, then from the next. By a descriptor of its own, which nobody else closes: what
        another thread closes has soon another's number, for which this one would wait.
        """
        try:
            with hooks.making:
                self._own = own = made.dup()
        except (OSError, ValueError):
            return  # it is closed
        try:
            while self._take(own):
                continue
        finally:
            own.close()

    def _take(self, own: socket.socket) -> bool:
        """Hear the next one until he goes; whether others may come."""
        try:
            if not _waited_for(own):
                return False
            with hooks.making:
                self._peer, _ = own.accept()
        except BlockingIOError:
            return True  # who was there has gone
        except OSError:
            return False
        self._peer.setblocking(True)
        self._hear(self._peer)
        self._peer.close()
        return True

    def _hear(self, peer: socket.socket) -> None:
        messages = sockets.Messages("keyevent", 1 << 12)
        while True:
            try:
                data = peer.recv(4096)
            except OSError:
                return
            if not data:
                return
            for message in messages.feed(data):
                key, _, event = message.decode("utf-8", "replace").rpartition(" ")
                self._tell(key or " ", event)

    def _tell(self, key: str, event: str) -> None:
        for button in tuple(self._buttons.get(key, ())):
            if event in EVENTS:
                button.turn(EVENTS[event])

    def _close(self) -> None:
        """Twice is fine, and needed where a signal handler has come in the middle."""
        made = self._socket
        if made is None:
            return
        if self._owner == os.getpid():
            if self._path:
                sockets.remove_stale(self._path)
            try:
                made.shutdown(2)  # SHUT_RDWR: the thread waits there
            except OSError as e:
                log.debug("- %s", e)  # it has not begun to listen
        made.close()
        self._path, self._socket = "", None

    def after_fork(self) -> None:
        """The keys are the parent's: this process has neither the thread nor the socket."""
        self._lock = RLock()
        self._close()
        for other in (self._own, self._peer):
            if other is not None:
                other.close()

    def shut_down(self) -> None:
        """The program ends."""
        self._close()


def _waited_for(own: socket.socket) -> bool:
    """Wait until somebody connects, or it is shut down, which is False; the program's greenlets go on meanwhile."""
    import select

    if not hasattr(select, "poll"):  # eventlet has taken it away
        return bool(select.select([own], [], [])[0])
    poll = select.poll()
    poll.register(own, READ)
    return not any(events & HANGUP for _, events in poll.poll())


def _check_free(path: str) -> None:
    """Remove what another program has left. Raises NotSupportedError where it is there still: of our own group then."""
    import socket

    with hooks.making:
        asking = socket.socket(socket.AF_UNIX)
    with asking:
        asking.settimeout(telling.SEND_S)
        try:
            asking.connect(path)
        except OSError:
            sockets.remove_stale(path)
            return
    raise errors.NotSupportedError(
        "another process of this program listens for keys already",
        hint="make the KeyboardButtons in one of them",
    )


def hears_keys() -> bool:
    """Whether somebody has this program run whose keys it hears: True once a KeyboardButton is there."""
    return _listener.is_open


READ, HANGUP = 1, 16
"""POLLIN, POLLHUP. Source: Linux, include/uapi/asm-generic/poll.h."""
EVENTS = {"keydown": True, "keyup": False}
_listener = Listener()


class KeyboardButton:
    """A key of who looks at the program: a name as a browser has it, such as "a", "ArrowUp", "Enter" or " ".

    The functions are called in a thread of their own, one after the other, without arguments. Several buttons may be of
    one key.

    Raises:
        TypeError, ValueError: that is no name of a key. NotSupportedError: another process of this program listens
        already. OSError.
    """

    def __init__(self, key: str) -> None:
        if not isinstance(key, str):
            raise TypeError(f"key must be a name such as 'ArrowUp', not {key!r}")
        if key != " " and (not key or len(key) > sockets.KEY_MAX or not key.isprintable() or " " in key):
            raise ValueError(f"key must be a name such as 'ArrowUp', not {key!r}")
        self.key = key
        self._when_pressed: Callable[[], object] | None = None
        self._when_released: Callable[[], object] | None = None
        self._is_pressed = False
        _listener.add(self)

    def __repr__(self) -> str:
        return f"<KeyboardButton {self.key!r}{', pressed' if self._is_pressed else ''}>"

    @property
    def when_pressed(self) -> Callable[[], object] | None:
        """What is called when the key goes down; None for nothing."""
        return self._when_pressed

    @when_pressed.setter
    def when_pressed(self, function: Callable[[], object] | None) -> None:
        """Call another one."""
        self._when_pressed = _checked(function)

    @property
    def when_released(self) -> Callable[[], object] | None:
        """What is called when it goes up; None for nothing."""
        return self._when_released

    @when_released.setter
    def when_released(self, function: Callable[[], object] | None) -> None:
        """Call another one."""
        self._when_released = _checked(function)

    @property
    def is_pressed(self) -> bool:
        """Whether it is down."""
        return self._is_pressed

    def turn(self, is_pressed: bool) -> None:
        """It has gone down, or up: what the listener calls."""
        self._is_pressed = is_pressed
        function = self._when_pressed if is_pressed else self._when_released
        if function is None:
            return
        try:
            function()
        except Exception:
            log.callback_failed(function, True)

    def close(self) -> None:
        """Hear of the key no more. Twice is fine."""
        _listener.drop(self)

    def __enter__(self) -> KeyboardButton:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _checked(function: Callable[[], object] | None) -> Callable[[], object] | None:
    if function is not None:
        arguments.check_callback(function, "")
    return function
