# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pictures and keys of a running program: its sockets, and what comes through them whole, in pieces, and not at all."""

import os
import socket
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import _gpio, errors
from RPIO.loop.dispatcher import Dispatcher
from RPIO.loop.soon import Soon
from RPIO.programs import streams
from RPIO.programs.sockets import PAYLOAD_MAX, Messages
from RPIO.programs.streams import Streams
from waiting import wait_until

PGID = 4711


class World:
    """Streams of a program in a folder, and what they have told."""

    def __init__(self, folder):
        self.folder = folder
        self.loop = Dispatcher(_gpio.Poller(), lambda edge: None)
        self.pictures, self.keys = [], []
        self.soon = Soon(self.loop)
        self.streams = Streams(
            str(folder), PGID, self.loop, self.pictures.append, self.keys.append, self.soon.after
        )
        self.peers = []

    def pump(self, done):
        """Run the loop until something has come true."""
        assert wait_until(lambda: self.loop.step(0.001) < 0 or done())

    def settle(self):
        """Run the loop until it has nothing to do."""
        while self.loop.step(0):
            pass

    def path(self, name):
        return self.folder / f"{PGID}.{name}.sock"

    def connect(self, name):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(self.path(name)))
        self.peers.append(peer)
        return peer

    def listen(self):
        """The program's own socket."""
        peer = socket.socket(socket.AF_UNIX)
        peer.bind(str(self.path("keyevent")))
        peer.listen(1)
        peer.settimeout(10)
        self.peers.append(peer)
        return peer

    def close(self):
        self.streams.close()
        self.soon.close()
        for peer in self.peers:
            peer.close()
        self.loop.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def opened(world):
    world.streams.open()
    return world


# -- messages ------------------------------------------------------------------------------------------


def test_a_message_ends_with_a_blank_the_word_and_a_blank():
    messages = Messages("video")
    assert messages.feed(b"QUJD endvideo REVG endvideo R0") == [b"QUJD", b"REVG"]
    assert messages.feed(b"hJ endvideo ") == [b"R0hJ"]


TEXTS = st.lists(
    st.text("abe dnvio", max_size=12).map(lambda text: " ".join(text.split())).filter(bool), max_size=6
).map(lambda texts: [text.encode() for text in texts if "endvideo" not in text.split(" ")])


@given(TEXTS, st.data())
@pytest.mark.slow
def test_a_terminator_that_is_cut_anywhere_is_one(texts, data):
    stream = b"".join(text + b" endvideo " for text in texts)
    messages, found = Messages("video"), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += messages.feed(stream[:size])
        stream = stream[size:]
    assert found == texts


def test_every_cut_of_two_messages_gives_both():
    stream = b"QUJD endvideo REVG endvideo "
    for cut in range(len(stream)):
        messages = Messages("video")
        assert messages.feed(stream[:cut]) + messages.feed(stream[cut:]) == [b"QUJD", b"REVG"]


def test_the_last_one_needs_no_blank_when_nothing_follows():
    messages = Messages("video")
    assert messages.feed(b"QUJD endvideo") == []
    assert messages.close() == [b"QUJD"]
    assert Messages("video").close() == []


def test_a_blank_is_a_key_and_no_picture():
    assert Messages("keylisten").feed(b"  endkeylisten ") == [b" "]
    assert Messages("video").feed(b"  endvideo  endvideo endvideo ") == []


def test_what_is_too_long_is_left_out_and_the_next_one_comes():
    messages = Messages("video", 100)
    assert messages.feed(b"A" * 100 + b" endvideo ") == [b"A" * 100]
    assert messages.feed(b"A" * 101 + b" endvideo B endvideo ") == [b"B"]
    for size in range(90, 130):  # wherever its end is cut
        assert messages.feed(b"A" * 200) == []
        assert messages.feed(b"A" * size + b" endv") == []
        assert messages.feed(b"ideo B endvideo ") == [b"B"]
    assert messages.lost == 41
    for _ in range(1000):
        messages.feed(b"A" * 1000)
    assert len(messages._left) < 200


# -- sockets -------------------------------------------------------------------------------------------


def test_the_sockets_are_the_users_alone_and_go_with_it(opened):
    for name in ("video", "keylisten"):
        found = opened.path(name).stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert found.st_uid == os.geteuid()
    opened.listen().close()  # as a program that was killed
    opened.streams.close()
    opened.streams.close()
    assert list(opened.folder.iterdir()) == []


