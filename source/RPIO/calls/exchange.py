# SPDX-License-Identifier: LGPL-3.0-or-later
"""Frames between two programs, each of which may have several threads that wait for one.

A frame belongs to a conversation, and each conversation has a thread that waits for its frames. **Who waits reads**,
and what belongs to others is put where they look: so what is asked and answered costs one send and one receive in the
thread that asks. While nobody waits a watchman reads: a thread of its own, which sleeps until something comes, and
dozes while others read. Nobody else reads for longer than TURN_MS without getting anything: then it is the watchman's
turn.

What comes is received, and put where it belongs, by one call of C; so is what is sent, and what the kernel does not
take is kept. An exception that a signal handler raises at any moment loses no byte, and tears no frame.
"""

from __future__ import annotations

from _thread import RLock
from errno import EAGAIN, EPROTO
from os import strerror
from time import monotonic, sleep

from .. import threads
from .._gpio import FrameReader, FrameWriter, Held
from ..loop.masks import WRITE
from ..wire.objects import DROPPED, ENDED, FRAME_MAX, KNOWN, Side, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.objects import Bytes

    Frame = tuple[int, int, int, bytes]
    """Kind, conversation, number of the question, body."""

KINDS = sum(1 << kind for kind in KNOWN)
TURN_MS = 2
DOZE_S = 0.001
NAP_S = 0.02
"""As long at most sleeps who waits for room."""
STRANGE_MAX = 1000
"""Who waits reads no more while so many frames are to be done by the watchman."""
NAP_MAX_S = 3600.0
"""Longer times are slept in several naps: locks take no time at will."""
NO_MEMORY = "there is no memory for what is sent and received"

CLOSED = "it has closed the connection"


class Broken(Exception):
    """Nothing more comes, or can be sent; the text says why."""


class Full(Exception):
    """The other side takes nothing."""


