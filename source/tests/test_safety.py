# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of lines: declared, obeyed by everything that changes a line, and told with their place."""

import pytest

import RPIO
from RPIO import constants, errors
from RPIO.board.board import Board
from RPIO.board.declared import Owner


class TestInterlock:
    @pytest.fixture(autouse=True)
    def _two_relays(self, board):
        board.interlock([17, 27], "up and down")
        board.setup([17, 27], RPIO.OUT, initial=0)

    def test_one_may_be_on(self, board, sim):
        board.output(17, 1)
        board.output(17, 0)
        board.output(27, 1)
        assert (sim.read(17), sim.read(27)) == (0, 1)

    @pytest.mark.parametrize(
        "change",
        [
            lambda board: board.output(27, 1),
            lambda board: board.output([4, 27], [1, 1]),
            lambda board: board.forceoutput(27, 1),
            lambda board: board.setup(27, RPIO.OUT, initial=1),
            lambda board: board.setup([4, 27], RPIO.OUT, initial=1),
            lambda board: board.wave([(4, 1, 10), (27, 1, 10), (27, 0, 10)]),
            lambda board: board.pulses.drives.start(27, board, "soft", 1_000_000, 500_000),
            lambda board: board.pulses.drives.start(27, board, None, 1_000_000, 1_000_000),
            lambda board: (
                board.pulses.channels.setup(10, 0),
                board.pulses.channels.init(0, 20_000),
                board.pulses.channels.add(0, 27, 0, 10),
            ),
        ],
    )
    def test_both_may_not_and_nothing_is_done(self, board, sim, change):
        board.setup(4, RPIO.OUT, initial=0)
        board.output(17, 1)
        with pytest.raises(errors.InterlockError) as caught:
            change(board)
        assert "GPIO 27 would be on while GPIO 17 is: the interlock 'up and down' (" in str(caught.value)
        assert f"{__file__}:" in str(caught.value)
        assert isinstance(caught.value, (PermissionError, RuntimeError))
        assert [sim.read(line) for line in (4, 17, 27)] == [0, 1, 0]
        assert not board.pulses.has_pulses(27)

    def test_one_write_of_both_is_refused_whole(self, board, sim):
        with pytest.raises(errors.InterlockError):
            board.output([17, 27], 1)
        assert (sim.read(17), sim.read(27)) == (0, 0)

    def test_a_list_is_in_its_order(self, board, sim):
        board.output(17, 1)
        with pytest.raises(errors.InterlockError):
            board.output([27, 17], [1, 0])
        assert (sim.read(17), sim.read(27)) == (1, 0)
        board.output([17, 27], [0, 1])
        assert (sim.read(17), sim.read(27)) == (0, 1)

    def test_pulses_are_on(self, board):
        board.pulses.drives.start(17, self, "soft", 1_000_000, 1)
        with pytest.raises(errors.InterlockError):
            board.output(27, 1)
        board.pulses.drives.end(17, self)
        board.output(27, 1)

    def test_in_a_wave_they_may_take_turns(self, board):
        board.wave([(17, 1, 10), (17, 0, 5), (27, 1, 10), (27, 0, 5)], repeat=2).wait(0)
        board.cleanup()
        board.setup([17, 27], RPIO.OUT, initial=0)
        with pytest.raises(errors.InterlockError):
            board.wave([(17, 1, 10), (27, 1, 5), (17, 0, 10), (27, 0, 5)])
        with pytest.raises(errors.InterlockError):  # the second turn begins while the first one's line is on
            board.wave([(17, 1, 10), (17, 0, 5), (27, 1, 10)], repeat=2)

    def test_what_is_on_already_cannot_be_interlocked(self, board):
        board.setup([5, 6], RPIO.OUT, initial=1)
        with pytest.raises(errors.InterlockError, match="GPIO 5 and GPIO 6 are on"):
            board.interlock([5, 6])
        assert board.safety.rules.interlocks[1:] == []


def test_on_is_what_is_active(board, sim):
    board.protect(17, active="low")
    board.protect(27, active="low")
    board.interlock([17, 27])
    board.setup([17, 27], RPIO.OUT, initial=1)
    board.output(17, 0)
    with pytest.raises(errors.InterlockError):
        board.output(27, 0)
    assert (sim.read(17), sim.read(27)) == (0, 1)


