# SPDX-License-Identifier: LGPL-3.0-or-later
"""Servers and clients that are killed or stopped, or have nothing to do: in processes of their own."""

import os
import random
import signal
import socket
import time

import pytest

import RPIO
from remote_parts import Server, program, serving
from support import native
from waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This channel is already in use")
"""An output that was left by a session is that of nobody, and may be another program's."""

KILLS = int(os.environ.get("RPIO_KILLS", "6"))
"""How often something is killed at a random moment; a third of a second each."""

RULES = """
RPIO.protect(17, safe="low")
RPIO.protect(18, safe="high")
RPIO.protect(19, safe="input")
"""
SAFE = {17: "0 out", 18: "1 out", 19: "in"}
CLIENT = """
import RPIO, os
board = RPIO.connect({where!r}, linger_s={linger_s}, timeout_s={limit_s})
{prelude}
board.setup([17, 18, 19, 20], RPIO.OUT, initial=1)
board.output([17, 18, 19, 20], [1, 0, 1, 1])
os.write(1, b"ready\\n")
n = 0
while True:
    n += 1
    board.output(20, n % 2)
    board.input(20)
"""


@pytest.fixture(scope="module")
def server():
    with serving(RULES) as made:
        yield made


def client(server, linger_s=0.2, prelude=""):
    where = f"remote+unix://{server.path}" if server.path else f"127.0.0.1:{server.port}"
    return program(CLIENT.format(where=where, linger_s=linger_s, limit_s=LIMIT_S, prelude=prelude))


def states(other, lines):
    """The level of each line, and what it is."""
    found = {line: f"{other.levels(line)[0]} {other.ask(f'function {line}').split()[1]}" for line in lines}
    return {
        line: text.replace("0 in", "in").replace("1 in", "in") for line, text in found.items()
    }  # it floats


def holders(other, lines):
    """The names of those who have these lines."""
    return {other.ask(f"consumer {line}") for line in lines} - {'ok ""', 'ok "" left'}


