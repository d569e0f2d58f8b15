# SPDX-License-Identifier: LGPL-3.0-or-later
"""The uploads of a client: what takes time is done in a thread, one thing after the other, and answered in order."""

from __future__ import annotations

from collections import deque
from threading import Condition

from .. import errors, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..loop.soon import Soon
    from .uploads import Uploads

QUEUED_BYTES = 1 << 20
"""So much of files may wait to be written before who sends them waits."""


class Worker:
    """The thread of one client: it begins with the first job, and ends with him. In one for all clients, one who waits
    for another's upload would keep that from going on.
    """

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._jobs: deque[Callable[[], Callable[[], object]]] = deque()
        self._wakes = Condition()
        self._is_there = self._is_over = False

    def do(self, job: Callable[[], object], then: Callable[[object, Exception | None], object]) -> None:
        """Have *job* done, and *then* called in the loop's thread with what it returns, or what it raises."""

        def _done() -> Callable[[], object]:
            try:
                result = job()
            except (errors.GPIOError, OSError, ValueError) as e:
                error = e
                return lambda: then(None, error)
            return lambda: then(result, None)

        self._jobs.append(_done)
        self._wake()
        if not self._is_there:
            self._is_there = True
            threads.start(self._run, "RPIO uploads")

    def end(self) -> None:
        """No more jobs come. Twice is fine."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        with self._wakes:
            self._wakes.notify()

    def _run(self) -> None:
        while self._has_job():
            self._soon.call(self._jobs.popleft()())

    def _has_job(self) -> bool:
        with self._wakes:
            self._wakes.wait_for(lambda: bool(self._jobs) or self._is_over)
            return bool(self._jobs)


class Uploading:
    """Those of one client. *make* makes what does them; *say* and *refuse* tell him; *on_room* is called when more may
    come.
    """

    def __init__(
        self,
        soon: Soon,
        make: Callable[[], Uploads],
        say: Callable[..., object],
        refuse: Callable[[str, Exception], object],
        on_room: Callable[[], object],
    ) -> None:
        self._worker, self._make = Worker(soon), make
        self._say, self._refuse, self._on_room = say, refuse, on_room
        self._made: Uploads | None = None
        self._waiting = 0
        self._bytes = 0
        self._has_failed = False

    @property
    def is_full(self) -> bool:
        """Whether whoever sends has to wait: what was asked is answered first, but for the pieces of files."""
        return self._bytes >= QUEUED_BYTES or self._waiting > 0

    @property
    def _uploads(self) -> Uploads:
        if self._made is None:
            self._made = self._make()
        return self._made

    def replace(self, name: str, files: Mapping[str, Any]) -> None:
        """Make a directory of these files."""
        uploads = self._uploads
        self._ask("upload", lambda: uploads.replace(name, files), self._uploaded)

    def _uploaded(self, fetched: object) -> None:
        self._say("uploaded", fetched_urls=bool(fetched))

    def sync(self, name: str, files: Mapping[str, Any]) -> None:
        """Begin to bring a directory up to date."""
        uploads = self._uploads
        self._has_failed = False
        self._ask(
            "sync", lambda: uploads.begin_sync(name, files), lambda wanted: self._say("wanted", files=wanted)
        )

    def file(self, path: str) -> None:
        """The content of one comes now."""
        uploads = self._uploads
        self._put("file", 0, lambda: uploads.begin_file(path))

    def content(self, data: bytes) -> None:
        """A piece of it has come."""
        uploads = self._uploads
        self._put("file", len(data), lambda: uploads.write(data))

    def commit(self) -> None:
        """All has come."""
        if self._has_failed:
            return  # which was told
        uploads = self._uploads
        self._ask("commit", uploads.commit, lambda _: self._uploaded(False))

    def abandon(self) -> None:
        """He has gone: leave all as it was. Twice is fine."""
        made, self._made = self._made, None
        if made is not None:
            self._worker.do(made.abandon, lambda result, error: None)
        self._worker.end()

    def _ask(self, about: str, job: Callable[[], object], answer: Callable[[Any], object]) -> None:
        self._waiting += 1

        def _then(result: object, error: Exception | None) -> None:
            self._waiting -= 1
            if error is not None:
                self._fail(about, error)
            else:
                answer(result)
            self._on_room()

        self._worker.do(job, _then)

    def _put(self, about: str, size: int, job: Callable[[], object]) -> None:
        """The same, answered only where it fails, once."""
        self._bytes += size

        def _then(result: object, error: Exception | None) -> None:
            self._bytes -= size
            if error is not None:
                self._fail(about, error)
            self._on_room()

        if self._has_failed:
            self._bytes -= size
            return
        self._worker.do(lambda: None if self._has_failed else job(), _then)

    def _fail(self, about: str, error: Exception) -> None:
        if not self._has_failed or about in ("upload", "sync"):
            self._has_failed = about not in ("upload",)
            self._refuse(about, error)
