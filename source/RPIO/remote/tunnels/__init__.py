# SPDX-License-Identifier: LGPL-3.0-or-later
"""Connections whose other end is handed on: ports, pipes, programs."""
