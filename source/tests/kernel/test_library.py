# SPDX-License-Identifier: LGPL-3.0-or-later
"""The library on a real kernel: the Raspberry Pi's chip is found through the device tree, edges are real."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kernel.gpiosim import Chip
from kernel.programs import program, reader
from RPIO import _gpio, errors
from RPIO.arguments import ALL
from RPIO.backends.cdev import CdevBackend
from RPIO.board.board import Board
from RPIO.constants import BOTH, EVENT_BUFFER_SIZE, IN, OUT, PUD_DOWN, PUD_OFF, PUD_UP
from support import drain, pump
from waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def board(chip):
    board = Board(f"cdev:{chip.path}")
    yield board
    board.close()


@pytest.fixture
def pi(pi_chip):
    """A Board that has to find the Raspberry Pi's chip by itself."""
    board = Board("auto")
    yield board
    board.close()


def watch(board, line, callback, edge="both", threaded=False, filter_us=0, pull=PUD_OFF):
    board.add_interrupt_callback(line, callback, edge, pull, threaded, None, filter_us)


# -- finding the board --------------------------------------------------------------------------------------


def test_auto_finds_the_pi_and_its_chip_by_label(pi, pi_chip):
    assert pi.hardware.name == "Raspberry Pi 3 Model B"
    assert pi.backend.describe() == f"{pi_chip.path} (pinctrl-bcm2835, 54 lines)"
    assert pi.hardware.sysinfo == ("a02082", "3B", "1.2", 1024, "Sony UK")


def test_a_chip_is_chosen_by_path_name_or_label():
    with Chip(num_lines=3, label="some-label") as chip:
        for spec in (chip.path, Path(chip.path).name, "some-label"):
            board = Board(f"cdev:{spec}")
            assert board.backend.line_count == 3
            board.close()
        with pytest.raises(errors.NoBackendError) as e:
            _ = Board("cdev:other-label").backend
        assert "some-label" in e.value.hint


# -- the documentation's programs ---------------------------------------------------------------------------


def test_the_interrupt_example_runs_unchanged(pi_chip):
    process = program(str(ROOT / "examples" / "interrupts.py"))
    says = reader(process)
    try:
        assert wait_until(lambda: pi_chip.pull(9) == "pull-up")  # what the program asks of GPIO 9
        pi_chip.drive(7, 1)
        assert says("gpio 7: 1")
        pi_chip.drive(7, 0)
        assert says("gpio 7: 0")
        pi_chip.drive(9, 0)
        assert says("gpio 9: 0")
        import socket

        with socket.create_connection(("127.0.0.1", 8080), 5) as s:
            s.sendall(b"hello\r\n")
            assert s.recv(100) == b"echo: hello\n"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_the_input_and_output_example_runs_unchanged_but_for_pin_17(pi_chip):
    process = program(
        """
        import RPIO
        RPIO.setup(7, RPIO.IN)
        RPIO.setup(7, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        input_value = RPIO.input(7)
        RPIO.setup(8, RPIO.OUT)
        RPIO.output(8, True)
        RPIO.setup(8, RPIO.OUT, initial=RPIO.LOW)
        RPIO.setmode(RPIO.BOARD)
        RPIO.set_pullupdn(11, RPIO.PUD_UP)
        print(input_value, RPIO.gpio_function(8))
        RPIO.cleanup()
        """
    )
    assert process.communicate(timeout=LIMIT_S) == (b"1 1\n", None)


# -- edges --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_edges_at_two_thousand_a_second_arrive_in_order_with_none_lost(pi, pi_chip):
    total, rate_hz = 10_000, 2_000
    got = []
    watch(pi, 17, lambda gpio_id, value: got.append((gpio_id, value)))
    pi.wait_for_interrupts(True)
    start = time.monotonic()
    for n in range(total):
        pi_chip.drive(17, (n + 1) % 2)
        ahead = start + (n + 1) / rate_hz - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    took = time.monotonic() - start
    wait_until(lambda: len(got) + pi.events_lost() >= total)
    assert got == [(17, (n + 1) % 2) for n in range(total)]
    assert pi.events_lost() == 0
    print(f"{total / took:.0f} edges a second")  # a slow machine cannot do more
    assert total / took < rate_hz * 1.1


