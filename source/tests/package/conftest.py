# SPDX-License-Identifier: LGPL-3.0-or-later
"""How the tests of packages share their work."""

import re

import pytest

import sharing

OF_A_PYTHON = re.compile(r"\[(python[\d.]+)\]$")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """What is installed for an interpreter is one process's, which builds it once; and so are other tests of a file."""

    def share_of(file, name):
        python = OF_A_PYTHON.search(name)
        return python[1] if python else file

    return sharing.scheduler(config, log, share_of)
