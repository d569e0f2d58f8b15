# SPDX-License-Identifier: LGPL-3.0-or-later
"""What words for addresses mean. Which of them other machines reach says wire/fronts."""

from __future__ import annotations

import os

from ... import threads

ANY = "any"
"""The word for every address."""


def every(address: str) -> str:
    """The address that a word means: any is all of them, by IPv6 too where there is that."""
    if address != ANY:
        return address
    return "::" if os.path.exists("/proc/net/if_inet6") else "0.0.0.0"


def check_is_address(text: str) -> None:
    """Raise ValueError for what is neither an address nor a word for one: names may lead anywhere."""
    threads.load("ipaddress")
    from ipaddress import ip_address

    if text in ("localhost", ANY):
        return
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address: 127.0.0.1 is for this machine alone, {ANY!r} for all, by TLS"
        ) from None
