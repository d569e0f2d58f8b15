# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device's side of a pairing: who knows the code that ``rpio pair`` shows is given a certificate.

An attempt is counted before anything is answered, in the file, so that neither many who come at once nor a daemon that
is started anew have more of them. One pairs at a time. What takes its time, SPAKE2 in Python and openssl, is done in a
thread; all else in the loop's.
"""

from __future__ import annotations

import ssl
from collections import deque
from time import monotonic, time

from ... import errors, log
from ...threads import start_new_thread
from ...wire import pairing as wire
from ...wire.same import is_same
from ..rights.tokens import clients_of
from .offers import GRACE_S, OfferFile, Reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...wire.spake2 import Keys
    from .authority import Authority
    from .offers import Offer

    Call = Callable[[], object]

FAILURES_MAX, FAILURES_S, FAILURES_KEPT = 2 * wire.ATTEMPTS_MAX, 60.0, 256
"""After so many in so long an address has no more attempts for a while: else it could use up each code at once."""
LONGEST_S = GRACE_S
"""So long may one take who pairs, where another one waits for that."""
NOTHING = (
    "there is no code there to pair with",
    "run `rpio pair` there, and type here the code that it shows, within two minutes",
)
WRONG = (
    "that is not the code, or somebody stands between the two machines",
    "type the code that `rpio pair` shows there now: after three attempts it is another one",
)
MANY = (
    "too many codes that were wrong have come from there",
    "try again in a minute, with the code that `rpio pair` shows there then",
)
BUSY = ("somebody else is being paired there just now", "try again in a few seconds")
FAILED = ("pairing has failed there, and `rpio pair` says there why", "try again")
ODD = ("that is not how pairing goes", "the same version of RPIO on both machines")


class Failures:
    """Whose attempts have failed of late."""

    def __init__(self) -> None:
        self._known: deque[tuple[float, str]] = deque(maxlen=FAILURES_KEPT)

    def add(self, address: str) -> None:
        """One of that address."""
        self._known.append((monotonic(), address))

    def count(self, address: str) -> int:
        """How many there were of it."""
        since_s = monotonic() - FAILURES_S
        known = self._known.copy()  # a thread may add one meanwhile
        return sum(1 for at_s, other in known if other == address and at_s > since_s)


class Pairing:
    """That of a folder of an *authority*. *soon* has something called in the loop's thread, from any other; *now_s* is
    the clock (Unix time).
    """

    def __init__(
        self,
        folder: str,
        authority: Authority,
        soon: Callable[[Call], object],
        now_s: Callable[[], float] = time,
    ) -> None:
        self.offers, self.clients, self.reached = (
            OfferFile(folder),
            clients_of(folder),
            Reached(folder),
        )
        self.authority, self.soon, self.now_s = authority, soon, now_s
        self.failures = Failures()
        self.current: Conversation | None = None
        """Who pairs just now."""

    def begin(
        self,
        peer: str,
        server_certificate_der: bytes,
        say: Callable[[bytes], object],
        end: Callable[[str], object],
    ) -> Conversation:
        """Begin with one who wants to be paired, who has seen that certificate in the handshake. *say* sends him
        something, *end* is called when it is over, with the reason where he is not paired; both in the loop's thread,
        where this is called, too.
        """
        return Conversation(self, peer, server_certificate_der, say, end)

    def is_reached_at(self, port: int) -> None:
        """Others reach it there, as `rpio pair` then knows. Raises OSError."""
        self.reached.open(port)

    def close(self) -> None:
        """Nobody can reach it any more. Twice is fine."""
        self.reached.close()


class Conversation:
    """One who pairs. All but what ends with ``_apart`` is the loop's thread."""

    def __init__(
        self,
        pairing: Pairing,
        peer: str,
        certificate: bytes,
        say: Callable[[bytes], object],
        end: Callable[[str], object],
    ) -> None:
        self._pairing, self.peer, self._certificate = pairing, peer, certificate
        self.address = peer.rpartition(":")[0]
        self._say, self._end = say, end
        self._expects = self._hear_begin  # the next line
        self._is_over = self._is_thinking = False
        self._began_s = 0.0
        self._digest = self._name = ""
        self._offer: Offer | None = None  # the one that an attempt is counted of, and is not over
        self._keys: Keys | None = None

    def hear(self, line: bytes) -> None:
        """A line of the other side's."""
        if self._is_over:
            return
        if self._is_thinking or len(line) > wire.LINE_MAX:
            self._refuse(ODD, "it says what nobody waits for")
            return
        try:
            self._expects(line)
        except (errors.ProtocolError, ValueError) as e:
            self._refuse((str(e), getattr(e, "hint", "") or ODD[1]), str(e))

    def close(self) -> None:
        """The other side has gone. Twice is fine."""
        if self._is_over:
            return
        self._is_over = True
        if self._pairing.current is self:
            self._pairing.current = None
        offer, self._offer = self._offer, None
        if offer is not None and not self._is_thinking:
            self._think(lambda: self._fail_apart(offer))

    # -- the first line --------------------------------------------------------------------------

    def _hear_begin(self, line: bytes) -> None:
        begun = wire.Begin.read(line)
        other = self._pairing.current
        if other is not None and monotonic() - other._began_s < LONGEST_S:
            self._refuse(BUSY, "another one is being paired")
            return
        if self._pairing.failures.count(self.address) >= FAILURES_MAX:
            self._refuse(MANY, "it has tried too many codes")
            return
        if other is not None:
            other._refuse(BUSY, "it takes too long")
        self._pairing.current, self._began_s = self, monotonic()
        self._digest, self._name = begun.digest, begun.name
        self._think(lambda: self._begin_apart(begun.share))

    def _begin_apart(self, share: bytes) -> Call:
        offer = self._pairing.offers.begin(self.peer)
        if offer is None:
            return lambda: self._refuse(NOTHING, "no code is shown")
        side = wire.exchange(False, offer.w, self._digest, self._certificate)
        try:
            keys = side.finish(share)
        except ValueError:
            self._fail_apart(offer)
            return lambda: self._refuse(ODD, "what it has sent is no point of the curve")
        return lambda: self._answer(offer, keys, side.share)

    def _answer(self, offer: Offer, keys: Keys, share: bytes) -> None:
        self._offer, self._keys = offer, keys
        if self._is_over:  # he has gone meanwhile
            self._think(lambda: self._fail_apart(offer))
            return
        self._expects = self._hear_confirm
        self._say(wire.reply(share))

    # -- the second ------------------------------------------------------------------------------

    def _hear_confirm(self, line: bytes) -> None:
        offer, keys = self._offer, self._keys
        assert offer is not None and keys is not None
        mac, request = wire.read_confirm(line)
        is_right = is_same(mac.hex(), keys.expected.hex())
        if not is_right or wire.digest(request) != self._digest:
            self._refuse(WRONG, "it has tried a code that is wrong")
            return
        self._offer = None
        self._think(lambda: self._give_apart(offer, keys, request))

    def _give_apart(self, offer: Offer, keys: Keys, request: bytes) -> Call:
        pairing = self._pairing
        if pairing.offers.claim(offer.key) is None:
            return lambda: self._refuse(NOTHING, "the code is not shown any more")
        try:
            name, answer = self._given(offer, request)
        except BaseException as e:
            pairing.offers.end(offer.key, problem=str(e))
            raise
        sealed = wire.seal(keys, answer)
        line = wire.confirmed(keys.confirmation, answer, sealed)
        return lambda: self._has_paired(name, line)

    def _given(self, offer: Offer, request: bytes) -> tuple[str, bytes]:
        """What the client is given, and by which name it is listed."""
        pairing, authority = self._pairing, self._pairing.authority
        now_s = pairing.now_s()
        until_s = None if offer.for_s is None else now_s + offer.for_s
        certificate = authority.sign(request, until_s)
        token = pairing.clients.add_digest(
            wire.digest(ssl.PEM_cert_to_DER_cert(certificate)),
            offer.scopes,
            offer.lines,
            wire.readable(offer.name or self._name) or "client",
            now_s,
            until_s,
            is_alone=True,
        )
        pairing.offers.end(offer.key, paired=token.name, id=token.id)
        names, addresses = authority.reached_by()
        made = wire.Answer(
            authority.text(), certificate, token.name, token.scopes, token.lines, names, addresses
        )
        return token.name, made.written()

    def _has_paired(self, name: str, line: bytes) -> None:
        log.info("%s is paired with this device, as %s", self.peer, name)
        if not self._is_over:
            self._say(line)
            self._finish("")

    # -- the end ---------------------------------------------------------------------------------

    def _refuse(self, told: tuple[str, str], why: str) -> None:
        """Say why not, and end; *why* is for the log."""
        if self._is_over:
            log.debug("- %s: %s", self.peer, why)
            return
        self._say(wire.refused(*told))
        self._finish(why)

    def _finish(self, why: str) -> None:
        self.close()
        self._end(why)

    def _fail_apart(self, offer: Offer) -> Call:
        self._pairing.failures.add(self.address)
        self._pairing.offers.fail(offer.key)
        return _nothing

    # -- threads ---------------------------------------------------------------------------------

    def _think(self, work: Callable[[], Call]) -> None:
        """Do something in a thread, and what that returns in the loop's."""
        self._is_thinking = True
        try:
            start_new_thread(self._thought, (work,))
        except RuntimeError as e:  # there are too many
            text = str(e)
            self._go_on(lambda: self._refuse(FAILED, text))

    def _thought(self, work: Callable[[], Call]) -> None:
        try:
            then = work()
        except Exception as e:  # of whatever kind: the other side is told that it is over, and the log why
            text = str(e) or type(e).__name__
            then = lambda: self._refuse(FAILED, text)  # noqa: E731
        self._pairing.soon(lambda: self._go_on(then))

    def _go_on(self, then: Call) -> None:
        self._is_thinking = False
        then()


def _nothing() -> None:
    return None
