# SPDX-License-Identifier: LGPL-3.0-or-later
"""The Board: the one place with rules."""
