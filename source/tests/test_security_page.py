# SPDX-License-Identifier: LGPL-3.0-or-later
"""doc/security, doc/remote and doc/troubleshooting: what they say of pairing is typed, and what they promise is so."""

import contextlib
import os
import re
import shlex
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hostile_parts import needs_openssl, opened, own_address
from remote_parts import Program
from RPIO import errors
from RPIO.pure import lines
from RPIO.remote import tls
from RPIO.server.outside import lobby, strangers
from RPIO.server.rights.access import Access
from RPIO.server.sessions import sessions, talks
from RPIO.wire import announced, pairing
from RPIO.wire.fronts import FRONTS
from RPIO.wire.native import FIRST_MAX, LINE_MAX
from waiting import LIMIT_S, wait_until

DOC = Path(__file__).resolve().parents[2] / "doc"
SECURITY, REMOTE, TROUBLE = (
    (DOC / f"{name}.rst").read_text(encoding="utf-8") for name in ("security", "remote", "troubleshooting")
)
BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)


def flat(text):
    """Without the ends of lines, and marks of reStructuredText."""
    return re.sub(r"\s+", " ", text.replace("``", "`").replace("\\:", ":"))


def section(page, title):
    """From a title to the next one."""
    return re.split(
        r"^\S.*\n[-~]{4,}\n", page.partition(f"\n{title}\n")[2].partition("\n")[2], flags=re.MULTILINE
    )[0]


def row(page, words):
    """The last column of the row of a table that has these words in its first one."""
    found = re.search(rf"^    \* - {re.escape(words)}\n      - (.*)$", page, re.MULTILINE)
    assert found, words
    return found[1]


# -- what is promised -------------------------------------------------------------------------------------------


def test_every_port_has_a_row():
    table = section(SECURITY, "What each port gives to whom")
    ports = {int(port) for port in re.findall(r"^    \* - (\d+)\b", table, re.MULTILINE)}
    assert ports == {8510} | {front.port for front in FRONTS.values()}
    for front in FRONTS.values():
        assert f"    * - {front.port}, ``--{front.name}``\n" in table
        what = re.search(rf"    \* - {front.port}, (?:.|\n)*?(?=    \* - |\Z)", table)[0]
        assert ("TLS" in what) == front.has_access, front.name


def test_the_limits_are_those_of_the_code():
    page = section(SECURITY, "Limits")
    assert row(
        page, "who are waited for at once; of too many the oldest of the network that has most is closed"
    ) == str(strangers.COMING_MAX)
    assert row(page, "of one address") == str(strangers.OF_ADDRESS_MAX)
    of_refused = f"of one address that was refused {strangers.FAILED_MAX} times within a minute"
    assert row(page, of_refused) == str(strangers.OF_FAILED_MAX)
    assert row(page, "time to shake hands, and then to show who one is") == f"{strangers.SHOWN_S} s each"
    assert row(page, "bytes of the first line") == str(FIRST_MAX)
    assert (
        strangers.MINUTE_NS == 60 * 10**9 and row(page, "lines in the log for an address and minute") == "1"
    )
    assert row(page, "lines in the log about who was refused, in a minute") == str(strangers.LINES_MAX)
    assert row(page, "attempts at a code, and its time") == f"{pairing.ATTEMPTS_MAX}, {pairing.VALID_S:g} s"
    assert row(page, "sessions") == str(sessions.SESSIONS_MAX)
    assert row(page, "a line") == f"{LINE_MAX >> 20} MiB"
    assert row(page, "what one is heard of in a turn") == f"{lines.PIECE >> 10} KiB"
    assert (
        row(page, "what waits to be read by one, before he is heard no more")
        == f"{talks.OUT_BYTES >> 10} KiB"
    )
    assert len(pairing.ALPHABET) ** pairing.CODE_LENGTH == 2**40 and "2\\ :sup:`40` codes" in SECURITY


