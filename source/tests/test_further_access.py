# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may have programs run by ``rpio serve --further``: TLS, tokens, logins, and whose pages."""

import contextlib
import json
import os
import re
import socket
import ssl
import stat

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

from further_parts import ANY, config_of, further, outputs, plain
from remote_parts import daemon
from RPIO import errors
from RPIO.server.further.access import (
    FAILURES_MAX,
    FAILURES_S,
    LOGIN_S,
    LOGINS_MAX,
    Attempts,
    Logins,
    Names,
    Refused,
    bearer,
    check_query,
    of_protocols,
)
from RPIO.server.outside.authority import Authority
from RPIO.server.settings import settings as settings_module
from waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A daemon with TLS, whose programs need a token."""
    folder = tmp_path_factory.mktemp("further")
    with further(
        folder, more="[further]\norigins = ['https://pages.example']\nhosts = ['*.rpio.example']\n"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def token(served):
    """One for programs."""
    return served.token("run")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A daemon for who shows no token."""
    with plain(tmp_path_factory.mktemp("open")) as made:
        yield made


def refused(served, path, status, **more):
    """What is said to a WebSocket that is refused."""
    with pytest.raises(InvalidStatus) as e, served.connect(path, **more):
        pass
    assert e.value.response.status_code == status, e.value.response.body
    return e.value.response.body.decode()


def hi(talk):
    """Have a program say so."""
    talk.send("start", data={"sourceScript": "print('hi')"})
    return outputs(talk.until("stopped"))


# -- TLS ------------------------------------------------------------------------------------------


