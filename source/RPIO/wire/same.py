# SPDX-License-Identifier: LGPL-3.0-or-later
"""Whether two secrets are the same: the one place where they are compared."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest


def is_same(a: str, b: str) -> bool:
    """Whether they are, in a time that tells nothing of where they differ, nor of how long they are."""
    one, other = (sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (a, b))
    return compare_digest(one, other)
