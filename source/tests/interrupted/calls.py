# SPDX-License-Identifier: LGPL-3.0-or-later
"""Public functions, and what a program has done before it calls them: the table of all tests of this folder.

test_every_public_function_is_called_here() says what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass

import RPIO
from ports import free_port
from RPIO import PWM, _gpio, aio, facade, program
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.chips.buses import i2c_bus
from RPIO.chips.registers import Registers
from RPIO.constants import FALLING, IN, OUT, PUD_OFF, PUD_UP, RISING
from RPIO.i2c import SMBus
from RPIO.loop.dispatcher import Dispatcher
from RPIO.machine.boards import by_name
from RPIO.programs import sockets
from RPIO.programs.streams import Streams
from RPIO.remoteio import RemoteServer
from RPIO.server import serving
from RPIO.server.connections.doors import Path, Port
from RPIO.server.connections.front import Front
from RPIO.server.remoteio.guests import GuestPort, Way
from RPIO.server.rights.access import Access
from RPIO.server.rights.audit import Audit
from RPIO.server.rights.tokens import TokenFile
from RPIO.server.sessions.hold import Holds
from RPIO.spi import SpiDev
from tls_parts import environment, paired
from waiting import LIMIT_S, wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def nothing(*args: object) -> None:
    """A callback."""


PORT = free_port()
ANSWER_S = 10.0
"""How long another board may take to answer, where a test does not say."""
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files are that go with the row: what is written for good, a thousand times, waits for no disk."""
SOCKET = os.path.join(tempfile.gettempdir(), f"rpio-interrupted-{os.getpid()}")


@dataclass
class Call:
    """One row: *before* makes what the function needs, of *things* that several functions share."""

    call: Callable[[dict[str, object]], object]
    before: tuple[Callable[[dict[str, object]], object], ...] = ()
    after: tuple[Callable[[dict[str, object]], object], ...] = ()
    is_of_one_thread: bool = False
    """No other thread does it at the same time, and what asyncio has open is asyncio's in a child."""
    waits: tuple[str, ...] = ()
    """What it comes to, besides, where another thread does something in its middle: of calls that wait."""
    dear: int = 1
    """How much longer it takes than others: where not all points are tried, so many fewer are."""
    sparse: int = 1
    """Where all points are tried, so many fewer are: of thousands, which are in what only looks at files."""


# -- what is there before ------------------------------------------------------------------------------------


def relay(things):
    RPIO.setup(18, OUT, initial=1)


def ruled(things):
    RPIO.protect(18, name="relay", changes_per_s=1e6)
    RPIO.interlock([18, 23])


def limited(things):
    RPIO.protect(18, longest_on_s=600)


def button(things):
    RPIO.setup(17, IN, pull_up_down=PUD_UP)


def detection(things):
    RPIO.add_event_detect(17, FALLING, nothing)


def interrupt(things):
    RPIO.add_interrupt_callback(17, nothing, edge="both", pull_up_down=PUD_UP)


def counter(things):
    things["counter"] = RPIO.counter(17, "both", pull_up_down=PUD_UP)


def encoder(things):
    things["encoder"] = RPIO.encoder(22, 23, pull_up_down=PUD_UP)


def threaded_interrupt(things):
    RPIO.add_interrupt_callback(17, nothing, edge="falling", pull_up_down=PUD_UP, threaded_callback=True)


def pressed(things):
    if facade.board.backend.outside() is not None:  # else nobody presses it
        RPIO.sim.drive(17, 0)


def stopping(things):
    """Something ends the loop as soon as wait_for_interrupts() runs it, whatever else was cleaned up meanwhile."""
    pipe, dispatcher = _gpio.Pipe(), facade.board.dispatcher
    os.write(pipe.writer, b"x")
    dispatcher.add(pipe.reader, lambda events: dispatcher.running and dispatcher.stop())
    things["stopper"] = pipe


def stopper_goes(things):
    facade.board.dispatcher.remove(things["stopper"].reader)


def loop_in_thread(things):
    RPIO.wait_for_interrupts(threaded=True)


