# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may what: scopes, and tokens that give some of them. The one place that decides; each front end asks here.

A connection begins with the scopes that are open where it comes in. A token adds those that it was made for. What is
kept of a token is its digest: who reads the file can show none.
"""

from __future__ import annotations

import json
from hashlib import sha256

from ... import errors, log
from ...wire.kinds import Repeated
from ...wire.same import is_same
from ...wire.terms import ANY, GPIO, I2C, LINE, MASK, READ, SCOPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...wire.native import Request
    from ...wire.rows import Operation

OPEN_HERE = (READ, GPIO, I2C)
"""What is open to who connects from this machine, where nothing else is configured."""


CLOSED = "nobody can be let in there just now; its log says why"
"""All that those are told of what is wrong here who are not known."""


class UnknownError(errors.NotAllowedError):
    """What was shown is on no list: the one thing that who is not known is told of those."""


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
            raise errors.NotAllowedError(text, hint=HINT.format(scope=scope))

    def check_scope(self, name: str, scope: str) -> None:
        """Raise NotAllowedError where what has that name needs a scope that is missing."""
        if scope not in self.scopes:
            raise errors.NotAllowedError(
                f"{name} needs the scope {scope!r}; this session has {self or 'none'}",
                hint=HINT.format(scope=scope),
            )

    def __str__(self) -> str:
        return ", ".join(
            scope if lines is None else f"{scope} ({_listed(lines)})" for scope, lines in self.scopes.items()
        )

    def __bool__(self) -> bool:
        return bool(self.scopes)


HINT = (
    "`rpio token new --scope {scope}` there makes a token for it, and RPIO_TOKEN_FILE names the file that has it here; "
    "`rpio pair --scope {scope}` there pairs for it"
)


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
    """What is open on this machine, and what is shown for more. *tokens* reads the tokens that there are, *clients* the
    certificates, which are tokens whose digest is that of a certificate; without both there are none. *now_s* is the
    clock (Unix time).
    """

    def __init__(
        self,
        open_scopes: Iterable[str] = OPEN_HERE,
        tokens: Callable[[], list[Token]] | None = None,
        now_s: Callable[[], float] | None = None,
        clients: Callable[[], list[Token]] | None = None,
    ) -> None:
        self.rights = Rights.open(open_scopes)
        self._tokens, self._clients, self._now_s = tokens, clients, now_s
        self._log = log.Sparing()
        self.made: dict[str, Token] = {}
        """Those that are in no file: by their ids. Who has made one takes it away."""

    def valid(self) -> list[Token]:
        """All that are not over. Raises OSError, ValueError where a file cannot be read."""
        return [*self._valid_tokens(), *self._valid_clients()]

    def _valid_tokens(self) -> list[Token]:
        return self._still([*self._tokens(), *self.made.values()]) if self._tokens is not None else []

    def _valid_clients(self) -> list[Token]:
        return self._still(self._clients()) if self._clients is not None else []

    def _still(self, found: Iterable[Token]) -> list[Token]:
        """Those that are not over. One that ends and was made later than now is none: the clock has been set back, and
        nobody knows whether it is over.
        """
        now_s = self._now_s() if self._now_s is not None else 0.0
        return [
            token
            for token in found
            if token.until_s is None or (token.until_s > now_s and token.made_s <= now_s + CLOCKS_S)
        ]

    def left_s(self, token: Token) -> float | None:
        """For how long a token is one still; None for ever."""
        now_s = self._now_s() if self._now_s is not None else 0.0
        return None if token.until_s is None else max(0.0, token.until_s - now_s)

    def show(self, text: str) -> Token | None:
        """Return the token that somebody shows; None where there are none at all: what is open is open to him too, who
        has it for a daemon. Raises NotAllowedError; OSError and ValueError where the file cannot be read.
        """
        if self._tokens is None:
            return None
        found = _found(self._valid_tokens(), digest_of(text))
        if found is None:
            raise UnknownError(
                "there is no such token here: it was revoked, its time is over, or it was made for another machine",
                hint="`rpio token list` there shows those that there are, `rpio token new` makes one",
            )
        return found

    def show_certificate(self, der: bytes) -> Token:
        """Return what a client's certificate (DER) gives; that it is his, TLS has seen. Raises as show()."""
        found = _found(self._valid_clients(), sha256(der).hexdigest())
        if found is None:
            raise UnknownError(
                "this machine is not paired with that one any more: it was unpaired there, or its time is over",
                hint="`rpio pair --list` there shows who is; pair anew: `rpio pair` there, and `rpio pair HOST` here",
            )
        return found

    def told_outside(self, error: Exception) -> errors.NotAllowedError:
        """What one who is not known is told of an error of show() or show_certificate(): no path of a file."""
        if isinstance(error, UnknownError):
            return error
        self._log.warning("lists", "nobody can be let in: %s", error)
        return errors.NotAllowedError(CLOSED, hint="`journalctl -u rpio` there shows it")


CLOCKS_S = 60.0
"""So far may the clock be behind that by which a token was made."""


def _found(tokens: Iterable[Token], digest: str) -> Token | None:
    """The one of that digest. All of them are looked at."""
    same = [token for token in tokens if is_same(token.digest, digest)]
    return same[-1] if same else None
