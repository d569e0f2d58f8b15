# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that people have, by WebSocket on a daemon's simulated board: the examples, a screen of curses, a camera."""

import shutil
import sys
from pathlib import Path

import pytest

from further_parts import further, outputs
from test_examples import FOLDER, PROGRAMS


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A daemon, and a client of it; the examples are in its work directory."""
    folder = tmp_path_factory.mktemp("real")
    with further(folder, "--open-run") as made:
        shutil.copytree(FOLDER, folder / "further/rpigpio", dirs_exist_ok=True)
        yield made


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs_there_and_ends_cleanly(there, name):
    arguments, waits = PROGRAMS[name]
    with there.connect("/run") as talk:
        data = {"runner": "python3", "path": f"rpigpio/{name}.py", "args": [*arguments]}
        assert talk.ask("start", process="p", data=data)["type"] == "started"
        if waits is not None:
            assert waits in talk.output_until("\n")
            talk.send("signal", process="p", data={"signal": "INT"})
        found = talk.until("stopped")
    complaints = outputs(found, "stderr")
    assert found[-1]["data"]["exitCode"] == (1 if name == "dht" else 0), complaints
    assert complaints.strip() == ("no answer from a sensor on GPIO 4" if name == "dht" else "")


SCREEN = """\
import curses

def main(screen):
    key = ""
    curses.halfdelay(2)  # a window that changes between ncurses' last look and its wait for a key is not noticed
    while key != "q":
        rows, columns = screen.getmaxyx()
        screen.addstr(1, 2, f"<{rows} x {columns}, {key}>")
        screen.refresh()
        try:
            key = screen.getkey()
        except curses.error:
            pass  # no key

curses.wrapper(main)
"""


def test_a_screen_of_curses_draws_on_its_terminal_and_hears_keys_and_sizes(there):
    with there.connect("/run") as talk:
        data = {"runner": "python3", "code": SCREEN, "pty": True, "rows": 20, "cols": 70}
        talk.send("start", process="p", data=data)
        assert talk.receive()["type"] == "started"
        shown = talk.output_until("<20 x 70, >")
        assert shown.startswith("\x1b[")
        talk.send("stdin", process="p", data={"input": "k"})
        talk.output_until("k>")
        talk.send("resize", process="p", data={"rows": 31, "cols": 101})
        talk.output_until("31")
        talk.send("stdin", process="p", data={"input": "q"})
        found = talk.until("stopped")
    assert found[-1]["data"]["exitCode"] == 0


CAMERA = """\
import time
from further_link import send_image

for number in range(60):
    send_image(b"\\xff\\xd8\\xff" + bytes([number]) * 50_000 + b"\\xff\\xd9")
    time.sleep(1 / 30)
input()
"""


@pytest.mark.slow
def test_a_camera_of_thirty_pictures_a_second_is_seen(there):
    from base64 import b64decode

    with there.connect("/run") as talk:
        talk.send("start", process="p", data={"runner": "python3", "code": CAMERA})
        assert talk.receive()["type"] == "started"
        numbers = []
        while not numbers or numbers[-1] != 59:  # the last one is always seen
            found = talk.receive()
            assert found["type"] == "video"
            picture = b64decode(found["data"]["output"])
            assert len(picture) == 50_005
            numbers.append(picture[3])
        talk.send("stdin", process="p", data={"input": "\n"})
        talk.until("stopped")
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 10


@pytest.mark.slow
def test_the_interpreter_is_the_daemons_own(there):
    with there.connect("/run-py") as talk:
        talk.send("start", data={"sourceScript": "import sys; print(sys.executable)"})
        found = talk.until("stopped")
    assert Path(outputs(found).strip()).samefile(sys.executable)


KEYS = """\
from further_link import KeyboardButton

up = KeyboardButton("ArrowUp")
up.when_pressed = lambda: print("pressed", flush=True)
up.when_released = lambda: print("released", flush=True)
print("ready", flush=True)
"""


@pytest.mark.slow
def test_a_program_says_for_which_key_it_listens_and_hears_it(there):
    with there.connect("/run") as talk:
        talk.send("start", process="p", data={"runner": "python3", "code": KEYS})
        found = []
        while "ready" not in outputs(found) or not any(each["type"] == "keylisten" for each in found):
            found.append(talk.receive())  # by two ways, so in any order
        (asked,) = [each for each in found if each["type"] == "keylisten"]
        assert asked["data"] == {"output": "ArrowUp", "key": "ArrowUp"}
        for event, said in (("keydown", "pressed"), ("keyup", "released")):
            talk.send("keyevent", process="p", data={"key": "ArrowUp", "event": event})
            talk.output_until(said)
        talk.send("stop", process="p")
        assert talk.until("stopped")[-1]["data"] == {"exitCode": -15}
