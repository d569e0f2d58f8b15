# SPDX-License-Identifier: LGPL-3.0-or-later
"""A daemon that serves Further-Link's clients, and such clients: WebSockets by the library websockets, HTTP by Python's
own, so that neither end knows the other's code.
"""

import contextlib
import getpass
import http.client
import json
import re
import ssl

import pytest

import websocket_client
from remote_parts import daemon
from waiting import LIMIT_S

pytest.importorskip("aiohttp", reason="needs aiohttp, which `make dev` installs")
connect = pytest.importorskip(
    "websockets.sync.client", reason="needs websockets, as `make dev` installs it"
).connect

ANY = ("--further", "127.0.0.1:0")
PLACE = re.compile(r"further is served at (https?)://127\.0\.0\.1:(\d+): programs, by HTTP and WebSocket")


def config_of(folder, more=""):
    """A configuration in which programs run as who this is, in the folder."""
    return f"[run]\nuser = {json.dumps(getpass.getuser())}\nwork = '{folder}/further'\ngrace_s = 0.2\n{more}"


class Reply:
    """An answer of HTTP's."""

    def __init__(self, answer):
        self.status, self.headers = answer.status, answer.headers
        self.text = answer.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class Talk:
    """A WebSocket, with messages as Python has them."""

    def __init__(self, made):
        self.socket = made

    def send(self, type, **keys):
        self.socket.send(json.dumps({"type": type, **keys}))

    def receive(self):
        return json.loads(self.socket.recv(LIMIT_S))

    def until(self, type):
        """All messages up to one of that type."""
        found = [self.receive()]
        while found[-1]["type"] != type:
            found.append(self.receive())
        return found

    def output_until(self, text, stream="stdout"):
        """What a program writes, up to that."""
        found = ""
        while text not in found:
            message = self.receive()
            assert message["type"] == stream, message
            found += message["data"]["output"]
        return found

    def ask(self, type, **keys):
        self.send(type, **keys)
        return self.receive()

    def end_of(self):
        """Wait for the close; return its code and reason."""
        from websockets.exceptions import ConnectionClosed

        while True:
            try:
                self.socket.recv(LIMIT_S)
            except ConnectionClosed as e:
                return (e.rcvd.code, e.rcvd.reason) if e.rcvd is not None else (None, "")

    def close(self):
        self.socket.close()


def outputs(messages, stream="stdout"):
    return "".join(each["data"]["output"] for each in messages if each["type"] == stream)


class Served:
    """A daemon with its port."""

    def __init__(self, made):
        self.daemon = made
        found = made.says(PLACE.pattern)
        self.scheme, self.port = found[1], int(found[2])
        self.folder = made.folder

    @property
    def trust(self):
        """What a client needs to know the certificate; None without TLS."""
        if self.scheme == "http":
            return None
        return ssl.create_default_context(cafile=f"{self.folder}/state/tls/ca.pem")

    def token(self, *scopes, **more):
        """A new token."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        return self.daemon.rpio("token", "new", *words, **more).stdout.split()[-1]

    def http(self, method, path, body=None, headers=None, raw=None):
        """A request and its answer."""
        kind = http.client.HTTPConnection if self.trust is None else http.client.HTTPSConnection
        more = {} if self.trust is None else {"context": self.trust}
        with contextlib.closing(kind("localhost", self.port, timeout=LIMIT_S, **more)) as made:
            data = raw if raw is not None else (json.dumps(body) if body is not None else None)
            made.request(method, path, data, headers or {})
            return Reply(made.getresponse())

    def get(self, path, **headers):
        return self.http(
            "GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    @contextlib.contextmanager
    def connect(self, path, token="", headers=None, **more):
        """A WebSocket."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        scheme = "ws" if self.scheme == "http" else "wss"
        made_by = (connect if self.trust is None else websocket_client.connect)(
            f"{scheme}://localhost:{self.port}{path}",
            ssl=self.trust,
            additional_headers=headers,
            compression=None,
            max_size=None,
            open_timeout=LIMIT_S,
            ping_interval=None,
            proxy=None,
            **{"close_timeout": LIMIT_S, **more},
        )
        with made_by as made:
            yield Talk(made)


@contextlib.contextmanager
def further(folder, *words, config=None, more="", **options):
    """A Served that runs."""
    config = config_of(folder, more) if config is None else config
    with daemon(folder, *ANY, *words, config=config, **options) as made:
        yield Served(made)


@contextlib.contextmanager
def plain(folder, *words, **options):
    """The same without TLS, for who shows no token."""
    with further(folder, "--open-run", *words, FURTHER_LINK_NOSSL="1", **options) as served:
        yield served
