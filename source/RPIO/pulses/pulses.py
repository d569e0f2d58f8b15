# SPDX-License-Identifier: LGPL-3.0-or-later
"""All that makes pulses on the lines of a board, made on first use: most programs need none of it.

Who sets a line up, or gives it back, tells this; what makes pulses asks nobody else.
"""

from __future__ import annotations

from .. import constants, threads
from .drives import Drives
from .hardware import HardwareLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Container

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .rules import Rules
    from .servos import Servos
    from .subcycles import Subcycles
    from .waves import Player


class Pulses:
    """*rules* are asked before a line gets pulses.

    *is_output* says whether a line is set up as one, of *directions*; *make_output* does that. *backend* opens the
    backend, *opened* returns it where it is open. *line_of*, *channel_of* and *mode* are the numbering's.
    """

    def __init__(
        self,
        line_of: Callable[[int], int],
        channel_of: Callable[[int], int],
        mode: Callable[[], int | None],
        is_output: Callable[[int], bool],
        make_output: Callable[[int], None],
        rules: Rules,
        directions: Container[int],
        backend: Callable[[], Backend],
        opened: Callable[[], Backend | None],
        hardware: Callable[[], Hardware],
        lock: RLock,
    ) -> None:
        self._line_of, self._mode, self._make_output, self._rules = line_of, mode, make_output, rules
        self._backend, self._opened, self._hardware, self._lock = backend, opened, hardware, lock
        self.hardware = HardwareLines(hardware, backend, directions, lock, self._check_hardware_free)
        self.drives = Drives(channel_of, is_output, rules, opened, lock, self.hardware)
        self._makers: tuple[Subcycles, Player, Servos] | None = (
            None  # of channels and waves; PWM objects need neither
        )

    # -- channels and waves ----------------------------------------------------------------------

    @property
    def has_makers(self) -> bool:
        """Whether channels or waves have been asked for."""
        return self._makers is not None

    @property
    def channels(self) -> Subcycles:
        """The channels of RPIO.PWM; made on first use."""
        return (self._makers or self._make_makers())[0]

    @property
    def player(self) -> Player:
        """What plays waves; made on first use."""
        return (self._makers or self._make_makers())[1]

    @property
    def servos(self) -> Servos:
        """The servos of RPIO.PWM; made on first use."""
        return (self._makers or self._make_makers())[2]

    def _make_makers(self) -> tuple[Subcycles, Player, Servos]:
        with self._lock:
            if self._makers is None:
                for name in ("subcycles", "servos", "pwm_by_dma", "waves"):
                    threads.load(f"{__package__}.{name}")
                from .pwm_by_dma import DmaLines
                from .servos import Servos
                from .subcycles import Subcycles
                from .waves import Player

                drives, opened, hardware = self.drives, self._opened, self._hardware
                channels = Subcycles(
                    drives,
                    self._make_output,
                    self._rules,
                    self._backend,
                    opened,
                    hardware,
                    self._lock,
                )
                servos = Servos(channels, drives, self._rules, self.hardware, self._lock)
                channels.end_servos, channels.end_servo = servos.stop_all_hardware, servos.stop_hardware
                player = Player(
                    self._line_of, self._mode, drives, self._rules, channels, opened, hardware, self._lock
                )
                drives.by_dma, drives.collect = DmaLines(channels), player.collect
                self._makers = channels, player, servos
            return self._makers

    def _check_hardware_free(self, line: int) -> None:
        if self._makers is not None:
            self.channels.check_hardware_free(line)

    # -- what becomes of lines -------------------------------------------------------------------

    def line_is_about_to_be_set_up(self, line: int) -> None:
        """The hardware's PWM loses it."""
        self.drives.leave_hardware(line)
        if self._makers is not None:
            self.servos.stop_hardware(line)

    def line_is_set_up(self, line: int, direction: int) -> None:
        """What has pulses there goes on as far as it can."""
        if direction == constants.IN:
            self.drives.interrupt(line)
        else:
            self.drives.resume(line)

    def has_pulses(self, line: int) -> bool:
        """Whether a line has pulses, or is to have them."""
        if line in self.drives.enders:
            self.drives.collect()  # waves that have ended by themselves
        return self.drives.drives(line)

    def line_is_released(self, line: int) -> None:
        """End its pulses for good."""
        self.drives.end_of(line)

    # -- the end ---------------------------------------------------------------------------------

    def end_all(self) -> bool:
        """End the pulses of all lines. Whether there were any."""
        return self.drives.end_all()

    def end(self) -> None:
        """End waves, levels as they are, and channels, their lines low."""
        if self._makers is not None:
            with self._lock:
                self.player.stop_all()
                self.channels.cleanup()

    def end_channels(self) -> None:
        """End all channels, and waves that DMA plays. See RPIO.PWM.cleanup()."""
        with self._lock:
            self.player.stop_all("dma")
            self.channels.cleanup()

    def forget(self) -> None:
        """Nobody drives anything any more."""
        self.drives.forget()

    def abandon(self) -> None:
        """In the child of a fork: all pulses are the parent's."""
        self.drives.forget()
        if self._makers is not None:
            self.player.forget()
            self.channels.abandon()
            self.servos.forget()
        self.hardware.forget()
