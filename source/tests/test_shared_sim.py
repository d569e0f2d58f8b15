# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio sim``: programs, verbs and screens of one user on one simulated board, in processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import RPIO
from remote_parts import World
from RPIO import errors
from RPIO.backends import opening
from RPIO.cli.screens import lines as screens
from RPIO.cli.screens import sim_rows
from RPIO.machine import folders as runtime
from RPIO.remote.places.places import Place
from shared_parts import User
from support import PLAIN
from terminal import Terminal, needs_tmux
from waiting import LIMIT_S, wait_until

PROGRAMS = int(os.environ.get("RPIO_PROGRAMS", "5"))
"""How many are in the class; `make test-every` has 30."""


@pytest.fixture
def user():
    made = User()
    yield made
    made.close()


@pytest.fixture
def here(user, monkeypatch):
    """A shared board, of which this process knows; the user whose it is."""
    user.board = user.sim()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.folder))
    monkeypatch.setenv("RPIO_BACKEND", "sim:shared")
    RPIO.facade.new_board()
    yield user
    RPIO.facade.new_board()


# -- they meet ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_a_verb_has_written_is_there_for_the_next(user):
    user.sim()
    assert user.tell("write", "17=1", "--output") == ""
    assert user.tell("read", "17") == "1\n"
    assert user.tell("mode", "17") == "GPIO 17: OUTPUT\n"
    assert user.tell("write", "17=0") == ""
    assert user.tell("read", "17") == "0\n"


@pytest.mark.slow
def test_they_say_in_one_line_whose_board_it_is(user):
    user.sim("3B+")
    status, out, said = user.do("read", "17", backend="sim")
    assert (status, out) == (0, "0\n")
    assert said == (
        "RPIO: on the shared board of rpio sim: simulated Raspberry Pi 3 Model B+ (54 lines) "
        "(RPIO_BACKEND=sim:shared says so without this line)\n"
    )
    assert user.do("info", backend="sim:shared")[1].startswith(
        "board         simulated Raspberry Pi 3 Model B+\n"
    )


@pytest.mark.skipif(opening.choose(opening.detect.detect()) != "sim", reason="there are lines here")
@pytest.mark.slow
def test_where_there_are_no_lines_it_is_found_without_a_word(user):
    user.sim()
    user.tell("write", "17=1", "--output")
    status, out, said = user.do("read", "17", backend=None)
    assert (status, out, said.count("\n")) == (0, "1\n", 1)
    assert "on the shared board of rpio sim" in said


@pytest.mark.slow
def test_a_model_is_a_board_of_ones_own(user):
    user.sim()
    user.tell("write", "17=1", "--output")
    assert user.do("read", "17", backend="sim:4B") == (0, "0\n", "")


@pytest.mark.slow
def test_a_line_is_its_programs_and_others_see_who_has_it(user):
    user.sim()
    program = user.program(
        """
        import RPIO, sys
        sys.argv[0] = "lamp.py"
        RPIO.setup(18, RPIO.OUT, initial=1)
        print("ready")
        RPIO.wait_for_interrupts()
        """
    )
    program.says("ready")
    status, _, said = user.do("write", "18=0", backend="sim:shared")
    assert status == 1
    assert re.match(r"rpio write: GPIO 18 is in use by \S+@\S+, lamp.py\n", said)
    assert user.tell("read", "18") == "1\n"


@pytest.mark.slow
def test_what_somebody_has_left_is_taken_without_a_warning(user):
    user.sim()
    user.tell("write", "17=1", "--output")
    code = "import RPIO; RPIO.setup(17, RPIO.OUT); print(RPIO.input(17)); RPIO.cleanup()"
    code += "; RPIO.setup(17, RPIO.OUT)"
    status, out, said = user.do(
        code=f"import warnings; warnings.simplefilter('error'); {code}", backend="sim:shared"
    )
    assert (status, out, said) == (0, "1\n", "")


