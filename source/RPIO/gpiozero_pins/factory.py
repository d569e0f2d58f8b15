# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where gpiozero's devices get their pins from: one factory for each Board."""

from __future__ import annotations

import atexit
import os
from collections import defaultdict
from threading import Lock
from time import monotonic_ns
from weakref import WeakKeyDictionary, WeakSet, ref

from gpiozero.exc import BadPinFactory, GPIOPinInUse
from gpiozero.pins.pi import PiFactory
from gpiozero.threads import _threads_shutdown

from .. import constants, errors, facade
from ..backends import opening
from ..board import connected
from ..board.board import Board
from ..board.undoing import do_all
from .info import info_of
from .pin import RPIOPin
from .refusals import text_of
from .spi import CLASSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from gpiozero.pins import BoardInfo, PinInfo

MEANS = ("hardware", "dma", "soft")
ONE_CLOCK_NS = 1_000_000_000
"""Edges of another process that are no older than this have this machine's time: it is the same machine."""
OTHER_CLOCK_NS = 60_000_000_000
"""Edges that come so much later than others are by a clock that has begun anew: that machine has been restarted."""


class _Shared:
    """What the factories of one Board have in common, so that none of them takes a pin that another one uses."""

    def __init__(self) -> None:
        self.reservations: defaultdict[PinInfo, list[ref[Any]]] = defaultdict(list)
        self.lock = Lock()
        self.users: dict[int, RPIOPin] = {}
        """Line -> the pin that has it."""


class _Quiet:
    """While it lasts a board warns of nothing: gpiozero has its own rules for what is in use. The board is locked."""

    def __init__(self, board: Board) -> None:
        self._manners, self._before = board.manners, board.manners.warns

    def __enter__(self) -> None:
        self._manners.warns = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._manners.warns = self._before


class RPIOFactory(PiFactory):  # type: ignore[misc]
    """Pins of *board*: a Board; where one is, as RPIO.connect() and RPIO_BACKEND say it ("ssh://pi2", "sim:3B+"); or
    None for the board of ``import RPIO``, which RPIO_BACKEND chooses.

    *pwm* is what makes the pulses of PWM: "hardware", "dma" or "soft", the C timer; None is what RPIO_PWM says in the
    environment, else DMA where PWM.setup() has taken it, else the C timer. A board that is made here is closed by
    close(); any other gets its lines back and goes on. Numbers are BCM's, and so is the board's numbering from then on.

    Raises:
        BadPinFactory: nobody answers there, or there is nothing that could drive lines. (An ImportError.)
    """

    DMA_SLOT_US = 10
    """What the pulses of pwm="dma" are multiples of, unless PWM.setup() has been called."""
    _shared: WeakKeyDictionary[Board, _Shared] = WeakKeyDictionary()

    def __init__(self, board: Board | str | None = None, *, pwm: str | None = None) -> None:
        super().__init__()
        self.pwm = _means_of(pwm)
        self._is_own = isinstance(board, str)
        try:
            self.board = _board_of(board)
            self._begin()
        except errors.GPIOError as e:
            raise BadPinFactory(f"no pins by RPIO: {text_of(e)}") from e
        shared = self._shared.setdefault(self.board, _Shared())
        self._reservations, self._res_lock, self._users = shared.reservations, shared.lock, shared.users
        self._buses: WeakSet[Any] = WeakSet()
        self._offset_ns: int | None = None
        self._info: BoardInfo | None = None
        self.pin_class = RPIOPin
        atexit.register(_end_of_program, ref(self), os.getpid())

    def _begin(self) -> None:
        self.board.setmode(constants.BCM)
        _ = self.board.hardware  # another machine tells it: is there one?

    def __repr__(self) -> str:
        return f"<RPIO.gpiozero_pins.{type(self).__name__} on {self.board.expected_hardware.name}>"

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Give all lines back, and close the board where it was made here. Twice is fine."""
        do_all(*[bus.close for bus in list(self._buses)], *[pin.close for pin in list(self.pins.values())])
        self.pins.clear()
        if self._is_own:
            self.board.close()

    def reset(self) -> None:
        """Give all lines back, and forget who has reserved which pin: for tests."""
        do_all(*[bus.close for bus in list(self._buses)], *[pin.close for pin in list(self.pins.values())])
        self.pins.clear()
        with self._res_lock:
            self._reservations.clear()

    # -- pins ------------------------------------------------------------------------------------

    def pin(self, name: int | str) -> RPIOPin:
        """Return the pin of that name, always the same one."""
        if self.board.getmode() != constants.BCM:
            self.board.setmode(constants.BCM)  # cleanup() has forgotten it
        return super().pin(name)  # type: ignore[no-any-return]

    def quietly(self) -> _Quiet:
        """Return a context in which the board warns of nothing."""
        return _Quiet(self.board)

    def claim(self, pin: RPIOPin) -> None:
        """Have a line be this pin's. The board is locked."""
        user = self._users.get(pin._number, pin)
        if user is not pin and self.board.lines.direction(pin._number) is not None:
            raise GPIOPinInUse(f"pin {pin!r} is already in use by {user.factory!r}")
        self._users[pin._number] = pin

    def unclaim(self, pin: RPIOPin) -> None:
        """It is nobody's again, where it was this one's."""
        if self._users.get(pin._number) is pin:
            del self._users[pin._number]

    def _get_revision(self) -> int:
        return int(self.board.hardware.revision_hex, 16)

    def _get_board_info(self) -> BoardInfo:
        if self._info is None:
            self._info = info_of(self.board.hardware)
        return self._info

    # -- time ------------------------------------------------------------------------------------

    def ticks(self) -> int:
        """Return the time, in nanoseconds, of the clock that the times of edges have."""
        backend = self.board.machine.opened
        clock = backend.clock if backend is not None else None
        return monotonic_ns() if clock is None else clock.now_ns()

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> float:
        """Return the seconds between two ticks."""
        return (later - earlier) / 1e9

    def ticks_of(self, timestamp_ns: int) -> int:
        """Return the ticks of an edge, by the time that the kernel has given it.

        That of another machine is moved so that it is this one's: edges keep their distances.
        """
        if not self._is_afar:
            return timestamp_ns
        late_ns = monotonic_ns() - timestamp_ns
        offset_ns = self._offset_ns
        if (
            offset_ns is None or not 0 <= late_ns - offset_ns < OTHER_CLOCK_NS
        ):  # or has come faster than any before
            offset_ns = self._offset_ns = 0 if 0 <= late_ns < ONE_CLOCK_NS else late_ns
        return timestamp_ns + offset_ns

    @property
    def _is_afar(self) -> bool:
        backend = self.board.machine.opened
        return backend is not None and opening.is_afar(backend.name)

    # -- SPI -------------------------------------------------------------------------------------

    def spi(self, **spi_args: Any) -> Any:
        """As gpiozero's: the bus beside the lines where there is one, else bits by hand, with a warning."""
        bus = super().spi(**spi_args)
        self._buses.add(bus)
        return bus

    def _get_spi_class(self, shared: bool, hardware: bool) -> type:
        return CLASSES[bool(shared), bool(hardware)]


