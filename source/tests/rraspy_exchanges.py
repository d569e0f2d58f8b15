# SPDX-License-Identifier: LGPL-3.0-or-later
"""What RRaspPY 2122932 and its device have said to each other, recorded between the originals: bytes, and meaning.

The lengths of texts are written as they were recorded, in hex, in front of the text.
"""

import re

from RPIO.wire.rraspy import (
    CALLBACK,
    EXECUTE,
    FAILED,
    HANDLE,
    IMPORT,
    OK,
    REMOVE_CALLBACK,
    REMOVE_CALLBACKS,
    REMOVE_HANDLE,
    VALUES,
    Message,
)


def recorded(line):
    """Bytes of a line such as ``c0 0a 0005 ".GPIO"``."""
    parts = re.split(r'"(.*?)"(?= |$)', line)
    return b"".join(part.encode() if at % 2 else bytes.fromhex(part) for at, part in enumerate(parts))


DIVISION = 'Execute "None->1/0 (Callback=None": integer division or modulo by zero'

REQUESTS = [
    ('c0 0a 0005 ".GPIO" 0a 0004 "GPIO" 0a 0003 "RPi"', Message(IMPORT, ".GPIO", "GPIO", "RPi")),
    ('c0 0a 0004 "time" 0a 0006 "mytime" 00', Message(IMPORT, "time", "mytime", None)),
    ('b0 00 00 0a 0010 "GPIO.setmode(11)"', Message(EXECUTE, None, None, "GPIO.setmode(11)")),
    ('b0 00 00 0a 000e "GPIO.getmode()"', Message(EXECUTE, None, None, "GPIO.getmode()")),
    ('b0 00 00 0a 0016 "GPIO.output(26, False)"', Message(EXECUTE, None, None, "GPIO.output(26, False)")),
    (
        'b0 00 00 0a 001c "GPIO.setup(13, 0, initial=1)"',
        Message(EXECUTE, None, None, "GPIO.setup(13, 0, initial=1)"),
    ),
    ('b0 00 00 0a 0011 "GPIO.PWM(18, 100)"', Message(EXECUTE, None, None, "GPIO.PWM(18, 100)")),
    ('b0 06 0000 00 0a 0015 "ChangeDutyCycle(50.5)"', Message(EXECUTE, 0, None, "ChangeDutyCycle(50.5)")),
    (
        'b0 00 0a 000a "evtDetect6" 0a 002a "GPIO.add_event_detect(6, 33, CB_FUNCT, 50)"',
        Message(EXECUTE, None, "evtDetect6", "GPIO.add_event_detect(6, 33, CB_FUNCT, 50)"),
    ),
    ('b0 06 0001 00 0a 0011 "write_byte(39, 8)"', Message(EXECUTE, 1, None, "write_byte(39, 8)")),
    ("90 06 0001", Message(REMOVE_HANDLE, 1)),
    ('a0 0a 000b "evtDetect99"', Message(REMOVE_CALLBACK, "evtDetect99")),
    ('e0 0a 0009 "evtDetect"', Message(REMOVE_CALLBACKS, "evtDetect")),
]
ANSWERS = [
    ("0a", Message(OK)),
    ("0b 03 0000000b", Message(VALUES, 11)),
    ("0d 06 0000", Message(HANDLE, 0)),
    ("0d 06 0001", Message(HANDLE, 1)),
    (f'09 0a 0046 "{DIVISION}"', Message(FAILED, DIVISION)),
]
EVENTS = [('d0 0a 000a "evtDetect6" 03 00000006', Message(CALLBACK, "evtDetect6", 6))]
LOSSY = ("0b 0c 40490fdb", Message(VALUES, 3.1415927410125732))
"""What the original makes of 3.14159265358979: read, and never written here."""
