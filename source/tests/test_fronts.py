# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which front end may listen where: what must be between it and other machines, in one table."""

import pytest

from RPIO import errors
from RPIO.server.settings import beyond
from RPIO.server.settings import settings as settings_module
from RPIO.server.settings.settings import SETTINGS
from RPIO.wire import fronts

BEYOND = ["0.0.0.0", "::", "192.0.2.7"]
NO_ADDRESSES = ["example.org", "127.example.org", ""]
OURS = ["127.0.0.1", "127.1.2.3", "::1", "localhost"]
KNOWS = {"rraspy": False, "remoteio": False, "smbus": True, "further": True}
"""Front end -> whether it has TLS and knows who comes."""


def settings(name, **more):
    words = {(name, key): value for key, value in {"on": True, **more}.items()}
    return settings_module.read(words, [])


def test_every_front_end_of_the_configuration_has_a_row():
    """A new one says what whoever reaches it may do."""
    with_switch = {table for table, key in SETTINGS if key == "insecure" and table != "serve"}
    assert set(fronts.FRONTS) == set(KNOWS) == with_switch
    assert {name: front.has_access for name, front in fronts.FRONTS.items()} == KNOWS
    for name, front in fronts.FRONTS.items():
        assert SETTINGS[name, "port"].default() == front.port and front.gives


@pytest.mark.parametrize("name", KNOWS)
@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_a_name_is_no_address_for_it_may_lead_anywhere(name, address):
    with pytest.raises(ValueError, match="is no address"):
        settings(name, address=address)


@pytest.mark.parametrize("name", KNOWS)
@pytest.mark.parametrize("address", OURS)
def test_this_machines_own_address_needs_nothing(name, address):
    for is_insecure in (False, True):
        assert beyond.kind_of(settings(name, address=address, insecure=is_insecure), name) == fronts.HERE
        assert beyond.told(settings(name, address=address, insecure=is_insecure), name) == ""


@pytest.mark.parametrize("address", BEYOND)
@pytest.mark.parametrize("name", KNOWS)
def test_beyond_it_there_is_tls_and_access_or_the_word(name, address):
    plain, insecure = settings(name, address=address), settings(name, address=address, insecure=True)
    if KNOWS[name]:
        assert beyond.kind_of(plain, name) == fronts.GUARDED
    else:
        for check in (beyond.check, lambda found: beyond.kind_of(found, name)):
            with pytest.raises(errors.NotAllowedError, match=f"{name}: .*can be reached by other mach") as e:
                check(plain)
            assert "rpio tunnel" in e.value.hint and "--insecure" in e.value.hint
    is_open = name != "further"
    assert beyond.kind_of(insecure, name) == (fronts.INSECURE if is_open else fronts.GUARDED)
    assert beyond.told(insecure, name).startswith("--insecure: ") is is_open
    assert not beyond.told(plain, name)


def test_without_tls_programs_are_for_this_machine_or_the_word():
    open_ = settings("further", address="0.0.0.0", tls=False)
    with pytest.raises(errors.NotAllowedError, match="without TLS it is for this machine alone"):
        beyond.check(open_)
    insecure = settings("further", address="0.0.0.0", tls=False, insecure=True)
    assert beyond.kind_of(insecure, "further") == fronts.INSECURE
    assert "tokens" in beyond.told(insecure, "further")


@pytest.mark.parametrize("name", ["further", "rraspy"])
def test_nothing_opens_free_programs_to_others(name):
    for more in ({}, {"insecure": True}):
        with pytest.raises(errors.NotAllowedError, match="own address alone"):
            beyond.check(settings(name, address="0.0.0.0", open_run=True, **more))
    beyond.check(settings(name, address="::1", open_run=True))


def test_what_is_not_served_is_not_looked_at():
    for name in KNOWS:
        beyond.check(settings(name, on=False, address="0.0.0.0"))
