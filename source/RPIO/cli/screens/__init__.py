# SPDX-License-Identifier: LGPL-3.0-or-later
"""The screens: ``rpio-curses`` and ``rpio tui``, two looks of the same lines, which are in ``lines``."""