def pwm(things):
    things["pwm"] = RPIO.PWM(18, 100)


def started(things):
    things["pwm"].start(50)


def _pwm_dies(things):
    things.pop("pwm", None)  # within the call: nobody gets it


def servo(things):
    things["servo"] = PWM.Servo()


def servo_set(things):
    things["servo"].set_servo(18, 1500)


def channel(things):
    if not PWM.is_setup():
        PWM.setup()
    PWM.init_channel(0)


def pulse(things):
    PWM.add_channel_pulse(0, 18, 0, 100)


def _print_channel(things):
    things.setdefault("stdout", sys.stdout)  # once: the redirection of a call before may still be there
    with contextlib.redirect_stdout(io.StringIO()):
        PWM.print_channel(0)


def stdout_is_back(things):
    """Where an interrupt has come between before the redirection's own."""
    sys.stdout = things.pop("stdout", sys.stdout)


def tcp(things):
    RPIO.add_tcp_callback(PORT, nothing, host="127.0.0.1")


def client(things):
    """Somebody who has connected, and been welcomed."""
    dispatcher = facade.board.dispatcher
    assert wait_until(lambda: not dispatcher.is_busy)
    things["client"] = socket.create_connection(("127.0.0.1", PORT))
    while not RPIO.tcp_clients():
        dispatcher.step(0.1)
    things["guest"] = RPIO.tcp_clients()[0]
    things["number"] = things["guest"].fileno()


def goes(things):
    things["client"].close()


def numbered(things):
    number = things["guest"].fileno()
    things["number"] = number, os.fstat(number).st_ino


def given_away_goes(things):
    """The descriptor that detach() has given, which nobody knows where that was interrupted at its very end."""
    number, inode = things["number"]
    with contextlib.suppress(OSError):  # closed by cleanup()
        if os.fstat(number).st_ino == inode:
            os.close(number)


def _detach(things):
    things["guest"].detach()


def other_board(things):
    """One that the program has made itself, with all that it can have open."""
    things["board"] = board = Board()
    board.use(SimBackend(by_name("3B+"), ManualClock()))
    board.setup(18, OUT, PUD_OFF, 1)
    board.lines.make_input(17, PUD_UP)
    board.add_interrupt_callback(17, nothing, "both", None, True, None, 0)
    board.waiting.ports.add(0, nothing, True, "127.0.0.1")
    board.wait_for_interrupts(threaded=True)


def other_board_closes(things):
    if "board" in things:  # an interrupted Board() has opened nothing
        things["board"].close()


def served(things):
    """Another board, which others may use. Its loop runs in a thread, where no handler does."""
    things["served"] = board = Board()
    board.use(SimBackend(by_name("3B+"), ManualClock()))
    things["remote port"] = serving.serve(board, 0, "127.0.0.1", None)
    board.wait_for_interrupts(threaded=True)


def served_ends(things):
    things["served"].close()


def _paired(things):
    """This machine is paired with the device that serves."""
    things["paired"] = environment(paired().environment)
    things["paired"].__enter__()


def paired_ends(things):
    if "paired" in things:
        things["paired"].__exit__(None, None, None)


def served_to_others(things):
    """As served(), by TLS."""
    _paired(things)
    things["served"] = board = Board()
    board.use(SimBackend(by_name("3B+"), ManualClock()))
    things["remote port"] = serving.serve(board, 0, "any", None)
    board.wait_for_interrupts(threaded=True)


def _connect_sealed(things):
    timeout_s = things.get("board_patience_s", ANSWER_S)
    things["there"] = RPIO.connect(f"127.0.0.1:{things['remote port']}", linger_s=0, timeout_s=timeout_s)


def _connect(things):
    timeout_s = things.get("board_patience_s", ANSWER_S)
    things["there"] = RPIO.connect(f"localhost:{things['remote port']}", linger_s=0, timeout_s=timeout_s)


def there_closes(things):
    if "there" in things:  # an interrupted connect() leaves nothing behind
        things["there"].close()


