# SPDX-License-Identifier: LGPL-3.0-or-later
"""No test is left out by dividing them."""

import pytest

import parts

pytest_plugins = ["pytester"]
NAMES = [f"test_contract.py::test_pwm[sim-{number}]" for number in range(400)]


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_each_is_in_one_part(count):
    found = [[name for name in NAMES if parts.is_in(name, f"{part}/{count}")] for part in range(count)]
    assert sorted(name for names in found for name in names) == sorted(NAMES)
    assert all(len(names) > len(NAMES) / count / 2 for names in found)


@pytest.mark.parametrize("part", ["1/1", "-1/2", "4/4"])
def test_there_is_no_such_part(part):
    with pytest.raises(ValueError, match="RPIO_PART"):
        parts.is_in("a", part)


def test_a_part_is_taken(pytester, monkeypatch):
    """What is left out is said to be."""
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n): pass")
    monkeypatch.setattr(parts, "PART", "1/2")
    passed, skipped, failed = pytester.inline_run(plugins=[_Hook()]).listoutcomes()
    assert 10 < len(passed) < 30
    assert not skipped
    assert not failed


class _Hook:
    from conftest import pytest_collection_modifyitems as _hook

    pytest_collection_modifyitems = staticmethod(_hook)
