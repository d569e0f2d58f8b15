# SPDX-License-Identifier: LGPL-3.0-or-later
"""The event decoder. Invariant: for any bytes it returns a count or an error, and reads and writes within bounds."""

import errno
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c.core import core

RECORD = struct.Struct("=QIIII24x")  # timestamp_ns, id, offset, seqno, line_seqno, padding
U32 = st.integers(0, 2**32 - 1)
EVENT = st.tuples(st.integers(0, 2**64 - 1), st.sampled_from([1, 2]), U32, U32, U32)


def decode(data, room=64):
    """Decode from a buffer of exactly that size, into one of exactly that room: sanitizers see one byte more."""
    module = core()
    source = module.ffi.new("unsigned char[]", len(data))
    source[0 : len(data)] = data
    out = module.ffi.new("struct rpio_event[]", room)
    count = module.lib.rpio_event_decode(source, len(data), out, room)
    return count if count < 0 else [(e.timestamp_ns, e.line, e.value, e.seq) for e in out[0:count]]


@given(st.lists(EVENT, max_size=70))
@pytest.mark.slow
def test_records_come_back_as_events(records):
    data = b"".join(RECORD.pack(*record) for record in records)
    assert decode(data) == [(ns, line, int(kind == 1), seq) for ns, kind, line, _, seq in records][:64]


@given(st.binary(max_size=48 * 5), st.integers(0, 6))
def test_any_bytes_give_a_count_or_an_error(data, room):
    result = decode(data, room)
    if len(data) % 48:
        assert result == -errno.EBADMSG
    elif isinstance(result, int):
        assert result == -errno.EPROTO
    else:
        assert len(result) == min(len(data) // 48, room)


@pytest.mark.parametrize("kind", [0, 3, 2**32 - 1])
def test_what_is_no_edge_is_an_error(kind):
    assert decode(RECORD.pack(1, kind, 2, 3, 4)) == -errno.EPROTO


@given(EVENT)
def test_encode_is_the_reverse(record):
    module = core()
    ns, kind, line, _, seq = record
    event = module.ffi.new(
        "struct rpio_event *", {"timestamp_ns": ns, "line": line, "value": kind == 1, "seq": seq}
    )
    data = module.ffi.new("unsigned char[48]")
    module.lib.rpio_event_encode(event, data)
    assert decode(bytes(data)) == [(ns, line, int(kind == 1), seq)]
    assert RECORD.unpack(bytes(data)) == (ns, kind, line, seq, seq)


def test_reading_takes_a_batch_at_most_and_nothing_is_no_error():
    module = core()
    reader, writer = os.pipe2(os.O_NONBLOCK)
    out = module.ffi.new("struct rpio_event[64]")
    assert module.lib.rpio_event_read(reader, out) == 0
    os.write(writer, b"".join(RECORD.pack(n, 1, 5, n, n) for n in range(100)))
    assert [module.lib.rpio_event_read(reader, out) for _ in range(3)] == [64, 36, 0]
    assert module.lib.rpio_event_read(-1, out) == -errno.EBADF
    os.close(writer)
    assert module.lib.rpio_event_read(reader, out) == 0
    os.close(reader)
