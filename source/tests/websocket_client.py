# SPDX-License-Identifier: LGPL-3.0-or-later
"""A WebSocket of the library websockets, for programs that wait: its own such client reads in one thread what another
one writes, which Python's TLS below 3.13 does not bear (now and then nothing is sent, and nobody is told).
"""

import asyncio
import contextlib
import threading


class Connection:
    """What is connected; the calls are those of websockets.sync, as far as they are needed."""

    def __init__(self, loop, made):
        self._loop, self._made = loop, made

    def _do(self, asked):
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    @property
    def response(self):
        return self._made.response

    @property
    def subprotocol(self):
        return self._made.subprotocol

    @property
    def socket(self):
        """What knows of the encryption."""
        return self._made.transport.get_extra_info("ssl_object")

    def send(self, message):
        self._do(self._made.send(message))

    def recv(self, timeout=None, decode=None):
        return self._do(asyncio.wait_for(self._made.recv(decode), timeout))

    def close(self, code=1000, reason=""):
        self._do(self._made.close(code, reason))


@contextlib.contextmanager
def connect(place, **words):
    """A connection, which is closed afterwards."""
    from websockets.asyncio.client import connect as asked

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:

        async def _connect():
            return await asked(place, **words)

        made = Connection(loop, asyncio.run_coroutine_threadsafe(_connect(), loop).result())
        try:
            yield made
        finally:
            made.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
