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
  numbering   setmode  getmode  channel_to_gpio
  interrupts  add_interrupt_callback  del_interrupt_callback  events_lost  cleanup_interrupts
  TCP         add_tcp_callback  close_tcp_client
  the loop    wait_for_interrupts  stop_waiting_for_interrupts
  the board   sysinfo  version  describe  use  setwarnings  (constants: RPI_REVISION, RPI_REVISION_HEX, RPI_INFO)

Errors are GPIOErrors and the builtins that RPi.GPIO raises as well; their ``hint`` says what to do.

Without hardware, RPIO_BACKEND=sim or RPIO.use("sim") gives a simulated board, and RPIO.sim moves its lines.
``import RPIO as GPIO`` serves programs that set up, read and write as RPi.GPIO does. Importing opens nothing:
the board is found when the first line is touched.
"""

from . import Exceptions as Exceptions
from . import facade as _facade
from . import sim as sim
from .boards import (
    GPIO_LIST_R1,
    GPIO_LIST_R2,
    GPIO_LIST_R3,
    HEADER_P5,
    MODEL_DATA,
    PIN_LIST,
)
from .errors import (
    AlreadyRunningError,
    GPIOError,
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
    NotSupportedError,
    NotWatchedError,
    WrongDirectionException,
)
from .facade import (
    VERSION,
    VERSION_GPIO,
    add_interrupt_callback,
    add_tcp_callback,
    channel_to_gpio,
    cleanup,
    cleanup_interrupts,
    close_tcp_client,
    del_interrupt_callback,
    describe,
    events_lost,
    forceinput,
    forceoutput,
    getmode,
    gpio_function,
    input,
    output,
    set_pullupdn,
    setmode,
    setup,
    setwarnings,
    stop_waiting_for_interrupts,
    sysinfo,
    use,
    version,
    wait_for_interrupts,
)
from .model import (
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
)

__version__ = VERSION


def __getattr__(name: str) -> object:  # until the machine is known: see facade.LAZY
    if name in _facade.LAZY:
        return _facade.LAZY[name](_facade.board.hardware)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_lazy = __getattr__

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
    "GPIOError",
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
    "NotSupportedError",
    "NotWatchedError",
    "WrongDirectionException",
    "add_interrupt_callback",
    "add_tcp_callback",
    "channel_to_gpio",
    "cleanup",
    "cleanup_interrupts",
    "close_tcp_client",
    "del_interrupt_callback",
    "describe",
    "events_lost",
    "forceinput",
    "forceoutput",
    "getmode",
    "gpio_function",
    "input",
    "output",
    "set_pullupdn",
    "setmode",
    "setup",
    "setwarnings",
    "stop_waiting_for_interrupts",
    "sysinfo",
    "use",
    "version",
    "wait_for_interrupts",
]
