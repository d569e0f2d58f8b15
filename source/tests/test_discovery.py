# SPDX-License-Identifier: LGPL-3.0-or-later
"""Devices found on the network, rpio hosts, and the file by which Avahi announces them."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_parts import needs_openssl, opened
from remote_parts import daemon
from RPIO import cli, errors
from RPIO.backends import opening
from RPIO.cli import completion, hosts
from RPIO.remote.devices import devices, discovery
from RPIO.remote.places import hosts as known_hosts
from RPIO.server.outside import announcing
from RPIO.wire import announced
from waiting import LIMIT_S, wait_until

# -- what comes from the network --------------------------------------------------------------------------------


def read(server="pi.local.", port=8510, addresses=("192.168.1.38",), **properties):
    texts = {key.encode(): value for key, value in properties.items()}
    return discovery.read(server, port, texts, addresses)


def test_an_answer_says_which_machine_it_is():
    found = read(model=b"Raspberry Pi 4 Model B", id=b"0123456789abcdef")
    assert (found.name, found.model, found.port) == ("pi.local", "Raspberry Pi 4 Model B", 8510)
    assert (found.addresses, found.id) == (("192.168.1.38",), "0123456789abcdef")


@pytest.mark.parametrize(
    "server",
    [
        "",
        ".",
        "$(reboot).local.",
        "pi\x1b[2J.local.",
        "pi local.",
        "-oProxyCommand=sh.",
        "a" * 64,
        "pi;id.",
        "pi..local.",
    ],
)
def test_a_name_that_no_shell_should_see_is_left_out(server):
    assert read(server) is None


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_left_out(port):
    assert read(port=port) is None


@pytest.mark.parametrize("id", [b"", b"0123456789ABCDEF", b"0123456789abcde", b"\xff" * 16, None])
def test_an_identity_that_is_none_is_none(id):
    assert read(id=id).id == ""


def test_what_is_shown_has_no_control_characters_and_an_end():
    model = read(model="\x1b]0;owned\x07\x9b31m\u202egreat\n".encode() + b"x" * 1000).model
    assert model.isprintable() and len(model) <= discovery.TEXT_MAX


def test_of_many_addresses_some_are_taken():
    endless = iter(lambda: "192.168.1.38", None)
    assert len(read(addresses=endless).addresses) == discovery.ADDRESSES_MAX


@given(
    st.text(max_size=300),
    st.integers(),
    st.dictionaries(st.sampled_from([b"model", b"id", b"x"]), st.none() | st.binary(max_size=300)),
)
def test_whatever_comes_is_harmless(server, port, properties):
    found = discovery.read(server, port, properties, [])
    if found is not None:
        assert found.model.isprintable() and len(found.model) <= discovery.TEXT_MAX
        assert discovery.NAME.fullmatch(found.name) and set(found.id) <= set("0123456789abcdef")


# -- by multicast DNS -------------------------------------------------------------------------------------------


@pytest.fixture
def network(monkeypatch, tmp_path):
    """A folder for what is remembered, and none that is known."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@contextlib.contextmanager
def announced_by_others(name, port=8510, **texts):
    """A device as zeroconf itself announces it, on loopback; what is yielded is its name."""
    zeroconf = pytest.importorskip("zeroconf", reason="needs zeroconf, which `make dev` installs")
    there = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    try:
        info = zeroconf.ServiceInfo(
            announced.TYPE,
            f"{name}.{announced.TYPE}",
            addresses=[socket.inet_aton("127.0.0.1")],
            port=port,
            properties=texts,
            server=f"{name}.local.",
        )
        there.register_service(info)
        yield f"{name}.local"
    finally:
        there.close()


def some_name():
    """Others of these tests announce theirs at the same time."""
    return f"rpio-{uuid.uuid4().hex[:12]}"


def browsed(name):
    """What is found of that name."""
    found = []

    def look():
        found[:] = [one for one in discovery.browse(0.5) if one.name == name]
        return found

    assert wait_until(look)
    return found[0]


@pytest.mark.slow
def test_a_device_that_zeroconf_announces_is_found(network):
    with announced_by_others(some_name(), model="Raspberry Pi 5", id="0123456789abcdef") as name:
        found = browsed(name)
        assert (found.model, found.id, found.port) == ("Raspberry Pi 5", "0123456789abcdef", 8510)
        assert "127.0.0.1" in found.addresses


