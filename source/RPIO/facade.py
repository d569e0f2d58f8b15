# SPDX-License-Identifier: LGPL-3.0-or-later
"""The functions of ``import RPIO``: each is one call of the one default Board.

output() and input() are C functions, which ask Board only for what it has not granted them.
"""

from __future__ import annotations

# Names of annotations too are there when the program runs, for who asks typing.get_type_hints().
from _collections_abc import Callable, Sequence

from . import _gpio, errors
from .arguments import ALL, Channels, also_called
from .backends import Backend, in_use
from .board.board import Board
from .constants import PUD_OFF, RISING, VERSION, VERSION_GPIO
from .lazy_names import Later, LazyNames
from .machine import boards
from .processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .board import counters
    from .loop import tcp_client
    from .loop.dispatcher import Dispatcher
    from .pulses import waves
    from .server import serving
else:
    tcp_client, waves = Later("RPIO.loop.tcp_client"), Later("RPIO.pulses.waves")
    serving, counters = Later("RPIO.server.serving"), Later("RPIO.board.counters")

lazy_names = LazyNames(boards.OF_MACHINE, lambda: board.expected_hardware)


def have_lazy_names(names: dict[str, object]) -> None:
    """Give a module, by its vars(), the lazy names."""
    lazy_names.give(names, board.machine.opened_hardware)


def complete(names: dict[str, object]) -> None:
    """Give the module RPIO, by its vars(), all that it exports. Twice is fine."""
    for submodule in ("sim", "Exceptions", "PWM"):
        __import__(f"RPIO.{submodule}")  # the import puts it among the names
    from .board import connected

    for name in names["__all__"]:  # type: ignore[attr-defined]
        for source in (globals(), vars(boards), vars(errors), vars(connected)):
            if name in source and name not in names:
                names[name] = source[name]
    from .loop.tcp_client import TcpClient

    names["TcpClient"] = TcpClient
    have_lazy_names(names)


def new_board(make_dispatcher: Callable[..., Dispatcher] | None = None) -> None:
    """Begin afresh: close the board, and forget what it was told. For tests; a program needs one board."""
    board.close()
    board.__init__(fast=_gpio, on_hardware=lazy_names.publish, make_dispatcher=make_dispatcher)  # type: ignore[misc]


board: Board = Board(fast=_gpio, on_hardware=lazy_names.publish)
in_use.is_told_by(lambda: board.machine)
hooks.look_after(board)  # now, so that what programs register for their end runs before it


def wave(
    steps: Sequence[tuple[int, int, float]], repeat: int | None = 1, means: str | None = None
) -> waves.Wave:
    """Play levels on outputs: *steps* are (channel, level, delay_us), the delay being the time until the next step.

    Delays are microseconds; steps with a delay of 0 happen together with the next one. The wave is played *repeat*
    times, or with None until it is stopped; it goes on while the program does other things. Levels stay as they are
    at the end. *means* is "dma", which needs root on a Raspberry Pi 1 to 4, is exact to its slots and takes no
    processor time; "soft", the C timer, whose edges come some microseconds late; or None for the better that there is.

    Returns:
        the Wave: wait(timeout_s=None), stop(), is_playing, means.

    Raises:
        WrongDirectionException: a channel is not set up as OUT. (A RuntimeError.)
        PWMExistsError: something else drives a channel. (A RuntimeError.)
        DMAError: it cannot be played by DMA, which *means* insists on. (A RuntimeError.)
        ValueError: a step is none, a level is neither 0 nor 1, or a time is out of range.

    ::

        RPIO.setup(17, RPIO.OUT)
        RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=3).wait()
    """
    return board.wave(steps, repeat, means)


def use(backend: str | Backend) -> None:
    """Choose what drives the lines, before any is touched.

    *backend* is "auto"; "regs", mapped registers ("regs:/dev/gpiomem" through that file); "cdev", the kernel's
    gpiochip ("cdev:/dev/gpiochip1", "cdev:gpiochip1" or "cdev:LABEL" for another than the board's own); "sysfs",
    /sys/class/gpio of older kernels ("sysfs:gpiochip512" or "sysfs:LABEL"), without pulls; "sim", a simulated board
    ("sim:3B+" another model, "sim:shared" that of rpio sim); or a Backend of your own. The environment variable
    RPIO_BACKEND takes the same words.

    Raises:
        RuntimeError: lines are set up already.
        NoBackendError: there is no such backend; that it cannot be opened shows at first use.
    """
    board.use(backend)


def describe() -> str:
    """Return one line that says which board is in use, and by what means; finds the board where none is yet."""
    return board.describe()


