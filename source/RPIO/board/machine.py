# SPDX-License-Identifier: LGPL-3.0-or-later
"""The one backend of a board: chosen by use(), opened when a line is touched, closed; and what hardware it drives."""

from __future__ import annotations

from .. import config_files
from ..backends import Backend, opening
from ..processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..machine.boards import Hardware
    from .undoing import Closing


class Machine:
    """*spec* names the backend. *look_after* is called before it is opened; *on_hardware* with what the machine is when
    it has been, and with None when it has been closed.
    """

    def __init__(
        self,
        spec: str | None,
        lock: RLock,
        look_after: Callable[[], object],
        on_hardware: Callable[[Hardware | None], object] | None,
    ) -> None:
        self._spec, self._lock = spec, lock
        self._look_after, self._on_hardware = look_after, on_hardware
        self.opened: Backend | None = None
        """The backend, where it is open."""
        self.is_given = False
        """It is an object of the program's, and not opened here."""
        self.prepare: Callable[[], object] = lambda: None
        """Called before it is opened; set by the board."""
        self._hardware: Hardware | None = None
        self._expected: Hardware | None = None

    def use(self, spec: str | Backend, hardware: Hardware | None) -> None:
        """Take another, now that this one is closed. The caller has the lock."""
        self.is_given = not isinstance(spec, str)
        if isinstance(spec, str):
            self._spec = spec
        else:
            self.opened, self._hardware = spec, hardware or opening.unknown(spec)
            self._look_after()
            self._tell(self._hardware)

    @property
    def backend(self) -> Backend:
        """The backend; opens it."""
        backend = self.opened  # once: another thread may close the board
        if backend is not None:
            return backend
        with self._lock:
            if self.opened is None:
                self._open()
            assert self.opened is not None
            return self.opened

    @property
    def hardware(self) -> Hardware:
        """What machine this is; opens the backend where the machine is no Raspberry Pi."""
        hardware = self._hardware  # once: another thread may close the board
        if hardware is not None:
            return hardware
        with self._lock:
            if self._hardware is None:
                self._hardware = opening.look(self._spec)
            if self._hardware is None:
                _ = self.backend
            assert self._hardware is not None
            return self._hardware

    @property
    def expected_hardware(self) -> Hardware:
        """What machine this is, or will be once a line is touched; opens nothing, and raises nothing."""
        found = self._hardware or self._expected
        if found is None:
            found = self._expected = opening.expect(self._spec)
        return found

    @property
    def opened_hardware(self) -> Hardware | None:
        """What machine this is, where the backend is open."""
        return self._hardware if self.opened is not None else None

    def config_files(self, is_default: bool) -> list[str]:
        """The configuration files that speak of these lines: they are this machine's, or the default board's as long
        as those are simulated. What another machine has, or an object of the program's, has rules of its own.
        """
        if self.is_given or opening.is_afar(self.word) or (self.word == "sim" and not is_default):
            return []
        found = config_files.files()
        return [] if found and opening.is_elsewhere(self._spec) else found

    @property
    def spec(self) -> str | None:
        """The backend that is asked for, as it was; None is RPIO_BACKEND, then "auto"."""
        return self._spec

    @property
    def word(self) -> str:
        """What kind of backend is asked for."""
        return opening.word_of(self._spec)

    def _open(self) -> None:
        self.prepare()
        self._look_after()
        if opening.is_elsewhere(
            self._spec
        ):  # it may be this process that answers, which makes descriptors for that
            self._take()
        else:
            with hooks.making:
                self._take()
        self._tell(self._hardware)

    def _take(self) -> None:
        self.opened, self._hardware = opening.open_board(self._spec)

    def _tell(self, hardware: Hardware | None) -> None:
        if self._on_hardware is not None:
            self._on_hardware(hardware)

    def close(self, closing: Closing) -> None:
        """Forget the backend, and write down that it is to be closed."""
        if self.opened is not None:
            closing.leaving += [self.opened.after_fork, self.opened.close]
            closing.steps += [self.opened.close]
            self.opened = None
        self._hardware = self._expected = None
        self._tell(None)
