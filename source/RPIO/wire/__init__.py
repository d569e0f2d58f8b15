# SPDX-License-Identifier: LGPL-3.0-or-later
"""Bytes to what is asked and back: operations has what can be asked at all, each codec is one way to write it down.

Nothing here reads, writes, waits or looks at a clock.
"""
