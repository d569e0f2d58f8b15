# SPDX-License-Identifier: LGPL-3.0-or-later
"""SPAKE2 over P-256: two who know the same password find a key, and who listens or stands between them finds nothing.

Each sends a point, its *share*, in which the password hides a number of its own making; what they have in common
then depends on the password, on both shares and on who both are. One who has not the password may guess it once for
each exchange that somebody takes part in, and only while he does.

It is the suite P256-SHA256-HKDF-HMAC of RFC 9382. Python's numbers take longer the larger they are, so that who is on
the same machine, and measures many exchanges of one password, might learn of it; here a password is good for three.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    Point = tuple[int, int]
    Jacobian = tuple[int, int, int]

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
"""The curve y^2 = x^3 - 3x + B over the field of P, and its generator. Source: SEC 2, 2.4.2; FIPS 186-4, D.1.2.3."""
M = (
    0x886E2F97ACE46E55BA9DD7242579F2993B64E16EF3DCAB95AFD497333D8FA12F,
    0x5FF355163E43CE224E0B0E65FF02AC8E5C7BE09419C785E0CA547D55A12E2D20,
)
N = (
    0xD8BBD6C639C62937B04D997F38C3770719C629D7014D49A24B4F98BAA1292B49,
    0x07D60AA6BFADE45008A636337F5168C64D9BD36034808CD564490B1E656EDBE7,
)
"""Points whose logarithms nobody knows: the client's and the device's. Source: RFC 9382, 6 (there compressed)."""
COORDINATE, HALF = 32, 16
SHARE_BYTES = 1 + 2 * COORDINATE


class Exchange:
    """One side of an exchange. *w* is the password as a number; *client* and *device* say who both are, the same at
    both sides. *secret* is for the vectors of the RFC alone.
    """

    def __init__(self, is_client: bool, w: int, client: bytes, device: bytes, secret: int = 0) -> None:
        self._is_client, self._w, self._who = is_client, w % ORDER, (client, device)
        self._secret = secret or secrets.randbelow(ORDER - 1) + 1
        own, self._others = (M, N) if is_client else (N, M)
        blinded = _add(_multiply(self._w, own), _multiply(self._secret, G))
        self.share = encoded(_affine(blinded))
        """What the other side is to be told."""

    def finish(self, share: bytes) -> Keys:
        """Return what follows from the other side's share. Raises ValueError for what is none."""
        x, y = _multiply(self._w, self._others), decoded(share)
        common = _affine(_add((*y, 1), (x[0], -x[1] % P, x[2])))
        shared = encoded(_affine(_multiply(self._secret, common)))
        shares = (self.share, share) if self._is_client else (share, self.share)
        parts = (*self._who, *shares, shared, self._w.to_bytes(COORDINATE, "big"))
        return Keys(self._is_client, b"".join(len(part).to_bytes(8, "little") + part for part in parts))


class Keys:
    """What both sides have in common, if the password was the same: *key*, of 16 bytes. That it was is shown by
    *confirmation*, which the other side is sent, and by *expected*, which it has to send.
    """

    def __init__(self, is_client: bool, transcript: bytes) -> None:
        both = sha256(transcript).digest()
        self.key, self.confirming = both[:HALF], both[HALF:]
        keys = derived(self.confirming, b"ConfirmationKeys")
        macs = [hmac.digest(key, transcript, "sha256") for key in (keys[:HALF], keys[HALF:])]
        self.confirmation, self.expected = macs if is_client else macs[::-1]


def derived(key: bytes, info: bytes) -> bytes:
    """32 bytes for a purpose. Source: RFC 5869, HKDF with SHA-256 and without salt; one block of it."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


# -- points -------------------------------------------------------------------------------------


def encoded(point: Point) -> bytes:
    """A point as bytes. Source: SEC 1, 2.3.3, uncompressed."""
    return b"\x04" + b"".join(number.to_bytes(COORDINATE, "big") for number in point)


def decoded(data: bytes) -> Point:
    """The point of these bytes. Raises ValueError for what is none of the curve, and for the one at infinity."""
    x, y = (int.from_bytes(data[at : at + COORDINATE], "big") for at in (1, 1 + COORDINATE))
    if len(data) != SHARE_BYTES or data[0] != 4 or not (x < P and y < P and is_on_curve(x, y)):
        raise ValueError("that is no point of P-256")
    return x, y


def is_on_curve(x: int, y: int) -> bool:
    """Whether the curve has such a point."""
    return (y * y - x * x * x + 3 * x - B) % P == 0


def _affine(point: Jacobian) -> Point:
    """Raises ValueError for the point at infinity, which tells something of the password to who has chosen it."""
    x, y, z = point
    if z == 0:
        raise ValueError("that is the point at infinity")
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def _double(point: Jacobian) -> Jacobian:
    """Source: Hankerson, Menezes, Vanstone, Guide to Elliptic Curve Cryptography, 3.2.2, for a = -3."""
    x, y, z = point
    square = z * z % P
    m = 3 * (x - square) * (x + square) % P
    y_square = y * y % P
    s = 4 * x * y_square % P
    new_x = (m * m - 2 * s) % P
    return new_x, (m * (s - new_x) - 8 * y_square * y_square) % P, 2 * y * z % P


def _add(one: Jacobian, other: Jacobian) -> Jacobian:
    if one[2] == 0 or other[2] == 0:
        return other if one[2] == 0 else one
    (x1, y1, z1), (x2, y2, z2) = one, other
    square1, square2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * square2 % P, x2 * square1 % P
    s1, s2 = y1 * square2 * z2 % P, y2 * square1 * z1 % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if h == 0:
        return _double(one) if r == 0 else (1, 1, 0)
    h_square = h * h % P
    h_cube, v = h_square * h % P, u1 * h_square % P
    x = (r * r - h_cube - 2 * v) % P
    return x, (r * (v - x) - s1 * h_cube) % P, h * z1 * z2 % P


def _multiply(number: int, point: Point) -> Jacobian:
    """A point so many times; each bit takes the same steps."""
    low: Jacobian = (1, 1, 0)
    high: Jacobian = (*point, 1)
    for bit in range(ORDER.bit_length() - 1, -1, -1):
        if number >> bit & 1:
            low, high = _add(low, high), _double(high)
        else:
            low, high = _double(low), _add(low, high)
    return low
