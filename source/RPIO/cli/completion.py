# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio completion``: what the shell completes, made from the parsers."""

from __future__ import annotations

import argparse

from . import classic
from .command import parser_of
from .index import VERBS
from .verb import parser

BASH = """\
# rpio completion bash > /etc/bash_completion.d/rpio
_rpio() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words values=
    case ${{COMP_WORDS[1]}}${{COMP_WORDS[COMP_CWORD-1]}} in
{values}
        *--on|*--there) values="localhost $("${{COMP_WORDS[0]}}" hosts --names 2>/dev/null | tr '\\n' ' ')"
            values+=" $(sed -n 's/^ *[Hh]ost *[ =] *//p' ~/.ssh/config 2>/dev/null | tr ' ' '\\n' \\
            | grep -v '[*?!]')" ;;
    esac
    if [ -n "$values" ]; then
        COMPREPLY=($(compgen -W "$values" -- "$word"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
        *) words="{first}" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && words="{first}"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${{#COMPREPLY[@]}} = 0 ] && compopt -o default
}}
complete -F _rpio rpio
"""
ZSH = """\
#compdef rpio
# rpio completion zsh > "${{fpath[1]}}/_rpio"
local -a verbs
verbs=(
{verbs}
)
if (( CURRENT == 2 )); then
    _describe verb verbs
    compadd -- {options}
    return
fi
if [[ $words[CURRENT-1] == --on || $words[CURRENT-1] == --there ]]; then
    compadd -- localhost $("$words[1]" hosts --names 2>/dev/null)
    return
fi
case $words[2]$words[CURRENT-1] in
{values}
esac
case $words[2] in
{cases}
esac
_files
"""


def completion_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio completion``."""
    p = parser(
        "completion",
        "Print what makes a shell complete rpio's verbs and options.",
        "  source <(rpio completion bash)\n  rpio completion fish > ~/.config/fish/completions/rpio.fish",
    )
    p.add_argument("shell", choices=[*SHELLS])
    return p


def completion(options: argparse.Namespace) -> None:
    """``rpio completion``"""
    print(SHELLS[options.shell](), end="")


BACKENDS = "auto regs cdev sysfs sim"
"""What --backend may be, but for words with a colon, which is the end of a word to bash."""
HOST_OPTIONS = {"--on", "--there"}
HOSTS = "localhost (rpio hosts --names 2>/dev/null)"
"""What stands behind them, in fish."""
WITH_FILES = ("run", "sim", "replay", "record", "capture", "pinout")
"""Verbs that files may be named to."""


def words_of(p: argparse.ArgumentParser) -> list[str]:
    """Options and fixed words of a parser."""
    found: list[str] = []
    for action in p._actions:
        found += action.option_strings
        found += [str(choice) for choice in action.choices or ()]
    return found


def values_of(verb: str) -> list[tuple[str, str]]:
    """The options of a verb behind which one of some words is to stand, and these words."""
    found: list[tuple[str, str]] = []
    for action in parser_of(verb)._actions:
        words = " ".join(map(str, action.choices or ()))
        if action.dest == "backend" and "--backend" in action.option_strings:
            words = BACKENDS
        found += [(option, words) for option in action.option_strings if words]
    return found


def bash() -> str:
    """For bash."""
    values = "\n".join(
        f'        {verb}{option}) values="{words}" ;;' for verb in VERBS for option, words in values_of(verb)
    )
    cases = "\n".join(f'        {verb}) words="{" ".join(words_of(parser_of(verb)))}" ;;' for verb in VERBS)
    return BASH.format(cases=cases, values=values, first=" ".join([*VERBS, *words_of(classic.parser())]))


def zsh() -> str:
    """For zsh."""
    verbs = "\n".join(f"    '{verb}:{row[1].replace(chr(39), '')}'" for verb, row in VERBS.items())
    cases = "\n".join(f"    {verb}) compadd -- {' '.join(words_of(parser_of(verb)))} ;;" for verb in VERBS)
    values = "\n".join(
        f"    {verb}{option}) compadd -- {words}; return ;;"
        for verb in VERBS
        for option, words in values_of(verb)
    )
    first = " ".join(words_of(classic.parser()))
    return ZSH.format(verbs=verbs, options=first, cases=cases, values=values)


def fish() -> str:
    """For fish."""
    rows = [
        "# rpio completion fish > ~/.config/fish/completions/rpio.fish",
        f"complete -c rpio -n 'not __fish_seen_subcommand_from {' '.join(WITH_FILES)}' -f",
    ]
    # Those of RPIO 0.10.1, which stand before any verb.
    first = [action for action in classic.parser()._actions if action.option_strings]
    rows += [f"complete -c rpio -n __fish_use_subcommand {_fish_options(action)}" for action in first]
    for verb, row in VERBS.items():
        rows.append(f"complete -c rpio -n __fish_use_subcommand -a {verb} -d '{row[1]}'")
    for verb in VERBS:
        seen = f"-n '__fish_seen_subcommand_from {verb}'"
        for action in parser_of(verb)._actions:
            words = " ".join(str(choice) for choice in action.choices or ())
            if action.option_strings:
                rows.append(f"complete -c rpio {seen} {_fish_options(action)}")
            elif words:
                rows.append(f"complete -c rpio {seen} -a '{words}'")
    return "\n".join(rows) + "\n"


FILES = ("FILE", "PATH", "PROGRAM")
"""What the help calls a value that is a file."""


def _fish_options(action: argparse.Action) -> str:
    """One option of a verb, and what may stand behind it: of these words one and nothing else."""
    text = (action.help or "").replace("'", "").replace("%%", "%")
    words = " ".join(str(choice) for choice in action.choices or ())
    if not HOST_OPTIONS.isdisjoint(action.option_strings):
        words = HOSTS
    elif "--backend" in action.option_strings:
        words = BACKENDS
    has_value = "" if action.nargs in (0, "?") else " -rF" if action.metavar in FILES else " -x"
    options = " ".join(_fish_option(each) for each in action.option_strings)
    return f"{options} -d '{text}'{has_value}" + (f" -a '{words}'" if words else "")


def _fish_option(text: str) -> str:
    return f"-l {text[2:]}" if text.startswith("--") else f"-s {text[1:]}"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
