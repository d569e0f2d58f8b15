# SPDX-License-Identifier: LGPL-3.0-or-later
"""A board that counts: its functions, whose parts are loaded with the first counter."""

from __future__ import annotations

from .. import constants, threads
from ..lazy_names import Later
from .parts import Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import counters

if not TYPE_CHECKING:
    counters = Later("RPIO.board.counters")  # for who asks typing.get_type_hints()


class Counting(Parts):
    """What counts edges, and steps of encoders."""

    def counter(
        self,
        channel: int,
        edge: str | int = constants.RISING,
        pull_up_down: int | str | None = None,
        filter_us: int = 0,
        debounce_timeout_ms: float | None = None,
        window_s: float = 1.0,
    ) -> counters.Counter:
        """As RPIO.counter()."""
        threads.load("RPIO.board.counters")
        from .counters import begin_counter

        return begin_counter(self, channel, edge, pull_up_down, filter_us, debounce_timeout_ms, window_s)

    def encoder(
        self,
        a: int,
        b: int,
        pull_up_down: int | str | None = None,
        filter_us: int = 0,
        window_s: float = 1.0,
    ) -> counters.Encoder:
        """As RPIO.encoder()."""
        threads.load("RPIO.board.counters")
        from .counters import begin_encoder

        return begin_encoder(self, a, b, pull_up_down, filter_us, window_s)
