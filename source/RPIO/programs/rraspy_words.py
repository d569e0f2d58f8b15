# SPDX-License-Identifier: LGPL-3.0-or-later
"""How a device of RRaspPY's is started: where it listens, whom it serves, and what it says of that.

``device.py HOST_ADDRESS [DEVICE_ADDRESS] [HOST_PORT] [DEVICE_PORT]``, as the original's README has it.
"""

from __future__ import annotations

import argparse
import errno
import socket
import sys

from ..errors import GPIOError
from ..loop.tcp_listener import Socket, explain_bind
from ..machine import network
from ..processes import hooks
from ..wire import fronts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HOST_PORT, DEVICE_PORT = 7070, 8080
BACKLOG = 64
LOOPBACK = "127.0.0.1"
INTERFACES = ("eth0", "wlan0")
IS_OPEN = "--open-run: whoever reaches this port from the host's address runs any Python here"


def port(text: str) -> int:
    """Read a port. For argparse."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535, or 0 for any")
    return int(text)


def parser(name: str = "device.py") -> argparse.ArgumentParser:
    """The parser of the words."""
    p = argparse.ArgumentParser(
        name,
        description="The device of RRaspPY's protocol, on RPIO: serves one host, which calls functions of RPi.GPIO, "
        "smbus and Adafruit_ADS1x15 here.",
        allow_abbrev=False,
    )
    p.add_argument("host", metavar="HOST_ADDRESS", help="who is served, and called back")
    p.add_argument(
        "device",
        metavar="DEVICE_ADDRESS",
        nargs="?",
        help=f"where to listen: {LOOPBACK}; with --insecure the address of eth0, else of wlan0",
    )
    p.add_argument("host_port", metavar="HOST_PORT", nargs="?", type=port, default=HOST_PORT, help="7070")
    p.add_argument(
        "device_port", metavar="DEVICE_PORT", nargs="?", type=port, default=DEVICE_PORT, help="8080"
    )
    p.add_argument(
        "--insecure", action="store_true", help="listen at another address than this machine's own"
    )
    p.add_argument(
        "--open-run",
        action="store_true",
        help="run any Python that the host sends, as the original does; on this machine's own address alone",
    )
    for words, level in (("-v -v1 -dbg", 1), ("-vv -v2 -dump", 2)):
        p.add_argument(*words.split(), dest="verbose", action="store_const", const=level, default=0)
    p.add_argument("--socket", type=int, metavar="NUMBER", help=argparse.SUPPRESS)
    return p


def address(device: str | None, is_insecure: bool) -> str:
    """Where to listen. Raises GPIOError where that cannot be told."""
    if device:
        return device
    if not is_insecure:
        return LOOPBACK
    found = next(filter(None, map(network.address_of, INTERFACES)), None)
    if found is None:
        raise GPIOError("neither eth0 nor wlan0 has an address", hint="give DEVICE_ADDRESS: see ip address")
    return found


def check(address: str, is_insecure: bool, is_open: bool) -> None:
    """Raise NotAllowedError for an address that must be asked for, or that free Python is not for."""
    fronts.kind("rraspy", address, is_insecure, is_open_run=is_open)


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError, which names who else does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with hooks.making:
        made: socket.socket = Socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError as e:
        made.close()
        holder = network.listener_of(port) if e.errno == errno.EADDRINUSE else ""
        if holder:
            raise OSError(
                errno.EADDRINUSE, f"port {port} on {address} is in use already: by {holder}"
            ) from None
        raise explain_bind(e, address, port) from None
    return made


def told(address: str, host: Sequence[str], is_insecure: bool, is_open: bool) -> list[str]:
    """What is said at each start."""
    lines = []
    if not network.is_loopback(address) and is_insecure:
        lines.append(fronts.told("rraspy", fronts.INSECURE))
    if is_open:
        lines.append(IS_OPEN)
    if network.is_loopback(address) and not any(map(network.is_loopback, host)):
        lines.append(f"{', '.join(host)} cannot reach {address}: --insecure listens at another address")
    return lines


def say(text: str) -> None:
    """To the person at the terminal."""
    print(f"rraspy: {text}", file=sys.stderr, flush=True)