def test_pictures_are_handed_on_as_they_come(opened):
    peer = opened.connect("video")
    peer.sendall(b"QUJD endvideo \xff\xfe== endvideo ")
    opened.pump(lambda: len(opened.pictures) == 2)
    assert opened.pictures == [b"QUJD", b"\xff\xfe=="]


def test_a_large_picture_comes_whole_and_one_too_large_does_not(opened, caplog):
    peer = opened.connect("video")
    peer.setblocking(False)
    for size in (PAYLOAD_MAX, PAYLOAD_MAX + 1, 3):
        left = memoryview(b"A" * size + b" endvideo ")
        while left:
            try:
                left = left[peer.send(left) :]
            except BlockingIOError:
                opened.loop.step(0)
    opened.pump(lambda: len(opened.pictures) == 2)
    assert [len(picture) for picture in opened.pictures] == [PAYLOAD_MAX, 3]
    assert [record.getMessage() for record in caplog.records] == [
        f"{opened.path('video')}: a message of more than {PAYLOAD_MAX} bytes is left out"
    ]


def test_several_connections_do_not_mix(opened):
    peers = [opened.connect("video") for _ in range(3)]
    for number, peer in enumerate(peers):
        peer.sendall(b"%d" % number * 3)
    opened.settle()
    for peer in peers:
        peer.sendall(b"x endvideo ")
    opened.pump(lambda: len(opened.pictures) == 3)
    assert sorted(opened.pictures) == [b"000x", b"111x", b"222x"]


def test_one_that_has_shown_and_gone_is_heard(opened):
    for number in range(50):
        opened.connect("video").sendall(b"%d endvideo " % number)
        opened.peers.pop().close()
        opened.pump(lambda number=number: len(opened.pictures) == number + 1)
    assert opened.pictures == [b"%d" % number for number in range(50)]


def test_too_many_connections_are_closed_and_room_comes_back(opened):
    first = [opened.connect("video") for _ in range(streams.CONNECTIONS_MAX)]
    opened.settle()
    more = opened.connect("video")
    more.settimeout(10)
    opened.settle()
    assert more.recv(1) == b""
    first[0].close()
    opened.settle()
    opened.connect("video").sendall(b"QQ== endvideo ")
    opened.pump(lambda: opened.pictures == [b"QQ=="])


def test_a_key_is_listened_for(opened):
    opened.connect("keylisten").sendall("ArrowUp endkeylisten ä endkeylisten   endkeylisten ".encode())
    opened.pump(lambda: len(opened.keys) == 3)
    assert opened.keys == ["ArrowUp", "ä", " "]


@pytest.mark.parametrize("key", [b"x" * 101, b"a\0b", b"x" * 100_000])
def test_what_is_no_key_is_none(opened, key):
    opened.connect("keylisten").sendall(key + b" endkeylisten a endkeylisten ")
    opened.pump(lambda: opened.keys)
    assert opened.keys == ["a"]


def test_the_program_is_told_of_keys_in_their_order(opened):
    listener = opened.listen()
    assert opened.streams.send_key("ArrowUp", "keydown")
    assert opened.streams.send_key("ArrowUp", "keyup")
    peer, _ = listener.accept()
    opened.peers.append(peer)
    want = b"ArrowUp keydown endkeyevent ArrowUp keyup endkeyevent "
    got = b""
    while len(got) < len(want):
        got += peer.recv(100)
    assert got == want


def test_a_key_that_nobody_listens_for_is_not_kept(opened):
    assert not opened.streams.send_key("a", "keydown")
    listener = opened.listen()
    assert opened.streams.send_key("b", "keydown")
    peer, _ = listener.accept()
    opened.peers.append(peer)
    assert peer.recv(100) == b"b keydown endkeyevent "


def test_one_who_says_so_a_moment_before_he_listens_is_waited_for(opened):
    opened.connect("keylisten").sendall(b"a endkeylisten ")
    opened.pump(lambda: opened.keys)
    assert opened.streams.send_key("a", "keydown")
    assert opened.streams.send_key("a", "keyup")
    listener = opened.listen()
    listener.setblocking(False)
    found = []

    def has_come():
        try:
            found.append(listener.accept()[0])
        except BlockingIOError:
            pass
        return bool(found)

    opened.pump(has_come)
    opened.peers += found
    found[0].settimeout(10)
    assert found[0].recv(100) == b"a keydown endkeyevent a keyup endkeyevent "
    opened.settle()


def test_one_who_never_listens_is_given_up(opened, monkeypatch):
    monkeypatch.setattr(streams, "RETRY_S", 0.001)
    opened.connect("keylisten").sendall(b"a endkeylisten ")
    opened.pump(lambda: opened.keys)
    assert opened.streams.send_key("a", "keydown")
    opened.pump(lambda: opened.streams._keys._timer is None)
    assert not opened.streams._keys._unsent


