# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO's event detection: the latch, callbacks, bouncetime, wait_for_edge(), and the loop in the background."""

import inspect
import subprocess
import sys
import threading
import time

import pytest

from RPIO import errors
from RPIO.board.waits import Wait
from RPIO.constants import BOARD, BOTH, FALLING, IN, OUT, PUD_OFF, PUD_UP, RISING
from support import drain, play, raises
from waiting import LIMIT_S, wait_until

MS = 1_000_000


@pytest.fixture
def still(board, sim):
    """The board with GPIO 17 an input at 0, and the loop in the hands of the test: edges come when it drains."""
    board.setwarnings(0)
    board.setup(17, IN, PUD_OFF, -1)
    sim.drive(17, 0)
    board.dispatcher.claim()
    return board


def press(board, sim, line=17, at_ms=None):
    """A pulse of 1 ms, dispatched; at that time of the clock."""
    if at_ms is not None:
        sim.clock.sleep_until(at_ms * MS)
    sim.drive(line, 1)
    sim.clock.advance(MS)
    sim.drive(line, 0)
    drain(board)


# -- the latch and the callbacks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "calls"), [(RISING, 2), (FALLING, 2), (BOTH, 4)])
def test_callbacks_get_the_channel_at_each_edge(still, sim, edge, calls):
    got = []
    still.detections.add(17, edge, got.append, None)
    press(still, sim)
    press(still, sim)
    assert got == [17] * calls


def test_the_channel_is_in_the_numbering_mode_of_the_moment(still, sim):
    got = []
    still.detections.add(17, RISING, got.append, None)
    press(still, sim)
    still.setmode(BOARD)
    press(still, sim)
    assert got == [17, 11]


def test_an_edge_is_detected_once(still, sim):
    still.detections.add(17, RISING, None, None)
    assert still.detections.detected(17) is False
    press(still, sim)
    press(still, sim)
    assert (still.detections.detected(17), still.detections.detected(17)) == (True, False)
    press(still, sim)
    assert still.detections.detected(17) is True


def test_detection_of_a_channel_without_it_is_false(still):
    assert still.detections.detected(4) is False


def test_the_latch_is_set_when_its_callbacks_run(still, sim):
    seen = []
    still.detections.add(17, RISING, lambda channel: seen.append(still.detections.detected(channel)), None)
    press(still, sim)
    assert seen == [True]


def test_callbacks_run_once_each_in_order_of_registration(still, sim):
    got = []
    still.detections.add(17, RISING, lambda c: got.append("a"), None)
    still.detections.add_callback(17, lambda c: got.append("b"))
    still.detections.add_callback(17, lambda c: got.append("c"))
    press(still, sim)
    assert got == ["a", "b", "c"]


def test_a_callback_that_raises_prints_its_traceback_and_the_next_still_runs(still, sim, capsys):
    got = []

    def bad(channel):
        raise LookupError("of the test")

    still.detections.add(17, RISING, bad, None)
    still.detections.add_callback(17, got.append)
    press(still, sim)
    err = capsys.readouterr().err
    assert got == [17]
    assert "Traceback" in err and "LookupError: of the test" in err


def test_a_callback_may_remove_its_detection(still, sim):
    got = []

    def once(channel):
        got.append("first")
        still.detections.remove(channel)

    still.detections.add(17, RISING, once, None)
    still.detections.add_callback(17, lambda c: got.append("second"))
    press(still, sim)
    press(still, sim)
    assert got == ["first"]


def test_removal_clears_the_latch_and_the_callbacks(still, sim):
    got = []
    still.detections.add(17, RISING, got.append, None)
    press(still, sim)
    still.detections.remove(17)
    assert still.detections.detected(17) is False
    still.detections.add(17, BOTH, None, None)
    press(still, sim)
    assert got == [17]
    assert still.detections.detected(17) is True


def test_removing_what_is_not_there_is_nothing(still):
    still.detections.remove(17)
    still.detections.remove(4)


def test_cleanup_of_a_channel_ends_its_detection(still, sim):
    got = []
    still.detections.add(17, RISING, got.append, None)
    still.cleanup(17)
    press(still, sim)
    still.setup(17, IN, PUD_OFF, -1)
    assert got == [] and still.detections.detected(17) is False
    still.detections.add(17, RISING, got.append, None)
    press(still, sim)
    assert got == [17]


