# SPDX-License-Identifier: LGPL-3.0-or-later
"""GPIO for every Raspberry Pi and every Linux board: RPi.GPIO's functions, edges, TCP callbacks, a simulated board.

Inputs and outputs work as in RPi.GPIO; channels are BCM numbers unless setmode(BOARD) says otherwise::

    import RPIO

    RPIO.setup(7, RPIO.IN, pull_up_down=RPIO.PUD_UP)
    value = RPIO.input(7)
    RPIO.setup(8, RPIO.OUT, initial=RPIO.LOW)
    RPIO.output(8, True)
    RPIO.cleanup()

Callbacks for edges and for TCP messages run in one loop::

    def gpio_callback(gpio_id, val):
        print("gpio %s: %s" % (gpio_id, val))

    def socket_callback(socket, val):
        socket.send("echo: %s\\n" % val)

    RPIO.add_interrupt_callback(7, gpio_callback)
    RPIO.add_tcp_callback(8080, socket_callback)
    RPIO.wait_for_interrupts()

The functions, each with help of its own, such as help(RPIO.setup):

  levels      setup  input  output  forceinput  forceoutput  set_pullupdn  gpio_function  cleanup
  rules       protect  interlock
  numbering   setmode  getmode  channel_to_gpio
  interrupts  add_interrupt_callback  del_interrupt_callback  events_lost  cleanup_interrupts
  edges       add_event_detect  add_event_callback  remove_event_detect  event_detected  wait_for_edge
  counting    counter  encoder
  PWM         PWM(channel, frequency): start  ChangeDutyCycle  ChangeFrequency  stop
  pulses      PWM.Servo: set_servo  stop_servo      PWM.setup  init_channel  add_channel_pulse      wave
  asyncio     from RPIO import aio: edges  wait_for_edge  on_edge
  TCP         add_tcp_callback  tcp_clients  close_tcp_client
  the loop    wait_for_interrupts  stop_waiting_for_interrupts
  the board   sysinfo  version  describe  use  setwarnings  install_as_rpi_gpio
              (constants: RPI_REVISION, RPI_REVISION_HEX, RPI_INFO)
  more boards Board("sim:4B"): an object with these names
  elsewhere   serve_remote(): others use this board    connect("localhost"): a Board whose lines are theirs

Errors are GPIOErrors and the builtins that RPi.GPIO raises as well; their ``hint`` says what to do.

Without hardware, RPIO_BACKEND=sim or RPIO.use("sim") gives a simulated board, and RPIO.sim moves its lines.
``import RPIO as GPIO`` serves programs written for RPi.GPIO; ``rpio run SCRIPT`` those that must not be changed.
Importing opens nothing: the board is found when the first line is touched.
"""

from os import environ as _environ
from sys import modules as _modules

if _environ.get("RPIO_PURE", "") not in ("", "0"):
    from .pure import forced as _forced  # noqa: F401  # its import is what it does