class RPIOSimFactory(RPIOFactory):
    """Pins of a simulated board, "4B" or another *model*. It is that of ``import RPIO``: RPIO.sim presses its buttons.

    Raises:
        BadPinFactory: lines of a real board are in use already.
    """

    def __init__(self, model: str | None = None, *, pwm: str | None = None) -> None:
        board = facade.board
        if model is not None or opening.word_of(board.machine.spec) != "sim":
            self._simulate(board, model)
        super().__init__(pwm=pwm)

    @staticmethod
    def _simulate(board: Board, model: str | None) -> None:
        backend = board.machine.opened
        if model is None and backend is not None and backend.outside() is not None:
            return  # it is given, and simulated
        try:
            board.use("sim" if model is None else f"sim:{model}")
        except RuntimeError as e:
            raise BadPinFactory(f"no simulated pins: {text_of(e)}") from e


class RPIORemoteFactory(RPIOFactory):
    """Pins of the machine *host*, by ssh, or of a place such as "remote://localhost:8510".

    None is what RPIO_BACKEND says, where that is another machine; else what PIGPIO_ADDR says, for programs that have
    had pigpio's factory; else this machine's daemon.

    Raises:
        BadPinFactory: nobody answers there.
    """

    def __init__(self, host: str | None = None, *, pwm: str | None = None) -> None:
        asked = os.environ.get("RPIO_BACKEND", "")
        if host is None and opening.is_afar(opening.word_of(asked)):
            host = asked
        super().__init__(opening.at_host(host or os.environ.get("PIGPIO_ADDR") or "localhost"), pwm=pwm)


def _means_of(pwm: str | None) -> str | None:
    where = "pwm" if pwm is not None else "RPIO_PWM"
    means = pwm if pwm is not None else os.environ.get("RPIO_PWM") or None
    if means is not None and means not in MEANS:
        raise ValueError(f"{where} is one of {', '.join(MEANS)}, not {means!r}")
    return means


def _board_of(board: Board | str | None) -> Board:
    if board is None:
        return facade.board
    if isinstance(board, Board):
        return board
    if not isinstance(board, str):
        raise TypeError(f"the board is a Board, or a word such as 'ssh://pi', not {board!r}")
    word = opening.word_of(board)
    if word == "auto" or (word in opening.REGISTRY and not opening.is_afar(word)):
        return Board(board)
    return connected.connect(opening.at_host(board))


def end_devices(board: Board) -> None:
    """Stop gpiozero's threads, close the devices that are on a board, and give its lines back, whatever factory they
    are of: nothing blinks any more then. Twice is fine.
    """
    shared = RPIOFactory._shared.get(board)
    if shared is None:
        return
    with shared.lock:
        refs = [device for devices in shared.reservations.values() for device in devices]
    devices = {id(device): device for device in [get() for get in refs] if device is not None}
    _threads_shutdown()  # with the devices in hand: one that its own thread collects cannot end that
    pins = list(shared.users.values())
    do_all(*[device.close for device in devices.values()], *[pin.close for pin in pins])


def _end_of_program(factory: ref[RPIOFactory], process: int) -> None:
    """Before RPIO's own end, and gpiozero's, which knows the default factory alone. Not in the child of a fork, whose
    devices are its parent's.
    """
    found = factory()
    if found is not None and process == os.getpid():
        do_all(lambda: end_devices(found.board), found.close)
