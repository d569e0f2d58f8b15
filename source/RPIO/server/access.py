# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may what: scopes, and tokens that give some of them. The one place that decides; each front end asks here.

A connection begins with the scopes that are open where it comes in. A token adds those that it was made for. What is
kept of a token is its digest: who reads the file can show none.
"""

from __future__ import annotations

import json
from hashlib import sha256
from hmac import compare_digest

from .. import errors
from ..wire.kinds import Repeated
from ..wire.terms import ANY, GPIO, I2C, LINE, MASK, READ, SCOPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..wire.native import Request
    from ..wire.rows import Operation

OPEN_HERE = (READ, GPIO, I2C)
"""What is open to who connects from this machine, where nothing else is configured."""


class Token:
    """One token: *until_s* is in seconds of the clock (Unix time), None for ever; *lines* None for all."""

    __slots__ = ("digest", "id", "lines", "made_s", "name", "scopes", "until_s")

    def __init__(
        self,
        id: str,
        digest: str,
        scopes: tuple[str, ...],
        lines: tuple[int, ...] | None,
        name: str,
        made_s: float,
        until_s: float | None,
    ) -> None:
        self.id, self.digest, self.scopes, self.lines = id, digest, scopes, lines
        self.name, self.made_s, self.until_s = name, made_s, until_s

    @classmethod
    def read(cls, line: str) -> Token:
        """Read a line of the file. Raises ValueError."""
        found = json.loads(line)
        if not isinstance(found, dict) or sorted(found) != sorted(cls.__slots__):
            raise ValueError("it is no token")
        token = cls(**found)
        token.scopes = tuple(token.scopes)
        token.lines = None if token.lines is None else tuple(token.lines)
        is_sound = (
            all(isinstance(text, str) for text in (token.id, token.digest, token.name))
            and set(token.scopes) <= set(SCOPES)
            and all(type(line) is int for line in token.lines or ())
            and isinstance(token.made_s, (int, float))
            and isinstance(token.until_s, (int, float, type(None)))
        )
        if not is_sound:
            raise ValueError("it is no token")
        return token

    def written(self) -> str:
        """The line of the file."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


class Rights:
    """Scopes, each with the lines that it is for; None for all of them."""

    __slots__ = ("scopes",)

    def __init__(self, scopes: Mapping[str, frozenset[int] | None]) -> None:
        self.scopes = dict(scopes)

    @classmethod
    def open(cls, scopes: Iterable[str]) -> Rights:
        """Those of who shows no token: for all lines."""
        return cls(dict.fromkeys(scopes))

    def plus(self, token: Token) -> Rights:
        """These, and what a token gives. It is for some lines; they may be read by who may read at all."""
        scopes = dict(self.scopes)
        for scope in token.scopes:
            lines = None if token.lines is None or scope != GPIO else frozenset(token.lines)
            if scope not in scopes:
                scopes[scope] = lines
            elif lines is None or scopes[scope] is None:
                scopes[scope] = None
            else:
                scopes[scope] = (scopes[scope] or frozenset()) | lines
        return Rights(scopes)

    def check(self, request: Request) -> None:
        """Raise NotAllowedError for what is not allowed."""
        operation = request.operation
        scope = operation.scope
        if scope == ANY:
            return
        self.check_scope(operation.name, scope)
        if self.scopes[scope] is not None:
            self.check_lines(operation.name, scope, lines_of(operation, request.values))

    def check_lines(self, name: str, scope: str, wanted: set[int]) -> None:
        """Raise NotAllowedError where what has that name is of lines that the scope, which is there, is not for."""
        lines = self.scopes[scope]
        others = sorted(wanted - lines) if lines is not None else []
        if lines is not None and others:
            names = ", ".join(map(str, others[:10]))
            text = f"{name} of GPIO {names}: this session has {scope!r} for {_listed(lines)} alone"
            raise errors.NotAllowedError(text, hint=HINT % scope)

    def check_scope(self, name: str, scope: str) -> None:
        """Raise NotAllowedError where what has that name needs a scope that is missing."""
        if scope not in self.scopes:
            raise errors.NotAllowedError(
                f"{name} needs the scope {scope!r}; this session has {self or 'none'}",
                hint=HINT % scope,
            )

    def __str__(self) -> str:
        return ", ".join(
            scope if lines is None else f"{scope} ({_listed(lines)})" for scope, lines in self.scopes.items()
        )

    def __bool__(self) -> bool:
        return bool(self.scopes)


HINT = "`rpio token new --scope %s` there makes a token for it, and RPIO_TOKEN_FILE names the file that has it here"


def _listed(lines: Iterable[int]) -> str:
    return ",".join(map(str, sorted(lines)))


def lines_of(operation: Operation, values: Sequence[object]) -> set[int]:
    """The lines that a request names."""
    found: set[int] = set()
    for argument, value in zip(operation.arguments, values, strict=False):
        kind = argument.kind
        if kind is LINE:
            found.add(value)  # type: ignore[arg-type]
        elif kind is MASK:
            found.update(line for line in range(64) if value >> line & 1)  # type: ignore[operator]
        elif isinstance(kind, Repeated) and LINE in kind.kinds:
            at, is_alone = kind.kinds.index(LINE), len(kind.kinds) == 1
            found.update(item if is_alone else item[at] for item in value)  # type: ignore[attr-defined]
    return found


def digest_of(text: str) -> str:
    """What is kept of a token."""
    return sha256(text.encode()).hexdigest()


class Access:
    """What is open, and the tokens that there are. *tokens* reads them; without it there are none."""

    def __init__(
        self,
        open_scopes: Iterable[str] = OPEN_HERE,
        tokens: Callable[[], list[Token]] | None = None,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self.rights = Rights.open(open_scopes)
        self._tokens, self._now_s = tokens, now_s

    def valid(self) -> list[Token]:
        """The tokens that are not over. Raises OSError, ValueError where their file cannot be read."""
        if self._tokens is None:
            return []
        now_s = self._now_s() if self._now_s is not None else 0.0
        return [token for token in self._tokens() if token.until_s is None or token.until_s > now_s]

    def left_s(self, token: Token) -> float | None:
        """For how long a token is one still; None for ever."""
        now_s = self._now_s() if self._now_s is not None else 0.0
        return None if token.until_s is None else max(0.0, token.until_s - now_s)

    def show(self, text: str) -> Token | None:
        """Return the token that somebody shows; None where there are none at all: what is open is open to him too, who
        has it for a daemon. Raises NotAllowedError.
        """
        if self._tokens is None:
            return None
        shown, found = digest_of(text), None
        for token in self.valid():
            if compare_digest(token.digest, shown):
                found = token
        if found is None:
            raise errors.NotAllowedError(
                "there is no such token here: it was revoked, its time is over, or it was made for another machine",
                hint="`rpio token list` there shows those that there are, `rpio token new` makes one",
            )
        return found
