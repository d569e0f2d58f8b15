# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules: numbering, setup, levels, pulls, ownership, cleanup; texts and order of checks are RPi.GPIO's."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import arguments, constants, errors, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.board.manners import FIXED_PULL_WARNING, IN_USE_WARNING, NOTHING_TO_CLEAN_WARNING
from RPIO.constants import BCM, BOARD, IN, OUT, PUD_DOWN, PUD_OFF, PUD_UP
from RPIO.machine.boards import by_name, generic
from support import drain, native, raises, simulated
from waiting import wait_until


def board_of(hardware):
    backend = SimBackend(hardware, ManualClock())
    board = Board()
    board.use(backend, hardware)
    return board


# -- numbering ----------------------------------------------------------------------------------------------


def test_the_default_mode_is_bcm_and_one_setmode_may_change_it(board):
    assert board.getmode() == BCM
    board.setmode(BOARD)
    assert board.getmode() == BOARD
    board.setmode(BOARD)


def test_a_second_other_mode_is_an_error_even_if_it_is_none(board):
    board.setmode(BCM)
    for mode in (BOARD, 77):
        with raises(ValueError, "A different mode has already been set!"):
            board.setmode(mode)
    assert board.getmode() == BCM


def test_a_wrong_mode_is_an_error_and_is_not_kept(board):
    with raises(errors.InvalidModeException, "An invalid mode was passed to setmode()"):
        board.setmode(77)
    assert board.getmode() == BCM
    with pytest.raises(TypeError):
        board.setmode("BCM")


def test_cleanup_forgets_the_mode(board):
    board.setmode(BOARD)
    board.setup(11, OUT, PUD_OFF, None)
    board.cleanup(arguments.ALL)
    assert board.getmode() == BCM
    board.setmode(BCM)


def test_cleanup_of_a_board_that_was_never_opened_keeps_the_mode():
    board = Board("sim:4B")
    board.setmode(BOARD)
    board.setwarnings(False)
    board.cleanup(arguments.ALL)
    assert board.getmode() == BOARD
    board.close()


def test_no_mode_is_an_error_where_one_is_required(sim):
    board = Board(default_mode=None)
    board.use(sim, sim.hardware)
    with pytest.raises(errors.ModeNotSetException, match="Please set pin numbering mode"):
        board.setup(17, IN, PUD_OFF, None)


@pytest.mark.parametrize(
    ("model_name", "pin", "line"),
    [("B", 11, 17), ("2B", 40, 21), ("5B", 3, 2), ("Zero", 13, 27), ("3B+", 37, 26)],
)
def test_board_mode_counts_pins(model_name, pin, line):
    board = board_of(by_name(model_name))
    board.setmode(BOARD)
    assert board.line_of(pin) == line
    assert board.channel_of(line) == pin
    board.close()


@pytest.mark.parametrize(
    ("pin", "why"),
    [(17, "3V3"), (4, "5V"), (6, "GND"), (27, "ID EEPROM"), (41, "1 to 40"), (0, "1 to 40"), (-3, "1 to 40")],
)
def test_a_pin_that_is_no_gpio_says_what_it_is(board, pin, why):
    board.setmode(BOARD)
    with raises(errors.InvalidChannelException, "The channel sent is invalid on a Raspberry Pi") as e:
        board.line_of(pin)
    assert why in e.value.hint


@pytest.mark.parametrize("channel", [-1, 58, 2**40, -(2**70)])
def test_a_bcm_number_out_of_range_is_an_error(board, channel):
    for call in (
        lambda: board.setup(channel, IN, PUD_OFF, None),
        lambda: board.input(channel),
        lambda: board.output(channel, 1),
        lambda: board.gpio_function(channel),
        lambda: board.add_interrupt_callback(channel, print, "both", PUD_OFF, False, None, 0),
        lambda: board.events_lost(channel),
        lambda: board.del_interrupt_callback(channel),
        lambda: board.set_pullupdn(channel, PUD_UP),
        lambda: board.forceinput(channel),
        lambda: board.forceoutput(channel, 1),
        lambda: board.cleanup(channel),
    ):
        with raises(ValueError, "The channel sent is invalid on a Raspberry Pi"):
            call()


def test_board_numbering_is_refused_on_a_compute_module():
    board = board_of(by_name("CM4"))
    with raises(RuntimeError, "BOARD numbering system not applicable on compute module"):
        board.setmode(BOARD)
    board.close()


