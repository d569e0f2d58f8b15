# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's protocol as the original goes about it, written from its description: runs on Python 2.7 and 3.

One recv(4096) is a message, one connection a request. It writes the few tags that the original writes.
"""

import socket
import struct

NUMBERS = {1: "b", 2: "h", 3: "i", 4: "q", 5: "B", 6: "H", 7: "I", 8: "Q", 9: "?", 12: "f", 13: "d"}
TEXT = str
INT = int
LONG = type(1 << 80)
SIZE_MAX = 4096


def encode(value):
    if value is None:
        return b"\x00"
    if isinstance(value, bool):
        return struct.pack(">B?", 9, value)
    if type(value) is INT:
        return struct.pack(">Bi", 3, value)
    if type(value) is LONG:
        return struct.pack(">Bq", 4, value)
    if isinstance(value, float):
        return struct.pack(">Bf", 12, value)
    if isinstance(value, TEXT):
        data = value if isinstance(value, bytes) else value.encode("latin-1")
        return struct.pack(">BH", 10, len(data)) + data
    if isinstance(value, dict):
        pairs = [encode(key) + encode(item) for key, item in value.items()]
        return struct.pack(">BH", 0x67, len(pairs)) + b"".join(pairs)
    items = [encode(item) for item in value]
    return struct.pack(">BH", 0x65 if isinstance(value, tuple) else 0x66, len(items)) + b"".join(items)


def handle(number):
    return struct.pack(">BH", 6, number)


def decode(data, at):
    """Return a value and where the next one begins."""
    tag = ord(data[at : at + 1])
    at += 1
    if tag == 0:
        return None, at
    if tag in NUMBERS:
        layout = struct.Struct(">" + NUMBERS[tag])
        return layout.unpack_from(data, at)[0], at + layout.size
    (count,) = struct.unpack_from(">H", data, at)
    at += 2
    if tag == 10:
        text = data[at : at + count]
        if len(text) != count:
            raise ValueError("a text that is cut off")
        return (text if TEXT is bytes else text.decode("latin-1")), at + count
    items = []
    for _ in range(count * 2 if tag == 0x67 else count):
        item, at = decode(data, at)
        items.append(item)
    if tag == 0x67:
        return dict(zip(items[::2], items[1::2])), at
    return (tuple(items) if tag == 0x65 else items), at


def decode_all(data):
    """Return the kind of a message and its values."""
    values, at = [], 1
    while at < len(data):
        value, at = decode(data, at)
        values.append(value)
    return ord(data[:1]), values


def ask(address, data):
    """Send a request, return what one receive delivers."""
    made = socket.create_connection(address, 30)
    try:
        made.sendall(data)
        return made.recv(SIZE_MAX)
    finally:
        made.close()


def listen(host, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(10)
    return listener
