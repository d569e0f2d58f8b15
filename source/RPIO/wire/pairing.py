# SPDX-License-Identifier: LGPL-3.0-or-later
"""How a client is paired: the code, the lines that are said over TLS, and what both sides derive of it.

::

    C  pair 1 <share> <name> <SHA-256 of the request>
    S  pair <share>
    C  confirm <mac> <request>
    S  confirmed <mac> <answer> <mac of the answer>

Shares and MACs are those of SPAKE2 (wire/spake2), whose password is the code. Who both are, to it, is the SHA-256 of
the client's request for a certificate, and that of the certificate that the device shows in the TLS handshake, as each
side has seen it: who stands between them, with TLS to both, has shown the client another one. The request (PKCS #10,
DER) brings the client's public key; its private one stays where it is. The answer is JSON. All bytes are in base64.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64decode, b64encode
from hashlib import scrypt, sha256

from .. import errors
from . import spake2
from .native import joined, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAIR, CONFIRM, CONFIRMED, ERROR, VERSION = "pair", "confirm", "confirmed", "error", "1"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Source: Douglas Crockford, Base 32: no I, L, O and U."""
READ_AS = {"O": "0", "I": "1", "L": "1"}
CODE_LENGTH, GROUP = 8, 4
ATTEMPTS_MAX = 3
"""So often may one code be guessed: each guess is right once in 32 ** 8."""
VALID_S = 120.0
CONTEXT = b"RPIO pairing 1"
SCRYPT_N, SCRYPT_R = 1 << 14, 8
"""16 MB, and a twentieth of a second: for who would compute all codes beforehand. Source: RFC 7914; RFC 9382, 3.2."""
NAME_MAX = 64
LINE_MAX = 4096
"""Of a line of the client's."""
ANSWER_MAX = 1 << 16
"""Of one of the device's."""
TEXT_MAX = 500


# -- the code -----------------------------------------------------------------------------------


def new_code() -> str:
    """A code that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def shown(code: str) -> str:
    """A code as people read it."""
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))


def read_code(text: str) -> str:
    """The code that somebody has typed: small letters, O for 0, I and L for 1, blanks and hyphens are fine.

    Raises ValueError.
    """
    typed = "".join(text.replace("-", " ").split()).upper()
    code = "".join(READ_AS.get(letter, letter) for letter in typed)
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        raise ValueError(f"a code has {CODE_LENGTH} letters and digits, such as 7K3M-9QXT")
    return code


def password(code: str) -> int:
    """What SPAKE2 takes for the code."""
    made = scrypt(code.encode(), salt=CONTEXT, n=SCRYPT_N, r=SCRYPT_R, p=1, dklen=40)
    return int.from_bytes(made, "big") % (spake2.ORDER - 1) + 1


# -- who they are -------------------------------------------------------------------------------


def exchange(is_client: bool, w: int, request_digest: str, certificate: bytes) -> spake2.Exchange:
    """One side of it. The digest is that of the client's request; the certificate the device's (DER)."""
    client, device = f"rpio client {request_digest}", f"rpio device {digest(certificate)}"
    return spake2.Exchange(is_client, w, client.encode(), device.encode())


def digest(data: bytes) -> str:
    """The SHA-256, in 64 digits."""
    return sha256(data).hexdigest()


def seal(keys: spake2.Keys, answer: bytes) -> bytes:
    """The MAC of an answer."""
    return hmac.digest(spake2.derived(keys.key, b"RPIO answer"), answer, "sha256")


def readable(text: str, most: int = NAME_MAX) -> str:
    """What the other side calls itself, or says, for a terminal and a list: without what moves a cursor."""
    kept = "".join(letter if letter.isprintable() else "?" for letter in text[:most])
    return " ".join(kept.split())


# -- lines --------------------------------------------------------------------------------------


class Begin:
    """The first line, of the client. *digest* is that of its request."""

    __slots__ = ("digest", "name", "share")

    def __init__(self, share: bytes, name: str, digest: str) -> None:
        self.share, self.name, self.digest = share, name, digest

    def line(self) -> bytes:
        """As it is sent."""
        return joined([PAIR, VERSION, _text(self.share), readable(self.name), self.digest])

    @classmethod
    def read(cls, line: bytes) -> Begin:
        """Raises ProtocolError."""
        match _words(line):
            case [word, version, share, name, digest] if word == PAIR:
                if version != VERSION:
                    text = f"pairing goes otherwise here: version {VERSION}"
                    raise errors.ProtocolError(text, hint="the same version of RPIO on both machines")
                if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                    raise errors.ProtocolError("that is no digest")
                return cls(_bytes(share), readable(name), digest)
        raise errors.ProtocolError("that is not how pairing begins")


def reply(share: bytes) -> bytes:
    """The second line, of the device."""
    return joined([PAIR, _text(share)])


def read_reply(line: bytes) -> bytes:
    """Its share. Raises NotAllowedError where it refuses, ProtocolError."""
    match _answer(line):
        case [word, share] if word == PAIR:
            return _bytes(share)
    raise errors.ProtocolError("what answers there does not pair")


def confirm(mac: bytes, request: bytes) -> bytes:
    """The third line, of the client."""
    return joined([CONFIRM, _text(mac), _text(request)])


def read_confirm(line: bytes) -> tuple[bytes, bytes]:
    """Its MAC, and its request. Raises ProtocolError."""
    match _words(line):
        case [word, mac, request] if word == CONFIRM:
            return _bytes(mac), _bytes(request)
    raise errors.ProtocolError("that is not how pairing goes on")


def confirmed(mac: bytes, answer: bytes, sealed: bytes) -> bytes:
    """The fourth line, of the device."""
    return joined([CONFIRMED, _text(mac), _text(answer), _text(sealed)])


def read_confirmed(line: bytes) -> tuple[bytes, bytes, bytes]:
    """The device's MAC, its answer and the MAC of that. Raises NotAllowedError where it refuses, ProtocolError."""
    match _answer(line):
        case [word, mac, answer, sealed] if word == CONFIRMED:
            return _bytes(mac), _bytes(answer), _bytes(sealed)
    raise errors.ProtocolError("what answers there does not pair")