class TestReadOnly:
    @pytest.mark.parametrize(
        "change",
        [
            lambda board: board.setup(17, RPIO.OUT),
            lambda board: board.setup([4, 17], RPIO.OUT, initial=0),
            lambda board: board.forceoutput(17, 0),
            lambda board: (
                board.pulses.channels.setup(10, 0),
                board.pulses.channels.init(0, 20_000),
                board.pulses.channels.add(0, 17, 0, 10),
            ),
        ],
    )
    def test_nobody_drives_it(self, board, sim, change):
        board.protect(17, read_only=True)
        with pytest.raises(errors.ReadOnlyError, match=r"GPIO 17 may only be read \(.*test_safety.py:\d+\)"):
            change(board)
        assert sim.function(17) == sim.function(4) == constants.IN

    def test_it_can_be_read_and_watched(self, board, sim):
        board.protect(17, read_only=True)
        board.setup(17, RPIO.IN, RPIO.PUD_UP)
        board.add_event_detect(17, RPIO.FALLING)
        assert board.input(17) == 1
        board.cleanup()

    def test_what_is_an_output_is_not_read_only(self, board):
        board.setup(17, RPIO.OUT)
        with pytest.raises(errors.ReadOnlyError, match="GPIO 17 is an output"):
            board.protect(17, read_only=True)


