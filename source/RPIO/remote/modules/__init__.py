# SPDX-License-Identifier: LGPL-3.0-or-later
"""Modules and functions of this program that are another machine's."""

from .modules import Modules as Modules
