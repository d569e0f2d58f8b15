# SPDX-License-Identifier: LGPL-3.0-or-later
"""The code of a pairing as people type it, and its lines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPIO import errors
from RPIO.wire import pairing
from RPIO.wire.pairing import Answer, Begin, new_code, password, read_code, readable, shown
from RPIO.wire.same import is_same

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "typed",
    [
        "70K1-1QXT",
        "70k1-1qxt",
        "70k1 1qxt",
        " 7 0 k 1 1 q x t\n",
        "7okiLqxt",
        "70K1--1QXT-",
        "7OKLIQXT",
        "70K11QXT",
    ],
)
def test_a_code_is_read_as_crockford_says(typed):
    assert read_code(typed) == "70K11QXT"


@pytest.mark.parametrize(
    "typed", ["", "70K1-1QX", "70K1-1QXTT", "70U1-1QXT", "70K1_1QXT", "70K1-1QX\x00", "\uff21BCD1234"]
)
def test_what_is_no_code_is_said_to_be_none(typed):
    with pytest.raises(ValueError, match="8 letters and digits, such as 7K3M-9QXT"):
        read_code(typed)


def test_codes_are_of_the_alphabet_and_differ():
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert set("".join(codes)) == set(pairing.ALPHABET)
    code = codes.pop()
    assert shown(code) == f"{code[:4]}-{code[4:]}" and read_code(shown(code)) == code
    assert not set("ILOU") & set(pairing.ALPHABET) and len(pairing.ALPHABET) == 32


def test_a_password_follows_from_the_code_alone():
    assert password("70K11QXT") == password("70K11QXT") != password("70K11QXV")


def test_what_is_written_is_read():
    found = Begin.read(Begin(b"share", "a laptop", DIGEST).line())
    assert (found.share, found.name, found.digest) == (b"share", "a laptop", DIGEST)
    assert pairing.read_reply(pairing.reply(b"share")) == b"share"
    assert pairing.read_confirm(pairing.confirm(b"mac", b"request")) == (b"mac", b"request")
    assert pairing.read_confirmed(pairing.confirmed(b"mac", b"{}", b"sealed")) == (b"mac", b"{}", b"sealed")
    made = Answer("a", "c", "me", ["read"], [17], ["pi"], ["::1"])
    again = Answer.read(made.written())
    assert all(getattr(made, key) == getattr(again, key) for key in Answer.__slots__)


def test_the_first_line_is_one_that_a_first_line_may_be():
    from RPIO.wire.native import FIRST_MAX

    for name in ("x" * 1000, "\x1b" * 1000, "\U0001f600" * 1000):
        assert len(Begin(bytes(65), name, DIGEST).line()) < FIRST_MAX


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("laptop", "laptop"),
        ("a\x1b[2Jb", "a?[2Jb"),
        ("a\nb\r", "a?b?"),
        ("a\u202eb", "a?b"),
        ("  ", ""),
        ("x" * 1000, "x" * 64),
        ("Anna's  Läptop", "Anna's Läptop"),
    ],
)
def test_names_move_no_cursor(said, shown):
    assert readable(said) == shown


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"pair",
        b"pair 1",
        b"pair 1 AAAA me",
        b"pair 1 AAAA me short",
        b"pair 1 ! me " + DIGEST.encode(),
        b"pair 1 AAAA me " + DIGEST.upper().encode(),
        b"pair 2 AAAA me " + DIGEST.encode(),
        b"PAIR 1 AAAA me " + DIGEST.encode(),
        b'pair 1 AAAA "me ' + DIGEST.encode(),
        b"\xff",
        b"\x16\x03\x01",
    ],
)
def test_what_does_not_begin_a_pairing_is_a_protocol_error(line):
    with pytest.raises(errors.ProtocolError):
        Begin.read(line)


@pytest.mark.parametrize(
    "line", [b"", b"ok", b"pair", b"pair AAAA BBBB", b"confirmed", b"confirm A", b"\xff", b'"']
)
@pytest.mark.parametrize("read", [pairing.read_reply, pairing.read_confirm, pairing.read_confirmed])
def test_what_is_no_line_of_it_is_a_protocol_error(line, read):
    with pytest.raises(errors.ProtocolError):
        read(line)


def test_a_refusal_is_told_and_moves_no_cursor():
    for read in (pairing.read_reply, pairing.read_confirmed):
        with pytest.raises(errors.NotAllowedError, match=r"^no code is shown") as e:
            read(pairing.refused("no code is shown", "rpio pair there"))
        assert e.value.hint == "rpio pair there"
        with pytest.raises(errors.NotAllowedError) as e:
            read(pairing.refused("\x1b[2J" * 1000, "\x07"))
        assert "\x1b" not in str(e.value) and len(str(e.value)) <= 500 and e.value.hint == "?"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"authority": 1, "certificate": "", "name": "", "scopes": [], "lines": null, "names": [], "addresses": []}',
        b'{"authority": "", "certificate": "", "name": "", "scopes": [1], "lines": null, "names": [], "addresses": []}',
        b'{"authority": "", "certificate": "", "name": "", "scopes": [], "lines": ["1"], "names": [], "addresses": []}',
        b'{"authority": "", "certificate": "", "name": "", "scopes": 5, "lines": null, "names": [], "addresses": []}',
        b"\xff",
    ],
)
def test_an_answer_that_is_none_is_a_protocol_error(data):
    with pytest.raises(errors.ProtocolError):
        Answer.read(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_line_is_read_or_a_known_error(line):
    for read in (Begin.read, pairing.read_reply, pairing.read_confirm, pairing.read_confirmed, Answer.read):
        try:
            read(line)
        except (errors.ProtocolError, errors.NotAllowedError):
            pass


def test_an_answer_is_sealed_by_the_key():
    w = 7
    certificate = b"a certificate"
    client, device = (pairing.exchange(is_client, w, DIGEST, certificate) for is_client in (True, False))
    here, there = client.finish(device.share), device.finish(client.share)
    assert pairing.seal(here, b"{}") == pairing.seal(there, b"{}") != pairing.seal(here, b"{ }")
    other = pairing.exchange(True, w, DIGEST, b"another certificate")
    assert other.finish(device.share).confirmation != device.finish(other.share).expected


def test_secrets_are_the_same_or_not():
    assert is_same("a", "a") and is_same("", "") and is_same("\ud800", "\ud800")
    assert not is_same("a", "b") and not is_same("a", "aa") and not is_same("a", "")
