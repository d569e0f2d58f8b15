# SPDX-License-Identifier: LGPL-3.0-or-later
"""How a device says on the network that it serves lines: the words of its announcement, and Avahi's file for it.

Sources: RFC 6763 (DNS-SD), avahi.service(5).
"""

from __future__ import annotations

FOLDER = "/etc/avahi/services"
"""Where Avahi has such files. Source: avahi.service(5)."""
TYPE = "_rpio._tcp.local."
MODEL, ID = "model", "id"
"""Keys of its text: which machine it is, and the first 16 digits of the SHA-256 of its authority's certificate."""
VALUE_MAX = 200
"""Bytes of a value: key, "=" and value are 255 at most. Source: RFC 6763, 6.1."""
ID_DIGITS = 16
OF_DAEMON, INSTALLED = "<!-- Made by rpio serve. -->", "<!-- Made by rpio serve, and installed. -->"
"""Of a file that goes with its daemon, and of one that stays until it is taken away."""
FILE = """\
<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
{mark}
<service-group>
  <name replace-wildcards="yes">%h</name>
  <service>
    <type>_rpio._tcp</type>
    <port>{port}</port>
{texts}  </service>
</service-group>
"""


def service_file(port: int, model: str, id: str, mark: str = OF_DAEMON) -> str:
    """The file of Avahi's that announces a port; *id* may be "" where there is none as yet."""
    texts = [(MODEL, model), (ID, id)]
    lines = "".join([_text(key, value) for key, value in texts if value])
    return FILE.format(mark=mark, port=port, texts=lines)


def _text(key: str, value: str) -> str:
    cut = value.encode()[:VALUE_MAX].decode("utf-8", "ignore")
    plain = "".join([c if c.isprintable() else "?" for c in cut])
    written = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"    <txt-record>{key}={written}</txt-record>\n"