def refusals():
    """What those who are refused read, but for what is another's each time."""
    yield from (text.format(it="its certificate") for text in tls.ADVICE.values())
    yield from tls.ALERTS.values()
    yield from (str(lobby.UNKNOWN), str(lobby.PLAIN))
    access = Access((), list, lambda: 0.0, list)
    for ask in (lambda: access.show("x"), lambda: access.show_certificate(b"x")):
        with pytest.raises(errors.NotAllowedError) as caught:
            ask()
        yield str(caught.value)


@pytest.mark.parametrize("text", sorted(set(refusals())))
def test_each_refusal_stands_on_the_page_of_troubles(text):
    assert flat(text) in flat(section(TROUBLE, "Devices on the network"))


def test_what_is_said_where_something_is_missing_stands_there_too(monkeypatch, tmp_path):
    from RPIO.remote.devices import discovery
    from RPIO.remote.places.places import Place

    page = flat(section(TROUBLE, "Devices on the network"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with (
        socket.create_server((own_address(), 0)) as listener,
        socket.create_connection(listener.getsockname(), LIMIT_S) as made,
        pytest.raises(errors.NotAllowedError) as caught,
    ):
        Place("pi.local").seal(made, LIMIT_S, None, 1.0)
    assert str(caught.value) in page
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(errors.NotSupportedError) as caught:
        discovery.browse(0.1)
    assert str(caught.value) in page


# -- what is typed ----------------------------------------------------------------------------------------------


def typed(title):
    """The commands of the blocks of a section, each with what it prints."""
    for block in BLOCK.findall(section(REMOTE, title)):
        for part in re.sub("^ {4}", "", block, flags=re.MULTILINE).split("$ ")[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.strip("\n")


class Laptop:
    """A machine with settings of its own, and no board."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("config", "run"):
            (folder / name).mkdir(parents=True, mode=0o700)
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "RPIO_BACKEND": "",
        }

    def rpio(self, *words, **env):
        """``rpio WORDS`` there."""
        return subprocess.run(
            [sys.executable, "-m", "RPIO", *words],
            env={**self.environment, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


@contextlib.contextmanager
def avahi(folder, host):
    """Who announces what a file of that folder says, as Avahi does."""
    zeroconf = pytest.importorskip("zeroconf", reason="needs zeroconf, which `make dev` installs")
    (path,) = folder.iterdir()
    service = ElementTree.parse(path).getroot().find("service")
    texts = dict(one.text.partition("=")[::2] for one in service.findall("txt-record"))
    there = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    name = f"rpio-{os.getpid()}"
    try:
        info = zeroconf.ServiceInfo(
            announced.TYPE,
            f"{name}.{announced.TYPE}",
            addresses=[socket.inet_aton(host)],
            port=int(service.find("port").text),
            properties=texts,
            server=f"{name}.local.",
        )
        there.register_service(info)
        yield
    finally:
        there.close()


@needs_openssl
@pytest.mark.slow
def test_pairing_is_as_the_page_says(tmp_path):
    services, host = tmp_path / "services", own_address()
    services.mkdir()
    (install, _), (offer, _), *on_laptop, (narrow, _) = typed("Pairing")
    assert install == "sudo rpio serve --address any --install" and offer == "sudo rpio pair"
    with opened(tmp_path / "device", announce=str(services)) as device:
        laptop, place = Laptop(tmp_path / "laptop"), f"{host}:{device.port}"
        assert wait_until(lambda: list(services.glob("*.service")))
        offering = Program("", words=["-m", "RPIO", "pair"], **{**device.env, "RPIO_BACKEND": ""})
        try:
            code = offering.says(r"\b([0-9A-Z]{4}-[0-9A-Z]{4})\b")[1]
            with avahi(services, host):
                for command, shown in on_laptop:
                    words = [word.replace("pi.local", place) for word in shlex.split(command)[1:]]
                    words = [
                        code if re.fullmatch("[0-9A-Z]{4}-[0-9A-Z]{4}", word) else word for word in words
                    ]

                    def said(words=words):
                        done = laptop.rpio(*words)
                        assert done.returncode == 0, (words, done.stderr)
                        of_it = [
                            line for line in done.stdout.splitlines() if words != ["hosts"] or host in line
                        ]
                        return re.sub(
                            " +", " ", "\n".join(of_it).replace(f":{device.port}", "").replace(host, "HOST")
                        )

                    want = re.sub(
                        " +", " ", shown.replace("pi.local", "HOST").replace("192.168.1.38", "HOST")
                    )
                    if words == ["hosts"]:  # which may come late, on a busy machine
                        assert wait_until(lambda want=want, said=said: said() == want), (said(), want)
                    else:
                        assert said() == want, command
            offering.says(r"^paired: ")
        finally:
            offering.close()
        # Files are their owners' alone, as the page says.
        files = [device.tls / name for name in ("ca.key", "server.key", "clients")]
        (own,) = (tmp_path / "laptop").glob("config/rpio/hosts/*/client.key")
        assert {stat.S_IMODE(path.stat().st_mode) for path in (*files, own)} == {0o600}
        # And it ends at once.
        listed = device.rpio("pair", "--list").stdout
        name = listed.split()[1].rstrip(":")
        assert device.rpio("pair", "--revoke", name).returncode == 0
        done = laptop.rpio("read", "17", "--on", place)
        assert done.returncode == 1 and "this machine is not paired with that one any more" in done.stderr
    assert narrow == "sudo rpio pair --scope read --scope gpio --lines 17,18 --for 8h"


@needs_openssl
@pytest.mark.slow
def test_a_token_is_as_the_page_says(tmp_path):
    (new, _), (know, _), (write, _) = typed("With a token")
    host = own_address()
    with opened(tmp_path / "device") as device:
        laptop, place = Laptop(tmp_path / "laptop"), f"{host}:{device.port}"
        words = [
            str(laptop.folder / word) if word.endswith(".token") else word for word in shlex.split(new)[1:]
        ]
        assert device.rpio(*words).returncode == 0
        (laptop.folder / "ca.pem").write_bytes(Path(device.authority).read_bytes())
        done = laptop.rpio(*[word.replace("pi.local", place) for word in shlex.split(know)[1:]])
        assert done.returncode == 0, done.stderr
        variable, *words = shlex.split(write)
        env = dict([variable.split("=")])
        words = [word.replace("pi.local", place) for word in words[1:]]
        done = laptop.rpio(*words, **env)
        assert done.returncode == 0, done.stderr
        assert laptop.rpio(*[word.replace("17", "22") for word in words], **env).returncode == 1
        done = laptop.rpio(*words)
        assert done.returncode == 1 and "has shown no token" in done.stderr
        assert device.rpio("token", "revoke", "guest").returncode == 0
        assert "there is no such token here" in laptop.rpio(*words, **env).stderr


@needs_openssl
@pytest.mark.slow
def test_without_tls_is_as_the_page_says(tmp_path):
    assert "remote+insecure://pi.local" in section(REMOTE, "Without TLS")
    with opened(tmp_path / "device", "--insecure") as device:
        laptop = Laptop(tmp_path / "laptop")
        place = f"remote+insecure://{own_address()}:{device.port}"
        assert laptop.rpio("read", "17", "--on", place).stdout == "0\n"
        assert laptop.rpio("read", "17", RPIO_BACKEND=place).stdout == "0\n"
        assert "without TLS and access (--insecure)" in laptop.rpio("who", "--on", place).stdout


@pytest.mark.slow
def test_what_is_compared_is_the_authority(tmp_path):
    """The page says that the file is no secret: it has no key."""
    with opened(tmp_path) as device:
        text = Path(device.authority).read_text()
    assert "PRIVATE" not in text and ssl.PEM_cert_to_DER_cert(text)