def test_a_program_that_takes_no_keys_costs_a_bounded_number_of_them(opened):
    opened.listen()
    taken = 0
    while opened.streams.send_key("ArrowUp", "keydown"):
        taken += 1
        assert taken < 100_000
    assert taken > 100
    opened.settle()


def test_keys_come_on_when_the_program_takes_them_again(opened):
    listener = opened.listen()
    taken = 0
    while opened.streams.send_key("a", "keydown"):
        taken += 1
    peer, _ = listener.accept()
    opened.peers.append(peer)
    peer.setblocking(False)
    got = bytearray()

    def all_came():
        try:
            got.extend(peer.recv(1 << 16))
        except BlockingIOError:
            pass
        return len(got) == taken * len("a keydown endkeyevent ")

    opened.pump(all_came)
    assert opened.streams.send_key("a", "keyup")


def test_a_program_that_listens_anew_hears_the_next_key(opened):
    first = opened.listen()
    assert opened.streams.send_key("a", "keydown")
    first.accept()[0].close()
    first.close()
    opened.path("keyevent").unlink()
    second = opened.listen()
    assert opened.streams.send_key("b", "keydown")
    peer, _ = second.accept()
    opened.peers.append(peer)
    assert peer.recv(100) == b"b keydown endkeyevent "


def test_what_was_sent_before_the_end_is_handed_on(opened):
    opened.connect("video").sendall(b"Zg== endvideo ")
    opened.settle()
    opened.peers[-1].sendall(b"QQ== endvideo Qg== endvideo ")
    opened.connect("video").sendall(b"Qw== endvideo")
    opened.peers.pop().close()
    opened.connect("keylisten").sendall(b"a endkeylisten ")
    opened.streams.close()
    assert opened.pictures == [b"Zg==", b"QQ==", b"Qg==", b"Qw=="]
    assert opened.keys == ["a"]


def test_who_goes_on_sending_does_not_keep_it_from_its_end(opened, monkeypatch):
    monkeypatch.setattr(streams, "DRAINED_MAX", 1000)
    peer = opened.connect("video")
    peer.setblocking(False)
    sent = []
    opened.streams._channels[0]._hand_on = lambda picture: sent.append(peer.send(b"QQ== endvideo "))
    peer.send(b"QQ== endvideo ")
    opened.streams.close()
    assert 10 < len(sent) < 100


def test_it_can_be_paused(opened):
    opened.connect("video").sendall(b"QQ== endvideo ")
    opened.pump(lambda: opened.pictures)
    opened.streams.pause()
    opened.peers[-1].sendall(b"Qg== endvideo ")
    opened.connect("video").sendall(b"Qw== endvideo ")
    assert opened.loop.step(0) == 0
    opened.streams.resume()
    opened.pump(lambda: len(opened.pictures) == 3)
    assert sorted(opened.pictures) == [b"QQ==", b"Qg==", b"Qw=="]


def test_a_socket_that_a_program_of_the_same_number_has_left_is_replaced(world):
    old = socket.socket(socket.AF_UNIX)
    old.bind(str(world.path("video")))
    old.close()
    world.streams.open()
    world.connect("video").sendall(b"QQ== endvideo ")
    world.pump(lambda: world.pictures)


def test_what_is_no_socket_is_left_alone(world):
    world.path("keylisten").write_text("mine")
    with pytest.raises(OSError, match=r"File exists: .*keylisten\.sock"):
        world.streams.open()
    assert [path.name for path in world.folder.iterdir()] == [f"{PGID}.keylisten.sock"]
    assert world.path("keylisten").read_text() == "mine"
    assert not world.streams.is_open


def test_a_file_in_the_place_of_the_programs_socket_is_not_written_to(opened):
    opened.path("keyevent").write_text("mine")
    assert not opened.streams.send_key("a", "keydown")
    opened.streams.close()
    assert opened.path("keyevent").read_text() == "mine"


def test_a_path_too_long_for_a_socket_is_said(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    world = World(folder)
    try:
        with pytest.raises(errors.NotSupportedError, match="too long for a socket") as caught:
            world.streams.open()
        assert "FURTHER_LINK_TEMP_DIR" in caught.value.hint
    finally:
        world.close()


def test_nothing_is_left_in_the_loop(opened):
    for name in ("video", "keylisten"):
        opened.connect(name)
    opened.listen()
    opened.streams.send_key("a", "keydown")
    opened.settle()
    opened.close()
    assert not opened.loop.has_handlers
