# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program shows and hears, by RPIO.program and by further_link's names: programs of their own, whose sockets are
here, as the keeper has them; and programs that nobody has started.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import RPIO
from RPIO import _gpio, errors, program, stand_ins
from RPIO.loop.dispatcher import Dispatcher
from RPIO.programs.sockets import PAYLOAD_MAX
from RPIO.programs.streams import Streams
from waiting import wait_until

JPEG = b"\xff\xd8\xff\xe0 and so on \xff\xd9"
SHOWN = base64.b64encode(JPEG)
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FURTHER_LINK_TEMP_DIR")
}
PARENT = str(Path(RPIO.__file__).parents[1])


class World:
    """A program, and those who look at it."""

    def __init__(self, folder):
        self.folder = folder
        self.loop = Dispatcher(_gpio.Poller(), lambda edge: None)
        self.pictures, self.keys = [], []
        self.started = self.streams = None

    def start(self, words, python=sys.executable, is_late=False, **env):
        """Start a program: its words, or others for a shell."""
        self.started = subprocess.Popen(
            words if isinstance(words, list) else [python, "-u", "-c", words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                **ENVIRONMENT,
                "FURTHER_LINK_TEMP_DIR": str(self.folder),
                "PYTHONPATH": stand_ins.FOLDER,
                **env,
            },
        )
        if is_late:
            assert self.started.stdout.readline() == "begins\n"
        self.streams = Streams(
            str(self.folder),
            self.started.pid,
            self.loop,
            self.pictures.append,
            self.keys.append,
            lambda seconds, call: None,
        )
        self.streams.open()

    def pump(self, done):
        """Run the loop until something has come true."""
        found = wait_until(lambda: self.loop.step(0.001) < 0 or done())
        assert found, (self.pictures, self.keys, self.started.poll())

    def line(self):
        """The next line of the program's output."""
        lines = []
        os.set_blocking(self.started.stdout.fileno(), False)

        def has_line():
            lines.append(self.started.stdout.readline())
            return lines[-1] != ""

        self.pump(has_line)
        os.set_blocking(self.started.stdout.fileno(), True)
        return "".join(lines)

    def end(self):
        """Let the program end; return its status and what it has said meanwhile."""
        self.started.stdin.close()
        self.pump(lambda: self.started.poll() is not None)
        return self.started.returncode, self.started.stdout.read(), self.started.stderr.read()

    def close(self):
        if self.streams is not None:
            self.streams.close()
        if self.started is not None:
            self.started.kill()
            self.started.wait()
            for stream in (self.started.stdin, self.started.stdout, self.started.stderr):
                stream.close()
        self.loop.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


SENDS = f"from {{}} import send_image; print(send_image({JPEG!r}))"


# -- pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "says"), [("RPIO.program", "True\n"), ("further_link", "None\n")])
def test_a_picture_is_shown(world, module, says):
    world.start(SENDS.format(module))
    world.pump(lambda: world.pictures)
    assert world.pictures == [SHOWN]
    assert world.end() == (0, says, "")


def test_the_first_picture_waits_for_who_has_started_the_program(world):
    world.start(f"print('begins'); {SENDS.format('RPIO.program')}", is_late=True)
    world.pump(lambda: world.pictures)
    assert world.end() == (0, "True\n", "")


def test_the_last_picture_before_the_end_comes(world):
    world.start(f"from RPIO.program import send_image\nfor n in range(100): send_image({JPEG!r} + bytes(n))")
    assert world.end() == (0, "", "")
    world.streams.close()
    assert world.pictures == [base64.b64encode(JPEG + bytes(n)) for n in range(100)]


def test_pictures_of_several_threads_do_not_mix(world):
    world.start(
        "from RPIO.program import send_image; from threading import Thread\n"
        f"def show(n):\n for _ in range(20): send_image({JPEG!r} + b'%d' % n * 30_000)\n"
        "threads = [Thread(target=show, args=(n,)) for n in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()"
    )
    world.pump(lambda: len(world.pictures) == 80)
    assert sorted(world.pictures) == sorted(
        20 * [base64.b64encode(JPEG + b"%d" % n * 30_000) for n in range(4)]
    )
    assert world.end() == (0, "", "")


