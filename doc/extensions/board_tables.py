# SPDX-License-Identifier: LGPL-3.0-or-later
"""Sphinx directives that show the tables of the library itself, so that the pages cannot fall behind it.

.. header:: 17 = LED, 27 = button    the 40-pin header, lines marked
.. models::                          one row per model of RPIO.machine.boards
.. exceptions::                      the tree drawn at the top of RPIO.errors
.. operations::                      all that can be asked over RPIO's own protocol
.. program-messages:: asked          what is said of programs that run here
"""

import textwrap

from docutils import nodes
from docutils.statemachine import StringList
from header_svg import as_svg, as_text
from sphinx.util.docutils import SphinxDirective

from RPIO import constants, errors
from RPIO.machine import boards, headers
from RPIO.wire import kinds, operations, runs


class HeaderDirective(SphinxDirective):
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        pairs = (part.split("=") for part in self.arguments[0].split(",")) if self.arguments else ()
        marks = {int(line): text.strip() for line, text in pairs}
        text = as_text(headers.HEADER_40, marks)
        if self.env.app.builder.format != "html":
            return [nodes.literal_block(text, text)]
        svg = as_svg(headers.HEADER_40, marks, "The 40-pin header, pin 1 at the top left")
        return [nodes.raw("", svg, format="html")]


class ModelsDirective(SphinxDirective):
    def run(self):
        rows = [("Model", "``sim:``", "SoC", "Label of its gpiochip", "Header", "GPIO numbers")]
        for row in boards.ROWS:
            pins = "none of its own" if row.p1_revision == 0 else f"{row.layout.split()[0]} pins"
            if row.p1_revision in (1, 2):
                pins += f", revision {row.p1_revision}"
            soc = row.soc
            name = "" if row.p1_revision == 1 else f"``{row.short}``"
            rows.append((row.name, name, soc.name, f"``{soc.chip_label}``", pins, f"0-{soc.line_count - 1}"))
        return _table(self, rows)


class FunctionsDirective(SphinxDirective):
    """The names and values of what gpio_function() answers."""

    def run(self):
        names = {
            value: name
            for name, value in vars(constants).items()
            if name in ("IN", "OUT") or name[:3] == "ALT"
        }
        rows = [("Constant", "Value", "``rpio -i`` says")]
        rows += [
            (f"``{name}``", str(value), constants.FUNCTION_NAMES[value])
            for value, name in sorted(names.items())
        ]
        return _table(self, rows)


class ExceptionsDirective(SphinxDirective):
    def run(self):
        tree = errors.__doc__.split("::\n\n", 1)[1].split("\n\n``", 1)[0]
        text = textwrap.dedent(tree)
        return [nodes.literal_block(text, text, language="none")]


class OperationsDirective(SphinxDirective):
    def run(self):
        rows = [("Request", "What it does")]
        rows += [(f"``{row.usage()}``", " ".join(self.sentences(row))) for row in operations.ROWS]
        return _table(self, rows)

    def sentences(self, row):
        yield row.text
        for argument in row.arguments:
            yield f"*{argument.name.upper()}*: {self.text_of(argument.kind)}."
        if row.result:
            yield f"**Answer:** {'; '.join(self.text_of(kind) for kind in row.result)}."
        if not row.is_repeatable:
            yield "Done twice is not done once."

    def text_of(self, kind):
        if isinstance(kind, kinds.Repeated):
            return f"{kind.least} to {kind.most} times {', '.join(self.text_of(each) for each in kind.kinds)}"
        return kind.text.replace("*", "\\*")


class ProgramMessagesDirective(SphinxDirective):
    """The messages of programs: ``asked`` or ``told``."""

    required_arguments = 1

    def run(self):
        of = {"asked": runs.ASKED, "told": runs.TOLD}[self.arguments[0]]
        rows = [("Message", "What it does" if of is runs.ASKED else "What it says")]
        rows += [(f"``{name}``", " ".join(self.sentences(row))) for name, row in of.items()]
        return _table(self, rows)

    def sentences(self, row):
        yield row.text
        if row.of_program:
            yield "With *process*."
        names = [*(f"*{name}*" for name in row.must), *(f"*{name}* or not" for name in row.may)]
        if names:
            yield f"**Data:** {', '.join(names)}."


def _table(directive, rows):
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if not n else '  -'} {cell}" for n, cell in enumerate(row)]
    holder = nodes.Element()
    directive.state.nested_parse(StringList(lines, "RPIO.machine.boards"), directive.content_offset, holder)
    return holder.children


def setup(app):
    for name, directive in (
        ("header", HeaderDirective),
        ("models", ModelsDirective),
        ("functions", FunctionsDirective),
        ("exceptions", ExceptionsDirective),
        ("operations", OperationsDirective),
        ("program-messages", ProgramMessagesDirective),
    ):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
