#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Read the registers of a Si4703 radio by smbus-proxy: the bus is at the server, the reset line here.

rpio run smbus_server.py -i 127.0.0.1:50051
rpio run Si4703_proxy.py
"""

import sys
import time

from RPi import GPIO
from smbus_proxy.proxy_client import ProxyClient

SERVER = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
RESET, SDIO = 23, 2
ADDRESS, FIRST = 0x10, 0x0A

GPIO.setmode(GPIO.BCM)
GPIO.setwarnings(False)
GPIO.setup(RESET, GPIO.OUT, initial=GPIO.LOW)
GPIO.setup(SDIO, GPIO.OUT, initial=GPIO.LOW)  # low at the end of the reset: two wires
time.sleep(0.1)
GPIO.output(RESET, GPIO.HIGH)
time.sleep(0.1)
GPIO.setup(SDIO, GPIO.IN)
GPIO.cleanup()

bus = ProxyClient(SERVER, 1)
time.sleep(0.2)
data = bus.read_i2c_block_data(ADDRESS, FIRST)
for at in range(16):
    print(f"0x{(FIRST + at) % 16:02X} = {data[2 * at]:02x} {data[2 * at + 1]:02x}")
