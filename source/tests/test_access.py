# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may what: every scope x every operation of the table, tokens and their file."""

import json
import os
import threading

import pytest

from remote_parts import World, drives, error
from RPIO import errors
from RPIO.remote.places import tokens as shown
from RPIO.remote.places.places import Place
from RPIO.server.rights.access import Access, Rights, Token, digest_of, lines_of
from RPIO.server.rights.tokens import TOKENS_MAX, TokenFile, clients_of
from RPIO.wire.kinds import Maybe, Number, Octets, Real, Repeated, Word
from RPIO.wire.native import Request
from RPIO.wire.operations import OPERATIONS, ROWS
from RPIO.wire.terms import ANY, GPIO, LINE, MASK, READ, SCOPES
from waiting import LIMIT_S

LINES = (17, 18)


def value_of(kind, line):
    """A value of a kind; of lines that one."""
    if kind is LINE:
        return line
    if kind is MASK:
        return 1 << line
    if isinstance(kind, Repeated):
        one = tuple(value_of(each, line) for each in kind.kinds)
        return [one[0] if len(one) == 1 else one]
    if isinstance(kind, Maybe):
        return value_of(kind.kind, line)
    if isinstance(kind, Octets):
        return b"\1"
    if isinstance(kind, (Number, Real)):
        return kind.low
    return next(iter(kind.values.values())) if isinstance(kind, Word) else "x"


def request_of(operation, line):
    """A request that names that line wherever it can."""
    return Request(operation, tuple(value_of(argument.kind, line) for argument in operation.arguments))


def is_allowed(rights, request):
    try:
        rights.check(request)
    except errors.NotAllowedError as e:
        assert request.operation.name in str(e) and e.hint.startswith("`rpio token new --scope")
        return False
    return True


# -- scopes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ROWS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("scopes", [(), *[(scope,) for scope in SCOPES], SCOPES], ids="+".join)
def test_every_scope_with_every_operation(scopes, operation):
    rights = Rights.open(scopes)
    expected = operation.scope == ANY or operation.scope in scopes
    assert is_allowed(rights, request_of(operation, 17)) is expected
    # with a token for some lines, it is those alone for what drives
    token = Token("a", digest_of("x"), (GPIO, READ), LINES, "", 0.0, None)
    some = rights.plus(token)
    for line in (*LINES, 4):
        request = request_of(operation, line)
        names_it = line in lines_of(operation, request.values)
        free = operation.scope in (ANY, READ) or operation.scope in scopes
        expected = free or (operation.scope == GPIO and (line in LINES or not names_it))
        assert is_allowed(some, request) is expected, line


def test_the_lines_of_a_request_are_all_that_it_names():
    named = {
        "read": {17},
        "write": {17},
        "mask": {17},
        "play": {17},
        "output": {17},
        "hold": {17},
        "ping": set(),
    }
    for name, lines in named.items():
        assert lines_of(OPERATIONS[name], request_of(OPERATIONS[name], 17).values) == lines, name
    assert lines_of(OPERATIONS["mask"], (1 << 4, 1 << 63 | 1)) == {0, 4, 63}
    has_line = {
        row.name for row in ROWS for a in row.arguments if a.kind in (LINE, MASK) or _repeats_lines(a.kind)
    }
    for name in has_line:
        assert lines_of(OPERATIONS[name], request_of(OPERATIONS[name], 17).values), name


def _repeats_lines(kind):
    return isinstance(kind, Repeated) and LINE in kind.kinds


def test_tokens_add_up():
    one = Token("a", "", (GPIO,), (17,), "", 0.0, None)
    two = Token("b", "", (GPIO, READ), (18,), "", 0.0, None)
    every = Token("c", "", (GPIO,), None, "", 0.0, None)
    rights = Rights.open([]).plus(one).plus(two)
    assert str(rights) == "gpio (17,18), read"
    assert str(rights.plus(every).plus(one)) == "gpio, read"


# -- sessions -----------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return TokenFile(str(tmp_path / "state" / "tokens"))


@pytest.fixture
def world(board, sim, file):
    """Reading is open; the time of tokens is that of ``world.s``."""
    access = Access([READ], file.read, lambda: world.s)
    world = World(board, sim, access=access)
    world.s = 1000.0
    return world