def test_the_session_of_the_seed_document_over_tls_with_the_certificate_checked(served, token):
    with served.connect("/run-py", token) as py:
        assert hi(py) == "hi\n"
        made = py.socket.socket
        assert made.version() in ("TLSv1.2", "TLSv1.3")
        names = {value for _, value in made.getpeercert()["subjectAltName"]}
        assert {"localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"} <= names


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_certificate_is_for_these_names(served, name):
    made = socket.create_connection(("127.0.0.1", served.port), LIMIT_S)
    with served.trust.wrap_socket(made, server_hostname=name) as tls:
        tls.sendall(f"GET /status HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        assert tls.recv(20).startswith(b"HTTP/1.0 200 OK")


def test_who_does_not_know_the_certificate_does_not_come(served):
    made = socket.create_connection(("127.0.0.1", served.port), LIMIT_S)
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(made, server_hostname="localhost")
    made.close()
    assert served.get("/status").status == 200


@pytest.mark.slow
def test_the_key_is_its_owners_alone_and_the_certificate_stays(tmp_path):
    with further(tmp_path) as served:
        folder = tmp_path / "state/tls"
        assert stat.S_IMODE((folder / "server.key").stat().st_mode) == 0o600
        made = folder / "ca.pem"
        text = made.read_text()
        assert f"(authority {made}, SHA-256 {Authority(str(folder)).fingerprint()})" in served.daemon.look()
    with further(tmp_path):
        assert made.read_text() == text


@pytest.mark.slow
def test_plain_http_is_asked_for_by_the_originals_variable(tmp_path):
    for value, scheme in (("1", "http"), ("0", "https"), ("false", "https"), ("", "https")):
        with further(tmp_path, FURTHER_LINK_NOSSL=value) as served:
            assert served.scheme == scheme, value


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/run-py", "/run", "/shell"])
def test_without_a_token_no_programs(served, path):
    text = refused(served, path, 401)
    assert f"{path} needs the scope 'run'; this session has read, gpio, i2c" in text
    assert "rpio token new --scope run" in text


def test_of_http_too(served):
    found = served.http("POST", "/upload", {"name": "x", "files": {}})
    assert found.status == 401 and found.headers["WWW-Authenticate"] == "Bearer"
    assert served.get("/video/1").status == 401
    assert (
        served.get("/status").status
        == served.get("/version").status
        == served.get("/status.json").status
        == 200
    )


def test_a_token_for_something_else_does_not_do(served):
    other = served.token("gpio")
    assert "needs the scope 'run'" in refused(served, "/run", 403, token=other)


def test_a_token_of_nobody_does_not_do(served):
    assert "there is no such token here" in refused(served, "/run", 401, token="rpio_nonsense")
    assert served.get("/status.json", Authorization="Bearer rpio_nonsense").status == 401


def test_a_token_in_the_header(served, token):
    with served.connect("/run-py", token) as py:
        assert hi(py) == "hi\n"
    files = {"a": {"type": "text", "content": {"text": ""}}}
    found = served.http(
        "POST", "/upload", {"name": "x", "files": files}, {"Authorization": f"bearer {token}"}
    )
    assert found.json["success"] is True
    assert served.get("/status.json", Authorization="Basic YTpi").status == 400


def test_a_token_as_a_sub_protocol_is_not_answered_with(served, token):
    with served.connect("/run-py", subprotocols=["rpio", f"rpio.bearer.{token}"]) as py:
        assert py.socket.subprotocol == "rpio"
        assert hi(py) == "hi\n"
    with served.connect("/run-py", subprotocols=[f"rpio.bearer.{token}"]) as py:
        assert py.socket.subprotocol is None
        assert hi(py) == "hi\n"
    refused(served, "/run-py", 401, subprotocols=["rpio", "rpio.bearer.nonsense"])


@pytest.mark.parametrize("method", ["body", "header"])
def test_a_cookie_of_a_login(served, token, method):
    if method == "body":
        found = served.http("POST", "/login", {"token": token})
    else:
        found = served.http("POST", "/login", headers={"Authorization": f"Bearer {token}"})
    assert found.json == {"success": True, "scopes": ["read", "gpio", "i2c", "run"]}
    cookie = found.headers["Set-Cookie"]
    assert token not in cookie
    kept, *words = re.split(r"; ?", cookie)
    assert {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"} <= set(words), words
    with served.connect("/run-py", headers={"Cookie": kept}) as py:
        assert hi(py) == "hi\n"
    assert served.http("POST", "/logout", headers={"Cookie": kept}).status == 200
    refused(served, "/run-py", 401, headers={"Cookie": kept})


def test_without_tls_a_cookie_is_none_of_tls(opened):
    found = opened.http("POST", "/login", {"token": opened.token("run")})
    assert found.status == 200 and "Secure" not in found.headers["Set-Cookie"]


@pytest.mark.parametrize("raw", ["", "{", "[]", '{"token": 1}', '{"token": ""}', "{}"])
def test_a_login_without_a_token_is_refused(served, raw):
    found = served.http("POST", "/login", raw=raw)
    assert found.status == 400 and "Set-Cookie" not in found.headers


def test_a_login_is_short(served):
    found = served.http("POST", "/login", raw=json.dumps({"token": "x" * 5000}))
    assert found.status == 413 and "Set-Cookie" not in found.headers


def test_a_cookie_of_nobody_is_none(served):
    refused(served, "/run", 401, headers={"Cookie": "rpio=nonsense"})


@pytest.mark.parametrize("path", ["/status", "/run", "/run-py", "/shell", "/upload", "/nowhere"])
@pytest.mark.parametrize("name", ["token", "access_token", "Bearer", "authorization"])
def test_a_token_in_the_url_is_refused(served, token, path, name):
    found = served.get(f"{path}?{name}={token}")
    assert found.status == 400
    assert "a token stands in no URL" in found.text and token not in found.text


@pytest.mark.slow
def test_a_revoked_token_ends_the_socket_and_its_programs(served):
    secret = served.daemon.rpio("token", "new", "guest", "--scope", "run").stdout.split()[-1]
    with served.connect("/run-py", secret) as py:
        py.send("start", data={"sourceScript": "import os; print(os.getpid()); input()"})
        assert py.receive()["type"] == "started"
        pid = int(py.output_until("\n"))
        cookie = served.http("POST", "/login", {"token": secret}).headers["Set-Cookie"].partition(";")[0]
        assert served.daemon.rpio("token", "revoke", "guest").returncode == 0
        code, reason = py.end_of()
        assert code == 1008 and "its token was revoked" in reason
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    refused(served, "/run-py", 401, token=secret)
    refused(served, "/run-py", 401, headers={"Cookie": cookie})


@pytest.mark.slow
def test_who_guesses_tokens_has_to_wait(tmp_path):
    with further(tmp_path) as served:
        good = served.token("run")
        found = [
            served.http("POST", "/login", {"token": f"rpio_{n}"}).status for n in range(FAILURES_MAX + 1)
        ]
        assert found == [401] * FAILURES_MAX + [429]
        said = served.daemon.look()
        assert (
            len(re.findall(r"127\.0\.0\.1 is refused: HTTP: ", said)) == 1
        )  # a line for each address and minute
        late = served.get("/status.json", Authorization="Bearer rpio_another")
        assert late.status == 429 and 1 <= int(late.headers["Retry-After"]) <= FAILURES_S + 1
        assert refused(served, "/run", 429, token="rpio_another")
        assert served.http("POST", "/login", {"token": good}).status == 200
        assert served.get("/status.json").status == 200


@pytest.mark.slow
def test_where_reading_is_not_open_the_status_needs_a_token(tmp_path):
    config = config_of(tmp_path, f"[access]\nopen = []\ntokens = '{tmp_path}/tokens'\n")
    with further(tmp_path, config=config) as served:
        assert served.get("/status.json").status == 401
        assert served.get("/version/apt/bash").status == 401
        reader = served.token("read")
        assert served.get("/status.json", Authorization=f"Bearer {reader}").status == 200
        assert served.get("/status").status == 200


# -- as whom --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/run", "/run-py", "/shell"])
def test_who_asks_for_the_user_that_programs_run_as_gets_him(opened, path):
    import getpass

    with opened.connect(f"{path}?user={getpass.getuser()}") as talk:
        assert talk.ask("ping")["type"] in ("pong", "started")
    assert "programs run as" in refused(opened, f"{path}?user=somebody-else", 403)
    assert opened.http("POST", "/upload?user=somebody-else", {"name": "x", "files": {}}).status == 403


def test_open_run_says_so_at_each_start(opened):
    opened.daemon.says("further: --open-run: whoever reaches this port from this machine runs programs")


# -- whose pages ----------------------------------------------------------------------------------

FOREIGN = [
    "https://evil.example",
    "http://localhost:1",
    "null",
    "",
    "https://localhost",
    "file://",
    "https://pages.example.evil",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", ["/run", "/run-py", "/shell"])
def test_a_page_of_somebody_else_runs_nothing(opened, path, origin):
    assert "may not" in refused(opened, path, 403, headers={"Origin": origin})


@pytest.mark.parametrize("origin", FOREIGN)
def test_nor_does_it_with_a_token(served, token, origin):
    refused(served, "/run", 403, token=token, headers={"Origin": origin})
    found = served.http("POST", "/login", {"token": token}, {"Origin": origin})
    assert found.status == 403 and "Set-Cookie" not in found.headers
    assert "Access-Control-Allow-Origin" not in found.headers
    for method, path in (
        ("GET", "/status"),
        ("OPTIONS", "/upload"),
        ("GET", "/status.json"),
        ("GET", "/nowhere"),
    ):
        assert served.http(method, path, headers={"Origin": origin}).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_is_not_loaded_into_the_page_of_somebody_else(opened, site):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert opened.http("GET", "/video/1", headers=headers).status == 403
    assert opened.http("GET", "/status", headers={**headers, "Sec-Fetch-Mode": "navigate"}).status == 200
    assert opened.http("GET", "/status", headers={**headers, "Sec-Fetch-Site": "same-origin"}).status == 200
    assert opened.get("/status").headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_page_of_its_own_may(opened):
    with opened.connect("/run-py", headers={"Origin": f"http://localhost:{opened.port}"}) as py:
        assert hi(py) == "hi\n"


def test_a_page_that_is_listed_may(served, token):
    origin = {"Origin": "https://pages.example"}
    with served.connect("/run-py", token, headers=origin) as py:
        assert hi(py) == "hi\n"
    found = served.get("/status.json", **origin)
    assert found.headers["Access-Control-Allow-Origin"] == "https://pages.example"
    assert found.headers["Access-Control-Allow-Credentials"] == "true"
    assert found.headers["Vary"] == "Origin"
    asked = served.http("OPTIONS", "/upload", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert asked.status == 200
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Access-Control-Allow-Origin" not in served.get("/status").headers


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "rpio.example", "xrpio.example:8028"]
)
def test_a_name_that_is_none_of_this_machines_is_refused(served, host):
    found = served.http("GET", "/status", headers={"Host": host})
    assert found.status == 421 and "hosts in [further]" in found.text


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "[::1]:8028", "192.0.2.7", "pi.rpio.example"],
)
def test_names_of_this_machine_and_addresses_are_taken(served, host):
    assert served.http("GET", "/status", headers={"Host": host}).status == 200