@pytest.mark.slow
def test_what_the_file_of_avahi_says_is_what_is_found(network):
    """By the parser of XML, and zeroconf as the one who announces what it has read."""
    file = ElementTree.fromstring(announced.service_file(8511, "Pi <&> 4\n\x1b", "0123456789abcdef"))
    service = file.find("service")
    texts = dict(one.text.partition("=")[::2] for one in service.findall("txt-record"))
    assert file.find("name").get("replace-wildcards") == "yes" and file.find("name").text == "%h"
    assert f"{service.find('type').text}.local." == announced.TYPE
    with announced_by_others(some_name(), int(service.find("port").text), **texts) as name:
        found = browsed(name)
        assert (found.port, found.model, found.id) == (8511, "Pi <&> 4??", "0123456789abcdef")


@pytest.mark.slow
def test_hosts_lists_it_and_the_shell_has_its_name_at_once(network, capsys):
    with announced_by_others(some_name(), model="Raspberry Pi 5\x1b[2J") as name:

        def rows():
            assert cli.main(["hosts", "--for", "500ms", "--json"]) == 0
            return [row for row in json.loads(capsys.readouterr().out) if row["name"] == name]

        found = []
        assert wait_until(lambda: found.extend(rows()) or found)
        (row,) = found
        assert (row["model"], row["is_found"], row["is_paired"], row["is_free"]) == (
            "Raspberry Pi 5?[2J",
            True,
            False,
            None,
        )
    # It has gone by now: what a shell completes is of the list that is there already.
    assert cli.main(["hosts", "--names"]) == 0
    assert name in capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_in_words_it_is_a_row(network, capsys):
    with announced_by_others(some_name(), port=8599, model="Raspberry Pi 5") as name:

        def shown():
            assert cli.main(["hosts", "--for", "500ms"]) == 0
            return [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name}:8599 ")]

        found = []
        assert wait_until(lambda: found.extend(shown()) or found)
        assert re.split(" {2,}", found[0])[1:] == ["Raspberry Pi 5", "127.0.0.1:8599", "not paired"]