def setmode(mode: int) -> None:
    """Choose how channels are numbered: BCM (GPIO numbers, the default) or BOARD (pins of the header).

    The first call of a program may change the default; a second, different one is an error until cleanup().

    Raises:
        InvalidModeException: neither of the two, or another mode has been set. (A ValueError.)
        NotSupportedError: BOARD on a board without a header that is known. (A RuntimeError.)
    """
    board.setmode(mode)


def getmode() -> int | None:
    """Return the numbering mode, BOARD (10) or BCM (11)."""
    return board.getmode()


def setwarnings(enabled: int = True) -> None:
    """Switch RPIO's warnings on or off: a channel in use, a fixed pull-up, nothing to clean up."""
    board.setwarnings(enabled)


def setup(
    channel: Channels, direction: int | str, pull_up_down: int | str = PUD_OFF, initial: int | None = -1
) -> None:
    """Set up a channel, or a list or tuple of channels, as IN or OUT ("in", "out").

    An input gets its pull: PUD_OFF, PUD_DOWN or PUD_UP ("off", "down", "up"). An output drives *initial* (0 or 1) from
    its first moment; without it, the level that was last written. A pull given for an output is ignored.

    Raises:
        InvalidDirectionException, InvalidPullException, InvalidChannelException: ValueErrors; the channels
            before a bad one stay set up.
        LineBusyError: another program or a driver holds the line (an OSError, EBUSY).
        NoAccessError: a device file may not be opened.
    """
    board.setup(channel, direction, pull_up_down, initial)


output = _gpio.output
input = _gpio.input


@also_called(channel="gpio_id")
def forceoutput(gpio_id: int, value: int) -> None:
    """Write a level without setup(). It shows on a line that is an output.

    Warning: whatever is connected to an output that others drive can be harmed.
    """
    board.forceoutput(gpio_id, value)


@also_called(channel="gpio_id")
def forceinput(gpio_id: int) -> int:
    """Return the level of any channel, set up or not, 0 or 1."""
    return board.forceinput(gpio_id)


@also_called(channel="gpio_id", pull_up_down="pud")
def set_pullupdn(gpio_id: int, pud: int | str = PUD_OFF) -> None:
    """Set the pull of a channel: PUD_OFF, PUD_DOWN or PUD_UP, or "off", "down", "up". Ignored on an output."""
    board.set_pullupdn(gpio_id, pud)


@also_called(gpio="gpio_id", channel="gpio_id")
def gpio_function(gpio_id: int) -> int:
    """Return what a channel is now: IN, OUT, or ALT0 to ALT8. Needs no setup()."""
    return board.gpio_function(gpio_id)


def channel_to_gpio(channel: int) -> int:
    """Return the BCM number of a channel under the numbering mode."""
    return board.channel_to_gpio(channel)


def protect(channel: int, **rules: object) -> None:
    """Declare rules of a line, which everything that changes it obeys from now on; those that are not named stay.

    *safe* is its safe state: "keep", "input", "low" or "high". *active* is the level that means "on": "high" or "low".
    *longest_on_s* is how long it may be on, *changes_per_s* how often it may change. *read_only* is True where nobody
    may drive it. *name* is what people call it. Rules can be in files, too: see doc/safety.

    Raises:
        TypeError, ValueError: there is no such rule; a value cannot be. RuleError: the line breaks it now.
    """
    board.protect(channel, **rules)


def interlock(channels: list[int] | tuple[int, ...], name: str = "") -> None:
    """Let one of these lines at most be on: what would switch on another is refused with InterlockError.

    Raises:
        ValueError: fewer than two lines. InterlockError: two of them are on now.
    """
    board.interlock(channels, name)


def cleanup(channel: Channels = ALL) -> None:
    """Make the channels that this process has set up inputs without pull, and forget them.

    Without *channel*: all of them, all interrupt callbacks and TCP ports too, and the numbering mode. The thread of
    wait_for_interrupts(threaded=True) stays, and serves what is added later: stop_waiting_for_interrupts() ends it.

    Raises:
        ValueError: *channel* is None, or what else is no channel; so a pin that is missing in a configuration does not
            switch off everybody's.
    """
    board.cleanup(channel)


