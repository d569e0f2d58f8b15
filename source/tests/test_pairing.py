# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device's side of a pairing: who is given a certificate; what guessing, replaying, racing and waiting bring."""

import json
import os
import ssl
import stat
import threading
from hashlib import sha256

import pytest

from pairing_parts import CODE, SEEN, WRONG, Client, Device, password, refusal
from RPIO import errors
from RPIO.server.outside import offers, pairing
from RPIO.server.outside.offers import Offer, OfferFile, Reached
from RPIO.server.rights.tokens import TokenFile
from RPIO.wire import pairing as wire


@pytest.fixture
def device(tmp_path):
    """One that shows nothing as yet."""
    return Device(tmp_path / "tls")


def rows(device):
    return device.pairing.clients.read()


# -- what it is for -------------------------------------------------------------------------------


def test_who_knows_the_code_is_given_a_certificate(device, tmp_path):
    device.offer(scopes=["read", "gpio"], lines=[17, 18])
    client, talk = Client(tmp_path), device.talk()
    found = client.pair(talk)
    assert talk.is_over
    assert (found.name, found.scopes, found.lines) == ("laptop", ("read", "gpio"), (17, 18))
    assert found.authority == device.authority.text()
    der = ssl.PEM_cert_to_DER_cert(found.certificate)
    (row,) = rows(device)
    assert row.digest == sha256(der).hexdigest() and row.made_s == device.now_s and row.until_s is None
    assert device.access.show_certificate(der).name == "laptop"
    shown = device.offers.read()
    assert (shown.paired, shown.id, shown.w, shown.peer) == ("laptop", row.id, 0, "192.0.2.9:5000")
    names, addresses = device.authority.reached_by()
    assert found.names == tuple(names) and found.addresses == tuple(addresses)
    assert "localhost" not in found.names and "127.0.0.1" not in found.addresses


def test_for_a_time_alone(device, tmp_path):
    device.offer(for_s=3600.0)
    found = Client(tmp_path).pair(device.talk())
    der = ssl.PEM_cert_to_DER_cert(found.certificate)
    assert device.access.show_certificate(der).until_s == device.now_s + 3600
    device.now_s += 3601
    with pytest.raises(errors.NotAllowedError):
        device.access.show_certificate(der)


def test_a_clock_that_is_set_back_gives_no_time(device, tmp_path):
    device.offer(for_s=3600.0)
    der = ssl.PEM_cert_to_DER_cert(Client(tmp_path).pair(device.talk()).certificate)
    device.now_s -= 365 * 86400
    with pytest.raises(errors.NotAllowedError):
        device.access.show_certificate(der)


def test_who_is_revoked_is_not_known_any_more(device, tmp_path):
    device.offer()
    der = ssl.PEM_cert_to_DER_cert(Client(tmp_path).pair(device.talk()).certificate)
    assert device.pairing.clients.revoke(["laptop"]) == []
    with pytest.raises(errors.NotAllowedError, match="not paired with that one any more"):
        device.access.show_certificate(der)


@pytest.mark.slow
def test_names_are_of_one_each(device, tmp_path):
    for _ in range(3):
        device.offer()
        Client(tmp_path).pair(device.talk())
    device.offer(name="mine")
    assert Client(tmp_path).pair(device.talk()).name == "mine"
    assert [row.name for row in rows(device)] == ["laptop", "laptop-2", "laptop-3", "mine"]


@pytest.mark.parametrize(
    ("said", "listed"), [("\x1b[2J\x07", "?[2J?"), ("x" * 1000, "x" * 64), ("  ", "client"), ("", "client")]
)
def test_a_name_that_moves_the_cursor_is_listed_without(device, tmp_path, said, listed):
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    digest = wire.digest(client.request)
    line = b"pair 1 %s %s %s" % (
        wire._text(client.side.share).encode(),
        json.dumps(said[:100]).encode(),
        digest.encode(),
    )
    assert client.read(talk.ask(client.confirm(talk.ask(line)))).name == listed
    assert [row.name for row in rows(device)] == [listed]


# -- who does not ---------------------------------------------------------------------------------


def test_a_wrong_code_is_good_for_three_attempts_and_the_right_one_comes_too_late(device, tmp_path):
    device.offer()
    for attempt in range(1, 4):
        client, talk = Client(tmp_path, WRONG), device.talk()
        answer = talk.ask(client.first)
        assert device.state()[0] == attempt  # before anything is answered
        assert "that is not the code" in refusal(talk.ask(client.confirm(answer)))
        device.until(lambda attempt=attempt: device.state() == (attempt, attempt))
    talk = device.talk()
    assert "there is no code there" in refusal(talk.ask(Client(tmp_path).first))
    assert talk.is_over and rows(device) == [] and device.state() == (3, 3)