def refused(text: str, hint: str = "") -> bytes:
    """The line that ends it, of the device."""
    return joined([ERROR, "NotAllowedError", text, *([hint] if hint else [])])


class Answer:
    """What the client is given: certificates (PEM), what they allow, what the device goes by, and how it calls the
    client.
    """

    __slots__ = ("addresses", "authority", "certificate", "lines", "name", "names", "scopes")

    def __init__(
        self,
        authority: str,
        certificate: str,
        name: str,
        scopes: Sequence[str],
        lines: Sequence[int] | None,
        names: Sequence[str],
        addresses: Sequence[str],
    ) -> None:
        self.authority, self.certificate, self.name = authority, certificate, name
        self.scopes, self.names, self.addresses = tuple(scopes), tuple(names), tuple(addresses)
        self.lines = None if lines is None else tuple(lines)

    def written(self) -> bytes:
        """As JSON."""
        return json.dumps({key: getattr(self, key) for key in self.__slots__}).encode()

    @classmethod
    def read(cls, data: bytes) -> Answer:
        """Raises ProtocolError."""
        try:
            found = json.loads(data)
            made = cls(**{key: found[key] for key in cls.__slots__})
        except (ValueError, KeyError, TypeError) as e:
            raise errors.ProtocolError("what the device has answered is no answer of pairing") from e
        texts = (made.authority, made.certificate, made.name, *made.scopes, *made.names, *made.addresses)
        if not all(isinstance(text, str) for text in texts) or not all(
            type(line) is int for line in made.lines or ()
        ):
            raise errors.ProtocolError("what the device has answered is no answer of pairing")
        return made


def _answer(line: bytes) -> list[str]:
    """The words of a line of the device's. Raises NotAllowedError for one that refuses."""
    match _words(line):
        case [word, _, text, *hint] if word == ERROR and len(hint) <= 2:
            said = readable(text, TEXT_MAX)
            raise errors.NotAllowedError(said, hint=readable(hint[0], TEXT_MAX) if hint else "")
        case words:
            return words


def _words(line: bytes) -> list[str]:
    try:
        return split(line.decode())
    except UnicodeDecodeError as e:
        raise errors.ProtocolError("a line that is not UTF-8") from e


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as e:
        raise errors.ProtocolError("that is no base64") from e