def test_another_board_works_by_line_numbers():
    board = board_of(generic(8, "some-chip", "Some board"))
    board.setup(7, OUT, PUD_OFF, 1)
    assert board.backend.read(7) == 1
    with raises(ValueError, "The channel sent is invalid on this board"):
        board.setup(8, OUT, PUD_OFF, 1)
    with pytest.raises(RuntimeError, match="BOARD numbering needs a Raspberry Pi's header"):
        board.setmode(BOARD)
    board.close()


# -- setup --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("17", IN, PUD_OFF, None), ValueError, "Channel must be an integer or list/tuple of integers"),
        ((1.0, IN, PUD_OFF, None), ValueError, "Channel must be an integer or list/tuple of integers"),
        (({17}, 77, PUD_OFF, None), ValueError, "Channel must be an integer or list/tuple of integers"),
        ((17, 77, 99, 1), ValueError, "An invalid direction was passed to setup()"),
        ((17, IN, 99, 1), ValueError, "initial parameter is not valid for inputs"),
        (
            (17, IN, 99, None),
            ValueError,
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN",
        ),
        (([17, "18"], IN, PUD_OFF, None), ValueError, "Channel must be an integer"),
    ],
)
def test_setup_checks_in_the_order_of_rpi_gpio(board, arguments, error, text):
    with pytest.raises(error) as e:
        board.setup(*arguments)
    assert str(e.value) == text


def test_setup_of_a_list_keeps_what_came_before_the_bad_item(board):
    with pytest.raises(ValueError, match="Channel must be an integer"):
        board.setup([17, 18, "x", 22], OUT, PUD_OFF, 1)
    assert [board.lines.direction(n) for n in (17, 18, 22)] == [OUT, OUT, None]


@pytest.mark.parametrize("pull", [PUD_OFF, PUD_DOWN, PUD_UP])
def test_setup_of_an_input_sets_the_pull_also_by_the_old_numbers(board, sim, pull):
    board.setup(17, IN, pull, None)
    assert sim.pull(17) == pull
    board.setup(18, IN, pull - PUD_OFF, None)
    assert sim.pull(18) == pull


def test_a_pull_on_an_output_is_ignored(board, sim):
    board.setup(17, OUT, PUD_UP, 0)
    assert sim.pull(17) == PUD_OFF
    board.set_pullupdn(17, PUD_UP)
    assert (sim.pull(17), sim.read(17)) == (PUD_OFF, 0)


@pytest.mark.parametrize("initial", [None, -1, 7])
def test_without_initial_the_latch_is_driven(board, sim, initial):
    sim.write(17, 1)
    board.setup(17, OUT, PUD_OFF, initial)
    assert sim.read(17) == 1


def test_setup_of_an_empty_list_does_nothing(board):
    board.setup([], OUT, PUD_OFF, 1)
    board.setup((), IN, PUD_OFF, None)


# -- warnings -----------------------------------------------------------------------------------------------


def test_a_channel_in_use_warns_at_the_callers_line(board, sim):
    sim.set_function(17, constants.ALT0)
    sim.set_output(18, 1)
    for line in (17, 18):
        with pytest.warns(RuntimeWarning) as caught:
            board.setup(line, OUT, PUD_OFF, None)
        assert str(caught[0].message) == IN_USE_WARNING
        assert caught[0].filename == __file__
    assert sim.read(18) == 1


@pytest.mark.parametrize("function", [constants.ALT0, constants.ALT3, constants.ALT5])
def test_a_callback_makes_an_input_of_a_line_with_another_function_and_says_so(board, sim, function):
    """RP1 reports no edges of a line whose function is not GPIO."""
    sim.set_function(17, function)
    with pytest.warns(RuntimeWarning) as caught:
        board.add_interrupt_callback(17, lambda gpio, level: None, "both", PUD_OFF, False, None, 0)
    assert str(caught[0].message) == IN_USE_WARNING
    assert sim.function(17) == IN
    sim.set_function(17, function)  # another program's doing
    with pytest.warns(RuntimeWarning):
        board.add_interrupt_callback(17, lambda gpio, level: None, "both", None, False, None, 0)
    assert sim.function(17) == IN


def test_an_output_of_our_own_does_not_warn(board):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board.setup(17, OUT, PUD_OFF, 1)
        board.setup(17, OUT, PUD_OFF, 0)


def test_a_fixed_pull_up_warns(board):
    with pytest.warns(RuntimeWarning) as caught:
        board.setup(2, IN, PUD_DOWN, None)
    assert str(caught[0].message) == FIXED_PULL_WARNING


NOTHING = (arguments.ALL, [], 17, [17, 18])


