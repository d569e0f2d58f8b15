# SPDX-License-Identifier: LGPL-3.0-or-later
"""Other machines: who comes from there waits in the lobby until TLS is between and he has shown who he is.

``authority`` has this device's certificate and signs those of its clients; ``offers`` and ``pairing`` are how one
becomes a client; ``strangers`` and ``arrivals`` bound what they cost who are none as yet, at every port. ``guarded``
puts that together for RPIO's own port; ``announcing`` has the device found.
"""
