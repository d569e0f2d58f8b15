# SPDX-License-Identifier: LGPL-3.0-or-later
"""doc/reference_client.js: the client of doc/protocol in JavaScript, by Node, at a server of ours."""

import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from remote_parts import daemon, serving
from waiting import LIMIT_S

NODE = shutil.which("node")
DOC = Path(__file__).resolve().parents[3] / "doc"
CLIENT = DOC / "reference_client.js"

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node: sudo apt install nodejs")


def node(*words, **env):
    """Run it; what it prints, and nothing else is printed."""
    done = subprocess.run(
        [NODE, *map(str, words)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def script(code, port):
    """Run lines of JavaScript that have a ``client``; what they print."""
    return node(
        "-e",
        f"""
const {{ Client }} = require({str(CLIENT)!r}), events = [];
const client = new Client({port}, 5, (...words) => events.push(words));
const until = async (done) => {{ while (!done()) await new Promise((go) => setTimeout(go, 1)); }};
(async () => {{ {code}
await client.ask("bye"); }})();
""",
    )


@pytest.fixture
def server():
    with serving() as made:
        yield made


def test_it_is_short_and_needs_node_alone():
    text = CLIENT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert re.findall(r'require\("(.*?)"\)', text) == ["node:net"]


def test_it_runs_as_the_page_says(server):
    page = (DOC / "protocol.rst").read_text(encoding="utf-8")
    assert ".. literalinclude:: reference_client.js\n    :language: javascript\n    :lines: 2-\n" in page
    shown = "simulated Raspberry Pi 4 Model B (58 lines)\nGPIO 17 is 1\n"
    assert textwrap.indent(f"$ node reference_client.js\n{shown}", "    ") in page
    assert node(CLIENT, server.port) == (0, shown, "")


def test_it_drives_the_lines_of_the_daemon(tmp_path):
    with daemon(tmp_path) as served:
        status, said, _ = node(CLIENT, served.port)
        with served.connect() as line:
            assert (status, line.levels(17)) == (0, [1])
    assert said.endswith("GPIO 17 is 1\n")


def test_it_reads_any_word_keeps_events_and_tells_errors(server):
    said = script(
        """
await client.ask("hello", 1, 'a "b" #5');
await client.ask("input", 4, "up");
await client.ask("watch", 4);
await client.ask("set_pull", 4, "down");
await until(() => events.length);
console.log(events[0].slice(0, 3).join(" "), await client.ask("read", 4), await client.ask("consumer", 5));
await client.ask("read", 4096).catch((e) => console.log(e.message));
await client.ask("nothing").catch((e) => console.log(e.message));
""",
        server.port,
    )
    assert said[0] == 0 and said[2] == "", said
    edge, one, other = said[1].splitlines()
    assert edge == "edge 4 0 [ '0' ] [ '' ]"
    assert one.startswith("ValueError ")
    assert other == "ValueError there is no operation 'nothing'"


def test_many_requests_are_on_their_way_at_once_and_each_gets_its_answer(server):
    said = script(
        """
await client.ask("output", 17, 0);
const asked = [];
for (let n = 0; n < 250; n++) asked.push(client.ask("write", 17, n % 2), client.ask("read", 17));
const answers = (await Promise.all(asked)).filter((_, n) => n % 2);
console.log(answers.every(([level], n) => Number(level) === n % 2));
""",
        server.port,
    )
    assert said == (0, "true\n", "")


@pytest.mark.parametrize(
    "lose",
    [
        "client.socket.destroy(); const asked = client.ask('write', 17, level);",
        "const asked = client.ask('write', 17, level); client.socket.destroy();",
        "const asked = client.ask('write', 17, level); await new Promise(setImmediate); client.socket.destroy();",
        "const asked = client.ask('write', 17, level); client.socket.end();",
    ],
    ids=["before it is asked", "before it has gone", "when it has gone", "before its answer"],
)
def test_it_goes_on_after_a_lost_connection(server, lose):
    said = script(
        f"""
await client.ask("output", 17, 1);
const session = client.session;
for (let n = 0; n < 20; n++) {{
  const level = n % 2;
  {lose}
  await asked;
  const [found] = await client.ask("read", 17);
  if (Number(found) !== level) throw new Error(`${{n}}: ${{found}}`);
}}
console.log(client.session === session, await client.ask("consumer", 17));
""",
        server.port,
    )
    assert said == (0, "true [ 'RPIO' ]\n", "")


def test_it_says_so_when_its_session_is_over_and_can_begin_anew(server):
    said = script(
        """
client.lingerS = 0;
await client.ask("output", 17, 1);
client.socket.destroy();
await client.ask("write", 17, 0).catch((e) => console.log(e.message));
await client.ask("output", 17, 0);
console.log(await client.ask("read", 17));
""",
        server.port,
    )
    assert said == (0, "the session is over: set the lines up again\n[ '0' ]\n", "")


def test_nobody_there_is_an_error_that_says_so(server):
    server.kill()
    status, said, errors = node(CLIENT, server.port)
    assert (status, said) == (1, "") and "the connection is lost: connect ECONNREFUSED" in errors