def test_a_program_that_lost_its_lines_does_not_drive_on(here):
    """What is left is nobody's, but that of a program which has been away it is to set up itself."""
    board = RPIO.Board("sim:shared")
    board.setup(17, RPIO.OUT, initial=1)
    board.backend._lost[17] = errors.ConnectionLost("GPIO 17 was given back", False, "set it up again")
    with pytest.raises(errors.ConnectionLost):
        board.forceoutput(17, 0)
    board.close()


# -- the world outside ----------------------------------------------------------------------------------------

BUTTON = """
import RPIO
RPIO.setup(18, RPIO.OUT, initial=0)
def changed(gpio, level):
    RPIO.output(18, 1 - level)
    print("level", level)
RPIO.add_interrupt_callback(17, changed, pull_up_down=RPIO.PUD_UP)
print("ready")
RPIO.wait_for_interrupts()
"""


def test_a_finger_of_one_program_presses_the_button_of_another(here):
    program = here.program(BUTTON)
    program.says("ready")
    assert RPIO.sim.is_watched(17) and not RPIO.sim.is_watched(5)
    RPIO.sim.drive(17, 0)
    program.says("level 0")
    assert wait_until(lambda: RPIO.sim.level(18) == 1)
    RPIO.sim.drive(17, None)
    program.says("level 1")
    assert wait_until(lambda: RPIO.sim.level(18) == 0)
    RPIO.sim.press(17, ms=20)
    assert program.says("level 0\nlevel 1\nlevel 0\nlevel 1")
    assert RPIO.sim.level(17) == 1


def test_wires_and_short_circuits_are_the_boards(here):
    assert RPIO.sim.short_circuits() == 0
    RPIO.sim.wire(22, 23)
    RPIO.setup(22, RPIO.OUT, initial=1)
    assert RPIO.sim.level(23) == 1
    RPIO.sim.drive(23, 0)
    assert (RPIO.sim.level(23), RPIO.sim.short_circuits()) == (0, 1)
    RPIO.sim.unwire(23)
    RPIO.sim.drive(23, None, bounces=2)
    assert RPIO.sim.level(22) == 1
    with pytest.raises(errors.InvalidChannelException, match="there is no line 58"):
        RPIO.sim.drive(58, 1)
    with pytest.raises(errors.InvalidChannelException, match="there is no line -1"):
        RPIO.sim.wire(17, -1)


def test_what_is_about_the_object_itself_says_that_it_is_anothers(here):
    with pytest.raises(errors.NoBackendError, match="the simulated board is another program's") as caught:
        RPIO.sim.backend()
    assert "sim:4B" in caught.value.hint


def test_a_button_is_let_go_whoever_has_pressed_it_and_gone(here):
    place = Place(f"remote+unix://{here.socket}")
    with place.connect(LIMIT_S) as person:
        person.sendall(b"press 17 50 1\nread 17\n")
        with person.makefile() as heard:
            assert [heard.readline(), heard.readline()] == ["ok\n", "ok 1\n"]
    assert wait_until(lambda: RPIO.sim.level(17) == 0)


def test_a_press_ends_where_something_else_is_done_to_the_line(sim):
    sim.press(17, 1_000_000, 1)
    sim.drive(17, 1)
    sim.clock.advance(2_000_000)
    assert sim.driven(17) == 1
    sim.press(17, 1_000_000, 0)
    sim.press(17, 5_000_000, 0)
    sim.clock.advance(2_000_000)
    assert sim.driven(17) == 0
    sim.clock.advance(4_000_000)
    assert sim.driven(17) is None


ASKED = ("drive 17 1", "driven 17", "press 17 10", "wire 17 18", "unwire 17", "watched 17", "short_circuits")


@pytest.mark.parametrize("request_", ASKED)
def test_nobody_plays_the_world_outside_of_a_real_board(board, sim, monkeypatch, request_):
    peer = World(board, sim).come("ada")
    assert peer.ask(request_).startswith("ok")
    monkeypatch.setattr(sim, "outside", lambda: None)
    answer = peer.ask(request_)
    assert answer.startswith(
        'error NotSupportedError "this is no simulated board but simulated Raspberry Pi 4'
    )