def test_a_code_is_good_once(device, tmp_path):
    device.offer()
    Client(tmp_path).pair(device.talk())
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))
    assert len(rows(device)) == 1


def test_what_was_heard_is_not_good_again(device, tmp_path):
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    first = client.first
    second = client.confirm(talk.ask(first))
    client.read(talk.ask(second))
    device.offer()  # the same code, as may happen
    replayed = device.talk()
    answer = replayed.ask(first)
    assert wire.read_reply(answer) != wire.read_reply(talk.said[0])
    assert "that is not the code" in refusal(replayed.ask(second))
    assert len(rows(device)) == 1


def test_a_request_that_was_exchanged_is_not_signed(device, tmp_path):
    device.offer()
    client, talk, other = Client(tmp_path), device.talk(), Client(tmp_path, name="other")
    line = client.confirm(talk.ask(client.first), other.request)
    assert "that is not the code" in refusal(talk.ask(line))
    assert rows(device) == []


def test_another_certificate_in_the_handshake_is_another_exchange(device, tmp_path):
    device.offer()
    client, talk = Client(tmp_path, seen=b"that of who stands between"), device.talk(SEEN)
    assert "somebody stands between" in refusal(talk.ask(client.confirm(talk.ask(client.first))))
    assert rows(device) == []


def test_who_answers_without_the_code_cannot_confirm_and_learns_one_guess(tmp_path):
    client = Client(tmp_path)
    evil = wire.exchange(False, password(WRONG), wire.digest(client.request), SEEN)
    client.confirm(wire.reply(evil.share))
    keys = evil.finish(client.side.share)
    assert keys.expected != client.keys.confirmation and keys.confirmation != client.keys.expected


def test_nothing_that_was_said_tells_the_code(device, tmp_path):
    """Who has heard all of it, and tries a code afterwards, has nothing to compare: the secrets are gone."""
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    heard = [client.first, talk.ask(client.first)]
    heard.append(client.confirm(heard[1]))
    heard.append(talk.ask(heard[2]))
    mine, theirs = wire.Begin.read(heard[0]).share, wire.read_reply(heard[1])
    mac = wire.read_confirm(heard[2])[0]
    for code in (CODE, WRONG):  # the right one makes no difference to him
        guess = wire.exchange(True, password(code), wire.digest(client.request), SEEN)
        assert guess.share != mine
        assert guess.finish(theirs).confirmation != mac
    text = b"".join(heard)
    assert CODE.encode() not in text and str(password(CODE)).encode() not in text


# -- races, and time ------------------------------------------------------------------------------


def test_one_pairs_at_a_time_and_the_other_has_lost_nothing(device, tmp_path):
    device.offer()
    one, other = Client(tmp_path, name="one"), Client(tmp_path, name="other")
    first, second = device.talk(), device.talk(peer="192.0.2.10:5000")
    answer = first.ask(one.first)
    assert "somebody else is being paired" in refusal(second.ask(other.first))
    assert device.state() == (1, 0)
    assert one.read(first.ask(one.confirm(answer))).name == "one"


def test_two_who_race_with_the_code_are_one(device, tmp_path):
    device.offer()
    others = Device(device.folder)  # another daemon with the same files
    clients = [Client(tmp_path, name=name) for name in ("one", "other")]
    talks = [device.talk(), others.talk()]
    lines = [client.confirm(talk.ask(client.first)) for client, talk in zip(clients, talks, strict=True)]
    answers = [talk.ask(line) for talk, line in zip(talks, lines, strict=True)]
    assert [line.split()[0] for line in answers] == [b"confirmed", b"error"]
    assert len(rows(device)) == 1


def test_many_who_come_at_once_have_three_attempts_together(device, tmp_path):
    device.offer()
    client = Client(tmp_path, WRONG)
    done = []

    def come():
        other = Device(device.folder)
        done.append(other.talk().ask(client.first))

    threads = [threading.Thread(target=come) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.split()[0] for line in done) == [b"error"] * 7 + [b"pair"] * 3
    assert device.state()[0] == 3


def test_who_goes_away_has_had_his_attempt(device, tmp_path):
    device.offer()
    talk = device.talk()
    talk.ask(Client(tmp_path).first)
    talk.leave()
    talk.leave()
    device.until(lambda: device.state() == (1, 1))
    assert device.pairing.current is None


def test_who_goes_away_while_it_is_computed_has_had_it_too(device, tmp_path):
    device.offer()
    talk = device.talk()
    talk.conversation.hear(Client(tmp_path).first)
    talk.leave()
    device.until(lambda: device.state() == (1, 1))
    assert talk.said == [] and device.pairing.current is None


