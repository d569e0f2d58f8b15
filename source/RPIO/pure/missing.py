# SPDX-License-Identifier: LGPL-3.0-or-later
"""What only the C module has: it can be imported and named here, and says what is missing when it is used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .. import errors

HOW = "pip install --force-reinstall --no-binary RPIO CHECKOUT, on Linux, with a compiler"
"""CHECKOUT, since the name on the index is another one's still."""


def error(what: str) -> errors.NoBackendError:
    """The error of who asks for that."""
    from .. import errors

    return errors.NoBackendError(
        f"this RPIO has no C module: {what} is missing; simulated boards and those of other machines work ({HOW})"
    )


class Missing:
    """A class or a function that is missing: calling it raises NoBackendError."""

    __slots__ = ("__name__", "_what")

    def __init__(self, name: str, what: str) -> None:
        self.__name__, self._what = name, what

    def __call__(self, *args: object, **keywords: object) -> NoReturn:
        raise error(self._what)

    def __repr__(self) -> str:
        return f"<{self.__name__}: missing without the C module>"