def test_detection_rests_while_the_channel_is_an_output(still, sim):
    got = []
    still.detections.add(17, BOTH, got.append, None)
    sim.drive(17, None)
    still.setup(17, OUT, PUD_OFF, 1)
    still.output(17, 0)
    drain(still)
    assert got == []
    still.setup(17, IN, PUD_OFF, -1)
    sim.drive(17, 1)
    drain(still)
    assert got == [17]


def test_interrupt_callbacks_and_detection_share_a_line(still, sim):
    got = []
    still.detections.add(17, RISING, lambda c: got.append("detection"), None)
    still.add_interrupt_callback(
        17, lambda g, v: got.append(("interrupt", v)), "falling", None, False, None, 0
    )
    press(still, sim)
    assert got == ["detection", ("interrupt", 0)]
    still.detections.remove(17)
    press(still, sim)
    assert got[2:] == [("interrupt", 0)]
    still.del_interrupt_callback(17)
    press(still, sim)
    assert len(got) == 3


def test_cleanup_interrupts_leaves_detection_alone(still, sim):
    got = []
    still.detections.add(17, RISING, got.append, None)
    still.add_interrupt_callback(17, lambda g, v: got.append("no"), "both", None, False, None, 0)
    still.cleanup_interrupts()
    press(still, sim)
    assert got == [17]


# -- bouncetime --------------------------------------------------------------------------------------------


def test_bouncetime_accepts_an_edge_and_ignores_those_that_follow(still, sim):
    # six edges 40 ms apart with 100 ms: the first, and the fourth at 120 ms. Source: RPi.GPIO 0.7.1, measured.
    got = []
    still.detections.add(17, RISING, got.append, 100)
    for at_ms in (40, 80, 120, 160, 200, 240):
        press(still, sim, at_ms=at_ms)
    assert len(got) == 2


def test_bouncetime_counts_from_the_last_accepted_edge(still, sim):
    got = []
    still.detections.add(17, RISING, lambda c: got.append(sim.clock.now_ns() // MS), 100)
    for at_ms in (100, 190, 210, 290, 320):
        press(still, sim, at_ms=at_ms)
    assert [t - 1 for t in got] == [100, 210, 320]


def test_bouncetime_is_for_the_latch_too(still, sim):
    still.detections.add(17, RISING, None, 100)
    press(still, sim, at_ms=10)
    assert still.detections.detected(17) is True
    press(still, sim, at_ms=60)
    assert still.detections.detected(17) is False
    press(still, sim, at_ms=120)
    assert still.detections.detected(17) is True


def test_bouncetime_is_the_kernels_time_not_that_of_the_callback(still, sim):
    got = []
    still.detections.add(17, RISING, got.append, 100)
    for _ in range(3):  # 150 ms apart, and dispatched all at once
        sim.drive(17, 1)
        sim.drive(17, 0)
        sim.clock.advance(150 * MS)
    drain(still)
    assert len(got) == 3


# -- errors, in RPi.GPIO's order and words -----------------------------------------------------------------

CONFLICT = "Conflicting edge detection already enabled for this GPIO channel"
NO_INPUT = "You must setup() the GPIO channel as an input first"
NO_EDGE = "The edge must be set to RISING, FALLING or BOTH"


def nothing(channel):
    pass


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("17", RISING, None, None), TypeError, "channel is an int, not '17'"),
        (
            (17, "up", None, None),
            TypeError,
            "edge is a constant or 'rising', 'falling' or 'both', not 'up'",
        ),
        ((17, RISING, None, 1.5), TypeError, "bouncetime is an int, not 1.5"),
        ((99, 0, "no", -1), TypeError, "Parameter must be callable"),
        ((99, 0, nothing, -1), ValueError, "The channel sent is invalid on a Raspberry Pi"),
        ((4, 0, nothing, -1), RuntimeError, NO_INPUT),
        ((17, 0, nothing, -1), ValueError, NO_EDGE),
        ((17, 34, nothing, 5), ValueError, NO_EDGE),
        ((17, RISING, nothing, 0), ValueError, "Bouncetime must be greater than 0"),
        ((17, RISING, nothing, -1), ValueError, "Bouncetime must be greater than 0"),
    ],
)
def test_add_event_detect_checks_in_this_order(still, arguments, error, text):
    with raises(error, text):
        still.detections.add(*arguments)


def test_minus_666_is_no_bouncetime(still, sim):
    still.detections.add(17, RISING, None, -666)
    press(still, sim)
    assert still.detections.detected(17)


