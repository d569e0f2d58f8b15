# SPDX-License-Identifier: LGPL-3.0-or-later
"""How the peers are fetched and built: with which flags, and that no build is taken for another. Nothing is fetched."""

import pytest

from . import peers


@pytest.fixture
def built(monkeypatch, tmp_path):
    """The CFLAGS of every build so far; none takes place."""
    flags = []
    monkeypatch.setenv("RPIO_PEERS_CACHE", str(tmp_path))
    monkeypatch.setattr(peers, "run", lambda *command, **env: flags.append(env.get("CFLAGS")) or "")
    return flags


def test_rpi_gpio_is_optimised_whatever_the_interpreter_and_setuptools_say(built):
    peers.rpi_gpio()
    assert {"-O3", "-DNDEBUG"} <= set(built[0].split())


def test_a_build_is_kept(built):
    assert peers.rpi_gpio() == peers.rpi_gpio()
    assert len(built) == 1


def test_a_build_with_other_flags_is_another(built, monkeypatch):
    first = peers.rpi_gpio()
    monkeypatch.setattr(peers, "RPI_GPIO_CFLAGS", "-O0")
    assert peers.rpi_gpio() != first
    assert built[1:] == ["-O0"]