class TestRate:
    @pytest.fixture(autouse=True)
    def _time(self, sim):
        self.pass_s = lambda seconds: sim.clock.advance(round(seconds * 1e9))

    def test_so_often_in_a_second(self, board, sim):
        board.protect(17, changes_per_s=4)
        board.setup(17, RPIO.OUT, initial=0)
        for _ in range(2):
            board.output(17, 1)
            board.output(17, 1)  # no change
            board.output(17, 0)
            self.pass_s(0.1)
        with pytest.raises(
            errors.RateError, match=r"GPIO 17 may not change now, but in 800 ms: 4 times a second"
        ):
            board.output(17, 1)
        assert sim.read(17) == 0
        self.pass_s(0.81)
        board.output(17, 1)

    def test_off_is_never_refused(self, board, sim):
        board.protect(17, changes_per_s=1)
        board.setup(17, RPIO.OUT, initial=1)
        board.output(17, 0)
        with pytest.raises(errors.RateError):
            board.output(17, 1)
        assert sim.read(17) == 0

    @pytest.mark.parametrize(("frequency_hz", "is_refused"), [(5, False), (5.1, True), (1000, True)])
    def test_pulses(self, board, frequency_hz, is_refused):
        board.protect(17, changes_per_s=10)
        board.setup(17, RPIO.OUT, initial=0)
        period_ns = round(1e9 / frequency_hz)
        if is_refused:
            with pytest.raises(errors.RateError):
                board.pulses.drives.start(17, self, "soft", period_ns, period_ns // 2)
        else:
            board.pulses.drives.start(17, self, "soft", period_ns, period_ns // 2)

    def test_waves(self, board):
        board.protect(17, changes_per_s=4)
        board.setup(17, RPIO.OUT, initial=0)
        quick = [(17, 1, 10), (17, 0, 10)]
        with pytest.raises(errors.RateError):
            board.wave(quick, repeat=3)
        board.wave(quick, repeat=2)


class TestOwners:
    @pytest.fixture
    def anna(self):
        return Owner("anna@desk")

    @pytest.fixture
    def bob(self):
        return Owner("bob@lab")

    def test_a_line_of_anothers_is_busy_and_can_be_read(self, board, sim, anna, bob):
        leases = board.leases
        leases.set_output(anna, 17, 1)
        for change in (
            lambda: leases.set_input(bob, 17, None),
            lambda: leases.set_output(bob, 17, 0),
            lambda: leases.write(bob, [(17, 0)]),
            lambda: leases.write_masks(bob, 0, 1 << 17),
            lambda: leases.set_pull(bob, 17, RPIO.PUD_UP),
            lambda: leases.set_function(bob, 17, RPIO.IN),
            lambda: leases.pwm(bob, 17, 1_000_000, 500_000),
            lambda: leases.end_pwm(bob, 17),
            lambda: leases.play(bob, [(0, 17, 1), (10, 17, 0)], 1_000_000, 1),
            lambda: leases.pulse(bob, 17, 10, 0),
            lambda: leases.blink(bob, 17, 10, 1),
            lambda: leases.limit(bob, 17, 1_000_000, 0),
            lambda: board.setup(17, RPIO.IN),
            lambda: board.output(17, 0),
            lambda: board.forceoutput(17, 0),
            lambda: board.set_pullupdn(17, RPIO.PUD_UP),
            lambda: board.wave([(17, 1, 10), (17, 0, 10)]),
        ):
            with pytest.raises(errors.LineBusyError, match="GPIO 17 is in use by anna@desk"):
                change()
        assert sim.read(17) == leases.read(17) == board.forceinput(17) == 1
        leases.release(bob, 17)
        leases.write(anna, [(17, 0)])
        assert sim.read(17) == 0
        leases.release(anna, 17)
        leases.set_input(bob, 17, None)

    def test_what_the_program_has_is_busy_for_others(self, board, sim, bob):
        board.setup(17, RPIO.OUT, initial=1)
        with pytest.raises(errors.LineBusyError, match="in use by this program"):
            board.leases.write(bob, [(17, 0)])
        assert sim.read(17) == 1
        board.cleanup(17)
        board.leases.set_output(bob, 17, 1)

    def test_two_of_one_name_are_two(self, board, anna):
        board.leases.set_output(anna, 17, 1)
        with pytest.raises(errors.LineBusyError):
            board.leases.write(Owner("anna@desk"), [(17, 0)])

    @pytest.mark.parametrize(
        ("rules", "drives"),
        [({}, 1), ({"safe": "low"}, 0), ({"safe": "input"}, None)],
    )
    def test_who_goes_leaves_lines_in_their_safe_states_and_free(self, board, sim, anna, bob, rules, drives):
        board.protect(17, **rules)
        board.leases.set_output(anna, 17, 1)
        board.leases.end(anna)
        assert (sim.read(17) if sim.function(17) == RPIO.OUT else None) == drives
        assert board.leases.consumer(bob, 17) == ""
        board.leases.set_output(bob, 17, 1)
        assert board.leases.consumer(anna, 17) == "bob@lab"


class TestDeclared:
    @pytest.mark.parametrize(
        ("rules", "error", "says"),
        [
            ({"saf": "low"}, TypeError, "there is no rule 'saf'; did you mean 'safe'?"),
            (
                {"safe": "lo"},
                ValueError,
                "'lo' is no safe state: keep, input, low or high; did you mean 'low'?",
            ),
            ({"active": 1}, ValueError, "1 is no level: low or high"),
            ({"longest_on_s": 0}, ValueError, "the longest on-time, in seconds, is a number above 0"),
            ({"changes_per_s": True}, ValueError, "the number of changes a second is a number above 0"),
            ({"read_only": 1}, ValueError, "it is true or false, not 1"),
            ({"name": "a\n"}, ValueError, "a name is text of 1 to 64 characters"),
            (
                {"read_only": True, "safe": "low"},
                ValueError,
                "GPIO 17 is read only: there is nothing to limit",
            ),
        ],
    )
    def test_what_cannot_be_is_refused_and_nothing_is_declared(self, board, rules, error, says):
        with pytest.raises(error) as caught:
            board.protect(17, **rules)
        assert says in str(caught.value)
        assert not board.safety.rules

    def test_no_rules_are_none(self, board):
        board.protect(17)
        assert not board.safety.rules

    def test_an_interlock_of_lines_that_are_on_when_safe(self, board):
        board.protect(17, safe="high")
        board.protect(27, safe="low", active="low")
        with pytest.raises(ValueError, match="GPIO 17 and GPIO 27 are on in their safe states"):
            board.interlock([17, 27])
        with pytest.raises(ValueError, match="two lines or more"):
            board.interlock([17])

    def test_channels_follow_the_numbering(self, board):
        board.setmode(RPIO.BOARD)
        board.protect(11, read_only=True)
        with pytest.raises(errors.ReadOnlyError, match="GPIO 17 "):
            board.setup(11, RPIO.OUT)

    def test_a_rule_that_comes_after_setup_takes_the_line_from_c(self, rpio):
        rpio.setup(17, rpio.OUT, initial=0)
        rpio.output(17, 1)
        rpio.protect(17, changes_per_s=1)
        rpio.output(17, 0)
        with pytest.raises(errors.RateError):
            [rpio.output(17, level) for level in (1, 0, 1)]


class TestFiles:
    @pytest.fixture
    def file(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RPIO_CONFIG", str(tmp_path / "rpio.toml"))
        return tmp_path / "rpio.toml"

    @pytest.fixture
    def rules(self, file):
        """What a file of this text declares on the default board, which is simulated."""
        boards = []

        def read(text):
            file.write_text(text)
            board = Board("sim:4B")
            boards.append(board)
            board.safety._files = lambda: [str(file)]
            return board

        yield read
        for board in boards:
            board.close()

    def test_rules(self, rules, file):
        board = rules(
            '[line.17]\nsafe = "low"\n[line.27]\nread_only = true\n\n[[interlock]]\nlines = [17, 22]\n'
        )
        with pytest.raises(errors.ReadOnlyError, match=f"GPIO 27 may only be read .{file}:4:1."):
            board.setup(27, RPIO.OUT)
        with pytest.raises(errors.InterlockError, match=f"interlock .{file}:6:1."):
            board.setup([17, 22], RPIO.OUT, initial=1)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ('[line.17]\nsaf = "low"\n', ":2:1: there is no rule 'saf'; did you mean 'safe'?"),
            (
                '[line.17]\nsafe = "lo"\n',
                ":2:1: 'lo' is no safe state: keep, input, low or high; did you mean 'low'?",
            ),
            ("[line.17]\n  safe = low\n", ":2:10: invalid value"),
            ("[lines.17]\nread_only = true\n", ":1:1: there is no 'lines' here; did you mean 'line'?"),
            ("[line.GPIO17]\n", ":1:1: a line is its BCM number, not 'GPIO17'"),
            ("[line.017]\n", ":1:1: a line is its BCM number, not '017'"),
            ("line = 3\n", ":1:1: 'line' is a table"),
            ("[line]\n17 = 3\n", ":2:1: '17' is a table"),
            ("[interlock]\nlines = [1, 2]\n", ":1:1: it is a list of tables"),
            ("[[interlock]]\nlines = [17]\n", ":2:1: an interlock is of two lines or more"),
            ("[[interlock]]\nlines = 17\n", ":2:1: lines are a list of BCM numbers, not 17"),
            (
                "[[interlock]]\nlines = [1, 2]\nnaem = 'x'\n",
                ":3:1: an interlock has lines and a name, no 'naem'; did",
            ),
            ("[[interlock]]\nname = 'x'\n", ":1:1: lines are a list of BCM numbers, not None"),
        ],
    )
    def test_a_mistake_is_told_with_its_place_by_every_use_of_a_line(self, rules, file, text, says):
        board = rules(text)
        for use in (
            lambda: board.setup(4, RPIO.IN),
            lambda: board.forceinput(4),
            lambda: board.setup(4, RPIO.OUT),
            lambda: board.add_interrupt_callback(4, print),
            lambda: board.wave([(4, 1, 10)]),
        ):
            with pytest.raises(errors.ConfigError) as caught:
                use()
            assert str(caught.value).startswith(f"{file}{says}"), str(caught.value)
        file.write_text("")
        board.setup(4, RPIO.IN)

    def test_a_file_that_is_named_and_not_there(self, monkeypatch, tmp_path):
        monkeypatch.setenv("RPIO_CONFIG", str(tmp_path / "none.toml"))
        RPIO.facade.new_board()
        try:
            with pytest.raises(errors.ConfigError, match="No such file"):
                RPIO.forceinput(17)
        finally:
            RPIO.facade.new_board()

    def test_who_reads_files(self, file, sim):
        file.write_text("[line.17]\nread_only = true\n")
        with Board("sim:4B") as other:
            other.setup(17, RPIO.OUT)  # another one that is simulated
        with Board() as given:
            given.use(sim, sim.hardware)
            given.setup(17, RPIO.OUT)  # an object of the program's
        RPIO.facade.new_board()
        try:
            with pytest.raises(errors.ReadOnlyError):
                RPIO.setup(17, RPIO.OUT)
        finally:
            RPIO.facade.new_board()


class TestSafeStates:
    @pytest.mark.parametrize(
        ("safe", "function", "level"),
        [
            ("low", constants.OUT, 0),
            ("high", constants.OUT, 1),
            ("input", constants.IN, 0),
            ("keep", constants.OUT, 1),
            (None, constants.IN, 0),
        ],
    )
    def test_cleanup_leaves_it_so(self, board, sim, safe, function, level):
        if safe:
            board.protect(17, safe=safe)
        board.setup(17, RPIO.OUT, initial=1)
        board.cleanup()
        assert sim.function(17) == function
        assert function == constants.IN or sim.read(17) == level
        assert not board.book.owned and not board.book.directions

    @pytest.mark.parametrize(
        ("safe", "function", "level"),
        [
            ("low", constants.OUT, 0),
            ("input", constants.IN, 0),
            ("keep", constants.OUT, 1),
            (None, constants.OUT, 1),
        ],
    )
    def test_so_does_the_end_of_the_program(self, board, sim, safe, function, level):
        if safe:
            board.protect(17, safe=safe)
        board.setup(17, RPIO.OUT, initial=1)
        board.shut_down()
        assert sim.function(17) == function
        assert function == constants.IN or sim.read(17) == level

    def test_who_cannot_be_brought_there_does_not_keep_the_others_from_it(self, board, sim, caplog):
        board.protect(17, safe="low")
        board.protect(27, safe="low")
        board.setup([17, 27], RPIO.OUT, initial=1)
        broken = sim.set_output

        def set_output(line, value):
            if line == 17:
                raise errors.LineGoneError.of(17)
            broken(line, value)

        sim.set_output = set_output
        board.shut_down()
        assert sim.read(27) == 0
        assert "GPIO 17 is not in its safe state" in caplog.text


class TestLongestOnTime:
    @pytest.fixture(autouse=True)
    def _clock(self, sim):
        self.pass_s = lambda seconds: sim.clock.advance(round(seconds * 1e9))

    def test_it_goes_off_by_itself_and_may_go_on_again(self, board, sim):
        board.protect(17, longest_on_s=30)
        board.setup(17, RPIO.OUT, initial=1)
        self.pass_s(20)
        board.output(17, 1)  # which is not longer
        self.pass_s(9.9)
        assert sim.read(17) == 1
        self.pass_s(0.2)
        assert sim.read(17) == 0
        board.output(17, 1)
        self.pass_s(29)
        assert sim.read(17) == 1
        self.pass_s(1.1)
        assert sim.read(17) == 0

    def test_off_and_on_begins_anew(self, board, sim):
        board.protect(17, longest_on_s=30)
        board.setup(17, RPIO.OUT, initial=1)
        self.pass_s(20)
        board.output(17, 0)
        board.output(17, 1)
        self.pass_s(20)
        assert sim.read(17) == 1
        self.pass_s(11)
        assert sim.read(17) == 0

    def test_on_is_what_is_active(self, board, sim):
        board.protect(17, longest_on_s=1, active="low")
        board.setup(17, RPIO.OUT, initial=0)
        self.pass_s(1.1)
        assert sim.read(17) == 1

    def test_who_begins_without_a_level_begins_off(self, board, sim):
        sim.write(17, 1)
        board.protect(17, longest_on_s=1)
        board.setup(17, RPIO.OUT)
        assert sim.read(17) == 0

    @pytest.mark.parametrize(
        "pulses",
        [
            lambda board: board.pulses.drives.start(17, board, None, 10_000_000, 5_000_000),
            lambda board: board.wave([(17, 1, 5000), (17, 0, 5000)], repeat=None),
            lambda board: (
                board.pulses.channels.setup(10, 0),
                board.pulses.channels.init(0, 20_000),
                board.pulses.channels.add(0, 17, 0, 10),
            ),
        ],
    )
    def test_pulses_end_too(self, board, sim, pulses):
        board.protect(17, longest_on_s=1)
        board.setup(17, RPIO.OUT, initial=0)
        pulses(board)
        changes = []
        sim.observer = lambda line, level, now_ns: changes.append(now_ns)
        begin_ns = sim.clock.now_ns()
        self.pass_s(5)
        assert len(changes) > 50
        assert max(changes) - begin_ns <= 1_000_000_000
        assert sim.read(17) == 0

    def test_a_line_that_is_given_back_has_no_end_any_more(self, board, sim):
        board.protect(17, longest_on_s=1)
        board.setup(17, RPIO.OUT, initial=1)
        board.cleanup()
        assert sim.limit_left(17) is None

    def test_what_could_not_be_ended_is_refused(self, board):
        board.protect(17, longest_on_s=1)
        board.setup(17, RPIO.OUT, initial=0)
        for means in ("dma", "hardware"):
            with pytest.raises(errors.RuleError, match="GPIO 17 may be on only so long"):
                board.pulses.drives.start(17, self, means, 10_000_000, 5_000_000)
        with pytest.raises(errors.RuleError):
            board.wave([(17, 1, 10), (17, 0, 10)], means="dma")
