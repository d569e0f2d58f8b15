# SPDX-License-Identifier: LGPL-3.0-or-later
# The example of RPIO's documentation: two GPIO interrupts and a TCP server in one loop.
import RPIO


def gpio_callback(gpio_id, val):
    print("gpio %s: %s" % (gpio_id, val))


def socket_callback(socket, val):
    print("socket %s: '%s'" % (socket.fileno(), val))
    socket.send("echo: %s\n" % val)


# GPIO interrupt callbacks
RPIO.add_interrupt_callback(7, gpio_callback)
RPIO.add_interrupt_callback(9, gpio_callback, pull_up_down=RPIO.PUD_UP)

# TCP socket server callback on port 8080, for this machine alone
RPIO.add_tcp_callback(8080, socket_callback, host="127.0.0.1")

# Blocking main epoll loop
RPIO.wait_for_interrupts()
