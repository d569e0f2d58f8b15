# SPDX-License-Identifier: LGPL-3.0-or-later
"""How much of the machine TCP clients may have: whoever reaches a port may be anybody. All figures, with their reasons.

Source of the options of a socket: tcp(7), socket(7).
"""

from __future__ import annotations

MESSAGE_BYTES = 1024
"""What one receive takes at most, as in the original."""

MOST_CLIENTS = 1024
"""Connections of all ports together, where the process may have twice as many descriptors: see most_clients()."""

SELECTED_CLIENTS = 400
"""The same on Windows, whose select() waits for 512 sockets."""

SEND_BUFFER_BYTES = 1 << 20
"""What may wait to be sent to one client, in bytes: a second of a slow network, and 1 GiB if all did it."""

QUEUE_MESSAGES = 16
"""Messages of one client that wait for a threaded callback: 16 MiB for 1024 clients. It is not read while they are so
many, until half are left: the thread finds work while the loop reads more, and is not woken for each message."""

READY_AT_ONCE = 64
"""Clients that one look at epoll(7) names; it names others next time."""

ACCEPTS_AT_ONCE = 64
"""New connections of one turn of the loop, so that edges and other clients have theirs."""

BACKLOG = 128
"""Connections that the kernel keeps until they are accepted. More have to ask again, as it does by itself."""

RETRY_S = 1.0
"""How often is tried again what lacked a descriptor, memory or a thread: soon for a person, and no load."""

KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 3
"""A host that has gone without a word is noticed after 90 s of silence."""

SEND_TIMEOUT_MS = 60_000
"""TCP_USER_TIMEOUT: how long data may stay unacknowledged before the client counts as dead."""

LINES_IDLE_S, LINES_INTERVAL_S, LINES_PROBES, LINES_TIMEOUT_MS = 2, 1, 2, 4000
"""The same of connections by which others have lines, from machine to machine: a cable that is pulled is noticed after
4 s, whether anything is on its way or not. With TCP_USER_TIMEOUT the kernel gives up at the first probe that is due so
long after the last word of the other side, however many probes there were.
Source: Linux, net/ipv4/tcp_timer.c, tcp_keepalive_timer().
"""


def most_clients() -> int:
    """How many clients all ports together may have now: half of the process's descriptors are the program's."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
    except ImportError:
        return SELECTED_CLIENTS  # this system has no such limit, and no poll(2) either

    soft, _ = getrlimit(RLIMIT_NOFILE)
    return MOST_CLIENTS if soft == RLIM_INFINITY else min(MOST_CLIENTS, max(1, soft // 2))