@pytest.mark.parametrize("edge", [RISING, FALLING, BOTH])
def test_a_second_detection_of_a_channel_conflicts(still, edge):
    still.detections.add(17, RISING, None, None)
    with raises(errors.EdgeDetectionError, CONFLICT) as caught:
        still.detections.add(17, edge, nothing, None)
    assert isinstance(caught.value, RuntimeError) and "remove_event_detect" in caught.value.hint


def test_add_event_callback_needs_detection_first(still):
    with raises(TypeError, "Parameter must be callable"):
        still.detections.add_callback(99, None)
    with raises(RuntimeError, NO_INPUT):
        still.detections.add_callback(4, nothing)
    with raises(RuntimeError, "Add event detection using add_event_detect first before adding a callback"):
        still.detections.add_callback(17, nothing)


def test_a_kernel_that_refuses_is_a_runtime_error_with_its_reason(still, sim, monkeypatch):
    def busy(line, edge, filter_us=0):
        raise errors.LineBusyError(16, f"GPIO {line} is in use by 'w1'", "/dev/gpiochip0", hint="dtparam")

    monkeypatch.setattr(sim, "watch", busy)
    with raises(RuntimeError, "Failed to add edge detection") as caught:
        still.detections.add(17, RISING, None, None)
    assert "w1" in caught.value.hint and isinstance(caught.value.__cause__, OSError)
    with raises(RuntimeError, "Error waiting for edge"):
        still.detections.wait_for_edge(17, RISING, None, None)
    monkeypatch.undo()
    still.detections.add(17, RISING, None, None)


# -- wait_for_edge -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((17.0, RISING, None, None), TypeError, "channel is an int, not 17.0"),
        ((17, RISING, None, "1"), TypeError, "timeout is an int, not '1'"),
        ((99, 0, 0, 0), ValueError, "The channel sent is invalid on a Raspberry Pi"),
        ((4, 0, 0, 0), RuntimeError, NO_INPUT),
        ((17, 0, 0, 0), ValueError, NO_EDGE),
        ((17, RISING, 0, 0), ValueError, "Bouncetime must be greater than 0"),
        ((17, RISING, 5, 0), ValueError, "Timeout must be greater than 0"),
        ((17, RISING, 5, -2), ValueError, "Timeout must be greater than 0"),
        (
            (17, RISING, 5, 2**31),
            ValueError,
            "Timeout must be at most 2147483647 ms (24 days), not 2147483648",
        ),
        ((17, RISING, 0, 2**31), ValueError, "Bouncetime must be greater than 0"),
    ],
)
def test_wait_for_edge_checks_in_this_order(still, arguments, error, text):
    with raises(error, text):
        still.detections.wait_for_edge(*arguments)


@pytest.fixture
def gpio(rpio):
    """RPIO on a simulated board with real time; GPIO 17 is an input with a pull-up."""
    rpio.setup(17, IN, pull_up_down=PUD_UP)
    return rpio


def soon(action, after_s=0.03):
    """Do it in another thread a moment later."""
    timer = threading.Timer(after_s, action)
    timer.start()
    return timer


def test_wait_for_edge_returns_the_channel(gpio):
    gpio.setmode(BOARD)
    soon(lambda: gpio.sim.drive(17, 0))
    assert gpio.wait_for_edge(11, FALLING, timeout=5000) == 11


def test_wait_for_edge_takes_the_longest_timeout(gpio):
    got = []

    def wait(*arguments):
        timer = soon(lambda: gpio.sim.drive(17, 0))
        got.append(gpio.wait_for_edge(17, FALLING, timeout=2**31 - 1))
        timer.join()

    wait()
    gpio.add_interrupt_callback(17, wait, "rising", PUD_UP)
    gpio.wait_for_interrupts(threaded=True)
    gpio.sim.drive(17, None)
    assert wait_until(lambda: got == [17, 17])
    gpio.stop_waiting_for_interrupts()


def test_wait_for_edge_returns_none_at_the_timeout(gpio):
    begin = time.monotonic()
    assert gpio.wait_for_edge(17, FALLING, timeout=40) is None
    assert 0.03 < time.monotonic() - begin < 2


def test_wait_for_edge_ignores_the_other_edge_and_other_lines(gpio):
    gpio.setup(4, IN, pull_up_down=PUD_UP)
    gpio.sim.drive(17, 0)

    def others():
        gpio.sim.drive(4, 0)
        gpio.sim.drive(17, 1)
        gpio.sim.drive(17, 0)

    soon(others)
    assert gpio.wait_for_edge(17, RISING, timeout=5000) == 17
    assert gpio.input(4) == 0


