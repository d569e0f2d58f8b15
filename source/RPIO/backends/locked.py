# SPDX-License-Identifier: LGPL-3.0-or-later
"""For backends that hold descriptors: one thread at a time."""

from __future__ import annotations

import functools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")


def locked(method: Callable[P, T]) -> Callable[P, T]:
    """Hold the object's `_lock`: a descriptor must not be closed, and its number used again, between look and use."""

    @functools.wraps(method)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        with arguments[0]._lock:  # type: ignore[attr-defined]
            return method(*arguments, **keywords)

    return call
