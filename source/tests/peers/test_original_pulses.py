# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pulses of the original RPIO and of ours, slot by slot, beside one model: random programs, and known oddities.

RPIO_SEQUENCES=5000 plays so many programs in the place of 200, RPIO_SEED=n others. What fails is told as the shortest
program that does.
"""

import itertools
import logging
import os
from pathlib import Path

import pytest

from . import original_pulses, peers
from .original import Original, OursByDma, OursByTimer, shrunk
from .original_pulses import ALL, NONE, ODDITIES, Pulses, drawn, fits, turned

SEQUENCES = int(os.environ.get("RPIO_SEQUENCES") or 200)
SEED = int(os.environ.get("RPIO_SEED") or 1)
DOCUMENT = Path(__file__).parents[3] / "doc" / "differences.rst"

pytestmark = pytest.mark.timeout(max(600, SEQUENCES))


@pytest.fixture(scope="module")
def original(original_rpio):
    made = Original()
    yield made
    made.close()


@pytest.fixture
def ours(tmp_path, monkeypatch):
    return OursByDma(tmp_path, monkeypatch)


@pytest.fixture
def ours_by_timer():
    return OursByTimer()


def difference(subject, odd, program):
    """What a call does that the model with these oddities does not; "" where they agree."""
    model = Pulses(odd)
    for call, step in itertools.zip_longest(program, subject.play(program)):
        if step is None:
            return f"{call} ends the program"
        succeeds = model.call(*call)
        if succeeds == bool(step.raised):
            return f"{call} {'fails' if succeeds else 'should fail'}: {step.raised[:1]} {step.text}"
        wanted, real = model.waveforms(), step.waveforms
        if isinstance(subject, OursByTimer):
            real = turned(wanted, real)
        for line, waveform in wanted.items():
            if not fits(waveform, real[line]):
                return f"{call}, GPIO {line}: {drawn(real[line])}, in the model {drawn(waveform)}"
    return ""


def seen(subject, program):
    """What a program and a voltmeter notice."""
    return [(bool(step.raised), step.waveforms) for step in subject.play(program)]


def check(subject, odd, capsys, name):
    """Play random programs."""
    for number, program in enumerate(itertools.islice(original_pulses.programs(SEED), SEQUENCES)):
        if difference(subject, odd, program):
            shortest = shrunk(program, lambda shorter: difference(subject, odd, shorter))
            lines = "\n  ".join(map(str, shortest))
            pytest.fail(
                f"RPIO_SEED={SEED}, program {number}:\n  {lines}\n{difference(subject, odd, shortest)}",
                pytrace=False,
            )
    with capsys.disabled():
        print(f" {name}: {SEQUENCES} programs of seed {SEED} ", end="")


def test_the_originals_are_those_of_the_model_with_its_oddities(original, capsys):
    check(original, ALL, capsys, "the original")


def test_ours_by_dma_are_those_of_the_model_without(ours, capsys, caplog):
    check(ours, NONE, capsys, "ours by DMA")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_ours_by_the_timer_are_those_of_the_model_without(ours_by_timer, capsys):
    check(ours_by_timer, NONE, capsys, "ours by the C timer")


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.name)
def test_an_oddity_is_the_originals_alone(original, ours, oddity):
    assert difference(original, ALL, oddity.example) == ""
    assert difference(original, ALL - {oddity.name}, oddity.example)
    assert difference(ours, NONE, oddity.example) == ""
    assert seen(original, oddity.example) != seen(ours, oddity.example)


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.name)
def test_an_oddity_is_documented(oddity):
    assert oddity.doc in " ".join(DOCUMENT.read_text().split())


def test_the_documents_first_example_is_the_same_on_both(original, ours):
    """Of the original's page: three pulses of two lines, in 2000 slots of 10 us."""
    program = (
        *(("setup",), ("init_channel", 0), ("add_channel_pulse", 0, 17, 0, 50)),
        *(
            ("add_channel_pulse", 0, 17, 100, 50),
            ("add_channel_pulse", 0, 18, 200, 50),
            ("clear_channel_gpio", 0, 17),
        ),
    )
    theirs, mine = seen(original, program), seen(ours, program)
    assert theirs == mine
    assert [slot for slot, level in enumerate(mine[-2][1][18]) if level] == list(range(200, 250))


@pytest.mark.parametrize(
    ("slots", "rule"), [(32, ""), (33, "DMA channel 0 is started without a control block")]
)
def test_the_original_breaks_no_rule_where_its_control_blocks_are_aligned(original, slots, rule):
    program = original_pulses.example(original_pulses.add(17, 3, 7), slots=slots)
    assert original.play(program)[-1].broken == rule


def test_a_fault_would_be_seen(ours):
    """The model is not one that agrees with everything."""
    program = (("setup", 100), ("init_channel", 0, 3200), ("add_channel_pulse", 0, 17, 3, 5))
    assert difference(ours, NONE, program) == ""
    assert difference(ours, ALL, program) == ""
    wrong = (*program[:2], ("add_channel_pulse", 0, 17, 3, 6))

    class Wrong:
        def play(self, _):
            return ours.play(wrong)

    assert "GPIO 17: ___######___" in difference(Wrong(), NONE, program)


def test_the_original_is_unmodified(original_rpio):
    source = peers.sdist(peers.ORIGINAL) / "source"
    for name in ("__init__.py", "_RPIO.py", "PWM/__init__.py", "Exceptions.py"):
        assert (original_rpio / "RPIO" / name).read_bytes() == (source / "RPIO" / name).read_bytes()