def test_waiting_leaves_nothing_behind(gpio):
    assert gpio.wait_for_edge(17, FALLING, timeout=1) is None
    got = []
    gpio.add_event_detect(17, RISING, got.append)
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: got == [17])


def test_waits_of_several_threads_are_all_served(gpio):
    gpio.setup(4, IN, pull_up_down=PUD_UP)
    got = []
    threads = [
        threading.Thread(target=lambda n=n: got.append(gpio.wait_for_edge(n, FALLING, timeout=5000)))
        for n in (17, 4, 17)
    ]
    for thread in threads:
        thread.start()
    watched = gpio.facade.board.watched
    assert wait_until(lambda: len(watched.of_kind(17, Wait)) == 2 and len(watched.of_kind(4, Wait)) == 1)
    gpio.sim.drive(17, 0)
    gpio.sim.drive(4, 0)
    for thread in threads:
        thread.join(5)
    assert sorted(got) == [4, 17, 17]


def test_bouncetime_counts_from_one_wait_to_the_next(gpio):
    def bouncing():
        gpio.sim.drive(17, 0)
        gpio.sim.drive(17, 1)

    soon(bouncing)
    assert gpio.wait_for_edge(17, FALLING, bouncetime=5000, timeout=5000) == 17
    soon(bouncing, 0.01)
    assert gpio.wait_for_edge(17, FALLING, bouncetime=5000, timeout=100) is None
    soon(bouncing, 0.01)
    assert gpio.wait_for_edge(17, FALLING, timeout=5000) == 17


def test_wait_for_edge_conflicts_with_callbacks_and_with_another_bouncetime(gpio):
    text = "Conflicting edge detection events already exist for this GPIO channel"
    gpio.add_event_detect(17, FALLING, bouncetime=10)
    with raises(RuntimeError, text):
        gpio.wait_for_edge(17, FALLING, bouncetime=20, timeout=1)
    assert gpio.wait_for_edge(17, FALLING, bouncetime=10, timeout=1) is None
    assert gpio.wait_for_edge(17, RISING, timeout=1) is None
    gpio.add_event_callback(17, nothing)
    with raises(RuntimeError, text):
        gpio.wait_for_edge(17, RISING, timeout=1)


def test_wait_for_edge_inside_a_callback_works(gpio):
    gpio.setup(4, IN, pull_up_down=PUD_UP)
    got = []

    def on_17(channel):
        soon(lambda: gpio.sim.drive(4, 0))
        got.append(gpio.wait_for_edge(4, FALLING, timeout=5000))
        got.append(gpio.wait_for_edge(4, FALLING, timeout=10))

    gpio.add_event_detect(17, FALLING, on_17)
    gpio.sim.drive(17, 0)
    assert wait_until(lambda: len(got) == 2)
    assert got == [4, None]


def test_cleanup_ends_a_wait_inside_a_callback_too(gpio, capsys):
    gpio.setup(4, IN, pull_up_down=PUD_UP)
    done = threading.Event()

    def on_17(channel):
        waiting.set()
        try:
            gpio.wait_for_edge(4, FALLING)
        except RuntimeError as e:
            print(e)
        done.set()

    waiting = threading.Event()
    gpio.add_event_detect(17, FALLING, on_17)
    gpio.sim.drive(17, 0)
    assert waiting.wait(5)
    wait_until(lambda: gpio.sim.is_watched(4))
    gpio.cleanup()
    assert done.wait(5)
    assert capsys.readouterr().out == "Error waiting for edge\n"
    gpio.setup(4, IN, pull_up_down=PUD_UP)
    gpio.add_event_detect(4, FALLING)
    gpio.sim.drive(4, 0)
    assert wait_until(lambda: gpio.event_detected(4))


def test_cleanup_ends_a_wait_with_an_error(gpio):
    soon(gpio.cleanup)
    with raises(RuntimeError, "Error waiting for edge"):
        gpio.wait_for_edge(17, FALLING, timeout=5000)


# -- the loop in the background ----------------------------------------------------------------------------


def test_callbacks_run_in_one_background_thread_that_is_a_daemon(gpio):
    threads = []
    gpio.add_event_detect(17, BOTH, lambda channel: threads.append(threading.current_thread()))
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: len(threads) == 2)
    assert len(set(threads)) == 1 and threads[0].daemon and threads[0] is not threading.main_thread()


