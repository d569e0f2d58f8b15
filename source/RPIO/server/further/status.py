# SPDX-License-Identifier: LGPL-3.0-or-later
"""How this machine is, and what is installed on it, for who asks by HTTP. Threads look: nothing waits for a disk."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

from aiohttp import web

from ...machine.commands import output_of
from .access import Refused
from .websocket import STALL_S, Patience

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?", re.ASCII)
"""Source: Debian Policy 5.6.7, and an architecture behind it."""
PACKAGE_MAX = 100
APT_S = 5.0
APTS_AT_ONCE = 2
EVERY_S = 2.0
"""So often a stream says how the machine is."""
_apts = 0


async def apt_version(package: str) -> str | None:
    """The version of a Debian package that is installed, "(none)" for one that could be, None for none of that name."""
    global _apts
    if len(package) > PACKAGE_MAX or PACKAGE.fullmatch(package) is None:
        raise Refused(400, f"{package[:40]!r} is no name of a Debian package")
    if _apts >= APTS_AT_ONCE:
        raise Refused(503, "apt-cache is busy")
    _apts += 1
    try:
        said = await asyncio.get_running_loop().run_in_executor(None, _policy, package)
    finally:
        _apts -= 1
    found = re.search(r"^  Installed: (\S+)$", said, re.MULTILINE)
    return found[1] if found is not None else None


def _policy(package: str) -> str:
    words = ["apt-cache", "policy", "--", package]
    return output_of(words, APT_S, {"LC_ALL": "C", "PATH": "/usr/bin:/bin"})


async def health() -> Mapping[str, object]:
    """How this machine is."""
    return await asyncio.get_running_loop().run_in_executor(None, _look)


def _look() -> Mapping[str, object]:
    from ...machine.health import health as look

    return look()


def wants_stream(request: web.Request) -> bool:
    """Whether it is to go on: an EventSource of a page says so in Accept, others by ?stream=1."""
    return "text/event-stream" in request.headers.get("Accept", "") or request.query.get("stream") == "1"


async def stream(request: web.Request) -> web.StreamResponse:
    """Say it every few seconds, while somebody listens."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    transport = request.transport
    patience = Patience(transport.abort if transport is not None else lambda: None, STALL_S)
    while True:
        text = json.dumps(await health())
        with patience:
            await answer.write(f"data: {text}\n\n".encode())
        await asyncio.sleep(EVERY_S)
