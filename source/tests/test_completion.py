# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio completion zsh`` and ``fish`` in those shells themselves. Bash's stand with the verbs and the hosts."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from RPIO.cli import completion
from waiting import LIMIT_S

needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh (apt install zsh)")
needs_fish = pytest.mark.skipif(not shutil.which("fish"), reason="no fish (apt install fish)")

RPIO = """\
#!/bin/sh
[ "$*" = "hosts --names" ] && printf 'pi.local\\nlab.local\\n'
"""


@pytest.fixture
def home(tmp_path):
    """A folder with nothing of this user's, and an rpio that knows two hosts; what the shells are to have of it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rpio").write_text(RPIO)
    (tmp_path / "bin" / "rpio").chmod(0o755)
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "TERM": "dumb",
    }


# -- fish -------------------------------------------------------------------------------------------------------


def fish(home, *lines):
    """What fish offers at the end of each line, without its descriptions."""
    file = f"{home['HOME']}/rpio.fish"
    with open(file, "w", encoding="utf-8") as out:
        out.write(completion.fish())
    asks = "".join(f"complete -C '{line}'; echo .;" for line in lines)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {file}; {asks}"],
        env=home,
        cwd=home["HOME"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert done.stderr == ""
    offers = [[]]
    for line in done.stdout.splitlines():
        if line == ".":
            offers.append([])
        else:
            offers[-1].append(line.partition("\t")[0])
    return offers[:-1]


@needs_fish
def test_fish_completes_verbs_words_and_options(home):
    found = fish(home, "rpio wat", "rpio pull 17 u", "rpio watch 17 --cou", "rpio token l", "rpio --setin")
    assert found == [["watch"], ["up"], ["--count"], ["list"], ["--setinput"]]


@needs_fish
def test_fish_offers_behind_an_option_what_may_stand_there_and_nothing_else(home):
    found = fish(
        home,
        "rpio token new --scope r",
        "rpio watch 17 --edge ",
        "rpio info --backend s",
        "rpio watch --for ",
    )
    assert found == [["read", "run"], ["both", "falling", "rising"], ["sim", "sysfs"], []]


@needs_fish
def test_fish_offers_hosts_behind_on_and_there(home):
    found = fish(home, "rpio read 17 --on ", "rpio read 17 --on l", "rpio run --there p")
    assert found == [["lab.local", "localhost", "pi.local"], ["lab.local", "localhost"], ["pi.local"]]


@needs_fish
def test_fish_offers_files_where_there_may_be_one_and_else_none(home):
    open(f"{home['HOME']}/door.vcd", "w").close()
    assert fish(home, "rpio record 17 -o do", "rpio replay do", "rpio read do") == [
        ["door.vcd"],
        ["door.vcd"],
        [],
    ]


# -- zsh --------------------------------------------------------------------------------------------------------

SETTINGS = """\
unsetopt prompt_cr; PS1=; fpath=(~/functions $fpath)
autoload -U compinit; compinit -u -D
report() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N report; bindkey '^X' report
bindkey '^I' complete-word; print "<ready>"
"""
"""Behind a tab ^X tells what the line has become. It is told as <...>, which stands in nothing that is typed."""


class Zsh:
    """One at a terminal, which waits for what is typed."""

    def __init__(self, home):
        folder = f"{home['HOME']}/functions"
        os.mkdir(folder)
        with open(f"{folder}/_rpio", "w", encoding="utf-8") as out:
            out.write(completion.zsh())
        with open(f"{home['HOME']}/.zshrc", "w", encoding="utf-8") as out:
            out.write(SETTINGS)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(home["HOME"])
                os.execvpe(
                    "zsh", ["zsh", "-d", "-i"], {**home, "ZDOTDIR": home["HOME"]}
                )  # -d: its own settings alone
            finally:
                os._exit(127)
        self.told = ""
        assert self.tells() == "ready"

    def tells(self):
        """The next that it tells."""
        end_s = time.monotonic() + LIMIT_S
        while not (found := re.search("<([^<>]*)>", self.told)):
            assert select.select([self.fd], [], [], max(0, end_s - time.monotonic()))[0], self.told
            self.told += os.read(self.fd, 4096).decode(errors="replace")
        self.told = self.told[found.end() :]
        return found[1]

    def completes(self, line):
        """What becomes of a line by a tab."""
        os.write(self.fd, f"{line}\t\x18".encode())
        return self.tells()

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def zsh(home):
    made = Zsh(home)
    yield made
    made.close()


@needs_zsh
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("rpio wat", "rpio watch "),
        ("rpio --setin", "rpio --setinput "),
        ("rpio pull 17 u", "rpio pull 17 up "),
        ("rpio watch 17 --cou", "rpio watch 17 --count "),
        ("rpio token l", "rpio token list "),
        ("rpio token new --scope rea", "rpio token new --scope read "),
        ("rpio watch 17 --edge ri", "rpio watch 17 --edge rising "),
        ("rpio info --backend sy", "rpio info --backend sysfs "),
        ("rpio read 17 --on p", "rpio read 17 --on pi.local "),
        ("rpio read 17 --on loc", "rpio read 17 --on localhost "),
        ("rpio run --there la", "rpio run --there lab.local "),
    ],
)
@pytest.mark.slow
def test_zsh_completes(zsh, typed, becomes):
    assert zsh.completes(typed) == becomes


@needs_zsh
@pytest.mark.slow
def test_zsh_offers_files_beside_words(zsh, home):
    open(f"{home['HOME']}/door.vcd", "w").close()
    assert zsh.completes("rpio replay do") == "rpio replay door.vcd "
