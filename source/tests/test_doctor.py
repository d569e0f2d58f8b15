# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio doctor``: every finding, on a board where it is so and on one where it is not."""

import errno

import pytest

from RPIO import cli, errors
from RPIO.cli import doctor


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_board_on_which_all_is_well(rpio, capsys):
    assert cli.main(["doctor"]) == 0
    out = lines(capsys)
    assert out[:3] == [
        "ok this is a Raspberry Pi 4 Model B",
        "ok lines are driven by simulated Raspberry Pi 4 Model B (58 lines)",
        "ok edges are reported",
    ]
    assert out[3] == "-- PWM, servos and waves are made by the C timer, not by DMA: the board is simulated"
    assert out[4].startswith("-- outputs of a program that is killed: end with the program")


def test_it_changes_no_line(rpio, capsys):
    before = [rpio.sim.backend()._lines[n].level for n in range(58)]
    cli.main(["doctor"])
    assert [rpio.sim.backend()._lines[n].level for n in range(58)] == before
    assert not rpio.facade.board._owned and not rpio.facade.board._taken


def test_no_edges_is_a_problem_with_advice(rpio, capsys, monkeypatch):
    monkeypatch.setattr(rpio.sim.backend(), "features", frozenset())
    assert cli.main(["doctor"]) == 1
    at = lines(capsys).index("!! no edges: callbacks and wait_for_edge() do not work")
    assert at == 2


def test_lines_that_others_hold_are_listed(rpio, capsys, monkeypatch):
    monkeypatch.setattr(rpio.sim.backend(), "consumer", lambda line: "spi0 CS0" if line == 8 else "")
    assert cli.main(["doctor"]) == 0
    assert "-- in use: GPIO 8 (spi0 CS0)" in lines(capsys)


def test_a_machine_where_nothing_opens_says_why(rpio, capsys, monkeypatch):
    def refused(spec):
        raise errors.NoAccessError(errno.EACCES, "No access to /dev/gpiomem.", "/dev/gpiomem", hint="usermod")

    monkeypatch.setattr("RPIO.opening.open_board", refused)
    assert cli.main(["doctor"]) == 1
    out = lines(capsys)
    assert out[-2].startswith("!! no line can be driven: ") and "/dev/gpiomem" in out[-2]
    assert out[-1] == "   usermod"


@pytest.mark.parametrize(
    ("backend", "persists", "words"),
    [
        ("regs", None, "stay as they are"),
        ("sysfs", None, "exported"),
        ("cdev", True, "leaves them as they are"),
        ("cdev", False, "makes them inputs"),
        ("cdev", None, "its driver decides"),
        ("sim", None, "end with the program"),
    ],
)
def test_what_becomes_of_outputs_after_a_kill(backend, persists, words):
    assert words in doctor.when_killed(backend, persists)


def test_two_packages_that_bring_rpi_gpio_are_a_problem(rpio, capsys, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.7.1")
    assert cli.main(["doctor"]) == 1
    assert any("several packages bring RPi.GPIO" in line for line in lines(capsys))
