# SPDX-License-Identifier: LGPL-3.0-or-later
"""Stand-in modules for unmodified programs, each a folder here: `stand_ins` puts one in the place of the real one."""
