# SPDX-License-Identifier: LGPL-3.0-or-later
"""What RPIO.pytest_plugin is made of."""