def add_interrupt_callback(
    gpio_id: int,
    callback: Callable[[int, int], object],
    edge: str | int = "both",
    pull_up_down: int | str | None = PUD_OFF,
    threaded_callback: bool = False,
    debounce_timeout_ms: float | None = None,
    filter_us: int = 0,
) -> None:
    """Call callback(gpio, value) at each edge of an input, while wait_for_interrupts() runs.

    *edge* is "rising", "falling", "both" or "none" (or RISING, FALLING, BOTH). The callback gets the BCM number
    and the level after the edge, 0 or 1. A channel may have any number of callbacks, each with its own edge.
    The pull is set at each call, to none by default; *pull_up_down* None leaves it as it is.

    *threaded_callback*: run this callback in a thread of its own, in order; the others do not wait for it.
    *debounce_timeout_ms*: after an accepted edge, ignore this callback's edges for so many milliseconds.
    *filter_us*: let the kernel report only levels that last so many microseconds.

    An exception in a callback goes to sys.excepthook, which prints it, or from its own thread to threading.excepthook;
    the loop goes on.

    Raises:
        InvalidEdgeException, InvalidPullException: ValueErrors and AttributeErrors.
        InvalidCallbackException: it cannot be called with two arguments, or is a coroutine function. (A TypeError.)
        LineBusyError: somebody else holds the line. NotSupportedError: no edges here.
    """
    board.add_interrupt_callback(
        gpio_id, callback, edge, pull_up_down, threaded_callback, debounce_timeout_ms, filter_us
    )


def del_interrupt_callback(gpio_id: int) -> None:
    """Remove all callbacks of add_interrupt_callback() from a channel.

    Raises:
        NotWatchedError: it has none. (A KeyError.)
    """
    board.del_interrupt_callback(gpio_id)


@also_called(gpio="channel")
def add_event_detect(
    channel: int,
    edge: int | str,
    callback: Callable[[int], object] | None = None,
    bouncetime: int | None = None,
) -> None:
    """Detect the edges of an input in the background: event_detected() tells, and callback(channel) is called.

    *edge* is RISING, FALLING or BOTH ("rising", "falling", "both"). After an accepted edge further ones are ignored for
    *bouncetime* milliseconds. Callbacks run one after the other in one thread, which starts by itself and makes way for
    wait_for_interrupts(); they get the channel in the numbering mode of the moment. An exception in one goes to
    sys.excepthook, which prints it; one that cannot be called with one argument gets a warning.
    While the channel is an output, nothing is detected; as an input again, it goes on.

    Raises:
        WrongDirectionException: setup(channel, IN) first. (A RuntimeError.)
        EdgeDetectionError: it is on already, or the kernel refuses. (A RuntimeError.)
        ValueError: no such edge, no such channel, a bouncetime that is not positive. TypeError: no callback, or a
            coroutine function, for which there is RPIO.aio.on_edge().
    """
    board.add_event_detect(channel, edge, callback, bouncetime)


@also_called(gpio="channel")
def add_event_callback(channel: int, callback: Callable[[int], object]) -> None:
    """Add a callback to a channel whose event detection is on; they run in the order in which they were added.

    Raises:
        EdgeDetectionError: add_event_detect() first. (A RuntimeError.) TypeError: it cannot be called.
    """
    board.add_event_callback(channel, callback)


@also_called(gpio="channel")
def remove_event_detect(channel: int) -> None:
    """Switch event detection off, with its callbacks. Nothing happens where it is off."""
    board.remove_event_detect(channel)


@also_called(gpio="channel")
def event_detected(channel: int) -> bool:
    """Return whether there was an edge since the last call, or since add_event_detect()."""
    return board.event_detected(channel)


@also_called(gpio="channel")
def wait_for_edge(
    channel: int, edge: int | str, bouncetime: int | None = None, timeout: int | None = None
) -> int | None:
    """Block until an edge of an input; return the channel, or None after *timeout* milliseconds.

    *edge* is RISING, FALLING or BOTH ("rising", "falling", "both"). With *bouncetime*, edges that come sooner than so
    many milliseconds after the one that ended the last wait are ignored. Ctrl+C ends it.

    Raises:
        EdgeDetectionError: event detection with callbacks is on, or the kernel refuses. (A RuntimeError.)
        WrongDirectionException: setup(channel, IN) first. (A RuntimeError.) ValueError, TypeError.
        LineGoneError: the chip was removed, also while we waited. (An OSError.)
    """
    return board.wait_for_edge(channel, edge, bouncetime, timeout)


def events_lost(gpio_id: int | None = None) -> int:
    """Return how many edges were lost, of one channel or of all.

    The kernel keeps 1024 edges per line that nobody has read yet and numbers them, so a loss is seen and
    counted when the loop reads the next edge; so is an edge for a threaded callback that has 1024 waiting already.
    """
    return board.events_lost(gpio_id)