def test_at_any_rate_delivered_plus_lost_is_sent(board, chip):
    got = []
    watch(board, 3, lambda gpio_id, value: got.append(value))
    sent = 0
    for burst in (5, EVENT_BUFFER_SIZE, EVENT_BUFFER_SIZE + 1, 3 * EVENT_BUFFER_SIZE, 64, 65):
        for _ in range(burst):
            sent += 1
            chip.drive(3, sent % 2)
        drain(board)
        assert len(got) + board.events_lost(3) == sent
    assert board.events_lost() == 1 + 2 * EVENT_BUFFER_SIZE


def test_a_burst_on_eight_lines_comes_in_the_order_of_time(board, chip):
    got = []
    for line in range(8):
        watch(board, line, lambda gpio_id, value: got.append(gpio_id))
    for n in range(160):
        chip.drive(n % 8, (n // 8 + 1) % 2)
    assert pump(board, lambda: len(got) == 160)
    assert got == [n % 8 for n in range(160)]


def test_a_burst_of_ten_thousand_edges_on_eight_lines_is_delivered_or_counted(board, chip):
    """The loop starts when all have been sent, so that most are lost: the count says how many, line by line."""
    lines, each = range(8), 1250
    got = {line: [] for line in lines}
    for line in lines:
        watch(board, line, lambda gpio_id, value: got[gpio_id].append(value))
    for n in range(each):
        for line in lines:
            chip.drive(line, (n + 1) % 2)
    drain(board)
    for line in lines:
        assert len(got[line]) == EVENT_BUFFER_SIZE
        assert len(got[line]) + board.events_lost(line) == each
    assert sum(map(len, got.values())) + board.events_lost() == 10_000


def test_the_same_burst_with_the_loop_running(board, chip):
    lines, each = range(8), 1250
    got = dict.fromkeys(lines, 0)

    def count(gpio_id, value):
        got[gpio_id] += 1

    for line in lines:
        watch(board, line, count)
    board.wait_for_interrupts(True)
    for n in range(each):
        for line in lines:
            chip.drive(line, (n + 1) % 2)
    assert wait_until(lambda: sum(got.values()) + board.events_lost() == 10_000)
    assert all(got[line] + board.events_lost(line) == each for line in lines)
    board.stop_waiting_for_interrupts()


def test_a_slow_threaded_callback_on_one_line_delays_no_other(board, chip):
    """It is as slow as can be: it waits for the others."""
    got, slow = [], []
    others_are_done = threading.Event()

    def wait(gpio_id, value):
        others_are_done.wait(LIMIT_S)
        slow.append(value)

    board.add_interrupt_callback(0, wait, "both", PUD_OFF, True, None, 0)
    for line in range(1, 8):
        watch(board, line, lambda gpio_id, value: got.append((gpio_id, value)))
    board.wait_for_interrupts(True)
    for n in range(7):
        chip.drive(0, (n + 1) % 2)
        for line in range(1, 8):
            chip.drive(line, (n + 1) % 2)
            assert wait_until(lambda: got[-1:] == [(line, (n + 1) % 2)])  # noqa: B023 - it is called here
    assert len(got) == 49 and slow == []
    others_are_done.set()
    assert wait_until(lambda: slow == [1, 0, 1, 0, 1, 0, 1])
    board.stop_waiting_for_interrupts()


def test_an_edge_source_shared_by_callbacks_is_armed_with_the_union(board, chip):
    rising, both = [], []
    watch(board, 2, lambda *a: rising.append(a), "rising")
    chip.drive(2, 1)
    watch(board, 2, lambda *a: both.append(a), "both")
    chip.drive(2, 0)
    drain(board)
    assert rising == [(2, 1)]
    assert both == [(2, 1), (2, 0)]  # what waited when the callback came is delivered to it too
    assert board.events_lost() == 0


def test_removed_and_added_again_starts_afresh(board, chip):
    got = []
    watch(board, 2, lambda *a: got.append(a))
    chip.drive(2, 1)
    board.del_interrupt_callback(2)
    chip.drive(2, 0)
    watch(board, 2, lambda *a: got.append(a))
    chip.drive(2, 1)
    drain(board)
    assert got == [(2, 1)]
    assert board.events_lost() == 0


@pytest.mark.parametrize("watches", [1, 2, 5])
def test_a_line_that_has_waited_drives_what_was_written_before(board, chip, watches):
    board.setup(2, OUT, PUD_OFF, 1)
    board.setup(2, IN, PUD_OFF, None)
    for _ in range(watches):
        board.detections.add(2, BOTH, None, None)
        board.detections.remove(2)
    board.setup(2, OUT, PUD_OFF, None)
    assert chip.level(2) == 1


@pytest.mark.parametrize("at", ["park", "unwatch", "unwatched"])
def test_a_watch_that_was_interrupted_as_it_ended_begins_again(board, chip, at, monkeypatch):
    """Ctrl+C's handler raises anywhere in it; what is done again is done, and nothing is deaf or counted wrong."""
    got = []
    board.setup(2, IN, PUD_OFF, None)
    board.detections.add(2, BOTH, got.append, None)
    drive(chip, 2, 1, 0)
    assert wait_until(lambda: len(got) == 2)
    place, name = {"park": (board.dispatcher, "park")}.get(at, (board.backend, "unwatch"))
    real = getattr(place, name)

    def interrupted(*arguments):
        if at == "unwatched":
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            board.setup(2, OUT, PUD_OFF, 0)
    board.setup(2, IN, PUD_OFF, None)
    drive(chip, 2, 1, 0)
    assert wait_until(lambda: len(got) == 4)
    board.setup(2, OUT, PUD_OFF, 0)
    board.setup(2, IN, PUD_OFF, None)
    drive(chip, 2, 1)
    assert wait_until(lambda: len(got) == 5)
    assert board.events_lost() == 0


def drive(chip, line, *levels):
    for level in levels:
        chip.drive(line, level)


def test_so_does_one_that_was_looked_at(board, chip):
    board.forceoutput(2, 1)
    assert board.forceinput(2) == 0
    board.setup(2, OUT, PUD_OFF, None)
    assert chip.level(2) == 1


def test_a_line_that_waits_again_and_again_is_never_free(board, chip):
    """Somebody asks for it all the time; the kernel gives a line that is free to who comes first."""
    board.setup(2, IN, PUD_OFF, None)
    stop, answers = threading.Event(), set()

    def ask():
        with os.fdopen(os.open(chip.path, os.O_RDWR | os.O_CLOEXEC)) as device:
            while not stop.is_set():
                answers.add(was_free(device.fileno(), 2))

    thief = threading.Thread(target=ask)
    thief.start()
    for _ in range(50):
        assert board.detections.wait_for_edge(2, BOTH, None, 1) is None
    stop.set()
    thief.join()
    assert answers == {False}


def was_free(chip_fd, line):
    """Request the line, and give it back where that works; whether it did."""
    try:
        _gpio.line_request(_gpio.Line(), chip_fd, line, 0, -1, 0, -1, 0, 0, "thief")
    except OSError as e:
        assert e.errno == errno.EBUSY
        return False
    return True


def test_filter_is_the_kernels(board, chip):
    got = []
    watch(board, 2, lambda *a: got.append(a), filter_us=20_000)
    for n in range(9):
        chip.drive(2, (n + 1) % 2)
    assert pump(board, lambda: len(got) == 1)
    assert got == [(2, 1)]


def test_pulls_reach_the_chip(board, chip):
    for pull, name in ((PUD_UP, "pull-up"), (PUD_DOWN, "pull-down")):
        board.setup(4, IN, pull, None)
        assert chip.pull(4) == name
        assert board.input(4) == int(pull == PUD_UP)


# -- the loop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["thread", "callback", "signal"])
def test_the_loop_stops_at_once(board, chip, how):
    watch(board, 2, lambda *a: board.stop_waiting_for_interrupts() if how == "callback" else None)
    before = signal.signal(signal.SIGUSR1, lambda *a: board.stop_waiting_for_interrupts())
    moments = []

    def end_it():
        wait_until(lambda: board.dispatcher.running)
        moments.append(time.monotonic())
        match how:
            case "thread":
                board.stop_waiting_for_interrupts()
            case "callback":
                chip.drive(2, 1)
            case "signal":
                os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=end_it)
    thread.start()
    board.wait_for_interrupts(False)
    assert time.monotonic() - moments[0] < LIMIT_S
    thread.join()
    signal.signal(signal.SIGUSR1, before)


# -- bad conditions -----------------------------------------------------------------------------------------


def test_a_busy_line_names_its_consumer(pi):
    pi.setwarnings(False)  # it is on no pin of the header
    for call in (
        lambda: pi.setup(47, OUT, PUD_OFF, 1),  # the LED of the device tree
        lambda: pi.setup(47, IN, PUD_UP, None),
        lambda: watch(pi, 47, print),
        lambda: pi.forceoutput(47, 1),
    ):
        with pytest.raises(errors.LineBusyError, match="GPIO 47 is in use by 'ACT'") as e:
            call()
        assert e.value.errno == errno.EBUSY
        assert isinstance(e.value, OSError)
        assert "dtoverlay" in e.value.hint


def test_two_programs_cannot_have_the_same_line(board, chip):
    board.setup(5, OUT, PUD_OFF, 1)
    other = Board(f"cdev:{chip.path}")
    with pytest.raises(errors.LineBusyError, match="in use by 'RPIO'"):
        other.setup(5, IN, PUD_OFF, None)
    board.cleanup(5)
    other.setup(5, IN, PUD_OFF, None)
    other.close()


def test_missing_permission_names_file_group_and_command(chip):
    os.chown(chip.path, 0, 44)  # the group video, which every Debian has
    os.chmod(chip.path, 0o660)
    process = program(
        f"""
        import grp, os, RPIO, RPIO.backends.cdev   # nobody may not read this interpreter's files, nor ours
        RPIO.version()
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        RPIO.use("cdev:{chip.path}")
        try:
            RPIO.setup(4, RPIO.IN)
        except PermissionError as e:
            assert isinstance(e, RuntimeError) and isinstance(e, RPIO.NoAccessError)
            print(e); print(e.hint)
        """
    )
    out = process.communicate(timeout=LIMIT_S)[0].decode()
    assert chip.path in out
    assert "video" in out
    assert "usermod -aG video" in out


def test_a_chip_that_goes_away_is_said_and_does_not_spin(caplog):
    with Chip(num_lines=4) as chip:
        board = Board(f"cdev:{chip.path}")
        watch(board, 1, print)
        board.setup(2, OUT, PUD_OFF, 0)
        drain(board)
        waiter = threading.Timer(0.1, chip.remove)  # while the loop is asleep in the kernel
        waiter.start()
        assert pump(board, lambda: "its chip has gone" in caplog.text)
        waiter.join()
    with pytest.raises(errors.LineGoneError, match="GPIO 2: its chip has been removed"):
        board.output(2, 1)
    assert board.dispatcher.step(0) == 0
    board.cleanup(ALL)
    board.close()


test_a_chip_that_goes_away_is_said_and_does_not_spin.spoils_the_kernel = True


def test_a_chip_that_goes_away_ends_its_pwm():
    chip = Chip(num_lines=4)
    backend = CdevBackend(chip.path)
    backend.set_output(1, 0)
    backend.pwm(1, 2_000_000, 1_000_000)
    chip.remove()
    assert wait_until(lambda: backend._soft_pwm.query(1)[3] == errno.ENODEV)
    with pytest.raises(errors.LineGoneError, match="GPIO 1: its chip has been removed"):
        backend.pwm(1, 2_000_000, 1_000_000)
    backend.end_pwm(1)
    backend.close()
    backend.close()


def test_pwm_on_a_line_of_somebody_else_names_the_holder():
    with Chip(num_lines=4, hogs={2: ("heater", "output-high")}) as other:
        backend = CdevBackend(other.path)
        with pytest.raises(errors.LineBusyError, match="heater"):
            backend.pwm(2, 2_000_000, 1_000_000)
        backend.close()


def test_a_killed_program_leaves_its_line_to_the_kernel_and_the_next_start_works(chip):
    process = program(
        f"""
        import RPIO, time
        RPIO.use("cdev:{chip.path}"); RPIO.setup(4, RPIO.OUT, initial=1); print("up"); time.sleep(60)
        """
    )
    assert reader(process)("up")
    assert chip.level(4) == 1
    process.kill()
    process.wait()
    board = Board(f"cdev:{chip.path}")
    board.setwarnings(False)
    board.setup(4, OUT, PUD_OFF, 1)
    assert chip.level(4) == 1
    board.close()


def test_the_child_of_a_fork_does_not_take_the_parents_lines(board, chip):
    board.setup(4, OUT, PUD_OFF, 1)
    got = []
    watch(board, 5, lambda *a: got.append(a))
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            board.setwarnings(False)
            board.cleanup(ALL)
            with pytest.raises(RuntimeError):
                board.output(4, 0)
            board.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert chip.level(4) == 1
    board.output(4, 0)
    assert chip.level(4) == 0
    chip.drive(5, 1)
    drain(board)
    assert got == [(5, 1)]


def test_exit_closes_everything_and_sets_no_line(chip):
    process = program(
        f"""
        import RPIO
        RPIO.use("cdev:{chip.path}")
        RPIO.setup(4, RPIO.OUT, initial=1)
        RPIO.add_interrupt_callback(5, print)
        RPIO.wait_for_interrupts(threaded=True)
        """
    )
    assert process.communicate(timeout=LIMIT_S) == (b"", None)
    board = Board(f"cdev:{chip.path}")
    assert board.backend.consumer(4) == board.backend.consumer(5) == ""
    board.close()


def test_threads_do_not_take_each_others_requests(board):
    """Reading a free line requests it for a moment; a setup() of another thread must not be given back with it."""
    trouble = []

    def read_on():
        for _ in range(400):
            try:
                board.forceinput(5)
            except OSError as e:
                trouble.append(e)

    readers = [threading.Thread(target=read_on) for _ in range(2)]
    for thread in readers:
        thread.start()
    board.setwarnings(False)
    for _ in range(150):
        board.setup(5, OUT, PUD_OFF, 1)
        assert board.backend.consumer(5) == "RPIO"
        assert board.input(5) == 1
        board.cleanup(5)
    for thread in readers:
        thread.join()
    assert trouble == []


def test_an_output_is_taken_over_at_the_level_that_it_has(board, chip):
    board.setup(3, OUT, PUD_OFF, 1)
    board.cleanup(3)
    other = Board(f"cdev:{chip.path}")
    other.setup(3, OUT, PUD_OFF, 0)
    other.close()
    board.setup(3, OUT, PUD_OFF, None)
    assert chip.level(3) == 0


def test_another_chip_of_a_pi_has_line_numbers_and_no_header(pi_chip, chip):
    expander = Board(f"cdev:{chip.path}")
    expander.setup(4, IN, PUD_OFF, None)
    with pytest.raises(RuntimeError, match="BOARD numbering needs a Raspberry Pi's header"):
        expander.setmode(10)
    with pytest.raises(ValueError):
        expander.setup(17, IN, PUD_OFF, None)
    expander.close()
    header = Board(f"cdev:{pi_chip.path}")
    header.setmode(10)
    assert header.line_of(11) == 17
    header.close()


@pytest.mark.parametrize("backend", ["auto", "cdev", "sysfs"])
def test_a_pi_that_tells_nothing_of_itself_is_known_by_its_chip(backend, monkeypatch):
    """A container hides the device tree, and /proc/cpuinfo of an upstream kernel has no revision."""
    monkeypatch.setattr("RPIO.machine.detect.detect", lambda root="/": None)
    with Chip(num_lines=4, label="decoy-expander"), Chip(num_lines=54, label="pinctrl-rp1") as chip:
        board = Board(backend)
        board.setmode(10)
        board.setup(11, OUT, PUD_OFF, 1)
        assert chip.level(17) == 1
        assert (board.hardware.is_pi, board.hardware.soc) == (True, "BCM2712")
        board.cleanup(ALL)
        board.close()


# -- the command line ---------------------------------------------------------------------------------------


def test_rpio_shows_and_sets_lines(pi_chip):
    rpio = [sys.executable, "-m", "RPIO.cli"]
    env = {k: v for k, v in os.environ.items() if k != "RPIO_BACKEND"}

    def run(*arguments):
        done = subprocess.run(
            [*rpio, *arguments], capture_output=True, text=True, timeout=LIMIT_S, env=env, check=False
        )
        return done.returncode, done.stdout, done.stderr

    pi_chip.drive(24, 1)
    assert run("-i", "24") == (0, "GPIO 24: INPUT  (1)\n", "")
    assert run("-i", "25,99")[1:] == ("GPIO 25: INPUT  (0)\n", "GPIO 99: does not exist\n")
    assert run("--sysinfo")[1].startswith("a02082: Model 3B, Revision 1.2, RAM: 1024 MB")
    status, out, err = run("--setoutput", "22:1")
    assert (status, out) == (0, "")
    assert "the kernel takes the line back" in err
    assert run("-I")[1].count("\n") == 26
