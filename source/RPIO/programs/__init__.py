# SPDX-License-Identifier: LGPL-3.0-or-later
"""What runs as another process on the device, never in the daemon: `process` starts one, with limits, `starter` as
another user; `modules` is the one that has the modules of the device for a program elsewhere (`held`, its objects;
`operating`, what can be done with one; `shipped`, functions that come as source); `rraspy` is a device of RRaspPY's.
"""
