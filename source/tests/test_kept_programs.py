# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pictures and keys of programs that a keeper runs, and what a keeper that was killed has begun to upload."""

import base64
import os
import subprocess
import sys

import pytest

from keeper_parts import keeping
from RPIO.programs.running import RUNS
from RPIO.programs.uploads import Uploads
from RPIO.wire import runs
from RPIO.wire.runs import Data
from waiting import wait_until

JPEG = b"\xff\xd8\xff\xe0"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    with keeping(tmp_path_factory.mktemp("keeper")) as keeper:
        yield keeper


@pytest.fixture
def client(keeper):
    client = keeper.client()
    yield client
    client.close()


def pictures(found):
    """The numbers of those that have come whole."""
    shown = [
        base64.b64decode(each.value) for each in found if isinstance(each, Data) and each.kind == runs.VIDEO
    ]
    assert all(len(picture) == 100_000 and picture.startswith(JPEG) for picture in shown)
    return [int(picture[4:14]) for picture in shown]


CAMERA = f"""
import time
from {{}} import send_image
def picture(number): return {JPEG!r} + b"%010d" % number + bytes(99_986)
for number in range({{}}):
    send_image(picture(number))
    time.sleep({{}})
print("shown")
"""


@pytest.mark.parametrize("module", ["RPIO.program", "further_link"])
def test_thirty_pictures_a_second_come_whole_in_their_order_and_the_last_one_does(client, module):
    assert (
        client.ask("start", "p", runner="python3", code=CAMERA.format(module, 15, 1 / 30)).type == "started"
    )
    found = client.until("stopped", "p")
    numbers = pictures(found)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 14
    assert found[-1].data["exitCode"] == 0


def test_who_does_not_look_holds_up_no_program_and_sees_the_newest(keeper, client):
    busy = keeper.client()
    number = busy.ask("start", "p", runner="python3", code=CAMERA.format("RPIO.program", 300, 0)).data[
        "number"
    ]
    assert runs_still(client, number)
    assert wait_until(lambda: not runs_still(client, number))
    numbers = pictures(busy.until("stopped", "p"))
    busy.close()
    assert numbers[-1] == 299
    assert len(numbers) < 200


def runs_still(client, number):
    """Whether a program is listed as one that runs."""
    listed = client.ask("list").data["programs"]
    return any(program["number"] == number and program["state"] == RUNS for program in listed)


KEYS = """
import sys
from {} import KeyboardButton
for name in ("ArrowUp", " ", "é"):
    button = KeyboardButton(name)
    button.when_pressed = lambda name=name: print(name, "down", flush=True)
    button.when_released = lambda name=name: print(name, "up", flush=True)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("module", ["RPIO.program", "further_link"])
def test_a_program_hears_its_keys(client, module):
    assert client.ask("start", "p", runner="python3", code=KEYS.format(module)).type == "started"
    keys, written = [], b""
    while (
        len(keys) < 3 or written != b"ready\n"
    ):  # by two ways, so in any order; and what is to be called is known
        found = client.hear()
        if isinstance(found, Data):
            written += found.value
        else:
            keys.append(found.data["key"])
    assert keys == ["ArrowUp", " ", "é"]
    said = ""
    for key in ("ArrowUp", " ", "other", "é"):
        for event in ("keydown", "keyup"):
            client.say("keyevent", "p", key=key, event=event)
        if key != "other":
            said += f"{key} down\n{key} up\n"
    heard = b""
    while heard.decode("utf-8", "ignore") != said:
        heard += client.hear().value
    client.say("stop", "p")
    client.until("stopped", "p")


@pytest.mark.slow
def test_a_program_in_a_shell_with_jobs_is_seen_as_well(client, keeper):
    (keeper.work / "camera.py").write_text(CAMERA.format("RPIO.program", 2, 0))
    assert client.ask("start", "p", runner="shell", pty=True, path=".").type == "started"
    client.type("p", f"set -m; {sys.executable} camera.py; exit\n")
    assert pictures(client.until("stopped", "p"))[-1] == 1


@pytest.mark.slow
def test_nothing_of_the_sockets_is_left(client, keeper):
    code = "import os; print(os.environ['FURTHER_LINK_TEMP_DIR'], end='')\n" + CAMERA.format(
        "RPIO.program", 1, 0
    )
    folder = client.run(runner="python3", code=code)[1].decode().removesuffix("shown\n")
    assert os.stat(folder).st_mode & 0o077 == 0
    assert wait_until(lambda: not [name for name in os.listdir(folder) if name.endswith(".sock")])


KILLED = """
import os, sys
from RPIO.programs import drafts
from RPIO.programs.running import RUNS
from RPIO.programs.uploads import Uploads
real, left = drafts.rename, [2]
def rename(*args):
    left[0] -= 1
    return real(*args) if left[0] else os._exit(9)
drafts.rename, drafts.in_use = rename, lambda path: True
text = lambda value: {"type": "text", "content": {"text": value}}
Uploads(sys.argv[1]).replace("proj", {"a": text("new"), "b": text("new")})
"""


@pytest.mark.slow
def test_what_a_keeper_that_was_killed_has_begun_to_upload_is_undone_before_a_program_runs(tmp_path):
    work = tmp_path / "work"
    Uploads(str(work)).replace("proj", {"a": {"type": "text", "content": {"text": "old"}}})
    assert subprocess.run([sys.executable, "-c", KILLED, str(work)], check=False).returncode == 9
    assert (work / "proj" / "a").read_text() == "new"
    with keeping(tmp_path) as keeper:
        client = keeper.client()
        assert client.run(runner="python3", code="print(open('a').read())", path="proj") == (0, b"old\n", b"")
        client.close()
    assert os.listdir(work / "proj") == ["a"]
