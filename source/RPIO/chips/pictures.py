# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pictures of two colours, rows of bits, as text and as PNG."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HALVES = (" ", "▀", "▄", "█")
"""By the upper and the lower bit."""


def as_text(rows: Sequence[Sequence[int]], marks: str = ".#") -> str:
    """A character for each bit."""
    return "\n".join("".join(marks[bit] for bit in row) for row in rows)


def as_blocks(rows: Sequence[Sequence[int]]) -> str:
    """A character for each two bits, one above the other, for a terminal."""
    rows = [*rows, [0] * len(rows[0])] if len(rows) % 2 else rows
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        "".join(HALVES[upper | lower << 1] for upper, lower in zip(*pair, strict=True)) for pair in pairs
    )


def as_png(rows: Sequence[Sequence[int]], scale: int = 1) -> bytes:
    """A PNG, white on black, each bit a square of *scale* pixels. Source: W3C, PNG (third edition), 11 and 13.9."""
    from zlib import compress

    if not 1 <= scale <= 64:
        raise ValueError(f"scale is 1 to 64, not {scale}")
    width, height = len(rows[0]) * scale, len(rows) * scale
    lines = []
    for row in rows:
        number = int("".join(str(bit) * scale for bit in row), 2) << -width % 8
        lines += [b"\0" + number.to_bytes(-(-width // 8), "big")] * scale  # 0: no filter
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])  # 1 bit, greyscale
    chunks = ((b"IHDR", header), (b"IDAT", compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    from zlib import crc32

    return len(data).to_bytes(4, "big") + kind + data + crc32(kind + data).to_bytes(4, "big")