def test_a_token_allows_what_it_was_made_for(world, file, sim):
    _, text = file.add([GPIO], [17], "anna", 1000.0, None)
    anna = world.come("anna")
    assert anna.ask("read 17") == "ok 0"
    assert error(anna.ask("output 17 1")) == "NotAllowedError"
    assert anna.ask(f"token {text}") == "ok"
    assert anna.ask("output 17 1") == "ok"
    assert sim.read(17) == 1
    for refused in (
        "output 18 1",
        "write 17 0 18 1",
        "mask 0 393216",
        "blink 18 10",
        "play 1000000 1 -1 0 17 1 5 18 1",
    ):
        assert error(anna.ask(refused)) == "NotAllowedError", refused
    assert sim.read(17) == 1
    assert error(world.come("bert").ask("output 18 1")) == "NotAllowedError"


@pytest.mark.parametrize("text", ["x", "rpio_", '""', "a" * 200])
def test_what_is_no_token_is_refused(world, file, text):
    file.add([GPIO], None, "", 1000.0, None)
    anna = world.come("anna")
    assert error(anna.ask(f"token {text}")) == "NotAllowedError"
    assert error(anna.ask("output 17 1")) == "NotAllowedError"


def test_a_token_is_over_after_its_time(world, file):
    _, text = file.add([GPIO], None, "", 1000.0, 1010.0)
    world.s = 1009.9
    assert world.come("anna").ask(f"token {text}") == "ok"
    world.s = 1010.0
    assert error(world.come("bert").ask(f"token {text}")) == "NotAllowedError"


def test_who_has_a_token_that_is_revoked_is_out_at_once_and_lines_are_safe(world, file, board, sim):
    made, text = file.add([GPIO], None, "anna", 1000.0, None)
    board.protect(17, safe="low")
    anna, bert = world.come("anna", linger_s=5), world.come("bert")
    assert anna.ask(f"token {text}") == "ok"
    assert [anna.ask("output 17 1") for _ in range(2)] + [anna.ask("write 17 1")] == ["ok"] * 3
    assert bert.ask("tokens") == "ok 0"
    assert file.revoke([made.name]) == []
    assert bert.ask("tokens") == "ok 1"
    assert sim.read(17) == 0
    assert anna.read()[-1].startswith("error NotAllowedError ")
    assert anna.talk.is_over and anna.feed(b"write 17 1\n") == []
    assert sim.read(17) == 0
    assert world.come("anna", session=anna.name).name != anna.name
    assert bert.ask("ping") == "ok"


def test_a_token_whose_time_is_over_ends_its_running_session(world, file, board, sim):
    _, text = file.add([GPIO], None, "", 1000.0, 1010.0)
    board.protect(17, safe="low")
    anna, bert = world.come("anna"), world.come("bert")
    assert world.sessions.due_ns() is None  # nothing is looked at while nothing is to be done
    for line in (f"token {text}", "output 17 1 #1", "write 17 1 #2", "watch 4"):
        assert anna.ask(line).startswith("ok"), line
    world.wait(9.9)
    assert anna.ask("write 17 1 #3") == "ok #3" and drives(sim, 17) == 1
    world.wait(0.2)
    assert drives(sim, 17) == 0
    assert anna.read()[-1].startswith("error NotAllowedError ") and anna.talk.is_over
    assert anna.feed(b"write 17 1 #4\n") == [] and drives(sim, 17) == 0
    world.play(4, [1, 0])
    assert not anna.heard() and bert.ask("ping") == "ok" and world.sessions.due_ns() is None


def test_the_time_of_a_token_is_over_for_who_is_away_too(world, file, board, sim):
    _, text = file.add([GPIO], None, "", 1000.0, 1010.0)
    board.protect(17, safe="low")
    anna = world.come("anna", linger_s=3600)
    anna.ask(f"token {text}")
    anna.ask("output 17 1")
    anna.talk.end()
    world.wait(10.1)
    assert drives(sim, 17) == 0
    assert world.come("anna", session=anna.name).name != anna.name


@pytest.mark.parametrize("last", ["one", "two"])
def test_each_token_that_a_session_has_shown_ends_it(world, file, last):
    """Another one, shown behind it, does not keep what the first has allowed."""
    made = {name: file.add([GPIO], [line], name, 1000.0, None) for name, line in (("one", 17), ("two", 18))}
    anna = world.come("anna")
    for _, text in made.values():
        assert anna.ask(f"token {text}") == "ok"
    file.revoke([last])
    assert world.come("bert").ask("tokens") == "ok 1" and anna.talk.is_over


