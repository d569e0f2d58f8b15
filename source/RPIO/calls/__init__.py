# SPDX-License-Identifier: LGPL-3.0-or-later
"""Calls between two programs, one of which has the objects: `exchange` (frames, and the threads that wait for them),
`conversations` (who asks is asked meanwhile). Both sides of module() stand on it: remote/modules, programs/modules.
"""
