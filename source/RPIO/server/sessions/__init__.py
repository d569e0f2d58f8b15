# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is asked in a session: who has come, his lines, edges and counts, buses by turns, and what each request does.

A session is a client of the Board like any other. There is no socket here: bytes in, bytes out, and when to be called
again. ``native`` has what becomes of each operation, for every protocol that is served; ``talks`` is one connection of
RPIO's own; ``hearing`` is what a session knows of those who hear it, and of who starts its processes.
"""
