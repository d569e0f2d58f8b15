# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a host of RRaspPY's may have a device do: calls from a table, read as Python is and evaluated by nobody.

``GPIO.setup(13, 0, initial=1)`` is a call of a module's, ``write_byte(39, 8)`` one of an object's, ``smbus.SMBus(1)``
makes an object. Arguments are numbers, texts, True, False, None, lists of those, constants of a module, and CB_FUNCT
for the callback. Whatever else is valid Python is refused: there is no name but those of the table.
"""

from __future__ import annotations

import ast

from ..errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CALLBACK_WORD = "CB_FUNCT"
"""Stands in a command for the callback. Source: RRaspPY, common.py."""
COMMAND_MAX = 8192
DEPTH_MAX = 4
HINT = "rpio serve --rraspy --open-run and device.py --open-run allow any Python"


class Surface:
    """What may be asked of a module or an object: its *functions*, the *classes* that make objects (by name, with what
    may be asked of those), *constants* to read, and what may be set.
    """

    __slots__ = ("classes", "constants", "functions", "settable")

    def __init__(
        self,
        functions: str = "",
        constants: str = "",
        classes: Mapping[str, Surface] | None = None,
        settable: str = "",
    ) -> None:
        self.functions, self.constants = frozenset(functions.split()), frozenset(constants.split())
        self.classes, self.settable = dict(classes or {}), frozenset(settable.split())


PWM = Surface("start stop ChangeFrequency ChangeDutyCycle")
GPIO = Surface(
    "getmode setmode setwarnings cleanup input output setup add_event_detect add_event_callback event_detected "
    "remove_event_detect wait_for_edge gpio_function",
    "LOW HIGH IN OUT SERIAL SPI I2C HARD_PWM UNKNOWN PUD_OFF PUD_DOWN PUD_UP RISING FALLING BOTH BOARD BCM VERSION "
    "RPI_INFO RPI_REVISION",
    {"PWM": PWM},
)
SMBUS = Surface(
    "open close write_quick read_byte write_byte read_byte_data write_byte_data read_word_data write_word_data "
    "process_call read_block_data write_block_data block_process_call read_i2c_block_data write_i2c_block_data",
    "pec",
    settable="pec",
)
ADC = Surface(
    "read_adc read_adc_difference start_adc start_adc_difference start_adc_comparator "
    "start_adc_difference_comparator stop_adc get_last_result"
)
ADS1X15 = Surface(classes={"ADS1115": ADC, "ADS1015": ADC})
NOTHING = Surface()

MODULES: dict[str, Surface] = {
    "RPi.GPIO": GPIO,
    "smbus": Surface(classes={"SMBus": SMBUS}),
    "Adafruit_ADS1x15": ADS1X15,
    "Adafruit_ADS1x15.ADS1x15": ADS1X15,
}
"""The modules that may be imported. Sources: RPi.GPIO 0.7.1, i2c-tools' py-smbus 4.3, Adafruit_ADS1x15 1.0.2."""


class Target:
    """A module or an object, and what may be asked of it."""

    __slots__ = ("it", "surface")

    def __init__(self, it: object, surface: Surface) -> None:
        self.it, self.surface = it, surface


def run(
    command: str,
    modules: Mapping[str, Target],
    instance: Target | None,
    callback: Callable[..., object] | None,
) -> Target:
    """Carry a command out; return what comes of it, with what may be asked of that.

    Raises:
        CommandError: it is none of those above. Whatever the call itself raises comes out.
    """
    node = _parsed(command)
    if callback is not None and sum(_is_placeholder(found) for found in ast.walk(node)) != 1:
        raise CommandError(f"a command with a callback has {CALLBACK_WORD} in it once")
    if isinstance(node, ast.Call):
        return _call(node, modules, instance, callback)
    owner, name = _resolved(node, modules, instance)
    if name not in owner.surface.constants:
        raise _refused(node)
    return Target(getattr(owner.it, name), NOTHING)


def _parsed(command: str) -> ast.expr:
    if len(command) > COMMAND_MAX:
        raise CommandError(f"a command of more than {COMMAND_MAX} characters", hint=HINT)
    try:
        return ast.parse(command.strip(), "<command>", "eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise CommandError(f"this is no call: {e}", hint=HINT) from None


def _refused(node: ast.AST) -> CommandError:
    try:
        text = ast.unparse(node)[:80]
    except RecursionError:
        text = "this"
    known = "RPi.GPIO, smbus and Adafruit_ADS1x15"
    return CommandError(f"{text} is not what this device may be asked, which are calls of {known}", hint=HINT)


def _is_placeholder(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == CALLBACK_WORD


def _resolved(node: ast.expr, modules: Mapping[str, Target], instance: Target | None) -> tuple[Target, str]:
    """Whose name it is, and which."""
    if isinstance(node, ast.Name) and instance is not None:
        return instance, node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and instance is None:
        owner = modules.get(node.value.id)
        if owner is None:
            hint = f'host.ImportModule("{node.value.id}") first'
            raise CommandError(f"name '{node.value.id}' is not defined", hint=hint)
        return owner, node.attr
    raise _refused(node)


def _call(
    node: ast.Call,
    modules: Mapping[str, Target],
    instance: Target | None,
    callback: Callable[..., object] | None,
) -> Target:
    owner, name = _resolved(node.func, modules, instance)
    surface = owner.surface
    arguments = [_value(argument, modules, callback) for argument in node.args]
    options = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg.startswith("_"):
            raise _refused(node)
        options[keyword.arg] = _value(keyword.value, modules, callback)
    if name in surface.functions:
        return Target(getattr(owner.it, name)(*arguments, **options), NOTHING)
    if name in surface.classes:
        return Target(getattr(owner.it, name)(*arguments, **options), surface.classes[name])
    if (
        name == "__setattr__" and len(arguments) == 2 and not options
    ):  # as it has to be said to the original's
        attribute, value = arguments
        if isinstance(attribute, str) and attribute in surface.settable:
            setattr(owner.it, attribute, value)
            return Target(None, NOTHING)
    raise _refused(node)


def _value(
    node: ast.expr, modules: Mapping[str, Target], callback: Callable[..., object] | None, depth: int = 0
) -> object:
    if isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, (bool, int, float, str))
    ):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        number = node.operand.value
        if type(number) in (int, float) and isinstance(node.op, (ast.USub, ast.UAdd)):
            return -number if isinstance(node.op, ast.USub) else number  # type: ignore[operator]
    if isinstance(node, (ast.List, ast.Tuple)) and depth < DEPTH_MAX:
        items = [_value(item, modules, callback, depth + 1) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if _is_placeholder(node) and callback is not None:
        return callback
    if isinstance(node, ast.Attribute):
        owner, name = _resolved(node, modules, None)
        if name in owner.surface.constants:
            return getattr(owner.it, name)
    raise _refused(node)
