# SPDX-License-Identifier: LGPL-3.0-or-later
"""rpio serve --install: the unit that it writes, and what systemctl is told: a model of that, which is checked."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from RPIO import cli
from RPIO.cli import installing, serve, units
from RPIO.server.outside.authority import Authority

SYSTEMCTL = """#!{python} -I
import os, sys
home = {home!r}
folder, words = os.path.join(home, "units"), sys.argv[1:]
if words[:1] == ["--user"]:
    words = words[1:]
with open(os.path.join(home, "said"), "a") as file:
    file.write(" ".join(words) + "\\n")
verb, options, names = words[0], [w for w in words[1:] if w[:1] == "-"], [w for w in words[1:] if w[:1] != "-"]

def fail(text, status=1):
    print(text, file=sys.stderr)
    sys.exit(status)

def at(kind, name):
    return os.path.join(home, f"{{kind}}-{{name}}")

def text_of(name):
    try:
        with open(os.path.join(folder, name + ".service")) as file:
            return file.read()
    except FileNotFoundError:
        return None

def start(name):
    if os.path.exists(os.path.join(home, "refuses")):
        fail(f"Job for {{name}}.service failed because the control process exited with error code.")
    with open(at("active", name), "w") as file:
        file.write(loaded(name))

def loaded(name):
    try:
        with open(at("loaded", name)) as file:
            return file.read()
    except FileNotFoundError:
        fail(f"Unit {{name}}.service not found.", 5)

if os.path.exists(os.path.join(home, "absent")):
    fail("System has not been booted with systemd as init system (PID 1). Can't operate.\\nFailed to connect to bus")
if verb == "show" and options == ["--property=Version"]:
    print("Version=252")
elif verb == "daemon-reload" and not names:
    for file_name in os.listdir(home):
        if file_name.startswith("loaded-"):
            os.unlink(os.path.join(home, file_name))
    for file_name in os.listdir(folder) if os.path.isdir(folder) else ():
        name = file_name.removesuffix(".service")
        with open(at("loaded", name), "w") as file:
            file.write(text_of(name))
elif verb in ("enable", "disable", "start", "restart", "is-active", "is-enabled") and len(names) == 1:
    (name,) = names
    if options not in ([], ["--now"]) or (options and verb not in ("enable", "disable")):
        fail(f"systemctl: unrecognized option {{options}}")
    if verb == "is-active":
        sys.exit(0 if os.path.exists(at("active", name)) else 3)
    if verb == "is-enabled":
        sys.exit(0 if os.path.exists(at("enabled", name)) else 1)
    if text_of(name) is None:
        fail(f"Failed to {{verb}} unit: Unit file {{name}}.service does not exist.")
    if verb == "enable":
        if "WantedBy=" not in text_of(name):
            fail("The unit files have no installation config")
        open(at("enabled", name), "w").close()
    elif verb == "disable":
        for kind in ("enabled", "active")[: 1 + bool(options)]:
            if os.path.exists(at(kind, name)):
                os.unlink(at(kind, name))
    if verb == "restart" or (verb == "start" and not os.path.exists(at("active", name))):
        start(name)
else:
    fail(f"Unknown command verb {{verb}}.")
"""


class Machine:
    """Where systemctl is a model's; its state is files."""

    def __init__(self, folder):
        self.folder = folder
        self.units = folder / "units"

    def is_so(self, kind, name="rpio-serve"):
        return (self.folder / f"{kind}-{name}").exists()

    def runs_with(self, name="rpio-serve"):
        """The text that its process was started by."""
        return (self.folder / f"active-{name}").read_text()

    def said(self):
        """What systemctl was told since the last time."""
        try:
            return (self.folder / "said").read_text().splitlines()
        finally:
            (self.folder / "said").write_text("")

    def unit(self, name="rpio-serve"):
        return (self.units / f"{name}.service").read_text()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "systemctl"
    program.write_text(SYSTEMCTL.format(python=sys.executable, home=str(tmp_path)))
    program.chmod(0o755)
    (tmp_path / "said").write_text("")
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setattr(units, "OF_SYSTEM", str(tmp_path / "units"))
    monkeypatch.setattr(units, "OF_USER", str(tmp_path / "units"))
    monkeypatch.setattr(units, "is_of_system", lambda: True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return Machine(tmp_path)


def line_of(text, key):
    (found,) = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]
    return found


