# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pytest plugin for gpiozero 1.6.2's own tests: of those for real pins, the ones of its factory for RPIO."""

from wired_board import use_wired_board

FACTORY = "[rpio]"

use_wired_board()


def pytest_collection_modifyitems(items):
    """Leave out every other factory."""
    items[:] = [item for item in items if item.name.endswith(FACTORY)]
