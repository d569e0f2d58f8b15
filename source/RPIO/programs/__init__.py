# SPDX-License-Identifier: LGPL-3.0-or-later
"""What runs as another process on the device: never in the daemon, which only starts it."""
