# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files that an upload names by URL: from hosts that the configuration lists, by HTTP, within sizes and times."""

from __future__ import annotations

import errno
import http.client
import socket
import time
from urllib.parse import quote, urljoin, urlsplit

from .. import errors
from ..constants import VERSION
from .drafts import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

CONNECT_S, READ_S, ALL_S = 5.0, 20.0, 120.0
"""How long a host may take to be reached, to send more, to send all of a file."""
REDIRECTS_MAX = 5
URL_MAX = 4096
CHUNK = 1 << 16
PORTS = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
AWAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ETIMEDOUT)
"""What the system says of a network that is not there."""
KEPT = "%/:=&?~#+!$,;'@()*[]"
"""Characters of a path that stay as they are."""


class Unreachable(Exception):
    """There is no way to the host at the moment."""


class Fetcher:
    """Downloads from *hosts*: names, ``name:port`` for a port of its own, ``*.domain`` for all that end so."""

    def __init__(self, hosts: Sequence[str], most: int) -> None:
        self._hosts, self._most = [host.lower() for host in hosts], most

    def check(self, url: str) -> SplitResult:
        """Return the parts of an URL from which files may be had.

        Raises:
            NotAllowedError: its host is not listed, or it is none of HTTP.
        """
        shown = repr(url[:100])
        try:
            found = urlsplit(url)
            host, port = (found.hostname or "").lower(), found.port
        except ValueError as e:
            raise errors.NotAllowedError(f"{shown} is no URL: {e}") from None
        if found.scheme not in PORTS or not host or len(url) > URL_MAX:
            raise errors.NotAllowedError(f"{shown} is no URL of http or https")
        if not any(
            _is_host(listed, host, port or PORTS[found.scheme], found.scheme) for listed in self._hosts
        ):
            raise errors.NotAllowedError(
                f"files of {host} are not downloaded: that host is not listed",
                hint=f'url_hosts = ["{host}"] in [run] of the configuration lists it',
            )
        return found

    def fetch(self, url: str, fd: int) -> int:
        """Write the file into *fd*; return its size.

        Raises:
            Unreachable: there is no network. NotAllowedError: a redirection to a host that is not listed, or too much.
            CommandError: what else the other side says, or does not. OSError: that of the disk.
        """
        end = time.monotonic() + ALL_S
        for _ in range(REDIRECTS_MAX + 1):
            found = self.check(url)
            connection = _connected(found)
            try:
                response = _answer(connection, found, url)
                if response.status in REDIRECTS and response.headers["Location"]:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status != 200:
                    raise _failed(url, f"{response.status} {response.reason}")
                return self._write(response, url, fd, end)
            finally:
                connection.close()
        raise _failed(url, f"more than {REDIRECTS_MAX} redirections")

    def _write(self, response: http.client.HTTPResponse, url: str, fd: int, end: float) -> int:
        size = 0
        self._check_size(url, response.length or 0)
        while data := _more(response, url):
            size += len(data)
            self._check_size(url, size)
            if time.monotonic() > end:
                raise _failed(url, f"it takes longer than {ALL_S:g} s")
            write_all(fd, data)
        if response.length:
            raise _failed(url, f"it ends {response.length} bytes too early")
        return size

    def _check_size(self, url: str, size: int) -> None:
        if size > self._most:
            raise errors.NotAllowedError(f"{url[:100]!r} is too large: {self._most} bytes at most")


def _is_host(listed: str, host: str, port: int, scheme: str) -> bool:
    name, _, number = listed.partition(":")
    if port != (int(number) if number.isdecimal() else PORTS[scheme]):
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _connected(found: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if found.scheme == "https" else http.client.HTTPConnection
    connection = kind(found.hostname or "", found.port, timeout=CONNECT_S)
    try:
        connection.connect()
    except (socket.gaierror, TimeoutError) as e:
        connection.close()
        raise Unreachable(
            str(e)
        ) from None  # the host is listed: a name that is not found is one of no network
    except OSError as e:
        connection.close()
        if e.errno in AWAY:
            raise Unreachable(str(e)) from None
        raise _failed(found.geturl(), str(e)) from None
    except ValueError as e:
        raise _failed(found.geturl(), f"that is no host: {e}") from None
    connection.sock.settimeout(READ_S)
    return connection


def _answer(connection: http.client.HTTPConnection, found: SplitResult, url: str) -> http.client.HTTPResponse:
    path = quote(found.path or "/", KEPT) + (f"?{quote(found.query, KEPT)}" if found.query else "")
    try:
        connection.request(
            "GET", path, headers={"Accept-Encoding": "identity", "User-Agent": f"RPIO/{VERSION}"}
        )
        return connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise _failed(url, str(e) or type(e).__name__) from None


def _more(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise _failed(url, str(e) or type(e).__name__) from None


def _failed(url: str, why: str) -> errors.CommandError:
    return errors.CommandError(
        f"{url[:200]!r} could not be downloaded: {why}", hint="nothing has been changed"
    )
