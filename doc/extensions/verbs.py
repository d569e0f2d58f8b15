# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pages of rpio's verbs, written from their parsers into doc/verbs whenever these documents are built.

They are pages of the HTML and manual pages, ``rpio-capture(1)`` and so on. index.inc has the list of verbs and
options.inc the classic options; rpio.rst includes them.
"""

import io
import os
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "verbs"
PAGE = """\
{orphan}.. SPDX-License-Identifier: LGPL-3.0-or-later

{title}
{rule}

Synopsis
--------

{usage}

Description
-----------

{description}

Options
-------

{options}

{rest}
Exit status
-----------

0; 1 where it could not be done, which is told in one line on stderr, with what to do about it; 2 for a command line
that cannot be read; 130 for Ctrl+C where that is not the usual end.

See also
--------

{rpio}
"""

TREE = """\
.. toctree::
    :hidden:
    :glob:

    verbs/*
"""


def text_of(text):
    """Plain text of a parser as reStructuredText: `code` stays code."""
    parts = re.split(r"`([^`]+)`", text.replace("%%", "%"))
    return "".join(
        f"``{part}``" if number % 2 else re.sub(r"([\\*|_])", r"\\\1", part)
        for number, part in enumerate(parts)
    )


def block_of(text):
    """Text as it is."""
    return "\n".join([".. code-block:: text", "", *(f"    {row}" for row in text.strip("\n").splitlines())])


def options_of(parser):
    """A definition for every argument: the positional ones first."""
    rows = []
    for action in sorted(parser._actions, key=lambda action: bool(action.option_strings)):
        value = parser._get_formatter()._format_args(action, action.metavar or action.dest.upper())
        if action.option_strings:
            value = f" {value}" if action.nargs != 0 else ""
            name = ", ".join(f"{option}{value}" for option in action.option_strings)
        else:
            name = value
        rows += [f"``{name}``", f"    {text_of(action.help or 'one of these')}", ""]
    return "\n".join(rows).rstrip()


def link_to(page, name, for_man):
    """A link; manual pages have none."""
    return f"**{name}**\\ (1)" if for_man else f":doc:`{name} </{page}>`"


def page_of(title, parser, sample, for_man):
    """The page of a verb."""
    usage = parser.format_usage().removeprefix("usage: ")
    examples, _, rest = (parser.epilog or "").removeprefix("examples:\n").partition("\n\n")
    sections = ["Examples\n--------", block_of(re.sub(r"^  ", "", examples, flags=re.MULTILINE))]
    if rest.strip():
        sections.append(text_of(rest.strip()))
    if sample:
        sections.append(sample)
    return PAGE.format(
        title=title,
        rule="=" * len(title),
        usage=block_of(usage),
        description=text_of(parser.description),
        options=options_of(parser),
        rest="\n\n".join(sections) + "\n" if examples else "",
        rpio=link_to("rpio", "rpio", for_man),
        orphan=":orphan:\n\n" if for_man else "",
    )


def recording():
    """A button on GPIO 17 that bounces, and a LED on GPIO 18 that follows it 5 ms later."""
    from RPIO.recordings.recording import Recording

    made = Recording([17, 18], [1, 0])
    bounces_us = (2000, 2180, 2310, 2700, 2790, 3050, 3140, 3600, 3660)
    for number, time_us in enumerate(bounces_us):
        made.add(time_us * 1000, 0, number % 2)
    made.add((bounces_us[-1] + 5000) * 1000, 1, 1)
    for number, time_us in enumerate((14000, 14150, 14400)):
        made.add(time_us * 1000, 0, 1 - number % 2)
    made.add(19_400_000, 1, 0)
    made.end_ns = 22_000_000
    return made


def samples():
    """Verb -> what it shows: the page as it would be on a terminal, and as a picture."""
    from RPIO.machine import boards, pinout
    from RPIO.recordings import formats

    headers = pinout.rows(boards.by_name("5B"), None)
    write("pinout.svg", pinout.svg(headers))
    made, picture = recording(), io.StringIO()
    formats.write_svg(made, picture)
    write("capture.svg", picture.getvalue())
    shown = {
        "pinout": ("rpio pinout --model 5B", pinout.text(headers, 100, False, True)),
        "capture": (
            "rpio capture 17,18 --trigger 17:falling --for 22ms",
            "\n".join([*formats.draw(made, 90, True), f"{len(made)} edges in 22 ms"]),
        ),
    }
    return {
        verb: "\n\n".join(
            [
                "What it shows\n-------------",
                block_of(f"$ {command}\n{text}"),
                f"With ``-o {verb}.svg``:",
                f".. image:: {verb}.svg\n    :alt: {command}",
            ]
        )
        for verb, (command, text) in shown.items()
    }


def write(name, text):
    """Leave a page alone that has not changed: Sphinx reads those anew that are younger."""
    path = FOLDER / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write_all(for_man):
    """All pages."""
    from RPIO.cli import classic, command
    from RPIO.cli.index import VERBS

    os.environ["COLUMNS"] = "100"  # of the usage
    FOLDER.mkdir(exist_ok=True)
    index = []
    shown = {} if for_man else samples()
    for verb, (_, what) in VERBS.items():
        write(f"{verb}.rst", page_of(f"rpio {verb}", command.parser_of(verb), shown.get(verb, ""), for_man))
        name = f"rpio-{verb}" if for_man else f"rpio {verb}"
        index.append(f"{link_to(f'verbs/{verb}', name, for_man)}\n    {text_of(what)}\n")
    if not for_man:
        index.append(TREE)
    write("index.inc", "\n".join(index))
    write("options.inc", options_of(classic.parser()) + "\n")


def man_pages(author):
    """The rows of conf.py's man_pages."""
    from RPIO.cli.index import VERBS

    return [(f"verbs/{verb}", f"rpio-{verb}", what, [author], 1) for verb, (_, what) in VERBS.items()]
