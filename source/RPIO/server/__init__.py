# SPDX-License-Identifier: LGPL-3.0-or-later
"""The other side: who comes, by whatever protocol, and what is done for him. Three modules put the rooms together:
``daemon`` is ``rpio serve``, ``serving`` is serve_remote(), ``stdio`` is what ssh starts.

From the ground up, each room importing only those before it (doc/architecture):

* ``rights``: who may what, and who has set what.
* ``sessions``: what is asked in a session, and what becomes of it. It knows no sockets.
* ``connections``: where one listens, who is connected, and the front end of RPIO's own protocol.
* ``settings``: what the configuration files say, and what is open.
* ``tunnels``, ``programs``: what becomes of a connection that has something else.
* ``outside``: other machines, by TLS and pairing.
* ``further``, ``grpc``, ``remoteio``, ``rraspy``: the front ends of other protocols.
"""
