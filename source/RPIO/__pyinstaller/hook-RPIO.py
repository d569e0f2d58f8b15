# SPDX-License-Identifier: LGPL-3.0-or-later
"""PyInstaller's hook: modules that RPIO imports by name, and stand-ins, which are loaded from files."""

from PyInstaller.utils.hooks import collect_data_files  # type: ignore[import-not-found, import-untyped, unused-ignore]

hiddenimports = ["RPIO.Exceptions", "RPIO.PWM", "RPIO.sim", "RPIO.loop.green", "pkgutil"]
datas = collect_data_files("RPIO.shims", include_py_files=True, includes=["RPi/**/*.py", "rraspy/**/*.py"])
