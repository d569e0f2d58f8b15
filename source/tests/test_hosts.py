# SPDX-License-Identifier: LGPL-3.0-or-later
"""The devices that this user's programs know: how they are found, and what happens to files that are no such thing."""

import json
import os
import ssl
import stat
import subprocess
import sys

import pytest

from RPIO import errors
from RPIO.remote.places import hosts
from RPIO.server.outside.authority import Authority
from tls_parts import request
from waiting import LIMIT_S


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder of one's own for what is known."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config/rpio/hosts"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """An authority's certificate, a client's, and its key."""
    folder = tmp_path_factory.mktemp("signed")
    authority = Authority(str(folder / "tls"))
    authority.make()
    key, der = request(folder)
    return authority.text(), authority.sign(der), key


def test_what_is_stored_is_found_by_its_name_and_where_it_was(signed, home):
    more = {"names": ["raspberrypi", "raspberrypi.local"], "addresses": ["192.0.2.7", "2001:db8::7"]}
    made = hosts.store(
        "Pi.Local",
        *signed,
        1.5e9,
        scopes=["read", "gpio"],
        lines=[17, 18],
        port=8511,
        reached="FE80::7%eth0",
        **more,
    )
    assert made.folder == str(home / "pi.local")
    assert (made.name, made.names, made.addresses) == (
        "pi.local",
        tuple(more["names"]),
        tuple(more["addresses"]),
    )
    assert (made.port, made.made_s, made.scopes, made.lines) == (8511, 1.5e9, ("read", "gpio"), (17, 18))
    assert made.has_certificate and not made.problem
    for name in ("pi.local", "PI.LOCAL", "pi.local.", "pi", "Pi.lan", "fe80::7%eth0", "[fe80::7%ETH0]"):
        assert hosts.find(name).folder == made.folder, name
    assert [each.name for each in hosts.every()] == ["pi.local"]


def test_a_device_is_not_taken_for_another_one_because_it_says_so(signed):
    """Else who has paired with one that is not honest would have it answer for all others."""
    names = ["good.local", "good", "bank.example.org"]
    hosts.store("evil.local", *signed, 2.0, names=names, addresses=["192.0.2.1"], reached="192.0.2.66")
    for name in [*names, "192.0.2.1", "evil.local.example.org", "evil.example.org", "evil.com"]:
        assert hosts.find(name) is None, name
    assert hosts.find("192.0.2.66").name == "evil.local"


def test_an_address_and_a_name_of_the_wide_world_have_no_other_forms(signed):
    for name in ("pi.example.org", "192.0.2.7", "2001:db8::7", "fe80::1%eth0.local"):
        hosts.store(name, *signed, 1.0)
        assert hosts.find(name).name == name
    for other in ("pi", "pi.local", "192", "192.local", "192.0.2.8", "2001:db8::7.local", "fe80::1%eth0"):
        assert hosts.find(other) is None, other


def test_one_that_was_stored_before_its_address_was_kept_is_read(signed, home):
    hosts.store("pi", *signed, 1.0)
    path = home / "pi/host.json"
    about = json.loads(path.read_text())
    del about["reached"]
    path.write_text(json.dumps(about))
    assert (hosts.find("pi").reached, hosts.find("pi").problem) == ("", "")


def test_nobody_else_reads_it(signed, home):
    hosts.store("pi", *signed, 0.0)
    assert sorted(os.listdir(home / "pi")) == ["ca.pem", "client.key", "client.pem", "host.json"]
    for path in (home, home / "pi"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for name in os.listdir(home / "pi"):
        assert stat.S_IMODE((home / "pi" / name).stat().st_mode) == 0o600


def test_without_a_file_there_is_none():
    assert hosts.every() == [] and hosts.find("pi.local") is None and hosts.forget("pi.local") is None


def test_the_name_that_was_typed_comes_before_its_other_forms(signed):
    hosts.store("one.lan", *signed, 1.0)
    hosts.store("one.local", *signed, 2.0, names=["one.lan"])
    assert hosts.find("one.lan").name == "one.lan"
    assert hosts.find("one").name == "one.local"  # that was paired last


def test_again_it_takes_the_place_of_the_one_before(signed, home):
    hosts.store("pi", *signed, 1.0)
    hosts.store("pi", signed[0], "", "", 2.0)
    found = hosts.find("pi")
    assert found.made_s == 2.0 and not found.has_certificate
    assert sorted(os.listdir(home)) == ["pi"] and sorted(os.listdir(home / "pi")) == ["ca.pem", "host.json"]


def test_forgotten_it_is_gone(signed, home):
    hosts.store("pi", *signed, 1.0)
    assert hosts.forget("PI").name == "pi"
    assert os.listdir(home) == [] and hosts.forget("pi") is None


def test_a_context_is_for_this_device_alone(signed):
    made = hosts.store("pi", *signed, 1.0).context()
    assert made.verify_mode == ssl.CERT_REQUIRED and not made.check_hostname
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert [each["subject"] for each in made.get_ca_certs()] == [
        ssl._ssl._test_decode_cert(hosts.find("pi").path("ca.pem"))["subject"]
    ]
    hosts.store("pi", signed[0], "", "", 1.0).context()


def test_it_is_known_by_its_digest(signed):
    made = hosts.store("pi", *signed, 1.0)
    from hashlib import sha256

    assert made.digest() == sha256(ssl.PEM_cert_to_DER_cert(signed[0])).hexdigest()
    assert made.certificate_der() == ssl.PEM_cert_to_DER_cert(signed[1])


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../x", "a/b", "a b", "a\0b", ".new-1", "-x", "ä", "x" * 254, "a\nb", "~", "$x"]
)
def test_what_is_no_name_is_a_value_error(signed, name, home):
    for call in (hosts.find, hosts.forget, lambda name: hosts.store(name, *signed, 0.0)):
        with pytest.raises(ValueError, match="is no name or address of a machine"):
            call(name)
    assert not home.exists()


