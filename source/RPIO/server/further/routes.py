# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is served by HTTP: status and version, login, uploads, pictures, and the WebSockets of programs.

Each request is a session of the daemon's while it lasts, with the rights of where it comes from and of the token that
it shows. See ``access`` for who may come at all.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from ... import errors, log
from ...board.undoing import do_all
from ...constants import VERSION
from ...machine.network import is_loopback, plain
from ...wire.further import Run, RunPy, upload
from ...wire.further import framed as frame_of
from ...wire.runs import ROWS_MAX, VIDEO, Data, Message
from ...wire.terms import READ, RUN
from ..rights.access import Rights
from ..settings import beyond
from .access import (
    COOKIE,
    LOGIN_S,
    Attempts,
    Logins,
    Names,
    Refused,
    bearer,
    check_fetch,
    check_query,
    of_protocols,
)
from .status import apt_version, health, stream, wants_stream
from .websocket import CLOSE_S, STALL_S, Keeper, Patience, Socket, said_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..sessions.sessions import Session, Sessions
    from .websocket import Connect

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SOCKETS_MAX = 256
"""WebSockets and streams at once: a part of the sessions that there may be."""
BODY_S = 60.0
"""So long may a body take."""
LOGIN_MAX = 4096
"""Bytes of the body of a login."""
METHODS = "GET, POST, OPTIONS"
HEADERS = "Authorization, Content-Type"
BOUNDARY = "rpio-picture"
STATUS_OF = {errors.NotAllowedError: 403, errors.NotSupportedError: 501}
UNKNOWN = (401, 429)
"""Statuses of who has not shown who he is."""


