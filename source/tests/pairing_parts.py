# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of pairing share: a device without a daemon, whose loop is the test; a client without RPIO's own."""

import functools
import queue

from RPIO.server.outside.authority import Authority
from RPIO.server.outside.offers import Offer
from RPIO.server.outside.pairing import Pairing
from RPIO.server.rights.access import Access
from RPIO.wire import pairing as wire
from tls_parts import request
from waiting import LIMIT_S

CODE, WRONG = "7K3M9QXT", "7K3M9QXV"
SEEN = b"the certificate of the handshake"
password = functools.cache(wire.password)
"""Takes its time, as is its purpose."""


class Device:
    """A device, and what its loop is to call."""

    def __init__(self, folder):
        self.folder, self.now_s, self.calls = str(folder), 1_800_000_000.0, queue.Queue()
        self.authority = Authority(self.folder, now_s=lambda: self.now_s)
        self.pairing = Pairing(self.folder, self.authority, self.calls.put, lambda: self.now_s)
        self.offers = self.pairing.offers
        self.access = Access([], None, lambda: self.now_s, self.pairing.clients.read)

    def offer(self, code=CODE, scopes=("read", "gpio"), lines=None, name="", for_s=None, **changed):
        """Have a code shown, as `rpio pair` does."""
        made = Offer(password(code), scopes, lines, name, for_s)
        for key, value in changed.items():
            setattr(made, key, value)
        self.offers.write(made)
        return made

    def talk(self, seen=SEEN, peer="192.0.2.9:5000"):
        """One who has connected."""
        return Talk(self, peer, seen)

    def until(self, is_so):
        """Have the loop run until then."""
        while not is_so():
            self.calls.get(timeout=LIMIT_S)()

    def state(self):
        """What has been counted: attempts, of which failures."""
        found = self.offers.read()
        return found.attempts, found.failures


class Talk:
    """A connection to a device: what it has said, and whether it has ended it."""

    def __init__(self, device, peer, seen):
        self.device, self.said, self.is_over, self.why = device, [], False, ""
        self.conversation = device.pairing.begin(peer, seen, self.said.append, self._end)

    def _end(self, why):
        self.is_over, self.why = True, why

    def ask(self, line):
        """Say a line; return what is answered, the end as well."""
        count = len(self.said)
        self.conversation.hear(line.rstrip(b"\n"))
        self.device.until(lambda: len(self.said) > count or self.is_over)
        return self.said[-1]

    def leave(self):
        """Go."""
        self.conversation.close()


class Client:
    """One who has a key of his own, and a code."""

    def __init__(self, folder, code=CODE, seen=SEEN, name="laptop"):
        self.name = name
        _, self.request = request(folder, name)
        self.side = wire.exchange(True, password(code), wire.digest(self.request), seen)
        self.keys = None

    @property
    def first(self):
        """His first line."""
        return wire.Begin(self.side.share, self.name, wire.digest(self.request)).line()

    def confirm(self, answer, request=None):
        """His second line, to that answer."""
        self.keys = self.side.finish(wire.read_reply(answer))
        return wire.confirm(self.keys.confirmation, self.request if request is None else request)

    def read(self, line):
        """What he is given."""
        mac, answer, sealed = wire.read_confirmed(line)
        assert (mac, sealed) == (self.keys.expected, wire.seal(self.keys, answer))
        return wire.Answer.read(answer)

    def pair(self, talk):
        """All of it."""
        return self.read(talk.ask(self.confirm(talk.ask(self.first))))


def refusal(line):
    """What a refusal says."""
    assert line.startswith(b"error NotAllowedError "), line
    return line.decode()
