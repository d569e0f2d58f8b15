# SPDX-License-Identifier: LGPL-3.0-or-later
"""The errors of RPIO. Every leaf is also the builtin that RPi.GPIO or the original RPIO raised.

::

    GPIOError
     +- WrongDirectionException    RuntimeError                 a channel is not set up, or otherwise
     +- ModeNotSetException        RuntimeError                 no numbering mode has been chosen
     +- AlreadyRunningError        RuntimeError                 the loop runs in another thread
     +- NotSupportedError          NotImplementedError          this board, chip or kernel cannot do it
     +- EdgeDetectionError         RuntimeError                 on already, or the kernel cannot switch it on
     +- PWMExistsError             RuntimeError                 another PWM object drives the channel
     +- PulseError                 RuntimeError                 RPIO.PWM's channels: what is wrong with the pulse
     |   +- DMAError               RuntimeError                 the DMA engine, or a channel of it, is not to be had
     +- InvalidModeException       ValueError
     +- InvalidChannelException    ValueError
     +- InvalidDirectionException  ValueError
     +- InvalidPullException       ValueError, AttributeError   (the original RPIO raised AttributeError)
     +- InvalidEdgeException       ValueError, AttributeError
     +- InvalidCallbackException   TypeError, AttributeError
     +- NotWatchedError            KeyError                     no callback there
     |   +- NoClientError          OSError                      no TCP client of that number (the original: either)
     +- LineBusyError              OSError, EBUSY               another program or a driver holds the line
     +- BusError                   OSError, EBUSY               somebody else holds an I2C bus
     |   +- NoBusError             FileNotFoundError            there is no such I2C or SPI bus
     +- NoAccessError              PermissionError, RuntimeError  a device file that may not be opened
     +- NoBackendError             RuntimeError                 nothing here that could drive a line
     +- LineGoneError              OSError, ENODEV              the chip went away
     |   +- ConnectionLost         ConnectionError              no answer from a remote board; see .applied
     +- ProtocolError              ValueError                   the other side of a connection speaks something else
     +- NotAllowedError            PermissionError              a token is missing, is over, or does not allow that
     +- CommandError               RuntimeError                 what was to be done on another machine has failed there
     +- RuleError                  PermissionError              a rule of the line forbids it; the text says where it is
     |   +- InterlockError         RuntimeError                 it would be on while another is
     |   +- RateError              RuntimeError                 it would change too often
     |   +- ReadOnlyError          RuntimeError                 it may only be read
     +- RemoteError                RuntimeError                 raised by a module of another machine; see .type_name
     +- ConfigError                ValueError                   a configuration file: which, where, what is wrong

``str(error)`` is the historic text, to the letter, where there is one. What to do about it is in
``error.hint``, which tracebacks show from Python 3.11 on.
"""

from __future__ import annotations


def is_refusal(error: BaseException) -> bool:
    """Whether it says that something cannot be done: one of ours, or the system's. Not what a signal handler raises."""
    return isinstance(error, (GPIOError, ValueError)) or (
        isinstance(error, OSError) and error.errno is not None
    )


def is_lack(error: BaseException) -> bool:
    """Whether it says that there is no descriptor or no memory now. What is there cannot be told from that."""
    from errno import EAGAIN, EMFILE, ENFILE, ENOMEM

    if isinstance(error, OSError):
        return error.errno in (EMFILE, ENFILE, ENOMEM, EAGAIN)
    return isinstance(error, MemoryError)


class GPIOError(Exception):
    """The root of all errors that are RPIO's own.

    *hint* says what to do; it is "" where nothing is known to help.
    """

    def __init__(self, *args: object, hint: str = "") -> None:
        super().__init__(*args)
        self.hint = hint
        if hint and hasattr(self, "add_note") and not any(hint in str(arg) for arg in args):
            self.add_note(hint)


class WrongDirectionException(GPIOError, RuntimeError):
    """A channel has not been set up, or in the other direction."""


class ModeNotSetException(GPIOError, RuntimeError):
    """No numbering mode has been chosen with setmode()."""


class AlreadyRunningError(GPIOError, RuntimeError):
    """wait_for_interrupts() is running already."""


class NotSupportedError(GPIOError, NotImplementedError):
    """This board, chip or kernel cannot do what was asked."""


