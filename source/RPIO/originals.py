# SPDX-License-Identifier: LGPL-3.0-or-later
"""What RPIO has for who comes from elsewhere: install_as_rpi_gpio(), and the original RPIO's private names that
programs reach for, ``RPIO._rpio``, ``RPIO._RPIO``, ``RPIO._GPIO``.

These are attributes and no modules: ``_GPIO`` and ``_gpio`` are one file on some disks.

Source: RPIO 0.10.0, RPIO/__init__.py and RPIO/_RPIO.py.
"""

from __future__ import annotations

import sys

from . import constants, facade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop.tcp_client import TcpClient


def install_as_rpi_gpio() -> None:
    """Make ``import RPi.GPIO`` mean RPIO in this process, with RPi.GPIO's rules to the letter.

    getmode() is None until setmode(), pulls on outputs are refused, gpio_function() answers RPi.GPIO's codes. These
    rules are for the whole process; those that multiprocessing starts from it can import RPi.GPIO too (the folder of
    RPIO's is on sys.path), other programs cannot. ``rpio run SCRIPT`` does it for a program that is not to be changed,
    and for all Python programs that it starts.

    Raises:
        RuntimeError: another RPi.GPIO has been imported already.
    """
    from .stand_ins import install

    install("RPi")


class Interruptor:
    """``RPIO._rpio``: the object behind the original's functions, which are methods of it."""

    add_interrupt_callback = staticmethod(facade.add_interrupt_callback)
    add_tcp_callback = staticmethod(facade.add_tcp_callback)
    cleanup_interrupts = staticmethod(facade.cleanup_interrupts)
    close_tcp_client = staticmethod(facade.close_tcp_client)
    del_interrupt_callback = staticmethod(facade.del_interrupt_callback)
    stop_waiting_for_interrupts = staticmethod(facade.stop_waiting_for_interrupts)
    wait_for_interrupts = staticmethod(facade.wait_for_interrupts)

    @property
    def _tcp_client_sockets(self) -> dict[int, tuple[TcpClient, Callable[..., object]]]:
        """The connected clients, by descriptor: (client, callback of its port). In public: tcp_clients()."""
        return {client.fileno(): (client, client.callback) for client in facade.tcp_clients()}

    @property
    def _is_waiting_for_interrupts(self) -> bool:
        """Whether the loop runs. Set it to False to end it."""
        return facade.board.is_waiting

    @_is_waiting_for_interrupts.setter
    def _is_waiting_for_interrupts(self, value: bool) -> None:
        if not value:
            facade.stop_waiting_for_interrupts()


class Internals:
    """``RPIO._RPIO``: what the original's own ``rpio`` takes from there."""

    GPIO_FUNCTIONS: dict[int, str] = constants.FUNCTION_NAMES
    """Function -> its name; the original's knew OUT, IN and ALT0 alone."""
    Interruptor = Interruptor


def names() -> dict[str, Any]:
    """Return the names for the module RPIO; the C module of the original's had functions that are all there."""
    ours = {"_rpio": Interruptor(), "_RPIO": Internals, "_GPIO": sys.modules["RPIO"]}
    return {**ours, "install_as_rpi_gpio": install_as_rpi_gpio}
