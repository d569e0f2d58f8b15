# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's ``host``, in Python 3: what a device does for this program. Under ``rpio run``.

``DEVICE_TUPLE`` is where the device is, and ``HOST_TUPLE`` where it calls back; "" in the place of that address is the
one by which the device is reached. They are looked at for each request. Once this module is imported RPi.GPIO, smbus
and Adafruit_ADS1x15 are the device's as well.
"""

from __future__ import annotations

from RPIO.shims.rraspy_program import choose as _choose
from RPIO.shims.rraspy_program import tuples_of_old as _tuples_of_old

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_device = _choose()

local = False
"""True: both are on this machine, whatever the tuples say."""
HOST_TUPLE: Sequence[str | int] = [*_device.callback_place]
DEVICE_TUPLE: Sequence[str | int] = [*_device.device()]
for (
    _name,
    _tuple,
) in _tuples_of_old().items():  # a host.py of RRaspPY's beside the program, which is edited by hand
    globals()[_name] = _tuple


def _device_address() -> tuple[str, int]:
    address, port = DEVICE_TUPLE
    return ("127.0.0.1" if local else str(address) or "127.0.0.1"), int(port)


def _host_address() -> tuple[str, int]:
    address, port = HOST_TUPLE
    return ("127.0.0.1" if local else str(address) or _device.address_towards()), int(port)


_device.device, _device.host = _device_address, _host_address


def ImportModule(module: str, name: str = "", package: str | None = None) -> None:
    """Have the device import a module, as *name* where that is given. Raises CommandError."""
    _device.import_module(module, name, package)


def Execute(
    command: str, handle: int | None = None, callback: tuple[str, Callable[..., object]] | None = None
) -> object:
    """Have the device carry out a command, of the object with that number where one is given; return what comes of it.

    That is a value, or the number of an object that is kept there until RemoveHandle(). *callback* is (id, function):
    CB_FUNCT stands for it in the command.

    Raises:
        CommandError: the device says that it has failed. (A RuntimeError.) ConnectionLost: it cannot be asked.
        ValueError: there is a callback of that id already.
    """
    return _device.execute(command, handle, callback)


def RemoveHandle(handle: int) -> None:
    """Have the device forget an object; a number that it does not know is none."""
    _device.remove_handle(handle)


def RemoveCallback(cbId: str) -> None:
    """Hear no more of an event, on both sides."""
    _device.remove_callback(cbId)


def RemoveAllCallback(idName: str) -> None:
    """The same for all whose ids are *idName* and digits."""
    _device.remove_all_callbacks(idName)


def LocalAddNewCallback(cbId: str, fn: Callable[..., object]) -> None:
    """Call a function on the event of that id, here alone. Raises ValueError where there is one."""
    _device.add_callback(cbId, fn)


def LocalRemoveCallback(cbId: str) -> None:
    """Call nothing any more; the device is not told."""
    _device.forget_callback(cbId)


def LocalRemoveAllCallback(idName: str) -> None:
    """The same for all whose ids are *idName* and digits."""
    _device.forget_all_callbacks(idName)


def LocalGetCallback(cbId: str) -> Callable[..., object]:
    """What is called on that event. Raises ValueError where it is nothing."""
    return _device.callback(cbId)