def _set_up_there(things):
    things["there"].setup(18, OUT)


def _batch(board):
    with board.batch():
        board.output(18, 0)
        board.output(18, 1)


def _batched(things):
    _batch(things["there"])


def _chip(backend):
    bus = i2c_bus(backend, 1)
    bus.remove(0x50)
    bus.add(0x50, Registers())


def chip_here(things):
    things["served"] = board = Board()  # and by nobody
    board.use(SimBackend(by_name("3B+"), ManualClock()))
    _chip(board.backend)


def chip_there(things):
    _chip(things["served"].backend)
    things["smbus"] = SMBus(1, board=things["there"])


def _smbus(things):
    with SMBus(1, board=things["served"]) as bus, bus.held(0.001):
        bus.write_byte_data(0x50, 1, 2)
        assert bus.read_i2c_block_data(0x50, 1, 2) == [2, 0]


def _smbus_there(things):
    bus = things["smbus"]
    with bus.held():
        bus.write_byte_data(0x50, 1, 2)
        assert bus.read_i2c_block_data(0x50, 1, 2) == [2, 0]


def _spi(things):
    with SpiDev(0, 0, board=things["served"]) as device:
        device.mode = 3
        assert device.xfer2([1, 2]) == [0, 0]


def _spi_there(things):
    with SpiDev(0, 0, board=things["there"]) as device:
        assert device.xfer2([1, 2]) == [0, 0]


def _tasks_there(things):
    tasks = things["there"].tasks
    task = tasks.add(23, "on", 1)
    assert task.wait(ANSWER_S) in ("done", None) and not tasks.cancel(task.number)
    tasks.add(23, "close")


def guests_served(things):
    """A board that remoteio's clients may use. Its loop runs in a thread, where no handler does."""
    things["served"] = board = Board()
    board.use(SimBackend(by_name("3B+"), ManualClock()), by_name("3B+"))
    things["door"] = door = GuestPort("127.0.0.1", 0, Way(board))
    board.waiting.ports.open(Front(board, [door]), "")
    board.wait_for_interrupts(threaded=True)


def looked_at(things):
    """Somebody who has this program run, and sees its pictures. Its loop runs in a thread, where no handler does."""
    things["folder"] = folder = tempfile.mkdtemp()
    os.environ[sockets.FOLDER] = folder
    things["loop"] = loop = Dispatcher(_gpio.Poller(), nothing)
    things["streams"] = streams = Streams(folder, os.getpgrp(), loop, nothing, nothing, nothing)
    streams.open()
    loop.start_thread()


def nobody_looks(things):
    program._video.close()
    program._listening.close()
    program._listener.shut_down()
    if "loop" in things:
        loop = things.pop("loop")
        loop.end_background()
        loop.stop()
        assert wait_until(lambda: not loop.is_busy, LIMIT_S)
        things["streams"].close()
        loop.close()
    os.environ.pop(sockets.FOLDER, None)
    shutil.rmtree(things["folder"], ignore_errors=True)


def _key(things):
    with program.KeyboardButton("a") as button:
        button.when_pressed = button.when_released = nothing
        return button.when_pressed, button.when_released, button.is_pressed


def _guest_comes(things):
    things["guest"] = RemoteServer("127.0.0.1", things["door"].port)


def guest_goes(things):
    if "guest" in things:
        things["guest"].close()


def _guest_asks(things):
    if things["guest"].is_closed:  # as after what the last call has met with: it does not come back by itself
        _guest_comes(things)
    # Each time another pin: who has gone before the server has heard him is heard all the same, and has the one before.
    number = things["pins"] = {7: 11, 11: 13, 13: 15}.get(things.get("pins"), 7)
    with things["guest"].pin(number) as pin:
        pin.on(time_ms=1)


HELD = "BusError([Errno 16] simulated I2C bus 1 is held by another thread of this program)"


def _bus_is_free(things):
    other = SMBus(1, board=things["served"])
    with other.held(ANSWER_S):
        assert other.read_byte_data(0x50, 1) in (0, 2)