def test_a_process_that_the_program_has_forked_has_a_connection_of_its_own(world):
    world.start(
        "import os; from RPIO.program import send_image\n"
        f"send_image({JPEG!r})\npid = os.fork()\n"
        f"for _ in range(50): send_image({JPEG!r} + b'%d' % bool(pid) * 100_000)\n"
        "if pid: os.waitpid(pid, 0)"
    )
    world.pump(lambda: len(world.pictures) == 101)
    assert len(set(world.pictures)) == 3
    assert world.end() == (0, "", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash, which makes groups of its own")
def test_a_program_that_a_shell_has_put_into_a_group_of_its_own_is_seen(world):
    code = f"import os; print(os.getpgrp() == os.getsid(0)); {SENDS.format('RPIO.program')}"
    world.start(
        [
            "bash",
            "-c",
            f"set -m; {sys.executable} -c '{code}'; true".replace(repr(JPEG), f'b"{repr(JPEG)[2:-1]}"'),
        ]
    )
    world.pump(lambda: world.pictures)
    assert world.end() == (0, "False\nTrue\n", "")


def test_who_has_gone_and_come_again_is_shown_the_next_one(world):
    world.start(
        "import sys; from RPIO.program import send_image\n"
        f"for line in sys.stdin: print(send_image({JPEG!r}), flush=True)"
    )
    for _ in range(2):
        world.started.stdin.write("x\n")
        world.started.stdin.flush()
        world.pump(lambda: world.pictures)
        assert world.line() == "True\n"
        world.streams.close()
        world.pictures.clear()
        world.streams.open()
    assert world.end()[0] == 0


def test_one_who_does_not_read_is_an_error_and_not_for_ever(world):
    world.start(
        "from RPIO import program\nfrom RPIO.programs import telling\ntelling.SEND_S = 0.1\n"
        f"try:\n while True: program.send_image({JPEG!r} + bytes(100_000))\nexcept TimeoutError as e: print(repr(e))"
    )
    world.pump(lambda: world.pictures)
    world.streams.pause()
    assert world.started.stdout.readline() == "TimeoutError('timed out')\n"


@pytest.mark.slow
def test_a_signal_handler_in_the_middle_of_a_picture_does_not_mix_in_its_own(world):
    world.start(
        "import signal; from RPIO.program import send_image\n"
        "sent = []\n"
        f"signal.signal(signal.SIGALRM, lambda *_: sent.append(send_image({JPEG!r} + b'h' * 100)))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        f"count = sum(send_image({JPEG!r} + b'm' * 1_000_000) for _ in range(50))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "print(count, sum(sent))"
    )
    world.pump(lambda: world.started.poll() is not None)
    world.streams.close()
    count, sent = map(int, world.started.stdout.read().split())
    assert count == 50
    assert world.pictures.count(base64.b64encode(JPEG + b"m" * 1_000_000)) == count
    assert world.pictures.count(base64.b64encode(JPEG + b"h" * 100)) == sent
    assert len(world.pictures) == count + sent


# -- keys ----------------------------------------------------------------------------------------------

LISTENS = """
import sys
from {} import KeyboardButton
up, space = KeyboardButton("ArrowUp"), KeyboardButton(" ")
up.when_pressed = lambda: print("up", up.is_pressed)
up.when_released = lambda: print("released", up.is_pressed)
space.when_pressed = lambda: print("space")
print("begun")
"""


@pytest.mark.parametrize("module", ["RPIO.program", "further_link"])
def test_keys_are_heard(world, module):
    world.start(LISTENS.format(module) + "\nsys.stdin.read()")
    world.pump(lambda: len(world.keys) == 2)
    assert world.keys == ["ArrowUp", " "]
    assert world.line() == "begun\n"
    for key, event, line in (
        ("ArrowUp", "keydown", "up True"),
        ("ArrowUp", "keyup", "released False"),
        (" ", "keydown", "space"),
    ):
        assert world.streams.send_key(key, event)
        assert world.line() == f"{line}\n"
    assert world.streams.send_key("other", "keydown")
    assert world.streams.send_key("ArrowUp", "sideways")
    assert world.streams.send_key("ArrowUp", "keydown")
    assert world.line() == "up True\n"


def test_a_program_of_ours_ends_when_it_is_done_and_takes_its_socket_away(world):
    world.start(LISTENS.format("RPIO.program"))
    assert world.end() == (0, "begun\n", "")
    assert not list(world.folder.glob("*.keyevent.sock"))


def test_a_program_of_further_links_goes_on_as_long_as_it_has_buttons(world):
    world.start(LISTENS.format("further_link"))
    assert world.line() == "begun\n"
    assert world.streams.send_key("ArrowUp", "keydown")
    assert world.line() == "up True\n"
    assert world.started.poll() is None
    world.started.send_signal(signal.SIGTERM)
    assert world.end()[0] == -signal.SIGTERM


def test_a_function_that_fails_is_shown_and_the_next_key_comes(world):
    world.start(
        "import sys; from RPIO.program import KeyboardButton\n"
        "a = KeyboardButton('a')\na.when_pressed = lambda: 1 / 0\na.when_released = lambda: print('up')\n"
        "print('begun'); sys.stdin.read()"
    )
    assert world.line() == "begun\n"
    assert world.streams.send_key("a", "keydown")
    assert world.streams.send_key("a", "keyup")
    assert world.line() == "up\n"
    status, _, said = world.end()
    assert status == 0
    assert "ZeroDivisionError" in said


def test_several_buttons_of_a_key_and_one_that_is_closed(world):
    world.start(
        "import sys; from RPIO.program import KeyboardButton\n"
        "a, b = KeyboardButton('a'), KeyboardButton('a')\n"
        "a.when_pressed = lambda: print('first')\nb.when_pressed = lambda: print('second')\n"
        "print('begun')\n"
        "for line in sys.stdin: a.close(); a.close(); print('closed')"
    )
    assert world.line() == "begun\n"
    assert world.streams.send_key("a", "keydown")
    assert world.line() + world.line() == "first\nsecond\n"
    world.started.stdin.write("x\n")
    world.started.stdin.flush()
    assert world.line() == "closed\n"
    assert world.streams.send_key("a", "keydown")
    assert world.line() == "second\n"


def test_what_is_set_can_be_read_and_taken_back(world):
    world.start(
        "from RPIO.program import KeyboardButton\n"
        "with KeyboardButton('a') as a:\n"
        " print(a.when_pressed, a.when_released, a.is_pressed, a)\n"
        " a.when_pressed = a.when_released = print\n"
        " print(a.when_pressed is print, a.when_released is print)\n"
        " a.when_pressed = None\n"
        " print(a.when_pressed)\n"
    )
    said = "None None False <KeyboardButton 'a'>\nTrue True\nNone\n"
    assert world.end() == (0, said, "")


def test_a_second_process_of_a_program_is_told_that_the_first_listens(world):
    world.start(
        "import os, sys; from RPIO.program import KeyboardButton\n"
        "a = KeyboardButton('a')\na.when_pressed = lambda: print('pressed')\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        " try: KeyboardButton('b')\n"
        " except NotImplementedError as e: print(e)\n"
        " sys.exit()\n"
        "os.waitpid(pid, 0)\nprint('begun'); sys.stdin.read()"
    )
    assert world.line() == "another process of this program listens for keys already\n"
    assert world.line() == "begun\n"
    assert world.streams.send_key("a", "keydown")
    assert world.line() == "pressed\n"


@pytest.mark.parametrize("key", [None, 1, b"a", ["a"]])
def test_a_key_is_text(key):
    with pytest.raises(TypeError, match="key must be a name such as 'ArrowUp'"):
        program.KeyboardButton(key)


@pytest.mark.parametrize("key", ["", "  ", "a b", "a\nb", "a\0", "x" * 101])
def test_a_key_is_a_name(key):
    with pytest.raises(ValueError, match="key must be a name such as 'ArrowUp'"):
        program.KeyboardButton(key)


# -- what is no picture --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [None, "picture.jpg", 1, object(), [[1]], Path("picture.jpg")],
    ids=lambda frame: type(frame).__name__,
)
def test_what_is_no_picture_is_refused(frame):
    with pytest.raises(TypeError, match="frame must be an image of Pillow's"):
        program.send_image(frame)


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x89PNG\r\n", bytearray(b"\xff\xd8"), memoryview(b"GIF8")],
    ids=lambda frame: type(frame).__name__,
)
def test_bytes_that_are_no_jpeg_are_refused(frame):
    with pytest.raises(ValueError, match="these bytes are no JPEG"):
        program.send_image(frame)