class EdgeDetectionError(GPIOError, RuntimeError):
    """Edge detection is on already for this channel, or it cannot be switched on."""


class PWMExistsError(GPIOError, RuntimeError):
    """Another PWM object drives this channel."""


class PulseError(GPIOError, RuntimeError):
    """A channel of RPIO.PWM or a wave cannot have what was asked."""


class DMAError(PulseError):
    """The DMA engine, or a channel of it, is not to be had; the text says why."""


class InvalidModeException(GPIOError, ValueError):
    """The numbering mode is neither BOARD nor BCM."""


class InvalidChannelException(GPIOError, ValueError):
    """The channel is not one of this board's."""


class InvalidDirectionException(GPIOError, ValueError):
    """The direction is neither IN nor OUT."""


class InvalidPullException(GPIOError, ValueError, AttributeError):
    """The pull is none of PUD_OFF, PUD_DOWN, PUD_UP."""


class InvalidEdgeException(GPIOError, ValueError, AttributeError):
    """The edge is none of the known ones."""


class InvalidCallbackException(GPIOError, TypeError, AttributeError):
    """The callback cannot be called."""


class NotWatchedError(GPIOError, KeyError):
    """There is no callback on this line, or on this port."""

    __str__ = Exception.__str__  # KeyError would show the repr of the text


class NoClientError(NotWatchedError, OSError):
    """There is no TCP client of this number, or not any more."""

    __str__ = Exception.__str__


class LineBusyError(GPIOError, OSError):
    """Another program or a kernel driver holds the line; the text names it."""


class NoAccessError(GPIOError, PermissionError, RuntimeError):
    """A device file may not be opened; the text names the file, the hint its group and the command."""


class NoBackendError(GPIOError, RuntimeError):
    """Nothing on this machine, or nothing of the asked name, can drive lines."""


class NotAllowedError(GPIOError, PermissionError):
    """Who asks over a connection has no right to that: no token, one that is over, or one for something else."""


class BusError(GPIOError, OSError):
    """An I2C or SPI bus cannot be had, since another one holds it; the text says who."""


class NoBusError(BusError, FileNotFoundError):
    """There is no I2C or SPI bus of that number; the hint says how it is switched on."""


class CommandError(GPIOError, RuntimeError):
    """A command that another machine was to carry out has failed there; the text is what that says."""


class RuleError(GPIOError, PermissionError):
    """A rule of the line forbids what was asked, of which nothing has been done; the text says where the rule is."""


class InterlockError(RuleError, RuntimeError):
    """Two lines would be on that must not be so together."""


class RateError(RuleError, RuntimeError):
    """A line would change more often than it may."""


class ReadOnlyError(RuleError, RuntimeError):
    """A line may only be read."""


class ConfigError(GPIOError, ValueError):
    """A configuration file cannot be read, or says what cannot be; the text begins with file, line and column."""


class LineGoneError(GPIOError, OSError):
    """The chip that the line belongs to has been removed."""

    @classmethod
    def of(cls, line: int, path: str | None = None) -> LineGoneError:
        """The error of a line, whose chip *path* was, where that is known."""
        from errno import ENODEV

        return cls(
            ENODEV,
            f"GPIO {line}: its chip has been removed",
            *([] if path is None else [path]),
            hint="cleanup() lets go of its lines; setup() finds the chip again when it is back",
        )


class ConnectionLost(LineGoneError, ConnectionError):
    """A remote board cannot be reached, or has given the lines back meanwhile.

    *applied* says whether what was asked has been done: True, False, or None where nobody can tell.
    """

    def __init__(self, text: str, applied: bool | None = False, hint: str = "") -> None:
        from errno import ECONNRESET

        super().__init__(ECONNRESET, text, hint=hint)
        self.applied = applied


class RemoteError(GPIOError, RuntimeError):
    """Something that a module of another machine has raised, whose class is not known here.

    Its class has the name of that one there, and is one of Python's as well where that one is: ``except OSError``
    catches what is an OSError there. *type_name* is the whole name. The traceback there is its cause.
    """

    type_name = ""


class ProtocolError(GPIOError, ValueError):
    """What came over a connection is none of the protocol that is spoken there."""
