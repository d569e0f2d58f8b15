# SPDX-License-Identifier: LGPL-3.0-or-later
"""The look of ``rpio tui``: its colours and its style sheet. What is of one widget only is with that."""

from __future__ import annotations

from textual.theme import Theme

BERRY = Theme(
    name="berry",
    primary="#c7325c",
    secondary="#8b929e",
    accent="#8fb35a",
    success="#8fce5a",
    warning="#e5b54a",
    error="#f0626c",
    foreground="#dcdfe4",
    background="#14161a",
    surface="#1a1d22",
    panel="#23272e",
)
"""Colours of raspberries; each of one value, for those of a row's cells are laid over each other."""


CSS = """
#title { height: 1; padding: 0 1; background: $primary; color: $text; text-style: bold; }
#middle { height: 1fr; }
Table, Side { width: 1fr; height: 1fr; }
Table, Side, Log, Help VerticalScroll {
    scrollbar-background: $background; scrollbar-background-hover: $background;
    scrollbar-color: $secondary-darken-3; scrollbar-color-hover: $secondary; scrollbar-color-active: $primary;
}
Log { height: 25%; max-height: 12; }
.beside Side { width: 30; }
.framed {
    & Table, & Side, & Log {
        border: round $secondary-darken-3; border-title-color: $foreground; border-title-style: bold;
    }
    & Side.-open, &.choosing Table { border: round $primary; }
}
.plain {
    & Table > .table--chosen, & Entry.-chosen { text-style: reverse; }
    & Table > .table--high-out, & Table > .table--low-out { text-style: underline; }
}
"""
"""Where things are, and what they look like; "plain" is without colours, and what stands out does so by style."""
