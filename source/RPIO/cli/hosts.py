# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio hosts``: the devices of the network, and those that this user is paired with."""

from __future__ import annotations

import os
from time import time

from .. import errors
from ..machine import folders
from ..remote.devices import devices, discovery
from ..remote.places import hosts as known_hosts
from ..remote.places.places import PORT
from . import verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from ..remote.devices.devices import Device
    from ..remote.devices.discovery import Found

CACHE = "hosts"
CACHE_S = 30.0
"""So old may names be that a shell completes."""
QUICK_S = 0.5
"""How long a shell waits for them."""
CACHE_MAX = 1 << 16

EXAMPLES = """\
  rpio hosts
  rpio hosts --for 5s --json
  rpio read 17 --on pi.local
"""


def hosts_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio hosts``."""
    p = verb.parser(
        "hosts",
        "List the devices on this network that serve their lines, and those that you are paired with: name, model, "
        "address, whether they are paired, and, of those that are, who has which line. Names come from the network "
        "by multicast DNS, with the package zeroconf, and are hints: who a device is shows when it is connected to. "
        "Without zeroconf those are listed that you are paired with.",
        EXAMPLES,
        json=True,
        has_backend=False,
    )
    verb.add_for(p, f"wait so long for answers ({discovery.BROWSE_S:g}s)")
    p.add_argument(
        "--names",
        action="store_true",
        help=f"print names alone, for the completion of a shell: of a list that is {CACHE_S:g} s old at most",
    )
    return p


def hosts(options: argparse.Namespace) -> None:
    """``rpio hosts``"""
    if options.names:
        for name in names():
            print(name)
        return
    for_s = discovery.BROWSE_S if options.for_ns is None else options.for_ns / 1e9
    found = _browse(for_s)
    listed = devices.merged(found, known())
    _remember(found)
    devices.ask_all(listed)
    if options.json:
        verb.print_json([_as_dict(device) for device in listed])
        return
    rows = [_row(device) for device in listed]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[4]]).rstrip())
    if not rows:
        verb.note(
            "no device has answered, and you are paired with none; on the device: rpio serve --address any, and "
            "avahi-daemon (sudo apt install avahi-daemon) has others find it; by its name: rpio pair HOST"
        )


def known() -> list[known_hosts.Known]:
    """Those that this user knows."""
    try:
        return known_hosts.every()
    except OSError as e:
        verb.note(f"{known_hosts.folder()} cannot be read: {e.strerror or e}")
        return []


def _browse(for_s: float) -> list[Found]:
    try:
        return discovery.browse(for_s)
    except errors.NotSupportedError as e:
        verb.note(f"{e}: these are those that you are paired with ({e.hint})")
    except OSError as e:
        verb.note(f"nobody on the network can be asked: {e.strerror or e}")
    return []


def _row(device: Device) -> tuple[str, str, str, str, str]:
    address = device.addresses[0] if device.addresses else device.name
    if device.port != PORT:
        address = f"[{address}]:{device.port}" if ":" in address else f"{address}:{device.port}"
    return devices.typed_for(device), device.model or "-", address, _paired(device), _said(device)


def _paired(device: Device) -> str:
    if device.is_paired:
        return "paired"
    return "token" if device.known is not None and not device.known.has_certificate else "not paired"


def _said(device: Device) -> str:
    """Who has it, in words."""
    if device.trouble:
        return device.trouble
    if device.holders is None:
        return ""
    by_holder: dict[str, list[int]] = {}
    for line, name, _ in device.holders:
        by_holder.setdefault(name, []).append(line)
    held = [f"{name} (GPIO {','.join(map(str, lines))})" for name, lines in by_holder.items()]
    return f"held by {'; '.join(held)}" if held else "free"


def _as_dict(device: Device) -> dict[str, object]:
    holders = device.holders
    return {
        "name": devices.typed_for(device),
        "model": device.model or None,
        "addresses": list(device.addresses),
        "port": device.port,
        "id": device.id or None,
        "is_found": device.is_found,
        "is_paired": device.is_paired,
        "is_free": None if holders is None else not holders,
        "lines": None
        if holders is None
        else [dict(zip(("line", "holder", "seconds"), row, strict=True)) for row in holders],
        "trouble": device.trouble or None,
    }


# -- for shells -------------------------------------------------------------------------------------------------


def names() -> list[str]:
    """What a shell completes: those that are known, and those that have answered of late."""
    found = _remembered()
    if found is None:
        try:
            heard = discovery.browse(QUICK_S)
        except (errors.NotSupportedError, OSError):
            heard = []  # a person who types has no use for that now
        _remember(heard)
        found = _plain_names(heard)
    return _sound([*(one.name for one in known()), *found])


def _plain_names(found: Iterable[Found]) -> list[str]:
    """Those that are a word to bash: a colon is the end of one."""
    return [one.name for one in found if one.port == PORT]


def _sound(words: Iterable[str]) -> list[str]:
    """Those that a shell may be given: it carries out what looks like a command in some words."""
    return sorted({word for word in words if discovery.NAME.fullmatch(word)})


def _cache(is_made: bool) -> str:
    return os.path.join(folders.runtime_folder(is_made), CACHE)


def _remembered() -> list[str] | None:
    """The names that have answered of late; None where that is too long ago."""
    if not hasattr(os, "geteuid"):
        return None
    try:
        with open(_cache(False), encoding="ascii", errors="replace") as file:
            is_fresh = 0 <= time() - os.fstat(file.fileno()).st_mtime < CACHE_S
            return _sound(file.read(CACHE_MAX).split()) if is_fresh else None
    except OSError:
        return None


def _remember(found: Iterable[Found]) -> None:
    if not hasattr(os, "geteuid"):
        return
    try:
        path = _cache(True)
        draft = f"{path}.{os.getpid()}"
        with open(draft, "w", encoding="ascii") as file:
            file.write("\n".join(_sound(_plain_names(found))) + "\n")
        os.replace(draft, path)
    except OSError:
        return  # then the next one asks again
