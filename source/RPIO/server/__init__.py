# SPDX-License-Identifier: LGPL-3.0-or-later
"""Those who come over a socket: sessions and their lines, what they ask for, and the sockets themselves.

A session is a client of the Board like any other. sessions and watches know no sockets: bytes in, bytes out, and when
to be called again; native has what becomes of each operation; inside is the front end in a program's own loop.
"""