def test_words_of_the_world_outside(board, sim):
    peer = World(board, sim).come("ada")
    assert [peer.ask(f"drive 17 {word}") for word in ("high", "0", "-")] == ["ok"] * 3
    assert peer.ask("drive 17 1") == "ok"
    assert peer.ask("driven 17 18") == "ok 1 -"
    assert peer.ask("drive 17 2").startswith("error ValueError")
    assert peer.ask("press 17 90000000").startswith("error ValueError")
    assert peer.ask("drive 58 1").startswith("error InvalidChannelException")


def test_it_is_known_that_a_line_was_left(board, sim):
    world = World(board, sim)
    ada, bob = world.come("ada"), world.come("bob")
    ada.ask("output 17 1")
    assert bob.ask("consumer 17") == "ok ada"
    ada.ask("release 17")
    assert bob.ask("consumer 17") == 'ok "" left'
    bob.ask("output 17 0")
    assert ada.ask("consumer 17") == "ok bob"
    assert ada.ask("consumer 18") == 'ok ""'


def test_what_somebody_has_made_of_a_line_that_was_given_back_was_not_left(board, sim):
    """The next one who sets it up is warned."""
    world = World(board, sim)
    ada = world.come("ada")
    ada.ask("input 17")
    ada.ask("release 17")
    assert ada.ask("consumer 17") == 'ok "" left'
    sim.set_output(17, 1)
    assert ada.ask("consumer 17") == 'ok ""'


# -- edges of others ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_watch_hears_outputs_and_what_others_have(user):
    user.sim()
    program = user.program(BUTTON)
    program.says("ready")
    watch = user.start("watch", "17,18,27", backend="sim:shared")
    assert wait_until(lambda: user.tell("info") and is_heard(user, 27))
    user.tell("write", "27=1", "--output")
    watch.says(r"GPIO 27  1")
    user.tell("write", "27=0")
    watch.says(r"GPIO 27  0")
    drive(user, 17, 0)
    watch.says(r"GPIO 17  0\n.*GPIO 18  1")
    program.kill(signal.SIGINT)
    assert user.tell("write", "18=0") == ""  # whose program has gone
    watch.says(r"GPIO 18  0")


def is_heard(user, line):
    return ask(user, f"watched {line}") == "ok yes"


def drive(user, line, level):
    assert ask(user, f"drive {line} {level}") == "ok"


def ask(user, text):
    with Place(f"remote+unix://{user.socket}").connect(LIMIT_S) as person:
        person.sendall(f"{text}\n".encode())
        with person.makefile() as heard:
            return heard.readline().strip()


def test_a_program_hears_no_edges_of_its_output(here):
    """As on a real board: what watches outputs is the instrument, not the program."""
    seen = []
    RPIO.add_interrupt_callback(17, lambda gpio, level: seen.append(level), pull_up_down=RPIO.PUD_DOWN)
    RPIO.wait_for_interrupts(threaded=True)
    RPIO.sim.drive(17, 1)
    assert wait_until(lambda: seen == [1])
    RPIO.sim.drive(17, None)
    assert wait_until(lambda: seen == [1, 0])
    RPIO.setup(17, RPIO.OUT, initial=0)
    for level in (1, 0):
        RPIO.output(17, level)
    RPIO.setup(17, RPIO.IN)
    RPIO.sim.drive(17, 1)
    assert wait_until(lambda: len(seen) > 2), seen
    assert seen == [1, 0, 1]
    RPIO.stop_waiting_for_interrupts()


