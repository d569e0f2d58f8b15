# SPDX-License-Identifier: LGPL-3.0-or-later
"""What stands in for the C module where that cannot be had: any laptop, for lines of other machines and simulated ones.

`gpio` has the names of RPIO._gpio, `choosing` puts it in its place. There are no descriptors of edges here but numbers
of `sources`: what the wait of `polling` looks at beside the sockets that a kernel of any kind knows.
"""