def test_what_a_device_says_of_itself_may_be_anything(signed):
    names = ["../..", "", "a b", "pi\x1b[2J", "fine.local", *[f"n{n}" for n in range(1000)]]
    made = hosts.store("pi", *signed, 0.0, names=names)
    assert made.names[0] == "fine.local" and len(made.names) < hosts.NAMES_MAX and not made.problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"names": 1, "addresses": [], "port": 1, "made_s": 0, "scopes": [], "lines": null}',
        json.dumps({"names": [], "addresses": [], "port": 70000, "made_s": 0, "scopes": [], "lines": None}),
    ],
)
def test_a_file_that_is_no_such_thing_says_what_to_type(signed, home, text):
    hosts.store("good", *signed, 1.0)
    made = hosts.store("pi", *signed, 1.0)
    (home / "pi/host.json").write_text(text)
    with pytest.raises(errors.ConfigError, match=r"host\.json: that is none of RPIO's") as e:
        hosts.find("pi")
    assert e.value.hint == "rpio pair pi has it written anew; rpio pair --forget pi removes it"
    assert [(each.name, bool(each.problem)) for each in hosts.every()] == [("good", False), ("pi", True)]
    assert hosts.find("good").name == "good"
    assert hosts.store("pi", *signed, 2.0).folder == made.folder and hosts.find("pi").made_s == 2.0


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client.key"])
@pytest.mark.parametrize("text", ["", "nonsense"])
def test_certificates_that_are_none_say_what_to_type(signed, home, name, text):
    made = hosts.store("pi", *signed, 1.0)
    (home / "pi" / name).write_text(text)
    with pytest.raises(errors.ConfigError, match="has no certificates that go together") as e:
        made.context()
    assert "rpio pair pi has it written anew" in e.value.hint


@pytest.mark.parametrize("name", ["ca.pem", "client.key"])
def test_a_file_that_is_missing_is_named(signed, home, name):
    made = hosts.store("pi", *signed, 1.0)
    (home / "pi" / name).unlink()
    with pytest.raises(errors.ConfigError, match=name):
        made.context()


def test_a_key_that_others_may_read_is_not_used(signed, home):
    made = hosts.store("pi", *signed, 1.0)
    (home / "pi/client.key").chmod(0o644)
    for call in (made.context, lambda: hosts.find("pi")):
        with pytest.raises(
            errors.NotAllowedError, match=r"others may read the key .*client\.key \(mode 0644\)"
        ) as e:
            call()
        assert e.value.hint.startswith(f"chmod 600 {home}/pi/client.key; or")


def test_one_who_was_killed_leaves_what_was_there_before(signed, home):
    hosts.store("pi", *signed, 1.0)
    os.rename(home / "pi", home / ".old-pi")  # between the two renames of store()
    (home / ".new-0123").mkdir()
    assert hosts.find("pi") is None
    hosts.store("other", *signed, 2.0)
    assert hosts.find("pi").made_s == 1.0
    assert sorted(os.listdir(home)) == ["other", "pi"]


def test_a_disk_that_is_full_changes_nothing(signed, home, monkeypatch):
    hosts.store("pi", *signed, 1.0)

    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(hosts.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            hosts.store("pi", *signed, 2.0)
    assert os.listdir(home) == ["pi"] and hosts.find("pi").made_s == 1.0


@pytest.mark.slow
def test_many_who_store_at_once_come_one_after_the_other(signed, home):
    program = (
        "import sys; from RPIO.remote.places import hosts\n"
        "for n in range(10): hosts.store('pi', 'a', 'b', 'c', float(n)); hosts.store(sys.argv[1], 'a', '', '', 1.0)"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, f"n{n}"]) for n in range(3)]
    assert [each.wait(LIMIT_S) for each in running] == [0, 0, 0]
    assert sorted(os.listdir(home)) == ["n0", "n1", "n2", "pi"]
    assert hosts.find("pi").made_s == 9.0
