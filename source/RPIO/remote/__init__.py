# SPDX-License-Identifier: LGPL-3.0-or-later
"""This side of a wire: where a server is, one connection to it, and a session that outlives connections.

Nothing here knows of lines, or of a Board; what does is the backend `remote`.
"""