class Site:
    """The requests of one port. *user* is who programs run as; *scheme* http or https."""

    def __init__(
        self,
        sessions: Sessions,
        connect: Connect,
        names: Names,
        scheme: str,
        user: Callable[[], str],
        is_open_run: bool = False,
        upload_max_bytes: int = 1 << 22,
    ) -> None:
        self._sessions, self._connect, self._names, self._user = sessions, connect, names, user
        self._scheme, self._is_open_run, self._upload_max_bytes = scheme, is_open_run, upload_max_bytes
        self._logins, self._attempts = Logins(), Attempts()
        self._sockets: dict[Socket, None] = {}
        self._streams: dict[asyncio.Task[object], None] = {}
        self.on_refused: Callable[[str, str], object] = lambda address, why: None
        """Called with the address of who has not shown who he is, and why he is refused."""

    def application(self) -> web.Application:
        """What aiohttp serves."""
        made = web.Application(middlewares=[self._guard], client_max_size=self._upload_max_bytes)
        made.on_response_prepare.append(self._on_prepare)
        made.add_routes(
            [
                web.get("/status", self._status),
                web.get("/version", self._version),
                web.get("/version/apt/{package}", self._apt),
                web.get("/status.json", self._health),
                web.post("/login", self._login),
                web.post("/logout", self._logout),
                web.post("/upload", self._upload),
                web.get("/run-py", self._run_py),
                web.get("/run", self._run),
                web.get("/shell", self._shell),
                web.get("/video/{number:[0-9]{1,9}}", self._video),
            ]
        )
        return made

    async def close(self) -> None:
        """Say good-bye to all who are there."""
        closing = [socket.close() for socket in list(self._sockets)]
        for task in list(self._streams):
            task.cancel()
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_S)  # who takes nothing hears nothing

    # -- every request ---------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may come, and have errors be answers."""
        try:
            self._check(request)
            if request.method == "OPTIONS":
                return web.Response(headers={"Allow": METHODS})
            return await handler(request)
        except Refused as e:
            if e.status in UNKNOWN:
                self.on_refused(plain(request.remote or "somebody"), str(e))
            return web.Response(status=e.status, text=f"{e}\n", headers=e.headers)
        except errors.GPIOError as e:
            status = next((number for kind, number in STATUS_OF.items() if isinstance(e, kind)), 500)
            return web.Response(status=status, text=f"{said_of(e)}\n")
        except web.HTTPException:
            raise
        except (ConnectionError, asyncio.TimeoutError) as e:
            log.debug("- %s: %s", request.remote, e)
            raise web.HTTPRequestTimeout from None
        except OSError as e:
            return web.Response(status=503, text=f"{said_of(e)}\n")
        except Exception:
            log.callback_failed(handler)
            raise web.HTTPInternalServerError from None

    def _check(self, request: web.Request) -> None:
        host = request.headers.get("Host", "")
        self._names.check_host(host)
        self._names.check_origin(request.headers.get("Origin"), host)
        check_fetch(request.headers)
        check_query(request.query)

    async def _on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = f"RPIO/{VERSION}" if is_loopback(plain(request.remote or "")) else "RPIO"
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin", "")
        if not self._names.is_listed(origin):
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            return
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Vary"] = "Origin"
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = HEADERS
            headers["Access-Control-Allow-Private-Network"] = "true"

    # -- who asks --------------------------------------------------------------------------------

    @contextmanager
    def _session(self, request: web.Request, scope: str) -> Iterator[Session]:
        """The session of a request that needs a scope, until it ends."""
        session = self._begin(request, scope)
        try:
            yield session
        finally:
            session.end()

    def _begin(self, request: web.Request, scope: str) -> Session:
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        if not isinstance(peer, tuple):
            raise ConnectionResetError("the client has gone")
        address = plain(str(peer[0]))
        token = self._token(request)
        session = self._sessions.begin(f"{address}:{peer[1]}")
        try:
            self._admit(session, address, token, _certificate(request))
            who = request.query.get("client", "")[:40]
            session.introduce(
                who, f"HTTP{'' if who else f' client from {session.peer}'}, {request.path}", 0.0
            )
            self._check_scope(session, request.path, scope, bool(session.tokens))
        except BaseException:
            session.end()
            raise
        return session

    def _token(self, request: web.Request) -> str:
        headers = request.headers
        return (
            bearer(headers.get("Authorization", ""))
            or of_protocols(headers.get("Sec-WebSocket-Protocol", ""))
            or self._logins.token(request.cookies.get(COOKIE, ""))
        )

    def _admit(self, session: Session, address: str, token: str, certificate: bytes) -> None:
        """Give it the rights of where it comes from, and of its token and certificate. What is open is open to this
        machine alone.
        """
        is_open = beyond.admit(session, address)
        if is_open and self._is_open_run:
            session.rights = Rights({**session.rights.scopes, RUN: None})
        beyond.grant(session, certificate, "", is_open)
        if not token:
            return
        try:
            beyond.grant(session, b"", token, is_open)
        except errors.NotAllowedError as e:
            if not self._logins.forget_token(token):  # of a cookie it was one, and nobody guesses it
                self._attempts.failed(address)
            raise Refused(401, f"{e}", {"WWW-Authenticate": "Bearer"}) from None

    def _check_scope(self, session: Session, path: str, scope: str, has_token: bool) -> None:
        if scope in session.rights.scopes:
            return
        text = (
            f"{path} needs the scope {scope!r}; this session has {session.rights or 'none'}: a token of `rpio token "
            f"new --scope {scope}` gives it, as `Authorization: Bearer`, by POST /login, or as sub-protocol"
        )
        raise Refused(403 if has_token else 401, text, {} if has_token else {"WWW-Authenticate": "Bearer"})

    def _check_user(self, request: web.Request) -> None:
        """Programs run as one user, whom the configuration names; who asks for that one gets him."""
        wanted = request.query.get("user", "")
        if wanted and wanted != self._user():
            raise Refused(403, f"programs run as {self._user()} here, and not as {wanted[:40]!r}")

    # -- what is asked ---------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _version(self, request: web.Request) -> web.Response:
        if not is_loopback(plain(request.remote or "")):  # strangers are told nothing of what runs here
            self._begin(request, READ).end()
        return web.Response(text=json.dumps({"version": VERSION}))

    async def _apt(self, request: web.Request) -> web.Response:
        with self._session(request, READ):
            found = await apt_version(request.match_info["package"])
        return web.Response(text=json.dumps({"version": found}))

    async def _health(self, request: web.Request) -> web.StreamResponse:
        with self._session(request, READ) as session:
            if not wants_stream(request):
                return web.json_response(await health())
            with self._streaming(session):
                return await stream(request)

    @contextmanager
    def _streaming(self, session: Session) -> Iterator[None]:
        """Around an answer that goes on until its client, its session, or the daemon ends."""
        self._check_room()
        task = asyncio.current_task()
        assert task is not None
        before = session.on_end
        session.on_end = lambda: do_all(before, task.cancel)
        self._streams[task] = None
        try:
            yield
        finally:
            session.on_end = before
            self._streams.pop(task, None)

    def _check_room(self) -> None:
        if len(self._sockets) + len(self._streams) >= SOCKETS_MAX:
            raise Refused(503, f"{SOCKETS_MAX} WebSockets and streams are open, and there may be no more")

    async def _login(self, request: web.Request) -> web.Response:
        """Set a cookie for who shows a token: in Authorization, or as {"token": ...}."""
        token = bearer(request.headers.get("Authorization", "")) or _token_of(
            await self._json(request.clone(client_max_size=LOGIN_MAX))  # nobody knows who he is
        )
        session = self._sessions.begin("a login")
        try:
            self._admit(session, plain(request.remote or ""), token, _certificate(request))
            scopes = list(session.rights.scopes)
        finally:
            session.end()
        answer = web.json_response({"success": True, "scopes": scopes})
        secret, is_secure = self._logins.add(token), self._scheme == "https"
        answer.set_cookie(
            COOKIE, secret, max_age=int(LOGIN_S), path="/", httponly=True, samesite="Strict", secure=is_secure
        )
        return answer

    async def _logout(self, request: web.Request) -> web.Response:
        self._logins.forget(request.cookies.get(COOKIE, ""))
        answer = web.json_response({"success": True})
        answer.del_cookie(COOKIE, path="/")
        return answer

    async def _json(self, request: web.Request) -> object:
        """The body, as JSON. Raises HTTPBadRequest, HTTPRequestEntityTooLarge."""
        try:
            return json.loads(await asyncio.wait_for(request.read(), BODY_S))
        except (ValueError, RecursionError):
            raise web.HTTPBadRequest from None

    # -- programs --------------------------------------------------------------------------------

    async def _upload(self, request: web.Request) -> web.Response:
        with self._session(request, RUN) as session:
            self._check_user(request)
            try:
                frame = frame_of(upload(await self._json(request)))
            except errors.ProtocolError as e:
                raise web.HTTPBadRequest(headers=_reason(str(e))) from None
            keeper = await Keeper.connect(self._connect, session)
            keeper.also(keeper.close)
            try:
                await keeper.ask(frame, request.transport)
                answer = await _answer(keeper, "uploaded")
            finally:
                keeper.close()
        if answer is None:
            raise web.HTTPInternalServerError(headers=_reason("what runs programs here has ended"))
        if answer.type == "error":
            raise web.HTTPInternalServerError(headers=_reason(str(answer.data["message"])))
        found = {"success": True, "fetched_urls": bool(answer.data.get("fetched_urls"))}
        return web.Response(text=json.dumps(found))

    async def _run_py(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, lambda session: Socket(session, RunPy(), self._connect))

    async def _run(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, lambda session: Socket(session, _dialect(request), self._connect))

    async def _shell(self, request: web.Request) -> web.StreamResponse:
        size = {name: _size(request, name) for name in ("rows", "cols") if name in request.query}
        begin = {"type": "start", "process": "shell", "data": {"runner": "shell", "pty": True, **size}}
        return await self._serve(
            request,
            lambda session: Socket(session, _dialect(request), self._connect, "shell"),
            json.dumps(begin),
        )

    async def _serve(
        self, request: web.Request, make: Callable[[Session], Socket], first: str = ""
    ) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            raise web.HTTPBadRequest
        self._check_room()
        session = self._begin(request, RUN)
        try:
            self._check_user(request)  # whom only those hear of who may run programs
        except Refused:
            session.end()
            raise
        made = make(session)
        self._sockets[made] = None
        try:
            return await made.serve(request, first)
        finally:
            self._sockets.pop(made, None)

    async def _video(self, request: web.Request) -> web.StreamResponse:
        """The pictures of a program, one after the other, as <img src> shows them."""
        with self._session(request, RUN) as session:
            keeper = await Keeper.connect(self._connect, session)
            try:
                ask = Message(
                    "attach", "it", {"number": max(1, int(request.match_info["number"])), "follow": True}
                )
                await keeper.ask(frame_of(ask), request.transport)
                answer = await _answer(keeper, "attached")
                if answer is None or answer.type == "error":
                    text = str(answer.data["message"]) if answer is not None else "it has ended"
                    return web.Response(status=404, text=f"{text}\n")
                with self._streaming(session):
                    return await _pictures(request, keeper)
            finally:
                keeper.close()