def test_nothing_to_clean_up_warns_where_rpi_gpio_does(board):
    board.be_strict()
    for channels in NOTHING:
        board.setmode(constants.BCM)  # which the first one forgets
        with pytest.warns(RuntimeWarning) as caught:
            board.cleanup(channels)
        assert str(caught[0].message) == NOTHING_TO_CLEAN_WARNING


def test_nothing_to_clean_up_is_nothing_to_say_for_programs_of_rpio(board):
    """cleanup() is the first line of many; warnings are errors here."""
    for channels in NOTHING:
        board.cleanup(channels)


@pytest.mark.parametrize("channels", [None, "17", 17.0, {17}, object()])
@pytest.mark.parametrize("is_strict", [False, True])
def test_cleanup_of_no_channel_is_an_error_and_cleans_nothing_up(board, sim, channels, is_strict):
    """A pin that is missing in a configuration is None: it must not switch off other people's outputs."""
    if is_strict:
        board.be_strict()
        board.setmode(constants.BCM)
    board.setup(18, OUT, PUD_OFF, 1)
    with raises(ValueError, "Channel must be an integer or list/tuple of integers"):
        board.cleanup(channels)
    assert (board.getmode(), sim.function(18), sim.read(18)) == (constants.BCM, OUT, 1)


def test_warnings_can_be_switched_off(board, sim):
    board.setwarnings(0)
    sim.set_function(17, constants.ALT0)
    board.setup(17, OUT, PUD_OFF, None)
    board.cleanup(arguments.ALL)
    board.cleanup(arguments.ALL)


# -- levels -------------------------------------------------------------------------------------------------


class Array:
    """As numpy's of several numbers: it has __index__, which raises."""

    def __index__(self):
        raise TypeError("only integer scalar arrays can be converted to a scalar index")


class Flag:
    """Something true or false that is no integer."""

    def __init__(self, truth):
        self.truth = truth

    def __bool__(self):
        return bool(self.truth)


@pytest.mark.parametrize(
    ("channels", "values", "error", "text"),
    [
        ("17", 1, ValueError, "Channel must be an integer or list/tuple of integers"),
        (17, "1", ValueError, "Value must be an integer/boolean or a list/tuple of integers/booleans"),
        (17, None, ValueError, "Value must be an integer/boolean or a list/tuple of integers/booleans"),
        (17, 0.5, ValueError, "Value must be an integer/boolean or a list/tuple of integers/booleans"),
        (17, [1], RuntimeError, "Number of channels != number of values"),
        ([17, 18], [1], RuntimeError, "Number of channels != number of values"),
        ([17, "x"], 1, ValueError, "Channel must be an integer"),
        ([17, 18], [1, None], ValueError, "Value must be an integer or boolean"),
        (22, 1, RuntimeError, "The GPIO channel has not been set up as an OUTPUT"),
        (23, 1, RuntimeError, "The GPIO channel has not been set up as an OUTPUT"),
        (99, 1, ValueError, "The channel sent is invalid on a Raspberry Pi"),
        (Array(), 1, ValueError, "Channel must be an integer or list/tuple of integers"),
        ([17, Array()], 1, ValueError, "Channel must be an integer"),
        (17, Array(), ValueError, "Value must be an integer/boolean or a list/tuple of integers/booleans"),
        (17, Flag(1), ValueError, "Value must be an integer/boolean or a list/tuple of integers/booleans"),
        ([17, 18], [1, Array()], ValueError, "Value must be an integer or boolean"),
    ],
)
def test_output_checks_in_the_order_of_rpi_gpio(board, channels, values, error, text):
    board.setup([17, 18], OUT, PUD_OFF, 0)
    board.setup(23, IN, PUD_OFF, None)
    with pytest.raises(error) as e:
        board.output(channels, values)
    assert str(e.value) == text


@pytest.mark.parametrize("name", ["bool", "bool_"])
def test_numpys_bool_is_a_value(board, sim, name):
    kind = type(name, (Flag,), {"__module__": "numpy"})
    board.setup([17, 18, 22, 23], OUT, PUD_OFF, 0)
    board.output(17, kind(True))
    board.output([18, 22], [kind(False), kind(True)])
    board.forceoutput(23, kind(True))
    assert [sim.read(n) for n in (17, 18, 22, 23)] == [1, 0, 1, 1]


def test_output_writes_what_comes_before_the_bad_item(board, sim):
    board.setup([17, 18, 22], OUT, PUD_OFF, 0)
    with pytest.raises(RuntimeError):
        board.output([17, 23, 18], 1)
    assert [sim.read(n) for n in (17, 18, 22)] == [1, 0, 0]


