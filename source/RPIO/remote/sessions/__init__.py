# SPDX-License-Identifier: LGPL-3.0-or-later
"""A session that outlives its connections, and what is asked in it."""
