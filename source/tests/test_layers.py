# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which names the package exports, and what every module has. Who may import whom: test_floors."""

import ast
import inspect
from pathlib import Path

import pytest

import RPIO
from RPIO.backends.buses import I2cBus, SpiBus
from RPIO.i2c import SMBus

PACKAGE = Path(RPIO.__file__).parent
INHERITED = {
    "accepts",
    "deliver",
    "close",
    "lose",
    "abandon",
    "finish",
    "call_at",
    "stop",
    "run_in_background",
    "start_thread",
    "wait_readable",
    "read",
    "written",
}
"""Methods whose docstring is that of the class above."""
OF_CHIPS = {"start", "write", "read", "stop", "select", "transfer", "deselect", "around"}
"""Methods of a simulated chip."""
WITH_INHERITED = {"kinds.py", "waits.py", "undoing.py", "event_detect.py", "aio.py", "world.py", "watches.py"}
LOCAL = {
    "check",
    "is_on",
    "look_after",
    "listeners",
    "pulses",
    "settle",
    "after_fork_in_child",
    "call",
    "decorate",
    "serve",
    "act",
    "exchange",
    "use",
    "carry",
    "done",
    "work",
    "Calls",
}
"""Functions within functions."""

OF_BUSES = {name for kind in (I2cBus, SpiBus, SMBus) for name in vars(kind)}
"""Methods of buses, whose docstrings are those of the classes that promise them."""

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def test_the_exported_names_are_these():
    constants = {
        "LOW HIGH OUT IN BOARD BCM UNKNOWN PUD_OFF PUD_DOWN PUD_UP RISING FALLING BOTH SERIAL SPI I2C HARD_PWM",
        "ALT0 ALT1 ALT2 ALT3 ALT4 ALT5 ALT6 ALT7 ALT8 VERSION VERSION_GPIO RPI_REVISION RPI_REVISION_HEX RPI_INFO",
        "GPIO_LIST_R1 GPIO_LIST_R2 GPIO_LIST_R3 HEADER_P5 PIN_LIST MODEL_DATA",
    }
    functions = {
        "setmode getmode setwarnings setup output input forceoutput forceinput set_pullupdn gpio_function",
        "channel_to_gpio cleanup cleanup_interrupts sysinfo version add_interrupt_callback del_interrupt_callback",
        "add_event_detect add_event_callback remove_event_detect event_detected wait_for_edge install_as_rpi_gpio PWM",
        "add_tcp_callback close_tcp_client wait_for_interrupts stop_waiting_for_interrupts events_lost use describe",
        "wave tcp_clients protect interlock serve_remote connect counter encoder",
    }
    errors = {
        "GPIOError WrongDirectionException ModeNotSetException AlreadyRunningError NotAllowedError NotSupportedError",
        "InvalidModeException InvalidChannelException InvalidDirectionException InvalidPullException",
        "InvalidEdgeException InvalidCallbackException NotWatchedError LineBusyError NoAccessError NoBackendError",
        "LineGoneError EdgeDetectionError PWMExistsError PulseError DMAError NoClientError",
        "RuleError InterlockError RateError ReadOnlyError RemoteError ConfigError ConnectionLost ProtocolError",
        "CommandError BusError NoBusError",
    }
    types = {"Board EdgeEvent TcpClient"}
    want = {name for line in constants | functions | errors | types for name in line.split()}
    assert set(RPIO.__all__) == want
    assert len(RPIO.__all__) == len(want)


def test_the_first_page_of_the_help_names_every_function():
    functions = {name for name in RPIO.__all__ if inspect.isfunction(getattr(RPIO, name))}
    assert functions <= set(RPIO.__doc__.replace("(", " ").split())


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("setup", "(channel, direction, pull_up_down=20, initial=-1)"),
        (
            "add_interrupt_callback",
            "(gpio_id, callback, edge='both', pull_up_down=20, threaded_callback=False, debounce_timeout_ms=None, "
            "filter_us=0)",
        ),
        ("del_interrupt_callback", "(gpio_id)"),
        ("add_tcp_callback", "(port, callback, threaded_callback=False, host='0.0.0.0')"),
        ("close_tcp_client", "(fileno)"),
        ("wait_for_interrupts", "(threaded=False, epoll_timeout=1)"),
        ("set_pullupdn", "(gpio_id, pud=20)"),
        ("forceoutput", "(gpio_id, value)"),
        ("forceinput", "(gpio_id)"),
        ("gpio_function", "(gpio_id)"),
        ("setwarnings", "(enabled=True)"),
        ("protect", "(channel, **rules)"),
        ("interlock", "(channels, name='')"),
        ("serve_remote", "(port=8510, host='127.0.0.1', path=None)"),
        (
            "connect",
            "(where, linger_s=5.0, timeout_s=10.0, patience_s=60.0, on_change=None, within=None, scope=None)",
        ),
    ],
)
def test_arguments_and_defaults_are_the_documents(name, signature):
    found = inspect.signature(getattr(RPIO, name))
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    assert str(inspect.Signature(bare)) == signature


