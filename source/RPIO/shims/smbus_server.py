# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's tool: ``smbus_server.py -i ADDRESS:PORT`` serves the I2C buses of this machine. Under ``rpio run``."""

from __future__ import annotations

import argparse
import sys
import threading

from RPIO.errors import GPIOError
from RPIO.server.grpc.proxy_server import ProxyServer, address_of
from RPIO.wire.fronts import is_here


def main() -> int:
    """Serve until Ctrl+C."""
    from RPIO.i2c import SMBus

    p = argparse.ArgumentParser(
        prog="smbus_server.py",
        description="Serve the I2C buses of this machine to clients of smbus-proxy, by gRPC. `rpio serve --smbus` does "
        "the same beside everything else, with tokens and with calls that smbus-proxy has not.",
    )
    p.add_argument(
        "-i", "--ip", required=True, metavar="ADDRESS:PORT", help="where to listen: 127.0.0.1:50051"
    )
    p.add_argument(
        "--insecure",
        action="store_true",
        help="listen at another address than this machine's own, without TLS and access",
    )
    options = p.parse_args()
    try:
        address, _ = address_of(options.ip)
        if not options.insecure and not is_here(address):
            p.error(
                f"{address} can be reached by other machines, and nothing is encrypted or guarded: --insecure"
            )
        server = ProxyServer(options.ip, SMBus)
        server.serve()
    except (GPIOError, ValueError, OSError) as e:
        text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        print(f"smbus_server.py: {text}", file=sys.stderr)
        return 1
    try:
        while not threading.Event().wait(0.5):
            pass
    except KeyboardInterrupt:
        return 130
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
