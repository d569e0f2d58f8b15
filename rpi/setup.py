# SPDX-License-Identifier: LGPL-3.0-or-later
"""Copy the stand-in ``RPi`` out of RPIO's tree, where it is kept, and package it under its own name."""

import shutil
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / "source" / "RPIO" / "shims" / "RPi"

if KEPT.exists():  # else this is an sdist, which has the copy
    shutil.rmtree(HERE / "RPi", ignore_errors=True)
    shutil.copytree(KEPT, HERE / "RPi", ignore=shutil.ignore_patterns("__pycache__"))

setup(license="LGPL-3.0-or-later")