@pytest.mark.slow
def test_replay_plays_into_it_and_capture_records_it(user, tmp_path):
    user.sim()
    (tmp_path / "door.vcd").write_text(
        "$timescale 1ms $end\n$scope module gpio $end\n$var wire 1 ! GPIO17 $end\n$upscope $end\n"
        "$enddefinitions $end\n#0\n0!\n#5\n1!\n#10\n0!\n#15\n1!\n#20\n"
    )
    capture = user.start(
        "capture", "17", "--edges", "3", "-o", str(tmp_path / "again.vcd"), backend="sim:shared"
    )
    assert wait_until(lambda: is_heard(user, 17))
    assert user.tell("replay", str(tmp_path / "door.vcd")) == "3 edges of GPIO17 played\n"
    capture.says("^3 edges in ")
    assert re.findall(r"^([01])!$", (tmp_path / "again.vcd").read_text(), re.MULTILINE) == [
        "0",
        "1",
        "0",
        "1",
    ]
    assert user.tell("read", "17") == "0\n"  # let go of


# -- which one there is ---------------------------------------------------------------------------------------


def test_without_one_its_own_word_is_an_error_with_the_command(user):
    status, _, said = user.do("read", "17", backend="sim:shared")
    assert status == 1
    assert said == "rpio read: there is no shared simulated board\nstart one in another terminal: rpio sim\n"
    assert user.do("read", "17", backend="sim") == (0, "0\n", "")


@pytest.mark.slow
def test_a_second_one_says_which_there_is(user):
    first = user.sim("zero2w")
    status, _, said = user.do("sim", "zero2w")
    assert status == 1
    pid = f"served by process {first.pid}"
    assert said.startswith(
        f"rpio sim: there is a shared board already, a simulated Raspberry Pi Zero 2 W, {pid}\n"
    )
    status, _, said = user.do("sim", "3B+")
    assert status == 1
    assert f"Zero 2 W, {pid}, and no Raspberry Pi 3 Model B+\n" in said
    assert "RPIO_BACKEND=sim" in said


@pytest.mark.slow
def test_of_several_that_begin_at_once_one_serves(user):
    begun = [user.start("sim") for _ in range(4)]
    others = "shared at|there is a shared board already"
    for each in begun:
        each.says(others)
    assert sum("shared at" in each.look() for each in begun) == 1
    assert user.tell("read", "17") == "0\n"


@pytest.mark.slow
def test_a_socket_that_was_left_is_replaced(user):
    user.sim().kill()
    assert user.socket.exists()
    user.sim("3B+")
    assert "3 Model B+" in user.tell("info")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_its_end_the_socket_goes(user, number):
    board = user.sim()
    board.kill(number)
    assert not user.socket.exists()
    assert "Traceback" not in board.look()


@pytest.mark.slow
def test_its_programs_are_told_when_it_is_killed(user):
    board = user.sim()
    program = user.program(
        """
        import RPIO
        RPIO.setup(17, RPIO.OUT, initial=1)
        print("ready")
        try:
            while True:
                RPIO.output(17, 1)
        except RPIO.ConnectionLost as e:
            print("lost:", e, "-", e.hint)
        """,
    )
    program.says("ready")
    board.kill()
    program.says(r"^lost: .*there is no connection to rpio sim: .* - start it again: rpio sim$")
    status, out, said = user.do("read", "17", backend="sim")
    assert (status, out) == (0, "0\n")
    assert said == (
        "RPIO: nobody serves the shared simulated board any more (rpio sim): using one of this program's own\n"
    )
    status, _, said = user.do("read", "17", backend="sim:shared")
    assert status == 1
    assert "there is no shared simulated board any more" in said


def test_it_ends_after_its_time_and_says_nothing_where_it_is_quiet(user):
    assert user.do("sim", "--quiet", "--for", "10ms") == (0, "", "")
    status, out, said = user.do("sim", "--for", "10ms")
    assert (status, said) == (0, "")
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sim", "9z"), "There is no Raspberry Pi '9z'"),
        (("sim", "--backend", "sim"), "rpio sim is a backend itself"),
        (("sim", "3B", "4B"), "there is no file '4B'"),
    ],
)
def test_what_it_cannot_read(user, words, says):
    status, _, said = user.do(*words)
    assert status == 2
    assert says in said


