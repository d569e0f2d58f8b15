# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a descriptor can be ready for: epoll's masks, without the select module, which would be one more import."""

from __future__ import annotations

READ, WRITE, ERROR, HANGUP = 1, 4, 8, 16
"""EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. Source: Linux, include/uapi/linux/eventpoll.h."""