# -- killed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger_s", [0, 0.2])
@pytest.mark.slow
def test_a_client_that_is_killed_leaves_its_lines_in_their_safe_states(server, linger_s):
    chance = random.Random(linger_s)
    with server.connect() as other:
        for _ in range(max(1, KILLS // 2)):
            with client(server, linger_s) as killed:
                killed.says("^ready$")
                time.sleep(chance.uniform(0, 0.05))  # somewhere in its work
                killed.kill()
                assert wait_until(lambda: not holders(other, range(17, 21)))
                assert states(other, SAFE) == SAFE
                assert other.ask("function 20") == "ok out"  # none is declared: as it was


@pytest.mark.slow
def test_a_client_that_is_killed_at_its_beginning_leaves_nothing_behind(server):
    chance = random.Random(1)
    with server.connect() as other:
        for _ in range(max(1, KILLS // 2)):
            with client(server, 0) as killed:
                wait_until(lambda killed=killed: "ready" in killed.look(), chance.uniform(0.1, 0.4))
                killed.kill()
                assert wait_until(lambda: not holders(other, range(17, 21)))
                assert other.ask("ping") == "ok"


@pytest.mark.slow
def test_one_that_dies_does_not_disturb_another(server):
    with RPIO.connect(f"127.0.0.1:{server.port}", timeout_s=LIMIT_S) as board, server.connect() as other:
        board.setup(6, RPIO.OUT, initial=0)
        for n in range(3):
            with client(server, 0) as killed:
                killed.says("^ready$")
                for level in (1, 0) * 20:
                    board.output(6, level)
                    assert board.input(6) == level
                killed.kill()
                for level in (1, 0) * 20:
                    board.output(6, level)
                    assert board.input(6) == level, n
        assert other.ask("write 6 1").split()[1] == "LineBusyError"


@pytest.mark.slow
def test_a_server_that_is_killed_is_told_and_found_again_with_its_lines_safe(tmp_path):
    path, told, chance = str(tmp_path / "pins"), [], random.Random(2)
    server = Server(RULES, path=path)
    try:
        with RPIO.connect(f"remote+unix://{path}", timeout_s=LIMIT_S, on_change=told.append) as board:
            board.add_interrupt_callback(4, lambda line, level: None, pull_up_down=RPIO.PUD_UP)
            for number in range(1, max(2, KILLS // 2) + 1):
                board.setup(17, RPIO.OUT, initial=1)
                for n in range(chance.randrange(50)):
                    board.output(17, n % 2)
                server.close()  # kill -9
                server = Server(RULES, path=path)
                assert wait_until(lambda number=number: told.count("new") == number)
                with server.connect() as other:
                    assert states(other, SAFE) == SAFE  # before anybody came
                    with pytest.raises(RPIO.ConnectionLost):
                        board.output(17, 1)
                    assert board.input(4) == 1
                    assert holders(other, [4])
            assert told == ["away", "new"] * (len(told) // 2)
    finally:
        server.close()


# -- stopped ------------------------------------------------------------------------------------


def test_a_server_that_stands_still_goes_on_with_what_was_asked():
    with serving(RULES) as server, RPIO.connect(f"127.0.0.1:{server.port}", timeout_s=LIMIT_S) as board:
        board.setup(17, RPIO.OUT, initial=0)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with server.connect() as other:
                other.send(b"read 17 #1\n")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        board.output(17, 1)
        assert board.input(17) == 1


def test_a_server_that_stands_still_for_too_long_is_away_and_nothing_is_done_twice():
    with serving(RULES) as server:
        states_ = []
        with RPIO.connect(
            f"127.0.0.1:{server.port}", timeout_s=0.3, linger_s=60, on_change=states_.append
        ) as board:
            board.setup(17, RPIO.OUT, initial=0)
            os.kill(server.pid, signal.SIGSTOP)
            try:
                with pytest.raises(RPIO.ConnectionLost) as caught:
                    board.output(17, 1)
                assert caught.value.applied is None
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert wait_until(lambda: states_[-1:] == ["back"])

            def works():
                try:
                    board.output(17, 0)
                    return board.input(17) == 0
                except RPIO.ConnectionLost:
                    return False  # where a busy machine takes longer than that

            assert wait_until(works)


@pytest.mark.slow
def test_a_client_that_stands_still_keeps_its_lines(server):
    with client(server, 0.2) as still, server.connect() as other:
        still.says("^ready$")
        os.kill(still.pid, signal.SIGSTOP)
        until = time.monotonic() + 0.6
        while time.monotonic() < until:  # its connection is there, and so are its lines
            assert other.ask("write 20 1").split()[1] == "LineBusyError"
        os.kill(still.pid, signal.SIGCONT)
        assert wait_until(lambda: len({other.levels(20)[0] for _ in range(20)}) == 2)


# -- time ---------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ends_no_session():
    jumps = (
        "import time\ntime.time = lambda now=time.time: now() + 1e6 * int.from_bytes(os.urandom(1), 'big')"
    )
    with serving(RULES + jumps) as server:
        with server.connect() as ada, server.connect() as other:
            name = ada.ask('hello 1 ada "" 3600').split()[2]
            assert ada.ask("output 17 1") == "ok"
            ada.close()
            for _ in range(20):
                assert other.ask("consumer 17") == "ok ada"
        with server.connect() as again:
            assert again.ask(f'hello 1 ada "" 0.05 {name}').split()[2] == name
            assert again.ask("write 17 1") == "ok"
        with server.connect() as other:
            assert wait_until(lambda: other.ask("consumer 17") == 'ok "" left')
            assert other.levels(17) == [0]


def switches(pid):
    """How often the threads of a process have gone to sleep."""
    count = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            count += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt"))
    return count


@native("its threads are its own affair")
@pytest.mark.slow
def test_who_has_nothing_to_do_sleeps():
    with serving() as server, server.connect() as ada:
        assert ada.ask('hello 1 ada "" 5').startswith("ok")
        assert ada.ask("input 4 up") == ada.ask("output 5 1") == "ok"
        assert ada.ask("watch 4") == "ok 0"
        wait_until(lambda: False, 0.2)
        before = switches(server.pid)
        wait_until(lambda: False, 2)
        assert switches(server.pid) == before


def test_the_child_of_a_fork_can_close_what_another_thread_was_asking():
    """That thread, which had the connection's lock, is not in the child."""
    code = """
        import os, threading, time
        import RPIO
        board = RPIO.connect("localhost:{port}")
        def ask():
            while True:
                board.forceinput(4)
        for _ in range(2):
            threading.Thread(target=ask, daemon=True).start()
        for _ in range(5):
            pid = os.fork()
            if not pid:
                board.close()
                os._exit(0)
            until_s = time.monotonic() + {limit}
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until_s:
                    os.kill(pid, 9)
                time.sleep(0.01)
        board.setup(17, RPIO.OUT, initial=1)
        print("still", board.forceinput(17), time.monotonic() < until_s, flush=True)
        os._exit(0)
    """
    with serving() as server, program(code.format(port=server.port, limit=LIMIT_S)) as made:
        made.says(r"^still 1 True$")


@pytest.mark.slow
def test_a_session_that_is_lost_when_the_loop_has_been_stopped_leaves_its_lines_safe():
    code = """
        import os, sys, threading, time
        import RPIO
        RPIO.protect(17, safe="low")
        def say(*words):
            os.write(1, (" ".join(map(str, words)) + "\\n").encode())
        say("at", RPIO.serve_remote(port=0))
        def stop():
            sys.stdin.readline()
            RPIO.stop_waiting_for_interrupts()
        threading.Thread(target=stop, daemon=True).start()
        RPIO.wait_for_interrupts()
        say("stopped", RPIO.forceinput(17))
        while RPIO.forceinput(17):
            time.sleep(0.01)
        say("safe")
    """
    with program(code) as made:
        port = int(made.says(r"^at (\d+)$")[1])
        board = RPIO.connect(f"localhost:{port}", linger_s=0)
        board.setwarnings(False)
        board.setup(17, RPIO.OUT, initial=1)
        made.tell("stop")
        made.says(r"^stopped 1$")
        board.close()
        made.says(r"^safe$")


@pytest.mark.slow
def test_an_edge_is_told_though_the_last_one_at_that_moment_is_the_programs_own():
    with (
        serving(
            """
        from RPIO import sim
        RPIO.add_interrupt_callback(23, lambda gpio, level: None)
        def move(client, message):
            sim.drive(22, 1)
            sim.drive(23, 1)
        os.write(1, b"moved at %d\\n" % RPIO.add_tcp_callback(0, move, host="127.0.0.1"))
        """
        ) as server,
        server.connect() as client,
    ):
        assert client.ask("input 22") == "ok"
        assert client.ask("watch 22") == "ok 0"
        with socket.create_connection(("127.0.0.1", int(server.says(r"^moved at (\d+)$")[1]))) as mover:
            mover.send(b"x")
            assert client.read().startswith("edge 22 1 ")