# -- the parts ------------------------------------------------------------------------------------


def test_an_origin_is_compared_with_its_port_and_scheme():
    names = Names((), ("https://listed.example/",), "https")
    for origin, host in (
        ("https://localhost:8028", "localhost:8028"),
        ("https://LOCALHOST", "localhost:443"),
        ("https://localhost:443", "localhost"),
        ("https://[::1]:8028", "[::1]:8028"),
        ("https://listed.example", "localhost:8028"),
        (None, "localhost"),
    ):
        names.check_origin(origin, host)
    for origin, host in (
        ("http://localhost:8028", "localhost:8028"),
        ("https://localhost:8029", "localhost:8028"),
        ("https://localhost", "localhost:8028"),
        ("https://127.0.0.1:8028", "localhost:8028"),
        ("https://listed.example:8443", "localhost:8028"),
        ("null", "localhost:8028"),
        ("", "localhost:8028"),
    ):
        with pytest.raises(Refused):
            names.check_origin(origin, host)


@pytest.mark.parametrize(
    ("header", "token"), [("", ""), ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Bearer", "")]
)
def test_a_token_of_a_header(header, token):
    assert bearer(header) == token


def test_tokens_of_sub_protocols():
    assert of_protocols("rpio, rpio.bearer.abc") == "abc"
    assert of_protocols("rpio.bearer.a.b,rpio") == "a.b"
    assert of_protocols("rpio") == of_protocols("") == ""


def test_a_query_without_a_token_is_fine():
    check_query(["user", "pty", "client"])
    with pytest.raises(Refused, match="no URL"):
        check_query(["user", "TOKEN"])


def test_logins_are_over_and_not_too_many():
    now = [0.0]
    logins = Logins(lambda: now[0])
    first = logins.add("a")
    secrets = [logins.add("b") for _ in range(LOGINS_MAX)]
    assert logins.token(first) == "" and logins.token(secrets[-1]) == "b"
    now[0] = LOGIN_S
    assert logins.token(secrets[-1]) == ""
    last = logins.add("c")
    assert logins.token(last) == "c"
    logins.forget(last)
    logins.forget(last)
    assert logins.token(last) == ""
    two = [logins.add("d") for _ in range(2)]
    assert logins.forget_token("d") and not logins.forget_token("d")
    assert [logins.token(secret) for secret in two] == ["", ""]


def test_attempts_are_counted_for_each_address_and_forgotten():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(FAILURES_MAX):
        attempts.failed("10.0.0.1")
    with pytest.raises(Refused):
        attempts.failed("10.0.0.1")
    attempts.failed("10.0.0.2")
    now[0] = FAILURES_S + 1
    attempts.failed("10.0.0.1")
    for number in range(5000):
        attempts.failed(str(number))
    assert len(attempts._failed) <= 1024


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--further", "0.0.0.0", "--open-run"], "further: 0.0.0.0 can be reached by other machines"),
        (["--further", "a b"], "is no ADDRESS or ADDRESS:PORT"),
        (["--further", "127.0.0.1:99999"], "a port is a number"),
        (["--open-run"], "--open-run is about --rraspy and --further"),
        (["--insecure"], "--insecure is about"),
    ],
)
def test_words_that_cannot_be_are_refused(tmp_path, words, text):
    with daemon(tmp_path, "--show-config", runs=False) as made:
        done = made.rpio("serve", *words)
        assert done.returncode and text in done.stderr


