# SPDX-License-Identifier: LGPL-3.0-or-later
"""The exceptions under the name that the original RPIO gave them. They live in RPIO.errors."""

from .errors import (
    InvalidChannelException,
    InvalidDirectionException,
    InvalidModeException,
    InvalidPullException,
    ModeNotSetException,
    WrongDirectionException,
)

__all__ = [
    "InvalidChannelException",
    "InvalidDirectionException",
    "InvalidModeException",
    "InvalidPullException",
    "ModeNotSetException",
    "WrongDirectionException",
]
