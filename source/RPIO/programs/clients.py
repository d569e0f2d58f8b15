# SPDX-License-Identifier: LGPL-3.0-or-later
"""A client of the keeper: a connection that speaks wire/runs, and the programs that it has.

Who does not read is waited for, and his programs with him; after STALL_S without a word from him he counts as gone.
With the connection its programs end, but for those that were detached.
"""

from __future__ import annotations

import os
import socket
from collections import deque

from .. import errors, log
from ..loop.masks import READ, WRITE
from ..wire import runs as wire
from ..wire.runs import CONTENT, DATA_MAX, STDIN, VIDEO, Data, Message
from .house import Held, number_of, said, size_of
from .running import IS_OVER, WAITS
from .uploading import Uploading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from ..loop.soon import Later
    from .house import Home
    from .running import Program


OUT_BYTES = 1 << 17
"""So much may wait to be sent before no more output is taken for it."""
BEHIND_BYTES = 1 << 21
"""So much is read that cannot be done as yet: a signal may be behind it, and who reads nothing himself says in pings
that he is there.
"""
ANSWERS_BYTES = 1 << 19
"""So much may wait to be sent before nothing more is done that is answered."""
HELD_MAX = 256
"""So many programs may one client have, or watch, at once."""
AT_ONCE = ("signal", "stop", "resize", "detach")
"""What is not waited with until a program has read its standard input."""
STALL_S = 30.0
"""So long may nothing be taken by who is sent something, and nothing come from him."""