def test_open_run_is_of_the_one_that_is_named(tmp_path):
    with daemon(tmp_path, "--show-config", runs=False, config="[rraspy]\nhost = '127.0.0.1'\n") as made:
        shown = made.rpio("serve", "--show-config", "--further", "--open-run").stdout
        tables = dict(re.findall(r"^\[(\w+)\]\n((?:\w.*\n)+)", shown, re.MULTILINE))
        assert "open_run = true" in tables["further"] and "open_run = false" in tables["rraspy"]
        assert "port = 8028" in tables["further"]


def test_the_originals_variables_are_defaults(monkeypatch, tmp_path):
    for name, value in (
        ("FURTHER_LINK_PORT", "9000"),
        ("FURTHER_LINK_NOSSL", "yes"),
        ("FURTHER_LINK_WORK_DIR", "~/work"),
        ("FURTHER_LINK_TEMP_DIR", "/tmp"),
        ("FURTHER_VENV", "/venv"),
    ):
        monkeypatch.setenv(name, value)
    found = settings_module.read({}, [])
    assert found.values["further", "port"] == 9000 and found.values["further", "tls"] is False
    assert found.places["further", "port"] == "by FURTHER_LINK_PORT"
    assert [found.values["run", name] for name in ("work", "temp", "venv")] == ["~/work", "/tmp", "/venv"]
    (tmp_path / "x.toml").write_text("[further]\nport = 9001\n")
    assert settings_module.read({}, [str(tmp_path / "x.toml")]).values["further", "port"] == 9001
    assert settings_module.read({("further", "port"): 9002}, []).values["further", "port"] == 9002
    monkeypatch.setenv("FURTHER_LINK_PORT", "many")
    with pytest.raises(errors.ConfigError, match="FURTHER_LINK_PORT in the environment: a port is a number"):
        settings_module.read({}, [])


