# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who comes to the port for others: whose session he goes on with, what he is told of what is wrong here, and that no
fault of one is the end of the port.
"""

import contextlib
import time

import pytest

from hostile_parts import Talk, context, needs_openssl, opened
from remote_parts import World, error
from RPIO import errors
from RPIO.server.rights.access import CLOSED, Access, Token, digest_of
from RPIO.server.settings import beyond
from RPIO.wire.terms import GPIO, READ, RUN
from waiting import LIMIT_S, wait_until

pytestmark = needs_openssl


def came_back(talk, name):
    """Whether it goes on with the session of that name."""
    return talk.ask(f"hello 1 somebody prog 60 {name}").split()[2] == name


# -- sessions that go on ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """One that runs, with a laptop that may drive lines, and a guest who may read them."""
    folder = tmp_path_factory.mktemp("device")
    with opened(folder) as made:
        own = made.ca(folder / "own")
        made.laptop, made.guest = own.sign(), own.sign()
        made.list(made.laptop, "laptop")
        made.list(made.guest, "guest", scopes=("read",))
        yield made


def test_only_who_shows_the_same_goes_on_with_a_session(device):
    """Else who finds its name has its rights, and its lines."""
    laptop, guest = (context(device.authority, signed) for signed in (device.laptop, device.guest))
    with Talk(device.port, laptop) as talk:
        name = talk.ask('hello 1 anna prog 60 ""').split()[2]
        assert talk.ask("output 17 1") == "ok"
        with Talk(device.port, guest) as other:
            assert not came_back(other, name)
            assert error(other.ask("write 17 0")) == "NotAllowedError"
            assert other.ask("bye") == "ok"
        assert talk.ask("read 17") == "ok 1"
    with Talk(device.port, laptop) as talk:
        assert came_back(talk, name)
        assert talk.ask("write 17 0") == "ok"
        assert talk.ask("bye") == "ok"


def access(**lists):
    """What is open here, with those tokens and certificates, whose texts are their names."""

    def listed(kind):
        return [
            Token("a1b2c3", digest_of(name), scopes, None, name, 0.0, None)
            for name, scopes in lists.get(kind, {}).items()
        ]

    return Access([READ], lambda: listed("tokens"), lambda: 1.0, lambda: listed("clients"))


def test_what_a_token_gave_is_to_be_shown_again_by_who_comes_back(board, sim):
    world = World(board, sim, access=access(tokens={"secret": (GPIO, RUN)}))
    anna = world.come("anna", 60.0)
    anna.ask("token secret")
    assert anna.ask("output 17 1") == "ok"
    thief = world.come("thief", 60.0, anna.name)
    assert thief.name == anna.name
    assert error(thief.ask("write 17 0")) == "NotAllowedError"
    assert thief.ask("token secret") == "ok" and thief.ask("write 17 0") == "ok"


def test_a_session_that_comes_back_without_its_token_ends_with_that_all_the_same(board, sim):
    lists = {"tokens": {"secret": (GPIO,)}}
    world = World(board, sim, access=access(**lists))
    anna = world.come("anna", 60.0)
    anna.ask("token secret")
    world.come("anna", 60.0, anna.name)
    lists["tokens"].clear()
    assert world.sessions.check_tokens() == 1


def test_a_token_that_was_revoked_is_none_because_a_certificate_has_its_id(board, sim):
    """Ids are those of a file, and there are two files."""
    lists = {"tokens": {"secret": (GPIO,)}, "clients": {"laptop": (GPIO,)}}
    world = World(board, sim, access=access(**lists))
    world.come("anna", 60.0).ask("token secret")
    assert world.sessions.check_tokens() == 0
    lists["tokens"].clear()
    assert world.sessions.check_tokens() == 1


# -- what one is told who is not known -------------------------------------------------------------


@pytest.mark.slow
def test_nobody_is_told_what_is_wrong_with_the_lists(tmp_path):
    with opened(tmp_path) as device:
        laptop = device.ca(tmp_path / "own").sign()
        device.list(laptop)
        device.rpio("token", "new")
        for path in (device.tls / "clients", tmp_path / "tokens"):
            assert path.exists()
            path.chmod(0o644)
        for signed, says in ((laptop, "ping"), (None, "token x")):
            with Talk(device.port, context(device.authority, signed)) as talk:
                told = talk.ask(says)
            assert told.startswith("error NotAllowedError ") and CLOSED in told, told
            assert "/" not in told and "0644" not in told, told
        assert wait_until(lambda: "others can read or change" in device.look())


def test_nor_by_the_other_front_ends(caplog):
    class Lists:
        def read(self):
            raise errors.ConfigError("/var/lib/rpio/tokens:3: it is no token")

    made = Access((), Lists().read, lambda: 0.0, Lists().read)
    session = type(
        "Session", (), {"all": type("All", (), {"access": made}), "show": made.show, "grant": print}
    )
    for shown in ((b"der", ""), (b"", "token")):
        with pytest.raises(errors.NotAllowedError, match=CLOSED):
            beyond.grant(session, *shown, is_open=False)
        with pytest.raises(errors.ConfigError, match="tokens:3"):
            beyond.grant(session, *shown, is_open=True)
    assert "tokens:3" in caplog.text


@pytest.mark.slow
def test_where_there_are_no_tokens_at_all_nobody_comes_in_by_showing_one(tmp_path):
    prelude = "import RPIO.server.rights.access as a; a.Access.show = lambda self, text: None"
    with opened(tmp_path, prelude=prelude) as device, Talk(device.port, context(device.authority)) as talk:
        assert error(talk.ask("token x")) == "NotAllowedError"
        assert talk.rest() == ""


# -- faults -----------------------------------------------------------------------------------------

FAULTS = """
import RPIO.server.outside.lobby as l
inner, faults = l.Lobby.take, [MemoryError(), KeyError(7), OSError(12, "Cannot allocate memory")]
def take(*words):
    if faults:
        raise faults.pop(0)
    inner(*words)
l.Lobby.take = take
"""


@pytest.mark.slow
def test_a_fault_by_which_one_cannot_come_is_not_the_end_of_the_port(tmp_path):
    with opened(tmp_path, prelude=FAULTS) as device:
        laptop = device.ca(tmp_path / "own").sign()
        device.list(laptop)
        failed = []

        def comes():
            with contextlib.suppress(OSError), Talk(device.port, context(device.authority, laptop)) as talk:
                return talk.ask("ping") == "ok"
            failed.append(time.monotonic())
            return False

        assert wait_until(comes, LIMIT_S)
        assert len(failed) == 3


JUMP = """
import time
import RPIO.server.outside.lobby as l
began = time.monotonic()
l.time = lambda: time.time() + 86400 * (time.monotonic() - began > 1)
"""


@pytest.mark.slow
def test_who_comes_when_the_clock_has_just_been_set_is_let_in(tmp_path):
    with opened(tmp_path, prelude=JUMP) as device:
        laptop = device.ca(tmp_path / "own").sign()
        device.list(laptop)
        until_s = time.monotonic() + 2
        while time.monotonic() < until_s:
            with Talk(device.port, context(device.authority, laptop)) as talk:
                assert talk.ask("ping") == "ok"
