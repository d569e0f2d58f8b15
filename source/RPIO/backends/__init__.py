# SPDX-License-Identifier: LGPL-3.0-or-later
"""What touches lines, and knows no rules: one way for each module, and what all of them promise in protocol."""

from .protocol import Backend as Backend
