# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges that were captured: kept, written, drawn, read, played."""