from ._gpio import EdgeEvent, input, output
from ._gpio import apart as _apart
from .constants import (
    ALT0,
    ALT1,
    ALT2,
    ALT3,
    ALT4,
    ALT5,
    ALT6,
    ALT7,
    ALT8,
    BCM,
    BOARD,
    BOTH,
    FALLING,
    HARD_PWM,
    HIGH,
    I2C,
    IN,
    LOW,
    OUT,
    PUD_DOWN,
    PUD_OFF,
    PUD_UP,
    RISING,
    SERIAL,
    SPI,
    UNKNOWN,
    VERSION,
    VERSION_GPIO,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    RPI_REVISION: int
    RPI_REVISION_HEX: str
    RPI_INFO: dict[str, int | str]

    from . import Exceptions as Exceptions
    from . import facade as facade
    from . import sim as sim
    from .board.board import Board as Board
    from .board.connected import connect
    from .errors import (
        AlreadyRunningError,
        BusError,
        CommandError,
        ConfigError,
        ConnectionLost,
        DMAError,
        EdgeDetectionError,
        GPIOError,
        InterlockError,
        InvalidCallbackException,
        InvalidChannelException,
        InvalidDirectionException,
        InvalidEdgeException,
        InvalidModeException,
        InvalidPullException,
        LineBusyError,
        LineGoneError,
        ModeNotSetException,
        NoAccessError,
        NoBackendError,
        NoBusError,
        NoClientError,
        NotAllowedError,
        NotSupportedError,
        NotWatchedError,
        ProtocolError,
        PulseError,
        PWMExistsError,
        RateError,
        ReadOnlyError,
        RemoteError,
        RuleError,
        WrongDirectionException,
    )
    from .facade import (
        add_event_callback,
        add_event_detect,
        add_interrupt_callback,
        add_tcp_callback,
        channel_to_gpio,
        cleanup,
        cleanup_interrupts,
        close_tcp_client,
        counter,
        del_interrupt_callback,
        describe,
        encoder,
        event_detected,
        events_lost,
        forceinput,
        forceoutput,
        getmode,
        gpio_function,
        interlock,
        protect,
        remove_event_detect,
        serve_remote,
        set_pullupdn,
        setmode,
        setup,
        setwarnings,
        stop_waiting_for_interrupts,
        sysinfo,
        tcp_clients,
        use,
        version,
        wait_for_edge,
        wait_for_interrupts,
        wave,
    )
    from .loop.tcp_client import TcpClient
    from .machine.boards import GPIO_LIST_R1, GPIO_LIST_R2, GPIO_LIST_R3, HEADER_P5, MODEL_DATA, PIN_LIST
    from .originals import install_as_rpi_gpio
    from .PWM import PWM as PWM

__version__ = VERSION

__all__ = [
    "ALT0",
    "ALT1",
    "ALT2",
    "ALT3",
    "ALT4",
    "ALT5",
    "ALT6",
    "ALT7",
    "ALT8",
    "BCM",
    "BOARD",
    "BOTH",
    "FALLING",
    "GPIO_LIST_R1",
    "GPIO_LIST_R2",
    "GPIO_LIST_R3",
    "HARD_PWM",
    "HEADER_P5",
    "HIGH",
    "I2C",
    "IN",
    "LOW",
    "MODEL_DATA",
    "OUT",
    "PIN_LIST",
    "PUD_DOWN",
    "PUD_OFF",
    "PUD_UP",
    "PWM",
    "RISING",
    "RPI_INFO",
    "RPI_REVISION",
    "RPI_REVISION_HEX",
    "SERIAL",
    "SPI",
    "UNKNOWN",
    "VERSION",
    "VERSION_GPIO",
    "AlreadyRunningError",
    "Board",
    "BusError",
    "CommandError",
    "ConfigError",
    "ConnectionLost",
    "DMAError",
    "EdgeDetectionError",
    "EdgeEvent",
    "GPIOError",
    "InterlockError",
    "InvalidCallbackException",
    "InvalidChannelException",
    "InvalidDirectionException",
    "InvalidEdgeException",
    "InvalidModeException",
    "InvalidPullException",
    "LineBusyError",
    "LineGoneError",
    "ModeNotSetException",
    "NoAccessError",
    "NoBackendError",
    "NoBusError",
    "NoClientError",
    "NotAllowedError",
    "NotSupportedError",
    "NotWatchedError",
    "PWMExistsError",
    "ProtocolError",
    "PulseError",
    "RateError",
    "ReadOnlyError",
    "RemoteError",
    "RuleError",
    "TcpClient",
    "WrongDirectionException",
    "add_event_callback",
    "add_event_detect",
    "add_interrupt_callback",
    "add_tcp_callback",
    "channel_to_gpio",
    "cleanup",
    "cleanup_interrupts",
    "close_tcp_client",
    "connect",
    "counter",
    "del_interrupt_callback",
    "describe",
    "encoder",
    "event_detected",
    "events_lost",
    "forceinput",
    "forceoutput",
    "getmode",
    "gpio_function",
    "input",
    "install_as_rpi_gpio",
    "interlock",
    "output",
    "protect",
    "remove_event_detect",
    "serve_remote",
    "set_pullupdn",
    "setmode",
    "setup",
    "setwarnings",
    "stop_waiting_for_interrupts",
    "sysinfo",
    "tcp_clients",
    "use",
    "version",
    "wait_for_edge",
    "wait_for_interrupts",
    "wave",
]


_MORE = ("Exceptions", "facade", "sim", "_GPIO", "_RPIO", "_rpio")


_GREENLETS = {"gevent.monkey", "eventlet.patcher"}


def _load(name: str) -> object:
    """Load the rest with the first name that is asked for: an import alone costs what RPi.GPIO's does."""
    if name not in __all__ and name not in _MORE:
        raise AttributeError(f"module 'RPIO' has no attribute {name!r}")
    if _GREENLETS & _modules.keys():  # their threads may be greenlets, which would wait for this one
        _load_rest(name)
    else:
        _apart(_load_rest, name)
    if name in globals():
        return globals()[name]
    from .facade import lazy_names

    return lazy_names.look_up(name, "RPIO")


def _load_rest(name: str) -> None:
    from .facade import complete

    if name != "facade":  # which is there now: rpio's short runs need no more than that
        complete(globals())
        from . import originals

        globals().update(originals.names())


if not TYPE_CHECKING:  # which would take any name for one of ours
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted(__all__)
