# SPDX-License-Identifier: LGPL-3.0-or-later
"""How the daemon goes about it: the configuration files and words, what may run here, what is open, and to whom."""