def test_the_name_that_brings_a_session_back_is_told_to_nobody_else(world, caplog):
    caplog.set_level("DEBUG", "RPIO")
    anna, bert = world.come("anna", linger_s=5), world.come("bert")
    told = "".join(bert.ask(text) for text in ("sessions", "holders", "rules", "consumer 17"))
    assert "anna" in told and anna.name not in told + caplog.text


def test_a_shortcut_is_learned_of_what_is_allowed_alone(world, file, sim):
    _, text = file.add([GPIO], [17], "", 1000.0, None)
    anna = world.come("anna")
    anna.ask(f"token {text}")
    anna.ask("output 17 1")
    for number in range(3):
        assert anna.ask(f"write 17 0 #{number}") == f"ok #{number}"
        assert error(anna.ask(f"write 18 1 #1{number}")) == "NotAllowedError"


def test_who_has_a_token_for_a_daemon_may_show_it_to_who_has_none(board, sim):
    """RPIO_TOKEN_FILE is set for all that a user starts, and he uses a shared board, and lines of programs, too."""
    anna = World(board, sim).come("anna")
    assert anna.ask("token rpio_x") == "ok" and anna.ask("output 17 1") == "ok"
    bert = World(board, sim, access=Access([READ])).come("bert")
    assert bert.ask("token rpio_x") == "ok" and error(bert.ask("output 18 1")) == "NotAllowedError"


# -- the file -----------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone_and_has_no_token(file):
    made, text = file.add([GPIO, READ], [18, 17], "anna", 1.0, 2.5)
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(file.path)).st_mode & 0o777 == 0o700
    with open(file.path, encoding="utf-8") as opened:
        kept = opened.read()
    assert text not in kept and text[5:] not in kept and digest_of(text) in kept
    (read,) = file.read()
    assert [getattr(read, name) for name in Token.__slots__] == [
        getattr(made, name) for name in Token.__slots__
    ]
    assert read.lines == LINES and len(text) > 40


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_file_that_others_can_read_is_refused(file, mode, monkeypatch):
    file.add([GPIO], None, "", 1.0, None)
    os.chmod(file.path, mode)
    with pytest.raises(errors.NotAllowedError) as caught:
        file.read()
    assert caught.value.hint == f"chmod 600 {file.path}"
    monkeypatch.setenv("RPIO_TOKEN_FILE", file.path)
    with pytest.raises(errors.NotAllowedError):
        shown.shown()


@pytest.mark.parametrize(
    "change",
    [
        *[lambda row, name=name: row.pop(name) for name in Token.__slots__],
        lambda row: row.update(scopes=["gpio", "root"]),
        lambda row: row.update(scopes=7),
        lambda row: row.update(lines=["17"]),
        lambda row: row.update(until_s="soon"),
        lambda row: row.update(digest=5),
        lambda row: row.update(more=1),
    ],
)
def test_what_is_no_file_of_tokens_says_which_line(file, change):
    made, _ = file.add([GPIO], None, "", 1.0, None)
    row = json.loads(made.written())
    change(row)
    with open(file.path, "a", encoding="utf-8") as opened:
        opened.write(json.dumps(row) + "\n")
    with pytest.raises(errors.ConfigError, match=f"^{file.path}:2: "):
        file.read()


def test_what_cannot_be_read_ends_no_session(world, file):
    made, text = file.add([GPIO], None, "", 1000.0, None)
    anna = world.come("anna")
    anna.ask(f"token {text}")
    file.revoke([made.id])
    os.chmod(file.path, 0o644)
    assert error(anna.ask("tokens")) == "NotAllowedError"
    assert anna.ask("output 17 1") == "ok"


def test_revoking_what_is_not_there_revokes_nothing(file):
    file.add([GPIO], None, "anna", 1.0, None)
    assert file.revoke(["anna", "bert"]) == ["bert"]
    assert [token.name for token in file.read()] == ["anna"]


