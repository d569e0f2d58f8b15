# SPDX-License-Identifier: LGPL-3.0-or-later
"""The wait: one epoll, callbacks, TCP ports."""
