# SPDX-License-Identifier: LGPL-3.0-or-later
"""Devices of the network: found, paired, and asked what they are."""