def test_without_zeroconf_it_is_told_what_to_type(network, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    assert cli.main(["hosts"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and "pip install 'RPIO[discovery]'" in said.err
    assert cli.main(["hosts", "--names"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_network_that_is_down_is_told_of(network, capsys, monkeypatch):
    monkeypatch.setattr(
        discovery, "browse", lambda for_s: (_ for _ in ()).throw(OSError(100, "Network is down"))
    )
    assert cli.main(["hosts"]) == 0
    assert "nobody on the network can be asked: Network is down" in capsys.readouterr().err


def test_one_who_plays_thousands_of_devices_is_cut_short():
    heard = discovery._Heard()
    for number in range(discovery.HOSTS_MAX * 3):
        heard.on_change(None, announced.TYPE, f"pi{number}.{announced.TYPE}", None)
    assert len(heard.names) == discovery.HOSTS_MAX
    heard.wait(LIMIT_S)  # at once


# -- with those that are known ----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Have this user know a device."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def make(name, addresses=(), der=b"an authority", names=()):
        pem = ssl.DER_cert_to_PEM_cert(der)
        return known_hosts.store(name, pem, pem, "a key", 0.0, names=[name, *names], addresses=addresses)

    return make


def found_as(name, id="", addresses=("10.0.0.1",), model="Pi"):
    return discovery.Found(name, model, addresses, 8510, id)


def test_one_that_is_known_is_told_by_its_authority_and_not_by_its_name(store):
    known = store("pi.local", ["10.0.0.9"])
    its = devices.identity_of(known)
    assert len(its) == announced.ID_DIGITS
    other = found_as("pi.local", "f" * 16)
    rows = devices.merged([other, found_as("renamed.local", its)], [known])
    assert [(row.name, row.is_paired, row.is_found) for row in rows] == [
        ("pi.local", True, True),
        ("pi.local", False, True),
    ]
    assert rows[0].addresses == ("10.0.0.1", "10.0.0.9")


def test_one_without_an_identity_is_told_by_its_name(store):
    (row,) = devices.merged([found_as("pi.local")], [store("pi.local")])
    assert row.is_paired and row.model == "Pi"


def test_one_that_has_not_answered_is_listed(store):
    (row,) = devices.merged([], [store("pi.local", ["10.0.0.9"])])
    assert row.is_paired and not row.is_found and row.addresses == ("10.0.0.9",)


# -- who has their lines ----------------------------------------------------------------------------------------


def pair(device, folder, host="127.0.0.1", names=()):
    """Be paired with it, as `rpio pair` would have it."""
    own = device.ca(folder / "own").sign()
    device.list(own)
    texts = [Path(path).read_text() for path in (device.authority, own.certificate, own.key)]
    return known_hosts.store(host, *texts, 0.0, addresses=[host], names=names, port=device.port)


@needs_openssl
@pytest.mark.slow
def test_a_device_says_who_has_its_lines_to_who_is_paired_with_it(network, tmp_path, capsys):
    with opened(tmp_path / "device") as device:
        pair(device, tmp_path)
        assert cli.main(["hosts", "--json", "--for", "1ms"]) == 0
        (row,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "127.0.0.1"]
        assert (row["is_paired"], row["is_free"], row["lines"], row["trouble"]) == (True, True, [], None)
        with device.connect() as here:
            here.ask('hello 1 "anna \\u001b[2J" "blink.py" 0 ""')
            assert here.ask("output 17 1") == here.ask("output 4 0") == "ok"
            assert cli.main(["hosts", "--for", "1ms"]) == 0
            (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("127.0.0.1")]
            assert "held by anna" in line and "(GPIO 4,17)" in line and line.isprintable()
            assert f"127.0.0.1:{device.port}" in line and " paired " in line


@needs_openssl
@pytest.mark.slow
def test_one_that_has_revoked_it_says_so(network, tmp_path, capsys):
    with opened(tmp_path / "device") as device:
        pair(device, tmp_path, names=["nobody.invalid"])
        (device.tls / "clients").write_text("")
        assert cli.main(["hosts", "--for", "1ms"]) == 0
        said = capsys.readouterr().out
        assert "  not paired  this machine is not paired with that one any more" in said


@needs_openssl
@pytest.mark.slow
def test_several_are_asked_at_once_and_none_is_waited_for_too_long(network, tmp_path, monkeypatch):
    """One that takes connections and says nothing, one that is another device by now, one that is gone, and one that is
    well."""
    monkeypatch.setattr(devices, "ADDRESS_S", 1.0)
    with opened(tmp_path / "device") as device, opened(tmp_path / "other") as other:
        well = pair(device, tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
            ports = {"silent": silent.getsockname()[1], "gone": gone.getsockname()[1], "other": other.port}
            gone.close()
            asked = []
            for name in ("silent", "gone", "other", "well"):
                asked.append(devices.Device(name, "", ["127.0.0.1"], ports.get(name, device.port), ""))
                asked[-1].known = well
            begin_s = time.monotonic()
            devices.ask_all(asked, 2.0)
            assert time.monotonic() - begin_s < 4.0
    found = {one.name: one for one in asked}
    assert found["well"].holders == [] and found["well"].trouble == ""
    assert found["well"].model == "simulated Raspberry Pi 4 Model B"
    assert found["gone"].trouble == "Connection refused"
    assert found["silent"].trouble and found["silent"].holders is None
    assert "another device answers there" in found["other"].trouble


def test_who_is_not_paired_is_not_connected_to():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        device = devices.Device("x.local", "", ["127.0.0.1"], listener.getsockname()[1], "")
        devices.ask_all([device], 1.0)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert device.holders is None and device.trouble == ""


def test_on_means_tls_for_a_device_by_the_name_that_was_typed_and_ssh_for_others(store):
    """And not by those that it gives itself: it could take the name of a machine that ssh knows."""
    store("pi.local", ["10.0.0.9"], names=["pi.local", "pi", "work"])
    store("10.0.0.8")
    for host in ("pi.local", "PI.local", "pi.local:8511", "10.0.0.8", "10.0.0.8:8511"):
        assert opening.at_host(host) == f"remote://{host}"
    for host in ("lab.local", "me@pi.local", "10.0.0.9", "pi", "work"):
        assert opening.at_host(host) == f"ssh://{host}"
    assert opening.at_host("localhost") == "remote://localhost"


# -- the file of Avahi's ----------------------------------------------------------------------------------------


@pytest.fixture
def announcement(tmp_path):
    (tmp_path / "services").mkdir()

    def make(**changed):
        words = {"port": 8510, "model": "Raspberry Pi 5", "id": "0123456789abcdef", **changed}
        return announcing.Announcement(str(tmp_path / "services"), str(tmp_path / "draft"), *words.values())

    return make


def test_the_file_is_there_as_long_as_others_may_come(announcement, tmp_path):
    said, made = [], announcement()
    made.begin(said.append)
    (path,) = (tmp_path / "services").iterdir()
    assert path.name == "rpio-8510.service" and path.stat().st_mode & 0o777 == 0o644
    assert ElementTree.parse(path).getroot().find("service/port").text == "8510"
    made.end()
    made.end()
    assert not list((tmp_path / "services").iterdir()) and said == []


def test_one_that_a_killed_daemon_has_left_is_taken_over(announcement, tmp_path):
    announcement(model="an older one").begin(pytest.fail)
    made = announcement()
    made.begin(pytest.fail)
    made.end()
    assert not list((tmp_path / "services").iterdir())


@pytest.mark.parametrize("id", ["0123456789abcdef", ""])
def test_what_was_installed_stays(announcement, tmp_path, id):
    """Without the identity too: it was written before there was one."""
    made = announcement()
    assert announcing.install(str(tmp_path / "services"), 8510, "whatever it was", id) == made.path
    made.begin(pytest.fail)
    made.end()
    assert len(list((tmp_path / "services").iterdir())) == 1
    assert announcing.uninstall(str(tmp_path / "services")) == [made.path]


def test_a_file_of_somebody_else_stays_as_it_is(announcement, tmp_path):
    said, made = [], announcement()
    with open(made.path, "w") as file:
        file.write("<service-group/>")
    made.begin(said.append)
    made.end()
    assert "is not rpio's: it stays as it is" in said[0]
    assert (tmp_path / "services" / "rpio-8510.service").read_text() == "<service-group/>"
    assert announcing.uninstall(str(tmp_path / "services")) == []


def test_where_it_may_not_be_written_it_is_told_what_to_type(announcement, tmp_path, monkeypatch):
    """Root may write anywhere: the folder has a file system that nobody may."""
    made, said, write = announcement(), [], announcing.write

    def refused(path, text):
        if path == made.path:
            raise PermissionError(13, "Permission denied", path)
        write(path, text)

    monkeypatch.setattr(announcing, "write", refused)
    made.begin(said.append)
    (text,) = said
    command = text.rpartition("(sudo ")[2].removesuffix(")")
    subprocess.run(command, shell=True, check=True, timeout=LIMIT_S)
    monkeypatch.undo()
    announcement().begin(pytest.fail)  # it is as it should be


def test_without_avahi_it_is_told_how_to_have_it(tmp_path):
    said = []
    announcing.Announcement(str(tmp_path / "none"), str(tmp_path / "draft"), 8510, "Pi", "").begin(
        said.append
    )
    assert len(said) == 1 and "sudo apt install avahi-daemon" in said[0]
    assert announcing.uninstall(str(tmp_path / "none")) == []


@needs_openssl
@pytest.mark.slow
def test_a_daemon_is_announced_as_long_as_it_runs(tmp_path):
    services = tmp_path / "services"
    services.mkdir()
    with opened(tmp_path / "device", announce=str(services)) as device:
        port = device.port
        assert wait_until(lambda: list(services.glob("*.service")))
        (path,) = services.glob("*.service")
        file = ElementTree.parse(path).getroot()
        texts = dict(one.text.partition("=")[::2] for one in file.findall("service/txt-record"))
        assert file.find("service/port").text == str(port)
        assert texts["model"] == "simulated Raspberry Pi 4 Model B"
        der = ssl.PEM_cert_to_DER_cert(Path(device.authority).read_text())
        assert texts["id"] == hashlib.sha256(der).hexdigest()[:16]
        device.kill(signal.SIGTERM)
        assert not list(services.iterdir())


def test_a_daemon_of_this_machine_alone_is_not_announced(tmp_path):
    services = tmp_path / "services"
    services.mkdir()
    with daemon(tmp_path / "device", config=f"announce = '{services}'\n") as device:
        assert device.port and not list(services.iterdir())


# -- completion -------------------------------------------------------------------------------------------------


def test_on_completes_the_hosts_in_bash(tmp_path):
    """And is not tricked by what a list from the network says: names that are no names never get there."""
    (tmp_path / "rpio.bash").write_text(completion.bash())
    code = f"""
        source {tmp_path}/rpio.bash
        rpio() {{ [ "$*" = "hosts --names" ] && printf 'pi.local\\nlab.local\\n'; }}
        COMP_WORDS=(rpio read 17 --on "$1"); COMP_CWORD=4; _rpio 2>/dev/null; echo "${{COMPREPLY[*]}}"
    """
    for typed, want in (("", "localhost pi.local lab.local"), ("l", "localhost lab.local")):
        done = subprocess.run(
            ["bash", "-c", code, "bash", typed],
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        assert done.stdout.strip() == want


def test_on_completes_the_hosts_in_zsh_and_fish():
    assert "hosts --names" in completion.zsh()
    rows = [row for row in completion.fish().splitlines() if " -l on " in row]
    assert rows and all("(rpio hosts --names 2>/dev/null)" in row and " -x " in row for row in rows)


def test_what_is_remembered_is_read_as_what_came_from_the_network(network):
    assert hosts._remembered() is None
    hosts._remember([found_as("pi.local"), discovery.Found("other.local", "", (), 8599, "")])
    assert hosts._remembered() == ["pi.local"]
    with open(hosts._cache(False), "w") as file:
        file.write("pi.local\n$(reboot)\n\x1b[2J\n")
    assert hosts._remembered() == ["pi.local"]
    os.utime(hosts._cache(False), (0, 0))
    assert hosts._remembered() is None


def test_an_extra_that_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(errors.NotSupportedError) as caught:
        discovery.browse(0.1)
    assert "pip install 'RPIO[discovery]'" in caught.value.hint
