# SPDX-License-Identifier: LGPL-3.0-or-later
"""What machine this is: tables, and the files that tell. Nothing here drives a line."""
