# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pair`` on the device: a code, how long it is good, and who has come by it."""

from __future__ import annotations

import os
import sys
import time

from .. import errors
from ..server.outside.authority import Authority
from ..server.outside.offers import GRACE_S, Offer, OfferFile, Reached, now_s
from ..wire import pairing as wire
from . import revoking, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CODES_MAX = 30
"""So many are shown, one after the other: an hour of them, where nobody comes."""
LOOK_S = 0.2
PORT = 8510


class Offering:
    """Codes, until somebody has come. *folder* is that of the authority."""

    def __init__(
        self,
        folder: str,
        scopes: Sequence[str],
        lines: Sequence[int] | None,
        name: str,
        for_s: float | None,
        is_json: bool,
    ) -> None:
        self._offers, self._reached = OfferFile(folder), Reached(folder)
        self._scopes, self._lines, self._name, self._for_s = scopes, lines, name, for_s
        self._folder, self._is_json = folder, is_json
        self._is_screen = not is_json and sys.stdout.isatty()
        self._shown_s = -1
        self._is_told = False  # that there is no picture

    def run(self) -> None:
        """Show them. Raises GPIOError where nobody could come, or nobody has; OSError."""
        with verb.ended_in_order():  # a code that nobody sees any more is none
            self._offer()

    def _offer(self) -> None:
        for _ in range(CODES_MAX):
            code = wire.new_code()
            offer = Offer(
                wire.password(code), self._scopes, self._lines, self._name, self._for_s, wire.VALID_S
            )
            port = self._port()
            self._offers.write(offer)
            try:
                self._show(code, port)
                if self._watch(offer):
                    return
            finally:
                self._offers.remove(offer.key)
        raise errors.GPIOError("nobody has come to be paired", hint="rpio pair shows codes again")

    def _port(self) -> int:
        found = self._reached.port()
        if found is None:
            user = "sudo rpio pair, since the daemon here is that of the system; else "
            user = user if revoking.is_systems() else ""
            raise errors.GPIOError(
                f"no daemon with its files in {os.path.dirname(self._folder)} is open to other machines, so nobody can "
                "come to be paired",
                hint=f"{user}rpio serve --address any; on the other machine it is: rpio pair HOST",
            )
        return found

    def _show(self, code: str, port: int) -> None:
        names, addresses = Authority(self._folder).reached_by()
        known = [name for name in names if name.endswith(".local")] or names
        ways = [*known[:1], *addresses[:2]] or ["HOST"]
        if self._is_json:
            verb.print_json(
                {
                    "code": wire.shown(code),
                    "valid_s": wire.VALID_S,
                    "port": port,
                    "hosts": [*names, *addresses],
                }
            )
        elif not self._is_screen:
            print(f"code: {wire.shown(code)}")
        else:
            host = self._at(ways[0], port)
            print(f"on the other machine:  rpio pair {host}")
            if ways[1:]:
                print(f"or, by its address:    rpio pair {self._at(ways[1], port)}")
            print(f"and there, the code:   {wire.shown(code)}\n")
            if not _draw(f"rpio pair {host} --code {wire.shown(code)}") and not self._is_told:
                self._is_told = True
                verb.note("as a picture too, a QR code, with: pip install 'RPIO[qr]'")
        sys.stdout.flush()

    @staticmethod
    def _at(host: str, port: int) -> str:
        named = f"[{host}]" if ":" in host and port != PORT else host
        return named if port == PORT else f"{named}:{port}"

    def _watch(self, offer: Offer) -> bool:
        """Wait for somebody; whether he has come. False: it is time for another code."""
        failures, is_told = 0, False
        while True:
            if not is_told and self._reached.port() is None:
                is_told = True
                self._clear()
                verb.note(
                    "the daemon has ended: nobody can come until it runs again (rpio serve --address any)"
                )
            found = self._offers.read()
            if found is None or found.key != offer.key:
                raise errors.GPIOError(
                    "another `rpio pair` shows a code now, which took the place of this one",
                    hint="one at a time; rpio pair --list shows who has come",
                )
            if found.paired:
                self._say_paired(found)
                return True
            if found.problem:
                self._clear()
                raise errors.GPIOError(
                    f"{wire.readable(found.peer)} knew the code, but: {found.problem}",
                    hint="see what the daemon says",
                )
            if found.failures > failures:
                failures = found.failures
                self._clear()
                verb.note(
                    f"{wire.readable(found.peer)} has failed: {failures} of {wire.ATTEMPTS_MAX} attempts"
                )
            if self._is_over(found):
                self._clear()
                self._say("that code is over; here is the next one")
                return False
            self._count_down(found.left_s)
            time.sleep(LOOK_S)  # the daemon writes what happens into that file, and a person waits for it

    @staticmethod
    def _is_over(found: Offer) -> bool:
        """Whether nobody can end by this code any more."""
        if found.failures >= wire.ATTEMPTS_MAX:
            return True
        late_s = now_s() - found.until_s
        return late_s > (GRACE_S if found.is_tried else 0.0)

    def _say_paired(self, found: Offer) -> None:
        self._clear()
        if self._is_json:
            verb.print_json({"paired": found.paired, "id": found.id, "peer": found.peer})
        else:
            print(f"paired: {found.paired}")
        verb.note(f"from {wire.readable(found.peer)}; it ends with: rpio pair --revoke {found.paired}")

    def _say(self, text: str) -> None:
        if not self._is_json:
            verb.note(text)

    def _count_down(self, left_s: float) -> None:
        if self._is_screen and round(left_s) != self._shown_s:
            self._shown_s = round(left_s)
            print(f"\rgood for {self._shown_s:3} s still; Ctrl+C ends it ", end="", flush=True)

    def _clear(self) -> None:
        if self._is_screen:
            print(f"\r{'':40}\r", end="", flush=True)


def _draw(text: str) -> bool:
    """Draw a QR code of it, where the terminal can show one. False: for want of the package segno it is not drawn."""
    if not verb.is_utf8(sys.stdout):
        return True
    try:
        import segno
    except ImportError:
        return False
    segno.make_qr(text, error="l").terminal(sys.stdout, border=2, compact=True)
    return True