@pytest.mark.slow
def test_other_machines_need_a_token_even_where_reading_is_open(tmp_path):
    """What is open is open to this machine: who comes by another address has shown nothing."""
    prelude = (
        "import RPIO.server.further.routes as s; import RPIO.server.settings.beyond as b;"
        "s.is_loopback = b.is_loopback = lambda address: False"
    )
    with further(tmp_path, "--insecure", prelude=prelude) as served:
        assert served.get("/status.json").status == 401
        found = served.get("/version")
        assert found.status == 401 and found.headers["Server"] == "RPIO"
        reader = served.token("read")
        assert "version" in served.get("/version", Authorization=f"Bearer {reader}").json
        with served.connect("/run-py", served.token("run")) as py:
            assert hi(py) == "hi\n"


@pytest.mark.slow
def test_nobody_waits_for_ever_and_nobody_keeps_others_out(tmp_path):
    prelude = "import RPIO.server.further.port as s; s.FIRST_S = 1.0; s.CONNECTIONS_MAX = 4"
    with plain(tmp_path, prelude=prelude) as served:
        idle = [socket.create_connection(("127.0.0.1", served.port), LIMIT_S) for _ in range(4)]
        late = socket.create_connection(("127.0.0.1", served.port), LIMIT_S)
        for made in (late, *idle):
            assert made.recv(1) == b""
            made.close()
        assert served.get("/status").status == 200