def test_somebody_elses_program_at_its_place_is_no_board(user):
    (user.folder / "rpio").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(user.socket))
        other.listen()
        other.settimeout(LIMIT_S)
        program = user.start("read", "17", backend="sim:shared")
        with other.accept()[0] as caller:
            caller.recv(100)
            caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            program.says("rpio read: ")
        assert program.process.wait(LIMIT_S) == 1


# -- the folder -----------------------------------------------------------------------------------------------


def test_the_folder_is_the_sessions_or_the_users_own(user, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.folder))
    with pytest.raises(FileNotFoundError):
        runtime.runtime_folder()
    assert runtime.runtime_folder(is_made=True) == str(user.folder / "rpio") == runtime.runtime_folder()
    assert (user.folder / "rpio").stat().st_mode & 0o777 == 0o700
    assert runtime.sim_socket() == ""
    for other in ("", "not/absolute", str(user.folder / "none")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", other)
        monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_001)
        with pytest.raises((errors.NoAccessError, FileNotFoundError), match="/tmp/rpio-4000000001"):
            runtime.runtime_folder()
        monkeypatch.undo()


def test_a_folder_that_others_may_enter_is_not_used(user, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.folder))
    folder = user.folder / "rpio"
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(errors.NoAccessError, match="others may enter") as caught:
        runtime.runtime_folder(is_made=True)
    assert caught.value.hint == f"chmod 700 {folder}"
    (folder / "sim.sock").touch()
    assert runtime.sim_socket() == ""
    folder.chmod(0o700)
    assert runtime.sim_socket() == str(folder / "sim.sock")


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_of_the_users_is_not_used(user, monkeypatch, kind):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.folder))
    folder = user.folder / "rpio"
    if kind == "link":
        (user.folder / "real").mkdir(mode=0o700)
        folder.symlink_to(user.folder / "real")
    else:
        folder.touch()
    with pytest.raises(errors.NoAccessError, match="is no folder of this user's"):
        runtime.runtime_folder(is_made=True)
    status, _, said = user.do("sim")
    assert status == 1
    assert "is no folder of this user's" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(user, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.folder))
    (user.folder / "rpio").mkdir(mode=0o700)
    os.chown(user.folder / "rpio", 65534, 65534)
    with pytest.raises(errors.NoAccessError, match="is no folder of this user's"):
        runtime.runtime_folder(is_made=True)


# -- tests and fingers find none by accident ------------------------------------------------------------------

SUITE = """
import os, subprocess, sys
import RPIO

EARLY = RPIO.gpio_function(17)  # as tests are collected

def test_the_board_of_a_program():
    assert EARLY == RPIO.IN == RPIO.gpio_function(17)
    RPIO.setup(17, RPIO.OUT, initial=0)

def test_that_of_the_fixture(rpio_board):
    RPIO.setup(17, RPIO.OUT, initial=0)
    assert rpio_board.level(17) == 0

def test_that_of_a_program_which_a_test_starts():
    code = "import RPIO; print(RPIO.gpio_function(17) == RPIO.IN, RPIO.describe())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("True simulated Raspberry Pi 4")

def test_its_own_word():
    with RPIO.Board("sim:shared") as board:
        assert board.gpio_function(17) == RPIO.OUT
        assert board.forceinput(17) == 1
"""


@pytest.mark.slow
def test_pytest_finds_it_by_its_own_word_alone(user, tmp_path):
    user.sim()
    user.tell("write", "17=1", "--output")
    (tmp_path / "test_it.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLAIN, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=user.environment("sim"),
        cwd=tmp_path,
    )
    assert "4 passed" in done.stdout, done.stdout
    assert user.tell("read", "17") == "1\n"


PRESSED = "import RPIO; RPIO.setup(17, RPIO.IN, RPIO.PUD_UP); print(RPIO.wait_for_edge(17, 'falling')); "
PRESSED += "print(RPIO.describe())"


