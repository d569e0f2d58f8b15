# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection that becomes another one: to a front end of another protocol, from one (``back``), or to a keeper."""