def counter(
    channel: int,
    edge: str | int = RISING,
    pull_up_down: int | str | None = None,
    filter_us: int = 0,
    debounce_timeout_ms: float | None = None,
    window_s: float = 1.0,
) -> counters.Counter:
    """Count the edges of an input from now on, in C, in the background: ``count``, ``rate_hz``, reset(), close().

    *edge* is "rising", "falling" or "both"; *window_s* is the time over which the rate is taken. The rest, errors too,
    is as with add_interrupt_callback(), but that the pull stays unless one is given. Callbacks go on beside it.
    """
    return board.counter(channel, edge, pull_up_down, filter_us, debounce_timeout_ms, window_s)


def encoder(
    a: int, b: int, pull_up_down: int | str | None = None, filter_us: int = 0, window_s: float = 1.0
) -> counters.Encoder:
    """Count the steps of an encoder in quadrature: ``steps``, forwards where *a* changes first, ``direction``. As
    counter(); ValueError where both are the same line."""
    return board.encoder(a, b, pull_up_down, filter_us, window_s)


def add_tcp_callback(
    port: int,
    callback: Callable[[tcp_client.TcpClient, tcp_client.Message], object],
    threaded_callback: bool = False,
    host: str = "0.0.0.0",
) -> int:
    """Listen on a TCP port; call callback(socket, message) with what clients send. Returns the port.

    What one receive delivers (1024 bytes at most) is one message, a str, stripped, which also answers decode(). A blank
    one closes the connection. *socket* is a TcpClient: its send() takes str or bytes and never blocks. There is no
    authentication, and the default *host* is every interface: say host="127.0.0.1" to be reached from this machine
    only. Port 0 takes any that is free.

    Raises:
        OSError: EADDRINUSE and others, with the port and what to do.
        InvalidCallbackException: it cannot be called with two arguments. (A TypeError.)
    """
    return board.add_tcp_callback(port, callback, threaded_callback, host)


def serve_remote(port: int = 8510, host: str = "127.0.0.1", path: str | None = None) -> int:
    """Let other programs of this machine use the board: their connect(), or telnet. Returns the port.

    The loop serves them: wait_for_interrupts(). *path* is that of a unix socket, instead of a port; port 0 takes any
    that is free. A line that one of them has set up is busy for all others, and for this program; when he has gone, it
    goes into its safe state (see protect()), or stays as it is. At another *host* than loopback, or "any", other
    machines come by TLS, with a certificate (`rpio pair`) or a token.

    Raises:
        OSError: EADDRINUSE and others, with the port and what to do.
    """
    return serving.serve(board, port, host, path)


def tcp_clients(port: int | None = None) -> list[tcp_client.TcpClient]:
    """Return the clients that are connected now, of one port or of all: ``for c in RPIO.tcp_clients(): c.send("hi")``.

    Raises:
        NotWatchedError: nobody listens on that port here. (A KeyError.)
    """
    return board.tcp_clients(port)


def close_tcp_client(fileno: int) -> None:
    """Close the connection of a client: ``RPIO.close_tcp_client(socket.fileno())``.

    Raises:
        NoClientError: there is no such client, or not any more. (A KeyError, and an OSError.)
    """
    board.close_tcp_client(fileno)


def wait_for_interrupts(threaded: bool = False, epoll_timeout: float = 1) -> None:
    """Wait for edges and TCP messages and run their callbacks, until stop_waiting_for_interrupts().

    Blocks, asleep in the kernel; with *threaded* it returns at once and the loop runs in a daemon thread that ends with
    the program. A second call with *threaded* changes nothing while it runs, and cleanup() leaves that thread alone.
    Where there is nothing to wait for yet, a blocking call says so in the log. *epoll_timeout* changes nothing.

    Raises:
        AlreadyRunningError: it is running, and this call would block. (A RuntimeError.) One that has been told to stop
            is waited for.
        LineGoneError: the chip of a line with callbacks was removed, also while we waited; a loop in a thread logs
            that, and goes on. (An OSError.)
    """
    board.wait_for_interrupts(threaded)


def stop_waiting_for_interrupts(*_: object) -> None:
    """End wait_for_interrupts() at once: from a callback, as a callback, from another thread or a signal handler.

    The event detection of add_event_detect() goes on, and so does serve_remote().
    """
    board.stop_waiting_for_interrupts()


def cleanup_interrupts() -> None:
    """Close all TCP ports and connections and remove all callbacks of add_interrupt_callback()."""
    board.cleanup_interrupts()


def sysinfo() -> tuple[str, str, str, int, str]:
    """Return (revision code in hex, model, board revision, memory in MB, maker) of this Raspberry Pi."""
    return board.sysinfo()


def version() -> tuple[str, str]:
    """Return (version of RPIO, version of its GPIO library)."""
    return VERSION, VERSION_GPIO
