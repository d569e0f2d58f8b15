# SPDX-License-Identifier: LGPL-3.0-or-later
"""The addresses of this machine, as the kernel tells them."""

import socket

import pytest

from RPIO.machine import addresses as module
from RPIO.machine.addresses import addresses


def test_they_are_this_machines():
    found = addresses()
    assert len(set(found)) == len(found)
    for address in found:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as made:
            made.bind((address, 0))
        assert not address.startswith(("127.", "fe80:")) and address != "::1"


def test_what_others_reach_by_is_among_them():
    """The kernel binds a socket that has been connected to the address by which it would be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.connect(("192.0.2.1", 9))  # which sends nothing
        except OSError:
            pytest.skip("this machine has no way to others")
        assert made.getsockname()[0] in addresses()


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("20010db8000000000000000000000007 02 40 00 80     eth0", "2001:db8::7"),
        ("20010db8000000000000000000000007 02 40 00 01     eth0", ""),  # of privacy
        ("20010db8000000000000000000000007 02 40 00 20     eth0", ""),  # deprecated
        ("20010db8000000000000000000000007 02 40 00 40     eth0", ""),  # tentative
        ("fe80000000000000020c29fffe000007 02 40 20 80     eth0", ""),  # of the link
        ("00000000000000000000000000000001 01 80 10 80       lo", ""),
        ("", ""),
        ("20010db8000000000000000000000007 02", ""),
    ],
)
def test_of_ipv6_those_that_stay(line, address):
    assert module._global_of(line) == address


def test_a_kernel_without_ipv6_has_none(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "OF_IPV6", str(tmp_path / "missing"))
    assert not any(":" in address for address in addresses())