def _certificate(request: web.Request) -> bytes:
    """What the client has shown in the handshake, in DER; empty without one."""
    tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    return (tls.getpeercert(True) or b"") if tls is not None else b""


def _dialect(request: web.Request) -> Run:
    query = request.query
    return Run(query.get("client", ""), query.get("pty", "").lower() in ("1", "true"))


def _size(request: web.Request, name: str) -> int:
    said = request.query[name]
    if not said.isdecimal() or not 1 <= int(said[:9]) <= ROWS_MAX:
        raise Refused(400, f"{name} is a number from 1 to {ROWS_MAX}")
    return int(said)


def _token_of(said: object) -> str:
    token = said.get("token") if isinstance(said, dict) else None
    if not isinstance(token, str) or not token:
        raise Refused(400, 'a login is {"token": ...}, or has the header `Authorization: Bearer`')
    return token


def _reason(text: str) -> dict[str, str]:
    """A header that says why, where the original's texts do not."""
    return {"X-RPIO-Reason": "".join(c if " " <= c <= "~" else "?" for c in text[:500])}


async def _answer(keeper: Keeper, type: str) -> Message | None:
    """The first message of that type, or an error; None where there is none any more."""
    while found := await keeper.hear():
        for said in found:
            if isinstance(said, Message) and said.type in (type, "error"):
                return said
    return None


async def _pictures(request: web.Request, keeper: Keeper) -> web.StreamResponse:
    from base64 import b64decode

    answer = web.StreamResponse(headers={"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"})
    await answer.prepare(request)
    transport = request.transport
    patience = Patience(transport.abort if transport is not None else lambda: None, STALL_S)
    while found := await keeper.hear():
        for picture in [said.value for said in found if isinstance(said, Data) and said.kind == VIDEO]:
            data = b64decode(picture)
            kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
            head = f"--{BOUNDARY}\r\nContent-Type: image/{kind}\r\nContent-Length: {len(data)}\r\n\r\n"
            with patience:
                await answer.write(head.encode() + data + b"\r\n")
        if any(isinstance(said, Message) and said.type == "stopped" for said in found):
            break
    await answer.write_eof(f"--{BOUNDARY}--\r\n".encode())
    return answer
