# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which tests are one process's, where several run them: those that share what takes time to make.

xdist knows files and classes. (Its groups by a mark are not heard of with the pytest of today.)
"""

from pathlib import Path


def scheduler(config, log, share_of):
    """What hands tests to xdist's processes; share_of(file, name of the test) is equal for those of one process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByShare(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, name = nodeid.partition("::")
            return str(share_of(Path(file), name))

    return ByShare(config, log)
