# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where one listens, and who is connected: ports and paths, links, and the front end of RPIO's own protocol.

``doors`` are listened at, ``links`` are those who have come, ``front`` has both in the loop of a board. ``streams`` and
``lending`` are for who comes over ssh; where nothing can be lent, ``relaying`` hands the bytes on.
"""