def test_the_historic_constants_have_their_values():
    assert (RPIO.LOW, RPIO.HIGH, RPIO.OUT, RPIO.IN, RPIO.ALT0, RPIO.BOARD, RPIO.BCM) == (
        0,
        1,
        0,
        1,
        4,
        10,
        11,
    )
    assert (RPIO.PUD_OFF, RPIO.PUD_DOWN, RPIO.PUD_UP) == (20, 21, 22)
    assert (RPIO.RISING, RPIO.FALLING, RPIO.BOTH, RPIO.UNKNOWN) == (31, 32, 33, -1)
    assert (RPIO.SERIAL, RPIO.SPI, RPIO.I2C, RPIO.HARD_PWM) == (40, 41, 42, 43)
    assert RPIO.HEADER_P5 == 5 << 8
    assert RPIO.PIN_LIST[-4:] == tuple(pin | 5 << 8 for pin in (3, 4, 5, 6))
    assert tuple(range(2, 28)) == RPIO.GPIO_LIST_R3


def test_the_exceptions_are_also_in_their_old_module(rpio):
    assert len(rpio.Exceptions.__all__) == 6
    for name in rpio.Exceptions.__all__:
        assert getattr(rpio.Exceptions, name) is getattr(rpio, name)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'setpu'"):
        _ = RPIO.setpu


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_function_and_class_has_a_docstring(path):
    tree = ast.parse((PACKAGE / path).read_text())
    assert ast.get_docstring(tree) or path.name == "__init__.py"
    protocol_methods = {n for n, _ in inspect.getmembers(RPIO.backends.Backend, inspect.isfunction)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            inherited = path.parts[0] == "backends" and node.name in protocol_methods
            inherited = inherited or (path.parts[0] in ("i2c", "spi", "chips") and node.name in OF_BUSES)
            inherited = inherited or (path.name in WITH_INHERITED and node.name in INHERITED)
            inherited = inherited or (path.parts[0] == "chips" and node.name in OF_CHIPS)
            local = node.name in LOCAL
            assert ast.get_docstring(node) or inherited or local, node.name


SOURCES = sorted(
    path for path in Path(__file__).parents[1].rglob("*.[pch]*") if path.suffix in (".py", ".c", ".h", ".pyi")
)


def test_every_source_file_says_its_licence():
    first_lines = {path: path.read_text().split("\n", 2)[0] for path in SOURCES}
    says = "SPDX-License-Identifier: LGPL-3.0-or-later"
    assert len(first_lines) > 400
    assert not [str(path) for path, line in first_lines.items() if says not in line]


TEST_MODULES = sorted(Path(__file__).parent.rglob("test_*.py"))


def names_of(path):
    """The names that a module has of imports, functions and classes."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        names |= {getattr(node, "name", "")}
    return names


@pytest.mark.slow
def test_no_test_module_has_a_name_that_an_older_pytest_would_call():
    """Up to 7, as of Debian bookworm, it takes them for nose's. An imported ``RPIO.setup`` was called for each test."""
    assert len(TEST_MODULES) > 100
    assert not [str(path) for path in TEST_MODULES if names_of(path) & {"setup", "teardown"}]


IN_OTHER_THREADS = {("callbacks.py", "_run")}
"""No signal handler runs there."""


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_jump_back_stands_in_a_with_itself(path):
    """CPython 3.13 leaves those of ``while``, of a comprehension with ``if`` and of a ``for`` that ends with one out of
    the ``with`` around them: what a signal handler raises there leaves the lock held. A function that is called there
    has its own.
    """

    def ends_with_if(body):
        last = body[-1]
        return isinstance(last, ast.Continue) or (
            isinstance(last, ast.If)
            and (not last.orelse or ends_with_if(last.orelse) or ends_with_if(last.body))
        )

    def inside(node):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                yield child
                yield from inside(child)

    found = []
    for function in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or (path.name, function.name) in IN_OTHER_THREADS:
            continue
        for node in inside(function):
            if isinstance(node, ast.With):
                found += [
                    f"{path.name}:{jump.lineno}"
                    for jump in inside(node)
                    if isinstance(jump, ast.While)
                    or (isinstance(jump, ast.For) and ends_with_if(jump.body))
                    or (
                        isinstance(jump, (ast.ListComp, ast.SetComp, ast.DictComp))
                        and any(g.ifs for g in jump.generators)
                    )
                ]
    assert not found


@pytest.mark.slow
def test_nobody_sleeps_for_long_in_one_go():
    """A signal that comes just before a sleep ends it only where it is short: see threads.naps()."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "func", None)
            name = getattr(name, "attr", getattr(name, "id", ""))
            if name == "sleep" and any(isinstance(a, ast.Constant) and a.value > 1 for a in node.args):
                found.append(f"{path.name}:{node.lineno}")
    assert not found
