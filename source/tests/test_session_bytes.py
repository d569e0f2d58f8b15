# SPDX-License-Identifier: LGPL-3.0-or-later
"""Any bytes at all, said to a session: they are answered or end the talk, and do no harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remote_parts import Peer, World, worlds
from RPIO import log
from RPIO.board.declared import NOBODY
from RPIO.wire.native import Answer, told
from RPIO.wire.operations import OPERATIONS
from support import EMULATED

WORDS = (
    "0",
    "1",
    "4",
    "17",
    "53",
    "54",
    "both",
    "up",
    "out",
    "high",
    "?",
    "-",
    "-1",
    "1e3",
    '"a b"',
    '"',
    "#5",
    "yes",
)
REQUESTS = st.builds(
    lambda name, words, id: (
        " ".join([name, *words, *([f"#{id}"] if id is not None else [])]).encode() + b"\n"
    ),
    st.sampled_from([*OPERATIONS, "nonsense", ""]),
    st.lists(st.sampled_from(WORDS), max_size=4),
    st.none() | st.integers(0, 1 << 70),
)
GIVEN = st.lists(REQUESTS | REQUESTS | REQUESTS | st.binary(max_size=20), max_size=12).map(b"".join)


@given(GIVEN, st.booleans())
@settings(max_examples=30 if EMULATED else 250)
@pytest.mark.slow
def test_any_bytes_are_answered_or_end_the_talk(data, is_whole):
    faults = []
    with worlds() as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "callback_failed", faults.append)
        peer = Peer(world.sessions)
        answers = []
        for piece in [data] if is_whole else [bytes([byte]) for byte in data]:
            answers += peer.feed(piece)
        found = [told(line.encode()) for line in answers]  # which raises for what no client understands
        assert all(type(answer) is Answer for answer in found)
        refused = [answer for answer in found if answer.error == "ProtocolError"]
        assert len(refused) == (1 if found and found[-1] in refused else 0)
        assert peer.talk.is_over or not refused
        if peer.talk.is_over:
            assert peer.feed(b"output 27 1\nping\n") == []
        peer.talk.end()
        world.wait(4000)
        assert set(world.board.safety.owners.values()) <= {NOBODY}
        assert world.come().ask("output 17 1") == "ok"
        assert world.sessions.due_ns() is None
    assert faults == []


@given(GIVEN)
@settings(max_examples=20 if EMULATED else 100)
@pytest.mark.slow
def test_pieces_do_not_matter(data):
    heard = []
    for size in (len(data) or 1, 1, 7):
        with worlds() as world:
            peer = Peer(world.sessions)
            answers = [
                answer for at in range(0, len(data), size) for answer in peer.feed(data[at : at + size])
            ]
            name = peer.talk.session.name
            heard.append([answer.replace(name, "NAME") if name else answer for answer in answers])
            levels = [world.sim.read(line) for line in range(54)]
            heard[-1].append(str(levels))
    assert heard[0] == heard[1] == heard[2]


def test_a_line_of_any_length_is_refused_once(board, sim):
    world = World(board, sim)
    peer = world.come()
    assert peer.ask("ping") == "ok"
    refusal = peer.talk.refuse_long(100)
    assert refusal.startswith(b"error ProtocolError ")
    assert peer.feed(b"output 17 1\n") == []