@pytest.mark.slow
def test_who_has_not_ended_his_handshake_counts_as_well(tmp_path):
    prelude = "import RPIO.server.further.port as s; s.FIRST_S = 1000.0; s.CONNECTIONS_MAX = 4"
    with further(tmp_path, prelude=prelude) as served:
        idle = [socket.create_connection(("127.0.0.1", served.port), LIMIT_S) for _ in range(4)]
        with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as late:
            assert late.recv(1) == b""
        for made in idle:
            made.close()
        assert wait_until(lambda: is_up(served))


def is_up(served):
    try:
        return served.get("/status").status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_too_many_sockets_are_refused(tmp_path):
    prelude = "import RPIO.server.further.routes as s; s.SOCKETS_MAX = 1"
    with plain(tmp_path, prelude=prelude) as served, served.connect("/run") as run:
        assert "may be no more" in refused(served, "/run", 503)
        assert served.get("/status.json?stream=1").status == 503
        assert run.ask("ping")["type"] == "pong"


def test_headers_that_are_too_large_are_refused(opened):
    assert opened.get("/status", X_Long="x" * 20_000).status == 400
    assert opened.get("/status").status == 200


def test_a_socket_that_nobody_asked_to_upgrade_is_a_bad_request(opened):
    for path in ("/run", "/run-py", "/shell"):
        assert opened.get(path).status == 400


@pytest.mark.parametrize("name", ["opened", "served"])
def test_garbage_is_not_written_down(request, name):
    opened = request.getfixturevalue(name)
    for garbage in (b"\x16\x03\x01\x00\x05hello", b"GET\r\n\r\n", b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", opened.port), LIMIT_S) as made:
            made.sendall(garbage)
            made.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while made.recv(1000):
                    pass
    assert opened.get("/status").status == 200
    assert not re.search("Traceback|SSL handshake|Error", opened.daemon.look())


@pytest.mark.parametrize(
    "offered", [("rpio", "rpio.bearer.{}"), ("rpio.bearer.{}",), ("{}", "rpio.bearer.x")]
)
def test_no_token_is_written_down(served, token, offered):
    """aiohttp's own log would have every sub-protocol that a client offers."""
    for secret in (token, "rpio_that-is-none"):
        words = [word.format(secret) for word in offered]
        with contextlib.suppress(InvalidStatus, NegotiationError), served.connect("/run", subprotocols=words):
            pass
        served.get("/status.json", Authorization=f"Bearer {secret}")
        assert secret not in served.daemon.look()
    assert "rpio.bearer" not in served.daemon.look()


@pytest.mark.slow
def test_the_service_of_systemd_has_the_option(tmp_path):
    from RPIO.cli import installing
    from RPIO.cli.serve import serve_parser

    parser = serve_parser()
    words = ["--further", "127.0.0.1:9000", "--install"]
    assert installing.words_of(parser, parser.parse_args(words)) == ["--further=127.0.0.1:9000"]
    assert installing.words_of(parser, parser.parse_args(["--further", "--open-run"])) == [
        "--further",
        "--open-run",
    ]


@pytest.mark.slow
def test_a_socket_is_closed_by_no_more_than_its_own_end(opened):
    with opened.connect("/run-py") as one, opened.connect("/run-py") as other:
        one.close()
        assert hi(other) == "hi\n"
        with pytest.raises(ConnectionClosed):
            one.send("ping")
        assert json.loads(opened.daemon.rpio("who", "--json").stdout)["fronts"]
        assert ANY[0] == "--further"