def test_one_who_is_silent_makes_room_for_the_next_one(device, tmp_path, monkeypatch):
    device.offer()
    silent, talk = device.talk(), device.talk()
    silent.ask(Client(tmp_path).first)
    monkeypatch.setattr(pairing, "LONGEST_S", 0.0)
    assert Client(tmp_path, name="next").pair(talk).name == "next"
    assert silent.is_over and "somebody else" in refusal(silent.said[-1])


def test_a_code_that_is_over_is_none(device, tmp_path):
    device.offer(until_s=offers.now_s() - 0.001)
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))
    assert device.state() == (0, 0)


@pytest.mark.parametrize("back_s", [365 * 86400, -365 * 86400])
def test_the_clock_is_of_no_account_to_a_code(device, tmp_path, back_s):
    made = device.offer(until_s=offers.now_s() - 0.001)
    device.now_s -= back_s
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))
    device.offer()
    assert Client(tmp_path).pair(device.talk()).name == "laptop"
    assert made.left_s == 0.0


def test_a_code_from_before_the_machine_was_started_is_none(device, tmp_path):
    device.offer(boot="another one")
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))


def test_a_code_that_was_made_for_longer_is_none(device, tmp_path):
    device.offer(until_s=offers.now_s() + 10 * wire.VALID_S)  # as in a file from a machine that ran longer
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))


@pytest.mark.parametrize("late_s", [1.0, offers.GRACE_S + 1])
def test_who_has_begun_in_time_may_end_shortly_after_it(device, tmp_path, late_s):
    made = device.offer()
    client, talk = Client(tmp_path), device.talk()
    line = client.confirm(talk.ask(client.first))
    found = device.offers.read()
    found.until_s = offers.now_s() - late_s
    device.offers.write(found)
    assert made.key == found.key
    answer = talk.ask(line)
    assert answer.split()[0] == (b"confirmed" if late_s < offers.GRACE_S else b"error")
    assert len(rows(device)) == (late_s < offers.GRACE_S)


def test_a_code_that_was_replaced_is_none(device, tmp_path):
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    line = client.confirm(talk.ask(client.first))
    device.offer()
    assert "there is no code there" in refusal(talk.ask(line))
    assert rows(device) == [] and device.state() == (0, 0)


def test_without_a_file_there_is_no_code(device, tmp_path):
    assert "there is no code there" in refusal(device.talk().ask(Client(tmp_path).first))
    assert not os.path.exists(device.folder)


@pytest.mark.slow
def test_who_has_failed_often_uses_up_no_more_codes(device, tmp_path, monkeypatch):
    for _ in range(2):
        device.offer()
        for attempt in range(3):
            client, talk = Client(tmp_path, WRONG), device.talk()
            refusal(talk.ask(client.confirm(talk.ask(client.first))))
            assert talk.why == "it has tried a code that is wrong"
            device.until(lambda attempt=attempt: device.state()[1] == attempt + 1)
    device.offer()
    assert "too many codes that were wrong" in refusal(device.talk().ask(Client(tmp_path).first))
    assert device.state() == (0, 0)
    assert (
        Client(tmp_path).pair(device.talk(peer="192.0.2.10:5000")).name == "laptop"
    )  # who comes from elsewhere
    device.offer()
    monkeypatch.setattr(pairing, "FAILURES_S", 0.0)  # a minute later
    assert Client(tmp_path).pair(device.talk()).name == "laptop-2"


# -- what is no pairing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"pair",
        b"pair 1",
        b"pair 2 AAAA me " + b"0" * 64,
        b"pair 1 AAAA me " + b"0" * 63,
        b"\xff\xfe",
        b"x" * (wire.LINE_MAX + 1),
        b'pair 1 "',
    ],
)
def test_what_is_none_costs_nothing(device, line):
    device.offer()
    talk = device.talk()
    refusal(talk.ask(line))
    assert talk.is_over and device.state() == (0, 0) and device.pairing.current is None


@pytest.mark.parametrize("share", [b"", bytes(65), b"\x04" + bytes(64), b"\x00"])
def test_a_share_that_is_none_has_been_an_attempt(device, share):
    device.offer()
    talk = device.talk()
    refusal(talk.ask(wire.Begin(share, "me", "0" * 64).line()))
    assert talk.is_over and device.state() == (1, 1)


