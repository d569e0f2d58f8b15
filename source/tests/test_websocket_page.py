# SPDX-License-Identifier: LGPL-3.0-or-later
"""doc/websocket and doc/further: the sessions that they show are had, and their tables are those of the protocol."""

import re
from pathlib import Path

import pytest

from further_parts import plain
from RPIO.wire import further, runs
from waiting import LIMIT_S

DOC = Path(__file__).resolve().parents[2] / "doc"
PAGES = {name: (DOC / f"{name}.rst").read_text(encoding="utf-8") for name in ("websocket", "further")}
SESSION = re.compile(r"^\.\. code-block:: text\n\n((?: {4}.*\n)+)", re.MULTILINE)


def session_of(page):
    """The path of the session that a page shows, and its lines."""
    (block,) = SESSION.findall(PAGES[page])
    path, *lines = [line.strip() for line in block.splitlines()]
    return path, lines


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with plain(tmp_path_factory.mktemp("page")) as made:
        yield made


@pytest.mark.parametrize("page", PAGES)
def test_the_session_of_the_page_is_had(served, page):
    path, lines = session_of(page)
    work, said = f"{served.folder}/further", []
    with served.connect(path) as talk:
        for line in lines:
            if line.startswith("> "):
                talk.socket.send(line[2:])
                said.append(line)
                continue
            assert line.startswith("< ")
            text = talk.socket.recv(LIMIT_S)
            if (
                '"output"' in text and "\\n" not in text
            ):  # the machine is busy, and the rest of the line comes behind
                rest = talk.socket.recv(LIMIT_S)
                text = text.replace('"}', rest.partition('"output": "')[2].partition('"')[0] + '"}', 1)
            said.append(f"< {text.replace(work, 'WORK')}")
    assert said == lines


def rows(page, title):
    """The first column of the table with that title."""
    table = PAGES[page].partition(f"\n{title} ")[2].partition("\n\n")[0]
    return re.findall(r"^``([\w-]+)``  +\S", table, re.MULTILINE)


def test_the_table_of_what_clients_send_is_the_protocols():
    assert sorted(rows("websocket", "The client sends")) == sorted([*further.RUN, "ping", "stdin"])
    assert rows("further", "The client sends") == ["ping", "start", "stdin", "stop", "upload"]
    text = PAGES["websocket"].partition("\nThe client sends")[2].partition("\nThe daemon sends")[0]
    for type, names in further.RUN.items():
        for name in names:
            assert f"``{name}``" in text, (type, name)


@pytest.mark.slow
def test_the_table_of_what_is_told_is_the_protocols():
    told = set(runs.TOLD) - {"hello", "wanted", "uploaded"}
    assert set(rows("websocket", "The daemon sends")) == {*told, "stdout", "stderr", "video"}


@pytest.mark.slow
def test_every_path_stands_on_the_page():
    from RPIO.server.further.access import Names
    from RPIO.server.further.routes import Site

    site = Site(None, None, Names((), (), "http"), "http", str)
    for route in site.application().router.routes():
        path = re.sub(r"\{(\w+)(:[^/]*)?\}$", lambda found: found[1].upper(), route.resource.canonical)
        path = path.replace("{number}", "NUMBER").replace("{package}", "PACKAGE")
        if route.method != "HEAD":
            assert f"``{route.method} {path}``" in PAGES["websocket"], path
