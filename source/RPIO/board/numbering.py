# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a channel means: the numbering mode, and from a channel to its line and back."""

from __future__ import annotations

from .. import arguments, constants, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..machine.boards import Hardware


class Numbering:
    """The numbering mode of a board. *default_mode* is it before setmode(): BCM, or None to require that.

    *hardware* returns what machine it is; it is called when that matters first.
    """

    def __init__(self, hardware: Callable[[], Hardware], default_mode: int | None) -> None:
        self._hardware = hardware
        self.default_mode = default_mode
        self._explicit_mode: int | None = None

    def forget(self) -> None:
        """Go back to the default mode."""
        self._explicit_mode = None

    @property
    def mode(self) -> int | None:
        """The numbering mode: BOARD, BCM or None."""
        explicit = self._explicit_mode  # once: another thread may clean up
        return explicit if explicit is not None else self.default_mode

    def setmode(self, mode: int) -> None:
        """Choose the numbering. See RPIO.setmode()."""
        mode = arguments.integer("mode", mode)
        if self._explicit_mode is not None and mode != self._explicit_mode:
            raise errors.InvalidModeException(
                "A different mode has already been set!", hint="cleanup() forgets the mode"
            )
        if mode not in (constants.BOARD, constants.BCM):
            raise errors.InvalidModeException(
                "An invalid mode was passed to setmode()",
                hint=f"use BOARD (pins) or BCM (GPIO numbers), not {mode}",
            )
        if mode == constants.BOARD and not self._hardware().board_channels:
            raise errors.NotSupportedError(
                "BOARD numbering system not applicable on compute module"
                if self._hardware().is_pi
                else "BOARD numbering needs a Raspberry Pi's header",
                hint=f"{self._hardware().name} has no header whose pins are known: use BCM numbering (line numbers)",
            )
        self._explicit_mode = mode

    def line_of(self, channel: int) -> int:
        """Return the line of a channel under the numbering mode.

        Raises:
            TypeError: it is no integer. ModeNotSetException. InvalidChannelException.
        """
        channel = arguments.integer("channel", channel)
        mode = self.mode
        if mode == constants.BCM:
            if 0 <= channel < self._hardware().line_count:
                return channel
            raise self._invalid_channel(
                f"there is no GPIO {channel}: they are 0 to {self._hardware().line_count - 1}"
            )
        if mode is None:
            raise errors.ModeNotSetException(
                "Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)"
            )
        line = self._hardware().board_channels.get(channel)
        if line is None:
            raise self._invalid_channel(self._why_no_pin(channel))
        return line

    def _invalid_channel(self, hint: str) -> errors.InvalidChannelException:
        where = "a Raspberry Pi" if self._hardware().is_pi else "this board"
        return errors.InvalidChannelException(f"The channel sent is invalid on {where}", hint=hint)

    def _why_no_pin(self, channel: int) -> str:
        what = self._hardware().header.get(channel)
        if what is not None and not isinstance(what, int):
            return f"pin {channel} of the header is {what}"
        if what is not None:
            return f"pin {channel} is for the ID EEPROM of HATs (GPIO {what}); BCM numbering reaches it"
        return f"there is no pin {channel}: the header has 1 to {max(self._hardware().header, default=0)}"

    def channel_of(self, line: int) -> int:
        """Return the channel of a line under the numbering mode; the line itself where it has none."""
        if self.mode == constants.BOARD:
            for channel, number in self._hardware().board_channels.items():
                if number == line:
                    return channel
        return line
