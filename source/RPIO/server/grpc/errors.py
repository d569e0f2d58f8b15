# SPDX-License-Identifier: LGPL-3.0-or-later
"""What an error of RPIO's, or of the system's, is in gRPC: its status, and what its trailing metadata says."""

from __future__ import annotations

from errno import EACCES, EBUSY, ENOENT, ENXIO, EPERM, EREMOTEIO, ETIMEDOUT

from google.protobuf.message import EncodeError
from grpclib.const import Status

from ... import errors
from ..sessions.native import words_of

STATUS = {
    EREMOTEIO: Status.NOT_FOUND,
    ENXIO: Status.NOT_FOUND,
    ENOENT: Status.NOT_FOUND,
    ETIMEDOUT: Status.DEADLINE_EXCEEDED,
    EBUSY: Status.FAILED_PRECONDITION,
    EACCES: Status.PERMISSION_DENIED,
    EPERM: Status.PERMISSION_DENIED,
}
"""By the system's number. None is UNAVAILABLE, which libraries take for a reason to ask again by themselves."""


def told(error: Exception) -> tuple[Status, str, dict[str, str]]:
    """The status and the text that an error is, and in metadata its class, the system's number, and what to do."""
    name, words = words_of(error)
    metadata = {"rpio-error": name}
    if len(words) > 2:
        metadata["rpio-errno"] = words[2]
    if len(words) > 1 and words[1]:
        metadata["rpio-hint"] = _in_ascii(words[1])
    return status_of(error), words[0], metadata


def is_told(error: BaseException) -> bool:
    """Whether an error is one of what was asked, and not a fault of ours."""
    return (
        errors.is_refusal(error)
        or errors.is_lack(error)
        or isinstance(error, (TypeError, OverflowError, EncodeError))
    )


def _in_ascii(text: str) -> str:
    """What metadata can say."""
    return "".join(c if " " <= c <= "~" else "?" for c in text).strip()


def status_of(error: Exception) -> Status:
    """The status that an error is."""
    if isinstance(error, (errors.NotAllowedError, errors.RuleError)):
        return Status.PERMISSION_DENIED
    if isinstance(error, errors.LineBusyError):
        return Status.FAILED_PRECONDITION
    if isinstance(error, OSError) and error.errno is not None:
        return STATUS.get(error.errno, Status.ABORTED)
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return Status.INVALID_ARGUMENT
    if errors.is_lack(error):
        return Status.RESOURCE_EXHAUSTED
    return Status.FAILED_PRECONDITION if errors.is_refusal(error) else Status.INTERNAL