@pytest.mark.parametrize("line", [b"", b"confirm", b"confirm AAAA !", b"pair", b"\xff", b"x" * 5000])
def test_what_does_not_go_on_is_an_attempt(device, tmp_path, line):
    device.offer()
    talk = device.talk()
    talk.ask(Client(tmp_path).first)
    refusal(talk.ask(line))
    device.until(lambda: device.state() == (1, 1))
    assert talk.is_over


def test_who_does_not_wait_for_the_answer_is_heard_no_more(device, tmp_path):
    device.offer()
    talk, client = device.talk(), Client(tmp_path)
    talk.conversation.hear(client.first)
    refusal(talk.ask(client.first))
    device.until(lambda: device.state() == (1, 1))
    talk.conversation.hear(client.first)
    assert len(talk.said) == 1


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_file_that_is_half_written_pairs_nobody(device, tmp_path, text):
    device.offer()
    with open(device.offers.path, "w", encoding="utf-8") as file:
        file.write(text)
    assert "pairing has failed there" in refusal(device.talk().ask(Client(tmp_path).first))
    with pytest.raises(errors.ConfigError, match=r"is no pairing of RPIO's") as e:
        device.offers.read()
    assert e.value.hint == f"rm {device.offers.path}; rpio pair writes it anew"


@pytest.mark.parametrize("key", ["scopes", "lines", "w", "until_s", "attempts", "name"])
def test_a_file_of_something_else_is_none(device, key):
    found = json.loads(device.offer().written())
    for wrong in ({**found, key: {"a": 1}}, {name: found[name] for name in found if name != key}):
        with pytest.raises(ValueError, match="no pairing"):
            Offer.read(json.dumps(wrong))


def test_a_file_that_others_may_read_pairs_nobody(device, tmp_path):
    device.offer()
    assert stat.S_IMODE(os.stat(device.offers.path).st_mode) == 0o600
    os.chmod(device.offers.path, 0o644)
    assert "pairing has failed there" in refusal(device.talk().ask(Client(tmp_path).first))
    assert rows(device) == []


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("ca.key", lambda path: os.chmod(path, 0o644)),
        ("ca.key", lambda path: os.truncate(path, 50)),
        ("ca.pem", lambda path: os.truncate(path, 50)),
        ("ca.key", os.unlink),
        ("clients", lambda path: os.chmod(path, 0o666)),
        ("clients", lambda path: os.truncate(path, 20)),
    ],
)
def test_an_authority_that_signs_nothing_is_told_to_who_shows_the_code(device, tmp_path, name, break_it):
    device.authority.make()
    TokenFile(f"{device.folder}/clients").add_digest("0" * 64, ["read"], None, "old", 0.0, None)
    break_it(f"{device.folder}/{name}")
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    line = talk.ask(client.confirm(talk.ask(client.first)))
    assert "pairing has failed there" in refusal(line) and device.folder not in line.decode()
    assert name in device.offers.read().problem and not device.offers.read().paired


def test_a_request_that_openssl_refuses_is_told_to_who_shows_the_code(device, tmp_path):
    device.offer()
    client, talk = Client(tmp_path), device.talk()
    broken = bytearray(client.request)
    broken[-5] ^= 1
    client.request = bytes(broken)
    client.side = wire.exchange(True, password(CODE), wire.digest(client.request), SEEN)
    refusal(talk.ask(client.confirm(talk.ask(client.first))))
    assert "openssl has made no certificate" in device.offers.read().problem
    assert rows(device) == []


def test_what_is_offered_is_removed_by_who_has_offered_it(device):
    one = device.offer()
    two = device.offer()
    device.offers.remove(one.key)
    assert device.offers.read().key == two.key
    device.offers.remove(two.key)
    device.offers.remove(two.key)
    assert device.offers.read() is None


def test_what_one_who_was_killed_has_left_is_removed(device):
    device.offer()
    with open(f"{device.offers.path}.0123456789abcdef", "w", encoding="utf-8") as file:
        file.write("a half of a file, and its secret")
    made = device.offer()
    assert os.listdir(device.folder) == ["pairing"] and device.offers.read().key == made.key


def test_a_thread_that_cannot_be_had_is_told(device, tmp_path, monkeypatch):
    def none(*words):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pairing, "start_new_thread", none)
    device.offer()
    assert "pairing has failed there" in refusal(device.talk().ask(Client(tmp_path).first))


def test_who_is_open_to_others_is_known_by_a_lock(tmp_path):
    one, other = Reached(str(tmp_path / "tls")), Reached(str(tmp_path / "tls"))
    assert other.port() is None
    one.open(8510)
    one.open(8510)
    assert other.port() == 8510
    one.close()
    one.close()
    assert other.port() is None
    assert OfferFile(str(tmp_path / "tls")).read() is None
