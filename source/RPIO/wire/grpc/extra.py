# SPDX-License-Identifier: LGPL-3.0-or-later
"""What gRPC, and what HTTP, needs that is no part of RPIO, and what is told who has not got it."""

from __future__ import annotations

import sys

from ... import errors

WANTED = ("grpclib>=0.4.8,<0.5", "protobuf>=3.20.3,<8")
WANTED_FOR_HTTP = ("aiohttp>=3.9",)
"""As in the extra [remote] of pyproject.toml."""


def missing(
    error: ImportError, what: str = "gRPC", wanted: tuple[str, ...] = WANTED
) -> errors.NotSupportedError:
    """The one sentence, with the command."""
    name = (error.name or wanted[0]).partition(".")[0].partition(">")[0]
    command = f"{sys.executable or 'python3'} -m pip install {' '.join(repr(word) for word in wanted)}"
    return errors.NotSupportedError(f"{what} needs {name}, which is not installed: {command}", hint=command)
