# SPDX-License-Identifier: LGPL-3.0-or-later
"""The devices that this user knows or that have answered on the network, and what those say that he is paired with.

Whoever is on the network may answer, and may call himself as he likes. Nobody is asked anything but by a connection
whose other end has shown the certificate that was stored when he was paired; the others are shown, and no more.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic

from ... import errors
from ...machine.boards import decode
from ...wire.announced import ID_DIGITS
from ...wire.native import split
from ...wire.operations import OPERATIONS
from ...wire.rows import read
from ...wire.terms import VERSION
from ..places.places import PORT
from .discovery import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..places.hosts import Known
    from .discovery import Found


ANSWER_S = 3.0
"""How long all of them together have to answer."""
ADDRESS_S = 1.5
"""How long one address of several is tried."""
ANSWER_MAX = 1 << 16
"""Bytes: 64 lines with the names of who has them."""
AT_ONCE_MAX = 64
HELLO = f'hello {VERSION} "" "rpio hosts" 0'


class Device:
    """One of them. *id* and *model* are what was announced, "" without. Once it was asked, *model* is what it says
    itself, and *holders* are lines with who has them and for how many seconds; *trouble* says why it has not answered,
    and *is_refused* whether it lets this user in no more.
    """

    __slots__ = (
        "addresses",
        "holders",
        "id",
        "is_found",
        "is_refused",
        "known",
        "model",
        "name",
        "port",
        "trouble",
    )

    def __init__(self, name: str, model: str, addresses: Sequence[str], port: int, id: str) -> None:
        self.name, self.model, self.addresses, self.port, self.id = name, model, tuple(addresses), port, id
        self.known: Known | None = None
        self.is_found = self.is_refused = False
        self.holders: list[tuple[int, str, int | None]] | None = None
        self.trouble = ""

    @property
    def is_paired(self) -> bool:
        """Whether this user has a certificate for it, which it has not refused."""
        return self.known is not None and self.known.has_certificate and not self.is_refused


def merged(found: Iterable[Found], known: Iterable[Known]) -> list[Device]:
    """Those that are known, with what they announce now, and those that have answered besides: by their names."""
    left = list(found)
    devices = [_with_announcement(one, left) for one in known]
    for other in left:
        device = Device(other.name, other.model, other.addresses, other.port, other.id)
        device.is_found = True
        devices.append(device)
    return sorted(devices, key=lambda device: device.name)


def _with_announcement(known: Known, left: list[Found]) -> Device:
    id = identity_of(known)
    of_it = [one for one in left if _is_of(one, known, id)]
    device = Device(known.name, "", known.addresses, known.port, id)
    device.known = known
    if of_it:
        first = of_it[0]
        left.remove(first)
        device.is_found, device.model, device.port = True, first.model, first.port
        device.addresses = tuple(dict.fromkeys([*first.addresses, *known.addresses]))
    return device


def _is_of(found: Found, known: Known, id: str) -> bool:
    """By what it says of its authority; where it says nothing, by its name."""
    return found.id == id if found.id else known.is_known_as(found.name)


def identity_of(known: Known) -> str:
    """What a device that is known announces as its identity; "" where what is stored cannot be read."""
    try:
        return known.digest()[:ID_DIGITS]
    except (OSError, errors.GPIOError):
        return ""


# -- asking them ------------------------------------------------------------------------------------------------


def ask_all(devices: Iterable[Device], within_s: float = ANSWER_S) -> None:
    """Ask those that this user is paired with who has their lines, all at once, and wait no longer than that."""
    from threading import Thread

    asked = [device for device in devices if device.is_paired][:AT_ONCE_MAX]
    until_s = monotonic() + within_s
    for device in asked:
        device.trouble = "no answer"
    started = [Thread(target=_ask, args=(device, until_s), daemon=True) for device in asked]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(max(0.0, until_s - monotonic()))


def _ask(device: Device, until_s: float) -> None:
    trouble = ""
    names: tuple[str, ...] = ()
    if device.known is not None:
        names = (device.known.name, *device.known.names)
        try:
            device.known.check()
        except errors.GPIOError as e:  # our own words, of our own files
            device.trouble = str(e)
            return
    for host in dict.fromkeys([*device.addresses, *names]):
        try:
            model, holders = _answered(device, host, min(until_s, monotonic() + ADDRESS_S))
        except ssl.SSLCertVerificationError:
            trouble = "another device answers there: its certificate is not the one that was paired"
        except errors.GPIOError as e:  # it is the one, and has nothing else to say at its other addresses
            device.trouble = plain(str(e).partition(": ")[0]) or "no answer"
            device.is_refused = isinstance(e, errors.NotAllowedError)
            return
        except (OSError, ValueError) as e:
            said = getattr(e, "strerror", None)
            trouble = trouble or plain(said if isinstance(said, str) else str(e)) or "no answer"
        else:
            device.model, device.holders, device.trouble = model or device.model, holders, ""
            return
    device.trouble = trouble or "it has no address"


def _answered(device: Device, host: str, until_s: float) -> tuple[str, list[tuple[int, str, int | None]]]:
    """What it is, and who has which line, as the device at this address says.

    Raises:
        OSError, ProtocolError: it does not answer, or not so. NotAllowedError: it does not let this user in.
    """
    assert device.known is not None
    with socket.create_connection((host, device.port), _left_s(until_s)) as made:
        made.settimeout(_left_s(until_s))
        with device.known.context().wrap_socket(made) as link:
            link.sendall(HELLO.encode() + b"\nholders\n")
            heard = _lines(link, 2, until_s)
    _, _, board, code, *_ = _result("hello", heard[0])
    (holders,) = _result("holders", heard[1])
    named = [(line, plain(name), seconds) for line, name, seconds in holders]  # type: ignore[attr-defined]
    return _model(str(board), str(code)), named


def _model(board: str, code: str) -> str:
    """As it is announced: see server/announcing. *board* is how it describes itself, *code* its revision code."""
    number = int(code, 16)
    if not number:
        return plain(board)
    name = decode(number).name
    return f"simulated {name}" if board.startswith("simulated ") else name


def _result(name: str, answer: str) -> tuple[object, ...]:
    words = split(answer)
    if words[:1] != ["ok"]:
        kind = errors.NotAllowedError if words[1:2] == ["NotAllowedError"] else errors.ProtocolError
        raise kind(" ".join(words[2:3]) or "it answers as no device does")
    return tuple(read(OPERATIONS[name].result, words[1:]))


def _lines(link: ssl.SSLSocket, count: int, until_s: float) -> list[str]:
    """So many, or up to the first that is an error: then it has no more to say."""
    heard = b""
    while heard.count(b"\n") < count and not (heard.startswith(b"error ") and heard.endswith(b"\n")):
        link.settimeout(_left_s(until_s))
        piece = link.recv(4096)
        if not piece or len(heard) > ANSWER_MAX:
            raise errors.ProtocolError("it has closed the connection")
        heard += piece
    return heard.decode("utf-8", "replace").splitlines()


def _left_s(until_s: float) -> float:
    left_s = until_s - monotonic()
    if left_s <= 0:
        raise TimeoutError("no answer in time")
    return left_s


def typed_for(device: Device) -> str:
    """What is typed for it at --on."""
    return device.name if device.known is not None or device.port == PORT else f"{device.name}:{device.port}"
