# SPDX-License-Identifier: LGPL-3.0-or-later
"""Have ``import RPIO`` drive a simulated board as it is, or, with RPIO_OVER=remote, over RPIO's own protocol.

The board is served by a thread of this process then, so that what a test does to it from outside is done as ever.
"""

import os

import RPIO
from RPIO.backends.remote import RemoteBackend
from RPIO.board.board import Board
from RPIO.server import serving

IS_REMOTE = os.environ.get("RPIO_OVER") == "remote"
HOST = "any" if os.environ.get("RPIO_OVER_TLS") == "1" else "127.0.0.1"
"""Any is by TLS, as the device that the environment names: see remote_parts."""
served: list[Board] = []


def use(simulated):
    """Have it be the board of ``import RPIO``; return the word for it, "" where it is none of another process's."""
    if not IS_REMOTE:
        RPIO.facade.board.use(simulated, simulated.hardware)
        return ""
    behind = Board("sim")
    behind.use(simulated, simulated.hardware)
    port = serving.serve(behind, 0, HOST, None)
    behind.wait_for_interrupts(threaded=True)
    served.append(behind)
    RPIO.facade.board.use(RemoteBackend(f"127.0.0.1:{port}"), simulated.hardware)
    RPIO.sim.backend = lambda: simulated
    return f"remote://127.0.0.1:{port}"


def end():
    """The boards that are served are served no more."""
    while served:
        served.pop().close()
