# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that run for sessions: processes with this machine's modules, and the keeper's side of the daemon."""
