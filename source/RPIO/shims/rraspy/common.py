# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's ``common``: what host and device agree upon. Source: fbreton06/RRaspPY 2122932, common.py."""

from RPIO.programs.rraspy_commands import CALLBACK_WORD as CB_KEYWORD
from RPIO.wire.rraspy import ORIGINAL_MAX as SOCKET_SIZE_MAX

SOCKET_TIMEOUT_S = 30

RSP_ERR, RSP_OK, RSP_ARGS, RSP_HANDLE = 0x09, 0x0A, 0x0B, 0x0D
CMD_REMOVE_HANDLE, CMD_REMOVE_CALLBACK, CMD_EXECUTE = 0x90, 0xA0, 0xB0
CMD_IMPORT, CMD_CALLBACK, CMD_REMOVE_ALL_CALLBACK = 0xC0, 0xD0, 0xE0


class Debug:
    """Levels of what is said."""

    NONE, INFO, ERROR, DETAIL, DEBUG, DUMP = range(1, 7)


__all__ = [
    "CB_KEYWORD",
    "CMD_CALLBACK",
    "CMD_EXECUTE",
    "CMD_IMPORT",
    "CMD_REMOVE_ALL_CALLBACK",
    "CMD_REMOVE_CALLBACK",
    "CMD_REMOVE_HANDLE",
    "RSP_ARGS",
    "RSP_ERR",
    "RSP_HANDLE",
    "RSP_OK",
    "SOCKET_SIZE_MAX",
    "SOCKET_TIMEOUT_S",
    "Debug",
]