def test_a_picture_that_is_too_large_is_refused():
    most = PAYLOAD_MAX // 4 * 3
    with pytest.raises(ValueError, match=f"is too large: {most} at most"):
        program.send_image(JPEG + bytes(most))


@pytest.mark.parametrize("format", ["JPEG", "pil", 1, b"PIL"])
def test_a_format_is_one_of_two(format):
    with pytest.raises(ValueError, match="format must be None, 'PIL' or 'OpenCV'"):
        program.send_image(JPEG, format)


# -- programs that nobody has started ------------------------------------------------------------------


def alone(code, folder, python=sys.executable, **env):
    """Run a program in a terminal's way; return its status, and what it has said."""
    done = subprocess.run(
        [python, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
        env={**ENVIRONMENT, "PYTHONPATH": stand_ins.FOLDER, **env},
        cwd=folder,
    )
    return done.returncode, done.stdout, done.stderr


def test_pictures_that_nobody_sees_are_said_once(tmp_path):
    code = f"from RPIO.program import send_image; print([send_image({JPEG!r}) for _ in range(3)])"
    said = "nobody sees the pictures: this program was not started by `rpio run --there`, or for a client of "
    assert alone(code, tmp_path) == (0, "[False, False, False]\n", f"{said}`rpio serve --further`\n")


@pytest.mark.parametrize("module", ["RPIO.program", "further_link"])
def test_a_program_with_buttons_ends_as_any_where_nobody_presses_them(tmp_path, module):
    status, printed, said = alone(LISTENS.format(module), tmp_path)
    assert (status, printed) == (0, "begun\n")
    assert said.startswith("no key will be pressed: this program was not started by")
    assert said.count("\n") == 1


def test_where_nobody_listens_it_does_not_wait_twice(tmp_path):
    code = (
        "import time; from RPIO import program\nfrom RPIO.programs import telling\ntelling.BEGIN_S = 0.3\n"
        f"began = time.monotonic()\nprogram.send_image({JPEG!r})\nfirst = time.monotonic()\n"
        f"for _ in range(20): program.send_image({JPEG!r})\n"
        "print(first - began >= 0.3, time.monotonic() - first < 0.3 * 20)"
    )
    assert alone(code, tmp_path, FURTHER_LINK_TEMP_DIR=str(tmp_path))[:2] == (0, "True True\n")


def test_a_socket_of_somebody_else_is_not_used(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    world = World(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        code = f"import os, sys; print('begins', flush=True); sys.stdin.readline(); {SENDS.format('RPIO.program')}"
        world.started = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**ENVIRONMENT, "FURTHER_LINK_TEMP_DIR": str(tmp_path)},
        )
        path = tmp_path / f"{world.started.pid}.video.sock"
        listener.bind(str(path))
        listener.listen()
        os.chown(path, 12345, -1)
        assert world.started.communicate("x\n", 60)[0] == "begins\nFalse\n"
        world.close()


def test_it_needs_nothing_of_the_board(tmp_path):
    code = (
        "import sys; import RPIO.program\n"
        "print([name for name in sys.modules if name in ('socket', 'threading', 'enum', 're', 'RPIO.facade', 'logging')"
        " or name.startswith(('RPIO.board', 'RPIO.backends', 'RPIO.machine', 'RPIO.loop'))])"
    )
    assert alone(code, tmp_path)[:2] == (0, "[]\n")


# -- virtual environments without RPIO -----------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """The Python of a virtual environment that has nothing."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python3")


def test_the_names_are_there_in_a_virtual_environment_without_rpio(tmp_path, bare_python):
    code = "import {}, sys; print(sys.path[-1])"
    for module in ("further_link", "RPi.GPIO", "RPi"):
        assert alone(code.format(module), tmp_path, bare_python) == (0, f"{PARENT}\n", "")
    assert alone("import RPIO", tmp_path, bare_python)[0] == 1


def test_an_rpio_that_is_there_is_used(tmp_path):
    code = "import further_link, RPi, sys; print(sys.path.count(sys.argv[0] or None), RPi.__path__[0])"
    assert alone(code, tmp_path)[1] == f"0 {stand_ins.FOLDER}/RPi\n"


def test_a_program_in_a_virtual_environment_shows_pictures(world, bare_python):
    world.start(SENDS.format("further_link"), bare_python)
    world.pump(lambda: world.pictures)
    assert world.end() == (0, "None\n", "")


def test_the_names_are_further_links(tmp_path):
    code = "import further_link; print(further_link.__version__, sorted(further_link.__all__))"
    assert alone(code, tmp_path) == (0, "5.11.2 ['KeyboardButton', '__version__', 'send_image']\n", "")


def test_further_links_pictures_never_fail_but_for_what_is_none(tmp_path):
    code = (
        "from further_link import send_image\n"
        "print(send_image(b'no JPEG'))\n"
        "try: send_image(None)\nexcept TypeError as e: print(type(e).__name__)"
    )
    assert alone(code, tmp_path) == (0, "None\nTypeError\n", "")


def test_errors_have_advice():
    with pytest.raises(errors.InvalidCallbackException):
        program.KeyboardButton.when_pressed.fset(object.__new__(program.KeyboardButton), 1)