class Stream:
    """Two descriptors that never block, or twice the same one. They stay their owner's."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer


class Mail:
    """What has come for a conversation, and the bell of the thread that waits for it."""

    __slots__ = ("bell", "frames", "is_over", "number", "turn")

    def __init__(self, number: int) -> None:
        self.number, self.turn, self.is_over = number, 0, False
        self.frames: list[Frame] = []
        self.bell = threads.allocate_lock()
        self.bell.acquire()

    def ring(self) -> None:
        """Wake who waits. From any thread."""
        try:
            self.bell.release()
        except RuntimeError:
            pass  # it rings already


class Exchange:
    """Both ways of a stream. *on_strange* gets what belongs to no conversation that is known here, in the watchman's
    thread.
    """

    def __init__(self, stream: Stream, on_strange: Callable[[Frame], object]) -> None:
        self.stream, self._on_strange = stream, on_strange
        self.mails: dict[int, Mail] = {}
        """By the number of the conversation."""
        self._frames: dict[int, list[Frame]] = {}
        self._strange: list[Frame] = []
        self._doing = RLock()
        """Of who does what belongs to no conversation: so it is done once, and in order."""
        self._is_doing = False
        self._watchman = 0  # its thread
        self.why = ""
        """Why it has ended; empty while it goes on."""
        self.nap_s = -1.0
        """As long at most does a thread sleep at once; negative for ever. See threads.naps()."""
        self.heard_s = monotonic()
        """When something has come last."""
        self._reader = FrameReader(FRAME_MAX, KINDS, DROPPED)
        self._turn = RLock()
        """Of who reads. A signal handler may do so in the middle of what it interrupts."""
        self._turns = 0
        self._waiting: dict[Mail, None] = {}
        self._sending = RLock()
        self._writer = FrameWriter()

    def mail(self, number: int) -> Mail:
        """Begin a conversation."""
        mail = Mail(number)
        self._frames[number] = mail.frames
        self.mails[number] = mail
        return mail

    def drop(self, number: int) -> Mail | None:
        """End a conversation: what comes of it is strange. Who waits in it is told."""
        self._frames.pop(number, None)
        mail = self.mails.pop(number, None)
        if mail is not None:
            mail.is_over = True
            mail.ring()
        return mail

    def end(self, why: str) -> None:
        """Nothing more comes: who waits is told. From any thread; the first reason stays."""
        self.why = self.why or why
        for mail in list(self.mails.values()):
            mail.ring()

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, mail: Mail, until_s: float | None = None) -> Frame | None:
        """Return the next frame of a conversation; None where none comes until then, or it is over. Raises Broken."""
        frames = mail.frames
        try:
            while not frames:
                if self.why:
                    raise Broken(self.why)
                if mail.is_over or (until_s is not None and monotonic() >= until_s):
                    return None
                self._waiting[mail] = None  # first: who gives up the turn now wakes it
                if not self._read_in_turn(mail) and not frames and not self.why:
                    mail.bell.acquire(timeout=self._nap_s(until_s))
        finally:
            self._waiting.pop(mail, None)
        return frames.pop(0)

    def _read_in_turn(self, mail: Mail) -> bool:
        """Read, where nobody else does; whether something has come for anybody."""
        if not self._may_read():
            return False
        with Held(self._turn, 0) as is_turn:
            has_come = is_turn and self._read(TURN_MS)
        if has_come:
            self._turns += 1
            self._waiting.pop(mail, None)
            self._wake_others()
        return has_come

    def _may_read(self) -> bool:
        """Whether what comes can be kept: else the watchman goes on first. It may read itself, of course."""
        return len(self._strange) < STRANGE_MAX or threads.get_ident() == self._watchman

    def _nap_s(self, until_s: float | None) -> float:
        if until_s is None:
            return self.nap_s
        left_s = min(max(0.0, until_s - monotonic()), NAP_MAX_S)
        return left_s if self.nap_s < 0 else min(left_s, self.nap_s)

    def _wake_others(self) -> None:
        """Who has something now, and one who may read now."""
        waiting = list(self._waiting)
        for mail in waiting:
            if mail.frames or mail is waiting[0]:
                mail.ring()

    def _read(self, timeout_ms: int) -> bool:
        """Wait, and take what has come; whether anything has. Who has the turn."""
        if self.why:
            return True  # the descriptor may be another's already
        try:
            count = self._reader.read(self.stream.reader, self._frames, self._strange, timeout_ms)
        except MemoryError:  # what has come is lost, and with it where the next frame begins
            self.end(NO_MEMORY)
            return True
        if count == -EAGAIN:
            return False
        if count == -EPROTO:
            self.end("it speaks something else than RPIO does")
        elif count < 0:
            self.end(f"nothing comes from it: {strerror(-count)}")
        elif not count:
            self.end(next((_told(frame) for frame in self._strange if frame[0] == ENDED), CLOSED))
        return True

    def _do(self, found: Frame) -> None:
        try:
            self._on_strange(found)
        except Broken:
            return  # it has ended meanwhile
        except BaseException as e:  # what it says is none of ours; nothing it says may end the thread
            self.end(f"it speaks something else than RPIO does ({e})")

    def do_first(self, kind: int) -> None:
        """Have what has come of that kind, and belongs to no conversation, be done now."""
        if self._strange or self._is_doing:
            with self._doing:
                self._do_those(kind)

    def _do_those(self, kind: int) -> None:
        while self._strange and self._strange[0][0] == kind:
            self._on_strange(self._strange.pop(0))

    def _do_next(self) -> None:
        self._is_doing = True
        try:
            if self._strange:  # and else who has an answer has done it first
                self._do(self._strange.pop(0))
        finally:
            self._is_doing = False

    # -- the watchman ----------------------------------------------------------------------------

    def watch(self) -> None:
        """Be the watchman, until it ends."""
        turns = -1
        self._watchman = threads.get_ident()
        while not self.why:
            if self._strange:
                with self._doing:
                    self._do_next()
            elif turns == self._turns and self._read_until_something_comes():
                turns = -1 if self._waiting else self._turns
            else:
                if turns != self._turns:
                    turns, self.heard_s = self._turns, monotonic()
                sleep(DOZE_S)

    def _read_until_something_comes(self) -> bool:
        """False where others read just now."""
        with Held(self._turn, 0) as is_turn:
            has_come = is_turn and self._read(-1)
        if has_come:
            self.heard_s = monotonic()
            self._wake_others()
        return is_turn

    # -- sending ---------------------------------------------------------------------------------

    def send(self, parts: list[Bytes], until_s: float | None = None) -> None:
        """Send a frame. Raises Broken; Full where the other side takes nothing until then: what is left is sent before
        anything else. A signal handler may send in the middle of what it interrupts.
        """
        left = self._write(parts)
        while left > 0:
            self._wait_for_room(until_s)
            left = self._write([])
        if left < 0:
            self.end(f"nothing can be sent to it: {strerror(-left)}")
            raise Broken(self.why)

    def _write(self, parts: list[Bytes]) -> int:
        try:
            with self._sending:
                if self.why:
                    raise Broken(self.why)
                return self._writer.write(self.stream.writer, parts)
        except MemoryError:  # a part of the frame may be on its way
            self.end(NO_MEMORY)
            raise Broken(self.why) from None

    def leave(self, close: Callable[[], object]) -> None:
        """Have the descriptors be closed by close(), when nobody reads or sends: what gets their numbers next is
        another's. end() comes first.
        """
        with self._sending, self._turn:
            close()

    def _wait_for_room(self, until_s: float | None) -> None:
        if self.why:
            raise Broken(self.why)
        left_s = NAP_S if until_s is None else min(until_s - monotonic(), NAP_S)
        if left_s <= 0:
            raise Full
        try:
            poll = threads.original("select", "poll")()
        except AttributeError:  # Windows
            threads.original("select", "select")([], [self.stream.writer], [], left_s)
            return
        poll.register(self.stream.writer, WRITE)
        poll.poll(left_s * 1000)


def _told(frame: Frame) -> str:
    """Why it has ended, where that was said."""
    return str((*values_of(frame[3], Side()), CLOSED)[0])