def test_there_are_so_many_tokens_and_those_that_are_over_make_room(file):
    rows = [
        Token(f"{n:x}", digest_of(str(n)), (READ,), None, "", 0.0, 10.0 + n % 2) for n in range(TOKENS_MAX)
    ]
    file._write(rows)
    with pytest.raises(ValueError, match="revoke some"):
        file.add([GPIO], None, "", 5.0, None)
    file.add([GPIO], None, "", 10.5, None)
    assert len(file.read()) == TOKENS_MAX // 2 + 1


def test_what_is_written_goes_through_no_link_that_somebody_has_laid(file, tmp_path):
    """Whose folder it is, the daemon's user, does not have root write to another file, or give it to him."""
    file.add([GPIO], None, "", 1.0, None)
    other = tmp_path / "other"
    other.write_text("as it was")
    for name in (f"{file.path}.{os.getpid()}", f"{file.path}.new"):
        os.symlink(other, name)
    file.add([GPIO], None, "", 1.0, None)
    assert other.read_text() == "as it was" and len(file.read()) == 2


def test_those_who_change_it_at_once_undo_nothing_of_each_other(file, monkeypatch):
    """Who makes a token does not bring back the one that somebody revokes meanwhile."""
    file.add([GPIO], None, "anna", 1.0, None)
    read, other, waits = TokenFile.read, TokenFile(file.path), []

    def read_and_wait(self):
        found = read(self)
        if self is file:
            thread = threading.Thread(target=other.revoke, args=(["anna"],))
            thread.start()
            thread.join(0.2)  # it waits for this one
            waits.append(thread)
        return found

    monkeypatch.setattr(TokenFile, "read", read_and_wait)
    file.add([GPIO], None, "bert", 1.0, None)
    waits[0].join(LIMIT_S)
    assert [token.name for token in read(file)] == ["bert"]


def test_the_token_that_is_shown(tmp_path, monkeypatch):
    assert shown.shown() == ""
    path = tmp_path / "token"
    monkeypatch.setenv("RPIO_TOKEN_FILE", str(path))
    with pytest.raises(errors.NotAllowedError, match="No such file"):
        shown.shown()
    for text, found in (("rpio_abc\n", "rpio_abc"), ("", None), ("two words", None)):
        path.write_text(text)
        path.chmod(0o600)
        if found is None:
            with pytest.raises(errors.NotAllowedError, match="no token"):
                shown.shown()
        else:
            assert shown.shown() == found


def test_what_is_shown_by_a_certificate_is_a_row_like_a_token(file):
    digest = "ab" * 32
    first = file.add_digest(digest, [READ], [18, 17], "laptop", 5.0, None)
    again = file.add_digest("cd" * 32, [READ], None, "laptop", 5.0, 9.0, is_alone=True)
    third = file.add_digest("ef" * 32, [READ], None, "laptop", 5.0, None, is_alone=True)
    assert (first.digest, first.lines, first.name) == (digest, (17, 18), "laptop")
    assert [row.name for row in file.read()] == ["laptop", "laptop-2", "laptop-3"]
    assert file.revoke(["laptop-2", first.id]) == []
    assert [row.id for row in file.read()] == [third.id]
    assert again.until_s == 9.0


def test_the_list_of_who_is_paired_says_what_is_typed_for_it(tmp_path):
    made = clients_of(str(tmp_path))
    made.add_digest("ab" * 32, [READ], None, "laptop", 5.0, None)
    assert made.path == f"{tmp_path}/clients"
    with open(made.path, "a", encoding="utf-8") as opened:
        opened.write("half a r")
    with pytest.raises(errors.ConfigError, match="clients:2: ") as e:
        made.read()
    assert e.value.hint == "`rpio pair --list` reads it; remove the line, and pair anew"


@pytest.mark.parametrize(
    ("where", "is_shown"),
    [
        ("remote+insecure://pi.local", False),
        ("remote+insecure://192.168.1.7:8510", False),
        ("remote+insecure://127.0.0.1:8510", True),
        ("remote+insecure://[::1]:8510", True),
        ("remote://pi.local", True),
        ("localhost", True),
    ],
)
def test_a_token_is_not_shown_to_who_listens_on_the_way(where, is_shown, monkeypatch, tmp_path, caplog):
    path = tmp_path / "token"
    path.write_text("rpio_secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("RPIO_TOKEN_FILE", str(path))
    assert shown.shown_to(Place(where)) == ("rpio_secret" if is_shown else "")
    assert ("is not shown to" in caplog.text) != is_shown
    assert "rpio_secret" not in caplog.text