@pytest.mark.slow
def test_the_finger_of_run_finds_it_by_its_own_word_alone(user):
    user.sim()
    status, out, said = user.do("run", "--press", "17", "-c", PRESSED, backend="sim")
    assert (status, out) == (0, "17\nsimulated Raspberry Pi 4 Model B (58 lines)\n")
    assert "shared" not in said
    status, out, _ = user.do("run", "--press", "17", "-c", PRESSED, backend="sim:shared")
    assert (status, out) == (0, "17\nsimulated Raspberry Pi 4 Model B (58 lines) at rpio sim\n")


# -- a class --------------------------------------------------------------------------------------------------

STUDENT = """
import RPIO, sys
number = {number}
lamp, button = 2 + number % 25, 27
sys.argv[0] = f"student{{number}}.py"
with RPIO.Board("sim:shared") as board:
    mine = number < 25
    if mine:
        board.setup(lamp, RPIO.OUT, initial=0)
    print("ready")
    sys.stdin.readline()
    for turn in range(50):
        if mine:
            board.output(lamp, turn & 1)
            assert board.input(lamp) == turn & 1
        assert board.forceinput(button) == 1
    print("done")
    sys.stdin.readline()
"""


@pytest.mark.slow
def test_a_class_of_programs_on_one_board(user):
    """Each has its own line, those that came too late read; and nobody gets in another's way."""
    board = user.sim()
    drive(user, 27, 1)
    students = [user.program(STUDENT.format(number=number)) for number in range(PROGRAMS)]
    for student in students:
        student.says("^ready")
    if PROGRAMS > 1:
        status, _, said = user.do("write", "2=1", backend="sim:shared")
        assert (status, "student0.py" in said) == (1, True)
    for student in students:
        student.tell("go")
    for student in students:
        student.says("^done")
    for student in students:
        student.tell("end")
    assert [student.process.wait(LIMIT_S) for student in students] == [0] * PROGRAMS
    for number in range(PROGRAMS):
        board.says(rf"student{number}\.py has gone$")


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "remote"


@pytest.mark.slow
def test_the_examples_meet(user):
    user.sim()
    run = "import runpy, sys; sys.argv[:] = {}; runpy.run_path(sys.argv[0], run_name='__main__')"
    hand = run.format([str(EXAMPLES / "hand.py"), "2"])
    assert user.do(code=hand, backend="sim:shared")[2] == "nobody listens to GPIO 17: start lamp.py first\n"
    lamp = user.program(run.format([str(EXAMPLES / "lamp.py")]), "sim:shared")
    lamp.says("waiting for the button")
    expected = "pressed: GPIO 18 is high\npressed: GPIO 18 is low\n"
    assert user.do(code=hand, backend="sim:shared") == (0, expected, "")
    lamp.says("the lamp is on\nthe lamp is off")
    lamp.kill(signal.SIGINT)
    assert lamp.process.returncode == 0


# -- the screens ----------------------------------------------------------------------------------------------


@needs_tmux
@pytest.mark.slow
def test_its_terminal_shows_the_lines_and_its_keys_press_them(user, tmp_path):
    with Terminal(tmp_path, "sim") as terminal:
        environment = {
            "XDG_RUNTIME_DIR": str(user.folder),
            "PYTEST_CURRENT_TEST": "",
            "PYTEST_VERSION": "",
            "RPIO_BACKEND": "sim",
        }
        command = [sys.executable, "-c", "import sys; from RPIO.cli import main; sys.exit(main(['sim']))"]
        terminal.begin(command, ready="Space: press", **environment)
        program = user.program(BUTTON)
        program.says("ready")
        terminal.wait("1 program\n", "-c came")
        terminal.keys("1", "7")
        terminal.wait("GPIO 17, pin 11: INPUT, pull up, high; held by -c")
        terminal.keys("Space")
        program.says("level 0\nlevel 1")
        terminal.keys("d")
        program.says("level 0\nlevel 1\nlevel 0")
        terminal.wait("GPIO 17, pin 11: INPUT, pull up, low; from outside low; held by -c")
        terminal.keys("l")
        terminal.wait("GPIO 17, pin 11: INPUT, pull up, high; held by -c")
        terminal.keys("1", "8", "u")
        terminal.wait("GPIO 18 is an output: what drives it from outside is a short circuit")
        terminal.keys("L")
        program.kill()
        terminal.wait("0 programs\n")
        user.tell("write", "27=1", "--output")
        terminal.keys("2", "7")
        terminal.wait("GPIO 27, pin 13: OUTPUT, high; left by who has gone", "rpio write came and went")
        terminal.keys("h")
        terminal.wait("let go of all lines")
        terminal.tmux("resize-window", "-x", "30", "-y", "10")
        terminal.keys("Down")
        terminal.wait("GPIO 27", "0 programs")
        terminal.keys("q")
        terminal.end(0)
    assert not user.socket.exists()


