# SPDX-License-Identifier: LGPL-3.0-or-later
"""Draw a pin header as SVG or as text, from the tables of RPIO.machine.boards.

Text is drawn in the colour of the page (currentColor), so light and dark themes both work.
"""

from html import escape

ROW, LEFT, PIN_X = 22, 210, 24
COLOURS = {"3V3": "#d9822b", "5V": "#c23030", "GND": "#5c7080", "line": "#0f9960"}


def label(what):
    """What stands beside a pin: "GPIO 17" or the name of a supply."""
    return f"GPIO {what}" if isinstance(what, int) else what


def as_text(header, marks):
    """Two pins a row, odd ones on the left, as they lie on the board."""
    rows = []
    for odd in range(1, max(header), 2):
        left, right = (_described(header[pin], marks) for pin in (odd, odd + 1))
        rows.append(f"{left:>24}  {odd:>2} o o {odd + 1:<2}  {right}".rstrip())
    return "\n".join(rows)


def _described(what, marks):
    return f"{label(what)} ({marks[what]})" if what in marks else label(what)


def as_svg(header, marks, title):
    """The same as a picture; *marks* (line -> text) are drawn in bold with a ring around the pin."""
    height = (len(header) // 2 + 1) * ROW
    width = 2 * LEFT + PIN_X
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'style="max-width:{width}px;width:100%" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect x="{LEFT - 14}" y="4" width="{PIN_X + 28}" height="{height - 8}" rx="6" fill="currentColor" '
        'fill-opacity="0.12"/>',
    ]
    for pin, what in sorted(header.items()):
        parts += _pin(pin, what, marks)
    return "".join([*parts, "</svg>"])


def _pin(pin, what, marks):
    right = pin % 2 == 0
    x, y = LEFT + (PIN_X if right else 0), ((pin + 1) // 2) * ROW
    marked = what in marks
    yield (
        f'<circle cx="{x}" cy="{y}" r="9" fill="{COLOURS.get(what, COLOURS["line"])}"'
        + (' stroke="currentColor" stroke-width="3"/>' if marked else "/>")
    )
    yield f'<text x="{x}" y="{y + 3.5}" font-size="9" fill="#fff" text-anchor="middle">{pin}</text>'
    yield (
        f'<text x="{x + (22 if right else -22)}" y="{y + 4}" fill="currentColor" '
        f'text-anchor="{"start" if right else "end"}"'
        + (' font-weight="bold">' if marked else ' fill-opacity="0.8">')
        + escape(_described(what, marks))
        + "</text>"
    )