def _serve(things):
    RPIO.serve_remote(0)


def _serve_others(things):
    RPIO.serve_remote(0, "any")


def _serve_path(things):
    RPIO.serve_remote(path=SOCKET)


def _daemon_parts(things):
    """All that the daemon adds to a board: rights with a token, an audit, lines that are held, a port and a path."""
    folder = things["folder"] = tempfile.mkdtemp(dir=MEMORY)
    tokens = TokenFile(f"{folder}/tokens")
    _, text = tokens.add(["gpio"], None, "", 0.0, None)
    with open(os.open(f"{folder}/token", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    things["access"], things["audit"] = Access(["read"], tokens.read), Audit(f"{folder}/audit")


def _front(things, board):
    holds = things["holds"] = Holds(board.leases, f"{things['folder']}/holds.json")
    front = Front(board, [], things["access"], things["audit"], holds)
    board.waiting.ports.open(front, "")
    front.open_also(Path(f"{things['folder']}/sock"))
    front.open_also(Port("127.0.0.1", 0))
    return front


def _serve_as_daemon(things):
    try:
        _front(things, facade.board)
    except Exception:
        facade.board.cleanup_interrupts()  # a door that is open stays so, whatever the next one lacks
        raise


def daemon_parts_go(things):
    assert not os.path.exists(f"{things['folder']}/sock")
    shutil.rmtree(things["folder"])


def daemon_served(things):
    """The same, for others, in a thread."""
    _daemon_parts(things)
    things["served"] = board = Board()
    board.use(SimBackend(by_name("3B+"), ManualClock()))
    _front(things, board)
    things["holds"].hold([(27, 1)])
    board.wait_for_interrupts(threaded=True)


def _connect_with_token(things):
    os.environ["RPIO_TOKEN_FILE"] = f"{things['folder']}/token"
    try:
        where, timeout_s = f"remote+unix://{things['folder']}/sock", things.get("board_patience_s", ANSWER_S)
        things["there"] = RPIO.connect(where, linger_s=0, timeout_s=timeout_s)
        things["there"].setup(18, OUT, initial=1)
    finally:
        os.environ.pop("RPIO_TOKEN_FILE", None)


def daemon_ends(things):
    things["served"].close()
    daemon_parts_go(things)


def path_is_free(things):
    assert not os.path.exists(SOCKET)


def wave(things):
    things["wave"] = RPIO.wave([(18, 1, 500), (18, 0, 500)], repeat=None)


def _with_wave(things):
    with RPIO.wave([(18, 1, 500), (18, 0, 500)], repeat=None):
        nothing()


def asyncio_loop(things):
    """One of asyncio's own. It is not interrupted itself, which would not bear it: what it runs of ours is."""
    things["loop"] = asyncio.new_event_loop()
    things["task"] = things["loop"].create_task(asyncio.sleep(LIMIT_S))


def _enter_task(things):
    """As in a coroutine that the loop runs."""
    _leave_task(things)
    asyncio._set_running_loop(things["loop"])
    asyncio.tasks._enter_task(things["loop"], things["task"])


def _leave_task(things):
    """Also where it was interrupted before."""
    if asyncio.current_task(things["loop"]) is not None:
        asyncio.tasks._leave_task(things["loop"], things["task"])
    asyncio._set_running_loop(None)


def _advance(things, waiting):
    """Run a coroutine of ours to where it waits, as asyncio's loop does. Whether it waits."""
    _enter_task(things)
    try:
        waiting.send(None)
    except (StopIteration, StopAsyncIteration):
        return False
    finally:
        _leave_task(things)
    return True


def iteration(things):
    things["edges"] = aio.edges(17, RISING)
    things["waiting"] = things["edges"].__anext__()
    _advance(things, things["waiting"])


def cancelled(things):
    """Whoever waits gets a CancelledError, once."""
    waiting = things.pop("waiting", None)
    if waiting is not None:
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, RuntimeError):
            waiting.throw(asyncio.CancelledError)


def asyncio_ends(things):
    """What asyncio.run() does at its end."""
    loop = things["loop"]
    _leave_task(things)
    cancelled(things)
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def _wait_for_edge(things):
    things["waiting"] = aio.wait_for_edge(17, FALLING, timeout=1)
    _advance(things, things["waiting"])


def _on_edge(things):
    _enter_task(things)
    try:
        aio.on_edge(17, nothing, FALLING)
    finally:
        _leave_task(things)


ENDED = ("EdgeDetectionError(Error waiting for edge)", "17")
PWM_EXISTS = ("PWMExistsError(A PWM object already exists for this GPIO channel)",)
RUNNING = ("AlreadyRunningError(wait_for_interrupts() is running already)",)

CALLS = {
    "setup": Call(lambda t: RPIO.setup(18, OUT, initial=1)),
    "setup(IN)": Call(lambda t: RPIO.setup(18, IN, pull_up_down=PUD_UP), (relay,)),
    "setup(list)": Call(lambda t: RPIO.setup([18, 22, 23], OUT, initial=1)),
    "setup(watched)": Call(lambda t: RPIO.setup(17, OUT), (button, detection)),
    "setup(pulsed)": Call(lambda t: RPIO.setup(18, OUT), (relay, pwm, started)),
    "output": Call(lambda t: RPIO.output(18, 0), (relay,)),
    "Board.output": Call(lambda t: facade.board.output(18, 0), (relay,)),
    "Board.input": Call(lambda t: facade.board.input(18), (relay,)),
    "output(list)": Call(lambda t: RPIO.output([18, 18], [0, 1]), (relay,)),
    "input": Call(lambda t: RPIO.input(18), (relay,)),
    "protect": Call(lambda t: RPIO.protect(18, name="relay", changes_per_s=1e6), (relay,)),
    "interlock": Call(lambda t: RPIO.interlock([18, 23]), (relay,)),
    "output(ruled)": Call(lambda t: RPIO.output([18, 18], [0, 1]), (relay, ruled)),
    "output(limited)": Call(
        lambda t: RPIO.output(18, 1), (limited, lambda t: RPIO.setup(18, OUT, initial=0))
    ),
    "setup(limited)": Call(lambda t: RPIO.setup(18, OUT, initial=1), (limited,)),
    "setup(ruled)": Call(lambda t: RPIO.setup(18, OUT, initial=1), (ruled,)),
    "forceoutput": Call(lambda t: RPIO.forceoutput(22, 1)),
    "forceinput": Call(lambda t: RPIO.forceinput(22)),
    "set_pullupdn": Call(lambda t: RPIO.set_pullupdn(17, PUD_OFF), (button,)),
    "gpio_function": Call(lambda t: RPIO.gpio_function(18), (relay,)),
    "channel_to_gpio": Call(lambda t: RPIO.channel_to_gpio(18)),
    "setmode": Call(lambda t: RPIO.setmode(RPIO.BOARD), (relay,)),
    "getmode": Call(lambda t: RPIO.getmode()),
    "describe": Call(lambda t: (RPIO.describe(), RPIO.sysinfo(), RPIO.version())),
    "setwarnings": Call(lambda t: RPIO.setwarnings(True)),
    "cleanup": Call(lambda t: RPIO.cleanup(), (relay, button, detection, pwm, started)),
    "cleanup(line)": Call(lambda t: RPIO.cleanup(18), (relay, button, detection)),
    "cleanup(watched)": Call(lambda t: RPIO.cleanup(17), (relay, button, threaded_interrupt)),
    "cleanup(taken)": Call(
        lambda t: RPIO.cleanup(), (lambda t: RPIO.forceoutput(22, 1), interrupt, tcp, client), (goes,)
    ),
    "cleanup(loop)": Call(lambda t: RPIO.cleanup(), (interrupt, loop_in_thread)),
    "add_interrupt_callback": Call(
        lambda t: RPIO.add_interrupt_callback(
            17, nothing, edge="both", pull_up_down=PUD_UP, debounce_timeout_ms=5
        )
    ),
    "add_interrupt_callback(second)": Call(
        lambda t: RPIO.add_interrupt_callback(17, nothing), (button, detection)
    ),
    "add_interrupt_callback(threaded)": Call(threaded_interrupt),
    "del_interrupt_callback": Call(lambda t: RPIO.del_interrupt_callback(17), (interrupt,)),
    "del_interrupt_callback(threaded)": Call(
        lambda t: RPIO.del_interrupt_callback(17), (threaded_interrupt,)
    ),
    "del_interrupt_callback(one of two)": Call(
        lambda t: RPIO.del_interrupt_callback(17), (button, detection, interrupt)
    ),
    "add_event_detect": Call(detection, (button,)),
    "add_event_detect(second line)": Call(
        lambda t: RPIO.add_event_detect(4, RISING), (button, detection, lambda t: RPIO.setup(4, IN))
    ),
    "add_event_callback": Call(lambda t: RPIO.add_event_callback(17, nothing), (button, detection)),
    "remove_event_detect": Call(lambda t: RPIO.remove_event_detect(17), (relay, button, detection)),
    "event_detected": Call(lambda t: RPIO.event_detected(17), (button, detection)),
    "events_lost": Call(lambda t: RPIO.events_lost(17), (button, detection)),
    "events_lost(counted)": Call(lambda t: RPIO.events_lost(17), (button, counter)),
    "counter": Call(counter),
    "counter(beside a callback)": Call(counter, (interrupt,)),
    "counter(a callback comes beside it)": Call(interrupt, (counter,)),
    "counter(a callback beside it goes)": Call(
        lambda t: RPIO.del_interrupt_callback(17), (counter, interrupt)
    ),
    "counter.count": Call(lambda t: t["counter"].count >= 0, (counter, pressed)),
    "counter.reset": Call(lambda t: t["counter"].reset() >= 0, (counter, pressed)),
    "counter.close": Call(lambda t: t["counter"].close(), (counter,)),
    "counter.close(beside a callback)": Call(lambda t: t["counter"].close(), (interrupt, counter)),
    "encoder": Call(encoder),
    "encoder.close": Call(lambda t: t["encoder"].close(), (encoder,)),
    "wait_for_edge": Call(lambda t: RPIO.wait_for_edge(17, FALLING, timeout=1), (relay, button), waits=ENDED),
    "wait_for_edge(again)": Call(
        lambda t: RPIO.wait_for_edge(17, FALLING, timeout=1),
        (button, lambda t: RPIO.wait_for_edge(17, FALLING, timeout=1)),
        waits=ENDED,
    ),
    "wait_for_interrupts": Call(
        lambda t: RPIO.wait_for_interrupts(), (interrupt, stopping), (stopper_goes,), waits=RUNNING
    ),
    "wait_for_interrupts(after detection)": Call(
        lambda t: RPIO.wait_for_interrupts(), (button, detection, stopping), (stopper_goes,), waits=RUNNING
    ),
    "wait_for_interrupts(threaded)": Call(loop_in_thread, (interrupt,)),
    "stop_waiting_for_interrupts": Call(
        lambda t: RPIO.stop_waiting_for_interrupts(), (interrupt, loop_in_thread)
    ),
    "cleanup_interrupts": Call(lambda t: RPIO.cleanup_interrupts(), (relay, interrupt, tcp, client), (goes,)),
    "add_tcp_callback": Call(tcp),
    "add_tcp_callback(threaded)": Call(
        lambda t: RPIO.add_tcp_callback(PORT, nothing, threaded_callback=True, host="127.0.0.1")
    ),
    "tcp_clients": Call(lambda t: RPIO.tcp_clients(), (tcp, client), (goes,)),
    "close_tcp_client": Call(lambda t: RPIO.close_tcp_client(t["number"]), (tcp, client), (goes,)),
    "TcpClient.send": Call(lambda t: t["guest"].send("x"), (tcp, client), (goes,)),
    "TcpClient.sendall": Call(
        lambda t: (t["guest"].callback, t["guest"].sendall("x"), t["guest"].flush()), (tcp, client), (goes,)
    ),
    "TcpClient.detach": Call(_detach, (tcp, client, numbered), (given_away_goes, goes)),
    "TcpClient.close": Call(lambda t: t["guest"].close(), (tcp, client), (goes,)),
    "PWM": Call(pwm, (relay,)),
    "PWM dies": Call(_pwm_dies, (relay, pwm, started)),
    "PWM is made, starts and dies": Call(lambda t: RPIO.PWM(18, 100).start(50), (relay,), waits=PWM_EXISTS),
    "PWM.start": Call(started, (relay, pwm)),
    "PWM.ChangeDutyCycle": Call(lambda t: t["pwm"].ChangeDutyCycle(20), (relay, pwm, started)),
    "PWM.ChangeFrequency": Call(lambda t: t["pwm"].ChangeFrequency(200), (relay, pwm, started)),
    "PWM.stop": Call(lambda t: t["pwm"].stop(), (relay, pwm, started)),
    "PWM.means": Call(lambda t: t["pwm"].means, (relay, pwm, started)),
    "Servo": Call(servo),
    "Servo.set_servo": Call(servo_set, (servo,)),
    "Servo.set_servo(again)": Call(lambda t: t["servo"].set_servo(18, 1200), (servo, servo_set)),
    "Servo.stop_servo": Call(lambda t: t["servo"].stop_servo(18), (servo, servo_set)),
    "Servo.means": Call(lambda t: (t["servo"].means, t["servo"].means_of(18)), (servo, servo_set)),
    "PWM.get_channel_subcycle_time_us": Call(
        lambda t: (PWM.get_channel_subcycle_time_us(0), PWM.get_pulse_incr_us()), (channel,)
    ),
    "PWM.is_channel_initialized": Call(lambda t: (PWM.is_setup(), PWM.is_channel_initialized(0)), (channel,)),
    "PWM.print_channel": Call(_print_channel, (channel, pulse), (stdout_is_back,)),
    "PWM.set_loglevel": Call(lambda t: PWM.set_loglevel(PWM.LOG_LEVEL_ERRORS)),
    "PWM.setup": Call(lambda t: PWM.setup()),
    "PWM.init_channel": Call(lambda t: PWM.init_channel(0), (lambda t: PWM.setup(),)),
    "PWM.add_channel_pulse": Call(pulse, (channel,)),
    "PWM.clear_channel": Call(lambda t: PWM.clear_channel(0), (channel, pulse)),
    "PWM.clear_channel_gpio": Call(lambda t: PWM.clear_channel_gpio(0, 18), (channel, pulse)),
    "PWM.cleanup": Call(lambda t: PWM.cleanup(), (channel, pulse)),
    "aio.edges": Call(iteration, (button, asyncio_loop), (asyncio_ends,), True, ENDED),
    "aio.edges(loop)": Call(iteration, (button, loop_in_thread, asyncio_loop), (asyncio_ends,), True, ENDED),
    "aio.edges(end)": Call(cancelled, (button, asyncio_loop, iteration), (asyncio_ends,), True),
    "aio.wait_for_edge": Call(_wait_for_edge, (button, asyncio_loop), (asyncio_ends,), True, ENDED),
    "aio.on_edge": Call(_on_edge, (button, asyncio_loop), (asyncio_ends,), True),
    "serve_remote": Call(_serve),
    "serve_remote(path)": Call(_serve_path, (), (path_is_free,)),
    "serve as the daemon": Call(
        _serve_as_daemon,
        (_daemon_parts,),
        (daemon_parts_go,),
        True,
        (
            "OSError([Errno 9] Bad file descriptor)",
            "OSError([Errno 9] closed while it was being opened: 'TMP/sock')",
            "OSError([Errno 9] closed while it was being opened: '127.0.0.1:N')",
        ),
        4,
    ),
    "connect(token)": Call(_connect_with_token, (daemon_served,), (there_closes, daemon_ends), True, dear=8),
    "serve_remote(any)": Call(_serve_others, (_paired,), (paired_ends,), True, dear=16, sparse=47),
    "connect(tls)": Call(
        _connect_sealed,
        (served_to_others,),
        (there_closes, served_ends, paired_ends),
        True,
        dear=16,
        sparse=31,
    ),
    "connect(tls, setup)": Call(
        lambda t: t["there"].setup(18, OUT, initial=1),
        (served_to_others, _connect_sealed),
        (there_closes, served_ends, paired_ends),
        True,
        dear=8,
        sparse=7,
    ),
    "connect(tls, read)": Call(
        lambda t: t["there"].input(18),
        (served_to_others, _connect_sealed, _set_up_there),
        (there_closes, served_ends, paired_ends),
        True,
        dear=8,
    ),
    "connect": Call(_connect, (served,), (there_closes, served_ends), True, dear=8),
    "connect(setup)": Call(
        lambda t: t["there"].setup(18, OUT, initial=1),
        (served, _connect),
        (there_closes, served_ends),
        True,
        dear=8,
    ),
    "connect(output)": Call(
        lambda t: (t["there"].output(18, 0), t["there"].input(18)),
        (served, _connect, _set_up_there),
        (there_closes, served_ends),
        True,
        dear=8,
    ),
    "connect(batch)": Call(
        _batched, (served, _connect, _set_up_there), (there_closes, served_ends), True, dear=8
    ),
    "SMBus": Call(_smbus, (chip_here,), (_bus_is_free, served_ends), waits=(HELD,)),
    "connect(SMBus)": Call(
        _smbus_there,
        (served, _connect, chip_there),
        (_bus_is_free, there_closes, served_ends),
        True,
        dear=8,
    ),
    "SpiDev": Call(_spi, (chip_here,), (served_ends,)),
    "connect(SpiDev)": Call(_spi_there, (served, _connect), (there_closes, served_ends), True, dear=8),
    "connect(tasks)": Call(_tasks_there, (served, _connect), (there_closes, served_ends), True, dear=8),
    "program.send_image": Call(
        lambda t: program.send_image(b"\xff\xd8\xff"), (looked_at,), (nobody_looks,), True, dear=8
    ),
    "program.KeyboardButton": Call(_key, (looked_at,), (nobody_looks,), True, dear=8),
    "RemoteServer": Call(_guest_comes, (guests_served,), (guest_goes, served_ends), True, dear=8),
    "RemoteServer.pin": Call(
        _guest_asks, (guests_served, _guest_comes), (guest_goes, served_ends), True, dear=8
    ),
    "RemoteServer.close": Call(
        guest_goes, (guests_served, _guest_comes), (guest_goes, served_ends), True, dear=8
    ),
    "batch": Call(lambda t: _batch(facade.board), (relay,)),
    "connect(close)": Call(there_closes, (served, _connect), (there_closes, served_ends), True, dear=8),
    "Board": Call(other_board, (), (other_board_closes,), True, dear=4),
    "Board.close": Call(other_board_closes, (other_board,), (other_board_closes,), dear=4),
    "Board.shut_down": Call(lambda t: t["board"].shut_down(), (other_board,), (other_board_closes,)),
    "Board.be_strict": Call(lambda t: t["board"].be_strict(), (other_board,), (other_board_closes,)),
    "Pulses.end": Call(lambda t: facade.board.pulses.end(), (relay, wave)),
    "Lines.direction": Call(lambda t: facade.board.lines.direction(18), (relay,)),
    "Parts": Call(
        lambda t: (facade.board.expected_hardware, facade.board.is_waiting, facade.board.made_pulses)
    ),
    "wave": Call(wave, (relay,)),
    "Wave.stop": Call(lambda t: t["wave"].stop(), (relay, wave)),
    "Wave.wait": Call(lambda t: t["wave"].wait(0), (relay, wave)),
    "with wave": Call(_with_wave, (relay,), waits=("PWMExistsError(GPIO 18 is driven by a wave already)",)),
    "Wave.is_playing": Call(lambda t: (t["wave"].is_playing, t["wave"].means), (relay, wave)),
}