@pytest.mark.parametrize("utf8", [True, False])
@pytest.mark.parametrize("height", [5, 6, 9, 12, 16, 24, 50])
@pytest.mark.parametrize("width", [20, 24, 30, 40, 76, 80, 132])
def test_every_size_is_filled_and_shows_the_chosen_line(width, height, utf8):
    lines = [sim_rows.Shown(gpio, gpio, holder="somebody") for gpio in range(2, 28)]
    state = sim_rows.State("rpio sim  simulated Raspberry Pi 4 Model B (58 lines)", lines)
    for state.selected in (0, 13, 25):
        for state.is_help in (False, True):
            found = ["".join(text for text, _ in row) for row in sim_rows.rows(state, width, height, utf8)]
            assert {len(row) for row in found} == {width}
            if width < 24 or height < 6:
                assert "too small" in found[0]
                continue
            assert len(found) == height
            if not state.is_help:
                assert any(re.search(rf">\s*{state.selected + 2}\b", row) for row in found)


def test_all_lines_are_seen_at_once_in_a_terminal_of_the_usual_size():
    lines = [sim_rows.Shown(gpio, gpio) for gpio in range(2, 28)]
    rows = sim_rows.rows(sim_rows.State("rpio sim  a board", lines), 80, 24)
    text = "\n".join("".join(span for span, _ in row) for row in rows)
    assert {int(number) for number in re.findall(r"[│ >]\s+(\d+) in ", text)} == set(range(2, 28))


@needs_tmux
@pytest.mark.slow
def test_the_menus_of_tui_play_the_world_outside_of_it(user, tmp_path):
    user.sim()
    program = user.program(BUTTON)
    program.says("ready")
    with Terminal(tmp_path, "tui") as terminal:
        environment = user.environment("sim:shared")
        names = ("XDG_RUNTIME_DIR", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "RPIO_BACKEND")
        terminal.start(ready="live, by edges", **{name: environment[name] for name in names})
        terminal.keys("Down", "Down", "Down", "Down", "Down", "Enter")
        terminal.wait("GPIO 17 ─", "Outside: press", "Held by")
        terminal.keys("Down", "Down", "Enter")
        program.says("level 0")
        terminal.wait("drives it low", "GPIO 18  ↑ High")
        terminal.keys("q")
        terminal.end(0)


def test_menus_play_the_world_outside_of_simulated_boards_alone(rpio, monkeypatch):
    found = screens.Lines(is_live=False)
    line = found.by_gpio[17]
    fingers = (screens.PRESS, screens.DRIVE_HIGH, screens.DRIVE_LOW, screens.LET_GO)
    assert set(fingers) < set(screens.actions(line, found.features))
    assert found.act(line, screens.DRIVE_HIGH) == ""
    assert (line.level, line.driven) == (1, 1)
    assert ("Outside", "drives it high") in list(screens.facts_of(line, ""))
    assert found.act(line, screens.LET_GO) == ""
    assert (line.level, line.driven) == (0, None)
    assert found.act(line, screens.PRESS) == ""
    assert (line.level, line.driven) == (1, 1)
    assert wait_until(lambda: rpio.sim.level(17) == 0)
    monkeypatch.setattr(rpio.facade.board.backend, "outside", lambda: None)
    found = screens.Lines(is_live=False)
    assert not set(fingers) & set(screens.actions(line, found.features))
