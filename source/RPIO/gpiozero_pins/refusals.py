# SPDX-License-Identifier: LGPL-3.0-or-later
"""What gpiozero's programs catch, for what RPIO raises: its text, its hint, and itself as the cause."""

from __future__ import annotations

from gpiozero.exc import (
    GPIOPinInUse,
    PinEdgeDetectUnsupported,
    PinError,
    PinFixedPull,
    PinInvalidPin,
    PinPWMFixedValue,
    PinPWMUnsupported,
    PinSetInput,
)

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class PinRefused(PinError, PermissionError):  # type: ignore[misc]
    """A rule of the line forbids it; the text says where that is. See RPIO.protect()."""


EVERYWHERE: dict[type[Exception], type[Exception]] = {
    errors.LineBusyError: GPIOPinInUse,
    errors.PWMExistsError: GPIOPinInUse,
    errors.InvalidChannelException: PinInvalidPin,
    errors.RuleError: PinRefused,
}
"""An error of RPIO -> what gpiozero has for it, whatever was asked."""
OF_STATE = {**EVERYWHERE, errors.WrongDirectionException: PinSetInput}
OF_PULL = {**EVERYWHERE, errors.NotSupportedError: PinFixedPull}
OF_EDGES: dict[type[Exception], type[Exception]] = {
    **EVERYWHERE,
    errors.NotSupportedError: PinEdgeDetectUnsupported,
    errors.WrongDirectionException: PinEdgeDetectUnsupported,
}
OF_PWM: dict[type[Exception], type[Exception]] = {
    **EVERYWHERE,
    errors.WrongDirectionException: PinPWMFixedValue,
    errors.NotSupportedError: PinPWMUnsupported,
    errors.PulseError: PinPWMUnsupported,
}


def text_of(error: BaseException) -> str:
    """What an error says, and what to do."""
    said = (error.strerror if isinstance(error, OSError) else "") or str(error)
    hint = getattr(error, "hint", "")
    return said if not hint or hint in said else f"{said}: {hint}"


def refuse(
    what: str, error: Exception, kinds: dict[type[Exception], type[Exception]] = EVERYWHERE
) -> NoReturn:
    """Raise what gpiozero has for an error of RPIO, from it; the error itself where it has nothing."""
    for kind, theirs in kinds.items():
        if isinstance(error, kind):
            raise theirs(f"{what}: {text_of(error)}") from error
    raise error