@given(st.lists(st.tuples(st.sampled_from([17, 18, 22]), st.integers(-3, 3)), max_size=12))
def test_output_of_lists_ends_with_the_last_value_of_each(pairs):
    board = board_of(by_name("3B"))
    board.setup([17, 18, 22], OUT, PUD_OFF, 0)
    board.output([line for line, _ in pairs], [value for _, value in pairs])
    want = {17: 0, 18: 0, 22: 0} | {line: int(value != 0) for line, value in pairs}
    assert {line: board.input(line) for line in want} == want
    board.close()


def test_input_needs_setup(board):
    with raises(errors.WrongDirectionException, "You must setup() the GPIO channel first"):
        board.input(17)
    for bad in ([17], 17.0, "17", None):
        with pytest.raises(TypeError):
            board.input(bad)


def test_input_is_an_int_and_reads_outputs_too(board, sim):
    board.setup(17, OUT, PUD_OFF, 1)
    board.setup(18, IN, PUD_UP, None)
    assert [(type(v), v) for v in (board.input(17), board.input(18))] == [(int, 1), (int, 1)]
    sim.drive(18, 0)
    assert board.input(18) == 0


def test_force_reads_and_writes_without_setup(board, sim):
    sim.drive(22, 1)
    assert board.forceinput(22) == 1
    sim.set_output(23, 0)
    board.forceoutput(23, 5)
    assert sim.read(23) == 1


def test_function_needs_no_setup(board, sim):
    sim.set_function(14, constants.ALT5)
    board.setup(17, OUT, PUD_OFF, None)
    assert [board.gpio_function(n) for n in (14, 17, 18)] == [constants.ALT5, OUT, IN]


# -- cleanup ------------------------------------------------------------------------------------------------


def test_cleanup_makes_own_channels_inputs_without_pull_and_no_others(board, sim):
    sim.set_output(22, 1)
    board.setup(17, OUT, PUD_OFF, 1)
    board.setup(18, IN, PUD_UP, None)
    board.cleanup(arguments.ALL)
    assert [(sim.function(n), sim.pull(n)) for n in (17, 18)] == [(IN, PUD_OFF)] * 2
    assert (sim.function(22), sim.read(22)) == (OUT, 1)
    with pytest.raises(RuntimeError):
        board.input(18)


def test_cleanup_of_some_channels_leaves_the_others(board, sim):
    board.setup([17, 18, 22], OUT, PUD_OFF, 1)
    board.cleanup((17, 18))
    assert [sim.function(n) for n in (17, 18, 22)] == [IN, IN, OUT]
    for bad, text in (
        ("17", "Channel must be an integer or list/tuple of integers"),
        (["17"], "Channel must be an integer"),
    ):
        with pytest.raises(ValueError) as e:
            board.cleanup(bad)
        assert str(e.value) == text


def test_cleanup_of_a_list_reaches_as_far_as_its_first_bad_channel(board, sim):
    board.setup([17, 18], OUT, PUD_OFF, 1)
    with raises(ValueError, "Channel must be an integer"):
        board.cleanup([17, "x", 18])
    assert [sim.function(n) for n in (17, 18)] == [IN, OUT]


def test_cleanup_goes_by_number(board, sim, monkeypatch):
    board.setup([22, 4, 17], OUT, PUD_OFF, None)
    cleaned = []
    monkeypatch.setattr(sim, "set_input", lambda line, pull: cleaned.append(line))
    board.cleanup(arguments.ALL)
    assert cleaned == [4, 17, 22]


def test_close_sets_no_line(board, sim):
    board.setup(17, OUT, PUD_OFF, 1)
    board.close()
    assert (sim.function(17), sim.read(17)) == (OUT, 1)
    board.close()


# -- choosing -----------------------------------------------------------------------------------------------


def test_the_backend_cannot_change_under_lines_that_are_set_up(board):
    board.setup(17, OUT, PUD_OFF, 1)
    with pytest.raises(RuntimeError, match="the board is in use"):
        board.use("sim")


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("quantum", errors.NoBackendError, "there is no backend 'quantum'"),
        ("sim:9Z", ValueError, "9Z"),
        ("cdev:no-such-chip", errors.NoBackendError, "there is no gpiochip 'no-such-chip' here"),
        ("cdev:/dev/no-such-chip", errors.NoBackendError, "/dev/no-such-chip"),
        pytest.param(
            *("cdev:/dev/null", errors.NoBackendError, "/dev/null is no gpiochip"),
            marks=native("asks no file whether it is a gpiochip"),
        ),
    ],
)
def test_a_backend_that_is_not_there_is_an_error_at_first_use(spec, error, text):
    board = Board(spec)
    with pytest.raises(error, match=text):
        board.setup(17, IN, PUD_OFF, None)
    board.close()