def test_wait_for_interrupts_takes_the_loop_over_and_gives_it_back(gpio):
    threads = []
    gpio.add_event_detect(17, FALLING, lambda channel: threads.append(threading.current_thread().name))
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: len(threads) == 1)

    def while_running():
        gpio.sim.press(17, ms=1)
        wait_until(lambda: len(threads) == 2)
        gpio.stop_waiting_for_interrupts()

    soon(while_running)
    gpio.wait_for_interrupts()
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: len(threads) == 3)
    assert threads == ["RPIO loop", "MainThread", "RPIO loop"]


def test_stopping_does_not_stop_event_detection(gpio):
    gpio.add_event_detect(17, FALLING)
    gpio.stop_waiting_for_interrupts()
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: gpio.event_detected(17))


def test_cleanup_ends_the_background_thread(gpio):
    gpio.add_event_detect(17, FALLING)
    assert wait_until(lambda: [t for t in threading.enumerate() if t.name == "RPIO loop"])
    gpio.cleanup()
    assert wait_until(lambda: not [t for t in threading.enumerate() if t.name == "RPIO loop"])


def test_detection_begins_again_at_once_after_cleanup(gpio):
    for _ in range(20):
        gpio.setup(17, IN, pull_up_down=PUD_UP)
        gpio.add_event_detect(17, FALLING)
        gpio.sim.press(17, ms=0)
        assert wait_until(lambda: gpio.event_detected(17))
        gpio.cleanup()


def test_a_callback_may_clean_up(gpio):
    done = threading.Event()

    def last(channel):
        gpio.cleanup()
        done.set()

    gpio.add_event_detect(17, FALLING, last)
    gpio.sim.press(17, ms=1)
    assert done.wait(5)
    assert gpio.facade.board.lines.direction(17) is None


def test_a_threaded_loop_takes_over_too(gpio):
    got = []
    gpio.add_event_detect(17, FALLING, got.append)
    gpio.wait_for_interrupts(threaded=True)
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: got == [17])
    gpio.stop_waiting_for_interrupts()
    gpio.sim.press(17, ms=1)
    assert wait_until(lambda: got == [17, 17])


def test_a_program_with_event_detection_ends_by_itself():
    code = "import RPIO as G; G.setup(17, G.IN); G.add_event_detect(17, G.RISING, print); print('end')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert (done.stdout, done.stderr) == ("end\n", "")


# -- names -------------------------------------------------------------------------------------------------


def test_channel_and_gpio_are_both_names_of_the_first_argument(gpio):
    gpio.add_event_detect(gpio=17, edge=RISING, callback=nothing, bouncetime=5)
    gpio.add_event_callback(gpio=17, callback=nothing)
    gpio.remove_event_detect(gpio=17)
    gpio.add_event_detect(channel=17, edge=RISING, callback=None, bouncetime=None)
    assert gpio.event_detected(channel=17) is gpio.event_detected(gpio=17) is False
    assert gpio.wait_for_edge(gpio=17, edge=RISING, timeout=1) is None
    with pytest.raises(TypeError, match="unexpected keyword argument 'pin'"):
        gpio.event_detected(pin=17)
    assert str(inspect.signature(gpio.event_detected)) == "(channel: 'int') -> 'bool'"


UNHEARD = """
import signal, sys, threading, RPIO

class Gone(Exception): pass
def handler(number, frame): raise Gone
def end():
    # This thread takes the signal, as the main one may have right before it went to sleep: nothing wakes that.
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
def wait(*ignored):
    threading.Timer(0.2, end).start()
    try:
        RPIO.wait_for_edge(17, RPIO.RISING)
    except Gone:
        print("ended", flush=True)
        RPIO.stop_waiting_for_interrupts()

signal.signal(signal.SIGUSR1, handler)
RPIO.setup([17, 18], RPIO.IN, pull_up_down=RPIO.PUD_DOWN)
if sys.argv[1] == "in a callback":
    RPIO.add_interrupt_callback(18, wait, edge="rising")
    threading.Timer(0.2, lambda: RPIO.sim.drive(18, 1)).start()
    RPIO.wait_for_interrupts()
else:
    wait()
RPIO.cleanup()
"""


@pytest.mark.parametrize("where", ["alone", "in a callback"])
def test_wait_for_edge_hears_of_a_signal_that_did_not_wake_it(where):
    assert play(UNHEARD, where) == (0, "ended\n", "")