class TestTheModelOfSystemctl:
    """It refuses what systemd refuses, and knows an old text from a new one."""

    def ask(self, *words):
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_a_unit_that_is_not_there_is_refused(self, machine):
        for verb in ("enable", "restart", "start", "disable"):
            status, said = self.ask(verb, "rpio-serve")
            assert status and "does not exist" in said
        assert self.ask("is-active", "rpio-serve")[0] == 3

    def test_what_it_starts_is_what_was_loaded_last(self, machine):
        machine.units.mkdir()
        file = machine.units / "rpio-serve.service"
        file.write_text("[Install]\nWantedBy=multi-user.target\none\n")
        assert self.ask("restart", "rpio-serve")[0] == 5
        assert self.ask("daemon-reload") == self.ask("restart", "rpio-serve") == (0, "")
        file.write_text("[Install]\nWantedBy=multi-user.target\ntwo\n")
        self.ask("restart", "rpio-serve")
        assert machine.runs_with().endswith("one\n")
        self.ask("daemon-reload")
        self.ask("restart", "rpio-serve")
        assert machine.runs_with().endswith("two\n")

    def test_words_that_it_does_not_know(self, machine):
        assert self.ask("frobnicate")[0] == self.ask("restart", "--now", "x")[0] == self.ask("enable")[0] == 1

    @pytest.mark.skipif(shutil.which("systemctl") is None, reason="there is no real one to compare with")
    def test_the_real_one_enables_by_the_same_file(self, machine, tmp_path):
        cli.main(["serve", "--install"])
        folder = tmp_path / "root" / "etc" / "systemd" / "system"
        folder.mkdir(parents=True)
        (folder / "rpio-serve.service").write_text(machine.unit())
        real = shutil.which("systemctl", path=os.environ["PATH"].partition(":")[2])
        done = subprocess.run(
            [real, f"--root={tmp_path / 'root'}", "enable", "rpio-serve"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (folder / "multi-user.target.wants" / "rpio-serve.service").is_symlink()


def test_it_is_written_enabled_and_started(machine, capsys):
    assert cli.main(["serve", "--no-tcp", "--install"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{machine.units}/rpio-serve.service\n"
    assert "rpio-serve is installed, and runs as " in err
    assert line_of(machine.unit(), "ExecStart").endswith(" serve --no-tcp")
    assert machine.said() == [
        "show --property=Version",
        "daemon-reload",
        "enable rpio-serve",
        "restart rpio-serve",
    ]
    assert machine.is_so("enabled") and machine.runs_with() == machine.unit()


@pytest.mark.slow
def test_the_same_again_changes_nothing_and_another_updates_it(machine, capsys):
    for words, what in (
        (["--no-tcp"], "installed"),
        (["--no-tcp"], "unchanged"),
        (["--port", "8511"], "updated"),
        (["--port=8511"], "unchanged"),
    ):
        before = machine.runs_with() if what == "unchanged" else None
        assert cli.main(["serve", *words, "--install"]) == 0
        assert f"rpio-serve is {what}" in capsys.readouterr().err
        assert machine.runs_with() == machine.unit()
        assert ("restart rpio-serve" in machine.said()) == (what != "unchanged")
        assert before in (None, machine.runs_with())


def test_one_that_has_been_stopped_or_disabled_is_started_again(machine, capsys):
    cli.main(["serve", "--install"])
    subprocess.run(["systemctl", "disable", "--now", "rpio-serve"], check=True)
    assert not machine.is_so("active")
    assert cli.main(["serve", "--install"]) == 0
    assert "unchanged" in capsys.readouterr().err
    assert machine.is_so("active") and machine.is_so("enabled")


def test_it_is_taken_away_and_twice_is_fine(machine, capsys):
    cli.main(["serve", "--install"])
    capsys.readouterr()
    assert cli.main(["serve", "--uninstall"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{machine.units}/rpio-serve.service\n", "rpio-serve is gone\n")
    assert not (machine.is_so("active") or machine.is_so("enabled") or machine.is_so("loaded"))
    assert cli.main(["serve", "--uninstall"]) == 0
    assert "there is no " in capsys.readouterr().err


def test_any_option_that_was_given_is_in_it(machine, tmp_path):
    (tmp_path / "rpio.toml").write_text("")
    words = [
        *("--port", "0", "--group", "root", "--audit", "a file"),
        *("--rraspy", "--rraspy-host", "127.0.0.1:7071", "--smbus=127.0.0.1", "--backend", "sim:4B"),
    ]
    p = serve.serve_parser()
    options = p.parse_args([*words, "--install", "--config", str(tmp_path / "rpio.toml")])
    found = installing.words_of(p, options)
    again = p.parse_args(found)
    assert again.audit == os.path.abspath("a file")
    options.audit, options.install = again.audit, False
    assert vars(again) == vars(options)


@pytest.mark.slow
def test_remoteio_is_a_service_of_its_own_name_that_the_same_again_updates(machine, capsys):
    assert cli.main(["serve", "--remoteio", "--install"]) == 0
    text = machine.unit("rpio-remoteio")
    assert line_of(text, "ExecStart").endswith(" serve --remoteio")
    assert "rpio.service" in line_of(text, "Conflicts")
    assert "rpio-remoteio is installed" in capsys.readouterr().err
    open_to_all = [
        "serve",
        "--remoteio",
        "0.0.0.0:8510",
        "--remoteio-mode",
        "nowait",
        "--insecure",
        "--install",
    ]
    assert cli.main([*open_to_all[:-2], "--install"]) == 1
    assert "--insecure" in capsys.readouterr().err
    for said in ("updated", "unchanged"):
        assert cli.main(open_to_all) == 0
        assert f"rpio-remoteio is {said}" in capsys.readouterr().err
    words = shlex.split(line_of(machine.unit("rpio-remoteio"), "ExecStart"))
    assert {"--remoteio=0.0.0.0:8510", "--remoteio-mode=nowait", "--insecure"} < set(words)
    assert cli.main(["serve", "--remoteio", "--uninstall"]) == 0
    assert not (machine.units / "rpio-remoteio.service").exists()


WORDS = [
    "plain",
    "/a/b.toml",
    "two words",
    "100%",
    "$HOME",
    'a "quoted" one',
    "back\\slash",
    "--x=[::1]:8509",
    "tab\t",
    "",
]


def test_words_are_written_as_systemd_reads_them(tmp_path):
    line = units.written(WORDS)
    unescaped = line.replace("%%", "%").replace("$$", "$").replace("\\t", "\t")
    assert shlex.split(unescaped) == WORDS
    assert "two words" in line and '"two words"' in line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("is_of_system", [True, False])
def test_systemd_finds_nothing_wrong_with_it(machine, monkeypatch, is_of_system):
    monkeypatch.setattr(units, "is_of_system", lambda: is_of_system)
    monkeypatch.setattr(units, "program", lambda: ["/bin/true"])
    assert cli.main(["serve", "--audit", "/tmp/100% of $it", "--install"]) == 0
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(machine.units / "rpio-serve.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_who_it_runs_as(machine, monkeypatch):
    import pwd

    names = [one.pw_name for one in pwd.getpwall() if one.pw_uid != 0 and one.pw_name != "rpio"]
    monkeypatch.setenv("SUDO_USER", names[0])
    cli.main(["serve", "--install"])
    if "rpio" in [one.pw_name for one in pwd.getpwall()]:
        assert line_of(machine.unit(), "User") == "rpio"
    else:
        assert line_of(machine.unit(), "User") == names[0]
    assert line_of(machine.unit(), "StateDirectory") == line_of(machine.unit(), "RuntimeDirectory") == "rpio"
    monkeypatch.setattr(units, "is_of_system", lambda: False)
    cli.main(["serve", "--install"])
    assert "User=" not in machine.unit() and "Directory=" not in machine.unit()
    assert line_of(machine.unit(), "WantedBy") == "default.target"


def test_a_service_that_does_not_start_is_told_and_how_to_see_why(machine, capsys):
    (machine.folder / "refuses").write_text("")
    assert cli.main(["serve", "--install"]) == 1
    err = capsys.readouterr().err
    assert "systemctl restart rpio-serve: Job for rpio-serve.service failed" in err
    assert "journalctl -u rpio-serve says why" in err


def test_without_systemd_nothing_is_written(machine, capsys, monkeypatch):
    (machine.folder / "absent").write_text("")
    assert cli.main(["serve", "--install"]) == 1
    err = capsys.readouterr().err
    assert "no systemd runs here that could: System has not been booted with systemd" in err
    assert not machine.units.exists()
    monkeypatch.setenv("PATH", str(machine.folder))
    assert cli.main(["serve", "--install"]) == 1
    assert "there is no systemctl" in capsys.readouterr().err


def test_a_file_of_somebody_elses_stays_as_it_is(machine, capsys):
    machine.units.mkdir()
    (machine.units / "rpio-serve.service").write_text("[Service]\nExecStart=/bin/mine\n")
    for word in ("--install", "--uninstall"):
        assert cli.main(["serve", word]) == 1
        assert "was not made by --install" in capsys.readouterr().err
    assert "mine" in machine.unit()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--install", "--uninstall"], "not allowed with argument --install"),
        (["--install", "--stdio"], "not allowed with argument --install"),
    ],
)
def test_what_cannot_be_together(machine, capsys, words, text):
    with pytest.raises(SystemExit):
        cli.main(["serve", *words])
    assert text in capsys.readouterr().err


def test_options_that_serve_refuses_are_not_installed(machine, capsys):
    assert cli.main(["serve", "--insecure", "--install"]) == 2
    assert "--insecure is about" in capsys.readouterr().err
    assert not machine.units.exists()


@pytest.mark.slow
def test_one_that_is_open_to_the_network_is_announced_and_taken_away(machine, capsys, tmp_path, monkeypatch):
    """By the one who installs it, who is root: the daemon runs as somebody else, and may not write there."""
    services = tmp_path / "services"
    services.mkdir()
    state = tmp_path / "state"
    (tmp_path / "rpio.toml").write_text(f"[serve]\nannounce = '{services}'\nstate = '{state}'\n")
    monkeypatch.setenv("RPIO_BACKEND", "sim:4B")
    monkeypatch.setenv("RPIO_CONFIG", str(tmp_path / "rpio.toml"))
    words = ["serve"]
    assert cli.main([*words, "--install"]) == 0
    assert not list(services.iterdir())
    assert cli.main([*words, "--address", "any", "--install"]) == 0
    (path,) = services.iterdir()
    assert "<txt-record>model=simulated Raspberry Pi 4 Model B</txt-record>" in path.read_text()
    assert "<txt-record>id=" not in path.read_text()  # no daemon has run, which makes it
    Authority(f"{state}/tls").make()
    capsys.readouterr()
    assert cli.main([*words, "--address", "any", "--install"]) == 0
    assert f"<txt-record>id={Authority(f'{state}/tls').digest()[:16]}</txt-record>" in path.read_text()
    assert f"others find it by the name of this machine: {path}" in capsys.readouterr().err
    assert cli.main([*words, "--uninstall"]) == 0
    assert str(path) in capsys.readouterr().out.splitlines() and not list(services.iterdir())