def test_a_new_board_opens_nothing():
    board = Board("cdev:/dev/no-such-chip")
    board.close()


def test_every_error_of_a_line_has_advice(board):
    for call in (
        lambda: board.input(17),
        lambda: board.output(17, 1),
        lambda: board.setup(99, IN, PUD_OFF, None),
        lambda: board.setmode(5),
        lambda: board.setup(17, 5, PUD_OFF, None),
        lambda: board.add_interrupt_callback(17, print, "sideways", PUD_OFF, False, None, 0),
        lambda: board.del_interrupt_callback(17),
    ):
        with pytest.raises(errors.GPIOError) as e:
            call()
        assert e.value.hint


@pytest.mark.parametrize("initial", ["1", "HIGH", 1.0, [1]])
def test_an_initial_that_is_no_integer_is_an_error(board, sim, initial):
    with pytest.raises(TypeError):
        board.setup(17, OUT, PUD_OFF, initial)
    with pytest.raises(TypeError):
        board.setup(17, 1.0, PUD_OFF, None)
    assert sim.function(17) == IN


def test_a_wrong_name_closes_nothing(board, sim):
    port = board.waiting.ports.add(0, print, False, "127.0.0.1").port
    with pytest.raises(errors.NoBackendError):
        board.use("nonsense")
    with pytest.raises(RuntimeError, match="in use"):
        board.use("sim")  # a port is open
    assert [server.port for server in board.waiting.ports.servers] == [port]


def test_a_backend_of_ones_own_needs_no_pi(sim):
    sim.label = "my-chip"
    board = Board()
    board.use(sim)
    board.setup(17, OUT, PUD_OFF, 1)
    assert sim.read(17) == 1
    assert board.hardware.line_count == sim.line_count
    board.close()


def test_cleanup_goes_on_after_a_line_that_fails(board, sim, monkeypatch):
    board.setup([17, 18, 22], OUT, PUD_OFF, 1)
    real = sim.set_input

    def stuck(line, pull):
        if line == 17:
            raise OSError(5, "stuck")
        real(line, pull)

    monkeypatch.setattr(sim, "set_input", stuck)
    with pytest.raises(OSError, match="stuck"):
        board.cleanup(arguments.ALL)
    assert [sim.function(n) for n in (17, 18, 22)] == [OUT, IN, IN]
    assert board.getmode() == BCM
    monkeypatch.setattr(sim, "set_input", real)
    board.cleanup(arguments.ALL)  # which tries again
    assert sim.function(17) == IN


def test_lines_used_without_setup_are_let_go_by_cleanup(board, sim, monkeypatch):
    released = []
    monkeypatch.setattr(sim, "release", released.append)
    sim.set_output(17, 0)
    board.forceoutput(17, 1)
    board.set_pullupdn(18, PUD_UP)
    board.setwarnings(0)
    board.cleanup(arguments.ALL)
    assert sorted(released) == [17, 18]
    assert sim.read(17) == 1


# --- RP1, which reports edges of plain inputs alone


@pytest.mark.parametrize("alternate", [constants.ALT0, constants.ALT4, constants.ALT8])
def test_a_callback_makes_an_input_of_a_line_that_has_another_function(alternate):
    with simulated("5B") as world:
        world.sim.set_function(17, alternate)
        seen = []
        with pytest.warns(RuntimeWarning, match="already in use"):
            facade.add_interrupt_callback(17, lambda *edge: seen.append(edge), pull_up_down=PUD_UP)
        assert facade.gpio_function(17) == IN
        world.drive(17, 0)
        drain(facade.board)
        assert seen == [(17, 0)]


def test_a_line_that_lost_its_function_is_an_input_again_where_edges_are_wanted(caplog):
    """As when an overlay is loaded while the program runs."""
    with simulated("5B") as world:
        facade.setup(17, IN, PUD_UP)
        world.sim.set_function(17, constants.ALT4)
        facade.add_event_detect(17, constants.FALLING)
        assert caplog.messages == [
            "GPIO 17 worked as ALT4, where RP1 reports no edges: it is an input again."
        ]
        assert facade.gpio_function(17) == IN
        world.drive(17, 0)
        assert wait_until(lambda: facade.event_detected(17))