class Client:
    """Who is connected. *token* is the descriptor of a file with the token of his programs, -1 for none."""

    def __init__(self, home: Home, made: socket.socket, peer: str, number: int = 0, token: int = -1) -> None:
        self._home, self._house, self.peer, self._token = home, home.house, peer, token
        self.number = number
        """By which who has handed it on knows it; 0 for nobody."""
        self._socket = made
        self._reader = wire.Reader()
        self._held: dict[str, Held] = {}
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._mask = READ
        self._behind: deque[Message | Data | errors.ProtocolError] = deque()  # what was heard and is not done
        self._behind_bytes = 0
        self._stall: Later | None = None
        self._has_moved = self._is_leaving = False
        self._uploading = Uploading(home.soon, home.uploads, self.say, self._refuse, self.has_room)
        self.is_closed = False
        made.setblocking(False)
        try:
            home.loop.add(made.fileno(), self._on_ready, READ, lambda: self.is_closed)
        except OSError:
            made.close()
            raise

    # -- the socket ------------------------------------------------------------------------------

    def _on_ready(self, events: int) -> None:
        try:
            if events & ~WRITE:
                self._hear()
            if events & WRITE and not self.is_closed:
                self._flush()
                self.has_room()
                self.has_output()
        except BaseException:
            self.close()  # a fault of ours: he is not heard any more, and his programs do not outlive that
            raise

    def _hear(self) -> None:
        try:
            data = self._socket.recv(DATA_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or self._is_leaving:
            self.close()
            return
        self._has_moved = True
        try:
            for asked in self._reader.feed(data):
                if self._is_at_once(asked):
                    self._do(asked)
                else:
                    self._behind.append(asked)
                    self._behind_bytes += size_of(asked, BEHIND_BYTES)
        except errors.ProtocolError as e:
            log.warning("%s: %s", self.peer, e)
            self.close()
            return
        self.has_room()

    def has_room(self) -> None:
        """Do what was asked, until something that it is for can take no more."""
        while self._behind and not self.is_closed and self._can_take(self._behind[0]):
            asked = self._behind.popleft()
            self._behind_bytes -= size_of(asked, BEHIND_BYTES)
            self._do(asked)
        self._want()

    def _is_at_once(self, asked: object) -> bool:
        is_it = isinstance(asked, Message) and asked.type in AT_ONCE and asked.process in self._held
        return is_it and self._out_bytes < ANSWERS_BYTES

    def _can_take(self, asked: object) -> bool:
        if self._out_bytes >= ANSWERS_BYTES:
            return False
        if isinstance(asked, Data) and asked.kind == STDIN:
            held = self._held.get(asked.process)
            return held is None or held.program.has_room
        return not self._uploading.is_full

    def _want(self) -> None:
        if self.is_closed:
            return
        mask = (WRITE if self._out else 0) | (READ if self._behind_bytes < BEHIND_BYTES else 0)
        if mask != self._mask:
            self._mask = mask
            self._home.loop.modify(self._socket.fileno(), mask)
        if self._out and self._stall is None:
            self._has_moved = False
            self._stall = self._home.soon.after(STALL_S, self._on_stall)

    def _on_stall(self) -> None:
        self._stall = None
        if self.is_closed or not self._out:
            return
        if self._has_moved:
            self._want()
            return
        log.warning("%s has taken nothing for %g s: it counts as gone", self.peer, STALL_S)
        self.close()

    def _send(self, data: bytes) -> None:
        if self.is_closed or self._is_leaving:
            return
        self._out.append(data)
        self._out_bytes += len(data)
        if len(self._out) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._out:
                count = self._socket.send(self._out[0])
                self._has_moved = True
                self._out_bytes -= count
                if count == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][count:]
        except BlockingIOError:
            pass  # it goes on when the kernel takes more
        except OSError:
            self.close()
            return
        if self._is_leaving and not self._out:
            self.close()
        self._want()

    # -- what it is told -------------------------------------------------------------------------

    def say(self, type: str, process: str = "", **data: Any) -> None:
        """Tell it something."""
        self._send(Message(type, process, data).written())

    def _refuse(self, about: str, error: Exception, process: str = "") -> None:
        self.say("error", process, message=said(error), about=about)

    def turn_out(self, why: str) -> None:
        """It may be here no more: say so before all else that waits to be sent, and close."""
        while len(self._out) > 1:  # the first may have been sent in part
            self._out_bytes -= len(self._out.pop())
        self.say("error", message=why, about="token")
        self._is_leaving = True
        if not self.is_closed:
            self._flush()

    def hears_of(self, owners: Collection[int], why: str) -> None:
        """What is ended now of those owners, is told to who has it as well."""
        for process, held in list(self._held.items()):
            if held.program.owner in owners and not held.is_over:
                self.say("error", process, message=why, about="owner")

    def has_output(self) -> None:
        """Send what there is to be sent, as far as there is room."""
        for process, held in list(self._held.items()):
            self._tell_output(process, held)

    def _tell_output(self, process: str, held: Held) -> None:
        cursor, ring = held.cursor, held.program.ring
        while self._out_bytes < OUT_BYTES and not self.is_closed:
            found = ring.take(cursor, DATA_MAX)
            if found is None:
                break
            kind, data = found
            self._send(Data(kind, process, data).written())
        held.program.look()
        if held.picture is not None and self._out_bytes < OUT_BYTES and not self.is_closed:
            picture, held.picture = held.picture, None
            self._send(wire.head(VIDEO, process, len(picture)) + picture)
        if held.is_over and not cursor.behind and held.picture is None:
            self._let_go(process, held)
            program = held.program
            if not held.follows:
                self.say("detached", process)
            elif program.status is None:
                self.say("error", process, message=program.why, about="start")
            else:
                self.say("stopped", process, exitCode=program.status)

    def has_picture(self, program: Program, picture: bytes) -> None:
        """As any Reader."""
        for process, held in list(self._held.items()):
            if held.program is program and held.follows:
                held.picture = picture
                self._tell_output(process, held)

    def listens(self, program: Program, key: str) -> None:
        """As any Reader."""
        for process in self._ids(program):
            self.say("keylisten", process, key=key)

    def has_started(self, program: Program) -> None:
        """As any Reader."""
        for process in self._ids(program):
            self.say("started", process, number=program.number, pid=program.pid, name=program.name)

    def has_ended(self, program: Program) -> None:
        """As any Reader."""
        for process in self._ids(program):
            held = self._held[process]
            held.is_over = True
            program.is_seen = True
            self._tell_output(process, held)

    def _ids(self, program: Program) -> list[str]:
        return [process for process, held in self._held.items() if held.program is program]

    # -- what it asks ----------------------------------------------------------------------------

    def _do(self, asked: Message | Data | errors.ProtocolError) -> None:
        if isinstance(asked, errors.ProtocolError):
            self._refuse("", asked)
        elif isinstance(asked, Data):
            self._take(asked)
        else:
            try:
                DONE[asked.type](self, asked)
            except (errors.GPIOError, OSError, ValueError) as e:
                self._refuse(asked.type, e, asked.process)

    def _take(self, data: Data) -> None:
        if data.kind == CONTENT:
            self._uploading.content(data.value)
            return
        held = self._held.get(data.process)
        if data.kind != STDIN or held is None:
            self._refuse("stdin", errors.CommandError(f"there is no program {data.process!r}"), data.process)
        elif not held.program.write(data.value):
            self._refuse("stdin", errors.CommandError("nothing is read there any more"), data.process)

    def _of(self, asked: Message) -> Program:
        held = self._held.get(asked.process)
        if held is None:
            raise errors.CommandError(f"there is no program {asked.process!r}")
        return held.program

    def _numbered(self, asked: Message) -> Program:
        program = self._house.programs.get(asked.data["number"])
        if program is None:
            text = f"there is no program {asked.data['number']}"
            raise errors.CommandError(text, hint="rpio ps lists them")
        return program

    def _hold(self, process: str, program: Program, is_his: bool, follows: bool = True) -> Held:
        made = self._held[process] = Held(program, program.ring.cursor(), is_his, follows)
        if self not in program.readers:
            program.readers.append(self)
        return made

    def _let_go(self, process: str, held: Held) -> None:
        self._held.pop(process, None)
        held.program.ring.forget(held.cursor)
        if not self._ids(held.program) and self in held.program.readers:
            held.program.readers.remove(self)
        held.program.look()

    def _check_free(self, asked: Message) -> None:
        if asked.process in self._held:
            raise errors.CommandError(f"{asked.process!r} is a program already")
        if len(self._held) >= HELD_MAX:
            raise errors.CommandError(f"{HELD_MAX} programs at once are as many as one connection may have")

    def _hello(self, asked: Message) -> None:
        kitchen = self._house.kitchen
        self.say("hello", version=wire.VERSION, user=kitchen.user, work=kitchen.work)

    def _ping(self, asked: Message) -> None:
        self.say("pong", asked.process)

    def _start(self, asked: Message) -> None:
        self._check_free(asked)
        token = self._token if self._token >= 0 else None
        program = self._house.start(asked.data, bool(asked.data.get("detached")), self.number, token)
        self._hold(asked.process, program, True)
        if program.state == WAITS:
            self.say("waiting", asked.process, number=program.number, why=program.why)
        else:
            self.has_started(program)

    def _eof(self, asked: Message) -> None:
        self._of(asked).end_stdin()

    def _stop(self, asked: Message) -> None:
        self._of(asked).stop()

    def _signal(self, asked: Message) -> None:
        self._of(asked).signal(number_of(asked.data["signal"]))

    def _resize(self, asked: Message) -> None:
        if not self._of(asked).resize(asked.data["rows"], asked.data["cols"]):
            raise errors.CommandError(f"{asked.process!r} has no terminal")

    def _keyevent(self, asked: Message) -> None:
        self._of(asked).send_key(asked.data["key"], asked.data["event"])

    def _detach(self, asked: Message) -> None:
        program = self._of(asked)
        program.is_kept = True
        self._let_go(asked.process, self._held[asked.process])
        self.say("detached", asked.process)

    def _attach(self, asked: Message) -> None:
        self._check_free(asked)
        program = self._numbered(asked)
        held = self._hold(asked.process, program, False, asked.data.get("follow", True))
        held.is_over = program.state == IS_OVER or not held.follows
        program.is_seen = program.is_seen or program.state == IS_OVER
        self.say(
            "attached",
            asked.process,
            number=program.number,
            name=program.name,
            pty=program.size is not None,
            lost=program.ring.lost,
        )
        for key in program.keys if held.follows else ():
            self.say("keylisten", asked.process, key=key)
        self._tell_output(asked.process, held)

    def _list(self, asked: Message) -> None:
        self.say("listed", programs=[program.listed() for program in self._house.programs.values()])

    def _end(self, asked: Message) -> None:
        program = self._numbered(asked)
        name = asked.data.get("signal")
        if program.state == IS_OVER:
            raise errors.CommandError(f"program {program.number} has ended already")
        if name is None:
            program.stop()
        elif name == "KILL":
            program.kill()
        else:
            program.signal(number_of(name))
        self.say("ending")

    def _forget(self, asked: Message) -> None:
        if not self._house.forget(self._numbered(asked)):
            raise errors.CommandError("it runs still")
        self.say("forgotten")

    def _upload(self, asked: Message) -> None:
        self._uploading.replace(asked.data.get("name", ""), asked.data.get("files", {}))

    def _sync(self, asked: Message) -> None:
        self._uploading.sync(asked.data.get("name", ""), asked.data.get("files", {}))

    def _file(self, asked: Message) -> None:
        self._uploading.file(asked.data.get("path", ""))

    def _commit(self, asked: Message) -> None:
        self._uploading.commit()

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """It has gone: its programs end, but for those that were detached. Twice is fine."""
        if self.is_closed:
            return
        self.is_closed = True
        self._home.loop.remove(self._socket.fileno())
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # who has handed it on has it open, too
        except OSError:
            pass  # it has ended
        self._socket.close()
        if self._stall is not None:
            self._stall.cancel()
        self._uploading.abandon()
        for process, held in list(self._held.items()):
            self._let_go(process, held)
            if held.is_his and not held.program.is_kept:
                held.program.stop()
        if self._token >= 0:
            os.close(self._token)
        self._home.has_gone(self)


DONE: dict[str, Callable[[Client, Message], None]] = {
    "hello": Client._hello,
    "ping": Client._ping,
    "start": Client._start,
    "eof": Client._eof,
    "stop": Client._stop,
    "signal": Client._signal,
    "resize": Client._resize,
    "keyevent": Client._keyevent,
    "detach": Client._detach,
    "attach": Client._attach,
    "list": Client._list,
    "end": Client._end,
    "forget": Client._forget,
    "upload": Client._upload,
    "sync": Client._sync,
    "file": Client._file,
    "commit": Client._commit,
}
"""What becomes of each message; the names are those of wire.ASKED."""
