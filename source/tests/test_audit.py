# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who has set what: a record for a session, a line and a second."""

import asyncio
import json
import os
import stat

import pytest

from remote_parts import World
from RPIO.server import daemon as daemon_module
from RPIO.server.rights import audit as audit_module
from RPIO.server.rights.audit import Audit
from RPIO.server.settings import settings


class Clock:
    s = 1000.0

    def __call__(self):
        return self.s


@pytest.fixture
def clock():
    return Clock()


def rows(audit, since=0):
    return [(at, r.second, r.who, r.line, r.what, r.level, r.times) for at, r in audit.since(since, 1000)]


def test_one_record_for_a_session_a_line_and_a_second(clock):
    audit = Audit(now_s=clock)
    for level in (1, 0, 1):
        audit.note("anna", 17, "write", level)
    audit.note("bert", 17, "write", 0)
    audit.note("anna", 18, "write", 0)
    clock.s = 1001.0
    audit.note("anna", 17, "write", 0)
    assert rows(audit) == [
        (0, 1000, "anna", 17, "write", 1, 3),
        (1, 1000, "bert", 17, "write", 0, 1),
        (2, 1000, "anna", 18, "write", 0, 1),
        (3, 1001, "anna", 17, "write", 0, 1),
    ]
    assert rows(audit, 3) == rows(audit)[3:] and rows(audit, 4) == []


@pytest.mark.slow
def test_a_hundred_thousand_are_kept(clock, monkeypatch):
    audit = Audit(now_s=clock)
    for number in range(audit_module.RECORDS_MAX + 5):
        audit.note(f"{number}", 1, "write", 0)
    (first, record), *_ = audit.since(0, 1)
    assert (first, record.who) == (5, "5")
    assert audit.count == audit_module.RECORDS_MAX + 5


def test_what_sessions_do_is_written_down(board, sim, clock):
    audit = Audit(now_s=clock)
    world = World(board, sim, audit=audit)
    anna = world.come("anna")
    for number in range(4):  # the later ones by the shortcut
        assert anna.ask(f"output 17 1 #{number}") == f"ok #{number}"
        assert anna.ask(f"write 17 0 #1{number}") == f"ok #1{number}"
    for text in (
        "write 4 1 17 1",
        "mask 16 131072",
        "input 5 up",
        "read 17",
        "release 4",
        "output 99 1",
        "peek 17",
    ):
        anna.ask(text)
    assert [row[2:] for row in rows(audit)] == [
        ("anna", 17, "output", 1, 4),
        ("anna", 17, "write", 1, 5),
        ("anna", 4, "write", 1, 1),
        ("anna", 4, "mask", 1, 1),
        ("anna", 17, "mask", 0, 1),
        ("anna", 5, "input", None, 1),
        ("anna", 4, "release", None, 1),
    ]
    assert anna.ask("audit 6") == "ok 6 1000 anna 4 release ? 1"
    assert anna.ask("audit 7") == "ok"


def test_it_is_written_to_a_file_when_its_second_is_over(clock, tmp_path):
    path, asked = tmp_path / "audit.jsonl", []
    audit = Audit(str(path), lambda: asked.append(clock.s), clock)
    audit.note("anna", 17, "write", 1)
    audit.note("anna", 17, "write", 0)
    assert audit.flush() is True and not path.exists()
    clock.s = 1001.5
    audit.note("anna", 17, "write", 1)
    assert audit.flush() is True
    assert [json.loads(line)["times"] for line in path.read_text().splitlines()] == [2]
    audit.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"second": 1000, "who": "anna", "line": 17, "what": "write", "level": 0, "times": 2},
        {"second": 1001, "who": "anna", "line": 17, "what": "write", "level": 1, "times": 1},
    ]
    assert asked == [1000.0, 1001.5]
    assert not stat.S_IMODE(os.stat(path).st_mode) & 0o027


def test_a_clock_that_is_set_back_loses_nothing_and_has_nobody_wait(clock, tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(str(path), None, clock)
    audit.note("anna", 17, "write", 1)
    clock.s = 10.0
    audit.note("bert", 17, "write", 0)
    assert audit.flush() is True
    assert [json.loads(line)["who"] for line in path.read_text().splitlines()] == ["anna"]
    clock.s = 11.0
    assert audit.flush() is False
    assert [json.loads(line)["who"] for line in path.read_text().splitlines()] == ["anna", "bert"]


def test_a_file_that_is_large_is_put_aside(clock, tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(str(path), None, clock, file_max_bytes=1000)
    for number in range(40):
        clock.s += 1
        audit.note(f"anna {number}", 17, "write", 1)
        audit.flush()
    audit.close()
    both = [tmp_path / "audit.jsonl.1", path]
    assert all(0 < part.stat().st_size <= 1000 for part in both)
    names = [json.loads(line)["who"] for part in both for line in part.read_text().splitlines()]
    assert names == [f"anna {number}" for number in range(40 - len(names), 40)]


def test_a_full_disk_is_told_of_once_and_costs_nobody_anything(clock, caplog):
    audit = Audit("/dev/full", None, clock)
    for _ in range(3):
        clock.s += 1
        audit.note("anna", 17, "write", 1)
        audit.flush()
    assert [record.getMessage()[:26] for record in caplog.records] == ["the audit is not written: "]
    assert "No space left" in caplog.text
    assert len(rows(audit)) == 3


def test_who_writes_without_end_has_it_looked_at_once_at_a_time(board, sim, tmp_path, monkeypatch):
    """Not by one more for each second that has begun: a day of them would be all that the daemon does."""
    monkeypatch.setattr(daemon_module, "AUDIT_S", 0.0)
    looks = []

    async def run():
        values = {("serve", "state"): str(tmp_path), ("audit", "file"): str(tmp_path / "audit.jsonl")}
        served = daemon_module.Daemon(board, settings.read(values, []), looks.append)
        flush = served.audit.flush
        served.audit.flush = lambda: (looks.append(1), flush())[1]
        clock = served.audit._now_s = Clock()
        for _ in range(50):
            clock.s += 1.0
            served.audit.note("anna", 17, "write", 1)
        while not looks:
            await asyncio.sleep(0)
        clock.s += 1.0
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert len(looks) <= 2
