# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection to the keeper of a machine, who has programs run there: wire/runs, as its client. No thread.

Everything happens in turn(), which waits for the connection and for whatever else its caller waits for. What is sent
waits in a queue, as long as the other side takes nothing, and what comes is left with the kernel while the caller is
*paused*: so a program that writes more than its reader takes is paused itself, by its keeper.
"""

from __future__ import annotations

from collections import deque
from time import monotonic

from .. import errors, log, threads
from ..errors import ProtocolError
from ..loop.masks import ERROR, HANGUP, READ, WRITE
from ..wire.runs import BODY_MAX, CONTENT, DATA_MAX, HEAD, TOLD, VERSION, Data, Message, Reader
from .tunnels import handed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Iterator, Mapping

    from .places.places import Place
    from .places.ssh import Channel
    from .uploads import File, Plan

START_S = 30.0
"""How long a connection may take, and the keeper's first word."""
ANSWER_S = 60.0
"""How long an answer may take that asks for little work there."""
COMMIT_S = 600.0
"""The same of one after which files are put in their places: cards are slow."""
BEAT_S = 5.0
OUT_MAX = 1 << 18
"""Bytes that wait to be sent, before send() should not be called with more data."""
AT_ONCE = 1 << 18


class Line:
    """One connection. *who* and *program* is how the server lists it."""

    def __init__(self, place: Place, who: str, program: str, patience_s: float = START_S) -> None:
        self.place, self._who, self._program, self._patience_s = place, who, program, patience_s
        self._socket: _socket.socket | None = None
        self._channel: Channel | None = None
        self._reader = Reader(TOLD)
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._is_begun = False  # the first frame of the queue has been sent in part
        self._cannot_send = self._aside_is_over = False
        self._beat_s = 0.0
        self._log = log.Sparing()
        self._marks: deque[int] = deque()
        self.under_way = 0
        """Bytes of which nobody knows whether they are with the keeper. See send_mark()."""
        self.heard: deque[Message | Data] = deque()
        """What has come, and nobody has taken."""
        self.lost: errors.GPIOError | None = None
        """Why nothing more comes. What has come before is in ``heard`` still."""
        self.is_paused = False
        """Nothing is read: what comes is left with the kernel."""
        self._turned_out = ""  # why there is nothing here for this one any more
        self.user = self.work = ""
        """As whom programs run there, and in which directory."""

    # -- beginning and ending --------------------------------------------------------------------

    def open(self) -> None:
        """Connect.

        Raises:
            NoBackendError: nobody answers there; the text of ssh is in its own, where it was by ssh.
            NotAllowedError: no token, or one without the scope ``run``; programs of others do not run there.
            NotSupportedError: the RPIO there is older, or newer than this one knows.
        """
        made, self._channel = handed.connected(self.place, self._who, self._program, "runs", self._patience_s)
        self._socket = made
        made.setblocking(False)
        self._beat_s = monotonic() + BEAT_S
        hello = self.ask(Message("hello"), "hello", self._patience_s)
        if hello.data["version"] != VERSION:
            raise errors.NotSupportedError(
                f"{self.place} speaks version {hello.data['version']} of wire/runs, and this RPIO version {VERSION}",
                hint="upgrade the older one: pip install --upgrade RPIO",
            )
        self.user, self.work = hello.data["user"], hello.data["work"]

    def close(self) -> None:
        """End the connection, and the programs that are not detached with it. Twice is fine."""
        if self._socket is not None:
            self._socket.close()
        if self._channel is not None:
            self._channel.close()

    # -- sending ---------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more data should be given to send()."""
        return self._out_bytes < OUT_MAX

    @property
    def is_sent(self) -> bool:
        """Whether all has been that was to be, as far as this side can tell."""
        return not self._out

    def send(self, what: Message | Data, is_first: bool = False) -> None:
        """Have it sent, as turn() comes to it. *is_first*: before what waits, as a signal is that is to be noticed.

        Raises ProtocolError for more than fits into a frame.
        """
        if self._cannot_send:
            return  # turn() finds that out by reading, and what was said before that
        frame = memoryview(what.written())
        if len(frame) - HEAD.size > BODY_MAX:
            raise ProtocolError(
                f"{what.type if isinstance(what, Message) else 'data'} is too long for {self.place}"
            )
        self._out_bytes += len(frame)
        if is_first:
            self._out.insert(1 if self._is_begun else 0, frame)
        else:
            self._out.append(frame)

    def send_mark(self, size: int) -> None:
        """Have the keeper say when he has come so far: *size* bytes before this are ``under_way`` until then."""
        self._marks.append(size)
        self.under_way += size
        self.send(Message("ping"))

    def _flush(self) -> None:
        """Send what the kernel takes."""
        assert self._socket is not None
        while self._out:
            try:
                count = self._socket.send(self._out[0])
            except BlockingIOError:
                return
            except OSError as e:
                log.debug("%s takes nothing more: %s", self.place, e)
                self._cannot_send, self._out_bytes = True, 0
                self._out.clear()
                return
            self._out_bytes -= count
            self._is_begun = count < len(self._out[0])
            if self._is_begun:
                self._out[0] = self._out[0][count:]
            else:
                self._out.popleft()

    # -- a turn ----------------------------------------------------------------------------------

    def turn(self, timeout_s: float | None = None, others: Mapping[int, int] | None = None) -> dict[int, int]:
        """Send and receive what can be; wait until something could, or one of the descriptors *others* is ready for
        what its mask says, or the time is over. Return those that are, and for what.
        """
        poll = threads.original("select", "poll")()
        for fd, mask in (others or {}).items():
            poll.register(fd, mask)
        if not self._cannot_send and not self.lost and monotonic() >= self._beat_s:
            self._beat_s = monotonic() + BEAT_S
            if self.is_sent and self._beats:
                self.send_mark(0)
        had_room = self.has_room
        if self._out:
            self._flush()
        if self.has_room and not had_room:
            timeout_s = 0.0  # that was what the caller waits for
        fd, aside = self._fileno(), self._aside()
        mask = (0 if self.is_paused or self.lost else READ) | (WRITE if self._out else 0)
        if mask:
            poll.register(fd, mask)  # and not without: whose end has come would be told of for ever
        if aside >= 0:
            poll.register(aside, READ)
        found = dict(poll.poll(self._sleep_ms(timeout_s)))
        if found.pop(aside, 0):
            self._hear_aside()
        events = found.pop(fd, 0) if mask else 0
        if events & WRITE:
            self._flush()
        if events & (READ | HANGUP | ERROR) and mask & READ:
            self._receive()
        return found

    @property
    def _beats(self) -> bool:
        """Whether the other side is to hear now and then that this one is there: by ssh, see remote/places/ssh; and
        while nothing is read, see STALL_S of programs/clients.
        """
        return self._channel is not None or self.is_paused

    def _sleep_ms(self, timeout_s: float | None) -> float | None:
        if self._beats and not self.lost:
            until_beat_s = max(0.0, self._beat_s - monotonic())
            timeout_s = until_beat_s if timeout_s is None else min(timeout_s, until_beat_s)
        return None if timeout_s is None else max(0.0, timeout_s) * 1000

    def _fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def _aside(self) -> int:
        return self._channel.aside if self._channel is not None and not self._aside_is_over else -1

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(AT_ONCE)
        except BlockingIOError:
            return
        except OSError as e:
            self.lost = self._loss(e.strerror or str(e))
            return
        if not data:
            self.lost = self._loss("it has been closed there")
            return
        try:
            for found in self._reader.feed(data):
                if isinstance(found, ProtocolError):
                    raise found
                if isinstance(found, Message) and found.type == "pong" and self._marks:
                    self.under_way -= self._marks.popleft()
                elif isinstance(found, Message) and found.data.get("about") == "token":
                    self._turned_out = found.data["message"]
                else:
                    self.heard.append(found)
        except ProtocolError as e:
            self.lost = ProtocolError(f"{self.place} says what this RPIO does not know: {e}")
            if self._channel is not None and not self.user:
                self.lost = self._channel.failure(f"what answers there is no RPIO that has programs: {e}")

    def _loss(self, why: str) -> errors.GPIOError:
        """Why there is no connection any more."""
        if self._turned_out:
            return errors.NotAllowedError(
                f"{self.place} has ended the connection: {self._turned_out}", hint=self._way_back()
            )
        channel = self._channel
        if channel is not None:
            if not self.user:
                return channel.failure()
            while channel.hear_aside():
                pass
            why = (channel.said.decode("utf-8", "replace").strip().splitlines() or [why])[-1]
        return errors.ConnectionLost(f"the connection to {self.place} is lost: {why}", None)

    def _way_back(self) -> str:
        """What to type, where what was shown is worth nothing any more."""
        by_token = "`rpio token new --scope run --to FILE` there, and RPIO_TOKEN_FILE=FILE here"
        if not self.place.is_known:
            return f"anew: {by_token}"
        return f"anew: `rpio pair --scope run` there, and `rpio pair {self.place.named}` here; or {by_token}"

    def _hear_aside(self) -> None:
        """Log what ssh says, or RPIO at the far end."""
        data = self._channel.hear_aside() if self._channel is not None else None
        self._aside_is_over = data is None
        for line in (data or b"").decode("utf-8", "replace").splitlines():
            self._log.warning("aside", "%s: %s", self.place, line.rstrip())

    # -- asking ----------------------------------------------------------------------------------

    def next(self, timeout_s: float | None) -> Message | Data | None:
        """Return what comes next; None where nothing does in that time. Raises what ``lost`` is at the end."""
        until_s = None if timeout_s is None else monotonic() + timeout_s
        while not self.heard:
            if self.lost is not None:
                raise self.lost
            left_s = None if until_s is None else until_s - monotonic()
            if left_s is not None and left_s <= 0:
                return None
            self.turn(left_s)
        return self.heard.popleft()

    def ask(self, message: Message, answer: str, timeout_s: float = ANSWER_S) -> Message:
        """Ask, and return the answer of that type.

        Raises:
            CommandError: it was not done; the text says why.
            TimeoutError: no answer has come in that time.
        """
        self.send(message)
        return self.answer(message.type, answer, timeout_s)

    def answer(self, about: str, answer: str, timeout_s: float) -> Message:
        """Wait for the answer to what has been asked. What else comes is nobody's."""
        until_s = monotonic() + timeout_s
        while True:
            found = self.next(until_s - monotonic())
            if found is None:
                raise TimeoutError(f"{self.place} has not answered {about} within {timeout_s:g} s")
            if isinstance(found, Message):
                if found.type == answer:
                    return found
                if found.type == "error":
                    raise errors.CommandError(found.data["message"])

    # -- uploads ---------------------------------------------------------------------------------

    def upload(self, name: str, plan: Plan, on_progress: Callable[[int, int], object]) -> int:
        """Bring the directory *name* there up to date; return how many files have been sent. *on_progress* is told how
        many bytes of how many have been given away.

        Raises:
            CommandError: it cannot be done there; that directory is as it was.
            OSError: a file cannot be read; that directory is as it was when the connection ends.
        """
        asked = Message("sync", "", {"name": name, "files": plan.told()})
        wanted = [path for path in self.ask(asked, "wanted").data["files"] if path in plan.files]
        sent, total = 0, sum(plan.files[path].size for path in wanted)
        on_progress(0, total)
        for path in wanted:
            file = plan.files[path]
            self.send(Message("file", "", {"path": path}))
            with open(file.path, "rb", buffering=0) as content:
                for size in self._sending(content.read, file):
                    sent += size
                    on_progress(sent, total)
        self.ask(Message("commit"), "uploaded", COMMIT_S)
        return len(wanted)

    def _sending(self, read: Callable[[int], bytes | None], file: File) -> Iterator[int]:
        """Send as many bytes as have been seen, and yield how many at once: what has changed meanwhile is refused
        there, by its SHA-256.
        """
        left = file.size
        while left:
            data = read(min(left, DATA_MAX))
            if not data:
                raise errors.CommandError(f"{file.path} has become shorter while it was sent")
            left -= len(data)
            self.send(Data(CONTENT, "", data))
            self._make_room()
            yield len(data)

    def _make_room(self) -> None:
        """Wait until more may be sent. Raises what ends the upload."""
        while not self.has_room and self.lost is None and not self.heard:
            self.turn(ANSWER_S)
        if self.lost is not None and not self.heard:
            raise self.lost
        while self.heard:
            found = self.heard.popleft()
            if isinstance(found, Message) and found.type == "error":
                raise errors.CommandError(found.data["message"])


def data_frames(kind: int, process: str, data: bytes) -> list[Data]:
    """Data of a program in frames that are no longer than they may be."""
    return [Data(kind, process, data[at : at + DATA_MAX]) for at in range(0, len(data), DATA_MAX)]
