# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks of lines: ``courses`` (what each does), ``queues`` (one a line), ``devices``, ``engine`` (all)."""
