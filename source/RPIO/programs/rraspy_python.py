# SPDX-License-Identifier: LGPL-3.0-or-later
"""Python that a host of RRaspPY's sends, as the original has it: evaluated, whatever it says.

Only where the owner of the device has said ``--open-run``, and in a process of its own. What such a host may do is what
this process may do.
"""

from __future__ import annotations

import builtins

from ..errors import CommandError
from .rraspy_commands import CALLBACK_WORD, NOTHING, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INSTANCE_WORD = "instance"


def run(
    command: str,
    modules: Mapping[str, Target],
    instance: Target | None,
    callback: Callable[..., object] | None,
) -> Target:
    """Evaluate a command, or ``instance.command`` of an object. What it raises comes out.

    Raises:
        CommandError: there is a callback, and not one place for it. SystemExit is one as well.
    """
    if callback is not None and command.count(CALLBACK_WORD) != 1:
        raise CommandError(f"a command with a callback has {CALLBACK_WORD} in it once")
    names: dict[str, object] = {name: target.it for name, target in modules.items()}
    names["__builtins__"] = builtins
    names[CALLBACK_WORD] = callback
    if instance is not None:
        names[INSTANCE_WORD] = instance.it
        command = f"{INSTANCE_WORD}.{command.lstrip()}"
    try:
        return Target(eval(command.strip(), names), NOTHING)
    except SystemExit as e:
        raise CommandError(f"SystemExit: {e}") from None
